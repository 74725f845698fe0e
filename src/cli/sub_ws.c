/* duplex sub by WebSocket: duplex.v1 where the server has it, else messages without cursors.
 * SPDX-License-Identifier: MIT */
#include "cli/sub.h"

#include "base/assert.h"
#include "cli/options.h"
#include "codec/duplex_v1.h"
#include "codec/http_status.h"

#include <inttypes.h>

enum { CONNECT_MS = 30000, MESSAGE_BYTES_MAX = 1 << 30 };

static const dx_bytes subprotocols[] = {DX_BYTES(DX_V1_NAME)};

static bool is_v1(const dx_ws *ws)
{
    return dx_ws_subprotocol(ws).size > 0;
}

static void on_open(dx_ws *ws, void *context)
{
    dx_sub *s = context;

    s->ws = ws;
    s->is_reconnect_told = false;
    s->is_closed = false;
    dx_sub_opened(s);
}

/* ---- duplex.v1 -------------------------------------------------------------------------------- */

typedef struct offset_text {
    uint8_t at[DX_OFFSET_SIZE];
} offset_text;

static dx_bytes text_of(dx_offset offset, offset_text *memory)
{
    dx_offset_write(offset, memory->at);
    return dx_bytes_at(memory->at, sizeof memory->at);
}

static void on_gap(dx_sub *s, const dx_v1_gap *gap)
{
    offset_text earliest;
    char lost[24];
    int size = snprintf(lost, sizeof lost, "%" PRIu64, gap->lost);

    dx_sub_gap(s, dx_bytes_at(lost, gap->is_lost_known ? (size_t)size : 0),
               text_of(gap->earliest, &earliest));
}

static void on_frame(dx_sub *s, const dx_v1_server_frame *f)
{
    offset_text offset;

    switch (f->kind) {
    case DX_V1_MESSAGE: dx_sub_print(s, text_of(f->offset, &offset), f->data); return;
    case DX_V1_CAUGHT_UP:
        dx_sub_move(s, text_of(f->offset, &offset));
        dx_sub_progressed(s);
        return;
    case DX_V1_GAP: on_gap(s, &f->gap); return;
    case DX_V1_CLOSED: s->is_closed = true; return;
    case DX_V1_RECONNECT:
        s->is_reconnect_told = true;
        s->retry_ms = f->after_ms;
        return;
    case DX_V1_ERROR:
        if (!s->is_over)
            dx_cli_say("sub", "the server says %u: %.*s", f->status, DX_FORMAT(f->data));
        return;
    case DX_V1_ACK:
    case DX_V1_PONG:
    case DX_V1_MEMBERS: return;
    }
    dx_unreachable("dx_v1_server_kind outside its enum");
}

static void on_message(dx_ws *ws, const dx_ws_message *message, void *context)
{
    dx_sub *s = context;
    dx_v1_server_frame frame;

    if (!is_v1(ws)) {
        dx_sub_print(s, (dx_bytes){NULL, 0}, message->payload);
        return;
    }
    dx_v1_fault fault = dx_v1_server_read(message->payload, &frame);
    if (fault == DX_V1_OK) {
        on_frame(s, &frame);
    } else if (fault != DX_V1_CONTROL && !s->is_over) { /* control of a later version is no fault */
        dx_cli_say("sub", "the server broke duplex.v1: %s", dx_v1_fault_text(fault));
        dx_sub_finish(s, DX_EXIT_FAILURE);
    }
}

/* ---- the end ---------------------------------------------------------------------------------- */

/* Those that may be different next time. */
static bool is_passing(uint16_t code)
{
    static const uint16_t codes[] = {1001, 1005, 1006, 1011, 1012, 1013, 1014, 4408, 4410, 4429};

    for (size_t i = 0; i < DX_COUNT(codes); i++)
        if (codes[i] == code)
            return true;
    return false;
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    dx_sub *s = context;
    bool can_resume =
        is_v1(ws) || s->count == 0; /* without cursors there is nothing to go on from */
    char why[256];

    s->ws = NULL;
    if (s->is_over) {
        dx_sub_gone(s);
        return;
    }
    if (code == 1006)
        snprintf(why, sizeof why, "the connection was lost");
    else
        snprintf(why, sizeof why, "the server ended it: %u%s%.*s", code, reason.size > 0 ? " " : "",
                 DX_FORMAT(reason));
    if (s->is_closed || code == 1000) {
        if (!s->is_closed)
            dx_cli_say("sub", "%s", why);
        dx_sub_finish(s, DX_EXIT_OK);
    } else if (is_passing(code) && can_resume && !(code == 1001 && s->options->no_retry)) {
        dx_sub_lost(s, why, s->is_reconnect_told ? s->retry_ms : 0);
    } else {
        dx_cli_say("sub", "%s", why);
        dx_sub_finish(s, code == 1001 ? DX_EXIT_OK : DX_EXIT_FAILURE);
    }
}

static void on_failed(void *user, dx_err err, unsigned status, const char *text)
{
    dx_sub *s = user;
    char why[256];

    if (s->is_over) {
        dx_sub_gone(s);
        return;
    }
    if (status == 0 || status == 101) {
        dx_sub_failed(s, err, text, 0);
        return;
    }
    snprintf(why, sizeof why, "the server answered %u%s%s: %s", status,
             dx_http_reason(status)[0] ? " " : "", dx_http_reason(status), text);
    if (status == 429 || status >= 500) {
        dx_sub_lost(s, why, 0);
        return;
    }
    dx_cli_say("sub", "%s", why);
    dx_sub_finish(s, DX_EXIT_FAILURE);
}

/* ---- the door --------------------------------------------------------------------------------- */

static void connect_it(dx_sub *s)
{
    dx_sub_target_begin(s);
    if (s->cursor[0])
        dx_sub_target_add(s, "offset", s->cursor);
    s->endpoint = (dx_ws_endpoint){
        .handler = {.open = on_open, .message = on_message, .close = on_close, .context = s},
        .config = DX_WS_CONFIG_DEFAULT,
        .subprotocols = subprotocols,
        .subprotocols_count = DX_COUNT(subprotocols),
    };
    s->endpoint.config.message_bytes_max = MESSAGE_BYTES_MAX;
    dx_err err = dx_ws_connect(&s->worker, &(dx_ws_connect_options){
                                               .endpoint = &s->endpoint,
                                               .server = &s->remote.origin,
                                               .authority = s->remote.url.authority,
                                               .target = dx_buffer_view(&s->remote.target),
                                               .timeout_ms = CONNECT_MS,
                                               .user = s,
                                               .failed = on_failed,
                                           });
    if (err != DX_OK)
        dx_sub_lost(s, dx_err_text(err), 0);
}

static bool close_it(dx_sub *s)
{
    if (s->ws == NULL)
        return false;
    dx_ws_close(s->ws, 1000, (dx_bytes){NULL, 0});
    return true;
}

const dx_sub_door dx_sub_ws = {connect_it, close_it};
