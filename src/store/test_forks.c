/* Tests of forks, and of dropping what nobody needs: messages of a source stay while a fork needs them, and no longer.
 * SPDX-License-Identifier: MIT */
#include "store/inspect.h"
#include "store/test_asker.h"
#include "tests/tap.h"

#include <sys/stat.h>

static asker a;

enum { BIG = 60000 }; /* so large that few share a run */

static void on_fault(void *context, const char *sentence)
{
    TAP_FAIL("%s", sentence);
}

static dx_store_report verify(void)
{
    dx_store_report report = {0};
    char why[DX_STORE_WHY_BYTES] = "";

    CHECK_INT(dx_store_sqlite_verify(a.directory, on_fault, NULL, &report, why), DX_OK);
    return report;
}

static uint64_t append(uint64_t id, uint64_t sequence, size_t count, size_t size)
{
    CHECK_INT(
        asker_commit(&a, &(edit){.id = id, .sequence = sequence, .count = count, .size = size}),
        DX_STORE_OK);
    return sequence + count;
}

static uint64_t make_big(const char *path, size_t count)
{
    uint64_t id = asker_make(&a, path, 0);
    append(id, 1, count, BIG);
    return id;
}

static uint64_t fork_at(const char *path, uint64_t source, uint64_t tail)
{
    uint64_t id = a.store->ops->new_id(a.store);
    CHECK_INT(asker_commit(&a, &(edit){.id = id,
                                       .path = path,
                                       .record = "fork",
                                       .source = source,
                                       .source_tail = tail}),
              DX_STORE_OK);
    return id;
}

/* The messages from..to of stream `id` are those of `owner`. */
static void check_owned(uint64_t id, uint64_t owner, uint64_t from, uint64_t to)
{
    while (from <= to) {
        CHECK_INT(asker_read(&a, id, from, 100, 1 << 20), DX_STORE_OK);
        CHECK(a.read.count > 0);
        if (a.read.count == 0)
            return;
        for (size_t i = 0; i < a.read.count && from <= to; i++, from++)
            CHECK(asker_is_right(a.read.messages[i], owner, from));
    }
}

/* Chores run by themselves, one in a turn: waits until verify counts `runs`. */
static void wait_for_runs(uint64_t runs)
{
    for (int i = 0; i < 200 && verify().runs != runs; i++)
        dx_loop_step(a.loop, 50);
    CHECK_INT(verify().runs, runs);
}

TEST("a fork has its source's messages up to where it was made, then its own")
{
    asker_begin(&a);
    uint64_t source = asker_make(&a, "/s/source", 10);
    uint64_t fork = fork_at("/s/fork", source, 6);
    append(source, 11, 5, 0);
    append(fork, 7, 3, 0);
    for (int round = 0; round < 2; round++) {
        check_owned(fork, source, 1, 6);
        check_owned(fork, fork, 7, 9);
        CHECK_INT(asker_load(&a, "/s/fork"), DX_STORE_OK);
        CHECK_INT(a.first, 1);
        CHECK_INT(a.tail, 9);
        CHECK_INT(asker_count(&a, source, 1), 15);
        asker_reopen(&a);
    }
    verify();
    asker_end(&a);
}

TEST("a fork without messages of its own has the tail it was made at; one at the start has none")
{
    asker_begin(&a);
    uint64_t source = asker_make(&a, "/s/source", 10);
    fork_at("/s/six", source, 6);
    uint64_t none = fork_at("/s/none", source, 0);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(asker_load(&a, "/s/six"), DX_STORE_OK);
        CHECK_INT(a.tail, 6);
        CHECK_INT(asker_load(&a, "/s/none"), DX_STORE_OK);
        CHECK_INT(a.tail, 0);
        CHECK_INT(asker_count(&a, none, 1), 0);
        asker_reopen(&a);
    }
    asker_end(&a);
}

TEST("a fork of a fork reads through both, and no further than either was made at")
{
    asker_begin(&a);
    uint64_t one = asker_make(&a, "/s/1", 10);
    uint64_t two = fork_at("/s/2", one, 5);
    append(two, 6, 5, 0);
    uint64_t three = fork_at("/s/3", two, 8), four = fork_at("/s/4", two, 3);
    append(three, 9, 2, 0);
    append(four, 4, 2, 0);
    for (int round = 0; round < 2; round++) {
        check_owned(three, one, 1, 5);
        check_owned(three, two, 6, 8);
        check_owned(three, three, 9, 10);
        check_owned(four, one, 1, 3);
        check_owned(four, four, 4, 5);
        asker_reopen(&a);
    }
    asker_end(&a);
}

TEST("a fork begins where its source did")
{
    asker_begin(&a);
    uint64_t source = asker_make(&a, "/s/source", 10);
    CHECK_INT(asker_commit(&a, &(edit){.id = source, .first = 4}), DX_STORE_OK);
    uint64_t fork = fork_at("/s/fork", source, 8);
    CHECK_INT(asker_commit(&a, &(edit){.id = source, .first = 9}), DX_STORE_OK);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(asker_load(&a, "/s/fork"), DX_STORE_OK);
        CHECK_INT(a.first, 4);
        CHECK_INT(a.tail, 8);
        check_owned(fork, source, 4, 8);
        CHECK_INT(asker_load(&a, "/s/source"), DX_STORE_OK);
        CHECK_INT(a.first, 9);
        asker_reopen(&a);
    }
    asker_end(&a);
}

TEST("what is trimmed leaves the disk, but not what a fork needs; when the fork is gone, that too")
{
    asker_begin(&a);
    uint64_t source = make_big("/s/source", 20);
    uint64_t fork = fork_at("/s/fork", source, 10);
    asker_reopen(&a);
    CHECK_INT(verify().runs, 10); /* of two messages each */
    CHECK_INT(asker_commit(&a, &(edit){.id = source, .first = 15}), DX_STORE_OK);
    asker_reopen(&a);
    CHECK_INT(verify().runs, 10);
    check_owned(fork, source, 1, 10);
    CHECK_INT(asker_commit(&a, &(edit){.id = fork, .first = 7}), DX_STORE_OK);
    asker_reopen(&a);
    wait_for_runs(7); /* 7 to 20 */
    check_owned(fork, source, 7, 10);
    CHECK_INT(asker_commit(&a, &(edit){.id = fork, .is_deleted = true}), DX_STORE_OK);
    asker_reopen(&a);
    wait_for_runs(3); /* 15 to 20 */
    check_owned(source, source, 15, 20);
    asker_end(&a);
}

TEST(
    "a path that was freed finds nothing, its messages are there for forks, and all goes with the last of them")
{
    asker_begin(&a);
    uint64_t source = make_big("/s/source", 6);
    uint64_t one = fork_at("/s/one", source, 4), two = fork_at("/s/two", one, 2);
    CHECK_INT(asker_commit(&a, &(edit){.id = source, .is_path_freed = true}), DX_STORE_OK);
    CHECK_INT(asker_load(&a, "/s/source"), DX_STORE_NOT_FOUND);
    uint64_t next = asker_make(&a, "/s/source", 1);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(asker_load(&a, "/s/source"), DX_STORE_OK);
        CHECK_INT(a.id, next);
        check_owned(one, source, 1, 4);
        check_owned(two, source, 1, 2);
        asker_reopen(&a);
    }
    CHECK_INT(asker_commit(&a, &(edit){.id = two, .is_deleted = true}), DX_STORE_OK);
    CHECK_INT(asker_commit(&a, &(edit){.id = one, .is_deleted = true}), DX_STORE_OK);
    CHECK_INT(asker_commit(&a, &(edit){.id = source, .is_deleted = true}), DX_STORE_OK);
    asker_reopen(&a);
    wait_for_runs(1);
    CHECK_INT(verify().streams, 1);
    asker_end(&a);
}

TEST("a path that is freed with a record is still found, with that record")
{
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/gone", 2);
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .is_path_freed = true, .record = "deleted"}),
              DX_STORE_OK);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(asker_load(&a, "/s/gone"), DX_STORE_OK);
        CHECK(strcmp(a.record, "deleted") == 0);
        asker_reopen(&a);
    }
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .is_path_freed = true}), DX_STORE_OK);
    CHECK_INT(asker_load(&a, "/s/gone"), DX_STORE_NOT_FOUND);
    asker_reopen(&a);
    CHECK_INT(asker_load(&a, "/s/gone"), DX_STORE_NOT_FOUND);
    asker_end(&a);
}

static long database_bytes(void)
{
    char path[256];
    struct stat status;

    snprintf(path, sizeof path, "%s/duplex.db", a.directory);
    CHECK_INT(stat(path, &status), 0);
    return (long)status.st_size;
}

TEST("a stream that keeps its last messages does not grow, however much goes through it")
{
    long before = 0;

    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/capped", 0), next = 1;
    for (int round = 0; round < 8; round++) {
        for (int i = 0; i < 20; i++) {
            next = append(id, next, 20, 5000);
            if (next > 100)
                CHECK_INT(asker_commit(&a, &(edit){.id = id, .first = next - 100}), DX_STORE_OK);
        }
        asker_reopen(&a);
        if (round == 1)
            before = database_bytes();
    }
    CHECK(database_bytes() <= before + before / 2);
    CHECK_INT(asker_load(&a, "/s/capped"), DX_STORE_OK);
    CHECK_INT(a.first, next - 100);
    CHECK_INT(asker_count(&a, id, next - 100), 100);
    asker_end(&a);
}

TEST("a deleted stream with many runs and facts is dropped step by step")
{
    dx_store_fact facts[40];
    char keys[40][32];

    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/large", 0);
    for (uint64_t i = 0; i < 10; i++)
        append(id, 1 + i * 40, 40, BIG);
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 40; i++) {
            snprintf(keys[i], sizeof keys[i], "%d.%d", round, i);
            facts[i] = fact(keys[i], "value", 0);
        }
        CHECK_INT(asker_commit(&a, &(edit){.id = id, .facts = facts, .facts_count = 40}),
                  DX_STORE_OK);
    }
    asker_reopen(&a);
    CHECK_INT(verify().runs, 200);
    CHECK_INT(verify().facts, 1200);
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .is_deleted = true}), DX_STORE_OK);
    asker_reopen(&a);
    wait_for_runs(0);
    for (int i = 0; i < 200 && verify().facts > 0; i++)
        dx_loop_step(a.loop, 50);
    CHECK_INT(verify().facts, 0);
    asker_end(&a);
}
