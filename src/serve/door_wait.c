/* The long-poll door of a stream: what follows a position, at once or as soon as there is something.
 * Is:     watching, reading, waiting, in this order, so that nothing is missed; 204 when the time is over.
 * Is not: the answer with data (door_read.c), live reading in one answer (door_sse.c).
 * Memory: one small operation per client that waits; a read while the stream's home is asked.
 * Source: Durable Streams 1.0 §5.7, §8; RFC 7240 §4.3.
 * SPDX-License-Identifier: MIT */
#include "serve/access_who.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"
#include "codec/stream_rules.h"

#include <stdlib.h>

enum { READ_BYTES_MAX = 1048576 };

typedef struct wait_op {
    dx_watch watch;
    dx_waiter waiter;
    dx_timer timer;
    dx_lease lease; /* held if it may read because of somebody */
    dx_exchange *x;
    dx_worker *worker;
    struct wait_read *reading; /* under way */
    const dx_stream_route *route;
    dx_live_wish wish;
    dx_position at; /* to read from: as wished, then the offset that this was found to be */
    bool is_known;  /* it is that offset */
    bool
        is_unmade; /* nothing was ever written here: when nobody waits any more there is no such stream */
} wait_op;

/* It may outlive its operation. */
typedef struct wait_read {
    dx_read read;
    wait_op *op; /* NULL: the client has gone, or was answered */
    uint8_t path[];
} wait_read;

static void op_free(wait_op *op)
{
    dx_timer_clear(&op->timer);
    dx_waiter_end(&op->waiter);
    dx_lease_drop(&op->lease);
    if (op->reading)
        op->reading->op = NULL;
    if (op->watch.topic)
        dx_watch_end(&op->watch);
    op->worker->counts.waits_count--;
    free(op);
}

static void on_gone(dx_exchange *x, void *context)
{
    (void)x;
    op_free(context);
}

/* Takes the exchange from the operation, which is over. */
static dx_exchange *leave(wait_op *op)
{
    dx_exchange *x = op->x;

    dx_exchange_on_gone(x, NULL, NULL);
    dx_exchange_on_hurry(x, NULL, NULL);
    op_free(op);
    return x;
}

/* ---- answers ----------------------------------------------------------------------------------- */

static uint64_t cursor_of(const dx_live_wish *wish)
{
    uint64_t random;

    dx_random_fill(&random, sizeof random);
    return dx_stream_cursor_next(dx_clock_wall_ms(), wish->has_cursor, wish->cursor, random);
}

static void refuse(wait_op *op, dx_stream_status status, const dx_stream_info *info)
{
    dx_door_problem(leave(op), status, info);
}

/* 204: there is nothing behind the position. */
static void answer_nothing(wait_op *op, bool is_closed)
{
    dx_door_headers h = {0};

    if (op->is_unmade) /* the start, in whatever life: there is nothing that could be missed before it */
        dx_door_add(&h, "Stream-Next-Offset", DX_BYTES("-1"));
    else
        dx_door_add_offset(&h, "Stream-Next-Offset", op->at.at);
    dx_door_add(&h, "Stream-Up-To-Date", DX_BYTES("true"));
    if (is_closed)
        dx_door_add(&h, "Stream-Closed", DX_BYTES("true"));
    else
        dx_door_add_number(&h, "Stream-Cursor", cursor_of(&op->wish));
    if (op->wish.has_wait)
        dx_door_add(&h, "Preference-Applied", DX_BYTES("wait"));
    dx_door_add(&h, "Cache-Control", DX_BYTES("no-store"));
    dx_exchange_respond(leave(op),
                        &(dx_response){.status = 204, .headers = h.at, .headers_count = h.count});
}

/* The answer is that of the URL: what `now` was then must not be kept by a cache. */
static void answer_data(wait_op *op, dx_read *read)
{
    const dx_stream_route *route = op->route;
    dx_wait_fields fields = {cursor_of(&op->wish), op->wish.has_wait};

    read->position = op->wish.position;
    dx_door_answer_read(leave(op), route, read, &fields);
}

/* ---- waiting ----------------------------------------------------------------------------------- */

static void read_on(wait_op *op);

/* Something came while the home was asked. */
static bool has_news(const wait_op *op)
{
    return dx_topic_next(op->watch.topic) > op->at.at.sequence + 1 ||
           dx_topic_end(op->watch.topic) == DX_STREAM_END_CLOSED;
}

static void wait_for_news(wait_op *op)
{
    if (dx_topic_end(op->watch.topic) == DX_STREAM_END_DELETED)
        refuse(op, DX_STREAM_NOT_FOUND, NULL);
    else if (has_news(op))
        read_on(op);
    else
        dx_topic_wait(op->watch.topic, &op->waiter);
}

static void on_woken(dx_waiter *waiter)
{
    read_on(DX_CONTAINER(waiter, wait_op, waiter));
}

/* The time is over. A read under way answers when it comes back. */
static void stop_waiting(wait_op *op)
{
    if (op->is_known && op->reading == NULL)
        answer_nothing(op, false);
}

static void on_timer(dx_timer *timer)
{
    stop_waiting(DX_CONTAINER(timer, wait_op, timer));
}

/* The client closed its half, or the server drains: it is not kept waiting. */
static void on_hurry(dx_exchange *x, void *context)
{
    (void)x;
    stop_waiting(context);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static void on_nothing(wait_op *op, const dx_read *read)
{
    op->at = (dx_position){DX_OFFSET_AT, read->next};
    op->is_known = true;
    op->is_unmade = read->info.kind == DX_STREAM_UNDECIDED;
    if (read->info.is_closed || dx_exchange_is_hurried(op->x) || !dx_timer_is_set(&op->timer))
        answer_nothing(op, read->info.is_closed);
    else
        wait_for_news(op);
}

static void on_read(dx_read *read)
{
    wait_read *r = DX_CONTAINER(read, wait_read, read);
    wait_op *op = r->op;

    if (op) {
        op->reading = NULL;
        if (read->status != DX_STREAM_OK)
            refuse(op, read->status, &read->info);
        else if (read->count > 0)
            answer_data(op, read);
        else
            on_nothing(op, read);
    }
    dx_read_release(read);
    free(r);
}

static void read_on(wait_op *op)
{
    dx_bytes path = dx_topic_path(op->watch.topic);
    wait_read *r = calloc(1, sizeof *r + path.size);

    if (r == NULL) {
        refuse(op, DX_STREAM_MEMORY, NULL);
        return;
    }
    dx_copy(r->path, path.at, path.size);
    r->op = op;
    r->read = (dx_read){.ns = &op->route->ns,
                        .path = dx_bytes_at(r->path, path.size),
                        .position = op->at,
                        .is_touch = true,
                        .count_max = op->wish.limit,
                        .bytes_max = READ_BYTES_MAX,
                        .done = on_read};
    if (!op->is_known) /* what comes while it waits it may have */
        dx_grant_limit_read(&op->wish.grant, &r->read);
    op->reading = r;
    dx_hub_read(dx_door_hub(op->x), &r->read);
}

static void on_watched(dx_watch *watch, dx_stream_status status)
{
    wait_op *op = DX_CONTAINER(watch, wait_op, watch);

    if (status == DX_STREAM_OK)
        read_on(op);
    else
        refuse(op, status, NULL);
}

/* It may not have what would come. */
static void on_lease_ended(dx_lease *lease, dx_principal *who, dx_lease_end why)
{
    wait_op *op = DX_CONTAINER(lease, wait_op, lease);
    const dx_server *s = op->route->server;

    (void)who;
    dx_door_refuse_unknown(leave(op), s, DX_ACTION_READ, dx_lease_end_text(why));
}

/* ---- the request ------------------------------------------------------------------------------- */

void dx_door_wait(dx_exchange *x, const dx_stream_route *route, const dx_live_wish *wish)
{
    wait_op *op = calloc(1, sizeof *op);
    uint64_t wait_ms = route->live.wait_ms;

    x->sort = DX_SORT_LONG_POLL;
    if (op == NULL) {
        dx_door_no_memory(x);
        return;
    }
    if (wish->has_wait)
        wait_ms = dx_min_u64(wish->wait_s, DX_WAIT_S_MAX) * 1000;
    *op = (wait_op){.watch.ready = on_watched,
                    .waiter.woken = on_woken,
                    .x = x,
                    .worker = dx_worker_of(x),
                    .route = route,
                    .wish = *wish,
                    .at = wish->position};
    op->worker->counts.waits_count++;
    dx_timer_init(&op->timer, on_timer);
    if (wait_ms > 0)
        dx_timer_set(dx_exchange_conn(x)->net->loop, &op->timer, wait_ms);
    op->lease.ended = on_lease_ended;
    if (wish->grant.is_personal)
        dx_lease_hold(&op->lease, &dx_worker_of(x)->leases, dx_asker_of(x, route->server)->who,
                      wish->grant.until_ms);
    dx_exchange_on_gone(x, on_gone, op);
    dx_exchange_on_hurry(x, on_hurry, op);
    if (dx_hub_watch(dx_door_hub(x), &route->ns, x->path, &op->watch) != DX_OK)
        refuse(op, DX_STREAM_MEMORY, NULL);
}
