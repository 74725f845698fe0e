/* WebSocket for programs that embed the server, and for clients.
 * Is:     messages both ways, the closing handshake, backpressure.
 * Is not: making a server (server.h); the bytes on the wire are the library's affair.
 * Threads: a dx_ws belongs to one worker, which makes all callbacks; call these only there.
 * Source: RFC 6455, RFC 7692.
 * SPDX-License-Identifier: MIT */
#ifndef DUPLEX_WEBSOCKET_H
#define DUPLEX_WEBSOCKET_H

#include <duplex/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One WebSocket connection; valid from `open` until `close` returns. */
typedef struct dx_ws dx_ws;

typedef enum dx_ws_type { DX_WS_MESSAGE_TEXT = 1, DX_WS_MESSAGE_BINARY = 2 } dx_ws_type;

typedef struct dx_ws_message {
    dx_ws_type type;
    dx_bytes payload; /* borrowed; UTF-8 if text */
} dx_ws_message;

/* What happens to a connection. Slots may be NULL. Any of them may send and close. */
typedef struct dx_ws_handler {
    void (*open)(dx_ws *ws, void *context);
    void (*message)(dx_ws *ws, const dx_ws_message *message, void *context);
    /* There is room again after a send was answered DX_SEND_BUSY. */
    void (*room)(dx_ws *ws, void *context);
    /* It is over: with the peer's close code, 1005 if it gave none, 1006 if the connection was lost, or
     * ours if we failed it. */
    void (*close)(dx_ws *ws, uint16_t code, dx_bytes reason, void *context);
    void *context;
    /* At clients, instead of `open`: there is no connection. status: of the HTTP answer; 0: none came. text:
     * one sentence without a full stop. */
    void (*failed)(void *context, dx_err err, unsigned status, const char *text);
} dx_ws_handler;

/* Sends one message. payload: borrowed; must be UTF-8 if text (not checked: it is yours).
 * A message of any size is taken while less than queue_bytes_max (default 1 MiB) is queued. */
DX_API dx_send_result dx_ws_send(dx_ws *ws, dx_ws_type type, dx_bytes payload);

/* Begins the closing handshake; what was sent before still arrives. code: 1000-1003, 1007-1014 or
 * 3000-4999, or 1005 for none; reason: UTF-8, cut after 123 bytes. Messages that still come are not
 * delivered. */
DX_API void dx_ws_close(dx_ws *ws, uint16_t code, dx_bytes reason);

/* Stops and resumes receiving: backpressure towards the peer. */
DX_API void dx_ws_pause(dx_ws *ws);
DX_API void dx_ws_resume(dx_ws *ws);

/* A pointer of yours. */
DX_API void dx_ws_set_user(dx_ws *ws, void *user);
DX_API void *dx_ws_user(const dx_ws *ws);

/* The subprotocol agreed on, or empty. Static text of the server's list. */
DX_API dx_bytes dx_ws_subprotocol(const dx_ws *ws);

#ifdef __cplusplus
}
#endif
#endif
