/* What the program wants to have run on a loop: soon, from any thread, or later.
 * Is:     the posts and timers behind dx_run and dx_alarm, each of which is called once, come what may.
 * Is not: the loop's own timers and posts (loop.h), which their owners embed.
 * Memory: one allocation for each errand, until it has run.
 * Threads: dx_errands_post from any, all else on the loop's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_LOOP_ERRAND_H
#define DX_LOOP_ERRAND_H

#include "loop/loop.h"

#include <duplex/alarm.h>

typedef struct dx_errands {
    dx_loop *loop;
    dx_list alarms; /* of dx_alarm.link */
    bool is_over;
} dx_errands;

/* errands: must stay until the loop was freed. */
void dx_errands_init(dx_errands *errands, dx_loop *loop);

/* On the loop's thread, when it turns no more: alarms are called with DX_ERR_CLOSED, and so are posts that
 * come from now on. */
void dx_errands_end(dx_errands *errands);

/* Errors: DX_ERR_MEMORY, DX_ERR_BUSY: it is not called then. */
DX_MUST_USE dx_err dx_errands_post(dx_errands *errands, dx_run *run, void *context);

/* ret: NULL if it is never to be cancelled.
 * Errors: DX_ERR_MEMORY, DX_ERR_CLOSED: it is not called then. */
DX_MUST_USE dx_err dx_errands_after(dx_errands *errands, uint64_t delay_ms, dx_run *run,
                                    void *context, dx_alarm **ret);

#endif
