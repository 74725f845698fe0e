/* One io_uring: set-up with fallbacks, proof, buffers, submitting.
 * Source: io_uring(7), io_uring_enter(2), io_uring_register(2); liburing 2.3, which has no
 *         io_uring_setup_buf_ring: the ring of buffers is mapped and registered here.
 * SPDX-License-Identifier: MIT */
#include "loop/uring.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/err.h"

#include <sys/mman.h>
#include <unistd.h>

enum {
    PROOF_MS = 1000,
    SUBMIT_TRIES = 1000,
    BUFFER_SHIFT_BYTES = 192, /* else all buffers would begin in the same few cache sets */
};

/* ---- the ring -------------------------------------------------------------------------------- */

static dx_err err_from_setup(int error)
{
    dx_err err = dx_err_from_errno(error);

    return err == DX_ERR_MEMORY || err == DX_ERR_FILES ? err : DX_ERR_UNSUPPORTED;
}

static dx_err init_ring(dx_uring *uring)
{
    /* Best first. The later ones lack what newer kernels brought, or what a host forbids. */
    static const uint32_t setups[] = {
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
        IORING_SETUP_COOP_TASKRUN,
        0,
    };
    int result = 0;

    for (size_t i = 0; i < DX_COUNT(setups); i++) {
        struct io_uring_params params = {
            .flags = setups[i] | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
            .cq_entries = DX_URING_COMPLETIONS,
        };
        result = io_uring_queue_init_params(DX_URING_ENTRIES, &uring->ring, &params);
        if (result == 0)
            break;
    }
    if (result != 0)
        return err_from_setup(-result);
    /* Spares a descriptor lookup at each wait; works without. */
    (void)io_uring_register_ring_fd(&uring->ring);
    return DX_OK;
}

static dx_err init_buffers(dx_uring *uring, uint32_t buffer_bytes)
{
    const size_t ring_bytes = DX_URING_BUFFERS_MAX * sizeof(struct io_uring_buf);
    uint32_t stride = buffer_bytes + BUFFER_SHIFT_BYTES;
    size_t bytes = ring_bytes + (size_t)DX_URING_BUFFERS_MAX * stride;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return DX_ERR_MEMORY;
    struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)at,
                                   .ring_entries = DX_URING_BUFFERS_MAX,
                                   .bgid = DX_URING_BUFFER_GROUP};
    int result = io_uring_register_buf_ring(&uring->ring, &reg, 0);
    if (result != 0) {
        munmap(at, bytes);
        return err_from_setup(-result);
    }
    uring->buffer_ring = at;
    uring->buffers = (uint8_t *)at + ring_bytes;
    uring->mapped_bytes = bytes;
    uring->buffer_bytes = buffer_bytes;
    uring->buffer_stride = stride;
    dx_uring_grow_buffers(uring, DX_URING_BUFFERS_FIRST);
    return DX_OK;
}

/* ---- the proof ------------------------------------------------------------------------------- */

/* A signal or want of memory may end a wait early: tries again for a while. */
static bool await_completion(dx_uring *uring, struct io_uring_cqe *ret)
{
    uint64_t end_ms = dx_clock_ms() + PROOF_MS;

    do {
        dx_uring_wait(uring, PROOF_MS / 10);
        if (dx_uring_next(uring, ret))
            return true;
    } while (dx_clock_ms() < end_ms);
    return false;
}

/* One byte through a non-blocking socket by a multishot receive that must go on afterwards. */
static bool prove_receive(dx_uring *uring, int from, int to)
{
    struct io_uring_cqe cqe = {0};

    dx_uring_prep_recv(dx_uring_entry(uring), to);
    if (write(from, "", 1) != 1)
        return false;
    if (!await_completion(uring, &cqe) || cqe.res != 1)
        return false;
    if (!(cqe.flags & IORING_CQE_F_BUFFER) || !(cqe.flags & IORING_CQE_F_MORE))
        return false;
    dx_uring_give_buffer(uring, cqe.flags >> IORING_CQE_BUFFER_SHIFT);
    return true;
}

/* Cancelling by descriptor must end it. */
static bool prove_cancel(dx_uring *uring, int to)
{
    struct io_uring_cqe cqe = {0};
    struct io_uring_sqe *sqe = dx_uring_entry(uring);

    io_uring_prep_cancel_fd(sqe, to, IORING_ASYNC_CANCEL_ALL);
    io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
    return await_completion(uring, &cqe) && cqe.res == -ECANCELED;
}

static dx_err prove(dx_uring *uring)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return dx_err_from_errno(errno);
    bool works = prove_receive(uring, pair[0], pair[1]) && prove_cancel(uring, pair[1]);
    close(pair[0]);
    close(pair[1]);
    return works ? DX_OK : DX_ERR_UNSUPPORTED;
}

dx_err dx_uring_init(dx_uring *uring, uint32_t buffer_bytes)
{
    *uring = (dx_uring){0};
    dx_err err = init_ring(uring);
    if (err != DX_OK)
        return err;
    err = init_buffers(uring, buffer_bytes);
    if (err == DX_OK)
        err = prove(uring);
    if (err != DX_OK)
        dx_uring_deinit(uring);
    return err;
}

void dx_uring_deinit(dx_uring *uring)
{
    io_uring_queue_exit(&uring->ring);
    if (uring->buffer_ring)
        munmap(uring->buffer_ring, uring->mapped_bytes);
}

/* ---- submitting ------------------------------------------------------------------------------ */

static void forget_submitted(dx_uring *uring)
{
    if (io_uring_sq_ready(&uring->ring) == 0)
        uring->messages_count = uring->iovs_count = 0;
}

/* The kernel takes nothing only while it is out of memory, or wants its list of completions to be
 * fetched first, which the second call does. */
static void submit_all(dx_uring *uring)
{
    for (int i = 0; i < SUBMIT_TRIES; i++) {
        (void)io_uring_submit(&uring->ring);
        if (io_uring_sq_ready(&uring->ring) == 0) {
            forget_submitted(uring);
            return;
        }
        (void)io_uring_get_events(&uring->ring);
    }
    dx_unreachable("the kernel does not take what was queued");
}

struct io_uring_sqe *dx_uring_entry(dx_uring *uring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

    if (DX_LIKELY(sqe != NULL))
        return sqe;
    submit_all(uring);
    return io_uring_get_sqe(&uring->ring);
}

void dx_uring_reserve(dx_uring *uring, uint32_t iov_count)
{
    if (io_uring_sq_space_left(&uring->ring) == 0 || uring->messages_count == DX_URING_MESSAGES ||
        uring->iovs_count + iov_count > DX_URING_IOVS)
        submit_all(uring);
}

struct msghdr *dx_uring_message(dx_uring *uring, const struct iovec *iov, uint32_t iov_count)
{
    struct iovec *pieces = &uring->iovs[uring->iovs_count];
    struct msghdr *message = &uring->messages[uring->messages_count];

    dx_assert(uring->messages_count < DX_URING_MESSAGES);
    dx_assert(uring->iovs_count + iov_count <= DX_URING_IOVS);
    for (uint32_t i = 0; i < iov_count; i++)
        pieces[i] = iov[i];
    *message = (struct msghdr){.msg_iov = pieces, .msg_iovlen = iov_count};
    uring->messages_count++;
    uring->iovs_count += iov_count;
    return message;
}

static int submit_and_wait(dx_uring *uring, int wait_ms)
{
    struct __kernel_timespec span = {.tv_sec = wait_ms / 1000,
                                     .tv_nsec = wait_ms % 1000 * 1000000LL};
    struct io_uring_cqe *ignored;

    /* What is there already must not be slept over, yet the kernel must be entered: completions
     * happen only there (DEFER_TASKRUN). */
    if (wait_ms == 0 || io_uring_cq_ready(&uring->ring) > 0)
        return io_uring_submit_and_get_events(&uring->ring);
    if (wait_ms < 0)
        return io_uring_submit_and_wait(&uring->ring, 1);
    return io_uring_submit_and_wait_timeout(&uring->ring, &ignored, 1, &span, NULL);
}

void dx_uring_wait(dx_uring *uring, int wait_ms)
{
    int result = submit_and_wait(uring, wait_ms);

    /* Time, signals, and want of memory pass: what was not submitted stays queued for the next
     * turn. */
    dx_assert(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
              result == -EBUSY || result == -ENOMEM);
    forget_submitted(uring);
}

bool dx_uring_next(dx_uring *uring, struct io_uring_cqe *ret)
{
    if (io_uring_cq_ready(&uring->ring) == 0)
        return false;
    const struct io_uring_cq *cq = &uring->ring.cq;
    *ret = cq->cqes[*cq->khead & cq->ring_mask];
    io_uring_cq_advance(&uring->ring, 1);
    return true;
}

/* ---- buffers --------------------------------------------------------------------------------- */

void dx_uring_give_buffer(dx_uring *uring, uint32_t id)
{
    io_uring_buf_ring_add(uring->buffer_ring, dx_uring_buffer(uring, id), uring->buffer_bytes,
                          (unsigned short)id, DX_URING_BUFFERS_MAX - 1, 0);
    io_uring_buf_ring_advance(uring->buffer_ring, 1);
}

void dx_uring_grow_buffers(dx_uring *uring, uint32_t missing_count)
{
    for (; missing_count > 0 && uring->buffers_count < DX_URING_BUFFERS_MAX; missing_count--)
        dx_uring_give_buffer(uring, uring->buffers_count++);
}
