/* Messages of a session: gathering and inflating what comes, compressing and framing what goes.
 * Source: RFC 6455 §5, §6; RFC 7692 §6, §7.2.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "base/random.h"
#include "codec/ws_mask.h"
#include "ws/session_frame.h"

#include <stdlib.h>

enum {
    ROOM_BYTES = 1024,         /* what dx_conn_write_room gives in one piece */
    LARGE_BYTES = 16384,       /* from here on a copy costs more than a system call of its own */
    SCRATCH_KEPT_BYTES = 262144 /* scratch that grew beyond it is given back */
};

/* ---- what a session has now and then ---------------------------------------------------------- */

struct dx_ws_extra *dx_ws_extra(dx_ws *ws)
{
    if (ws->extra == NULL)
        ws->extra = calloc(1, sizeof *ws->extra);
    return ws->extra;
}

void dx_ws_extra_trim(dx_ws *ws)
{
    const struct dx_ws_extra *e = ws->extra;

    if (e && !e->message.at && !e->inflater && !e->deflater && !e->is_held && !e->has_late_pong) {
        free(ws->extra);
        ws->extra = NULL;
    }
}

void dx_ws_extra_free(dx_ws *ws)
{
    struct dx_ws_extra *e = ws->extra;

    if (e == NULL)
        return;
    dx_buffer_clear(&e->message);
    dx_inflater_free(e->inflater);
    dx_deflater_free(e->deflater);
    free(e);
    ws->extra = NULL;
}

/* ---- deflate state ---------------------------------------------------------------------------- */

/* With takeover a direction has a state of its own; without, nothing is held between messages. */
bool dx_ws_contexts_init(dx_ws *ws, const dx_ws_deflate_params *params)
{
    bool is_server = ws->role == DX_WS_SERVER;
    bool send_kept = is_server ? params->server_takeover : params->client_takeover;
    bool recv_kept = is_server ? params->client_takeover : params->server_takeover;
    uint8_t recv_bits = is_server ? params->client_bits : params->server_bits;

    ws->send_bits = is_server ? params->server_bits : params->client_bits;
    if (!send_kept && !recv_kept)
        return true;
    struct dx_ws_extra *e = dx_ws_extra(ws);
    if (e && (!recv_kept || dx_inflater_new(recv_bits, &e->inflater) == DX_OK) &&
        (!send_kept || dx_deflater_new(0, ws->send_bits, &e->deflater) == DX_OK))
        return true;
    dx_ws_extra_free(ws);
    return false;
}

static dx_inflater *inflater_of(dx_ws *ws)
{
    if (ws->extra && ws->extra->inflater)
        return ws->extra->inflater;
    if (ws->worker->inflater == NULL && dx_inflater_new(15, &ws->worker->inflater) != DX_OK)
        return NULL;
    return ws->worker->inflater;
}

static dx_deflater *worker_deflater(dx_ws_worker *worker)
{
    if (worker->deflater == NULL && dx_deflater_new(0, 0, &worker->deflater) != DX_OK)
        return NULL;
    return worker->deflater;
}

static void scratch_done(dx_buffer *scratch)
{
    scratch->size = 0;
    if (scratch->capacity > SCRATCH_KEPT_BYTES)
        dx_buffer_clear(scratch);
}

/* ---- receiving -------------------------------------------------------------------------------- */

static bool gather(dx_ws *ws, dx_bytes piece)
{
    struct dx_ws_extra *e = dx_ws_extra(ws);
    return e && dx_buffer_append(&e->message, piece);
}

static void deliver(dx_ws *ws, dx_ws_opcode opcode, dx_bytes payload)
{
    const dx_ws_handler *handler = &ws->endpoint->handler;
    dx_ws_message message = {opcode == DX_WS_TEXT ? DX_WS_MESSAGE_TEXT : DX_WS_MESSAGE_BINARY, payload};

    if (handler->message)
        handler->message(ws, &message, handler->context);
}

/* Inflates a whole message into the worker's scratch; the limit holds while inflating. */
static bool inflate_into(dx_ws *ws, dx_inflater *inflater, dx_bytes in, dx_buffer *out)
{
    size_t max = ws->endpoint->config.message_bytes_max;
    dx_inflate_status status = DX_INFLATE_FULL;

    dx_inflater_begin(inflater, ws->extra && ws->extra->inflater, max);
    while (status == DX_INFLATE_FULL) {
        if (!dx_buffer_reserve(out, dx_max_size(out->size, 4096))) {
            status = DX_INFLATE_MEMORY;
            break;
        }
        dx_span room = {out->at + out->size, out->capacity - out->size};
        status = dx_inflate_piece(inflater, &in, true, &room);
        out->size = (size_t)(room.at - out->at);
    }
    switch (status) {
    case DX_INFLATE_DONE: return true;
    case DX_INFLATE_BAD: dx_ws_fail(ws, DX_WS_FAULT_DEFLATE); return false;
    case DX_INFLATE_TOO_LARGE: dx_ws_fail(ws, DX_WS_FAULT_INFLATED_SIZE); return false;
    case DX_INFLATE_FULL:
    case DX_INFLATE_MEMORY: dx_ws_fail_memory(ws); return false;
    }
    dx_unreachable("dx_inflate_status outside its enum");
}

static void deliver_inflated(dx_ws *ws, dx_ws_opcode opcode, dx_bytes compressed)
{
    dx_buffer *scratch = &ws->worker->inflated;
    dx_inflater *inflater = inflater_of(ws);

    if (inflater == NULL) {
        dx_ws_fail_memory(ws);
        return;
    }
    scratch->size = 0;
    if (inflate_into(ws, inflater, compressed, scratch)) {
        dx_ws_status status = DX_WS_OK;
        if (opcode == DX_WS_TEXT)
            status = dx_ws_reader_text(&ws->reader, dx_buffer_view(scratch), true);
        if (status == DX_WS_OK)
            deliver(ws, opcode, dx_buffer_view(scratch));
        else
            dx_ws_fail(ws, status);
    }
    scratch_done(scratch);
}

void dx_ws_on_data(dx_ws *ws, const dx_ws_event *event)
{
    dx_bytes payload = dx_span_bytes(event->payload);

    if (!dx_ws_event_is_whole(event)) {
        if (!gather(ws, payload)) {
            dx_ws_fail_memory(ws);
            return;
        }
        if (!event->last)
            return;
        payload = dx_buffer_view(&ws->extra->message);
    }
    dx_buffer gathered = {0};
    if (ws->extra) { /* sending and closing must not find it half done */
        gathered = ws->extra->message;
        ws->extra->message = (dx_buffer){0};
        dx_ws_extra_trim(ws);
    }
    if (event->compressed)
        deliver_inflated(ws, event->opcode, payload);
    else
        deliver(ws, event->opcode, payload);
    dx_buffer_clear(&gathered);
}

/* ---- sending ---------------------------------------------------------------------------------- */

static void next_mask(dx_ws_worker *worker, uint8_t mask[4])
{
    if (worker->random_left < 4) {
        dx_random_fill(worker->random, sizeof worker->random); /* §10.3: unpredictable */
        worker->random_left = sizeof worker->random;
    }
    memcpy(mask, worker->random + sizeof worker->random - worker->random_left, 4);
    worker->random_left -= 4;
}

static void write_masked(dx_ws *ws, const dx_ws_head *head, dx_bytes payload)
{
    size_t phase = 0;

    while (payload.size > 0) {
        size_t part = dx_min_size(payload.size, ROOM_BYTES);
        uint8_t *to = dx_conn_write_room(ws->conn, part);
        if (to == NULL)
            return;
        memcpy(to, payload.at, part);
        dx_ws_mask(to, part, head->mask, phase);
        dx_conn_wrote(ws->conn, part);
        phase += part;
        dx_bytes_skip(&payload, part);
    }
}

static void write_head_and(dx_ws *ws, dx_ws_head *head, dx_bytes payload)
{
    head->payload_size = payload.size;
    head->fin = true;
    head->masked = ws->role == DX_WS_CLIENT; /* §5.1 */
    if (head->masked)
        next_mask(ws->worker, head->mask);
    if (!head->masked && payload.size >= LARGE_BYTES) {
        uint8_t bytes[DX_WS_HEAD_BYTES_MAX];
        size_t size = dx_ws_head_write(bytes, head);
        dx_conn_write_large(ws->conn, dx_bytes_at(bytes, size), payload);
        return;
    }
    size_t body = head->masked || payload.size > ROOM_BYTES - DX_WS_HEAD_BYTES_MAX ? 0 : payload.size;
    uint8_t *to = dx_conn_write_room(ws->conn, DX_WS_HEAD_BYTES_MAX + body);
    if (to == NULL)
        return;
    size_t size = dx_ws_head_write(to, head);
    dx_copy(to + size, payload.at, body);
    dx_conn_wrote(ws->conn, size + body);
    if (head->masked)
        write_masked(ws, head, payload);
    else if (body < payload.size)
        dx_conn_write(ws->conn, payload);
}

void dx_ws_write_frame(dx_ws *ws, dx_ws_opcode opcode, dx_bytes payload)
{
    dx_ws_head head = {.opcode = opcode};
    write_head_and(ws, &head, payload);
}

static bool deflate_into(dx_buffer *scratch, dx_deflater *deflater, unsigned bits, dx_bytes payload,
                         size_t room, dx_bytes *ret)
{
    size_t size;

    scratch->size = 0;
    if (deflater == NULL || !dx_buffer_reserve(scratch, room) ||
        dx_deflate_message(deflater, bits, payload, (dx_span){scratch->at, room}, &size) != DX_OK)
        return false;
    *ret = dx_bytes_at(scratch->at, size);
    return true;
}

bool dx_ws_deflate(dx_ws_worker *worker, unsigned bits, dx_bytes payload, dx_bytes *ret)
{
    scratch_done(&worker->deflated);
    return deflate_into(&worker->deflated, worker_deflater(worker), bits, payload,
                        payload.size + DX_DEFLATE_ROOM, ret);
}

/* By the session's own state, if it keeps one. Not to compress is no error (RFC 7692 §6.1). */
static bool deflate_own(dx_ws *ws, dx_bytes payload, dx_bytes *ret)
{
    if (ws->extra == NULL || ws->extra->deflater == NULL)
        return dx_ws_deflate(ws->worker, ws->send_bits, payload, ret);
    return deflate_into(&ws->worker->deflated, ws->extra->deflater, ws->send_bits, payload,
                        dx_deflate_bound(payload.size), ret);
}

dx_send_result dx_ws_send(dx_ws *ws, dx_ws_type type, dx_bytes payload)
{
    const dx_ws_config *config = &ws->endpoint->config;
    dx_ws_head head = {.opcode = type == DX_WS_MESSAGE_TEXT ? DX_WS_TEXT : DX_WS_BINARY};

    if (ws->state != DX_WS_OPEN || !dx_conn_is_open(ws->conn))
        return DX_SEND_CLOSED;
    if (dx_conn_queued(ws->conn) >= config->queue_bytes_max) {
        dx_ws_want_room(ws);
        return DX_SEND_BUSY;
    }
    dx_bytes wire = payload;
    if (ws->send_bits && payload.size >= config->deflate_bytes_min)
        head.rsv1 = deflate_own(ws, payload, &wire);
    write_head_and(ws, &head, wire);
    scratch_done(&ws->worker->deflated);
    return dx_conn_is_open(ws->conn) ? DX_SEND_QUEUED : DX_SEND_CLOSED;
}
