/* What a feed consists of, for the files of the feed: blocks of bytes, and entries that say what is in them.
 * Is:     finding by position and by sequence, room at the end, releasing at the front.
 * Is not: who reads it (feed.c, feed_pull.c, feed_end.c).
 * Memory: see feed.h.   Threads: the feed's worker's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_FEED_CHAIN_H
#define DX_STREAM_FEED_CHAIN_H

#include "base/assert.h"
#include "stream/feed.h"

enum {
    DX_FEED_FLUSH_COUNT_MAX = 2048
}; /* subscribers served in one turn; the others in the next */

static inline dx_feed_entry *dx_feed_entry_at(const dx_feed *f, uint32_t index)
{
    return &f->entries[(f->entries_first + index) & (f->entries_capacity - 1)];
}

static inline uint64_t dx_feed_entry_begin(const dx_feed *f, uint32_t index)
{
    return index == 0 ? f->head : dx_feed_entry_at(f, index - 1)->end;
}

/* Index of the entry that holds the byte at `position`, which must be in [head, tail). */
uint32_t dx_feed_entry_of(const dx_feed *f, uint64_t position);

/* Finds the entry of the message `sequence`; false if it is not here. */
DX_MUST_USE bool dx_feed_entry_find(const dx_feed *f, uint64_t sequence, uint32_t *index);

/* The block that holds the byte at `position`, which must be in [head, tail). */
dx_feed_block *dx_feed_block_of(const dx_feed *f, uint64_t position);

/* A last block with room for `bytes`, and for one entry more. NULL: no memory. */
dx_feed_block *dx_feed_reserve(dx_feed *f, size_t bytes);

/* `size` bytes were written where dx_feed_reserve made room: they are `entry` (its `end` is set here). */
void dx_feed_commit(dx_feed *f, size_t size, dx_feed_entry entry);

/* Drops what is before `head`, where a block begins. */
void dx_feed_drop_before(dx_feed *f, uint64_t head);
void dx_feed_drop_all(dx_feed *f);
/* Drops all if nobody needs it. */
void dx_feed_release(dx_feed *f);

/* feed.c: takes a live subscriber out of the feed. It gets the end of the message it is in, and goes on
 * from the next one as it asked for if it `is_slow`, else in the log. */
void dx_feed_fall(dx_feed *f, dx_subscriber *sub, bool is_slow);

/* feed_end.c. One that is live, after anything that may have brought it to where it is to be told. */
void dx_feed_check_end(dx_feed *f, dx_subscriber *sub);
/* It is to be told of the end. It must not be in flight, nor in a message. */
void dx_feed_end_soon(dx_feed *f, dx_subscriber *sub);
/* Tells some of them; false: there are more. */
DX_MUST_USE bool dx_feed_tell_ended(dx_feed *f);

#endif
