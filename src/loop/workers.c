/* Workers: threads that start together, turn, and end together. Two meetings hold them in step: no
 * worker turns before all have started, and none runs its last posts before all have ended, because
 * until then another may still post to it.
 * SPDX-License-Identifier: MIT */
#include "loop/workers.h"

#include "base/err.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS_COUNT_MAX = 256 };

typedef struct worker {
    dx_workers *workers;
    dx_loop *loop;
    pthread_t thread;
    uint32_t index;
} worker;

struct dx_workers {
    dx_workers_options options;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint32_t expected;       /* workers whose threads exist */
    uint32_t started, ended; /* how many have come to each meeting */
    bool is_decided;         /* the first meeting is over: err says which way */
    bool is_joined;
    dx_err err; /* the first */
    worker list[];
};

/* ---- the worker's thread --------------------------------------------------------------------- */

static void set_name(const worker *w)
{
    char name[16]; /* the kernel's limit */

    if (w->workers->options.name)
        snprintf(name, sizeof name, "%s", w->workers->options.name);
    else
        snprintf(name, sizeof name, "duplex-%u", w->index % WORKERS_COUNT_MAX);
    pthread_setname_np(pthread_self(), name);
}

static dx_err start(worker *w)
{
    const dx_workers_options *options = &w->workers->options;
    dx_err err = dx_loop_new(&options->loop, &w->loop);

    if (err != DX_OK)
        return err;
    return options->start ? options->start(w->loop, w->index, options->context) : DX_OK;
}

/* The first meeting. True: all started, turn. */
static bool meet_started(dx_workers *workers, dx_err err)
{
    pthread_mutex_lock(&workers->mutex);
    if (workers->err == DX_OK)
        workers->err = err;
    workers->started++;
    pthread_cond_broadcast(&workers->changed);
    while (!workers->is_decided)
        pthread_cond_wait(&workers->changed, &workers->mutex);
    bool all_well = workers->err == DX_OK;
    pthread_mutex_unlock(&workers->mutex);
    return all_well;
}

/* The second meeting. */
static void meet_ended(dx_workers *workers)
{
    pthread_mutex_lock(&workers->mutex);
    workers->ended++;
    pthread_cond_broadcast(&workers->changed);
    while (workers->ended < workers->expected)
        pthread_cond_wait(&workers->changed, &workers->mutex);
    pthread_mutex_unlock(&workers->mutex);
}

static void *work(void *argument)
{
    worker *w = argument;
    dx_workers *workers = w->workers;

    set_name(w);
    dx_err err = start(w);

    if (meet_started(workers, err))
        dx_loop_run(w->loop);
    if (err == DX_OK && workers->options.end)
        workers->options.end(w->loop, w->index, workers->options.context);
    meet_ended(workers);
    if (w->loop)
        dx_loop_step(w->loop, 0); /* what the others posted last */
    return NULL;
}

/* ---- the caller's thread --------------------------------------------------------------------- */

/* Those that tell of a fault of the thread itself, or of a profiler's clock, stay. */
static void block_signals(sigset_t *ret_before)
{
    static const int kept[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    sigset_t all;

    sigfillset(&all);
    for (size_t i = 0; i < DX_COUNT(kept); i++)
        sigdelset(&all, kept[i]);
    pthread_sigmask(SIG_BLOCK, &all, ret_before);
}

static dx_err spawn(dx_workers *workers, uint32_t index)
{
    worker *w = &workers->list[index];

    w->workers = workers;
    w->index = index;
    int error = pthread_create(&w->thread, NULL, work, w);
    if (error != 0)
        return error == ENOMEM ? DX_ERR_MEMORY : DX_ERR_SYSTEM;
    return DX_OK;
}

/* Starts as many threads as it can; gives how many, and why not more. */
static uint32_t spawn_all(dx_workers *workers, dx_err *ret)
{
    sigset_t before;
    uint32_t count = 0;

    *ret = DX_OK;
    block_signals(&before);
    while (count < workers->options.count && (*ret = spawn(workers, count)) == DX_OK)
        count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return count;
}

static dx_err decide(dx_workers *workers, uint32_t count, dx_err spawn_err)
{
    pthread_mutex_lock(&workers->mutex);
    while (workers->started < count)
        pthread_cond_wait(&workers->changed, &workers->mutex);
    if (workers->err == DX_OK)
        workers->err = spawn_err;
    workers->expected = count;
    workers->is_decided = true;
    dx_err err = workers->err;
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->mutex);
    return err;
}

uint32_t dx_workers_cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (uint32_t)count : 1;
}

/* The only worker is the caller. */
static dx_err begin_here(const dx_workers_options *options, dx_workers **ret)
{
    dx_workers *workers = calloc(1, sizeof *workers + sizeof workers->list[0]);

    if (workers == NULL)
        return DX_ERR_MEMORY;
    workers->options = *options;
    workers->options.count = workers->expected = 1;
    workers->options.loop.kind = DX_LOOP_EPOLL;
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->changed, NULL);
    workers->list[0].workers = workers;
    workers->err = start(&workers->list[0]);
    if (workers->err != DX_OK) {
        dx_err err = workers->err;
        workers->is_joined = true;
        dx_workers_free(workers);
        return err;
    }
    *ret = workers;
    return DX_OK;
}

static void join_here(worker *w)
{
    dx_workers *workers = w->workers;

    dx_loop_run(w->loop);
    if (workers->options.end)
        workers->options.end(w->loop, 0, workers->options.context);
    dx_loop_step(w->loop, 0);
}

dx_err dx_workers_new(const dx_workers_options *options, dx_workers **ret)
{
    if (options->is_here)
        return begin_here(options, ret);
    uint32_t count = options->count ? options->count : dx_workers_cores();
    dx_err spawn_err;

    if (count > WORKERS_COUNT_MAX)
        count = WORKERS_COUNT_MAX;
    dx_workers *workers = calloc(1, sizeof *workers + count * sizeof workers->list[0]);
    if (workers == NULL)
        return DX_ERR_MEMORY;
    workers->options = *options;
    workers->options.count = count;
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->changed, NULL);
    uint32_t spawned = spawn_all(workers, &spawn_err);
    dx_err err = decide(workers, spawned, spawn_err);
    if (err != DX_OK) {
        dx_workers_free(workers);
        return err;
    }
    *ret = workers;
    return DX_OK;
}

uint32_t dx_workers_count(const dx_workers *workers)
{
    return workers->options.count;
}

dx_loop *dx_workers_loop(const dx_workers *workers, uint32_t index)
{
    dx_assert(index < workers->options.count);
    return workers->list[index].loop;
}

void dx_workers_stop(dx_workers *workers)
{
    for (uint32_t i = 0; i < workers->expected; i++)
        dx_loop_stop(workers->list[i].loop);
}

void dx_workers_join(dx_workers *workers)
{
    dx_assert(!workers->is_joined);
    workers->is_joined = true;
    if (workers->options.is_here) {
        join_here(&workers->list[0]);
        return;
    }
    for (uint32_t i = 0; i < workers->expected; i++)
        pthread_join(workers->list[i].thread, NULL);
}

void dx_workers_free(dx_workers *workers)
{
    if (workers == NULL)
        return;
    if (!workers->is_joined) {
        if (workers->err == DX_OK)
            dx_workers_stop(workers);
        dx_workers_join(workers);
    }
    for (uint32_t i = 0; i < workers->expected; i++)
        dx_loop_free(workers->list[i].loop);
    pthread_cond_destroy(&workers->changed);
    pthread_mutex_destroy(&workers->mutex);
    free(workers);
}
