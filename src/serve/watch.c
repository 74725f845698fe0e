/* A thread that looks at files.
 * SPDX-License-Identifier: MIT */
#include "serve/watch.h"

#include "base/map.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { LOOK_S = 1 };

struct dx_watch {
    dx_watch_options options;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t ending;
    bool is_over;
    uint64_t known;
};

/* What a write, a rename over it, or another owner changes. */
typedef struct facts {
    uint64_t before; /* of the files before this one */
    uint64_t device, file, size;
    int64_t changed_s, changed_ns, written_s, written_ns;
    int64_t error; /* of one that is not there */
} facts;

static facts facts_of(const char *path, uint64_t before)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return (facts){.before = before, .error = errno};
    return (facts){.before = before,
                   .device = st.st_dev,
                   .file = st.st_ino,
                   .size = (uint64_t)st.st_size,
                   .changed_s = st.st_ctim.tv_sec,
                   .changed_ns = st.st_ctim.tv_nsec,
                   .written_s = st.st_mtim.tv_sec,
                   .written_ns = st.st_mtim.tv_nsec};
}

uint64_t dx_watch_look(const char *const *files, size_t count)
{
    static const uint64_t seed[2] = {1, 2}; /* nobody has an interest in a collision */
    uint64_t state = 0;

    for (size_t i = 0; i < count; i++) {
        facts f = facts_of(files[i], state);
        state = dx_siphash(seed, dx_bytes_at(&f, sizeof f));
    }
    return state;
}

void dx_watch_know(dx_watch *w, uint64_t state)
{
    pthread_mutex_lock(&w->lock);
    w->known = state;
    pthread_mutex_unlock(&w->lock);
}

/* False: it is over. */
static bool wait_a_while(dx_watch *w)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_S;
    while (!w->is_over && pthread_cond_timedwait(&w->ending, &w->lock, &until) != ETIMEDOUT)
        ;
    return !w->is_over;
}

/* A change counts once the files stayed as they are from one look to the next: so whoever writes a certificate
 * and then its key has a second for that. */
static void *watch(void *context)
{
    dx_watch *w = context;

    pthread_mutex_lock(&w->lock);
    uint64_t last = w->known;
    while (wait_a_while(w)) {
        uint64_t known = w->known;
        pthread_mutex_unlock(&w->lock);
        uint64_t now = dx_watch_look(w->options.files, w->options.count);
        if (now == last && now != known) {
            dx_watch_know(w, now);
            w->options.changed(w->options.context);
        }
        last = now;
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

dx_err dx_watch_new(const dx_watch_options *options, dx_watch **ret)
{
    dx_watch *w = calloc(1, sizeof *w);

    if (w == NULL)
        return DX_ERR_MEMORY;
    w->options = *options;
    pthread_mutex_init(&w->lock, NULL);
    init_condition(&w->ending);
    w->known = options->known;
    if (pthread_create(&w->thread, NULL, watch, w) == 0) {
        *ret = w;
        return DX_OK;
    }
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->ending);
    free(w);
    return DX_ERR_SYSTEM;
}

void dx_watch_free(dx_watch *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->is_over = true;
    pthread_cond_signal(&w->ending);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->ending);
    free(w);
}
