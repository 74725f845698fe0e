/* How long things took, counted in buckets that are good for microseconds and for seconds.
 * Is:     bounds, adding, joining.
 * Is not: names and text (serve/metrics.c).
 * Memory: one struct.   Threads: its owner's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_HISTOGRAM_H
#define DX_BASE_HISTOGRAM_H

#include "base/platform.h"

enum { DX_HISTOGRAM_BOUNDS_COUNT = 20 };

typedef struct dx_histogram {
    uint64_t counts[DX_HISTOGRAM_BOUNDS_COUNT +
                    1]; /* each of its own bucket; the last: above all bounds */
    uint64_t sum_us;
} dx_histogram;

/* The upper ends of the buckets, in microseconds, rising. */
extern const uint32_t dx_histogram_bounds_us[DX_HISTOGRAM_BOUNDS_COUNT];

/* `count` things took `us` each.   Cost: O(1), some comparisons. */
void dx_histogram_add(dx_histogram *h, uint64_t us, uint64_t count);
/* Adds all of `from`. */
void dx_histogram_join(dx_histogram *to, const dx_histogram *from);
uint64_t dx_histogram_count(const dx_histogram *h);

#endif
