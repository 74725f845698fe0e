/* The client on a stream of HTTP/2.
 * Source: RFC 9113 §8.1.
 * SPDX-License-Identifier: MIT */
#include "http/client_inner.h"

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    dx_http_client *c = conn->protocol;

    dx_http_client_entered(c);
    dx_http_client_give_body(c, dx_bytes_at(at, size));
    dx_http_client_left(c);
    return size;
}

/* RFC 9113 §8.1: an answer may be whole before the request is; the rest of that is not wanted then. */
static void on_end(dx_conn *conn)
{
    dx_http_client *c = conn->protocol;

    dx_http_client_entered(c);
    dx_http_client_done(c, false);
    dx_http_client_left(c);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    dx_http_client *c = conn->protocol;

    dx_http_client_entered(c);
    c->conn = NULL;
    dx_http_client_fail(c, why == DX_OK ? DX_ERR_RESET : why, dx_http2_client_why(conn));
    dx_http_client_left(c);
}

static void on_head(dx_conn *conn, const dx_http_response_head *head)
{
    dx_http_client *c = conn->protocol;

    dx_http_client_entered(c);
    dx_http_client_give_head(c, head);
    dx_http_client_left(c);
}

/* ---- the request's body: it stays here until it is sent ----------------------------------------- */

static uint32_t pull(dx_conn *conn, struct iovec *iov, uint32_t max)
{
    dx_http_client *c = conn->protocol;

    if (c->body_sent == c->body.size || max == 0)
        return 0;
    *iov = (struct iovec){c->body.at + c->body_sent, c->body.size - c->body_sent};
    return 1;
}

static bool pulled(dx_conn *conn, size_t bytes)
{
    dx_http_client *c = conn->protocol;

    c->body_sent += bytes;
    if (c->body_sent < c->body.size)
        return c->body_sent > 0;
    dx_buffer_clear(&c->body);
    c->body_sent = 0;
    return false;
}

static const dx_conn_ops stream_ops = {
    .on_bytes = on_bytes,
    .on_end = on_end,
    .pull = pull,
    .pulled = pulled,
    .on_deadline = dx_http_client_on_deadline,
    .on_closed = on_closed,
};

dx_err dx_http_client_call(dx_http_client *c, dx_http2_client *on)
{
    dx_err err = dx_http2_client_open(on,
                                      &(dx_http2_call){.head = dx_buffer_view(&c->head),
                                                       .content_bytes = c->body.size,
                                                       .ops = &stream_ops,
                                                       .protocol = c,
                                                       .on_head = on_head},
                                      &c->conn);
    if (err != DX_OK)
        return err;
    c->is_http2 = true;
    c->body_sent = 0;
    dx_buffer_clear(&c->head);
    dx_http_client_enter(c, CLIENT_HEAD);
    return DX_OK;
}

void dx_http_client_release(dx_http_client *c)
{
    if (!c->keep_alive)
        dx_http2_client_leave(c->conn);
    dx_conn_abort(dx_http_client_detach(c), DX_OK, false);
}
