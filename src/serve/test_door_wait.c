/* Tests of the long-poll door: at once, later, in vain; ends, forks, and who leaves.
 * SPDX-License-Identifier: MIT */
#include "serve/test_live.h"
#include "tests/tap.h"

#include "base/clock.h"
#include "codec/stream_rules.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FOR_SERVERS(s, kept)                                                                       \
    for (const char *const *name = loop_names(); *name; name++)                                    \
        for (uint32_t workers = 1; workers <= 2; workers++)                                        \
            for (dx_server *s = server_start(*name, workers, kept); s; server_end(s), s = NULL)

static const char text[] = "text/plain", json[] = "application/json";

/* ---- a client that waits ----------------------------------------------------------------------- */

/* Sends the request and does not wait for the answer. */
static int ask_on(int fd, const char *path, const char *fields)
{
    char head[4096];
    int size = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: test\r\n%s\r\n", path, fields);

    peer_write(fd, head, (size_t)size);
    return fd;
}

static int ask(dx_server *s, const char *path, const char *fields)
{
    return ask_on(peer_connect(dx_server_port(s)), path, fields);
}

static bool has_answer(int fd, int wait_ms)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, wait_ms) > 0;
}

/* Until `count` wait at /live/a. */
static void await_those_who_wait(dx_server *s, int count)
{
    char wanted[40];
    bool is_there = false;

    snprintf(wanted, sizeof wanted, "\"subscribers\":%d,", count);
    for (int i = 0; i < 1000 && !is_there; i++) {
        answer a = http_get(s, "/live/a?presence");
        is_there = a.body && memmem(a.body, a.size, wanted, strlen(wanted));
        answer_free(&a);
        if (!is_there)
            usleep(10000);
    }
    CHECK(is_there);
}

/* Reads one answer on a connection that goes on. */
static answer take_answer(int fd)
{
    answer a = {0};
    size_t size = 0;

    while (size < sizeof a.head - 1 &&
           !(size >= 4 && memcmp(a.head + size - 4, "\r\n\r\n", 4) == 0)) {
        if (!has_answer(fd, 10000) || recv(fd, a.head + size, 1, 0) != 1)
            return (answer){0};
        size++;
    }
    a.head[size] = '\0';
    sscanf(a.head, "HTTP/1.1 %u ", &a.status);
    size_t length = strtoul(answer_field(&a, "Content-Length"), NULL, 10);
    a.body = calloc(1, length + 1);
    while (a.body && a.size < length) {
        ssize_t got = has_answer(fd, 10000) ? recv(fd, a.body + a.size, length - a.size, 0) : 0;
        if (got <= 0)
            break;
        a.size += (size_t)got;
    }
    return a;
}

/* The path with the position at the end of the stream. */
static const char *at_tail(dx_server *s, const char *path, const char *rest)
{
    static char ret[300];
    answer a = http(s, "HEAD", path, "", (dx_bytes){0});

    snprintf(ret, sizeof ret, "%s?offset=%s%s", path, answer_field(&a, "Stream-Next-Offset"), rest);
    answer_free(&a);
    return ret;
}

static bool field_is(const answer *a, const char *name, const char *want)
{
    if (strcmp(answer_field(a, name), want) == 0)
        return true;
    printf("# %s is \"%s\", expected \"%s\"\n", name, answer_field(a, name), want);
    return false;
}

static bool is_cursor(const char *field)
{
    uint64_t cursor;
    return dx_stream_cursor_read(dx_bytes_of(field), &cursor);
}

/* ---- with data --------------------------------------------------------------------------------- */

TEST("§5.7 what is there is answered at once, as history is, with a cursor")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(http_status(s, "POST", "/live/a", text, "one "), 204);
        CHECK_INT(http_status(s, "POST", "/live/a", text, "two"), 204);
        answer a = http_get(s, "/live/a?offset=-1&live=long-poll");
        CHECK_INT(a.status, 200);
        CHECK_MEM(a.body, a.size, "one two", 7);
        CHECK(field_is(&a, "Stream-Up-To-Date", "true"));
        CHECK(field_is(&a, "Content-Type", text));
        CHECK(is_cursor(answer_field(&a, "Stream-Cursor")));
        CHECK(answer_field(&a, "ETag")[0] == '"');
        answer_free(&a);
        CHECK_INT(http_status(s, "POST", "/live/j", json, "[1,2]"), 204);
        a = http_get(s, "/live/j?offset=-1&live=long-poll");
        CHECK_MEM(a.body, a.size, "[1,2]", 5);
        answer_free(&a);
    }
}

TEST("§5.7 at the end it waits, and answers with what comes next")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(http_status(s, "POST", "/live/a", text, "old"), 204);
        const char *paths[] = {at_tail(s, "/live/a", "&live=long-poll"),
                               "/live/a?offset=now&live=long-poll"};
        for (size_t i = 0; i < DX_COUNT(paths); i++) {
            int fd = ask(s, paths[i], "");
            CHECK(!has_answer(fd, 30));
            CHECK_INT(http_status(s, "POST", "/live/a", text, i ? "second" : "first"), 204);
            answer a = take_answer(fd);
            CHECK_INT(a.status, 200);
            CHECK_MEM(a.body, a.size, i ? "second" : "first", i ? 6 : 5);
            CHECK(is_cursor(answer_field(&a, "Stream-Cursor")));
            answer_free(&a);
            close(fd);
        }
    }
}

TEST(
    "§10.1 no cache keeps what followed now, or the start: the same URL means something else later")
{
    FOR_SERVERS(s, NULL) {
        static const char *const paths[] = {"/live/n?offset=now&live=long-poll",
                                            "/live/n?offset=-1&live=long-poll"};
        for (size_t i = 0; i < DX_COUNT(paths); i++) {
            int fd = ask(s, paths[i], "");
            CHECK(!has_answer(fd, 30));
            CHECK_INT(http_status(s, "POST", "/live/n", text, "x"), 204);
            answer a = take_answer(fd);
            CHECK_INT(a.status, 200);
            CHECK(strstr(answer_field(&a, "Cache-Control"), "max-age") == NULL);
            CHECK((answer_field(&a, "ETag")[0] == '"') == (i == 1)); /* of now there is none */
            answer_free(&a);
            close(fd);
            CHECK_INT(http_status(s, "DELETE", "/live/n", NULL, ""), 204);
        }
    }
}

TEST("§5.7 it waits for the first message of a stream that nobody has written to")
{
    FOR_SERVERS(s, NULL) {
        int fd = ask(s, "/live/new?offset=-1&live=long-poll", "");
        CHECK(!has_answer(fd, 30));
        CHECK_INT(http_status(s, "POST", "/live/new", json, "[{},2]"), 204);
        answer a = take_answer(fd);
        CHECK_INT(a.status, 200);
        CHECK(field_is(&a, "Content-Type", json));
        CHECK_MEM(a.body, a.size, "[{},2]", 6);
        answer_free(&a);
        close(fd);
    }
}

/* Each request is sent while the publisher is at work: what falls between reading and waiting would be
 * missed until the next message, or for ever. */
TEST("§5.7 a client that follows cursors gets every message once, in order, however they fall")
{
    FOR_SERVERS(s, NULL) {
        enum { COUNT = 300 };
        char path[200], got[COUNT * 6 + 1] = "", want[COUNT * 6 + 1] = "", message[16];
        size_t size = 0;
        int sent = 0;
        answer a = http(s, "PUT", "/s/order", "Content-Type: text/plain\r\n", (dx_bytes){0});
        snprintf(path, sizeof path, "/s/order?live=long-poll&offset=-1");
        answer_free(&a);
        int poller = peer_connect(dx_server_port(s)), poster = peer_connect(dx_server_port(s));
        while (size < COUNT * 6) {
            ask_on(poller, path, "");
            for (int i = 0; i < 3 && sent < COUNT; i++, sent++) {
                char post[200];
                snprintf(message, sizeof message, "%05d,", sent);
                strcat(want, message);
                int post_size =
                    snprintf(post, sizeof post,
                             "POST /s/order HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
                             "Content-Length: 6\r\n\r\n%s",
                             message);
                peer_write(poster, post, (size_t)post_size);
            }
            a = take_answer(poller);
            CHECK_INT(a.status, 200);
            if (a.status != 200 || size + a.size > COUNT * 6)
                break;
            memcpy(got + size, a.body, a.size);
            size += a.size;
            snprintf(path, sizeof path, "/s/order?live=long-poll&offset=%s",
                     answer_field(&a, "Stream-Next-Offset"));
            answer_free(&a);
        }
        CHECK_MEM(got, size, want, COUNT * 6);
        close(poller);
        close(poster);
    }
}

/* ---- without ----------------------------------------------------------------------------------- */

TEST("§5.7 when the time is over: 204 with the position, up to date, and a cursor")
{
    const dx_live_times times = {.wait_ms = 200};
    for (const char *const *name = loop_names(); *name; name++) {
        dx_server *s = live_server_start(*name, 2, &times);
        CHECK_INT(http_status(s, "POST", "/live/a", text, "old"), 204);
        char want[40];
        answer tail = http(s, "HEAD", "/live/a", "", (dx_bytes){0});
        uint64_t begin_ms = dx_clock_ms();
        answer a = http_get(s, at_tail(s, "/live/a", "&live=long-poll"));
        CHECK(dx_clock_ms() - begin_ms >= 190 && dx_clock_ms() - begin_ms < 5000);
        CHECK_INT(a.status, 204);
        snprintf(want, sizeof want, "%s", answer_field(&tail, "Stream-Next-Offset"));
        CHECK(field_is(&a, "Stream-Next-Offset", want));
        CHECK(field_is(&a, "Stream-Up-To-Date", "true"));
        CHECK(field_is(&a, "Stream-Closed", ""));
        CHECK(field_is(&a, "Preference-Applied", ""));
        CHECK(field_is(&a, "X-Content-Type-Options", "nosniff"));
        CHECK(is_cursor(answer_field(&a, "Stream-Cursor")));
        answer_free(&a);
        answer_free(&tail);
        server_end(s);
    }
}

TEST("RFC 7240 §4.3 Prefer: wait says how long, with live=long-poll and without")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(http_status(s, "POST", "/live/a", text, "old"), 204);
        uint64_t begin_ms = dx_clock_ms();
        answer a = http(s, "GET", at_tail(s, "/live/a", ""), "Prefer: wait=1\r\n", (dx_bytes){0});
        CHECK(dx_clock_ms() - begin_ms >= 990 && dx_clock_ms() - begin_ms < 5000);
        CHECK_INT(a.status, 204);
        CHECK(field_is(&a, "Preference-Applied", "wait"));
        answer_free(&a);
        begin_ms = dx_clock_ms();
        a = http(s, "GET", at_tail(s, "/live/a", "&live=long-poll"),
                 "Prefer: respond-async, wait=0\r\n", (dx_bytes){0});
        CHECK(dx_clock_ms() - begin_ms < 5000);
        CHECK_INT(a.status, 204);
        answer_free(&a);
        a = http(s, "GET", "/live/a", "Prefer: wait=10\r\n", (dx_bytes){0});
        CHECK_INT(a.status, 200); /* from the start: there is something */
        CHECK_MEM(a.body, a.size, "old", 3);
        CHECK(field_is(&a, "Preference-Applied", "wait"));
        answer_free(&a);
    }
}

TEST("§10.1 a cursor that is not below the current one comes back larger")
{
    FOR_SERVERS(s, NULL) {
        char path[200];
        uint64_t first, second;
        CHECK_INT(http_status(s, "POST", "/live/a", text, "x"), 204);
        answer a = http_get(s, "/live/a?offset=-1&live=long-poll");
        CHECK(dx_stream_cursor_read(dx_bytes_of(answer_field(&a, "Stream-Cursor")), &first));
        answer_free(&a);
        snprintf(path, sizeof path, "/live/a?offset=-1&live=long-poll&cursor=%llu",
                 (unsigned long long)first);
        a = http_get(s, path);
        CHECK(dx_stream_cursor_read(dx_bytes_of(answer_field(&a, "Stream-Cursor")), &second));
        CHECK(second > first);
        answer_free(&a);
        a = http(s, "GET", at_tail(s, "/live/a", "&live=long-poll&cursor=1"), "Prefer: wait=0\r\n",
                 (dx_bytes){0});
        CHECK(dx_stream_cursor_read(dx_bytes_of(answer_field(&a, "Stream-Cursor")), &second));
        CHECK(second >= first);
        answer_free(&a);
    }
}

/* ---- ends -------------------------------------------------------------------------------------- */

TEST("§5.7 at the end of a closed stream nobody waits")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(http_status(s, "POST", "/live/c", text, "last"), 204);
        answer a = http(s, "POST", "/live/c", "Stream-Closed: true\r\n", (dx_bytes){0});
        answer_free(&a);
        const char *paths[] = {at_tail(s, "/live/c", "&live=long-poll"),
                               "/live/c?offset=now&live=long-poll"};
        for (size_t i = 0; i < DX_COUNT(paths); i++) {
            uint64_t begin_ms = dx_clock_ms();
            a = http_get(s, paths[i]);
            CHECK(dx_clock_ms() - begin_ms < 5000);
            CHECK_INT(a.status, 204);
            CHECK(field_is(&a, "Stream-Closed", "true"));
            CHECK(field_is(&a, "Stream-Up-To-Date", "true"));
            CHECK(field_is(&a, "Stream-Cursor", ""));
            CHECK_INT(strlen(answer_field(&a, "Stream-Next-Offset")), 33);
            answer_free(&a);
        }
        a = http_get(s, "/live/c?offset=-1&live=long-poll");
        CHECK_INT(a.status, 200);
        CHECK(field_is(&a, "Stream-Closed", "true"));
        answer_free(&a);
    }
}

TEST("§5.7 who waits is told when the stream is closed, with the last message or without")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(http_status(s, "POST", "/live/a", text, "x"), 204);
        CHECK_INT(http_status(s, "POST", "/live/b", text, "x"), 204);
        int a_fd = ask(s, at_tail(s, "/live/a", "&live=long-poll"), "");
        int b_fd = ask(s, at_tail(s, "/live/b", "&live=long-poll"), "");
        CHECK(!has_answer(a_fd, 30) && !has_answer(b_fd, 0));
        answer a = http(s, "POST", "/live/a", "Stream-Closed: true\r\n", (dx_bytes){0});
        answer_free(&a);
        a = http(s, "POST", "/live/b", "Stream-Closed: true\r\nContent-Type: text/plain\r\n",
                 DX_BYTES("last"));
        answer_free(&a);
        a = take_answer(a_fd);
        CHECK_INT(a.status, 204);
        CHECK(field_is(&a, "Stream-Closed", "true"));
        answer_free(&a);
        a = take_answer(b_fd);
        CHECK_INT(a.status, 200);
        CHECK_MEM(a.body, a.size, "last", 4);
        CHECK(field_is(&a, "Stream-Closed", "true"));
        answer_free(&a);
        close(a_fd);
        close(b_fd);
    }
}

TEST("a stream that is deleted meanwhile is not found; one that is not there neither")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(http_status(s, "GET", "/s/no?offset=now&live=long-poll", NULL, ""), 404);
        CHECK_INT(http_status(s, "PUT", "/s/d", text, ""), 201);
        int fd = ask(s, "/s/d?offset=-1&live=long-poll", "");
        CHECK(!has_answer(fd, 30));
        CHECK_INT(http_status(s, "DELETE", "/s/d", NULL, ""), 204);
        answer a = take_answer(fd);
        CHECK_INT(a.status, 404);
        answer_free(&a);
        close(fd);
    }
}

TEST("what is wrong is told at once: no offset, a bad one, one that was trimmed")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 2})) {
        CHECK_INT(http_status(s, "GET", "/live/a?live=long-poll", NULL, ""), 400);
        CHECK_INT(http_status(s, "GET", "/live/a?offset=x&live=long-poll", NULL, ""), 400);
        CHECK_INT(http_status(s, "GET", "/live/a?offset=now&live=what", NULL, ""), 400);
        char path[200];
        answer first = http_post(s, "/live/a", text, "1");
        for (int i = 2; i <= 5; i++)
            CHECK_INT(http_status(s, "POST", "/live/a", text, "x"), 204);
        snprintf(path, sizeof path, "/live/a?live=long-poll&offset=%s",
                 answer_field(&first, "Stream-Next-Offset"));
        answer_free(&first);
        answer a = http_get(s, path);
        CHECK_INT(a.status, 410);
        CHECK(a.body && strstr(a.body, "\"earliest\":\"") && strstr(a.body, "\"latest\":\""));
        answer_free(&a);
    }
}

/* ---- forks ------------------------------------------------------------------------------------- */

TEST("§5.7 on a fork what it inherits is there at once, and only its own messages end the wait")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(http_status(s, "PUT", "/s/source", text, "source"), 201);
        answer a = http(s, "PUT", "/s/fork", "Stream-Forked-From: /s/source\r\n", (dx_bytes){0});
        CHECK_INT(a.status, 201);
        answer_free(&a);
        a = http_get(s, "/s/fork?offset=-1&live=long-poll");
        CHECK_INT(a.status, 200);
        CHECK_MEM(a.body, a.size, "source", 6);
        answer_free(&a);
        int fd = ask(s, at_tail(s, "/s/fork", "&live=long-poll"), "");
        CHECK(!has_answer(fd, 30));
        CHECK_INT(http_status(s, "POST", "/s/source", text, " goes on"), 204);
        CHECK(!has_answer(fd, 50));
        CHECK_INT(http_status(s, "POST", "/s/fork", text, " forks"), 204);
        a = take_answer(fd);
        CHECK_INT(a.status, 200);
        CHECK_MEM(a.body, a.size, " forks", 6);
        answer_free(&a);
        close(fd);
    }
}

/* ---- clients ----------------------------------------------------------------------------------- */

TEST("requests behind one that waits are answered after it, in order")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(http_status(s, "POST", "/live/a", text, "x"), 204);
        int fd = ask(s, at_tail(s, "/live/a", "&live=long-poll"), "");
        ask_on(fd, "/live/a?offset=-1", "");
        ask_on(fd, "/live/nothing?offset=now&live=long-poll", "Prefer: wait=0\r\n");
        CHECK(!has_answer(fd, 30));
        CHECK_INT(http_status(s, "POST", "/live/a", text, "y"), 204);
        answer a = take_answer(fd);
        CHECK_MEM(a.body, a.size, "y", 1);
        answer_free(&a);
        a = take_answer(fd);
        CHECK_MEM(a.body, a.size, "xy", 2);
        answer_free(&a);
        a = take_answer(fd);
        CHECK_INT(a.status, 204);
        answer_free(&a);
        close(fd);
    }
}

TEST("a client that closes its half is not kept waiting; one that leaves is forgotten")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(http_status(s, "POST", "/live/a", text, "x"), 204);
        const char *path = at_tail(s, "/live/a", "&live=long-poll");
        int fd = ask(s, path, "");
        CHECK(!has_answer(fd, 30));
        shutdown(fd, SHUT_WR);
        answer a = take_answer(fd);
        CHECK_INT(a.status, 204);
        answer_free(&a);
        close(fd);
        for (int i = 0; i < 50; i++) { /* with FIN, with RST, and in the middle of all */
            fd = ask(s, path, "");
            if (i % 3 == 0)
                CHECK(!has_answer(fd, 5));
            if (i % 2 == 0)
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
                           sizeof(struct linger));
            close(fd);
        }
        CHECK_INT(http_status(s, "POST", "/live/a", text, "y"), 204);
        a = http_get(s, path);
        CHECK_MEM(a.body, a.size, "y", 1);
        answer_free(&a);
    }
}

TEST("a server that drains does not wait for those who wait")
{
    for (const char *const *name = loop_names(); *name; name++) {
        dx_server *s = server_start(*name, 2, NULL);
        int fds[20];
        for (int i = 0; i < 20; i++)
            fds[i] = ask(s, "/live/a?offset=now&live=long-poll", "");
        await_those_who_wait(s, 20);
        dx_server_drain(s, 600000);
        for (int i = 0; i < 20; i++) {
            answer a = take_answer(fds[i]);
            CHECK_INT(a.status, 204);
            answer_free(&a);
            close(fds[i]);
        }
        dx_server_wait(s); /* the test program has less time than the server would take */
        dx_server_free(s);
    }
}

/* ---- many -------------------------------------------------------------------------------------- */

static int many(void)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    return files.rlim_cur >= 20500 ? 10000 : (int)(files.rlim_cur - 400) / 2;
}

TEST(
    "10,000 wait for one stream: each gets the next message, and afterwards the server is as before")
{
    for (const char *const *name = loop_names(); *name; name++) {
        int count = many(), answered = 0;
        int *fds = calloc((size_t)count, sizeof *fds);
        dx_server *s = server_start(*name, 2, NULL);
        CHECK_INT(http_status(s, "POST", "/live/a", text, "old"), 204);
        const char *path = at_tail(s, "/live/a", "&live=long-poll");
        for (int i = 0; i < count; i++)
            fds[i] = ask(s, path, "Prefer: wait=60\r\n");
        CHECK(!has_answer(fds[count - 1], 300));
        CHECK_INT(http_status(s, "POST", "/live/a", text, "new"), 204);
        for (int i = 0; i < count; i++) {
            answer a = take_answer(fds[i]);
            answered += a.status == 200 && a.size == 3 && memcmp(a.body, "new", 3) == 0;
            answer_free(&a);
            close(fds[i]);
        }
        CHECK_INT(answered, count);
        CHECK_INT(http_status(s, "GET", "/live/a", NULL, ""), 200);
        server_end(s);
        free(fds);
    }
}
