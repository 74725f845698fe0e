/* The epoll backend: level-triggered, one wait and at most one receive per descriptor each turn.
 * Why level-triggered: after one receive nothing need be remembered; what is left is told again.
 * EPOLLRDHUP is not asked for: the end of the stream makes a socket readable anyway, and while
 * receiving is stopped it must not be told again and again.
 * Memory: one receive buffer and one array of events for the loop; nothing per descriptor.
 * SPDX-License-Identifier: MIT */
#include "loop/loop_backend.h"

#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    EVENTS_COUNT_MAX = 1024,  /* taken by one wait */
    ACCEPTS_COUNT_MAX = 64,   /* by one listener in one turn: the others' turn comes too */
    WATCH_IN = DX_IO_BACKEND, /* what the kernel was told last */
    WATCH_OUT = DX_IO_BACKEND << 1,
    REPORTING_SENT = DX_IO_BACKEND << 2, /* inside on_sent of a send of this io */
};

/* The result of one send; on the stack of the dx_io_send that reports it. */
typedef struct sent_report {
    struct sent_report *outer;
    dx_io *io;
    size_t sent, asked;
    dx_err err;
    bool is_due;
} sent_report;

typedef struct epoll_state {
    int fd;
    uint8_t *recv_buffer;
    sent_report *innermost;              /* of the dx_io_send calls that are inside on_sent */
    uint32_t waits_count, accepted_wait; /* so far; the last of them that told of a listener */
    int accepts_max;                     /* by one listener this time */
    struct epoll_event events[EVENTS_COUNT_MAX];
} epoll_state;

static epoll_state *state_of(const dx_loop *loop)
{
    return loop->backend_state;
}

/* ---- life ------------------------------------------------------------------------------------ */

static dx_err watch_bell(epoll_state *state, int bell_fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};

    if (epoll_ctl(state->fd, EPOLL_CTL_ADD, bell_fd, &event) != 0)
        return dx_err_from_errno(errno);
    return DX_OK;
}

static void free_state(epoll_state *state)
{
    if (state->fd >= 0)
        close(state->fd);
    free(state->recv_buffer);
    free(state);
}

static dx_err epoll_init(dx_loop *loop)
{
    epoll_state *state = calloc(1, sizeof *state);
    dx_err err = DX_ERR_MEMORY;

    if (state == NULL)
        return DX_ERR_MEMORY;
    state->accepts_max = 1;
    state->fd = epoll_create1(EPOLL_CLOEXEC);
    if (state->fd < 0) {
        err = dx_err_from_errno(errno);
        goto fail;
    }
    state->recv_buffer = malloc(loop->recv_bytes);
    if (state->recv_buffer == NULL)
        goto fail;
    err = watch_bell(state, loop->mailbox.bell_fd);
    if (err != DX_OK)
        goto fail;
    loop->backend_state = state;
    return DX_OK;

fail:
    free_state(state);
    return err;
}

static void epoll_deinit(dx_loop *loop)
{
    free_state(state_of(loop));
}

/* ---- what the kernel is to watch ------------------------------------------------------------- */

static uint32_t wanted_watch(const dx_io *io)
{
    uint32_t wanted = 0;

    if (dx_io_has(io, DX_IO_CONNECTING))
        return WATCH_OUT;
    if (dx_io_has(io, DX_IO_RECV_WANTED | DX_IO_ACCEPTING))
        wanted |= WATCH_IN;
    if (dx_io_has(io, DX_IO_SHORT))
        wanted |= WATCH_OUT;
    return wanted;
}

static struct epoll_event event_for(dx_io *io, uint32_t watch)
{
    struct epoll_event event = {.data.ptr = io};

    if (watch & WATCH_IN)
        event.events |= EPOLLIN;
    if (watch & WATCH_OUT)
        event.events |= EPOLLOUT;
    /* Errors and hang-ups are told even when not asked for: when nothing is, tell them but once. */
    if (watch == 0)
        event.events = EPOLLONESHOT;
    return event;
}

static void watch(dx_io *io, uint32_t wanted)
{
    struct epoll_event event = event_for(io, wanted);

    dx_io_unset(io, WATCH_IN | WATCH_OUT);
    dx_io_set(io, wanted);
    /* Changing what is watched allocates nothing and cannot fail on a descriptor that is in. */
    int result = epoll_ctl(state_of(io->loop)->fd, EPOLL_CTL_MOD, io->fd, &event);
    dx_assert(result == 0);
}

/* Adds what is missing. What is no longer wanted stays until it is in the way (quiet_down): most
 * stops of receiving are followed by a start before anything arrives. */
static void watch_more(dx_io *io)
{
    uint32_t wanted = wanted_watch(io), watched = io->state & (WATCH_IN | WATCH_OUT);

    if (wanted & ~watched)
        watch(io, wanted);
}

static void quiet_down(dx_io *io)
{
    uint32_t wanted = wanted_watch(io), watched = io->state & (WATCH_IN | WATCH_OUT);

    if (watched & ~wanted)
        watch(io, wanted);
}

static dx_err epoll_open(dx_io *io)
{
    /* Receiving or accepting is what comes next: asked for now, it costs no second call. */
    struct epoll_event event = event_for(io, WATCH_IN);

    if (epoll_ctl(state_of(io->loop)->fd, EPOLL_CTL_ADD, io->fd, &event) != 0)
        return dx_err_from_errno(errno);
    dx_io_set(io, WATCH_IN);
    return DX_OK;
}

static void epoll_close(dx_io *io, int fd)
{
    /* close() alone would leave it watched if the descriptor was duplicated (a fork that has not
     * yet come to its exec): events would then come for memory that is gone. */
    (void)epoll_ctl(state_of(io->loop)->fd, EPOLL_CTL_DEL, fd, NULL);
    close(fd);
    dx_io_report_closed(io);
}

static void epoll_recv_stop(dx_io *io)
{
    (void)io; /* see watch_more */
}

/* ---- sending --------------------------------------------------------------------------------- */

static void send_once(dx_io *io, const struct iovec *iov, uint32_t iov_count, sent_report *ret)
{
    *ret = (sent_report){.io = io, .asked = dx_iov_size(iov, iov_count), .is_due = true};
    ret->err = dx_send_some(io->fd, iov, iov_count, &ret->sent);
}

static void report_sent(dx_io *io, const sent_report *report)
{
    if (report->err == DX_OK && report->sent < report->asked) {
        dx_io_set(io, DX_IO_SHORT);
        watch_more(io);
    }
    dx_io_report_sent(io, report->sent, report->asked, report->err);
}

static void epoll_send(dx_io *io, const struct iovec *iov, uint32_t iov_count)
{
    epoll_state *state = state_of(io->loop);
    sent_report report;

    send_once(io, iov, iov_count, &report);
    if (dx_io_has(io, REPORTING_SENT)) {
        /* Sent from its own on_sent: the outer call reports it, or a long queue would eat the
         * stack. */
        sent_report *outer = state->innermost;
        while (outer->io != io)
            outer = outer->outer;
        report.outer = outer->outer;
        *outer = report;
        return;
    }
    report.outer = state->innermost;
    state->innermost = &report;
    dx_io_set(io, REPORTING_SENT);
    while (report.is_due && dx_io_is_open(io)) {
        sent_report due = report;
        report.is_due = false;
        report_sent(io, &due);
    }
    dx_io_unset(io, REPORTING_SENT);
    state->innermost = report.outer;
}

/* ---- what came ------------------------------------------------------------------------------- */

static void receive(dx_io *io)
{
    uint8_t *buffer = state_of(io->loop)->recv_buffer;
    ssize_t size;

    do {
        size = recv(io->fd, buffer, io->loop->recv_bytes, MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size > 0)
        dx_io_report_recv(io, buffer, (size_t)size);
    else if (size == 0)
        dx_io_report_recv_end(io, DX_OK);
    else if (errno != EAGAIN)
        dx_io_report_recv_end(io, dx_err_from_errno(errno));
}

/* To ask once more than connections are there costs a call for nothing: one is taken, and only where more came
 * turn after turn, twice as many each time. */
static int accepts_due(epoll_state *state)
{
    bool is_crowded = state->waits_count - state->accepted_wait <= 1;

    state->accepted_wait = state->waits_count;
    if (!is_crowded)
        state->accepts_max = 1;
    else if (state->accepts_max < ACCEPTS_COUNT_MAX)
        state->accepts_max *= 2;
    return state->accepts_max;
}

static void accept_some(dx_io *io)
{
    int most = accepts_due(state_of(io->loop));

    for (int i = 0; i < most && dx_io_is_open(io); i++) {
        int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            dx_io_report_accept(io, fd);
        else if (errno == EAGAIN || dx_io_report_accept_error(io, errno))
            return;
    }
}

/* An error while nothing is received: the only way left to hear that the connection is gone. */
static void tell_error(dx_io *io)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0)
        dx_io_report_recv_end(io, dx_err_from_errno(error));
}

static void report_in(dx_io *io, uint32_t events)
{
    if (dx_io_has(io, DX_IO_ACCEPTING))
        accept_some(io);
    else if (dx_io_has(io, DX_IO_RECV_WANTED))
        receive(io);
    else if ((events & EPOLLERR) && !dx_io_has(io, DX_IO_RECV_ENDED | DX_IO_SEND_FAILED))
        tell_error(io);
}

/* A socket that is not connected hangs up by nature: such an event may be from before the
 * connect. */
static bool is_connect_over(const dx_io *io, uint32_t events)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;

    return !(events & EPOLLHUP) || (events & EPOLLERR) ||
           getpeername(io->fd, (struct sockaddr *)&peer, &size) == 0;
}

static void report(dx_io *io, uint32_t events)
{
    uint32_t ended_before = io->state & DX_IO_RECV_ENDED;

    if (dx_io_has(io, DX_IO_CONNECTING)) {
        if (is_connect_over(io, events))
            dx_io_report_connect(io);
    } else {
        if (dx_io_has(io, DX_IO_SHORT) && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
            dx_io_report_writable(io);
        if (dx_io_is_open(io) && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
            report_in(io, events);
    }
    /* What has ended just now is closed before the next wait, mostly; if not, that tells of it again. */
    if (dx_io_is_open(io) && (io->state & DX_IO_RECV_ENDED) == ended_before)
        quiet_down(io);
}

static void epoll_wait_and_report(dx_loop *loop, int wait_ms)
{
    epoll_state *state = state_of(loop);
    int count = epoll_wait(state->fd, state->events, EVENTS_COUNT_MAX, wait_ms);

    dx_assert(count >= 0 || errno == EINTR);
    state->waits_count++;
    dx_loop_woke(loop);
    for (int i = 0; i < count; i++) {
        dx_io *io = state->events[i].data.ptr;

        /* NULL is the bell. What was closed earlier in this turn keeps its memory until its end. */
        if (io != NULL && dx_io_is_open(io))
            report(io, state->events[i].events);
    }
}

/* What waits is the kernel's still, but what the loop hears of it must not be taken. */
static bool epoll_accept_stop(dx_io *io)
{
    (void)io;
    return true;
}

static int epoll_fd(const dx_loop *loop)
{
    return ((const epoll_state *)loop->backend_state)->fd;
}

const dx_loop_backend dx_loop_epoll = {
    .name = "epoll",
    .init = epoll_init,
    .deinit = epoll_deinit,
    .wait = epoll_wait_and_report,
    .open = epoll_open,
    .accept_start = watch_more,
    .connect_wait = watch_more,
    .recv_start = watch_more,
    .recv_stop = epoll_recv_stop,
    .send = epoll_send,
    .close = epoll_close,
    .accept_stop = epoll_accept_stop,
    .fd = epoll_fd,
};
