/* What is committed (in the journal) but not yet settled into the streams' own rows, in memory.
 * Is:     for each stream with such changes its messages, facts, record and fate; found by id and path.
 * Is not: on disk (journal), the settling (settle).
 * Memory: counted (`bytes`, also what was replaced since: it is still in the journal); the store settles
 *         when it is too much.
 * Threads: changed by the store's thread under `lock`; read by it without, by others under `lock`.
 *
 * A change has two halves, so that nothing can fail after the database said yes: prepare allocates, and
 * nobody sees anything; then apply, or cancel.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_UNSETTLED_H
#define DX_STORE_UNSETTLED_H

#include "base/buffer.h"
#include "base/map.h"
#include "base/list.h"
#include "stream/store.h"

#include <pthread.h>

typedef struct dx_pending_fact dx_pending_fact;
struct dx_pending_fact {
    dx_pending_fact *next;
    uint64_t until_ms;
    uint32_t key_size, value_size;
    uint8_t bytes[]; /* key, value */
};

static inline dx_bytes dx_pending_fact_key(const dx_pending_fact *fact)
{
    return (dx_bytes){fact->bytes, fact->key_size};
}

static inline dx_bytes dx_pending_fact_value(const dx_pending_fact *fact)
{
    return (dx_bytes){fact->bytes + fact->key_size, fact->value_size};
}

enum { DX_PENDING_BIG = 1 << 20 };

/* The changes of one stream. */
typedef struct dx_pending {
    dx_map_node by_id, by_path; /* by_path: while is_in_paths */
    dx_list link;               /* in unsettled->oldest, while it has changes */
    dx_list big_link;           /* in unsettled->big */
    uint64_t id;
    uint8_t id_key[8];
    uint64_t journal; /* the first row with a change of it */
    bool is_in_paths;
    bool is_created; /* and not in the stream table */
    bool is_path_freed, is_deleted;
    bool is_chosen;               /* by the settler */
    uint64_t source, source_tail; /* if is_created */
    uint64_t first;               /* 0: as it was */
    uint8_t *path;                /* if is_in_paths or is_created */
    size_t path_size;
    dx_buffer record; /* empty: as it was */
    bool has_record;
    dx_message **messages; /* references, in a row */
    size_t count, capacity;
    size_t reserved;                     /* prepared and not yet applied: places in `messages` */
    size_t prepared;                     /* changes */
    dx_pending_fact *facts, **facts_end; /* the later of a key counts */
    size_t facts_count;
    size_t bytes;
} dx_pending;

/* A prepared change. */
typedef struct dx_change {
    dx_pending *pending;
    dx_pending_fact *facts, **facts_end;
    size_t facts_count, facts_bytes;
    dx_buffer record;
    bool makes; /* the stream */
} dx_change;

typedef struct dx_unsettled {
    pthread_mutex_t lock;
    dx_map ids, paths;
    dx_list oldest; /* of dx_pending.link */
    dx_list big;    /* of dx_pending.big_link: DX_PENDING_BIG bytes or more */
    size_t bytes, count;
    size_t forks_count; /* that are in no table yet */
} dx_unsettled;

typedef enum dx_prepared { DX_PREPARED, DX_PREPARE_MEMORY, DX_PREPARE_LATER } dx_prepared;

void dx_unsettled_init(dx_unsettled *u);
void dx_unsettled_deinit(dx_unsettled *u);

/* LATER: its path belongs to another stream as long as prepared changes were not applied. */
DX_MUST_USE dx_prepared dx_unsettled_prepare(dx_unsettled *u, const dx_store_commit *commit,
                                             dx_change *ret);
/* The change is in row `journal`. */
void dx_unsettled_apply(dx_unsettled *u, const dx_store_commit *commit, dx_change *change,
                        uint64_t journal);
void dx_unsettled_cancel(dx_unsettled *u, const dx_store_commit *commit, dx_change *change);

/* The changes of a stream; NULL if there are none. */
dx_pending *dx_unsettled_find(const dx_unsettled *u, uint64_t id);
dx_pending *dx_unsettled_find_path(const dx_unsettled *u, dx_bytes path);

/* It is settled: all of it is forgotten. */
void dx_unsettled_forget(dx_unsettled *u, dx_pending *pending);

/* The first journal row that is still needed; UINT64_MAX if none. */
uint64_t dx_unsettled_journal(const dx_unsettled *u);

/* A key for a map of ids. */
dx_bytes dx_id_key(uint64_t id, uint8_t at[static 8]);

#endif
