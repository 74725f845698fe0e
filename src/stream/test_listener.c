/* A subscriber for tests of homes.
 * SPDX-License-Identifier: MIT */
#include "stream/test_listener.h"

#include <string.h>

static listener *listener_of(dx_subscriber *sub)
{
    return DX_CONTAINER(sub, listener, sub);
}

static void take(listener *l, uint64_t sequence)
{
    l->is_broken |= sequence != l->expected;
    l->expected = sequence + 1;
    l->received++;
}

static size_t wire_bound(const dx_feed *feed, const dx_message *message)
{
    (void)feed, (void)message;
    return 8;
}

static size_t wire_write(const dx_feed *feed, const dx_message *message, uint8_t *to)
{
    (void)feed;
    memcpy(to, &message->sequence, 8);
    return 8;
}

static void on_wake(dx_subscriber *sub)
{
    struct iovec iov[64];
    size_t bytes = 0;
    uint32_t count = dx_subscriber_pull(sub, iov, 64);

    for (uint32_t i = 0; i < count; i++)
        for (size_t k = 0; k < iov[i].iov_len; k += 8, bytes += 8) {
            uint64_t sequence;
            memcpy(&sequence, (const uint8_t *)iov[i].iov_base + k, 8);
            take(listener_of(sub), sequence);
        }
    if (count > 0)
        dx_subscriber_pulled(sub, bytes);
}

static void on_live(dx_subscriber *sub)
{
    (void)sub;
}

static void on_fell_behind(dx_subscriber *sub, dx_bytes rest)
{
    listener_of(sub)->is_broken |= rest.size > 0;
    listener_of(sub)->is_room_due = true;
}

static void on_page(dx_subscriber *sub, dx_message *const *messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        take(listener_of(sub), messages[i]->sequence);
    listener_of(sub)->is_room_due = true;
}

static bool on_gap(dx_subscriber *sub, const dx_gap *gap)
{
    listener *l = listener_of(sub);

    l->lost += gap->lost;
    l->expected += gap->lost;
    return true;
}

static void on_failed(dx_subscriber *sub)
{
    listener_of(sub)->status = DX_STREAM_MEMORY; /* it cannot be read now */
    dx_subscriber_stop(sub);
}

static void on_too_slow(dx_subscriber *sub, dx_bytes rest)
{
    (void)rest;
    listener_of(sub)->is_broken = true; /* nobody asked for it */
}

static void on_ended(dx_subscriber *sub, dx_stream_end why)
{
    listener_of(sub)->end = why;
}

static const dx_encoding wire = {.bound = wire_bound,
                                 .write = wire_write,
                                 .wake = on_wake,
                                 .live = on_live,
                                 .fell_behind = on_fell_behind,
                                 .page = on_page,
                                 .gap = on_gap,
                                 .failed = on_failed,
                                 .too_slow = on_too_slow,
                                 .ended = on_ended};

static void on_ready(dx_watch *watch, dx_stream_status status)
{
    listener *l = DX_CONTAINER(watch, listener, watch);

    l->is_ready = true;
    l->status = status;
    if (status != DX_STREAM_OK) {
        dx_watch_end(watch);
        return;
    }
    l->topic = watch->topic;
    l->expected = 1;
    dx_subscription all = {.encoding = &wire, .next = 1};
    if (dx_subscriber_start(&l->sub, l->topic, &all) != DX_OK)
        l->status = DX_STREAM_MEMORY;
}

void listener_begin(pair *p, uint32_t on, listener *l)
{
    *l = (listener){.watch.ready = on_ready};
    if (dx_hub_watch(p->hubs[on], &p->ns, dx_bytes_of(p->path), &l->watch) != DX_OK)
        l->status = DX_STREAM_MEMORY;
}

void listener_turn(pair *p, listener *l)
{
    for (int i = 0; i < 200; i++) {
        pair_turn(p);
        if (l->is_room_due) {
            l->is_room_due = false;
            dx_subscriber_continue(&l->sub);
        }
    }
}

void listener_end(listener *l)
{
    if (l->topic == NULL)
        return;
    if (l->sub.feed)
        dx_subscriber_end(&l->sub);
    dx_topic_release(l->topic);
}
