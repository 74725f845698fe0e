/* Tests of a medium that fails: each operation fails once, in turn, and then many in a row. What was acknowledged is
 * there, what was refused is not, and the store goes on when the medium does.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "store/inspect.h"
#include "store/test_asker.h"
#include "store/test_faulty.h"
#include "tests/tap.h"

#include <errno.h>
#include <sqlite3.h>
#include <unistd.h>

enum { STREAMS = 3, PATIENCE_MS = 10000 };

static const char *const paths[STREAMS] = {"/s/a", "/s/b", "/s/fork"};

/* What must be there: only what was acknowledged. */
typedef struct model {
    uint64_t id, first, tail, source_tail;
    uint64_t source;
} model;

static asker a;
static model models[STREAMS];
static uint64_t deleted; /* an id */
static bool is_made;     /* it is there after all */
static int refusals;

static bool is_ok(dx_store_status status)
{
    CHECK(status == DX_STORE_OK || status == DX_STORE_FULL || status == DX_STORE_BROKEN);
    refusals += status != DX_STORE_OK;
    return status == DX_STORE_OK;
}

static void make(int stream, uint64_t source, uint64_t source_tail)
{
    model *m = &models[stream];
    uint64_t id = a.store->ops->new_id(a.store);

    if (m->id == 0 && is_ok(asker_commit(&a, &(edit){.id = id,
                                                     .path = paths[stream],
                                                     .record = "made",
                                                     .source = source,
                                                     .source_tail = source_tail})))
        *m = (model){id, source ? models[0].first : 1, source_tail, source_tail, source};
}

static void append(int stream, size_t count, size_t size)
{
    model *m = &models[stream];

    if (m->id &&
        is_ok(asker_commit(
            &a, &(edit){.id = m->id, .sequence = m->tail + 1, .count = count, .size = size})))
        m->tail += count;
}

static void trim(int stream, uint64_t first)
{
    model *m = &models[stream];

    if (m->id && m->tail + 1 >= first &&
        is_ok(asker_commit(&a, &(edit){.id = m->id, .first = first, .record = "trimmed"})))
        m->first = first;
}

/* One that is made and deleted again. */
static void make_and_delete(void)
{
    uint64_t id = a.store->ops->new_id(a.store);

    if (!is_made && is_ok(asker_commit(&a, &(edit){.id = id,
                                                   .path = "/s/deleted",
                                                   .record = "",
                                                   .sequence = 1,
                                                   .count = 3,
                                                   .size = 3000})))
        deleted = id, is_made = true;
    if (is_made && is_ok(asker_commit(&a, &(edit){.id = deleted, .is_deleted = true})))
        is_made = false;
}

static void check_model(bool may_refuse)
{
    for (int i = 0; i < STREAMS; i++) {
        const model *m = &models[i];
        dx_store_status status = asker_load(&a, paths[i]);
        if (may_refuse && (status == DX_STORE_BROKEN || status == DX_STORE_FULL)) {
            refusals++;
            continue;
        }
        CHECK_INT(status, m->id ? DX_STORE_OK : DX_STORE_NOT_FOUND);
        if (status != DX_STORE_OK || m->id == 0)
            continue;
        CHECK_INT(a.id, m->id);
        CHECK_INT(a.first, m->first);
        CHECK_INT(a.tail, m->tail);
        for (uint64_t from = m->first; from <= m->tail;) {
            status = asker_read(&a, m->id, from, 1000, 1 << 20);
            if (may_refuse && status == DX_STORE_BROKEN) {
                refusals++;
                break;
            }
            CHECK_INT(status, DX_STORE_OK);
            CHECK(a.read.count > 0);
            for (size_t k = 0; k < a.read.count; k++, from++)
                CHECK(asker_is_right(a.read.messages[k],
                                     m->source && from <= m->source_tail ? m->source : m->id,
                                     from));
            if (status != DX_STORE_OK || a.read.count == 0)
                break;
        }
    }
    dx_store_status status = asker_load(&a, "/s/deleted");
    if (!may_refuse || status == DX_STORE_OK)
        CHECK_INT(status, is_made ? DX_STORE_OK : DX_STORE_NOT_FOUND);
}

/* Enough to settle, to carry over the log, to drop, with the limits of `options` below. */
static void scenario(void)
{
    make(0, 0, 0);
    make(1, 0, 0);
    for (int i = 0; i < 12; i++) {
        append(0, 3, 2000);
        append(1, 1, 200);
        if (i == 6)
            make(2, models[0].id, models[0].tail ? models[0].tail - 1 : 0);
        append(2, 1, 700);
        if (i == 8)
            trim(0, 20);
        if (i == 9)
            trim(1, 9);
        if (i % 4 == 0)
            make_and_delete();
        check_model(true);
    }
}

/* Commits succeed again, without being asked to, once the medium is well. */
static void check_goes_on(void)
{
    uint64_t until_ms = dx_clock_ms() + PATIENCE_MS;
    uint64_t id = a.store->ops->new_id(a.store);
    dx_store_status status;

    while (
        (status = asker_commit(
             &a,
             &(edit){.id = id, .path = "/s/goes-on", .record = "", .sequence = 1, .count = 1})) !=
            DX_STORE_OK &&
        dx_clock_ms() < until_ms)
        dx_loop_step(a.loop, 20);
    CHECK_INT(status, DX_STORE_OK);
}

static void on_fault(void *context, const char *sentence)
{
    TAP_FAIL("%s", sentence);
}

typedef struct fault_plan {
    faulty_kind kind;
    int code, error;
    long count; /* in a row */
} fault_plan;

/* Gives whether the fault happened. */
static bool run_with(const fault_plan *plan, long nth)
{
    dx_store_report report;

    a = (asker){.options = {.unsettled_bytes_max = 20000,
                            .log_bytes = 100000,
                            .cache_bytes = 200000,
                            .vfs = faulty_vfs()}};
    memset(models, 0, sizeof models);
    is_made = false;
    asker_begin_without_store(&a);
    faulty_arm(plan->kind, nth, plan->count, plan->code, plan->error);
    dx_err err = asker_open(&a);
    CHECK(err == DX_OK || strlen(a.why) > 0);
    if (err == DX_OK)
        scenario();
    bool has_failed = faulty_heal();
    if (err != DX_OK)
        CHECK_INT(asker_open(&a), DX_OK);
    check_goes_on();
    check_model(false);
    asker_reopen(&a);
    check_model(false);
    CHECK_INT(dx_store_sqlite_verify(a.directory, on_fault, NULL, &report, a.why), DX_OK);
    asker_end(&a);
    if (tap_failures)
        printf("# at operation %ld\n", nth);
    return has_failed;
}

/* Each so-manieth operation, from one that differs from run to run; all of them with STORE_SWEEP=all. */
static void sweep(const fault_plan *plan, long step)
{
    long nth = 1 + (long)(dx_clock_ns() / 1000 % (uint64_t)step);

    if (getenv("STORE_SWEEP"))
        nth = step = 1;

    refusals = 0;
    while (tap_failures == 0 && run_with(plan, nth))
        nth += step;
    printf("# %ld operations, %d refusals\n", nth - 1, refusals);
    CHECK(nth > 3);
    CHECK(refusals > 0);
}

TEST("the n-th write finds the disk full: that is said, nothing is changed, and it goes on")
{
    sweep(&(fault_plan){FAULTY_WRITE, SQLITE_FULL, ENOSPC, 1}, 7);
}

TEST("from the n-th write on the disk is full for a while")
{
    sweep(&(fault_plan){FAULTY_WRITE, SQLITE_FULL, ENOSPC, 40}, 29);
}

TEST("the n-th write fails")
{
    sweep(&(fault_plan){FAULTY_WRITE, SQLITE_IOERR_WRITE, EIO, 1}, 23);
}

TEST("the n-th write meets a quota, which is a full disk")
{
    sweep(&(fault_plan){FAULTY_WRITE, SQLITE_IOERR_WRITE, EDQUOT, 1}, 53);
}

TEST("the n-th sync fails, and the next one would say it did not")
{
    sweep(&(fault_plan){FAULTY_SYNC, SQLITE_IOERR_FSYNC, EIO, 1}, 5);
}

TEST("the n-th sync and those after it fail for a while")
{
    sweep(&(fault_plan){FAULTY_SYNC, SQLITE_IOERR_FSYNC, EIO, 3}, 13);
}

TEST("the n-th read fails")
{
    sweep(&(fault_plan){FAULTY_READ, SQLITE_IOERR_READ, EIO, 1}, 11);
}

TEST("a truncation that fails hurts nobody")
{
    refusals = 0;
    for (long nth = 1; nth < 4; nth++)
        (void)run_with(&(fault_plan){FAULTY_TRUNCATE, SQLITE_IOERR_TRUNCATE, EIO, 1}, nth);
}

static void check_state(dx_store_status status)
{
    dx_store_sqlite_state state;

    dx_store_sqlite_state_get(a.store, &state);
    CHECK_INT(state.status, status);
    if (status != DX_STORE_OK)
        CHECK(strlen(state.why) > 5);
}

TEST(
    "while the disk is full commits are told so, reads go on, and the state says it; all by itself it is over")
{
    a = (asker){.options = {.vfs = faulty_vfs()}};
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/full", 5);
    check_state(DX_STORE_OK);
    faulty_arm(FAULTY_WRITE, 1, 1000000, SQLITE_FULL, ENOSPC);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(asker_commit(&a, &(edit){.id = id, .sequence = 6, .count = 1}), DX_STORE_FULL);
        check_state(DX_STORE_FULL);
        CHECK_INT(asker_count(&a, id, 1), 5);
    }
    faulty_heal();
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .sequence = 6, .count = 1}), DX_STORE_OK);
    check_state(DX_STORE_OK);
    CHECK_INT(asker_count(&a, id, 1), 6);
    asker_end(&a);
}

/* ---- those behind one that failed ---- */

static uint64_t one, two;
static commitment *late, *later;

/* Its failure is known now, but not that of the one behind it. */
static void on_first_failed(commitment *c)
{
    late = asker_commit_start(&a, &(edit){.id = one, .record = "late"});
}

static void on_late_failed(commitment *c)
{
    later = asker_commit_start(&a, &(edit){.id = one, .record = "later"});
}

static void on_second_failed(commitment *c)
{
    late->then = on_late_failed;
}

/* Without turning the loop: no answer is heard meanwhile. */
static void wait_for_commits(uint64_t commits)
{
    dx_store_sqlite_state state = {0};

    for (int i = 0; i < 5000 && state.commits < commits; i++) {
        usleep(1000);
        dx_store_sqlite_state_get(a.store, &state);
    }
    CHECK_INT(state.commits, commits);
}

TEST(
    "if a commit fails, those given behind it for the same stream fail, too, until who asked knows")
{
    a = (asker){.options = {.vfs = faulty_vfs()}};
    asker_begin(&a);
    one = asker_make(&a, "/s/one", 0), two = asker_make(&a, "/s/two", 0);
    late = later = NULL;
    faulty_arm(FAULTY_WRITE, 1, 1, SQLITE_FULL, ENOSPC);
    commitment *first = asker_commit_start(&a, &(edit){.id = one, .record = "first"});
    first->then = on_first_failed;
    for (int i = 0; i < 5000 && !faulty_has_failed(); i++)
        usleep(1000);
    CHECK(faulty_heal());
    commitment *second = asker_commit_start(&a, &(edit){.id = one, .record = "second"});
    second->then = on_second_failed;
    commitment *other = asker_commit_start(&a, &(edit){.id = two, .record = "other"});
    wait_for_commits(3);
    for (int i = 0; i < 500 && !(later && later->is_done); i++)
        dx_loop_step(a.loop, 10);
    CHECK(first->is_done && second->is_done && other->is_done);
    CHECK_INT(first->commit.status, DX_STORE_FULL);
    CHECK_INT(second->commit.status, DX_STORE_FULL);
    CHECK_INT(other->commit.status, DX_STORE_OK);
    CHECK(late && late->is_done);
    CHECK_INT(late->commit.status, DX_STORE_FULL);
    CHECK(later && later->is_done);
    CHECK_INT(later->commit.status, DX_STORE_OK);
    CHECK_INT(asker_load(&a, "/s/one"), DX_STORE_OK);
    CHECK(strcmp(a.record, "later") == 0);
    commitment_free(first), commitment_free(second), commitment_free(other);
    commitment_free(late), commitment_free(later);
    asker_end(&a);
}

TEST("while it fails its state says so and why, and when it would be well again, too")
{
    static const struct {
        faulty_kind kind;
        int code, error;
        dx_store_status status;
    } rows[] = {
        {FAULTY_WRITE, SQLITE_FULL, ENOSPC, DX_STORE_FULL},
        {FAULTY_WRITE, SQLITE_IOERR_WRITE, EDQUOT, DX_STORE_FULL},
        {FAULTY_WRITE, SQLITE_IOERR_WRITE, EROFS, DX_STORE_BROKEN},
        {FAULTY_SYNC, SQLITE_IOERR_FSYNC, EIO, DX_STORE_BROKEN},
    };
    dx_store_sqlite_state state;

    a = (asker){.options = {.vfs = faulty_vfs()}};
    asker_begin(&a);
    one = asker_make(&a, "/s/one", 0);
    dx_store_sqlite_state_get(a.store, &state);
    CHECK_INT(state.status, DX_STORE_OK);
    CHECK_INT(state.why[0], '\0');
    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        faulty_arm(rows[i].kind, 1, 1000000, rows[i].code, rows[i].error);
        CHECK_INT(asker_commit(&a, &(edit){.id = one, .record = "x"}), rows[i].status);
        for (int k = 0; k < 3; k++) { /* and it stays so while nobody asks for anything */
            dx_store_sqlite_state_get(a.store, &state);
            CHECK_INT(state.status, rows[i].status);
            CHECK(state.why[0] != '\0');
            usleep(500000);
        }
        CHECK(faulty_heal());
        for (int k = 0; k < 1000 && state.status != DX_STORE_OK; k++) {
            usleep(10000);
            dx_store_sqlite_state_get(a.store, &state);
        }
        CHECK_INT(state.status, DX_STORE_OK);
        CHECK_INT(state.why[0], '\0');
        CHECK_INT(asker_commit(&a, &(edit){.id = one, .record = "y"}), DX_STORE_OK);
    }
    CHECK_INT(asker_load(&a, "/s/one"), DX_STORE_OK);
    uint64_t loads = state.loads, reads = state.reads;
    CHECK_INT(asker_load(&a, "/s/one"), DX_STORE_OK);
    CHECK_INT(asker_read(&a, one, 1, 1, 1), DX_STORE_OK);
    dx_store_sqlite_state_get(a.store, &state);
    CHECK_INT(state.loads, loads + 2);
    CHECK_INT(state.reads, reads + 1);
    asker_end(&a);
}

TEST("if a commit fails, those of its stream that wait for a transaction behind it fail, too")
{
    enum { COUNT = 5, SIZE = 5 << 20, LONG = 64 << 20 }; /* two of a SIZE fill a transaction */
    commitment *c[COUNT], *before, *other;

    a = (asker){.options = {.vfs = faulty_vfs()}};
    asker_begin(&a);
    one = asker_make(&a, "/s/one", 0), two = asker_make(&a, "/s/two", 0);
    uint64_t three = asker_make(&a, "/s/three", 0);
    faulty_arm(FAULTY_WRITE, 1, 2, SQLITE_FULL, ENOSPC);
    /* While this one is tried, and fails, the others come together; the first two of them fail next. */
    before = asker_commit_start(&a, &(edit){.id = two, .sequence = 1, .count = 1, .size = LONG});
    for (uint64_t i = 0; i < COUNT; i++)
        c[i] =
            asker_commit_start(&a, &(edit){.id = one, .sequence = i + 1, .count = 1, .size = SIZE});
    other = asker_commit_start(&a, &(edit){.id = three, .sequence = 1, .count = 1});
    wait_for_commits(4);
    for (uint64_t i = 0; i < COUNT; i++) {
        asker_wait(&a, &c[i]->is_done);
        CHECK_INT(c[i]->commit.status, DX_STORE_FULL);
        commitment_free(c[i]);
    }
    CHECK(faulty_heal());
    CHECK(before->is_done && before->commit.status == DX_STORE_FULL);
    asker_wait(&a, &other->is_done);
    CHECK_INT(other->commit.status, DX_STORE_OK);
    commitment_free(before), commitment_free(other);
    CHECK_INT(asker_load(&a, "/s/one"), DX_STORE_OK);
    CHECK_INT(a.tail, 0);
    CHECK_INT(asker_commit(&a, &(edit){.id = one, .sequence = 1, .count = 1}), DX_STORE_OK);
    asker_end(&a);
}
