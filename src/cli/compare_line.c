/* A line of duplex compare: one way to one stream, and what came through it.
 * SPDX-License-Identifier: MIT */
#include "cli/compare.h"

#include "base/clock.h"
#include "cli/options.h"
#include "codec/json.h"

#include <inttypes.h>
#include <stdarg.h>

void dx_compare_fail(dx_compare_line *line, const char *format, ...)
{
    va_list args;

    if (line->is_failed)
        return;
    line->is_failed = true;
    va_start(args, format);
    vsnprintf(line->why, sizeof line->why, format, args);
    va_end(args);
}

void dx_compare_fail_by(dx_compare_line *line, dx_err err, const char *text)
{
    char why[DX_CLI_FAILURE_BYTES];

    dx_cli_remote_failure_write(&line->remote, err, text, why);
    dx_compare_fail(line, "%s", why);
}

/* ---- what came -------------------------------------------------------------------------------- */

void dx_compare_got(dx_compare_line *line, dx_bytes message)
{
    uint64_t now = dx_clock_ns(), number, due = line->due_ns + line->next * line->interval_ns;

    if (!dx_compare_message_number(message, &number)) {
        dx_compare_fail(line, "the server gave something that was not published");
    } else if (number != line->next) {
        dx_compare_fail(line, "message %" PRIu64 " came where %" PRIu64 " was due", number,
                        line->next);
    } else {
        line->next++;
        if (line->samples && !dx_samples_add(line->samples, now > due ? now - due : 0))
            dx_compare_fail(line, "%s", dx_err_text(DX_ERR_MEMORY));
    }
}

void dx_compare_got_array(dx_compare_line *line, dx_bytes body)
{
    size_t error_at;
    dx_bytes element;
    dx_json_items items;

    if (dx_json_check(body, DX_JSON_DEPTH_DEFAULT, &error_at) != DX_JSON_OK ||
        dx_json_type_of(body) != DX_JSON_ARRAY || !dx_json_items_init(&items, body)) {
        dx_compare_fail(line, "the server's answer is no JSON array");
        return;
    }
    while (!line->is_failed && dx_json_array_next(&items, &element))
        dx_compare_got(line, element);
}

/* ---- life ------------------------------------------------------------------------------------- */

void dx_compare_target(dx_compare_line *line, const char *name, const char *value)
{
    dx_buffer *target = &line->remote.target;

    target->size = dx_bytes_find(dx_buffer_view(target), '?');
    if (name && !dx_cli_remote_add_argument(&line->remote, name, value))
        dx_compare_fail(line, "%s", dx_err_text(DX_ERR_MEMORY));
}

bool dx_compare_line_open(dx_compare_line *line, const char *url, const dx_cli_reach *reach,
                          const dx_compare_way *way)
{
    dx_cli_reach by = *reach;

    *line = (dx_compare_line){.way = way};
    by.http = way && way->is_http2 ? "2" : "1.1"; /* each by what it is called */
    line->reads.line = line->writes.line = line;
    dx_sse_reader_init(&line->events, DX_SSE_DATA_BYTES_DEFAULT);
    if (dx_cli_remote_open(&line->remote, "compare", url, &by) == DX_EXIT_OK)
        return true;
    dx_compare_fail(line, "there is no way there"); /* it was said why */
    return false;
}

void dx_compare_line_step(dx_compare_line *line, int wait_ms)
{
    dx_loop_step(line->remote.loop, wait_ms);
}

void dx_compare_line_close(dx_compare_line *line)
{
    if (line->way && line->remote.loop)
        line->way->close(line);
    line->way = NULL;
    dx_http_client_free(line->reads.client);
    dx_http_client_free(line->writes.client);
    line->reads.client = line->writes.client = NULL;
    dx_cli_remote_close(&line->remote);
    line->remote = (dx_cli_remote){0};
    if (line->worker.net)
        dx_ws_worker_deinit(&line->worker);
    line->worker = (dx_ws_worker){0};
    dx_sse_reader_deinit(&line->events);
    dx_buffer_clear(&line->reads.body);
    dx_buffer_clear(&line->writes.body);
}
