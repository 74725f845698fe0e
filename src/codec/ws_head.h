/* WebSocket frame heads: bytes in, one dx_ws_head out; and the way back.
 * Is:     every MUST of RFC 6455 §5.2 and §5.5 that the head alone can break.
 * Is not: unmasking (ws_mask), the order of frames over time (ws_reader), I/O of any kind.
 * Memory: allocates nothing, keeps no pointer into the input.   Threads: any.
 * Source: RFC 6455 §5.2.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_WS_HEAD_H
#define DX_CODEC_WS_HEAD_H

#include "base/bytes.h"
#include "codec/ws_status.h"

typedef enum dx_ws_opcode {
    DX_WS_CONTINUATION = 0,
    DX_WS_TEXT = 1,
    DX_WS_BINARY = 2,
    DX_WS_CLOSE = 8,
    DX_WS_PING = 9,
    DX_WS_PONG = 10,
} dx_ws_opcode;

/* Which side we are: a server reads masked frames and writes plain ones, a client the reverse. */
typedef enum dx_ws_role { DX_WS_SERVER, DX_WS_CLIENT } dx_ws_role;

#define DX_WS_HEAD_BYTES_MAX 14
#define DX_WS_CONTROL_BYTES_MAX 125

typedef struct dx_ws_head {
    uint64_t payload_size;
    dx_ws_opcode opcode;
    uint8_t mask[4]; /* the key; zeros unless `masked` */
    bool fin, rsv1, masked;
} dx_ws_head;

/* What the head is judged by. */
typedef struct dx_ws_rules {
    uint64_t payload_bytes_max; /* of a data frame: what the message may still grow by */
    dx_ws_role role;
    bool deflate;      /* permessage-deflate was negotiated: RSV1 may begin a message */
    bool message_open; /* a message was begun and not ended: only its continuation may follow */
} dx_ws_rules;

static inline bool dx_ws_opcode_is_control(dx_ws_opcode opcode)
{
    return (opcode & 8) != 0;
}

/* Reads one head from the front of `*in`; the payload need not be there.
 * Gives DX_WS_OK and moves `*in` past the head; or DX_WS_MORE; or the fault, known from the first
 * byte that shows it (a reserved opcode from byte 0, a length above the limit from its leading
 * bytes). `*in` and `*ret` are untouched unless DX_WS_OK. */
DX_MUST_USE dx_ws_status dx_ws_head_read(dx_bytes *in, const dx_ws_rules *rules, dx_ws_head *ret);

/* Writes `head` with the shortest length form and gives its size, 2 to 14. `head` must be legal
 * (asserted: control payload <= 125 and fin, payload_size < 2^63). */
size_t dx_ws_head_write(uint8_t out[DX_WS_HEAD_BYTES_MAX], const dx_ws_head *head);

/* The size dx_ws_head_write will give. */
static inline size_t dx_ws_head_size(uint64_t payload_size, bool masked)
{
    return (payload_size < 126 ? 2u : payload_size < 65536 ? 4u : 10u) + (masked ? 4u : 0u);
}

#endif
