/* What goes between the homes of a source and its fork.
 * Is:     for the files of the home that make forks.
 * Memory: one block from the request to its answer, with what the fork begins with.
 * Threads: the home's where it is.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_STREAM_FORK_H
#define DX_STREAM_STREAM_FORK_H

#include "stream/stream.h"

struct dx_fork_work {
    dx_post post;
    dx_create *create; /* NULL once it was answered */
    dx_hub *home;      /* the fork's */
    dx_stream *pinned; /* the fork, if it was looked up */
    dx_hub *source_home;
    dx_stream_status status;
    dx_fork *fork; /* goes into the stream */
    dx_lifetime lifetime;
    dx_stream_kind kind;
    uint64_t first, at; /* sequences: of what is shared; `at` is the last one */
    dx_epoch_run *runs;
    uint32_t runs_count;
    dx_message **messages; /* shared ones: those up to `at` that the fork must have itself */
    size_t count, capacity;
    uint64_t bytes;
    dx_message *cut; /* the fork's own: the first part of the one behind `at` */
    dx_read read;
    uint64_t read_to;
    bool is_source_kept, is_fork_kept;
    bool is_held; /* the source counts the fork */
    bool needs_cut;
    uint8_t type_size;
    char type[DX_TYPE_BYTES_MAX];
    uint16_t source_size;
    char source[]; /* path */
};

#endif
