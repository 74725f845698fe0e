/* Commits as bytes: what a row of the journal holds, one commit behind the other.
 * Is:     encoding what a commit changes, and reading it back.
 * Is not: the row itself, its checksum (db), what becomes of the changes (unsettled).
 * Memory: see each call.   Threads: any.
 *
 * A commit is: its stream's id, a byte that says which of these follow, path, source and source_tail,
 * record, first, facts (their count; key, value, until of each), messages (the sequence of the first,
 * their count, and a run). Numbers are varints; bytes have their size before them.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_JOURNAL_H
#define DX_STORE_JOURNAL_H

#include "base/buffer.h"
#include "store/run.h"
#include "stream/store.h"

/* Appends what `commit` changes to `to`. False when memory is out: nothing changed. */
DX_MUST_USE bool dx_journal_append(dx_buffer *to, const dx_store_commit *commit);

/* One commit as read; all are views into the row. */
typedef struct dx_journal_entry {
    dx_store_commit commit; /* but for facts and messages */
    size_t facts_count;
    dx_bytes facts; /* dx_journal_fact */
    uint64_t sequence;
    size_t messages_count;
    dx_bytes run;
} dx_journal_entry;

/* Reads one commit from the front of `*in` (not empty) and moves it. False: damaged, nothing changed. */
bool dx_journal_read(dx_bytes *in, dx_journal_entry *ret);

/* Reads one fact from the front of `*facts` and moves it. */
bool dx_journal_fact(dx_bytes *facts, dx_store_fact *ret);

/* The checksum of a row. */
uint32_t dx_journal_sum(uint64_t id, uint64_t life, dx_bytes data);

#endif
