/* Tests of hubs on several workers: publishers and subscribers everywhere, streams homed anywhere, while
 * watches come and go, mailboxes are full, a worker is slow, and the server stops in the middle.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "stream/test_world.h"
#include "tests/tap.h"

#include <unistd.h>

static bool io_uring_works(void)
{
    dx_loop *loop = NULL;
    bool works = dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_IO_URING}, &loop) == DX_OK;

    dx_loop_free(loop);
    return works;
}

static void end(world *w)
{
    const char *wrong = world_end(w);

    if (wrong)
        TAP_FAIL("%s", wrong);
}

static void wait_until_complete(world *w)
{
    uint64_t end_ms = dx_clock_ms() + 60000;

    while (!world_is_complete(w) && atomic_load(&w->fault) == NULL && dx_clock_ms() < end_ms)
        usleep(2000);
    CHECK(world_is_complete(w));
    CHECK_INT(atomic_load(&w->refused), 0);
}

/* Runs to the end; gives how many messages readers were told to be lost: all of them, those that stay. */
static uint64_t run_with(const world *like, uint64_t *lost_by_staying)
{
    world *w = world_begin(like);

    wait_until_complete(w);
    uint64_t lost = atomic_load(&w->lost);
    *lost_by_staying = atomic_load(&w->lost_by_staying);
    end(w);
    return lost;
}

static uint64_t run(const world *like)
{
    uint64_t lost_by_staying;
    return run_with(like, &lost_by_staying);
}

static const dx_loop_kind kinds[] = {DX_LOOP_EPOLL, DX_LOOP_IO_URING};

/* Each test on both backends, where there are both. */
#define FOR_KINDS(kind)                                                                            \
    for (size_t kind_index = 0; kind_index < (io_uring_works() ? 2 : 1); kind_index++)             \
        for (dx_loop_kind kind = kinds[kind_index], *once = &kind; once; once = NULL)

TEST(
    "1, 2 and 4 workers: one order for all, nothing lost, nothing twice, while watches come and go")
{
    static const uint32_t counts[] = {1, 2, 4};

    FOR_KINDS(kind)
        for (size_t i = 0; i < DX_COUNT(counts); i++)
            CHECK_INT(
                run(&(world){.workers_count = counts[i], .messages_each = 1500, .kind = kind}), 0);
}

TEST("with a store: the same, and nobody sees what is not committed")
{
    FOR_KINDS(kind)
        for (uint32_t count = 1; count <= 2; count++)
            CHECK_INT(run(&(world){.workers_count = count,
                                   .messages_each = 1500,
                                   .has_store = true,
                                   .kind = kind}),
                      0);
}

TEST("mailboxes of 4: what they have no room for comes later, in order")
{
    FOR_KINDS(kind)
        CHECK_INT(
            run(&(world){
                .workers_count = 3, .messages_each = 100, .posts_count_max = 4, .kind = kind}),
            0);
}

TEST("a slow worker gets it in batches, and all of it")
{
    FOR_KINDS(kind)
        CHECK_INT(
            run(&(world){.workers_count = 2, .messages_each = 1500, .slow_ms = 1, .kind = kind}),
            0);
}

TEST("bursts that are larger than the log reach the other workers all the same")
{
    FOR_KINDS(kind) {
        uint64_t lost = 1;
        run_with(&(world){.workers_count = 2,
                          .messages_each = 1500,
                          .kept_count = 5,
                          .slow_ms = 1,
                          .kind = kind},
                 &lost);
        CHECK_INT(lost, 0);
    }
}

TEST("where the log was trimmed past a slow worker its readers are told how many are lost")
{
    FOR_KINDS(kind) {
        uint64_t lost = run(&(world){.workers_count = 2,
                                     .messages_each = 3000,
                                     .slow_ms = 3,
                                     .kept_count = 20,
                                     .kind = kind});
        CHECK(lost > 0);
    }
}

TEST(
    "stopped in the middle of everything, with full mailboxes or empty ones: all is answered and freed")
{
    FOR_KINDS(kind)
        for (uint32_t i = 0; i < 24; i++) {
            world *w = world_begin(&(world){.workers_count = 1 + i % 4,
                                            .messages_each = 10000,
                                            .posts_count_max = i % 3 ? 0 : 2,
                                            .has_store = i % 3 == 1,
                                            .kind = kind});
            usleep(i * 300);
            end(w);
        }
}

TEST(
    "appends from threads that are no workers are answered, also those that come when all has stopped")
{
    world *w = world_begin(&(world){.workers_count = 2});
    publication late[4] = {0};
    uint64_t id = 7;

    for (int i = 0; i < 2; i++)
        dx_workers_stop(w->workers);
    dx_workers_join(w->workers);
    for (uint32_t i = 0; i < 4; i++) {
        publication *p = calloc(1, sizeof *p);
        *p = late[i];
        p->at = &w->places[0];
        p->at->unanswered++;
        p->messages[0] = dx_message_new(dx_bytes_at(&id, sizeof id), 0);
        p->append = (dx_append){.ns = &w->ns,
                                .path = world_path(w, i),
                                .kind = DX_STREAM_BINARY,
                                .messages = p->messages,
                                .count = 1,
                                .done = world_on_published};
        CHECK_INT(dx_streams_append(w->streams, &p->append), DX_OK);
    }
    dx_workers_free(w->workers);
    w->workers = NULL;
    CHECK_INT(atomic_load(&w->refused), 4);
    end(w);
}
