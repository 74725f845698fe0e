/* Leases: what goes on because somebody may, and ends when they may no more.
 * Is:     the live sessions of a worker that rest on a principal: told when it expires, by the wall clock, also when
 *         that is set; and when it is revoked.
 * Is not: what the session does then (the doors).
 * Memory: a lease is a part of its session; open streams need none.
 * Threads: its worker's; dx_server_revoke from any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_LEASE_H
#define DX_SERVE_LEASE_H

#include "base/list.h"
#include "loop/loop.h"
#include "serve/principal.h"

typedef enum dx_lease_end { DX_LEASE_EXPIRED, DX_LEASE_REVOKED } dx_lease_end;

/* "the token has expired" and so on; fits a Close. Static. */
const char *dx_lease_end_text(dx_lease_end why);

/* The leases of a worker. */
typedef struct dx_leases {
    dx_loop *loop;
    dx_list all;            /* of dx_lease.link */
    dx_timer clock;         /* looks whether the wall clock was set, while there are leases */
    uint64_t wall_ahead_ms; /* of the loop's clock, modulo 2^64, when last looked at */
} dx_leases;

typedef struct dx_lease {
    dx_list link;
    dx_leases *of; /* NULL: it is not held */
    dx_timer timer;
    dx_principal *who; /* counted */
    uint64_t until_ms; /* wall time */
    /* It is not held any more, but may be again. who: borrowed. */
    void (*ended)(struct dx_lease *lease, dx_principal *who, dx_lease_end why);
} dx_lease;

void dx_leases_init(dx_leases *leases, dx_loop *loop);
/* When all were dropped. */
void dx_leases_deinit(dx_leases *leases);

/* Holds it; `ended` is called once, not from within. lease->ended is set, and it is not held. who: a reference is
 * taken. */
void dx_lease_hold(dx_lease *lease, dx_leases *of, dx_principal *who, uint64_t until_ms);
/* Lets go of it, and of the principal. Of one that is not held: nothing. */
void dx_lease_drop(dx_lease *lease);

/* Ends those for whom `is_over` says so. */
void dx_leases_end_if(dx_leases *leases, bool (*is_over)(void *context, const dx_principal *who),
                      void *context);

#endif
