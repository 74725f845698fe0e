/* Tests of streams that a store keeps: nothing is seen or answered before it is committed, what is loaded
 * again is as it was, failures are told and got over.
 * SPDX-License-Identifier: MIT */
#include "stream/stream_store.h"
#include "stream/test_pair.h"
#include "stream/test_store.h"
#include "tests/tap.h"

#define CHECK_TEXT(p, path, want)                                                                  \
    do {                                                                                           \
        const char *got = pair_text(p, 1, path);                                                   \
        if (strcmp(got, want) != 0)                                                                \
            TAP_FAIL("%s is \"%s\", expected \"%s\"", #path, got, want);                           \
    } while (0)

static pair *pair_on(test_disk *disk)
{
    pair *p = pair_new_with(test_store_new(disk));

    p->ns.creation = DX_CREATE_BY_PUT;
    return p;
}

/* The server ends and begins again. Homes are others then, but the paths that were asked for stay. */
static pair *restart(pair *p, test_disk *disk)
{
    pair_free(p);
    return pair_on(disk);
}

static dx_create text_plain(const char *path)
{
    return (dx_create){.path = dx_bytes_of(path), .type = DX_BYTES("text/plain")};
}

static dx_append text(const char *path)
{
    return (dx_append){.path = dx_bytes_of(path), .kind = DX_STREAM_TEXT};
}

static void let(pair *p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        test_store_let(p->store, 1);
        for (int k = 0; k < 4; k++)
            pair_turn(p);
    }
}

static void turns(pair *p)
{
    for (int i = 0; i < 4; i++)
        pair_turn(p);
}

/* ---- committed or not -------------------------------------------------------------------------- */

TEST("nothing is answered, read or counted before its commit")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    pair_answer made = {.create = text_plain("/live/a")}, one = {.append = text("/live/a")};
    pair_answer two = {.append = text("/live/a")};

    test_store_hold(p->store, true);
    pair_begin_create(p, 0, &made, TEXTS("0"));
    turns(p);
    CHECK(!made.is_done);
    let(p, 1); /* loaded: not there */
    CHECK(!made.is_done);
    let(p, 1);
    CHECK(made.is_done);
    CHECK(made.create.status == DX_STREAM_OK && made.create.is_new);
    pair_begin_append(p, 0, &one, TEXTS("1"));
    turns(p);
    pair_begin_append(p, 1, &two, TEXTS("2", "3"));
    turns(p);
    CHECK(!one.is_done && !two.is_done);
    CHECK_TEXT(p, "/live/a", "0");
    let(p, 1);
    CHECK(one.is_done && !two.is_done);
    CHECK_INT(one.append.next.sequence, 2);
    CHECK_TEXT(p, "/live/a", "0|1");
    let(p, 1);
    CHECK(two.is_done);
    CHECK_INT(two.append.next.sequence, 4);
    CHECK_TEXT(p, "/live/a", "0|1|2|3");
    pair_free(p);
    test_disk_free(disk);
}

TEST("the appends of one turn are one commit")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    pair_answer many[50] = {0};

    pair_create(p, 0, text_plain("/live/a"), NULL);
    size_t before = test_store_commits(p->store);
    uint32_t home = dx_streams_home(p->streams, DX_BYTES("/live/a"));
    for (int i = 0; i < 50; i++) {
        many[i].append = text("/live/a");
        pair_begin_append(p, home, &many[i], TEXTS("x"));
    }
    for (int i = 0; i < 50; i++)
        pair_wait(p, &many[i].is_done);
    CHECK_INT(test_store_commits(p->store), before + 1);
    for (uint64_t i = 0; i < 50; i++)
        CHECK_INT(many[i].append.next.sequence, i + 1);
    pair_free(p);
    test_disk_free(disk);
}

TEST(
    "what is under way counts: duplicates, closing and If-Match are judged by it, and answered after it")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    dx_append_rules rules[5] = {
        {.producer = DX_BYTES("a")},
        {.producer = DX_BYTES("a")},
        {.has_expected = true},
        {.producer = DX_BYTES("a"), .producer_sequence = 1, .is_closing = true},
        {.is_closing = false},
    };
    static const dx_stream_status statuses[5] = {DX_STREAM_OK, DX_STREAM_OK, DX_STREAM_MISMATCH,
                                                 DX_STREAM_OK, DX_STREAM_CLOSED};
    pair_answer answers[5] = {0};

    rules[2].expected = pair_create(p, 0, text_plain("/live/a"), NULL).info.tail;
    test_store_hold(p->store, true);
    for (int i = 0; i < 5; i++) {
        answers[i].append = text("/live/a");
        answers[i].append.rules = &rules[i];
        pair_begin_append(p, 0, &answers[i], TEXTS("x"));
        turns(p);
        CHECK(!answers[i].is_done);
    }
    let(p, 10);
    for (int i = 0; i < 5; i++) {
        CHECK(answers[i].is_done);
        CHECK_INT(answers[i].append.status, statuses[i]);
    }
    CHECK(!rules[0].is_duplicate && rules[1].is_duplicate && !rules[3].is_duplicate);
    CHECK_INT(answers[2].append.next.sequence, 1);
    CHECK(answers[3].append.is_closed && answers[4].append.is_closed);
    CHECK(!answers[0].append.is_closed); /* it was open then */
    CHECK_TEXT(p, "/live/a", "x|x");
    pair_free(p);
    test_disk_free(disk);
}

TEST(
    "on first use: made with its first append, while others wait; a watch makes nothing in the store")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    pair_answer one = {.append = text("/live/a")}, two = {.append = text("/live/a")};

    p->ns.creation = DX_CREATE_ON_USE;
    CHECK_TEXT(p, "/live/a", "[not found]");
    test_store_hold(p->store, true);
    pair_begin_append(p, 0, &one, TEXTS("1"));
    turns(p);
    pair_begin_append(p, 1, &two, TEXTS("2"));
    let(p, 1);
    CHECK_INT(test_disk_count(disk), 0);
    let(p, 1);
    CHECK(one.is_done && !two.is_done);
    let(p, 1);
    CHECK(two.is_done);
    test_store_hold(p->store, false);
    CHECK_TEXT(p, "/live/a", "1|2");
    CHECK_INT(test_disk_count(disk), 1);
    pair_free(p);
    test_disk_free(disk);
}

/* ---- loaded again ------------------------------------------------------------------------------ */

TEST(
    "after a restart all is as before: messages, offsets, type, lifetime, closing, what appends were judged by")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    dx_append_rules producer = {.producer = DX_BYTES("a"), .producer_epoch = 3},
                    key = {.key = DX_BYTES("k")};
    dx_append_rules sequence = {.sequence = DX_BYTES("5")};
    dx_append a = text("/live/a");
    dx_create like = {.path = DX_BYTES("/live/a"),
                      .type = DX_BYTES("text/plain;x=y"),
                      .lifetime = {DX_LIFETIME_IDLE, 100, 0}};

    dx_create made = pair_create(p, 0, like, TEXTS("0"));
    a.rules = &producer;
    CHECK_INT(pair_append(p, 0, a, TEXTS("1")).status, DX_STREAM_OK);
    a.rules = &key;
    dx_offset at_key = pair_append(p, 1, a, TEXTS("2")).next;
    a.rules = &sequence;
    CHECK_INT(pair_append(p, 1, a, TEXTS("3")).status, DX_STREAM_OK);
    dx_stream_info before = pair_info(p, 0, "/live/a");
    for (int i = 0; i < 2; i++) {
        p = restart(p, disk);
        dx_stream_info after = pair_info(p, 0, "/live/a");
        CHECK(memcmp(&before, &after, sizeof before) == 0);
        CHECK_TEXT(p, "/live/a", "0|1|2|3");
        CHECK_INT(after.identity, made.info.identity);
        dx_read r = pair_read(
            p, 1, (dx_read){.path = DX_BYTES("/live/a"), .position = {DX_OFFSET_AT, at_key}});
        CHECK_INT(r.status, DX_STREAM_OK);
        CHECK_INT(r.count, 1);
        CHECK_INT(r.messages[0]->kind, DX_STREAM_TEXT);
        dx_read_release(&r);
        a.rules = &producer;
        CHECK_INT(pair_append(p, 0, a, TEXTS("1")).status, DX_STREAM_OK);
        CHECK(producer.is_duplicate);
        a.rules = &key;
        CHECK(dx_offset_compare(pair_append(p, 0, a, TEXTS("2")).next, at_key) == 0);
        CHECK(key.is_duplicate);
        CHECK_INT(pair_append(p, 0, a, TEXTS("x")).status, DX_STREAM_KEY_REUSED);
        a.rules = &sequence;
        CHECK_INT(pair_append(p, 0, a, TEXTS("x")).status, DX_STREAM_SEQUENCE);
        CHECK(!pair_create(p, 1, like, NULL).is_new);
        like.is_closed = true;
        CHECK_INT(pair_create(p, 1, like, NULL).status, DX_STREAM_CONFLICT);
        like.is_closed = false;
    }
    dx_append_rules closing = {.is_closing = true};
    a.rules = &closing;
    CHECK_INT(pair_append(p, 0, a, TEXTS("4")).status, DX_STREAM_OK);
    p = restart(p, disk);
    CHECK_INT(pair_append(p, 0, text("/live/a"), TEXTS("x")).status, DX_STREAM_CLOSED);
    CHECK(pair_info(p, 0, "/live/a").is_closed);
    pair_free(p);
    test_disk_free(disk);
}

TEST("a crash between give and commit: who was answered has it, who was not may have to ask again")
{
    for (size_t done = 0; done <= 6; done++) {
        test_disk *disk = test_disk_new();
        pair *p = pair_on(disk);
        pair_answer answers[6] = {0};
        dx_append_rules rules[6] = {0};
        pair_create(p, 0, text_plain("/live/a"), NULL);
        test_store_hold(p->store, true);
        for (size_t i = 0; i < 6; i++) {
            rules[i] = (dx_append_rules){.producer = DX_BYTES("a"), .producer_sequence = i};
            answers[i].append = text("/live/a");
            answers[i].append.rules = &rules[i];
            pair_begin_append(p, i % 2, &answers[i], TEXTS("x"));
            turns(p);
        }
        let(p, done);
        test_store_crash(p->store);
        pair_free(p);
        p = pair_on(disk);
        uint64_t tail = pair_info(p, 0, "/live/a").tail.sequence;
        CHECK_INT(tail, done);
        for (uint64_t i = 0; i < 6; i++) {
            CHECK(answers[i].is_done);
            CHECK_INT(answers[i].append.status, i < done ? DX_STREAM_OK : DX_STREAM_STORE);
            dx_append again = text("/live/a");
            rules[i].is_duplicate = false;
            again.rules = &rules[i];
            CHECK_INT(pair_append(p, 0, again, TEXTS("x")).status, DX_STREAM_OK);
            CHECK(rules[i].is_duplicate == (i < done));
        }
        CHECK_INT(pair_info(p, 0, "/live/a").tail.sequence, 6);
        pair_free(p);
        test_disk_free(disk);
    }
}

TEST("an idle stream leaves memory and comes back; how long it has been idle is known then")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    dx_create like = text_plain("/live/a");

    like.lifetime = (dx_lifetime){DX_LIFETIME_IDLE, 100, 0};
    pair_create(p, 0, like, TEXTS("x"));
    pair_pass(p, 50000);
    dx_read r = pair_read(p, 0, (dx_read){.path = DX_BYTES("/live/a"), .is_touch = true});
    dx_read_release(&r);
    uint32_t home = dx_streams_home(p->streams, DX_BYTES("/live/a"));
    dx_stream *s = dx_home_find(p->hubs[home], DX_BYTES("/live/a"));
    s->kept->seen_ms -= 60001;    /* as if nobody had asked for so long */
    dx_home_sweep(p->hubs[home]); /* writes down that it was used */
    turns(p);
    s->kept->seen_ms -= 60001;
    dx_home_sweep(p->hubs[home]);
    CHECK_INT(p->hubs[home]->streams.count, 0);
    pair_pass(p, 99000);
    CHECK_TEXT(p, "/live/a", "x");
    pair_pass(p, 1000);
    CHECK_TEXT(p, "/live/a", "[not found]");
    CHECK_INT(test_disk_count(disk), 0);
    pair_free(p);
    test_disk_free(disk);
}

/* ---- pages ------------------------------------------------------------------------------------- */

static void fill(pair *p, const char *path, int count)
{
    char texts[64][16];
    const char *at[65] = {0};

    for (int i = 0; i < count; i += 50) {
        for (int k = 0; k < 50; k++) {
            snprintf(texts[k], sizeof texts[k], "%d", i + k + 1);
            at[k] = texts[k];
        }
        CHECK_INT(pair_append(p, 0, text(path), at).status, DX_STREAM_OK);
    }
}

TEST(
    "a page is the log's where it has it, else the store's; each message once, whatever the page's size")
{
    enum { COUNT = 3000 };
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);

    pair_create(p, 0, text_plain("/live/a"), NULL);
    fill(p, "/live/a", COUNT);
    for (size_t size = 7; size < 5000; size *= 5) {
        dx_position position = {.kind = DX_OFFSET_START};
        uint64_t next = 1;
        while (next <= COUNT) {
            dx_read r = pair_read(p, 1,
                                  (dx_read){.path = DX_BYTES("/live/a"),
                                            .position = position,
                                            .count_max = size,
                                            .bytes_max = 1 << 20});
            CHECK_INT(r.status, DX_STREAM_OK);
            CHECK(r.count > 0);
            if (r.count == 0)
                break;
            for (size_t i = 0; i < r.count; i++)
                CHECK_INT(r.messages[i]->sequence, next++);
            position = (dx_position){DX_OFFSET_AT, r.next};
            dx_read_release(&r);
        }
    }
    CHECK(test_store_reads(p->store) > 0);
    size_t reads = test_store_reads(p->store);
    dx_read r = pair_read(p, 1, (dx_read){.path = DX_BYTES("/live/a"), .last = 500});
    CHECK_INT(r.count, 500);
    dx_read_release(&r);
    CHECK_INT(test_store_reads(p->store), reads);
    CHECK(p->hubs[0]->cached_bytes + p->hubs[1]->cached_bytes < 1024 * 5);
    pair_free(p);
    test_disk_free(disk);
}

/* ---- failures ---------------------------------------------------------------------------------- */

TEST("a commit fails: those behind it, too; then the stream goes on from what the store has")
{
    static const dx_store_status statuses[] = {DX_STORE_FULL, DX_STORE_BROKEN, DX_STORE_MEMORY};

    for (size_t nth = 1; nth <= 4; nth++) {
        test_disk *disk = test_disk_new();
        pair *p = pair_on(disk);
        pair_answer answers[4] = {0}, next = {.append = text("/live/a")};
        pair_create(p, 0, text_plain("/live/a"), TEXTS("0"));
        test_store_hold(p->store, true);
        test_store_fail(p->store, nth, statuses[nth % 3]);
        for (size_t i = 0; i < 4; i++) {
            answers[i].append = text("/live/a");
            pair_begin_append(p, i % 2, &answers[i], TEXTS("x"));
            turns(p);
        }
        let(p, nth);
        pair_begin_append(p, 0, &next, TEXTS("n")); /* waits till all is known again */
        turns(p);
        let(p, 10);
        for (size_t i = 0; i < 4; i++) {
            CHECK(answers[i].is_done);
            dx_stream_status refused =
                statuses[nth % 3] == DX_STORE_FULL ? DX_STREAM_NO_SPACE : DX_STREAM_STORE;
            CHECK_INT(answers[i].append.status, i + 1 < nth ? DX_STREAM_OK : refused);
        }
        CHECK(next.is_done);
        CHECK_INT(next.append.status, DX_STREAM_OK);
        CHECK_INT(next.append.next.sequence, 1 + nth);
        test_store_hold(p->store, false);
        char *on_disk = test_disk_text(disk, DX_BYTES("/live/a"));
        CHECK(strstr(on_disk, " n") != NULL);
        free(on_disk);
        pair_free(p);
        test_disk_free(disk);
    }
}

TEST("no load, no answer but that the store failed; when it is well again all is")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);

    pair_create(p, 0, text_plain("/live/a"), TEXTS("0"));
    p = restart(p, disk);
    test_store_fail_loads(p->store, DX_STORE_BROKEN);
    CHECK_INT(pair_append(p, 0, text("/live/a"), TEXTS("x")).status, DX_STREAM_STORE);
    CHECK_INT(pair_create(p, 1, text_plain("/live/a"), NULL).status, DX_STREAM_STORE);
    CHECK_INT(pair_delete(p, 0, "/live/a"), DX_STREAM_STORE);
    CHECK_TEXT(p, "/live/a", "[store]");
    CHECK_INT(p->hubs[0]->streams.count + p->hubs[1]->streams.count, 0);
    test_store_fail_loads(p->store, DX_STORE_OK);
    CHECK_TEXT(p, "/live/a", "0");
    test_store_fail_loads(p->store, DX_STORE_BROKEN);
    CHECK_INT(pair_delete(p, 0, "/live/a"), DX_STREAM_STORE); /* forks could not be counted */
    test_store_fail_loads(p->store, DX_STORE_OK);
    CHECK_TEXT(p, "/live/a", "0");
    test_store_fail(p->store, 1, DX_STORE_FULL);
    CHECK_INT(pair_delete(p, 0, "/live/a"), DX_STREAM_NO_SPACE);
    CHECK_TEXT(p, "/live/a", "0");
    test_store_fail(p->store, 1, DX_STORE_FULL);
    CHECK_INT(pair_create(p, 1, text_plain("/live/b"), TEXTS("1")).status, DX_STREAM_NO_SPACE);
    CHECK_TEXT(p, "/live/b", "[not found]");
    CHECK_INT(pair_create(p, 1, text_plain("/live/b"), TEXTS("2")).status, DX_STREAM_OK);
    CHECK_TEXT(p, "/live/b", "2");
    p = restart(p, disk);
    test_store_fail_reads(p->store, DX_STORE_BROKEN);
    CHECK_TEXT(p, "/live/a", "[store]");
    test_store_fail_reads(p->store, DX_STORE_OK);
    CHECK_TEXT(p, "/live/a", "0");
    pair_free(p);
    test_disk_free(disk);
}
