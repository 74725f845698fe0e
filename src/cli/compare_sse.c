/* duplex compare by server-sent events, as an EventSource has them; what is published goes beside them.
 * Source: HTML Living Standard §9.2.
 * SPDX-License-Identifier: MIT */
#include "cli/compare.h"

enum { SILENCE_MS = 60000, ERROR_BYTES_MAX = 65536 };

static void on_head(void *context, const dx_http_response_head *head)
{
    ((dx_compare_line *)context)->status = head->code;
}

static void on_event(dx_compare_line *line, const dx_sse_event *event)
{
    if (dx_bytes_equal(event->type, DX_BYTES("message")))
        dx_compare_got(line, event->data);
    else if (dx_bytes_equal(event->type, DX_BYTES("ready")))
        line->is_open = true;
}

static void on_body(void *context, dx_bytes piece)
{
    dx_compare_line *line = context;
    dx_sse_event event;

    if (line->status != 200) {
        piece.size = dx_min_size(piece.size, ERROR_BYTES_MAX - line->reads.body.size);
        if (!dx_buffer_append(&line->reads.body, piece))
            dx_buffer_clear(&line->reads.body);
        return;
    }
    while (!line->is_failed) {
        dx_sse_status status = dx_sse_read(&line->events, &piece, &event);
        if (status == DX_SSE_MORE)
            return;
        if (status == DX_SSE_EVENT)
            on_event(line, &event);
        else
            dx_compare_fail(line, "an event is larger than can be held here");
    }
}

static void on_done(void *context)
{
    dx_compare_line *line = context;
    char text[DX_CLI_REFUSAL_BYTES];

    dx_cli_refusal_write(line->status, dx_buffer_view(&line->reads.body), text);
    dx_compare_fail(line, "%s", line->status == 200 ? "the server ended its answer" : text);
}

static void on_failed(void *context, dx_err err, const char *text)
{
    dx_compare_fail_by(context, err, text);
}

static void open_it(dx_compare_line *line)
{
    static const dx_header accept = {DX_BYTES("Accept"), DX_BYTES("text/event-stream")};
    dx_err err = DX_ERR_MEMORY;

    dx_compare_target(line, "offset", line->cursor);
    line->reads.client =
        dx_http_client_new(&line->remote.origin, &(dx_http_client_handler){.head = on_head,
                                                                           .body = on_body,
                                                                           .done = on_done,
                                                                           .failed = on_failed,
                                                                           .context = line});
    if (line->reads.client)
        err = dx_http_client_send(line->reads.client,
                                  &(dx_http_client_request){
                                      .method = DX_BYTES("GET"),
                                      .target = dx_buffer_view(&line->remote.target),
                                      .authority = line->remote.url.authority,
                                      .headers = &accept,
                                      .headers_count = 1,
                                      .timeout_ms = DX_COMPARE_PATIENCE_MS,
                                      .silence_ms = SILENCE_MS,
                                      .keep_alive = true,
                                  });
    line->requests_count += err == DX_OK;
    if (err != DX_OK)
        dx_compare_fail(line, "%s", dx_err_text(err));
}

static void say(dx_compare_line *line, dx_bytes message)
{
    dx_compare_post(line, &line->writes, message);
}

static void close_it(dx_compare_line *line)
{
    (void)line;
}

const dx_compare_way dx_compare_sse = {
    .id = "sse",
    .name = "SSE",
    .open = open_it,
    .say = say,
    .close = close_it,
};
