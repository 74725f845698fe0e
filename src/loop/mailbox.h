/* Posts from any thread to the one thread that owns a loop.
 * Is:     a lock-free stack that many push to and one takes whole, in order per sender; a bound;
 *         and the bell (an eventfd) that is rung only when the owner sleeps.
 * Is not: fair among senders, or a queue of copies: a post is embedded in what it carries.
 * Memory: one descriptor, nothing per post.
 * Threads: push and wake any; the rest is the owner's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_LOOP_MAILBOX_H
#define DX_LOOP_MAILBOX_H

#include "loop/loop.h"

typedef struct dx_mailbox {
    _Alignas(64) _Atomic(dx_post *) newest;
    atomic_uint count; /* waiting, and on their way in */
    atomic_bool asleep;
    uint32_t count_max;
    int bell_fd; /* becomes readable anew at each ring; it is never read (watch it by edges) */
} dx_mailbox;

/* Errors: DX_ERR_FILES, DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_mailbox_init(dx_mailbox *mailbox, uint32_t count_max);
void dx_mailbox_deinit(dx_mailbox *mailbox);

/* Errors: DX_ERR_BUSY. Cost: two atomic operations; a system call only if the owner sleeps. */
DX_MUST_USE dx_err dx_mailbox_push(dx_mailbox *mailbox, dx_post *post);

/* Gives all that waits, the oldest first, linked by `next`; NULL if nothing does. */
dx_post *dx_mailbox_take(dx_mailbox *mailbox);

/* The owner is about to sleep: from now on a push or a wake rings. False: something waits
 * already, do not sleep (but call dx_mailbox_rise all the same). */
bool dx_mailbox_sleep(dx_mailbox *mailbox);
void dx_mailbox_rise(dx_mailbox *mailbox);

/* Rings if the owner sleeps. What it is to see must have been written (seq_cst) before.
 * Async-signal-safe. */
void dx_mailbox_wake(dx_mailbox *mailbox);

#endif
