/* A feed: the tail of one stream in one wire encoding, framed once for all who read it.
 * Is:     a chain of blocks, the entries that say where messages begin, subscribers and their positions.
 *         To deliver is to send the bytes from a subscriber's position to the feed's end. A subscriber
 *         owns no queue; one that falls out of the window is switched to catch-up, which reads the
 *         log at its own pace.
 * Is not: the log (log.h), how messages get to this worker (topic.h), what an encoding looks like (the
 *         doors bring a dx_encoding).
 * Memory: blocks exist while some subscriber has not sent them; at most window_bytes and one message.
 * Threads: its worker's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_FEED_H
#define DX_STREAM_FEED_H

#include "codec/offset.h"
#include "loop/loop.h"
#include "stream/message.h"

typedef struct dx_feed dx_feed;
typedef struct dx_subscriber dx_subscriber;
struct dx_topic;

/* What became of a stream that goes no further. */
typedef enum dx_stream_end {
    DX_STREAM_END_NONE,
    DX_STREAM_END_CLOSED,  /* nothing will be appended any more */
    DX_STREAM_END_DELETED, /* it is gone, or has expired */
} dx_stream_end;

/* What a subscriber wants that falls out of the feed. */
typedef enum dx_on_slow {
    DX_ON_SLOW_CATCH_UP,   /* to get all that is retained, from the log */
    DX_ON_SLOW_LATEST,     /* to go on with the newest message; what is left out is told as a gap */
    DX_ON_SLOW_DISCONNECT, /* to be told (encoding->too_slow) */
} dx_on_slow;

/* Messages that a subscriber does not get. */
typedef struct dx_gap {
    dx_offset requested; /* where it was */
    dx_offset earliest;  /* where it goes on */
    uint64_t lost;       /* messages between; 0: not known */
} dx_gap;

/* How messages look on some wire, and what its subscribers are told. One constant per door. What is called
 * may stop its subscriber; only too_slow, failed and ended may also free it or release its topic. */
typedef struct dx_encoding {
    /* The most bytes that write() can need for `message`. */
    size_t (*bound)(const dx_feed *feed, const dx_message *message);
    /* Writes the framed message to `to`, returns its size. */
    size_t (*write)(const dx_feed *feed, const dx_message *message, uint8_t *to);
    /* There is something to pull: send it now. */
    void (*wake)(dx_subscriber *sub);
    /* It has caught up: what follows comes from the feed. */
    void (*live)(dx_subscriber *sub);
    /* The subscriber fell out of the feed: `rest` is the end of the message it was in the middle of
     * (borrowed; empty between messages), to be sent before anything else. It goes on with
     * dx_subscriber_continue, later, when there is room. */
    void (*fell_behind)(dx_subscriber *sub, dx_bytes rest);
    /* Catching up: the next messages (borrowed, in order; none if all of them were its own).
     * dx_subscriber_continue, later, when they were sent. */
    void (*page)(dx_subscriber *sub, dx_message *const *messages, size_t count);
    /* What follows does not join what it got: tell. Return false after stopping the subscriber. */
    bool (*gap)(dx_subscriber *sub, const dx_gap *gap);
    /* It fell out of the feed and is stopped, as it asked for with DX_ON_SLOW_DISCONNECT; `rest` as for
     * fell_behind. */
    void (*too_slow)(dx_subscriber *sub, dx_bytes rest);
    /* The log cannot be read: the store failed, or memory is out. It is stopped. */
    void (*failed)(dx_subscriber *sub);
    /* The stream has ended. CLOSED: and it was given all there is (what it pulled is sent). DELETED: at
     * once, but for the rest of a message that was sent in part. Called at the end of a turn, once, if
     * it was not stopped or frozen before. It is stopped. NULL: it need not be told. */
    void (*ended)(dx_subscriber *sub, dx_stream_end why);
    /* A note (dx_feed_note) framed, like bound and write; NULL: this encoding has none. A bound of 0:
     * this feed is not to have it. */
    size_t (*note_bound)(const dx_feed *feed, dx_bytes text);
    size_t (*note_write)(const dx_feed *feed, dx_bytes text, uint8_t *to);
} dx_encoding;

typedef enum dx_subscriber_state {
    DX_SUBSCRIBER_STOPPED,
    DX_SUBSCRIBER_CATCHING, /* `next` is the sequence it needs next */
    DX_SUBSCRIBER_LIVE,     /* `position` is where in the feed it is */
    DX_SUBSCRIBER_ENDING,   /* to be told that the stream has ended */
} dx_subscriber_state;

/* One reader, embedded in the door's object. Private to the stream layer. */
struct dx_subscriber {
    dx_list link; /* in feed->live, feed->catching or feed->ending */
    dx_feed *feed;
    union {
        uint64_t position; /* byte of the feed that is sent next */
        uint64_t next;
    };
    uint64_t origin; /* messages from here are left out; 0: none are */
    uint8_t state;
    uint8_t on_slow;
    bool is_partial : 1;     /* the message at `position` was sent in part */
    bool is_in_flight : 1;   /* pulled, and not yet told how much was sent */
    bool is_falling : 1;     /* to fall behind once it is not in flight */
    bool is_waiting : 1;     /* has read further than the feed has come: joins when it gets there */
    bool is_frozen : 1;      /* goes no further than the end of a message sent in part */
    bool is_ending : 1;      /* frozen because the stream was deleted: it is to be told */
    bool is_skipping : 1;    /* too slow: goes on with the newest message when there is room */
    struct dx_read *reading; /* catching: the page on its way */
};

typedef struct dx_feed_block {
    struct dx_feed_block *next;
    uint64_t begin; /* position of bytes[0] */
    uint32_t size, capacity;
    uint8_t bytes[];
} dx_feed_block;

/* A message, or a note. */
typedef struct dx_feed_entry {
    uint64_t end;      /* position behind it; it begins where the one before it ends */
    uint64_t sequence; /* of a note: that of the message before it, in the feed or not */
    uint64_t origin;
    bool is_note;
} dx_feed_entry;

struct dx_feed {
    struct dx_topic *topic;
    dx_list link; /* in topic->feeds */
    dx_loop *loop;
    const dx_encoding *encoding;
    uint32_t variant; /* of the encoding: such as the window of its deflate */
    uint32_t window_bytes;
    void *encoder; /* the worker's, for write() */
    dx_list live, catching, ending;
    uint32_t live_count;    /* in `live` */
    uint32_t waiting_count; /* in `catching`, is_waiting */
    uint32_t in_flight_count;
    uint32_t orphans_count; /* of them: whose subscribers have left */
    uint32_t behind_count;  /* live ones whose position is before `tail` */
    dx_feed_block *first, *last;
    uint64_t head, tail;    /* positions: of the first byte that is kept, behind the last */
    uint64_t offered;       /* up to here every live one was woken for it at least once */
    uint64_t offering;      /* what `offered` will be when the cursor has reached the end */
    uint64_t next_sequence; /* of the message that comes next */
    uint32_t arrived_us;    /* of the oldest message put in since it was flushed last (message.h) */
    uint32_t flushed_us;    /* the same of what was flushed last */
    bool is_flush_due;      /* something was put in since then */
    uint64_t whole_from;    /* all messages from this one on were put in: there is no hole */
    dx_stream_end end;
    dx_feed_entry *entries; /* a ring: entries_first, entries_count of entries_capacity */
    uint32_t entries_first, entries_count, entries_capacity;
    dx_list cursor; /* in `live`: where the flush goes on next turn */
    dx_task flush;
};

dx_feed *dx_feed_new(dx_loop *loop, const dx_encoding *encoding, uint32_t variant,
                     uint64_t next_sequence);
/* No subscriber may be left. */
void dx_feed_free(dx_feed *feed);

/* Encodes `message` at the end, to be sent at the end of the turn. `message->sequence` may be above
 * next_sequence: then what is between was lost, and all who are live are told of the gap.
 * When memory is out all subscribers are made to catch up. */
void dx_feed_append(dx_feed *feed, const dx_message *message);

/* Sends `text` (borrowed) to those who are live, in its place among the messages: it is no message, is in
 * no log, and who is behind does not get it. Does nothing where the encoding has no notes, after the end,
 * and when memory is out. */
void dx_feed_note(dx_feed *feed, dx_bytes text);

/* The stream has ended, behind the last message: all are told (encoding->ended), those who start later,
 * too. DELETED may follow CLOSED. */
void dx_feed_end(dx_feed *feed, dx_stream_end end);

/* Joins `sub`, which is catching up, if the feed has what it needs next; false: it must read on. */
DX_MUST_USE bool dx_feed_join(dx_feed *feed, dx_subscriber *sub);

/* ---- for doors: what dx_conn_ops.pull and pulled do ---- */

uint32_t dx_subscriber_pull(dx_subscriber *sub, struct iovec *iov, uint32_t max);
/* True if the message at the position was sent in part. */
bool dx_subscriber_pulled(dx_subscriber *sub, size_t bytes);
/* There is something it could pull. */
bool dx_subscriber_is_behind(const dx_subscriber *sub);
/* Nothing more is to be sent, but for the rest of a message that was sent in part; one that catches up is
 * stopped. */
void dx_subscriber_freeze(dx_subscriber *sub);

/* ---- for the stream layer ---- */

/* Takes it out of the feed. What is in flight stays where it is until `pulled`. */
void dx_subscriber_detach(dx_subscriber *sub);

#endif
