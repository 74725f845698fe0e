/* Whether the server lives, whether it is of use now, and what the log says when that changes.
 * Is:     GET /healthz (liveness) and GET /readyz (readiness), looking after the store's state.
 * Is not: what a failing store means to a publisher (door_answer.c), recovery (store).
 * Threads: requests on any worker; the timer on worker 0.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "store/sqlite.h"

#include <stdio.h>

enum { LOOK_MS = 250, DETAIL_BYTES = DX_STORE_WHY_BYTES + 128, BODY_BYTES_MAX = 1048576 /* dropped */ };

/* What is wrong with the store, as a clause; NULL: nothing. */
static const char *fault_of(dx_store_status status)
{
    switch (status) {
    case DX_STORE_OK:
    case DX_STORE_NOT_FOUND: return NULL;
    case DX_STORE_FULL: return "the disk is full";
    case DX_STORE_BROKEN: return "the disk or its file system fails";
    case DX_STORE_MEMORY: return "memory is out";
    case DX_STORE_CLOSED: return "the store is closing";
    }
    dx_unreachable("dx_store_status outside its enum");
}

/* ---- GET -------------------------------------------------------------------------------------- */

static void answer_ok(dx_exchange *x)
{
    static const dx_header headers[] = {{DX_BYTES("Cache-Control"), DX_BYTES("no-store")}};

    dx_exchange_respond(x, &(dx_response){.type = DX_BYTES("application/json"),
                                          .headers = headers,
                                          .headers_count = DX_COUNT(headers),
                                          .body = DX_BYTES("{\"status\":\"ok\"}")});
}

static void answer_not_ready(dx_exchange *x, const char *detail)
{
    static const dx_header headers[] = {{DX_BYTES("Cache-Control"), DX_BYTES("no-store")},
                                        {DX_BYTES("Retry-After"), DX_BYTES("1")}};

    dx_exchange_problem_with(x, 503, detail, headers, DX_COUNT(headers));
}

/* It answers: that is all there is to say. */
static void on_healthz(dx_exchange *x, void *context)
{
    (void)context;
    answer_ok(x);
}

static void on_readyz(dx_exchange *x, void *context)
{
    const dx_server *s = context;
    dx_store_sqlite_state state = {0};
    char detail[DETAIL_BYTES];

    if (atomic_load(&s->is_draining)) {
        answer_not_ready(x, "The server is going away.");
        return;
    }
    int stuck = dx_pulse_stuck(s->pulse);
    if (stuck >= 0) {
        snprintf(detail, sizeof detail, "Worker %d does not respond. The others serve on.", stuck);
        answer_not_ready(x, detail);
        return;
    }
    if (s->store)
        dx_store_sqlite_state_get(s->store, &state);
    const char *fault = fault_of(state.status);
    if (fault == NULL) {
        answer_ok(x);
        return;
    }
    snprintf(detail, sizeof detail,
             "Nothing can be kept on disk: %s (%s). Streams in memory go on.", fault, state.why);
    answer_not_ready(x, detail);
}

dx_err dx_server_health(dx_server *s)
{
    const dx_route healthz = {"/healthz", DX_BIT(DX_HTTP_GET), BODY_BYTES_MAX, on_healthz, NULL};
    const dx_route readyz = {"/readyz", DX_BIT(DX_HTTP_GET), BODY_BYTES_MAX, on_readyz, s};
    dx_err err = dx_server_add_route(s, &healthz);

    if (err == DX_OK)
        err = dx_server_add_route(s, &readyz);
    if (err == DX_OK)
        err = dx_server_admin_route(s, &healthz, DX_ADMIN_ANYONE);
    return err == DX_OK ? dx_server_admin_route(s, &readyz, DX_ADMIN_ANYONE) : err;
}

/* ---- the log ---------------------------------------------------------------------------------- */

static void on_look(dx_timer *timer)
{
    dx_health *h = DX_CONTAINER(timer, dx_health, timer);
    const dx_server *s = h->server;
    dx_store_sqlite_state state;

    dx_store_sqlite_state_get(s->store, &state);
    const char *fault = fault_of(state.status);
    if (state.status != h->status && fault)
        dx_log_write(&s->log, DX_LOG_ERROR, "nothing can be kept on disk: %s (%s)", fault,
                     state.why);
    else if (state.status != h->status)
        dx_log_write(&s->log, DX_LOG_INFO, "streams are kept on disk again");
    h->status = (uint8_t)state.status;
    dx_timer_set(s->worker[0].loop, timer, LOOK_MS);
}

void dx_health_begin(dx_server *s)
{
    s->health = (dx_health){.server = s, .status = DX_STORE_OK};
    dx_timer_init(&s->health.timer, on_look);
    if (s->store)
        dx_timer_set(s->worker[0].loop, &s->health.timer, LOOK_MS);
}

void dx_health_end(dx_server *s)
{
    dx_timer_clear(&s->health.timer);
}

void dx_health_log_store(const dx_server *s)
{
    dx_store_sqlite_state state;

    dx_store_sqlite_state_get(s->store, &state);
    dx_log_write(
        &s->log, DX_LOG_INFO,
        "store: %llu commits of %llu messages in %llu transactions, %llu loads, %llu reads",
        (unsigned long long)state.commits, (unsigned long long)state.messages,
        (unsigned long long)state.transactions, (unsigned long long)state.loads,
        (unsigned long long)state.reads);
}
