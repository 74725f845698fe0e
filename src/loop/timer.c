/* The timer wheel: where a timer goes is decided by the highest bit in which its tick differs from
 * the present one. So all slots of a level lie in the future, in order, and a lower level is always
 * sooner than a higher one: the next slot is two bit scans away.
 * SPDX-License-Identifier: MIT */
#include "loop/timer.h"

enum { LEVEL_BITS = 6 };

typedef struct slot_ref {
    uint32_t level, index;
    uint64_t begin_tick;
} slot_ref;

static uint64_t tick_after(uint64_t ms) /* the first tick that does not begin before `ms` */
{
    return ms / DX_WHEEL_TICK_MS + (ms % DX_WHEEL_TICK_MS != 0);
}

static void put(dx_wheel *wheel, dx_timer *timer, uint64_t tick)
{
    uint64_t differs = tick ^ wheel->tick;
    uint32_t level = differs ? (63 - (uint32_t)__builtin_clzll(differs)) / LEVEL_BITS : 0;
    uint32_t index = (uint32_t)(tick >> (level * LEVEL_BITS)) % DX_WHEEL_SLOTS;

    dx_assert(tick >= wheel->tick && level < DX_WHEEL_LEVELS);
    dx_list_append(&wheel->slots[level][index], &timer->link);
    wheel->filled[level] |= UINT64_C(1) << index;
    wheel->levels |= DX_BIT(level);
}

/* The soonest slot that holds a timer. Forgets the bits of slots that were cleared meanwhile. */
static bool find_next(dx_wheel *wheel, slot_ref *ret)
{
    for (; wheel->levels; wheel->levels &= wheel->levels - 1) {
        uint32_t level = (uint32_t)__builtin_ctz(wheel->levels);
        uint32_t shift = level * LEVEL_BITS;

        for (; wheel->filled[level]; wheel->filled[level] &= wheel->filled[level] - 1) {
            uint32_t index = (uint32_t)__builtin_ctzll(wheel->filled[level]);
            uint64_t above = wheel->tick >> shift >> LEVEL_BITS << LEVEL_BITS;

            if (dx_list_is_empty(&wheel->slots[level][index]))
                continue;
            *ret = (slot_ref){level, index, (above | index) << shift};
            return true;
        }
    }
    return false;
}

static void fire_all(dx_list *due)
{
    dx_list *link;

    while ((link = dx_list_take_first(due)) != NULL) {
        dx_timer *timer = DX_CONTAINER(link, dx_timer, link);
        timer->fire(timer);
    }
}

static void spread(dx_wheel *wheel, dx_list *far)
{
    dx_list *link;

    while ((link = dx_list_take_first(far)) != NULL) {
        dx_timer *timer = DX_CONTAINER(link, dx_timer, link);
        put(wheel, timer, tick_after(timer->due_ms));
    }
}

void dx_wheel_init(dx_wheel *wheel, uint64_t now_ms)
{
    *wheel = (dx_wheel){.tick = now_ms / DX_WHEEL_TICK_MS};
    for (uint32_t level = 0; level < DX_WHEEL_LEVELS; level++)
        for (uint32_t index = 0; index < DX_WHEEL_SLOTS; index++)
            dx_list_init(&wheel->slots[level][index]);
}

void dx_wheel_set(dx_wheel *wheel, dx_timer *timer, uint64_t now_ms, uint64_t delay_ms)
{
    const uint64_t never_ms = UINT64_MAX / DX_WHEEL_TICK_MS * DX_WHEEL_TICK_MS;
    uint64_t due_ms = delay_ms > never_ms - now_ms ? never_ms : now_ms + delay_ms;
    uint64_t after_present_ms = (wheel->tick + 1) * DX_WHEEL_TICK_MS;

    dx_timer_clear(timer);
    /* The present tick has fired already: what is due in it goes to the next one. */
    timer->due_ms = due_ms > after_present_ms ? due_ms : after_present_ms;
    put(wheel, timer, tick_after(timer->due_ms));
}

void dx_wheel_advance(dx_wheel *wheel, uint64_t now_ms)
{
    uint64_t now_tick = now_ms / DX_WHEEL_TICK_MS;
    slot_ref next;

    while (find_next(wheel, &next) && next.begin_tick <= now_tick) {
        dx_list taken;

        dx_list_init(&taken);
        dx_list_splice(&taken, &wheel->slots[next.level][next.index]);
        dx_assert(next.begin_tick >= wheel->tick);
        wheel->tick = next.begin_tick;
        if (next.level == 0)
            fire_all(&taken);
        else
            spread(wheel, &taken);
    }
    if (now_tick > wheel->tick)
        wheel->tick = now_tick;
}

uint64_t dx_wheel_next_ms(dx_wheel *wheel)
{
    slot_ref next;

    return find_next(wheel, &next) ? next.begin_tick * DX_WHEEL_TICK_MS : UINT64_MAX;
}

void dx_timer_init(dx_timer *timer, void (*fire)(dx_timer *timer))
{
    *timer = (dx_timer){.fire = fire};
    dx_list_init(&timer->link);
}

void dx_timer_clear(dx_timer *timer)
{
    dx_list_remove(&timer->link);
}
