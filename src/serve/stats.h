/* Figures of the server as a stream of its own, /live/$sys/stats, once a second while somebody listens.
 * Is:     what all workers have counted since the server started, as one JSON object; who reads it twice knows
 *         rates.
 * Is not: figures of single streams or connections.
 * Memory: one struct of the server; a worker's figures are counted in its net and hub anyway.
 * Threads: gathered by posts, from worker to worker.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_STATS_H
#define DX_SERVE_STATS_H

#include <duplex/server.h>

typedef struct dx_stats dx_stats;
struct dx_worker;

#define DX_STATS_PREFIX "/live/$sys/"
#define DX_STATS_PATH DX_STATS_PREFIX "stats"

/* Before the server is started. {"t": ms since 1970, "up": ms, "version", "workers", "connections",
 * "bytes_in", "bytes_out", "published", "delivered", "memory": resident bytes, "cpu": ms}; nobody else can publish there.
 * Errors: DX_ERR_CONFLICT (the prefix is taken), DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_server_stats(dx_server *server);

/* For worker.c, on the first worker: begins and ends to look whether somebody listens. NULL is allowed, also
 * below. */
void dx_stats_begin(dx_stats *stats, struct dx_worker *worker);
void dx_stats_end(dx_stats *stats);
/* For server.c: all workers have started, from here on they may be asked. */
void dx_stats_allow(dx_stats *stats);

#endif
