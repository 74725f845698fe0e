/* WebSocket sessions: the life of one, control frames and the closing handshake. Messages are in
 * session_message.c.
 * Source: RFC 6455 §5.5, §7.
 * SPDX-License-Identifier: MIT */
#include "ws/session.h"

#include "base/assert.h"
#include "codec/ws_mask.h"
#include "ws/session_frame.h"

#include <stdlib.h>

enum {
    PONGS_QUEUED_MAX = 16,
    ABSORB_COUNT = 16,      /* pieces at a time */
    ABSORB_BYTES_MAX = 65536 /* copied to keep a Pong in its place */
};

/* Rows: from. Bits: where it may go. A move that is not here is our bug, never the peer's. */
static const uint8_t legal_moves[] = {
    [DX_WS_OPEN] = DX_BIT(DX_WS_CLOSE_SENT) | DX_BIT(DX_WS_CLOSED),
    [DX_WS_CLOSE_SENT] = DX_BIT(DX_WS_CLOSED),
    [DX_WS_CLOSED] = 0,
};

static void session_enter(dx_ws *ws, dx_ws_state to)
{
    dx_assert(legal_moves[ws->state] & DX_BIT(to));
    ws->state = (uint8_t)to;
}

static uint32_t now32(const dx_ws *ws)
{
    return (uint32_t)dx_conn_now_ms(ws->conn);
}

/* ---- closing ---------------------------------------------------------------------------------- */

static void tell_closed(dx_ws *ws, uint16_t code, dx_bytes reason)
{
    const dx_ws_handler *handler = &ws->endpoint->handler;

    if (ws->is_told)
        return;
    ws->is_told = true;
    if (handler->close)
        handler->close(ws, code, reason, handler->context);
}

static void tell_ending(dx_ws *ws)
{
    if (ws->endpoint->ending)
        ws->endpoint->ending(ws);
}

/* Moves what is to be pulled now into the queue, so that the frame that is queued next comes behind it; no
 * more than `bytes_max`. What is in flight or left in part goes before the queue anyway. */
static void absorb(dx_ws *ws, size_t bytes_max)
{
    const dx_ws_endpoint *endpoint = ws->endpoint;
    struct iovec iov[ABSORB_COUNT];
    uint32_t count;

    while (endpoint->pull && !ws->conn->is_sending && !ws->conn->is_pull_cut &&
           (count = endpoint->pull(ws, iov, ABSORB_COUNT)) > 0) {
        size_t bytes = 0;
        for (uint32_t i = 0; i < count; i++)
            bytes += iov[i].iov_len;
        if (bytes > bytes_max)
            bytes = 0;
        for (uint32_t i = 0; i < count && bytes > 0; i++)
            dx_conn_write(ws->conn, dx_bytes_at(iov[i].iov_base, iov[i].iov_len));
        endpoint->pulled(ws, bytes);
        bytes_max -= bytes;
        if (bytes == 0)
            break;
    }
}

static void send_close(dx_ws *ws, uint16_t code, dx_bytes reason)
{
    uint8_t payload[DX_WS_CONTROL_BYTES_MAX];
    size_t size = dx_ws_close_write(payload, code, reason);

    ws->worker->closes[dx_ws_code_slot(code)]++;
    absorb(ws, SIZE_MAX);
    tell_ending(ws);
    dx_ws_write_frame(ws, DX_WS_CLOSE, dx_bytes_at(payload, size));
}

/* Both Closes are through, or we have failed the connection: the server closes TCP first (§7.1.1); a
 * client gives it the time to. */
static void end_connection(dx_ws *ws)
{
    dx_conn_resume(ws->conn);
    if (ws->role == DX_WS_SERVER)
        dx_conn_finish(ws->conn);
    else
        dx_conn_set_deadline(ws->conn, ws->endpoint->config.close_ms);
}

/* The peer's Close arrived. */
static void on_close(dx_ws *ws, const dx_ws_event *event)
{
    dx_bytes reason = dx_span_bytes(event->payload);

    if (ws->state == DX_WS_OPEN)
        send_close(ws, event->close_code, (dx_bytes){0}); /* §5.5.1: answered once, with its code */
    session_enter(ws, DX_WS_CLOSED);
    tell_closed(ws, event->close_code, reason);
    end_connection(ws);
}

static void fail_with(dx_ws *ws, uint16_t code, const char *text)
{
    if (ws->state == DX_WS_CLOSED)
        return;
    if (ws->state == DX_WS_OPEN) /* nothing goes out after our own Close */
        send_close(ws, code, dx_bytes_of(text));
    session_enter(ws, DX_WS_CLOSED);
    tell_closed(ws, code, dx_bytes_of(text));
    dx_conn_resume(ws->conn);
    dx_conn_finish(ws->conn);
}

void dx_ws_fail(dx_ws *ws, dx_ws_status fault)
{
    const dx_ws_fault *row = dx_ws_fault_of(fault);
    fail_with(ws, row->close_code, row->text);
}

void dx_ws_fail_memory(dx_ws *ws)
{
    fail_with(ws, DX_WS_CLOSE_TRY_LATER, "out of memory, try again later");
}

void dx_ws_close(dx_ws *ws, uint16_t code, dx_bytes reason)
{
    if (ws->state != DX_WS_OPEN || !dx_conn_is_open(ws->conn))
        return;
    send_close(ws, code, reason);
    session_enter(ws, DX_WS_CLOSE_SENT);
    dx_ws_resume(ws); /* the peer's Close has to be read */
    dx_conn_set_deadline(ws->conn, ws->endpoint->config.close_ms);
}

/* ---- control frames --------------------------------------------------------------------------- */

/* A bucket of control_burst, filled control_per_second times a second: each frame moves the time up to
 * which is paid; too far ahead of now is too many. */
static bool control_is_paid(dx_ws *ws)
{
    const dx_ws_config *config = &ws->endpoint->config;
    uint32_t now = now32(ws), price_ms = 1000 / config->control_per_second;

    if ((int32_t)(ws->control_ms - now) < 0)
        ws->control_ms = now;
    ws->control_ms += price_ms;
    return ws->control_ms - now <= price_ms * config->control_burst;
}

static void drop_late_pong(dx_ws *ws)
{
    if (ws->extra == NULL)
        return;
    ws->extra->has_late_pong = false;
    dx_ws_extra_trim(ws);
}

/* Of the pings of a peer that does not read only the latest is remembered (§5.5.3 allows that); when
 * there is no memory for it, not even that. */
static void answer_late(dx_ws *ws, dx_bytes payload)
{
    struct dx_ws_extra *e = dx_ws_extra(ws);

    if (e == NULL)
        return;
    e->has_late_pong = true;
    e->late_pong_size = (uint8_t)payload.size;
    dx_copy(e->late_pong, payload.at, payload.size);
    dx_conn_want_room(ws->conn);
}

/* §5.5.3: the same payload. */
static void on_ping(dx_ws *ws, dx_bytes payload)
{
    if (!ws->conn->is_blocked) {
        ws->pongs_count = 0;
    } else if (ws->pongs_count >= PONGS_QUEUED_MAX) {
        answer_late(ws, payload);
        return;
    }
    ws->pongs_count++;
    absorb(ws, ABSORB_BYTES_MAX);
    dx_ws_write_frame(ws, DX_WS_PONG, payload);
    drop_late_pong(ws); /* that ping was an earlier one */
}

static void on_control(dx_ws *ws, const dx_ws_event *event)
{
    if (!control_is_paid(ws)) {
        fail_with(ws, DX_WS_CLOSE_POLICY, "too many control frames");
        return;
    }
    if (event->kind == DX_WS_EVENT_PING && ws->state == DX_WS_OPEN)
        on_ping(ws, dx_span_bytes(event->payload));
}

/* ---- the connection --------------------------------------------------------------------------- */

/* False: no memory for it; then it is better early than never. */
static bool hold(dx_ws *ws, const dx_ws_event *event)
{
    struct dx_ws_extra *e = dx_ws_extra(ws);

    if (e == NULL)
        return false;
    dx_assert(!e->is_held && event->payload.size <= sizeof e->held_payload);
    e->is_held = true;
    e->held = *event;
    e->held.payload.at = e->held_payload;
    dx_copy(e->held_payload, event->payload.at, event->payload.size);
    dx_conn_pause(ws->conn);
    return true;
}

static void on_event(dx_ws *ws, const dx_ws_event *event)
{
    bool is_early = ws->is_unsettled || (ws->conn->is_sending && ws->conn->flight_pulled > 0);

    if (is_early && event->kind != DX_WS_EVENT_DATA && hold(ws, event))
        return;
    switch (event->kind) {
    case DX_WS_EVENT_MORE: return;
    case DX_WS_EVENT_DATA:
        if (ws->state == DX_WS_OPEN) /* after our Close it is read and dropped */
            dx_ws_on_data(ws, event);
        return;
    case DX_WS_EVENT_PING:
    case DX_WS_EVENT_PONG: on_control(ws, event); return;
    case DX_WS_EVENT_CLOSE: on_close(ws, event); return;
    case DX_WS_EVENT_FAULT: dx_ws_fail(ws, event->fault); return;
    }
    dx_unreachable("dx_ws_event_kind outside its enum");
}

void dx_ws_settle(dx_ws *ws)
{
    ws->is_unsettled = false;
    if (!dx_ws_is_holding(ws))
        return;
    ws->extra->is_held = false;
    if (ws->state != DX_WS_CLOSED) {
        if (!ws->is_paused)
            dx_conn_resume(ws->conn);
        dx_ws_event event = ws->extra->held; /* its payload stays until the extra goes */
        on_event(ws, &event);
    }
    dx_ws_extra_trim(ws);
}

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    dx_ws *ws = conn->protocol;
    dx_span in = {at, size};
    dx_ws_event event;

    ws->heard_ms = now32(ws);
    ws->is_pinged = false;
    while (ws->state != DX_WS_CLOSED && conn->pauses == 0 && dx_conn_is_open(conn) &&
           dx_ws_read(&ws->reader, &in, ws->endpoint->config.message_bytes_max, &event) !=
               DX_WS_EVENT_MORE)
        on_event(ws, &event);
    return ws->state == DX_WS_CLOSED ? size : size - in.size;
}

/* FIN without Close: the connection is lost (§7.1.5: 1006), after what was still to be sent. */
static void on_end(dx_conn *conn)
{
    dx_ws *ws = conn->protocol;

    if (ws->state == DX_WS_OPEN)
        tell_ending(ws);
    if (ws->state != DX_WS_CLOSED) {
        session_enter(ws, DX_WS_CLOSED);
        tell_closed(ws, DX_WS_CLOSE_LOST, (dx_bytes){0});
    }
    dx_conn_finish(conn);
}

static void on_room(dx_conn *conn)
{
    dx_ws *ws = conn->protocol;
    const dx_ws_handler *handler = &ws->endpoint->handler;
    bool is_owed = ws->is_room_owed;

    if (ws->state != DX_WS_OPEN)
        return;
    ws->is_room_owed = false;
    if (ws->extra && ws->extra->has_late_pong) {
        dx_ws_write_frame(ws, DX_WS_PONG,
                          dx_bytes_at(ws->extra->late_pong, ws->extra->late_pong_size));
        drop_late_pong(ws);
    }
    if (is_owed && handler->room)
        handler->room(ws, handler->context);
}

static uint32_t pull(dx_conn *conn, struct iovec *iov, uint32_t max)
{
    dx_ws *ws = conn->protocol;
    return ws->endpoint->pull ? ws->endpoint->pull(ws, iov, max) : 0;
}

static bool pulled(dx_conn *conn, size_t bytes)
{
    dx_ws *ws = conn->protocol;
    bool is_cut = ws->endpoint->pulled(ws, bytes);

    if (dx_ws_is_holding(ws) && !ws->is_unsettled && !is_cut)
        dx_ws_settle(ws);
    return is_cut;
}

/* Silence for ping_ms: a ping. Silence for pong_ms more: the peer is gone. While we do not listen,
 * silence says nothing. */
static void keep_alive(dx_ws *ws)
{
    const dx_ws_config *config = &ws->endpoint->config;

    if (config->ping_ms == 0)
        return;
    if (ws->conn->pauses)
        ws->heard_ms = now32(ws);
    uint32_t silent_ms = now32(ws) - ws->heard_ms;
    if (silent_ms < config->ping_ms) {
        ws->is_pinged = false;
        dx_conn_set_deadline(ws->conn, config->ping_ms - silent_ms);
    } else if (!ws->is_pinged) {
        ws->is_pinged = true;
        dx_ws_write_frame(ws, DX_WS_PING, (dx_bytes){0});
        dx_conn_set_deadline(ws->conn, config->pong_ms);
    } else {
        ws->worker->silent_count++;
        dx_conn_abort(ws->conn, DX_ERR_TIMEOUT, true);
    }
}

static void on_deadline(dx_conn *conn)
{
    dx_ws *ws = conn->protocol;

    if (ws->state == DX_WS_OPEN)
        keep_alive(ws);
    else /* the closing handshake took too long, or the server did not close */
        dx_conn_abort(conn, DX_ERR_TIMEOUT, ws->state == DX_WS_CLOSE_SENT);
}

static void session_free(dx_ws *ws)
{
    dx_ws_extra_free(ws);
    dx_pool_give(&ws->worker->sessions, ws);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    dx_ws *ws = conn->protocol;

    (void)why;
    tell_closed(ws, DX_WS_CLOSE_LOST, (dx_bytes){0}); /* §7.1.5: no Close has come */
    if (ws->endpoint->freed)
        ws->endpoint->freed(ws);
    session_free(ws);
}

static const dx_conn_ops conn_ops = {
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_room = on_room,
    .pull = pull,
    .pulled = pulled,
    .on_deadline = on_deadline,
    .on_closed = on_closed,
};

dx_ws *dx_ws_of(const dx_conn *conn)
{
    return conn->ops == &conn_ops ? conn->protocol : NULL;
}

/* ---- birth ------------------------------------------------------------------------------------ */

dx_ws *dx_ws_new(dx_ws_worker *worker, const dx_ws_endpoint *endpoint, dx_ws_role role,
                 const dx_ws_deflate_params *params)
{
    dx_ws *ws = dx_pool_take(&worker->sessions);

    if (ws == NULL)
        return NULL;
    ws->worker = worker;
    ws->endpoint = endpoint;
    ws->role = (uint8_t)role;
    dx_ws_reader_init(&ws->reader, role, params != NULL);
    if (params && !dx_ws_contexts_init(ws, params)) {
        dx_pool_give(&worker->sessions, ws);
        return NULL;
    }
    return ws;
}

void dx_ws_discard(dx_ws *ws)
{
    dx_assert(ws->conn == NULL);
    session_free(ws);
}

void dx_ws_begin(dx_ws *ws, dx_conn *conn)
{
    const dx_ws_handler *handler = &ws->endpoint->handler;

    ws->conn = conn;
    ws->worker->begun_count++;
    dx_conn_set_protocol(conn, &conn_ops, ws);
    ws->heard_ms = ws->control_ms = now32(ws);
    dx_conn_set_deadline(conn, ws->endpoint->config.ping_ms);
    if (handler->open)
        handler->open(ws, handler->context);
}

void dx_ws_worker_init(dx_ws_worker *worker, dx_net *net)
{
    *worker = (dx_ws_worker){.net = net};
    dx_pool_init(&worker->sessions, sizeof(dx_ws));
}

void dx_ws_worker_deinit(dx_ws_worker *worker)
{
    dx_pool_deinit(&worker->sessions);
    dx_inflater_free(worker->inflater);
    dx_deflater_free(worker->deflater);
    dx_buffer_clear(&worker->inflated);
    dx_buffer_clear(&worker->deflated);
}

/* ---- small public calls ----------------------------------------------------------------------- */

void dx_ws_pause(dx_ws *ws)
{
    if (ws->state != DX_WS_OPEN)
        return;
    ws->is_paused = true;
    dx_conn_pause(ws->conn);
}

void dx_ws_resume(dx_ws *ws)
{
    ws->is_paused = false;
    if (ws->state != DX_WS_CLOSED && !dx_ws_is_holding(ws))
        dx_conn_resume(ws->conn);
}

void dx_ws_set_user(dx_ws *ws, void *user)
{
    ws->user = user;
}

void *dx_ws_user(const dx_ws *ws)
{
    return ws->user;
}

dx_bytes dx_ws_subprotocol(const dx_ws *ws)
{
    return ws->subprotocol ? ws->endpoint->subprotocols[ws->subprotocol - 1] : (dx_bytes){0};
}
