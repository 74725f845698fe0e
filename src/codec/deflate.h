/* Deflate for permessage-deflate: messages in, messages out. Only deflate*.c see zlib.
 * Is:     inflating in pieces under a byte limit, BFINAL blocks, windows of 8-15 bits, the
 *         `00 00 ff ff` tail; deflating a message.
 * Is not: negotiation (ws_deflate_offer), UTF-8 of what comes out (ws_reader).
 * Memory: an inflater about 10 KiB, and its window once it was used; a deflater see below. All of it
 *         by malloc; running out is an answer, never a crash.
 * Threads: one at a time per object. A worker owns one of each and lends them to its connections
 *         between begin and the end of a message, unless takeover was agreed.
 * Source: RFC 7692 §7.2; RFC 1951.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_DEFLATE_H
#define DX_CODEC_DEFLATE_H

#include "base/bytes.h"
#include "codec/ws_span.h"

/* ---- inflate ---------------------------------------------------------------------------------- */

typedef struct dx_inflater dx_inflater;

typedef enum dx_inflate_status {
    DX_INFLATE_DONE, /* the input was taken, all that it stands for is in the output; with `last`,
                             the message is over */
    DX_INFLATE_FULL, /* the output is full and there may be more: call again with more room */
    DX_INFLATE_BAD,  /* not deflate, or cut in a block: DX_WS_FAULT_DEFLATE */
    DX_INFLATE_TOO_LARGE, /* above the limit: DX_WS_FAULT_INFLATED_SIZE */
    DX_INFLATE_MEMORY,    /* out of memory */
} dx_inflate_status;

/* Makes an inflater, given to the caller, for windows of up to `window_bits` (8-15). 15 reads
 * everything; fewer save memory where takeover keeps the object (8.5 KiB + the window).
 * Errors: DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_inflater_new(unsigned window_bits, dx_inflater **ret);
void dx_inflater_free(dx_inflater *inflater); /* NULL is allowed */

/* Begins a message of at most `bytes_max` bytes once inflated. keep_window: the message may refer to
 * the ones before it (takeover); else nothing of them is left. Also ends a message that was left
 * unfinished. Cost: some 10 ns. */
void dx_inflater_begin(dx_inflater *inflater, bool keep_window, size_t bytes_max);

/* Inflates from `*in` to `*out` and moves both past what was taken and written. last: `*in` is the
 * end of the message (the 4 bytes that the peer left out are put behind it here). `*out` may be as
 * large as the caller likes; at most bytes_max bytes are ever written for a message.
 * After FULL: again, with what is left of `*in`, the same `last`, and `*out` with size > 0.
 * After BAD, TOO_LARGE, MEMORY: only dx_inflater_begin without keep_window.
 * A message of no bytes at all reads as an empty one. */
DX_MUST_USE dx_inflate_status dx_inflate_piece(dx_inflater *inflater, dx_bytes *in, bool last,
                                               dx_span *out);

/* ---- deflate ---------------------------------------------------------------------------------- */

typedef struct dx_deflater dx_deflater;

/* Room that dx_deflate_message needs behind the bytes it gives. */
#define DX_DEFLATE_ROOM 8

/* Makes a deflater, given to the caller.
 * level: 1 (fast) to 9; 0: the default, 3 (why: deflate.c).
 * kept_bits: 0 for one that forgets after each message, and serves every window (a worker's; it makes
 *   a state per class of message size and window when it first needs it: 310 KiB while all peers agree
 *   to 15 bits, at most 700 KiB); or the window of one direction of one connection, 8-15, with
 *   takeover: about 2^(bits+3) bytes, made at once.
 * Errors: DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_deflater_new(int level, unsigned kept_bits, dx_deflater **ret);
void dx_deflater_free(dx_deflater *deflater); /* NULL is allowed */

/* The most bytes a message of `size` bytes can become, with DX_DEFLATE_ROOM. */
size_t dx_deflate_bound(size_t size);

/* Compresses the message `in` into `out`, without the `00 00 ff ff` tail; an empty message is one
 * octet 00. window_bits: 8-15, what was agreed for this direction; ignored by a deflater with
 * takeover, which has its own. `*ret` is the size.
 * Errors: DX_ERR_TOO_LARGE: it does not fit into out.size - DX_DEFLATE_ROOM bytes (give in.size + ROOM
 * to learn that compression does not pay): send it uncompressed; DX_ERR_MEMORY: likewise. The
 * deflater goes on well after either (one with takeover has forgotten, which its peer need not
 * know). */
DX_MUST_USE dx_err dx_deflate_message(dx_deflater *deflater, unsigned window_bits, dx_bytes in,
                                      dx_span out, size_t *ret);

#endif
