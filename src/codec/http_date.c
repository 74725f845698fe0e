/* HTTP dates by plain calendar arithmetic.
 * SPDX-License-Identifier: MIT */
#include "codec/http_date.h"

#include "codec/calendar.h"

#define DAY 86400
#define FIRST (INT64_C(-62167219200)) /* 0000-01-01T00:00:00Z */
#define LAST (INT64_C(253402300799)) /* 9999-12-31T23:59:59Z */

static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char long_day_names[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                           "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static void digits_write(uint8_t *at, unsigned count, int64_t number)
{
    for (; count-- > 0; number /= 10)
        at[count] = (uint8_t)('0' + number % 10);
}

void dx_http_date_write(int64_t seconds, uint8_t at[static DX_HTTP_DATE_SIZE])
{
    seconds = seconds < FIRST ? FIRST : seconds > LAST ? LAST : seconds;
    int64_t days = (seconds - FIRST) / DAY, second = (seconds - FIRST) % DAY;
    dx_calendar_date date = dx_calendar_date_of(days + FIRST / DAY);

    memcpy(at, "Sun, 00 Jan 0000 00:00:00 GMT", DX_HTTP_DATE_SIZE);
    memcpy(at, day_names[(days + 6) % 7], 3); /* 0000-01-01 was a Saturday */
    digits_write(at + 5, 2, date.day);
    memcpy(at + 8, month_names[date.month], 3);
    digits_write(at + 12, 4, date.year);
    digits_write(at + 17, 2, second / 3600);
    digits_write(at + 20, 2, second / 60 % 60);
    digits_write(at + 23, 2, second % 60);
}

typedef struct date_parts {
    int64_t year;
    unsigned month, day, hour, minute, second; /* month: 0 to 11 */
} date_parts;

/* Cursor calls: each takes exactly what it names off the front. */
static bool text_take(dx_bytes *in, const char *text)
{
    dx_bytes wanted = dx_bytes_of(text), got;
    return dx_bytes_starts(*in, wanted) && dx_bytes_take(in, wanted.size, &got);
}

static bool number_take(dx_bytes *in, size_t digits, unsigned *ret)
{
    dx_bytes text;
    uint64_t number;

    if (!dx_bytes_take(in, digits, &text) || !dx_bytes_decimal(text, 9999, &number))
        return false;
    *ret = (unsigned)number;
    return true;
}

static bool day_name_take(dx_bytes *in)
{
    for (size_t i = 0; i < DX_COUNT(day_names); i++)
        if (text_take(in, day_names[i]))
            return true;
    return false;
}

static bool long_day_name_take(dx_bytes *in)
{
    for (size_t i = 0; i < DX_COUNT(long_day_names); i++)
        if (text_take(in, long_day_names[i]))
            return true;
    return false;
}

static bool month_take(dx_bytes *in, unsigned *ret)
{
    for (unsigned i = 0; i < DX_COUNT(month_names); i++)
        if (text_take(in, month_names[i])) {
            *ret = i;
            return true;
        }
    return false;
}

static bool clock_take(dx_bytes *in, date_parts *ret)
{
    return number_take(in, 2, &ret->hour) && text_take(in, ":") &&
           number_take(in, 2, &ret->minute) && text_take(in, ":") &&
           number_take(in, 2, &ret->second);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool fixdate_take(dx_bytes *in, date_parts *ret)
{
    unsigned year;

    if (!day_name_take(in) || !text_take(in, ", ") || !number_take(in, 2, &ret->day) ||
        !text_take(in, " ") || !month_take(in, &ret->month) || !text_take(in, " ") ||
        !number_take(in, 4, &year) || !text_take(in, " ") || !clock_take(in, ret))
        return false;
    ret->year = year;
    return text_take(in, " GMT");
}

static int64_t year_of(int64_t seconds)
{
    uint8_t text[DX_HTTP_DATE_SIZE];
    uint64_t year = 0;

    dx_http_date_write(seconds, text);
    (void)dx_bytes_decimal(dx_bytes_at(text + 12, 4), 9999, &year);
    return (int64_t)year;
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool rfc850_take(dx_bytes *in, int64_t now, date_parts *ret)
{
    unsigned year;

    if (!long_day_name_take(in) || !text_take(in, ", ") || !number_take(in, 2, &ret->day) ||
        !text_take(in, "-") || !month_take(in, &ret->month) || !text_take(in, "-") ||
        !number_take(in, 2, &year) || !text_take(in, " ") || !clock_take(in, ret))
        return false;
    int64_t this_year = year_of(now);
    ret->year = this_year - this_year % 100 + 100 + year; /* the latest that can be meant */
    while (ret->year > this_year + 50)
        ret->year -= 100;
    return ret->year >= 0 && text_take(in, " GMT");
}

/* "Sun Nov  6 08:49:37 1994" */
static bool asctime_take(dx_bytes *in, date_parts *ret)
{
    unsigned year;

    if (!day_name_take(in) || !text_take(in, " ") || !month_take(in, &ret->month) ||
        !text_take(in, " "))
        return false;
    size_t digits = text_take(in, " ") ? 1 : 2;
    if (!number_take(in, digits, &ret->day) || !text_take(in, " ") || !clock_take(in, ret) ||
        !text_take(in, " ") || !number_take(in, 4, &year))
        return false;
    ret->year = year;
    return true;
}

bool dx_http_date_read(dx_bytes in, int64_t now, int64_t *ret)
{
    dx_bytes fixdate = in, rfc850 = in, asctime = in;
    date_parts p = {0};

    if (!(fixdate_take(&fixdate, &p) && fixdate.size == 0) &&
        !(rfc850_take(&rfc850, now, &p) && rfc850.size == 0) &&
        !(asctime_take(&asctime, &p) && asctime.size == 0))
        return false;
    if (p.day < 1 || p.day > dx_calendar_month_days(p.year, p.month) || p.hour > 23 || p.minute > 59 ||
        p.second > 60)
        return false;
    int64_t days = dx_calendar_days(&(dx_calendar_date){p.year, p.month, p.day});
    *ret = days * DAY + p.hour * 3600 + p.minute * 60 + p.second;
    return true;
}
