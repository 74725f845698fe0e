/* Tests of the WebSocket door: how a session ends, and what is refused before it begins.
 * SPDX-License-Identifier: MIT */
#include "serve/test_v1.h"

static void close_stream(dx_server *s, const char *path)
{
    answer a =
        http(s, "POST", path, "Content-Type: text/plain\r\nStream-Closed: true\r\n", (dx_bytes){0});
    CHECK_INT(a.status, 204);
    answer_free(&a);
}

TEST("a stream is closed: those who read are told, and closed with 1000")
{
    FOR_SERVERS(s, NULL) {
        int fd = v1_open(s, "/live/t"), raw = ws_must_open(s, "/live/t");
        dx_v1_server_frame f;
        EXPECT_CAUGHT_UP(fd);
        post(s, "/live/t", "last");
        close_stream(s, "/live/t");
        EXPECT_TEXT(fd, "last");
        EXPECT(fd, CLOSED, &f);
        CHECK_INT(ws_close_code(fd), 1000);
        CHECK(ws_next_is(raw, "last"));
        CHECK_INT(ws_close_code(raw), 1000);
        close(fd), close(raw);
    }
}

TEST("a stream that was closed before is read to its end")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/t", "1");
        post(s, "/live/t", "2");
        close_stream(s, "/live/t");
        int fd = v1_open(s, "/live/t?offset=-1"), raw = ws_must_open(s, "/live/t?offset=-1");
        int now = v1_open(s, "/live/t");
        dx_v1_server_frame f;
        EXPECT_TEXT(fd, "1");
        EXPECT_TEXT(fd, "2");
        EXPECT_CAUGHT_UP(fd);
        EXPECT(fd, CLOSED, &f);
        CHECK_INT(ws_close_code(fd), 1000);
        CHECK(ws_next_is(raw, "1"));
        CHECK(ws_next_is(raw, "2"));
        CHECK_INT(ws_close_code(raw), 1000);
        EXPECT_CAUGHT_UP(now);
        EXPECT(now, CLOSED, &f);
        CHECK_INT(ws_close_code(now), 1000);
        close(fd), close(raw), close(now);
    }
}

TEST("nothing can be published to a closed stream: 409, raw 4409")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/t", "1");
        int fd = v1_open(s, "/live/t?read=0"), raw = ws_must_open(s, "/live/t?read=0");
        close_stream(s, "/live/t");
        ws_send_text(fd, "1\nx");
        EXPECT_ERROR(fd, "1", 409);
        ws_send_text(fd, "2\nx");
        EXPECT_ERROR(fd, "2", 409);
        ws_send_text(raw, "x");
        CHECK_INT(ws_close_code(raw), 4409);
        close(fd), close(raw);
    }
}

TEST("a stream is deleted: 4404")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/t", "1");
        int fd = v1_open(s, "/live/t"), raw = ws_must_open(s, "/live/t");
        EXPECT_CAUGHT_UP(fd);
        CHECK_INT(http_status(s, "DELETE", "/live/t", NULL, ""), 204);
        CHECK_INT(ws_close_code(fd), 4404);
        CHECK_INT(ws_close_code(raw), 4404);
        close(fd), close(raw);
    }
}

TEST("where streams are made by PUT only, one that is not there is 404")
{
    FOR_SERVERS(s, (&(dx_stream_options){.is_by_put = true})) {
        unsigned status;
        CHECK_INT(ws_open(s, "/live/t", &status), -1);
        CHECK_INT(status, 404);
        CHECK_INT(v1_open_on(peer_connect(dx_server_port(s)), "/live/t", &status), -1);
        CHECK_INT(status, 404);
        CHECK_INT(http_status(s, "PUT", "/live/t", "text/plain", ""), 201);
        int fd = v1_open(s, "/live/t");
        EXPECT_CAUGHT_UP(fd);
        ws_send_text(fd, "1\nx");
        CHECK_INT(v1_next(fd).kind + v1_next(fd).kind, DX_V1_ACK + DX_V1_MESSAGE);
        close(fd);
    }
}

TEST("a server that goes away says when to come back")
{
    FOR_SERVERS(s, NULL) {
        int fd = v1_open(s, "/live/t"), raw = ws_must_open(s, "/live/t");
        dx_v1_server_frame f;
        EXPECT_CAUGHT_UP(fd);
        ws_send_text(fd, "\n{\"ping\":0}");
        EXPECT(fd, PONG, &f);
        dx_server_drain(s, 1000);
        if (EXPECT(fd, RECONNECT, &f))
            CHECK(f.after_ms < 5000);
        CHECK_INT(ws_close_code(fd), 1001);
        CHECK_INT(ws_close_code(raw), 1001);
        close(fd), close(raw);
    }
}

/* ---- the request --------------------------------------------------------------------------------- */

TEST("a query that makes no sense is 400, before the handshake")
{
    static const char *const bad[] = {"?echo=no",
                                      "?echo=",
                                      "?read=2",
                                      "?write=00",
                                      "?on_slow=",
                                      "?on_slow=never",
                                      "?offset=",
                                      "?offset=0",
                                      "?echo=0&echo=0",
                                      "?echo=%zz",
                                      "?on_slow=latest&on_slow=latest"};
    FOR_SERVERS(s, NULL) {
        unsigned status;
        for (size_t i = 0; i < DX_COUNT(bad); i++) {
            char path[80];
            snprintf(path, sizeof path, "/live/t%s", bad[i]);
            if (ws_open(s, path, &status) != -1 || status != 400)
                TAP_FAIL("%s: %u", path, status);
        }
        int fd = ws_must_open(s, "/live/t?echo=1&read=1&write=1&on_slow=catch_up&offset=now");
        ws_send_text(fd, "x");
        CHECK(ws_next_is(fd, "x"));
        close(fd);
    }
}

TEST("who may publish but not read must say read=0; who may read but not publish is answered 403")
{
    FOR_SERVERS(s, (&(dx_stream_options){.access = {.read = DX_MAY_NOBODY}})) {
        unsigned status;
        CHECK_INT(ws_open(s, "/live/t", &status), -1);
        CHECK_INT(status, 403);
        int fd = v1_open(s, "/live/t?read=0");
        ws_send_text(fd, "1\nx");
        EXPECT_ACK(fd, "1");
        close(fd);
    }
    FOR_SERVERS(s, (&(dx_stream_options){.access = {.publish = DX_MAY_NOBODY}})) {
        unsigned status;
        CHECK_INT(ws_open(s, "/live/t?read=0", &status), -1);
        CHECK_INT(status, 403);
        int fd = v1_open(s, "/live/t"), raw = ws_must_open(s, "/live/t");
        EXPECT_CAUGHT_UP(fd);
        ws_send_text(fd, "1\nx");
        EXPECT_ERROR(fd, "1", 403);
        ws_send_text(raw, "x");
        CHECK_INT(ws_close_code(raw), 4403);
        close(fd), close(raw);
    }
}

/* ---- anywhere ------------------------------------------------------------------------------------ */

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245 + 12345;
    return *seed >> 16 & 0x7fff;
}

static void send_something(int fd, unsigned *seed)
{
    static const char *const frames[] = {
        "1\nx", "-\ny", "\n{\"ping\":1}", "\n{\"presence\":1}", "\n{\"presence\":null}", "bad"};

    for (unsigned left = next_random(seed) % 8; left > 0; left--)
        ws_send_text(fd, frames[next_random(seed) % DX_COUNT(frames)]);
    if (next_random(seed) % 3 == 0)
        ws_send(fd, 8, dx_bytes_at("\x03\xe8", 2));
    if (next_random(seed) % 3 == 0)
        usleep(next_random(seed) % 2000);
}

TEST("sessions that end anywhere, of streams that end meanwhile, disturb nobody")
{
    static const char *const queries[] = {"", "?offset=-1", "?echo=0&presence", "?read=0&member=a",
                                          "?on_slow=latest&presence=1"};
    unsigned seed = 7;

    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 20})) {
        for (int i = 0; i < 300; i++) {
            char path[80];
            unsigned status;
            snprintf(path, sizeof path, "/live/%u%s", next_random(&seed) % 3,
                     queries[next_random(&seed) % DX_COUNT(queries)]);
            int fd = next_random(&seed) % 4 == 0
                         ? ws_open(s, path, &status)
                         : v1_open_on(peer_connect(dx_server_port(s)), path, &status);
            if (fd < 0)
                continue; /* a stream that is being deleted */
            send_something(fd, &seed);
            path[strlen("/live/0")] = '\0';
            if (i % 37 == 0)
                (void)http_status(s, "DELETE", path, NULL, "");
            if (i % 41 == 0) {
                answer a = http(s, "POST", path, "Stream-Closed: true\r\n", (dx_bytes){0});
                answer_free(&a);
            }
            struct linger reset = {next_random(&seed) % 2, 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            close(fd);
        }
        int fd = v1_open(s, "/live/t?read=0"), reader = ws_must_open(s, "/live/t");
        ws_send_text(fd, "1\nx");
        EXPECT_ACK(fd, "1");
        CHECK(ws_next_is(reader, "x"));
        close(fd), close(reader);
    }
}
