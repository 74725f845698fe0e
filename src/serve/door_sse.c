/* The SSE door of a stream: a subscriber from when its response has begun.
 * Is:     what it is sent while it catches up, is live, falls behind; signs of life; the end of the response:
 *         with the stream, after about a minute for Durable Streams clients, with the server.
 * Is not: where it begins (door_sse_open.c), the bytes of events (door_sse_events.c).
 * SPDX-License-Identifier: MIT */
#include "serve/door_sse.h"

#include "base/assert.h"
#include "serve/access_who.h"

#include <stdlib.h>

/* The door's hold on what it may. */
struct dx_sse_lease {
    dx_lease lease;
    dx_sse_door *door;
};

/* ---- the end ----------------------------------------------------------------------------------- */

static void quiet(dx_sse_door *d)
{
    dx_timer_clear(&d->timer);
    dx_task_clear(&d->finish);
    dx_waiter_end(&d->waiter);
    dx_sse_door_forget_reading(d);
    if (d->lease)
        dx_lease_drop(&d->lease->lease);
}

void dx_sse_door_free(dx_sse_door *d)
{
    quiet(d);
    if (d->sub.feed)
        dx_subscriber_end(&d->sub);
    if (d->watch.topic)
        dx_watch_end(&d->watch);
    free(d->lease);
    d->worker->counts.sse_count--;
    free(d);
}

/* Before the response has begun it is told by status; later the client asks again, and is told then. */
static void on_lease_ended(dx_lease *lease, dx_principal *who, dx_lease_end why)
{
    dx_sse_door *d = DX_CONTAINER(lease, struct dx_sse_lease, lease)->door;
    const dx_server *s = d->route->server;
    dx_exchange *x = d->x;

    (void)who;
    if (d->has_begun) {
        dx_sse_door_end_soon(d);
        return;
    }
    dx_sse_door_free(d);
    dx_exchange_on_gone(x, NULL, NULL);
    dx_exchange_on_hurry(x, NULL, NULL);
    dx_door_refuse_unknown(x, s, DX_ACTION_READ, dx_lease_end_text(why));
}

bool dx_sse_door_hold(dx_sse_door *d, dx_principal *who, uint64_t until_ms)
{
    d->lease = calloc(1, sizeof *d->lease);
    if (d->lease == NULL)
        return false;
    *d->lease = (struct dx_sse_lease){.lease.ended = on_lease_ended, .door = d};
    dx_lease_hold(&d->lease->lease, &dx_worker_of(d->x)->leases, who, until_ms);
    return true;
}

void dx_sse_door_end(dx_sse_door *d)
{
    if (d->is_over)
        return;
    d->is_over = true;
    dx_exchange_end(d->x);
}

void dx_sse_door_on_finish(dx_task *task)
{
    dx_sse_door_end(DX_CONTAINER(task, dx_sse_door, finish));
}

void dx_sse_door_end_soon(dx_sse_door *d)
{
    if (!d->is_over)
        dx_task_queue(dx_sse_door_loop(d), &d->finish);
}

/* ---- writing ----------------------------------------------------------------------------------- */

void dx_sse_note_init(dx_sse_note *n)
{
    dx_sse_writer_init(&n->w, n->memory, sizeof n->memory);
}

void dx_sse_door_put(dx_sse_door *d, const dx_sse_note *n)
{
    dx_assert(dx_sse_writer_is_whole(&n->w));
    dx_exchange_put(d->x, dx_bytes_at(n->memory, n->w.size));
}

void dx_sse_door_put_closed(dx_sse_door *d, dx_offset at)
{
    dx_sse_note n;

    dx_sse_note_init(&n);
    if (dx_sse_door_is_plain(d))
        dx_sse_write_closed(&n.w, at);
    else
        dx_sse_write_control(
            &n.w, &(dx_sse_control){.next = at, .is_up_to_date = true, .is_closed = true});
    dx_sse_door_put(d, &n);
}

static void put_gap(dx_sse_door *d, const dx_gap *gap)
{
    dx_sse_note n;

    dx_sse_note_init(&n);
    dx_sse_write_gap(&n.w, gap);
    dx_sse_door_put(d, &n);
    d->given = gap->earliest;
}

/* ---- what the feed calls ----------------------------------------------------------------------- */

static dx_sse_door *door_of(dx_subscriber *sub)
{
    return DX_CONTAINER(sub, dx_sse_door, sub);
}

static void on_wake(dx_subscriber *sub)
{
    dx_exchange_flush(door_of(sub)->x);
}

static void on_live(dx_subscriber *sub)
{
    (void)sub;
}

static void on_room(dx_exchange *x, void *context)
{
    dx_sse_door *d = context;

    (void)x;
    dx_subscriber_continue(&d->sub);
}

static void continue_with_room(dx_sse_door *d)
{
    if (!d->is_over)
        dx_exchange_want_room(d->x, on_room, d);
}

static void on_fell_behind(dx_subscriber *sub, dx_bytes rest)
{
    dx_sse_door *d = door_of(sub);

    dx_exchange_put_rest(d->x, rest);
    continue_with_room(d);
}

static void on_failed(dx_subscriber *sub)
{
    dx_sse_door_end_soon(door_of(sub)); /* the client asks again, and is told then */
}

static void on_page(dx_subscriber *sub, dx_message *const *messages, size_t count)
{
    dx_sse_door *d = door_of(sub);
    dx_sse_writer w;

    if (count > 0) {
        const dx_message *last = messages[count - 1];
        dx_sse_page page = {.messages = messages,
                            .count = count,
                            .variant = d->variant,
                            .cursor = dx_sse_cursor(d->variant),
                            .is_up_to_date = last->sequence + 1 >= dx_topic_next(d->watch.topic)};
        dx_sse_writer_init(&w, NULL, 0);
        dx_sse_write_page(&w, &page);
        size_t room = w.size;
        uint8_t *memory = malloc(room);
        if (memory == NULL) {
            on_failed(sub);
            return;
        }
        dx_sse_writer_init(&w, memory, room);
        dx_sse_write_page(&w, &page);
        dx_exchange_put(d->x, dx_bytes_at(memory, w.size));
        free(memory);
        d->given = (dx_offset){last->epoch, last->sequence};
    }
    continue_with_room(d);
}

/* An EventSource, and who asked for the latest only, is told and goes on. A Durable Streams client would
 * not understand: it comes back with the cursor it has, and is answered 410. */
static bool on_gap(dx_subscriber *sub, const dx_gap *gap)
{
    dx_sse_door *d = door_of(sub);

    if (dx_sse_door_is_plain(d) || d->on_slow == DX_ON_SLOW_LATEST) {
        put_gap(d, gap);
        return true;
    }
    dx_subscriber_stop(sub);
    dx_sse_door_end_soon(d);
    return false;
}

static void on_too_slow(dx_subscriber *sub, dx_bytes rest)
{
    dx_sse_door *d = door_of(sub);

    dx_exchange_put_rest(d->x, rest);
    dx_sse_door_end_soon(d);
}

static void on_ended(dx_subscriber *sub, dx_stream_end why)
{
    dx_sse_door *d = door_of(sub);
    dx_offset tail = dx_topic_tail(d->watch.topic);

    if (d->is_over)
        return;
    if (why == DX_STREAM_END_CLOSED)
        dx_sse_door_put_closed(d, d->given.sequence > tail.sequence ? d->given : tail);
    dx_sse_door_end_soon(d);
}

const dx_encoding dx_sse_encoding = {
    .bound = dx_sse_bound,
    .write = dx_sse_write,
    .wake = on_wake,
    .live = on_live,
    .fell_behind = on_fell_behind,
    .page = on_page,
    .gap = on_gap,
    .too_slow = on_too_slow,
    .failed = on_failed,
    .ended = on_ended,
};

/* ---- what the exchange calls ------------------------------------------------------------------- */

static uint32_t on_pull(void *context, struct iovec *iov, uint32_t max)
{
    dx_sse_door *d = context;
    return d->sub.feed ? dx_subscriber_pull(&d->sub, iov, max) : 0;
}

static bool on_pulled(void *context, size_t bytes)
{
    dx_sse_door *d = context;
    bool is_cut = dx_subscriber_pulled(&d->sub, bytes);

    if (dx_subscriber_is_behind(&d->sub))
        dx_exchange_wake(d->x);
    return is_cut;
}

static void on_ending(void *context)
{
    dx_sse_door *d = context;

    d->is_over = true;
    quiet(d);
    if (d->sub.feed)
        dx_subscriber_freeze(&d->sub);
}

static void on_freed(void *context)
{
    dx_sse_door_free(context);
}

const dx_exchange_source dx_sse_source = {
    .pull = on_pull, .pulled = on_pulled, .ending = on_ending, .freed = on_freed};

/* ---- time -------------------------------------------------------------------------------------- */

void dx_sse_door_set_timer(dx_sse_door *d)
{
    uint64_t now_ms = dx_loop_now_ms(dx_sse_door_loop(d)), delay_ms = d->route->live.comment_ms;

    if (d->end_due_ms)
        delay_ms = dx_min_u64(delay_ms, d->end_due_ms > now_ms ? d->end_due_ms - now_ms : 0);
    dx_timer_set(dx_sse_door_loop(d), &d->timer, delay_ms);
}

/* A comment keeps proxies from taking silence for the end, and finds out a client that has gone. */
void dx_sse_door_on_tick(dx_timer *timer)
{
    dx_sse_door *d = DX_CONTAINER(timer, dx_sse_door, timer);

    if (d->end_due_ms && dx_loop_now_ms(dx_sse_door_loop(d)) >= d->end_due_ms) {
        dx_sse_door_end(d);
        return;
    }
    bool is_live = d->sub.feed && d->sub.state == DX_SUBSCRIBER_LIVE;
    bool is_silent = !is_live || d->sub.position == d->seen;
    d->seen = is_live ? d->sub.position : UINT64_MAX;
    if (is_silent && dx_conn_queued(dx_exchange_conn(d->x)) == 0)
        dx_exchange_put(d->x, DX_BYTES(":\n\n"));
    dx_sse_door_set_timer(d);
}
