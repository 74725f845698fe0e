/* Text that is put together piece by piece.
 * Is:     printf into a buffer that grows, JSON strings; one flag for all allocations that failed.
 * Memory: the buffer's.   Threads: one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_TEXT_H
#define DX_SERVE_TEXT_H

#include "base/buffer.h"

typedef struct dx_text {
    dx_buffer buffer;
    bool is_cut; /* memory was out: what it says is not all */
} dx_text;

void dx_text_add(dx_text *text, const char *format, ...) DX_PRINTF(2, 3);
/* As a JSON string, in its quotes; bytes that are no UTF-8 become U+FFFD. */
void dx_text_add_json(dx_text *text, dx_bytes value);

#endif
