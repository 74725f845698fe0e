/* HTTP for programs that embed the server: a request comes in as an exchange, a response goes out.
 * Is:     reading the request, answering whole or in pieces.
 * Is not: making a server and its routes (server.h), WebSocket (websocket.h).
 * Threads: an exchange belongs to the worker that called the handler; call these only there.
 * Source: RFC 9110.
 * SPDX-License-Identifier: MIT */
#ifndef DUPLEX_HTTP_H
#define DUPLEX_HTTP_H

#include <duplex/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One request and its response. It lives until it was answered whole, or until `on_gone` returns. */
typedef struct dx_exchange dx_exchange;

/* Answers `x`, now or later: a handler may return without an answer, keep `x`, and answer from
 * another callback on the same worker (then it must set dx_exchange_on_gone). */
typedef void dx_exchange_handler(dx_exchange *x, void *context);

typedef struct dx_header {
    dx_bytes name, value;
} dx_header;

typedef struct dx_response {
    unsigned status;          /* 200 to 599; 0 is 200 */
    dx_bytes type;            /* Content-Type; empty: none */
    const dx_header *headers; /* further fields; a value with CR, LF or NUL turns the answer into 500 */
    size_t headers_count;
    dx_bytes body;
} dx_response;

/* The request. All views are good until the exchange is answered. */
DX_API dx_bytes dx_exchange_method(const dx_exchange *x);
DX_API dx_bytes dx_exchange_path(const dx_exchange *x);  /* percent-decoded, UTF-8, no dot segments */
DX_API dx_bytes dx_exchange_query(const dx_exchange *x); /* after "?", still encoded */
DX_API dx_bytes dx_exchange_body(const dx_exchange *x);  /* whole; empty for a streamed route */
/* The first header field of that name (any case); {NULL, 0} if there is none. */
DX_API dx_bytes dx_exchange_header(const dx_exchange *x, const char *name);
/* What `{name}` in the route's pattern matched, or for "**" what the rest matched. */
DX_API dx_bytes dx_exchange_parameter(const dx_exchange *x, const char *name);
/* The query parameter `name`, decoded into memory that lives as long as the exchange; {NULL, 0} if there
 * is none or it cannot be decoded. */
DX_API dx_bytes dx_exchange_argument(dx_exchange *x, const char *name);

/* ---- bodies in pieces: of routes made by dx_server_route_streamed ---- */

/* The size of the body as the client has announced it; DX_LENGTH_UNKNOWN if it has not, 0 without a body. */
#define DX_LENGTH_UNKNOWN UINT64_MAX
DX_API uint64_t dx_exchange_body_length(const dx_exchange *x);

/* A piece of the request's body, as it comes; borrowed. is_last: it is whole now; that piece may be empty. Any of
 * them may answer: before the last one, that ends the request, and the connection with it (HTTP/2: the stream). */
typedef void dx_exchange_piece(dx_exchange *x, dx_bytes piece, bool is_last, void *context);

/* In the handler of a streamed route: takes the body, of at most `bytes_max` (0: as long as it may be). Never calls
 * `piece` from in here. Without this call nothing of the body is read: answer then. With more than bytes_max the
 * answer is 413; `gone` (dx_exchange_on_gone) is called then, and when the body does not come whole. */
DX_API void dx_exchange_receive(dx_exchange *x, uint64_t bytes_max, dx_exchange_piece *piece, void *context);

/* Back-pressure: no pieces until dx_exchange_resume, and once a little is on its way the client has to wait. A
 * client that waits for us is not too slow. */
DX_API void dx_exchange_pause(dx_exchange *x);
DX_API void dx_exchange_resume(dx_exchange *x);

/* ---- answers ---- */

/* Answers whole: head and body. Everything in `response` is borrowed. `x` is over after this. */
DX_API void dx_exchange_respond(dx_exchange *x, const dx_response *response);

/* Answers with an error as application/problem+json (RFC 9457): `detail` is a sentence that says what
 * was wrong and what is allowed. `x` is over after this. */
DX_API void dx_exchange_problem(dx_exchange *x, unsigned status, const char *detail);

/* Answers in pieces: start (its body is ignored), write as often as wanted, end. `length` is the
 * number of bytes that will be written, or DX_LENGTH_UNKNOWN. After end `x` is over.
 * A piece of any size is taken whole while less than 64 KiB are queued. */
DX_API void dx_exchange_start(dx_exchange *x, const dx_response *response, uint64_t length);
DX_API dx_send_result dx_exchange_write(dx_exchange *x, dx_bytes piece);
DX_API void dx_exchange_end(dx_exchange *x);

/* `room` is called once, when everything written has left. */
DX_API void dx_exchange_want_room(dx_exchange *x, dx_exchange_handler *room, void *context);

/* `gone` is called if the client leaves before the answer is whole; `x` is over when it returns. */
DX_API void dx_exchange_on_gone(dx_exchange *x, dx_exchange_handler *gone, void *context);

#ifdef __cplusplus
}
#endif
#endif
