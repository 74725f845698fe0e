/* Messages of a session, as session.c sees them.
 * Is:     writing a frame, the zlib contexts of takeover, the message under way.
 * Is not: for anyone outside ws (session.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_WS_SESSION_FRAME_H
#define DX_WS_SESSION_FRAME_H

#include "ws/session.h"

/* Queues one whole frame, masked if we are the client. */
void dx_ws_write_frame(dx_ws *ws, dx_ws_opcode opcode, dx_bytes payload);

/* Sets up what was negotiated; false when memory is out. */
bool dx_ws_contexts_init(dx_ws *ws, const dx_ws_deflate_params *params);
void dx_ws_contexts_free(struct dx_ws_contexts *contexts);

/* Frees the pieces of a message under way. */
void dx_ws_drop_message(dx_ws *ws);

#endif
