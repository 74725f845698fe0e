/* The pure rules of Durable Streams 1.0.
 * SPDX-License-Identifier: MIT */
#include "codec/stream_rules.h"

enum { INTERVAL_S = 20, JITTER_S_MAX = 3600 };
#define FIRST_INTERVAL_MS UINT64_C(1728432000000) /* 2024-10-09T00:00:00Z */

_Static_assert(DX_STREAM_CURSOR_STEP_MAX == JITTER_S_MAX / INTERVAL_S, "as the header says");

bool dx_stream_number_read(dx_bytes in, uint64_t max, uint64_t *ret)
{
    if (in.size > 1 && in.at[0] == '0')
        return false;
    return dx_bytes_decimal(in, max, ret);
}

bool dx_stream_is_true(dx_bytes value)
{
    return dx_bytes_equal_nocase(value, DX_BYTES("true"));
}

bool dx_stream_cursor_read(dx_bytes in, uint64_t *ret)
{
    return dx_stream_number_read(in, DX_STREAM_CURSOR_MAX, ret);
}

uint64_t dx_stream_cursor_at(uint64_t wall_ms)
{
    return wall_ms < FIRST_INTERVAL_MS ? 0 : (wall_ms - FIRST_INTERVAL_MS) / 1000 / INTERVAL_S;
}

uint64_t dx_stream_cursor_above(uint64_t client, uint64_t random)
{
    uint64_t jitter_s = 1 + random % JITTER_S_MAX;
    return client + (jitter_s + INTERVAL_S - 1) / INTERVAL_S;
}

size_t dx_stream_etag_write(const dx_stream_etag *etag, uint8_t at[static DX_STREAM_ETAG_MAX])
{
    size_t size = 0;

    at[size++] = '"';
    for (unsigned shift = 64; shift > 0; shift -= 4)
        at[size++] = (uint8_t) "0123456789abcdef"[etag->identity >> (shift - 4) & 15];
    at[size++] = ':';
    dx_offset_write(etag->start, at + size);
    size += DX_OFFSET_SIZE;
    at[size++] = ':';
    dx_offset_write(etag->end, at + size);
    size += DX_OFFSET_SIZE;
    if (etag->is_closed) {
        at[size++] = ':';
        at[size++] = 'c';
    }
    at[size++] = '"';
    return size;
}
