/* duplex pub by WebSocket with duplex.v1: many on their way at once, each acknowledged.
 * A message that was not acknowledged when the connection was lost may be in the stream or not: it is not
 * sent again, but named.
 * SPDX-License-Identifier: MIT */
#include "cli/pub.h"

#include "codec/duplex_v1.h"
#include "codec/http_status.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CONNECT_MS = 30000, UNDER_WAY_MAX = 64, GOODBYE_MS = 1000 };

static const dx_bytes subprotocols[] = {DX_BYTES(DX_V1_NAME)};

static void on_open(dx_ws *ws, void *context)
{
    dx_pub *p = context;

    p->ws = ws;
    p->is_full = false;
}

static void fail(dx_pub *p, uint64_t number, const char *text)
{
    if (!p->is_failed)
        dx_pub_say(p, number, text);
    p->is_failed = true;
}

static uint64_t number_of(const dx_v1_server_frame *f)
{
    uint64_t number = 0;
    return dx_bytes_decimal(dx_bytes_at(f->id, f->id_size), UINT64_MAX, &number) ? number : 0;
}

static void on_message(dx_ws *ws, const dx_ws_message *message, void *context)
{
    dx_pub *p = context;
    dx_v1_server_frame f;
    uint8_t offset[DX_OFFSET_SIZE];
    char text[DX_V1_DETAIL_BYTES_MAX + 64];

    (void)ws;
    if (dx_v1_server_read(message->payload, &f) != DX_V1_OK)
        return; /* of a later version */
    if (f.kind == DX_V1_ACK && number_of(&f) == p->done_count + 1) {
        dx_offset_write(f.offset, offset);
        dx_pub_done(p, dx_bytes_at(offset, sizeof offset), 0);
    } else if (f.kind == DX_V1_ERROR) {
        snprintf(text, sizeof text, "the server says %u: %.*s", f.status,
                 (int)dx_min_size(f.data.size, DX_V1_DETAIL_BYTES_MAX), (const char *)f.data.at);
        fail(p, number_of(&f), text);
    }
}

static void on_room(dx_ws *ws, void *context)
{
    (void)ws;
    ((dx_pub *)context)->is_full = false;
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    dx_pub *p = context;

    (void)ws;
    p->ws = NULL;
    p->is_over = true;
    if (code == 1006)
        snprintf(p->why, sizeof p->why, "the connection was lost");
    else
        snprintf(p->why, sizeof p->why, "the server ended it: %u%s%.*s", code,
                 reason.size > 0 ? " " : "", DX_FORMAT(reason));
    if (code >= 1002 && code <= 1010 && code != 1005 && code != 1006)
        fail(p, 0, p->why); /* it would be the same again */
}

static void on_failed(void *user, dx_err err, unsigned status, const char *text)
{
    dx_pub *p = user;

    p->is_over = true;
    if (status == 0 || status == 101)
        dx_cli_remote_failure_write(&p->remote, err, text, p->why);
    else
        snprintf(p->why, sizeof p->why, "the server answered %u%s%s: %.500s", status,
                 dx_http_reason(status)[0] ? " " : "", dx_http_reason(status), text);
    if (status >= 400 && status < 500 && status != 429)
        fail(p, 0, p->why);
}

/* ---- the connection --------------------------------------------------------------------------- */

static bool begin(dx_pub *p)
{
    if (p->worker.net == NULL) {
        dx_ws_worker_init(&p->worker, &p->remote.net);
        if (!dx_cli_remote_add_argument(&p->remote, "read", "0"))
            return false;
    }
    p->endpoint = (dx_ws_endpoint){
        .handler = {.open = on_open,
                    .message = on_message,
                    .room = on_room,
                    .close = on_close,
                    .context = p},
        .config = DX_WS_CONFIG_DEFAULT,
        .subprotocols = subprotocols,
        .subprotocols_count = DX_COUNT(subprotocols),
    };
    p->is_over = false;
    return dx_ws_connect(&p->worker, &(dx_ws_connect_options){
                                         .endpoint = &p->endpoint,
                                         .server = &p->remote.origin,
                                         .authority = p->remote.url.authority,
                                         .target = dx_buffer_view(&p->remote.target),
                                         .timeout_ms = CONNECT_MS,
                                         .user = p,
                                         .failed = on_failed,
                                     }) == DX_OK;
}

/* Waits until it is open. */
static bool open_it(dx_pub *p)
{
    while (p->ws == NULL && !p->is_failed) {
        if (!begin(p)) {
            fail(p, 0, dx_err_text(DX_ERR_MEMORY));
            break;
        }
        while (p->ws == NULL && !p->is_over)
            dx_loop_step(p->remote.loop, -1);
        if (p->ws == NULL && !p->is_failed)
            p->is_failed = !dx_pub_may_retry(p, p->why, 0);
    }
    if (p->ws && dx_ws_subprotocol(p->ws).size == 0)
        fail(p, 0,
             "the server does not speak duplex.v1, and acknowledges nothing: publish --via http");
    p->was_open = p->was_open || p->ws != NULL;
    return !p->is_failed;
}

/* Steps until no more than `most` are not acknowledged, and there is room. */
static bool wait_for(dx_pub *p, uint64_t most)
{
    char text[DX_CLI_FAILURE_BYTES + 100];

    while (p->ws && !p->is_failed && (p->sent_count - p->done_count > most || p->is_full))
        dx_loop_step(p->remote.loop, -1);
    if (!p->is_failed && p->ws == NULL && p->sent_count > p->done_count) {
        snprintf(text, sizeof text,
                 "%s; whether %" PRIu64 " messages from this one on were published is not known",
                 p->why, p->sent_count - p->done_count);
        fail(p, p->done_count + 1, text);
    }
    return !p->is_failed;
}

/* ---- the door --------------------------------------------------------------------------------- */

/* As its stream will take it: text and JSON are text. */
static dx_ws_type type_of(const dx_pub *p)
{
    dx_bytes type = dx_bytes_of(p->options->type);
    bool is_text =
        dx_bytes_starts(type, DX_BYTES("text/")) || strstr(p->options->type, "json") != NULL;

    return is_text ? DX_WS_MESSAGE_TEXT : DX_WS_MESSAGE_BINARY;
}

/* The session's end is told by on_close: what is not acknowledged by then is not known. */
static bool wait_closed(dx_pub *p)
{
    while (p->ws && !p->is_failed)
        dx_loop_step(p->remote.loop, -1);
    return wait_for(p, UINT64_MAX);
}

static bool send_frame(dx_pub *p, dx_bytes frame)
{
    for (;;) {
        if (!open_it(p) || !wait_for(p, UNDER_WAY_MAX - 1))
            return false;
        switch (p->ws ? dx_ws_send(p->ws, type_of(p), frame) : DX_SEND_CLOSED) {
        case DX_SEND_QUEUED: return true;
        case DX_SEND_BUSY: p->is_full = true; break;
        case DX_SEND_CLOSED: /* nothing of this one has left: the next connection may take it */
            if (!wait_closed(p))
                return false;
            p->is_failed = !dx_pub_may_retry(p, p->why, 0);
            break;
        }
    }
}

static bool publish(dx_pub *p, dx_bytes message)
{
    char id[24];
    uint8_t line[DX_V1_ID_BYTES_MAX + 1];
    dx_buffer frame = {0};
    int id_size = snprintf(id, sizeof id, "%" PRIu64, p->sent_count + 1);
    size_t size = dx_v1_publish_write(dx_bytes_at(id, (size_t)id_size), line);
    bool ok =
        dx_buffer_append(&frame, dx_bytes_at(line, size)) && dx_buffer_append(&frame, message);

    if (!ok)
        fail(p, p->sent_count + 1, dx_err_text(DX_ERR_MEMORY));
    ok = ok && send_frame(p, dx_buffer_view(&frame));
    dx_buffer_clear(&frame);
    if (!ok)
        return false;
    p->sent_count++;
    p->bytes += message.size;
    dx_loop_step(p->remote.loop, 0);
    return !p->is_failed;
}

static bool finish(dx_pub *p)
{
    bool ok = wait_for(p, 0);

    if (p->ws == NULL)
        return ok;
    dx_ws_close(p->ws, 1000, (dx_bytes){NULL, 0});
    p->is_awake = false;
    dx_timer_set(p->remote.loop, &p->wake, GOODBYE_MS);
    while (p->ws && !p->is_awake)
        dx_loop_step(p->remote.loop, -1);
    return ok;
}

const dx_pub_door dx_pub_ws = {publish, finish};
