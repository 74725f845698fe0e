/* duplex compare by WebSocket, as it is and deflated: the same connection carries what is published,
 * and brings it back.
 * SPDX-License-Identifier: MIT */
#include "cli/compare.h"

#include "codec/http_status.h"

enum { MESSAGE_BYTES_MAX = 1 << 20, GOODBYE_MS = 500, GOODBYE_STEP_MS = 20 };

static void on_open(dx_ws *ws, void *context)
{
    dx_compare_line *line = context;

    line->ws = ws;
    if (line->way->is_deflated && ws->send_bits == 0)
        line->missing = "the server does not deflate";
    line->is_open = true;
}

static void on_message(dx_ws *ws, const dx_ws_message *message, void *context)
{
    dx_compare_line *line = context;

    (void)ws;
    if (!line->is_failed)
        dx_compare_got(line, message->payload);
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    dx_compare_line *line = context;

    (void)ws;
    line->ws = NULL;
    if (line->is_open) /* else it was our wish */
        dx_compare_fail(line, "the server ended it: %u %.*s", code, DX_FORMAT(reason));
}

static void on_failed(void *user, dx_err err, unsigned status, const char *text)
{
    if (status == 0 || status == 101)
        dx_compare_fail_by(user, err, text);
    else
        dx_compare_fail(user, "the server answered %u %s: %s", status, dx_http_reason(status),
                        text);
}

static void open_it(dx_compare_line *line)
{
    dx_ws_worker_init(&line->worker, &line->remote.net);
    dx_compare_target(line, line->way->is_deaf ? "read" : "offset",
                      line->way->is_deaf ? "0" : line->cursor);
    line->endpoint = (dx_ws_endpoint){
        .handler = {.open = on_open, .message = on_message, .close = on_close, .context = line},
        .config = DX_WS_CONFIG_DEFAULT,
    };
    line->endpoint.config.message_bytes_max = MESSAGE_BYTES_MAX;
    line->endpoint.config.is_deflate = line->way->is_deflated;
    dx_err err = dx_ws_connect(&line->worker, &(dx_ws_connect_options){
                                                  .endpoint = &line->endpoint,
                                                  .server = &line->remote.origin,
                                                  .authority = line->remote.url.authority,
                                                  .target = dx_buffer_view(&line->remote.target),
                                                  .timeout_ms = DX_COMPARE_PATIENCE_MS,
                                                  .user = line,
                                                  .failed = on_failed,
                                              });
    line->requests_count += err == DX_OK;
    if (err != DX_OK)
        dx_compare_fail(line, "%s", dx_err_text(err));
}

static void say(dx_compare_line *line, dx_bytes message)
{
    if (line->ws == NULL || dx_ws_send(line->ws, DX_WS_MESSAGE_TEXT, message) != DX_SEND_QUEUED)
        dx_compare_fail(line, "the connection takes nothing more");
}

static void close_it(dx_compare_line *line)
{
    if (line->ws == NULL)
        return;
    line->is_open = false;
    dx_ws_close(line->ws, 1000, (dx_bytes){NULL, 0});
    for (int i = 0; i < GOODBYE_MS / GOODBYE_STEP_MS && line->ws; i++)
        dx_compare_line_step(line, GOODBYE_STEP_MS);
}

const dx_compare_way dx_compare_ws = {
    .id = "websocket",
    .name = "WebSocket",
    .open = open_it,
    .say = say,
    .close = close_it,
};

const dx_compare_way dx_compare_ws_deflated = {
    .id = "websocket-deflated",
    .name = "WebSocket, deflated",
    .open = open_it,
    .say = say,
    .close = close_it,
    .is_deflated = true,
};

const dx_compare_way dx_compare_ws_publisher = {
    .id = "publisher",
    .name = "publisher",
    .open = open_it,
    .say = say,
    .close = close_it,
    .is_deaf = true,
};
