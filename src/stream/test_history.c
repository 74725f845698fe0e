/* Tests of reading back what the store has: however many ask for the same, it is read once.
 * SPDX-License-Identifier: MIT */
#include "stream/stream_history.h"
#include "stream/test_listener.h"
#include "stream/test_store.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <string.h>

/* A clock of one's own: what is kept for a while. */
static uint64_t passed_ms;

uint64_t __real_dx_loop_now_ms(const dx_loop *loop);
uint64_t __wrap_dx_loop_now_ms(const dx_loop *loop);

uint64_t __wrap_dx_loop_now_ms(const dx_loop *loop)
{
    return __real_dx_loop_now_ms(loop) + passed_ms;
}

static pair *pair_on(test_disk *disk)
{
    pair *p = pair_new_with(test_store_new(disk));

    p->ns.creation = DX_CREATE_BY_PUT;
    return p;
}

/* A stream of `count` messages of `size` bytes, and a server that has just been started: its log is empty. */
static pair *begin(test_disk *disk, uint64_t count, size_t size)
{
    pair *p = pair_on(disk);
    char *text = malloc(size + 1);
    const char *texts[101] = {0};

    if (text == NULL)
        abort();
    memset(text, 'x', size);
    text[size] = '\0';
    pair_create(p, 0, (dx_create){.path = DX_BYTES("/live/a"), .type = DX_BYTES("text/plain")},
                NULL);
    for (uint64_t done = 0; done < count; done += 100) {
        uint64_t part = dx_min_u64(count - done, 100);
        for (size_t i = 0; i < 101; i++)
            texts[i] = i < part ? text : NULL;
        pair_append(p, 0, (dx_append){.path = DX_BYTES("/live/a"), .kind = DX_STREAM_TEXT}, texts);
    }
    free(text);
    pair_free(p);
    return pair_on(disk);
}

static void end(pair *p, test_disk *disk)
{
    pair_free(p);
    test_disk_free(disk);
}

/* ---- readers ---------------------------------------------------------------------------------- */

typedef struct reader {
    dx_read read;
    bool is_done;
} reader;

static void on_read(dx_read *r)
{
    DX_CONTAINER(r, reader, read)->is_done = true;
}

/* The messages behind number `behind`. */
static void read_begin(pair *p, uint32_t on, reader *r, uint64_t behind)
{
    dx_stream_info info = {0};

    *r = (reader){.read = {.ns = &p->ns,
                           .path = DX_BYTES("/live/a"),
                           .position = {DX_OFFSET_START, {0}},
                           .count_max = 10000,
                           .bytes_max = 1 << 20,
                           .done = on_read}};
    if (behind > 0) {
        info = pair_info(p, on, "/live/a");
        r->read.position = (dx_position){DX_OFFSET_AT, {info.tail.epoch, behind}};
    }
    dx_hub_read(p->hubs[on], &r->read);
}

/* True: all from `first` on, up to `last`. */
static bool read_end(reader *r, uint64_t first, uint64_t last)
{
    bool is_right =
        r->is_done && r->read.status == DX_STREAM_OK && r->read.count == last + 1 - first;

    for (size_t i = 0; i < r->read.count && is_right; i++)
        is_right = r->read.messages[i]->sequence == first + i;
    dx_read_release(&r->read);
    return is_right;
}

static void turns(pair *p)
{
    for (int i = 0; i < 40; i++)
        pair_turn(p);
}

TEST("1000 who read the same at once, on two workers: the store is read once")
{
    enum { COUNT = 1000 };
    test_disk *disk = test_disk_new();
    pair *p = begin(disk, 500, 10);
    reader *readers = calloc(COUNT, sizeof *readers);
    size_t right = 0;

    (void)pair_info(p, 0, "/live/a"); /* it is loaded */
    test_store_hold(p->store, true);
    for (uint32_t i = 0; i < COUNT; i++)
        read_begin(p, i % 2, &readers[i], 0);
    turns(p);
    CHECK_INT(test_store_reads(p->store), 0);
    test_store_hold(p->store, false);
    for (uint32_t i = 0; i < COUNT; i++)
        pair_wait(p, &readers[i].is_done);
    for (uint32_t i = 0; i < COUNT; i++)
        right += read_end(&readers[i], 1, 500);
    CHECK_INT(right, COUNT);
    CHECK_INT(test_store_reads(p->store), 1);
    free(readers);
    end(p, disk);
}

TEST("who is a little ahead waits for the same page, who is behind reads what is before")
{
    static const uint64_t behind[] = {300, 310, 450, 290, 300, 295, 12, 499};
    enum { COUNT = DX_COUNT(behind) };
    test_disk *disk = test_disk_new();
    pair *p = begin(disk, 500, 10);
    reader readers[COUNT];

    (void)pair_info(p, 0, "/live/a");
    test_store_hold(p->store, true);
    for (uint32_t i = 0; i < COUNT; i++)
        read_begin(p, 0, &readers[i], behind[i]);
    turns(p);
    /* From 301 on, 291 to 300, 13 to 290. */
    CHECK_INT(test_store_let(p->store, 3), 3);
    turns(p);
    CHECK_INT(test_store_reads(p->store), 3);
    CHECK_INT(test_store_let(p->store, 3), 0);
    for (uint32_t i = 0; i < COUNT; i++)
        CHECK(read_end(&readers[i], behind[i] + 1, 500));
    end(p, disk);
}

TEST("a page ends by its bytes: who hoped to be in it reads from where it is")
{
    enum { EACH = 40000, COUNT = 20 }; /* a page has 6 */
    test_disk *disk = test_disk_new();
    pair *p = begin(disk, COUNT, EACH);
    reader readers[COUNT];

    (void)pair_info(p, 0, "/live/a");
    (void)pair_info(p, 1, "/live/a");
    test_store_hold(p->store, true);
    for (uint32_t i = 0; i < COUNT; i++)
        read_begin(p, i % 2, &readers[i], i);
    turns(p);
    test_store_hold(p->store, false);
    for (uint32_t i = 0; i < COUNT; i++)
        pair_wait(p, &readers[i].is_done);
    for (uint32_t i = 0; i < COUNT; i++)
        CHECK(read_end(&readers[i], i + 1, COUNT));
    CHECK(test_store_reads(p->store) <= COUNT);
    end(p, disk);
}

/* ---- subscribers ------------------------------------------------------------------------------ */

TEST("2000 subscribers resume a long stream at their own pace: each page is read once")
{
    enum { COUNT = 2000, MESSAGES = 3000 };
    test_disk *disk = test_disk_new();
    pair *p = begin(disk, MESSAGES, 100);
    listener *listeners = calloc(COUNT, sizeof *listeners);
    size_t right = 0, left = COUNT;

    p->path = memcpy(p->names[0][0], "/live/a", sizeof "/live/a");
    for (uint32_t i = 0; i < COUNT; i++)
        listener_begin(p, i % 2, &listeners[i]);
    for (int turn = 0; turn < 10000 && left > 0; turn++) {
        pair_turn(p);
        left = 0;
        for (uint32_t i = 0; i < COUNT; i++) {
            listener *l = &listeners[i];
            left += l->received < MESSAGES;
            if (l->is_room_due && (unsigned)turn % 3 == i % 3) {
                l->is_room_due = false;
                dx_subscriber_continue(&l->sub);
            }
        }
    }
    for (uint32_t i = 0; i < COUNT; i++)
        right += listeners[i].received == MESSAGES && !listeners[i].is_broken;
    CHECK_INT(right, COUNT);
    CHECK_INT(test_store_reads(p->store), 2); /* pages of 2621 messages, by bytes, and the rest */
    for (uint32_t i = 0; i < COUNT; i++)
        listener_end(&listeners[i]);
    free(listeners);
    end(p, disk);
}

/* ---- what is kept ----------------------------------------------------------------------------- */

static bool read_all(pair *p, uint64_t first, uint64_t last)
{
    reader r;

    read_begin(p, 0, &r, first - 1);
    pair_wait(p, &r.is_done);
    return read_end(&r, first, last);
}

TEST("a page is kept for some seconds after it was used, and no longer")
{
    test_disk *disk = test_disk_new();
    pair *p = begin(disk, 50, 10);

    CHECK(read_all(p, 1, 50));
    CHECK(read_all(p, 1, 50));
    CHECK(read_all(p, 20, 50));
    CHECK_INT(test_store_reads(p->store), 1);
    uint32_t home = dx_streams_home(p->streams, DX_BYTES("/live/a"));
    passed_ms += 4000;
    dx_history_sweep(p->hubs[home]->history);
    CHECK(read_all(p, 1, 50));
    passed_ms += 4000;
    dx_history_sweep(p->hubs[home]->history);
    CHECK(read_all(p, 1, 50));
    CHECK_INT(test_store_reads(p->store), 1);
    passed_ms += 6000;
    dx_history_sweep(p->hubs[home]->history);
    CHECK(read_all(p, 1, 50));
    CHECK_INT(test_store_reads(p->store), 2);
    end(p, disk);
}

TEST("what is kept is bounded: the pages used longest ago go")
{
    enum { SIZE = 300000, COUNT = 100 }; /* a page each */
    test_disk *disk = test_disk_new();
    pair *p = begin(disk, COUNT, SIZE);

    for (uint64_t n = 1; n <= COUNT; n += 2) /* a read gives three of them */
        CHECK(read_all(p, n, dx_min_u64(n + 2, COUNT)));
    size_t reads = test_store_reads(p->store);
    CHECK_INT(reads, COUNT);
    CHECK(read_all(p, COUNT - 20, COUNT - 18));
    CHECK_INT(test_store_reads(p->store), reads);
    CHECK(read_all(p, 1, 3));
    CHECK_INT(test_store_reads(p->store), reads + 4); /* the fourth did not fit into the answer */
    end(p, disk);
}

TEST("what follows the page is not seen before it is there, and then it is")
{
    test_disk *disk = test_disk_new();
    pair *p = begin(disk, 50, 10);

    CHECK(read_all(p, 1, 50));
    pair_append(p, 0, (dx_append){.path = DX_BYTES("/live/a"), .kind = DX_STREAM_TEXT},
                TEXTS("new"));
    CHECK(read_all(p, 1, 51));
    CHECK(read_all(p, 51, 51));
    CHECK_INT(test_store_reads(p->store), 1);
    CHECK_INT(pair_delete(p, 0, "/live/a"), DX_STREAM_OK);
    CHECK_INT(strcmp(pair_text(p, 0, "/live/a"), "[not found]"), 0);
    pair_create(p, 0, (dx_create){.path = DX_BYTES("/live/a"), .type = DX_BYTES("text/plain")},
                TEXTS("other"));
    CHECK_INT(strcmp(pair_text(p, 0, "/live/a"), "other"), 0);
    end(p, disk);
}

/* ---- failures and ends ------------------------------------------------------------------------ */

TEST("a read that fails fails for all who wait for it, and is tried again by who comes next")
{
    test_disk *disk = test_disk_new();
    pair *p = begin(disk, 50, 10);
    reader readers[100];

    (void)pair_info(p, 0, "/live/a");
    test_store_fail_reads(p->store, DX_STORE_BROKEN);
    test_store_hold(p->store, true);
    for (uint32_t i = 0; i < DX_COUNT(readers); i++)
        read_begin(p, i % 2, &readers[i], 0);
    turns(p);
    test_store_hold(p->store, false);
    for (uint32_t i = 0; i < DX_COUNT(readers); i++) {
        pair_wait(p, &readers[i].is_done);
        CHECK_INT(readers[i].read.status, DX_STREAM_STORE);
    }
    CHECK_INT(test_store_reads(p->store), 1);
    test_store_fail_reads(p->store, DX_STORE_OK);
    CHECK(read_all(p, 1, 50));
    end(p, disk);
}

TEST("the server ends while many wait, or are about to be answered")
{
    for (int is_read = 0; is_read < 2; is_read++) {
        enum { COUNT = 5000 };
        test_disk *disk = test_disk_new();
        pair *p = begin(disk, 50, 10);
        reader *readers = calloc(COUNT, sizeof *readers);

        (void)pair_info(p, 0, "/live/a");
        test_store_hold(p->store, true);
        for (uint32_t i = 0; i < COUNT; i++)
            read_begin(p, i % 2, &readers[i], 0);
        turns(p);
        if (is_read) {
            test_store_hold(p->store, false);
            pair_turn(p);
            CHECK(!readers[COUNT - 1].is_done);
        }
        pair_free(p);
        for (uint32_t i = 0; i < COUNT; i++) {
            CHECK(readers[i].is_done);
            dx_read_release(&readers[i].read);
        }
        free(readers);
        test_disk_free(disk);
    }
}
