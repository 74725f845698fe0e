/* PUT of a stream: makes it, or finds that it is there as asked for; also as a fork of another.
 * Memory: one operation while a request waits for the stream's home worker.
 * Source: Durable Streams 1.0 §4.2, §5.1.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "base/assert.h"
#include "codec/stream_rules.h"
#include "codec/stream_time.h"
#include "codec/url.h"

#include <stdlib.h>

enum { HOST_BYTES_MAX = 300 }; /* of a name and its port */

typedef struct put_op {
    dx_create create;
    dx_read source; /* of a fork whose type is not given: what is its source's? */
    dx_exchange *x; /* NULL once the client has gone */
    dx_message **messages;
    uint32_t message_bytes_max;
    uint8_t bytes[]; /* what the home looks at: the exchange may be gone before it does */
} put_op;

static bool bad(dx_exchange *x, const char *detail)
{
    dx_exchange_problem(x, 400, detail);
    return false;
}

static void put_op_free(put_op *op)
{
    free(op->messages);
    free(op);
}

/* ---- the answer ------------------------------------------------------------------------------- */

/* The URL that was asked for, as far as it is known what the client has reached this server by. */
static dx_bytes location_of(dx_exchange *x, const dx_trust *trust)
{
    dx_bytes host = x->head.host, path = x->head.path,
             scheme = dx_access_is_secure(x, trust) ? DX_BYTES("https://") : DX_BYTES("http://");
    uint8_t *at;

    if (host.size == 0 || host.size > HOST_BYTES_MAX ||
        (at = dx_arena_take(&x->arena, scheme.size + host.size + path.size)) == NULL)
        return path;
    dx_copy(at, scheme.at, scheme.size);
    dx_copy(at + scheme.size, host.at, host.size);
    dx_copy(at + scheme.size + host.size, path.at, path.size);
    return dx_bytes_at(at, scheme.size + host.size + path.size);
}

static void answer_created(const put_op *op)
{
    const dx_stream_info *info = &op->create.info;
    dx_door_headers h = {0};

    if (op->create.is_new)
        dx_door_add(&h, "Location", location_of(op->x, &dx_worker_of(op->x)->server->trust));
    dx_door_add_offset(&h, "Stream-Next-Offset", info->tail);
    if (info->is_closed)
        dx_door_add(&h, "Stream-Closed", DX_BYTES("true"));
    dx_door_add(&h, "Stream-Durability", dx_door_durability(op->create.ns));
    dx_exchange_respond(op->x, &(dx_response){.status = op->create.is_new ? 201 : 200,
                                              .type = dx_stream_info_type(info),
                                              .headers = h.at,
                                              .headers_count = h.count});
}

static void on_created(dx_create *create)
{
    put_op *op = DX_CONTAINER(create, put_op, create);

    if (op->x && create->status == DX_STREAM_OK)
        answer_created(op);
    else if (op->x && create->status == DX_STREAM_DELETED)
        dx_exchange_problem(op->x, 409,
                            "A stream of this name was deleted; forks of it still need its name.");
    else if (op->x)
        dx_door_problem(op->x, create->status, NULL);
    put_op_free(op);
}

/* ---- the request: lifetime -------------------------------------------------------------------- */

static bool read_lifetime(dx_exchange *x, dx_lifetime *ret)
{
    dx_bytes ttl, until;
    dx_instant instant;

    if (!dx_door_field(x, DX_HTTP_STREAM_TTL, 32, &ttl) ||
        !dx_door_field(x, DX_HTTP_STREAM_EXPIRES_AT, 64, &until))
        return false;
    if (ttl.size > 0 && until.size > 0)
        return bad(x, "Stream-TTL and Stream-Expires-At exclude each other.");
    if (ttl.size > 0) {
        if (!dx_stream_number_read(ttl, DX_STREAM_TTL_MAX, &ret->idle_s))
            return bad(
                x, "Stream-TTL must be a whole number of seconds, from 0 to 9007199254740, without "
                   "sign and leading zeros.");
        ret->kind = DX_LIFETIME_IDLE;
    }
    if (until.size > 0) {
        if (!dx_stream_time_read(until, &instant))
            return bad(x,
                       "Stream-Expires-At must be an RFC 3339 time, such as 2030-01-02T03:04:05Z.");
        *ret = (dx_lifetime){.kind = DX_LIFETIME_UNTIL, .until_ms = dx_instant_ms(instant)};
    }
    return true;
}

/* ---- the request: forks ----------------------------------------------------------------------- */

/* As dx_door_field, of a field that has no id. */
static bool read_field(dx_exchange *x, const char *name, const char *detail, dx_bytes *ret)
{
    const dx_http_fields *f = &x->head.fields;
    size_t count = 0;

    *ret = (dx_bytes){0};
    for (size_t i = 0; i < f->count; i++)
        if (dx_bytes_equal_nocase(f->at[i].name, dx_bytes_of(name))) {
            *ret = f->at[i].value;
            count++;
        }
    return count == 0 || (count == 1 && ret->size > 0) || bad(x, detail);
}

/* Who makes a fork shows the source to its readers. */
static bool read_source(dx_exchange *x, const dx_stream_route *route, dx_bytes text, dx_create *ret)
{
    dx_bytes path;
    uint8_t *memory = dx_arena_take(&x->arena, text.size);

    if (memory == NULL) {
        dx_door_no_memory(x);
        return false;
    }
    if (dx_url_path_decode(text, memory, text.size, &path) != DX_URL_OK ||
        path.size > DX_PATH_BYTES_MAX)
        return bad(
            x, "Stream-Forked-From must be the path of a stream's URL, without host and query.");
    const dx_stream_route *source = dx_stream_route_of(route->server, path);
    if (source == NULL) {
        dx_exchange_problem(x, 404,
                            "Stream-Forked-From is below no prefix of streams of this server.");
        return false;
    }
    dx_grant grant;
    if (!dx_door_may_at(x, source, path, DX_ACTION_READ, &grant))
        return false;
    if (grant.by && grant.by->has_history) {
        dx_exchange_problem(x, 403,
                            "Your capability lets you read the newest messages of the stream at "
                            "Stream-Forked-From only, and a fork shows all of them.");
        return false;
    }
    ret->is_fork = true;
    ret->source = path;
    ret->source_ns = &source->ns;
    return true;
}

static bool read_fork(dx_exchange *x, const dx_stream_route *route, dx_create *ret)
{
    dx_bytes from, offset, more;

    if (!read_field(x, "Stream-Forked-From", "Stream-Forked-From must be one path.", &from) ||
        !read_field(x, "Stream-Fork-Offset", "Stream-Fork-Offset must be one offset.", &offset) ||
        !read_field(x, "Stream-Fork-Sub-Offset", "Stream-Fork-Sub-Offset must be one number.",
                    &more))
        return false;
    if (from.size == 0)
        return (offset.size == 0 && more.size == 0) ||
               bad(x, "Stream-Fork-Offset and Stream-Fork-Sub-Offset need Stream-Forked-From.");
    ret->fork_at.kind = offset.size > 0 ? dx_offset_read(offset, &ret->fork_at.at) : DX_OFFSET_NOW;
    if (ret->fork_at.kind == DX_OFFSET_BAD)
        return bad(x, "Stream-Fork-Offset must be a Stream-Next-Offset of the source.");
    if (more.size > 0 && !dx_stream_number_read(more, DX_STREAM_NUMBER_MAX, &ret->fork_more))
        return bad(
            x,
            "Stream-Fork-Sub-Offset must be a whole number from 0, without sign and leading zeros.");
    return read_source(x, route, from, ret);
}

/* ---- the request ------------------------------------------------------------------------------ */

/* A fork has the type of its source, if it names none. */
static bool read_type(dx_exchange *x, const dx_stream_route *route, dx_create *ret)
{
    const dx_namespace *ns = &route->ns;

    if (!dx_door_type(x, &ret->type))
        return false;
    if (ret->type.size == 0 && ns->type)
        ret->type = dx_bytes_of(ns->type);
    if (ret->type.size == 0 && !ret->is_fork)
        ret->type = DX_BYTES("application/octet-stream");
    if (ret->type.size > 0)
        ret->kind = dx_door_kind(ret->type);
    return ret->type.size == 0 || dx_door_check_type(x, ns, ret->type);
}

static void keep(uint8_t **to, dx_bytes *view)
{
    dx_copy(*to, view->at, view->size);
    *view = (dx_bytes){*to, view->size};
    *to += view->size;
}

static put_op *put_op_new(dx_exchange *x, const dx_create *create)
{
    put_op *op = malloc(sizeof *op + create->path.size + create->type.size + create->source.size);

    if (op == NULL)
        return NULL;
    *op = (put_op){.x = x, .create = *create};
    uint8_t *to = op->bytes;
    keep(&to, &op->create.path);
    keep(&to, &op->create.type);
    keep(&to, &op->create.source);
    dx_exchange_on_gone(x, dx_door_forget, &op->x);
    return op;
}

/* `kind` is known: the body becomes messages, and the stream is made. */
static void create_with_body(put_op *op, dx_stream_kind kind)
{
    dx_door_messages messages;
    dx_exchange *x = op->x;

    if (!dx_door_messages_read(x, kind, op->message_bytes_max, true, &messages)) {
        put_op_free(op);
        return;
    }
    op->create.kind = kind;
    op->create.messages = op->messages = messages.at;
    op->create.count = messages.count;
    dx_hub_create(dx_door_hub(x), &op->create);
}

static void on_source(dx_read *read)
{
    put_op *op = DX_CONTAINER(read, put_op, source);
    dx_stream_status status = read->status;
    dx_stream_kind kind = read->info.kind;

    dx_read_release(read);
    if (op->x == NULL) {
        put_op_free(op);
    } else if (status == DX_STREAM_OK) {
        create_with_body(op, kind);
    } else {
        dx_door_problem(op->x,
                        status == DX_STREAM_NOT_FOUND ? DX_STREAM_SOURCE_NOT_FOUND
                        : status == DX_STREAM_DELETED ? DX_STREAM_SOURCE_DELETED
                                                      : status,
                        NULL);
        put_op_free(op);
    }
}

/* What the body means depends on the source's type. */
static void ask_source(put_op *op)
{
    op->source = (dx_read){
        .ns = op->create.source_ns,
        .path = op->create.source,
        .position = {.kind = DX_OFFSET_NOW},
        .done = on_source,
    };
    dx_hub_read(dx_door_hub(op->x), &op->source);
}

void dx_door_put(dx_exchange *x, void *context)
{
    const dx_stream_route *route = context;
    dx_create create = {.ns = &route->ns, .path = x->path, .done = on_created};
    dx_grant grant;

    x->sort = DX_SORT_CREATE;
    if (!dx_door_enter(x, route) || !dx_door_may(x, route, DX_ACTION_CREATE, &grant))
        return;
    create.is_closed = dx_door_is_closing(x);
    if (!read_lifetime(x, &create.lifetime) || !read_fork(x, route, &create) ||
        !read_type(x, route, &create))
        return;
    put_op *op = put_op_new(x, &create);
    if (op == NULL) {
        dx_door_no_memory(x);
        return;
    }
    op->message_bytes_max = dx_grant_message_max(&grant, route->ns.message_bytes_max);
    if (create.type.size == 0 && x->body.size > 0)
        ask_source(op);
    else
        create_with_body(op, create.kind);
}
