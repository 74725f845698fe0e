/* Random bytes from the kernel.
 * SPDX-License-Identifier: MIT */
#include "base/random.h"

#include "base/assert.h"

#include <errno.h>
#include <sys/random.h>

void dx_random_fill(void *to, size_t size)
{
    uint8_t *at = to;

    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0) {
            dx_assert(errno == EINTR);
            continue;
        }
        at += n;
        size -= (size_t)n;
    }
}
