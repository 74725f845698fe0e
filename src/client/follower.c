/* Following a stream of another server: one WebSocket after the other, each from where the last one ended.
 * SPDX-License-Identifier: MIT */
#include "base/backoff.h"
#include "base/sized.h"
#include "client/remote.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BYTES_MAX = 1 << 30 };

struct dx_follower {
    dx_begun begun;
    dx_client *client;
    dx_arena arena;
    const char *url;
    dx_header *headers;
    size_t headers_count;
    dx_follow_handler handler;
    char cursor[DX_OFFSET_SIZE + 1]; /* "-1", "now" or an offset */
    dx_socket *socket;               /* NULL: none */
    dx_ws *ws;                       /* NULL: not open */
    dx_alarm *again;                 /* NULL: not waiting */
    uint64_t failures;               /* in a row */
    uint32_t after_ms;               /* what the server asked for */
    bool is_closed, is_paused;
};

static void follower_free(dx_follower *f)
{
    dx_list_remove(&f->begun.link);
    dx_alarm_cancel(f->again);
    dx_socket_abandon(f->socket);
    dx_arena_deinit(&f->arena);
    free(f);
}

static void finish(dx_follower *f, dx_err err, unsigned status, const char *text)
{
    dx_list_remove(&f->begun.link);
    if (f->handler.end)
        f->handler.end(f, err, status, text, f->handler.context);
    follower_free(f);
}

static void connect_it(dx_follower *f);

static void on_again(void *context, dx_err err)
{
    dx_follower *f = context;

    f->again = NULL;
    if (err == DX_OK)
        connect_it(f);
}

static void try_again(dx_follower *f, const char *why)
{
    uint32_t wait_ms = dx_backoff_ms(++f->failures);

    wait_ms = f->after_ms > wait_ms ? f->after_ms : wait_ms;
    f->after_ms = 0;
    if (dx_client_after(f->client, wait_ms, on_again, f, &f->again) != DX_OK)
        finish(f, DX_ERR_MEMORY, 0, dx_err_text(DX_ERR_MEMORY));
    else if (f->handler.trouble)
        f->handler.trouble(f, why, wait_ms, f->handler.context);
}

/* ---- what comes ------------------------------------------------------------------------------- */

static dx_bytes move_to(dx_follower *f, dx_offset offset)
{
    dx_offset_write(offset, (uint8_t *)f->cursor);
    f->cursor[DX_OFFSET_SIZE] = '\0';
    return dx_follower_offset(f);
}

static void on_gap(dx_follower *f, const dx_v1_gap *gap)
{
    uint8_t earliest[DX_OFFSET_SIZE];
    dx_follow_gap told = {.lost = gap->is_lost_known ? gap->lost : 0};

    dx_offset_write(gap->earliest, earliest);
    told.earliest = dx_bytes_at(earliest, sizeof earliest);
    if (f->handler.gap)
        f->handler.gap(f, &told, f->handler.context);
}

/* The program's call is the last that each case does: `f` may be gone after it. */
static void on_frame(dx_follower *f, const dx_v1_server_frame *frame)
{
    const dx_follow_handler *handler = &f->handler;

    switch (frame->kind) {
    case DX_V1_MESSAGE:
        f->failures = 0;
        move_to(f, frame->offset);
        if (handler->message)
            handler->message(f, dx_follower_offset(f), frame->data, handler->context);
        return;
    case DX_V1_CAUGHT_UP:
        f->failures = 0;
        move_to(f, frame->offset);
        if (handler->caught_up)
            handler->caught_up(f, dx_follower_offset(f), handler->context);
        return;
    case DX_V1_GAP: on_gap(f, &frame->gap); return;
    case DX_V1_CLOSED: f->is_closed = true; return;
    case DX_V1_RECONNECT: f->after_ms = frame->after_ms; return;
    case DX_V1_ERROR:
    case DX_V1_ACK:
    case DX_V1_PONG:
    case DX_V1_MEMBERS: return;
    }
    dx_unreachable("dx_v1_server_kind outside its enum");
}

static void on_message(dx_ws *ws, const dx_ws_message *message, void *context)
{
    dx_v1_server_frame frame;
    dx_v1_fault fault = dx_v1_server_read(message->payload, &frame);

    (void)ws;
    if (fault == DX_V1_OK)
        on_frame(context, &frame);
    else if (fault != DX_V1_CONTROL) /* control of a later version is no fault */
        finish(context, DX_ERR_PROTOCOL, 0, dx_v1_fault_text(fault));
}

/* ---- the connection --------------------------------------------------------------------------- */

static void on_open(dx_ws *ws, void *context)
{
    dx_follower *f = context;

    f->ws = ws;
    if (dx_ws_subprotocol(ws).size == 0)
        finish(f, DX_ERR_PROTOCOL, 0, "the server does not speak duplex.v1");
    else if (f->is_paused)
        dx_ws_pause(ws);
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    dx_follower *f = context;
    char why[DX_REMOTE_WHY_BYTES];

    (void)ws;
    f->ws = NULL;
    f->socket = NULL;
    dx_remote_close_text(code, reason, why);
    if (f->is_closed)
        finish(f, DX_OK, code, "the stream was closed");
    else if (dx_remote_is_passing_close(code))
        try_again(f, why);
    else
        finish(f, dx_remote_err(code), code, why);
}

static void on_failed(void *context, dx_err err, unsigned status, const char *text)
{
    dx_follower *f = context;

    (void)err;
    f->socket = NULL;
    if (status == 101 || dx_remote_is_passing(status))
        try_again(f, text);
    else
        finish(f, dx_remote_err(status), status, text);
}

static dx_err open_socket(dx_follower *f)
{
    static const char *const subprotocols[] = {DX_V1_NAME};
    char *url = dx_remote_url(f->url, "offset", f->cursor);
    dx_ws_handler handler = {.open = on_open,
                             .message = on_message,
                             .close = on_close,
                             .context = f,
                             .failed = on_failed};

    if (url == NULL)
        return DX_ERR_MEMORY;
    dx_err err = dx_socket_open(f->client, url, &handler,
                                &(dx_connect_options){.subprotocols = subprotocols,
                                                      .subprotocols_count = 1,
                                                      .headers = f->headers,
                                                      .headers_count = f->headers_count,
                                                      .message_bytes_max = MESSAGE_BYTES_MAX},
                                &f->socket);
    free(url);
    return err;
}

static void connect_it(dx_follower *f)
{
    dx_err err = open_socket(f);

    if (err != DX_OK)
        try_again(f, dx_err_text(err));
}

/* ---- the program's ---------------------------------------------------------------------------- */

static void on_end(dx_begun *begun, dx_err err)
{
    finish(DX_CONTAINER(begun, dx_follower, begun), err, 0, dx_err_text(err));
}

static dx_err begin(dx_follower *f, const char *url, const dx_follow_options *o)
{
    const char *offset = o->offset ? o->offset : "now";
    dx_bytes copy;
    dx_offset at;

    if (strlen(offset) > DX_OFFSET_SIZE ||
        dx_offset_read(dx_bytes_of(offset), &at) == DX_OFFSET_BAD)
        return DX_ERR_NAME;
    memcpy(f->cursor, offset, strlen(offset) + 1);
    if (!dx_arena_copy(&f->arena, (dx_bytes){(const uint8_t *)url, strlen(url) + 1}, &copy))
        return DX_ERR_MEMORY;
    f->url = (const char *)copy.at;
    f->headers = dx_headers_copy(&f->arena, o->headers, o->headers_count);
    f->headers_count = o->headers_count;
    return f->headers ? open_socket(f) : DX_ERR_MEMORY;
}

dx_err dx_client_follow_sized(dx_client *client, const char *url, const dx_follow_options *options,
                              size_t options_size, const dx_follow_handler *handler,
                              size_t handler_size, dx_follower **ret)
{
    dx_follow_options o;
    dx_follower *f = calloc(1, sizeof *f);

    if (f == NULL)
        return DX_ERR_MEMORY;
    f->client = client;
    dx_client_begin(client, &f->begun, on_end);
    dx_err err = dx_sized_copy(&o, sizeof o, options, options_size) &&
                         dx_sized_copy(&f->handler, sizeof f->handler, handler, handler_size)
                     ? begin(f, url, &o)
                     : DX_ERR_UNSUPPORTED;
    if (err != DX_OK) {
        follower_free(f);
        return err;
    }
    if (ret)
        *ret = f;
    return DX_OK;
}

dx_bytes dx_follower_offset(const dx_follower *f)
{
    return dx_bytes_of(f->cursor);
}

void dx_follower_pause(dx_follower *f)
{
    f->is_paused = true;
    if (f->ws)
        dx_ws_pause(f->ws);
}

void dx_follower_resume(dx_follower *f)
{
    f->is_paused = false;
    if (f->ws)
        dx_ws_resume(f->ws);
}

void dx_follower_free(dx_follower *f)
{
    if (f)
        follower_free(f);
}
