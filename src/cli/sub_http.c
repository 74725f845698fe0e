/* duplex sub by GET: history to its end, or long-poll.
 * SPDX-License-Identifier: MIT */
#include "cli/sub.h"

#include "cli/options.h"
#include "codec/json.h"
#include "serve/door.h"

#include <inttypes.h>
#include <stdio.h>

enum { TIMEOUT_MS = 30000, POLL_MS = 120000, PAGE_BYTES_MAX = 256 << 20, ERROR_BYTES_MAX = 65536 };

static bool is_long_poll(const dx_sub *s)
{
    return s->door == &dx_sub_long_poll && !s->is_last_due;
}

static void keep(char *to, size_t room, dx_bytes value)
{
    size_t size = value.size < room ? value.size : 0;

    dx_copy(to, value.at, size);
    to[size] = '\0';
}

static bool is_true(const dx_http_fields *fields, const char *name)
{
    const dx_http_field *field = dx_http_fields_find(fields, dx_bytes_of(name));
    return field && dx_bytes_equal_nocase(field->value, DX_BYTES("true"));
}

static dx_bytes value_of(const dx_http_fields *fields, const char *name)
{
    const dx_http_field *field = dx_http_fields_find(fields, dx_bytes_of(name));
    return field ? field->value : (dx_bytes){NULL, 0};
}

static void on_head(void *context, const dx_http_response_head *head)
{
    dx_sub *s = context;
    const dx_http_fields *f = &head->fields;
    dx_bytes type = value_of(f, "Content-Type");
    uint64_t seconds;

    s->status = head->code;
    s->retry_after_ms = 0;
    if (dx_bytes_decimal(value_of(f, "Retry-After"), 3600, &seconds))
        s->retry_after_ms = (uint32_t)seconds * 1000;
    s->is_json = dx_door_kind(type) == DX_STREAM_JSON;
    s->is_up_to_date = is_true(f, "Stream-Up-To-Date");
    s->is_closed = is_true(f, "Stream-Closed");
    keep(s->next, sizeof s->next, value_of(f, "Stream-Next-Offset"));
    keep(s->turn, sizeof s->turn, value_of(f, "Stream-Cursor"));
}

static void on_body(void *context, dx_bytes piece)
{
    dx_sub *s = context;
    size_t max = s->status == 200 ? PAGE_BYTES_MAX : ERROR_BYTES_MAX;

    if (s->body.size + piece.size > max || !dx_buffer_append(&s->body, piece))
        s->status = s->status == 200 ? 0 : s->status; /* a page that cannot be held is none */
}

/* ---- a page ----------------------------------------------------------------------------------- */

/* Only the end of a page is a position that is known. */
static void print_array(dx_sub *s, dx_bytes body)
{
    dx_bytes next = dx_bytes_of(s->next), element, following;
    dx_json_items items;
    bool has_element = dx_json_items_init(&items, body) && dx_json_array_next(&items, &element);

    while (has_element && !s->is_over) {
        bool has_more = dx_json_array_next(&items, &following);
        dx_sub_print(s, has_more ? (dx_bytes){NULL, 0} : next, element);
        element = following;
        has_element = has_more;
    }
}

static bool is_array(dx_bytes body)
{
    size_t error_at;

    return dx_json_check(body, DX_JSON_DEPTH_DEFAULT, &error_at) == DX_JSON_OK &&
           dx_json_type_of(body) == DX_JSON_ARRAY;
}

static void print_page(dx_sub *s)
{
    dx_bytes body = dx_buffer_view(&s->body);

    if (s->is_json && is_array(body))
        print_array(s, body);
    else if (body.size > 0)
        dx_sub_print(s, dx_bytes_of(s->next), body);
    dx_sub_move(s, dx_bytes_of(s->next));
    dx_sub_progressed(s);
}

static void connect_it(dx_sub *s);

/* What comes after a page, or after a long-poll in vain. */
static void go_on(dx_sub *s)
{
    bool was_last = s->is_last_due;

    s->is_last_due = false;
    if (s->is_over)
        return;
    if (s->is_up_to_date && (s->is_closed || s->door == &dx_sub_history))
        dx_sub_finish(s, DX_EXIT_OK);
    else if (s->next[0] == '\0')
        dx_sub_lost(s, "the server gave no Stream-Next-Offset", 0);
    else if (was_last)
        s->door->connect(s);
    else
        connect_it(s);
}

/* 410: what follows the cursor is not kept any more. {"earliest":…,"latest":…} */
static bool skip_gap(dx_sub *s)
{
    dx_bytes body = dx_buffer_view(&s->body), earliest;
    size_t error_at;
    uint8_t text[DX_SUB_CURSOR_BYTES];

    if (s->status != 410 || dx_json_check(body, DX_JSON_DEPTH_DEFAULT, &error_at) != DX_JSON_OK ||
        !dx_json_object_find(body, DX_BYTES("earliest"), &earliest) ||
        dx_json_type_of(earliest) != DX_JSON_TEXT || earliest.size >= sizeof text)
        return false;
    dx_bytes cursor = dx_bytes_at(text, dx_json_string_read(earliest, text));
    if (cursor.size == 0 || dx_bytes_equal(cursor, dx_bytes_of(s->cursor)))
        return false; /* it would go round for ever */
    dx_sub_gap(s, (dx_bytes){NULL, 0}, cursor);
    connect_it(s);
    return true;
}

/* Nobody has written to it yet: all that will be is still to come. */
static bool is_not_begun(dx_sub *s)
{
    if (s->status != 404 || !s->is_last_due || s->door == &dx_sub_history)
        return false;
    s->is_last_due = false;
    dx_sub_move(s, DX_BYTES("-1"));
    s->door->connect(s);
    return true;
}

static void on_done(void *context)
{
    dx_sub *s = context;

    if (s->is_over)
        return;
    if (s->status == 200 || s->status == 204) {
        dx_sub_opened(s);
        print_page(s);
        go_on(s);
    } else if (s->status == 0) {
        dx_cli_say("sub", "an answer is larger than can be held here");
        dx_sub_finish(s, DX_EXIT_FAILURE);
    } else if (!skip_gap(s) && !is_not_begun(s)) {
        dx_sub_refused(s);
    }
}

static void on_failed(void *context, dx_err err, const char *text)
{
    dx_sub_failed(context, err, text, 0);
}

/* ---- the doors -------------------------------------------------------------------------------- */

static void write_target(dx_sub *s)
{
    char number[24];

    dx_sub_target_begin(s);
    if (s->is_last_due) {
        snprintf(number, sizeof number, "%" PRIu64, s->options->last);
        dx_sub_target_add(s, "last", number);
        return;
    }
    const char *otherwise = is_long_poll(s) ? "now" : "-1";
    dx_sub_target_add(s, "offset", s->cursor[0] ? s->cursor : otherwise);
    if (is_long_poll(s))
        dx_sub_target_add(s, "live", "long-poll");
    if (is_long_poll(s) && s->turn[0])
        dx_sub_target_add(s, "cursor", s->turn);
}

static void connect_it(dx_sub *s)
{
    static const dx_header accept = {DX_BYTES("Accept"), DX_BYTES("*/*")};

    write_target(s);
    dx_buffer_clear(&s->body);
    s->status = 0;
    if (s->client == NULL)
        s->client =
            dx_http_client_new(&s->remote.origin, &(dx_http_client_handler){.head = on_head,
                                                                            .body = on_body,
                                                                            .done = on_done,
                                                                            .failed = on_failed,
                                                                            .context = s});
    dx_err err = DX_ERR_MEMORY;
    if (s->client && !s->is_over)
        err =
            dx_http_client_send(s->client, &(dx_http_client_request){
                                               .method = DX_BYTES("GET"),
                                               .target = dx_buffer_view(&s->remote.target),
                                               .authority = s->remote.url.authority,
                                               .headers = &accept,
                                               .headers_count = 1,
                                               .timeout_ms = is_long_poll(s) ? POLL_MS : TIMEOUT_MS,
                                               .keep_alive = true,
                                           });
    if (err != DX_OK)
        dx_sub_lost(s, dx_err_text(err), 0);
}

static bool close_it(dx_sub *s)
{
    (void)s;
    return false;
}

const dx_sub_door dx_sub_long_poll = {connect_it, close_it};
const dx_sub_door dx_sub_history = {connect_it, close_it};
