/* What was revoked before its time: tokens by their id, and all that a subject has had up to a time.
 * Is:     the list, asked with every proof and when it grows; kept in a file, synced before it counts.
 * Is not: ending live sessions (lease.h), the API that it comes by (the admin listener).
 * Memory: at most DX_REVOKED_MAX entries; one whose time is over goes when the file is read again.
 * Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_REVOKED_H
#define DX_SERVE_REVOKED_H

#include "base/map.h"
#include "serve/principal.h"

#include <pthread.h>

enum { DX_REVOKED_MAX = 100000, DX_REVOKED_WHY_BYTES = 640 };

/* One of id and subject is given. */
typedef struct dx_revocation {
    dx_bytes id;      /* jti: 1 to 255 bytes */
    dx_bytes subject; /* sub: a good one */
    uint64_t
        before_ms; /* of a subject: proofs that were issued by then, wall time; those that do not say
                           when are among them */
    uint64_t
        until_ms; /* wall time: then the entry is forgotten, because what it is about has expired;
                           DX_FOR_EVER */
} dx_revocation;

typedef struct dx_revoked {
    pthread_mutex_t lock;
    dx_map map;
    int fd; /* of the file; -1: in memory only */
} dx_revoked;

/* Reads the file, made if it is missing; NULL, "": in memory only.
 * why: what is wrong, with the file's name. Errors: DX_ERR_NOT_FOUND, DX_ERR_DENIED, DX_ERR_NAME (a line that is
 * none of ours), DX_ERR_SYSTEM, DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_revoked_init(dx_revoked *revoked, const char *file,
                                   char why[DX_REVOKED_WHY_BYTES]);
void dx_revoked_deinit(dx_revoked *revoked);

/* Adds one; texts are copied. Errors: DX_ERR_NAME (neither or both are given, or one is not good), DX_ERR_TOO_LARGE
 * (the list is full), DX_ERR_SYSTEM (it cannot be written: it does not count), DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_revoked_add(dx_revoked *revoked, const dx_revocation *entry);

/* Whether what `who` rests on was revoked. */
bool dx_revoked_has(dx_revoked *revoked, const dx_principal *who);

struct dx_server;
/* Adds one, and ends the live sessions that rest on it, at once: they are closed with 4401, or end. Errors: as
 * dx_revoked_add; DX_ERR_CLOSED (the server does not run). Threads: any. */
DX_MUST_USE dx_err dx_server_revoke(struct dx_server *server, const dx_revocation *entry);

/* Adds POST /api/v1/revocations to the admin listener (revocations.c), before the server starts. Errors: as
 * dx_server_route. */
DX_MUST_USE dx_err dx_server_revocations(struct dx_server *server);

#endif
