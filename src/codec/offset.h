/* Stream offsets: opaque to clients, of fixed width, and in the order of their text.
 * Is:     dx_offset to and from its text; the two sentinels that a reader may ask for.
 * Is not: what an offset means (stream).
 * Memory: allocates nothing.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_OFFSET_H
#define DX_CODEC_OFFSET_H

#include "base/bytes.h"

/* epoch: the identity of the log; changes only when identity cannot be proved.
 * sequence: number of messages before this position; 0 is the log's start. */
typedef struct dx_offset {
    uint64_t epoch, sequence;
} dx_offset;

#define DX_OFFSET_SIZE 33 /* 16 lower-case hex digits, "_", 16 more */

typedef enum dx_offset_kind {
    DX_OFFSET_AT,    /* a position, in `ret` */
    DX_OFFSET_START, /* "-1" */
    DX_OFFSET_NOW,   /* "now" */
    DX_OFFSET_BAD,   /* anything else */
} dx_offset_kind;

/* Writes the text without a NUL; only 0-9, a-f and "_". */
void dx_offset_write(dx_offset offset, uint8_t at[static DX_OFFSET_SIZE]);

/* Reads all of `in`. ret: set for DX_OFFSET_AT only. */
dx_offset_kind dx_offset_read(dx_bytes in, dx_offset *ret);

/* Below, equal, above: -1, 0, 1; the order of the texts. */
static inline int dx_offset_compare(dx_offset a, dx_offset b)
{
    if (a.epoch != b.epoch)
        return a.epoch < b.epoch ? -1 : 1;
    return a.sequence == b.sequence ? 0 : a.sequence < b.sequence ? -1 : 1;
}

#endif
