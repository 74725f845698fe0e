/* The opening handshake at the server: from an exchange to a session.
 * Is:     the checks of RFC 6455 §4.2, Origin, the choice of subprotocol and extension, the 101.
 * Is not: which path serves WebSocket (routes), the session (session.h).
 * Threads: its loop's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_WS_SERVER_H
#define DX_WS_SERVER_H

#include "http/exchange.h"
#include "ws/session.h"

/* What was agreed on, between checking and accepting. */
typedef struct dx_ws_handshake {
    bool is_deflate;
    uint8_t subprotocol; /* index + 1; 0: none */
    dx_ws_deflate_params params;
    dx_ws_deflate_text extension;
} dx_ws_handshake;

/* Judges the request. False: it was answered (400, 403, 405, 426), `x` is over. True: `x` is as it
 * was, to be accepted now or later, or answered otherwise. */
DX_MUST_USE bool dx_ws_handshake_check(dx_exchange *x, const dx_ws_endpoint *endpoint,
                                       dx_ws_handshake *ret);

/* Answers 101 and begins the session (calls `open`, where dx_ws_user is `user`); `x` is over. When memory
 * is out the answer is 503 and the result NULL. */
dx_ws *dx_ws_handshake_accept(dx_exchange *x, dx_ws_worker *worker, const dx_ws_endpoint *endpoint,
                              const dx_ws_handshake *handshake, void *user);

#endif
