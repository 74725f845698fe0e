/* What can be done with a store's directory beside serving from it, also while somebody does: copy it, check it,
 * walk over all it holds.
 * Is:     what `duplex backup`, `verify` and `export` stand on.
 * Is not: changing anything in it.
 * Memory: a page cache; what is unsettled in it.
 * Threads: each call on the calling thread, with a connection of its own; it takes as long as it takes.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_INSPECT_H
#define DX_STORE_INSPECT_H

#include "store/sqlite.h"

/* In all these calls: directory is borrowed; why (DX_STORE_WHY_BYTES) gets a sentence on failure; all see the
 * directory as of one moment, when they began.
 * Errors: DX_ERR_NOT_FOUND (no store there), DX_ERR_CONFLICT (not of ours, of another version, or damaged),
 * DX_ERR_DENIED, DX_ERR_MEMORY, DX_ERR_SYSTEM. */

/* Copies the store into one file, which is there as a whole, synced, or not at all. To restore, put it into a
 * directory as duplex.db.
 * file: borrowed; must not exist. progress: NULL, or called now and then with pages copied and in all; false
 * ends it with DX_ERR_CLOSED.
 * Errors: DX_ERR_IN_USE (the file exists). */
DX_MUST_USE dx_err dx_store_sqlite_backup(const char *directory, const char *file,
                                          bool (*progress)(void *context, uint64_t done,
                                                           uint64_t all),
                                          void *context, char *why);

typedef struct dx_store_report {
    uint64_t streams, messages, facts, runs, payload_bytes;
    uint64_t unsettled_streams, unsettled_messages;
    uint64_t faults;
} dx_store_report;

/* Reads everything: checksums of pages and runs, SQLite's own structure, messages in a row. DX_OK also if it found
 * faults: they are counted.
 * on_fault: called with a sentence for each. */
DX_MUST_USE dx_err dx_store_sqlite_verify(const char *directory,
                                          void (*on_fault)(void *context, const char *sentence),
                                          void *context, dx_store_report *ret, char *why);

/* A stream as a walk comes to it. Views until the next call. */
typedef struct dx_store_stream {
    uint64_t id;
    dx_bytes path;                /* empty: freed, forks need its messages */
    uint64_t source, source_tail; /* of a fork */
    dx_bytes record;
    const dx_store_fact *facts;
    size_t facts_count;
    uint64_t first, tail;
} dx_store_stream;

/* Both: false ends the walk, with DX_OK. */
typedef struct dx_store_walker {
    bool (*on_stream)(struct dx_store_walker *walker, const dx_store_stream *stream);
    /* Of the stream before, those it can be asked for, in order; a fork's from its source are among them. borrow.
     * NULL: no messages are read. */
    bool (*on_message)(struct dx_store_walker *walker, const dx_message *message);
    bool is_passed_over; /* set by on_stream: the messages of this one are not read */
} dx_store_walker;

/* All streams, a source before its forks. */
DX_MUST_USE dx_err dx_store_sqlite_walk(const char *directory, dx_store_walker *walker, char *why);

#endif
