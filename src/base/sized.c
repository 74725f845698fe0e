/* Structs of options and handlers that grow at their end.
 * SPDX-License-Identifier: MIT */
#include "base/sized.h"

#include <string.h>

bool dx_sized_copy(void *to, size_t to_size, const void *from, size_t size)
{
    const uint8_t *bytes = from;

    memset(to, 0, to_size);
    if (from == NULL)
        return true;
    memcpy(to, from, dx_min_size(to_size, size));
    for (size_t i = to_size; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}
