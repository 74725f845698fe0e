/* A VFS for tests, over the system's: files on a medium that fails, or loses power.
 * Is:     failing the n-th write, sync, truncation or read; an image of what a power cut would leave: what was
 *         synced, and of what was written since a random choice of sectors.
 * Is not: fast: each image is a copy. Nothing is really synced.
 * Memory: a copy of each database and log that is open.
 * Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_TEST_FAULTY_H
#define DX_STORE_TEST_FAULTY_H

#include <stdbool.h>
#include <stddef.h>

typedef enum faulty_kind {
    FAULTY_WRITE,
    FAULTY_SYNC,
    FAULTY_TRUNCATE,
    FAULTY_READ,
    FAULTY_KINDS
} faulty_kind;

/* The name to give to SQLite; registered on first use. */
const char *faulty_vfs(void);

/* Operation number `nth` of its kind from now on (1: the next) fails with `code` (SQLITE_IOERR_..., SQLITE_FULL), and
 * `count` - 1 after it. `error`: errno then. A sync that fails loses what was written since the last one: the kernel
 * takes those pages for clean. */
void faulty_arm(faulty_kind kind, long nth, long count, int code, int error);
/* No more failures. True if one was made. */
bool faulty_heal(void);
bool faulty_has_failed(void);
/* Operations of a kind so far. */
long faulty_count(faulty_kind kind);

/* Writes into `directory` what a power cut at this moment would leave of all open databases and logs. */
void faulty_cut(const char *directory, unsigned seed);

#endif
