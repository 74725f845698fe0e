/* Tests of homes where memory is out: each allocation fails in turn.
 * SPDX-License-Identifier: MIT */
#include "stream/test_listener.h"
#include "stream/test_pair.h"
#include "stream/test_store.h"
#include "tests/support/failmalloc.h"
#include "tests/tap.h"

/* An operation and its messages, which are made without failing. */
typedef struct operation {
    dx_append append;
    dx_create create;
    dx_delete op;
    dx_append_rules rules;
    dx_message *messages[3];
    bool is_done;
} operation;

static void on_appended(dx_append *a)
{
    DX_CONTAINER(a, operation, append)->is_done = true;
}

static void on_created(dx_create *c)
{
    DX_CONTAINER(c, operation, create)->is_done = true;
}

static void on_deleted(dx_delete *d)
{
    DX_CONTAINER(d, operation, op)->is_done = true;
}

static void three_messages(operation *o)
{
    static const char *const texts[] = {"1", "2", "3"};

    *o = (operation){0};
    for (int i = 0; i < 3; i++)
        o->messages[i] = pair_message(texts[i]);
}

/* Inside of FAILING what the store needs does not fail: its failures are told by it. */
static bool is_inside;

#define TRYING(statement)                                                                          \
    do {                                                                                           \
        is_inside = true;                                                                          \
        FAILING(statement);                                                                        \
        is_inside = false;                                                                         \
    } while (0)

static void wait_for(pair *p, operation *o)
{
    for (int i = 0; i < 100 && !o->is_done; i++)
        TRYING(pair_turn(p));
    CHECK(o->is_done);
}

static void append(pair *p, uint32_t from, const char *path, operation *o)
{
    three_messages(o);
    o->rules = (dx_append_rules){
        .producer = DX_BYTES("a"), .key = DX_BYTES("k"), .sequence = DX_BYTES("s")};
    o->append = (dx_append){.ns = &p->ns,
                            .path = dx_bytes_of(path),
                            .kind = DX_STREAM_TEXT,
                            .messages = o->messages,
                            .count = 3,
                            .rules = &o->rules,
                            .done = on_appended};
    TRYING(dx_hub_append(p->hubs[from], &o->append));
    wait_for(p, o);
}

static void create(pair *p, uint32_t from, dx_create like, operation *o)
{
    three_messages(o);
    o->create = like;
    o->create.ns = o->create.source_ns = &p->ns;
    o->create.type = DX_BYTES("text/plain");
    o->create.kind = DX_STREAM_TEXT;
    o->create.messages = o->messages;
    o->create.count = 3;
    o->create.done = on_created;
    TRYING(dx_hub_create(p->hubs[from], &o->create));
    wait_for(p, o);
}

static dx_stream_status delete (pair *p, uint32_t from, const char *path)
{
    operation o = {.op = {.ns = &p->ns, .path = dx_bytes_of(path), .done = on_deleted}};

    TRYING(dx_hub_delete(p->hubs[from], &o.op));
    wait_for(p, &o);
    return o.op.status;
}

/* ---- subscribers ------------------------------------------------------------------------------ */

/* Whatever fails: who is there has got all that was taken, in order, or was told that it cannot be. */
static void listeners_scenario(void)
{
    pair *p = pair_new(KEEP_ALL);
    listener listeners[3];
    uint64_t taken = 0;

    pair_append(p, 0, (dx_append){.kind = DX_STREAM_BINARY}, TEXTS("before"));
    for (uint32_t i = 0; i < 3; i++)
        FAILING(listener_begin(p, i % 2, &listeners[i]));
    for (int i = 0; i < 40; i++) {
        operation o;
        three_messages(&o);
        o.append = (dx_append){.ns = &p->ns,
                               .path = dx_bytes_of(p->path),
                               .kind = DX_STREAM_BINARY,
                               .messages = o.messages,
                               .count = 3,
                               .done = on_appended};
        FAILING(dx_hub_append(p->hubs[1], &o.append));
        FAILING(pair_turn(p));
        CHECK(o.is_done);
        if (o.append.status == DX_STREAM_OK) {
            taken += 3;
            CHECK_INT(o.append.next.sequence, 1 + taken); /* all or none */
        }
    }
    FAILING(pair_turn(p));
    for (int i = 0; i < 3; i++)
        FAILING(listener_turn(p, &listeners[i]));
    failmalloc_disarm(); /* from here on there is memory again */
    for (int i = 0; i < 3; i++) {
        listener *l = &listeners[i];
        listener_turn(p, l);
        CHECK(!l->is_broken);
        CHECK_INT(l->lost, 0);
        if (l->status == DX_STREAM_OK)
            CHECK_INT(l->received, 1 + taken);
        listener_end(l);
    }
    pair_turn(p);
    pair_free(p);
}

TEST("each allocation fails in turn: nothing is lost in silence, no reference is kept")
{
    listeners_scenario();
    size_t failures = failmalloc_sweep(listeners_scenario);
    printf("# %zu allocations failed\n", failures);
    CHECK(failures > 20);
}

/* ---- making, forking, deleting ---------------------------------------------------------------- */

static bool is_refusal(dx_stream_status status)
{
    return status == DX_STREAM_MEMORY || status == DX_STREAM_FULL || status == DX_STREAM_STORE;
}

static uint64_t tail_of(pair *p, const char *path)
{
    return pair_info(p, 0, path).tail.sequence;
}

/* All is done or nothing, and at the end nothing is left. */
static void life(pair *p)
{
    const char *source = p->names[0][0], *fork = p->names[1][0], *near = p->names[0][1];
    operation o;
    uint64_t tail = 0;

    create(p, 1, (dx_create){.path = dx_bytes_of(source)}, &o);
    CHECK(o.create.status == DX_STREAM_OK || is_refusal(o.create.status));
    tail = o.create.status == DX_STREAM_OK ? 3 : 0;
    append(p, 1, source, &o);
    CHECK(o.append.status == DX_STREAM_OK || is_refusal(o.append.status) ||
          (tail == 0 && o.append.status == DX_STREAM_NOT_FOUND));
    tail += o.append.status == DX_STREAM_OK ? 3 : 0;
    for (int i = 0; i < 2; i++) {
        dx_create like = {.path = dx_bytes_of(i ? near : fork), .is_fork = true, .fork_more = 1};
        like.source = dx_bytes_of(source);
        like.fork_at.kind = DX_OFFSET_START;
        create(p, (uint32_t)i, like, &o);
        CHECK(o.create.status == DX_STREAM_OK || is_refusal(o.create.status) ||
              (tail == 0 && o.create.status == DX_STREAM_SOURCE_NOT_FOUND));
        if (o.create.status == DX_STREAM_OK)
            CHECK_INT(o.create.info.tail.sequence, 4); /* a message of one byte is shared */
    }
    dx_stream_status first = delete (p, 1, source);
    failmalloc_disarm();
    if (is_refusal(first))
        CHECK_INT(tail_of(p, source), tail);
    pair_delete(p, 0, source);
    pair_delete(p, 0, fork);
    pair_delete(p, 0, near);
    for (int i = 0; i < 8; i++)
        pair_turn(p);
    dx_home_sweep(p->hubs[0]);
    dx_home_sweep(p->hubs[1]);
    CHECK_INT(p->hubs[0]->streams.count + p->hubs[1]->streams.count, 0);
}

static void memory_scenario(void)
{
    pair *p = pair_new(KEEP_ALL);

    p->ns.creation = DX_CREATE_BY_PUT;
    life(p);
    pair_free(p);
}

TEST(
    "making, forking and deleting in memory, each allocation failing in turn: all or nothing, and no trace")
{
    memory_scenario();
    size_t failures = failmalloc_sweep(memory_scenario);
    printf("# %zu allocations failed\n", failures);
    CHECK(failures > 20);
}

/* ---- the store's ------------------------------------------------------------------------------- */

static const dx_store_ops *real_ops;

#define NOT_TRYING(statement)                                                                      \
    do {                                                                                           \
        if (is_inside)                                                                             \
            failmalloc_enter(false);                                                               \
        statement;                                                                                 \
        if (is_inside)                                                                             \
            failmalloc_enter(true);                                                                \
    } while (0)

static uint64_t store_new_id(dx_store *store)
{
    return real_ops->new_id(store);
}

static void store_load(dx_store *store, dx_store_load *load)
{
    NOT_TRYING(real_ops->load(store, load));
}

static void store_commit(dx_store *store, dx_store_commit *commit)
{
    NOT_TRYING(real_ops->commit(store, commit));
}

static void store_read(dx_store *store, dx_store_read *read)
{
    NOT_TRYING(real_ops->read(store, read));
}

static void store_scan(dx_store *store, dx_store_scan *scan)
{
    NOT_TRYING(real_ops->scan(store, scan));
}

static void store_free(dx_store *store)
{
    real_ops->free(store);
}

static void kept_scenario(void)
{
    static const dx_store_ops ops = {store_new_id, store_load, store_commit, store_read,
                                     store_scan,   store_free};
    test_disk *disk = test_disk_new();
    dx_store *store = test_store_new(disk);

    real_ops = store->ops;
    store->ops = &ops;
    pair *p = pair_new_with(store);
    p->ns.creation = DX_CREATE_BY_PUT;
    life(p);
    pair_free(p);
    CHECK_INT(test_disk_count(disk), 0);
    test_disk_free(disk);
}

TEST("the same with a store: what it has is what was answered, and at the end it has nothing")
{
    kept_scenario();
    size_t failures = failmalloc_sweep(kept_scenario);
    printf("# %zu allocations failed\n", failures);
    CHECK(failures > 40);
}
