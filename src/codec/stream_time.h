/* Timestamps of streams: RFC 3339 to and from an instant.
 * Is:     date-time with any offset, fractions, leap seconds; instants that compare whatever their text.
 * Is not: a clock (base/clock), HTTP's dates (http_date).
 * Memory: allocates nothing; no locale, no time zone.   Threads: any.
 * Source: RFC 3339 §5.6, §5.7.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_STREAM_TIME_H
#define DX_CODEC_STREAM_TIME_H

#include "base/bytes.h"

/* A point in time. A leap second is the same instant as the second after it. */
typedef struct dx_instant {
    int64_t seconds; /* since 1970-01-01 UTC */
    uint32_t nanoseconds;
} dx_instant;

/* Reads all of `in`: "2026-01-02T03:04:05Z", "…T03:04:05.678+01:00"; "t" and "z" in either case. A date that
 * does not exist, a 60th second that is not the last of a month in UTC, and blanks are refused. Digits
 * beyond nanoseconds are dropped. */
bool dx_stream_time_read(dx_bytes in, dx_instant *ret);

/* -1, 0, 1 */
int dx_instant_compare(dx_instant a, dx_instant b);

/* Milliseconds since 1970, as the wall clock tells them; 0 for all that is before. Rounds down. */
uint64_t dx_instant_ms(dx_instant instant);

#define DX_STREAM_TIME_MAX 24 /* "2026-01-02T03:04:05.678Z" */

/* Writes in UTC without NUL, with milliseconds if there are any. wall_ms: since 1970; what is beyond the year
 * 9999 is its last second. Returns the size: 20 or 24. */
size_t dx_stream_time_write(uint64_t wall_ms, uint8_t at[static DX_STREAM_TIME_MAX]);

#endif
