/* Expectations. See http_case.h for the grammar and http_expect.h for the contract.
 * Memory: none.   Threads: any.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One item, and what follows it. */
typedef struct item {
    const char *at;
    size_t size; /* of the alternatives "200|4xx", without "?" or "*N" */
    size_t count;
    bool optional;
} item;

static void malformed(const char *expect)
{
    fprintf(stderr, "expectation is not readable: %s\n", expect);
    abort();
}

static bool is_end(char c)
{
    return c == '!' || c == '+' || c == '?';
}

/* Reads the item at *at and moves behind it; false if an end mark stands there. */
static bool next_item(const char **at, item *ret)
{
    const char *from = *at;
    item it = {.at = from, .count = 1};

    if (is_end(*from))
        return false;
    it.size = strspn(from, "0123456789x|");
    if (it.size % 4 != 3)
        malformed(from);
    from += it.size;
    if (*from == '?') {
        it.optional = true;
        from++;
    } else if (*from == '*') {
        char *end;
        it.count = strtoul(from + 1, &end, 10);
        from = end;
    }
    if (*from != ' ' || it.count == 0)
        malformed(*at);
    *at = from + 1;
    *ret = it;
    return true;
}

static bool item_holds(const item *it, int status)
{
    char digits[4] = {(char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10),
                      (char)('0' + status % 10), 0};

    for (size_t i = 0; i < it->size; i += 4) {
        const char *want = it->at + i;
        if (want[0] == digits[0] && (want[1] == 'x' || memcmp(want, digits, 3) == 0))
            return true;
    }
    return false;
}

/* Fits one way; *at moves to its end mark. Optional items are taken whenever they fit. */
static void fit_way(const char **at, const int *statuses, size_t count, dx_probe_fit *fit)
{
    size_t seen = 0;
    bool possible = true, more = false;
    item it;

    while (next_item(at, &it)) {
        size_t taken = 0;
        while (taken < it.count && seen < count && item_holds(&it, statuses[seen]))
            taken++, seen++;
        if (taken == it.count || (it.optional && seen < count))
            continue;
        if (seen < count)
            possible = false;
        else if (!it.optional)
            more = true;
    }
    if (!possible || seen < count)
        return;
    fit->possible = true;
    fit->more |= more;
    if (more)
        return;
    fit->complete = true;
    fit->may_close |= **at != '+';
    fit->may_stay |= **at != '!';
}

dx_probe_fit dx_probe_expect_fit(const char *expect, const int *statuses, size_t count)
{
    dx_probe_fit fit = {0};
    const char *at = expect;

    for (;;) {
        fit_way(&at, statuses, count, &fit);
        if (at[1] == 0)
            return fit;
        if (strncmp(at + 1, " / ", 3) != 0)
            malformed(expect);
        at += 4;
    }
}

void dx_probe_expect_check(const char *expect)
{
    (void)dx_probe_expect_fit(expect, NULL, 0);
}
