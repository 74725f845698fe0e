/* Bytes that may be changed in place.
 * Is:     dx_span, the mutable brother of dx_bytes.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_WS_SPAN_H
#define DX_CODEC_WS_SPAN_H

#include "base/bytes.h"

/* A view of `size` bytes that may be written; it owns nothing. `at` may be NULL when `size` is 0. */
typedef struct dx_span {
    uint8_t *at;
    size_t size;
} dx_span;

static inline dx_bytes dx_span_bytes(dx_span span)
{
    return (dx_bytes){span.at, span.size};
}

#endif
