/* Tests of the loop's turn: time, timers, tasks, posts of its own thread, stopping.
 * SPDX-License-Identifier: MIT */
#include "loop/test_ends.h"
#include "tests/tap.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

enum { LATE_MS = 2000 }; /* what a busy machine may take to run us when we are due */

static dx_loop *loop; /* of the test that runs */
static int order[16], order_count;

static void note(int what)
{
    if (order_count < 16)
        order[order_count++] = what;
}

static void check_order(const int *want, int count)
{
    CHECK_INT(order_count, count);
    for (int i = 0; i < count && i < order_count; i++)
        CHECK_INT(order[i], want[i]);
    order_count = 0;
}

TEST("the names of backends are known, others are not")
{
    dx_loop_kind kind = DX_LOOP_AUTO;

    CHECK(dx_loop_kind_from_name("epoll", &kind) && kind == DX_LOOP_EPOLL);
    CHECK(dx_loop_kind_from_name("io_uring", &kind) && kind == DX_LOOP_IO_URING);
    CHECK(!dx_loop_kind_from_name("", &kind) && !dx_loop_kind_from_name("epol", &kind));
    CHECK(kind == DX_LOOP_IO_URING);
    CHECK(dx_loop_kind_from_name("auto", &kind) && kind == DX_LOOP_AUTO);
}

TEST("without wishes a loop is made of the best backend that works")
{
    CHECK_INT(dx_loop_new(NULL, &loop), DX_OK);
    CHECK(strcmp(dx_loop_name(loop), io_uring_works() ? "io_uring" : "epoll") == 0);
    dx_loop_free(loop);
    dx_loop_free(NULL);
}

LOOP_TEST("a loop has the backend that was asked for, and its owner")
{
    loop = new_loop();
    CHECK(strcmp(dx_loop_name(loop), loop_kind == DX_LOOP_EPOLL ? "epoll" : "io_uring") == 0);
    CHECK(dx_loop_owner(loop) == NULL);
    dx_loop_set_owner(loop, order);
    CHECK(dx_loop_owner(loop) == order);
    dx_loop_free(loop);
}

/* ---- time and timers ------------------------------------------------------------------------- */

LOOP_TEST("a turn waits no longer than it was told, and sleeps meanwhile; then it knows the time")
{
    static const int waits_ms[] = {0, 1, 30, 130};

    loop = new_loop();
    for (size_t i = 0; i < DX_COUNT(waits_ms); i++) {
        uint64_t before_ms = dx_clock_ms();
        dx_loop_step(loop, waits_ms[i]); /* the kernel may wake it early, without a signal */
        uint64_t after_ms = dx_clock_ms();
        CHECK(after_ms - before_ms <= (uint64_t)waits_ms[i] + LATE_MS);
        CHECK(dx_loop_now_ms(loop) >= before_ms && dx_loop_now_ms(loop) <= after_ms);
        CHECK(dx_loop_now_ns(loop) / 1000000 == dx_loop_now_ms(loop));
    }
    CHECK(turn_for(loop, 200) < SPIN_TURNS);
    dx_loop_free(loop);
}

typedef struct alarm_at {
    dx_timer timer;
    uint64_t set_ms, delay_ms, fired_ms;
    int fired;
} alarm_at;

static void on_alarm(dx_timer *timer)
{
    alarm_at *a = DX_CONTAINER(timer, alarm_at, timer);

    a->fired++;
    a->fired_ms = dx_loop_now_ms(loop);
}

LOOP_TEST("timers wake a loop that would wait for ever, in time and in order")
{
    static const uint64_t delays_ms[] = {200, 0, 1, 17, 60, 120};
    static alarm_at alarms[DX_COUNT(delays_ms)];
    alarm_at cleared = {.fired = 0};

    loop = new_loop();
    usleep(40000); /* the time since the last turn must not count */
    dx_timer_init(&cleared.timer, on_alarm);
    dx_timer_set(loop, &cleared.timer, 50);
    for (size_t i = 0; i < DX_COUNT(delays_ms); i++) {
        alarms[i] = (alarm_at){.set_ms = dx_clock_ms(), .delay_ms = delays_ms[i]};
        dx_timer_init(&alarms[i].timer, on_alarm);
        dx_timer_set(loop, &alarms[i].timer, delays_ms[i]);
    }
    dx_timer_clear(&cleared.timer);
    for (int i = 0; i < 50 && alarms[0].fired == 0; i++)
        dx_loop_step(loop, -1);
    for (size_t i = 0; i < DX_COUNT(delays_ms); i++) {
        CHECK_INT(alarms[i].fired, 1);
        CHECK(alarms[i].fired_ms >= alarms[i].set_ms + delays_ms[i]);
        CHECK(alarms[i].fired_ms <= alarms[i].set_ms + delays_ms[i] + 16 + LATE_MS);
        CHECK(alarms[i].fired_ms <= alarms[0].fired_ms);
    }
    CHECK_INT(cleared.fired, 0);
    dx_loop_free(loop);
}

static void on_alarm_again(dx_timer *timer)
{
    on_alarm(timer);
    if (DX_CONTAINER(timer, alarm_at, timer)->fired < 4)
        dx_timer_set(loop, timer, 20);
}

LOOP_TEST("a timer set anew by its own fire keeps its pace, with few turns")
{
    alarm_at a = {.set_ms = dx_clock_ms()};

    loop = new_loop();
    dx_timer_init(&a.timer, on_alarm_again);
    dx_timer_set(loop, &a.timer, 20);
    int turns = turn_for(loop, 250);
    CHECK_INT(a.fired, 4);
    CHECK(a.fired_ms >= a.set_ms + 80);
    CHECK(turns < SPIN_TURNS);
    dx_loop_free(loop);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

typedef struct numbered {
    dx_task task;
    dx_post post;
    int number;
    dx_task *other; /* queued or cleared by it */
    bool clears;
} numbered;

static void on_task(dx_task *task)
{
    numbered *n = DX_CONTAINER(task, numbered, task);

    note(n->number);
    if (n->other && n->clears)
        dx_task_clear(n->other);
    else if (n->other)
        dx_task_queue(loop, n->other);
}

LOOP_TEST("a task runs once at the end of the turn, however often it is queued")
{
    numbered a = {.number = 1}, b = {.number = 2}, c = {.number = 3};

    loop = new_loop();
    dx_task_init(&a.task, on_task), dx_task_init(&b.task, on_task), dx_task_init(&c.task, on_task);
    dx_task_queue(loop, &b.task);
    dx_task_queue(loop, &a.task);
    dx_task_queue(loop, &c.task);
    dx_task_queue(loop, &b.task);
    dx_task_clear(&c.task);
    dx_loop_step(loop, -1); /* does not wait */
    check_order((const int[]){2, 1}, 2);
    dx_loop_step(loop, 0);
    check_order(NULL, 0);
    dx_loop_free(loop);
}

LOOP_TEST("a task queued by a task runs in the next turn, without a wait; one cleared does not")
{
    numbered a = {.number = 1}, b = {.number = 2}, c = {.number = 3};

    loop = new_loop();
    dx_task_init(&a.task, on_task), dx_task_init(&b.task, on_task), dx_task_init(&c.task, on_task);
    a.other = &a.task; /* itself, for ever */
    b.other = &c.task, b.clears = true;
    dx_task_queue(loop, &a.task), dx_task_queue(loop, &b.task), dx_task_queue(loop, &c.task);
    dx_loop_step(loop, -1);
    check_order((const int[]){1, 2}, 2);
    dx_loop_step(loop, -1);
    check_order((const int[]){1}, 1);
    dx_task_clear(&a.task);
    dx_loop_free(loop);
}

/* ---- posts and stopping ---------------------------------------------------------------------- */

static void on_post(dx_post *post)
{
    numbered *n = DX_CONTAINER(post, numbered, post);

    note(n->number);
    if (n->other)
        dx_task_queue(loop, n->other);
    memset(post, 0xdd, sizeof *post); /* it is the receiver's */
}

LOOP_TEST("posts run in order, before the tasks of the same turn, and wake the loop")
{
    numbered list[4];
    numbered task = {.number = 9};

    loop = new_loop();
    dx_task_init(&task.task, on_task);
    for (int i = 0; i < 4; i++) {
        list[i] = (numbered){.post.run = on_post, .number = i, .other = i == 0 ? &task.task : NULL};
        CHECK_INT(dx_loop_post(loop, &list[i].post), DX_OK);
    }
    dx_loop_step(loop, -1); /* does not wait */
    check_order((const int[]){0, 1, 2, 3, 9}, 5);
    dx_loop_free(loop);
}

LOOP_TEST("a mailbox that is full says busy, and is free again when it was emptied")
{
    numbered list[4];
    const dx_loop_options options = {.kind = loop_kind, .posts_count_max = 3};

    CHECK_INT(dx_loop_new(&options, &loop), DX_OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++) {
            list[i] = (numbered){.post.run = on_post, .number = i};
            CHECK_INT(dx_loop_post(loop, &list[i].post), i < 3 ? DX_OK : DX_ERR_BUSY);
        }
        dx_loop_step(loop, 0);
        check_order((const int[]){0, 1, 2}, 3);
    }
    CHECK_INT(dx_loop_post(loop, &list[3].post), DX_OK);
    dx_loop_free(loop); /* runs what still waits */
    check_order((const int[]){3}, 1);
}

static void stop_on_task(dx_task *task)
{
    note(1);
    dx_loop_stop(loop);
}

LOOP_TEST("a stop ends the run after the turn under way; one before the run is obeyed at once")
{
    dx_task task;
    alarm_at a = {.fired = 0};

    loop = new_loop();
    dx_task_init(&task, stop_on_task);
    dx_task_queue(loop, &task);
    dx_loop_run(loop);
    check_order((const int[]){1}, 1);
    dx_loop_stop(loop);
    dx_task_queue(loop, &task);
    dx_loop_run(loop); /* no turn */
    check_order(NULL, 0);
    dx_timer_init(&a.timer, on_alarm);
    dx_timer_set(loop, &a.timer, 0);
    dx_loop_run(loop); /* the stop before was used up; the task stops this one */
    check_order((const int[]){1}, 1);
    dx_timer_clear(&a.timer);
    dx_loop_free(loop);
}

static volatile sig_atomic_t signals;

static void stop_on_signal(int number)
{
    if (++signals == 5)
        dx_loop_stop(loop);
}

LOOP_TEST("F3 signals in a wait are not seen; a signal handler may stop the loop")
{
    const struct itimerval often = {{0, 10000}, {0, 10000}}, off = {{0, 0}, {0, 0}};
    struct sigaction action = {.sa_handler = stop_on_signal}, before;

    signals = 0;
    loop = new_loop();
    sigaction(SIGALRM, &action, &before); /* without SA_RESTART */
    setitimer(ITIMER_REAL, &often, NULL);
    dx_loop_run(loop);
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &before, NULL);
    CHECK(signals >= 5);
    dx_loop_free(loop);
}
