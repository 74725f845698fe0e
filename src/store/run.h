/* Messages in a row, as bytes: what rows of the database hold.
 * Is:     the encoding of messages; pieces that were encoded one by one may be put behind one another.
 * Is not: where a run lies, its checksum (settle, journal).
 * Memory: see each call.   Threads: any.
 *
 * A message is: one byte of flags; if it is FRESH its epoch; its time (FRESH: whole, else what it is above
 * that of the one before it); its origin if it has ORIGIN; its size and its payload. Numbers are varints.
 * The sequences are those of the run, in a row.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_RUN_H
#define DX_STORE_RUN_H

#include "base/buffer.h"
#include "stream/message.h"

enum {
    DX_RUN_KINDS_COUNT = 32,                      /* of dx_message.kind: five bits */
    DX_RUN_HEAD_BYTES_MAX = 1 + 10 + 10 + 10 + 5, /* of a message before its payload */
};

/* Appends a piece with `messages` to `to`. False when memory is out: nothing changed. */
DX_MUST_USE bool dx_run_append(dx_buffer *to, dx_message *const *messages, size_t count);

/* A cursor. Zeros but for `rest`: the run. */
typedef struct dx_run_reader {
    dx_bytes rest;
    uint64_t epoch, time_ms;
    bool is_begun;
} dx_run_reader;

typedef struct dx_run_item {
    uint8_t kind;
    bool is_last;
    uint64_t epoch, time_ms, origin;
    dx_bytes payload; /* view into the run */
} dx_run_item;

typedef enum dx_run_status { DX_RUN_ITEM, DX_RUN_END, DX_RUN_DAMAGED } dx_run_status;

dx_run_status dx_run_next(dx_run_reader *reader, dx_run_item *ret);

/* A message made of `item`. NULL when memory is out. */
dx_message *dx_run_message(const dx_run_item *item, uint64_t sequence);

/* The checksum of a run: of where it belongs and what it holds. */
uint32_t dx_run_sum(uint64_t stream, uint64_t first, uint64_t count, uint64_t life, dx_bytes data);

#endif
