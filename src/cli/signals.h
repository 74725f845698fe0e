/* SIGINT and SIGTERM, perhaps SIGHUP and SIGUSR2, as calls on a thread of their own: no code runs inside a signal handler.
 * Is:     blocking the signals, waiting for them, ending that.
 * Is not: what they mean (command_serve.c, command_sub.c).
 * Memory: one struct of the caller's, and a thread.
 * Threads: start and stop from one; on_signal is called on the waiting thread.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_SIGNALS_H
#define DX_CLI_SIGNALS_H

#include "base/platform.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

typedef struct dx_cli_signals {
    void (*on_signal)(void *context, unsigned count); /* count: 1 for the first, … */
    void (*on_hangup)(void *context);                 /* SIGHUP; NULL: as without us */
    void (*on_upgrade)(void *context);                /* SIGUSR2; the same */
    void *context;
    pthread_t thread;
    sigset_t set;
    atomic_bool is_over;
} dx_cli_signals;

/* Blocks the signals in this thread and all that it starts later: they are kept until somebody waits. Of
 * `signals` only what it wants to be called for is looked at. */
void dx_cli_signals_block(const dx_cli_signals *signals);

/* Blocks the signals, if that was not done, and begins to wait for them. SIGPIPE and SIGXFSZ are ignored from here
 * on. on_signal and context must be set.
 * Errors: DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_cli_signals_start(dx_cli_signals *signals);

/* Stops waiting: on_signal is not called any more once this has returned. The signals stay blocked. */
void dx_cli_signals_stop(dx_cli_signals *signals);

#endif
