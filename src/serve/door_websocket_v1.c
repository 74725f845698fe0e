/* The WebSocket door, duplex.v1: each message with the cursor behind it, and control in between.
 * Is:     its encoding, the control frames that are sent, and when.
 * Is not: the frames' syntax (codec/duplex_v1), what the client sends (door_websocket_in.c).
 * SPDX-License-Identifier: MIT */
#include "serve/door_websocket.h"

/* ---- messages --------------------------------------------------------------------------------- */

static size_t v1_bound(const dx_feed *feed, const dx_message *message)
{
    return DX_WS_HEAD_BYTES_MAX + DX_V1_LINE_SIZE + message->size;
}

/* The text was put together where there is room for any head before it; now its head is known. */
static size_t frame(const dx_feed *feed, bool is_text, size_t text_size, uint8_t *to)
{
    dx_bytes payload = dx_bytes_at(to + DX_WS_HEAD_BYTES_MAX, text_size);
    uint8_t bytes[DX_WS_HEAD_BYTES_MAX];

    dx_ws_head head = dx_ws_door_head(feed, is_text, &payload);
    size_t size = dx_ws_head_write(bytes, &head);
    memmove(to + size, payload.at, payload.size);
    memcpy(to, bytes, size);
    return size + payload.size;
}

static size_t v1_write(const dx_feed *feed, const dx_message *message, uint8_t *to)
{
    uint8_t *text = to + DX_WS_HEAD_BYTES_MAX;

    dx_v1_line_write((dx_offset){message->epoch, message->sequence}, text);
    dx_copy(text + DX_V1_LINE_SIZE, message->payload, message->size);
    return frame(feed, dx_ws_door_is_text(message), DX_V1_LINE_SIZE + message->size, to);
}

static size_t v1_note_bound(const dx_feed *feed, dx_bytes text)
{
    return DX_WS_HEAD_BYTES_MAX + 1 + text.size;
}

static size_t v1_note_write(const dx_feed *feed, dx_bytes text, uint8_t *to)
{
    to[DX_WS_HEAD_BYTES_MAX] = '\n';
    dx_copy(to + DX_WS_HEAD_BYTES_MAX + 1, text.at, text.size);
    return frame(feed, true, 1 + text.size, to);
}

/* ---- control ---------------------------------------------------------------------------------- */

/* Whatever the queue holds: it is bounded, because nothing more is read from a client that takes
 * nothing. */
void dx_v1_send(dx_ws_door *d, const dx_v1_control *control)
{
    uint8_t bytes[DX_WS_HEAD_BYTES_MAX];
    dx_ws_head head = {.fin = true, .opcode = DX_WS_TEXT, .payload_size = control->size};

    if (d->ws == NULL || !dx_ws_is_open(d->ws))
        return;
    dx_conn_write(d->ws->conn, dx_bytes_at(bytes, dx_ws_head_write(bytes, &head)));
    dx_conn_write(d->ws->conn, dx_v1_control_bytes(control));
}

void dx_v1_refuse(dx_ws_door *d, dx_bytes id, unsigned status, const char *detail)
{
    dx_v1_control control;

    dx_v1_error_write(id, status, dx_bytes_of(detail), &control);
    dx_v1_send(d, &control);
}

void dx_v1_tell_gap(dx_ws_door *d, const dx_gap *gap)
{
    dx_v1_control control;

    dx_v1_gap_write(&(dx_v1_gap){gap->requested, gap->earliest, gap->lost > 0, gap->lost},
                    &control);
    dx_v1_send(d, &control);
}

/* ---- what is owed ----------------------------------------------------------------------------- */

/* It may have read further in the log than this worker has been given. */
static void send_caught_up(dx_ws_door *d)
{
    dx_wide_door *wide = dx_wide_door_of(d);
    dx_offset at = dx_topic_tail(d->topic);
    dx_v1_control control;

    if (dx_offset_compare(at, wide->read_to) < 0)
        at = wide->read_to;
    wide->is_caught_up_owed = false;
    dx_v1_caught_up_write(at, &control);
    dx_v1_send(d, &control);
}

static void pay_caught_up(dx_ws_door *d)
{
    if (dx_wide_door_of(d)->is_caught_up_owed && d->sub.state == DX_SUBSCRIBER_LIVE)
        send_caught_up(d);
}

static void pay_pong(dx_ws_door *d)
{
    dx_wide_door *wide = dx_wide_door_of(d);
    dx_v1_control control;

    if (wide->ping.size == 0 || d->is_unsettled)
        return;
    dx_v1_pong_write(dx_buffer_view(&wide->ping), &control);
    dx_v1_send(d, &control);
    dx_buffer_clear(&wide->ping);
    dx_ws_door_go_on(d);
}

static void pay_close(dx_ws_door *d)
{
    dx_wide_door *wide = dx_wide_door_of(d);
    uint16_t code = wide->close_code;

    if (code == 0 || d->appends_count > 0)
        return;
    wide->close_code = 0;
    dx_ws_door_close(d, code, wide->close_reason);
}

void dx_v1_pay(dx_ws_door *d)
{
    if (!dx_ws_is_open(d->ws))
        return;
    if (d->sub.feed == NULL || !dx_subscriber_is_behind(&d->sub)) {
        pay_caught_up(d);
        pay_pong(d);
        if (dx_wide_door_of(d)->is_notes_owed && d->sub.state == DX_SUBSCRIBER_LIVE)
            dx_ws_want_room(d->ws);
    }
    pay_close(d);
}

bool dx_v1_is_owing(dx_ws_door *d)
{
    const dx_wide_door *wide = dx_wide_door_of(d);

    return wide->is_caught_up_owed || wide->is_notes_owed || wide->ping.size > 0;
}

/* Nothing is read any more meanwhile: it could not be answered. */
void dx_v1_close(dx_ws_door *d, uint16_t code, dx_bytes reason)
{
    dx_wide_door *wide = dx_wide_door_of(d);

    wide->close_code = code;
    wide->close_reason = reason;
    dx_ws_pause(d->ws);
    dx_v1_pay(d);
}

/* ---- the encoding ----------------------------------------------------------------------------- */

static void v1_wake(dx_subscriber *sub)
{
    dx_ws_door *d = dx_ws_door_of(sub);
    dx_ws *ws = d->ws;

    dx_ws_door_settle(d);
    dx_conn_flush(ws->conn);
}

static void v1_live(dx_subscriber *sub)
{
    dx_ws_door_settle(dx_ws_door_of(sub));
}

static void v1_page(dx_subscriber *sub, dx_message *const *messages, size_t count)
{
    if (count > 0)
        dx_wide_door_of(dx_ws_door_of(sub))->read_to =
            (dx_offset){messages[count - 1]->epoch, messages[count - 1]->sequence};
    dx_ws_door_page(sub, messages, count);
}

static bool v1_gap(dx_subscriber *sub, const dx_gap *gap)
{
    dx_v1_tell_gap(dx_ws_door_of(sub), gap);
    return true;
}

static void v1_ended(dx_subscriber *sub, dx_stream_end why)
{
    dx_ws_door *d = dx_ws_door_of(sub);
    dx_v1_control control;

    if (why == DX_STREAM_END_DELETED) {
        dx_ws_door_close(d, DX_CLOSE_NOT_FOUND, DX_BYTES("the stream was deleted"));
        return;
    }
    if (dx_wide_door_of(d)->is_caught_up_owed) /* all there was is of the past */
        send_caught_up(d);
    dx_v1_closed_write(&control);
    dx_v1_send(d, &control);
    dx_v1_close(d, DX_WS_CLOSE_NORMAL, DX_BYTES("the stream is closed"));
}

#define V1_ENCODING                                                                                \
    .bound = v1_bound, .write = v1_write, .wake = v1_wake, .live = v1_live,                        \
    .fell_behind = dx_ws_door_fell_behind, .page = v1_page, .gap = v1_gap,                         \
    .too_slow = dx_ws_door_too_slow, .failed = dx_ws_door_failed, .ended = v1_ended

const dx_encoding dx_v1_encoding = {V1_ENCODING};

/* For those who want to hear who comes and goes. */
const dx_encoding dx_v1_notes_encoding = {
    V1_ENCODING,
    .note_bound = v1_note_bound,
    .note_write = v1_note_write,
};
