/* Where streams are kept that outlive the process: what the stream layer asks of a store.
 * Is:     loading a stream, committing changes, reading messages back: all asynchronous.
 * Is not: a store (src/store), what a stream's facts mean (the stream layer's own affair).
 * Memory: operations belong to whom asks; a store copies or writes what it is given before it answers.
 * Threads: each slot from any worker. `done` is called on the loop given in the operation, in the order
 *         of the commits of one stream.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_STORE_H
#define DX_STREAM_STORE_H

#include "loop/loop.h"
#include "stream/message.h"

typedef struct dx_store dx_store;

typedef enum dx_store_status {
    DX_STORE_OK,
    DX_STORE_NOT_FOUND, /* load: there is no such stream */
    DX_STORE_FULL,      /* no space: nothing was changed */
    DX_STORE_BROKEN,    /* the medium failed, or what it holds is damaged: nothing was changed */
    DX_STORE_MEMORY,
    DX_STORE_CLOSED, /* the store is closing */
} dx_store_status;

/* One small thing known of a stream beside its record: a producer, an idempotency key. A key is unique
 * within its stream; a value of size 0 removes it. */
typedef struct dx_store_fact {
    dx_bytes key, value;
    uint64_t until_ms; /* wall clock: may be forgotten from then on; 0: never */
} dx_store_fact;

/* Finds a stream by its path. */
typedef struct dx_store_load dx_store_load;
struct dx_store_load {
    dx_bytes path; /* borrowed until done */
    dx_loop *loop;
    void (*done)(dx_store_load *load);
    dx_store_status status;
    /* If OK; views until `done` returns: */
    uint64_t id;
    dx_bytes record; /* as committed last */
    const dx_store_fact *facts;
    size_t facts_count;
    uint64_t first, tail; /* sequences: oldest retained (tail + 1 if none), newest */
    uint32_t forks_count; /* streams that were made as forks of it and are not deleted */
    /* private to the store */
    dx_post post;
    dx_store_load *next;
    void *work;
};

/* Changes to one stream, all or none. Those of one stream are applied in the order they were given. If one
 * fails, all that were given behind it for the same stream before its `done` fail, too. */
typedef struct dx_store_commit dx_store_commit;
struct dx_store_commit {
    uint64_t id;   /* from dx_store_new_id for a stream that is made with this commit */
    dx_bytes path; /* of a stream that is made with this commit, else empty; borrowed until done */
    uint64_t
        source; /* made as a fork: the id of the stream whose messages up to `source_tail` it has; 0: none */
    uint64_t source_tail;
    dx_bytes record;            /* at NULL: as it was; borrowed until done */
    const dx_store_fact *facts; /* borrowed until done */
    size_t facts_count;
    dx_message *const *messages; /* references kept by the asker until done; in a row */
    size_t count;
    uint64_t first; /* not 0: messages with a lower sequence may be dropped, now or later */
    bool
        is_path_freed; /* it is deleted, but forks need its messages: no load finds it by its path any
                           more unless `record` is given, too (which then says that it is deleted) */
    bool is_deleted;   /* with all it holds. A fork must be deleted before its source */
    dx_loop *loop;
    void (*done)(dx_store_commit *commit);
    dx_store_status status;
    /* private to the store */
    dx_post post;
    dx_store_commit *next;
    void *work;
};

/* Reads messages in a row, from a fork's source where that has them. It may give less than it is asked for,
 * but nothing only where there is nothing. */
typedef struct dx_store_read dx_store_read;
struct dx_store_read {
    uint64_t id;
    uint64_t from;               /* sequence; what is not retained any more is passed over */
    size_t count_max, bytes_max; /* at least one is given if there is one */
    dx_loop *loop;
    void (*done)(dx_store_read *read);
    dx_store_status status;
    dx_message *
        *messages; /* references and the array are given to the asker: dx_store_read_release */
    size_t count;
    /* private to the store */
    dx_post post;
    dx_store_read *next;
    void *work;
};

/* Goes over all streams, some at a time, for who looks after those that nobody uses. One that was made or
 * changed a moment ago may be missing, or as it was. */
typedef struct dx_store_scanned {
    uint64_t id;
    dx_bytes path, record;
} dx_store_scanned;

typedef struct dx_store_scan dx_store_scan;
struct dx_store_scan {
    uint64_t after; /* an id: those above it, in rising order */
    size_t count_max;
    dx_loop *loop;
    void (*done)(dx_store_scan *scan);
    dx_store_status status;
    /* If OK; views until `done` returns. Fewer than count_max: there are no more. */
    const dx_store_scanned *at;
    size_t count;
    /* private to the store */
    dx_post post;
    dx_store_scan *next;
    void *work;
};

/* The array is one of malloc's. */
void dx_store_read_release(dx_store_read *read);

typedef struct dx_store_ops {
    /* A number for a stream that is to be made: never given before, also not in a former life. Cost: O(1),
     * does not wait. */
    uint64_t (*new_id)(dx_store *store);
    /* May call done before it returns only where the store needs no other thread. */
    void (*load)(dx_store *store, dx_store_load *load);
    void (*commit)(dx_store *store, dx_store_commit *commit);
    void (*read)(dx_store *store, dx_store_read *read);
    void (*scan)(dx_store *store, dx_store_scan *scan);
    /* Finishes what was given to it, answers all, and frees it. No loop runs any more, but none is freed
     * yet: operations are answered on the calling thread, or by posts that wait in the loops. */
    void (*free)(dx_store *store);
} dx_store_ops;

struct dx_store {
    const dx_store_ops *ops;
};

#endif
