/* The client against canned servers of HTTP/1.1.
 * Is:     every response whole, and cut at every byte; requests as they go out.
 * Is not: the ways to fail (test_client_end.c), HTTP/2 (test_client_http2.c).
 * Source: RFC 9112, RFC 9110.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_client_scene.h"

#include <sys/socket.h>
#include <unistd.h>

/* ---- responses -------------------------------------------------------------------------------- */

typedef struct canned {
    const char *about, *response;
    bool then_closes;
    unsigned code; /* 0: it must fail */
    const char *body;
    const char *why; /* a part of the failure's text */
} canned;

#define OK_LINE "HTTP/1.1 200 OK\r\n"

static const canned rows[] = {
    {"length", OK_LINE "Content-Length: 5\r\nStream-Next-Offset: 0_7\r\n\r\nhello", false, 200,
     "hello", NULL},
    {"length 0", OK_LINE "Content-Length: 0\r\n\r\n", false, 200, "", NULL},
    {"204", "HTTP/1.1 204 No Content\r\nStream-Next-Offset: 0_8\r\n\r\n", false, 204, "", NULL},
    {"chunks",
     OK_LINE "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\n",
     false, 200, "hello", NULL},
    {"no chunk but the last", OK_LINE "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, 200, "",
     NULL},
    {"until the end", OK_LINE "\r\nhello", true, 200, "hello", NULL},
    {"until the end, empty", OK_LINE "\r\n", true, 200, "", NULL},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nhello", true, 200, "hello", NULL},
    {"100 and 103 before it",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK_LINE
     "Content-Length: 2\r\n\r\nok",
     false, 200, "ok", NULL},
    {"a problem",
     "HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nContent-Length: 2\r\n\r\n{}",
     false, 404, "{}", NULL},
    {"cut in the head", OK_LINE "Content-Len", true, 0, "", "ended the connection"},
    {"cut in the content", OK_LINE "Content-Length: 5\r\n\r\nhel", true, 0, "hel",
     "ended the connection"},
    {"cut in a chunk", OK_LINE "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", true, 0, "hel",
     "ended the connection"},
    {"no last chunk", OK_LINE "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", true, 0, "hel",
     "ended the connection"},
    {"nothing at all", "", true, 0, "", "ended the connection"},
    {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", false, 0, "", ""},
    {"a bad chunk size", OK_LINE "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", false, 0, "", ""},
    {"101 unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
     false, 0, "", "switched protocols"},
};

/* The response in two pieces, cut after `cut` bytes. */
static void check_canned(const canned *row, size_t cut)
{
    scene s;
    dx_bytes all = dx_bytes_of(row->response), first = {0};

    scene_init(&s, DX_HTTP_VERSION_1_1);
    scene_send(&s, "GET", (dx_bytes){NULL, 0}, false);
    peer_await(&s, "\r\n\r\n");
    dx_bytes_take(&all, cut, &first);
    peer_say(&s, first);
    run_turns(&s, 2);
    if (!scene_is_told(&s))
        peer_say(&s, all);
    if (row->then_closes)
        peer_close(&s);
    run_until_told(&s);
    if (row->code != s.code && row->code != 0)
        TAP_FAIL("%s, cut at %zu: code %u", row->about, cut, s.code);
    CHECK_INT(s.dones_count, row->code != 0);
    CHECK_INT(s.faileds_count, row->code == 0);
    CHECK_BYTES(dx_buffer_view(&s.body), row->body);
    CHECK(row->why == NULL || strstr(s.why, row->why) != NULL);
    scene_deinit(&s);
}

TEST("RFC 9112 §6, §7: responses of every framing, cut at every byte")
{
    for (size_t i = 0; i < DX_COUNT(rows); i++)
        for (size_t cut = 0; cut <= strlen(rows[i].response); cut++)
            check_canned(&rows[i], cut);
}

TEST("RFC 9112 §6.3 a response to HEAD has no content, whatever length it names")
{
    scene s;

    scene_init(&s, DX_HTTP_VERSION_1_1);
    scene_send(&s, "HEAD", (dx_bytes){NULL, 0}, false);
    peer_await(&s, "\r\n\r\n");
    peer_say(&s, DX_BYTES(OK_LINE "Content-Length: 500\r\n\r\n"));
    run_until_told(&s);
    CHECK_INT(s.dones_count, 1);
    CHECK_INT(s.body.size, 0);
    scene_deinit(&s);
}

/* ---- requests --------------------------------------------------------------------------------- */

TEST("RFC 9112 §3 a request goes out as its fields say")
{
    scene s;

    scene_init(&s, DX_HTTP_VERSION_1_1);
    scene_send(&s, "POST", DX_BYTES("hello"), false);
    peer_await(&s, "hello");
    CHECK_BYTES(dx_buffer_view(&s.asked), "POST /live/x?y=1 HTTP/1.1\r\n"
                                          "Host: test:80\r\n"
                                          "Content-Type: text/plain\r\n"
                                          "Content-Length: 5\r\n"
                                          "Connection: close\r\n"
                                          "\r\n"
                                          "hello");
    scene_deinit(&s);
}

TEST("RFC 1945 §5 a request of HTTP/1.0 has a connection of its own, and waits for no 100 Continue")
{
    scene s;
    size_t size = 100000;
    uint8_t *body = malloc(size);
    char end[] = "the end";

    memset(body, 'x', size);
    memcpy(body + size - strlen(end), end, strlen(end));
    scene_init(&s, DX_HTTP_VERSION_1_1);
    CHECK_INT(
        dx_http_client_send(s.client, &(dx_http_client_request){.method = DX_BYTES("POST"),
                                                                .target = DX_BYTES("/"),
                                                                .authority = DX_BYTES("test"),
                                                                .body = dx_bytes_at(body, size),
                                                                .timeout_ms = 2000,
                                                                .is_1_0 = true}),
        DX_OK);
    uint64_t began = dx_loop_now_ms(s.loop);
    peer_await(&s, end);
    CHECK(dx_loop_now_ms(s.loop) - began < 900);
    static const char head[] = "POST / HTTP/1.0\r\nHost: test\r\nContent-Length: 100000\r\n\r\n";
    CHECK_MEM(s.asked.at, strlen(head), head, strlen(head));
    CHECK_INT(s.asked.size, strlen(head) + size);
    peer_say(&s, DX_BYTES("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1"));
    run_until_told(&s);
    CHECK_INT(s.dones_count, 1);
    run_turns(&s, 5);
    char byte;
    CHECK_INT(recv(s.peer, &byte, 1, 0), 0);
    CHECK_INT(s.net.conns_begun_count, 1);
    scene_deinit(&s);
    free(body);
}

TEST("RFC 9110 §8.6 a POST without content says so, a GET says nothing")
{
    scene post, get;

    scene_init(&post, DX_HTTP_VERSION_1_1);
    scene_send(&post, "POST", (dx_bytes){NULL, 0}, true);
    peer_await(&post, "\r\n\r\n");
    CHECK_BYTES(dx_buffer_view(&post.asked),
                "POST /live/x?y=1 HTTP/1.1\r\nHost: test:80\r\nContent-Length: 0\r\n\r\n");
    scene_deinit(&post);
    scene_init(&get, DX_HTTP_VERSION_1_1);
    scene_send(&get, "GET", (dx_bytes){NULL, 0}, true);
    peer_await(&get, "\r\n\r\n");
    CHECK_BYTES(dx_buffer_view(&get.asked), "GET /live/x?y=1 HTTP/1.1\r\nHost: test:80\r\n\r\n");
    scene_deinit(&get);
}

TEST("a field that would end its line is refused, and the client can go on")
{
    scene s;
    dx_header bad = {DX_BYTES("X-Bad"), DX_BYTES("a\r\nInjected: yes")};
    dx_http_client_request request = {.method = DX_BYTES("GET"),
                                      .target = DX_BYTES("/"),
                                      .authority = DX_BYTES("test"),
                                      .headers = &bad,
                                      .headers_count = 1,
                                      .timeout_ms = 1000};
    char target[20000];

    scene_init(&s, DX_HTTP_VERSION_1_1);
    CHECK_INT(dx_http_client_send(s.client, &request), DX_ERR_NAME);
    request.headers_count = 0;
    request.target = DX_BYTES("/with blank");
    CHECK_INT(dx_http_client_send(s.client, &request), DX_ERR_NAME);
    memset(target, '/', sizeof target);
    request.target = dx_bytes_at(target, sizeof target);
    CHECK_INT(dx_http_client_send(s.client, &request), DX_ERR_TOO_LARGE);
    scene_send(&s, "GET", (dx_bytes){NULL, 0}, false);
    peer_await(&s, "\r\n\r\n");
    scene_deinit(&s);
}

TEST("RFC 9112 §9.3 a kept connection carries the next request, sent from done")
{
    scene s;

    scene_init(&s, DX_HTTP_VERSION_1_1);
    scene_send(&s, "POST", DX_BYTES("one"), true);
    peer_await(&s, "one");
    s.sends_again = true;
    peer_say(&s, DX_BYTES(OK_LINE "Content-Length: 1\r\n\r\n1"));
    run_until_told(&s);
    s.dones_count = 0;
    peer_await(&s,
               "GET /live/x?y=1 HTTP/1.1\r\nHost: test:80\r\n\r\n"); /* on the same connection */
    peer_say(&s, DX_BYTES(OK_LINE "Content-Length: 1\r\n\r\n2"));
    run_until_told(&s);
    CHECK_BYTES(dx_buffer_view(&s.body), "12");
    CHECK_INT(s.net.conns_count, 1);
    scene_deinit(&s);
}

static void check_new_connection(const char *response, bool closes, bool keep_alive)
{
    scene s;

    scene_init(&s, DX_HTTP_VERSION_1_1);
    scene_send(&s, "GET", (dx_bytes){NULL, 0}, keep_alive);
    peer_await(&s, "\r\n\r\n");
    peer_say(&s, dx_bytes_of(response));
    run_until_told(&s);
    int old = s.peer;
    if (closes)
        shutdown(old, SHUT_WR);
    run_turns(&s, 5);
    s.peer = -1;
    s.dones_count = 0;
    s.asked.size = 0;
    scene_send(&s, "GET", (dx_bytes){NULL, 0}, true);
    peer_await(&s, "\r\n\r\n"); /* accepted anew */
    peer_say(&s, DX_BYTES(OK_LINE "Content-Length: 0\r\n\r\n"));
    run_until_told(&s);
    CHECK_INT(s.faileds_count, 0);
    close(old);
    scene_deinit(&s);
}

TEST("RFC 9112 §9.6 a connection that either side ends is not used again")
{
    check_new_connection(OK_LINE "Content-Length: 0\r\nConnection: close\r\n\r\n", false, true);
    check_new_connection("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, true);
    check_new_connection(OK_LINE "Content-Length: 0\r\n\r\n", true, true);
    check_new_connection(OK_LINE "Content-Length: 0\r\n\r\n", false, false);
}

TEST("RFC 9112 §9.2 bytes that answer nothing end the connection")
{
    check_new_connection(OK_LINE "Content-Length: 0\r\n\r\n" OK_LINE "Content-Length: 0\r\n\r\n",
                         false, true);
}

TEST("RFC 9112 §9.2 a response to nothing is not taken for that to the next request")
{
    scene s;

    scene_init(&s, DX_HTTP_VERSION_1_1);
    scene_send(&s, "GET", (dx_bytes){NULL, 0}, true);
    peer_await(&s, "\r\n\r\n");
    int old = s.peer;
    s.peer = -1;
    s.sends_again = true; /* from done, before anything else is read */
    static const char answers[] =
        OK_LINE "Content-Length: 0\r\n\r\n" OK_LINE "Content-Length: 0\r\n\r\n";
    CHECK_INT(send(old, answers, sizeof answers - 1, MSG_NOSIGNAL), sizeof answers - 1);
    run_until_told(&s);
    s.asked.size = 0;
    CHECK_INT(s.dones_count, 1);
    s.dones_count = 0;
    peer_await(&s, "\r\n\r\n"); /* on another connection */
    peer_say(&s, DX_BYTES("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    run_until_told(&s);
    CHECK_INT(s.code, 404);
    close(old);
    scene_deinit(&s);
}
