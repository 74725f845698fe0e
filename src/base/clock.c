/* The two clocks.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t dx_clock_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000000u;
}

uint64_t dx_clock_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t dx_clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000u;
}
