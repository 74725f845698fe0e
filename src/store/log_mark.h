/* How far the write-ahead log was synced, written down beside it: so that a log that is damaged is not taken for one that
 * ends earlier.
 * Is:     a file of 16 bytes, DATABASE-mark, written after each sync of the log; what it says is compared with the log
 *         before SQLite reads that.
 * Is not: synced itself. What stands in it was true when it was written and stays true, so an older one does no harm. After
 *         a power loss it may know less; after a kill it knows all.
 * Memory: allocates nothing.
 * Threads: the store's writer.
 * Source: SQLite, "WAL-mode file format".
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_LOG_MARK_H
#define DX_STORE_LOG_MARK_H

#include "base/err.h"

#include <stdint.h>

typedef struct dx_log_mark {
    int fd, log_fd; /* -1: not open */
} dx_log_mark;

/* Nothing is open. */
void dx_log_mark_init(dx_log_mark *mark);

/* Compares the log of the database at `path` with its mark, if there are both. Nobody may write to it meanwhile.
 * why: a sentence, of DX_STORE_WHY_BYTES.
 * Errors: DX_ERR_CONFLICT (the log has lost something that was synced).
 * Cost: reads the log as far as the mark says. */
DX_MUST_USE dx_err dx_log_mark_check(const char *path, char *why);

/* For the database at `path`, whose log is open. Cannot fail: without a file nothing is written down. */
void dx_log_mark_open(dx_log_mark *mark, const char *path);

/* The log was synced, and had so many frames then. Cost: two system calls, no sync. */
void dx_log_mark_set(dx_log_mark *mark, uint32_t frames);

void dx_log_mark_close(dx_log_mark *mark);

#endif
