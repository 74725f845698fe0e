/* Streams of an HTTP/2 connection: each is a carried connection that has one exchange, or a tunnel.
 * Is:     from the head to the handler, bodies and their windows, the end. Responses: http2_response.c.
 * Is not: frames (nghttp2), windows that stay shut (http2_stall.c), WebSocket (ws, which takes the connection
 *         over).
 * Source: RFC 9113 §5, §6.9, §8.1; RFC 8441 §5.
 * SPDX-License-Identifier: MIT */
#include "http/http2_conn.h"

#include "base/assert.h"

#include <stdio.h>

/* Rows: from. Bits: where it may go. */
static const uint8_t legal_moves[] = {
    [S2_HEAD] = DX_BIT(S2_BODY) | DX_BIT(S2_RECEIVING) | DX_BIT(S2_READY) | DX_BIT(S2_HANDLING),
    [S2_RECEIVING] = DX_BIT(S2_HANDLING),
    [S2_BODY] = DX_BIT(S2_READY) | DX_BIT(S2_HANDLING),
    [S2_READY] = DX_BIT(S2_HANDLING),
    [S2_HANDLING] = DX_BIT(S2_TUNNEL),
    [S2_TUNNEL] = 0,
};

static void set_starved(dx_http2_stream *s, bool is_starved)
{
    s->h->starved_count += is_starved;
    s->h->starved_count -= s->is_starved;
    s->is_starved = is_starved;
}

void dx_http2_stream_enter(dx_http2_stream *s, dx_http2_stream_state to)
{
    dx_assert(legal_moves[s->state] & DX_BIT(to));
    set_starved(s, false);
    s->state = (uint8_t)to;
}

static const dx_http2_config *config_of(const dx_http2_stream *s)
{
    return &s->h->http->config.http2;
}

/* ---- what the carried connection asks of its carrier ------------------------------------------- */

static void wake(dx_conn *conn)
{
    dx_http2_stream *s = DX_CONTAINER(conn, dx_http2_stream, carried.conn);

    if (dx_list_is_empty(&s->turn_link))
        dx_list_append(&s->h->woken, &s->turn_link);
    dx_http2_wake(s->h);
}

static uint32_t reset_code(const dx_http2_stream *s, bool is_reset)
{
    dx_err why = s->carried.conn.why;

    if (why == DX_ERR_TIMEOUT)
        return NGHTTP2_CANCEL;
    if (why == DX_OK && !is_reset)
        return s->state == S2_TUNNEL ? NGHTTP2_CANCEL : NGHTTP2_NO_ERROR;
    return why == DX_ERR_MEMORY || s->state != S2_TUNNEL ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL;
}

static void close_stream(dx_conn *conn, bool is_reset)
{
    dx_http2_stream *s = DX_CONTAINER(conn, dx_http2_stream, carried.conn);
    dx_http2 *h = s->h;

    /* Also when all is over: what is sent later may close a stream that was freed already. */
    if (!s->is_gone && !h->memory.is_broken)
        nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
    if (!s->is_gone && h->state != H2_OVER && (!s->is_whole || !s->is_end_sent))
        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, reset_code(s, is_reset));
    dx_list_remove(&s->turn_link);
    dx_list_append(&h->closed, &s->turn_link);
    dx_http2_wake(h);
}

static const dx_conn_carrier carrier = {.wake = wake, .close = close_stream};

void dx_http2_stream_reset(dx_http2_stream *s, uint32_t code)
{
    dx_http2 *h = s->h;

    if (!s->is_gone && h->state != H2_OVER) {
        nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, code);
        s->is_gone = true;
    }
    dx_conn_abort(dx_http2_stream_conn(s), DX_ERR_PROTOCOL, true);
}

/* ---- windows ---------------------------------------------------------------------------------- */

/* Gives the window of `size` bytes back, so that more may come. The connection's always: one stream must
 * not hold up the others. */
void dx_http2_stream_give_window(dx_http2_stream *s, uint32_t size)
{
    s->unread -= size;
    if (s->is_gone || size == 0)
        return;
    nghttp2_session_consume_stream(s->h->session, s->id, size);
    dx_http2_wake(s->h);
}

/* Bodies above the measure: only the oldest that is not whole goes on. */
static dx_http2_stream *oldest_body(dx_http2 *h)
{
    for (dx_list *l = h->streams.next; l != &h->streams; l = l->next) {
        dx_http2_stream *s = DX_CONTAINER(l, dx_http2_stream, link);
        if (s->state == S2_BODY && s->carried.conn.state != DX_CONN_CLOSED)
            return s;
    }
    return NULL;
}

void dx_http2_stream_set_body_deadline(dx_http2_stream *s)
{
    s->window_bytes = 0;
    dx_conn_set_deadline(dx_http2_stream_conn(s), s->h->http->config.body_window_ms);
}

static void feed_starved(dx_http2 *h)
{
    for (dx_list *l = h->streams.next; l != &h->streams && h->starved_count > 0; l = l->next) {
        dx_http2_stream *s = DX_CONTAINER(l, dx_http2_stream, link);
        if (!s->is_starved || s->carried.conn.state == DX_CONN_CLOSED)
            continue;
        if (h->bodies_bytes > config_of(s)->bodies_bytes_max && s != oldest_body(h))
            return;
        set_starved(s, false);
        dx_http2_stream_set_body_deadline(s);
        dx_http2_stream_give_window(s, s->unread);
    }
}

/* Others may have waited for it even if nothing of it came. */
static void forget_body(dx_http2_stream *s)
{
    s->h->bodies_bytes -= (uint32_t)s->body.size;
    dx_buffer_clear(&s->body);
    feed_starved(s->h);
}

/* Its head's and its body's memory are not held any more. */
void dx_http2_stream_forget_request(dx_http2_stream *s)
{
    s->h->heads_bytes -= s->head_bytes;
    s->head_bytes = 0;
    forget_body(s);
}

void dx_http2_stream_forget_exchange(dx_http2_stream *s)
{
    dx_exchange *x = s->x;

    s->x = NULL;
    dx_http_exchange_free(s->h->http, x);
    dx_http2_stream_forget_request(s);
}

/* ---- from the head to the handler --------------------------------------------------------------- */

void dx_http2_stream_answer(dx_http2_stream *s, unsigned status, const char *text)
{
    dx_http2_stream_enter(s, S2_HANDLING);
    s->x->match.route = NULL;
    if (s->x->head.method == DX_HTTP_HEAD) /* whatever it was, this answer has a body */
        s->x->head.method = DX_HTTP_GET;
    dx_exchange_problem(s->x, status, text);
}

static void answer_too_large(dx_http2_stream *s, size_t max)
{
    char detail[128];

    snprintf(detail, sizeof detail, "The body is too large: at most %zu bytes are taken here.",
             max);
    dx_http2_stream_enter(s, S2_HANDLING);
    dx_exchange_problem(s->x, 413, detail);
}

static void be_ready(dx_http2_stream *s)
{
    dx_conn_set_deadline(dx_http2_stream_conn(s), 0);
    dx_http2_stream_enter(s, S2_READY);
    feed_starved(s->h);
    dx_conn_wake(dx_http2_stream_conn(s));
}

/* RFC 8441 §4: a tunnel is for WebSocket; where there is none, it is a method that is not allowed. */
static bool find_route(dx_http2_stream *s)
{
    dx_exchange *x = s->x;
    dx_exchange_found found = dx_exchange_find(x, s->h->http->router);

    if (found == DX_FOUND && x->is_tunnel && !(x->match.route->methods & DX_ROUTE_WEBSOCKET))
        found = DX_FOUND_OTHER_METHODS;
    if (found != DX_FOUND) {
        dx_http2_stream_enter(s, S2_HANDLING);
        dx_exchange_answer_unfound(x, found);
        return false;
    }
    if (!x->is_tunnel)
        return true;
    if (s->h->state != H2_OPEN) {
        dx_http2_stream_enter(s, S2_HANDLING);
        dx_exchange_problem(x, 503, "The server is going away: no new WebSocket here.");
        return false;
    }
    x->head.method = DX_HTTP_GET; /* what it is to the handlers */
    return true;
}

static void begin_body(dx_http2_stream *s)
{
    const dx_http_framing *f = &s->x->head.framing;
    nghttp2_nv status = {(uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NONE};
    size_t max = s->x->match.route->body_bytes_max;

    if (f->body == DX_HTTP_BODY_LENGTH && f->content_length > max) {
        answer_too_large(s, max);
        return;
    }
    dx_http2_stream_enter(s, S2_BODY);
    if (f->expect_continue)
        nghttp2_submit_headers(s->h->session, NGHTTP2_FLAG_NONE, s->id, NULL, &status, 1, NULL);
    dx_http2_stream_set_body_deadline(s);
}

static bool make_exchange(dx_http2_stream *s)
{
    s->x = dx_http_exchange_new(s->h->http, &dx_http2_exchange_ops, s);
    if (s->x)
        s->x->number = (uint32_t)s->id;
    return s->x != NULL;
}

/* Without the query: there may be a token in it. */
static void log_request(const dx_http2_stream *s, const dx_http2_block *block)
{
    dx_bytes path = {block->path.at, dx_bytes_find(block->path, '?')};

    dx_log_write(s->h->conn->net->log, DX_LOG_DEBUG,
                 "HTTP/2 connection %d.%u, stream %d: %.*s%s%.*s %.*s", dx_conn_fd(s->h->conn),
                 s->h->number, s->id, DX_FORMAT(block->method), block->protocol.at ? " " : "",
                 DX_FORMAT(block->protocol), DX_FORMAT(path));
}

void dx_http2_stream_on_head(dx_http2_stream *s, const dx_http2_block *block, bool is_whole)
{
    dx_http2_fault fault;

    log_request(s, block);
    s->is_whole = is_whole;
    s->is_ranked |= dx_http_fields_find(&block->fields, DX_BYTES("priority")) != NULL;
    if (!make_exchange(s)) {
        dx_http2_stream_reset(s, NGHTTP2_REFUSED_STREAM);
        return;
    }
    s->head_bytes = (uint32_t)block->used;
    s->h->heads_bytes += s->head_bytes;
    switch (dx_http2_head_make(block, is_whole, s->x, &fault)) {
    case H2_HEAD_MALFORMED: dx_http2_stream_reset(s, NGHTTP2_PROTOCOL_ERROR); return;
    case H2_HEAD_MEMORY: dx_http2_stream_reset(s, NGHTTP2_REFUSED_STREAM); return;
    case H2_HEAD_ANSWER: dx_http2_stream_answer(s, fault.status, fault.text); return;
    case H2_HEAD_OK: break;
    }
    s->x->is_hurried = s->h->state != H2_OPEN;
    if (!find_route(s))
        return;
    if (is_whole || s->x->is_tunnel)
        be_ready(s);
    else if (dx_route_is_streamed(s->x->match.route))
        dx_http2_stream_begin_receiving(s);
    else
        begin_body(s);
}

static void handle(dx_http2_stream *s)
{
    dx_http2_stream_enter(s, S2_HANDLING);
    s->x->body = dx_buffer_view(&s->body);
    dx_exchange_handle(s->x);
    if (s->x && s->x->on_piece) /* a streamed route, and no body */
        dx_exchange_give(s->x, (dx_bytes){0}, true);
}

/* ---- content that comes ------------------------------------------------------------------------- */

static void take_body(dx_http2_stream *s, dx_bytes piece)
{
    size_t max = s->x->match.route->body_bytes_max;
    const dx_http2_config *config = config_of(s);

    if (piece.size > max - s->body.size) {
        answer_too_large(s, max);
        return;
    }
    if (!dx_buffer_append(&s->body, piece)) {
        dx_http2_stream_answer(s, 503, "Out of memory, try again later.");
        return;
    }
    s->h->bodies_bytes += (uint32_t)piece.size;
    s->window_bytes += (uint32_t)dx_min_size(piece.size, UINT32_MAX / 2);
    set_starved(s, s->h->bodies_bytes > config->bodies_bytes_max && s != oldest_body(s->h));
}

/* What a tunnel's protocol has not taken yet stays unread. */
static void give_read_window(dx_http2_stream *s)
{
    size_t kept = s->carried.conn.state == DX_CONN_CLOSED ? 0 : dx_conn_kept(&s->carried.conn);

    if (s->unread > kept)
        dx_http2_stream_give_window(s, s->unread - (uint32_t)kept);
}

void dx_http2_stream_on_data(dx_http2_stream *s, uint8_t *at, size_t size)
{
    s->unread += (uint32_t)size;
    nghttp2_session_consume_connection(s->h->session, size);
    if (s->state == S2_RECEIVING) {
        dx_http2_stream_receive(s, dx_bytes_at(at, size));
        return;
    }
    if (s->state == S2_BODY)
        take_body(s, dx_bytes_at(at, size));
    else if (s->state == S2_TUNNEL || (s->x && s->x->is_tunnel))
        dx_conn_carried_input(&s->carried, at, size);
    if (s->is_starved)
        dx_conn_set_deadline(dx_http2_stream_conn(s), 0); /* it waits for us */
    else
        give_read_window(s);
}

void dx_http2_stream_on_whole(dx_http2_stream *s)
{
    s->is_whole = true;
    if (s->state == S2_BODY)
        be_ready(s);
    else if (s->state == S2_RECEIVING)
        dx_conn_wake(dx_http2_stream_conn(s));
    else
        dx_conn_carried_input_end(&s->carried);
}

/* ---- the carried connection, as long as it has no other protocol --------------------------------- */

/* Of a tunnel that is not open yet: it is for the protocol that will be. */
static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    (void)conn, (void)at, (void)size;
    return 0;
}

static void on_end(dx_conn *conn)
{
    (void)conn; /* the request is whole, nothing more */
}

static void on_room(dx_conn *conn)
{
    dx_http2_stream *s = conn->protocol;
    dx_exchange *x = s->x;

    if (dx_http2_stream_end_if_due(s) || x == NULL || x->on_room == NULL)
        return;
    dx_exchange_handler *room = x->on_room;
    x->on_room = NULL;
    room(x, x->room_context);
}

static void on_deadline(dx_conn *conn)
{
    dx_http2_stream *s = conn->protocol;

    if (s->state == S2_RECEIVING)
        dx_http2_stream_receive_slowly(s);
    if (s->state != S2_BODY)
        return;
    if (s->window_bytes < s->h->http->config.body_window_bytes)
        dx_http2_stream_answer(s, 408, "The request body came too slowly.");
    else
        dx_http2_stream_set_body_deadline(s);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    dx_http2_stream *s = conn->protocol;

    (void)why;
    if (s->x) {
        dx_exchange_abandon(s->x);
        dx_http2_stream_forget_exchange(s);
    }
}

static const dx_conn_ops conn_ops = {
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_room = on_room,
    .pull = dx_http2_stream_pull,
    .pulled = dx_http2_stream_pulled,
    .on_deadline = on_deadline,
    .on_closed = on_closed,
};

/* ---- life --------------------------------------------------------------------------------------- */

dx_http2_stream *dx_http2_stream_new(dx_http2 *h, int32_t id)
{
    if (h->heads_bytes > h->http->config.http2.heads_bytes_max)
        return NULL;
    dx_http2_stream *s = dx_pool_take(&h->http->http2->streams);
    if (s == NULL)
        return NULL;
    if (!dx_conn_carried_init(&s->carried, h->conn, &carrier, &conn_ops, s)) {
        dx_pool_give(&h->http->http2->streams, s);
        return NULL;
    }
    s->h = h;
    s->id = id;
    dx_list_init(&s->link);
    dx_list_init(&s->turn_link);
    dx_list_append(&h->streams, &s->link);
    h->streams_count++;
    return s;
}

void dx_http2_stream_on_gone(dx_http2_stream *s)
{
    dx_conn *conn = dx_http2_stream_conn(s);

    s->is_gone = true;
    if (conn->state == DX_CONN_LINGERING) {
        dx_conn_abort(conn, DX_OK, false);
    } else if (s->is_end_sent && (s->x || conn->state == DX_CONN_FLUSHING)) {
        s->is_whole = true;
        dx_conn_wake(conn);
    } else {
        dx_conn_abort(conn, DX_ERR_RESET, false);
    }
}

void dx_http2_stream_hurry(dx_http2_stream *s)
{
    if (s->x && s->state == S2_HANDLING)
        dx_exchange_hurry(s->x);
    else if (s->x)
        s->x->is_hurried = true;
}

void dx_http2_stream_on_fin(dx_http2_stream *s)
{
    bool is_tunnel = s->state == S2_TUNNEL || (s->x && s->x->is_tunnel);

    if (s->x)
        s->x->is_fin_seen = true;
    if (is_tunnel)
        dx_conn_carried_input_end(&s->carried);
    else if (!s->is_whole && s->state < S2_READY) /* a part of a request is not a request */
        dx_conn_abort(dx_http2_stream_conn(s), DX_ERR_RESET, true);
    else
        dx_http2_stream_hurry(s);
}

/* Its content is out, with the end. RFC 9113 §8.1: a body that is still coming is not wanted any more; a
 * tunnel's other half goes on. */
static void finish(dx_http2_stream *s)
{
    dx_conn *conn = dx_http2_stream_conn(s);

    if (s->state == S2_TUNNEL && !s->is_gone) {
        dx_conn_carried_end_sent(&s->carried);
        return;
    }
    dx_conn_abort(conn, DX_OK, false);
}

void dx_http2_stream_turn(dx_http2_stream *s)
{
    dx_conn *conn = dx_http2_stream_conn(s);

    if (s->state == S2_READY)
        handle(s);
    else if (s->state == S2_RECEIVING && conn->state != DX_CONN_CLOSED)
        dx_http2_stream_give_body(s);
    if (conn->state != DX_CONN_CLOSED) {
        dx_conn_carried_turn(&s->carried);
        if (!s->is_starved && s->state != S2_RECEIVING)
            give_read_window(s);
    }
    if (conn->state == DX_CONN_CLOSED)
        return;
    if (s->is_end_sent && conn->state == DX_CONN_FLUSHING) {
        finish(s);
        return;
    }
    if (s->is_gone)
        return;
    if (s->is_deferred) {
        s->is_deferred = false;
        nghttp2_session_resume_data(s->h->session, s->id);
    }
    dx_http2_stream_check_window(s);
}

void dx_http2_stream_over(dx_http2_stream *s)
{
    dx_http2 *h = s->h;

    dx_conn_carried_over(&s->carried);
    dx_assert(s->x == NULL);
    set_starved(s, false);
    dx_http2_stream_forget_request(s);
    dx_list_remove(&s->turn_link);
    dx_list_remove(&s->link);
    h->streams_count--;
    dx_pool_give(&h->http->http2->streams, s);
}
