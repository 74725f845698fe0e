/* Tests of streams that a store keeps: deletion and forks, retention, subscribers.
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

/* ---- deletion, forks --------------------------------------------------------------------------- */

static dx_create fork_of(const char *source, const char *path)
{
    return (dx_create){.is_fork = true,
                       .path = dx_bytes_of(path),
                       .source = dx_bytes_of(source),
                       .fork_at.kind = DX_OFFSET_NOW};
}

TEST("deleted is gone from the store; the next of that name is another one")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);

    dx_stream_info first = pair_create(p, 0, text_plain("/live/a"), TEXTS("0")).info;
    CHECK_INT(pair_delete(p, 1, "/live/a"), DX_STREAM_OK);
    CHECK_INT(test_disk_count(disk), 0);
    CHECK_INT(pair_delete(p, 1, "/live/a"), DX_STREAM_NOT_FOUND);
    CHECK_TEXT(p, "/live/a", "[not found]");
    dx_stream_info second = pair_create(p, 0, text_plain("/live/a"), TEXTS("1")).info;
    CHECK(first.identity != second.identity && second.tail.epoch > first.tail.epoch);
    p = restart(p, disk);
    CHECK_TEXT(p, "/live/a", "1");
    pair_free(p);
    test_disk_free(disk);
}

TEST("forks share what is in the store, over restarts; who is deleted stays for those who need it")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);

    pair_create(p, 0, text_plain("/live/a"), TEXTS("abc", "def"));
    dx_create like = fork_of("/live/a", "/live/b");
    like.fork_at = (dx_position){DX_OFFSET_AT, {pair_info(p, 0, "/live/a").tail.epoch, 1}};
    like.fork_more = 2;
    dx_create made = pair_create(p, 1, like, TEXTS("XY"));
    CHECK_INT(made.status, DX_STREAM_OK);
    for (int i = 0; i < 3; i++) {
        CHECK_TEXT(p, "/live/b", "abc|de|XY");
        dx_create again = pair_create(p, 0, like, NULL);
        CHECK(again.status == DX_STREAM_OK && !again.is_new);
        like.fork_more++;
        CHECK_INT(pair_create(p, 0, like, NULL).status, DX_STREAM_CONFLICT);
        like.fork_more--;
        p = restart(p, disk);
    }
    pair_append(p, 0, text("/live/a"), TEXTS("g"));
    CHECK_INT(pair_create(p, 0, fork_of("/live/b", "/live/c"), NULL).status, DX_STREAM_OK);
    pair_append(p, 0, text("/live/c"), TEXTS("c"));
    CHECK_INT(pair_delete(p, 0, "/live/a"), DX_STREAM_OK);
    CHECK_INT(pair_delete(p, 0, "/live/b"), DX_STREAM_OK);
    for (int i = 0; i < 2; i++) {
        CHECK_TEXT(p, "/live/a", "[deleted]");
        CHECK_TEXT(p, "/live/b", "[deleted]");
        CHECK_TEXT(p, "/live/c", "abc|de|XY|c");
        CHECK_INT(pair_create(p, 0, text_plain("/live/a"), NULL).status, DX_STREAM_DELETED);
        p = restart(p, disk);
    }
    CHECK_INT(test_disk_count(disk), 3);
    CHECK_INT(pair_delete(p, 0, "/live/c"), DX_STREAM_OK);
    for (int i = 0; i < 10; i++)
        pair_turn(p);
    CHECK_INT(test_disk_count(disk), 0);
    CHECK_TEXT(p, "/live/a", "[not found]");
    pair_free(p);
    test_disk_free(disk);
}

TEST(
    "the server ends before the store has answered: all is answered, and nothing new is asked of it")
{
    for (size_t done = 0; done < 6; done++) {
        test_disk *disk = test_disk_new();
        pair *p = pair_on(disk);
        pair_answer gone = {.op.path = DX_BYTES("/live/a")}, one = {.append = text("/live/b")};
        pair_answer fork = {.create = fork_of("/live/b", "/live/c")},
                    made = {.create = text_plain("/live/d")};
        pair_create(p, 0, text_plain("/live/a"), TEXTS("x"));
        pair_create(p, 0, text_plain("/live/b"), TEXTS("x"));
        test_store_hold(p->store, true);
        pair_begin_delete(p, 0, &gone);
        pair_begin_append(p, 1, &one, TEXTS("1"));
        pair_begin_create(p, 0, &fork, NULL);
        pair_begin_create(p, 1, &made, NULL);
        turns(p);
        let(p, done);
        pair_free(p);
        CHECK(gone.is_done && one.is_done && fork.is_done && made.is_done);
        p = pair_on(disk);
        CHECK_TEXT(p, "/live/b", one.append.status == DX_STREAM_OK ? "x|1" : "x");
        CHECK_TEXT(p, "/live/a", gone.op.status == DX_STREAM_OK ? "[not found]" : "x");
        const char *got = pair_text(p, 0, "/live/c");
        if (fork.create.status != DX_STREAM_OK)
            CHECK(strcmp(got, "[not found]") == 0);
        else /* it was made before or after the append */
            CHECK(strcmp(got, "x") == 0 ||
                  (one.append.status == DX_STREAM_OK && strcmp(got, "x|1") == 0));
        pair_free(p);
        test_disk_free(disk);
    }
}

TEST("two streams that are asked to become forks of each other do not wait for each other")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    pair_answer a = {.create = fork_of("/live/b", "/live/a")},
                b = {.create = fork_of("/live/a", "/live/b")};

    pair_create(p, 0, text_plain("/live/c"), NULL);
    test_store_hold(p->store, true);
    pair_begin_create(p, 0, &a, NULL);
    pair_begin_create(p, 1, &b, NULL);
    turns(p);
    pair_answer made[2] = {{.create = text_plain("/live/a")}, {.create = text_plain("/live/b")}};
    for (uint32_t i = 0; i < 2; i++)
        pair_begin_create(p, i, &made[i], TEXTS("x"));
    let(p, 20);
    CHECK(a.is_done && b.is_done && made[0].is_done && made[1].is_done);
    test_store_hold(p->store, false);
    pair_begin_create(p, 0, &a, NULL);
    pair_begin_create(p, 1, &b, NULL);
    pair_wait(p, &a.is_done);
    pair_wait(p, &b.is_done);
    pair_free(p);
    test_disk_free(disk);
}

TEST("what a source has trimmed is lost for its forks, and who reads is told how much")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    dx_create short_lived = text_plain("/live/a");

    p->other.retention.count_max = 3;
    short_lived.ns = &p->other;
    pair_create(p, 0, short_lived, TEXTS("1", "2", "3"));
    dx_create fork = fork_of("/live/a", "/live/b");
    fork.source_ns = &p->other;
    dx_offset tail = pair_create(p, 1, fork, TEXTS("b")).info.tail;
    dx_append more = text("/live/a");
    more.ns = &p->other;
    pair_append(p, 0, more, TEXTS("4", "5"));
    p = restart(p, disk);
    dx_read r = pair_read(p, 1,
                          (dx_read){.path = DX_BYTES("/live/b"),
                                    .position = {DX_OFFSET_AT, {tail.epoch, 1}},
                                    .identity = pair_info(p, 0, "/live/b").identity});
    CHECK_INT(r.status, DX_STREAM_GONE);
    CHECK_INT(r.lost, 1);
    CHECK_INT(r.count, 2);
    CHECK_INT(r.messages[0]->sequence, 3);
    dx_read_release(&r);
    CHECK_TEXT(p, "/live/b", "3|b");
    pair_free(p);
    test_disk_free(disk);
}

TEST(
    "those who find it expired while something is under way wait, in their order, till that is over")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    dx_create until = text_plain("/live/a");
    pair_answer fork = {.create = fork_of("/live/a", "/live/b")}, one = {.append = text("/live/a")};
    pair_answer late[2] = {{.append = text("/live/a")}, {.append = text("/live/a")}};

    pair_create(p, 0, text_plain("/live/x"), NULL); /* so that the time is known */
    uint32_t home = dx_streams_home(p->streams, DX_BYTES("/live/x"));
    until.lifetime = (dx_lifetime){DX_LIFETIME_UNTIL, 0, p->hubs[home]->wall_ms + 10};
    pair_create(p, 0, until, TEXTS("x"));
    CHECK_TEXT(p, "/live/b", "[not found]");
    test_store_hold(p->store, true);
    pair_begin_create(p, 0, &fork, NULL);
    turns(p);
    let(p, 1); /* the fork's path is looked up */
    pair_begin_append(p, 0, &one, TEXTS("1"));
    turns(p);
    pair_pass(p, 10);
    for (uint32_t i = 0; i < 2; i++)
        pair_begin_append(p, i, &late[i], TEXTS("2"));
    turns(p);
    let(p, 1); /* the fork is there; the append is not */
    CHECK(fork.is_done);
    CHECK(!one.is_done && !late[0].is_done && !late[1].is_done);
    let(p, 20);
    CHECK(one.is_done && late[0].is_done && late[1].is_done);
    CHECK_INT(one.append.status, DX_STREAM_OK);
    for (int i = 0; i < 2; i++) /* deleted, since it has a fork */
        CHECK_INT(late[i].append.status, DX_STREAM_DELETED);
    pair_free(p);
    test_disk_free(disk);
}

TEST("a crash at any moment of making and deleting forks leaves nothing behind that stays for ever")
{
    for (size_t done = 0; done < 12; done++) {
        test_disk *disk = test_disk_new();
        pair *p = pair_on(disk);
        pair_answer fork = {.create = fork_of("/live/a", "/live/b")},
                    gone = {.op.path = DX_BYTES("/live/a")};
        pair_answer last = {.op.path = DX_BYTES("/live/b")};
        pair_create(p, 0, text_plain("/live/a"), TEXTS("x"));
        test_store_hold(p->store, true);
        pair_begin_create(p, 0, &fork, NULL);
        turns(p);
        let(p, done / 2);
        pair_begin_delete(p, 1, &gone);
        turns(p);
        let(p, done - done / 2);
        pair_begin_delete(p, 0, &last);
        turns(p);
        let(p, done / 3);
        test_store_crash(p->store);
        pair_free(p);
        CHECK(fork.is_done && gone.is_done && last.is_done);
        p = pair_on(disk);
        dx_stream_status b = pair_delete(p, 0, "/live/b"), a = pair_delete(p, 0, "/live/a");
        CHECK(b == DX_STREAM_OK || b == DX_STREAM_NOT_FOUND);
        CHECK(a == DX_STREAM_OK || a == DX_STREAM_NOT_FOUND || a == DX_STREAM_DELETED);
        for (int i = 0; i < 10; i++)
            pair_turn(p);
        CHECK_INT(test_disk_count(disk), 0);
        pair_free(p);
        test_disk_free(disk);
    }
}

TEST("a fork from memory into the store has all itself, and one from the store in memory as well")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);

    p->other.durability = DX_DURABILITY_MEMORY;
    dx_create m = text_plain("/live/m");
    m.ns = &p->other;
    pair_create(p, 0, m, TEXTS("1", "2"));
    dx_create to_disk = fork_of("/live/m", "/live/d");
    to_disk.source_ns = &p->other;
    CHECK_INT(pair_create(p, 0, to_disk, TEXTS("3")).status, DX_STREAM_OK);
    CHECK_TEXT(p, "/live/d", "1|2|3");
    p = restart(p, disk);
    p->other.durability = DX_DURABILITY_MEMORY;
    CHECK_TEXT(p, "/live/d", "1|2|3");
    pair_append(p, 0, text("/live/d"), TEXTS("4"));
    dx_create to_memory = fork_of("/live/d", "/live/n");
    to_memory.ns = &p->other;
    CHECK_INT(pair_create(p, 1, to_memory, NULL).status, DX_STREAM_OK);
    CHECK_INT(pair_delete(p, 0, "/live/d"), DX_STREAM_OK);
    CHECK_INT(test_disk_count(disk), 0);
    dx_read r = pair_read(
        p, 0,
        (dx_read){.ns = &p->other, .path = DX_BYTES("/live/n"), .position.kind = DX_OFFSET_START});
    CHECK_INT(r.count, 4);
    dx_read_release(&r);
    pair_free(p);
    test_disk_free(disk);
}

/* ---- retention --------------------------------------------------------------------------------- */

TEST("what is not retained goes by count, bytes and age, in the store, too")
{
    static const dx_retention rows[] = {
        {40, UINT64_MAX, UINT64_MAX}, {UINT32_MAX - 1, 1000, UINT64_MAX}, {60, 1000, UINT64_MAX},
        {30, 100000, UINT64_MAX},     {UINT32_MAX - 1, UINT64_MAX, 5000},
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        test_disk *disk = test_disk_new();
        pair *p = pair_on(disk);
        p->ns.retention = rows[i];
        pair_create(p, 0, text_plain("/live/a"), NULL);
        for (int k = 0; k < 100; k++) {
            CHECK_INT(pair_append(p, 0, text("/live/a"), TEXTS("twenty bytes of text")).status,
                      DX_STREAM_OK);
            pair_pass(p, 100);
            if (k == 50)
                p = restart(p, disk);
            p->ns.retention = rows[i];
        }
        for (int k = 0; k < 3; k++) {
            dx_home_sweep(p->hubs[0]);
            dx_home_sweep(p->hubs[1]);
            turns(p);
        }
        dx_stream_info info = pair_info(p, 0, "/live/a");
        uint64_t kept = info.tail.sequence - info.start.sequence;
        CHECK_INT(info.tail.sequence, 100);
        CHECK_INT(kept, i == 0 ? 40 : i == 3 ? 30 : 50);
        dx_read r = pair_read(
            p, 0, (dx_read){.path = DX_BYTES("/live/a"), .position.kind = DX_OFFSET_START});
        CHECK_INT(r.count, kept);
        dx_read_release(&r);
        p = restart(p, disk);
        CHECK_INT(pair_info(p, 0, "/live/a").start.sequence, info.start.sequence);
        pair_free(p);
        test_disk_free(disk);
    }
}

/* ---- subscribers ------------------------------------------------------------------------------- */

typedef struct watcher {
    dx_watch watch;
    dx_topic *topic;
    dx_stream_status status;
    bool is_ready;
} watcher;

static void on_ready(dx_watch *watch, dx_stream_status status)
{
    watcher *w = DX_CONTAINER(watch, watcher, watch);

    w->is_ready = true;
    w->status = status;
    w->topic = watch->topic;
    if (status != DX_STREAM_OK)
        dx_watch_end(watch);
}

static void begin_watch(pair *p, uint32_t on, watcher *w)
{
    *w = (watcher){.watch.ready = on_ready};
    if (dx_hub_watch(p->hubs[on], &p->ns, DX_BYTES("/live/a"), &w->watch) != DX_OK)
        abort();
}

static void unwatch(pair *p, watcher *w)
{
    dx_topic_release(w->topic);
    turns(p);
}

TEST(
    "a watch waits for the load, may end before it, and hears of messages and the end after the commit only")
{
    for (uint32_t on = 0; on < 2; on++) {
        test_disk *disk = test_disk_new();
        pair *p = pair_on(disk);
        watcher gone, stays;
        pair_answer one = {.append = text("/live/a")};
        dx_append_rules closing = {.is_closing = true};
        pair_create(p, 0, text_plain("/live/a"), TEXTS("0"));
        p = restart(p, disk);
        test_store_hold(p->store, true);
        begin_watch(p, on, &gone);
        begin_watch(p, 1 - on, &stays);
        turns(p);
        CHECK(!gone.is_ready && !stays.is_ready);
        dx_watch_end(&gone.watch);
        turns(p);
        let(p, 3);
        CHECK(!gone.is_ready && stays.is_ready);
        CHECK_INT(dx_topic_next(stays.topic), 2);
        one.append.rules = &closing;
        pair_begin_append(p, 0, &one, TEXTS("1"));
        turns(p);
        CHECK_INT(dx_topic_next(stays.topic), 2);
        CHECK_INT(dx_topic_end(stays.topic), DX_STREAM_END_NONE);
        let(p, 1);
        CHECK_INT(dx_topic_next(stays.topic), 3);
        CHECK_INT(dx_topic_end(stays.topic), DX_STREAM_END_CLOSED);
        unwatch(p, &stays);
        pair_free(p);
        test_disk_free(disk);
    }
}

TEST("a failed commit does not reach who watches, and they go on after it")
{
    for (uint32_t on = 0; on < 2; on++) {
        test_disk *disk = test_disk_new();
        pair *p = pair_on(disk);
        watcher w;
        pair_create(p, 0, text_plain("/live/a"), TEXTS("0"));
        begin_watch(p, on, &w);
        pair_wait(p, &w.is_ready);
        test_store_fail(p->store, 1, DX_STORE_BROKEN);
        CHECK_INT(pair_append(p, 0, text("/live/a"), TEXTS("lost")).status, DX_STREAM_STORE);
        turns(p);
        CHECK_INT(dx_topic_next(w.topic), 2);
        CHECK_INT(dx_topic_end(w.topic), DX_STREAM_END_NONE);
        CHECK_INT(pair_append(p, 0, text("/live/a"), TEXTS("1")).status, DX_STREAM_OK);
        turns(p);
        CHECK_INT(dx_topic_next(w.topic), 3);
        CHECK_TEXT(p, "/live/a", "0|1");
        unwatch(p, &w);
        pair_free(p);
        test_disk_free(disk);
    }
}

/* What a topic got, in order: a feed that writes sequences. */
static uint64_t seen_next;
static bool is_in_order;

static size_t wire_bound(const dx_feed *feed, const dx_message *message)
{
    (void)feed, (void)message;
    return 8;
}

static size_t wire_write(const dx_feed *feed, const dx_message *message, uint8_t *to)
{
    (void)feed;
    memcpy(to, &message->sequence, 8);
    is_in_order &= message->sequence == seen_next;
    seen_next = message->sequence + 1;
    return 8;
}

static void ignore(dx_subscriber *sub)
{
    struct iovec iov[64];
    size_t bytes = 0;
    uint32_t count = dx_subscriber_pull(sub, iov, 64);

    for (uint32_t i = 0; i < count; i++)
        bytes += iov[i].iov_len;
    if (count > 0)
        dx_subscriber_pulled(sub, bytes);
}

static void on_live(dx_subscriber *sub)
{
    (void)sub;
}

TEST("a worker that is slower than the cache is long gets all of it, from the store")
{
    enum { COUNT = 8000 };
    static const dx_encoding wire = {
        .bound = wire_bound, .write = wire_write, .wake = ignore, .live = on_live};
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    dx_subscriber sub;
    watcher w;
    pair_answer *answers = calloc(COUNT, sizeof *answers);

    pair_create(p, 0, text_plain("/live/a"), NULL);
    uint32_t home = dx_streams_home(p->streams, DX_BYTES("/live/a"));
    begin_watch(p, 1 - home, &w);
    pair_wait(p, &w.is_ready);
    seen_next = 1;
    is_in_order = true;
    if (dx_subscriber_start(&sub, w.topic, &(dx_subscription){.encoding = &wire, .next = 1}) !=
        DX_OK)
        abort();
    for (int i = 0; i < COUNT; i++) { /* the other worker does not turn */
        answers[i].append = text("/live/a");
        pair_begin_append(p, home, &answers[i], TEXTS("x"));
        dx_loop_step(p->loops[home], 0);
    }
    for (int i = 0; i < COUNT; i++)
        pair_wait(p, &answers[i].is_done);
    for (int i = 0; i < 100; i++)
        pair_turn(p);
    CHECK(is_in_order);
    CHECK_INT(seen_next, COUNT + 1);
    CHECK(test_store_reads(p->store) > 0);
    dx_subscriber_end(&sub);
    unwatch(p, &w);
    free(answers);
    pair_free(p);
    test_disk_free(disk);
}
