/* Faults of a WebSocket peer: the table from fault to close code, sentence and section.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_status.h"

#include "base/assert.h"

#define ROW(code, text, section)                                                                   \
    {                                                                                              \
        code, text, section                                                                        \
    }

static const dx_ws_fault faults[DX_WS_STATUS_COUNT] = {
    [DX_WS_FAULT_RSV] = ROW(1002, "reserved bits RSV2 and RSV3 must be 0", "RFC 6455 §5.2"),
    [DX_WS_FAULT_RSV1] =
        ROW(1002, "RSV1 must be 0: permessage-deflate was not negotiated", "RFC 6455 §5.2"),
    [DX_WS_FAULT_RSV1_CONTINUATION] =
        ROW(1002, "RSV1 may be set on the first frame of a message only", "RFC 7692 §6.1"),
    [DX_WS_FAULT_RSV1_CONTROL] = ROW(1002, "RSV1 must be 0 on control frames", "RFC 7692 §6.1"),
    [DX_WS_FAULT_OPCODE] = ROW(1002, "unknown opcode", "RFC 6455 §5.2"),
    [DX_WS_FAULT_CONTROL_FRAGMENTED] =
        ROW(1002, "a control frame must not be fragmented", "RFC 6455 §5.5"),
    [DX_WS_FAULT_CONTROL_SIZE] =
        ROW(1002, "a control frame may carry 125 bytes at most", "RFC 6455 §5.5"),
    [DX_WS_FAULT_CONTINUATION_STRAY] =
        ROW(1002, "a continuation frame without a message to continue", "RFC 6455 §5.4"),
    [DX_WS_FAULT_CONTINUATION_EXPECTED] =
        ROW(1002, "a new message began before the last one ended", "RFC 6455 §5.4"),
    [DX_WS_FAULT_UNMASKED] = ROW(1002, "a client's frames must be masked", "RFC 6455 §5.1"),
    [DX_WS_FAULT_MASKED] = ROW(1002, "a server's frames must not be masked", "RFC 6455 §5.1"),
    [DX_WS_FAULT_LENGTH_NOT_MINIMAL] =
        ROW(1002, "the payload length must be in its shortest form", "RFC 6455 §5.2"),
    [DX_WS_FAULT_LENGTH_TOP_BIT] =
        ROW(1002, "the top bit of a 64-bit payload length must be 0", "RFC 6455 §5.2"),
    [DX_WS_FAULT_MESSAGE_SIZE] =
        ROW(1009, "the message is larger than is allowed here", "RFC 6455 §7.4.1"),
    [DX_WS_FAULT_FRAGMENTS] =
        ROW(1008, "too many fragments for the size of the message", "RFC 6455 §10.4"),
    [DX_WS_FAULT_UTF8] = ROW(1007, "a text message must be UTF-8", "RFC 6455 §8.1"),
    [DX_WS_FAULT_UTF8_CUT] =
        ROW(1007, "a text message must not end inside a code point", "RFC 6455 §8.1"),
    [DX_WS_FAULT_CLOSE_SIZE] =
        ROW(1002, "a close payload of one byte cannot hold a code", "RFC 6455 §5.5.1"),
    [DX_WS_FAULT_CLOSE_CODE] = ROW(1002, "a close code that must not be sent", "RFC 6455 §7.4"),
    [DX_WS_FAULT_CLOSE_REASON] = ROW(1007, "a close reason must be UTF-8", "RFC 6455 §5.5.1"),
    [DX_WS_FAULT_DEFLATE] =
        ROW(1007, "the compressed message is not valid deflate data", "RFC 7692 §7.2.2"),
    [DX_WS_FAULT_INFLATED_SIZE] =
        ROW(1009, "the message, once inflated, is larger than is allowed here", "RFC 7692 §8"),
};

const dx_ws_fault *dx_ws_fault_of(dx_ws_status status)
{
    dx_assert(dx_ws_is_fault(status) && (unsigned)status < DX_WS_STATUS_COUNT);
    return &faults[status];
}
