/* Settling: what was committed goes from the journal into the streams' own rows, many changes at a time.
 * Is:     one slice of settling, of dropping messages, of forgetting facts: a transaction each.
 * Is not: when (sqlite). Durable at once: what a slice writes is in the journal as well until the disk has
 *         the slice, and the log keeps the order of the two.
 * Memory: a scratch buffer.
 * Threads: the store's.
 *
 * Why a journal: measured with bench/store.c (200-byte messages, 1000 streams in turn, some 3000 a transaction,
 * a disk that syncs in 0.2 ms): a row per message 43,000 messages/s, since each touches a page of its stream;
 * one journal row per transaction, settled later, 215,000 to 395,000, settling included. For one stream:
 * 478,000 against 500,000 to 585,000.
 * Runs lie in a table in the order they were settled, found by an index of (stream, first, count): a slice
 * appends pages, and only the index is touched here and there.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_SETTLE_H
#define DX_STORE_SETTLE_H

#include "store/db.h"
#include "store/unsettled.h"

typedef struct dx_settler {
    dx_db *db;
    dx_unsettled *unsettled;
    pthread_rwlock_t *settling;
    uint64_t life;
    uint64_t chore_after; /* the stream that was dropped from last */
    bool has_chores;      /* may have */
    dx_buffer scratch;
} dx_settler;

/* Settles some 1 MiB: streams with much first, then those that wait longest. May be called when there is
 * nothing. is_merging: small runs become larger ones: costs reading.
 * Gives SQLITE_OK, or an error: nothing has changed. */
int dx_settle_slice(dx_settler *settler, bool is_merging);

/* Drops some messages of the next stream that has some to drop. */
int dx_settle_chore(dx_settler *settler);

/* Forgets facts whose time is over. ret: whether there may be more. */
int dx_settle_expire(dx_settler *settler, bool *ret);

/* settle_run.c: writes the messages of `p` as runs, within a transaction. */
int dx_settle_messages(dx_settler *settler, const dx_pending *p, bool is_merging);

/* settle_drop.c: drops at most `count_max` runs of stream `id` that nobody needs. is_done: none is left. */
int dx_settle_drop(dx_settler *settler, uint64_t id, size_t count_max, bool *is_done);

#endif
