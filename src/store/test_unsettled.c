/* Tests of what is committed but not settled: nothing is seen before it is applied, nothing is left of what is not, and
 * each allocation fails in turn.
 * SPDX-License-Identifier: MIT */
#include "store/journal.h"
#include "store/unsettled.h"
#include "tests/support/failmalloc.h"
#include "tests/tap.h"

static dx_unsettled u;

static void make_messages(dx_message **messages, size_t count, uint64_t sequence)
{
    for (size_t i = 0; i < count; i++) {
        messages[i] = dx_message_new(DX_BYTES("payload"), 0);
        messages[i]->epoch = 1;
        messages[i]->sequence = sequence + i;
    }
}

static void unref_messages(dx_message **messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_INT(atomic_load(&messages[i]->refs), 1); /* nobody kept one */
        dx_message_unref(messages[i]);
    }
}

/* What is there when `applied` of the two commits of scenario() were. */
static void check(int applied)
{
    const dx_pending *p = dx_unsettled_find(&u, 7);

    if (applied == 0) {
        CHECK(p == NULL);
        CHECK(dx_unsettled_find_path(&u, DX_BYTES("/s/path")) == NULL);
        CHECK_INT(u.count, 0);
        CHECK_INT(u.bytes, 0);
        CHECK(dx_unsettled_journal(&u) == UINT64_MAX);
        return;
    }
    CHECK(p && p == dx_unsettled_find_path(&u, DX_BYTES("/s/path")));
    CHECK(p->is_created && p->prepared == 0 && p->reserved == 0);
    CHECK_INT(p->count, applied == 1 ? 3 : 9);
    CHECK_INT(p->facts_count, applied);
    CHECK_INT(p->journal, 20);
    CHECK_INT(dx_unsettled_journal(&u), 20);
    CHECK_MEM(p->record.at, p->record.size, applied == 1 ? "one" : "two", 3);
}

static int commit(const dx_store_commit *c, uint64_t row)
{
    dx_change change;
    dx_prepared prepared;
    dx_buffer bytes = {0};
    bool is_written = false;

    FAILING(prepared = dx_unsettled_prepare(&u, c, &change));
    if (prepared != DX_PREPARED) {
        CHECK_INT(prepared, DX_PREPARE_MEMORY);
        return 0;
    }
    FAILING(is_written = dx_journal_append(&bytes, c));
    CHECK(is_written || bytes.size == 0);
    dx_buffer_clear(&bytes);
    if (is_written)
        dx_unsettled_apply(&u, c, &change, row);
    else
        dx_unsettled_cancel(&u, c, &change);
    return is_written;
}

static void scenario(void)
{
    dx_message *messages[9];
    dx_store_fact fact = {DX_BYTES("key"), DX_BYTES("value"), 0};
    dx_store_commit one = {.id = 7,
                           .path = DX_BYTES("/s/path"),
                           .record = DX_BYTES("one"),
                           .facts = &fact,
                           .facts_count = 1,
                           .messages = messages,
                           .count = 3};
    dx_store_commit two = {.id = 7,
                           .record = DX_BYTES("two"),
                           .facts = &fact,
                           .facts_count = 1,
                           .messages = messages + 3,
                           .count = 6};

    dx_unsettled_init(&u);
    make_messages(messages, 9, 1);
    int applied = commit(&one, 20);
    check(applied);
    if (applied)
        applied += commit(&two, 21);
    check(applied);
    dx_unsettled_deinit(&u);
    unref_messages(messages, 9);
}

TEST("a change is made whole or not at all, whichever allocation fails")
{
    CHECK(failmalloc_sweep(scenario) > 8);
}

TEST(
    "nothing is seen of a change before it is applied; another stream cannot have its path until it is given up")
{
    dx_store_commit make = {.id = 1, .path = DX_BYTES("/s/p"), .record = DX_BYTES("r")};
    dx_store_commit gone = {.id = 1, .is_deleted = true};
    dx_store_commit next = {.id = 2, .path = DX_BYTES("/s/p"), .record = DX_BYTES("s")};
    dx_change change, other;

    dx_unsettled_init(&u);
    CHECK_INT(dx_unsettled_prepare(&u, &make, &change), DX_PREPARED);
    CHECK(!dx_unsettled_find_path(&u, DX_BYTES("/s/p"))->is_created);
    CHECK_INT(u.count, 0);
    CHECK_INT(dx_unsettled_prepare(&u, &next, &other), DX_PREPARE_LATER);
    CHECK(dx_unsettled_find(&u, 2) == NULL);
    dx_unsettled_apply(&u, &make, &change, 1);
    CHECK(dx_unsettled_find_path(&u, DX_BYTES("/s/p"))->is_created);
    CHECK_INT(dx_unsettled_prepare(&u, &gone, &change), DX_PREPARED);
    CHECK_INT(dx_unsettled_prepare(&u, &next, &other), DX_PREPARE_LATER);
    dx_unsettled_apply(&u, &gone, &change, 2);
    CHECK_INT(dx_unsettled_prepare(&u, &next, &other), DX_PREPARED);
    dx_unsettled_cancel(&u, &next, &other);
    CHECK(dx_unsettled_find(&u, 2) == NULL && dx_unsettled_find_path(&u, DX_BYTES("/s/p")) == NULL);
    dx_unsettled_forget(&u, dx_unsettled_find(&u, 1));
    CHECK_INT(u.bytes, 0);
    dx_unsettled_deinit(&u);
}
