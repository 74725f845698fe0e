/* No vector versions for this processor.
 * SPDX-License-Identifier: MIT */
#include "codec/scan_simd.h"

const dx_scan *dx_scan_simd_best(void)
{
    return NULL;
}

const dx_scan *dx_scan_simd_at(size_t index)
{
    return NULL;
}
