/* Tests of looking after streams that are in the store only: nobody asks for them, and yet they end when their
 * time is over, and drop what is not to be kept.
 * SPDX-License-Identifier: MIT */
#include "stream/stream_store.h"
#include "stream/survey.h"
#include "stream/test_pair.h"
#include "stream/test_store.h"
#include "tests/tap.h"

#include <stdlib.h>

static uint64_t passed_ms;

uint64_t __real_dx_loop_now_ms(const dx_loop *loop);
uint64_t __wrap_dx_loop_now_ms(const dx_loop *loop);

uint64_t __wrap_dx_loop_now_ms(const dx_loop *loop)
{
    return __real_dx_loop_now_ms(loop) + passed_ms;
}

static const dx_namespace *find(void *context, dx_bytes path)
{
    pair *p = context;

    if (dx_bytes_starts(path, DX_BYTES("/nobodys/")))
        return NULL;
    return dx_bytes_starts(path, DX_BYTES("/other/")) ? &p->other : &p->ns;
}

static pair *pair_on(test_disk *disk)
{
    pair *p = pair_new_with(test_store_new(disk));

    p->ns.creation = DX_CREATE_BY_PUT;
    p->other.creation = DX_CREATE_BY_PUT;
    p->other.durability = p->ns.durability;
    dx_streams_set_finder(p->streams, find, p);
    return p;
}

static pair *restart(pair *p, test_disk *disk)
{
    pair_free(p);
    return pair_on(disk);
}

static size_t in_memory(const pair *p)
{
    return p->hubs[0]->streams.count + p->hubs[1]->streams.count;
}

/* Some seconds in which nobody asks for anything. */
static void rounds(pair *p, int count)
{
    for (int i = 0; i < count; i++) {
        passed_ms += 70000;
        dx_survey_tick(p->hubs[0]);
        dx_survey_tick(p->hubs[1]);
        for (int k = 0; k < 10; k++)
            pair_turn(p);
        dx_home_sweep(p->hubs[0]);
        dx_home_sweep(p->hubs[1]);
        for (int k = 0; k < 10; k++)
            pair_turn(p);
    }
}

static void make(pair *p, const char *path, dx_lifetime lifetime, const dx_namespace *ns)
{
    dx_create c = pair_create(p, 0,
                              (dx_create){.ns = ns,
                                          .path = dx_bytes_of(path),
                                          .type = DX_BYTES("text/plain"),
                                          .lifetime = lifetime},
                              TEXTS("one", "two", "three"));
    CHECK_INT(c.status, DX_STREAM_OK);
}

static bool is_there(const test_disk *disk, const char *path)
{
    char *text = test_disk_text(disk, dx_bytes_of(path));
    bool is = text[0] != '\0';

    free(text);
    return is;
}

TEST("a stream whose time is over goes, though nobody asks for it; others stay")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    static const char *const idle[] = {"/live/a", "/live/b", "/live/c", "/live/d", "/live/e"};

    for (size_t i = 0; i < DX_COUNT(idle); i++)
        make(p, idle[i], (dx_lifetime){.kind = DX_LIFETIME_IDLE, .idle_s = 10}, &p->ns);
    make(p, "/live/until",
         (dx_lifetime){.kind = DX_LIFETIME_UNTIL, .until_ms = dx_home_wall_ms(p->hubs[0]) + 5000},
         &p->ns);
    make(p, "/live/stays", (dx_lifetime){0}, &p->ns);
    make(p, "/live/later", (dx_lifetime){.kind = DX_LIFETIME_IDLE, .idle_s = 1000}, &p->ns);
    p = restart(p, disk);
    rounds(p, 3);
    CHECK_INT(test_disk_count(disk), 8);
    CHECK_INT(in_memory(p), 0);
    pair_pass(p, 11000);
    rounds(p, 3);
    CHECK_INT(test_disk_count(disk), 2);
    CHECK(is_there(disk, "/live/stays") && is_there(disk, "/live/later"));
    CHECK_INT(in_memory(p), 0);
    pair_pass(p, 1000000); /* that it was looked at was no use */
    rounds(p, 3);
    CHECK_INT(test_disk_count(disk), 1);
    pair_free(p);
    test_disk_free(disk);
}

TEST("messages that are too old go, though nobody asks for the stream")
{
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);

    p->ns.retention.age_ms_max = 5000;
    make(p, "/live/a", (dx_lifetime){0}, &p->ns);
    make(p, "/other/a", (dx_lifetime){0}, &p->other);
    p = restart(p, disk);
    p->ns.retention.age_ms_max = 5000;
    rounds(p, 3);
    CHECK_INT(pair_info(p, 0, "/live/a").start.sequence, 0);
    p = restart(p, disk);
    p->ns.retention.age_ms_max = 5000;
    pair_pass(p, 6000);
    rounds(p, 3);
    CHECK_INT(in_memory(p), 0);
    char *text = test_disk_text(disk, DX_BYTES("/live/a"));
    CHECK(strstr(text, "two") == NULL);
    free(text);
    text = test_disk_text(disk, DX_BYTES("/other/a"));
    CHECK(strstr(text, "two") != NULL);
    free(text);
    CHECK_INT(pair_info(p, 0, "/live/a").tail.sequence, 3);
    CHECK_INT(pair_info(p, 0, "/live/a").start.sequence, 3);
    pair_free(p);
    test_disk_free(disk);
}

TEST("bounds that are lower than when the server ran last are seen to when it starts")
{
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
        test_disk *disk = test_disk_new();
        pair *p = pair_on(disk);
        dx_retention keep = {UINT32_MAX - 1, 1000, UINT64_MAX};
        p->ns.retention = keep;
        make(p, "/live/a", (dx_lifetime){0}, &p->ns);
        p = restart(p, disk);
        p->ns.retention = by_bytes ? (dx_retention){UINT32_MAX - 1, 6, UINT64_MAX}
                                   : (dx_retention){1, UINT64_MAX, UINT64_MAX};
        rounds(p, 3);
        CHECK_INT(in_memory(p), 0);
        char *text = test_disk_text(disk, DX_BYTES("/live/a"));
        CHECK(strstr(text, "two") == NULL && strstr(text, "three") != NULL);
        free(text);
        size_t commits = test_store_commits(p->store);
        rounds(p, 3);
        CHECK_INT(test_store_commits(p->store), commits);
        pair_free(p);
        test_disk_free(disk);
    }
}

TEST("many streams are looked at some at a time; one that is used meanwhile is left alone")
{
    enum { COUNT = 1000 };
    test_disk *disk = test_disk_new();
    pair *p = pair_on(disk);
    char path[32];

    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "/live/n%d", i);
        make(p, path, (dx_lifetime){.kind = DX_LIFETIME_IDLE, .idle_s = 10}, &p->ns);
    }
    make(p, "/nobodys/a", (dx_lifetime){.kind = DX_LIFETIME_IDLE, .idle_s = 10}, &p->ns);
    p = restart(p, disk);
    pair_pass(p, 9000);
    dx_read r = pair_read(p, 0, (dx_read){.path = DX_BYTES("/live/n500"), .is_touch = true});
    dx_read_release(&r);
    pair_pass(p, 2000);
    rounds(p, 1);
    CHECK(in_memory(p) <= 257);
    CHECK(test_disk_count(disk) > COUNT / 2);
    rounds(p, 8);
    CHECK_INT(test_disk_count(disk), 2);
    CHECK(is_there(disk, "/live/n500") && is_there(disk, "/nobodys/a"));
    pair_free(p);
    test_disk_free(disk);
}

TEST("a store that fails, or a server that ends meanwhile, leaves nothing behind")
{
    for (int turn = 0; turn < 12; turn++) {
        test_disk *disk = test_disk_new();
        pair *p = pair_on(disk);
        make(p, "/live/a", (dx_lifetime){.kind = DX_LIFETIME_IDLE, .idle_s = 10}, &p->ns);
        make(p, "/live/b", (dx_lifetime){.kind = DX_LIFETIME_IDLE, .idle_s = 10}, &p->ns);
        p = restart(p, disk);
        pair_pass(p, 11000);
        test_store_fail_loads(p->store, turn % 2 ? DX_STORE_BROKEN : DX_STORE_OK);
        passed_ms += 70000;
        dx_survey_tick(p->hubs[0]);
        for (int k = 0; k < turn / 2; k++)
            dx_loop_step(p->loops[k % 2], 0);
        if (turn == 11) { /* it is tried again when the store is well */
            rounds(p, 2);
            CHECK_INT(test_disk_count(disk), 2);
            test_store_fail_loads(p->store, DX_STORE_OK);
            rounds(p, 2);
            CHECK_INT(test_disk_count(disk), 0);
        }
        pair_free(p);
        test_disk_free(disk);
    }
}
