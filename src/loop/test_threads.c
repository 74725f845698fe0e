/* Tests of what other threads may do: post and stop; and of workers.
 * SPDX-License-Identifier: MIT */
#include "loop/mailbox.h"
#include "loop/test_ends.h"
#include "loop/workers.h"
#include "tests/tap.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

enum { SENDERS = 4, POSTS = 100000 };

typedef struct letter {
    dx_post post;
    uint32_t sender, number;
} letter;

static dx_loop *loop; /* of the test that runs */
static letter letters[SENDERS][POSTS];
static uint32_t received[SENDERS], out_of_order;
static atomic_uint busy_count;

static void on_letter(dx_post *post)
{
    letter *l = DX_CONTAINER(post, letter, post);

    out_of_order += l->number != received[l->sender];
    received[l->sender]++;
}

static uint32_t received_count(void)
{
    uint32_t sum = 0;

    for (int i = 0; i < SENDERS; i++)
        sum += received[i];
    return sum;
}

static void *send_letters(void *argument)
{
    uint32_t sender = (uint32_t)(uintptr_t)argument;

    for (uint32_t i = 0; i < POSTS; i++) {
        letter *l = &letters[sender][i];
        *l = (letter){.post.run = on_letter, .sender = sender, .number = i};
        while (dx_loop_post(loop, &l->post) != DX_OK) {
            atomic_fetch_add(&busy_count, 1);
            sched_yield();
        }
        if (i % 1000 == 999)
            usleep(100); /* now and then the loop goes to sleep in between */
    }
    return NULL;
}

static void exchange_letters(uint32_t posts_count_max)
{
    const dx_loop_options options = {.kind = loop_kind, .posts_count_max = posts_count_max};
    pthread_t threads[SENDERS];

    memset(received, 0, sizeof received);
    out_of_order = 0;
    atomic_store(&busy_count, 0);
    CHECK_INT(dx_loop_new(&options, &loop), DX_OK);
    for (uintptr_t i = 0; i < SENDERS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, send_letters, (void *)i), 0);
    uint64_t end_ms = dx_clock_ms() + 100000, longest_ms = 0;
    while (received_count() < SENDERS * POSTS && dx_clock_ms() < end_ms) {
        uint64_t before_ms = dx_clock_ms();
        dx_loop_step(loop, 20000); /* a short wait would hide that a wake was lost */
        uint64_t span_ms = dx_clock_ms() - before_ms;
        longest_ms = span_ms > longest_ms ? span_ms : longest_ms;
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_INT(received[i], POSTS);
    }
    CHECK(longest_ms < 15000);
    CHECK_INT(out_of_order, 0);
    dx_loop_free(loop);
}

LOOP_TEST("posts of 4 threads, 100 000 each: none is lost or slept over, each sender's in order")
{
    exchange_letters(SENDERS * POSTS);
    CHECK_INT(atomic_load(&busy_count), 0);
}

LOOP_TEST("posts of 4 threads through a mailbox for 100: senders hear busy, the order holds")
{
    exchange_letters(100);
    CHECK(atomic_load(&busy_count) > 0);
}

TEST("the bell of a mailbox rings only when the owner sleeps, and once")
{
    static dx_mailbox mailbox; /* not on the stack: GCC 12's sanitizer misaligns it there */
    letter list[4];
    uint64_t rings = 0;

    CHECK_INT(dx_mailbox_init(&mailbox, 10), DX_OK);
    for (int i = 0; i < 4; i++) {
        if (i == 1)
            CHECK(!dx_mailbox_sleep(&mailbox)); /* there is something: must not sleep */
        if (i == 1)
            dx_mailbox_rise(&mailbox);
        if (i == 2) {
            CHECK(dx_mailbox_take(&mailbox) == &list[0].post);
            CHECK(dx_mailbox_take(&mailbox) == NULL);
            CHECK(dx_mailbox_sleep(&mailbox));
        }
        CHECK_INT(dx_mailbox_push(&mailbox, &list[i].post), DX_OK);
    }
    CHECK_INT(read(mailbox.bell_fd, &rings, sizeof rings), sizeof rings);
    CHECK_INT(rings, 1);
    CHECK(dx_mailbox_take(&mailbox) == &list[2].post);
    dx_mailbox_deinit(&mailbox);
}

static void *stop_soon(void *argument)
{
    usleep(50000);
    dx_loop_stop(loop);
    return NULL;
}

LOOP_TEST("another thread stops a loop that waits for ever")
{
    pthread_t thread;

    loop = new_loop();
    for (int i = 0; i < 3; i++) {
        uint64_t before_ms = dx_clock_ms();
        CHECK_INT(pthread_create(&thread, NULL, stop_soon, NULL), 0);
        dx_loop_run(loop);
        CHECK(dx_clock_ms() - before_ms >= 45);
        CHECK(dx_clock_ms() - before_ms < 5000);
        pthread_join(thread, NULL);
    }
    dx_loop_free(loop);
}

/* ---- workers --------------------------------------------------------------------------------- */

enum { WORKERS = 3 };

typedef struct troupe {
    dx_workers *workers;
    uint32_t fails_at; /* this worker's start fails; WORKERS: none */
    atomic_uint starts, ends, hops;
    char names[WORKERS][16];
    bool blocks_term[WORKERS];
    struct { /* goes round from worker to worker */
        dx_post post;
        uint32_t at;
    } ball;
    dx_post last[WORKERS];
    atomic_uint lasts;
} troupe;

static troupe stage;

static dx_err troupe_start(dx_loop *own, uint32_t index, void *context)
{
    troupe *t = context;
    sigset_t blocked;

    atomic_fetch_add(&t->starts, 1);
    pthread_getname_np(pthread_self(), t->names[index], sizeof t->names[index]);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    t->blocks_term[index] = sigismember(&blocked, SIGTERM);
    dx_loop_set_owner(own, &t->names[index]);
    return index == t->fails_at ? DX_ERR_IN_USE : DX_OK;
}

static void on_last(dx_post *post)
{
    atomic_fetch_add(&stage.lasts, 1);
}

static void troupe_end(dx_loop *own, uint32_t index, void *context)
{
    troupe *t = context;

    atomic_fetch_add(&t->ends, 1);
    CHECK(dx_loop_owner(own) == &t->names[index]);
    if (t->workers) { /* to another that may have ended already */
        t->last[index].run = on_last;
        CHECK_INT(dx_loop_post(dx_workers_loop(t->workers, (index + 1) % WORKERS), &t->last[index]),
                  DX_OK);
    }
}

static dx_workers_options troupe_options(void)
{
    return (dx_workers_options){.count = WORKERS,
                                .loop = {.kind = loop_kind},
                                .context = &stage,
                                .start = troupe_start,
                                .end = troupe_end};
}

static void on_ball(dx_post *post)
{
    stage.ball.at = (stage.ball.at + 1) % WORKERS;
    if (atomic_fetch_add(&stage.hops, 1) + 1 < 3000) {
        dx_loop *next = dx_workers_loop(stage.workers, stage.ball.at);
        CHECK_INT(dx_loop_post(next, post), DX_OK);
    } else {
        dx_workers_stop(stage.workers);
    }
}

LOOP_TEST("workers have names and block signals, post to each other, and end together")
{
    const dx_workers_options options = troupe_options();

    stage = (troupe){.fails_at = WORKERS};
    stage.ball.post.run = on_ball;
    CHECK_INT(dx_workers_new(&options, &stage.workers), DX_OK);
    CHECK_INT(dx_workers_count(stage.workers), WORKERS);
    CHECK_INT(atomic_load(&stage.starts), WORKERS);
    CHECK_INT(dx_loop_post(dx_workers_loop(stage.workers, 0), &stage.ball.post), DX_OK);
    dx_workers_join(stage.workers);
    CHECK_INT(atomic_load(&stage.hops), 3000);
    CHECK_INT(atomic_load(&stage.ends), WORKERS);
    CHECK_INT(atomic_load(&stage.lasts), WORKERS);
    dx_workers_free(stage.workers);
    CHECK(strcmp(stage.names[0], "duplex-0") == 0 && strcmp(stage.names[2], "duplex-2") == 0);
    CHECK(stage.blocks_term[0] && stage.blocks_term[1] && stage.blocks_term[2]);
}

LOOP_TEST("the first error of a start reaches the caller, and those that had started are ended")
{
    const dx_workers_options options = troupe_options();
    dx_workers *untouched = (dx_workers *)&stage;

    stage = (troupe){.fails_at = 1};
    CHECK_INT(dx_workers_new(&options, &untouched), DX_ERR_IN_USE);
    CHECK(untouched == (dx_workers *)&stage);
    CHECK_INT(atomic_load(&stage.starts), WORKERS);
    CHECK_INT(atomic_load(&stage.ends), WORKERS - 1);
}

LOOP_TEST("freeing running workers stops them; 20 times over")
{
    const dx_workers_options options = troupe_options();

    for (int i = 0; i < 20; i++) {
        dx_workers *workers;
        stage = (troupe){.fails_at = WORKERS};
        CHECK_INT(dx_workers_new(&options, &workers), DX_OK);
        if (i % 2)
            dx_loop_stop(dx_workers_loop(workers, 1)); /* this one alone */
        dx_workers_free(workers);
        CHECK_INT(atomic_load(&stage.ends), WORKERS);
    }
    dx_workers_free(NULL);
}

TEST("as many workers as cores unless told otherwise")
{
    dx_workers *workers;
    const dx_workers_options options = {.loop = {.kind = DX_LOOP_EPOLL}};

    CHECK(dx_workers_cores() >= 1);
    CHECK_INT(dx_workers_new(&options, &workers), DX_OK);
    CHECK_INT(dx_workers_count(workers), dx_workers_cores());
    dx_workers_free(workers);
}
