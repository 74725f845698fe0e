/* Two hubs that one thread turns by turns, for tests of homes: everything happens in the order that the
 * test says, at the time that it says.
 * Is:     the pair, paths by their home, operations that wait for their answer.
 * Threads: one.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_TEST_PAIR_H
#define DX_STREAM_TEST_PAIR_H

#include "stream/hub_home.h"

enum { PAIR_PATHS = 8 };

typedef struct pair {
    dx_streams *streams;
    dx_loop *loops[2];
    dx_hub *hubs[2];
    dx_namespace
        ns; /* made by use, in memory, keeps all; may be changed before anything is asked */
    dx_namespace other; /* of a second prefix: the same */
    dx_store *store;
    char names[2][PAIR_PATHS][24]; /* by the hub that is their home */
    char *path;                    /* the first one of hub 0 */
} pair;

#define KEEP_ALL ((dx_retention){UINT32_MAX - 1, UINT64_MAX, UINT64_MAX})

pair *pair_new(dx_retention keep);
/* store: taken; NULL: none. */
pair *pair_new_with(dx_store *store);
/* Ends everything; the store, too. */
void pair_free(pair *p);
void pair_turn(pair *p);
/* Turns until `is_done`; ends the program if that takes too long. */
void pair_wait(pair *p, const bool *is_done);
/* The wall clock goes on by so much; it stands still otherwise. */
void pair_pass(pair *p, int64_t ms);

dx_message *pair_message(const char *text);

/* What an operation was answered; views are gone. */
typedef struct pair_answer {
    dx_append append;
    dx_create create;
    dx_delete op;
    bool is_done;
} pair_answer;

/* Starts, from hub `from`; pair_answer must stay until it is done. Texts are messages, up to NULL. */
void pair_begin_append(pair *p, uint32_t from, pair_answer *answer, const char *const *texts);
void pair_begin_create(pair *p, uint32_t from, pair_answer *answer, const char *const *texts);
void pair_begin_delete(pair *p, uint32_t from, pair_answer *answer);

/* The same, and waits; fields of `like` that are not set have their defaults (namespace `ns`, path `path`,
 * kind of the type). */
dx_append pair_append(pair *p, uint32_t from, dx_append like, const char *const *texts);
dx_create pair_create(pair *p, uint32_t from, dx_create like, const char *const *texts);
dx_stream_status pair_delete(pair *p, uint32_t from, const char *path);
/* The caller releases. count_max and bytes_max: 1000 and 1000000 if 0. */
dx_read pair_read(pair *p, uint32_t from, dx_read like);
/* All payloads joined by "|", or the status in brackets; good until the next call. */
const char *pair_text(pair *p, uint32_t from, const char *path);
/* All zeros if it cannot be read. */
dx_stream_info pair_info(pair *p, uint32_t from, const char *path);

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
