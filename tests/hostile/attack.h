/* One attack after the other against a real server: what the attacker got, what it cost, who was served meanwhile.
 * Is:      the server's memory (RssAnon) and processor from /proc, a good client beside the attack, one row and one
 *          TAP line for each attack.
 * Is not:  the attacks (h2_attacks.c, ...).
 * To add an attack: a function that attacks until attack_goes_on says no and notes each connection's end with
 *          attack_note, and a row with its measure.
 * Memory:  attack_world_deinit gives all back.
 * Threads: the attack runs in the caller's, the good client and the sampler in one of their own.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HOSTILE_ATTACK_H
#define DX_HOSTILE_ATTACK_H

#include "tests/hostile/good_client.h"

#include <pthread.h>
#include <stdatomic.h>

/* The server, and for how long it is attacked. */
typedef struct attack_options {
    const char *host, *port;
    int pid;
    int warm_ms, attack_ms, rest_ms; /* rest_ms: until its memory is looked at again */
    double slack_mib; /* for what is used for the first time, when there is little time */
    const char *only; /* of the names, a part; NULL: all */
} attack_options;

/* What happened so far in the attack under way. */
typedef struct attack_notes {
    uint64_t conns;      /* that the attacker opened */
    uint64_t right;      /* ended as they should */
    uint64_t silent;     /* ended without a word that could be read */
    uint64_t wrong;      /* ended otherwise, or did not end */
    uint64_t bytes;      /* that the attacker could send */
    uint64_t last_bytes; /* on the last connection */
    char said[64];       /* what the last one got */
} attack_notes;

typedef struct attack_world {
    const attack_options *options;
    attack_notes notes;
    int64_t ends_ms;
    good_client good;
    pthread_t beside;
    atomic_bool is_stopping;
    atomic_size_t memory_kib, peak_kib; /* now, and at most since the attack began */
    atomic_int good_errors;
    bool is_sanitized; /* its memory says nothing */
    int number, failed;
} attack_world;

typedef struct attack_case {
    const char *name; /* begins with its number, as A12 */
    void (*run)(attack_world *w, const void *context);
    const void *context;
    double memory_mib; /* above what it was before, at most */
    int least_ms;      /* if it takes longer than others */
} attack_case;

/* Reads HOST PORT PID [--full] [NAME]; false: it is used otherwise, which was said. */
bool attack_options_read(int argc, char **argv, attack_options *ret);

void attack_world_init(attack_world *w, const attack_options *options, int cases_count);
/* Gives the exit status. */
int attack_world_deinit(attack_world *w);

void attack_play(attack_world *w, const attack_case *c);

/* ---- for attacks ---- */

bool attack_goes_on(const attack_world *w);
/* A connection is over. right: as it should be; said: what it got, NULL: nothing that could be read. */
void attack_note(attack_world *w, bool right, uint64_t bytes, const char *said);
/* Above what it was before the attack, now. */
double attack_memory_mib(const attack_world *w);
/* One more thing that has to be so. */
void attack_check(attack_world *w, bool ok, const char *what);

#endif
