/* Random bytes nobody can guess: hash keys, epochs, WebSocket masks.
 * Threads: any.   Cost: a system call; take many at once.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_RANDOM_H
#define DX_BASE_RANDOM_H

#include "base/platform.h"

/* Fills `size` bytes at `to`. Aborts if the kernel has no randomness to give: nothing after that
 * would be safe. */
void dx_random_fill(void *to, size_t size);

#endif
