/* Streams of a server: their prefixes, and publishing from within the program.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "base/assert.h"
#include "base/sized.h"
#include "codec/json.h"
#include "codec/utf8.h"

#include <duplex/stream.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KEPT_COUNT = 1000,
    KEPT_BYTES = 16 * 1048576,
    KEPT_MS = 3600000,
    UNSTORED_BYTES =
        64 * 1048576, /* kept of each stream that no store keeps, where there is no bound */
    MESSAGE_BYTES_MIN = 1048576, /* what message_bytes_max is, or more */
    MESSAGE_BYTES_MAX = 1 << 30,
    PREFIX_BYTES_MAX = 128,
};

static void route_free(dx_server_owned *owned)
{
    dx_stream_route *route = DX_CONTAINER(owned, dx_stream_route, owned);

    free(route->type);
    free(route);
}

bool dx_stream_prefix_is_good(const char *prefix)
{
    dx_bytes rest = dx_bytes_of(prefix), segment;
    size_t size = rest.size, subs = 0;

    if (size < 1 || size > PREFIX_BYTES_MAX || prefix[0] != '/' || prefix[size - 1] != '/')
        return false;
    while (dx_bytes_split(&rest, '/', &segment)) {
        bool is_sub = dx_bytes_equal(segment, DX_BYTES("{sub}"));
        subs += is_sub;
        if (!is_sub && (dx_bytes_find(segment, '*') < segment.size ||
                        dx_bytes_find(segment, '{') < segment.size))
            return false;
    }
    return subs <= 1;
}

static bool has_sub(const char *prefix)
{
    return strchr(prefix, '{') != NULL;
}

static bool options_are_good(const dx_stream_options *o)
{
    return o->durability <= DX_STREAM_ON_DISK && o->message_bytes_max <= MESSAGE_BYTES_MAX &&
           (o->type == NULL || (o->type[0] != '\0' && strlen(o->type) <= DX_TYPE_BYTES_MAX));
}

static dx_retention retention_of(const dx_stream_options *o)
{
    bool is_on_disk = o->durability == DX_STREAM_ON_DISK;
    uint32_t count = is_on_disk ? DX_UNBOUNDED_COUNT : KEPT_COUNT;
    uint64_t bytes = is_on_disk ? DX_UNBOUNDED : KEPT_BYTES;
    uint64_t ms = is_on_disk ? DX_UNBOUNDED : KEPT_MS;

    return (dx_retention){.count_max = o->kept_count_max ? o->kept_count_max : count,
                          .bytes_max = o->kept_bytes_max ? o->kept_bytes_max : bytes,
                          .age_ms_max = o->kept_ms_max ? o->kept_ms_max : ms};
}

static dx_stream_route *route_new(dx_server *s, const char *prefix, const dx_stream_options *o)
{
    size_t prefix_bytes = strlen(prefix) + 1;
    dx_stream_route *route = calloc(1, sizeof *route + prefix_bytes);

    if (route == NULL)
        return NULL;
    memcpy(route->prefix, prefix, prefix_bytes);
    dx_server_own(s, &route->owned, route_free);
    if (o->type && (route->type = strdup(o->type)) == NULL)
        return NULL; /* freed with the server */
    route->server = s;
    route->wanted = o->durability == DX_STREAM_ON_DISK ? DX_DURABILITY_DISK : DX_DURABILITY_MEMORY;
    route->ns = (dx_namespace){
        .prefix = route->prefix,
        .creation = o->is_by_put ? DX_CREATE_BY_PUT : DX_CREATE_ON_USE,
        .durability = route->wanted,
        .retention = retention_of(o),
        .message_bytes_max =
            o->message_bytes_max
                ? o->message_bytes_max
                : (uint32_t)dx_max_size(MESSAGE_BYTES_MIN, s->ws_config.message_bytes_max),
        .append_rate_max = o->append_rate_max,
        .type = route->type,
    };
    dx_door_websocket_init(&route->endpoint, &s->ws_config);
    route->live = DX_LIVE_TIMES_DEFAULT;
    if (s->options.wait_ms)
        route->live.wait_ms = s->options.wait_ms;
    return route;
}

static dx_err add_routes(dx_server *s, dx_stream_route *route)
{
    char pattern[PREFIX_BYTES_MAX + 3];

    snprintf(pattern, sizeof pattern, "%s**", route->prefix);
    size_t body_bytes_max = dx_max_size(MESSAGE_BYTES_MIN, route->ns.message_bytes_max);
    const dx_route routes[] = {
        {pattern, DX_BIT(DX_HTTP_POST), body_bytes_max, dx_door_post, route},
        {pattern, DX_BIT(DX_HTTP_PUT), body_bytes_max, dx_door_put, route},
        {pattern, DX_BIT(DX_HTTP_GET), 0, dx_door_get, route},
        {pattern, DX_BIT(DX_HTTP_DELETE), 0, dx_door_delete, route},
        {pattern, DX_BIT(DX_HTTP_OPTIONS), 0, dx_door_options, route},
        {pattern, DX_ROUTE_WEBSOCKET, 0, dx_door_websocket, route},
    };
    dx_err err = DX_OK;
    for (size_t i = 0; i < DX_COUNT(routes) && err == DX_OK; i++)
        err = dx_server_add_route(s, &routes[i]);
    return err;
}

dx_err dx_server_streams_sized(dx_server *s, const char *prefix, const dx_stream_options *options,
                               size_t options_size)
{
    dx_stream_options o;
    dx_access access;

    dx_assert(s->workers == NULL);
    if (!dx_sized_copy(&o, sizeof o, options, options_size))
        return DX_ERR_UNSUPPORTED;
    if (!dx_stream_prefix_is_good(prefix) || !options_are_good(&o) ||
        dx_access_init(&access, &o.access, has_sub(prefix)) != DX_OK)
        return DX_ERR_NAME;
    dx_stream_route *route = route_new(s, prefix, &o);
    if (route == NULL)
        return DX_ERR_MEMORY;
    route->access = access;
    return add_routes(s, route);
}

static dx_stream_route *stream_route(const dx_route *route)
{
    return route->handle == dx_door_post ? route->context : NULL;
}

static bool is_to_be_kept(const dx_route *r)
{
    const dx_stream_route *route = stream_route(r);
    return route != NULL && route->wanted > DX_DURABILITY_MEMORY;
}

bool dx_server_wants_store(const dx_server *s)
{
    for (size_t i = 0; i < s->router.count; i++)
        if (is_to_be_kept(&s->router.entries[i].route))
            return true;
    return false;
}

void dx_server_settle_streams(dx_server *s)
{
    if (s->store != NULL || !dx_server_wants_store(s))
        return;
    for (size_t i = 0; i < s->router.count; i++) {
        dx_stream_route *route = stream_route(&s->router.entries[i].route);
        if (!is_to_be_kept(&s->router.entries[i].route))
            continue;
        route->ns.durability = DX_DURABILITY_MEMORY;
        if (route->ns.retention.bytes_max == DX_UNBOUNDED)
            route->ns.retention.bytes_max = UNSTORED_BYTES;
    }
    dx_log_write(&s->log, DX_LOG_WARN,
                 "nothing is kept on disk: streams that are to be there are kept in memory");
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
    case DX_STREAM_CONFLICT:
    case DX_STREAM_TYPE:
    case DX_STREAM_BAD_JSON:
    case DX_STREAM_SEQUENCE:
    case DX_STREAM_MISMATCH:
    case DX_STREAM_PRODUCER_STALE:
    case DX_STREAM_PRODUCER_START:
    case DX_STREAM_PRODUCER_GAP:
    case DX_STREAM_KEY_REUSED:
    case DX_STREAM_SOURCE_TYPE: return DX_ERR_CONFLICT;
    case DX_STREAM_NOT_FOUND:
    case DX_STREAM_DELETED:
    case DX_STREAM_SOURCE_NOT_FOUND:
    case DX_STREAM_SOURCE_DELETED:
    case DX_STREAM_SOURCE_OFFSET:
    case DX_STREAM_GONE:
    case DX_STREAM_FUTURE: return DX_ERR_NOT_FOUND;
    case DX_STREAM_RATE: return DX_ERR_BUSY;
    case DX_STREAM_FULL:
    case DX_STREAM_MEMORY: return DX_ERR_MEMORY;
    case DX_STREAM_STORE:
    case DX_STREAM_NO_SPACE: return DX_ERR_SYSTEM;
    case DX_STREAM_CLOSED:
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

const dx_stream_route *dx_stream_route_of(const dx_server *s, dx_bytes path)
{
    dx_route_match match;
    dx_route_wish wish = {.method = DX_HTTP_POST, .path = path};

    if (!path_is_good(path) || dx_router_find(&s->router, &wish, &match) != DX_ROUTE_OK)
        return NULL;
    const dx_stream_route *route = stream_route(match.route);
    /* The last parameter is what "**" stands for: the name behind the prefix. */
    bool has_name = route != NULL && match.parameters[match.parameters_count - 1].value.size > 0;
    return has_name ? route : NULL;
}

const dx_namespace *dx_server_namespace_of(void *server, dx_bytes path)
{
    const dx_stream_route *route = dx_stream_route_of(server, path);
    return route ? &route->ns : NULL;
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
    const dx_stream_route *route = dx_stream_route_of(s, p->stream);

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
