/* One io_uring with what the loop needs around it.
 * Is:     setting up and proving the ring, the ring of receive buffers, room for what is queued.
 * Is not: the meaning of operations (loop_io_uring.c).
 * Memory: the rings; buffers_count_max buffers are reserved, but the kernel sees, and so touches,
 *         only as many as were ever needed at once.
 * Threads: the one that made it.
 * SPDX-License-Identifier: MIT */
#ifndef DX_LOOP_URING_H
#define DX_LOOP_URING_H

#include "base/platform.h"

#include <liburing.h>

enum {
    DX_URING_ENTRIES = 1024,     /* operations queued before they are submitted early */
    DX_URING_COMPLETIONS = 8192, /* the kernel keeps more in a list of its own */
    DX_URING_MESSAGES = 256,     /* sends of several pieces, queued and not submitted */
    DX_URING_IOVS = 2048,        /* their pieces */
    DX_URING_BUFFERS_FIRST = 64, /* receive buffers that the kernel sees at first */
    DX_URING_BUFFERS_MAX = 1024, /* power of two */
    DX_URING_BUFFER_GROUP = 0,
};

typedef struct dx_uring {
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring; /* where the kernel takes receive buffers from */
    uint8_t *buffers;
    size_t mapped_bytes;
    uint32_t buffer_bytes, buffer_stride;
    uint32_t buffers_count;              /* that the kernel sees */
    uint32_t messages_count, iovs_count; /* in use until submitted */
    struct msghdr messages[DX_URING_MESSAGES];
    struct iovec iovs[DX_URING_IOVS];
} dx_uring;

/* Sets up and proves by one multishot receive that all works.
 * Errors: DX_ERR_UNSUPPORTED, DX_ERR_MEMORY, DX_ERR_FILES. */
DX_MUST_USE dx_err dx_uring_init(dx_uring *uring, uint32_t buffer_bytes);
void dx_uring_deinit(dx_uring *uring);

/* An empty queue entry; submits what is queued if there is no room. */
struct io_uring_sqe *dx_uring_entry(dx_uring *uring);

/* A multishot receive into the ring of buffers. */
static inline void dx_uring_prep_recv(struct io_uring_sqe *sqe, int fd)
{
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
    sqe->buf_group = DX_URING_BUFFER_GROUP;
}

/* Makes sure that one entry and one message of `iov_count` pieces can be taken without
 * submitting. */
void dx_uring_reserve(dx_uring *uring, uint32_t iov_count);
/* A message of these pieces, copied; valid until it is submitted. After dx_uring_reserve. */
struct msghdr *dx_uring_message(dx_uring *uring, const struct iovec *iov, uint32_t iov_count);

/* Submits, then waits for one completion at most wait_ms (-1: without end). */
void dx_uring_wait(dx_uring *uring, int wait_ms);

/* Takes the oldest completion out; false if there is none. */
bool dx_uring_next(dx_uring *uring, struct io_uring_cqe *ret);

static inline uint8_t *dx_uring_buffer(const dx_uring *uring, uint32_t id)
{
    return uring->buffers + (size_t)id * uring->buffer_stride;
}
/* Hands a buffer (back) to the kernel. */
void dx_uring_give_buffer(dx_uring *uring, uint32_t id);
/* The kernel came out short by `missing_count`: shows it more. */
void dx_uring_grow_buffers(dx_uring *uring, uint32_t missing_count);

#endif
