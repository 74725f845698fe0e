/* Faults for io_uring: entries are changed on their way to the kernel, and waits fail.
 * SPDX-License-Identifier: MIT */
#include "loop/test_faults.h"

#include <liburing.h>
#include <unistd.h>

int __real_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
                                            unsigned count, struct __kernel_timespec *span,
                                            sigset_t *mask);
int __real_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);
int __real_io_uring_submit_and_get_events(struct io_uring *ring);
int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
                                            unsigned count, struct __kernel_timespec *span,
                                            sigset_t *mask);
int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count);
int __wrap_io_uring_submit_and_get_events(struct io_uring *ring);

/* A socket whose other end is gone. */
static int dead_socket(void)
{
    static int pair[2];

    if (pair[0] == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0)
        close(pair[1]);
    return pair[0];
}

static void shorten(struct io_uring_sqe *sqe)
{
    if (sqe->opcode == IORING_OP_SEND) {
        sqe->len = sqe->len ? 1 : 0;
    } else {
        struct msghdr *message = (struct msghdr *)(uintptr_t)sqe->addr;
        message->msg_iovlen = 1; /* the loop's copy */
        if (message->msg_iov->iov_len > 0)
            message->msg_iov->iov_len = 1;
    }
}

static void spoil_send(struct io_uring_sqe *sqe)
{
    struct io_uring_sqe nothing = {.opcode = IORING_OP_NOP, .user_data = sqe->user_data};

    switch (next_fault()) {
    case FAULT_AGAIN:
    case FAULT_INTR: *sqe = nothing; break; /* completes with 0: no room */
    case FAULT_SHORT: shorten(sqe); break;
    case FAULT_RESET: sqe->fd = dead_socket(); break;
    default: break;
    }
}

static void spoil_entries(struct io_uring *ring)
{
    for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
        struct io_uring_sqe *sqe = &ring->sq.sqes[i & ring->sq.ring_mask];
        if (sqe->opcode == IORING_OP_SEND || sqe->opcode == IORING_OP_SENDMSG)
            spoil_send(sqe);
    }
}

/* Negative: the wait fails without having been. */
static int spoil_wait(struct io_uring *ring)
{
    switch (next_fault()) {
    case FAULT_AGAIN: return -EAGAIN;
    case FAULT_INTR: return -EINTR;
    case FAULT_SHORT: return -EBUSY;
    default: break;
    }
    spoil_entries(ring);
    return 0;
}

int __wrap_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
                                            unsigned count, struct __kernel_timespec *span,
                                            sigset_t *mask)
{
    int fault = spoil_wait(ring);
    return fault ? fault : __real_io_uring_submit_and_wait_timeout(ring, cqe, count, span, mask);
}

int __wrap_io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
    int fault = spoil_wait(ring);
    return fault ? fault : __real_io_uring_submit_and_wait(ring, count);
}

int __wrap_io_uring_submit_and_get_events(struct io_uring *ring)
{
    int fault = spoil_wait(ring);
    return fault ? fault : __real_io_uring_submit_and_get_events(ring);
}
