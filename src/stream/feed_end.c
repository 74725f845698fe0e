/* The end of a stream, told to each subscriber of a feed when it is its turn.
 * SPDX-License-Identifier: MIT */
#include "stream/feed_chain.h"
#include "stream/hub.h"

void dx_feed_end_soon(dx_feed *f, dx_subscriber *sub)
{
    dx_assert(!sub->is_in_flight && !sub->is_partial);
    if (sub->state == DX_SUBSCRIBER_LIVE) {
        f->live_count--;
        f->behind_count -= sub->position < f->tail;
    } else if (sub->reading) {
        sub->reading->owner = NULL;
        sub->reading = NULL;
    }
    f->waiting_count -= sub->is_waiting;
    sub->is_waiting = false;
    sub->state = DX_SUBSCRIBER_ENDING;
    dx_list_remove(&sub->link);
    dx_list_append(&f->ending, &sub->link);
    dx_task_queue(f->loop, &f->flush);
}

/* Of a stream that is gone nothing more is sent but the rest of a message. */
static void check_deleted(dx_feed *f, dx_subscriber *sub)
{
    if (sub->is_frozen && !sub->is_ending)
        return; /* its connection is closing for another reason */
    if (sub->is_partial || sub->is_in_flight)
        sub->is_frozen = sub->is_ending = true;
    else
        dx_feed_end_soon(f, sub);
}

void dx_feed_check_end(dx_feed *f, dx_subscriber *sub)
{
    switch (f->end) {
    case DX_STREAM_END_NONE: return;
    case DX_STREAM_END_CLOSED:
        if (sub->position == f->tail && !sub->is_frozen)
            dx_feed_end_soon(f, sub);
        return;
    case DX_STREAM_END_DELETED: check_deleted(f, sub); return;
    }
    dx_unreachable("dx_stream_end outside its enum");
}

static void end_catching(dx_feed *f, dx_subscriber *sub)
{
    if (f->end == DX_STREAM_END_DELETED) {
        dx_feed_end_soon(f, sub);
    } else if (sub->is_waiting) { /* what it waits for will not come; the log may have it */
        sub->is_waiting = false;
        f->waiting_count--;
        f->encoding->fell_behind(sub, (dx_bytes){0});
    }
}

void dx_feed_end(dx_feed *f, dx_stream_end end)
{
    dx_assert(end > f->end);
    f->end = end;
    for (dx_list *l = f->live.next, *next; l != &f->live; l = next) {
        next = l->next;
        if (l != &f->cursor)
            dx_feed_check_end(f, DX_CONTAINER(l, dx_subscriber, link));
    }
    for (dx_list *l = f->catching.next, *next; l != &f->catching; l = next) {
        next = l->next;
        end_catching(f, DX_CONTAINER(l, dx_subscriber, link));
    }
    dx_feed_release(f);
}

bool dx_feed_tell_ended(dx_feed *f)
{
    for (uint32_t told = 0; told < DX_FEED_FLUSH_COUNT_MAX; told++) {
        dx_list *first = dx_list_take_first(&f->ending);
        if (first == NULL)
            return true;
        dx_subscriber *sub = DX_CONTAINER(first, dx_subscriber, link);
        sub->state = DX_SUBSCRIBER_STOPPED;
        if (f->encoding->ended)
            f->encoding->ended(sub, f->end);
    }
    return dx_list_is_empty(&f->ending);
}
