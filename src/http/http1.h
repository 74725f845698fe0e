/* HTTP/1.1 at the server: a connection carries exchanges, one after the other.
 * Is:     keep-alive and pipelining in order, Expect, bodies, deadlines, framing faults and their answers
 *         (RFC 9112).
 * Is not: parsing (codec/http_message), what a request means (handlers), sockets (net).
 * Memory: an idle connection holds one dx_http1; an exchange and its arena exist during a request.
 * Threads: its loop's.
 * Source: RFC 9112.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_HTTP1_H
#define DX_HTTP_HTTP1_H

#include "codec/http_chunk.h"
#include "codec/http_date.h"
#include "http/alpn.h"
#include "http/exchange.h"
#include "http/http2.h"

typedef struct dx_http_config {
    dx_http_limits head;
    uint32_t head_ms;        /* for a head, from its first byte (or accepting) to its end */
    uint32_t idle_ms;        /* between requests */
    uint32_t body_window_ms; /* in each such window a body must bring */
    uint32_t body_window_bytes;
    uint32_t queued_bytes_high; /* answers queued before further requests are looked at */
    dx_http2_config http2;
} dx_http_config;

#define DX_HTTP_CONFIG_DEFAULT                                                                     \
    ((dx_http_config){.head = DX_HTTP_LIMITS_DEFAULT,                                              \
                      .head_ms = 10000,                                                            \
                      .idle_ms = 75000,                                                            \
                      .body_window_ms = 10000,                                                     \
                      .body_window_bytes = 10240,                                                  \
                      .queued_bytes_high = 65536,                                                  \
                      .http2 = DX_HTTP2_CONFIG_DEFAULT})

enum { DX_HTTP_MORE_MAX = 8, DX_HTTP2_CODES_COUNT = 14 /* RFC 9113 §7 */ };

/* HTTP on one loop: what its connections share. */
typedef struct dx_http {
    dx_net *net;
    const dx_router *router; /* borrowed */
    dx_http_config config;
    /* Fields that every answer gets beside its own, whoever makes it: writes at most DX_HTTP_MORE_MAX to
     * `ret` (views until it is called again), returns how many. NULL: none. x->match.route is NULL where
     * none was found. */
    size_t (*more)(const dx_exchange *x, unsigned status, dx_header *ret);
    dx_exchange_watch watch; /* of its exchanges */
    dx_pool conns, exchanges;
    dx_arena spare;                /* the arena of the last exchange, for the next */
    struct dx_http2_shared *http2; /* NULL until a client speaks it */
    uint64_t goaways[DX_HTTP2_CODES_COUNT]; /* connections of HTTP/2 that we have ended, by code */
    dx_http_field *fields;         /* of the head that is read now: head.fields_count_max of them */
    uint64_t date_read_ms;         /* when `date` was made, in loop time */
    uint8_t date[DX_HTTP_DATE_SIZE];
} dx_http;

/* Errors: DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_http_init(dx_http *http, dx_net *net, const dx_router *router,
                                const dx_http_config *config);
/* All connections must be gone. */
void dx_http_deinit(dx_http *http);

/* Serves the accepted descriptor `fd` (taken). tls: NULL for none; borrowed until the connection is closed. */
void dx_http1_accept(dx_http *http, int fd, dx_tls *tls);

/* What a client gets that speaks HTTP where TLS is spoken. */
extern const dx_bytes dx_http1_not_tls;

/* The current date as an HTTP field value, read at most every half second. */
dx_bytes dx_http_now(dx_http *http);

/* An exchange whose fields are http->fields, with the spare arena; NULL: memory is out. For carriers. */
dx_exchange *dx_http_exchange_new(dx_http *http, const dx_exchange_ops *ops, void *carrier);
void dx_http_exchange_free(dx_http *http, dx_exchange *x);

/* Drains `conn`, if it speaks HTTP of whatever version: an orderly end after what is under way. */
void dx_http_drain(dx_conn *conn);

/* How many connections speak it. */
size_t dx_http2_conns_count(const dx_http *http);

/* True if `conn` speaks HTTP/1.1 (and not yet a protocol it was upgraded to). */
bool dx_http1_is(const dx_conn *conn);

/* Drains: finishes the connection now if it is between requests, else after the response. */
void dx_http1_drain(dx_conn *conn);

#endif
