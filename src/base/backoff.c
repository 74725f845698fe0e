/* How long to wait before something that failed is tried again.
 * SPDX-License-Identifier: MIT */
#include "base/backoff.h"

#include "base/bytes.h"
#include "base/random.h"

enum { BACKOFF_MS = 250, BACKOFF_MS_MAX = 15000 };

uint32_t dx_backoff_ms(uint64_t failures)
{
    uint64_t doubled = (uint64_t)BACKOFF_MS << (failures > 6 ? 6 : failures - 1);
    uint64_t most = dx_min_u64(BACKOFF_MS_MAX, doubled);
    uint32_t random;

    dx_random_fill(&random, sizeof random);
    return (uint32_t)(most / 2 + random % (most / 2 + 1));
}
