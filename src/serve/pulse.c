/* Signs of life.
 * SPDX-License-Identifier: MIT */
#include "serve/pulse.h"

#include "base/clock.h"
#include "serve/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct sign {
    dx_post post;
    atomic_bool is_asked; /* and has not answered */
    uint64_t asked_ms;
    bool is_stuck;
} sign;

struct dx_pulse {
    dx_server *server;
    uint32_t stuck_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ending;
    bool is_over, is_stopped;
    atomic_int stuck; /* a worker; -1: none */
    sign signs[];
};

static void on_post(dx_post *post)
{
    atomic_store(&DX_CONTAINER(post, sign, post)->is_asked, false);
}

/* ---- what is said ----------------------------------------------------------------------------- */

/* The state of a thread, as proc(5) has it behind the name. */
static dx_bytes state_of(const dx_worker *w)
{
    char path[64], text[256] = "";

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)w->thread_id);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return (dx_bytes){NULL, 0};
    const char *end = fgets(text, sizeof text, file) ? strrchr(text, ')') : NULL;
    fclose(file);
    switch (end && end[1] ? end[2] : '?') {
    case 'R': return DX_BYTES("running");
    case 'S': return DX_BYTES("sleeping");
    case 'D': return DX_BYTES("waiting for a disk");
    case 'T':
    case 't': return DX_BYTES("stopped");
    default: return DX_BYTES("unknown");
    }
}

static void say_stuck(dx_pulse *p, uint32_t index, uint64_t for_ms)
{
    dx_worker *w = &p->server->worker[index];
    const char *pattern = atomic_load(&w->http.watch.handling);
    dx_bytes route = pattern ? dx_bytes_of(pattern) : (dx_bytes){0};
    const dx_log log = {p->server->log.sink, (int)index};
    const dx_log_field fields[] = {
        DX_LOG_NUMBER("for_ms", for_ms),
        DX_LOG_TEXT("state", state_of(w)),
        DX_LOG_TEXT("route", route),
    };

    dx_log_line(&log, DX_LOG_ERROR, DX_BYTES("a worker does not respond"), fields, DX_COUNT(fields));
}

static void say_back(const dx_pulse *p, uint32_t index, uint64_t for_ms)
{
    const dx_log log = {p->server->log.sink, (int)index};
    const dx_log_field field = DX_LOG_NUMBER("for_ms", for_ms);

    dx_log_line(&log, DX_LOG_WARN, DX_BYTES("a worker responds again"), &field, 1);
}

/* ---- looking ---------------------------------------------------------------------------------- */

static void look_at(dx_pulse *p, uint32_t index)
{
    sign *s = &p->signs[index];
    uint64_t now_ms = dx_clock_ms();

    if (atomic_load(&s->is_asked)) {
        if (!s->is_stuck && now_ms - s->asked_ms >= p->stuck_ms) {
            s->is_stuck = true;
            say_stuck(p, index, now_ms - s->asked_ms);
        }
        return;
    }
    if (s->is_stuck)
        say_back(p, index, now_ms - s->asked_ms);
    s->is_stuck = false;
    s->asked_ms = now_ms;
    atomic_store(&s->is_asked, true);
    s->post.run = on_post;
    if (dx_loop_post(dx_workers_loop(p->server->workers, index), &s->post) != DX_OK)
        atomic_store(&s->is_asked, false); /* too busy for one more, and so it turns, or will be asked again */
}

/* Those that are stuck are looked at for their names; the service manager hears of none then. */
static void look(dx_pulse *p)
{
    int stuck = -1;

    for (uint32_t i = p->server->workers_count; i-- > 0;) {
        look_at(p, i);
        if (p->signs[i].is_stuck)
            stuck = (int)i;
    }
    atomic_store(&p->stuck, stuck);
    if (stuck < 0 && p->server->on_turning)
        p->server->on_turning(p->server->turning_context);
}

/* False: it is over. */
static bool wait_a_while(dx_pulse *p)
{
    struct timespec until;
    uint64_t ms = p->stuck_ms / 5;

    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&p->lock);
    while (!p->is_over && pthread_cond_timedwait(&p->ending, &p->lock, &until) != ETIMEDOUT)
        ;
    bool goes_on = !p->is_over;
    pthread_mutex_unlock(&p->lock);
    return goes_on;
}

static void *watch(void *context)
{
    dx_pulse *p = context;

    pthread_setname_np(pthread_self(), "duplex-pulse");
    do
        look(p);
    while (wait_a_while(p));
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------------- */

static bool start_thread(dx_pulse *p)
{
    pthread_condattr_t attributes;
    sigset_t all, before;

    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&p->ending, &attributes);
    pthread_condattr_destroy(&attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool is_started = pthread_create(&p->thread, NULL, watch, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_started;
}

dx_err dx_pulse_new(dx_server *server, dx_pulse **ret)
{
    dx_pulse *p = calloc(1, sizeof *p + server->workers_count * sizeof p->signs[0]);

    if (p == NULL)
        return DX_ERR_MEMORY;
    p->server = server;
    p->stuck_ms = server->stuck_ms ? server->stuck_ms : DX_PULSE_STUCK_MS;
    atomic_init(&p->stuck, -1);
    if (!start_thread(p)) {
        p->is_stopped = true;
        dx_pulse_free(p);
        return DX_ERR_SYSTEM;
    }
    *ret = p;
    return DX_OK;
}

void dx_pulse_stop(dx_pulse *p)
{
    if (p == NULL || p->is_stopped)
        return;
    pthread_mutex_lock(&p->lock);
    p->is_over = p->is_stopped = true;
    pthread_cond_signal(&p->ending);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
}

void dx_pulse_free(dx_pulse *p)
{
    if (p == NULL)
        return;
    dx_pulse_stop(p);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->ending);
    free(p);
}

int dx_pulse_stuck(const dx_pulse *p)
{
    return p ? atomic_load(&p->stuck) : -1;
}
