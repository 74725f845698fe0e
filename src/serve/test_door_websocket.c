/* Tests of the WebSocket door: what is published arrives, both ways; positions, echo, read and write; the
 * join of catch-up and live; gaps; clients that stall, cut or leave.
 * SPDX-License-Identifier: MIT */
#include "serve/test_peer.h"
#include "tests/tap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define FOR_SERVERS(s, kept)                                                                       \
    for (const char *const *name = loop_names(); *name; name++)                                    \
        for (uint32_t workers = 1; workers <= 2; workers++)                                        \
            for (dx_server *s = server_start(*name, workers, kept); s; server_end(s), s = NULL)

static void post(dx_server *s, const char *path, const char *body)
{
    CHECK_INT(http_status(s, "POST", path, "text/plain", body), 204);
}

static const char *offset_path(dx_server *s, const char *path)
{
    static char text[200];
    answer head = http(s, "HEAD", path, "", (dx_bytes){0});

    snprintf(text, sizeof text, "%s?offset=%s", path, answer_field(&head, "Stream-Next-Offset"));
    answer_free(&head);
    return text;
}

static bool is_silent(int fd)
{
    return ws_next_within(fd, 50)->opcode == FRAME_NONE;
}

TEST("by default from now on: text as text, bytes as bytes, one's own messages too")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/t", "old");
        int a = ws_must_open(s, "/live/t"), b = ws_must_open(s, "/live/t?offset=now");
        post(s, "/live/t", "by POST");
        CHECK(ws_next_is(a, "by POST"));
        CHECK(ws_next_is(b, "by POST"));
        ws_send_text(a, "by WebSocket");
        CHECK(ws_next_is(b, "by WebSocket"));
        CHECK(ws_next_is(a, "by WebSocket"));
        int c = ws_must_open(s, "/live/b");
        ws_send(c, 2, dx_bytes_at("\xff", 1));
        const frame *f = ws_next(c);
        CHECK_INT(f->opcode, 2);
        CHECK_MEM(f->payload, f->size, "\xff", 1);
        answer get = http_get(s, "/live/t");
        CHECK_MEM(get.body, get.size, "oldby POSTby WebSocket", 22);
        answer_free(&get);
        close(a), close(b), close(c);
    }
}

TEST("offset=-1 begins at the start, a cursor behind it; both go on live")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/t", "1");
        post(s, "/live/t", "2");
        char path[200];
        snprintf(path, sizeof path, "%s", offset_path(s, "/live/t"));
        post(s, "/live/t", "3");
        int start = ws_must_open(s, "/live/t?offset=-1"), at = ws_must_open(s, path);
        post(s, "/live/t", "4");
        for (char n[] = "1"; n[0] <= '4'; n[0]++)
            CHECK(ws_next_is(start, n));
        CHECK(ws_next_is(at, "3"));
        CHECK(ws_next_is(at, "4"));
        CHECK(is_silent(at));
        int empty = ws_must_open(s, "/live/new?offset=-1");
        post(s, "/live/new", "first");
        CHECK(ws_next_is(empty, "first"));
        close(start), close(at), close(empty);
    }
}

TEST("what is wrong is told before the handshake: 400, 404, 410")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 2})) {
        char path[200];
        unsigned status;
        post(s, "/live/t", "1");
        snprintf(path, sizeof path, "%s", offset_path(s, "/live/t"));
        for (int i = 0; i < 3; i++)
            post(s, "/live/t", "x");
        CHECK_INT(ws_open(s, path, &status), -1);
        CHECK_INT(status, 410);
        CHECK_INT(ws_open(s, "/live/t?offset=x", &status), -1);
        CHECK_INT(status, 400);
        path[strlen(path) - 2] = 'f';
        CHECK_INT(ws_open(s, path, &status), -1);
        CHECK_INT(status, 400);
        CHECK_INT(ws_open(s, "/live/", &status), -1);
        CHECK_INT(status, 404);
    }
}

TEST("echo=0 leaves out one's own messages and no others; read=0 and write=0 make it one-way")
{
    FOR_SERVERS(s, NULL) {
        int quiet = ws_must_open(s, "/live/t?echo=0"), other = ws_must_open(s, "/live/t?echo=0");
        int deaf = ws_must_open(s, "/live/t?read=0"), mute = ws_must_open(s, "/live/t?write=0");
        ws_send_text(quiet, "from quiet");
        CHECK(ws_next_is(other, "from quiet"));
        CHECK(ws_next_is(mute, "from quiet"));
        ws_send_text(other, "from other");
        CHECK(ws_next_is(quiet, "from other"));
        CHECK(ws_next_is(mute, "from other"));
        ws_send_text(deaf, "from deaf");
        CHECK(ws_next_is(quiet, "from deaf"));
        CHECK(ws_next_is(other, "from deaf"));
        CHECK(ws_next_is(mute, "from deaf"));
        CHECK(is_silent(deaf));
        ws_send_text(mute, "not taken");
        CHECK_INT(ws_close_code(mute), 4403);
        CHECK(is_silent(quiet));
        close(quiet), close(other), close(deaf), close(mute);
    }
}

TEST("a stream of text refuses bytes with 1003, one of JSON what is none with 1007")
{
    FOR_SERVERS(s, NULL) {
        int text = ws_must_open(s, "/live/t"), json = ws_must_open(s, "/live/j");
        ws_send_text(text, "text");
        CHECK(ws_next_is(text, "text"));
        ws_send(text, 2, dx_bytes_of("bytes"));
        CHECK_INT(ws_close_code(text), 1003);
        CHECK_INT(http_status(s, "POST", "/live/j", "application/json", "[1,2]"), 204);
        CHECK(ws_next_is(json, "1"));
        CHECK(ws_next_is(json, "2"));
        ws_send_text(json, "{\"a\":1}");
        CHECK(ws_next_is(json, "{\"a\":1}"));
        ws_send_text(json, "{");
        CHECK_INT(ws_close_code(json), 1007);
        close(text), close(json);
    }
}

TEST("the answer to a Ping or a Close comes behind what the messages before it bring about")
{
    FOR_SERVERS(s, NULL)
        for (int i = 0; i < 20; i++) {
            char path[40];
            snprintf(path, sizeof path, "/live/%d", i);
            int fd = ws_must_open(s, path);
            ws_send_text(fd, "1");
            ws_send_text(fd, "2");
            ws_send(fd, 9, dx_bytes_of("ping"));
            ws_send_text(fd, "3");
            ws_send(fd, 8, dx_bytes_at("\x03\xe8", 2));
            CHECK(ws_next_is(fd, "1"));
            CHECK(ws_next_is(fd, "2"));
            CHECK_INT(ws_next(fd)->opcode, 10);
            CHECK(ws_next_is(fd, "3"));
            CHECK_INT(ws_close_code(fd), 1000);
            CHECK_INT(ws_next(fd)->opcode, FRAME_END);
            close(fd);
        }
}

/* ---- catch-up and live are one sequence ---------------------------------------------------------------- */

enum { PUBLISHED = 3000 };

typedef struct publisher {
    dx_server *server;
    const char *path;
} publisher;

static void *publish_numbers(void *context)
{
    const publisher *p = context;
    int fd = ws_must_open(p->server, p->path);

    for (int i = 1; i <= PUBLISHED; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        ws_send_text(fd, text);
        if (i % 50 == 0)
            usleep(200);
    }
    ws_send(fd, 8, dx_bytes_at("\x03\xe8", 2));
    while (ws_next(fd)->opcode < FRAME_END)
        continue;
    close(fd);
    return NULL;
}

/* Reads up to the last number; every number is the one before and 1. Gives the first. */
static int read_numbers(int fd)
{
    int first = 0, last = 0;

    while (last < PUBLISHED) {
        const frame *f = ws_next(fd);
        int number = atoi((const char *)f->payload);
        if (f->opcode != 1 || (first && number != last + 1)) {
            TAP_FAIL("behind %d comes %d (frame %x)", last, number, f->opcode);
            return first;
        }
        first = first ? first : number;
        last = number;
    }
    return first;
}

TEST("who comes while it is published to gets every message once: from the start, and from now")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000}))
        for (int round = 0; round < 3; round++) {
            char path[40], start[60], now[60];
            pthread_t thread;
            snprintf(path, sizeof path, "/live/%d?read=0", round);
            snprintf(start, sizeof start, "/live/%d?offset=-1", round);
            snprintf(now, sizeof now, "/live/%d", round);
            int fds[8];
            pthread_create(&thread, NULL, publish_numbers, &(publisher){s, path});
            for (int i = 0; i < 8; i++) {
                fds[i] = ws_must_open(s, i % 2 ? now : start);
                usleep(1000);
            }
            pthread_join(thread, NULL);
            post(s, now, "3000"); /* for those who came when all was said */
            for (int i = 0; i < 8; i++) {
                int first = read_numbers(fds[i]);
                CHECK(i % 2 || first == 1);
                close(fds[i]);
            }
        }
}

TEST("catching up goes on, page after page, whatever is in the log")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000})) {
        char path[] = "/live/t?read=0";
        publish_numbers(&(publisher){s, path});
        int fd = ws_must_open(s, "/live/t?offset=-1");
        CHECK_INT(read_numbers(fd), 1);
        close(fd);
    }
}

/* ---- slow ones ------------------------------------------------------------------------------------------- */

enum { BIG = 1000, BIG_COUNT = 8000 /* more than the kernel holds for one who does not read */ };

/* Publishes messages of BIG bytes that begin with their number, from `first` to before `end`. */
static void publish_some(dx_server *s, int first, int end)
{
    char body[BIG + 1];
    int fd = ws_must_open(s, "/live/t?read=0");

    memset(body, '.', BIG);
    body[BIG] = '\0';
    for (int i = first; i < end; i++) {
        snprintf(body, 9, "%08u", (unsigned)i % 100000000u); /* atoi stops at the point */
        body[8] = '.';
        ws_send_text(fd, body);
    }
    ws_send(fd, 8, dx_bytes_at("\x03\xe8", 2));
    while (ws_next(fd)->opcode < FRAME_END)
        continue;
    close(fd);
}

static void publish_big(dx_server *s)
{
    publish_some(s, 0, BIG_COUNT);
}

TEST("a Pong that waits behind a message sent in part is not sent in the middle of it")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000})) {
        unsigned status;
        int fd = ws_open_on(peer_connect_unix(), "/live/t", &status), pongs = 0;
        publish_some(s, 0, 320); /* more than the socket takes, less than the feed's window more */
        ws_send(fd, 9, dx_bytes_of("ping"));
        usleep(50000);
        publish_some(s, 320, 2000); /* now it falls behind */
        for (int next = 0; next < 2000;) {
            const frame *f = ws_next(fd);
            if (f->opcode == 10) {
                pongs++;
            } else if (f->opcode != 1 || f->size != BIG ||
                       atoi((const char *)f->payload) != next++) {
                TAP_FAIL("message %d: frame %x of %zu bytes: %.12s", next - 1, f->opcode, f->size,
                         (const char *)f->payload);
                break;
            }
        }
        CHECK_INT(pongs, 1);
        close(fd);
    }
}

TEST("one that stalls, and pings meanwhile, gets everything that is retained, each message whole")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000})) {
        int fd = ws_must_open(s, "/live/t"), pongs = 0;
        for (int i = 0; i < 5; i++)
            ws_send(fd, 9, dx_bytes_of("before"));
        publish_big(s);
        for (int i = 0; i < 5; i++)
            ws_send(fd, 9, dx_bytes_of("behind"));
        for (int next = 0; next < BIG_COUNT;) {
            const frame *f = ws_next(fd);
            if (f->opcode == 10) {
                pongs++;
            } else if (f->opcode != 1 || f->size != BIG ||
                       atoi((const char *)f->payload) != next++) {
                TAP_FAIL("message %d: frame %x of %zu bytes: %.12s", next - 1, f->opcode, f->size,
                         (const char *)f->payload);
                break;
            }
        }
        CHECK(pongs > 0);
        close(fd);
    }
}

TEST(
    "one that stalls for longer than is retained is told how many it has lost, and closed with 4410")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 50})) {
        int fd = ws_must_open(s, "/live/t"), last = -1;
        const frame *f;
        publish_big(s);
        while ((f = ws_next(fd))->opcode == 1 && atoi((const char *)f->payload) == last + 1)
            last++;
        CHECK_INT(f->opcode, 8);
        CHECK_INT(f->payload[0] << 8 | f->payload[1], 4410);
        CHECK(strncmp((const char *)f->payload + 2, "gap: ", 5) == 0);
        /* At most what is lost by now: it may have been found out while the publisher was still at it. */
        int lost = atoi((const char *)f->payload + 7);
        CHECK(lost > 0 && lost <= BIG_COUNT - 50 - (last + 1));
        close(fd);
    }
}

TEST("one that leaves or closes in the middle of it disturbs nobody, and a message begun is ended")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000})) {
        int gone = ws_must_open(s, "/live/t"), closing = ws_must_open(s, "/live/t");
        int good = ws_must_open(s, "/live/t?offset=-1");
        ws_send(closing, 9, dx_bytes_of("ping"));
        publish_big(s);
        struct linger reset = {1, 0};
        setsockopt(gone, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(gone);
        ws_send(closing, 8, dx_bytes_at("\x03\xe8", 2));
        const frame *f;
        int next = 0;
        while ((f = ws_next(closing))->opcode == 1 || f->opcode == 10)
            if (f->opcode == 1 && (f->size != BIG || atoi((const char *)f->payload) != next++))
                break;
        CHECK_INT(f->opcode, 8);
        close(closing);
        for (next = 0; next < BIG_COUNT; next++) {
            f = ws_next(good);
            if (f->opcode != 1 || atoi((const char *)f->payload) != next)
                break;
        }
        CHECK_INT(next, BIG_COUNT);
        close(good);
    }
}
