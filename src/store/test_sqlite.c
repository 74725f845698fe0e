/* Tests of the store in one SQLite database: what is committed is there, now and after it was opened again.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "store/inspect.h"
#include "store/test_asker.h"
#include "tests/tap.h"

#include <sys/stat.h>
#include <unistd.h>

static asker a;

TEST("a stream that is made can be loaded and read; one that is not, cannot")
{
    asker_begin(&a);
    CHECK_INT(asker_load(&a, "/s/one"), DX_STORE_NOT_FOUND);
    uint64_t id = asker_make(&a, "/s/one", 3);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(asker_load(&a, "/s/one"), DX_STORE_OK);
        CHECK_INT(a.id, id);
        CHECK_INT(a.first, 1);
        CHECK_INT(a.tail, 3);
        CHECK(strcmp(a.record, "made") == 0);
        CHECK_INT(asker_count(&a, id, 1), 3);
        CHECK_INT(asker_count(&a, id, 3), 1);
        CHECK_INT(asker_count(&a, id, 4), 0);
        CHECK_INT(asker_load(&a, "/s/on"), DX_STORE_NOT_FOUND);
        CHECK_INT(asker_read(&a, id + 1, 1, 1, 1), DX_STORE_NOT_FOUND);
        asker_reopen(&a);
    }
    asker_end(&a);
}

TEST("appends go on where the last one ended, across openings")
{
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/appended", 0);
    CHECK_INT(asker_load(&a, "/s/appended"), DX_STORE_OK);
    CHECK_INT(a.first, 1);
    CHECK_INT(a.tail, 0);
    for (uint64_t sequence = 1; sequence <= 30; sequence += 3) {
        CHECK_INT(
            asker_commit(&a, &(edit){.id = id, .sequence = sequence, .count = 3, .size = 100}),
            DX_STORE_OK);
        CHECK_INT(asker_count(&a, id, 1), (long)sequence + 2);
        if (sequence % 4 == 0)
            asker_reopen(&a);
    }
    CHECK_INT(asker_load(&a, "/s/appended"), DX_STORE_OK);
    CHECK_INT(a.tail, 30);
    CHECK(strcmp(a.record, "made") == 0);
    asker_end(&a);
}

TEST("a read gives no more than was asked for, but one if there is one")
{
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/limits", 0);
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .sequence = 1, .count = 10, .size = 100}),
              DX_STORE_OK);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(asker_read(&a, id, 2, 4, 1 << 20), DX_STORE_OK);
        CHECK_INT(a.read.count, 4);
        CHECK_INT(a.read.messages[0]->sequence, 2);
        CHECK_INT(asker_read(&a, id, 1, 100, 250), DX_STORE_OK);
        CHECK_INT(a.read.count, 3);
        CHECK_INT(asker_read(&a, id, 10, 1, 1), DX_STORE_OK);
        CHECK_INT(a.read.count, 1);
        asker_reopen(&a);
    }
    asker_end(&a);
}

TEST("facts are kept by key: the last one counts, an empty one removes, an old one is forgotten")
{
    dx_store_fact first[] = {fact("a", "1", 0), fact("b", "1", 0), fact("c", "1", 1)};
    dx_store_fact second[] = {fact("b", "2", 0), fact("a", "", 0), fact("d", "2", UINT64_MAX)};

    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/facts", 0);
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .facts = first, .facts_count = 3}), DX_STORE_OK);
    CHECK_INT(asker_load(&a, "/s/facts"), DX_STORE_OK);
    CHECK_INT(a.facts_count, 2);
    CHECK(strstr(a.facts, "a=1;") && strstr(a.facts, "b=1;"));
    for (int round = 0; round < 3; round++) {
        if (round == 1)
            asker_reopen(&a); /* what came first is settled, what comes now is not */
        CHECK_INT(asker_commit(&a, &(edit){.id = id, .facts = second, .facts_count = 3}),
                  DX_STORE_OK);
        if (round == 2)
            asker_reopen(&a);
        CHECK_INT(asker_load(&a, "/s/facts"), DX_STORE_OK);
        CHECK_INT(a.facts_count, 2);
        CHECK(strstr(a.facts, "b=2;") && strstr(a.facts, "d=2;"));
    }
    asker_end(&a);
}

TEST("a record is replaced as a whole and kept if a commit has none")
{
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/record", 1);
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .record = "changed"}), DX_STORE_OK);
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .sequence = 2, .count = 1}), DX_STORE_OK);
    CHECK_INT(asker_load(&a, "/s/record"), DX_STORE_OK);
    CHECK(strcmp(a.record, "changed") == 0);
    asker_reopen(&a);
    CHECK_INT(asker_load(&a, "/s/record"), DX_STORE_OK);
    CHECK(strcmp(a.record, "changed") == 0);
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .record = ""}), DX_STORE_OK);
    asker_reopen(&a);
    CHECK_INT(asker_load(&a, "/s/record"), DX_STORE_OK);
    CHECK_INT(strlen(a.record), 0);
    asker_end(&a);
}

TEST("a deleted stream is gone, and its path is free for another, whether or not it was settled")
{
    asker_begin(&a);
    for (int round = 0; round < 4; round++) {
        uint64_t id = asker_make(&a, "/s/deleted", 5);
        if (round & 1)
            asker_reopen(&a);
        CHECK_INT(asker_commit(&a, &(edit){.id = id, .is_deleted = true}), DX_STORE_OK);
        CHECK_INT(asker_load(&a, "/s/deleted"), DX_STORE_NOT_FOUND);
        CHECK_INT(asker_read(&a, id, 1, 10, 1000), DX_STORE_NOT_FOUND);
        if (round & 2)
            asker_reopen(&a);
        CHECK_INT(asker_load(&a, "/s/deleted"), DX_STORE_NOT_FOUND);
        CHECK_INT(asker_read(&a, id, 1, 10, 1000), DX_STORE_NOT_FOUND);
    }
    asker_end(&a);
}

TEST("a deletion and a creation of the same path may be under way together")
{
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/again", 2), next = a.store->ops->new_id(a.store);
    commitment *gone = asker_commit_start(&a, &(edit){.id = id, .is_deleted = true});
    commitment *made = asker_commit_start(
        &a, &(edit){.id = next, .path = "/s/again", .record = "2", .sequence = 1, .count = 1});
    asker_wait(&a, &made->is_done);
    CHECK(gone->is_done);
    CHECK_INT(gone->commit.status, DX_STORE_OK);
    CHECK_INT(made->commit.status, DX_STORE_OK);
    commitment_free(gone);
    commitment_free(made);
    CHECK_INT(asker_load(&a, "/s/again"), DX_STORE_OK);
    CHECK_INT(a.id, next);
    asker_reopen(&a);
    CHECK_INT(asker_load(&a, "/s/again"), DX_STORE_OK);
    CHECK_INT(a.id, next);
    CHECK_INT(asker_count(&a, next, 1), 1);
    asker_end(&a);
}

TEST("numbers of streams are never given twice")
{
    uint64_t last = 0;

    asker_begin(&a);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            uint64_t id = a.store->ops->new_id(a.store);
            CHECK(id > last);
            last = id;
        }
        asker_reopen(&a);
    }
    for (int i = 0; i < 3000000; i++) { /* more than were reserved when it was opened */
        uint64_t id = a.store->ops->new_id(a.store);
        if (id <= last)
            CHECK(id > last);
        last = id;
    }
    asker_reopen(&a);
    CHECK(a.store->ops->new_id(a.store) > last);
    asker_end(&a);
}

TEST("messages that may be dropped are not given any more, and the tail is known even if all are")
{
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/trimmed", 100);
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .first = 41}), DX_STORE_OK);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(asker_load(&a, "/s/trimmed"), DX_STORE_OK);
        CHECK_INT(a.first, 41);
        CHECK_INT(a.tail, 100);
        CHECK_INT(asker_read(&a, id, 1, 1, 1), DX_STORE_OK);
        CHECK_INT(a.read.messages[0]->sequence, 41);
        asker_reopen(&a);
    }
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .first = 101}), DX_STORE_OK);
    for (int round = 0; round < 3; round++) {
        CHECK_INT(asker_load(&a, "/s/trimmed"), DX_STORE_OK);
        CHECK_INT(a.first, 101);
        CHECK_INT(a.tail, 100);
        CHECK_INT(asker_count(&a, id, 1), 0);
        asker_reopen(&a);
    }
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .sequence = 101, .count = 2}), DX_STORE_OK);
    CHECK_INT(asker_count(&a, id, 101), 2);
    asker_end(&a);
}

TEST("one directory has one server")
{
    asker b = {0};

    asker_begin(&a);
    snprintf(b.directory, sizeof b.directory, "%s", a.directory);
    b.options.directory = b.directory;
    CHECK_INT(asker_open(&b), DX_ERR_IN_USE);
    CHECK(strstr(b.why, "another server") != NULL);
    asker_close(&a);
    CHECK_INT(asker_open(&b), DX_OK);
    asker_close(&b);
    asker_remove(&a);
}

static void on_fault(void *context, const char *sentence)
{
    TAP_FAIL("%s", sentence);
}

static dx_store_report verify(void)
{
    dx_store_report report = {0};

    CHECK_INT(dx_store_sqlite_verify(a.directory, on_fault, NULL, &report, a.why), DX_OK);
    return report;
}

static void wait_until_settled(void)
{
    for (int i = 0; i < 200 && verify().unsettled_streams > 0; i++)
        dx_loop_step(a.loop, 50);
    CHECK_INT(verify().unsettled_streams, 0);
}

TEST("what a stream gets little by little comes to lie in few rows")
{
    a = (asker){.options = {.settle_ms = 1}};
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/slow", 1);
    for (uint64_t sequence = 2; sequence <= 6; sequence++) {
        wait_until_settled();
        CHECK_INT(
            asker_commit(&a, &(edit){.id = id, .sequence = sequence, .count = 1, .size = 200}),
            DX_STORE_OK);
    }
    wait_until_settled();
    CHECK_INT(verify().runs, 1);
    CHECK_INT(asker_count(&a, id, 1), 6);
    asker_reopen(&a); /* a new life begins a row of its own: see origin */
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .sequence = 7, .count = 1}), DX_STORE_OK);
    wait_until_settled();
    CHECK_INT(verify().runs, 2);
    CHECK_INT(asker_count(&a, id, 1), 7);
    asker_end(&a);
}

TEST("who a message came from is known for the life of the server, and not mistaken in the next")
{
    a = (asker){.options = {.settle_ms = 1}};
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/origin", 2);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(asker_read(&a, id, 1, 2, 1000), DX_STORE_OK);
        CHECK_INT(a.read.messages[1]->origin, id * 7 + 1);
        wait_until_settled();
    }
    asker_reopen(&a);
    CHECK_INT(asker_read(&a, id, 1, 2, 1000), DX_STORE_OK);
    CHECK_INT(a.read.messages[1]->origin, 0);
    asker_end(&a);
}

TEST("large messages are kept whole, one in a row of its own")
{
    a = (asker){.options = {.settle_ms = 1}};
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/large", 0);
    for (uint64_t i = 0; i < 3; i++)
        CHECK_INT(asker_commit(&a, &(edit){.id = id,
                                           .sequence = i * 3 + 1,
                                           .count = 3,
                                           .size = (size_t)(3 << 20) + i}),
                  DX_STORE_OK);
    wait_until_settled();
    CHECK_INT(verify().runs, 9);
    CHECK_INT(asker_read(&a, id, 5, 10, 1), DX_STORE_OK);
    CHECK_INT(a.read.count, 1);
    CHECK_INT(asker_count(&a, id, 1), 9);
    asker_end(&a);
}

TEST("facts whose time is over leave the disk")
{
    char keys[700][16];
    dx_store_fact facts[700];

    a = (asker){0};
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/expired", 0), until_ms = dx_clock_wall_ms() + 400;
    for (size_t i = 0; i < DX_COUNT(facts); i++) {
        snprintf(keys[i], sizeof keys[i], "key%zu", i);
        facts[i] = fact(keys[i], "value", i == 5 ? 0 : until_ms);
    }
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .facts = facts, .facts_count = DX_COUNT(facts)}),
              DX_STORE_OK);
    asker_close(&a);
    CHECK_INT(verify().facts, DX_COUNT(facts));
    while (dx_clock_wall_ms() <= until_ms)
        usleep(10000);
    CHECK_INT(asker_open(&a), DX_OK);
    for (int i = 0; i < 200 && verify().facts > 1; i++)
        dx_loop_step(a.loop, 50);
    CHECK_INT(verify().facts, 1);
    asker_end(&a);
}

TEST("the state counts what was done, and says what waits")
{
    dx_store_sqlite_state state;

    a = (asker){0};
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/state", 4);
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .sequence = 5, .count = 2, .size = 1000}),
              DX_STORE_OK);
    dx_store_sqlite_state_get(a.store, &state);
    CHECK_INT(state.status, DX_STORE_OK);
    CHECK_INT(state.commits, 2);
    CHECK_INT(state.messages, 6);
    CHECK_INT(state.transactions, 2);
    CHECK_INT(state.unsettled_streams, 1);
    CHECK(state.unsettled_bytes > 2000 && state.log_bytes > 4096);
    asker_end(&a);
}

TEST("the directory is made, and what is in it is the owner's alone")
{
    static const char *const names[] = {
        "", "/duplex.db", "/duplex.db-wal", "/duplex.db-shm", "/duplex.db-mark", "/lock"};
    char path[300], base[128];
    struct stat status;

    a = (asker){0};
    asker_begin_without_store(&a);
    snprintf(base, sizeof base, "%s", a.directory);
    snprintf(a.directory, sizeof a.directory, "%.100s/new", base);
    CHECK_INT(asker_open(&a), DX_OK);
    asker_make(&a, "/s/private", 1);
    for (size_t i = 0; i < DX_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s%s", a.directory, names[i]);
        CHECK_INT(stat(path, &status), 0);
        CHECK_INT(status.st_mode & 0077, 0);
    }
    asker_end(&a);
    CHECK_INT(rmdir(base), 0);
    snprintf(a.directory, sizeof a.directory, "%.100s/none/none", base);
    CHECK(asker_open(&a) != DX_OK && strstr(a.why, "cannot make") != NULL);
}
