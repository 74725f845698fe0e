/* The client of HTTP/1.1: large bodies, the ways to fail, being held up and being freed.
 * Source: RFC 9112, RFC 9110 §10.1.1.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_client_scene.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define OK_LINE "HTTP/1.1 200 OK\r\n"

/* ---- large bodies ----------------------------------------------------------------------------- */

enum { LARGE_BYTES = 200000 };

static void send_large(scene *s)
{
    char *large = malloc(LARGE_BYTES);

    memset(large, 'x', LARGE_BYTES);
    memcpy(large + LARGE_BYTES - 3, "end", 3);
    scene_send(s, "POST", dx_bytes_at(large, LARGE_BYTES), true);
    free(large);
    peer_await(s, "Expect: 100-continue\r\n\r\n");
}

TEST("RFC 9110 §10.1.1 a large body waits for 100 Continue")
{
    scene s;

    scene_init(&s, DX_HTTP_VERSION_1_1);
    send_large(&s);
    size_t head = s.asked.size;
    uint64_t began = dx_loop_now_ms(s.loop);
    peer_say(&s, DX_BYTES("HTTP/1.1 100 Continue\r\n\r\n"));
    peer_await(&s, "end");
    CHECK(dx_loop_now_ms(s.loop) - began < 900); /* not because it grew tired of waiting */
    CHECK_INT(s.asked.size, head + LARGE_BYTES);
    peer_say(&s, DX_BYTES(OK_LINE "Content-Length: 0\r\n\r\n"));
    run_until_told(&s);
    CHECK_INT(s.code, 200);
    scene_deinit(&s);
}

TEST("RFC 9110 §10.1.1 a server that does not want it is heard, and gets no body")
{
    scene s;

    scene_init(&s, DX_HTTP_VERSION_1_1);
    send_large(&s);
    size_t head = s.asked.size;
    peer_say(&s, DX_BYTES("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!"));
    run_until_told(&s);
    CHECK_INT(s.code, 413);
    CHECK_INT(s.dones_count, 1);
    CHECK_BYTES(dx_buffer_view(&s.body), "no!");
    run_turns(&s, 5);
    char byte;
    CHECK_INT(recv(s.peer, &byte, 1, 0), 0); /* announced and not sent: nothing else can follow */
    CHECK_INT(s.asked.size, head);
    scene_deinit(&s);
}

TEST("RFC 9110 §10.1.1 a server that says nothing gets the body after a second")
{
    scene s;

    scene_init(&s, DX_HTTP_VERSION_1_1);
    send_large(&s);
    uint64_t began = dx_loop_now_ms(s.loop);
    peer_await(&s, "end");
    CHECK(dx_loop_now_ms(s.loop) - began >= 900);
    scene_deinit(&s);
}

TEST("a body beyond the limit is refused at once")
{
    scene s;
    uint8_t byte = 0;

    scene_init(&s, DX_HTTP_VERSION_1_1);
    CHECK_INT(dx_http_client_send(
                  s.client,
                  &(dx_http_client_request){.method = DX_BYTES("POST"),
                                            .target = DX_BYTES("/"),
                                            .authority = DX_BYTES("test"),
                                            .body = {&byte, (size_t)DX_HTTP_CLIENT_BODY_MAX + 1},
                                            .timeout_ms = 1}),
              DX_ERR_TOO_LARGE);
    scene_deinit(&s);
}

/* ---- failing, and being freed ----------------------------------------------------------------- */

TEST("nobody listens: refused")
{
    scene s;

    scene_init(&s, DX_HTTP_VERSION_1_1);
    close(s.listener);
    s.listener = open("/dev/null", 0);
    scene_send(&s, "GET", (dx_bytes){NULL, 0}, false);
    run_until_told(&s);
    CHECK_INT(s.err, DX_ERR_REFUSED);
    CHECK(strstr(s.why, "refused") != NULL);
    scene_deinit(&s);
}

TEST("a server that resets: reset")
{
    scene s;
    struct linger at_once = {.l_onoff = 1};

    scene_init(&s, DX_HTTP_VERSION_1_1);
    scene_send(&s, "GET", (dx_bytes){NULL, 0}, false);
    peer_await(&s, "\r\n\r\n");
    setsockopt(s.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    peer_close(&s);
    run_until_told(&s);
    CHECK_INT(s.err, DX_ERR_RESET);
    scene_deinit(&s);
}

TEST("a server that does not answer, or not to the end: a timeout, whatever it dribbles")
{
    for (int dribbles = 0; dribbles < 2; dribbles++) {
        scene s;
        scene_init(&s, DX_HTTP_VERSION_1_1);
        CHECK_INT(
            dx_http_client_send(s.client, &(dx_http_client_request){.method = DX_BYTES("GET"),
                                                                    .target = DX_BYTES("/"),
                                                                    .authority = DX_BYTES("test"),
                                                                    .timeout_ms = 150}),
            DX_OK);
        peer_await(&s, "\r\n\r\n");
        if (dribbles)
            peer_say(&s, DX_BYTES(OK_LINE "Content-Length: 1000\r\n\r\n"));
        for (int i = 0; i < 500 && !scene_is_told(&s); i++) {
            usleep(2000);
            dx_loop_step(s.loop, 0);
            if (dribbles && !scene_is_told(&s))
                peer_say(&s, DX_BYTES("x"));
        }
        CHECK_INT(s.err, DX_ERR_TIMEOUT);
        CHECK_INT(s.faileds_count, 1);
        scene_deinit(&s);
    }
}

TEST("an answer without end may take its time, as long as it is not silent")
{
    scene s;

    scene_init(&s, DX_HTTP_VERSION_1_1);
    CHECK_INT(dx_http_client_send(s.client, &(dx_http_client_request){.method = DX_BYTES("GET"),
                                                                      .target = DX_BYTES("/"),
                                                                      .authority = DX_BYTES("test"),
                                                                      .timeout_ms = 150,
                                                                      .silence_ms = 100}),
              DX_OK);
    peer_await(&s, "\r\n\r\n");
    peer_say(&s, DX_BYTES(OK_LINE "Content-Length: 1000\r\n\r\n"));
    for (int i = 0; i < 20 && !scene_is_told(&s); i++) { /* 400 ms: longer than either */
        usleep(20000);
        peer_say(&s, DX_BYTES("x"));
        dx_loop_step(s.loop, 0);
    }
    CHECK(!scene_is_told(&s));
    CHECK_INT(s.heads_count, 1);
    run_until_told(&s);
    CHECK_INT(s.err, DX_ERR_TIMEOUT);
    scene_deinit(&s);
}

TEST("a client may be freed from each of its callbacks, and while it connects")
{
    for (int where = 0; where < 4; where++) {
        scene s;
        scene_init(&s, DX_HTTP_VERSION_1_1);
        s.frees_on_head = where == 0;
        s.frees_on_body = where == 1;
        s.frees_on_done = where == 2;
        scene_send(&s, "GET", (dx_bytes){NULL, 0}, true);
        if (where < 3) {
            peer_await(&s, "\r\n\r\n");
            peer_say(&s,
                     DX_BYTES(OK_LINE
                              "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
        } else {
            scene_free_client(&s);
        }
        for (int i = 0; i < TURNS_MAX && s.client; i++)
            dx_loop_step(s.loop, WAIT_MS);
        CHECK(s.client == NULL);
        CHECK_INT(s.heads_count, where < 3);
        CHECK_INT(s.body.size, where == 2 ? 2 : where == 1);
        CHECK_INT(s.dones_count, where == 2);
        CHECK_INT(s.faileds_count, 0);
        scene_deinit(&s);
    }
}

TEST("what is not read holds nothing up here, and comes when it is read on")
{
    scene s;
    enum { PIECE = 4096, PIECES = 2000 };
    static char piece[PIECE];
    size_t sent = 0;

    memset(piece, 'x', sizeof piece);
    scene_init(&s, DX_HTTP_VERSION_1_1);
    s.pauses = true;
    scene_send(&s, "GET", (dx_bytes){NULL, 0}, true);
    peer_await(&s, "\r\n\r\n");
    peer_say(&s, DX_BYTES(OK_LINE "Content-Length: 8192000\r\n\r\n"));
    for (int i = 0; i < PIECES; i++) {
        ssize_t size = send(s.peer, piece, sizeof piece, MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += size > 0 ? (size_t)size : 0;
        dx_loop_step(s.loop, 0);
    }
    CHECK(sent < (size_t)PIECE * PIECES); /* the kernel's buffers are full */
    CHECK_INT(s.heads_count, 1);
    CHECK_INT(s.body.size, 0);
    s.pauses = false;
    dx_http_client_resume(s.client);
    for (int i = 0; i < TURNS_MAX && s.body.size < sent; i++)
        dx_loop_step(s.loop, WAIT_MS);
    CHECK_INT(s.body.size, sent);
    scene_deinit(&s);
}
