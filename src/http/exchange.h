/* One request and its response, whatever carries them.
 * Is:     the struct behind <duplex/http.h>, and what a carrier (http1, http2) has to offer.
 * Is not: the carrier's bytes (http1.c, http2.c), routes (router.h).
 * Memory: from the worker's pool; what a handler asks for comes from its arena.
 * Threads: its loop's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_EXCHANGE_H
#define DX_HTTP_EXCHANGE_H

#include "base/arena.h"
#include "http/router.h"
#include "net/conn.h"

#include <duplex/http.h>

typedef enum dx_exchange_state {
    DX_EXCHANGE_READING,   /* the body is not whole yet */
    DX_EXCHANGE_HANDLING,  /* the handler has it */
    DX_EXCHANGE_STREAMING, /* the response has begun */
    DX_EXCHANGE_OVER,
} dx_exchange_state;

/* Where the content of a response comes from that is not written piece by piece, such as a feed that many
 * share. `pull` and `pulled` are as in dx_conn_ops: whole messages, but for the first, which may be the
 * rest of one; they go behind what is queued, but the rest of a message before it. */
typedef struct dx_exchange_source {
    uint32_t (*pull)(void *context, struct iovec *iov, uint32_t max);
    bool (*pulled)(void *context, size_t bytes);
    /* The answer ends (dx_exchange_end, or the client has gone): nothing more may be pulled but the rest
     * of a message sent in part. Called once. */
    void (*ending)(void *context);
    /* Nothing that was pulled is in use any more, and nothing is called any more. Called once. */
    void (*freed)(void *context);
} dx_exchange_source;

/* How what is pulled must be framed. */
typedef enum dx_exchange_framing {
    DX_EXCHANGE_BARE,    /* the content as it is */
    DX_EXCHANGE_CHUNKED, /* each message is a chunk of HTTP/1.1 (RFC 9112 §7.1), or several */
} dx_exchange_framing;

/* Who is told of each answer once: when it is over, whole or not, or when it begins to go on without end. */
typedef struct dx_exchange_watch {
    void (*over)(void *context, const dx_exchange *x); /* NULL: nobody */
    void *context;
    _Atomic(const char *) handling; /* the pattern of the route whose handler runs; NULL: none does */
} dx_exchange_watch;

/* What a carrier does for an exchange. */
typedef struct dx_exchange_ops {
    /* Sends the head. `length` as for dx_exchange_start. */
    void (*start)(dx_exchange *x, const dx_response *response, uint64_t length);
    /* QUEUED or CLOSED: what is given is taken. */
    dx_send_result (*write)(dx_exchange *x, dx_bytes piece);
    /* The queue is above its mark. */
    bool (*is_busy)(const dx_exchange *x);
    /* The response is whole; frees `x`. */
    void (*end)(dx_exchange *x);
    void (*want_room)(dx_exchange *x);
    /* The connection it is on. */
    dx_conn *(*conn)(const dx_exchange *x);
    /* Answers 101 (HTTP/2: 200) with `headers` and gives the connection up: it is the caller's, who sets
     * its protocol at once; `x` is freed. NULL where the carrier cannot. */
    dx_conn *(*upgrade)(dx_exchange *x, const dx_header *headers, size_t headers_count);
    /* x->source was set: how it is to be framed. */
    dx_exchange_framing (*stream)(dx_exchange *x);
    /* As dx_conn_write_rest, dx_conn_wake and dx_conn_flush. */
    void (*write_rest)(dx_exchange *x, dx_bytes rest);
    void (*wake)(dx_exchange *x);
    void (*flush)(dx_exchange *x);
    /* x->is_paused has changed. */
    void (*hold)(dx_exchange *x);
} dx_exchange_ops;

struct dx_exchange {
    const dx_exchange_ops *ops;
    void *carrier; /* the http1 connection, or the stream of HTTP/2 */
    dx_exchange_state state;
    bool is_fin_seen;          /* the client has closed its half */
    bool is_hurried;           /* as dx_exchange_is_hurried */
    bool is_tunnel;            /* asks for a WebSocket by an extended CONNECT (RFC 8441) */
    uint8_t sort;              /* whatever the handler wants to know in dx_http.more */
    bool is_endless;           /* the answer comes from a source */
    uint16_t status;           /* of the answer; 0: none has begun; DX_STATUS_GONE */
    uint32_t number;           /* of its stream of HTTP/2; 0: none */
    uint64_t begun_ns;         /* loop time */
    uint64_t sent_bytes;       /* of content, that were given to the carrier */
    dx_exchange_watch *watch; /* NULL: it was told */
    dx_http_request_head head; /* views: into the input, or the arena once it was kept */
    dx_route_match match;
    dx_bytes path; /* decoded, in the arena */
    dx_bytes body;
    dx_arena arena;
    dx_exchange_handler *on_room, *on_gone, *on_hurry;
    void *room_context, *gone_context, *hurry_context;
    dx_exchange_piece *on_piece; /* NULL: nobody takes the body in pieces */
    void *piece_context;
    uint64_t received, received_max; /* of the body, in pieces */
    bool is_paused;
    const dx_exchange_source *source; /* NULL: none, or it was freed */
    void *source_context;
    void *
        user; /* what a layer above knows of the request, to the end of its answer; NULL: nothing */
    void (*user_free)(void *user); /* called once, when `user` is not NULL and the exchange goes */
};

/* The connection that carries it: for its loop and its peer's address. */
dx_conn *dx_exchange_conn(const dx_exchange *x);

/* Like dx_exchange_write, but takes `piece` however full the queue is: for an answer whose size the
 * caller has bounded. */
void dx_exchange_put(dx_exchange *x, dx_bytes piece);

/* ---- answers that go on ---- */

/* After dx_exchange_start with a length that is not known: from here on content also comes from `source`
 * (borrowed until `freed`). What is written by dx_exchange_write or put goes before what is not pulled yet.
 * Not where the response has no content (HEAD, 204, 304). The request's views end here: such an answer may
 * last, and is to cost little.
 * dx_exchange_end may be called at any time, also from `pulled`: the answer ends behind the rest of a message
 * that was sent in part, and the next request is looked at then. */
dx_exchange_framing dx_exchange_stream(dx_exchange *x, const dx_exchange_source *source,
                                       void *context);

/* The rest of a message that was pulled and sent in part: a copy goes before everything else; it is not pulled
 * any more. Not while what was pulled is in flight. Framed as it was. */
void dx_exchange_put_rest(dx_exchange *x, dx_bytes rest);

/* There is something to pull: at the end of the turn. */
void dx_exchange_wake(dx_exchange *x);
/* Now, for one who serves many in a row. `x` may be over when it returns. */
void dx_exchange_flush(dx_exchange *x);

/* Calls `hurry` once when an answer that waits for something should end without it: the client has closed its
 * half of the connection (most who do have gone), or the server is going away. Not called if it is
 * so already: ask dx_exchange_is_hurried. */
void dx_exchange_on_hurry(dx_exchange *x, dx_exchange_handler *hurry, void *context);
bool dx_exchange_is_hurried(const dx_exchange *x);

/* What the watch is told of who went away before there was an answer; it is never sent. */
enum { DX_STATUS_GONE = 499 };

/* Tells the watch, once: before what ends the exchange in another way than by dx_exchange_end. */
void dx_exchange_note(dx_exchange *x);

/* ---- for carriers ---- */

/* Nobody should wait for this answer any more. */
void dx_exchange_hurry(dx_exchange *x);

/* Nothing of the source is in use any more. */
void dx_exchange_free_source(dx_exchange *x);

typedef enum dx_exchange_found {
    DX_FOUND,
    DX_FOUND_OTHER_METHODS, /* 405, or 204 to OPTIONS */
    DX_FOUND_NOTHING,       /* 404 */
    DX_FOUND_NO_PATH,       /* OPTIONS * */
    DX_FOUND_BAD_PATH,      /* 400 */
    DX_FOUND_NO_METHOD,     /* 501: what its content is, nobody knows */
} dx_exchange_found;

/* Looks for the route of a request whose head is there: sets x->path and x->match. */
dx_exchange_found dx_exchange_find(dx_exchange *x, const dx_router *router);
/* Answers where there is none. */
void dx_exchange_answer_unfound(dx_exchange *x, dx_exchange_found found);

/* Runs the route's handler. */
void dx_exchange_handle(dx_exchange *x);

/* ---- bodies in pieces, for carriers ---- */

/* Nothing may be given to the handler now: it pauses, or does not take the body. */
static inline bool dx_exchange_is_held(const dx_exchange *x)
{
    return x->is_paused || x->on_piece == NULL;
}
/* `size` bytes more are within what the handler takes? Counts them. */
DX_MUST_USE bool dx_exchange_may_receive(dx_exchange *x, size_t size);
/* Gives a piece; `x` may be over when it returns. */
void dx_exchange_give(dx_exchange *x, dx_bytes piece, bool is_last);
/* The rest will not come: tells the handler. True: nothing was answered yet, and may be now. */
DX_MUST_USE bool dx_exchange_lose_body(dx_exchange *x);

/* The client is gone: tells the handler and the source. The carrier frees `x` then. */
void dx_exchange_abandon(dx_exchange *x);

/* RFC 6454 §7: whether the request is from a page of the host that it is for, or from no page: programs send no Origin.
 * In clear either scheme will do: a proxy in front of us may have ended TLS. Through TLS a page that came in clear, which
 * anybody on its way could have written, is another's. */
bool dx_exchange_is_own_origin(const dx_exchange *x);

/* True if the request asks for a WebSocket, by what its carrier has for that. */
bool dx_exchange_is_websocket(const dx_exchange *x);

/* The answer to a method that the path does not have: 405 with Allow; to OPTIONS 204. */
void dx_exchange_answer_method(dx_exchange *x, uint32_t allowed);

/* A problem with further header fields, such as Allow. */
void dx_exchange_problem_with(dx_exchange *x, unsigned status, const char *detail,
                              const dx_header *headers, size_t headers_count);

#endif
