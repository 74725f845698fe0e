/* Several workers with publishers and subscribers everywhere, and streams homed anywhere, for tests of hubs.
 * Is:     one run: what it is like (set by the test), and what came of it.
 * Threads: what is atomic, any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_TEST_WORLD_H
#define DX_STREAM_TEST_WORLD_H

#include "loop/workers.h"
#include "stream/hub_home.h"
#include "stream/test_store.h"

enum {
    WORKERS_MAX = 4,
    STREAMS = 5,
    STAYING = STREAMS, /* subscribers of each worker that stay: one of each stream */
    LEAVING = 6,       /* and that come and go */
    ACTORS = STAYING + LEAVING,
    UNANSWERED_MAX = 200, /* appends of one worker */
    SEQUENCES_MAX = 65536,
};

typedef struct world world;
typedef struct place place;

typedef enum actor_state { AWAY, WATCHING, READING } actor_state;

/* A subscriber that checks what it gets. */
typedef struct actor {
    dx_watch watch;
    dx_subscriber sub;
    dx_task room;
    dx_topic *topic;
    place *at;
    uint32_t stream;
    bool is_leaving_sometimes;
    actor_state state;
    uint64_t expected; /* sequence, 0: none yet */
    uint32_t until_leaving;
} actor;

/* What is on one worker. */
struct place {
    world *in;
    dx_loop *loop;
    dx_hub *hub;
    dx_task act;
    uint64_t random;
    uint32_t to_publish, unanswered;
    bool is_begun, is_counted;
    actor actors[ACTORS];
};

/* One run: what it is like, and what came of it. */
struct world {
    uint32_t workers_count;
    uint32_t messages_each; /* published by each worker */
    uint32_t posts_count_max;
    uint32_t slow_ms; /* worker 0 sleeps so long in every turn */
    uint32_t kept_count;
    dx_loop_kind kind;
    dx_namespace ns;
    dx_streams *streams;
    dx_workers *workers;
    place places[WORKERS_MAX];
    char paths[STREAMS][24];
    _Atomic uint64_t seen[STREAMS][SEQUENCES_MAX]; /* what the first reader of a sequence got */
    atomic_uint published[STREAMS];                /* answered with OK */
    atomic_uint refused;
    atomic_ulong delivered, lost, lost_by_staying;
    atomic_uint places_ready;                    /* whose staying ones all read */
    _Atomic uint64_t next[WORKERS_MAX][STREAMS]; /* `expected` of the staying ones */
    bool has_store;
    test_disk *disk;
    dx_store *store;
    _Atomic(const char *) fault;
};

typedef struct publication {
    dx_append append;
    dx_message *messages[3];
    place *at;
    uint32_t stream;
} publication;

/* Begins one that is like `like`. */
world *world_begin(const world *like);
/* Ends it, wherever it is: all was answered then, or that is the fault. Gives that, or NULL. */
const char *world_end(world *w);
/* All that was to be published was, and everybody who stays has got it. */
bool world_is_complete(world *w);
dx_bytes world_path(const world *w, uint32_t stream);
void world_on_published(dx_append *append);

#endif
