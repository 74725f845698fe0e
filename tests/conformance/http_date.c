/* IMF-fixdate, read strictly. See http_date.h.
 * Memory: none.   Threads: any.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_date.h"

#include <string.h>
#include <time.h>

static bool read_digits(const char *at, size_t size, int *ret)
{
    int value = 0;

    for (size_t i = 0; i < size; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        value = value * 10 + (at[i] - '0');
    }
    *ret = value;
    return true;
}

/* Which of the three-letter names in `names` stands at `at`; -1: none. */
static int read_name(const char *at, const char *names)
{
    for (int i = 0; names[3 * i]; i++)
        if (memcmp(at, names + 3 * i, 3) == 0)
            return i;
    return -1;
}

bool dx_probe_date_parse(dx_probe_text text, int64_t *ret)
{
    static const char form[] = "___, __ ___ ____ __:__:__ GMT";
    struct tm tm = {0};
    int year;

    if (text.size != sizeof form - 1)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (form[i] != '_' && form[i] != text.at[i])
            return false;
    int weekday = read_name(text.at, "SunMonTueWedThuFriSat");
    tm.tm_mon = read_name(text.at + 8, "JanFebMarAprMayJunJulAugSepOctNovDec");
    if (tm.tm_mon < 0 || !read_digits(text.at + 5, 2, &tm.tm_mday) ||
        !read_digits(text.at + 12, 4, &year) || !read_digits(text.at + 17, 2, &tm.tm_hour) ||
        !read_digits(text.at + 20, 2, &tm.tm_min) || !read_digits(text.at + 23, 2, &tm.tm_sec))
        return false;
    if (tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    tm.tm_year = year - 1900;
    int64_t seconds = timegm(&tm); /* sets tm_wday */
    if (weekday != tm.tm_wday)
        return false;
    *ret = seconds;
    return true;
}

bool dx_probe_date_is_now(dx_probe_text text)
{
    int64_t then, now = time(NULL);

    return dx_probe_date_parse(text, &then) && then >= now - 10 && then <= now + 10;
}
