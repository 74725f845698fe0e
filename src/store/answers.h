/* Answers on their way to the loops of who asked.
 * Is:     posting; what a mailbox has no room for is kept and tried again, in order, without waiting.
 * Is not: what an answer says.
 * Memory: none: an answer is the operation's own post.
 * Threads: one of the store's; after dx_answers_close the closing one.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_ANSWERS_H
#define DX_STORE_ANSWERS_H

#include "loop/loop.h"

typedef struct dx_answers {
    dx_loop *loop;                            /* this thread's */
    dx_loop *(*loop_of)(const dx_post *post); /* to which it goes */
    dx_post *first, **end;                    /* kept, the oldest first */
    dx_timer retry;
    bool is_closed;
} dx_answers;

void dx_answers_init(dx_answers *answers, dx_loop *(*loop_of)(const dx_post *post));
/* On the thread that answers. */
void dx_answers_begin(dx_answers *answers, dx_loop *loop);

/* Runs `post` on its loop; after those sent there before. */
void dx_answers_send(dx_answers *answers, dx_post *post);

/* The thread has ended, and so have the loops of who asked: what is kept and what is still sent runs at once, on the
 * calling thread, behind what was sent before and still waits there. */
void dx_answers_close(dx_answers *answers);

#endif
