/* HTTP dates to and from seconds since 1970.
 * Is:     IMF-fixdate out; IMF-fixdate, RFC 850 and asctime in.
 * Is not: a clock (base/clock).
 * Memory: allocates nothing; no locale, no time zone.   Threads: any.
 * Source: RFC 9110 §5.6.7.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_HTTP_DATE_H
#define DX_CODEC_HTTP_DATE_H

#include "base/bytes.h"

#define DX_HTTP_DATE_SIZE 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Writes without a NUL. `seconds` since 1970-01-01, of the years 0 to 9999 (others are clamped). */
void dx_http_date_write(int64_t seconds, uint8_t at[static DX_HTTP_DATE_SIZE]);

/* Reads any of the three forms, all of `in`. The name of the day must be a day's name but need not
 * fit the date. now: decides the century of a two-digit year (not over 50 years ahead). */
bool dx_http_date_read(dx_bytes in, int64_t now, int64_t *ret);

#endif
