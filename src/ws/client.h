/* A WebSocket client: connects, shakes hands, and is a session from then on.
 * Is:     RFC 6455 §4.1 at the client: request, judging the answer; by HTTP/2 on a stream of the origin's connection
 *         (RFC 8441), where the server has that, else by HTTP/1.1 if the origin's version allows it.
 * Is not: looking up names (net/address), URLs (codec/url).
 * Threads: its loop's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_WS_CLIENT_H
#define DX_WS_CLIENT_H

#include "codec/url.h"
#include "http/origin.h"
#include "ws/session.h"

#include <duplex/http.h>

typedef struct dx_ws_connect_options {
    const dx_ws_endpoint *endpoint; /* `open` is called when the handshake is over; its subprotocols
                                       are asked for */
    dx_http_origin *server;         /* borrowed until `open` or `failed` */
    dx_bytes authority;             /* the Host field; borrowed during the call, as all below */
    dx_bytes target;                /* path and query */
    dx_bytes origin;                /* Origin; empty: none */
    const dx_header *headers;       /* further fields of the request */
    size_t headers_count;
    uint32_t timeout_ms; /* for connecting and the handshake */
    void *user;
    /* Called instead of `open` when it fails: with the HTTP status of the answer (0: none came) and a
     * sentence. */
    void (*failed)(void *user, dx_err err, unsigned status, const char *text);
} dx_ws_connect_options;

/* Begins to connect; `open` or `failed` follows.
 * Errors: DX_ERR_MEMORY, DX_ERR_FILES, DX_ERR_UNSUPPORTED, DX_ERR_TOO_LARGE (target above 8 KiB),
 * DX_ERR_NAME (a field that cannot be sent), DX_ERR_SYSTEM; nothing is called then. */
DX_MUST_USE dx_err dx_ws_connect(dx_ws_worker *worker, const dx_ws_connect_options *options);

#endif
