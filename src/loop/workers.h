/* N threads, each with a loop of its own.
 * Is:     starting them together or not at all, stopping and joining them.
 * Is not: pinned to cores; a queue of jobs. What runs on a loop is its owner's.
 * Memory: nothing shared among the workers but what the owner shares.
 * Threads: see each call; signals are blocked in the workers, so they go to the other threads.
 * SPDX-License-Identifier: MIT */
#ifndef DX_LOOP_WORKERS_H
#define DX_LOOP_WORKERS_H

#include "loop/loop.h"

typedef struct dx_workers dx_workers;

typedef struct dx_workers_options {
    bool
        is_here; /* one worker and no thread: it is the one that calls, which turns the loop (dx_loop_step,
                       or dx_workers_join until it is stopped). With epoll only */
    uint32_t count;   /* 1 to 256; 0: one per core that this process may run on */
    const char *name; /* of the threads, at most 15 bytes, borrowed; NULL: duplex-0, duplex-1, … */
    dx_loop_options loop;
    void *context; /* for the calls below; borrowed until dx_workers_free has returned */
    /* On worker `index`, before its first turn: opens listeners and the like. No worker turns
     * before all have started. An error ends all; what this call had begun it must undo, what it
     * had opened in the loop it must have closed, turning the loop (dx_loop_step) until that is
     * reported. */
    dx_err (*start)(dx_loop *loop, uint32_t index, void *context);
    /* On worker `index`, after its last turn, if its start gave DX_OK: closes what is open, turning
     * the loop (dx_loop_step) until that is reported. May be NULL. */
    void (*end)(dx_loop *loop, uint32_t index, void *context);
} dx_workers_options;

/* Starts the workers and returns when all run, or none.
 * options: borrowed until return. ret: given.
 * Errors: the first that dx_loop_new or `start` gave; DX_ERR_MEMORY, DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_workers_new(const dx_workers_options *options, dx_workers **ret);

uint32_t dx_workers_count(const dx_workers *workers);

/* The loop of worker `index`: for dx_loop_post, until dx_workers_free. Any thread. From `start`,
 * only one's own is sure to exist. */
dx_loop *dx_workers_loop(const dx_workers *workers, uint32_t index);

/* Asks all loops to stop. Any thread, and signal handlers. A worker can also be stopped alone, by
 * dx_loop_stop; it then waits for the others. */
void dx_workers_stop(dx_workers *workers);

/* Waits until all workers have stopped. Posts that still wait are run, each by its worker, after
 * every `end`; what comes later is run by dx_workers_free. Call it once, on no worker; but for one that is
 * `is_here`: its loop runs in this call until it is stopped. */
void dx_workers_join(dx_workers *workers);

/* Stops and joins if that was not done, and frees. NULL is allowed. */
void dx_workers_free(dx_workers *workers);

/* How many cores this process may run on; at least 1. */
uint32_t dx_workers_cores(void);

#endif
