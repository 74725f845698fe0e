/* HTTP/2 connections at the client: their beginning, their turns, their times and their end.
 * SPDX-License-Identifier: MIT */
#include "http/http2_client_conn.h"

#include "base/assert.h"
#include "http/origin.h"

#include <stdio.h>
#include <stdlib.h>

/* Rows: from. Bits: where it may go. */
static const uint8_t legal_moves[] = {
    [H2C_OPEN] = DX_BIT(H2C_LEAVING) | DX_BIT(H2C_OVER),
    [H2C_LEAVING] = DX_BIT(H2C_OVER),
    [H2C_OVER] = 0,
};

static void enter(dx_http2_client *h, dx_http2_client_state to)
{
    dx_assert(legal_moves[h->state] & DX_BIT(to));
    h->state = (uint8_t)to;
}

static uint64_t now_ms(const dx_http2_client *h)
{
    return dx_conn_now_ms(h->conn);
}

void dx_http2_client_wake(dx_http2_client *h)
{
    if (h->conn->state != DX_CONN_CLOSED)
        dx_task_queue(h->conn->net->loop, &h->work);
}

/* ---- time ---------------------------------------------------------------------------------------- */

static void take_earlier(uint64_t *due, uint64_t other)
{
    if (other && (*due == 0 || other < *due))
        *due = other;
}

/* Requests have their own; the connection's are for what holds up all of them. */
static void arm(dx_http2_client *h)
{
    uint64_t due = h->settings_due_ms, now = now_ms(h);

    take_earlier(&due, h->block_due_ms);
    take_earlier(&due, h->stall_due_ms);
    if (due == 0 || h->state == H2C_OVER)
        dx_conn_set_deadline(h->conn, 0);
    else
        dx_conn_set_deadline(h->conn, due > now ? (uint32_t)(due - now) : 1);
}

static void on_deadline(dx_conn *conn)
{
    dx_http2_client *h = conn->protocol;

    if (h->settings_due_ms && now_ms(h) >= h->settings_due_ms)
        dx_http2_client_fail(
            h, NGHTTP2_SETTINGS_TIMEOUT, DX_ERR_TIMEOUT,
            "the server sent no SETTINGS in time: perhaps it does not speak HTTP/2");
    else if (h->block_due_ms && now_ms(h) >= h->block_due_ms)
        dx_http2_client_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, DX_ERR_TIMEOUT,
                             "the head of an answer took too long");
    else if (h->stall_due_ms && now_ms(h) >= h->stall_due_ms)
        dx_http2_client_look_at_stalls(h);
    dx_http2_client_wake(h);
}

/* ---- the end --------------------------------------------------------------------------------------- */

static void set_why(dx_http2_client *h, dx_err err, const char *why)
{
    if (h->why[0] != '\0')
        return;
    h->err = err;
    snprintf(h->why, sizeof h->why, "%s", why);
}

/* Whoever asks the origin from now on gets another connection. */
static void lose_origin(dx_http2_client *h)
{
    dx_http_origin *origin = h->origin;

    h->origin = NULL;
    if (origin)
        dx_http_origin_lose(origin, h, h->err == DX_OK ? DX_ERR_CLOSED : h->err,
                            h->why[0] ? h->why : "the connection has ended");
}

static void abort_streams(dx_http2_client *h)
{
    for (dx_list *l = h->streams.next, *next; l != &h->streams; l = next) {
        next = l->next;
        dx_http2_client_stream_fail(DX_CONTAINER(l, dx_http2_client_stream, link), h->err, h->why);
    }
}

/* The streams are over, and told so later. */
static void be_over(dx_http2_client *h, dx_err err, const char *why)
{
    set_why(h, err, why);
    if (h->state != H2C_OVER)
        enter(h, H2C_OVER);
    abort_streams(h);
    lose_origin(h);
    dx_http2_client_wake(h);
}

void dx_http2_client_fail(dx_http2_client *h, uint32_t code, dx_err err, const char *why)
{
    if (h->state == H2C_OVER)
        return;
    if (!h->memory.is_broken)
        nghttp2_session_terminate_session(h->session, code);
    be_over(h, err, why);
}

void dx_http2_client_no_more(dx_http2_client *h)
{
    if (h->state == H2C_OPEN)
        enter(h, H2C_LEAVING);
    lose_origin(h);
    dx_http2_client_wake(h);
}

void dx_http2_client_abort(dx_http2_client *h)
{
    h->origin = NULL;
    dx_conn_abort(h->conn, DX_ERR_CLOSED, false);
}

bool dx_http2_client_is_settled(const dx_http2_client *h)
{
    return h->is_settled;
}

/* ---- turns ------------------------------------------------------------------------------------------- */

/* What is woken meanwhile is for the next turn. */
static void turn_streams(dx_http2_client *h)
{
    dx_list now;
    dx_list *link;

    dx_list_init(&now);
    dx_list_splice(&now, &h->woken);
    while ((link = dx_list_take_first(&now)) != NULL)
        dx_http2_client_stream_turn(DX_CONTAINER(link, dx_http2_client_stream, turn_link));
}

static void free_closed(dx_http2_client *h)
{
    dx_list *link;

    while ((link = dx_list_take_first(&h->closed)) != NULL)
        dx_http2_client_stream_over(DX_CONTAINER(link, dx_http2_client_stream, turn_link));
}

/* Lets nghttp2 make frames, as many as the connection takes for now. */
static void produce(dx_http2_client *h)
{
    const uint8_t *at;
    ssize_t size = 0;

    while (dx_conn_is_open(h->conn)) {
        if (dx_conn_queued(h->conn) >= h->config.queued_bytes_high) {
            dx_conn_want_room(h->conn);
            return;
        }
        size = nghttp2_session_mem_send(h->session, &at);
        if (size <= 0)
            break;
        dx_conn_write(h->conn, dx_bytes_at(at, (size_t)size));
    }
    if (size < 0)
        dx_conn_abort(h->conn, DX_ERR_MEMORY, true);
}

/* An allocation of nghttp2's has failed: it is not asked any more. */
static bool is_broken(dx_http2_client *h)
{
    if (h->memory.is_broken && h->conn->state != DX_CONN_CLOSED) {
        be_over(h, DX_ERR_MEMORY, dx_err_text(DX_ERR_MEMORY));
        dx_conn_abort(h->conn, DX_ERR_MEMORY, true);
    }
    return h->memory.is_broken;
}

/* Nothing more will come of it, or be said. */
static bool is_done(const dx_http2_client *h)
{
    return dx_conn_is_open(h->conn) && !nghttp2_session_want_write(h->session) &&
           (h->state == H2C_OVER || !nghttp2_session_want_read(h->session));
}

static void work(dx_http2_client *h)
{
    if (is_broken(h))
        return;
    turn_streams(h);
    free_closed(h); /* whoever is told may have more to ask */
    if (h->state == H2C_LEAVING && h->streams_count == 0)
        dx_http2_client_fail(h, NGHTTP2_NO_ERROR, DX_ERR_CLOSED, "the connection has ended");
    if (!h->memory.is_broken)
        produce(h);
    if (is_broken(h))
        return;
    if (is_done(h)) {
        be_over(h, DX_ERR_PROTOCOL, "the server broke the rules of HTTP/2");
        free_closed(h);
        dx_conn_finish(h->conn);
    }
    if (dx_conn_is_open(h->conn))
        arm(h);
}

static void on_work(dx_task *task)
{
    dx_http2_client *h = DX_CONTAINER(task, dx_http2_client, work);

    work(h);
    if (h->conn->state != DX_CONN_CLOSED)
        dx_conn_flush(h->conn);
}

/* ---- the connection ------------------------------------------------------------------------------------ */

/* No frame begins so: it would be far longer than any. */
static bool is_http1(dx_http2_client *h, const uint8_t *at)
{
    bool is_first = !h->is_heard;

    h->is_heard = true;
    return is_first && at[0] == 'H';
}

static void on_fatal(dx_http2_client *h, ssize_t code)
{
    if (code == NGHTTP2_ERR_NOMEM)
        dx_conn_abort(h->conn, DX_ERR_MEMORY, true);
    else if (code == NGHTTP2_ERR_FLOODED)
        dx_http2_client_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, DX_ERR_PROTOCOL,
                             "the server asks for answers and does not take them");
    else
        dx_http2_client_fail(h, NGHTTP2_PROTOCOL_ERROR, DX_ERR_PROTOCOL,
                             "what the server sends is no HTTP/2");
}

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    dx_http2_client *h = conn->protocol;
    bool was_settled = h->is_settled;

    if (h->state == H2C_OVER)
        return size;
    if (is_http1(h, at)) {
        dx_http2_client_fail(h, NGHTTP2_PROTOCOL_ERROR, DX_ERR_PROTOCOL,
                             "the server speaks HTTP/1.1 here, and not HTTP/2");
        return size;
    }
    ssize_t used = nghttp2_session_mem_recv(h->session, at, size);
    if (is_broken(h))
        return size;
    if (used < 0)
        on_fatal(h, used);
    if (h->is_settled && !was_settled && h->origin && h->state != H2C_OVER)
        dx_http_origin_serve(h->origin); /* some wait for what the server can do */
    dx_http2_client_wake(h);
    return size;
}

static void on_end(dx_conn *conn)
{
    dx_http2_client *h = conn->protocol;

    be_over(h, DX_ERR_RESET, "the server ended the connection before its answer was whole");
    dx_conn_finish(conn);
}

static void on_room(dx_conn *conn)
{
    work(conn->protocol);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    dx_http2_client *h = conn->protocol;

    be_over(h, why == DX_OK ? DX_ERR_RESET : why,
            why == DX_OK ? dx_err_text(DX_ERR_RESET) : dx_conn_why(conn));
    free_closed(h);
    dx_task_clear(&h->work);
    dx_http2_client_session_close(h);
    free(h->block);
    free(h);
}

static const dx_conn_ops conn_ops = {
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_room = on_room,
    .on_deadline = on_deadline,
    .on_closed = on_closed,
};

dx_http2_client *dx_http2_client_begin(dx_http_origin *origin, dx_conn *conn)
{
    dx_http2_client *h = calloc(1, sizeof *h);

    if (h == NULL)
        return NULL;
    h->config = origin->http2;
    h->conn = conn;
    h->block = dx_http2_block_new(&h->config.head);
    if (h->block == NULL || !dx_http2_client_session_open(h)) {
        free(h->block);
        free(h);
        return NULL;
    }
    h->origin = origin;
    dx_list_init(&h->streams);
    dx_list_init(&h->woken);
    dx_list_init(&h->closed);
    dx_task_init(&h->work, on_work);
    h->settings_due_ms = now_ms(h) + h->config.settings_ms;
    dx_conn_set_protocol(conn, &conn_ops, h);
    dx_http2_client_wake(h);
    return h;
}
