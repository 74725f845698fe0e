/* The outcomes of reading WebSocket bytes: fine, not yet, or what the peer did wrong.
 * Is:     one enum and the one table that maps a fault to its close code, sentence and section.
 * Is not: errors of this machine (dx_err), what to do about a fault (ws).
 * Threads: pure values, any.
 * Source: RFC 6455, RFC 7692.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_WS_STATUS_H
#define DX_CODEC_WS_STATUS_H

#include "base/platform.h"

typedef enum dx_ws_status {
    DX_WS_OK,
    DX_WS_MORE, /* not yet: more bytes are needed; nothing was wrong so far */
    /* Everything below is a fault: fail the connection with dx_ws_fault_of(status)->close_code. */
    DX_WS_FAULT_RSV,                   /* RSV2 or RSV3 is set */
    DX_WS_FAULT_RSV1,                  /* RSV1 without permessage-deflate */
    DX_WS_FAULT_RSV1_CONTINUATION,     /* RSV1 on a frame that does not begin a message */
    DX_WS_FAULT_RSV1_CONTROL,          /* RSV1 on a control frame */
    DX_WS_FAULT_OPCODE,                /* 3-7, 11-15 */
    DX_WS_FAULT_CONTROL_FRAGMENTED,    /* a control frame without FIN */
    DX_WS_FAULT_CONTROL_SIZE,          /* a control frame above 125 bytes */
    DX_WS_FAULT_CONTINUATION_STRAY,    /* a continuation without a message to continue */
    DX_WS_FAULT_CONTINUATION_EXPECTED, /* a new message inside an open one */
    DX_WS_FAULT_UNMASKED,              /* a client's frame without mask */
    DX_WS_FAULT_MASKED,                /* a server's frame with mask */
    DX_WS_FAULT_LENGTH_NOT_MINIMAL,    /* a length in a longer form than it needs */
    DX_WS_FAULT_LENGTH_TOP_BIT,        /* a 64-bit length of 2^63 or more */
    DX_WS_FAULT_MESSAGE_SIZE,          /* above the message limit, on the wire */
    DX_WS_FAULT_FRAGMENTS,             /* too many fragments for so few bytes */
    DX_WS_FAULT_UTF8,                  /* a text message that is not UTF-8 */
    DX_WS_FAULT_UTF8_CUT,              /* a text message that ends inside a code point */
    DX_WS_FAULT_CLOSE_SIZE,            /* a Close payload of one byte */
    DX_WS_FAULT_CLOSE_CODE,            /* a close code that must not be on the wire */
    DX_WS_FAULT_CLOSE_REASON,          /* a close reason that is not UTF-8 */
    DX_WS_FAULT_DEFLATE,               /* a compressed message that does not inflate */
    DX_WS_FAULT_INFLATED_SIZE,         /* above the message limit once inflated */
} dx_ws_status;
#define DX_WS_STATUS_COUNT (DX_WS_FAULT_INFLATED_SIZE + 1)

typedef struct dx_ws_fault {
    uint16_t close_code; /* what to send in our Close: 1002, 1007, 1008 or 1009 */
    const char
        *text; /* one English sentence without a full stop, at most 123 bytes: fits a reason */
    const char *section; /* "RFC 6455 §5.2" */
} dx_ws_fault;

static inline bool dx_ws_is_fault(dx_ws_status status)
{
    return status > DX_WS_MORE;
}

/* The table's row for a fault. static; never NULL. Asserts dx_ws_is_fault(status). */
const dx_ws_fault *dx_ws_fault_of(dx_ws_status status);

#endif
