/* The variants of UTF-8 validation, for the test that they agree.
 * Is:     one function per instruction set; utf8.c chooses.
 * Is not: for callers (utf8.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_UTF8_INNER_H
#define DX_CODEC_UTF8_INNER_H

#include "base/bytes.h"

#define DX_UTF8_BAD SIZE_MAX

/* Each begins between code points and gives how many bytes at the front of `in` are whole and good
 * (at most 3 bytes are left over, beginning between code points), or DX_UTF8_BAD. What is left over
 * has not been judged. */
size_t dx_utf8_plain(dx_bytes in);
#if DX_HAVE_X86_SIMD
size_t dx_utf8_avx2(dx_bytes in);
#endif

#endif
