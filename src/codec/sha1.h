/* SHA-1, for Sec-WebSocket-Accept only: it proves nothing to anybody, and must not be used where
 * somebody could gain from a collision.
 * Is:     one-shot, of up to a few hundred bytes; small rather than fast.
 * Is not: security (OpenSSL, in net).
 * Memory: allocates nothing.   Threads: any.
 * Source: RFC 3174, RFC 6455 §4.2.2.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_SHA1_H
#define DX_CODEC_SHA1_H

#include "base/bytes.h"

#define DX_SHA1_BYTES 20

void dx_sha1(dx_bytes in, uint8_t out[DX_SHA1_BYTES]);

#endif
