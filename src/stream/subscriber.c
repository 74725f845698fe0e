/* Subscribers: from the log to the feed, and back when they fall behind.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "stream/feed_chain.h"
#include "stream/hub_home.h"

#include <stdlib.h>

/* One per connection that is subscribed and idle. */
_Static_assert(sizeof(dx_subscriber) <= 56, "a subscriber grows");

enum { PAGE_COUNT = 256, PAGE_BYTES = 65536 };

static dx_feed *feed_of(dx_topic *t, const dx_encoding *encoding, uint32_t variant)
{
    for (dx_list *l = t->feeds.next; l != &t->feeds; l = l->next) {
        dx_feed *f = DX_CONTAINER(l, dx_feed, link);
        if (f->encoding == encoding && f->variant == variant)
            return f;
    }
    dx_feed *f = dx_feed_new(t->hub->loop, encoding, variant, t->next_sequence);
    if (f) {
        f->topic = t;
        f->encoder = t->hub->encoder;
        f->end = t->end;
        dx_list_append(&t->feeds, &f->link);
    }
    return f;
}

dx_err dx_subscriber_start(dx_subscriber *sub, dx_topic *topic, const dx_subscription *wish)
{
    dx_feed *f = feed_of(topic, wish->encoding, wish->variant);

    if (f == NULL)
        return DX_ERR_MEMORY;
    *sub = (dx_subscriber){.feed = f,
                           .next = wish->next,
                           .origin = wish->origin,
                           .on_slow = (uint8_t)wish->on_slow,
                           .state = DX_SUBSCRIBER_CATCHING};
    dx_list_init(&sub->link);
    dx_list_append(&f->catching, &sub->link);
    if (f->end == DX_STREAM_END_DELETED)
        dx_feed_end_soon(f, sub);
    else
        dx_subscriber_continue(sub);
    return DX_OK;
}

/* ---- pages ------------------------------------------------------------------------------------ */

/* It goes on with the message `next`, whatever is between. False: it has been stopped. */
static bool jump(dx_subscriber *sub, uint64_t next, uint64_t epoch)
{
    const dx_gap gap = {.requested = {epoch, sub->next - 1},
                        .earliest = {epoch, next - 1},
                        .lost = next - sub->next};

    sub->next = next;
    return sub->feed->encoding->gap(sub, &gap) && sub->state == DX_SUBSCRIBER_CATCHING;
}

static size_t drop_own(const dx_subscriber *sub, dx_message **messages, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (sub->origin && messages[i]->origin == sub->origin)
            dx_message_unref(messages[i]);
        else
            messages[kept++] = messages[i];
    return kept;
}

/* A page came: to the subscriber, without its own messages, and then on. */
static void give_page(dx_subscriber *sub, dx_read *r)
{
    uint64_t first = r->count > 0 ? r->messages[0]->sequence : r->info.tail.sequence + 1;

    if (first > sub->next && !jump(sub, first, r->info.start.epoch))
        return;
    sub->next = first + r->count;
    if (r->count == 0 && sub->feed->end != DX_STREAM_END_NONE) {
        dx_feed_end_soon(sub->feed, sub);
        return;
    }
    if (r->count == 0) {
        dx_subscriber_continue(sub);
        return;
    }
    r->count = drop_own(sub, r->messages, r->count);
    /* It continues when they are sent: what is live must not get in front of them, and a long row of its
     * own messages must not become a deep stack. */
    sub->feed->encoding->page(sub, r->messages, r->count);
}

static void fail(dx_subscriber *sub)
{
    dx_subscriber_detach(sub);
    sub->feed->encoding->failed(sub);
}

/* The stream is gone, and what is at its path now, if anything, is another: the topic hears of it, too,
 * but perhaps later. */
static bool is_other_life(const dx_read *r)
{
    return r->status == DX_STREAM_NOT_FOUND || r->status == DX_STREAM_DELETED ||
           (r->status == DX_STREAM_GONE && r->lost == 0);
}

static void on_page(dx_read *r)
{
    dx_subscriber *sub = r->owner;

    if (sub) {
        sub->reading = NULL;
        if (is_other_life(r))
            dx_topic_on_end(sub->feed->topic, DX_STREAM_END_DELETED);
        else if (r->status == DX_STREAM_OK || r->status == DX_STREAM_GONE)
            give_page(sub, r);
        else
            fail(sub);
    }
    dx_read_release(r);
    free(r);
}

/* Too slow, and it asked for the latest then: by now that may be another than when it fell. */
static bool skip_to_latest(dx_subscriber *sub)
{
    const dx_feed *f = sub->feed;

    if (!sub->is_skipping || sub->next + 1 >= f->next_sequence)
        return true;
    return jump(sub, f->next_sequence - 1, f->topic->epoch);
}

static void read_page(dx_subscriber *sub)
{
    dx_topic *t = sub->feed->topic;
    dx_read *r = calloc(1, sizeof *r);

    if (r == NULL) {
        fail(sub);
        return;
    }
    *r = (dx_read){.ns = t->ns,
                   .path = t->node.key,
                   .position = {DX_OFFSET_AT, {t->epoch, sub->next - 1}},
                   .identity = t->identity,
                   .count_max = PAGE_COUNT,
                   .bytes_max = PAGE_BYTES,
                   .done = on_page,
                   .owner = sub};
    sub->reading = r;
    dx_hub_read(t->hub, r);
}

void dx_subscriber_continue(dx_subscriber *sub)
{
    dx_feed *f = sub->feed;

    if (sub->state != DX_SUBSCRIBER_CATCHING || sub->reading || sub->is_waiting ||
        !skip_to_latest(sub) || dx_feed_join(f, sub))
        return;
    if (sub->next > f->next_sequence && f->end == DX_STREAM_END_NONE) {
        sub->is_waiting = true; /* what it needs next is on its way to this worker */
        f->waiting_count++;
        return;
    }
    read_page(sub);
}

/* ---- leaving ---------------------------------------------------------------------------------- */

void dx_subscriber_stop(dx_subscriber *sub)
{
    if (sub->state == DX_SUBSCRIBER_CATCHING && sub->reading) {
        sub->reading->owner = NULL;
        sub->reading = NULL;
    }
    dx_subscriber_detach(sub);
}

void dx_subscriber_freeze(dx_subscriber *sub)
{
    sub->is_frozen = true;
    sub->is_ending = false;
    if (sub->state == DX_SUBSCRIBER_CATCHING || sub->state == DX_SUBSCRIBER_ENDING)
        dx_subscriber_stop(sub);
}

void dx_subscriber_end(dx_subscriber *sub)
{
    dx_subscriber_stop(sub);
    if (sub->is_in_flight)
        dx_subscriber_pulled(sub, 0);
}
