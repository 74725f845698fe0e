/* One request and its response, whatever carries them.
 * Is:     the struct behind <duplex/http.h>, and what a carrier (http1) has to offer.
 * Is not: the carrier's bytes (http1.c), routes (router.h).
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
    /* Answers 101 with `headers` and gives the connection up: it is the caller's, who sets its protocol
     * at once; `x` is freed. NULL where the carrier cannot. */
    dx_conn *(*upgrade)(dx_exchange *x, const dx_header *headers, size_t headers_count);
} dx_exchange_ops;

struct dx_exchange {
    const dx_exchange_ops *ops;
    void *carrier; /* the http1 connection */
    dx_exchange_state state;
    bool is_fin_seen;          /* the client has closed its half */
    dx_http_request_head head; /* views: into the input, or the arena once it was kept */
    dx_route_match match;
    dx_bytes path; /* decoded, in the arena */
    dx_bytes body;
    dx_arena arena;
    dx_exchange_handler *on_room, *on_gone;
    void *room_context, *gone_context;
};

/* The connection that carries it: for its loop and its peer's address. */
dx_conn *dx_exchange_conn(const dx_exchange *x);

/* Like dx_exchange_write, but takes `piece` however full the queue is: for an answer whose size the
 * caller has bounded. */
void dx_exchange_put(dx_exchange *x, dx_bytes piece);

/* Runs the route's handler. */
void dx_exchange_handle(dx_exchange *x);

/* The client is gone: tells the handler. The carrier frees `x` then. */
void dx_exchange_abandon(dx_exchange *x);

/* True if the request asks for a WebSocket, by what its carrier has for that. */
bool dx_exchange_is_websocket(const dx_exchange *x);

/* The answer to a method that the path does not have: 405 with Allow; to OPTIONS 204. */
void dx_exchange_answer_method(dx_exchange *x, uint32_t allowed);

/* A problem with further header fields, such as Allow. */
void dx_exchange_problem_with(dx_exchange *x, unsigned status, const char *detail,
                              const dx_header *headers, size_t headers_count);

#endif
