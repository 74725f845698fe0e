/* Leases.
 * SPDX-License-Identifier: MIT */
#include "serve/lease.h"

#include "base/assert.h"
#include "base/clock.h"

enum { LOOK_MS = 1000, SET_MS = 500 };

const char *dx_lease_end_text(dx_lease_end why)
{
    switch (why) {
    case DX_LEASE_EXPIRED: return "the token has expired";
    case DX_LEASE_REVOKED: return "the token was revoked";
    }
    dx_unreachable("dx_lease_end outside its enum");
}

static void on_clock(dx_timer *timer);
static void on_time(dx_timer *timer);

static uint64_t wall_ahead(void)
{
    return dx_clock_wall_ms() - dx_clock_ms();
}

void dx_leases_init(dx_leases *l, dx_loop *loop)
{
    *l = (dx_leases){.loop = loop};
    dx_list_init(&l->all);
    dx_timer_init(&l->clock, on_clock);
}

void dx_leases_deinit(dx_leases *l)
{
    if (l->loop)
        dx_timer_clear(&l->clock);
}

/* It may be gone, or be held again, when it was told. */
static void end(dx_lease *lease, dx_lease_end why)
{
    dx_timer_clear(&lease->timer);
    dx_list_remove(&lease->link);
    dx_principal *who = lease->who;
    lease->of = NULL;
    lease->who = NULL;
    lease->ended(lease, who, why);
    dx_principal_unref(who);
}

/* Timers go by a clock that nobody sets. */
static void set_timer(dx_lease *lease)
{
    uint64_t now_ms = dx_clock_wall_ms();

    if (lease->until_ms != DX_FOR_EVER)
        dx_timer_set(lease->of->loop, &lease->timer,
                     lease->until_ms > now_ms ? lease->until_ms - now_ms : 0);
}

static void on_time(dx_timer *timer)
{
    dx_lease *lease = DX_CONTAINER(timer, dx_lease, timer);

    if (dx_clock_wall_ms() >= lease->until_ms)
        end(lease, DX_LEASE_EXPIRED);
    else
        set_timer(lease);
}

static void on_clock(dx_timer *timer)
{
    dx_leases *l = DX_CONTAINER(timer, dx_leases, clock);
    uint64_t ahead = wall_ahead(), change = ahead - l->wall_ahead_ms;

    if (change > SET_MS && change < 0 - (uint64_t)SET_MS) { /* either way */
        l->wall_ahead_ms = ahead;
        for (dx_list *at = l->all.next; at != &l->all; at = at->next)
            set_timer(DX_CONTAINER(at, dx_lease, link));
    }
    if (!dx_list_is_empty(&l->all))
        dx_timer_set(l->loop, &l->clock, LOOK_MS);
}

void dx_lease_hold(dx_lease *lease, dx_leases *of, dx_principal *who, uint64_t until_ms)
{
    dx_assert(lease->of == NULL && lease->ended);
    lease->of = of;
    lease->who = dx_principal_ref(who);
    lease->until_ms = until_ms;
    dx_timer_init(&lease->timer, on_time);
    dx_list_init(&lease->link);
    if (dx_list_is_empty(&of->all)) {
        of->wall_ahead_ms = wall_ahead();
        dx_timer_set(of->loop, &of->clock, LOOK_MS);
    }
    dx_list_append(&of->all, &lease->link);
    set_timer(lease);
}

void dx_lease_drop(dx_lease *lease)
{
    if (lease->of == NULL)
        return;
    dx_timer_clear(&lease->timer);
    dx_list_remove(&lease->link);
    dx_principal_unref(lease->who);
    lease->of = NULL;
    lease->who = NULL;
}

/* What one does when it ends may end others that are beside it: those that are to be looked at stay in the list
 * `left` until they were. */
void dx_leases_end_if(dx_leases *l, bool (*is_over)(void *context, const dx_principal *who),
                      void *context)
{
    dx_list left;

    dx_list_init(&left);
    for (dx_list *at; (at = dx_list_take_first(&l->all)) != NULL;)
        dx_list_append(&left, at);
    for (dx_list *at; (at = dx_list_take_first(&left)) != NULL;) {
        dx_lease *lease = DX_CONTAINER(at, dx_lease, link);
        dx_list_append(&l->all, at);
        if (is_over(context, lease->who))
            end(lease, DX_LEASE_REVOKED);
    }
}
