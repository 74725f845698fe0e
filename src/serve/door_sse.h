/* The SSE door, as its files see it.
 * Is:     messages and what is said about them as server-sent events, in two forms: that of Durable Streams
 *         (data and control in pairs) and that of a plain EventSource (one event a message, with its id);
 *         a subscriber from its beginning (door_sse_open.c) to its end (door_sse.c).
 * Is not: the syntax of events (codec/sse), the framing of the response (http).
 * Memory: a door per subscriber; events are those of a feed, shared by all who want the same form.
 * Source: Durable Streams 1.0 §5.8, §10; HTML Living Standard §9.2.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_DOOR_SSE_H
#define DX_SERVE_DOOR_SSE_H

#include "codec/sse.h"
#include "serve/door.h"

/* ---- events (door_sse_events.c) ---- */

/* The form of a feed's events: the variant of its subscription. */
enum {
    DX_SSE_CHUNKED = 1,     /* each message is a chunk of HTTP/1.1 */
    DX_SSE_PLAIN = 2,       /* for an EventSource */
    DX_SSE_AHEAD_SHIFT = 2, /* above: intervals by which its cursors are ahead of the current one */
};

/* The variant bits for a client whose cursor is `cursor`: what it is given must be above. */
uint32_t dx_sse_ahead(uint64_t cursor);
/* The cursor that is current for a variant. */
uint64_t dx_sse_cursor(uint32_t variant);

/* `count` messages, 1 or more, in order. is_up_to_date: there is nothing behind the last one. */
typedef struct dx_sse_page {
    dx_message *const *messages;
    size_t count;
    uint32_t variant;
    uint64_t cursor;
    bool is_up_to_date;
} dx_sse_page;

void dx_sse_write_page(dx_sse_writer *w, const dx_sse_page *page);

/* Without data. Of a Durable Streams client: where the stream is. */
typedef struct dx_sse_control {
    dx_offset next;
    uint64_t cursor;
    bool is_up_to_date, is_closed;
} dx_sse_control;

void dx_sse_write_control(dx_sse_writer *w, const dx_sse_control *control);

/* Of an EventSource: `event: gap`; `event: ready`, with the position it begins at; `event: closed`. */
void dx_sse_write_gap(dx_sse_writer *w, const dx_gap *gap);
void dx_sse_write_ready(dx_sse_writer *w, dx_offset offset);
void dx_sse_write_closed(dx_sse_writer *w, dx_offset offset);

/* dx_encoding.bound and write; feed->variant as above. */
size_t dx_sse_bound(const dx_feed *feed, const dx_message *message);
size_t dx_sse_write(const dx_feed *feed, const dx_message *message, uint8_t *to);

/* ---- a subscriber (door_sse.c) ---- */

typedef struct dx_sse_door {
    dx_subscriber sub;
    dx_watch watch;
    dx_waiter waiter; /* for the first message of a stream whose kind is not known yet */
    dx_timer timer;
    dx_task finish;
    dx_exchange *x;
    dx_worker *worker;
    struct position_read *reading; /* door_sse_open.c: under way */
    const dx_stream_route *route;
    dx_position position; /* as asked for */
    bool has_depth;       /* as in dx_read */
    uint32_t depth_max;
    dx_offset given; /* what was written to the exchange reaches to here; the feed may be further */
    uint64_t end_due_ms; /* loop time; 0: none */
    uint64_t seen;       /* of the feed, at the last tick */
    uint32_t variant;
    uint8_t on_slow;
    bool is_resumed; /* Last-Event-ID */
    bool has_begun, is_over;
    struct dx_sse_lease *lease; /* NULL: it is for anyone */
} dx_sse_door;

static inline bool dx_sse_door_is_plain(const dx_sse_door *d)
{
    return d->variant & DX_SSE_PLAIN;
}

static inline dx_loop *dx_sse_door_loop(const dx_sse_door *d)
{
    return dx_exchange_conn(d->x)->net->loop;
}

extern const dx_encoding dx_sse_encoding;
/* Its context is the door, which it frees. */
extern const dx_exchange_source dx_sse_source;

/* It goes on while `who` may read. False: memory is out. */
DX_MUST_USE bool dx_sse_door_hold(dx_sse_door *d, dx_principal *who, uint64_t until_ms);

/* Before the response has begun, or when the source is freed. */
void dx_sse_door_free(dx_sse_door *d);

/* Ends the response between two events; the door is freed when they have left. */
void dx_sse_door_end(dx_sse_door *d);
/* At the end of the turn: for who may still look at the door. */
void dx_sse_door_end_soon(dx_sse_door *d);

void dx_sse_door_on_finish(dx_task *task);
void dx_sse_door_on_tick(dx_timer *timer);
/* Until the next comment, or the end. */
void dx_sse_door_set_timer(dx_sse_door *d);

/* Small events, from a fixed memory. */
typedef struct dx_sse_note {
    dx_sse_writer w;
    uint8_t memory[768];
} dx_sse_note;

void dx_sse_note_init(dx_sse_note *note);
void dx_sse_door_put(dx_sse_door *d, const dx_sse_note *note);

/* The stream ends at `at`: says so. */
void dx_sse_door_put_closed(dx_sse_door *d, dx_offset at);

/* door_sse_open.c: a read under way is the door's no more. */
void dx_sse_door_forget_reading(dx_sse_door *d);

#endif
