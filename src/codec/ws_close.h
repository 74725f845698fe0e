/* Close codes and the payload of a Close frame.
 * Is:     which codes may be on the wire, reading and writing the payload, words for codes.
 * Is not: the closing handshake (ws).
 * Memory: allocates nothing; a reason is a view of the payload.   Threads: any.
 * Source: RFC 6455 §5.5.1, §7.4; the IANA registry of close codes (1012-1014).
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_WS_CLOSE_H
#define DX_CODEC_WS_CLOSE_H

#include "codec/ws_head.h"

#define DX_WS_REASON_BYTES_MAX 123

enum {
    DX_WS_CLOSE_NORMAL = 1000,
    DX_WS_CLOSE_GOING_AWAY = 1001,
    DX_WS_CLOSE_PROTOCOL = 1002,
    DX_WS_CLOSE_UNSUPPORTED = 1003,
    DX_WS_CLOSE_NO_CODE = 1005, /* never on the wire: the Close had no code */
    DX_WS_CLOSE_LOST = 1006,    /* never on the wire: there was no Close */
    DX_WS_CLOSE_DATA = 1007,
    DX_WS_CLOSE_POLICY = 1008,
    DX_WS_CLOSE_TOO_BIG = 1009,
    DX_WS_CLOSE_EXTENSION = 1010,
    DX_WS_CLOSE_INTERNAL = 1011,
    DX_WS_CLOSE_RESTART = 1012,
    DX_WS_CLOSE_TRY_LATER = 1013,
    DX_WS_CLOSE_GATEWAY = 1014,
};

/* True for codes that may be on the wire, sent or received: 1000-1003, 1007-1014, 3000-4999. */
bool dx_ws_close_code_is_valid(uint16_t code);

/* Reads the payload of a Close (unmasked, at most 125 bytes). An empty one gives the code
 * DX_WS_CLOSE_NO_CODE. `*reason` is a view of `payload`.
 * Gives DX_WS_OK, DX_WS_FAULT_CLOSE_SIZE, _CODE or _REASON. */
DX_MUST_USE dx_ws_status dx_ws_close_read(dx_bytes payload, uint16_t *code, dx_bytes *reason);

/* Writes the payload of a Close and gives its size. DX_WS_CLOSE_NO_CODE gives 0 bytes; any other code
 * must be valid (asserted). Of `reason` goes what is valid UTF-8, cut at a code point so that at most
 * 123 bytes remain. */
size_t dx_ws_close_write(uint8_t out[DX_WS_CONTROL_BYTES_MAX], uint16_t code, dx_bytes reason);

/* A few English words for `code`, static, never NULL: "going away". */
const char *dx_ws_close_text(uint16_t code);

#endif
