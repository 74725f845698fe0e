/* A feed: blocks, entries, and the positions of its subscribers.
 * SPDX-License-Identifier: MIT */
#include "stream/feed.h"

#include "base/assert.h"

#include <stdlib.h>

enum {
    BLOCK_BYTES_MIN = 4096,
    BLOCK_BYTES_MAX = 65536,
    WINDOW_BYTES = 262144, /* behind it a subscriber catches up from the log */
    FLUSH_COUNT_MAX = 2048, /* subscribers served in one turn; the others in the next */
};

/* ---- entries ---------------------------------------------------------------------------------- */

static dx_feed_entry *entry_at(const dx_feed *f, uint32_t index)
{
    return &f->entries[(f->entries_first + index) & (f->entries_capacity - 1)];
}

static bool entries_grow(dx_feed *f)
{
    uint32_t capacity = f->entries_capacity ? f->entries_capacity * 2 : 16;
    dx_feed_entry *entries = malloc(capacity * sizeof *entries);

    if (entries == NULL)
        return false;
    for (uint32_t i = 0; i < f->entries_count; i++)
        entries[i] = *entry_at(f, i);
    free(f->entries);
    f->entries = entries;
    f->entries_capacity = capacity;
    f->entries_first = 0;
    return true;
}

/* Index of the entry that holds the byte at `position`, which must be in [head, tail). */
static uint32_t entry_of(const dx_feed *f, uint64_t position)
{
    uint32_t low = 0, high = f->entries_count;

    dx_assert(position >= f->head && position < f->tail);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (entry_at(f, middle)->end <= position)
            low = middle + 1;
        else
            high = middle;
    }
    dx_assert(low < f->entries_count);
    return low;
}

static uint64_t entry_begin(const dx_feed *f, uint32_t index)
{
    return index == 0 ? f->head : entry_at(f, index - 1)->end;
}

/* ---- blocks ----------------------------------------------------------------------------------- */

static void drop_everything(dx_feed *f)
{
    for (dx_feed_block *block = f->first, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    f->first = f->last = NULL;
    f->head = f->tail;
    f->entries_first = f->entries_count = 0;
    if (f->entries_capacity > 64) { /* a burst must not stay for ever */
        free(f->entries);
        f->entries = NULL;
        f->entries_capacity = 0;
    }
}

static void release_if_sent(dx_feed *f)
{
    if (f->behind_count == 0 && f->in_flight_count == 0 && f->first)
        drop_everything(f);
}

/* A last block with room for `need` bytes. */
static dx_feed_block *block_with_room(dx_feed *f, size_t need)
{
    dx_feed_block *last = f->last;

    if (last && last->capacity - last->size >= need)
        return last;
    size_t capacity = last ? dx_min_size((size_t)last->capacity * 2, BLOCK_BYTES_MAX) : BLOCK_BYTES_MIN;
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

static dx_feed_block *block_of(const dx_feed *f, uint64_t position)
{
    dx_feed_block *block = f->first;

    while (position >= block->begin + block->size)
        block = block->next;
    return block;
}

/* ---- falling behind --------------------------------------------------------------------------- */

static void list_move(dx_list *to, dx_list *link)
{
    dx_list_remove(link);
    dx_list_append(to, link);
}

/* The sequence that a live subscriber needs next, when it has got the rest of what was sent in part. */
static uint64_t next_of(const dx_feed *f, const dx_subscriber *sub)
{
    bool is_at_tail = sub->position == f->tail;
    uint32_t index = is_at_tail ? f->entries_count : entry_of(f, sub->position);

    if (sub->is_partial)
        return entry_at(f, index)->sequence + 1;
    if (sub->is_falling) /* it has sent the entry before; between the two some may have been lost */
        return entry_at(f, index - 1)->sequence + 1;
    return is_at_tail ? f->next_sequence : entry_at(f, index)->sequence;
}

/* What is still to be sent of the message at the position. */
static dx_bytes rest_of(const dx_feed *f, const dx_subscriber *sub)
{
    if (!sub->is_partial)
        return (dx_bytes){0};
    const dx_feed_block *block = block_of(f, sub->position); /* a message is in one block */
    return dx_bytes_at(block->bytes + (sub->position - block->begin),
                       (size_t)(entry_at(f, entry_of(f, sub->position))->end - sub->position));
}

/* Takes a live subscriber out of the feed: it gets the end of the message it is in, and reads the log
 * from the next one on. */
static void fall_behind(dx_feed *f, dx_subscriber *sub)
{
    dx_assert(sub->state == DX_SUBSCRIBER_LIVE && !sub->is_in_flight);
    dx_bytes rest = rest_of(f, sub);
    uint64_t next = next_of(f, sub);
    f->behind_count -= sub->position < f->tail;
    sub->next = next;
    bool is_frozen = sub->is_frozen;
    sub->is_partial = sub->is_falling = sub->is_frozen = false;
    sub->state = DX_SUBSCRIBER_CATCHING;
    sub->reading = NULL;
    list_move(&f->catching, &sub->link);
    f->live_count--;
    f->encoding->fell_behind(sub, rest);
    if (is_frozen) /* its connection is closing, and too slow for what it was still to get */
        dx_subscriber_detach(sub);
}

static void all_fall_behind(dx_feed *f)
{
    for (dx_list *l = f->live.next, *next; l != &f->live; l = next) {
        next = l->next;
        dx_subscriber *sub = DX_CONTAINER(l, dx_subscriber, link);
        if (l == &f->cursor)
            continue;
        if (sub->is_in_flight)
            sub->is_falling = true; /* once it is known how much was sent */
        else
            fall_behind(f, sub);
    }
}

/* The position before which nothing is in flight. */
static uint64_t settled_end(const dx_feed *f)
{
    uint64_t end = f->orphans_count > 0 ? f->head : f->tail; /* where those are is not known */

    for (dx_list *l = f->live.next; f->in_flight_count > 0 && l != &f->live; l = l->next) {
        const dx_subscriber *sub = DX_CONTAINER(l, dx_subscriber, link);
        if (l != &f->cursor && sub->is_in_flight)
            end = dx_min_u64(end, sub->position);
    }
    return end;
}

/* The window is full: drops the oldest blocks, of those that all have been offered and that are not in
 * flight. Who still needs them falls behind. */
static void evict(dx_feed *f)
{
    uint64_t head = f->head;

    if (f->tail - f->head <= f->window_bytes)
        return;
    uint64_t end = dx_min_u64(f->offered, settled_end(f));
    for (dx_feed_block *b = f->first;
         b->next && b->begin + b->size <= end && f->tail - head > f->window_bytes; b = b->next)
        head = b->begin + b->size;
    if (head == f->head)
        return;
    for (dx_list *l = f->live.next, *next; l != &f->live; l = next) {
        next = l->next;
        dx_subscriber *sub = DX_CONTAINER(l, dx_subscriber, link);
        if (l != &f->cursor && sub->position < head)
            fall_behind(f, sub);
    }
    if (f->first == NULL) /* they were the last who needed any */
        return;
    while (f->first->begin < head) {
        dx_feed_block *block = f->first;
        f->first = block->next;
        free(block);
    }
    while (f->entries_count > 0 && entry_at(f, 0)->end <= head) {
        f->entries_first = (f->entries_first + 1) & (f->entries_capacity - 1);
        f->entries_count--;
    }
    f->head = head;
}

/* ---- appending and flushing ------------------------------------------------------------------- */

static bool feed_write(dx_feed *f, const dx_message *message)
{
    size_t bound = f->encoding->bound(f, message);
    dx_feed_block *block = block_with_room(f, bound);

    if (block == NULL || (f->entries_count == f->entries_capacity && !entries_grow(f)))
        return false;
    size_t size = f->encoding->write(f, message, block->bytes + block->size);
    dx_assert(size > 0 && size <= bound);
    block->size += (uint32_t)size;
    f->tail += size;
    *entry_at(f, f->entries_count++) = (dx_feed_entry){f->tail, message->sequence, message->origin};
    return true;
}

/* What was between was lost on the way (the worker was too slow): who is live reads the log instead,
 * which tells what is left of it. */
static void skip_to(dx_feed *f, uint64_t sequence)
{
    all_fall_behind(f);
    release_if_sent(f);
    f->next_sequence = sequence;
}

static void become_live(dx_feed *f, dx_subscriber *sub, uint64_t position)
{
    sub->state = DX_SUBSCRIBER_LIVE;
    sub->position = position;
    list_move(&f->live, &sub->link);
    f->live_count++;
    if (position < f->tail) {
        f->behind_count++;
        dx_task_queue(f->loop, &f->flush);
    }
    f->encoding->live(sub);
}

/* Who has read the log further than the feed had come joins as soon as it gets there. If the feed has
 * jumped over that place, it is to read on. */
static void join_waiting(dx_feed *f)
{
    for (dx_list *l = f->catching.next, *next; f->waiting_count > 0 && l != &f->catching; l = next) {
        next = l->next;
        dx_subscriber *sub = DX_CONTAINER(l, dx_subscriber, link);
        if (!sub->is_waiting || sub->next > f->next_sequence)
            continue;
        sub->is_waiting = false;
        f->waiting_count--;
        if (sub->next == f->next_sequence)
            become_live(f, sub, f->tail);
        else
            f->encoding->fell_behind(sub, (dx_bytes){0});
    }
}

static void feed_append(dx_feed *f, const dx_message *message)
{
    if (message->sequence > f->next_sequence)
        skip_to(f, message->sequence);
    if (f->live_count == 0) {
        f->next_sequence = message->sequence + 1;
        return;
    }
    if (!feed_write(f, message)) {
        all_fall_behind(f);
        release_if_sent(f);
    } else {
        f->behind_count = f->live_count;
        dx_task_queue(f->loop, &f->flush);
    }
    f->next_sequence = message->sequence + 1;
}

void dx_feed_append(dx_feed *f, const dx_message *message)
{
    if (message->sequence < f->next_sequence)
        return; /* it was there before the feed began */
    feed_append(f, message);
    join_waiting(f);
}

/* Wakes the live ones in turn, so many a turn that others are not kept waiting. The cursor is a link
 * in the list, so that subscribers may leave meanwhile. */
static void feed_on_flush(dx_task *task)
{
    dx_feed *f = DX_CONTAINER(task, dx_feed, flush);
    uint32_t served = 0;

    if (dx_list_is_empty(&f->cursor)) {
        f->offering = f->tail;
        dx_list_insert_before(f->live.next, &f->cursor);
    }
    while (f->cursor.next != &f->live && served++ < FLUSH_COUNT_MAX) {
        dx_list *next = f->cursor.next;
        dx_subscriber *sub = DX_CONTAINER(next, dx_subscriber, link);
        dx_list_remove(&f->cursor);
        dx_list_insert_before(next->next, &f->cursor);
        if (sub->position < f->tail && !sub->is_in_flight)
            f->encoding->wake(sub);
    }
    if (f->cursor.next != &f->live) {
        dx_task_queue(f->loop, &f->flush);
    } else {
        dx_list_remove(&f->cursor);
        f->offered = f->offering;
        if (f->offered < f->tail) /* appended meanwhile: those whose turn was over are to get it, too */
            dx_task_queue(f->loop, &f->flush);
        evict(f);
    }
    release_if_sent(f);
}

/* ---- subscribers ------------------------------------------------------------------------------ */

bool dx_feed_join(dx_feed *f, dx_subscriber *sub)
{
    dx_assert(sub->state == DX_SUBSCRIBER_CATCHING);
    if (sub->next == f->next_sequence) {
        become_live(f, sub, f->tail);
        return true;
    }
    /* The entry `back` from the end, if there is no hole from there to the end. */
    uint64_t back = f->next_sequence - sub->next;
    if (sub->next > f->next_sequence || back > f->entries_count ||
        entry_at(f, f->entries_count - 1)->sequence + 1 != f->next_sequence ||
        entry_at(f, f->entries_count - (uint32_t)back)->sequence != sub->next)
        return false;
    become_live(f, sub, entry_begin(f, f->entries_count - (uint32_t)back));
    return true;
}

/* Leaves out one's own messages at `position`. */
static uint64_t skip_own(const dx_feed *f, const dx_subscriber *sub, uint64_t position)
{
    while (sub->origin && position < f->tail) {
        const dx_feed_entry *entry = entry_at(f, entry_of(f, position));
        if (entry->origin != sub->origin)
            break;
        position = entry->end;
    }
    return position;
}

/* Where the run of messages to be sent from `position` ends: the tail, or one's own message behind it. */
static uint64_t run_end(const dx_feed *f, const dx_subscriber *sub, uint64_t position)
{
    if (sub->origin == 0 || position >= f->tail)
        return f->tail;
    for (uint32_t i = entry_of(f, position); i < f->entries_count; i++)
        if (entry_at(f, i)->origin == sub->origin)
            return entry_begin(f, i);
    return f->tail;
}

/* Fills `iov` with the bytes from `begin` to `end`. Returns the entries used; *ret is where they end. */
static uint32_t gather(const dx_feed *f, uint64_t begin, uint64_t end, struct iovec *iov, uint32_t max)
{
    uint32_t count = 0;

    for (dx_feed_block *b = begin < end ? block_of(f, begin) : NULL; b && begin < end && count < max;
         b = b->next) {
        uint64_t stop = dx_min_u64(end, b->begin + b->size);
        iov[count++] = (struct iovec){b->bytes + (begin - b->begin), (size_t)(stop - begin)};
        begin = stop;
    }
    return count;
}

static void take_off(dx_subscriber *sub)
{
    if (!sub->is_in_flight) {
        sub->is_in_flight = true;
        sub->feed->in_flight_count++;
    }
}

/* Nothing was left to be sent up to `position`: passed over without a send. */
static void pass_over(dx_subscriber *sub, uint64_t position)
{
    dx_feed *f = sub->feed;

    sub->position = position;
    if (position == f->tail)
        f->behind_count--;
    release_if_sent(f);
}

uint32_t dx_subscriber_pull(dx_subscriber *sub, struct iovec *iov, uint32_t max)
{
    const dx_feed *f = sub->feed;
    uint32_t count = 0;

    if (sub->state != DX_SUBSCRIBER_LIVE || sub->position == f->tail)
        return 0;
    uint64_t position = sub->position, stop = f->tail;
    if (sub->is_frozen)
        stop = sub->is_partial ? entry_at(f, entry_of(f, position))->end : position;
    while (position < stop && count < max) {
        if (!(count == 0 && sub->is_partial)) /* one's own message is never sent in part */
            position = skip_own(f, sub, position);
        if (position >= stop)
            break;
        uint64_t end = dx_min_u64(stop, run_end(f, sub, position));
        count += gather(f, position, end, iov + count, max - count);
        position = end;
    }
    if (count > 0)
        take_off(sub);
    else if (!sub->is_frozen)
        pass_over(sub, position);
    return count;
}

/* Moves the position over what was sent, and over one's own messages. */
static void advance(dx_subscriber *sub, uint64_t bytes)
{
    const dx_feed *f = sub->feed;
    uint64_t position = sub->position;

    if (sub->origin == 0) {
        position += bytes;
    } else {
        while (bytes > 0) {
            position = sub->is_partial ? position : skip_own(f, sub, position);
            uint64_t end = entry_at(f, entry_of(f, position))->end;
            uint64_t part = dx_min_u64(bytes, end - position);
            position += part;
            bytes -= part;
            sub->is_partial = position < end;
        }
        if (!sub->is_partial && !sub->is_falling) /* else there may be a hole before them */
            position = skip_own(f, sub, position);
    }
    dx_assert(position <= f->tail);
    sub->position = position;
    sub->is_partial =
        position < f->tail && position != entry_begin(f, entry_of(f, position));
}

bool dx_subscriber_pulled(dx_subscriber *sub, size_t bytes)
{
    dx_feed *f = sub->feed;

    if (sub->is_in_flight) {
        sub->is_in_flight = false;
        f->in_flight_count--;
        f->orphans_count -= sub->state == DX_SUBSCRIBER_STOPPED;
    }
    uint64_t before = sub->position;
    if (sub->state == DX_SUBSCRIBER_LIVE && sub->position < f->tail) {
        advance(sub, bytes);
        if (sub->position == f->tail)
            f->behind_count--;
    }
    if (sub->state == DX_SUBSCRIBER_LIVE && sub->is_falling) {
        sub->is_falling = sub->position != before; /* else it stands where it stood, before any hole */
        fall_behind(f, sub);
    }
    release_if_sent(f);
    return sub->is_partial;
}

bool dx_subscriber_is_behind(const dx_subscriber *sub)
{
    return sub->state == DX_SUBSCRIBER_LIVE && sub->position < sub->feed->tail &&
           (sub->is_partial || !sub->is_frozen);
}

/* Leaves the lists. What is in flight stays where it is until `pulled`. */
void dx_subscriber_detach(dx_subscriber *sub)
{
    dx_feed *f = sub->feed;

    if (sub->state == DX_SUBSCRIBER_STOPPED)
        return;
    if (sub->state == DX_SUBSCRIBER_LIVE) {
        f->live_count--;
        f->behind_count -= sub->position < f->tail;
        f->orphans_count += sub->is_in_flight;
    }
    f->waiting_count -= sub->is_waiting;
    sub->is_waiting = false;
    dx_list_remove(&sub->link);
    sub->state = DX_SUBSCRIBER_STOPPED;
    release_if_sent(f);
}

/* ---- birth and death -------------------------------------------------------------------------- */

dx_feed *dx_feed_new(dx_loop *loop, const dx_encoding *encoding, uint32_t variant,
                     uint64_t next_sequence)
{
    dx_feed *f = calloc(1, sizeof *f);

    if (f == NULL)
        return NULL;
    f->loop = loop;
    f->encoding = encoding;
    f->variant = variant;
    f->window_bytes = WINDOW_BYTES;
    f->next_sequence = next_sequence;
    dx_list_init(&f->link);
    dx_list_init(&f->live);
    dx_list_init(&f->catching);
    dx_list_init(&f->cursor);
    dx_task_init(&f->flush, feed_on_flush);
    return f;
}

void dx_feed_free(dx_feed *f)
{
    if (f == NULL)
        return;
    dx_assert(f->live_count == 0 && dx_list_is_empty(&f->catching) && f->in_flight_count == 0);
    dx_task_clear(&f->flush);
    drop_everything(f);
    free(f->entries);
    free(f);
}
