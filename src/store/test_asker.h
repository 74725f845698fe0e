/* Who asks a store in tests: a loop, and calls that turn it until the answer is there.
 * Is:     a store in a directory of its own; commits, loads and reads as one call each.
 * Memory: what a call gives is freed by asker_end, or where it says so.
 * Threads: one per asker.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_TEST_ASKER_H
#define DX_STORE_TEST_ASKER_H

#include "store/sqlite.h"

typedef struct asker {
    dx_store *store;
    dx_loop *loop;
    char directory[128];
    char why[DX_STORE_WHY_BYTES];
    dx_store_sqlite_options options;
    /* of the last load */
    uint64_t id, first, tail;
    char record[256];
    size_t facts_count;
    char facts[4096]; /* "key=value;" of each, in no order */
    /* of the last read; released by the next one */
    dx_store_read read;
} asker;

/* A new directory below $TMPDIR (or /tmp), an empty store in it. */
void asker_begin(asker *a);
/* Closes the store and removes the directory. */
void asker_end(asker *a);
/* Only a directory and a loop. */
void asker_begin_without_store(asker *a);
void asker_remove(asker *a);

dx_err asker_open(asker *a);
void asker_close(asker *a);
void asker_reopen(asker *a);

/* Turns the loop until `*is_done`, at most 60 s; aborts then. */
void asker_wait(asker *a, const bool *is_done);

/* What one commit changes; zeros: nothing. */
typedef struct edit {
    uint64_t id;
    const char *path, *record;
    uint64_t source, source_tail;
    const dx_store_fact *facts;
    size_t facts_count;
    uint64_t sequence;  /* of the first message */
    size_t count, size; /* messages of so many bytes; 0: short ones */
    uint64_t first;
    bool is_path_freed, is_deleted;
} edit;

/* A commit under way, made from an edit: message number n holds "ID/n" and then dots. */
typedef struct commitment {
    dx_store_commit commit;
    bool is_done;
    void (*then)(struct commitment *c); /* may be NULL; frees it */
    void *context;
} commitment;

commitment *asker_commit_start(asker *a, const edit *e);
/* NULL is allowed. */
void commitment_free(commitment *c);

dx_store_status asker_commit(asker *a, const edit *e);
/* A stream with `count` messages. Gives its id. */
uint64_t asker_make(asker *a, const char *path, size_t count);
dx_store_status asker_load(asker *a, const char *path);
dx_store_status asker_read(asker *a, uint64_t id, uint64_t from, size_t count_max,
                           size_t bytes_max);
/* Reads on until nothing comes: the number of messages if they are those of `owner` (0: of `id`) in a row from
 * `from`; else minus the sequence that is wrong, or minus the status. */
long asker_count(asker *a, uint64_t id, uint64_t from);
/* Whether `message` is what asker_commit_start makes of stream `id`. */
bool asker_is_right(const dx_message *message, uint64_t id, uint64_t sequence);

static inline dx_store_fact fact(const char *key, const char *value, uint64_t until_ms)
{
    return (dx_store_fact){dx_bytes_of(key), dx_bytes_of(value), until_ms};
}

#endif
