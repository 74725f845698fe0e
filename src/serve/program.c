/* What the program does with a server that runs: steps it, posts to its workers, sets alarms there.
 * SPDX-License-Identifier: MIT */
#include "serve/server.h"

#include "base/assert.h"

/* ---- beside another loop ---------------------------------------------------------------------- */

static dx_loop *stepped_loop(const dx_server *s)
{
    dx_assert(s->options.is_stepped && s->workers);
    return dx_workers_loop(s->workers, 0);
}

bool dx_server_step(dx_server *s, int wait_ms)
{
    dx_loop *loop = stepped_loop(s);

    if (!dx_loop_is_stopping(loop))
        dx_loop_step(loop, wait_ms);
    return !dx_loop_is_stopping(loop);
}

int dx_server_fd(const dx_server *s)
{
    return dx_loop_fd(stepped_loop(s));
}

int dx_server_due_ms(dx_server *s)
{
    return dx_loop_due_ms(stepped_loop(s));
}

/* ---- workers ---------------------------------------------------------------------------------- */

uint32_t dx_server_workers_count(const dx_server *s)
{
    return s->workers_count;
}

dx_worker *dx_exchange_worker(const dx_exchange *x)
{
    return dx_worker_of(x);
}

dx_worker *dx_ws_worker_of(const dx_ws *ws)
{
    return dx_loop_owner(ws->worker->net->loop);
}

dx_err dx_worker_post(dx_worker *w, dx_run *run, void *context)
{
    if (atomic_load(&w->server->is_stopped))
        return DX_ERR_CLOSED;
    return dx_errands_post(&w->errands, run, context);
}

dx_err dx_server_post(dx_server *s, uint32_t index, dx_run *run, void *context)
{
    if (s->workers == NULL || index >= s->workers_count)
        return DX_ERR_CLOSED;
    return dx_worker_post(&s->worker[index], run, context);
}

dx_err dx_worker_after(dx_worker *w, uint32_t delay_ms, dx_run *run, void *context, dx_alarm **ret)
{
    return dx_errands_after(&w->errands, delay_ms, run, context, ret);
}
