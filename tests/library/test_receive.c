/* Tests of bodies that a handler takes in pieces: order, pausing, what is too much, and answers before the end.
 * SPDX-License-Identifier: MIT */
#include "tests/library/scene.h"
#include "tests/tap.h"

enum { BODY_BYTES = 3000000 };

static uint8_t body[BODY_BYTES];

typedef struct taker {
    uint64_t bytes_max, length;
    unsigned pieces, pauses, lasts, gones;
    size_t bytes, answer_at; /* answer_at: answers before the end, at so many bytes */
    size_t wrong;
    bool is_pausing, is_held;
    dx_exchange *x;
} taker;

static void go_on(void *context, dx_err err)
{
    taker *t = context;

    t->is_held = false;
    if (err == DX_OK)
        dx_exchange_resume(t->x);
}

static void on_piece(dx_exchange *x, dx_bytes piece, bool is_last, void *context)
{
    taker *t = context;

    for (size_t i = 0; i < piece.size; i++)
        t->wrong += piece.at[i] != body[t->bytes + i];
    t->wrong += t->is_held; /* it had paused */
    t->bytes += piece.size;
    t->pieces++;
    t->lasts += is_last;
    bool is_early = t->answer_at && t->bytes >= t->answer_at;
    if (is_last || is_early) {
        dx_exchange_on_gone(x, NULL, NULL);
        dx_exchange_respond(x, &(dx_response){.status = is_early ? 403 : 201});
    } else if (t->is_pausing && t->pieces % 4 == 0) {
        t->pauses++;
        dx_exchange_pause(x);
        t->is_held = true;
        t->x = x;
        dx_err err = dx_worker_after(dx_exchange_worker(x), 1, go_on, t, NULL);
        CHECK_INT(err, DX_OK);
    }
}

static void on_gone(dx_exchange *x, void *context)
{
    (void)x;
    ((taker *)context)->gones++;
}

static void begin(dx_exchange *x, void *context)
{
    taker *t = context;

    CHECK_INT(dx_exchange_body(x).size, 0);
    t->length = dx_exchange_body_length(x);
    dx_exchange_on_gone(x, on_gone, t);
    dx_exchange_receive(x, t->bytes_max, on_piece, t);
}

static void refuse(dx_exchange *x, void *context)
{
    (void)context;
    dx_exchange_problem(x, 415, "Not here.");
}

typedef struct call {
    unsigned dones, status;
    dx_err err;
} call;

static void on_head(dx_request *r, const dx_reply *reply, void *context)
{
    (void)r;
    ((call *)context)->status = reply->status;
}

static void on_done(dx_request *r, dx_err err, const char *text, void *context)
{
    (void)r, (void)text;
    ((call *)context)->err = err;
    ((call *)context)->dones++;
}

static unsigned send_to(dx_client *c, const char *url, size_t size)
{
    call k = {0};

    CHECK_INT(dx_client_request(
                  c, url, &(dx_request_options){.method = "POST", .body = {body, size}},
                  &(dx_request_handler){.head = on_head, .done = on_done, .context = &k}, NULL),
              DX_OK);
    CHECK(scene_until(c, &k.dones, 1));
    return k.status;
}

typedef struct place {
    dx_server *server;
    dx_client *client;
} place;

static place open_place(taker *t)
{
    place p = {scene_server(0, NULL), scene_client()};

    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 31 + i / 251);
    CHECK_INT(dx_server_route_streamed(p.server, "POST", "/in", begin, t), DX_OK);
    CHECK_INT(dx_server_route_streamed(p.server, "POST", "/refuse", refuse, t), DX_OK);
    scene_start(p.server);
    return p;
}

static void close_place(place *p)
{
    dx_client_free(p->client);
    scene_stop(p->server);
}

TEST("a body comes in pieces, in order, and whole")
{
    taker t = {0};
    place p = open_place(&t);

    CHECK_INT(send_to(p.client, scene_url("http", p.server, "/in"), BODY_BYTES), 201);
    CHECK_INT(t.bytes, BODY_BYTES);
    CHECK_INT(t.length, BODY_BYTES);
    CHECK_INT(t.wrong, 0);
    CHECK_INT(t.lasts, 1);
    CHECK(t.pieces > 10);
    t = (taker){0};
    CHECK_INT(send_to(p.client, scene_url("http", p.server, "/in"), 0), 201);
    CHECK_INT(t.lasts, 1);
    CHECK_INT(t.bytes + t.length, 0);
    CHECK_INT(t.gones, 0);
    close_place(&p);
}

TEST("while a handler pauses it gets nothing, and all the rest after that")
{
    taker t = {.is_pausing = true};
    place p = open_place(&t);

    CHECK_INT(send_to(p.client, scene_url("http", p.server, "/in"), BODY_BYTES), 201);
    CHECK_INT(t.bytes, BODY_BYTES);
    CHECK_INT(t.wrong, 0);
    CHECK(t.pauses > 2);
    CHECK_INT(t.lasts, 1);
    close_place(&p);
}

TEST("a body above the bound is answered with 413, and the handler is told")
{
    taker t = {.bytes_max = 1000};
    place p = open_place(&t);

    CHECK_INT(send_to(p.client, scene_url("http", p.server, "/in"), 1000), 201);
    CHECK_INT(t.gones, 0);
    CHECK_INT(send_to(p.client, scene_url("http", p.server, "/in"), 1001), 413);
    CHECK_INT(t.gones, 1);
    CHECK_INT(t.lasts, 1);
    close_place(&p);
}

TEST("an answer before the body is read, or in the middle of it, arrives")
{
    taker t = {.answer_at = 100000};
    place p = open_place(&t);

    CHECK_INT(send_to(p.client, scene_url("http", p.server, "/refuse"), BODY_BYTES), 415);
    CHECK_INT(send_to(p.client, scene_url("http", p.server, "/refuse"), 0), 415);
    CHECK_INT(send_to(p.client, scene_url("http", p.server, "/in"), BODY_BYTES), 403);
    CHECK(t.bytes >= 100000 && t.bytes < BODY_BYTES);
    CHECK_INT(t.lasts, 0);
    t = (taker){0};
    CHECK_INT(send_to(p.client, scene_url("http", p.server, "/in"), 10), 201);
    close_place(&p);
}
