/* Tests of the opening handshake: the client with a bare server, the server with a bare client, and both
 * with each other.
 * Source: RFC 6455 §4, §10.2.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_handshake.h"
#include "http/http1.h"
#include "tests/tap.h"
#include "ws/client.h"
#include "ws/server.h"
#include "ws/test_side.h"

#include <unistd.h>

static const dx_bytes chat_protocols[] = {DX_BYTES("chat.v2"), DX_BYTES("chat.v1")};

static dx_ws_config config_of(bool is_deflate)
{
    dx_ws_config config = DX_WS_CONFIG_DEFAULT;

    config.ping_ms = 0;
    config.is_deflate = is_deflate;
    return config;
}

/* ---- the client and a bare server -------------------------------------------------------------- */

typedef struct call {
    world w;
    dx_ws_worker worker;
    side us;
    dx_http_origin origin;
    dx_ws_connect_options options;
    int listener;
    peer server;
    char key[DX_WS_KEY_BYTES]; /* of the request */
} call;

static call c;

static void on_failed(void *user, dx_err err, unsigned status, const char *text)
{
    side *of = user;

    of->fails++;
    of->failed_err = err;
    of->failed_status = status;
    snprintf(of->failed_text, sizeof of->failed_text, "%s", text);
}

static dx_address address_of(const struct sockaddr_storage *name)
{
    char text[32];
    dx_address ret;
    struct sockaddr_in v4;

    memcpy(&v4, name, sizeof v4);
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(v4.sin_port));
    dx_err err = dx_address_parse(dx_bytes_of(text), &ret);
    dx_assert(err == DX_OK);
    return ret;
}

/* Everything but connecting; c.options may still be changed. */
static void call_init(bool is_deflate)
{
    struct sockaddr_storage name;
    socklen_t name_bytes;
    dx_ws_config config = config_of(is_deflate);

    memset(&c, 0, sizeof c);
    world_init(&c.w, NULL);
    dx_ws_worker_init(&c.worker, &c.w.net);
    side_init(&c.us, &config);
    c.listener = tcp_listen(&name, &name_bytes);
    c.server.fd = -1;
    dx_http_origin_init(&c.origin, &c.w.net, &(dx_conn_target){.address = address_of(&name)},
                        DX_HTTP_VERSION_1_1);
    c.options = (dx_ws_connect_options){.endpoint = &c.us.endpoint,
                                        .server = &c.origin,
                                        .authority = DX_BYTES("example.org:8080"),
                                        .target = DX_BYTES("/live/x?offset=now"),
                                        .timeout_ms = 5000,
                                        .user = &c.us,
                                        .failed = on_failed};
}

static void call_connect(void)
{
    dx_err err = dx_ws_connect(&c.worker, &c.options);
    dx_assert(err == DX_OK);
}

/* Connects; the server reads the whole request. */
static void call_begin(void)
{
    static const char field[] = "\r\nSec-WebSocket-Key: ";
    int fd = -1;

    call_connect();
    for (int i = 0; i < 2000 && fd < 0; i++) {
        dx_loop_step(c.w.loop, 5);
        fd = accept4(c.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    dx_assert(fd >= 0);
    peer_open(&c.server, fd);
    PEER_UNTIL(&c.w, &c.server, strstr(peer_text(&c.server), "\r\n\r\n") != NULL);
    const char *key = strstr(peer_text(&c.server), field);
    dx_assert(key != NULL && strlen(key) > strlen(field) + sizeof c.key);
    memcpy(c.key, key + strlen(field), sizeof c.key);
}

static void call_deinit(void)
{
    if (c.us.ws)
        dx_conn_abort(c.us.ws->conn, DX_OK, false);
    world_settle(&c.w);
    for (int i = 0; i < 1000 && c.w.net.conns_count > 0; i++)
        dx_loop_step(c.w.loop, 10);
    dx_ws_worker_deinit(&c.worker);
    world_deinit(&c.w);
    side_deinit(&c.us);
    peer_close(&c.server);
    close(c.listener);
}

/* Writes an answer into `to`: `before` and `after` around Sec-WebSocket-Accept with the right value. */
static dx_bytes make_answer(char to[1024], const char *before, const char *after)
{
    char accept[DX_WS_ACCEPT_BYTES];

    dx_ws_accept_key(dx_bytes_at(c.key, sizeof c.key), accept);
    int size = snprintf(to, 1024, "%sSec-WebSocket-Accept: %.*s\r\n%s", before, (int)sizeof accept,
                        accept, after);
    dx_assert(size > 0 && size < 1024);
    return dx_bytes_at(to, (size_t)size);
}

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

LOOP_TEST(
    "§4.1 the request has every field that is asked for, a new key each time, and nothing else")
{
    char first_key[DX_WS_KEY_BYTES];

    call_init(true);
    c.us.endpoint.subprotocols = chat_protocols;
    c.us.endpoint.subprotocols_count = DX_COUNT(chat_protocols);
    c.options.origin = DX_BYTES("http://page.example");
    call_begin();
    const char *text = peer_text(&c.server);
    CHECK(strncmp(text, "GET /live/x?offset=now HTTP/1.1\r\n", 33) == 0);
    CHECK(strstr(text, "\r\nHost: example.org:8080\r\n") != NULL);
    CHECK(strstr(text, "\r\nUpgrade: websocket\r\n") != NULL);
    CHECK(strstr(text, "\r\nConnection: Upgrade\r\n") != NULL);
    CHECK(strstr(text, "\r\nSec-WebSocket-Version: 13\r\n") != NULL);
    CHECK(strstr(text, "\r\nOrigin: http://page.example\r\n") != NULL);
    CHECK(strstr(text, "chat.v2") != NULL && strstr(text, "chat.v2") < strstr(text, "chat.v1"));
    CHECK(strstr(text, "\r\nSec-WebSocket-Extensions: permessage-deflate") != NULL);
    CHECK(memcmp(c.key + 22, "==", 2) == 0); /* 16 bytes in base64 */
    memcpy(first_key, c.key, sizeof c.key);
    peer_reset(&c.server);
    call_deinit();

    call_init(false);
    call_begin();
    text = peer_text(&c.server);
    CHECK(memcmp(first_key, c.key, sizeof c.key) != 0);
    CHECK(strstr(text, "Origin") == NULL && strstr(text, "Protocol") == NULL);
    CHECK(strstr(text, "Extensions") == NULL);
    peer_reset(&c.server);
    call_deinit();
}

LOOP_TEST("§4.1 behind the 101 it is a session; frames in the same segment are its first")
{
    char bytes[1024];

    for (int is_trickled = 0; is_trickled < 2; is_trickled++) {
        call_init(false);
        c.us.endpoint.subprotocols = chat_protocols;
        c.us.endpoint.subprotocols_count = DX_COUNT(chat_protocols);
        call_begin();
        peer_forget(&c.server);
        dx_bytes answer =
            make_answer(bytes, SWITCH, "Sec-WebSocket-Protocol: chat.v1\r\n\r\n\x81\x02hi");
        if (is_trickled)
            peer_trickle(&c.w, &c.server, answer);
        else
            peer_write(&c.w, &c.server, answer);
        TURN_UNTIL(c.w.loop, c.us.messages == 1);
        CHECK_INT(c.us.opens, 1);
        CHECK_BYTES(c.us.in, "thi|");
        CHECK_BYTES(dx_ws_subprotocol(c.us.ws), "chat.v1");
        CHECK(dx_ws_user(c.us.ws) == &c.us);
        CHECK_INT(dx_ws_send(c.us.ws, DX_WS_MESSAGE_TEXT, DX_BYTES("ho")), DX_SEND_QUEUED);
        PEER_UNTIL(&c.w, &c.server, c.server.in.size == 8);
        CHECK(c.server.in.at[0] == 0x81 && c.server.in.at[1] == 0x82); /* masked */
        CHECK_INT(c.us.fails, 0);
        call_deinit();
    }
}

LOOP_TEST("RFC 9110 §15.2 interim answers may come before the 101")
{
    char bytes[1024];

    call_init(false);
    call_begin();
    peer_write(
        &c.w, &c.server,
        make_answer(
            bytes,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" SWITCH,
            "\r\n"));
    TURN_UNTIL(c.w.loop, c.us.opens == 1);
    CHECK_INT(c.us.fails, 0);
    call_deinit();
}

/* An answer; is_signed: with the right Sec-WebSocket-Accept between the two parts. */
typedef struct bad_answer {
    const char *before, *after;
    bool is_signed;
    unsigned status;
    dx_ws_refusal refusal;
} bad_answer;

#define RFC_ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" /* of another key */

static const bad_answer bad_answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "\r\nno", true, 200, DX_WS_REFUSED_STATUS},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n", "\r\n", false, 404, DX_WS_REFUSED_STATUS},
    {"HTTP/1.1 101 OK\r\nConnection: Upgrade\r\n", "\r\n", true, 101, DX_WS_REFUSED_ANSWER_UPGRADE},
    {"HTTP/1.1 101 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n", "\r\n", true, 101,
     DX_WS_REFUSED_ANSWER_UPGRADE},
    {"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n", "\r\n", true, 101,
     DX_WS_REFUSED_ANSWER_CONNECTION},
    {SWITCH, "\r\n", false, 101, DX_WS_REFUSED_ACCEPT},
    {SWITCH, RFC_ACCEPT "\r\n", false, 101, DX_WS_REFUSED_ACCEPT},
    {SWITCH, RFC_ACCEPT "\r\n", true, 101, DX_WS_REFUSED_ACCEPT},
    {SWITCH, "Sec-WebSocket-Protocol: other\r\n\r\n", true, 101, DX_WS_REFUSED_ANSWER_SUBPROTOCOL},
    {SWITCH, "Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n\r\n", true, 101,
     DX_WS_REFUSED_ANSWER_SUBPROTOCOL},
    {SWITCH, "Sec-WebSocket-Extensions: x-other\r\n\r\n", true, 101,
     DX_WS_REFUSED_ANSWER_EXTENSION},
    {SWITCH, "Sec-WebSocket-Extensions: permessage-deflate; huh\r\n\r\n", true, 101,
     DX_WS_REFUSED_ANSWER_EXTENSION},
};

LOOP_TEST("§4.1 an answer that breaks a rule fails the connection, with its status and the rule")
{
    char bytes[1024];

    for (size_t i = 0; i < DX_COUNT(bad_answers); i++) {
        const bad_answer *row = &bad_answers[i];
        call_init(true);
        c.us.endpoint.subprotocols = chat_protocols;
        c.us.endpoint.subprotocols_count = DX_COUNT(chat_protocols);
        call_begin();
        if (row->is_signed)
            peer_write(&c.w, &c.server, make_answer(bytes, row->before, row->after));
        else
            peer_write(&c.w, &c.server,
                       dx_bytes_at(bytes, (size_t)snprintf(bytes, sizeof bytes, "%s%s", row->before,
                                                           row->after)));
        PEER_UNTIL_END(&c.w, &c.server);
        CHECK(c.us.fails == 1 && c.us.opens == 0 && c.us.failed_err == DX_ERR_PROTOCOL);
        CHECK_INT(c.us.failed_status, row->status);
        CHECK_BYTES(dx_bytes_of(c.us.failed_text), dx_ws_refusal_text(row->refusal));
        call_deinit();
    }
}

LOOP_TEST("§9.1 an extension that was not offered fails the connection")
{
    char bytes[1024];

    call_init(false);
    call_begin();
    peer_write(
        &c.w, &c.server,
        make_answer(bytes, SWITCH,
                    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                    "client_no_context_takeover\r\n\r\n")); /* good, if it had been offered */
    PEER_UNTIL_END(&c.w, &c.server);
    CHECK(c.us.fails == 1 && c.us.opens == 0);
    CHECK_BYTES(dx_bytes_of(c.us.failed_text), dx_ws_refusal_text(DX_WS_REFUSED_ANSWER_EXTENSION));
    call_deinit();
}

LOOP_TEST(
    "an answer that is no HTTP, ends early, never comes, or a refused connection is told once")
{
    call_init(false);
    call_begin();
    peer_write(&c.w, &c.server, DX_BYTES("SSH-2.0-OpenSSH\r\n\r\n"));
    PEER_UNTIL_END(&c.w, &c.server);
    CHECK(c.us.fails == 1 && c.us.failed_err == DX_ERR_PROTOCOL && c.us.failed_text[0] != '\0');
    CHECK_INT(c.us.failed_status, 0);
    call_deinit();

    call_init(false);
    call_begin();
    peer_write(&c.w, &c.server, DX_BYTES(SWITCH));
    peer_finish(&c.server);
    PEER_UNTIL_END(&c.w, &c.server);
    TURN_UNTIL(c.w.loop, c.us.fails == 1);
    CHECK_INT(c.us.failed_err, DX_ERR_RESET);
    call_deinit();

    call_init(false);
    c.options.timeout_ms = 100;
    uint64_t begin_ms = dx_clock_ms();
    call_begin();
    PEER_UNTIL_END(&c.w, &c.server);
    CHECK(dx_clock_ms() - begin_ms >= 80 && dx_clock_ms() - begin_ms < 4000);
    CHECK(c.us.fails == 1 && c.us.failed_err == DX_ERR_TIMEOUT);
    call_deinit();

    call_init(false);
    close(c.listener);
    c.listener = -1;
    call_connect();
    TURN_UNTIL(c.w.loop, c.us.fails == 1);
    CHECK(c.us.failed_err != DX_OK && c.us.opens == 0);
    CHECK_INT(c.us.failed_status, 0);
    c.listener = tcp_socket();
    call_deinit();
}

LOOP_TEST("a target too long for a request is refused at once, and nothing is called")
{
    static char target[13000];

    call_init(false);
    memset(target, 'a', sizeof target);
    target[0] = '/';
    c.options.target = dx_bytes_at(target, sizeof target);
    CHECK_INT(dx_ws_connect(&c.worker, &c.options), DX_ERR_TOO_LARGE);
    turn_for(c.w.loop, 10);
    CHECK(c.us.fails == 0 && c.us.opens == 0);
    call_deinit();
}

/* ---- the server and a bare client -------------------------------------------------------------- */

typedef struct desk {
    world w;
    dx_router router;
    dx_http http;
    dx_ws_worker worker;
    side us;
    peer client;
} desk;

static desk d;

static void on_websocket(dx_exchange *x, void *context)
{
    desk *of = context;
    dx_ws_handshake handshake;

    if (dx_ws_handshake_check(x, &of->us.endpoint, &handshake))
        dx_ws_handshake_accept(x, &of->worker, &of->us.endpoint, &handshake, of);
}

static void desk_init(bool is_deflate)
{
    const dx_route routes[] = {{"/ws", DX_ROUTE_WEBSOCKET, 0, on_websocket, &d},
                               {"/ws", DX_BIT(DX_HTTP_GET), 0, on_websocket, &d}};
    dx_ws_config config = config_of(is_deflate);
    dx_net_limits limits = DX_NET_LIMITS_DEFAULT;
    int fds[2];

    memset(&d, 0, sizeof d);
    limits.linger_ms = 100;
    world_init(&d.w, &limits);
    dx_ws_worker_init(&d.worker, &d.w.net);
    side_init(&d.us, &config);
    d.us.endpoint.subprotocols = chat_protocols;
    d.us.endpoint.subprotocols_count = DX_COUNT(chat_protocols);
    for (size_t i = 0; i < DX_COUNT(routes); i++) {
        dx_err err = dx_router_add(&d.router, &routes[i]);
        dx_assert(err == DX_OK);
    }
    dx_err err = dx_http_init(&d.http, &d.w.net, &d.router, &DX_HTTP_CONFIG_DEFAULT);
    dx_assert(err == DX_OK);
    socket_pair(fds);
    peer_open(&d.client, fds[1]);
    dx_http1_accept(&d.http, fds[0], NULL);
}

static void desk_deinit(void)
{
    if (d.us.ws)
        dx_conn_abort(d.us.ws->conn, DX_OK, false);
    peer_close(&d.client);
    for (int i = 0; i < 1000 && d.w.net.conns_count > 0; i++)
        dx_loop_step(d.w.loop, 10);
    dx_ws_worker_deinit(&d.worker);
    dx_http_deinit(&d.http);
    dx_router_deinit(&d.router);
    world_deinit(&d.w);
    side_deinit(&d.us);
}

#define HOST "Host: example.org\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: keep-alive, Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define ASK "GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY VERSION

LOOP_TEST(
    "§4.2.2 the answer: 101, the key's accept, one subprotocol, the extension; frames behind are served")
{
    desk_init(true);
    peer_write(
        &d.w, &d.client,
        DX_BYTES(ASK "Sec-WebSocket-Protocol: other, chat.v1\r\nSec-WebSocket-Protocol: chat.v2\r\n"
                     "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
                     "\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\0"));
    PEER_UNTIL(&d.w, &d.client, strstr(peer_text(&d.client), "\r\n\r\n") != NULL);
    const char *text = peer_text(&d.client);
    CHECK(strncmp(text, "HTTP/1.1 101 ", 13) == 0);
    CHECK(strstr(text, "\r\nUpgrade: websocket\r\n") != NULL);
    CHECK(strstr(text, "\r\nConnection: Upgrade\r\n") != NULL);
    CHECK(strstr(text, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != NULL);
    CHECK(strstr(text, "\r\nSec-WebSocket-Protocol: chat.v1\r\n") != NULL); /* the client's order */
    CHECK(strstr(text, "chat.v2") == NULL);
    CHECK(strstr(text, "\r\nSec-WebSocket-Extensions: permessage-deflate") != NULL);
    TURN_UNTIL(d.w.loop, d.us.messages == 1);
    CHECK_BYTES(d.us.in, "tHello|");
    CHECK_BYTES(dx_ws_subprotocol(d.us.ws), "chat.v1");
    CHECK(dx_ws_user(d.us.ws) == &d);
    desk_deinit();
}

LOOP_TEST(
    "§4.2.2 no subprotocol and no extension is answered that was not asked for, or is not known")
{
    desk_init(true);
    peer_write(&d.w, &d.client, DX_BYTES(ASK "\r\n"));
    TURN_UNTIL(d.w.loop, d.us.opens == 1);
    PEER_UNTIL(&d.w, &d.client, strstr(peer_text(&d.client), "\r\n\r\n") != NULL);
    CHECK(strstr(peer_text(&d.client), "Protocol:") == NULL);
    CHECK(strstr(peer_text(&d.client), "Extensions:") == NULL);
    CHECK_INT(dx_ws_subprotocol(d.us.ws).size, 0);
    desk_deinit();

    desk_init(false);
    peer_write(&d.w, &d.client,
               DX_BYTES(ASK "Sec-WebSocket-Protocol: CHAT.V1\r\n"
                            "Sec-WebSocket-Extensions: permessage-deflate, x-other\r\n\r\n"));
    TURN_UNTIL(d.w.loop, d.us.opens == 1);
    PEER_UNTIL(&d.w, &d.client, strstr(peer_text(&d.client), "\r\n\r\n") != NULL);
    CHECK(strstr(peer_text(&d.client), "Protocol:") == NULL);
    CHECK(strstr(peer_text(&d.client), "Extensions:") == NULL);
    desk_deinit();
}

LOOP_TEST("§4.2.1 a request that breaks a rule gets its status, and there is no session")
{
    static const struct {
        const char *request;
        unsigned status;
        const char *field;
    } rows[] = {
        {"POST /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY VERSION "\r\n", 405, "Allow: GET"},
        {"GET /ws HTTP/1.1\r\n" HOST "\r\n", 426, "Upgrade: websocket"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "\r\n", 400, ""},
        {ASK "Content-Length: 5\r\n\r\nhello", 400, ""},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY "\r\n", 426,
         "Sec-WebSocket-Version: 13"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426,
         "Sec-WebSocket-Version: 13"},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION VERSION "\r\n", 400, ""},
        {ASK KEY "\r\n", 400, ""},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION VERSION
         "Sec-WebSocket-Key: c2hvcnQ=\r\n\r\n",
         400, ""},
        {ASK "Sec-WebSocket-Protocol: chat.v1, chat.v1\r\n\r\n", 400, ""},
    };
    char want[32];

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        desk_init(true);
        peer_write(&d.w, &d.client, dx_bytes_of(rows[i].request));
        PEER_UNTIL(&d.w, &d.client, strstr(peer_text(&d.client), "\r\n\r\n") != NULL);
        snprintf(want, sizeof want, "HTTP/1.1 %u ", rows[i].status);
        if (strncmp(peer_text(&d.client), want, strlen(want)) != 0 ||
            !strstr(peer_text(&d.client), rows[i].field))
            TAP_FAIL("row %zu: not %s and %s:\n%s", i, want, rows[i].field, peer_text(&d.client));
        CHECK_INT(d.us.opens, 0);
        desk_deinit();
    }
}

LOOP_TEST("§10.2 a page opens a WebSocket to its own host only; a program has no Origin")
{
    static const struct {
        const char *origin;
        bool is_allowed;
    } rows[] = {
        {"", true},
        {"Origin: http://example.org\r\n", true},
        {"Origin: https://EXAMPLE.org\r\n", true},
        {"Origin: http://example.org:8080\r\n", false},
        {"Origin: http://evil-example.org\r\n", false},
        {"Origin: http://example.org.evil\r\n", false},
        {"Origin: null\r\n", false},
        {"Origin: http://example.org\r\nOrigin: http://example.org\r\n", false},
    };
    char request[512];

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        desk_init(true);
        snprintf(request, sizeof request, "%s%s\r\n", ASK, rows[i].origin);
        peer_write(&d.w, &d.client, dx_bytes_of(request));
        PEER_UNTIL(&d.w, &d.client, strstr(peer_text(&d.client), "\r\n\r\n") != NULL);
        const char *want = rows[i].is_allowed ? "HTTP/1.1 101 " : "HTTP/1.1 403 ";
        if (strncmp(peer_text(&d.client), want, strlen(want)) != 0)
            TAP_FAIL("%s is not %s", rows[i].origin, want);
        CHECK_INT(d.us.opens, rows[i].is_allowed);
        desk_deinit();
    }
}

/* ---- both -------------------------------------------------------------------------------------- */

/* The call's server is the desk: what has come at either is carried to the other. */
static void carry(void)
{
    dx_loop_step(c.w.loop, 1);
    dx_loop_step(d.w.loop, 1);
    peer_read(&c.server, SIZE_MAX);
    peer_read(&d.client, SIZE_MAX);
    peer_write(&d.w, &d.client, dx_buffer_view(&c.server.in));
    peer_write(&c.w, &c.server, dx_buffer_view(&d.client.in));
    peer_forget(&c.server);
    peer_forget(&d.client);
}

LOOP_TEST(
    "§4 our client and our server agree on a subprotocol and deflate, and a message is echoed")
{
    static char text[2000];

    memset(text, 'z', sizeof text);
    call_init(true);
    c.options.target = DX_BYTES("/ws");
    c.us.endpoint.subprotocols = chat_protocols;
    c.us.endpoint.subprotocols_count = DX_COUNT(chat_protocols);
    call_begin();
    desk_init(true);
    d.us.echoes = true;
    for (int i = 0; i < 2000 && c.us.opens == 0; i++)
        carry();
    dx_assert(c.us.opens == 1 && d.us.opens == 1);
    CHECK_BYTES(dx_ws_subprotocol(c.us.ws), "chat.v2");
    CHECK_BYTES(dx_ws_subprotocol(d.us.ws), "chat.v2");
    CHECK_INT(dx_ws_send(c.us.ws, DX_WS_MESSAGE_TEXT, dx_bytes_at(text, sizeof text)),
              DX_SEND_QUEUED);
    CHECK(dx_conn_queued(c.us.ws->conn) < 100); /* deflated */
    for (int i = 0; i < 2000 && c.us.messages == 0; i++)
        carry();
    CHECK_INT(d.us.messages, 1);
    CHECK_INT(c.us.in.size, sizeof text + 2);
    desk_deinit();
    call_deinit();
}
