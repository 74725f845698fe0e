/* The turn, and what the backends have in common: tasks, posts, timers, and the state of a dx_io.
 * Is:     every call of loop.h, every call of an owner's function.
 * Is not: waiting (loop_epoll.c, loop_io_uring.c), the wheel (timer.c), the mailbox (mailbox.c).
 * SPDX-License-Identifier: MIT */
#include "loop/loop_backend.h"

#include "base/clock.h"
#include "base/err.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECV_BYTES = 256 * 1024,
    POSTS_COUNT_MAX = 65536,
};

/* ---- life ------------------------------------------------------------------------------------ */

bool dx_loop_kind_from_name(const char *name, dx_loop_kind *ret)
{
    static const char *const names[] = {
        [DX_LOOP_AUTO] = "auto", [DX_LOOP_EPOLL] = "epoll", [DX_LOOP_IO_URING] = "io_uring"};

    for (size_t i = 0; i < DX_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (dx_loop_kind)i;
            return true;
        }
    }
    return false;
}

static dx_err start_backend(dx_loop *loop, const dx_loop_backend *backend)
{
    loop->backend = backend;
    return backend->init(loop);
}

static dx_err choose_backend(dx_loop *loop, dx_loop_kind kind)
{
    switch (kind) {
    case DX_LOOP_EPOLL: return start_backend(loop, &dx_loop_epoll);
    case DX_LOOP_IO_URING: return start_backend(loop, &dx_loop_io_uring);
    case DX_LOOP_AUTO:
        /* Whatever keeps io_uring from starting (seccomp, memory limits, age), epoll may work. */
        if (start_backend(loop, &dx_loop_io_uring) == DX_OK)
            return DX_OK;
        return start_backend(loop, &dx_loop_epoll);
    }
    dx_unreachable("dx_loop_kind outside its enum");
}

static void read_clock(dx_loop *loop)
{
    loop->now_ns = dx_clock_ns();
    loop->now_ms = loop->now_ns / 1000000;
}

static void init_fields(dx_loop *loop, const dx_loop_options *options)
{
    loop->recv_bytes = options->recv_bytes ? options->recv_bytes : RECV_BYTES;
    dx_list_init(&loop->tasks);
    dx_list_init(&loop->closed);
    dx_list_init(&loop->refused);
    atomic_init(&loop->stop, false);
    read_clock(loop);
    dx_wheel_init(&loop->wheel, loop->now_ms);
}

dx_err dx_loop_new(const dx_loop_options *options, dx_loop **ret)
{
    static const dx_loop_options defaults;
    const dx_loop_options *asked = options ? options : &defaults;
    dx_loop *loop = aligned_alloc(_Alignof(dx_loop), sizeof(dx_loop));
    dx_err err;

    if (loop == NULL)
        return DX_ERR_MEMORY;
    memset(loop, 0, sizeof *loop);
    init_fields(loop, asked);
    err = dx_mailbox_init(&loop->mailbox,
                          asked->posts_count_max ? asked->posts_count_max : POSTS_COUNT_MAX);
    if (err != DX_OK)
        goto fail_mailbox;
    err = choose_backend(loop, asked->kind);
    if (err != DX_OK)
        goto fail_backend;
    *ret = loop;
    return DX_OK;

fail_backend:
    dx_mailbox_deinit(&loop->mailbox);
fail_mailbox:
    free(loop);
    return err;
}

void dx_loop_run_posts(dx_loop *loop)
{
    dx_post *post = dx_mailbox_take(&loop->mailbox);

    while (post != NULL) {
        dx_post *next = post->next; /* run() may free it */
        post->run(post);
        post = next;
    }
}

void dx_loop_free(dx_loop *loop)
{
    if (loop == NULL)
        return;
    dx_assert(!loop->turning);
    dx_loop_run_posts(loop);
    dx_assert(loop->ios_count == 0);
    loop->backend->deinit(loop);
    dx_mailbox_deinit(&loop->mailbox);
    free(loop);
}

const char *dx_loop_name(const dx_loop *loop)
{
    return loop->backend->name;
}

void dx_loop_set_owner(dx_loop *loop, void *owner)
{
    loop->owner = owner;
}

void *dx_loop_owner(const dx_loop *loop)
{
    return loop->owner;
}

/* ---- the turn -------------------------------------------------------------------------------- */

void dx_loop_woke(dx_loop *loop)
{
    dx_mailbox_rise(&loop->mailbox);
    read_clock(loop);
}

uint64_t dx_loop_now_ms(const dx_loop *loop)
{
    return loop->now_ms;
}

uint64_t dx_loop_now_ns(const dx_loop *loop)
{
    return loop->now_ns;
}

static int shorten_to_timers(dx_loop *loop, int wait_ms)
{
    uint64_t next_ms = dx_wheel_next_ms(&loop->wheel);

    if (next_ms == UINT64_MAX)
        return wait_ms;
    uint64_t left_ms = next_ms > loop->now_ms ? next_ms - loop->now_ms : 0;
    if (wait_ms >= 0 && (uint64_t)wait_ms < left_ms)
        return wait_ms;
    return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static bool has_work(const dx_loop *loop)
{
    return !dx_list_is_empty(&loop->tasks) || !dx_list_is_empty(&loop->closed) ||
           !dx_list_is_empty(&loop->refused);
}

/* How long to wait at most; if at all, posts ring the bell from here on. */
static int lie_down(dx_loop *loop, int wait_ms)
{
    int shortened_ms = has_work(loop) ? 0 : shorten_to_timers(loop, wait_ms);

    if (shortened_ms != 0 && (!dx_mailbox_sleep(&loop->mailbox) || atomic_load(&loop->stop)))
        shortened_ms = 0;
    return shortened_ms;
}

static void wait_and_report(dx_loop *loop, int wait_ms)
{
    loop->backend->wait(loop, lie_down(loop, wait_ms));
}

int dx_loop_fd(const dx_loop *loop)
{
    dx_assert(loop->backend->fd);
    return loop->backend->fd(loop);
}

int dx_loop_due_ms(dx_loop *loop)
{
    dx_assert(!loop->turning);
    read_clock(loop); /* the last turn may be long ago */
    return lie_down(loop, -1);
}

static void report_refused(dx_loop *loop)
{
    dx_list now, *link;

    dx_list_init(&now);
    dx_list_splice(&now, &loop->refused);
    while ((link = dx_list_take_first(&now)) != NULL) {
        dx_io *io = DX_CONTAINER(link, dx_io, closed_link);
        dx_err err = (dx_err)io->pending;

        io->pending = 0;
        dx_io_unset(io, DX_IO_CONNECTING);
        io->ops->on_connect(io, err);
    }
}

/* Runs the tasks that are queued now; what they queue is for the next turn. */
static void run_tasks(dx_loop *loop)
{
    dx_list now, *link;

    dx_list_init(&now);
    dx_list_splice(&now, &loop->tasks);
    while ((link = dx_list_take_first(&now)) != NULL) {
        dx_task *task = DX_CONTAINER(link, dx_task, link);
        task->run(task);
    }
}

static void report_closed(dx_loop *loop)
{
    dx_list now, *link;

    dx_list_init(&now);
    dx_list_splice(&now, &loop->closed);
    while ((link = dx_list_take_first(&now)) != NULL) {
        dx_io *io = DX_CONTAINER(link, dx_io, closed_link);

        loop->ios_count--;
        if (io->ops->on_closed)
            io->ops->on_closed(io);
    }
}

/* One look at the clock a turn. */
static void count_turn(dx_loop *loop)
{
    uint64_t spent_ns = dx_clock_ns() - loop->now_ns;

    loop->turns.count++;
    loop->turns.busy_ns += spent_ns;
    if (spent_ns > loop->turns.longest_ns)
        loop->turns.longest_ns = spent_ns;
}

void dx_loop_step(dx_loop *loop, int wait_ms)
{
    dx_assert(!loop->turning);
    loop->turning = true;
    wait_and_report(loop, wait_ms);
    report_refused(loop);
    dx_loop_run_posts(loop);
    dx_wheel_advance(&loop->wheel, loop->now_ms);
    run_tasks(loop);
    report_closed(loop);
    count_turn(loop);
    loop->turning = false;
}

dx_loop_turns dx_loop_take_turns(dx_loop *loop)
{
    dx_loop_turns turns = loop->turns;

    loop->turns.longest_ns = 0;
    return turns;
}

void dx_loop_run(dx_loop *loop)
{
    while (!atomic_load(&loop->stop))
        dx_loop_step(loop, -1);
    atomic_store(&loop->stop, false);
}

bool dx_loop_is_stopping(const dx_loop *loop)
{
    return atomic_load(&loop->stop);
}

void dx_loop_stop(dx_loop *loop)
{
    atomic_store(&loop->stop, true);
    dx_mailbox_wake(&loop->mailbox);
}

/* ---- timers, tasks, posts -------------------------------------------------------------------- */

void dx_timer_set(dx_loop *loop, dx_timer *timer, uint64_t delay_ms)
{
    if (!loop->turning)
        read_clock(loop); /* the last turn may be long ago */
    dx_wheel_set(&loop->wheel, timer, loop->now_ms, delay_ms);
}

void dx_task_init(dx_task *task, void (*run)(dx_task *task))
{
    *task = (dx_task){.run = run};
    dx_list_init(&task->link);
}

void dx_task_queue(dx_loop *loop, dx_task *task)
{
    if (dx_list_is_empty(&task->link))
        dx_list_append(&loop->tasks, &task->link);
}

void dx_task_clear(dx_task *task)
{
    dx_list_remove(&task->link);
}

dx_err dx_loop_post(dx_loop *loop, dx_post *post)
{
    return dx_mailbox_push(&loop->mailbox, post);
}
