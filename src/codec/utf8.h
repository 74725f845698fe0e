/* UTF-8 validation, at once or in pieces.
 * Is:     exactly the well-formed sequences of Unicode's table 3-7: no surrogates, nothing above
 *         U+10FFFF, no overlong form; non-characters and NUL are allowed.
 * Is not: decoding or normalising.
 * Memory: allocates nothing.   Threads: any.   Cost: vectorised; ASCII runs at memory speed.
 * Source: RFC 3629, RFC 6455 §8.1.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_UTF8_H
#define DX_CODEC_UTF8_H

#include "base/bytes.h"

/* Where the text stands between two pieces. All zeros is the start, and also every boundary between
 * code points. */
typedef struct dx_utf8 {
    uint8_t left;      /* continuation bytes still to come */
    uint8_t low, high; /* range of the next one, when left > 0 */
} dx_utf8;

/* Goes on with `in`. False as soon as a byte of `in` cannot stand where it stands, whatever may
 * follow (`f4` then `90` fails with the `90`): the text is lost then, and `*state` means nothing
 * until it is zeroed. */
DX_MUST_USE bool dx_utf8_feed(dx_utf8 *state, dx_bytes in);

/* True between code points: the text may end here. */
static inline bool dx_utf8_is_complete(const dx_utf8 *state)
{
    return state->left == 0;
}

/* True if all of `in` is UTF-8. */
bool dx_utf8_is_valid(dx_bytes in);

/* The largest size <= `max` at which valid UTF-8 `in` can be cut without cutting a code point. */
size_t dx_utf8_cut(dx_bytes in, size_t max);

/* How many bytes at the front of `in` are whole, valid code points. Slow and exact: for short texts. */
size_t dx_utf8_valid_size(dx_bytes in);

#endif
