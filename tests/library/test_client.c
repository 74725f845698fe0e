/* Tests of the client as a program has it: WebSockets and requests, against a server in this process.
 * SPDX-License-Identifier: MIT */
#include "tests/library/scene.h"
#include "tests/tap.h"

#include <poll.h>
#include <pthread.h>

/* ---- the server's side ----------------------------------------------------------------------------------- */

static void echo(dx_ws *ws, const dx_ws_message *m, void *context)
{
    (void)context;
    dx_ws_send(ws, m->type, m->payload);
}

static void answer_body(dx_exchange *x, void *context)
{
    (void)context;
    dx_header seen = {dx_bytes_of("X-Seen"), dx_exchange_header(x, "Authorization")};
    dx_exchange_respond(
        x, &(dx_response){
               .status = 201, .headers = &seen, .headers_count = 1, .body = dx_exchange_body(x)});
}

static void answer_never(dx_exchange *x, void *context)
{
    (void)context;
    dx_exchange_on_gone(x, NULL, NULL);
}

static dx_server *start(uint16_t port)
{
    dx_server *s = scene_server(port, NULL);

    CHECK_INT(dx_server_websocket(s, "/echo", &(dx_ws_handler){.message = echo}), DX_OK);
    CHECK_INT(dx_server_route(s, "*", "/body", answer_body, NULL), DX_OK);
    CHECK_INT(dx_server_route(s, "GET", "/never", answer_never, NULL), DX_OK);
    scene_start(s);
    return s;
}

/* ---- WebSocket ------------------------------------------------------------------------------------------- */

typedef struct talk {
    unsigned opens, messages, closes, fails;
    unsigned code, status;
    dx_err err;
    char last[64], subprotocol[32];
    dx_ws *ws;
} talk;

static void on_open(dx_ws *ws, void *context)
{
    talk *t = context;

    t->opens++;
    t->ws = ws;
    snprintf(t->subprotocol, sizeof t->subprotocol, "%.*s", (int)dx_ws_subprotocol(ws).size,
             (const char *)dx_ws_subprotocol(ws).at);
    CHECK(dx_ws_user(ws) == NULL);
    CHECK(dx_ws_worker_of(ws) == NULL);
}

static void on_message(dx_ws *ws, const dx_ws_message *m, void *context)
{
    talk *t = context;

    CHECK(ws == t->ws);
    t->messages++;
    snprintf(t->last, sizeof t->last, "%.*s", (int)m->payload.size, (const char *)m->payload.at);
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    talk *t = context;

    (void)ws, (void)reason;
    t->closes++;
    t->code = code;
}

static void on_failed(void *context, dx_err err, unsigned status, const char *text)
{
    talk *t = context;

    CHECK(text && text[0]);
    t->fails++;
    t->err = err;
    t->status = status;
}

static dx_err dial(dx_client *c, const char *url, talk *t)
{
    return dx_client_connect(c, url,
                             &(dx_ws_handler){.open = on_open,
                                              .message = on_message,
                                              .close = on_close,
                                              .context = t,
                                              .failed = on_failed},
                             NULL);
}

TEST("a WebSocket of a client opens, talks and closes")
{
    dx_server *s = start(0);
    dx_client *c = scene_client();
    talk t = {0};

    CHECK_INT(dial(c, scene_url("ws", s, "/echo"), &t), DX_OK);
    CHECK_INT(t.opens, 0); /* never from inside the call */
    CHECK(scene_until(c, &t.opens, 1));
    CHECK_INT(dx_ws_send(t.ws, DX_WS_MESSAGE_TEXT, dx_bytes_of("over")), DX_SEND_QUEUED);
    CHECK(scene_until(c, &t.messages, 1));
    CHECK(strcmp(t.last, "over") == 0);
    dx_ws_close(t.ws, 4000, dx_bytes_of("done"));
    CHECK(scene_until(c, &t.closes, 1));
    CHECK_INT(t.code, 4000);
    CHECK_INT(t.fails, 0);
    dx_client_free(c);
    scene_stop(s);
}

TEST("who is refused hears the status; who finds nobody hears that")
{
    dx_server *s = start(0);
    dx_client *c = scene_client();
    talk refused = {0}, nobody = {0}, nameless = {0};

    CHECK_INT(dial(c, scene_url("ws", s, "/nothing"), &refused), DX_OK);
    CHECK(scene_until(c, &refused.fails, 1));
    CHECK_INT(refused.status, 404);
    uint16_t port = dx_server_port(s);
    scene_stop(s);
    CHECK_INT(dial(c, scene_url_at("ws", port, "/echo"), &nobody), DX_OK);
    CHECK(scene_until(c, &nobody.fails, 1));
    CHECK_INT(nobody.err, DX_ERR_REFUSED);
    CHECK_INT(nobody.status, 0);
    CHECK_INT(dial(c, "ws://name.invalid/", &nameless), DX_OK); /* RFC 6761: it never resolves */
    CHECK(scene_until(c, &nameless.fails, 1));
    CHECK_INT(nameless.err, DX_ERR_ADDRESS);
    CHECK_INT(refused.opens + nobody.opens + nameless.opens, 0);
    CHECK_INT(dial(c, "not a URL", &nobody), DX_ERR_NAME);
    CHECK_INT(dial(c, "ftp://127.0.0.1/", &nobody), DX_ERR_NAME);
    dx_client_free(c);
}

TEST("subprotocols are asked for, and agreed on")
{
    static const char *const wanted[] = {"other.v9", "duplex.v1"};
    dx_server *s = start(0);
    dx_client *c = scene_client();
    talk t = {0};

    CHECK_INT(
        dx_client_connect(c, scene_url("ws", s, "/live/x"),
                          &(dx_ws_handler){.open = on_open, .context = &t},
                          &(dx_connect_options){.subprotocols = wanted, .subprotocols_count = 2}),
        DX_OK);
    CHECK(scene_until(c, &t.opens, 1));
    CHECK(strcmp(t.subprotocol, "duplex.v1") == 0);
    dx_client_free(c);
    scene_stop(s);
}

TEST("a client that ends tells each WebSocket and each request so, once")
{
    dx_server *s = start(0);
    dx_client *c = scene_client();
    talk open = {0}, opening = {0}, looking = {0};

    CHECK_INT(dial(c, scene_url("ws", s, "/echo"), &open), DX_OK);
    CHECK(scene_until(c, &open.opens, 1));
    CHECK_INT(dial(c, scene_url("ws", s, "/echo"), &opening), DX_OK);
    CHECK_INT(dial(c, "ws://name.invalid/", &looking), DX_OK);
    dx_client_free(c);
    CHECK_INT(open.closes, 1);
    CHECK_INT(open.code, 1006);
    CHECK_INT(opening.fails + opening.closes, 1);
    CHECK_INT(looking.fails, 1);
    CHECK_INT(looking.err, DX_ERR_CLOSED);
    scene_stop(s);
}

/* ---- HTTP ------------------------------------------------------------------------------------------------ */

typedef struct fetch {
    unsigned heads, dones, status;
    dx_err err;
    size_t size;
    char start[64], seen[64];
    dx_client *client; /* to ask again from `done` */
    const char *again;
    unsigned agains;
} fetch;

static void on_head(dx_request *r, const dx_reply *reply, void *context)
{
    fetch *f = context;
    dx_bytes seen = dx_reply_header(reply, "x-seen");

    (void)r;
    f->heads++;
    f->status = reply->status;
    snprintf(f->seen, sizeof f->seen, "%.*s", (int)seen.size, (const char *)seen.at);
}

static void on_body(dx_request *r, dx_bytes piece, void *context)
{
    fetch *f = context;

    (void)r;
    if (f->size == 0)
        snprintf(f->start, sizeof f->start, "%.*s", (int)piece.size, (const char *)piece.at);
    f->size += piece.size;
}

static const dx_request_handler fetch_handler;

static dx_err ask(dx_client *c, const char *url, const dx_request_options *options, fetch *f)
{
    dx_request_handler handler = fetch_handler;

    handler.context = f;
    return dx_client_request(c, url, options, &handler, NULL);
}

static void on_done(dx_request *r, dx_err err, const char *text, void *context)
{
    fetch *f = context;

    (void)r;
    CHECK(text && text[0]);
    f->err = err;
    f->dones++;
    if (f->agains > 0) {
        f->agains--;
        CHECK_INT(ask(f->client, f->again, NULL, f), DX_OK);
    }
}

static const dx_request_handler fetch_handler = {.head = on_head, .body = on_body, .done = on_done};

TEST("a request brings its body and fields there, and the answer back")
{
    dx_server *s = start(0);
    dx_client *c = scene_client();
    dx_header token = {dx_bytes_of("Authorization"), dx_bytes_of("Bearer abc")};
    fetch f = {0};
    static uint8_t large[300000];

    memset(large, 'x', sizeof large);
    CHECK_INT(ask(c, scene_url("http", s, "/body"),
                  &(dx_request_options){
                      .headers = &token, .headers_count = 1, .body = dx_bytes_of("hello")},
                  &f),
              DX_OK);
    CHECK(scene_until(c, &f.dones, 1));
    CHECK_INT(f.err, DX_OK);
    CHECK_INT(f.status, 201);
    CHECK(strcmp(f.start, "hello") == 0);
    CHECK(strcmp(f.seen, "Bearer abc") == 0);
    CHECK_INT(ask(c, scene_url("http", s, "/body"),
                  &(dx_request_options){.method = "PUT", .body = {large, sizeof large}}, &f),
              DX_OK);
    CHECK(scene_until(c, &f.dones, 2));
    CHECK_INT(f.err, DX_OK);
    CHECK_INT(f.size, 5 + sizeof large);
    dx_client_free(c);
    scene_stop(s);
}

TEST("requests go one after the other from `done`, and many at once")
{
    dx_server *s = start(0);
    dx_client *c = scene_client();
    fetch f = {.client = c, .again = scene_url("http", s, "/body"), .agains = 50}, many[20] = {{0}};
    unsigned dones = 0;

    CHECK_INT(ask(c, f.again, NULL, &f), DX_OK);
    for (size_t i = 0; i < 20; i++)
        CHECK_INT(ask(c, scene_url("http", s, "/body"), NULL, &many[i]), DX_OK);
    CHECK(scene_until(c, &f.dones, 51));
    for (size_t i = 0; i < 20; i++) {
        CHECK(scene_until(c, &many[i].dones, 1));
        dones += many[i].err == DX_OK && many[i].status == 201;
    }
    CHECK_INT(dones, 20);
    dx_client_free(c);
    scene_stop(s);
}

TEST("a kept connection that has ended meanwhile costs no request")
{
    dx_server *s = start(0);
    dx_client *c = scene_client();
    uint16_t port = dx_server_port(s);
    fetch f = {0};

    CHECK_INT(ask(c, scene_url("http", s, "/body"), NULL, &f), DX_OK);
    CHECK(scene_until(c, &f.dones, 1));
    scene_stop(s);
    s = start(port); /* the client has not turned, and does not know yet */
    CHECK_INT(ask(c, scene_url("http", s, "/body"), NULL, &f), DX_OK);
    CHECK(scene_until(c, &f.dones, 2));
    CHECK_INT(f.err, DX_OK);
    CHECK_INT(f.heads, 2);
    dx_client_free(c);
    scene_stop(s);
}

TEST("a request that is cancelled calls nobody; one that takes too long is told so")
{
    dx_server *s = start(0);
    dx_client *c = scene_client();
    fetch cancelled = {0}, late = {0};
    dx_request_handler handler = fetch_handler;
    dx_request *request = NULL;

    handler.context = &cancelled;
    CHECK_INT(dx_client_request(c, scene_url("http", s, "/never"), NULL, &handler, &request),
              DX_OK);
    CHECK_INT(
        ask(c, scene_url("http", s, "/never"), &(dx_request_options){.timeout_ms = 50}, &late),
        DX_OK);
    CHECK(scene_until(c, &late.dones, 1));
    CHECK_INT(late.err, DX_ERR_TIMEOUT);
    dx_request_cancel(request);
    dx_client_free(c);
    CHECK_INT(cancelled.dones, 0);
    scene_stop(s);
}

/* ---- the loop -------------------------------------------------------------------------------------------- */

typedef struct errands {
    dx_client *client;
    unsigned runs, closed;
} errands;

static void run(void *context, dx_err err)
{
    errands *e = context;

    e->runs += err == DX_OK;
    e->closed += err == DX_ERR_CLOSED;
}

static void *post(void *context)
{
    errands *e = context;

    CHECK_INT(dx_client_post(e->client, run, e), DX_OK);
    return NULL;
}

TEST("a client runs beside a poll of the program's; posts wake it, alarms ring")
{
    errands e = {.client = scene_client()};
    pthread_t thread;
    struct pollfd fd = {.fd = dx_client_fd(e.client), .events = POLLIN};

    while (dx_client_due_ms(e.client) == 0)
        dx_client_step(e.client, 0);
    CHECK_INT(pthread_create(&thread, NULL, post, &e), 0);
    CHECK_INT(poll(&fd, 1, WAIT_MS_MAX), 1);
    pthread_join(thread, NULL);
    CHECK(scene_until(e.client, &e.runs, 1));
    CHECK_INT(dx_client_after(e.client, 20, run, &e, NULL), DX_OK);
    CHECK(scene_until(e.client, &e.runs, 2));
    CHECK_INT(dx_client_after(e.client, 1000000, run, &e, NULL), DX_OK);
    dx_client_stop(e.client);
    CHECK(!dx_client_step(e.client, -1));
    CHECK(dx_client_step(e.client, 0));
    dx_client_free(e.client);
    CHECK_INT(e.closed, 1);
}
