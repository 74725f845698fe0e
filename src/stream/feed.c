/* A feed: what is put in, who is woken for it, and who falls out of it. Blocks are in feed_chain.c, what
 * subscribers send in feed_pull.c, ends in feed_end.c.
 * SPDX-License-Identifier: MIT */
#include "stream/feed.h"

#include "base/clock.h"
#include "base/mutant.h"

#include "stream/feed_chain.h"
#include "stream/hub_home.h"

#include <stdlib.h>

enum {
    WINDOW_BYTES = 262144, /* behind it a subscriber catches up from the log */
    CLOCK_EVERY = 16,      /* subscribers, the clock is looked at for the histogram */
};

/* ---- falling behind --------------------------------------------------------------------------- */

/* The sequence that a live subscriber needs next, when it has got the rest of what was sent in part. */
static uint64_t next_of(const dx_feed *f, const dx_subscriber *sub)
{
    bool is_at_tail = sub->position == f->tail;
    uint32_t index = is_at_tail ? f->entries_count : dx_feed_entry_of(f, sub->position);

    if (sub->is_partial)
        return dx_feed_entry_at(f, index)->sequence + 1;
    if (sub->is_falling) /* it has sent the entry before; between the two some may have been lost */
        return dx_feed_entry_at(f, index - 1)->sequence + 1;
    if (is_at_tail)
        return f->next_sequence;
    const dx_feed_entry *entry = dx_feed_entry_at(f, index);
    return entry->sequence + entry->is_note;
}

/* What is still to be sent of the message at the position. */
static dx_bytes rest_of(const dx_feed *f, const dx_subscriber *sub)
{
    if (!sub->is_partial)
        return (dx_bytes){0};
    const dx_feed_block *block = dx_feed_block_of(f, sub->position); /* a message is in one block */
    const dx_feed_entry *entry = dx_feed_entry_at(f, dx_feed_entry_of(f, sub->position));
    return dx_bytes_at(block->bytes + (sub->position - block->begin),
                       (size_t)(entry->end - sub->position));
}

void dx_feed_fall(dx_feed *f, dx_subscriber *sub, bool is_slow)
{
    dx_assert(sub->state == DX_SUBSCRIBER_LIVE && !sub->is_in_flight);
    dx_bytes rest = rest_of(f, sub);
    uint64_t next = is_slow && DX_MUTANT("slow_skips") ? f->next_sequence : next_of(f, sub);
    bool is_frozen = sub->is_frozen, is_ending = sub->is_ending;

    f->behind_count -= sub->position < f->tail;
    f->live_count--;
    dx_list_remove(&sub->link);
    sub->next = next;
    sub->is_partial = sub->is_falling = sub->is_frozen = sub->is_ending = false;
    if (is_slow && !is_frozen && sub->on_slow == DX_ON_SLOW_DISCONNECT) {
        sub->state = DX_SUBSCRIBER_STOPPED;
        f->encoding->too_slow(sub, rest);
        return;
    }
    sub->state = DX_SUBSCRIBER_CATCHING;
    sub->is_skipping = is_slow && sub->on_slow == DX_ON_SLOW_LATEST;
    dx_list_append(&f->catching, &sub->link);
    f->encoding->fell_behind(sub, rest);
    if (sub->state != DX_SUBSCRIBER_CATCHING)
        return;
    if (is_ending)
        dx_feed_end_soon(f, sub);
    else if (is_frozen) /* its connection is closing, and too slow for what it was still to get */
        dx_subscriber_detach(sub);
}

/* Not because they are slow: whatever they asked for, the log has what the feed has not. */
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
            dx_feed_fall(f, sub, false);
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

/* Where the window is to begin. Blocks may go that all have been offered and that are not in flight. */
static uint64_t window_begin(const dx_feed *f)
{
    uint64_t head = f->head, end = dx_min_u64(f->offered, settled_end(f));

    for (const dx_feed_block *b = f->first;
         b->next && b->begin + b->size <= end && f->tail - head > f->window_bytes; b = b->next)
        head = b->begin + b->size;
    return head;
}

/* The window is full: drops the oldest blocks. Who still needs them falls behind. */
static void evict(dx_feed *f)
{
    if (f->tail - f->head <= f->window_bytes)
        return;
    uint64_t head = window_begin(f);
    if (head == f->head)
        return;
    for (dx_list *l = f->live.next, *next; l != &f->live; l = next) {
        next = l->next;
        dx_subscriber *sub = DX_CONTAINER(l, dx_subscriber, link);
        if (l != &f->cursor && sub->position < head)
            dx_feed_fall(f, sub, true);
    }
    if (f->first) /* else they were the last who needed any */
        dx_feed_drop_before(f, head);
}

/* ---- appending -------------------------------------------------------------------------------- */

static bool feed_write(dx_feed *f, const dx_message *message)
{
    size_t bound = f->encoding->bound(f, message);
    dx_feed_block *block = dx_feed_reserve(f, bound);

    if (block == NULL)
        return false;
    size_t size = f->encoding->write(f, message, block->bytes + block->size);
    dx_assert(size <= bound);
    dx_feed_commit(f, size,
                   (dx_feed_entry){.sequence = message->sequence, .origin = message->origin});
    return true;
}

static void flush_soon(dx_feed *f)
{
    f->behind_count = f->live_count;
    dx_task_queue(f->loop, &f->flush);
}

/* What was between was lost on the way (the worker was too slow): who is live reads the log instead,
 * which tells what is left of it. */
static void skip_to(dx_feed *f, uint64_t sequence)
{
    all_fall_behind(f);
    dx_feed_release(f);
    f->next_sequence = f->whole_from = sequence;
}

static void become_live(dx_feed *f, dx_subscriber *sub, uint64_t position)
{
    sub->state = DX_SUBSCRIBER_LIVE;
    sub->position = position;
    dx_list_remove(&sub->link);
    dx_list_append(&f->live, &sub->link);
    f->live_count++;
    if (position < f->tail) {
        f->behind_count++;
        dx_task_queue(f->loop, &f->flush);
    }
    f->encoding->live(sub);
    if (sub->state == DX_SUBSCRIBER_LIVE)
        dx_feed_check_end(f, sub);
}

/* Who has read the log further than the feed had come joins as soon as it gets there. If the feed has
 * jumped over that place, it is to read on. */
static void join_waiting(dx_feed *f)
{
    for (dx_list *l = f->catching.next, *next; f->waiting_count > 0 && l != &f->catching;
         l = next) {
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

static void note_arrival(dx_feed *f, const dx_message *message)
{
    if (f->is_flush_due)
        return;
    f->is_flush_due = true;
    f->arrived_us = message->arrived_us;
    if (f->arrived_us == 0)
        f->arrived_us = (uint32_t)(dx_loop_now_ns(f->loop) / 1000);
}

static void feed_append(dx_feed *f, const dx_message *message)
{
    if (message->sequence > f->next_sequence)
        skip_to(f, message->sequence);
    bool is_wanted = f->live_count > 0;
    bool is_in = is_wanted && (DX_MUTANT_ONE_IN("drop_send", 100000) || feed_write(f, message));

    if (is_in && DX_MUTANT_ONE_IN("send_twice", 20000))
        feed_write(f, message);

    if (is_in) {
        note_arrival(f, message);
        flush_soon(f);
    } else if (is_wanted) {
        all_fall_behind(f);
        dx_feed_release(f);
    }
    f->next_sequence = message->sequence + 1;
    if (!is_in)
        f->whole_from = f->next_sequence;
}

void dx_feed_append(dx_feed *f, const dx_message *message)
{
    if (message->sequence < f->next_sequence)
        return; /* it was there before the feed began */
    feed_append(f, message);
    join_waiting(f);
}

void dx_feed_note(dx_feed *f, dx_bytes text)
{
    if (f->live_count == 0 || f->encoding->note_bound == NULL || f->end != DX_STREAM_END_NONE)
        return;
    size_t bound = f->encoding->note_bound(f, text);
    dx_feed_block *block = bound > 0 ? dx_feed_reserve(f, bound) : NULL;
    if (block == NULL)
        return;
    size_t size = f->encoding->note_write(f, text, block->bytes + block->size);
    dx_assert(size <= bound);
    dx_feed_commit(f, size, (dx_feed_entry){.sequence = f->next_sequence - 1, .is_note = true});
    flush_soon(f);
}

bool dx_feed_join(dx_feed *f, dx_subscriber *sub)
{
    uint32_t index;

    dx_assert(sub->state == DX_SUBSCRIBER_CATCHING);
    if (sub->next == f->next_sequence || DX_MUTANT("live_after_history_was_read")) {
        become_live(f, sub, f->tail);
        return true;
    }
    if (sub->next < f->whole_from || !dx_feed_entry_find(f, sub->next, &index))
        return false;
    become_live(f, sub, dx_feed_entry_begin(f, index));
    return true;
}

/* ---- flushing --------------------------------------------------------------------------------- */

/* Wakes the live ones in turn, so many a turn that others are not kept waiting. The cursor is a link
 * in the list, so that subscribers may leave meanwhile. */
static void flush_live(dx_feed *f)
{
    uint32_t served = 0;

    if (dx_list_is_empty(&f->cursor)) {
        f->offering = f->tail;
        f->flushed_us = f->is_flush_due ? f->arrived_us : f->flushed_us;
        f->is_flush_due = false;
        dx_list_insert_before(f->live.next, &f->cursor);
    }
    while (f->cursor.next != &f->live && served++ < DX_FEED_FLUSH_COUNT_MAX) {
        dx_list *next = f->cursor.next;
        dx_subscriber *sub = DX_CONTAINER(next, dx_subscriber, link);
        dx_list_remove(&f->cursor);
        dx_list_insert_before(next->next, &f->cursor);
        if (served % CLOCK_EVERY == 1 && f->topic)
            f->topic->hub->clock_us = (uint32_t)(dx_clock_ns() / 1000);
        if (sub->position < f->tail && !sub->is_in_flight)
            f->encoding->wake(sub);
    }
    if (f->cursor.next != &f->live) {
        dx_task_queue(f->loop, &f->flush);
    } else {
        dx_list_remove(&f->cursor);
        f->offered = f->offering;
        if (f->offered <
            f->tail) /* appended meanwhile: those whose turn was over are to get it, too */
            dx_task_queue(f->loop, &f->flush);
        evict(f);
    }
    dx_feed_release(f);
}

static void feed_on_flush(dx_task *task)
{
    dx_feed *f = DX_CONTAINER(task, dx_feed, flush);
    dx_topic *topic = f->topic;

    if (topic) /* who is told of something may leave, and take the feed along */
        dx_topic_hold(topic);
    if (!dx_feed_tell_ended(f))
        dx_task_queue(f->loop, &f->flush);
    if (f->behind_count > 0 || f->offered < f->tail || !dx_list_is_empty(&f->cursor))
        flush_live(f);
    if (topic)
        dx_topic_release(topic);
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
    f->next_sequence = f->whole_from = next_sequence;
    dx_list_init(&f->link);
    dx_list_init(&f->live);
    dx_list_init(&f->catching);
    dx_list_init(&f->ending);
    dx_list_init(&f->cursor);
    dx_task_init(&f->flush, feed_on_flush);
    return f;
}

void dx_feed_free(dx_feed *f)
{
    if (f == NULL)
        return;
    dx_assert(f->live_count == 0 && dx_list_is_empty(&f->catching) && f->in_flight_count == 0);
    dx_assert(dx_list_is_empty(&f->ending));
    dx_task_clear(&f->flush);
    dx_feed_drop_all(f);
    free(f->entries);
    free(f);
}
