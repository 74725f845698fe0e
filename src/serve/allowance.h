/* Allowances: the rate of a capability, over all connections and workers of the one who has it.
 * Is:     so many messages a second, a burst of as many, for each subject (or token without one) and pattern.
 * Memory: one small entry for each that was used within the last seconds, at most DX_ALLOWANCES_MAX; with more than
 *         that nobody new gets through until old ones are forgotten.
 * Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_ALLOWANCE_H
#define DX_SERVE_ALLOWANCE_H

#include "base/map.h"
#include "serve/principal.h"

#include <pthread.h>

enum { DX_ALLOWANCES_MAX = 65536 };

typedef struct dx_allowances {
    pthread_mutex_t lock;
    dx_map map;
} dx_allowances;

void dx_allowances_init(dx_allowances *allowances);
void dx_allowances_deinit(dx_allowances *allowances);

/* Takes `count` messages off what `by` (with a rate) allows to `who`. Returns 0, or how long to wait in ms: nothing
 * was taken then. */
uint64_t dx_allowance_take(dx_allowances *allowances, const dx_principal *who,
                           const dx_capability *by, size_t count);

#endif
