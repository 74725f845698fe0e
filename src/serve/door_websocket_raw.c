/* The WebSocket door, raw: each message of the stream is one WebSocket message, and nothing else is.
 * Is:     its encoding, and what it can be told only by closing.
 * Is not: duplex.v1 (door_websocket_v1.c).
 * SPDX-License-Identifier: MIT */
#include "serve/door_websocket.h"

#include <stdio.h>

static size_t raw_bound(const dx_feed *feed, const dx_message *message)
{
    return DX_WS_HEAD_BYTES_MAX + message->size;
}

static size_t raw_write(const dx_feed *feed, const dx_message *message, uint8_t *to)
{
    dx_bytes payload = dx_message_payload(message);
    dx_ws_head head = dx_ws_door_head(feed, dx_ws_door_is_text(message), &payload);
    size_t size = dx_ws_head_write(to, &head);

    dx_copy(to + size, payload.at, payload.size);
    return size + payload.size;
}

static void raw_wake(dx_subscriber *sub)
{
    dx_ws_door *d = dx_ws_door_of(sub);
    dx_ws *ws = d->ws;

    dx_ws_door_settle(d); /* the answer takes what is here along, in front of it */
    dx_conn_flush(ws->conn);
}

static void raw_live(dx_subscriber *sub)
{
    dx_ws_door_settle(dx_ws_door_of(sub));
}

static bool raw_gap(dx_subscriber *sub, const dx_gap *gap)
{
    dx_ws_door *d = dx_ws_door_of(sub);
    char reason[96] = "gap: messages are not retained any more";
    int size = (int)strlen(reason);

    if (d->is_gap_ok)
        return true;
    if (gap->lost > 0)
        size = snprintf(reason, sizeof reason, "gap: %llu messages are not retained any more",
                        (unsigned long long)gap->lost);
    dx_ws_door_close(d, DX_CLOSE_GONE, dx_bytes_at(reason, (size_t)size));
    return false;
}

static void raw_ended(dx_subscriber *sub, dx_stream_end why)
{
    dx_ws_door *d = dx_ws_door_of(sub);

    if (why == DX_STREAM_END_DELETED)
        dx_ws_door_close(d, DX_CLOSE_NOT_FOUND, DX_BYTES("the stream was deleted"));
    else
        dx_ws_door_close(d, DX_WS_CLOSE_NORMAL, DX_BYTES("the stream is closed"));
}

const dx_encoding dx_raw_encoding = {
    .bound = raw_bound,
    .write = raw_write,
    .wake = raw_wake,
    .live = raw_live,
    .fell_behind = dx_ws_door_fell_behind,
    .page = dx_ws_door_page,
    .gap = raw_gap,
    .too_slow = dx_ws_door_too_slow,
    .failed = dx_ws_door_failed,
    .ended = raw_ended,
};
