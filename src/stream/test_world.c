/* Workers, publishers and subscribers for tests of hubs.
 * SPDX-License-Identifier: MIT */
#include "stream/test_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void fault(world *w, const char *text)
{
    const char *none = NULL;
    atomic_compare_exchange_strong(&w->fault, &none, text);
}

static uint32_t draw(place *p, uint32_t below)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return (uint32_t)((p->random >> 11) % below);
}

dx_bytes world_path(const world *w, uint32_t stream)
{
    return dx_bytes_of(w->paths[stream]);
}

/* ---- publishing ------------------------------------------------------------------------------------ */

void world_on_published(dx_append *append)
{
    publication *p = DX_CONTAINER(append, publication, append);
    world *w = p->at->in;

    p->at->unanswered--;
    if (append->status == DX_STREAM_OK)
        atomic_fetch_add(&w->published[p->stream], (unsigned)append->count);
    else
        atomic_fetch_add(&w->refused, 1);
    free(p);
}

/* The payload names its publisher and its number there, so that no two are alike. */
static void publish(place *at)
{
    publication *p = calloc(1, sizeof *p);
    world *w = at->in;
    size_t count = dx_min_size(1 + draw(at, 3), at->to_publish);

    p->at = at;
    p->stream = draw(at, STREAMS);
    for (size_t i = 0; i < count; i++) {
        uint64_t id = (uint64_t)(at - w->places + 1) << 32 | at->to_publish--;
        p->messages[i] = dx_message_new(dx_bytes_at(&id, sizeof id), 0);
    }
    p->append = (dx_append){.ns = &w->ns,
                            .path = world_path(w, p->stream),
                            .kind = DX_STREAM_BINARY,
                            .messages = p->messages,
                            .count = count,
                            .done = world_on_published};
    at->unanswered++;
    dx_hub_append(at->hub, &p->append);
}

/* ---- reading --------------------------------------------------------------------------------------- */

static void actor_go(actor *a)
{
    dx_task_clear(&a->room);
    if (a->state == WATCHING) {
        dx_watch_end(&a->watch);
    } else if (a->state == READING) {
        dx_subscriber_end(&a->sub);
        dx_topic_release(a->topic);
    }
    a->state = AWAY;
}

static void expect(actor *a, uint64_t sequence)
{
    a->expected = sequence;
    if (!a->is_leaving_sometimes)
        atomic_store(&a->at->in->next[a->at - a->at->in->places][a->stream], sequence);
}

/* All must see the same message at the same sequence, and none twice or left out. */
static void take(actor *a, uint64_t sequence, uint64_t id)
{
    world *w = a->at->in;
    uint64_t first = 0;

    if (sequence != a->expected)
        fault(w, "a message that is not the next");
    if (sequence >= SEQUENCES_MAX) {
        fault(w, "more messages than were published");
        return;
    }
    if (!atomic_compare_exchange_strong(&w->seen[a->stream][sequence], &first, id) && first != id)
        fault(w, "two orders of one stream");
    expect(a, sequence + 1);
    atomic_fetch_add(&w->delivered, 1);
}

static size_t wire_bound(const dx_feed *feed, const dx_message *message)
{
    (void)feed, (void)message;
    return 16;
}

static size_t wire_write(const dx_feed *feed, const dx_message *message, uint8_t *to)
{
    (void)feed;
    memcpy(to, &message->sequence, 8);
    memcpy(to + 8, message->payload, 8);
    return 16;
}

static actor *actor_of(dx_subscriber *sub)
{
    return DX_CONTAINER(sub, actor, sub);
}

static void on_wake(dx_subscriber *sub)
{
    actor *a = actor_of(sub);
    struct iovec iov[64];
    size_t bytes = 0;
    uint32_t count = dx_subscriber_pull(sub, iov, 64);

    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *at = iov[i].iov_base;
        for (size_t k = 0; k < iov[i].iov_len; k += 16) {
            uint64_t sequence, id;
            memcpy(&sequence, at + k, 8);
            memcpy(&id, at + k + 8, 8);
            take(a, sequence, id);
        }
        bytes += iov[i].iov_len;
    }
    if (count > 0)
        dx_subscriber_pulled(sub, bytes);
}

static void on_live(dx_subscriber *sub)
{
    (void)sub;
}

static void on_fell_behind(dx_subscriber *sub, dx_bytes rest)
{
    if (rest.size > 0)
        fault(actor_of(sub)->at->in, "the rest of a message, though all were sent whole");
    dx_task_queue(actor_of(sub)->at->loop, &actor_of(sub)->room);
}

static void on_page(dx_subscriber *sub, dx_message *const *messages, size_t count)
{
    actor *a = actor_of(sub);

    for (size_t i = 0; i < count; i++) {
        uint64_t id;
        memcpy(&id, messages[i]->payload, 8);
        take(a, messages[i]->sequence, id);
    }
    dx_task_queue(a->at->loop, &a->room);
}

static bool on_gap(dx_subscriber *sub, const dx_gap *gap)
{
    actor *a = actor_of(sub);
    uint64_t lost = gap->lost;

    if (lost == 0)
        fault(a->at->in, "a gap of nobody knows how many");
    expect(a, a->expected + lost);
    atomic_fetch_add(&a->at->in->lost, lost);
    if (!a->is_leaving_sometimes)
        atomic_fetch_add(&a->at->in->lost_by_staying, lost);
    return true;
}

static void on_failed(dx_subscriber *sub)
{
    fault(actor_of(sub)->at->in, "the stream cannot be read");
    dx_subscriber_stop(sub);
}

static void on_too_slow(dx_subscriber *sub, dx_bytes rest)
{
    (void)rest;
    fault(actor_of(sub)->at->in, "too slow, though it did not ask for that");
}

static void on_ended(dx_subscriber *sub, dx_stream_end why)
{
    (void)why;
    fault(actor_of(sub)->at->in, "the end of a stream that nobody ended");
}

static const dx_encoding wire = {.bound = wire_bound,
                                 .write = wire_write,
                                 .wake = on_wake,
                                 .live = on_live,
                                 .fell_behind = on_fell_behind,
                                 .page = on_page,
                                 .gap = on_gap,
                                 .failed = on_failed,
                                 .too_slow = on_too_slow,
                                 .ended = on_ended};

static void on_room(dx_task *task)
{
    actor *a = DX_CONTAINER(task, actor, room);

    if (a->state == READING)
        dx_subscriber_continue(&a->sub);
}

static void on_ready(dx_watch *watch, dx_stream_status status)
{
    actor *a = DX_CONTAINER(watch, actor, watch);
    uint64_t next = dx_topic_next(watch->topic);

    if (status != DX_STREAM_OK) {
        dx_watch_end(watch);
        a->state = AWAY;
        return;
    }
    a->topic = watch->topic;
    if (a->is_leaving_sometimes) /* from somewhere in what there is, or what comes */
        next -= dx_min_u64(next - 1, draw(a->at, 3) * draw(a->at, 200));
    else if (next != 1)
        fault(a->at->in, "one who came before the first message does not begin with it");
    expect(a, next);
    a->state = READING;
    dx_subscription wish = {.encoding = &wire, .variant = a->is_leaving_sometimes, .next = next};
    if (dx_subscriber_start(&a->sub, a->topic, &wish) != DX_OK)
        abort();
}

static void actor_come(actor *a)
{
    if (a->is_leaving_sometimes)
        a->stream = draw(a->at, STREAMS);
    a->watch = (dx_watch){.ready = on_ready};
    a->state = WATCHING;
    a->until_leaving = draw(a->at, 8);
    if (dx_hub_watch(a->at->hub, &a->at->in->ns, world_path(a->at->in, a->stream), &a->watch) !=
        DX_OK)
        abort();
}

/* ---- a turn of a worker, again and again ------------------------------------------------------------- */

static bool all_stay(const place *p)
{
    for (int i = 0; i < STAYING; i++)
        if (p->actors[i].state != READING)
            return false;
    return true;
}

static void begin(place *p)
{
    p->is_begun = true;
    for (uint32_t i = 0; i < ACTORS; i++) {
        actor *a = &p->actors[i];
        *a = (actor){.at = p, .stream = i % STREAMS, .is_leaving_sometimes = i >= STAYING};
        dx_task_init(&a->room, on_room);
        if (i < STAYING)
            actor_come(a);
    }
}

static void churn(place *p)
{
    for (int i = STAYING; i < ACTORS; i++) {
        actor *a = &p->actors[i];
        if (a->state == AWAY)
            actor_come(a);
        else if (a->until_leaving-- == 0)
            actor_go(a);
    }
}

static void on_act(dx_task *task)
{
    place *p = DX_CONTAINER(task, place, act);
    world *w = p->in;

    if (!p->is_begun)
        begin(p);
    if (!p->is_counted && all_stay(p)) {
        p->is_counted = true;
        atomic_fetch_add(&w->places_ready, 1);
    }
    bool may_publish = atomic_load(&w->places_ready) == w->workers_count;
    for (int i = 0; may_publish && i < 20 && p->to_publish > 0 && p->unanswered < UNANSWERED_MAX;
         i++)
        publish(p);
    if (p->to_publish > 0)
        churn(p);
    if (w->slow_ms && p == w->places)
        usleep(w->slow_ms * 1000);
    dx_task_queue(p->loop, task);
}

static dx_err place_start(dx_loop *loop, uint32_t index, void *context)
{
    world *w = context;
    place *p = &w->places[index];

    *p = (place){.in = w,
                 .loop = loop,
                 .hub = dx_streams_hub(w->streams, index),
                 .random = 88172645463325252u + index * 977,
                 .to_publish = w->messages_each};
    dx_task_init(&p->act, on_act);
    if (dx_hub_begin(w->streams, index, loop) != DX_OK)
        abort();
    dx_task_queue(loop, &p->act);
    return DX_OK;
}

static void place_end(dx_loop *loop, uint32_t index, void *context)
{
    place *p = &((world *)context)->places[index];

    (void)loop;
    dx_task_clear(&p->act);
    for (int i = 0; p->is_begun && i < ACTORS; i++)
        actor_go(&p->actors[i]);
    dx_hub_end(p->hub);
}

/* ---- runs -------------------------------------------------------------------------------------------- */

world *world_begin(const world *like)
{
    world *w = calloc(1, sizeof *w);

    if (w == NULL)
        abort();
    w->workers_count = like->workers_count;
    w->messages_each = like->messages_each;
    w->slow_ms = like->slow_ms;
    w->ns = (dx_namespace){.prefix = "/live/",
                           .message_bytes_max = 65536,
                           .retention = {like->kept_count ? like->kept_count : UINT32_MAX - 1,
                                         UINT64_MAX, UINT64_MAX}};
    for (int i = 0; i < STREAMS; i++)
        snprintf(w->paths[i], sizeof w->paths[i], "/live/%d", i);
    if (like->has_store) {
        w->disk = test_disk_new();
        w->store = test_store_new(w->disk);
        w->ns.durability = DX_DURABILITY_DISK;
    }
    if (dx_streams_new(w->workers_count, w->store, &w->streams) != DX_OK ||
        dx_workers_new(&(dx_workers_options){.count = w->workers_count,
                                             .loop = {.kind = like->kind,
                                                      .posts_count_max = like->posts_count_max},
                                             .context = w,
                                             .start = place_start,
                                             .end = place_end},
                       &w->workers) != DX_OK)
        abort();
    return w;
}

/* In the order that a server keeps: threads, store, loops, streams. */
const char *world_end(world *w)
{
    const char *wrong = NULL;

    if (w->workers) {
        dx_workers_stop(w->workers);
        dx_workers_join(w->workers);
    }
    if (w->store)
        w->store->ops->free(w->store);
    dx_workers_free(w->workers);
    dx_streams_free(w->streams);
    for (uint32_t i = 0; i < w->workers_count; i++)
        if (w->places[i].unanswered != 0)
            fault(w, "an append was not answered");
    wrong = atomic_load(&w->fault);
    if (w->disk)
        test_disk_free(w->disk);
    free(w);
    return wrong;
}

bool world_is_complete(world *w)
{
    uint64_t sum = 0;

    for (int i = 0; i < STREAMS; i++) {
        uint64_t published = atomic_load(&w->published[i]);
        sum += published;
        for (uint32_t k = 0; k < w->workers_count; k++)
            if (atomic_load(&w->next[k][i]) != published + 1)
                return false;
    }
    return sum == (uint64_t)w->workers_count * w->messages_each;
}
