/* Makes allocations fail, each in its turn.
 * SPDX-License-Identifier: MIT */
#include "tests/support/failmalloc.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);

bool failmalloc_is_on;
static size_t left; /* allocations until the one that fails; 0: none will */
static bool has_failed;

static bool is_the_one(void)
{
    if (!failmalloc_is_on || left == 0 || --left > 0)
        return false;
    has_failed = true;
    return true;
}

size_t failmalloc_sweep(void (*scenario)(void))
{
    for (size_t nth = 1;; nth++) {
        left = nth;
        has_failed = false;
        scenario();
        left = 0;
        if (!has_failed)
            return nth - 1;
    }
}

bool failmalloc_has_failed(void)
{
    return has_failed;
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
