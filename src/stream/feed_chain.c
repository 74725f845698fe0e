/* A feed's blocks and entries.
 * SPDX-License-Identifier: MIT */
#include "stream/feed_chain.h"

#include <stdlib.h>

enum {
    BLOCK_BYTES_MIN = 4096,
    BLOCK_BYTES_MAX = 65536,
    ENTRIES_MIN = 16,
    ENTRIES_KEPT = 64, /* a burst must not stay for ever */
};

/* ---- entries ---------------------------------------------------------------------------------- */

static bool entries_grow(dx_feed *f)
{
    uint32_t capacity = f->entries_capacity ? f->entries_capacity * 2 : ENTRIES_MIN;
    dx_feed_entry *entries = malloc(capacity * sizeof *entries);

    if (entries == NULL)
        return false;
    for (uint32_t i = 0; i < f->entries_count; i++)
        entries[i] = *dx_feed_entry_at(f, i);
    free(f->entries);
    f->entries = entries;
    f->entries_capacity = capacity;
    f->entries_first = 0;
    return true;
}

uint32_t dx_feed_entry_of(const dx_feed *f, uint64_t position)
{
    uint32_t low = 0, high = f->entries_count;

    dx_assert(position >= f->head && position < f->tail);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (dx_feed_entry_at(f, middle)->end <= position)
            low = middle + 1;
        else
            high = middle;
    }
    dx_assert(low < f->entries_count);
    return low;
}

/* Sequences rise, and a note stands behind the message whose sequence it has. */
bool dx_feed_entry_find(const dx_feed *f, uint64_t sequence, uint32_t *index)
{
    uint32_t low = 0, high = f->entries_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (dx_feed_entry_at(f, middle)->sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == f->entries_count)
        return false;
    const dx_feed_entry *entry = dx_feed_entry_at(f, low);
    if (entry->is_note || entry->sequence != sequence)
        return false;
    *index = low;
    return true;
}

/* ---- blocks ----------------------------------------------------------------------------------- */

dx_feed_block *dx_feed_block_of(const dx_feed *f, uint64_t position)
{
    dx_feed_block *block = f->first;

    while (position >= block->begin + block->size)
        block = block->next;
    return block;
}

static dx_feed_block *block_with_room(dx_feed *f, size_t need)
{
    dx_feed_block *last = f->last;

    if (last && last->capacity - last->size >= need)
        return last;
    size_t capacity =
        last ? dx_min_size((size_t)last->capacity * 2, BLOCK_BYTES_MAX) : BLOCK_BYTES_MIN;
    capacity = dx_max_size(capacity, need);
    dx_feed_block *block = malloc(sizeof *block + capacity);
    if (block == NULL)
        return NULL;
    *block = (dx_feed_block){.begin = f->tail, .capacity = (uint32_t)capacity};
    if (last)
        last->next = block;
    else
        f->first = block;
    f->last = block;
    return block;
}

dx_feed_block *dx_feed_reserve(dx_feed *f, size_t bytes)
{
    if (f->entries_count == f->entries_capacity && !entries_grow(f))
        return NULL;
    return block_with_room(f, bytes);
}

void dx_feed_commit(dx_feed *f, size_t size, dx_feed_entry entry)
{
    dx_assert(size > 0 && size <= f->last->capacity - f->last->size);
    f->last->size += (uint32_t)size;
    f->tail += size;
    entry.end = f->tail;
    *dx_feed_entry_at(f, f->entries_count++) = entry;
}

void dx_feed_drop_before(dx_feed *f, uint64_t head)
{
    while (f->first->begin < head) {
        dx_feed_block *block = f->first;
        f->first = block->next;
        free(block);
    }
    while (f->entries_count > 0 && dx_feed_entry_at(f, 0)->end <= head) {
        f->entries_first = (f->entries_first + 1) & (f->entries_capacity - 1);
        f->entries_count--;
    }
    f->head = head;
}

void dx_feed_drop_all(dx_feed *f)
{
    for (dx_feed_block *block = f->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    f->first = f->last = NULL;
    f->head = f->tail;
    f->entries_first = f->entries_count = 0;
    if (f->entries_capacity > ENTRIES_KEPT) {
        free(f->entries);
        f->entries = NULL;
        f->entries_capacity = 0;
    }
}

void dx_feed_release(dx_feed *f)
{
    if (f->behind_count == 0 && f->in_flight_count == 0 && f->first)
        dx_feed_drop_all(f);
}
