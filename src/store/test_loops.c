/* Tests of a store that several loops ask at once: what each of them has been told is what it reads, nothing is lost or
 * mixed up, mailboxes may be full, and closing answers everybody.
 * SPDX-License-Identifier: MIT */
#include "loop/workers.h"
#include "store/inspect.h"
#include "store/test_asker.h"
#include "tests/tap.h"

#include <unistd.h>

enum { LOOPS = 4, STREAMS = 3, ROUNDS = 150, IN_FLIGHT = 5 };

typedef struct side side;
typedef struct lane lane;

typedef struct flight {
    dx_store_commit commit;
    lane *in;
    dx_message *messages[3];
    dx_store_fact fact;
    char value[24];
    uint64_t last; /* sequence */
} flight;

/* A stream of one loop: appends, and after each answer reads back what it was told. */
struct lane {
    side *on;
    uint64_t id, appended, told; /* sequences */
    char path[32];
    flight flights[IN_FLIGHT];
    dx_store_read read;
    dx_store_load load;
    bool is_reading, is_loading;
    uint64_t read_told;
};

struct side {
    dx_loop *loop;
    dx_post begin;
    lane lanes[STREAMS];
    uint32_t index, commits, under_way;
};

static asker a;
static side sides[LOOPS];
static atomic_uint sides_done;
static atomic_ulong reads_done, loads_done;
static _Atomic(const char *) wrong;
static atomic_bool is_leaving; /* answers may be CLOSED */

static void is_wrong(const char *what)
{
    const char *none = NULL;
    atomic_compare_exchange_strong(&wrong, &none, what);
}

static void append(flight *f);

static void end_one(side *s)
{
    if (--s->under_way == 0 && s->commits >= ROUNDS * STREAMS)
        atomic_fetch_add(&sides_done, 1);
}

/* ---- reading ---- */

static void on_read(dx_store_read *read)
{
    lane *l = DX_CONTAINER(read, lane, read);

    l->is_reading = false;
    if (read->status != DX_STORE_OK && !atomic_load(&is_leaving))
        is_wrong("a read failed");
    if (read->status == DX_STORE_OK &&
        (read->count == 0 || read->messages[0]->sequence != read->from))
        is_wrong("an acknowledged message is not there");
    for (size_t i = 0; i < read->count; i++) {
        if (!asker_is_right(read->messages[i], l->id, read->from + i))
            is_wrong("a message is not what was appended");
        dx_message_unref(read->messages[i]);
    }
    free(read->messages);
    atomic_fetch_add(&reads_done, 1);
    end_one(l->on);
}

static void on_loaded(dx_store_load *load)
{
    lane *l = DX_CONTAINER(load, lane, load);
    uint64_t last;

    l->is_loading = false;
    if (load->status != DX_STORE_OK && !atomic_load(&is_leaving))
        is_wrong("a load failed");
    if (load->status == DX_STORE_OK) {
        if (load->id != l->id || load->tail < l->read_told)
            is_wrong("a load knows less than was acknowledged");
        if (load->facts_count != 1 || !dx_bytes_decimal(load->facts[0].value, UINT64_MAX, &last) ||
            last != load->tail)
            is_wrong("a fact does not fit the messages");
    }
    atomic_fetch_add(&loads_done, 1);
    end_one(l->on);
}

static void ask(lane *l)
{
    if (!l->is_reading) {
        l->is_reading = true, l->on->under_way++;
        l->read = (dx_store_read){.id = l->id,
                                  .from = l->told,
                                  .count_max = 10,
                                  .bytes_max = 100000,
                                  .loop = l->on->loop,
                                  .done = on_read};
        a.store->ops->read(a.store, &l->read);
    }
    if (!l->is_loading) {
        l->is_loading = true, l->on->under_way++;
        l->read_told = l->told;
        l->load =
            (dx_store_load){.path = dx_bytes_of(l->path), .loop = l->on->loop, .done = on_loaded};
        a.store->ops->load(a.store, &l->load);
    }
}

/* ---- appending ---- */

static dx_message *make_message(uint64_t id, uint64_t sequence)
{
    char text[64];
    int size = snprintf(text, sizeof text, "%llu/%llu", (unsigned long long)id,
                        (unsigned long long)sequence);
    dx_message *message = dx_message_new(dx_bytes_at(text, (size_t)size), 0);

    message->kind = (uint8_t)(id % 3);
    message->is_last = sequence % 2;
    message->epoch = 1000 + id;
    message->sequence = sequence;
    message->time_ms = 1700000000000 + sequence;
    return message;
}

static void on_appended(dx_store_commit *commit)
{
    flight *f = DX_CONTAINER(commit, flight, commit);
    lane *l = f->in;

    /* While it is closed: what is in a mailbox is answered when that is emptied, the rest before it. */
    if (commit->status == DX_STORE_OK && f->last <= l->told && !atomic_load(&is_leaving))
        is_wrong("answers out of order");
    if (commit->status == DX_STORE_OK)
        l->told = f->last > l->told ? f->last : l->told;
    else if (!atomic_load(&is_leaving))
        is_wrong("a commit failed");
    for (size_t i = 0; i < commit->count; i++)
        dx_message_unref(f->messages[i]);
    l->on->commits++;
    if (l->on->commits < ROUNDS * STREAMS && !atomic_load(&is_leaving)) {
        append(f);
        ask(l);
    }
    end_one(l->on);
}

static void append(flight *f)
{
    lane *l = f->in;
    size_t count = 1 + l->appended % 3;

    for (size_t i = 0; i < count; i++)
        f->messages[i] = make_message(l->id, ++l->appended);
    snprintf(f->value, sizeof f->value, "%llu", (unsigned long long)l->appended);
    f->fact = (dx_store_fact){DX_BYTES("last"), dx_bytes_of(f->value), 0};
    f->last = l->appended;
    l->on->under_way++;
    f->commit = (dx_store_commit){.id = l->id,
                                  .facts = &f->fact,
                                  .facts_count = 1,
                                  .messages = f->messages,
                                  .count = count,
                                  .loop = l->on->loop,
                                  .done = on_appended};
    a.store->ops->commit(a.store, &f->commit);
}

static void on_begin(dx_post *post)
{
    side *s = DX_CONTAINER(post, side, begin);

    for (size_t i = 0; i < STREAMS; i++)
        for (size_t k = 0; k < IN_FLIGHT; k++) {
            s->lanes[i].flights[k].in = &s->lanes[i];
            append(&s->lanes[i].flights[k]);
        }
}

static dx_err on_start(dx_loop *loop, uint32_t index, void *context)
{
    return DX_OK;
}

static void run_sides(uint32_t posts_count_max, bool is_leaving_early)
{
    dx_workers *workers;

    atomic_store(&sides_done, 0);
    atomic_store(&wrong, NULL);
    atomic_store(&is_leaving, false);
    memset(sides, 0, sizeof sides);
    a = (asker){.options = {.unsettled_bytes_max = 30000, .log_bytes = 200000}};
    asker_begin(&a);
    dx_err err = dx_workers_new(&(dx_workers_options){.count = LOOPS,
                                                      .start = on_start,
                                                      .loop.posts_count_max = posts_count_max},
                                &workers);
    CHECK_INT(err, DX_OK);
    for (uint32_t i = 0; i < LOOPS; i++) {
        sides[i].loop = dx_workers_loop(workers, i);
        sides[i].begin.run = on_begin;
        for (uint32_t k = 0; k < STREAMS; k++) {
            lane *l = &sides[i].lanes[k];
            l->on = &sides[i];
            snprintf(l->path, sizeof l->path, "/s/%u/%u", i, k);
            l->id = asker_make(&a, l->path, 0);
        }
    }
    for (uint32_t i = 0; i < LOOPS; i++)
        while (dx_loop_post(sides[i].loop, &sides[i].begin) != DX_OK)
            usleep(1000);
    for (int i = 0; i < 60000 && atomic_load(&sides_done) < LOOPS && !(is_leaving_early && i > 40);
         i++)
        usleep(1000);
    if (is_leaving_early)
        atomic_store(&is_leaving, true);
    else
        CHECK_INT(atomic_load(&sides_done), LOOPS);
    dx_workers_stop(workers);
    dx_workers_join(workers);
    asker_close(&a); /* answers the rest on this thread */
    dx_workers_free(workers);
    const char *what = atomic_load(&wrong);
    if (what)
        TAP_FAIL("%s", what);
}

static void check_all(bool is_leaving_early)
{
    CHECK_INT(asker_open(&a), DX_OK);
    for (uint32_t i = 0; i < LOOPS; i++) {
        for (uint32_t k = 0; k < STREAMS; k++) {
            lane *l = &sides[i].lanes[k];
            CHECK_INT(asker_load(&a, l->path), DX_STORE_OK);
            CHECK(a.tail >= l->told);
            CHECK_INT(asker_count(&a, l->id, 1), (long)a.tail);
            CHECK(is_leaving_early || a.tail == l->appended);
        }
        CHECK_INT(sides[i].under_way, 0);
    }
    asker_end(&a);
}

TEST("four loops append, read and load at once: each reads what it was told, in order")
{
    run_sides(0, false);
    CHECK(atomic_load(&reads_done) > LOOPS * STREAMS && atomic_load(&loads_done) > LOOPS * STREAMS);
    check_all(false);
}

TEST("mailboxes with room for two: answers wait, none is lost")
{
    run_sides(2, false);
    check_all(false);
}

TEST("a store that is closed in the middle has answered everybody")
{
    for (int i = 0; i < 3; i++) {
        run_sides(i ? 3 : 0, true);
        check_all(true);
    }
}
