/* The calendar by plain arithmetic: whole years before, whole months before.
 * SPDX-License-Identifier: MIT */
#include "codec/calendar.h"

#include "base/assert.h"

#define DAYS_TO_1970 719528 /* from 0000-01-01 */

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

unsigned dx_calendar_month_days(int64_t year, unsigned month)
{
    return month_days[month] + (month == 1 && is_leap(year) ? 1u : 0u);
}

int64_t dx_calendar_days(const dx_calendar_date *date)
{
    int64_t days = days_before_year(date->year) - DAYS_TO_1970 + date->day - 1;

    for (unsigned month = 0; month < date->month; month++)
        days += dx_calendar_month_days(date->year, month);
    return days;
}

dx_calendar_date dx_calendar_date_of(int64_t days)
{
    dx_calendar_date date = {0};

    days += DAYS_TO_1970;
    dx_assert(days >= 0 && days < days_before_year(10000));
    date.year = days / 366; /* never too late, at most 7 years too early */
    while (days_before_year(date.year + 1) <= days)
        date.year++;
    days -= days_before_year(date.year);
    while (days >= dx_calendar_month_days(date.year, date.month))
        days -= dx_calendar_month_days(date.year, date.month++);
    date.day = (unsigned)days + 1;
    return date;
}
