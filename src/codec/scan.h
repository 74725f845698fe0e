/* Finds the first byte that may not stand where it stands: names, values, request targets.
 * Is:     three byte classes, each searched in plain C, with SSE2 and with AVX2.
 * Is not: grammar (http_head.c, http_target.c).
 * Memory: allocates nothing, never reads outside [at, at + size).   Threads: any.
 * Source: RFC 9110 §5.5, §5.6.2; RFC 9112 §3.2.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_SCAN_H
#define DX_CODEC_SCAN_H

#include "base/platform.h"

/* Index of the first byte outside the class, or `size`. */
typedef size_t dx_scan_call(const uint8_t *at, size_t size);

typedef struct dx_scan {
    const char *name;
    dx_scan_call *token;  /* tchar: letters, digits, !#$%&'*+-.^_`|~ */
    dx_scan_call *field;  /* HTAB, SP to ~, 0x80 to 0xff: all but control bytes */
    dx_scan_call *target; /* ! to ~: visible ASCII */
} dx_scan;

/* The fastest that this processor runs. Cost: one load and a test or two. */
const dx_scan *dx_scan_best(void);

/* Number `index` of those this processor runs, slowest first; NULL after the last. For tests. */
const dx_scan *dx_scan_at(size_t index);

#endif
