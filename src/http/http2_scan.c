/* Where the frames begin in what a client sends: nghttp2 drops DATA on a stream that is closed, and tells nobody.
 * Is:     the heads of frames, from however many pieces.
 * Is not: what they mean (nghttp2, http2_frames.c).
 * Memory: a head that is not whole.
 * Source: RFC 9113 §4.1, §5.1.
 * SPDX-License-Identifier: MIT */
#include "http/http2_conn.h"

#include "http/http2.h"

enum { LAST = DX_HTTP2_FRAME_HEAD_BYTES - 1, TYPE = 3, ID = 5 };

void dx_http2_scan_init(dx_http2_scan *scan)
{
    *scan = (dx_http2_scan){.left = (uint32_t)dx_http2_preface.size};
}

static void end_head(dx_http2_scan *scan)
{
    const uint8_t *b = scan->head;

    scan->left = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
    scan->size = 0;
    scan->is_told = false;
}

/* True: it is of DATA, and its last byte is not taken yet. */
static bool take_head(dx_http2_scan *scan, uint8_t byte)
{
    scan->head[scan->size] = byte;
    if (scan->size < LAST) {
        scan->size++;
        return false;
    }
    if (scan->head[TYPE] == NGHTTP2_DATA && !scan->is_told) {
        scan->is_told = true;
        return true;
    }
    end_head(scan);
    return false;
}

size_t dx_http2_scan_data(dx_http2_scan *scan, dx_bytes in, int32_t *id)
{
    const uint8_t *b = scan->head;
    size_t at = 0;

    *id = 0;
    while (at < in.size) {
        size_t part = dx_min_size(scan->left, in.size - at);
        scan->left -= (uint32_t)part;
        at += part;
        if (at == in.size)
            break;
        if (take_head(scan, in.at[at])) {
            *id = (int32_t)((uint32_t)(b[ID] & 0x7f) << 24 | (uint32_t)b[ID + 1] << 16 |
                            (uint32_t)b[ID + 2] << 8 | b[ID + 3]);
            break;
        }
        at++;
    }
    return at;
}
