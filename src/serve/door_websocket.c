/* The WebSocket door of a stream, raw: each message is one WebSocket message, both ways.
 * Is:     the handshake that waits for the stream, frames for a feed, what a client sends.
 * Is not: the session (ws), delivery and catching up (stream).
 * Memory: a door per connection, from the worker's pool; during the handshake a waiting_room more.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    APPENDS_HIGH = 64, /* appends of one connection that wait for the stream's home */
    APPENDS_LOW = 32,
    CLOSE_GONE = 4410, /* 4000 + HTTP status */
};

typedef struct door {
    dx_subscriber sub;
    dx_ws *ws; /* NULL once it was freed */
    dx_topic *topic;
    uint32_t appended; /* sequence, modulo 2^32, of its last message that the home has taken */
    uint8_t appends_count;
    bool is_write_off, is_paused, is_unsettled;
} door;

static dx_worker *worker_of(const dx_ws *ws)
{
    return dx_loop_owner(ws->conn->net->loop);
}

static dx_hub *hub_of(const dx_worker *w)
{
    return dx_streams_hub(w->server->streams, w->index);
}

static void door_free(dx_worker *w, door *d)
{
    if (d->ws || d->appends_count > 0)
        return;
    if (d->topic)
        dx_topic_release(d->topic);
    dx_pool_give(&w->doors, d);
}

/* ---- frames for the feed: made once for all who negotiated the same ---------------------------- */

static size_t raw_bound(const dx_feed *feed, const dx_message *message)
{
    (void)feed;
    return DX_WS_HEAD_BYTES_MAX + message->size;
}

static bool is_text(const dx_message *message)
{
    return message->kind == DX_STREAM_TEXT || message->kind == DX_STREAM_JSON;
}

/* feed->variant: the window of permessage-deflate, 0 without. */
static size_t raw_write(const dx_feed *feed, const dx_message *message, uint8_t *to)
{
    dx_worker *w = feed->encoder;
    dx_bytes payload = dx_message_payload(message);
    dx_ws_head head = {.fin = true, .opcode = is_text(message) ? DX_WS_TEXT : DX_WS_BINARY};

    if (feed->variant && payload.size >= w->server->ws_config.deflate_bytes_min)
        head.rsv1 = dx_ws_deflate(&w->ws, feed->variant, payload, &payload);
    head.payload_size = payload.size;
    size_t size = dx_ws_head_write(to, &head);
    dx_copy(to + size, payload.at, payload.size);
    return size + payload.size;
}

static door *door_of(dx_subscriber *sub)
{
    return DX_CONTAINER(sub, door, sub);
}

/* All it sent is in the log, and what comes back of it is in the feed: now answers may follow. */
static void settle_if_done(door *d)
{
    bool is_there = d->sub.state == DX_SUBSCRIBER_LIVE &&
                    (int32_t)((uint32_t)dx_topic_next(d->topic) - d->appended) > 0;
    bool is_awaited = d->sub.state != DX_SUBSCRIBER_STOPPED && d->sub.origin == 0 && !is_there;

    if (!d->is_unsettled || d->appends_count > 0 || is_awaited)
        return;
    d->is_unsettled = false;
    dx_ws_settle(d->ws);
}

static void raw_wake(dx_subscriber *sub)
{
    door *d = door_of(sub);

    dx_ws *ws = d->ws;

    settle_if_done(d); /* the answer takes what is here along, in front of it */
    dx_conn_flush(ws->conn);
}

static void raw_live(dx_subscriber *sub)
{
    settle_if_done(door_of(sub));
}

static void raw_fell_behind(dx_subscriber *sub, dx_bytes rest)
{
    dx_ws *ws = door_of(sub)->ws;

    dx_conn_write_rest(ws->conn, rest); /* a Pong may be queued already */
    dx_ws_want_room(ws);
}

static void raw_page(dx_subscriber *sub, dx_message *const *messages, size_t count)
{
    dx_conn *conn = door_of(sub)->ws->conn;

    for (size_t i = 0; i < count; i++) {
        size_t bound = raw_bound(sub->feed, messages[i]);
        uint8_t small[1024], *frame = bound <= sizeof small ? small : malloc(bound);
        if (frame == NULL) {
            dx_conn_abort(conn, DX_ERR_MEMORY, true);
            return;
        }
        dx_conn_write(conn, dx_bytes_at(frame, raw_write(sub->feed, messages[i], frame)));
        if (frame != small)
            free(frame);
    }
    dx_ws_want_room(door_of(sub)->ws);
}

static bool raw_gap(dx_subscriber *sub, uint64_t lost)
{
    door *d = door_of(sub);
    char reason[96];

    dx_subscriber_stop(sub);
    if (lost == 0) {
        dx_ws_close(d->ws, DX_WS_CLOSE_TRY_LATER, DX_BYTES("the stream cannot be read now"));
        return false;
    }
    int size = snprintf(reason, sizeof reason, "gap: %llu messages are not retained any more",
                        (unsigned long long)lost);
    dx_ws_close(d->ws, CLOSE_GONE, dx_bytes_at(reason, (size_t)size));
    return false;
}

static const dx_encoding raw_encoding = {
    .bound = raw_bound,
    .write = raw_write,
    .wake = raw_wake,
    .live = raw_live,
    .fell_behind = raw_fell_behind,
    .page = raw_page,
    .gap = raw_gap,
};

/* ---- what the client sends --------------------------------------------------------------------- */

typedef struct ws_append {
    dx_append append;
    door *door;
    dx_worker *worker;
    dx_message *message;
} ws_append;

size_t dx_door_bytes(void)
{
    return sizeof(door);
}

size_t dx_door_append_bytes(void)
{
    return sizeof(ws_append);
}

static void close_refused(dx_ws *ws, dx_stream_status status)
{
    switch (status) {
    case DX_STREAM_TYPE:
        dx_ws_close(ws, DX_WS_CLOSE_UNSUPPORTED, DX_BYTES("this stream carries text: send text messages"));
        return;
    case DX_STREAM_BAD_JSON:
        dx_ws_close(ws, DX_WS_CLOSE_DATA, DX_BYTES("this stream carries JSON, and the message is not"));
        return;
    case DX_STREAM_OK: return;
    case DX_STREAM_NOT_FOUND:
    case DX_STREAM_GONE:
    case DX_STREAM_FUTURE:
    case DX_STREAM_FULL:
    case DX_STREAM_MEMORY:
    case DX_STREAM_ENDED:
        dx_ws_close(ws, DX_WS_CLOSE_TRY_LATER, DX_BYTES("the message was not taken, try again later"));
        return;
    }
    dx_unreachable("dx_stream_status outside its enum");
}

static void on_appended(dx_append *append)
{
    ws_append *op = DX_CONTAINER(append, ws_append, append);
    door *d = op->door;
    dx_worker *w = op->worker;

    d->appends_count--;
    if (append->status == DX_STREAM_OK)
        d->appended = (uint32_t)append->next.sequence;
    if (d->ws) {
        close_refused(d->ws, append->status);
        settle_if_done(d);
        if (d->is_paused && d->appends_count <= APPENDS_LOW) {
            d->is_paused = false;
            dx_ws_resume(d->ws);
        }
    }
    dx_pool_give(&w->appends, op);
    door_free(w, d);
}

static void on_message(dx_ws *ws, const dx_ws_message *m, void *context)
{
    door *d = ws->user;
    dx_worker *w = worker_of(ws);

    (void)context;
    if (d->is_write_off) {
        dx_ws_close(ws, DX_WS_CLOSE_UNSUPPORTED, DX_BYTES("this connection only reads (write=0)"));
        return;
    }
    ws_append *op = dx_pool_take(&w->appends);
    dx_message *message = op ? dx_message_new(m->payload, d->sub.origin) : NULL;
    if (message == NULL) {
        dx_pool_give(&w->appends, op);
        close_refused(ws, DX_STREAM_MEMORY);
        return;
    }
    *op = (ws_append){.door = d, .worker = w, .message = message};
    op->append = (dx_append){
        .ns = dx_topic_namespace(d->topic),
        .path = dx_topic_path(d->topic),
        .kind = m->type == DX_WS_MESSAGE_TEXT ? DX_STREAM_TEXT : DX_STREAM_BINARY,
        .messages = &op->message,
        .count = 1,
        .done = on_appended,
    };
    if (++d->appends_count >= APPENDS_HIGH && !d->is_paused) {
        d->is_paused = true;
        dx_ws_pause(ws);
    }
    dx_hub_append(hub_of(w), &op->append);
    if (d->appends_count > 0) { /* the stream's home is another worker */
        d->is_unsettled = true;
        dx_ws_unsettle(ws);
    }
}

/* ---- the session ------------------------------------------------------------------------------ */

static void on_room(dx_ws *ws, void *context)
{
    door *d = ws->user;

    (void)context;
    dx_subscriber_continue(&d->sub);
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    door *d = ws->user;

    (void)code, (void)reason, (void)context;
    if (d->sub.state == DX_SUBSCRIBER_CATCHING)
        dx_subscriber_stop(&d->sub);
}

static void on_ending(dx_ws *ws)
{
    door *d = ws->user;
    dx_subscriber_freeze(&d->sub);
}

static void on_freed(dx_ws *ws)
{
    door *d = ws->user;

    if (d->sub.feed)
        dx_subscriber_end(&d->sub);
    d->ws = NULL;
    door_free(worker_of(ws), d);
}

static uint32_t on_pull(dx_ws *ws, struct iovec *iov, uint32_t max)
{
    door *d = ws->user;
    return dx_subscriber_pull(&d->sub, iov, max);
}

static bool on_pulled(dx_ws *ws, size_t bytes)
{
    door *d = ws->user;
    bool is_cut = dx_subscriber_pulled(&d->sub, bytes);

    if (!is_cut)
        settle_if_done(d);
    if (dx_subscriber_is_behind(&d->sub))
        dx_ws_wake(ws);
    return is_cut;
}

void dx_door_websocket_init(dx_ws_endpoint *endpoint, const dx_ws_config *config)
{
    *endpoint = (dx_ws_endpoint){
        .handler = {.message = on_message, .room = on_room, .close = on_close},
        .config = *config,
        .pull = on_pull,
        .pulled = on_pulled,
        .ending = on_ending,
        .freed = on_freed,
    };
    endpoint->config.deflate.server_takeover = false; /* frames are shared: none can refer to another */
}

/* ---- the handshake ---------------------------------------------------------------------------- */

/* From the request to the 101: first the stream is watched, so that nothing is missed, then the
 * position is looked up. What is wrong is told by HTTP status. */
typedef struct waiting_room {
    dx_watch watch;
    dx_read read;
    dx_exchange *x; /* NULL once the client has gone */
    dx_worker *worker;
    const dx_stream_route *route;
    dx_position position;
    dx_ws_handshake handshake;
    bool is_echo_off, is_read_off, is_write_off;
} waiting_room;

static void waiting_room_free(waiting_room *r)
{
    dx_read_release(&r->read);
    if (r->watch.topic)
        dx_watch_end(&r->watch);
    free(r);
}

static void begin_reading(door *d, const waiting_room *r, uint64_t next)
{
    uint64_t origin = r->is_echo_off ? dx_origin_new(hub_of(r->worker)) : 0;
    uint32_t variant = r->handshake.is_deflate ? r->handshake.params.server_bits : 0;

    if (dx_subscriber_start(&d->sub, d->topic, &raw_encoding, variant, next, origin) != DX_OK)
        dx_ws_close(d->ws, DX_WS_CLOSE_TRY_LATER, DX_BYTES("out of memory, try again later"));
}

static void let_in(waiting_room *r, uint64_t next)
{
    door *d = dx_pool_take(&r->worker->doors);
    dx_exchange *x = r->x;

    r->x = NULL;
    if (d == NULL) {
        dx_exchange_problem(x, 503, "Out of memory, try again later.");
        return;
    }
    d->is_write_off = r->is_write_off;
    dx_ws *ws =
        dx_ws_handshake_accept(x, &r->worker->ws, &r->route->endpoint, &r->handshake, d);
    if (ws == NULL) {
        dx_pool_give(&r->worker->doors, d);
        return;
    }
    d->ws = ws;
    d->topic = r->watch.topic; /* the watch is the door's from here on */
    r->watch.topic = NULL;
    if (!r->is_read_off)
        begin_reading(d, r, next);
    if (r->worker->drain_due_ms) /* it has begun since the request came */
        dx_ws_close(ws, DX_WS_CLOSE_GOING_AWAY, DX_BYTES("the server is going away"));
}

static void on_position(dx_read *read)
{
    waiting_room *r = DX_CONTAINER(read, waiting_room, read);

    if (r->x && read->status == DX_STREAM_OK)
        let_in(r, read->start);
    else if (r->x)
        dx_door_problem(r->x, read->status, &read->info);
    waiting_room_free(r);
}

static void on_watched(dx_watch *watch, dx_err err)
{
    waiting_room *r = DX_CONTAINER(watch, waiting_room, watch);

    if (r->x && err != DX_OK) {
        dx_door_problem(r->x, DX_STREAM_FULL, NULL);
        r->x = NULL;
    }
    if (r->x == NULL) {
        waiting_room_free(r);
    } else if (r->position.kind == DX_OFFSET_NOW) {
        let_in(r, dx_topic_next(r->watch.topic));
        waiting_room_free(r);
    } else {
        r->read = (dx_read){.ns = &r->route->ns,
                            .path = dx_topic_path(r->watch.topic),
                            .position = r->position,
                            .done = on_position};
        dx_hub_read(hub_of(r->worker), &r->read);
    }
}

static void on_gone(dx_exchange *x, void *context)
{
    waiting_room *r = context;

    (void)x;
    r->x = NULL; /* freed when the stream answers */
}

static bool is_off(dx_exchange *x, const char *name)
{
    return dx_bytes_equal(dx_exchange_argument(x, name), DX_BYTES("0"));
}

void dx_door_websocket(dx_exchange *x, void *context)
{
    const dx_stream_route *route = context;
    dx_ws_handshake handshake;
    dx_position position;

    if (!dx_door_check_name(x, route) || !dx_ws_handshake_check(x, &route->endpoint, &handshake) ||
        !dx_door_position(x, DX_OFFSET_NOW, &position))
        return;
    waiting_room *r = calloc(1, sizeof *r);
    if (r == NULL) {
        dx_exchange_problem(x, 503, "Out of memory, try again later.");
        return;
    }
    *r = (waiting_room){
        .watch.ready = on_watched,
        .x = x,
        .worker = dx_worker_of(x),
        .route = route,
        .position = position,
        .handshake = handshake,
        .is_echo_off = is_off(x, "echo"),
        .is_read_off = is_off(x, "read"),
        .is_write_off = is_off(x, "write"),
    };
    dx_exchange_on_gone(x, on_gone, r);
    if (dx_hub_watch(hub_of(r->worker), &route->ns, x->path, &r->watch) == DX_OK)
        return;
    dx_door_problem(x, DX_STREAM_MEMORY, NULL);
    free(r);
}
