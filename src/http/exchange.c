/* One request and its response: what does not depend on the carrier.
 * SPDX-License-Identifier: MIT */
#include "http/exchange.h"

#include "base/assert.h"
#include "codec/http_list.h"
#include "codec/json.h"
#include "codec/url.h"

#include <stdio.h>

dx_bytes dx_exchange_method(const dx_exchange *x)
{
    return x->head.method_text;
}

dx_bytes dx_exchange_path(const dx_exchange *x)
{
    return x->path;
}

dx_bytes dx_exchange_query(const dx_exchange *x)
{
    return x->head.query;
}

dx_bytes dx_exchange_body(const dx_exchange *x)
{
    return x->body;
}

dx_bytes dx_exchange_header(const dx_exchange *x, const char *name)
{
    const dx_http_field *field = dx_http_fields_find(&x->head.fields, dx_bytes_of(name));
    return field ? field->value : (dx_bytes){NULL, 0};
}

dx_bytes dx_exchange_parameter(const dx_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->match.parameters_count; i++)
        if (dx_bytes_equal(x->match.parameters[i].name, dx_bytes_of(name)))
            return x->match.parameters[i].value;
    return (dx_bytes){NULL, 0};
}

dx_bytes dx_exchange_argument(dx_exchange *x, const char *name)
{
    dx_bytes value, decoded;

    if (!dx_url_query_find(x->head.query, dx_bytes_of(name), &value))
        return (dx_bytes){NULL, 0};
    uint8_t *memory = dx_arena_take(&x->arena, value.size + 1);
    if (memory == NULL || dx_url_query_decode(value, memory, value.size, &decoded) != DX_URL_OK)
        return (dx_bytes){NULL, 0};
    return decoded.at ? decoded : (dx_bytes){memory, 0};
}

/* ---- answering -------------------------------------------------------------------------------- */

void dx_exchange_start(dx_exchange *x, const dx_response *response, uint64_t length)
{
    dx_assert(x->state == DX_EXCHANGE_HANDLING || x->state == DX_EXCHANGE_READING);
    x->state = DX_EXCHANGE_STREAMING;
    x->status = (uint16_t)(response->status ? response->status : 200);
    x->ops->start(x, response, length);
}

static void count_content(dx_exchange *x, size_t bytes)
{
    if (x->head.method != DX_HTTP_HEAD)
        x->sent_bytes += bytes;
}

dx_send_result dx_exchange_write(dx_exchange *x, dx_bytes piece)
{
    dx_assert(x->state == DX_EXCHANGE_STREAMING);
    if (x->ops->is_busy(x))
        return DX_SEND_BUSY;
    count_content(x, piece.size);
    return x->ops->write(x, piece);
}

void dx_exchange_put(dx_exchange *x, dx_bytes piece)
{
    dx_assert(x->state == DX_EXCHANGE_STREAMING);
    if (piece.size == 0)
        return;
    count_content(x, piece.size);
    x->ops->write(x, piece);
}

void dx_exchange_end(dx_exchange *x)
{
    dx_assert(x->state == DX_EXCHANGE_STREAMING);
    x->state = DX_EXCHANGE_OVER;
    dx_exchange_note(x);
    x->on_room = x->on_gone = x->on_hurry = NULL;
    if (x->source)
        x->source->ending(x->source_context);
    x->ops->end(x);
}

void dx_exchange_respond(dx_exchange *x, const dx_response *response)
{
    dx_exchange_start(x, response, response->body.size);
    dx_exchange_put(x, response->body);
    dx_exchange_end(x);
}

/* {"type":"about:blank","title":"Not Found","status":404,"detail":"…"}: RFC 9457 §4.2.1 */
void dx_exchange_problem_with(dx_exchange *x, unsigned status, const char *detail,
                              const dx_header *headers, size_t headers_count)
{
    char text[2048];
    const char *title = dx_http_reason(status);

    int head = snprintf(
        text, sizeof text,
        "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":", title, status);
    dx_assert(head > 0 && head < 256);
    size_t size = (size_t)head;
    size_t room = sizeof text - size - 2;
    size_t written = dx_json_write_string(dx_bytes_of(detail), (uint8_t *)text + size, room);
    if (written > room) /* a detail beyond all measure is left out */
        written = dx_json_write_string(dx_bytes_of(title), (uint8_t *)text + size, room);
    size += written;
    text[size++] = '}';
    text[size++] = '\n';
    dx_exchange_respond(x, &(dx_response){
                               .status = status,
                               .type = DX_BYTES("application/problem+json"),
                               .headers = headers,
                               .headers_count = headers_count,
                               .body = dx_bytes_at(text, size),
                           });
}

void dx_exchange_problem(dx_exchange *x, unsigned status, const char *detail)
{
    dx_exchange_problem_with(x, status, detail, NULL, 0);
}

static size_t write_allowed(uint32_t allowed, char *text, size_t text_bytes)
{
    size_t size = 0;

    if (allowed & DX_BIT(DX_HTTP_GET))
        allowed |= DX_BIT(DX_HTTP_HEAD);
    if (allowed & DX_ROUTE_WEBSOCKET)
        allowed |= DX_BIT(DX_HTTP_GET); /* with an Upgrade */
    allowed |= DX_BIT(DX_HTTP_OPTIONS);
    for (unsigned m = DX_HTTP_GET; m < DX_HTTP_METHOD_COUNT; m++)
        if (allowed & DX_BIT(m))
            size += (size_t)snprintf(text + size, text_bytes - size, "%s%.*s", size ? ", " : "",
                                     DX_FORMAT(dx_http_method_text((dx_http_method)m)));
    return size;
}

/* RFC 9110 §15.5.22: the path serves WebSocket, and GET as nothing else. */
static void answer_upgrade_required(dx_exchange *x)
{
    static const dx_header headers[] = {{DX_BYTES("Upgrade"), DX_BYTES("websocket")},
                                        {DX_BYTES("Connection"), DX_BYTES("Upgrade")}};
    dx_exchange_problem_with(x, 426, "GET is answered here by WebSocket only (RFC 6455).", headers,
                             DX_COUNT(headers));
}

void dx_exchange_answer_method(dx_exchange *x, uint32_t allowed)
{
    if ((allowed & DX_ROUTE_WEBSOCKET) && x->head.method == DX_HTTP_GET) {
        answer_upgrade_required(x);
        return;
    }
    char text[128], detail[256];
    size_t size = write_allowed(allowed, text, sizeof text);
    dx_header allow = {DX_BYTES("Allow"), dx_bytes_at(text, size)};

    if (x->head.method == DX_HTTP_OPTIONS) {
        dx_exchange_respond(x,
                            &(dx_response){.status = 204, .headers = &allow, .headers_count = 1});
        return;
    }
    snprintf(detail, sizeof detail, "This path does not take %.*s. Allowed: %s.",
             (int)dx_min_size(x->head.method_text.size, 32), (const char *)x->head.method_text.at,
             text);
    dx_exchange_problem_with(x, 405, detail, &allow, 1);
}

/* ---- origins ---------------------------------------------------------------------------------- */

bool dx_exchange_is_own_origin(const dx_exchange *x)
{
    const dx_http_field *field = dx_http_fields_get(&x->head.fields, DX_HTTP_ORIGIN);
    dx_url_origin origin;

    if (field == NULL)
        return true;
    if (dx_http_fields_next(&x->head.fields, field) || !dx_url_origin_read(field->value, &origin))
        return false;
    return dx_url_origin_is_host(&origin, x->head.host, true) ||
           (!dx_conn_is_secure(dx_exchange_conn(x)) &&
            dx_url_origin_is_host(&origin, x->head.host, false));
}

/* ---- routes ----------------------------------------------------------------------------------- */

static dx_url_fault decode_path(dx_exchange *x)
{
    uint8_t *memory = dx_arena_take(&x->arena, x->head.path.size);

    return memory ? dx_url_path_decode(x->head.path, memory, x->head.path.size, &x->path)
                  : DX_URL_MEMORY;
}

dx_exchange_found dx_exchange_find(dx_exchange *x, const dx_router *router)
{
    bool is_websocket = dx_exchange_is_websocket(x);

    if (x->head.method == DX_HTTP_METHOD_OTHER ||
        (x->head.method == DX_HTTP_CONNECT && !x->is_tunnel))
        return DX_FOUND_NO_METHOD;
    if (x->head.target_form == DX_HTTP_TARGET_ASTERISK)
        return DX_FOUND_NO_PATH;
    if (decode_path(x) != DX_URL_OK)
        return DX_FOUND_BAD_PATH;
    switch (dx_router_find(router, &(dx_route_wish){x->head.method, is_websocket, x->path},
                           &x->match)) {
    case DX_ROUTE_OK: return DX_FOUND;
    case DX_ROUTE_METHOD: return DX_FOUND_OTHER_METHODS;
    case DX_ROUTE_NOT_FOUND: return DX_FOUND_NOTHING;
    }
    dx_unreachable("dx_route_status outside its enum");
}

void dx_exchange_answer_unfound(dx_exchange *x, dx_exchange_found found)
{
    switch (found) {
    case DX_FOUND_OTHER_METHODS: dx_exchange_answer_method(x, x->match.allowed); return;
    case DX_FOUND_NOTHING: dx_exchange_problem(x, 404, "Nothing is served at this path."); return;
    case DX_FOUND_NO_PATH:
        dx_exchange_answer_method(x, DX_BIT(DX_HTTP_GET) | DX_BIT(DX_HTTP_POST));
        return;
    case DX_FOUND_BAD_PATH: dx_exchange_problem(x, 400, dx_url_fault_text(decode_path(x))); return;
    case DX_FOUND_NO_METHOD:
        dx_exchange_problem(x, 501,
                            "This server knows GET, HEAD, POST, PUT, DELETE, OPTIONS and PATCH.");
        return;
    case DX_FOUND: break;
    }
    dx_unreachable("an answer to what was found");
}

/* ---- bodies in pieces -------------------------------------------------------------------------- */

uint64_t dx_exchange_body_length(const dx_exchange *x)
{
    switch (x->head.framing.body) {
    case DX_HTTP_BODY_NONE: return 0;
    case DX_HTTP_BODY_LENGTH: return x->head.framing.content_length;
    case DX_HTTP_BODY_CHUNKED:
    case DX_HTTP_BODY_CLOSE: return DX_LENGTH_UNKNOWN;
    }
    dx_unreachable("dx_http_body outside its enum");
}

void dx_exchange_receive(dx_exchange *x, uint64_t bytes_max, dx_exchange_piece *piece, void *context)
{
    dx_assert(dx_route_is_streamed(x->match.route) && x->on_piece == NULL);
    x->on_piece = piece;
    x->piece_context = context;
    x->received_max = bytes_max ? bytes_max : UINT64_MAX;
}

bool dx_exchange_may_receive(dx_exchange *x, size_t size)
{
    if (size > x->received_max - x->received)
        return false;
    x->received += size;
    return true;
}

void dx_exchange_give(dx_exchange *x, dx_bytes piece, bool is_last)
{
    x->on_piece(x, piece, is_last, x->piece_context);
}

bool dx_exchange_lose_body(dx_exchange *x)
{
    dx_exchange_handler *gone = x->on_gone;

    x->on_gone = NULL;
    x->on_piece = NULL;
    if (gone)
        gone(x, x->gone_context);
    return x->state == DX_EXCHANGE_HANDLING;
}

void dx_exchange_pause(dx_exchange *x)
{
    x->is_paused = true;
    x->ops->hold(x);
}

void dx_exchange_resume(dx_exchange *x)
{
    x->is_paused = false;
    x->ops->hold(x);
}

/* ---- answers that go on ------------------------------------------------------------------------ */

dx_exchange_framing dx_exchange_stream(dx_exchange *x, const dx_exchange_source *source,
                                       void *context)
{
    dx_assert(x->state == DX_EXCHANGE_STREAMING && x->source == NULL);
    dx_assert(source->pull && source->pulled && source->ending && source->freed);
    x->source = source;
    x->source_context = context;
    x->is_endless = true;
    dx_exchange_note(x); /* the request's views end here */
    return x->ops->stream(x);
}

void dx_exchange_put_rest(dx_exchange *x, dx_bytes rest)
{
    dx_assert(x->source != NULL);
    if (rest.size > 0)
        x->ops->write_rest(x, rest);
}

void dx_exchange_wake(dx_exchange *x)
{
    x->ops->wake(x);
}

void dx_exchange_flush(dx_exchange *x)
{
    x->ops->flush(x);
}

void dx_exchange_free_source(dx_exchange *x)
{
    const dx_exchange_source *source = x->source;

    x->source = NULL;
    if (source)
        source->freed(x->source_context);
}

void dx_exchange_on_hurry(dx_exchange *x, dx_exchange_handler *hurry, void *context)
{
    x->on_hurry = hurry;
    x->hurry_context = context;
}

bool dx_exchange_is_hurried(const dx_exchange *x)
{
    return x->is_hurried || x->is_fin_seen;
}

void dx_exchange_hurry(dx_exchange *x)
{
    dx_exchange_handler *hurry = x->on_hurry;

    x->is_hurried = true;
    x->on_hurry = NULL;
    if (hurry && x->state != DX_EXCHANGE_OVER)
        hurry(x, x->hurry_context);
}

void dx_exchange_note(dx_exchange *x)
{
    const dx_exchange_watch *watch = x->watch;

    x->watch = NULL;
    if (watch && watch->over && x->status > 0)
        watch->over(watch->context, x);
}

/* ---- life ------------------------------------------------------------------------------------- */

void dx_exchange_want_room(dx_exchange *x, dx_exchange_handler *room, void *context)
{
    x->on_room = room;
    x->room_context = context;
    x->ops->want_room(x);
}

void dx_exchange_on_gone(dx_exchange *x, dx_exchange_handler *gone, void *context)
{
    x->on_gone = gone;
    x->gone_context = context;
}

dx_conn *dx_exchange_conn(const dx_exchange *x)
{
    return x->ops->conn(x);
}

void dx_exchange_handle(dx_exchange *x)
{
    dx_exchange_watch *watch = x->watch; /* `x` may be over when the handler returns */

    dx_assert(x->state == DX_EXCHANGE_READING);
    x->state = DX_EXCHANGE_HANDLING;
    if (watch)
        atomic_store_explicit(&watch->handling, x->match.route->pattern, memory_order_relaxed);
    x->match.route->handle(x, x->match.route->context);
    if (watch)
        atomic_store_explicit(&watch->handling, NULL, memory_order_relaxed);
}

void dx_exchange_abandon(dx_exchange *x)
{
    bool was_over = x->state == DX_EXCHANGE_OVER; /* its end only waited for what is in flight */

    x->state = DX_EXCHANGE_OVER;
    if (x->status == 0 && x->head.path.size > 0)
        x->status = DX_STATUS_GONE;
    dx_exchange_note(x);
    if (!was_over && x->source)
        x->source->ending(x->source_context);
    if (x->on_gone)
        x->on_gone(x, x->gone_context);
    dx_exchange_free_source(x);
}

bool dx_exchange_is_websocket(const dx_exchange *x)
{
    return x->is_tunnel ||
           dx_http_fields_have_token(&x->head.fields, DX_HTTP_UPGRADE, DX_BYTES("websocket"));
}
