/* Whether every worker's loop turns: one that does not is noticed and said.
 * Is:     a thread that asks each worker for a sign of life once a second.
 * Is not: what /readyz says of it (health.c), ending a worker: it may come back.
 * Memory: a post for each worker.
 * Threads: a thread of its own; dx_pulse_stuck from any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_PULSE_H
#define DX_SERVE_PULSE_H

#include "base/platform.h"

struct dx_server;
typedef struct dx_pulse dx_pulse;

enum { DX_PULSE_STUCK_MS = 5000 /* without a sign of life, and a worker does not respond */ };

/* Starts the thread, when the workers run.
 * Errors: DX_ERR_MEMORY, DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_pulse_new(struct dx_server *server, dx_pulse **ret);
/* Stops it, before the workers' loops are freed; its memory stays for posts that were not run yet. */
void dx_pulse_stop(dx_pulse *pulse);
/* When they are freed. NULL is allowed. */
void dx_pulse_free(dx_pulse *pulse);

/* The first worker that does not respond; -1: all do. NULL is allowed. */
int dx_pulse_stuck(const dx_pulse *pulse);

#endif
