/* The streams on the admin listener: /streams and a stream's path is that stream, for those who run the server.
 * Is:     GET (history, last, long-poll, presence), HEAD, PUT, POST and DELETE by the same doors as where streams are
 *         served: each request visits a worker, and its answer comes back.
 * Is not: for many: an answer is put together in memory, so there is neither SSE nor WebSocket.
 * Memory: a visit for each request, with copies of the request and of its answer; at most VISITS_COUNT_MAX.
 * Threads: the admin thread's and the worker's, which hand the visit to each other by posts.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_ADMIN_STREAMS_H
#define DX_SERVE_ADMIN_STREAMS_H

#include "serve/admin.h"

struct dx_worker;

#define DX_ADMIN_STREAMS_PREFIX "/streams"

/* Adds the route. Whoever may use the listener may read all streams, also those that only their owners or nobody may
 * read; what nobody may publish, create or delete is nobody's here, too.
 * Errors: as dx_server_route. */
DX_MUST_USE dx_err dx_server_admin_streams(struct dx_server *server);

/* ---- for admin.c and worker.c ---- */

/* Before its thread starts, when the server's streams are settled. Errors: DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_admin_streams_begin(dx_admin *admin);
/* When nothing of it runs any more. */
void dx_admin_streams_end(dx_admin *admin);
/* On a worker: those who wait are not kept waiting; none is left, and none comes any more. */
void dx_admin_visits_hurry(struct dx_worker *worker);
void dx_admin_visits_end(struct dx_worker *worker);

#endif
