/* Makes allocations fail, each in its turn.
 * SPDX-License-Identifier: MIT */
#include "tests/support/failmalloc.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUNS_MAX = 20000 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);

static bool is_counting, goes_on, has_failed;
static size_t left; /* allocations until the one that fails; 0: none will */

static bool is_the_one(void)
{
    if (!is_counting || left == 0 || --left > 0)
        return false;
    has_failed = true;
    left = goes_on ? 1 : 0;
    return true;
}

static void begin(size_t nth, bool onward)
{
    left = nth;
    goes_on = onward;
    has_failed = false;
}

void failmalloc_arm(size_t nth)
{
    begin(nth, false);
    is_counting = true;
}

bool failmalloc_disarm(void)
{
    left = 0;
    is_counting = false;
    return has_failed;
}

static size_t sweep(void (*scenario)(void), bool onward)
{
    for (size_t nth = 1; nth < RUNS_MAX; nth++) {
        begin(nth, onward);
        scenario();
        if (!failmalloc_disarm())
            return nth - 1;
    }
    fprintf(stderr, "failmalloc: a scenario without end\n");
    abort();
}

size_t failmalloc_sweep(void (*scenario)(void))
{
    size_t once = sweep(scenario, false);
    return once + sweep(scenario, true);
}

bool failmalloc_has_failed(void)
{
    return has_failed;
}

bool failmalloc_is_inside(void)
{
    return is_counting;
}

void failmalloc_enter(bool is_inside)
{
    is_counting = is_inside;
}

void *__wrap_malloc(size_t size)
{
    return is_the_one() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_the_one() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return is_the_one() ? NULL : __real_realloc(at, size);
}
