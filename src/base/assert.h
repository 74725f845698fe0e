/* Asserts that stay on in release: for our own bugs only, never for what a peer sends.
 * Is:     dx_assert, dx_unreachable.
 * Is not: error handling.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_ASSERT_H
#define DX_BASE_ASSERT_H

#include "base/platform.h"

/* Prints one line to stderr and aborts. */
DX_NORETURN void dx_assert_failed(const char *what, const char *file, int line);

#define dx_assert(condition)                                                                       \
    (DX_LIKELY(condition) ? (void)0 : dx_assert_failed(#condition, __FILE__, __LINE__))
#define dx_unreachable(why) dx_assert_failed(why, __FILE__, __LINE__)

#endif
