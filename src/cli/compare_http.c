/* Requests of duplex compare, and the ways that are nothing but requests: with a connection for each, and
 * with one for all.
 * Source: RFC 1945; RFC 9112 §9.3.
 * SPDX-License-Identifier: MIT */
#include "cli/compare.h"

#include "cli/options.h"

enum { BODY_BYTES_MAX = 64 << 20, REQUEST_MS = 30000 };

static void on_head(void *context, const dx_http_response_head *head)
{
    dx_compare_requests *r = context;
    dx_bytes next = dx_http_fields_value(&head->fields, DX_HTTP_STREAM_NEXT_OFFSET);

    r->status = head->code;
    if (!r->is_reading || head->code < 200 || head->code > 299 || next.size == 0 ||
        next.size >= sizeof r->line->cursor)
        return;
    memcpy(r->line->cursor, next.at, next.size);
    r->line->cursor[next.size] = '\0';
}

static void on_body(void *context, dx_bytes piece)
{
    dx_compare_requests *r = context;

    if (r->body.size + piece.size > BODY_BYTES_MAX || !dx_buffer_append(&r->body, piece))
        dx_compare_fail(r->line, "an answer is larger than can be held here");
}

static void on_done(void *context)
{
    dx_compare_requests *r = context;
    char text[DX_CLI_REFUSAL_BYTES];

    r->is_under_way = false;
    if (r->status < 200 || r->status > 299) {
        dx_cli_refusal_write(r->status, dx_buffer_view(&r->body), text);
        dx_compare_fail(r->line, "%s", text);
    }
    if (!r->line->is_failed)
        r->done(r->line);
}

static void on_failed(void *context, dx_err err, const char *text)
{
    dx_compare_requests *r = context;

    r->is_under_way = false;
    dx_compare_fail_by(r->line, err, text);
}

static bool client_ready(dx_compare_requests *r)
{
    dx_cli_remote *remote = &r->line->remote;

    if (r->client == NULL)
        r->client =
            dx_http_client_new(&remote->origin, &(dx_http_client_handler){.head = on_head,
                                                                          .body = on_body,
                                                                          .done = on_done,
                                                                          .failed = on_failed,
                                                                          .context = r});
    return r->client != NULL;
}

void dx_compare_request(dx_compare_requests *r, const char *method, dx_bytes body)
{
    static const dx_header json = {DX_BYTES("Content-Type"), DX_BYTES("application/json")};
    dx_compare_line *line = r->line;
    bool is_1_0 = line->way && line->way->is_1_0;
    bool has_content = strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0;
    dx_err err = DX_ERR_MEMORY;

    dx_buffer_clear(&r->body);
    r->status = 0;
    if (!line->is_failed && client_ready(r))
        err = dx_http_client_send(r->client, &(dx_http_client_request){
                                                 .method = dx_bytes_of(method),
                                                 .target = dx_buffer_view(&line->remote.target),
                                                 .authority = line->remote.url.authority,
                                                 .headers = &json,
                                                 .headers_count = has_content,
                                                 .body = body,
                                                 .timeout_ms = REQUEST_MS,
                                                 .keep_alive = !is_1_0,
                                                 .is_1_0 = is_1_0,
                                             });
    r->is_under_way = err == DX_OK;
    line->requests_count += err == DX_OK;
    if (err != DX_OK)
        dx_compare_fail(line, "%s", dx_err_text(err));
}

static void on_posted(dx_compare_line *line)
{
    line->is_busy = false;
}

void dx_compare_post(dx_compare_line *line, dx_compare_requests *r, dx_bytes message)
{
    line->is_busy = true;
    r->is_reading = false;
    if (r->done == NULL)
        r->done = on_posted;
    dx_compare_target(line, NULL, NULL);
    dx_compare_request(r, "POST", message);
}

void dx_compare_get(dx_compare_line *line, dx_compare_requests *r, const char *live)
{
    r->is_reading = true;
    dx_compare_target(line, "offset", line->cursor);
    if (live && !dx_cli_remote_add_argument(&line->remote, "live", live))
        dx_compare_fail(line, "%s", dx_err_text(DX_ERR_MEMORY));
    dx_compare_request(r, "GET", (dx_bytes){NULL, 0});
}

/* ---- the ways --------------------------------------------------------------------------------- */

static void open_it(dx_compare_line *line)
{
    line->is_open = true;
}

static void on_answer(dx_compare_line *line);

/* Unless the answer to the last time is still under way. */
void dx_compare_ask(dx_compare_line *line)
{
    line->reads.done = on_answer;
    if (!line->reads.is_under_way)
        dx_compare_get(line, &line->reads, NULL);
}

/* What was published is there: the answer to POST said so. */
static void on_answer(dx_compare_line *line)
{
    if (line->reads.is_reading) {
        dx_compare_got_array(line, dx_buffer_view(&line->reads.body));
        line->is_busy = false;
    } else {
        dx_compare_ask(line);
    }
}

void dx_compare_say_and_ask(dx_compare_line *line, dx_bytes message)
{
    line->reads.done = on_answer;
    dx_compare_post(line, &line->reads, message);
}

static void close_it(dx_compare_line *line)
{
    (void)line;
}

const dx_compare_way dx_compare_http_1_0 = {
    .id = "http-1.0",
    .name = "HTTP/1.0",
    .open = open_it,
    .say = dx_compare_say_and_ask,
    .ask = dx_compare_ask,
    .close = close_it,
    .is_1_0 = true,
};

const dx_compare_way dx_compare_http_1_1 = {
    .id = "http-1.1",
    .name = "HTTP/1.1",
    .open = open_it,
    .say = dx_compare_say_and_ask,
    .ask = dx_compare_ask,
    .close = close_it,
};
