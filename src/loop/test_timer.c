/* Tests of the timer wheel alone, with a clock of their own.
 * SPDX-License-Identifier: MIT */
#include "loop/test_ends.h"
#include "loop/timer.h"
#include "tests/tap.h"

enum { TICK = DX_WHEEL_TICK_MS, PROBES = 2000 };

typedef struct probe {
    dx_timer timer;
    uint64_t set_ms, delay_ms, fired_ms;
    int fired;
} probe;

static uint64_t clock_ms, last_tick;
static dx_wheel wheel;

static void probe_fire(dx_timer *timer)
{
    probe *p = DX_CONTAINER(timer, probe, timer);

    CHECK(!dx_timer_is_set(timer));
    CHECK(wheel.tick >= last_tick);
    last_tick = wheel.tick;
    p->fired++;
    p->fired_ms = clock_ms;
}

static void start(uint64_t now_ms)
{
    clock_ms = now_ms;
    last_tick = 0;
    dx_wheel_init(&wheel, clock_ms);
}

static void probe_set(probe *p, uint64_t delay_ms)
{
    p->set_ms = clock_ms, p->delay_ms = delay_ms, p->fired = 0;
    dx_wheel_set(&wheel, &p->timer, clock_ms, delay_ms);
}

static void probe_init(probe *p, uint64_t delay_ms)
{
    dx_timer_init(&p->timer, probe_fire);
    probe_set(p, delay_ms);
}

/* As the loop does it: sleeps exactly until the wheel wants to be turned. Gives how often. */
static int sleep_until(uint64_t end_ms)
{
    int turns = 0;

    for (;; turns++) {
        uint64_t next_ms = dx_wheel_next_ms(&wheel);
        if (next_ms > end_ms)
            break;
        clock_ms = next_ms > clock_ms ? next_ms : clock_ms;
        dx_wheel_advance(&wheel, clock_ms);
    }
    clock_ms = end_ms;
    dx_wheel_advance(&wheel, clock_ms);
    return turns;
}

static void check_in_time(const probe *p)
{
    CHECK_INT(p->fired, 1);
    CHECK(p->fired_ms >= p->set_ms + p->delay_ms);
    CHECK(p->fired_ms <= p->set_ms + p->delay_ms + TICK);
}

TEST("wheel: a timer fires once, never early, at most one tick late, whatever its delay")
{
    static const uint64_t starts[] = {0, 1, 15, 16, 1023, 1024, 123456789, UINT64_C(1) << 41};
    probe p;

    for (size_t i = 0; i < DX_COUNT(starts); i++) {
        for (uint64_t delay_ms = 0; delay_ms < 3000; delay_ms++) {
            start(starts[i]);
            probe_init(&p, delay_ms);
            sleep_until(clock_ms + delay_ms + TICK);
            check_in_time(&p);
            CHECK(dx_wheel_next_ms(&wheel) == UINT64_MAX);
        }
    }
}

TEST("wheel: days, years and for ever come through all levels with few turns")
{
    static const uint64_t day_ms = UINT64_C(86400000);
    const uint64_t delays[] = {day_ms, 30 * day_ms, 365 * day_ms, 1000 * 365 * day_ms};
    probe p, never;

    for (size_t i = 0; i < DX_COUNT(delays); i++) {
        start(987654321);
        probe_init(&p, delays[i]);
        probe_init(&never, UINT64_MAX);
        int turns = sleep_until(clock_ms + delays[i] - 1);
        CHECK_INT(p.fired, 0);
        turns += sleep_until(clock_ms + 1 + TICK);
        check_in_time(&p);
        CHECK(turns <= 2 * DX_WHEEL_LEVELS);
        CHECK_INT(never.fired, 0);
        CHECK(dx_timer_is_set(&never.timer));
    }
}

TEST("wheel: thousands at random fire in order of ticks, each in time")
{
    static probe probes[PROBES];
    uint64_t seed = 42, longest_ms = 0;

    start(5000);
    for (int i = 0; i < PROBES; i++) {
        uint64_t delay_ms = next_random(&seed) % (UINT64_C(1) << next_random(&seed) % 28);
        probe_init(&probes[i], delay_ms);
        longest_ms = delay_ms > longest_ms ? delay_ms : longest_ms;
        if (i % 10 == 0)
            sleep_until(clock_ms + next_random(&seed) % 100);
    }
    sleep_until(clock_ms + longest_ms + TICK);
    for (int i = 0; i < PROBES; i++)
        check_in_time(&probes[i]);
}

TEST("wheel: a clock that leaps fires all that it leapt over, in order")
{
    static probe probes[PROBES];
    uint64_t seed = 7;

    start(77);
    for (int i = 0; i < PROBES; i++)
        probe_init(&probes[i], next_random(&seed) % 10000000);
    clock_ms += 10000000 + TICK;
    dx_wheel_advance(&wheel, clock_ms);
    for (int i = 0; i < PROBES; i++)
        CHECK_INT(probes[i].fired, 1);
    CHECK(dx_wheel_next_ms(&wheel) == UINT64_MAX);
}

TEST("wheel: clearing and setting anew replace what was set")
{
    static probe probes[PROBES];
    uint64_t seed = 3;

    start(123);
    for (int i = 0; i < PROBES; i++)
        probe_init(&probes[i], next_random(&seed) % 100000);
    for (int i = 0; i < PROBES; i++) {
        if (i % 3 == 0)
            dx_timer_clear(&probes[i].timer);
        else if (i % 3 == 1)
            probe_set(&probes[i], next_random(&seed) % 200000);
    }
    sleep_until(clock_ms + 200000 + TICK);
    for (int i = 0; i < PROBES; i++) {
        if (i % 3 == 0)
            CHECK_INT(probes[i].fired, 0);
        else
            check_in_time(&probes[i]);
    }
}

TEST("wheel: when all timers were cleared there is nothing to wake for")
{
    static probe probes[PROBES];

    start(1);
    for (int i = 0; i < PROBES; i++)
        probe_init(&probes[i], (uint64_t)i * 977);
    for (int i = 0; i < PROBES; i++)
        dx_timer_clear(&probes[i].timer);
    CHECK(dx_wheel_next_ms(&wheel) == UINT64_MAX);
    dx_timer_clear(&probes[0].timer); /* clearing what is not set is allowed */
}

static probe again, victim;

static void fire_and_set(dx_timer *timer)
{
    probe_fire(timer);
    dx_timer_clear(&victim.timer);
    if (again.fired < 5)
        dx_wheel_set(&wheel, timer, clock_ms, 0);
}

TEST("wheel: fire may clear a timer of its own tick, and set itself for a later one")
{
    start(63 * TICK); /* on the tick: what is set with no delay must not be due at once */
    probe_init(&again, 3 * TICK);
    again.timer.fire = fire_and_set;
    probe_init(&victim, 3 * TICK); /* behind it in the same slot */
    clock_ms += 3 * TICK;
    dx_wheel_advance(&wheel, clock_ms);
    CHECK_INT(again.fired, 1);
    CHECK_INT(victim.fired, 0);
    for (int i = 2; i <= 5; i++) {
        clock_ms += TICK;
        dx_wheel_advance(&wheel, clock_ms);
        CHECK_INT(again.fired, i);
    }
    CHECK(!dx_timer_is_set(&again.timer));
}
