/* Origins: one connection is made at a time, and what it turns out to speak decides who gets it.
 * SPDX-License-Identifier: MIT */
#include "http/origin.h"

#include "base/assert.h"

const char *const *dx_http_alpn_of(dx_http_version version)
{
    static const char *const only_1_1[] = {DX_HTTP1_ALPN, NULL};
    static const char *const only_2[] = {DX_HTTP2_ALPN, NULL};
    static const char *const either[] = {DX_HTTP2_ALPN, DX_HTTP1_ALPN, NULL};

    switch (version) {
    case DX_HTTP_VERSION_AUTO: return either;
    case DX_HTTP_VERSION_1_1: return only_1_1;
    case DX_HTTP_VERSION_2: return only_2;
    }
    dx_unreachable("dx_http_version outside its enum");
}

/* ---- those who wait ---------------------------------------------------------------------------- */

static void on_timer(dx_timer *timer)
{
    dx_http_waiter *w = DX_CONTAINER(timer, dx_http_waiter, timer);

    dx_http_waiter_leave(w);
    w->failed(w, DX_ERR_TIMEOUT, "the server did not answer in time");
}

void dx_http_waiter_init(dx_http_waiter *w)
{
    dx_list_init(&w->link);
    dx_timer_init(&w->timer, on_timer);
}

void dx_http_waiter_leave(dx_http_waiter *w)
{
    dx_timer_clear(&w->timer);
    dx_list_remove(&w->link);
}

static dx_http_waiter *take_first(dx_list *waiting)
{
    if (dx_list_is_empty(waiting))
        return NULL;
    dx_http_waiter *w = DX_CONTAINER(waiting->next, dx_http_waiter, link);
    dx_http_waiter_leave(w);
    return w;
}

/* Those who wait now; who comes meanwhile is not meant. */
static void fail_all(dx_http_origin *o, dx_err err, const char *text)
{
    dx_list now;
    dx_http_waiter *w;

    dx_list_init(&now);
    dx_list_splice(&now, &o->waiting);
    while ((w = take_first(&now)) != NULL)
        w->failed(w, err, text);
}

/* ---- the connection that is being made --------------------------------------------------------- */

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    (void)conn, (void)at, (void)size;
    return 0; /* it is for whoever gets the connection */
}

static dx_err dial(dx_http_origin *o);

static void dial_again(dx_http_origin *o)
{
    if (o->dial || o->client || dx_list_is_empty(&o->waiting))
        return;
    dx_err err = dial(o);
    if (err != DX_OK)
        fail_all(o, err, dx_err_text(err));
}

/* An HTTP/1.1 connection is one waiter's: the others get one each. */
static void give(dx_http_origin *o, dx_conn *conn)
{
    dx_http_waiter *w = take_first(&o->waiting);

    dx_conn_set_protocol(conn, &dx_conn_nobody, NULL);
    if (w)
        w->given(w, conn);
    else
        dx_conn_finish(conn);
    dial_again(o);
}

/* Who speaks by prior knowledge is believed until its first byte. */
static bool is_http2(const dx_http_origin *o, const dx_conn *conn)
{
    if (!dx_conn_is_secure(conn))
        return o->version == DX_HTTP_VERSION_2;
    return dx_bytes_equal(dx_conn_alpn(conn), DX_BYTES(DX_HTTP2_ALPN));
}

static void refuse(dx_http_origin *o, dx_conn *conn, dx_err err, const char *text)
{
    dx_conn_set_protocol(conn, &dx_conn_nobody, NULL);
    dx_conn_abort(conn, err, false);
    fail_all(o, err, text);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    dx_http_origin *o = conn->protocol;

    o->dial = NULL;
    fail_all(o, why == DX_OK ? DX_ERR_RESET : why,
             why == DX_OK ? dx_err_text(DX_ERR_RESET) : dx_conn_why(conn));
}

static void on_open(dx_conn *conn)
{
    dx_http_origin *o = conn->protocol;

    o->dial = NULL;
    if (is_http2(o, conn)) {
        o->client = dx_http2_client_begin(o, conn);
        if (o->client)
            dx_http_origin_serve(o);
        else
            refuse(o, conn, DX_ERR_MEMORY, dx_err_text(DX_ERR_MEMORY));
    } else if (o->version == DX_HTTP_VERSION_2) {
        refuse(o, conn, DX_ERR_UNSUPPORTED,
               "the server does not speak HTTP/2: it has not agreed on it (ALPN)");
    } else {
        give(o, conn);
    }
}

static const dx_conn_ops conn_ops = {
    .on_bytes = on_bytes, .on_open = on_open, .on_closed = on_closed};

static dx_err dial(dx_http_origin *o)
{
    return dx_conn_connect_to(o->net, &o->to, &conn_ops, o, &o->dial);
}

static void on_served(dx_task *task)
{
    dx_http_origin_serve(DX_CONTAINER(task, dx_http_origin, served));
}

/* ---- origins ------------------------------------------------------------------------------------ */

void dx_http_origin_init(dx_http_origin *o, dx_net *net, const dx_conn_target *to,
                         dx_http_version version)
{
    *o = (dx_http_origin){
        .net = net, .to = *to, .version = version, .http2 = DX_HTTP2_CLIENT_CONFIG_DEFAULT};
    dx_list_init(&o->waiting);
    dx_task_init(&o->served, on_served);
}

void dx_http_origin_deinit(dx_http_origin *o)
{
    dx_conn *conn = o->dial;

    fail_all(o, DX_ERR_CLOSED, dx_err_text(DX_ERR_CLOSED));
    dx_assert(dx_list_is_empty(&o->waiting));
    o->dial = NULL;
    dx_task_clear(&o->served);
    if (conn) {
        dx_conn_set_protocol(conn, &dx_conn_nobody, NULL);
        dx_conn_abort(conn, DX_ERR_CLOSED, false);
    }
    if (o->client)
        dx_http2_client_abort(o->client);
    o->client = NULL;
}

dx_http2_client *dx_http_origin_client(const dx_http_origin *o, const dx_http_waiter *w)
{
    bool is_good = o->client && (!w->is_for_tunnel || dx_http2_client_is_settled(o->client));
    return is_good ? o->client : NULL;
}

dx_err dx_http_origin_wait(dx_http_origin *o, dx_http_waiter *w, uint32_t timeout_ms)
{
    dx_err err = DX_OK;

    dx_assert(dx_http_origin_may_http2(o) && w->ready && w->given && w->failed);
    if (o->dial == NULL && o->client == NULL)
        err = dial(o);
    if (err != DX_OK)
        return err;
    dx_list_append(&o->waiting, &w->link);
    dx_timer_set(o->net->loop, &w->timer, timeout_ms);
    if (dx_http_origin_client(o, w))
        dx_task_queue(o->net->loop, &o->served);
    return DX_OK;
}

void dx_http_origin_lose(dx_http_origin *o, const dx_http2_client *client, dx_err err,
                         const char *text)
{
    if (o->client != client)
        return;
    o->client = NULL;
    fail_all(o, err, text);
}

void dx_http_origin_serve(dx_http_origin *o)
{
    dx_list now;
    dx_list *link;

    dx_list_init(&now);
    dx_list_splice(&now, &o->waiting);
    while ((link = dx_list_take_first(&now)) != NULL) {
        dx_http_waiter *w = DX_CONTAINER(link, dx_http_waiter, link);
        dx_http2_client *client = dx_http_origin_client(o, w);
        if (client) {
            dx_timer_clear(&w->timer);
            w->ready(w, client);
        } else {
            dx_list_append(&o->waiting, link);
        }
    }
    dial_again(o); /* it may have been lost meanwhile */
}
