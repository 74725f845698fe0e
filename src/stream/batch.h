/* A row of messages on its way from one worker to another.
 * Is:     references in order, as many as the bounds allow.
 * Is not: the way (hub.h), or who is to get them (home.c).
 * Memory: an array of pointers; large only while there is much in it.
 * Threads: one at a time; a batch is handed over with the post that carries it.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_BATCH_H
#define DX_STREAM_BATCH_H

#include "stream/message.h"

enum { DX_BATCH_COUNT_MIN = 16, DX_BATCH_COUNT_MAX = 4096, DX_BATCH_BYTES_MAX = 1048576 };

typedef struct dx_batch {
    dx_message **at;
    uint32_t count, capacity;
    uint64_t bytes; /* of payload */
} dx_batch;

/* Room for DX_BATCH_COUNT_MIN messages at least. False: no memory. */
DX_MUST_USE bool dx_batch_init(dx_batch *batch);
/* One that was not initialised, but zeroed, is allowed. */
void dx_batch_deinit(dx_batch *batch);

/* Takes one more reference to `message`. False: it is full, or memory is out. What is empty takes one. */
DX_MUST_USE bool dx_batch_add(dx_batch *batch, dx_message *message);

/* Releases all that is in it, and the memory of a burst. */
void dx_batch_clear(dx_batch *batch);

#endif
