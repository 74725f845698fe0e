/* The timer wheel of a loop.
 * Is:     slots of 16 ms ticks in ten levels of 64, so that setting and clearing cost O(1) however
 *         far away a timer is; a level's slot is spread over the levels below when its time begins.
 * Is not: the clock: the caller says what time it is.
 * Memory: 10 KiB, nothing per timer.   Threads: one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DX_LOOP_TIMER_H
#define DX_LOOP_TIMER_H

#include "loop/loop.h"

enum {
    DX_WHEEL_TICK_MS = 16,
    DX_WHEEL_SLOTS = 64,
    DX_WHEEL_LEVELS = 10, /* 64 bits of ms are 60 bits of ticks, 6 bits a level */
};

typedef struct dx_wheel {
    uint64_t tick;                    /* all that was due by then has fired */
    uint32_t levels;                  /* bit: the level may have a slot in `filled` */
    uint64_t filled[DX_WHEEL_LEVELS]; /* bit: the slot may hold timers (clearing leaves it set) */
    dx_list slots[DX_WHEEL_LEVELS][DX_WHEEL_SLOTS]; /* of dx_timer.link */
} dx_wheel;

void dx_wheel_init(dx_wheel *wheel, uint64_t now_ms);

/* Makes `timer` due `delay_ms` after `now_ms`, in place of what was set. */
void dx_wheel_set(dx_wheel *wheel, dx_timer *timer, uint64_t now_ms, uint64_t delay_ms);

/* Fires what is due at `now_ms`, tick by tick; within one tick in no order that may be relied on.
 * `fire` may set and clear any timer; one that it sets fires in a later tick. */
void dx_wheel_advance(dx_wheel *wheel, uint64_t now_ms);

/* When dx_wheel_advance has something to do next, in ms of the same clock; UINT64_MAX: never.
 * May be earlier than the first timer (a slot that must be spread), never later. */
uint64_t dx_wheel_next_ms(dx_wheel *wheel);

#endif
