/* The log of one stream: its messages in order, as far as they are retained.
 * Is:     appending, trimming by count, bytes and age, finding by sequence. It lives at the stream's
 *         home worker.
 * Is not: durable (a store is), subscribers (topic, feed).
 * Memory: a ring of message references.   Threads: its home worker's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_LOG_H
#define DX_STREAM_LOG_H

#include "stream/message.h"

typedef struct dx_retention {
    uint32_t count_max; /* messages */
    uint64_t bytes_max; /* of payload; the newest message stays even if it alone is larger */
    uint64_t age_ms_max;
} dx_retention;

typedef struct dx_log_ring {
    dx_message **at; /* capacity slots, a power of two or 0; slot of n: n & (capacity - 1) */
    uint32_t capacity;
    uint32_t count;
    uint64_t bytes;
    uint64_t tail;    /* sequence of the newest message ever appended; 0: none yet */
    uint64_t time_ms; /* when that was; wall clock */
} dx_log_ring;

/* Sequence of the oldest retained message; tail + 1 if there is none. */
static inline uint64_t dx_log_first(const dx_log_ring *log)
{
    return log->tail + 1 - log->count;
}

/* Makes room for `count` messages more (of which retention may keep fewer). False: no memory. */
DX_MUST_USE bool dx_log_reserve(dx_log_ring *log, size_t count, const dx_retention *retention);

/* Appends `message` (taken), giving it the next sequence and the time, which never runs backwards in a log,
 * and trims. There must be room (dx_log_reserve). */
void dx_log_append(dx_log_ring *log, dx_message *message, uint64_t now_ms,
                   const dx_retention *retention);

/* The same for one that has its sequence, which must be the next, and its time; does not trim. */
void dx_log_push(dx_log_ring *log, dx_message *message);

void dx_log_drop_first(dx_log_ring *log);

/* Holds nothing then, and the next message is number tail + 1. */
void dx_log_reset(dx_log_ring *log, uint64_t tail);

/* Drops what retention does not keep. */
void dx_log_trim(dx_log_ring *log, uint64_t now_ms, const dx_retention *retention);

/* The message with `sequence`, which must be retained (dx_log_first to tail). Borrowed. */
dx_message *dx_log_at(const dx_log_ring *log, uint64_t sequence);

void dx_log_deinit(dx_log_ring *log);

#endif
