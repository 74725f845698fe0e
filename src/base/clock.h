/* The two clocks. Everything inside a loop uses the loop's own time instead (one read a turn).
 * Is:     monotonic time for waiting, wall time for dates shown to people and peers.
 * Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_CLOCK_H
#define DX_BASE_CLOCK_H

#include "base/platform.h"

uint64_t dx_clock_ms(void);      /* CLOCK_MONOTONIC */
uint64_t dx_clock_ns(void);      /* CLOCK_MONOTONIC */
uint64_t dx_clock_wall_ms(void); /* since 1970-01-01 UTC; may step either way */

#endif
