/* Between scan.c and its vector versions; nobody else includes it.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_SCAN_SIMD_H
#define DX_CODEC_SCAN_SIMD_H

#include "codec/scan.h"

/* The fastest version that this processor runs, or NULL. */
const dx_scan *dx_scan_simd_best(void);

/* Number `index` of those it runs, slowest first; NULL after the last. */
const dx_scan *dx_scan_simd_at(size_t index);

/* For the ends that are shorter than a vector. */
size_t dx_scan_plain_token(const uint8_t *at, size_t size);
size_t dx_scan_plain_field(const uint8_t *at, size_t size);
size_t dx_scan_plain_target(const uint8_t *at, size_t size);

#endif
