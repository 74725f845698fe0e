/* Makes one allocation of the program fail: link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc.
 * Is:     arm and disarm; for sweeps that fail allocation 1, 2, 3, … until one run needs no more.
 * Is not: mmap (pools' slabs); with AddressSanitizer pools use malloc, so their failures are swept there.
 * Threads: one.
 * SPDX-License-Identifier: MIT */
#ifndef DX_TESTS_SUPPORT_FAILMALLOC_H
#define DX_TESTS_SUPPORT_FAILMALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Allocation number `nth` from now on (1: the next) fails, and only that one. */
void failmalloc_arm(size_t nth);

/* The same, and all after it fail, too. */
void failmalloc_arm_onward(size_t nth);

/* What is allocated between the two is the test's own: not counted, never failing. */
void failmalloc_pause(void);
void failmalloc_resume(void);

/* True if one has failed since it was armed. */
bool failmalloc_has_failed(void);

/* No more failures. True if one was made since it was armed. */
bool failmalloc_disarm(void);

#endif
