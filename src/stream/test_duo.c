/* Two hubs in one thread: see test_duo.h.
 * SPDX-License-Identifier: MIT */
#include "stream/test_duo.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

duo *duo_new(void)
{
    duo *p = calloc(1, sizeof *p);

    if (p == NULL || dx_streams_new(2, NULL, &p->streams) != DX_OK)
        abort();
    p->ns = (dx_namespace){.prefix = "/live/",
                           .retention = {UINT32_MAX - 1, UINT64_MAX, UINT64_MAX},
                           .message_bytes_max = 65536};
    for (uint32_t i = 0; i < 2; i++) {
        p->hubs[i] = dx_streams_hub(p->streams, i);
        if (dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &p->loops[i]) != DX_OK ||
            dx_hub_begin(p->streams, i, p->loops[i]) != DX_OK)
            abort();
    }
    for (int i = 0;; i++) {
        snprintf(p->path, sizeof p->path, "/live/%d", i);
        if (dx_streams_home(p->streams, dx_bytes_of(p->path)) == 0)
            return p;
    }
}

void duo_free(duo *p)
{
    for (int i = 0; i < 2; i++)
        dx_hub_end(p->hubs[i]);
    for (int i = 0; i < 2; i++)
        dx_loop_free(p->loops[i]);
    dx_streams_free(p->streams);
    free(p);
}

void duo_turn(duo *p)
{
    for (int i = 0; i < 6; i++)
        dx_loop_step(p->loops[i % 2], 0);
}

void duo_wait(duo *p, unsigned ms)
{
    uint64_t end_ms = dx_clock_ms() + ms;

    while (dx_clock_ms() < end_ms) {
        duo_turn(p);
        usleep(2000);
    }
    duo_turn(p);
}

void duo_settle(duo *p)
{
    for (int i = 0; i < 20; i++)
        duo_turn(p);
}

/* ---- operations ------------------------------------------------------------------------------------- */

typedef struct appending {
    dx_append op;
    bool is_done;
} appending;

static void on_appended(dx_append *op)
{
    DX_CONTAINER(op, appending, op)->is_done = true;
}

static dx_stream_status append(duo *p, uint32_t from, dx_append op)
{
    appending a = {.op = op};

    a.op.ns = &p->ns;
    a.op.path = dx_bytes_of(p->path);
    a.op.kind = DX_STREAM_BINARY;
    a.op.done = on_appended;
    dx_hub_append(p->hubs[from], &a.op);
    for (int i = 0; i < 10 && !a.is_done; i++)
        duo_turn(p);
    if (!a.is_done)
        abort();
    return a.op.status;
}

dx_stream_status duo_append(duo *p, uint32_t from, const char *text)
{
    dx_message *message = dx_message_new(dx_bytes_of(text), 0);

    if (message == NULL)
        abort();
    return append(p, from, (dx_append){.messages = &message, .count = 1});
}

dx_stream_status duo_close(duo *p, uint32_t from)
{
    dx_append_rules rules = {.is_closing = true};
    return append(p, from, (dx_append){.rules = &rules});
}

typedef struct deletion {
    dx_delete op;
    bool is_done;
} deletion;

static void on_deleted(dx_delete *op)
{
    DX_CONTAINER(op, deletion, op)->is_done = true;
}

dx_stream_status duo_delete(duo *p, uint32_t from)
{
    deletion d = {.op = {.ns = &p->ns, .path = dx_bytes_of(p->path), .done = on_deleted}};

    dx_hub_delete(p->hubs[from], &d.op);
    for (int i = 0; i < 10 && !d.is_done; i++)
        duo_turn(p);
    if (!d.is_done)
        abort();
    return d.op.status;
}

/* ---- the wire: a sequence in 8 bytes, or 0 and a note --------------------------------------------- */

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

static size_t wire_note_bound(const dx_feed *feed, dx_bytes text)
{
    return feed->variant == LISTEN_NOTES ? 16 + text.size : 0;
}

static size_t wire_note_write(const dx_feed *feed, dx_bytes text, uint8_t *to)
{
    uint64_t head[2] = {0, text.size};

    (void)feed;
    memcpy(to, head, 16);
    memcpy(to + 16, text.at, text.size);
    return 16 + text.size;
}

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

static void take_note(listener *l, dx_bytes text)
{
    l->notes_count++;
    dx_buffer_clear(&l->note);
    if (!dx_buffer_append(&l->note, text))
        abort();
}

static void take_all(listener *l, dx_bytes wire)
{
    uint64_t head[2];

    while (wire.size >= 8) {
        memcpy(head, wire.at, 8);
        if (head[0] != 0) {
            take(l, head[0]);
            dx_bytes_skip(&wire, 8);
            continue;
        }
        memcpy(head, wire.at, 16);
        take_note(l, dx_bytes_at(wire.at + 16, (size_t)head[1]));
        dx_bytes_skip(&wire, 16 + (size_t)head[1]);
    }
    l->is_broken |= wire.size > 0;
}

/* A piece of the feed may end within a message, so it is put together first. */
static void on_wake(dx_subscriber *sub)
{
    listener *l = listener_of(sub);
    struct iovec iov[64];
    dx_buffer all = {0};
    uint32_t count = l->is_stalled ? 0 : dx_subscriber_pull(sub, iov, 64);

    for (uint32_t i = 0; i < count; i++)
        if (!dx_buffer_append(&all, dx_bytes_at(iov[i].iov_base, iov[i].iov_len)))
            abort();
    take_all(l, dx_buffer_view(&all));
    if (count > 0)
        dx_subscriber_pulled(sub, all.size);
    dx_buffer_clear(&all);
}

static void on_live(dx_subscriber *sub)
{
    listener_of(sub)->lives++;
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
    listener_of(sub)->expected = gap->earliest.sequence + 1;
    return true;
}

static void on_too_slow(dx_subscriber *sub, dx_bytes rest)
{
    (void)rest;
    listener_of(sub)->is_broken = true; /* nobody asked for it */
}

static void on_failed(dx_subscriber *sub)
{
    listener_of(sub)->fails++;
}

static void on_ended(dx_subscriber *sub, dx_stream_end why)
{
    listener_of(sub)->ends++;
    listener_of(sub)->why = why;
}

static const dx_encoding wire = {.bound = wire_bound,
                                 .write = wire_write,
                                 .wake = on_wake,
                                 .live = on_live,
                                 .fell_behind = on_fell_behind,
                                 .page = on_page,
                                 .gap = on_gap,
                                 .too_slow = on_too_slow,
                                 .failed = on_failed,
                                 .ended = on_ended,
                                 .note_bound = wire_note_bound,
                                 .note_write = wire_note_write};

/* ---- listeners ---------------------------------------------------------------------------------------- */

static void on_ready(dx_watch *watch, dx_stream_status status)
{
    listener *l = DX_CONTAINER(watch, listener, watch);

    l->is_ready = true;
    l->status = status;
    if (status == DX_STREAM_OK)
        l->topic = watch->topic;
    else
        dx_watch_end(watch);
}

bool listener_watch(listener *l, duo *p, uint32_t on)
{
    *l = (listener){.watch.ready = on_ready};
    return dx_hub_watch(p->hubs[on], &p->ns, dx_bytes_of(p->path), &l->watch) == DX_OK;
}

dx_err listener_start(listener *l, uint32_t variant, uint64_t next)
{
    l->expected = next;
    return dx_subscriber_start(
        &l->sub, l->topic, &(dx_subscription){.encoding = &wire, .variant = variant, .next = next});
}

void listener_continue(listener *l)
{
    if (!l->is_room_due)
        return;
    l->is_room_due = false;
    dx_subscriber_continue(&l->sub);
}

void listener_end(listener *l)
{
    if (l->sub.feed)
        dx_subscriber_end(&l->sub);
    l->sub.feed = NULL;
    if (l->topic)
        dx_topic_release(l->topic);
    else if (l->watch.topic)
        dx_watch_end(&l->watch);
    l->topic = NULL;
    l->watch.topic = NULL;
    dx_buffer_clear(&l->note);
}
