/* Messages of a session, as session.c sees them.
 * Is:     writing a frame, the zlib contexts of takeover, the message under way.
 * Is not: for anyone outside ws (session.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_WS_SESSION_FRAME_H
#define DX_WS_SESSION_FRAME_H

#include "ws/session.h"

/* Queues one whole frame, masked if we are the client. */
void dx_ws_write_frame(dx_ws *ws, dx_ws_opcode opcode, dx_bytes payload);

/* What most sessions never have, and the others only now and then. */
struct dx_ws_extra {
    dx_buffer message;     /* the pieces of the message under way */
    dx_inflater *inflater; /* with takeover; NULL: the worker's */
    dx_deflater *deflater; /* likewise */
    dx_ws_event held;      /* waits until the session is settled; its payload is a copy, below */
    bool is_held;
    bool has_late_pong; /* one waits until the queue has left */
    uint8_t late_pong_size;
    uint8_t held_payload[DX_WS_CONTROL_BYTES_MAX];
    uint8_t late_pong[DX_WS_CONTROL_BYTES_MAX];
};

static inline bool dx_ws_is_holding(const dx_ws *ws)
{
    return ws->extra && ws->extra->is_held;
}

/* It, made if there is none; NULL when memory is out. */
struct dx_ws_extra *dx_ws_extra(dx_ws *ws);
/* Frees it once nothing is left in it. */
void dx_ws_extra_trim(dx_ws *ws);
/* Frees it with all it has. */
void dx_ws_extra_free(dx_ws *ws);

/* Sets up what was negotiated; false when memory is out. */
bool dx_ws_contexts_init(dx_ws *ws, const dx_ws_deflate_params *params);

#endif
