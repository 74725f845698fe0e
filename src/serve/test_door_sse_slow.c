/* Tests of the SSE door with many subscribers, slow ones, and ones that leave or come back.
 * SPDX-License-Identifier: MIT */
#include "serve/test_live.h"
#include "tests/tap.h"

#include <sys/socket.h>
#include <unistd.h>

#define FOR_SERVERS(s, kept)                                                                       \
    for (const char *const *name = loop_names(); *name; name++)                                    \
        for (uint32_t workers = 1; workers <= 2; workers++)                                        \
            for (dx_server *s = server_start(*name, workers, kept); s; server_end(s), s = NULL)

static const char text[] = "text/plain", json[] = "application/json";

static live l, other;

static void post(dx_server *s, const char *path, const char *type, const char *body)
{
    CHECK_INT(http_status(s, "POST", path, type, body), 204);
}

static const char *with_offset(const char *path, const char *offset)
{
    static char ret[300];
    snprintf(ret, sizeof ret, "%s?live=sse&offset=%.33s", path, offset);
    return ret;
}

static bool is_control(live *from)
{
    return live_next(from) && strcmp(from->type, "control") == 0;
}

/* ---- many, and slow ones ----------------------------------------------------------------------- */

TEST("100 subscribers on one stream each get each message once, in order, from wherever they began")
{
    FOR_SERVERS(s, NULL) {
        enum { COUNT = 100, MESSAGES = 200 };
        static live many[COUNT];
        char want[16];
        for (int i = 0; i < MESSAGES / 2; i++) {
            snprintf(want, sizeof want, "%d", i);
            post(s, "/live/m", text, want);
        }
        for (int c = 0; c < COUNT; c++)
            live_open(&many[c], s, "/live/m?offset=-1&live=sse", "");
        for (int i = MESSAGES / 2; i < MESSAGES; i++) {
            snprintf(want, sizeof want, "%d", i);
            post(s, "/live/m", text, want);
        }
        for (int c = 0; c < COUNT; c++) {
            bool is_whole = true;
            for (int i = 0; i < MESSAGES && is_whole; i++) {
                snprintf(want, sizeof want, "%d", i);
                is_whole = live_is(&many[c], "data", want) && is_control(&many[c]);
            }
            CHECK(is_whole);
            live_close(&many[c]);
        }
    }
}

enum { BIG_BYTES = 90000, BIG_COUNT = 100 };

/* Numbered messages of BIG_BYTES, which are more than sockets and windows hold. */
static void post_big(dx_server *s, const char *path)
{
    static char body[BIG_BYTES + 1];

    for (int i = 0; i < BIG_COUNT; i++) {
        memset(body, 'x', BIG_BYTES);
        body[snprintf(body, sizeof body, "%06d", i)] = '\n';
        post(s, path, text, body);
    }
}

/* The next data event's number, -1 if there is none or it is damaged. */
static int next_big(live *from, const char *type)
{
    if (!live_next(from))
        return -1;
    while (strcmp(from->type, "control") == 0)
        if (!live_next(from))
            return -1;
    if (strcmp(from->type, type) != 0 || from->data_size != BIG_BYTES)
        return -2;
    return atoi(from->data);
}

TEST(
    "one who stops reading gets all that is retained when it reads again, in order, with sound framing")
{
    FOR_SERVERS(s, NULL) {
        live_open_on(&l, peer_connect_unix(), "/live/big?offset=now&live=sse", "");
        live_open(&other, s, "/live/big?offset=now&live=sse", "");
        CHECK(is_control(&l));
        CHECK(is_control(&other));
        post_big(s, "/live/big");
        int got = 0;
        while (got < BIG_COUNT && next_big(&l, "data") == got)
            got++;
        CHECK_INT(got, BIG_COUNT);
        for (got = 0; got < BIG_COUNT && next_big(&other, "data") == got;)
            got++;
        CHECK_INT(got, BIG_COUNT);
        post(s, "/live/big", text, "live again");
        while (live_next(&l) && strcmp(l.data, "live again") != 0)
            CHECK(strcmp(l.type, "control") == 0);
        live_close(&l);
        live_close(&other);
    }
}

TEST(
    "on_slow=latest skips to the newest and tells the gap; on_slow=disconnect ends between two events")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/big", text, "first"); /* else they are still to hear its kind */
        live_open_on(&l, peer_connect_unix(), "/live/big?offset=now&live=sse&on_slow=latest", "");
        live_open_on(&other, peer_connect_unix(),
                     "/live/big?offset=now&live=sse&on_slow=disconnect", "");
        CHECK(is_control(&l));
        CHECK(is_control(&other));
        post_big(s, "/live/big");
        int last = -1, gaps = 0, lost = 0, got = 0;
        while (last < BIG_COUNT - 1 && live_next(&l)) {
            if (strcmp(l.type, "gap") == 0) {
                gaps++;
                lost += atoi(strstr(l.data, "\"lost\":") + 7);
                CHECK(strcmp(live_member(&l, "earliest"), l.id) == 0);
            } else if (strcmp(l.type, "data") == 0) {
                CHECK(l.data_size == BIG_BYTES && atoi(l.data) > last);
                last = atoi(l.data);
                got++;
            }
        }
        CHECK_INT(last, BIG_COUNT - 1);
        CHECK(gaps > 0);
        CHECK_INT(got + lost, BIG_COUNT);
        int next = 0, number;
        while ((number = next_big(&other, "data")) == next)
            next++;
        CHECK_INT(number, -1);
        CHECK(next > 0 && next < BIG_COUNT);
        CHECK_INT(other.end, LIVE_ENDED);
        live_close(&l);
        live_close(&other);
    }
}

TEST(
    "one who was trimmed away while it did not read ends between two events; its cursor is gone then")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 10})) {
        char id[40];
        live_open_on(&l, peer_connect_unix(), "/live/big?offset=now&live=sse", "");
        CHECK(is_control(&l));
        post_big(s, "/live/big");
        int next = 0, number;
        while ((number = next_big(&l, "data")) == next)
            next++;
        CHECK_INT(number, -1);
        CHECK(next > 0 && next < BIG_COUNT);
        CHECK_INT(l.end, LIVE_ENDED);
        snprintf(id, sizeof id, "%.33s", l.id);
        live_again(&l, with_offset("/live/big", id), "");
        CHECK_INT(l.status, 410);
        live_close(&l);
    }
}

TEST("clients that leave in the middle of everything leave nothing behind")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/a", text, "x");
        for (int i = 0; i < 60; i++) {
            live_open_on(&l, i % 3 ? peer_connect(dx_server_port(s)) : peer_connect_unix(),
                         "/live/a?offset=-1&live=sse", "");
            if (i % 2)
                CHECK(live_next(&l));
            if (i % 5 == 0)
                setsockopt(l.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
                           sizeof(struct linger));
            post(s, "/live/a", text, "y");
            live_close(&l);
        }
        live_open(&l, s, "/live/a?offset=now&live=sse", "");
        CHECK(is_control(&l));
        post(s, "/live/a", text, "z");
        CHECK(live_is(&l, "data", "z"));
        live_close(&l);
    }
}

/* ---- pages ------------------------------------------------------------------------------------- */

/* 1000 numbers, several pages of them. */
static void post_numbers(dx_server *s, const char *path)
{
    static char body[8000];
    size_t size = 0;

    for (int i = 0; i < 1000; i++)
        size += (size_t)snprintf(body + size, sizeof body - size, "%c%d", i ? ',' : '[', i);
    snprintf(body + size, sizeof body - size, "]");
    post(s, path, json, body);
}

/* How many numbers are in the last event, if they go on with `next`; -1: they do not. */
static int numbers_from(const live *from, int next)
{
    int count = 0;

    for (const char *at = from->data; *at == '[' || *at == ','; count++) {
        char *end;
        if (strtol(at + 1, &end, 10) != next + count)
            return -1;
        at = end;
    }
    return count;
}

TEST("§5.8 a long history comes in pages, and only the last one says up to date")
{
    FOR_SERVERS(s, NULL) {
        int next = 0, pages = 0;
        post_numbers(s, "/live/n");
        live_open(&l, s, "/live/n?offset=-1&live=sse", "");
        while (next < 1000 && live_next(&l)) {
            int count = numbers_from(&l, next);
            CHECK(strcmp(l.type, "data") == 0 && count > 0);
            if (count <= 0)
                break;
            next += count;
            pages++;
            CHECK(is_control(&l));
            CHECK((strstr(l.data, "upToDate") != NULL) == (next == 1000));
        }
        CHECK_INT(next, 1000);
        CHECK(pages > 1);
        live_close(&l);
    }
}

TEST(
    "§10.2 a client that is sent away all the time, also while it catches up, gets each message once")
{
    const dx_live_times times = {.sse_ms = 3, .comment_ms = 1000};
    for (const char *const *name = loop_names(); *name; name++)
        for (uint32_t workers = 1; workers <= 2; workers++) {
            dx_server *s = live_server_start(*name, workers, &times);
            int next = 0, opens = 0;
            char id[40] = "-1";
            post_numbers(s, "/live/n");
            live_open(&l, s, "/live/n?offset=-1&live=sse", "");
            while (next < 1000 && opens++ < 5000) {
                while (live_next(&l)) {
                    if (strcmp(l.type, "data") == 0) {
                        int count = numbers_from(&l, next);
                        CHECK(count > 0);
                        next += count > 0 ? count : 1000;
                    }
                    snprintf(id, sizeof id, "%.33s", l.id);
                }
                CHECK_INT(l.end, LIVE_ENDED);
                live_again(&l, with_offset("/live/n", id), "");
            }
            CHECK_INT(next, 1000);
            live_close(&l);
            server_end(s);
        }
}

TEST("one who pauses, but not for so long that it falls behind, gets all of it")
{
    FOR_SERVERS(s, NULL) {
        enum { COUNT = 24, BYTES = 9000 };
        static char body[BYTES + 1];
        live_open_on(&l, peer_connect_unix(), "/live/p?offset=now&live=sse", "");
        CHECK(is_control(&l));
        for (int i = 0; i < COUNT; i++) {
            memset(body, 'x', BYTES);
            body[snprintf(body, sizeof body, "%03d", i)] = '\n';
            post(s, "/live/p", text, body);
        }
        for (int i = 0; i < COUNT; i++) {
            CHECK(live_next(&l) && l.data_size == BYTES && atoi(l.data) == i);
            CHECK(is_control(&l));
        }
        live_close(&l);
    }
}

TEST(
    "a client that closed its half before the response began is told where the stream is, and the end")
{
    FOR_SERVERS(s, NULL) {
        for (int i = 0; i < 8; i++) { /* streams at home here and there */
            char path[40], request[200];
            snprintf(path, sizeof path, "/live/half-%d", i);
            post(s, path, text, "x");
            int fd = peer_connect(dx_server_port(s));
            int size = snprintf(request, sizeof request,
                                "GET %s?offset=now&live=sse HTTP/1.1\r\nHost: x\r\n\r\n", path);
            peer_write(fd, request, (size_t)size);
            shutdown(fd, SHUT_WR);
            live_open_on(&l, fd, "/nothing-that-arrives", "");
            CHECK_INT(l.status, 200);
            CHECK(is_control(&l));
            CHECK(!live_next_within(&l, 5000));
            CHECK_INT(l.end, LIVE_ENDED);
            live_close(&l);
        }
    }
}

TEST(
    "a response that ends while its client does not read gives the rest of the message, and no other")
{
    const dx_live_times times = {.sse_ms = 200, .comment_ms = 1000};
    static char body[BIG_BYTES + 1];

    for (const char *const *name = loop_names(); *name; name++)
        for (uint32_t workers = 1; workers <= 2; workers++) {
            dx_server *s = live_server_start(*name, workers, &times);
            memset(body, 'x', BIG_BYTES);
            live_open_on(&l, live_connect_unix(), "/live/a?offset=now&live=sse", "");
            CHECK(is_control(&l));
            for (int i = 0; i < 3; i++) /* the socket takes the first and a part of another */
                post(s, "/live/a", text, body);
            usleep(300000);
            post(s, "/live/a", text, "too late");
            int count = 0;
            while (live_next(&l)) {
                count += l.data_size == BIG_BYTES;
                CHECK(strcmp(l.data, "too late") != 0);
            }
            CHECK_INT(l.end, LIVE_ENDED);
            CHECK(count > 0 && count <= 3);
            live_again(&l, with_offset("/live/a", l.id), "");
            for (; count < 3; count++)
                CHECK(live_next(&l) && l.data_size == BIG_BYTES && is_control(&l));
            CHECK(live_is(&l, "data", "too late"));
            live_close(&l);
            server_end(s);
        }
}
