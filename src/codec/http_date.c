/* HTTP dates by plain calendar arithmetic.
 * Is:     the proleptic Gregorian calendar, days counted from 1970.
 * SPDX-License-Identifier: MIT */
#include "codec/http_date.h"

#define DAY 86400

static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char long_day_names[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                           "Thursday", "Friday", "Saturday"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const uint8_t month_days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 0000-01-01 to the first of January of `year`, 0 to 10000. */
static int64_t days_before_year(int64_t year)
{
    return year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

#define DAYS_TO_1970 719528

static int64_t days_in_month(int64_t year, unsigned month)
{
    return month_days[month] + (month == 1 && is_leap(year));
}

static void digits_write(uint8_t *at, unsigned count, int64_t number)
{
    for (; count-- > 0; number /= 10)
        at[count] = (uint8_t)('0' + number % 10);
}

void dx_http_date_write(int64_t seconds, uint8_t at[static DX_HTTP_DATE_SIZE])
{
    const int64_t first = -(int64_t)DAYS_TO_1970 * DAY;
    const int64_t last = (days_before_year(10000) - DAYS_TO_1970) * DAY - 1;

    seconds = seconds < first ? first : seconds > last ? last : seconds;
    int64_t days = (seconds - first) / DAY, second = (seconds - first) % DAY;
    int64_t year = days / 366; /* never too late, at most 7 years too early */
    while (days_before_year(year + 1) <= days)
        year++;
    int64_t day = days - days_before_year(year);
    unsigned month = 0;
    while (day >= days_in_month(year, month))
        day -= days_in_month(year, month++);

    memcpy(at, "Sun, 00 Jan 0000 00:00:00 GMT", DX_HTTP_DATE_SIZE);
    memcpy(at, day_names[(days + 6) % 7], 3); /* 0000-01-01 was a Saturday */
    digits_write(at + 5, 2, day + 1);
    memcpy(at + 8, month_names[month], 3);
    digits_write(at + 12, 4, year);
    digits_write(at + 17, 2, second / 3600);
    digits_write(at + 20, 2, second / 60 % 60);
    digits_write(at + 23, 2, second % 60);
}

typedef struct date_parts {
    int64_t year;
    unsigned month, day, hour, minute, second;
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
    if (p.day < 1 || p.day > days_in_month(p.year, p.month) || p.hour > 23 || p.minute > 59 ||
        p.second > 60)
        return false;
    int64_t days = days_before_year(p.year) - DAYS_TO_1970 + p.day - 1;
    for (unsigned month = 0; month < p.month; month++)
        days += days_in_month(p.year, month);
    *ret = days * DAY + p.hour * 3600 + p.minute * 60 + p.second;
    return true;
}
