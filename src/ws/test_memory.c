/* Every allocation that a connection makes fails once, in every scene: the connection is answered or
 * dropped, nothing else happens, nothing leaks (a sanitized build sees that).
 * SPDX-License-Identifier: MIT */
#include "codec/http_date.h"
#include "http/http1.h"
#include "tests/support/failmalloc.h"
#include "tests/tap.h"
#include "ws/server.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { TURNS_MAX = 400, RUNS_MAX = 2000, BIG_BYTES = 200000, PIECES_MAX = 6 };

/* What the peer sends, piece by piece, with turns between; and what must come when nothing fails. */
typedef struct scene {
    const char *name;
    dx_bytes pieces[PIECES_MAX];
    const char *expected;
    bool is_takeover;
} scene;

#define B(text) DX_BYTES(text)
#define WS_HEAD                                                                                    \
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                 \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define DEFLATE "Sec-WebSocket-Extensions: permessage-deflate\r\n"
#define MASK0 "\0\0\0\0" /* the legal key that changes nothing */

/* HTTP/2: the preface with SETTINGS, the acknowledgement of the server's; heads in HPACK's plainest form. */
#define H2_HELLO                                                                                   \
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0"
#define H2_POST(path) "\0\0\x0d\x01\x04\0\0\0\x01\x83\x86\x04\x06" path "\x01\x01x"
#define H2_CONNECT                                                                                 \
    "\0\0\x41\x01\x04\0\0\0\x01\x02\x07" "CONNECT" "\0\x09:protocol\x09websocket\x86\x04\x03/ws"  \
    "\x01\x01x\0\x15sec-websocket-version\x02" "13"

static const scene scenes[] = {
    {"a request", {B("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")}, "200 OK", false},
    {"a head in pieces",
     {B("GET /ec"), B("ho HTTP/1.1\r\nHo"), B("st: x\r\n\r"), B("\n")},
     "200 OK",
     false},
    {"two requests at once",
     {B("GET /echo HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n")},
     "404 Not Found",
     false},
    {"a body whole", {B("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")}, "body", false},
    {"a body in pieces",
     {B("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo"), B("d"), B("y")},
     "body",
     false},
    {"a body in chunks",
     {B("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n"),
      B("2\r\ndy\r\n0\r"), B("\n\r\n")},
     "body",
     false},
    {"a body that waits for 100",
     {B("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"), B("body")},
     "100 Continue",
     false},
    {"a fault", {B("GET /echo HTTP/1.1\r\nHost : x\r\n\r\n")}, "400 Bad Request", false},
    {"an answer that comes later",
     {B("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"), B("GET /echo ")},
     "body",
     false},
    {"a large answer in pieces", {B("GET /big HTTP/1.1\r\nHost: x\r\n\r\n")}, "0\r\n\r\n", false},
    {"a WebSocket message", {B(WS_HEAD "\r\n"), B("\x81\x85" MASK0 "Hello")}, "\x81\x05Hello", false},
    {"frames right behind the head",
     {B(WS_HEAD "\r\n\x81\x85" MASK0 "Hello\x89\x80" MASK0)},
     "\x81\x05Hello\x8a",
     false},
    {"fragments with a ping between",
     {B(WS_HEAD "\r\n"), B("\x01\x83" MASK0 "Hel\x89\x81" MASK0 "p"), B("\x80\x82" MASK0 "lo")},
     "\x81\x05Hello",
     false},
    {"a frame in pieces", {B(WS_HEAD "\r\n\x82"), B("\x84" MASK0 "ab"), B("cd")}, "\x82\x04" "abcd", false},
    {"a deflated message",
     {B(WS_HEAD DEFLATE "\r\n"), B("\xc1\x87" MASK0 "\xf2\x48\xcd\xc9\xc9\x07\x00")},
     "\x81\x05Hello",
     false},
    {"a deflated message with takeover",
     {B(WS_HEAD DEFLATE "\r\n"), B("\xc1\x87" MASK0 "\xf2\x48\xcd\xc9\xc9\x07\x00")},
     "\x81\x05Hello",
     true},
    {"a closing handshake", {B(WS_HEAD "\r\n"), B("\x88\x82" MASK0 "\x03\xe8")}, "\x88\x02\x03\xe8", false},
    {"a request over HTTP/2", {B(H2_HELLO "\0\0\x0c\x01\x05\0\0\0\x01\x82\x86\x04\x05/nono\x01\x01x")},
     "\"status\":404", false},
    {"a body over HTTP/2, in pieces, answered later",
     {B(H2_HELLO H2_POST("/later")), B("\0\0\x03\0\0\0\0\0\x01h2 "), B("\0\0\x04\0\x01\0\0\0\x01" "body")},
     "h2 body", false},
    {"a request over HTTP/2 that is reset", 
     {B(H2_HELLO H2_POST("/later")), B("\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08" "\0\0\x08\x06\0\0\0\0\0" "pingping")},
     "pingping", false},
    {"a WebSocket over HTTP/2",
     {B(H2_HELLO H2_CONNECT), B("\0\0\x0b\0\0\0\0\0\x01\x81\x85" MASK0 "Hello"),
      B("\0\0\x08\0\x01\0\0\0\x01\x88\x82" MASK0 "\x03\xe8")},
     "\x88\x02\x03\xe8", false},
    {"a fault in a frame", {B(WS_HEAD "\r\n"), B("\x83\x80" MASK0)}, "\x03\xea", false},
};

typedef struct world {
    dx_loop *loop;
    dx_net net;
    dx_http http;
    dx_ws_worker ws;
    dx_router router;
    dx_ws_endpoint endpoint;
    dx_exchange *later;
    dx_timer timer;
} world;

static void on_echo(dx_exchange *x, void *context)
{
    (void)context;
    dx_exchange_respond(x, &(dx_response){.type = B("text/plain"), .body = x->body});
}

static void on_later_time(dx_timer *timer)
{
    world *w = DX_CONTAINER(timer, world, timer);

    if (w->later)
        on_echo(w->later, NULL);
    w->later = NULL;
}

static void on_later_gone(dx_exchange *x, void *context)
{
    world *w = context;

    (void)x;
    w->later = NULL;
}

static void on_later(dx_exchange *x, void *context)
{
    world *w = context;

    w->later = x;
    dx_exchange_on_gone(x, on_later_gone, w);
    dx_timer_set(w->loop, &w->timer, 1);
}

static void on_big(dx_exchange *x, void *context)
{
    static const uint8_t piece[1000] = {'x'};

    (void)context;
    dx_exchange_start(x, &(dx_response){.type = B("text/plain")}, DX_LENGTH_UNKNOWN);
    for (size_t i = 0; i < BIG_BYTES; i += sizeof piece)
        dx_exchange_put(x, dx_bytes_at(piece, sizeof piece));
    dx_exchange_end(x);
}

static void on_message(dx_ws *ws, const dx_ws_message *m, void *context)
{
    (void)context;
    dx_ws_send(ws, m->type, m->payload);
}

static void on_websocket(dx_exchange *x, void *context)
{
    world *w = context;
    dx_ws_handshake handshake;

    if (dx_ws_handshake_check(x, &w->endpoint, &handshake))
        dx_ws_handshake_accept(x, &w->ws, &w->endpoint, &handshake, NULL);
}

static void world_init(world *w, dx_loop_kind kind, bool is_takeover)
{
    const dx_route routes[] = {
        {"/echo", DX_BIT(DX_HTTP_GET) | DX_BIT(DX_HTTP_POST), 1000, on_echo, NULL},
        {"/later", DX_BIT(DX_HTTP_POST), 1000, on_later, w},
        {"/big", DX_BIT(DX_HTTP_GET), 0, on_big, NULL},
        {"/ws", DX_ROUTE_WEBSOCKET, 0, on_websocket, w},
    };
    dx_net_limits limits = DX_NET_LIMITS_DEFAULT;

    *w = (world){.endpoint = {.handler = {.message = on_message}, .config = DX_WS_CONFIG_DEFAULT}};
    w->endpoint.config.deflate.server_takeover = w->endpoint.config.deflate.client_takeover = is_takeover;
    limits.linger_ms = 50;
    CHECK(dx_loop_new(&(dx_loop_options){.kind = kind}, &w->loop) == DX_OK);
    dx_net_init(&w->net, w->loop, &limits, NULL);
    for (size_t i = 0; i < DX_COUNT(routes); i++)
        CHECK(dx_router_add(&w->router, &routes[i]) == DX_OK);
    CHECK(dx_http_init(&w->http, &w->net, &w->router, &DX_HTTP_CONFIG_DEFAULT) == DX_OK);
    dx_ws_worker_init(&w->ws, &w->net);
    dx_timer_init(&w->timer, on_later_time);
}

static void world_deinit(world *w)
{
    dx_timer_clear(&w->timer);
    dx_ws_worker_deinit(&w->ws);
    dx_http_deinit(&w->http);
    dx_net_deinit(&w->net);
    dx_router_deinit(&w->router);
    dx_loop_free(w->loop);
}

/* Reads what is there; false at the end. The memory is the test's own: it must not fail. */
static bool peer_read(int fd, char *got, size_t *size, size_t size_max)
{
    ssize_t n;

    while ((n = recv(fd, got + *size, size_max - *size, MSG_DONTWAIT)) > 0)
        *size += (size_t)n;
    return n < 0 && errno == EAGAIN;
}

static bool found(const char *got, size_t size, const char *expected)
{
    return memmem(got, size, expected, strlen(expected)) != NULL;
}

/* Plays the scene with allocation `nth` failing. Returns whether one failed; if none did, the scene
 * must end as expected. */
static bool play(const scene *s, dx_loop_kind kind, size_t nth)
{
    static char got[BIG_BYTES * 2];
    size_t size = 0;
    int fds[2];
    world w;

    world_init(&w, kind, s->is_takeover);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    failmalloc_arm(nth);
    dx_http1_accept(&w.http, fds[0], NULL);
    for (size_t i = 0; i < PIECES_MAX && s->pieces[i].size > 0; i++) {
        if (send(fds[1], s->pieces[i].at, s->pieces[i].size, MSG_NOSIGNAL) < 0)
            break; /* it has been dropped already */
        for (int turn = 0; turn < 4; turn++)
            dx_loop_step(w.loop, 0);
        peer_read(fds[1], got, &size, sizeof got);
    }
    for (int turn = 0; turn < TURNS_MAX && w.net.conns_count > 0 && !found(got, size, s->expected); turn++) {
        dx_loop_step(w.loop, 1);
        peer_read(fds[1], got, &size, sizeof got);
    }
    bool has_failed = failmalloc_disarm();
    if (!has_failed && !found(got, size, s->expected))
        TAP_FAIL("%s: not what was expected, %zu bytes came", s->name, size);
    close(fds[1]);
    for (int turn = 0; turn < TURNS_MAX && w.net.conns_count > 0; turn++)
        dx_loop_step(w.loop, 1);
    CHECK_INT(w.net.conns_count, 0);
    world_deinit(&w);
    return has_failed;
}

static void sweep(dx_loop_kind kind)
{
    for (size_t i = 0; i < DX_COUNT(scenes); i++) {
        size_t nth = 1;
        while (nth < RUNS_MAX && play(&scenes[i], kind, nth))
            nth++;
        CHECK(nth < RUNS_MAX);
        printf("# %s: %zu allocations failed in turn\n", scenes[i].name, nth - 1);
    }
}

TEST("F2 each allocation of a connection fails in turn, epoll: it is answered or dropped")
{
    sweep(DX_LOOP_EPOLL);
}

TEST("F2 each allocation of a connection fails in turn, io_uring: it is answered or dropped")
{
    dx_loop *loop = NULL;

    if (dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_IO_URING}, &loop) != DX_OK) {
        printf("# SKIP no io_uring here\n");
        return;
    }
    dx_loop_free(loop);
    sweep(DX_LOOP_IO_URING);
}
