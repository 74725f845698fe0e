/* Figures of the server, gathered while somebody listens.
 * SPDX-License-Identifier: MIT */
#include "serve/stats.h"

#include "base/clock.h"
#include "serve/door.h"

#include <duplex/duplex.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 1000, KEPT = 120, TEXT_BYTES = 512 };

typedef struct figures {
    uint64_t connections_count, bytes_in, bytes_out, published_count, delivered_count;
} figures;

struct dx_stats {
    dx_server_owned owned;
    dx_server *server;
    dx_worker *worker; /* the first one, whose timer it is */
    dx_timer tick;
    uint64_t begun_ms;
    dx_read read; /* is there somebody? */
    dx_post post; /* which goes from worker to worker; owned by whom it is posted to */
    atomic_bool is_allowed, is_under_way, is_over;
    uint32_t at; /* the worker that has it */
    figures sum;
};

static void stats_free(dx_server_owned *owned)
{
    free(DX_CONTAINER(owned, dx_stats, owned));
}

dx_err dx_server_stats(dx_server *s)
{
    const dx_stream_options options = {
        .kept_count_max = KEPT,
        .type = "application/json",
        .access = {.publish = DX_MAY_NOBODY, .create = DX_MAY_NOBODY, .remove = DX_MAY_NOBODY},
    };
    dx_stats *stats = calloc(1, sizeof *stats);

    if (stats == NULL)
        return DX_ERR_MEMORY;
    stats->server = s;
    dx_server_own(s, &stats->owned, stats_free);
    dx_err err = dx_server_streams(s, DX_STATS_PREFIX, &options);
    if (err == DX_OK)
        s->stats = stats;
    return err;
}

/* ---- the message ------------------------------------------------------------------------------ */

/* 0 if it is not known. */
static uint64_t resident_bytes(void)
{
    unsigned long long all, resident = 0;
    FILE *from = fopen("/proc/self/statm", "re");

    if (from == NULL)
        return 0;
    if (fscanf(from, "%llu %llu", &all, &resident) != 2)
        resident = 0;
    fclose(from);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t cpu_ms(void)
{
    struct timespec spent = {0};

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return (uint64_t)spent.tv_sec * 1000 + (uint64_t)spent.tv_nsec / 1000000;
}

static void publish(const dx_stats *stats)
{
    const figures *f = &stats->sum;
    char text[TEXT_BYTES];
    int size =
        snprintf(text, sizeof text,
                 "{\"t\":%" PRIu64 ",\"up\":%" PRIu64 ",\"version\":\"%s\",\"workers\":%u,"
                 "\"connections\":%" PRIu64 ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64
                 ",\"published\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"memory\":%" PRIu64
                 ",\"cpu\":%" PRIu64 "}",
                 dx_clock_wall_ms(), dx_clock_ms() - stats->begun_ms, dx_version(),
                 stats->server->workers_count, f->connections_count, f->bytes_in, f->bytes_out,
                 f->published_count, f->delivered_count, resident_bytes(), cpu_ms());
    dx_err ignored = dx_publish(stats->server,
                                &(dx_publication){.stream = dx_bytes_of(DX_STATS_PATH),
                                                  .type = dx_bytes_of("application/json"),
                                                  .payload = dx_bytes_at(text, (size_t)size)},
                                NULL, NULL);
    (void)ignored; /* the next one is a second away */
}

/* ---- gathering -------------------------------------------------------------------------------- */

static void add_figures(figures *sum, const dx_worker *w)
{
    dx_hub_traffic traffic = dx_hub_traffic_of(dx_streams_hub(w->server->streams, w->index));

    sum->connections_count += w->net.conns_count;
    sum->bytes_in += w->net.bytes_in;
    sum->bytes_out += w->net.bytes_out;
    sum->published_count += traffic.published_count;
    sum->delivered_count += traffic.delivered_count;
}

static void pass_on(dx_stats *stats, uint32_t to)
{
    stats->at = to;
    if (dx_loop_post(dx_workers_loop(stats->server->workers, to), &stats->post) != DX_OK)
        atomic_store(&stats->is_under_way, false); /* that worker is too busy: not this time */
}

/* On one worker after the other. */
static void on_post(dx_post *post)
{
    dx_stats *stats = DX_CONTAINER(post, dx_stats, post);
    const dx_server *s = stats->server;

    if (atomic_load(
            &stats->is_over)) /* a loop that ends runs what waits, and no others run any more */
        return;
    add_figures(&stats->sum, &s->worker[stats->at]);
    if (stats->at + 1 < s->workers_count) {
        pass_on(stats, stats->at + 1);
        return;
    }
    publish(stats);
    atomic_store(&stats->is_under_way, false);
}

static void on_read(dx_read *read)
{
    dx_stats *stats = DX_CONTAINER(read, dx_stats, read);
    bool is_wanted = (read->status == DX_STREAM_OK || read->status == DX_STREAM_GONE) &&
                     read->info.subscribers_count > 0;

    dx_read_release(read);
    if (!is_wanted) {
        atomic_store(&stats->is_under_way, false);
        return;
    }
    stats->sum = (figures){0};
    pass_on(stats, 0);
}

static void on_tick(dx_timer *timer)
{
    dx_stats *stats = DX_CONTAINER(timer, dx_stats, tick);
    dx_worker *w = stats->worker;
    const dx_stream_route *route = dx_stream_route_of(stats->server, dx_bytes_of(DX_STATS_PATH));

    dx_timer_set(w->loop, timer, TICK_MS);
    if (!atomic_load(&stats->is_allowed) || atomic_exchange(&stats->is_under_way, true))
        return;
    stats->read = (dx_read){.ns = &route->ns,
                            .path = dx_bytes_of(DX_STATS_PATH),
                            .position = {.kind = DX_OFFSET_NOW},
                            .done = on_read};
    dx_hub_read(dx_streams_hub(stats->server->streams, w->index), &stats->read);
}

void dx_stats_allow(dx_stats *stats)
{
    if (stats)
        atomic_store(&stats->is_allowed, true);
}

void dx_stats_begin(dx_stats *stats, dx_worker *worker)
{
    if (stats == NULL)
        return;
    stats->worker = worker;
    stats->begun_ms = dx_clock_ms();
    stats->post.run = on_post;
    dx_timer_init(&stats->tick, on_tick);
    dx_timer_set(worker->loop, &stats->tick, TICK_MS);
}

void dx_stats_end(dx_stats *stats)
{
    if (stats == NULL || stats->worker == NULL)
        return;
    atomic_store(&stats->is_over, true);
    dx_timer_clear(&stats->tick);
}
