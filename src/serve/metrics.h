/* GET /metrics on the admin listener: the figures of the server as Prometheus reads them.
 * Is:     gathering what each worker has counted, and writing it as text.
 * Is not: counting: that is where things happen, in plain fields of the worker they happen at.
 * Memory: of each worker the figures it gave last, for the time when it does not answer.
 * Threads: the admin thread's.
 * Source: Prometheus text exposition format 0.0.4.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_METRICS_H
#define DX_SERVE_METRICS_H

#include "serve/server.h"
#include "serve/text.h"
#include "stream/census.h"

/* What one worker has counted. */
typedef struct dx_figures {
    uint64_t conns_count, carried_count, http1_count, http2_count, websockets_count;
    uint64_t accepted_count, bytes_in, bytes_out;
    dx_net_counts net;
    uint64_t goaways[DX_HTTP2_CODES_COUNT];
    uint64_t websockets_begun, websockets_silent, closes[DX_WS_CODE_SLOTS];
    dx_worker_counts counts;
    dx_hub_traffic traffic;
    dx_histogram latency;
    dx_census census;
    dx_loop_turns turns;
    bool is_known; /* it has answered once */
} dx_figures;

/* Copies what the worker has, on its thread, and counts on: true when that is all. */
bool dx_figures_take(dx_figures *figures, dx_worker *worker);
/* Adds what can be added. */
void dx_figures_join(dx_figures *to, const dx_figures *from);

/* Adds the route. Errors: as dx_server_route. */
DX_MUST_USE dx_err dx_server_metrics(dx_server *server);

#endif
