/* Makes allocations of the program fail: link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc.
 * Is:     arming for the nth allocation; sweeps that fail 1, 2, 3, … until one run needs no more.
 * Is not: mmap (pools' slabs); with AddressSanitizer pools use malloc, so their failures are swept there.
 *         Shared libraries (zlib's allocations come from us, so they are counted).
 * Threads: one.
 * SPDX-License-Identifier: MIT */
#ifndef DX_TESTS_SUPPORT_FAILMALLOC_H
#define DX_TESTS_SUPPORT_FAILMALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Allocation number `nth` from now on (1: the next) fails, and only that one. */
void failmalloc_arm(size_t nth);

/* No more failures. True if one was made since it was armed. */
bool failmalloc_disarm(void);

/* ---- sweeps ----------------------------------------------------------------------------------- */

/* Runs `scenario` with each allocation that it makes under FAILING failing in turn: first that one
 * alone, then that one and all after it; last without a failure. Gives the number of failures. */
size_t failmalloc_sweep(void (*scenario)(void));

/* Within a scenario: one has failed already. */
bool failmalloc_has_failed(void);

/* Whether allocations count now. */
bool failmalloc_is_inside(void);

/* Allocations count and fail inside only; what else the test allocates does not. */
#define FAILING(statement)                                                                         \
    do {                                                                                           \
        failmalloc_enter(true);                                                                    \
        statement;                                                                                 \
        failmalloc_enter(false);                                                                   \
    } while (0)

/* For callbacks of the test that run inside. */
#define NOT_FAILING(statement)                                                                     \
    do {                                                                                           \
        failmalloc_enter(false);                                                                   \
        statement;                                                                                 \
        failmalloc_enter(true);                                                                    \
    } while (0)

void failmalloc_enter(bool is_inside);

#endif
