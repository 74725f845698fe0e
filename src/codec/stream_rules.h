/* The pure rules of Durable Streams 1.0: values of its fields.
 * Is:     numbers, Stream-Closed, the arithmetic of Stream-Cursor, the text of ETag.
 * Is not: offsets (offset.h), timestamps (stream_time.h), what streams do (stream).
 * Memory: allocates nothing.   Threads: any.
 * Source: Durable Streams 1.0 §4.1, §5.1, §5.2.1, §5.6, §10.1.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_STREAM_RULES_H
#define DX_CODEC_STREAM_RULES_H

#include "codec/offset.h"

/* Producer-Epoch and Producer-Seq: what a JavaScript number holds. */
#define DX_STREAM_NUMBER_MAX ((UINT64_C(1) << 53) - 1)
/* Stream-TTL: seconds whose milliseconds are such a number still (285,000 years). */
#define DX_STREAM_TTL_MAX (DX_STREAM_NUMBER_MAX / 1000)

/* All of `in` as a decimal number up to `max`: no sign, no leading zero but "0" itself. */
bool dx_stream_number_read(dx_bytes in, uint64_t max, uint64_t *ret);

/* "true" in any case; every other value is as if the field were not there. */
bool dx_stream_is_true(dx_bytes value);

/* ---- cursors: intervals of 20 s since 2024-10-09T00:00:00Z ---- */

/* What a client sends may be this large; what it gets is at most DX_STREAM_CURSOR_STEP_MAX more. */
#define DX_STREAM_CURSOR_MAX UINT64_C(999999999999999999)
#define DX_STREAM_CURSOR_STEP_MAX 180 /* an hour */

/* False: no cursor that this server gave; treat it as none. */
bool dx_stream_cursor_read(dx_bytes in, uint64_t *ret);

/* The interval that wall_ms (since 1970) is in; 0 for all before the first. */
uint64_t dx_stream_cursor_at(uint64_t wall_ms);

/* The cursor to give out when the client's is not below the current interval: above the client's by 1 to
 * 3600 s, as `random` picks. */
uint64_t dx_stream_cursor_above(uint64_t client, uint64_t random);

/* What to give to a client that sent `client` (has_client). */
static inline uint64_t dx_stream_cursor_next(uint64_t wall_ms, bool has_client, uint64_t client,
                                             uint64_t random)
{
    uint64_t now = dx_stream_cursor_at(wall_ms);
    return has_client && client >= now ? dx_stream_cursor_above(client, random) : now;
}

/* ---- ETag ---- */

typedef struct dx_stream_etag {
    uint64_t identity; /* of the stream: also one made later at the same path has another */
    dx_offset start, end;
    bool is_closed; /* the answer says that the stream is closed */
} dx_stream_etag;

#define DX_STREAM_ETAG_MAX (2 + 16 + 1 + DX_OFFSET_SIZE + 1 + DX_OFFSET_SIZE + 2)

/* Writes `"identity:start:end"` or `"identity:start:end:c"`, with the quotes, without NUL. Two that differ
 * in anything have different texts. Returns the size. */
size_t dx_stream_etag_write(const dx_stream_etag *etag, uint8_t at[static DX_STREAM_ETAG_MAX]);

#endif
