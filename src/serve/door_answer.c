/* What the doors of a stream answer: fields, problems, what every answer carries.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "base/assert.h"

#include <stdio.h>

/* ---- fields ----------------------------------------------------------------------------------- */

void dx_door_add(dx_door_headers *h, const char *name, dx_bytes value)
{
    dx_assert(h->count < DX_DOOR_HEADERS_MAX);
    h->at[h->count++] = (dx_header){dx_bytes_of(name), value};
}

static uint8_t *text_take(dx_door_headers *h, size_t size)
{
    dx_assert(size <= sizeof h->text - h->text_size);
    h->text_size += size;
    return h->text + h->text_size - size;
}

void dx_door_add_offset(dx_door_headers *h, const char *name, dx_offset offset)
{
    uint8_t *at = text_take(h, DX_OFFSET_SIZE);

    dx_offset_write(offset, at);
    dx_door_add(h, name, dx_bytes_at(at, DX_OFFSET_SIZE));
}

void dx_door_add_number(dx_door_headers *h, const char *name, uint64_t number)
{
    char text[24];
    size_t size = (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)number);

    dx_door_add_copy(h, name, dx_bytes_at(text, size));
}

void dx_door_add_copy(dx_door_headers *h, const char *name, dx_bytes value)
{
    uint8_t *at = text_take(h, value.size);

    dx_copy(at, value.at, value.size);
    dx_door_add(h, name, dx_bytes_at(at, value.size));
}

dx_bytes dx_door_durability(const dx_namespace *ns)
{
    switch (ns->durability) {
    case DX_DURABILITY_MEMORY: return DX_BYTES("memory");
    case DX_DURABILITY_DISK: return DX_BYTES("disk");
    case DX_DURABILITY_QUORUM: return DX_BYTES("quorum");
    }
    dx_unreachable("dx_durability outside its enum");
}

/* ---- what every answer has -------------------------------------------------------------------- */

#define EXPOSED                                                                                    \
    "ETag, Location, Retry-After, Stream-Next-Offset, Stream-Cursor, Stream-Up-To-Date, "          \
    "Stream-Closed, Stream-TTL, Stream-Expires-At, Stream-SSE-Data-Encoding, Stream-Durability, "  \
    "Stream-Subscribers, Producer-Epoch, Producer-Seq, Producer-Expected-Seq, Producer-Received-Seq"

#define ALLOWED                                                                                    \
    "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, If-Match, "              \
    "If-None-Match, Last-Event-ID, Prefer, Producer-Epoch, Producer-Id, Producer-Seq, "            \
    "Stream-Closed, Stream-Expires-At, Stream-Fork-Offset, Stream-Fork-Sub-Offset, "               \
    "Stream-Forked-From, Stream-Seq, Stream-TTL"

static const dx_stream_route *route_of(const dx_exchange *x)
{
    const dx_route *route = x->match.route;
    dx_exchange_handler *const handlers[] = {dx_door_put,    dx_door_post,    dx_door_get,
                                             dx_door_delete, dx_door_options, dx_door_websocket};

    for (size_t i = 0; route && i < DX_COUNT(handlers); i++)
        if (route->handle == handlers[i])
            return route->context;
    return NULL;
}

static size_t add_origin(dx_bytes origin, bool has_cookie, dx_header *ret)
{
    bool is_any = dx_bytes_equal(origin, DX_BYTES("*"));
    size_t count = 0;

    if (origin.size == 0)
        return 0;
    ret[count++] = (dx_header){DX_BYTES("Access-Control-Allow-Origin"), origin};
    if (has_cookie && !is_any)
        ret[count++] = (dx_header){DX_BYTES("Access-Control-Allow-Credentials"), DX_BYTES("true")};
    /* With "*" no credentials are sent, and then "*" means all fields. */
    ret[count++] = (dx_header){DX_BYTES("Access-Control-Expose-Headers"),
                               is_any ? DX_BYTES("*") : DX_BYTES(EXPOSED)};
    return count;
}

static void count_answer(const dx_exchange *x, unsigned status)
{
    dx_worker_counts *counts = &dx_worker_of(x)->counts;

    dx_assert(status >= DX_STATUS_MIN && status <= DX_STATUS_MAX && x->sort < DX_SORTS_COUNT);
    counts->answers[x->sort][status / 100 - 2]++;
    counts->statuses[status - DX_STATUS_MIN]++;
}

size_t dx_door_more(const dx_exchange *x, unsigned status, dx_header *ret)
{
    const dx_stream_route *route = route_of(x);
    size_t count = 0;

    count_answer(x, status);
    if (route == NULL && x->match.route != NULL)
        return 0; /* of somebody else */
    ret[count++] = (dx_header){DX_BYTES("X-Content-Type-Options"), DX_BYTES("nosniff")};
    if (status >= 400)
        ret[count++] = (dx_header){DX_BYTES("Cache-Control"), DX_BYTES("no-store")};
    if (route == NULL)
        return count;
    ret[count++] = (dx_header){DX_BYTES("Cross-Origin-Resource-Policy"), DX_BYTES("cross-origin")};
    /* Also where there is no Origin: a cache keeps one answer for both (Fetch §3.3.5). */
    const char *origins = route->server->origins;
    if (origins[0] && strcmp(origins, "*") != 0)
        ret[count++] = (dx_header){DX_BYTES("Vary"), DX_BYTES("Origin")};
    return count +
           add_origin(dx_door_origin(x, route), route->server->token_cookie[0], ret + count);
}

/* Also a preflight: what it allows is what any request may be; who may is judged when it comes. */
void dx_door_options(dx_exchange *x, void *context)
{
    static const dx_header headers[] = {
        {DX_BYTES("Allow"), DX_BYTES("GET, HEAD, POST, PUT, DELETE, OPTIONS")},
        {DX_BYTES("Access-Control-Allow-Methods"),
         DX_BYTES("GET, HEAD, POST, PUT, DELETE, OPTIONS")},
        {DX_BYTES("Access-Control-Allow-Headers"), DX_BYTES(ALLOWED)},
        {DX_BYTES("Access-Control-Max-Age"), DX_BYTES("7200")},
    };

    (void)context;
    x->sort = DX_SORT_OPTIONS;
    dx_exchange_respond(
        x, &(dx_response){.status = 204, .headers = headers, .headers_count = DX_COUNT(headers)});
}

/* ---- problems --------------------------------------------------------------------------------- */

typedef struct problem {
    unsigned status;
    const char *detail;
} problem;

static problem problem_of(dx_stream_status status)
{
    switch (status) {
    case DX_STREAM_NOT_FOUND: return (problem){404, "There is no such stream."};
    case DX_STREAM_DELETED:
        return (problem){410, "This stream was deleted; forks of it still need its name."};
    case DX_STREAM_CONFLICT:
        return (problem){409, "There is such a stream already, with another configuration."};
    case DX_STREAM_CLOSED:
        return (problem){409, "This stream was closed: nothing can be appended."};
    case DX_STREAM_TYPE: return (problem){409, "This stream has another content type."};
    case DX_STREAM_BAD_JSON:
        return (problem){400, "This stream carries JSON, and the message is not."};
    case DX_STREAM_SEQUENCE:
        return (problem){409, "Stream-Seq must be above that of the last append."};
    case DX_STREAM_MISMATCH:
        return (problem){412, "The end of the stream is not where If-Match expects it."};
    case DX_STREAM_PRODUCER_STALE: return (problem){403, "This producer has a newer epoch."};
    case DX_STREAM_PRODUCER_START:
        return (problem){400, "A producer's new epoch begins with Producer-Seq: 0."};
    case DX_STREAM_PRODUCER_GAP:
        return (problem){409, "Producer-Seq is not the one that comes next."};
    case DX_STREAM_KEY_REUSED:
        return (problem){422, "This Idempotency-Key was used for other messages."};
    case DX_STREAM_SOURCE_NOT_FOUND:
        return (problem){404, "There is no stream at Stream-Forked-From."};
    case DX_STREAM_SOURCE_DELETED:
        return (problem){409, "The stream at Stream-Forked-From was deleted."};
    case DX_STREAM_SOURCE_TYPE: return (problem){409, "A fork has the content type of its source."};
    case DX_STREAM_SOURCE_OFFSET:
        return (problem){
            400, "Stream-Fork-Offset and Stream-Fork-Sub-Offset must name a position in the "
                 "source."};
    case DX_STREAM_FUTURE: return (problem){400, "This offset lies behind the end of the stream."};
    case DX_STREAM_RATE: return (problem){429, "Too many messages to this stream in this second."};
    case DX_STREAM_FULL: return (problem){503, "This server holds as many streams as it can."};
    case DX_STREAM_MEMORY: return (problem){503, "Out of memory, try again later."};
    case DX_STREAM_STORE:
        return (problem){503, "The store failed: whether this was done is not known."};
    case DX_STREAM_NO_SPACE:
        return (problem){503, "The disk is full: this was not done. Try again later."};
    case DX_STREAM_ENDED: return (problem){503, "The server is going away."};
    case DX_STREAM_OK:
    case DX_STREAM_GONE: break;
    }
    dx_unreachable("a problem that is none, or has members of its own");
}

/* A position for later. Of a stream that nobody has written to yet that is the start: such a stream is there only
 * while somebody waits for it, and its next life has other positions. */
static const char *write_position(const dx_stream_info *info, dx_offset offset,
                                  char to[DX_OFFSET_SIZE + 1])
{
    if (info->kind == DX_STREAM_UNDECIDED && !info->is_closed)
        return "-1";
    dx_offset_write(offset, (uint8_t *)to);
    to[DX_OFFSET_SIZE] = '\0';
    return to;
}

/* 410 with the cursors that would work: {"earliest":…,"latest":…}. */
static void problem_gone(dx_exchange *x, const dx_stream_info *info, const dx_door_headers *h)
{
    char text[512], earliest[DX_OFFSET_SIZE + 1], latest[DX_OFFSET_SIZE + 1];

    int size = snprintf(
        text, sizeof text,
        "{\"type\":\"about:blank\",\"title\":\"Gone\",\"status\":410,\"detail\":\"What "
        "follows this offset is not retained any more. Read on from earliest or "
        "latest.\",\"earliest\":\"%s\",\"latest\":\"%s\"}\n",
        write_position(info, info->start, earliest), write_position(info, info->tail, latest));
    dx_exchange_respond(x, &(dx_response){.status = 410,
                                          .type = DX_BYTES("application/problem+json"),
                                          .headers = h->at,
                                          .headers_count = h->count,
                                          .body = dx_bytes_at(text, (size_t)size)});
}

void dx_door_problem_with(dx_exchange *x, dx_stream_status status, const dx_stream_info *info,
                          dx_door_headers *h)
{
    if (status == DX_STREAM_GONE) {
        problem_gone(x, info, h);
        return;
    }
    problem p = problem_of(status);
    if (p.status == 503)
        dx_door_add(h, "Retry-After", DX_BYTES("1"));
    dx_exchange_problem_with(x, p.status, p.detail, h->at, h->count);
}

void dx_door_problem(dx_exchange *x, dx_stream_status status, const dx_stream_info *info)
{
    dx_door_problem_with(x, status, info, &(dx_door_headers){0});
}

void dx_door_no_memory(dx_exchange *x)
{
    dx_door_problem(x, DX_STREAM_MEMORY, NULL);
}
