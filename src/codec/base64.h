/* Base64: with the standard alphabet and padding, and base64url without padding.
 * Is:     strict: no blanks, padding required (base64url: refused), unused bits zero.
 * Memory: allocates nothing.   Threads: any.
 * Source: RFC 4648 §4, §5; RFC 7515 §2.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_BASE64_H
#define DX_CODEC_BASE64_H

#include "base/bytes.h"

/* The size of the text for `size` bytes. */
#define DX_BASE64_TEXT_SIZE(size) (((size) + 2) / 3 * 4)

/* Writes DX_BASE64_TEXT_SIZE(in.size) characters, no NUL. */
void dx_base64_write(dx_bytes in, char *out);

/* Reads all of `text` into `out`, of room `out_max` bytes. False if it is not strict base64 or does
 * not fit; then `*out_size` is untouched. */
DX_MUST_USE bool dx_base64_read(dx_bytes text, uint8_t *out, size_t out_max, size_t *out_size);

/* base64url: the size of the text for `size` bytes; writing it, no NUL; reading as above. */
#define DX_BASE64URL_TEXT_SIZE(size) (((size)*4 + 2) / 3)
void dx_base64url_write(dx_bytes in, char *out);
DX_MUST_USE bool dx_base64url_read(dx_bytes text, uint8_t *out, size_t out_max, size_t *out_size);

#endif
