/* Subscribers: from the log to the feed, and back when they fall behind.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "stream/hub_home.h"

#include <stdlib.h>

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
        dx_list_append(&t->feeds, &f->link);
    }
    return f;
}

dx_err dx_subscriber_start(dx_subscriber *sub, dx_topic *topic, const dx_encoding *encoding,
                           uint32_t variant, uint64_t next, uint64_t origin)
{
    dx_feed *f = feed_of(topic, encoding, variant);

    if (f == NULL)
        return DX_ERR_MEMORY;
    *sub = (dx_subscriber){.feed = f, .next = next, .origin = origin, .state = DX_SUBSCRIBER_CATCHING};
    dx_list_init(&sub->link);
    dx_list_append(&f->catching, &sub->link);
    dx_subscriber_continue(sub);
    return DX_OK;
}

/* A page came: to the subscriber, without its own messages, and then on. */
static void give_page(dx_subscriber *sub, dx_read *r)
{
    const dx_encoding *encoding = sub->feed->encoding;
    uint64_t first = r->count > 0 ? r->messages[0]->sequence : r->info.tail + 1;

    if (first > sub->next && !encoding->gap(sub, first - sub->next))
        return;
    if (sub->state != DX_SUBSCRIBER_CATCHING)
        return;
    sub->next = first + r->count;
    if (r->count == 0) {
        dx_subscriber_continue(sub);
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        dx_message *message = r->messages[i];
        if (sub->origin && message->origin == sub->origin)
            dx_message_unref(message);
        else
            r->messages[kept++] = message;
    }
    r->count = kept;
    /* It continues when they are sent: what is live must not get in front of them, and a long row of its
     * own messages must not become a deep stack. */
    encoding->page(sub, r->messages, kept);
}

static void on_page(dx_read *r)
{
    dx_subscriber *sub = r->owner;

    if (sub) {
        sub->reading = NULL;
        if (r->status == DX_STREAM_OK || r->status == DX_STREAM_GONE)
            give_page(sub, r);
        else
            sub->feed->encoding->gap(sub, 0);
    }
    dx_read_release(r);
    free(r);
}

void dx_subscriber_continue(dx_subscriber *sub)
{
    dx_feed *f = sub->feed;

    if (sub->state != DX_SUBSCRIBER_CATCHING || sub->reading || sub->is_waiting ||
        dx_feed_join(f, sub))
        return;
    if (sub->next > f->next_sequence) {
        sub->is_waiting = true; /* what it needs next is on its way to this worker */
        f->waiting_count++;
        return;
    }
    dx_read *r = calloc(1, sizeof *r);
    if (r == NULL) {
        f->encoding->gap(sub, 0);
        return;
    }
    *r = (dx_read){.ns = f->topic->ns,
                   .path = f->topic->node.key,
                   .position = {DX_OFFSET_AT, {f->topic->epoch, sub->next - 1}},
                   .count_max = PAGE_COUNT,
                   .bytes_max = PAGE_BYTES,
                   .done = on_page,
                   .owner = sub};
    sub->reading = r;
    dx_hub_read(f->topic->hub, r);
}

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
    if (sub->state == DX_SUBSCRIBER_CATCHING)
        dx_subscriber_stop(sub);
}

void dx_subscriber_end(dx_subscriber *sub)
{
    dx_subscriber_stop(sub);
    if (sub->is_in_flight)
        dx_subscriber_pulled(sub, 0);
}
