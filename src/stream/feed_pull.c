/* What a subscriber sends of its feed: from its position to the feed's end, without its own messages.
 * SPDX-License-Identifier: MIT */
#include "stream/feed_chain.h"
#include "stream/hub_home.h"

/* Leaves out one's own messages at `position`. */
static uint64_t skip_own(const dx_feed *f, const dx_subscriber *sub, uint64_t position)
{
    while (sub->origin && position < f->tail) {
        const dx_feed_entry *entry = dx_feed_entry_at(f, dx_feed_entry_of(f, position));
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
    for (uint32_t i = dx_feed_entry_of(f, position); i < f->entries_count; i++)
        if (dx_feed_entry_at(f, i)->origin == sub->origin)
            return dx_feed_entry_begin(f, i);
    return f->tail;
}

/* Fills `iov` with the bytes from `begin` to `end`. Returns the entries used. */
static uint32_t gather(const dx_feed *f, uint64_t begin, uint64_t end, struct iovec *iov,
                       uint32_t max)
{
    uint32_t count = 0;

    for (dx_feed_block *b = begin < end ? dx_feed_block_of(f, begin) : NULL;
         b && begin < end && count < max; b = b->next) {
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
    dx_feed_check_end(f, sub);
    dx_feed_release(f);
}

uint32_t dx_subscriber_pull(dx_subscriber *sub, struct iovec *iov, uint32_t max)
{
    const dx_feed *f = sub->feed;
    uint32_t count = 0;

    if (sub->state != DX_SUBSCRIBER_LIVE || sub->position == f->tail)
        return 0;
    uint64_t position = sub->position, stop = f->tail;
    if (sub->is_frozen)
        stop = sub->is_partial ? dx_feed_entry_at(f, dx_feed_entry_of(f, position))->end : position;
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
            uint64_t end = dx_feed_entry_at(f, dx_feed_entry_of(f, position))->end;
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
        position < f->tail && position != dx_feed_entry_begin(f, dx_feed_entry_of(f, position));
}

/* Somebody has all there is. The time is that of the turn, or of the flush under way. */
static void measure(dx_feed *f)
{
    if (f->topic == NULL)
        return;
    dx_hub *hub = f->topic->hub;
    uint32_t now_us = (uint32_t)(dx_loop_now_ns(f->loop) / 1000);
    if ((int32_t)(hub->clock_us - now_us) > 0)
        now_us = hub->clock_us;
    int32_t spent_us = (int32_t)(now_us - f->flushed_us);
    dx_histogram_add(&hub->latency, spent_us > 0 ? (uint64_t)spent_us : 0, 1);
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
        if (sub->position == f->tail) {
            f->behind_count--;
            measure(f);
        }
    }
    if (sub->state == DX_SUBSCRIBER_LIVE && sub->is_falling) {
        sub->is_falling =
            sub->position != before; /* else it stands where it stood, before any hole */
        dx_feed_fall(f, sub, false);
    } else if (sub->state == DX_SUBSCRIBER_LIVE) {
        dx_feed_check_end(f, sub);
    }
    dx_feed_release(f);
    return sub->is_partial;
}

bool dx_subscriber_is_behind(const dx_subscriber *sub)
{
    return sub->state == DX_SUBSCRIBER_LIVE && sub->position < sub->feed->tail &&
           (sub->is_partial || !sub->is_frozen);
}

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
    dx_feed_release(f);
}
