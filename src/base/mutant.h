/* Planted faults, for those who check the checker: tests/ledger.
 * Is:     DX_MUTANT(name): true in a build with -Dmutants=true that runs with DUPLEX_MUTANT=name;
 *         DX_MUTANT_ONE_IN(name, n): then one time in n. In any other build both are the constant false.
 * Is not: for release: such a build breaks what it promises.
 * Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_MUTANT_H
#define DX_BASE_MUTANT_H

#include "base/platform.h"

#ifdef DX_HAVE_MUTANTS
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static inline bool dx_mutant_is(const char *name)
{
    const char *wanted = getenv("DUPLEX_MUTANT");
    return wanted && strcmp(wanted, name) == 0;
}

static inline bool dx_mutant_is_one_in(const char *name, unsigned n)
{
    static atomic_uint count;
    return dx_mutant_is(name) && atomic_fetch_add(&count, 1) % n == n - 1;
}

#define DX_MUTANT(name) dx_mutant_is(name)
#define DX_MUTANT_ONE_IN(name, n) dx_mutant_is_one_in(name, n)
#else
#define DX_MUTANT(name) false
#define DX_MUTANT_ONE_IN(name, n) false
#endif

#endif
