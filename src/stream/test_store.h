/* A store for tests: its disk is memory, and the test says when it answers, what fails, and when it
 * "crashes", so that only what was committed is left.
 * Is:     dx_store_ops with the contract of store.h, which it checks on whoever asks.
 * Threads: operations from any; what the test itself asks for, from one. Answers come by posts.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_TEST_STORE_H
#define DX_STREAM_TEST_STORE_H

#include "stream/store.h"

typedef struct test_disk test_disk;
typedef struct test_store test_store;

test_disk *test_disk_new(void);
void test_disk_free(test_disk *disk);
/* Of streams that are there. */
size_t test_disk_count(const test_disk *disk);
/* All that is known of a stream, as one text to compare; "" if there is none. The caller frees. */
char *test_disk_text(const test_disk *disk, dx_bytes path);

/* On what `disk` holds; freed by its own ops->free, the disk stays. */
dx_store *test_store_new(test_disk *disk);
/* Operations wait until they are let go. */
void test_store_hold(dx_store *store, bool is_held);
/* Carries out up to `count` that wait; gives how many. */
size_t test_store_let(dx_store *store, size_t count);
/* From now on the commit number `nth` (1: the next) fails, with all that its stream sends behind it until
 * that is answered. 0: none. */
void test_store_fail(dx_store *store, size_t nth, dx_store_status status);
/* All loads, or all reads, fail; OK: none does. */
void test_store_fail_loads(dx_store *store, dx_store_status status);
void test_store_fail_reads(dx_store *store, dx_store_status status);
/* What waits is never carried out: it is answered with CLOSED, and so is all that follows. */
void test_store_crash(dx_store *store);
size_t test_store_commits(const dx_store *store);
size_t test_store_reads(const dx_store *store);

#endif
