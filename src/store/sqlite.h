/* A store in one SQLite database.
 * Is:     opening one; its state; what can be done with a directory beside serving from it.
 * Is not: what a store promises (stream/store.h), which is kept here to the letter.
 * Memory: two page caches, and what is committed but not settled, all bounded; nothing per idle stream.
 * Threads: two of its own. What is committed while a transaction is under way is the next transaction.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_SQLITE_H
#define DX_STORE_SQLITE_H

#include "base/histogram.h"
#include "stream/store.h"

enum { DX_STORE_WHY_BYTES = 256 };

typedef struct dx_store_sqlite_options {
    const char *directory;      /* borrowed; made (0700) if missing */
    size_t unsettled_bytes_max; /* kept in memory beside the journal; 0: 32 MiB */
    size_t cache_bytes;         /* of pages, for both threads together; 0: 32 MiB */
    size_t log_bytes;           /* of the write-ahead log before it is carried over; 0: 16 MiB */
    uint32_t settle_ms;         /* nothing stays unsettled much longer; 0: 10 s */
    const char *vfs;            /* SQLite's VFS below; borrowed; NULL: the system's */
} dx_store_sqlite_options;

/* Opens the store in a directory; at most one process has it.
 * ret: given; freed by ops->free. That must be called after the loops of all who asked have stopped and
 * before they are freed: until then answers may be posted to them. What is still in a mailbox then is
 * answered when its loop is freed, which may be after later commits of the same stream.
 * why: DX_STORE_WHY_BYTES; on failure a sentence for the operator, without a full stop.
 * Errors: DX_ERR_IN_USE (another process serves from it), DX_ERR_DENIED, DX_ERR_CONFLICT (not of ours, or
 * of a newer version, or damaged), DX_ERR_MEMORY, DX_ERR_FILES, DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_store_sqlite_open(const dx_store_sqlite_options *options, dx_store **ret,
                                        char *why);

typedef struct dx_store_sqlite_state {
    dx_store_status
        status; /* what a commit would have been answered just now: OK, FULL, BROKEN, MEMORY */
    char why[DX_STORE_WHY_BYTES]; /* if not OK: a sentence */
    uint64_t commits, messages;   /* durable since it was opened */
    uint64_t transactions;        /* that they took */
    uint64_t loads, reads;        /* asked for since then */
    uint64_t unsettled_bytes, unsettled_streams, log_bytes;
    uint64_t waiting; /* commits given and not answered yet */
    dx_histogram transaction_times; /* from the beginning to when it was on disk, or had failed */
} dx_store_sqlite_state;

/* For health checks and metrics. Threads: any. Cost: a lock for a moment. */
void dx_store_sqlite_state_get(dx_store *store, dx_store_sqlite_state *ret);

#endif
