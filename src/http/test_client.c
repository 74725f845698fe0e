/* The HTTP/1.1 client against canned servers.
 * Is:     every response whole, and cut at every byte; requests as they go out; the ways to fail.
 * Source: RFC 9112, RFC 9110.
 * SPDX-License-Identifier: MIT */
#include "http/client.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 1500, WAIT_MS = 2 };

/* One loop with a client, a listening socket, and what the client was told. */
typedef struct scene {
    dx_loop *loop;
    dx_net net;
    dx_http_client *client;
    int listener, peer; /* peer: -1 until accepted */
    dx_buffer asked;    /* what the peer has read */
    unsigned code;
    char next_offset[32];
    dx_buffer body;
    unsigned heads_count, dones_count, faileds_count;
    dx_err err;
    char why[160];
    bool frees_on_head, frees_on_body, frees_on_done, sends_again;
} scene;

static void scene_free_client(scene *s)
{
    dx_http_client_free(s->client);
    s->client = NULL;
}

static void on_head(void *context, const dx_http_response_head *head)
{
    scene *s = context;
    dx_bytes next = dx_http_fields_value(&head->fields, DX_HTTP_STREAM_NEXT_OFFSET);

    s->heads_count++;
    s->code = head->code;
    snprintf(s->next_offset, sizeof s->next_offset, "%.*s", DX_FORMAT(next));
    if (s->frees_on_head)
        scene_free_client(s);
}

static void on_body(void *context, dx_bytes piece)
{
    scene *s = context;

    CHECK(piece.size > 0);
    CHECK(dx_buffer_append(&s->body, piece));
    if (s->frees_on_body)
        scene_free_client(s);
}

static void scene_send(scene *s, const char *method, dx_bytes body, bool keep_alive)
{
    static const dx_header headers[] = {{DX_BYTES("Content-Type"), DX_BYTES("text/plain")}};

    CHECK_INT(
        dx_http_client_send(s->client, &(dx_http_client_request){.method = dx_bytes_of(method),
                                                                 .target = DX_BYTES("/live/x?y=1"),
                                                                 .authority = DX_BYTES("test:80"),
                                                                 .headers = headers,
                                                                 .headers_count = body.size > 0,
                                                                 .body = body,
                                                                 .timeout_ms = 2000,
                                                                 .keep_alive = keep_alive}),
        DX_OK);
}

static void on_done(void *context)
{
    scene *s = context;

    s->dones_count++;
    if (s->frees_on_done)
        scene_free_client(s);
    if (s->sends_again) {
        s->sends_again = false;
        scene_send(s, "GET", (dx_bytes){NULL, 0}, true);
    }
}

static void on_failed(void *context, dx_err err, const char *text)
{
    scene *s = context;

    s->faileds_count++;
    s->err = err;
    snprintf(s->why, sizeof s->why, "%s", text);
}

static dx_address listen_anywhere(int *listener)
{
    dx_address address = {.transport = DX_TCP, .size = sizeof address.v4};

    address.v4.sin_family = AF_INET;
    address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(*listener, &address.any, address.size), 0);
    CHECK_INT(listen(*listener, 8), 0);
    CHECK_INT(getsockname(*listener, &address.any, &address.size), 0);
    return address;
}

static void scene_init(scene *s)
{
    *s = (scene){.peer = -1};
    CHECK_INT(dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &s->loop), DX_OK);
    dx_net_init(&s->net, s->loop, &DX_NET_LIMITS_DEFAULT, NULL);
    dx_conn_target to = {.address = listen_anywhere(&s->listener)};
    s->client = dx_http_client_new(
        &s->net, &to,
        &(dx_http_client_handler){
            .head = on_head, .body = on_body, .done = on_done, .failed = on_failed, .context = s});
    CHECK(s->client != NULL);
}

static void scene_deinit(scene *s)
{
    dx_http_client_free(s->client);
    if (s->peer >= 0)
        close(s->peer);
    close(s->listener);
    for (int i = 0; i < TURNS_MAX && s->net.conns_count > 0; i++)
        dx_loop_step(s->loop, WAIT_MS);
    CHECK_INT(s->net.conns_count, 0);
    dx_net_deinit(&s->net);
    dx_loop_free(s->loop);
    dx_buffer_clear(&s->asked);
    dx_buffer_clear(&s->body);
}

static bool scene_is_told(const scene *s)
{
    return s->dones_count + s->faileds_count > 0;
}

static void peer_read(scene *s)
{
    uint8_t piece[65536];

    if (s->peer < 0)
        s->peer = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ssize_t got = s->peer < 0 ? -1 : recv(s->peer, piece, sizeof piece, 0);
    if (got > 0)
        CHECK(dx_buffer_append(&s->asked, dx_bytes_at(piece, (size_t)got)));
}

/* Turns until the peer has read all of a request that ends in `end`. */
static void peer_await(scene *s, const char *end)
{
    size_t size = strlen(end);

    for (int i = 0; i < TURNS_MAX && !scene_is_told(s); i++) {
        peer_read(s);
        if (s->asked.size >= size && memcmp(s->asked.at + s->asked.size - size, end, size) == 0)
            return;
        dx_loop_step(s->loop, WAIT_MS);
    }
    TAP_FAIL("the request did not come");
}

static void peer_say(scene *s, dx_bytes text)
{
    if (text.size > 0)
        CHECK_INT(send(s->peer, text.at, text.size, MSG_NOSIGNAL), text.size);
}

static void peer_close(scene *s)
{
    close(s->peer);
    s->peer = -1;
}

static void run_until_told(scene *s)
{
    for (int i = 0; i < TURNS_MAX && !scene_is_told(s); i++)
        dx_loop_step(s->loop, WAIT_MS);
    CHECK(scene_is_told(s));
}

static void run_turns(scene *s, int count)
{
    for (int i = 0; i < count; i++)
        dx_loop_step(s->loop, 1);
}

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

    scene_init(&s);
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

    scene_init(&s);
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

    scene_init(&s);
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
    scene_init(&s);
    CHECK_INT(dx_http_client_send(s.client, &(dx_http_client_request){.method = DX_BYTES("POST"),
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

    scene_init(&post);
    scene_send(&post, "POST", (dx_bytes){NULL, 0}, true);
    peer_await(&post, "\r\n\r\n");
    CHECK_BYTES(dx_buffer_view(&post.asked),
                "POST /live/x?y=1 HTTP/1.1\r\nHost: test:80\r\nContent-Length: 0\r\n\r\n");
    scene_deinit(&post);
    scene_init(&get);
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

    scene_init(&s);
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

    scene_init(&s);
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

    scene_init(&s);
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

    scene_init(&s);
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

    scene_init(&s);
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

    scene_init(&s);
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

    scene_init(&s);
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

    scene_init(&s);
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

    scene_init(&s);
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

    scene_init(&s);
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
        scene_init(&s);
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

    scene_init(&s);
    CHECK_INT(
        dx_http_client_send(s.client, &(dx_http_client_request){.method = DX_BYTES("GET"),
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
        scene_init(&s);
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
