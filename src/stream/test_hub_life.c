/* Tests of streams that all workers make, fork, close, append to, read, watch and delete at once.
 * What each answers depends on the others; that it answers, and that nothing is left at the end, does not.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "loop/workers.h"
#include "stream/hub_home.h"
#include "stream/test_store.h"
#include "tests/tap.h"

#include <unistd.h>

enum { WORKERS = 3, NAMES = 6, UNDER_WAY_MAX = 12 };

typedef struct world world;

typedef struct place {
    world *in;
    dx_loop *loop;
    dx_hub *hub;
    dx_task act;
    uint64_t random;
    uint32_t left, under_way;
} place;

struct world {
    dx_namespace ns;
    dx_streams *streams;
    dx_workers *workers;
    dx_store *store;
    test_disk *disk;
    char names[NAMES][16];
    place places[WORKERS];
    uint32_t each;
    atomic_uint done_count; /* workers that have done all */
    atomic_uint counts[DX_STREAM_ENDED + 1];
    _Atomic(const char *) fault;
};

/* One operation of any kind. */
typedef struct operation {
    dx_append append;
    dx_create create;
    dx_delete op;
    dx_read read;
    dx_watch watch;
    dx_append_rules rules;
    dx_message *messages[1];
    place *at;
} operation;

static uint32_t draw(place *p, uint32_t below)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return (uint32_t)((p->random >> 11) % below);
}

static void done(operation *o, dx_stream_status status)
{
    o->at->under_way--;
    atomic_fetch_add(&o->at->in->counts[status], 1);
    free(o);
}

static void on_appended(dx_append *a)
{
    operation *o = DX_CONTAINER(a, operation, append);

    if (a->status == DX_STREAM_OK && o->rules.is_closing && !a->is_closed)
        atomic_store(&o->at->in->fault, "closed, and it is not");
    done(o, a->status);
}

static void on_created(dx_create *c)
{
    done(DX_CONTAINER(c, operation, create), c->status);
}

static void on_deleted(dx_delete *op)
{
    done(DX_CONTAINER(op, operation, op), op->status);
}

/* What is read is in a row, and epochs never fall. */
static void on_read(dx_read *r)
{
    operation *o = DX_CONTAINER(r, operation, read);

    for (size_t i = 1; i < r->count; i++)
        if (r->messages[i]->sequence != r->messages[i - 1]->sequence + 1 ||
            r->messages[i]->epoch < r->messages[i - 1]->epoch)
            atomic_store(&o->at->in->fault, "a page out of order");
    dx_stream_status status = r->status;
    dx_read_release(r);
    done(o, status);
}

static void on_ready(dx_watch *watch, dx_stream_status status)
{
    dx_watch_end(watch);
    done(DX_CONTAINER(watch, operation, watch), status);
}

static void append(operation *o, dx_bytes path)
{
    o->rules.is_closing = draw(o->at, 20) == 0;
    o->append = (dx_append){.ns = &o->at->in->ns,
                            .path = path,
                            .kind = DX_STREAM_TEXT,
                            .messages = o->messages,
                            .count = 1,
                            .rules = &o->rules,
                            .done = on_appended};
    dx_hub_append(o->at->hub, &o->append);
}

static void create(operation *o, dx_bytes path, bool is_fork)
{
    world *w = o->at->in;

    o->create = (dx_create){.ns = &w->ns,
                            .path = path,
                            .type = DX_BYTES("text/plain"),
                            .kind = DX_STREAM_TEXT,
                            .messages = o->messages,
                            .count = 1,
                            .is_fork = is_fork,
                            .source = dx_bytes_of(w->names[draw(o->at, NAMES)]),
                            .source_ns = &w->ns,
                            .fork_at.kind = draw(o->at, 2) ? DX_OFFSET_NOW : DX_OFFSET_START,
                            .fork_more = draw(o->at, 3) == 0,
                            .done = on_created};
    dx_hub_create(o->at->hub, &o->create);
}

static void delete (operation *o, dx_bytes path)
{
    dx_message_unref(o->messages[0]);
    o->op = (dx_delete){.ns = &o->at->in->ns, .path = path, .done = on_deleted};
    dx_hub_delete(o->at->hub, &o->op);
}

static void read_all(operation *o, dx_bytes path)
{
    dx_message_unref(o->messages[0]);
    o->read = (dx_read){.ns = &o->at->in->ns,
                        .path = path,
                        .position.kind = DX_OFFSET_START,
                        .count_max = 1 + draw(o->at, 100),
                        .bytes_max = 1000,
                        .done = on_read};
    dx_hub_read(o->at->hub, &o->read);
}

static void watch(operation *o, dx_bytes path)
{
    dx_message_unref(o->messages[0]);
    o->watch.ready = on_ready;
    if (dx_hub_watch(o->at->hub, &o->at->in->ns, path, &o->watch) != DX_OK)
        abort();
}

static void begin_one(place *p)
{
    operation *o = calloc(1, sizeof *o);
    dx_bytes path = dx_bytes_of(p->in->names[draw(p, NAMES)]);
    uint32_t what = draw(p, 16);

    if (o == NULL || (o->messages[0] = dx_message_new(DX_BYTES("text"), 0)) == NULL)
        abort();
    o->at = p;
    p->left--;
    p->under_way++;
    if (what < 6)
        append(o, path);
    else if (what < 8)
        create(o, path, false);
    else if (what < 11)
        create(o, path, true);
    else if (what < 13)
        delete (o, path);
    else if (what < 15)
        read_all(o, path);
    else
        watch(o, path);
}

static void on_act(dx_task *task)
{
    place *p = DX_CONTAINER(task, place, act);

    while (p->left > 0 && p->under_way < UNDER_WAY_MAX)
        begin_one(p);
    if (p->left == 0 && p->under_way == 0) {
        atomic_fetch_add(&p->in->done_count, 1);
        return;
    }
    dx_task_queue(p->loop, task);
}

static dx_err place_start(dx_loop *loop, uint32_t index, void *context)
{
    world *w = context;
    place *p = &w->places[index];

    *p = (place){.in = w,
                 .loop = loop,
                 .hub = dx_streams_hub(w->streams, index),
                 .random = 88172645463325252u + index * 977 + w->each,
                 .left = w->each};
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
    dx_hub_end(p->hub);
}

static world *world_begin(uint32_t each, bool has_store)
{
    world *w = calloc(1, sizeof *w);

    if (w == NULL)
        abort();
    w->each = each;
    w->ns = (dx_namespace){.prefix = "/",
                           .creation = DX_CREATE_BY_PUT,
                           .durability = has_store ? DX_DURABILITY_DISK : DX_DURABILITY_MEMORY,
                           .message_bytes_max = 65536,
                           .retention = {1000, UINT64_MAX, UINT64_MAX}};
    for (int i = 0; i < NAMES; i++)
        snprintf(w->names[i], sizeof w->names[i], "/%d", i);
    if (has_store) {
        w->disk = test_disk_new();
        w->store = test_store_new(w->disk);
    }
    if (dx_streams_new(WORKERS, w->store, &w->streams) != DX_OK ||
        dx_workers_new(
            &(dx_workers_options){
                .count = WORKERS, .context = w, .start = place_start, .end = place_end},
            &w->workers) != DX_OK)
        abort();
    return w;
}

static void world_end(world *w)
{
    dx_workers_stop(w->workers);
    dx_workers_join(w->workers);
    if (w->store)
        w->store->ops->free(w->store);
    dx_workers_free(w->workers);
    dx_streams_free(w->streams);
    for (uint32_t i = 0; i < WORKERS; i++)
        CHECK_INT(w->places[i].under_way, 0);
    if (atomic_load(&w->fault))
        TAP_FAIL("%s", atomic_load(&w->fault));
    if (w->disk)
        test_disk_free(w->disk);
    free(w);
}

static void run(bool has_store)
{
    static const dx_stream_status seen[] = {
        DX_STREAM_OK,     DX_STREAM_NOT_FOUND,        DX_STREAM_DELETED,       DX_STREAM_CONFLICT,
        DX_STREAM_CLOSED, DX_STREAM_SOURCE_NOT_FOUND, DX_STREAM_SOURCE_DELETED};
    world *w = world_begin(4000, has_store);
    uint64_t end_ms = dx_clock_ms() + 60000;
    uint32_t sum = 0;

    while (atomic_load(&w->done_count) < WORKERS && dx_clock_ms() < end_ms)
        usleep(2000);
    CHECK_INT(atomic_load(&w->done_count), WORKERS);
    for (int i = 0; i <= DX_STREAM_ENDED; i++)
        sum += atomic_load(&w->counts[i]);
    CHECK_INT(sum, WORKERS * 4000);
    for (size_t i = 0; i < DX_COUNT(seen); i++)
        if (atomic_load(&w->counts[seen[i]]) == 0)
            TAP_FAIL("status %d was never answered", seen[i]);
    CHECK_INT(atomic_load(&w->counts[DX_STREAM_STORE]) + atomic_load(&w->counts[DX_STREAM_MEMORY]),
              0);
    world_end(w);
}

TEST(
    "three workers make, fork, close, read, watch and delete the same streams: all is answered and freed")
{
    run(false);
}

TEST("the same with a store")
{
    run(true);
}

TEST("stopped in the middle of it")
{
    for (uint32_t i = 0; i < 20; i++) {
        world *w = world_begin(100000 + i, i % 2);
        usleep(i * 500);
        world_end(w);
    }
}
