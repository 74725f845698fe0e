/* The mailbox: see mailbox.h.
 * Why no post is slept over: the owner writes `asleep` and then reads `newest`; a sender writes
 * `newest` and then reads `asleep`. All four are seq_cst, so at least one sees the other's write.
 * SPDX-License-Identifier: MIT */
#include "loop/mailbox.h"

#include "base/err.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

dx_err dx_mailbox_init(dx_mailbox *mailbox, uint32_t count_max)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return dx_err_from_errno(errno);
    atomic_init(&mailbox->newest, NULL);
    atomic_init(&mailbox->count, 0);
    atomic_init(&mailbox->asleep, false);
    mailbox->count_max = count_max;
    mailbox->bell_fd = fd;
    return DX_OK;
}

void dx_mailbox_deinit(dx_mailbox *mailbox)
{
    dx_assert(atomic_load(&mailbox->newest) == NULL);
    close(mailbox->bell_fd);
}

dx_err dx_mailbox_push(dx_mailbox *mailbox, dx_post *post)
{
    dx_post *below = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);

    if (atomic_fetch_add_explicit(&mailbox->count, 1, memory_order_relaxed) >= mailbox->count_max) {
        atomic_fetch_sub_explicit(&mailbox->count, 1, memory_order_relaxed);
        return DX_ERR_BUSY;
    }
    do {
        post->next = below;
    } while (!atomic_compare_exchange_weak(&mailbox->newest, &below, post));
    dx_mailbox_wake(mailbox);
    return DX_OK;
}

dx_post *dx_mailbox_take(dx_mailbox *mailbox)
{
    dx_post *oldest = NULL;
    uint32_t count = 0;

    if (atomic_load_explicit(&mailbox->newest, memory_order_relaxed) == NULL)
        return NULL; /* no write to a line that the senders share */
    dx_post *post = atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
    while (post != NULL) {
        dx_post *below = post->next;
        post->next = oldest, oldest = post;
        post = below, count++;
    }
    atomic_fetch_sub_explicit(&mailbox->count, count, memory_order_relaxed);
    return oldest;
}

bool dx_mailbox_sleep(dx_mailbox *mailbox)
{
    atomic_store(&mailbox->asleep, true);
    return atomic_load(&mailbox->newest) == NULL;
}

void dx_mailbox_rise(dx_mailbox *mailbox)
{
    atomic_store_explicit(&mailbox->asleep, false, memory_order_relaxed);
}

void dx_mailbox_wake(dx_mailbox *mailbox)
{
    if (!atomic_load(&mailbox->asleep) || !atomic_exchange(&mailbox->asleep, false))
        return;
    int kept_errno = errno; /* may run in a signal handler */
    /* Cannot fail: the counter has room for 2^64 - 2 rings. */
    ssize_t size = write(mailbox->bell_fd, &(uint64_t){1}, sizeof(uint64_t));
    dx_assert(size == (ssize_t)sizeof(uint64_t));
    errno = kept_errno;
}
