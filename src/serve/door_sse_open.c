/* The SSE door of a stream: from the request to the subscriber.
 * Is:     watching, then looking up the position, so that nothing is missed; the head of the response and
 *         what is told first; the wait for a stream that nobody has written to.
 * Is not: what follows (door_sse.c).
 * Source: Durable Streams 1.0 §5.8, §8, §10; HTML Living Standard §9.2.
 * SPDX-License-Identifier: MIT */
#include "serve/access_who.h"
#include "serve/door_sse.h"

#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>

enum { RETRY_MS = 1000, RETRY_SPREAD_MS = 2000 };

enum { RETURN_SPREAD_MS = 5000 };

/* Looks up where to begin, and what the stream is like. It may outlive the door. */
typedef struct position_read {
    dx_read read;
    dx_sse_door *d; /* NULL: it has gone */
    uint8_t path[];
} position_read;

void dx_sse_door_forget_reading(dx_sse_door *d)
{
    if (d->reading)
        d->reading->d = NULL;
    d->reading = NULL;
}


/* The client left before the response began. */
static void on_gone(dx_exchange *x, void *context)
{
    (void)x;
    dx_sse_door_free(context);
}

/* ---- the head and what is told first ----------------------------------------------------------- */

static uint32_t random_below(uint32_t bound)
{
    uint32_t random;

    dx_random_fill(&random, sizeof random);
    return random % bound;
}

/* All who come back are not to come together: `retry` is for an EventSource, and others may heed it. */
static void put_retry(dx_sse_door *d)
{
    char text[16];
    dx_sse_note n;

    snprintf(text, sizeof text, "%u", random_below(RETURN_SPREAD_MS));
    dx_sse_note_init(&n);
    dx_sse_write_field(&n.w, "retry", dx_bytes_of(text));
    dx_sse_write_end(&n.w);
    dx_sse_door_put(d, &n);
}

static void on_hurry(dx_exchange *x, void *context)
{
    dx_sse_door *d = context;

    (void)x;
    if (!d->has_begun) /* when it begins, then */
        return;
    if (atomic_load(&d->route->server->is_draining) && !d->is_over)
        put_retry(d);
    dx_sse_door_end(d);
}

/* A while of `ms` on average: not all who came together are to go together. */
static uint64_t about(uint32_t ms)
{
    return ms - ms / 12 + random_below(ms / 6 + 1);
}

static void add_ends(dx_door_headers *h, const dx_stream_info *info)
{
    dx_door_add_offset(h, "Stream-Next-Offset", info->tail);
    dx_door_add(h, "Stream-Up-To-Date", DX_BYTES("true"));
    dx_door_add(h, "Stream-Closed", DX_BYTES("true"));
}

/* An EventSource comes back whenever a response ends; this is the answer that it does not come back after
 * (HTML §9.2.3). */
static void answer_no_more(dx_sse_door *d, const dx_stream_info *info)
{
    dx_door_headers h = {0};
    dx_exchange *x = d->x;

    add_ends(&h, info);
    dx_door_add(&h, "Cache-Control", DX_BYTES("no-store"));
    dx_sse_door_free(d);
    dx_exchange_on_gone(x, NULL, NULL);
    dx_exchange_respond(x,
                        &(dx_response){.status = 204, .headers = h.at, .headers_count = h.count});
}

static void start_response(dx_sse_door *d, const dx_stream_info *info, bool is_closed_here)
{
    dx_door_headers h = {0};
    dx_exchange *x = d->x;

    dx_door_add(&h, "Cache-Control", DX_BYTES("no-cache, no-transform"));
    dx_door_add(&h, "X-Accel-Buffering", DX_BYTES("no")); /* a proxy that would hold events back */
    if (info->kind == DX_STREAM_BINARY)
        dx_door_add(&h, "Stream-SSE-Data-Encoding", DX_BYTES("base64"));
    if (is_closed_here)
        add_ends(&h, info);
    dx_exchange_on_gone(x, NULL, NULL);
    dx_exchange_start(x,
                      &(dx_response){.type = DX_BYTES("text/event-stream"),
                                     .headers = h.at,
                                     .headers_count = h.count},
                      DX_LENGTH_UNKNOWN);
    d->has_begun = true;
    if (dx_exchange_stream(x, &dx_sse_source, d) == DX_EXCHANGE_CHUNKED)
        d->variant |= DX_SSE_CHUNKED;
}

/* The first thing an EventSource gets has an id: it resumes from there even if nothing follows. */
static void put_first(dx_sse_door *d, const dx_gap *gap)
{
    char retry[16];
    dx_sse_note n;

    dx_sse_note_init(&n);
    snprintf(retry, sizeof retry, "%u", RETRY_MS + random_below(RETRY_SPREAD_MS));
    dx_sse_write_field(&n.w, "retry", dx_bytes_of(retry));
    if (gap)
        dx_sse_write_gap(&n.w, gap);
    else
        dx_sse_write_ready(&n.w, d->given);
    dx_sse_door_put(d, &n);
}

static void put_up_to_date(dx_sse_door *d)
{
    dx_sse_note n;

    dx_sse_note_init(&n);
    dx_sse_write_control(&n.w, &(dx_sse_control){.next = d->given,
                                                 .cursor = dx_sse_cursor(d->variant),
                                                 .is_up_to_date = true});
    dx_sse_door_put(d, &n);
}

static void read_position(dx_sse_door *d);

static void on_woken(dx_waiter *waiter)
{
    read_position(DX_CONTAINER(waiter, dx_sse_door, waiter));
}

static bool has_news(const dx_sse_door *d)
{
    return dx_topic_next(d->watch.topic) > d->given.sequence + 1 ||
           dx_topic_end(d->watch.topic) == DX_STREAM_END_CLOSED;
}

static void subscribe(dx_sse_door *d)
{
    const dx_subscription wish = {.encoding = &dx_sse_encoding,
                                  .variant = d->variant,
                                  .next = d->given.sequence + 1,
                                  .on_slow = (dx_on_slow)d->on_slow};
    if (dx_subscriber_start(&d->sub, d->watch.topic, &wish) != DX_OK)
        dx_sse_door_end_soon(d);
}

/* What follows `given`: as soon as it is known how it looks. */
static void follow(dx_sse_door *d, const dx_stream_info *info)
{
    bool is_closed_here = info->is_closed && info->tail.sequence == d->given.sequence;

    if (is_closed_here) {
        dx_sse_door_put_closed(d, d->given);
        dx_sse_door_end(d);
    } else if (info->kind != DX_STREAM_UNDECIDED) {
        subscribe(d);
    } else if (dx_topic_end(d->watch.topic) == DX_STREAM_END_DELETED) {
        dx_sse_door_end(d);
    } else if (has_news(d)) {
        read_position(d);
    } else {
        dx_topic_wait(d->watch.topic, &d->waiter);
    }
}

/* gap: NULL if there is none. */
static void begin(dx_sse_door *d, const dx_stream_info *info, const dx_gap *gap)
{
    bool is_at_tail = d->given.sequence == info->tail.sequence;
    bool is_closed_here = is_at_tail && info->is_closed;

    if (is_closed_here && d->is_resumed && gap == NULL) {
        answer_no_more(d, info);
        return;
    }
    start_response(d, info, is_closed_here);
    if (dx_sse_door_is_plain(d))
        put_first(d, gap);
    else if (is_at_tail && !is_closed_here)
        put_up_to_date(d);
    dx_sse_door_set_timer(d);
    if (dx_exchange_is_hurried(d->x))
        dx_sse_door_end_soon(d);
    follow(d, info);
}

/* An EventSource is not told of a status: what it missed it is told in the stream. */
static bool is_told_in_band(const dx_sse_door *d, dx_stream_status status)
{
    return dx_sse_door_is_plain(d) && d->position.kind == DX_OFFSET_AT &&
           (status == DX_STREAM_GONE || status == DX_STREAM_FUTURE);
}

static void refuse(dx_sse_door *d, dx_stream_status status, const dx_stream_info *info)
{
    dx_exchange *x = d->x;

    dx_sse_door_free(d);
    dx_exchange_on_gone(x, NULL, NULL);
    dx_door_problem(x, status, info);
}

static void on_first_position(dx_sse_door *d, const dx_read *read)
{
    if (read->status == DX_STREAM_OK) {
        d->given = read->next;
        begin(d, &read->info, NULL);
    } else if (is_told_in_band(d, read->status)) {
        d->given = read->info.start;
        begin(d, &read->info,
              &(dx_gap){.requested = d->position.at,
                        .earliest = read->info.start,
                        .lost = read->status == DX_STREAM_GONE ? read->lost : 0});
    } else {
        refuse(d, read->status, &read->info);
    }
}

/* The kind is known, or the stream is closed. If what it carries needs base64, the client must hear of
 * that in a head: it comes back. */
static void on_later_position(dx_sse_door *d, const dx_read *read)
{
    if (read->status != DX_STREAM_OK || read->info.kind == DX_STREAM_BINARY)
        dx_sse_door_end(d);
    else
        follow(d, &read->info);
}

static void on_position(dx_read *read)
{
    position_read *r = DX_CONTAINER(read, position_read, read);
    dx_sse_door *d = r->d;

    if (d) {
        d->reading = NULL;
        if (d->has_begun)
            on_later_position(d, read);
        else
            on_first_position(d, read);
    }
    dx_read_release(read);
    free(r);
}

static void read_position(dx_sse_door *d)
{
    dx_bytes path = dx_topic_path(d->watch.topic);
    position_read *r = calloc(1, sizeof *r + path.size);

    if (r == NULL && d->has_begun) {
        dx_sse_door_end_soon(d);
        return;
    }
    if (r == NULL) {
        refuse(d, DX_STREAM_MEMORY, NULL);
        return;
    }
    dx_copy(r->path, path.at, path.size);
    r->d = d;
    r->read = (dx_read){.ns = &d->route->ns,
                        .path = dx_bytes_at(r->path, path.size),
                        .position = d->position,
                        .is_touch = true,
                        .done = on_position};
    r->read.has_depth = d->has_depth && !d->has_begun;
    r->read.depth_max = d->depth_max;
    if (d->has_begun)
        r->read.position = (dx_position){DX_OFFSET_AT, d->given};
    d->reading = r;
    dx_hub_read(dx_door_hub(d->x), &r->read);
}

static void on_watched(dx_watch *watch, dx_stream_status status)
{
    dx_sse_door *d = DX_CONTAINER(watch, dx_sse_door, watch);

    if (status == DX_STREAM_OK)
        read_position(d);
    else
        refuse(d, status, NULL);
}

/* ---- the request ------------------------------------------------------------------------------- */

static bool read_on_slow(dx_exchange *x, uint8_t *ret)
{
    dx_bytes text;

    if (!dx_door_argument(x, "on_slow", &text))
        return false;
    if (text.at == NULL || dx_bytes_equal(text, DX_BYTES("catch_up"))) {
        *ret = DX_ON_SLOW_CATCH_UP;
    } else if (dx_bytes_equal(text, DX_BYTES("latest"))) {
        *ret = DX_ON_SLOW_LATEST;
    } else if (dx_bytes_equal(text, DX_BYTES("disconnect"))) {
        *ret = DX_ON_SLOW_DISCONNECT;
    } else {
        dx_exchange_problem(x, 400, "on_slow must be catch_up, latest or disconnect.");
        return false;
    }
    return true;
}

static bool has_last_event_id(const dx_exchange *x)
{
    return dx_exchange_header(x, "Last-Event-ID").size > 0;
}

static void door_init(dx_sse_door *d, dx_exchange *x, const dx_live_wish *wish)
{
    d->watch.ready = on_watched;
    d->waiter.woken = on_woken;
    d->x = x;
    d->worker = dx_worker_of(x);
    d->worker->counts.sse_count++;
    d->position = wish->position;
    if (wish->grant.by && wish->grant.by->has_history) {
        d->has_depth = true;
        d->depth_max = wish->grant.by->history_max;
    }
    d->is_resumed = has_last_event_id(x);
    dx_timer_init(&d->timer, dx_sse_door_on_tick);
    dx_task_init(&d->finish, dx_sse_door_on_finish);
    if (wish->is_plain) {
        d->variant = DX_SSE_PLAIN;
        return;
    }
    d->variant = wish->has_cursor ? dx_sse_ahead(wish->cursor) : 0;
    d->end_due_ms = dx_loop_now_ms(dx_sse_door_loop(d)) + about(d->route->live.sse_ms);
}

void dx_door_sse(dx_exchange *x, const dx_stream_route *route, const dx_live_wish *wish)
{
    uint8_t on_slow;

    x->sort = DX_SORT_SSE;
    if (!read_on_slow(x, &on_slow))
        return;
    dx_sse_door *d = calloc(1, sizeof *d);
    if (d == NULL) {
        dx_door_no_memory(x);
        return;
    }
    d->route = route;
    d->on_slow = on_slow;
    door_init(d, x, wish);
    if (wish->grant.is_personal &&
        !dx_sse_door_hold(d, dx_asker_of(x, route->server)->who, wish->grant.until_ms)) {
        dx_sse_door_free(d);
        dx_door_no_memory(x);
        return;
    }
    dx_exchange_on_gone(x, on_gone, d);
    dx_exchange_on_hurry(x, on_hurry, d);
    if (dx_hub_watch(dx_door_hub(x), &route->ns, x->path, &d->watch) != DX_OK)
        refuse(d, DX_STREAM_MEMORY, NULL);
}
