/* HTTP/2 at the server: a connection carries exchanges side by side, and WebSockets.
 * Is:     what the rest of the server knows of it: settings and limits, how it begins and drains.
 * Is not: the connection (http2_conn.h), what a request means (handlers), WebSocket frames (ws).
 * Threads: its loop's.
 * Source: RFC 9113, RFC 8441, RFC 9218.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_HTTP2_H
#define DX_HTTP_HTTP2_H

#include "http/alpn.h"
#include "net/conn.h"

struct dx_http;

/* What a client without TLS begins with, to be told from HTTP/1.1. */
extern const dx_bytes dx_http2_preface;

typedef struct dx_http2_config {
    uint32_t streams_max;         /* at once on a connection; 0: no HTTP/2 */
    uint32_t stream_window_bytes; /* that a client may send before it is read */
    uint32_t conn_window_bytes;
    uint32_t heads_bytes_max;  /* kept for the requests of a connection; further ones are refused */
    uint32_t bodies_bytes_max; /* gathered at once; above it one request after the other goes on */
    uint32_t continuations_max; /* frames in which a head may go on */
    uint32_t settings_ms;       /* for the client to acknowledge ours */
    uint32_t stalled_ms;        /* a stream whose window is shut for so long is reset */
    uint32_t ping_ms;      /* silence of a connection with streams after which a ping goes out */
    uint32_t pong_ms;      /* silence after that which ends it */
    uint32_t drain_ms;     /* between the two GOAWAYs of an orderly end, at most */
    uint32_t resets_burst; /* streams that a client resets or makes us reset, at once, */
    uint32_t resets_per_second; /* and in the long run */
    uint32_t slowed_ms;         /* a client that has used up half of them is not read for so long */
    uint32_t frames_burst;      /* frames that bring nothing, likewise */
    uint32_t frames_per_second;
} dx_http2_config;

#define DX_HTTP2_CONFIG_DEFAULT                                                                    \
    ((dx_http2_config){.streams_max = 100,                                                         \
                       .stream_window_bytes = 65536,                                               \
                       .conn_window_bytes = 1048576,                                               \
                       .heads_bytes_max = 262144,                                                  \
                       .bodies_bytes_max = 1048576,                                                \
                       .continuations_max = 8,                                                     \
                       .settings_ms = 10000,                                                       \
                       .stalled_ms = 15000,                                                        \
                       .ping_ms = 25000,                                                           \
                       .pong_ms = 8000,                                                            \
                       .drain_ms = 1000,                                                           \
                       .resets_burst = 200,                                                        \
                       .resets_per_second = 20,                                                    \
                       .slowed_ms = 100,                                                           \
                       .frames_burst = 1000,                                                       \
                       .frames_per_second = 100})

/* Takes over a connection whose client speaks HTTP/2, from its first byte on. False: memory is out. */
DX_MUST_USE bool dx_http2_begin(struct dx_http *http, dx_conn *conn);

/* True if `conn` speaks HTTP/2 (and is no stream of one). */
bool dx_http2_is(const dx_conn *conn);

/* Drains: no new requests; those under way are answered, then it ends. */
void dx_http2_drain(dx_conn *conn);

/* dx_http_deinit */
void dx_http2_shared_free(struct dx_http *http);

#endif
