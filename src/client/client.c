/* A client's life: its loop, and what becomes of all it has begun.
 * SPDX-License-Identifier: MIT */
#include "client/client.h"

#include "base/sized.h"

#include <stdlib.h>
#include <string.h>

enum { CLOSING_TURNS_MAX = 200, CLOSING_WAIT_MS = 10 };

static bool copy_text(const char *from, char **to)
{
    *to = from ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

static void client_forget(dx_client *c)
{
    free(c->ca);
    free(c->cert);
    free(c->key);
    free(c);
}

dx_err dx_client_new_sized(const dx_client_options *options, size_t options_size, dx_client **ret)
{
    dx_client_options o;
    dx_client *c = calloc(1, sizeof *c);

    if (c == NULL)
        return DX_ERR_MEMORY;
    dx_err err = dx_sized_copy(&o, sizeof o, options, options_size) ? DX_OK : DX_ERR_UNSUPPORTED;
    if (err == DX_OK &&
        (!copy_text(o.ca, &c->ca) || !copy_text(o.cert, &c->cert) || !copy_text(o.key, &c->key)))
        err = DX_ERR_MEMORY;
    /* epoll: its descriptor can be waited for elsewhere, and few connections gain nothing from io_uring. */
    if (err == DX_OK)
        err = dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &c->loop);
    if (err != DX_OK) {
        client_forget(c);
        return err;
    }
    c->is_insecure = o.is_insecure;
    dx_list_init(&c->begun);
    dx_list_init(&c->lookups);
    dx_list_init(&c->lines);
    dx_net_init(&c->net, c->loop, &DX_NET_LIMITS_DEFAULT, NULL);
    dx_ws_worker_init(&c->ws, &c->net);
    dx_errands_init(&c->errands, c->loop);
    *ret = c;
    return DX_OK;
}

void dx_client_begin(dx_client *c, dx_begun *begun, void (*end)(dx_begun *, dx_err))
{
    begun->end = end;
    dx_list_init(&begun->link);
    dx_list_append(&c->begun, &begun->link);
}

/* The oldest first: what stands on something else was begun before it, and ends that by itself. */
static void end_all(dx_client *c)
{
    while (!dx_list_is_empty(&c->begun)) {
        dx_begun *begun = DX_CONTAINER(c->begun.next, dx_begun, link);
        dx_list_remove(&begun->link);
        begun->end(begun, DX_ERR_CLOSED);
    }
}

static void close_all(dx_client *c)
{
    for (dx_list *l = c->net.live.next, *next; l != &c->net.live; l = next) {
        next = l->next;
        dx_conn_abort(DX_CONTAINER(l, dx_conn, link), DX_ERR_CLOSED, false);
    }
    for (int i = 0; i < CLOSING_TURNS_MAX && c->net.conns_count > 0; i++)
        dx_loop_step(c->loop, CLOSING_WAIT_MS);
    while (!dx_list_is_empty(&c->lookups))
        dx_loop_step(c->loop, -1);
}

void dx_client_free(dx_client *c)
{
    if (c == NULL)
        return;
    dx_errands_end(&c->errands);
    end_all(c);
    dx_lines_free(c);
    close_all(c);
    dx_ws_worker_deinit(&c->ws);
    dx_net_deinit(&c->net);
    dx_loop_free(c->loop);
    dx_tls_free(c->tls);
    client_forget(c);
}

/* ---- running ---------------------------------------------------------------------------------- */

void dx_client_run(dx_client *c)
{
    dx_loop_run(c->loop);
}

void dx_client_stop(dx_client *c)
{
    dx_loop_stop(c->loop);
}

bool dx_client_step(dx_client *c, int wait_ms)
{
    if (!dx_loop_is_stopping(c->loop))
        dx_loop_step(c->loop, wait_ms);
    if (!dx_loop_is_stopping(c->loop))
        return true;
    dx_loop_run(c->loop); /* obeys, without a turn */
    return false;
}

int dx_client_fd(const dx_client *c)
{
    return dx_loop_fd(c->loop);
}

int dx_client_due_ms(dx_client *c)
{
    return dx_loop_due_ms(c->loop);
}

dx_err dx_client_post(dx_client *c, dx_run *run, void *context)
{
    return dx_errands_post(&c->errands, run, context);
}

dx_err dx_client_after(dx_client *c, uint32_t delay_ms, dx_run *run, void *context, dx_alarm **ret)
{
    return dx_errands_after(&c->errands, delay_ms, run, context, ret);
}
