/* Who publishes at a fixed rate, whatever becomes of it: the time of a message is when it was due, so that a
 * server that stalls is seen in all messages that were due meanwhile.
 * SPDX-License-Identifier: MIT */
#include "cli/compare.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { STEP_MS = 20 };

struct dx_compare_push {
    dx_compare_line line;
    const char *url;
    const dx_cli_reach *reach;
    uint64_t due_ns, interval_ns, count;
    size_t message_bytes;
    uint8_t *message;
    pthread_t thread;
    sem_t ready, go; /* it is connected, or has failed; it may begin */
};

static bool connect_it(dx_compare_push *p)
{
    dx_compare_line *line = &p->line;
    uint64_t until_ms = dx_clock_ms() + DX_COMPARE_PATIENCE_MS;

    if (!dx_compare_line_open(line, p->url, p->reach, &dx_compare_ws_publisher))
        return false;
    line->way->open(line);
    while (!line->is_open && !line->is_failed && dx_clock_ms() < until_ms)
        dx_compare_line_step(line, STEP_MS);
    if (!line->is_open)
        dx_compare_fail(line, "the server did not answer in time");
    return !line->is_failed;
}

static void sleep_until(uint64_t ns)
{
    struct timespec at = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

static void publish_all(dx_compare_push *p)
{
    for (uint64_t n = 0; n < p->count && !p->line.is_failed; n++) {
        dx_compare_message_write(n, p->message, p->message_bytes);
        sleep_until(p->due_ns + n * p->interval_ns);
        p->line.way->say(&p->line, dx_bytes_at(p->message, p->message_bytes));
        dx_compare_line_step(&p->line, 0); /* it leaves */
    }
}

static void *run(void *context)
{
    dx_compare_push *p = context;
    bool ok = connect_it(p);

    sem_post(&p->ready);
    while (sem_wait(&p->go) != 0)
        ;
    if (ok)
        publish_all(p);
    dx_compare_line_close(&p->line);
    return NULL;
}

dx_compare_push *dx_compare_push_new(const char *url, const dx_cli_reach *reach,
                                     size_t message_bytes, char why[DX_COMPARE_WHY_BYTES])
{
    dx_compare_push *p = calloc(1, sizeof *p);

    snprintf(why, DX_COMPARE_WHY_BYTES, "%s", dx_err_text(DX_ERR_MEMORY));
    if (p == NULL)
        return NULL;
    *p = (dx_compare_push){.url = url, .reach = reach, .message_bytes = message_bytes};
    p->message = malloc(message_bytes);
    sem_init(&p->ready, 0, 0);
    sem_init(&p->go, 0, 0);
    if (p->message == NULL || pthread_create(&p->thread, NULL, run, p) != 0) {
        free(p->message);
        free(p);
        return NULL;
    }
    while (sem_wait(&p->ready) != 0)
        ;
    if (!p->line.is_failed || dx_compare_push_end(p, why))
        return p;
    return NULL;
}

void dx_compare_push_start(dx_compare_push *p, uint64_t due_ns, uint64_t interval_ns,
                           uint64_t count)
{
    p->due_ns = due_ns;
    p->interval_ns = interval_ns;
    p->count = count;
    sem_post(&p->go);
}

bool dx_compare_push_end(dx_compare_push *p, char why[DX_COMPARE_WHY_BYTES])
{
    sem_post(&p->go); /* if it has not begun, it is not to */
    pthread_join(p->thread, NULL);
    bool ok = !p->line.is_failed;
    if (!ok)
        snprintf(why, DX_COMPARE_WHY_BYTES, "the publisher: %.1000s", p->line.why);
    sem_destroy(&p->ready);
    sem_destroy(&p->go);
    free(p->message);
    free(p);
    return ok;
}
