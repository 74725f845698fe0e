/* Streams of a server: their prefixes, and publishing from within the program.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "base/assert.h"
#include "codec/json.h"
#include "codec/utf8.h"

#include <duplex/stream.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEPT_COUNT = 1000, KEPT_BYTES = 16 * 1048576, KEPT_MS = 3600000, BODY_BYTES_MIN = 1048576 };

static void route_free(dx_server_owned *owned)
{
    free(DX_CONTAINER(owned, dx_stream_route, owned));
}

static bool prefix_is_good(const char *prefix, size_t size)
{
    return size >= 1 && size <= 128 && prefix[0] == '/' && prefix[size - 1] == '/' &&
           strchr(prefix, '*') == NULL && strchr(prefix, '{') == NULL;
}

static dx_stream_route *route_new(dx_server *s, const char *prefix, const dx_stream_options *options)
{
    static const dx_stream_options defaults = {0};
    dx_stream_route *route = calloc(1, sizeof *route + strlen(prefix) + 1);

    if (route == NULL)
        return NULL;
    if (options == NULL)
        options = &defaults;
    strcpy(route->prefix, prefix); /* the room was made for it above */
    route->server = s;
    route->ns = (dx_namespace){
        .prefix = route->prefix,
        .message_bytes_max = s->ws_config.message_bytes_max,
        .retention = {.count_max = options->kept_count_max ? options->kept_count_max : KEPT_COUNT,
                      .bytes_max = options->kept_bytes_max ? options->kept_bytes_max : KEPT_BYTES,
                      .age_ms_max = options->kept_ms_max ? options->kept_ms_max : KEPT_MS},
    };
    dx_door_websocket_init(&route->endpoint, &s->ws_config);
    dx_server_own(s, &route->owned, route_free);
    return route;
}

dx_err dx_server_streams(dx_server *s, const char *prefix, const dx_stream_options *options)
{
    char pattern[160];
    size_t size = strlen(prefix);

    dx_assert(s->workers == NULL);
    if (!prefix_is_good(prefix, size))
        return DX_ERR_NAME;
    dx_stream_route *route = route_new(s, prefix, options);
    if (route == NULL)
        return DX_ERR_MEMORY;
    snprintf(pattern, sizeof pattern, "%s**", prefix);
    size_t body_bytes_max = dx_max_size(BODY_BYTES_MIN, route->ns.message_bytes_max);
    const dx_route routes[] = {
        {pattern, DX_BIT(DX_HTTP_POST), body_bytes_max, dx_door_post, route},
        {pattern, DX_BIT(DX_HTTP_GET), 0, dx_door_get, route},
        {pattern, DX_ROUTE_WEBSOCKET, 0, dx_door_websocket, route},
    };
    dx_err err = DX_OK;
    for (size_t i = 0; i < DX_COUNT(routes) && err == DX_OK; i++)
        err = dx_server_add_route(s, &routes[i]);
    return err;
}

/* ---- dx_publish ------------------------------------------------------------------------------- */

typedef struct publish_op {
    dx_append append;
    dx_publish_done *done;
    void *context;
    dx_message *message;
    uint8_t bytes[];
} publish_op;

static dx_err err_of(dx_stream_status status)
{
    switch (status) {
    case DX_STREAM_OK: return DX_OK;
    case DX_STREAM_TYPE:
    case DX_STREAM_BAD_JSON: return DX_ERR_CONFLICT;
    case DX_STREAM_NOT_FOUND:
    case DX_STREAM_GONE:
    case DX_STREAM_FUTURE: return DX_ERR_NOT_FOUND;
    case DX_STREAM_FULL:
    case DX_STREAM_MEMORY: return DX_ERR_MEMORY;
    case DX_STREAM_ENDED: return DX_ERR_CLOSED;
    }
    dx_unreachable("dx_stream_status outside its enum");
}

static void on_published(dx_append *append)
{
    publish_op *op = DX_CONTAINER(append, publish_op, append);
    uint8_t offset[DX_OFFSET_SIZE];

    dx_offset_write(append->next, offset);
    if (op->done)
        op->done(err_of(append->status), dx_bytes_at(offset, sizeof offset), op->context);
    free(op);
}

/* What codec/url lets through of a path in a request: nobody could read a stream of another name. */
static bool path_is_good(dx_bytes path)
{
    dx_bytes rest = path, segment;

    if (path.size > DX_PATH_BYTES_MAX || !dx_utf8_is_valid(path))
        return false;
    for (size_t i = 0; i < path.size; i++)
        if (path.at[i] < ' ' || path.at[i] == 0x7f || path.at[i] == '\\')
            return false;
    while (dx_bytes_split(&rest, '/', &segment))
        if (dx_bytes_equal(segment, DX_BYTES(".")) || dx_bytes_equal(segment, DX_BYTES("..")))
            return false;
    return true;
}

static const dx_stream_route *route_of(const dx_server *s, dx_bytes path)
{
    dx_route_match match;
    dx_route_wish wish = {.method = DX_HTTP_POST, .path = path};

    if (!path_is_good(path) ||
        dx_router_find(&s->router, &wish, &match) != DX_ROUTE_OK || match.route->handle != dx_door_post)
        return NULL;
    const dx_stream_route *route = match.route->context;
    return path.size > strlen(route->prefix) ? route : NULL;
}

static publish_op *publish_op_new(const dx_publication *p)
{
    publish_op *op = calloc(1, sizeof *op + p->stream.size + p->type.size);

    if (op == NULL)
        return NULL;
    dx_copy(op->bytes, p->stream.at, p->stream.size);
    dx_copy(op->bytes + p->stream.size, p->type.at, p->type.size);
    op->append = (dx_append){
        .path = dx_bytes_at(op->bytes, p->stream.size),
        .type = dx_bytes_at(op->bytes + p->stream.size, p->type.size),
        .kind = dx_door_kind(p->type),
        .messages = &op->message,
        .count = 1,
        .done = on_published,
    };
    op->message = dx_message_new(p->payload, 0);
    if (op->message)
        return op;
    free(op);
    return NULL;
}

/* Readers are to get no JSON that is none, and no text frame that is not UTF-8. */
static bool is_as_typed(const dx_publication *p)
{
    size_t error_at;

    switch (dx_door_kind(p->type)) {
    case DX_STREAM_JSON:
        return dx_json_check(p->payload, DX_JSON_DEPTH_DEFAULT, &error_at) == DX_JSON_OK;
    case DX_STREAM_TEXT: return dx_utf8_is_valid(p->payload);
    case DX_STREAM_BINARY:
    case DX_STREAM_UNDECIDED: return true;
    }
    dx_unreachable("dx_stream_kind outside its enum");
}

dx_err dx_publish(dx_server *s, const dx_publication *p, dx_publish_done *done, void *context)
{
    const dx_stream_route *route = route_of(s, p->stream);

    if (s->workers == NULL || atomic_load(&s->is_stopped))
        return DX_ERR_CLOSED;
    if (route == NULL || p->type.size > DX_TYPE_BYTES_MAX)
        return DX_ERR_NAME;
    if (p->payload.size > route->ns.message_bytes_max)
        return DX_ERR_TOO_LARGE;
    if (!is_as_typed(p))
        return DX_ERR_CONFLICT;
    publish_op *op = publish_op_new(p);
    if (op == NULL)
        return DX_ERR_MEMORY;
    op->append.ns = &route->ns;
    op->done = done;
    op->context = context;
    dx_err err = dx_streams_append(s->streams, &op->append);
    if (err != DX_OK) {
        dx_message_unref(op->message);
        free(op);
    }
    return err;
}
