/* The calendar: days since 1970-01-01 to and from year, month and day.
 * Is:     the proleptic Gregorian calendar of the years 0 to 9999.
 * Is not: any text form (http_date, stream_time).
 * Memory: allocates nothing.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_CALENDAR_H
#define DX_CODEC_CALENDAR_H

#include "base/platform.h"

typedef struct dx_calendar_date {
    int64_t year;   /* 0 to 9999 */
    unsigned month; /* 0 to 11 */
    unsigned day;   /* 1 to 31 */
} dx_calendar_date;

/* month: 0 to 11. */
unsigned dx_calendar_month_days(int64_t year, unsigned month);

/* Days since 1970-01-01, negative before. The date must be one. */
int64_t dx_calendar_days(const dx_calendar_date *date);

/* days: of the years 0 to 9999. */
dx_calendar_date dx_calendar_date_of(int64_t days);

#endif
