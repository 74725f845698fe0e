/* HTTP/2 at the client: one connection to an origin carries requests side by side, and WebSockets.
 * Is:     what those who send requests see of it (client_http2.c, ws/client.c): a request is a carried connection.
 * Is not: when to connect (origin.h), what a request means.
 * Memory: a stream that is not read holds at most its window, a head that comes at most what is allowed; all is
 *         counted before it is kept.
 * Threads: its loop's.
 * Source: RFC 9113, RFC 8441.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_HTTP2_CLIENT_H
#define DX_HTTP_HTTP2_CLIENT_H

#include "codec/http_message.h"
#include "net/conn.h"

struct dx_http_origin;

typedef struct dx_http2_client dx_http2_client;

typedef struct dx_http2_client_config {
    dx_http_limits head;          /* of an answer */
    uint32_t stream_window_bytes; /* that a server may send before it is read */
    uint32_t conn_window_bytes;
    uint32_t continuations_max; /* frames in which a head may go on */
    uint32_t settings_ms;       /* for the server's first word, its SETTINGS */
    uint32_t head_ms;           /* for a head, from its first frame to its last */
    uint32_t stalled_ms;        /* a stream that the server takes nothing of for so long is reset */
    uint32_t queued_bytes_high; /* frames queued before more are made */
    uint32_t frames_burst;      /* frames that bring nothing, at once, */
    uint32_t frames_per_second; /* and in the long run */
} dx_http2_client_config;

#define DX_HTTP2_CLIENT_CONFIG_DEFAULT                                                             \
    ((dx_http2_client_config){.head = DX_HTTP_LIMITS_DEFAULT,                                      \
                              .stream_window_bytes = 1048576,                                      \
                              .conn_window_bytes = 8388608,                                        \
                              .continuations_max = 8,                                              \
                              .settings_ms = 10000,                                                \
                              .head_ms = 10000,                                                    \
                              .stalled_ms = 10000,                                                 \
                              .queued_bytes_high = 65536,                                          \
                              .frames_burst = 1000,                                                \
                              .frames_per_second = 100})

/* A request. Its texts are borrowed during the call. */
typedef struct dx_http2_call {
    dx_bytes
        head; /* as HTTP/1.1 has it, by codec/http_writer; what is of a connection alone is left out */
    uint64_t content_bytes; /* that will be pulled or written on the stream */
    bool
        is_tunnel; /* a WebSocket (RFC 8441): content until dx_conn_finish. The head is that of a GET. */
    /* Of the stream: on_bytes brings content, on_end tells that the answer is whole, on_closed that it will not
     * be (dx_http2_client_why says why). */
    const dx_conn_ops *ops;
    void *protocol;
    /* The head of the final answer; borrowed. Once, before any content. */
    void (*on_head)(dx_conn *conn, const dx_http_response_head *head);
} dx_http2_call;

/* Takes over `conn`, which is open and whose server speaks HTTP/2, as the connection of `origin`. NULL: memory is
 * out, and nothing has changed. */
dx_http2_client *dx_http2_client_begin(struct dx_http_origin *origin, dx_conn *conn);

/* Sends a request on a stream of its own: an open connection, in front of everything else that it may do. Who does
 * not want it any more aborts it. More than the server allows at once wait for their turn.
 * Errors: DX_ERR_NAME (a head that is none), DX_ERR_TOO_LARGE (above 16 KiB, or 120 fields), DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_http2_client_open(dx_http2_client *client, const dx_http2_call *call,
                                        dx_conn **ret);

/* The server's SETTINGS have come. */
bool dx_http2_client_is_settled(const dx_http2_client *client);
/* And allow WebSockets (SETTINGS_ENABLE_CONNECT_PROTOCOL). */
bool dx_http2_client_has_tunnels(const dx_http2_client *client);

/* `stream` was the last that was wanted of its connection: that ends, unless there are others on it. */
void dx_http2_client_leave(const dx_conn *stream);
/* Ends at once; its origin is not told. */
void dx_http2_client_abort(dx_http2_client *client);

/* For on_closed of a stream: its error in words. A view, good during that call. */
const char *dx_http2_client_why(const dx_conn *stream);

#endif
