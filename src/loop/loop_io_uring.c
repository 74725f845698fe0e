/* The io_uring backend: operations are queued during the turn and submitted by its one wait.
 * Receives and accepts are multishot: armed once, they go on telling. Sends are asked not to
 * wait, so the kernel has done with them, and with what they point at, when they have been
 * submitted. An entry's user data is its dx_io with the operation in the low bits; dx_io.pending
 * counts the operations that still have a completion to come, and `io` is reported closed only
 * at zero.
 * Is not: the ring itself (uring.c).
 * SPDX-License-Identifier: MIT */
#include "loop/loop_backend.h"
#include "loop/uring.h"

#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    RECV_BYTES_PER_BUFFER = 16, /* dx_loop_options.recv_bytes is 16 buffers */
    OPERATION_BITS = 7,
    ARMED = DX_IO_BACKEND,           /* a multishot receive or accept is under way */
    CANCELLING = DX_IO_BACKEND << 1, /* and is being cancelled */
};

typedef enum operation {
    OP_NONE, /* completions that tell nothing: failed cancels */
    OP_BELL,
    OP_RECV,
    OP_ACCEPT,
    OP_SEND,
    OP_WRITABLE,
    OP_CONNECT,
    OP_CLOSE,
} operation;

typedef struct uring_state {
    dx_uring uring;
    uint32_t missing_buffers; /* receives of this turn that found none */
} uring_state;

static uring_state *state_of(const dx_loop *loop)
{
    return loop->backend_state;
}

static struct io_uring_sqe *entry_of(const dx_io *io)
{
    return dx_uring_entry(&state_of(io->loop)->uring);
}

static void tag(struct io_uring_sqe *sqe, dx_io *io, operation op)
{
    _Static_assert(_Alignof(dx_io) > OPERATION_BITS, "the low bits of a dx_io's address are free");
    io_uring_sqe_set_data64(sqe, (uintptr_t)io | op);
    io->pending++;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void watch_bell(dx_loop *loop)
{
    struct io_uring_sqe *sqe = dx_uring_entry(&state_of(loop)->uring);

    io_uring_prep_poll_multishot(sqe, loop->mailbox.bell_fd, POLLIN);
    io_uring_sqe_set_data64(sqe, OP_BELL);
}

static dx_err uring_init(dx_loop *loop)
{
    uint32_t buffer_bytes = loop->recv_bytes / RECV_BYTES_PER_BUFFER;
    uring_state *state = calloc(1, sizeof *state);

    if (state == NULL)
        return DX_ERR_MEMORY;
    dx_err err = dx_uring_init(&state->uring, buffer_bytes ? buffer_bytes : 1);
    if (err != DX_OK) {
        free(state);
        return err;
    }
    loop->backend_state = state;
    watch_bell(loop);
    return DX_OK;
}

static void uring_deinit(dx_loop *loop)
{
    dx_uring_deinit(&state_of(loop)->uring);
    free(state_of(loop));
}

static dx_err uring_open(dx_io *io)
{
    (void)io; /* the kernel hears of it with the first operation */
    return DX_OK;
}

static void uring_close(dx_io *io, int fd)
{
    struct io_uring_sqe *sqe;

    /* In this order in the queue: what was sent before goes out, what is under way ends, and only
     * then may the number `fd` become another's. */
    if (io->pending > 0) {
        sqe = entry_of(io);
        io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
        io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
        io_uring_sqe_set_data64(sqe, OP_NONE);
    }
    sqe = entry_of(io);
    io_uring_prep_close(sqe, fd);
    tag(sqe, io, OP_CLOSE);
}

/* ---- receiving and accepting ----------------------------------------------------------------- */

static void arm_recv(dx_io *io)
{
    struct io_uring_sqe *sqe = entry_of(io);

    dx_assert(!dx_io_has(io, ARMED)); /* two would take turns, and mix up the order of bytes */
    dx_uring_prep_recv(sqe, io->fd);
    tag(sqe, io, OP_RECV);
    dx_io_set(io, ARMED);
}

static void arm_accept(dx_io *io)
{
    struct io_uring_sqe *sqe = entry_of(io);

    dx_assert(!dx_io_has(io, ARMED));
    io_uring_prep_multishot_accept(sqe, io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    tag(sqe, io, OP_ACCEPT);
    dx_io_set(io, ARMED);
}

static bool cancel_accept(dx_io *io)
{
    if (!dx_io_has(io, ARMED))
        return true;
    struct io_uring_sqe *sqe = entry_of(io);
    io_uring_prep_cancel64(sqe, (uintptr_t)io | OP_ACCEPT, 0);
    io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
    io_uring_sqe_set_data64(sqe, OP_NONE);
    dx_io_set(io, CANCELLING);
    return false;
}

static void uring_recv_start(dx_io *io)
{
    if (!dx_io_has(io, ARMED)) /* else it still is, or is being cancelled and will be armed again */
        arm_recv(io);
}

static void uring_recv_stop(dx_io *io)
{
    if (!dx_io_has(io, ARMED) || dx_io_has(io, CANCELLING))
        return;
    struct io_uring_sqe *sqe = entry_of(io);
    io_uring_prep_cancel64(sqe, (uintptr_t)io | OP_RECV, 0);
    io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
    io_uring_sqe_set_data64(sqe, OP_NONE);
    dx_io_set(io, CANCELLING);
}

static void on_recv_failed(dx_io *io, int error)
{
    switch (error) {
    case ENOBUFS: state_of(io->loop)->missing_buffers++; return;
    case ECANCELED:
    case EINTR:
    case EAGAIN: return;                                          /* armed again if still wanted */
    default: dx_io_report_recv_end(io, dx_err_from_errno(error)); /* errno is no enum */
    }
}

static void on_recv(dx_io *io, int32_t result, uint32_t flags)
{
    uring_state *state = state_of(io->loop);
    uint32_t id = flags >> IORING_CQE_BUFFER_SHIFT;

    if (!(flags & IORING_CQE_F_MORE))
        dx_io_unset(io, ARMED | CANCELLING);
    if (dx_io_is_open(io) && !dx_io_has(io, DX_IO_RECV_ENDED)) {
        if (result > 0)
            dx_io_report_recv(io, dx_uring_buffer(&state->uring, id), (size_t)result);
        else if (result == 0)
            dx_io_report_recv_end(io, DX_OK);
        else
            on_recv_failed(io, -result);
    }
    if (flags & IORING_CQE_F_BUFFER)
        dx_uring_give_buffer(&state->uring, id);
    if (dx_io_is_open(io) && dx_io_has(io, DX_IO_RECV_WANTED) && !dx_io_has(io, ARMED))
        arm_recv(io);
}

static void on_accept(dx_io *io, int32_t result, uint32_t flags)
{
    if (!(flags & IORING_CQE_F_MORE))
        dx_io_unset(io, ARMED);
    if (!dx_io_is_open(io)) {
        if (result >= 0)
            close(result);
        return;
    }
    if (result >= 0)
        dx_io_report_accept(io, result);
    else if (!dx_io_has(io, CANCELLING))
        (void)dx_io_report_accept_error(io, -result);
    if (dx_io_is_open(io) && dx_io_has(io, CANCELLING) && !dx_io_has(io, ARMED)) {
        dx_io_unset(io, CANCELLING);
        dx_io_report_accept_stopped(io);
    }
    if (dx_io_is_open(io) && dx_io_has(io, DX_IO_ACCEPTING) && !dx_io_has(io, ARMED))
        arm_accept(io);
}

/* ---- sending and connecting ------------------------------------------------------------------ */

static void uring_send(dx_io *io, const struct iovec *iov, uint32_t iov_count)
{
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    dx_uring *uring = &state_of(io->loop)->uring;
    struct io_uring_sqe *sqe;

    dx_uring_reserve(uring, iov_count);
    sqe = dx_uring_entry(uring);
    if (iov_count == 1) /* more than INT_MAX comes out short, and goes on when writable */
        io_uring_prep_send(sqe, io->fd, iov->iov_base, dx_min_size(iov->iov_len, INT_MAX), flags);
    else
        io_uring_prep_sendmsg(sqe, io->fd, dx_uring_message(uring, iov, iov_count), flags);
    tag(sqe, io, OP_SEND);
    io->sending_bytes = dx_iov_size(iov, iov_count);
}

static void wait_until(dx_io *io, uint32_t events, operation op)
{
    struct io_uring_sqe *sqe = entry_of(io);

    io_uring_prep_poll_add(sqe, io->fd, events);
    tag(sqe, io, op);
}

static void uring_connect_wait(dx_io *io)
{
    wait_until(io, POLLOUT, OP_CONNECT);
}

static void on_sent(dx_io *io, int32_t result)
{
    bool is_full = result == -EAGAIN || result == -EINTR;
    size_t asked = io->sending_bytes, sent = result > 0 ? (size_t)result : 0;

    if (!dx_io_is_open(io))
        return;
    if (result < 0 && !is_full) {
        dx_io_report_sent(io, 0, asked, dx_err_from_errno(-result));
        return;
    }
    if (sent < asked)
        wait_until(io, POLLOUT, OP_WRITABLE);
    dx_io_report_sent(io, sent, asked, DX_OK);
}

/* ---- the turn -------------------------------------------------------------------------------- */

static void report(dx_io *io, const struct io_uring_cqe *cqe)
{
    operation op = (operation)(cqe->user_data & OPERATION_BITS);

    switch (op) {
    case OP_RECV: on_recv(io, cqe->res, cqe->flags); break;
    case OP_ACCEPT: on_accept(io, cqe->res, cqe->flags); break;
    case OP_SEND: on_sent(io, cqe->res); break;
    case OP_WRITABLE:
        if (dx_io_is_open(io))
            dx_io_report_writable(io);
        break;
    case OP_CONNECT:
        if (dx_io_is_open(io))
            dx_io_report_connect(io);
        break;
    case OP_CLOSE: break;
    case OP_NONE:
    case OP_BELL: dx_unreachable("a completion of no dx_io");
    }
}

static void report_one(dx_loop *loop, const struct io_uring_cqe *cqe)
{
    dx_io *io = (dx_io *)(uintptr_t)(cqe->user_data & ~(uint64_t)OPERATION_BITS);
    bool goes_on = cqe->flags & IORING_CQE_F_MORE;

    if (io == NULL) {
        if (cqe->user_data == OP_BELL && !goes_on)
            watch_bell(loop);
        return;
    }
    dx_assert(io->pending > 0);
    if (!goes_on)
        io->pending--;
    report(io, cqe);
    if (io->pending == 0 && !dx_io_is_open(io))
        dx_io_report_closed(io);
}

static void uring_wait_and_report(dx_loop *loop, int wait_ms)
{
    uring_state *state = state_of(loop);
    struct io_uring_cqe cqe;

    dx_uring_wait(&state->uring, wait_ms);
    dx_loop_woke(loop);
    /* Those that are there now: what the reports bring about is for the next turn. */
    for (uint32_t left = io_uring_cq_ready(&state->uring.ring); left > 0; left--)
        if (dx_uring_next(&state->uring, &cqe))
            report_one(loop, &cqe);
    if (state->missing_buffers > 0) {
        dx_uring_grow_buffers(&state->uring, state->missing_buffers);
        state->missing_buffers = 0;
    }
}

const dx_loop_backend dx_loop_io_uring = {
    .name = "io_uring",
    .init = uring_init,
    .deinit = uring_deinit,
    .wait = uring_wait_and_report,
    .open = uring_open,
    .accept_start = arm_accept,
    .accept_stop = cancel_accept,
    .connect_wait = uring_connect_wait,
    .recv_start = uring_recv_start,
    .recv_stop = uring_recv_stop,
    .send = uring_send,
    .close = uring_close,
};
