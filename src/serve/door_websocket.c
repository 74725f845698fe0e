/* The WebSocket door of a stream: the life of one, and what its encodings have in common.
 * Is:     the object, the session's callbacks, settling, closing, catching up and falling behind.
 * Is not: the handshake (door_websocket_open.c), frames (door_websocket_raw.c, door_websocket_v1.c), what
 *         the client sends (door_websocket_in.c), the session (ws), delivery (stream).
 * SPDX-License-Identifier: MIT */
#include "serve/door_websocket.h"

#include "base/assert.h"
#include "base/random.h"

#include <stdlib.h>

enum { RECONNECT_SPREAD_MS = 5000 };

/* ---- the object ------------------------------------------------------------------------------- */

size_t dx_door_bytes(void)
{
    return sizeof(dx_ws_door);
}

dx_ws_door *dx_ws_door_new(dx_worker *w, bool is_wide)
{
    dx_ws_door *d = is_wide ? calloc(1, sizeof(dx_wide_door)) : dx_pool_take(&w->doors);

    if (d)
        d->is_wide = is_wide;
    return d;
}

void dx_ws_door_free(dx_worker *w, dx_ws_door *d)
{
    if (d->ws || d->appends_count > 0)
        return;
    if (d->topic)
        dx_topic_release(d->topic);
    if (d->is_wide) {
        dx_lease_drop(&dx_wide_door_of(d)->lease);
        dx_buffer_clear(&dx_wide_door_of(d)->ping);
        dx_buffer_clear(&dx_wide_door_of(d)->producer);
        free(d);
    } else {
        dx_pool_give(&w->doors, d);
    }
}

dx_worker *dx_ws_door_worker(const dx_ws_door *d)
{
    return dx_loop_owner(d->ws->conn->net->loop);
}

void dx_ws_door_read(dx_ws_door *d, const dx_subscription *wish)
{
    if (dx_subscriber_start(&d->sub, d->topic, wish) != DX_OK)
        dx_ws_close(d->ws, DX_WS_CLOSE_TRY_LATER, DX_BYTES("out of memory, try again later"));
}

/* ---- settling and closing --------------------------------------------------------------------- */

/* Its own message is still to come to it. */
static bool is_awaited(const dx_ws_door *d)
{
    if (d->sub.origin != 0 || d->sub.feed == NULL)
        return false;
    switch ((dx_subscriber_state)d->sub.state) {
    case DX_SUBSCRIBER_LIVE: return (int32_t)((uint32_t)dx_topic_next(d->topic) - d->appended) <= 0;
    case DX_SUBSCRIBER_CATCHING: return true;
    case DX_SUBSCRIBER_STOPPED:
    case DX_SUBSCRIBER_ENDING: return false;
    }
    dx_unreachable("dx_subscriber_state outside its enum");
}

void dx_ws_door_settle(dx_ws_door *d)
{
    if (d->is_unsettled && d->appends_count == 0 && !is_awaited(d)) {
        d->is_unsettled = false;
        dx_ws_settle(d->ws);
    }
    if (d->is_v1)
        dx_v1_pay(d);
}

void dx_ws_door_close(dx_ws_door *d, uint16_t code, dx_bytes reason)
{
    if (d->sub.feed)
        dx_subscriber_stop(&d->sub);
    dx_ws_close(d->ws, code, reason);
    dx_ws_door_settle(d);
}

/* ---- what the encodings have in common -------------------------------------------------------- */

bool dx_ws_door_is_text(const dx_message *message)
{
    return message->kind == DX_STREAM_TEXT || message->kind == DX_STREAM_JSON;
}

dx_ws_head dx_ws_door_head(const dx_feed *feed, bool is_text, dx_bytes *payload)
{
    dx_worker *w = feed->encoder;
    dx_ws_head head = {.fin = true, .opcode = is_text ? DX_WS_TEXT : DX_WS_BINARY};

    /* feed->variant: the window of permessage-deflate, 0 without. */
    if (feed->variant && payload->size >= w->server->ws_config.deflate_bytes_min)
        head.rsv1 = dx_ws_deflate(&w->ws, feed->variant, *payload, payload);
    head.payload_size = payload->size;
    return head;
}

void dx_ws_door_fell_behind(dx_subscriber *sub, dx_bytes rest)
{
    dx_ws *ws = dx_ws_door_of(sub)->ws;

    dx_conn_write_rest(ws->conn, rest); /* a Pong may be queued already */
    dx_ws_want_room(ws);
}

void dx_ws_door_page(dx_subscriber *sub, dx_message *const *messages, size_t count)
{
    const dx_feed *feed = sub->feed;
    dx_conn *conn = dx_ws_door_of(sub)->ws->conn;

    for (size_t i = 0; i < count; i++) {
        size_t bound = feed->encoding->bound(feed, messages[i]);
        uint8_t small[1024], *frame = bound <= sizeof small ? small : malloc(bound);
        if (frame == NULL) {
            dx_conn_abort(conn, DX_ERR_MEMORY, true);
            return;
        }
        dx_conn_write(conn, dx_bytes_at(frame, feed->encoding->write(feed, messages[i], frame)));
        if (frame != small)
            free(frame);
    }
    dx_ws_want_room(dx_ws_door_of(sub)->ws);
}

void dx_ws_door_too_slow(dx_subscriber *sub, dx_bytes rest)
{
    dx_ws_door *d = dx_ws_door_of(sub);

    dx_conn_write_rest(d->ws->conn, rest);
    dx_ws_door_close(d, DX_CLOSE_TOO_SLOW, DX_BYTES("too slow (on_slow=disconnect)"));
}

void dx_ws_door_failed(dx_subscriber *sub)
{
    dx_ws_door_close(dx_ws_door_of(sub), DX_WS_CLOSE_TRY_LATER,
                     DX_BYTES("the stream cannot be read now"));
}

/* ---- the session ------------------------------------------------------------------------------ */

static void on_room(dx_ws *ws, void *context)
{
    dx_ws_door *d = ws->user;

    if (d->sub.feed)
        dx_subscriber_continue(&d->sub);
    if (d->is_v1) {
        dx_v1_change_feed(d);
        dx_v1_pay(d);
    }
}

/* Others hear at once that it is gone, not when the connection has ended. */
static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    dx_ws_door *d = ws->user;

    dx_ws_door_leave(d);
    if (d->sub.state == DX_SUBSCRIBER_CATCHING)
        dx_subscriber_stop(&d->sub);
}

static void on_ending(dx_ws *ws)
{
    dx_ws_door *d = ws->user;

    dx_ws_door_leave(d);
    if (d->is_wide)
        dx_lease_drop(&dx_wide_door_of(d)->lease);
    if (d->sub.feed)
        dx_subscriber_freeze(&d->sub);
}

static void on_freed(dx_ws *ws)
{
    dx_ws_door *d = ws->user;
    dx_worker *w = dx_ws_door_worker(d);

    if (d->sub.feed)
        dx_subscriber_end(&d->sub);
    if (d->is_wide)
        dx_lease_drop(&dx_wide_door_of(d)->lease);
    d->ws = NULL;
    dx_ws_door_free(w, d);
}

/* Where all there was were messages of its own, nothing is sent, and nobody tells when. */
static uint32_t on_pull(dx_ws *ws, struct iovec *iov, uint32_t max)
{
    dx_ws_door *d = ws->user;

    if (d->sub.feed == NULL)
        return 0;
    uint32_t count = dx_subscriber_pull(&d->sub, iov, max);
    if (count == 0 && d->is_v1 && dx_v1_is_owing(d) && !dx_subscriber_is_behind(&d->sub))
        dx_ws_want_room(ws);
    return count;
}

static bool on_pulled(dx_ws *ws, size_t bytes)
{
    dx_ws_door *d = ws->user;
    bool is_cut = dx_subscriber_pulled(&d->sub, bytes);

    if (!is_cut)
        dx_ws_door_settle(d);
    if (dx_subscriber_is_behind(&d->sub))
        dx_ws_wake(ws);
    return is_cut;
}

void dx_door_websocket_init(dx_ws_endpoint *endpoint, const dx_ws_config *config)
{
    static const dx_bytes subprotocols[] = {DX_BYTES(DX_V1_NAME)};

    *endpoint = (dx_ws_endpoint){
        .handler = {.message = dx_ws_door_on_message, .room = on_room, .close = on_close},
        .config = *config,
        .subprotocols = subprotocols,
        .is_for_any_origin = true, /* dx_door_enter */
        .subprotocols_count = DX_COUNT(subprotocols),
        .pull = on_pull,
        .pulled = on_pulled,
        .ending = on_ending,
        .freed = on_freed,
    };
    endpoint->config.deflate.server_takeover =
        false; /* frames are shared: none can refer to another */
}

void dx_door_websocket_drain(dx_ws *ws)
{
    dx_bytes reason = DX_BYTES("the server is going away");
    dx_v1_control control;
    uint32_t random;

    if (ws->endpoint->freed != on_freed || !((dx_ws_door *)ws->user)->is_v1) {
        dx_ws_close(ws, DX_WS_CLOSE_GOING_AWAY, reason);
        return;
    }
    dx_random_fill(&random, sizeof random);
    dx_v1_reconnect_write(random % RECONNECT_SPREAD_MS, &control);
    dx_v1_send(ws->user, &control);
    dx_v1_close(ws->user, DX_WS_CLOSE_GOING_AWAY, reason);
}
