/* RFC 3339 timestamps.
 * SPDX-License-Identifier: MIT */
#include "codec/stream_time.h"

#include "codec/calendar.h"

enum { DAY = 86400, FIRST_DAY = -719528, LAST_DAY = 2932896 /* of the years 0 to 9999 */ };

typedef struct parts {
    dx_calendar_date date;
    unsigned hour, minute, second;
    uint32_t nanoseconds;
    int64_t ahead; /* of UTC, in seconds */
} parts;

/* Cursor calls: each takes exactly what it names off the front. */
static bool byte_take(dx_bytes *in, char wanted)
{
    uint8_t byte;
    dx_bytes rest = *in;

    if (!dx_bytes_u8(&rest, &byte) || dx_ascii_lower(byte) != (uint8_t)wanted)
        return false;
    *in = rest;
    return true;
}

static bool digits_take(dx_bytes *in, size_t count, unsigned max, unsigned *ret)
{
    dx_bytes text;
    uint64_t number;

    if (!dx_bytes_take(in, count, &text) || !dx_bytes_decimal(text, max, &number))
        return false;
    *ret = (unsigned)number;
    return true;
}

static bool date_take(dx_bytes *in, dx_calendar_date *ret)
{
    unsigned year, month, day;

    if (!digits_take(in, 4, 9999, &year) || !byte_take(in, '-') ||
        !digits_take(in, 2, 12, &month) || month == 0 || !byte_take(in, '-') ||
        !digits_take(in, 2, 31, &day) || day == 0)
        return false;
    *ret = (dx_calendar_date){.year = year, .month = month - 1, .day = day};
    return day <= dx_calendar_month_days(year, month - 1);
}

/* ".678": at least one digit behind the point. */
static bool fraction_take(dx_bytes *in, uint32_t *ret)
{
    uint32_t unit = 100000000, sum = 0;
    size_t count = 0;

    if (!byte_take(in, '.'))
        return true;
    for (; count < in->size && in->at[count] >= '0' && in->at[count] <= '9'; count++, unit /= 10)
        sum += unit * (uint32_t)(in->at[count] - '0');
    dx_bytes_skip(in, count);
    *ret = sum;
    return count > 0;
}

static bool zone_take(dx_bytes *in, int64_t *ret)
{
    unsigned hour, minute;
    bool is_behind = byte_take(in, '-');

    if (!is_behind && !byte_take(in, '+'))
        return byte_take(in, 'z');
    if (!digits_take(in, 2, 23, &hour) || !byte_take(in, ':') || !digits_take(in, 2, 59, &minute))
        return false;
    *ret = (int64_t)(hour * 3600 + minute * 60) * (is_behind ? -1 : 1);
    return true;
}

/* §5.7: a second 60 is the last one of a month in UTC, wherever the text was written. */
static bool is_leap_second(int64_t next_seconds)
{
    int64_t days = next_seconds / DAY;

    if (next_seconds % DAY != 0 || days < FIRST_DAY || days > LAST_DAY)
        return false;
    return dx_calendar_date_of(days).day == 1;
}

bool dx_stream_time_read(dx_bytes in, dx_instant *ret)
{
    parts p = {0};

    if (!date_take(&in, &p.date) || !byte_take(&in, 't') || !digits_take(&in, 2, 23, &p.hour) ||
        !byte_take(&in, ':') || !digits_take(&in, 2, 59, &p.minute) || !byte_take(&in, ':') ||
        !digits_take(&in, 2, 60, &p.second) || !fraction_take(&in, &p.nanoseconds) ||
        !zone_take(&in, &p.ahead) || in.size > 0)
        return false;
    int64_t seconds =
        dx_calendar_days(&p.date) * DAY + p.hour * 3600 + p.minute * 60 + p.second - p.ahead;
    if (p.second == 60 && !is_leap_second(seconds))
        return false;
    *ret = (dx_instant){seconds, p.nanoseconds};
    return true;
}

int dx_instant_compare(dx_instant a, dx_instant b)
{
    if (a.seconds != b.seconds)
        return a.seconds < b.seconds ? -1 : 1;
    return a.nanoseconds == b.nanoseconds ? 0 : a.nanoseconds < b.nanoseconds ? -1 : 1;
}

uint64_t dx_instant_ms(dx_instant instant)
{
    return instant.seconds < 0 ? 0
                               : (uint64_t)instant.seconds * 1000 + instant.nanoseconds / 1000000;
}

static void digits_write(uint8_t *at, unsigned count, uint64_t number)
{
    for (; count-- > 0; number /= 10)
        at[count] = (uint8_t)('0' + number % 10);
}

size_t dx_stream_time_write(uint64_t wall_ms, uint8_t at[static DX_STREAM_TIME_MAX])
{
    const uint64_t last_ms = 253402300799000; /* 9999-12-31T23:59:59 */

    wall_ms = wall_ms < last_ms ? wall_ms : last_ms;
    dx_calendar_date date = dx_calendar_date_of((int64_t)(wall_ms / 1000 / DAY));
    uint64_t second = wall_ms / 1000 % DAY;
    memcpy(at, "0000-00-00T00:00:00.000Z", DX_STREAM_TIME_MAX);
    digits_write(at, 4, (uint64_t)date.year);
    digits_write(at + 5, 2, date.month + 1);
    digits_write(at + 8, 2, date.day);
    digits_write(at + 11, 2, second / 3600);
    digits_write(at + 14, 2, second / 60 % 60);
    digits_write(at + 17, 2, second % 60);
    if (wall_ms % 1000 == 0) {
        at[19] = 'Z';
        return 20;
    }
    digits_write(at + 20, 3, wall_ms % 1000);
    return DX_STREAM_TIME_MAX;
}
