/* What happens when an assert fails: one line, then abort.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void dx_assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "duplex: bug: %s (%s:%d)\n", what, file, line);
    abort();
}
