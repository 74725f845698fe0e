/* Tests of the store in one SQLite database: what is committed is there, now and after it was opened again.
 * SPDX-License-Identifier: MIT */
#include "store/test_asker.h"
#include "tests/tap.h"

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
        CHECK_INT(asker_commit(&a, &(edit){.id = id, .sequence = sequence, .count = 3, .size = 100}), DX_STORE_OK);
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
    CHECK_INT(asker_commit(&a, &(edit){.id = id, .sequence = 1, .count = 10, .size = 100}), DX_STORE_OK);
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
        CHECK_INT(asker_commit(&a, &(edit){.id = id, .facts = second, .facts_count = 3}), DX_STORE_OK);
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
