/* What the feed's tests share: readers that are no connections, and a log that is an array.
 * Is:     a wire encoding that says which message or note it is, readers that take any number of bytes at any
 *         time, the check that what came is what should have come, and that a feed's counts are true.
 * Is not: tests.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_TEST_READER_H
#define DX_STREAM_TEST_READER_H

#include "stream/hub_home.h"

enum { SCENE_MESSAGES_MAX = 20000, SCENE_NOTES_MAX = 4000, SCENE_READS_MAX = 1000 };

/* A note that was given to the feed. */
typedef struct scene_note {
    uint64_t after; /* the sequence of the last message that the feed had got */
    size_t size;
    bool is_in; /* the feed took it */
} scene_note;

/* One stream: every message that was ever published, and a feed that was given (some of) them. Pages of
 * the log are answered at once, or when the scene says so. */
typedef struct scene {
    dx_loop *loop;
    dx_topic *topic;
    dx_feed *feed;
    dx_message *messages[SCENE_MESSAGES_MAX]; /* [sequence] */
    uint64_t tail;
    uint64_t first; /* retained in the "log" from here */
    scene_note notes[SCENE_NOTES_MAX];
    uint32_t notes_count;
    bool is_log_slow;
    bool is_other_life; /* what the log has is of another stream at the same path */
    dx_read *reads[SCENE_READS_MAX]; /* not answered yet */
    uint32_t reads_count;
} scene;

typedef struct reader {
    dx_subscriber sub;
    scene *scene;
    size_t take_bytes; /* how much it takes when woken; 0: nothing */
    bool is_holding;   /* what it pulls when woken stays in flight */
    bool is_room_due;  /* dx_subscriber_continue is to be called */
    dx_on_slow on_slow;
    size_t flight_bytes; /* pulled, not told yet */
    struct iovec flight[64];
    uint32_t flight_count;
    uint64_t expected; /* the sequence that must come next, if it is not its own */
    uint64_t lost;     /* told of by gap */
    uint32_t wakes, lives, falls, gaps, fails;
    uint64_t received_count, notes_count;
    uint32_t note_next; /* index of the first note that it may still get */
    dx_gap gap;         /* the last one */
    bool is_cut_off;    /* it was too slow */
    uint32_t ends;      /* how often it was told of the end, */
    dx_stream_end why;  /* and which */
    /* the message or note that is coming */
    size_t part_size;
    uint8_t *part;
    const char *fault; /* what was wrong first, NULL: nothing */
} reader;

scene *scene_new(void);
void scene_free(scene *scene); /* all readers must have left */

/* Publishes a message of `size` bytes; it goes to the feed too, unless `is_lost`. */
void scene_publish(scene *s, size_t size, uint64_t origin, bool is_lost);
/* Gives the feed a note with `size` bytes of text, at least 4. */
void scene_note_add(scene *s, size_t size);
/* The stream ends here and at its home. */
void scene_end(scene *s, dx_stream_end end);
/* Answers the read of the log that has waited longest, if there is one. */
void scene_answer(scene *s);
/* Turns the loop once, without waiting. */
void scene_turn(scene *s);
/* Every count and position of the feed is true. NULL, or what is not. */
const char *scene_fault(const scene *s);

/* Makes `r` (zeroed, but for take_bytes, is_holding, on_slow and what it allocated before) read from
 * `next` on, in the log until it can join. */
void reader_start(reader *r, scene *s, uint64_t next, uint64_t origin);
/* What the writable socket does: takes at most `bytes`, in one pull. False if there was nothing. */
bool reader_take(reader *r, size_t bytes);
/* Takes all there is, `bytes` at a time, and continues when there is room; returns when at rest. */
void reader_drain(reader *r, size_t bytes);
/* Starts a send that stays in flight, and ends it after `bytes` bytes. */
bool reader_hold(reader *r);
void reader_land(reader *r, size_t bytes);
/* One step of catching up, if there is room. */
void reader_continue(reader *r);
void reader_leave(reader *r);
/* A note that it should have got, being live all the time, has not come. */
bool reader_misses_note(const reader *r);

#endif
