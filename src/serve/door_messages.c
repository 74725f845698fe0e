/* The body of a request as messages of a stream.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "codec/json.h"
#include "codec/utf8.h"

#include <stdio.h>
#include <stdlib.h>

void dx_door_messages_drop(dx_door_messages *messages)
{
    for (size_t i = 0; i < messages->count; i++)
        dx_message_unref(messages->at[i]);
    free(messages->at);
    *messages = (dx_door_messages){0};
}

/* One message more; false: answered. */
static bool add_message(dx_exchange *x, dx_bytes payload, uint32_t bytes_max, dx_door_messages *to)
{
    char detail[128];

    if (payload.size > bytes_max) {
        snprintf(detail, sizeof detail,
                 "A message of %zu bytes is too large: at most %u are taken.", payload.size,
                 bytes_max);
        dx_exchange_problem(x, 413, detail);
        return false;
    }
    if ((to->count & (to->count + 1)) == 0) { /* room doubles at 0, 1, 3, 7, … */
        size_t room = (to->count + 1) * 2;
        dx_message **at = realloc(to->at, room * sizeof *at);
        if (at == NULL) {
            dx_door_no_memory(x);
            return false;
        }
        to->at = at;
    }
    dx_message *message = dx_message_new(payload, 0);
    if (message == NULL) {
        dx_door_no_memory(x);
        return false;
    }
    to->at[to->count++] = message;
    return true;
}

/* The elements of an array are messages of their own, one level deep. */
static bool add_json(dx_exchange *x, uint32_t bytes_max, bool is_empty_allowed,
                     dx_door_messages *to)
{
    char detail[160];
    size_t error_at = 0;
    dx_json_items items;
    dx_bytes element;
    dx_json_fault fault = dx_json_check(x->body, DX_JSON_DEPTH_DEFAULT, &error_at);

    if (fault != DX_JSON_OK) {
        snprintf(detail, sizeof detail, "Not JSON at byte %zu: %s", error_at,
                 dx_json_fault_text(fault));
        dx_exchange_problem(x, 400, detail);
        return false;
    }
    if (dx_json_type_of(x->body) != DX_JSON_ARRAY)
        return add_message(x, dx_json_trim(x->body), bytes_max, to);
    dx_json_items_init(&items, x->body);
    while (dx_json_array_next(&items, &element))
        if (!add_message(x, element, bytes_max, to))
            return false;
    if (to->count > 0 || is_empty_allowed)
        return true;
    dx_exchange_problem(x, 400, "An empty array holds no message.");
    return false;
}

static bool add_body(dx_exchange *x, dx_stream_kind kind, uint32_t bytes_max, bool is_empty_allowed,
                     dx_door_messages *to)
{
    if (x->body.size == 0) {
        if (!is_empty_allowed)
            dx_exchange_problem(
                x, 400, "A message has at least one byte. (To close: Stream-Closed: true.)");
        return is_empty_allowed;
    }
    if (kind == DX_STREAM_JSON)
        return add_json(x, bytes_max, is_empty_allowed, to);
    if (kind == DX_STREAM_TEXT && !dx_utf8_is_valid(x->body)) {
        dx_exchange_problem(x, 400, "Text must be UTF-8.");
        return false;
    }
    return add_message(x, x->body, bytes_max, to);
}

bool dx_door_messages_read(dx_exchange *x, dx_stream_kind kind, uint32_t bytes_max,
                           bool is_empty_allowed, dx_door_messages *ret)
{
    dx_door_messages messages = {0};

    if (!add_body(x, kind, bytes_max, is_empty_allowed, &messages)) {
        dx_door_messages_drop(&messages);
        return false;
    }
    *ret = messages;
    return true;
}
