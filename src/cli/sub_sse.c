/* duplex sub by server-sent events, as an EventSource has them: an id for each message.
 * SPDX-License-Identifier: MIT */
#include "cli/sub.h"

#include "cli/options.h"
#include "codec/base64.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEAD_MS = 30000, SILENCE_MS = 60000, ERROR_BYTES_MAX = 65536 };

static void on_head(void *context, const dx_http_response_head *head)
{
    dx_sub *s = context;
    const dx_http_field *encoding =
        dx_http_fields_find(&head->fields, DX_BYTES("Stream-SSE-Data-Encoding"));
    const dx_http_field *retry = dx_http_fields_find(&head->fields, DX_BYTES("Retry-After"));
    uint64_t seconds = 0;

    s->status = head->code;
    s->is_base64 = encoding && dx_bytes_equal_nocase(encoding->value, DX_BYTES("base64"));
    if (retry == NULL || !dx_bytes_decimal(retry->value, 3600, &seconds))
        seconds = 0;
    s->retry_after_ms = (uint32_t)seconds * 1000;
    if (head->code == 200)
        dx_sub_opened(s);
}

/* ---- events ----------------------------------------------------------------------------------- */

static bool member(dx_bytes object, const char *name, dx_bytes *ret)
{
    size_t error_at;

    return dx_json_check(object, DX_JSON_DEPTH_DEFAULT, &error_at) == DX_JSON_OK &&
           dx_json_object_find(object, dx_bytes_of(name), ret);
}

static void on_data(dx_sub *s, dx_bytes data)
{
    size_t size = 0;
    dx_bytes id = dx_sse_last_id(&s->events);

    if (!s->is_base64) {
        dx_sub_print(s, id, data);
        return;
    }
    uint8_t *bytes = malloc(data.size + 1);
    if (bytes && dx_base64_read(data, bytes, data.size, &size)) {
        dx_sub_print(s, id, dx_bytes_at(bytes, size));
    } else {
        dx_cli_say("sub", "the server sent an event that is not base64");
        dx_sub_finish(s, DX_EXIT_FAILURE);
    }
    free(bytes);
}

static void on_event(dx_sub *s, const dx_sse_event *e)
{
    dx_bytes lost = {NULL, 0}, id = dx_sse_last_id(&s->events);

    if (dx_bytes_equal(e->type, DX_BYTES("message"))) {
        on_data(s, e->data);
    } else if (dx_bytes_equal(e->type, DX_BYTES("gap"))) {
        if (!member(e->data, "lost", &lost) || dx_json_type_of(lost) != DX_JSON_NUMERIC)
            lost = (dx_bytes){NULL, 0};
        dx_sub_gap(s, lost, id);
    } else if (dx_bytes_equal(e->type, DX_BYTES("closed"))) {
        dx_sub_move(s, id);
        dx_sub_finish(s, DX_EXIT_OK);
    } else {
        dx_sub_move(s, id); /* ready, and what is not known here */
    }
}

static void on_body(void *context, dx_bytes piece)
{
    dx_sub *s = context;
    dx_sse_event event;

    if (s->status != 200) {
        piece.size = dx_min_size(piece.size, ERROR_BYTES_MAX - s->body.size);
        if (!dx_buffer_append(&s->body, piece))
            dx_buffer_clear(&s->body);
        return;
    }
    for (;;) {
        dx_sse_status status = s->is_over ? DX_SSE_MORE : dx_sse_read(&s->events, &piece, &event);
        if (status == DX_SSE_MORE)
            break;
        if (status == DX_SSE_EVENT) {
            on_event(s, &event);
            continue;
        }
        dx_cli_say("sub", status == DX_SSE_MEMORY ? "out of memory"
                                                  : "the server sent too large an event");
        dx_sub_finish(s, DX_EXIT_FAILURE);
        break;
    }
    if (s->events.has_retry)
        s->retry_ms = (uint32_t)dx_min_u64(s->events.retry_ms, 60000);
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void on_done(void *context)
{
    dx_sub *s = context;

    if (s->is_over)
        return;
    if (s->status == 204) /* HTML §9.2.3: nothing more will come */
        dx_sub_finish(s, DX_EXIT_OK);
    else if (s->status != 200)
        dx_sub_refused(s);
    else
        dx_sub_lost(s, "the server ended its answer", s->retry_ms);
}

static void on_failed(void *context, dx_err err, const char *text)
{
    dx_sub *s = context;

    dx_sub_failed(s, err, text, s->retry_ms);
}

/* ---- the door --------------------------------------------------------------------------------- */

/* A client of its own each time: what --last used has other handlers, and this one ends with its answer. */
static bool client_renew(dx_sub *s)
{
    dx_http_client_free(s->client);
    s->client = dx_http_client_new(
        &s->remote.origin,
        &(dx_http_client_handler){
            .head = on_head, .body = on_body, .done = on_done, .failed = on_failed, .context = s});
    return s->client != NULL;
}

static void connect_it(dx_sub *s)
{
    static const dx_header accept = {DX_BYTES("Accept"), DX_BYTES("text/event-stream")};

    dx_sub_target_begin(s);
    if (s->cursor[0])
        dx_sub_target_add(s, "offset", s->cursor);
    dx_buffer_clear(&s->body);
    dx_sse_reader_restart(&s->events);
    s->status = 0;
    dx_err err = DX_ERR_MEMORY;
    if (!s->is_over && client_renew(s))
        err = dx_http_client_send(s->client, &(dx_http_client_request){
                                                 .method = DX_BYTES("GET"),
                                                 .target = dx_buffer_view(&s->remote.target),
                                                 .authority = s->remote.url.authority,
                                                 .headers = &accept,
                                                 .headers_count = 1,
                                                 .timeout_ms = HEAD_MS,
                                                 .silence_ms = SILENCE_MS,
                                             });
    if (err != DX_OK)
        dx_sub_lost(s, dx_err_text(err), 0);
}

static bool close_it(dx_sub *s)
{
    (void)s;
    return false;
}

const dx_sub_door dx_sub_sse = {connect_it, close_it};
