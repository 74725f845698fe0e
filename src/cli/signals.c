/* Signals as calls.
 * SPDX-License-Identifier: MIT */
#include "cli/signals.h"

/* Sent by dx_cli_signals_stop to the waiting thread alone; from anybody else it means nothing. */
enum { SIGNAL_OVER = SIGUSR1 };

static void *wait_for_signals(void *context)
{
    dx_cli_signals *s = context;
    unsigned count = 0;
    int got;

    while (!atomic_load(&s->is_over))
        if (sigwait(&s->set, &got) != 0 || got == SIGNAL_OVER)
            continue;
        else if (got == SIGHUP)
            s->on_hangup(s->context);
        else if (got == SIGUSR2)
            s->on_upgrade(s->context);
        else
            s->on_signal(s->context, ++count);
    return NULL;
}

static sigset_t all_signals(const dx_cli_signals *s)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGNAL_OVER);
    if (s->on_hangup)
        sigaddset(&set, SIGHUP);
    if (s->on_upgrade)
        sigaddset(&set, SIGUSR2);
    return set;
}

void dx_cli_signals_block(const dx_cli_signals *s)
{
    sigset_t set = all_signals(s);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

dx_err dx_cli_signals_start(dx_cli_signals *s)
{
    dx_cli_signals_block(s);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk to the store */
    atomic_init(&s->is_over, false);
    s->set = all_signals(s);
    return pthread_create(&s->thread, NULL, wait_for_signals, s) == 0 ? DX_OK : DX_ERR_SYSTEM;
}

void dx_cli_signals_stop(dx_cli_signals *s)
{
    atomic_store(&s->is_over, true);
    pthread_kill(s->thread, SIGNAL_OVER);
    pthread_join(s->thread, NULL);
}
