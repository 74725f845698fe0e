/* The HTTP client: requests, one at a time, whatever carries them.
 * SPDX-License-Identifier: MIT */
#include "http/client_inner.h"

#include "base/assert.h"
#include "codec/http_writer.h"

#include <stdlib.h>

enum {
    HEAD_BYTES_MAX = 16384,
    EXPECT_BYTES = 65536, /* bodies above it are announced first */
};

/* Rows: from. Bits: where it may go. */
static const uint8_t legal_moves[] = {
    [CLIENT_IDLE] = DX_BIT(CLIENT_OPENING) | DX_BIT(CLIENT_HEAD),
    [CLIENT_OPENING] = DX_BIT(CLIENT_HEAD) | DX_BIT(CLIENT_IDLE),
    [CLIENT_HEAD] = DX_BIT(CLIENT_BODY) | DX_BIT(CLIENT_IDLE),
    [CLIENT_BODY] = DX_BIT(CLIENT_IDLE),
};

void dx_http_client_enter(dx_http_client *c, dx_http_client_state to)
{
    dx_assert(legal_moves[c->state] & DX_BIT(to));
    c->state = to;
}

/* ---- the end of a request ---------------------------------------------------------------------- */

dx_conn *dx_http_client_detach(dx_http_client *c)
{
    dx_conn *conn = c->conn;

    if (conn)
        dx_conn_set_protocol(conn, &dx_conn_nobody, NULL);
    c->conn = NULL;
    return conn;
}

/* It is over, this way or that. */
static void forget_request(dx_http_client *c)
{
    dx_http_client_enter(c, CLIENT_IDLE);
    dx_http_waiter_leave(&c->waiter);
    dx_timer_clear(&c->continue_timer);
    dx_buffer_clear(&c->head);
    dx_buffer_clear(&c->body);
    c->is_body_held = c->is_paused = false;
}

void dx_http_client_fail(dx_http_client *c, dx_err err, const char *text)
{
    dx_conn *conn = dx_http_client_detach(c);

    if (conn)
        dx_conn_abort(conn, err, true);
    forget_request(c);
    c->handler.failed(c->handler.context, err, text);
}

void dx_http_client_done(dx_http_client *c, bool has_more)
{
    if (c->is_http2)
        dx_http_client_release(c);
    else if (c->keep_alive && c->framing.keep_alive && !has_more && !c->is_body_held)
        dx_conn_set_deadline(c->conn, 0);
    else
        dx_conn_finish(dx_http_client_detach(c));
    forget_request(c);
    c->handler.done(c->handler.context);
}

void dx_http_client_left(dx_http_client *c)
{
    c->is_inside = false;
    if (c->is_freed)
        free(c);
}

void dx_http_client_on_deadline(dx_conn *conn)
{
    dx_http_client *c = conn->protocol;

    dx_http_client_entered(c);
    dx_http_client_fail(c, DX_ERR_TIMEOUT, "the server did not answer in time");
    dx_http_client_left(c);
}

/* ---- the response ------------------------------------------------------------------------------ */

/* Of a response without end every piece has its own time. */
static void hear(dx_http_client *c)
{
    if (c->silence_ms > 0 && c->conn)
        dx_conn_set_deadline(c->conn, c->is_paused ? 0 : c->silence_ms);
}

void dx_http_client_give_head(dx_http_client *c, const dx_http_response_head *head)
{
    dx_http_client_enter(c, CLIENT_BODY);
    c->framing = head->framing;
    hear(c);
    if (c->handler.head)
        c->handler.head(c->handler.context, head);
}

void dx_http_client_give_body(dx_http_client *c, dx_bytes piece)
{
    hear(c);
    if (c->handler.body)
        c->handler.body(c->handler.context, piece);
}

void dx_http_client_pause(dx_http_client *c)
{
    if (c->is_paused || c->state != CLIENT_BODY)
        return;
    c->is_paused = true;
    dx_conn_pause(c->conn);
    hear(c);
}

void dx_http_client_resume(dx_http_client *c)
{
    if (!c->is_paused)
        return;
    c->is_paused = false;
    dx_conn_resume(c->conn);
    hear(c);
}

/* ---- the request ------------------------------------------------------------------------------- */

/* A request with content or one that is expected to have some (RFC 9110 §8.6). */
static bool says_length(const dx_http_client_request *r, dx_http_method method)
{
    return r->body.size > 0 || method == DX_HTTP_POST || method == DX_HTTP_PUT ||
           method == DX_HTTP_PATCH;
}

/* RFC 9110 §10.1.1: HTTP/1.0 knows of no interim answers. */
static bool expects_continue(const dx_http_client_request *r)
{
    return r->body.size > EXPECT_BYTES && !r->is_1_0;
}

/* In the form of HTTP/1.1, whatever it will be: that is kept until the connection is there. */
static dx_err write_head(dx_http_client *c, const dx_http_client_request *r)
{
    dx_http_writer w;

    if (!dx_buffer_reserve(&c->head, HEAD_BYTES_MAX))
        return DX_ERR_MEMORY;
    dx_http_writer_init(&w, c->head.at, HEAD_BYTES_MAX);
    if (r->is_1_0)
        dx_http_write_request_1_0(&w, r->method, r->target);
    else
        dx_http_write_request(&w, r->method, r->target);
    dx_http_write_known(&w, DX_HTTP_HOST, r->authority);
    for (size_t i = 0; i < r->headers_count; i++)
        dx_http_write_field(&w, r->headers[i].name, r->headers[i].value);
    if (says_length(r, c->method))
        dx_http_write_number(&w, DX_HTTP_CONTENT_LENGTH, r->body.size);
    if (expects_continue(r))
        dx_http_write_known(&w, DX_HTTP_EXPECT, DX_BYTES("100-continue"));
    if (!r->keep_alive && !r->is_1_0)
        dx_http_write_known(&w, DX_HTTP_CONNECTION, DX_BYTES("close"));
    c->head.size = dx_http_write_end(&w).size;
    if (c->head.size > 0)
        return DX_OK;
    return w.fault == DX_HTTP_WRITER_FULL ? DX_ERR_TOO_LARGE : DX_ERR_NAME;
}

/* By the connection of HTTP/2, if it is there; else by the one that turns out to be made. */
static dx_err join(dx_http_client *c, uint32_t timeout_ms)
{
    dx_http2_client *on = dx_http_origin_client(c->origin, &c->waiter);

    if (on)
        return dx_http_client_call(c, on);
    dx_err err = dx_http_origin_wait(c->origin, &c->waiter, timeout_ms);
    if (err == DX_OK)
        dx_http_client_enter(c, CLIENT_OPENING);
    return err;
}

static dx_err begin(dx_http_client *c, const dx_http_client_request *r)
{
    dx_err err = write_head(c, r);

    if (err == DX_OK && !dx_buffer_append(&c->body, r->body))
        err = DX_ERR_MEMORY;
    if (err != DX_OK || c->conn)
        return err;
    if (dx_http_origin_may_http2(c->origin) && !r->is_1_0)
        return join(c, r->timeout_ms);
    return dx_http_client_connect(c);
}

dx_err dx_http_client_send(dx_http_client *c, const dx_http_client_request *r)
{
    dx_assert(c->state == CLIENT_IDLE && !c->is_freed && r->timeout_ms > 0);
    dx_assert(!r->is_1_0 || !r->keep_alive);
    if (r->body.size > DX_HTTP_CLIENT_BODY_MAX)
        return DX_ERR_TOO_LARGE;
    if (c->conn && !dx_conn_is_open(c->conn)) /* it was kept, and is ending just now */
        dx_http_client_detach(c);
    c->method = dx_http_method_of(r->method);
    c->due_ms = dx_loop_now_ms(c->origin->net->loop) + r->timeout_ms;
    c->keep_alive = r->keep_alive;
    c->silence_ms = r->silence_ms;
    c->expects_continue = expects_continue(r);
    dx_err err = begin(c, r);
    if (err != DX_OK) {
        dx_buffer_clear(&c->head);
        dx_buffer_clear(&c->body);
        return err;
    }
    if (c->conn)
        dx_conn_set_deadline(c->conn, r->timeout_ms);
    if (c->state == CLIENT_IDLE)
        dx_http_client_write(c);
    return DX_OK;
}

uint32_t dx_http_client_left_ms(const dx_http_client *c)
{
    uint64_t now_ms = dx_loop_now_ms(c->origin->net->loop);
    return c->due_ms > now_ms ? (uint32_t)(c->due_ms - now_ms) : 1;
}

/* ---- the connection that was waited for -------------------------------------------------------- */

static void on_ready(dx_http_waiter *waiter, dx_http2_client *on)
{
    dx_http_client *c = DX_CONTAINER(waiter, dx_http_client, waiter);

    dx_http_client_entered(c);
    dx_err err = dx_http_client_call(c, on);
    if (err == DX_OK)
        dx_conn_set_deadline(c->conn, dx_http_client_left_ms(c));
    else
        dx_http_client_fail(c, err, dx_err_text(err));
    dx_http_client_left(c);
}

static void on_given(dx_http_waiter *waiter, dx_conn *conn)
{
    dx_http_client *c = DX_CONTAINER(waiter, dx_http_client, waiter);

    dx_http_client_take(c, conn);
    dx_conn_set_deadline(conn, dx_http_client_left_ms(c));
}

static void on_failed(dx_http_waiter *waiter, dx_err err, const char *text)
{
    dx_http_client *c = DX_CONTAINER(waiter, dx_http_client, waiter);

    dx_http_client_entered(c);
    dx_http_client_fail(c, err, text);
    dx_http_client_left(c);
}

/* ---- life --------------------------------------------------------------------------------------- */

static void on_continue_timer(dx_timer *timer)
{
    dx_http_client *c = DX_CONTAINER(timer, dx_http_client, continue_timer);
    dx_http_client_write_body(c);
}

dx_http_client *dx_http_client_new(dx_http_origin *origin, const dx_http_client_handler *handler)
{
    dx_http_client *c = calloc(1, sizeof *c);

    dx_assert(handler->done && handler->failed);
    if (c == NULL)
        return NULL;
    c->origin = origin;
    c->handler = *handler;
    dx_http_waiter_init(&c->waiter);
    c->waiter.ready = on_ready;
    c->waiter.given = on_given;
    c->waiter.failed = on_failed;
    dx_timer_init(&c->continue_timer, on_continue_timer);
    return c;
}

void dx_http_client_free(dx_http_client *c)
{
    if (c == NULL)
        return;
    dx_conn *conn = dx_http_client_detach(c);
    if (conn)
        dx_conn_abort(conn, DX_ERR_CLOSED, false);
    dx_http_waiter_leave(&c->waiter);
    dx_timer_clear(&c->continue_timer);
    dx_buffer_clear(&c->head);
    dx_buffer_clear(&c->body);
    c->is_freed = true;
    if (!c->is_inside)
        free(c);
}
