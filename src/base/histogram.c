/* Buckets: one, two and a half, five, ten.
 * SPDX-License-Identifier: MIT */
#include "base/histogram.h"

const uint32_t dx_histogram_bounds_us[DX_HISTOGRAM_BOUNDS_COUNT] = {
    10,    25,    50,     100,    250,    500,     1000,    2500,    5000,     10000,
    25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 60000000,
};

void dx_histogram_add(dx_histogram *h, uint64_t us, uint64_t count)
{
    unsigned i = 0;

    while (i < DX_HISTOGRAM_BOUNDS_COUNT && us > dx_histogram_bounds_us[i])
        i++;
    h->counts[i] += count;
    h->sum_us += us * count;
}

void dx_histogram_join(dx_histogram *to, const dx_histogram *from)
{
    for (unsigned i = 0; i <= DX_HISTOGRAM_BOUNDS_COUNT; i++)
        to->counts[i] += from->counts[i];
    to->sum_us += from->sum_us;
}

uint64_t dx_histogram_count(const dx_histogram *h)
{
    uint64_t count = 0;

    for (unsigned i = 0; i <= DX_HISTOGRAM_BOUNDS_COUNT; i++)
        count += h->counts[i];
    return count;
}
