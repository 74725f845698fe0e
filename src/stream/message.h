/* One message of a stream: immutable, counted, shared by all workers.
 * Is:     the payload and what is known of it once it has its place in the log.
 * Is not: any wire encoding (feed).
 * Memory: one heap block, freed with the last reference.
 * Threads: refs from any; all but `refs` and the payload is set at its home before anybody else sees it.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_MESSAGE_H
#define DX_STREAM_MESSAGE_H

#include "base/bytes.h"

#include <stdatomic.h>

typedef struct dx_message {
    atomic_uint refs;
    uint32_t size;
    uint8_t kind;      /* dx_stream_kind of its stream (hub.h) */
    bool is_last;      /* of those appended as one */
    uint32_t arrived_us; /* CLOCK_MONOTONIC, modulo 2^32, when it came to be appended; 0: not known */
    uint64_t epoch;    /* of the log it was appended to: a fork shares the messages of its source */
    uint64_t sequence; /* 1 for the first of the log; with `epoch` its offset (codec/offset.h) */
    uint64_t time_ms;  /* wall clock when it was appended; not below that of the one before it */
    uint64_t origin;   /* the subscriber it came from; 0: none */
    uint8_t payload[];
} dx_message;

/* A message with one reference and a copy of `payload`. NULL when memory is out. */
dx_message *dx_message_new(dx_bytes payload, uint64_t origin);

static inline dx_message *dx_message_ref(dx_message *message)
{
    atomic_fetch_add_explicit(&message->refs, 1, memory_order_relaxed);
    return message;
}

/* NULL is allowed. */
void dx_message_unref(dx_message *message);

static inline dx_bytes dx_message_payload(const dx_message *message)
{
    return (dx_bytes){message->payload, message->size};
}

#endif
