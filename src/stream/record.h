/* What a store keeps of a stream beside its messages, as others than its home see it: to move streams from one
 * store to another.
 * Is:     the record and the facts, taken apart and put together.
 * Is not: a stream that is in use (stream_store.h).
 * Memory: views of what was read.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_RECORD_H
#define DX_STREAM_RECORD_H

#include "base/buffer.h"
#include "stream/hub.h"
#include "stream/store.h"

typedef struct dx_record_view {
    uint64_t identity;
    dx_lifetime lifetime;
    dx_stream_kind kind;
    bool is_closed, is_deleted;
    dx_bytes type;
    dx_bytes runs; /* dx_record_run; 16 bytes each */
    uint32_t runs_count;
} dx_record_view;

/* False: damaged, or of a later version. What a fork knows of its source is left out. */
DX_MUST_USE bool dx_record_view_read(dx_bytes in, dx_record_view *ret);
/* Of the messages from `sequence` on; index: below runs_count. */
dx_offset dx_record_run(const dx_record_view *view, uint32_t index);
/* Appends a run to `runs`. False: no memory. */
DX_MUST_USE bool dx_record_add_run(dx_buffer *runs, dx_offset run);
/* Appends the record of a stream that is no fork. False: no memory. */
DX_MUST_USE bool dx_record_view_write(const dx_record_view *view, dx_buffer *to);

typedef enum dx_fact_kind {
    DX_FACT_IS_OTHER, /* counts of what else is said, or of a later version */
    DX_FACT_IS_PRODUCER,
    DX_FACT_IS_KEY,
    DX_FACT_IS_SEQUENCE,
    DX_FACT_IS_USED,
    DX_FACT_IS_BYTES,
} dx_fact_kind;

typedef struct dx_fact_view {
    dx_fact_kind kind;
    dx_bytes name; /* of a producer or key; of SEQUENCE the value */
    uint64_t numbers
        [3]; /* PRODUCER: epoch, sequence, when it was used; KEY: hash, epoch and sequence of the
                            answer; USED: when; BYTES: how many */
    uint64_t until_ms; /* of a KEY */
} dx_fact_view;

dx_fact_view dx_fact_view_read(const dx_store_fact *fact);
/* Appends key and value to `to`: the sizes are given, the places change as it grows. False: no memory. */
DX_MUST_USE bool dx_fact_view_write(const dx_fact_view *view, dx_buffer *to, dx_store_fact *ret);

#endif
