/* One worker: its loop's listeners and connections, their beginning and their end.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "base/assert.h"
#include "serve/admin_streams.h"

#include <stdlib.h>
#include <unistd.h>

enum { DRAIN_TICK_MS = 20, END_WAIT_MS = 100 };

dx_worker *dx_worker_of(const dx_exchange *x)
{
    return dx_loop_owner(dx_exchange_conn(x)->net->loop);
}

static void on_accept(dx_listener *listener, int fd)
{
    dx_worker *w = listener->owner;
    const dx_listen *listen = DX_CONTAINER(listener, dx_worker_listener, listener)->listen;
    bool is_tls = dx_listen_is_tls(listen, w->server->tls != NULL);
    dx_http1_accept(listen->security == DX_LISTEN_REDIRECT ? &w->redirect : &w->http, fd,
                    is_tls ? w->server->tls : NULL);
}

static void on_over(void *context, const dx_exchange *x)
{
    dx_worker *w = context;

    dx_access_log_note(&w->access_log, x);
}

static dx_err open_listener(dx_worker *w, size_t address, int *fd)
{
    dx_worker_listener *l = &w->listeners[w->listeners_count];

    l->listen = &w->server->listens[address];
    l->listener.on_accept = on_accept;
    l->listener.owner = w;
    l->listener.log = &w->log;
    dx_err err = dx_listener_open(&l->listener, w->loop, *fd);
    if (err != DX_OK)
        return err;
    *fd = -1;
    w->listeners_count++;
    return DX_OK;
}

static dx_err open_listeners(dx_worker *w)
{
    dx_server *s = w->server;
    size_t each = (s->slots_count + s->workers_count - 1) / s->workers_count;
    dx_err err = DX_OK;

    w->listeners = calloc(s->listens_count * each, sizeof *w->listeners);
    if (w->listeners == NULL)
        return DX_ERR_MEMORY;
    for (size_t i = 0; i < s->listens_count; i++)
        for (size_t slot = w->index; slot < s->slots_count && err == DX_OK; slot += s->workers_count)
            if (s->fds[i * s->slots_count + slot] >= 0)
                err = open_listener(w, i, &s->fds[i * s->slots_count + slot]);
    return err;
}

static void close_listeners(dx_worker *w)
{
    for (size_t i = 0; i < w->listeners_count; i++)
        dx_listener_close(&w->listeners[i].listener);
}

static bool listeners_are_closed(const dx_worker *w)
{
    for (size_t i = 0; i < w->listeners_count; i++)
        if (!w->listeners[i].listener.is_closed)
            return false;
    return true;
}

void dx_worker_end(dx_loop *loop, uint32_t index, void *server)
{
    dx_worker *w = &((dx_server *)server)->worker[index];

    dx_timer_clear(&w->drain_tick);
    dx_errands_end(&w->errands);
    dx_admin_visits_end(w);
    if (index == 0) {
        dx_stats_end(w->server->stats);
        dx_console_end(w->server->console);
        dx_health_end(w->server);
    }
    close_listeners(w);
    for (dx_list *l = w->net.live.next, *next; l != &w->net.live; l = next) {
        next = l->next;
        dx_conn_abort(DX_CONTAINER(l, dx_conn, link), DX_ERR_CLOSED, false);
    }
    while (w->net.conns_count > 0 || !listeners_are_closed(w))
        dx_loop_step(loop, END_WAIT_MS);
    dx_leases_deinit(&w->leases);
    dx_hub_end(dx_streams_hub(w->server->streams, index));
    dx_ws_worker_deinit(&w->ws);
    dx_http_deinit(&w->http);
    dx_http_deinit(&w->redirect);
    dx_net_deinit(&w->net);
}

void dx_worker_deinit(dx_worker *w)
{
    if (w->server == NULL) /* it has not begun */
        return;
    dx_pool_deinit(&w->doors);
    dx_pool_deinit(&w->appends);
    free(w->listeners);
}

/* ---- draining --------------------------------------------------------------------------------- */

static void drain_conn(dx_conn *conn)
{
    dx_ws *ws = dx_ws_of(conn);

    if (ws)
        dx_door_websocket_drain(ws);
    else
        dx_http_drain(conn);
}

/* Once the last connection is there that the kernel had accepted for us. */
static void drain_conns(dx_worker *w)
{
    w->is_told = true;
    for (dx_list *l = w->net.live.next, *next; l != &w->net.live; l = next) {
        next = l->next;
        drain_conn(DX_CONTAINER(l, dx_conn, link));
    }
    dx_admin_visits_hurry(w);
}

static void on_drain_tick(dx_timer *timer)
{
    dx_worker *w = DX_CONTAINER(timer, dx_worker, drain_tick);

    if (!w->is_told && listeners_are_closed(w))
        drain_conns(w);
    if (w->is_told && w->net.conns_count == 0 && !w->is_drained) {
        w->is_drained = true;
        atomic_fetch_add(&w->server->drained_count, 1);
    }
    /* Together: the streams of one worker are wanted by the connections of the others. */
    if (atomic_load(&w->server->drained_count) == w->server->workers_count ||
        dx_loop_now_ms(w->loop) >= w->drain_due_ms)
        dx_loop_stop(w->loop);
    else
        dx_timer_set(w->loop, timer, DRAIN_TICK_MS);
}

static void on_drain_post(dx_post *post)
{
    dx_worker *w = DX_CONTAINER(post, dx_worker, drain_post);

    w->drain_due_ms = dx_loop_now_ms(w->loop) + atomic_load(&w->server->drain_ms);
    for (size_t i = 0; i < w->listeners_count; i++)
        dx_listener_stop(&w->listeners[i].listener);
    dx_timer_set(w->loop, &w->drain_tick, 0);
}

void dx_worker_drain(dx_worker *w)
{
    w->drain_post.run = on_drain_post;
    if (dx_loop_post(w->loop, &w->drain_post) != DX_OK)
        dx_loop_stop(w->loop); /* too busy even to be told: stop it */
}

/* ---- starting --------------------------------------------------------------------------------- */

dx_err dx_worker_start(dx_loop *loop, uint32_t index, void *server)
{
    dx_server *s = server;
    dx_worker *w = &s->worker[index];

    *w = (dx_worker){.server = s, .index = index, .loop = loop, .thread_id = gettid()};
    dx_loop_set_owner(loop, w);
    dx_errands_init(&w->errands, loop);
    dx_list_init(&w->visits);
    dx_timer_init(&w->drain_tick, on_drain_tick);
    if (index == 0)
        dx_health_begin(s);
    w->log = (dx_log){s->log.sink, (int)index};
    dx_access_log_init(&w->access_log, &w->log, &s->access_log_policy, s->workers_count);
    dx_net_init(&w->net, loop, &DX_NET_LIMITS_DEFAULT, &w->log);
    dx_ws_worker_init(&w->ws, &w->net);
    dx_leases_init(&w->leases, loop);
    dx_pool_init(&w->doors, dx_door_bytes());
    dx_pool_init(&w->appends, dx_door_append_bytes());
    dx_hub_set_encoder(dx_streams_hub(s->streams, index), w);
    dx_err err = dx_http_init(&w->http, &w->net, &s->router, &s->http_config);
    w->http.more = dx_door_more;
    if (err == DX_OK)
        err = dx_http_init(&w->redirect, &w->net, &s->redirect_router, &s->http_config);
    w->http.watch.over = w->redirect.watch.over = on_over;
    w->http.watch.context = w->redirect.watch.context = w;
    if (err == DX_OK)
        err = dx_hub_begin(s->streams, index, loop);
    if (err == DX_OK)
        err = open_listeners(w);
    if (err == DX_OK && index == 0) {
        dx_stats_begin(s->stats, w);
        dx_console_begin(s->console, w);
    }
    if (err != DX_OK)
        dx_worker_end(loop, index, server);
    return err;
}
