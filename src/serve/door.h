/* The doors of a stream: what HTTP and WebSocket have in common.
 * Is:     the namespace a route serves, names, query and fields, positions, answers, problems.
 * Is not: the doors themselves (door_*.c), who may use them (access.c).
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_DOOR_H
#define DX_SERVE_DOOR_H

#include "serve/access.h"
#include "serve/server.h"
#include "stream/hub.h"

/* How long the doors that go on keep a client. */
typedef struct dx_live_times {
    uint32_t wait_ms; /* a long-poll that says nothing else */
    uint32_t sse_ms;  /* live=sse, about; then the client comes back (Durable Streams 1.0 §10.2) */
    uint32_t comment_ms; /* of silence, then a comment is sent */
} dx_live_times;

enum { DX_WAIT_MS = 20000, DX_WAIT_S_MAX = 60, DX_SSE_MS = 60000, DX_SSE_COMMENT_MS = 25000 };

#define DX_LIVE_TIMES_DEFAULT                                                                      \
    ((dx_live_times){.wait_ms = DX_WAIT_MS, .sse_ms = DX_SSE_MS, .comment_ms = DX_SSE_COMMENT_MS})

/* A prefix with streams: the context of its routes. */
typedef struct dx_stream_route {
    dx_server_owned owned;
    dx_server *server;
    dx_namespace ns;
    dx_durability wanted; /* what ns.durability is where there is a store */
    char *type;           /* of ns, owned */
    dx_access access;
    dx_ws_endpoint endpoint;
    dx_live_times live;
    char prefix[];
} dx_stream_route;

/* Route handlers. */
void dx_door_put(dx_exchange *x, void *route);
void dx_door_post(dx_exchange *x, void *route);
void dx_door_get(dx_exchange *x, void *route); /* and HEAD */
void dx_door_delete(dx_exchange *x, void *route);
void dx_door_options(dx_exchange *x, void *route);
void dx_door_websocket(dx_exchange *x, void *route);

/* ---- GET that goes on: door_get has checked name, access and query ---- */

/* What a client of a live door asks for. */
typedef struct dx_live_wish {
    dx_position position; /* where to begin; Last-Event-ID goes before offset */
    bool has_offset;      /* an offset or Last-Event-ID was given */
    bool
        is_plain; /* Accept: text/event-stream and no live=sse: an EventSource, not a Durable Streams
                             client */
    bool has_cursor;
    uint64_t cursor; /* ?cursor=, as the client got it last */
    bool has_wait;
    uint64_t wait_s; /* Prefer: wait=N; not bounded here */
    uint64_t limit;  /* ?limit=: messages in an answer at most; not of SSE */
    dx_grant grant;  /* to read */
} dx_live_wish;

/* live=long-poll, Prefer: wait=N. (door_wait.c) */
void dx_door_wait(dx_exchange *x, const dx_stream_route *route, const dx_live_wish *wish);
/* live=sse, Accept: text/event-stream. (door_sse.c) */
void dx_door_sse(dx_exchange *x, const dx_stream_route *route, const dx_live_wish *wish);
/* GET S?presence. (door_presence.c) */
void dx_door_presence(dx_exchange *x, const dx_stream_route *route);

/* The endpoint of the WebSocket door. */
void dx_door_websocket_init(dx_ws_endpoint *endpoint, const dx_ws_config *config);

/* ---- who may (access_who.c) ---- */

/* Whether the one who asks may do this to the stream at x->path; ret: what that rests on. False: it was
 * answered. */
DX_MUST_USE bool dx_door_may(dx_exchange *x, const dx_stream_route *route, dx_action action,
                             dx_grant *ret);
/* The same for the stream at another path, below `route`: the source of a fork. */
DX_MUST_USE bool dx_door_may_at(dx_exchange *x, const dx_stream_route *route, dx_bytes path,
                                dx_action action, dx_grant *ret);

/* The bounds of a capability, as doors ask for them. */
static inline uint32_t dx_grant_message_max(const dx_grant *grant, uint32_t otherwise)
{
    uint32_t max = grant->by ? grant->by->message_bytes_max : 0;
    return max > 0 && max < otherwise ? max : otherwise;
}

/* What a read is bound by. */
static inline void dx_grant_limit_read(const dx_grant *grant, dx_read *read)
{
    if (grant->by && grant->by->has_history) {
        read->has_depth = true;
        read->depth_max = grant->by->history_max;
    }
}

/* The value of Access-Control-Allow-Origin for this request; empty: no page of another origin may. */
dx_bytes dx_door_origin(const dx_exchange *x, const dx_stream_route *route);

/* ---- requests ---- */

/* What every door begins with. False: the request is from a page that may not (403), or its path is no stream's name
 * (400, 404); it was answered. */
DX_MUST_USE bool dx_door_enter(dx_exchange *x, const dx_stream_route *route);

/* The query parameter `name`, decoded: ret->at is NULL if it is not there, not NULL but size 0 if it has no
 * value. False: it is there twice or cannot be decoded, and was answered with 400. */
DX_MUST_USE bool dx_door_argument(dx_exchange *x, const char *name, dx_bytes *ret);

/* The value of a field: ret->at is NULL if it is not there. False: it is there twice, empty, or longer than
 * bytes_max; it was answered with 400. */
DX_MUST_USE bool dx_door_field(dx_exchange *x, dx_http_name id, size_t bytes_max, dx_bytes *ret);

/* Reads `?offset=`; `otherwise` if there is none. False: answered with 400. */
DX_MUST_USE bool dx_door_position(dx_exchange *x, dx_offset_kind otherwise, dx_position *ret);

/* Stream-Closed: true. */
bool dx_door_is_closing(const dx_exchange *x);

/* The Content-Type of a request; empty if there is none. False: it is none, or longer than 255 bytes;
 * answered with 400. */
DX_MUST_USE bool dx_door_type(dx_exchange *x, dx_bytes *ret);

/* False: `type` is not what the namespace has for all its streams; answered with 409. */
DX_MUST_USE bool dx_door_check_type(dx_exchange *x, const dx_namespace *ns, dx_bytes type);

/* What a Content-Type means for a stream. */
dx_stream_kind dx_door_kind(dx_bytes type);

/* The hub of the worker that `x` is on. */
dx_hub *dx_door_hub(const dx_exchange *x);

/* ---- the messages of a body ---- */

typedef struct dx_door_messages {
    dx_message **at; /* room doubles */
    size_t count;
} dx_door_messages;

/* Cuts the body of `x` into messages as `kind` says: of JSON the elements of an array, one level deep.
 * bytes_max: of each.
 * is_empty_allowed: no body or an empty array gives none; else it is an error.
 * False: answered with 400, 413 or 503. ret: released in any case by dx_door_messages_drop, or, when the
 * references have been taken, by free(ret->at). */
DX_MUST_USE bool dx_door_messages_read(dx_exchange *x, dx_stream_kind kind, uint32_t bytes_max,
                                       bool is_empty_allowed, dx_door_messages *ret);
void dx_door_messages_drop(dx_door_messages *messages);

/* ---- answers ---- */

/* Fields of an answer that is being put together, with room for their text. */
enum { DX_DOOR_HEADERS_MAX = 16, DX_DOOR_TEXT_MAX = 512 };

typedef struct dx_door_headers {
    dx_header at[DX_DOOR_HEADERS_MAX];
    size_t count;
    size_t text_size;
    uint8_t text[DX_DOOR_TEXT_MAX];
} dx_door_headers;

/* value: borrowed until the answer. */
void dx_door_add(dx_door_headers *h, const char *name, dx_bytes value);
void dx_door_add_copy(dx_door_headers *h, const char *name, dx_bytes value);
void dx_door_add_offset(dx_door_headers *h, const char *name, dx_offset offset);
void dx_door_add_number(dx_door_headers *h, const char *name, uint64_t number);

/* What the answer of a long-poll has beside. */
typedef struct dx_wait_fields {
    uint64_t cursor;   /* Stream-Cursor */
    bool is_preferred; /* Preference-Applied: wait */
} dx_wait_fields;

/* Answers with what was read (status OK) as history does: 200 or, by If-None-Match, 304; position, ends,
 * ETag and Cache-Control. wait: NULL for history. */
void dx_door_answer_read(dx_exchange *x, const dx_stream_route *route, const dx_read *read,
                         const dx_wait_fields *wait);

/* Answers what went wrong with a stream (any status but OK). `info` is NULL where nothing was read. */
void dx_door_problem(dx_exchange *x, dx_stream_status status, const dx_stream_info *info);
/* The same with further fields. */
void dx_door_problem_with(dx_exchange *x, dx_stream_status status, const dx_stream_info *info,
                          dx_door_headers *headers);
/* 503: memory is out. */
void dx_door_no_memory(dx_exchange *x);

/* What an acknowledged message survives, as Stream-Durability says it. */
dx_bytes dx_door_durability(const dx_namespace *ns);

/* The fields that every answer of a stream's door has, errors too (dx_http.more). */
size_t dx_door_more(const dx_exchange *x, unsigned status, dx_header *ret);

/* For dx_exchange_on_gone: sets *(dx_exchange **)context to NULL. */
void dx_door_forget(dx_exchange *x, void *context);

/* streams.c: the prefix that a stream's path is below; NULL if it is no stream's name. */
const dx_stream_route *dx_stream_route_of(const dx_server *server, dx_bytes path);

#endif
