/* Hubs: how workers ask each other, and the life of all streams together.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"
#include "stream/hub_home.h"
#include "stream/stream_history.h"
#include "stream/survey.h"

#include <stdlib.h>

enum { SWEEP_MS = 1000, RETRY_MS = 16 };

/* ---- posts ------------------------------------------------------------------------------------ */

void dx_hub_send(dx_hub *from, dx_hub *to, dx_post *post)
{
    dx_post **last = &from->backlog[to->index];

    if (*last == NULL && !from->is_ended && dx_loop_post(to->loop, post) == DX_OK)
        return;
    post->next = *last ? (*last)->next : post;
    if (*last)
        (*last)->next = post;
    *last = post;
    if (!from->is_ended && !dx_timer_is_set(&from->retry_timer))
        dx_timer_set(from->loop, &from->retry_timer, RETRY_MS);
}

/* The oldest post that waits for worker `index`, or NULL; dropping it takes it out. */
static dx_post *backlog_first(const dx_hub *hub, uint32_t index)
{
    return hub->backlog && hub->backlog[index] ? hub->backlog[index]->next : NULL;
}

static void backlog_drop_first(dx_hub *hub, uint32_t index)
{
    dx_post **last = &hub->backlog[index], *first = (*last)->next;

    if (first == *last)
        *last = NULL;
    else
        (*last)->next = first->next;
}

static void on_retry(dx_timer *timer)
{
    dx_hub *hub = DX_CONTAINER(timer, dx_hub, retry_timer);
    bool more = false;

    for (uint32_t i = 0; i < hub->all->count; i++) {
        for (dx_post *post; (post = backlog_first(hub, i)) != NULL;) {
            dx_post *next = post->next, *last = hub->backlog[i];
            if (dx_loop_post(hub->all->hubs[i].loop, post) != DX_OK) {
                more = true;
                break;
            }
            if (post == last)
                hub->backlog[i] = NULL;
            else
                last->next = next;
        }
    }
    if (more)
        dx_timer_set(hub->loop, timer, RETRY_MS);
}

/* ---- operations ------------------------------------------------------------------------------- */

uint32_t dx_streams_home(const dx_streams *streams, dx_bytes path)
{
    return (uint32_t)(dx_siphash(streams->seed, path) % streams->count);
}

static dx_hub *home_of(dx_hub *hub, dx_bytes path)
{
    return &hub->all->hubs[dx_streams_home(hub->all, path)];
}

/* At the stream's home, which answers where the operation came from. */
static void at_home(dx_hub *hub, dx_bytes path, dx_post *post)
{
    dx_hub *home = home_of(hub, path);

    if (home == hub)
        post->run(post);
    else
        dx_hub_send(hub, home, post);
}

static void on_append(dx_post *post)
{
    dx_append *append = DX_CONTAINER(post, dx_append, post);
    dx_home_append(home_of(append->from, append->path), append);
}

static void stamp(dx_append *append, uint64_t now_ns)
{
    for (size_t i = 0; i < append->count; i++)
        append->messages[i]->arrived_us = (uint32_t)(now_ns / 1000);
}

void dx_hub_append(dx_hub *hub, dx_append *append)
{
    dx_hub *home = home_of(hub, append->path);

    append->from = hub;
    append->post.run = on_append;
    stamp(append, dx_loop_now_ns(hub->loop));
    if (home == hub)
        dx_home_append(hub, append); /* the path is not hashed again */
    else
        dx_hub_send(hub, home, &append->post);
}

dx_err dx_streams_append(dx_streams *streams, dx_append *append)
{
    append->from = &streams->hubs[dx_streams_home(streams, append->path)];
    append->post.run = on_append;
    stamp(append, dx_clock_ns());
    return dx_loop_post(append->from->loop, &append->post);
}

static void on_create(dx_post *post)
{
    dx_create *create = DX_CONTAINER(post, dx_create, post);
    dx_home_create(home_of(create->from, create->path), create);
}

void dx_hub_create(dx_hub *hub, dx_create *create)
{
    create->from = hub;
    create->work = NULL;
    create->is_new = false;
    create->post.run = on_create;
    at_home(hub, create->path, &create->post);
}

static void on_delete(dx_post *post)
{
    dx_delete *op = DX_CONTAINER(post, dx_delete, post);
    dx_home_delete(home_of(op->from, op->path), op);
}

void dx_hub_delete(dx_hub *hub, dx_delete *op)
{
    op->from = hub;
    op->post.run = on_delete;
    at_home(hub, op->path, &op->post);
}

static void on_read(dx_post *post)
{
    dx_read *read = DX_CONTAINER(post, dx_read, post);
    dx_home_read(home_of(read->from, read->path), read);
}

void dx_hub_read(dx_hub *hub, dx_read *read)
{
    dx_hub *home = home_of(hub, read->path);

    read->from = hub;
    read->messages = NULL;
    read->count = 0;
    read->post.run = on_read;
    if (home == hub)
        dx_home_read(hub, read);
    else
        dx_hub_send(hub, home, &read->post);
}

void dx_read_release(dx_read *read)
{
    for (size_t i = 0; i < read->count; i++)
        dx_message_unref(read->messages[i]);
    free(read->messages);
    read->messages = NULL;
    read->count = 0;
}

/* ---- life ------------------------------------------------------------------------------------- */

static void on_sweep(dx_timer *timer)
{
    dx_hub *hub = DX_CONTAINER(timer, dx_hub, sweep_timer);

    dx_home_sweep(hub);
    if (hub->history)
        dx_history_sweep(hub->history);
    dx_survey_tick(hub);
    dx_timer_set(hub->loop, timer, SWEEP_MS);
}

dx_err dx_streams_new(uint32_t count, dx_store *store, dx_streams **ret)
{
    dx_streams *streams = calloc(1, sizeof *streams + count * sizeof(dx_hub));

    if (streams == NULL)
        return DX_ERR_MEMORY;
    streams->count = count;
    streams->store = store;
    dx_random_fill(streams->seed, sizeof streams->seed);
    for (uint32_t i = 0; i < count; i++) {
        dx_hub *hub = &streams->hubs[i];
        hub->all = streams;
        hub->index = i;
        dx_list_init(&hub->sweep);
        dx_list_init(&hub->unmapped);
        dx_presence_init(hub);
        dx_map_init(&hub->streams, streams->seed);
        dx_map_init(&hub->topics, streams->seed);
        dx_timer_init(&hub->sweep_timer, on_sweep);
        dx_timer_init(&hub->retry_timer, on_retry);
    }
    *ret = streams;
    return DX_OK;
}

void dx_streams_set_finder(dx_streams *streams, dx_namespace_finder *find, void *context)
{
    streams->find_namespace = find;
    streams->find_context = context;
}

dx_err dx_hub_begin(dx_streams *streams, uint32_t index, dx_loop *loop)
{
    dx_hub *hub = &streams->hubs[index];

    hub->loop = loop;
    dx_survey_init(hub);
    hub->backlog = calloc(streams->count, sizeof *hub->backlog);
    if (streams->store)
        hub->history = dx_history_new(loop, streams->store);
    if (hub->backlog == NULL || (streams->store && hub->history == NULL))
        return DX_ERR_MEMORY;
    dx_timer_set(loop, &hub->sweep_timer, SWEEP_MS);
    return DX_OK;
}

void dx_hub_end(dx_hub *hub)
{
    hub->is_ended = true;
    dx_timer_clear(&hub->sweep_timer);
    dx_timer_clear(&hub->retry_timer);
    dx_home_end(hub);
    if (hub->history)
        dx_history_end(hub->history);
    dx_topics_end(hub);
    dx_presence_end(hub);
}

/* What the workers still had to tell each other, when there are no loops any more. True: something. */
static bool run_backlogs(dx_streams *streams)
{
    bool ran = false;

    for (uint32_t i = 0; i < streams->count * streams->count; i++) {
        dx_hub *hub = &streams->hubs[i / streams->count];
        for (dx_post *post; (post = backlog_first(hub, i % streams->count)) != NULL; ran = true) {
            backlog_drop_first(hub, i % streams->count);
            post->run(post);
        }
    }
    return ran;
}

void dx_streams_free(dx_streams *streams)
{
    if (streams == NULL)
        return;
    while (run_backlogs(streams))
        continue;
    for (uint32_t i = 0; i < streams->count; i++)
        dx_topics_free(&streams->hubs[i]);
    while (run_backlogs(streams))
        continue;
    for (uint32_t i = 0; i < streams->count; i++) {
        dx_presence_free(&streams->hubs[i]);
        dx_home_free(&streams->hubs[i]);
        dx_history_free(streams->hubs[i].history);
        free(streams->hubs[i].backlog);
    }
    free(streams);
}

dx_hub *dx_streams_hub(dx_streams *streams, uint32_t index)
{
    return &streams->hubs[index];
}

void dx_hub_set_encoder(dx_hub *hub, void *encoder)
{
    hub->encoder = encoder;
}

uint64_t dx_origin_new(dx_hub *hub)
{
    return (uint64_t)(hub->index + 1) << 48 | ++hub->origins_count;
}

dx_hub_traffic dx_hub_traffic_of(const dx_hub *hub)
{
    return hub->traffic;
}

const dx_histogram *dx_hub_latency(const dx_hub *hub)
{
    return &hub->latency;
}
