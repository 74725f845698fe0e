/* Close codes and the payload of a Close frame.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_close.h"

#include "base/assert.h"
#include "codec/utf8.h"

bool dx_ws_close_code_is_valid(uint16_t code)
{
    if (code >= 3000) /* libraries and frameworks 3000-3999, private use 4000-4999 */
        return code <= 4999;
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

dx_ws_status dx_ws_close_read(dx_bytes payload, uint16_t *code, dx_bytes *reason)
{
    uint16_t number;

    if (payload.size == 0) {
        *code = DX_WS_CLOSE_NO_CODE;
        *reason = payload;
        return DX_WS_OK;
    }
    if (!dx_bytes_u16(&payload, &number))
        return DX_WS_FAULT_CLOSE_SIZE;
    if (!dx_ws_close_code_is_valid(number))
        return DX_WS_FAULT_CLOSE_CODE;
    if (!dx_utf8_is_valid(payload))
        return DX_WS_FAULT_CLOSE_REASON;
    *code = number;
    *reason = payload;
    return DX_WS_OK;
}

size_t dx_ws_close_write(uint8_t out[DX_WS_CONTROL_BYTES_MAX], uint16_t code, dx_bytes reason)
{
    if (code == DX_WS_CLOSE_NO_CODE)
        return 0;
    dx_assert(dx_ws_close_code_is_valid(code));
    reason.size = dx_min_size(reason.size, DX_WS_REASON_BYTES_MAX);
    reason.size = dx_utf8_valid_size(reason); /* also where the line above cut a code point */
    out[0] = (uint8_t)(code >> 8), out[1] = (uint8_t)code;
    dx_copy(out + 2, reason.at, reason.size);
    return 2 + reason.size;
}

const char *dx_ws_close_text(uint16_t code)
{
    static const char *const texts[] = {
        "normal closure",   "going away",      "protocol error",   "unsupported data",
        "reserved",         "no close code",   "connection lost",  "invalid data",
        "policy violation", "message too big", "extension needed", "internal error",
        "service restart",  "try again later", "bad gateway",      "TLS handshake failed",
    };

    if (code >= 1000 && code < 1000 + DX_COUNT(texts))
        return texts[code - 1000];
    if (code >= 3000 && code <= 3999)
        return "library or framework code";
    if (code >= 4000 && code <= 4999)
        return "application code";
    return "unknown close code";
}
