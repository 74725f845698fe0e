/* The doors of a stream: what requests to them have in common.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "codec/http_list.h"
#include "codec/stream_rules.h"
#include "codec/url.h"

#include <stdio.h>

dx_hub *dx_door_hub(const dx_exchange *x)
{
    dx_worker *w = dx_worker_of(x);
    return dx_streams_hub(w->server->streams, w->index);
}

void dx_door_forget(dx_exchange *x, void *context)
{
    dx_exchange **of = context;

    (void)x;
    *of = NULL;
}

/* ---- names ------------------------------------------------------------------------------------ */

/* A page that may not read the answer may not ask either: what its browser sends by itself, cookies and certificates,
 * is not the page's to use. */
static bool is_from_allowed_page(dx_exchange *x, const dx_stream_route *route)
{
    if (dx_exchange_is_own_origin(x) || dx_door_origin(x, route).size > 0)
        return true;
    dx_exchange_problem(
        x, 403,
        "Pages of this Origin may not use streams here: only those of the same host, and of the "
        "server's setting origins. Programs send no Origin.");
    return false;
}

/* What codec/url lets through is UTF-8 without "..", NUL and other controls. */
bool dx_door_enter(dx_exchange *x, const dx_stream_route *route)
{
    dx_bytes name = dx_exchange_parameter(x, "**"), segment;

    if (!is_from_allowed_page(x, route))
        return false;
    if (x->path.size > DX_PATH_BYTES_MAX) {
        dx_exchange_problem(x, 400, "The stream's path is longer than 1024 bytes.");
        return false;
    }
    if (name.size == 0) {
        dx_exchange_problem(x, 404, "A stream has a name behind the prefix.");
        return false;
    }
    if (dx_bytes_split(&name, '/', &segment) && dx_bytes_equal(segment, DX_BYTES("__ds"))) {
        dx_exchange_problem(
            x, 404,
            "Names that begin with __ds are reserved for the subscriptions API of Durable "
            "Streams, which this server does not offer.");
        return false;
    }
    return true;
}

/* ---- query ------------------------------------------------------------------------------------ */

static bool name_is(dx_exchange *x, dx_bytes name, dx_bytes wanted)
{
    dx_bytes decoded;

    if (dx_bytes_find(name, '%') == name.size && dx_bytes_find(name, '+') == name.size)
        return dx_bytes_equal(name, wanted);
    uint8_t *memory = dx_arena_take(&x->arena, name.size);
    return memory && dx_url_query_decode(name, memory, name.size, &decoded) == DX_URL_OK &&
           dx_bytes_equal(decoded, wanted);
}

static bool bad_argument(dx_exchange *x, const char *name, const char *what)
{
    char detail[160];

    snprintf(detail, sizeof detail, "The query parameter %s %s.", name, what);
    dx_exchange_problem(x, 400, detail);
    return false;
}

bool dx_door_argument(dx_exchange *x, const char *name, dx_bytes *ret)
{
    dx_bytes query = x->head.query, key, value, found = {0}, decoded = {0};
    bool is_found = false;

    while (dx_url_query_next(&query, &key, &value)) {
        if (!name_is(x, key, dx_bytes_of(name)))
            continue;
        if (is_found)
            return bad_argument(x, name, "may be given only once");
        is_found = true;
        found = value;
    }
    if (is_found) {
        uint8_t *memory = dx_arena_take(&x->arena, found.size + 1);
        if (memory == NULL) {
            dx_door_no_memory(x);
            return false;
        }
        if (dx_url_query_decode(found, memory, found.size, &decoded) != DX_URL_OK)
            return bad_argument(x, name, "is not percent-encoded UTF-8");
        if (decoded.at == NULL || decoded.size == 0)
            decoded = (dx_bytes){memory, 0};
    }
    *ret = decoded;
    return true;
}

bool dx_door_position(dx_exchange *x, dx_offset_kind otherwise, dx_position *ret)
{
    dx_position position = {.kind = otherwise};
    dx_bytes text;

    if (!dx_door_argument(x, "offset", &text))
        return false;
    if (text.at != NULL)
        position.kind = dx_offset_read(text, &position.at);
    if (position.kind == DX_OFFSET_BAD) {
        dx_exchange_problem(
            x, 400, "offset must be -1 (the start), now, or a value of Stream-Next-Offset.");
        return false;
    }
    *ret = position;
    return true;
}

/* ---- fields ----------------------------------------------------------------------------------- */

bool dx_door_field(dx_exchange *x, dx_http_name id, size_t bytes_max, dx_bytes *ret)
{
    char detail[160];
    const dx_http_field *field = dx_http_fields_get(&x->head.fields, id);
    dx_bytes value = field ? field->value : (dx_bytes){NULL, 0};

    if (field && (dx_http_fields_next(&x->head.fields, field) || value.size == 0 ||
                  value.size > bytes_max)) {
        snprintf(detail, sizeof detail, "%.*s must be given once, with 1 to %zu bytes.",
                 DX_FORMAT(dx_http_name_text(id)), bytes_max);
        dx_exchange_problem(x, 400, detail);
        return false;
    }
    *ret = value;
    return true;
}

bool dx_door_is_closing(const dx_exchange *x)
{
    return dx_stream_is_true(dx_http_fields_value(&x->head.fields, DX_HTTP_STREAM_CLOSED));
}

/* ---- content types ---------------------------------------------------------------------------- */

static bool is_token(dx_bytes text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = dx_ascii_lower(text.at[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (c == 0 || !strchr(others, c)))
            return false;
    }
    return text.size > 0;
}

/* RFC 9110 §8.3.1: type "/" subtype parameters. */
static bool is_media_type(dx_bytes type)
{
    dx_bytes rest = type, media = dx_http_parameters_head(&rest), main_type;
    dx_http_parameter parameter;
    dx_http_parameter_status status;

    if (!dx_bytes_split(&media, '/', &main_type) || media.at == NULL || !is_token(main_type) ||
        !is_token(media))
        return false;
    do
        status = dx_http_parameter_next(&rest, &parameter);
    while (status == DX_HTTP_PARAMETER_OK && parameter.value.at != NULL);
    return status == DX_HTTP_PARAMETER_NONE;
}

bool dx_door_type(dx_exchange *x, dx_bytes *ret)
{
    dx_bytes type;

    if (!dx_door_field(x, DX_HTTP_CONTENT_TYPE, DX_TYPE_BYTES_MAX, &type))
        return false;
    if (type.size > 0 && !is_media_type(type)) {
        dx_exchange_problem(x, 400, "Content-Type must be a media type, such as application/json.");
        return false;
    }
    *ret = type;
    return true;
}

bool dx_door_check_type(dx_exchange *x, const dx_namespace *ns, dx_bytes type)
{
    char detail[512];

    if (ns->type == NULL || dx_bytes_equal_nocase(type, dx_bytes_of(ns->type)) ||
        dx_http_type_is(type, dx_bytes_of(ns->type)))
        return true;
    snprintf(detail, sizeof detail, "The streams below this prefix are all of type %s.", ns->type);
    dx_exchange_problem(x, 409, detail);
    return false;
}

dx_stream_kind dx_door_kind(dx_bytes type)
{
    dx_bytes rest = type, media = dx_http_parameters_head(&rest);

    if (dx_http_type_is(type, DX_BYTES("application/json")) ||
        (media.size > 5 &&
         dx_bytes_equal_nocase(dx_bytes_at(media.at + media.size - 5, 5), DX_BYTES("+json"))))
        return DX_STREAM_JSON;
    if (media.size > 5 && dx_bytes_equal_nocase(dx_bytes_at(media.at, 5), DX_BYTES("text/")))
        return DX_STREAM_TEXT;
    return DX_STREAM_BINARY;
}
