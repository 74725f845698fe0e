/* HTTP/2 connections: their beginning, their turns, their times and their end.
 * SPDX-License-Identifier: MIT */
#include "http/http2_conn.h"

#include "base/assert.h"

#include <stdlib.h>

enum { FRAMES_QUEUED_MAX = 256, PIECE_BYTES = 16384 };

const dx_bytes dx_http2_preface = {(const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24};

/* Rows: from. Bits: where it may go. */
static const uint8_t legal_moves[] = {
    [H2_OPEN] = DX_BIT(H2_DRAINING) | DX_BIT(H2_OVER),
    [H2_DRAINING] = DX_BIT(H2_LEAVING) | DX_BIT(H2_OVER),
    [H2_LEAVING] = DX_BIT(H2_OVER),
    [H2_OVER] = 0,
};

static void enter(dx_http2 *h, dx_http2_state to)
{
    dx_assert(legal_moves[h->state] & DX_BIT(to));
    h->state = (uint8_t)to;
}

static uint64_t now_ms(const dx_http2 *h)
{
    return dx_conn_now_ms(h->conn);
}

void dx_http2_wake(dx_http2 *h)
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

static bool is_pinging(const dx_http2 *h)
{
    return h->streams_count > 0 && h->http->config.http2.ping_ms > 0;
}

static void arm(dx_http2 *h)
{
    const dx_http2_config *config = &h->http->config.http2;
    uint64_t due = 0, now = now_ms(h);

    if (h->state == H2_OVER) { /* a client that takes nothing more is conn.c's to reset */
        dx_conn_set_deadline(h->conn, 0);
        return;
    }
    take_earlier(&due, h->settings_due_ms);
    take_earlier(&due, h->block_due_ms);
    take_earlier(&due, h->drain_due_ms);
    take_earlier(&due, h->slowed_due_ms);
    take_earlier(&due, h->stall_due_ms);
    if (h->pinged_ms)
        take_earlier(&due, h->pinged_ms + config->pong_ms);
    else if (is_pinging(h))
        take_earlier(&due, h->heard_ms + config->ping_ms);
    if (h->streams_count > 0)
        h->idle_due_ms = 0;
    else if (h->idle_due_ms == 0)
        h->idle_due_ms = now + h->http->config.idle_ms;
    take_earlier(&due, h->idle_due_ms);
    dx_conn_set_deadline(h->conn, due > now ? (uint32_t)(due - now) : 1);
}

static bool has_passed(const dx_http2 *h, uint64_t due)
{
    return due && now_ms(h) >= due;
}

/* Anything that came is a sign of life, not only the answer. */
static void check_life(dx_http2 *h)
{
    const dx_http2_config *config = &h->http->config.http2;

    if (h->pinged_ms && h->heard_ms > h->pinged_ms)
        h->pinged_ms = 0;
    if (h->pinged_ms && has_passed(h, h->pinged_ms + config->pong_ms)) {
        dx_conn_abort(h->conn, DX_ERR_TIMEOUT, true);
    } else if (h->pinged_ms == 0 && is_pinging(h) && has_passed(h, h->heard_ms + config->ping_ms)) {
        h->pinged_ms = now_ms(h);
        nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
    }
}

static void leave(dx_http2 *h);

static void on_deadline(dx_conn *conn)
{
    dx_http2 *h = conn->protocol;

    if (has_passed(h, h->slowed_due_ms)) {
        h->slowed_due_ms = 0;
        dx_conn_slow(conn, false);
    }
    if (has_passed(h, h->settings_due_ms))
        dx_http2_fail(h, NGHTTP2_SETTINGS_TIMEOUT, "SETTINGS were not acknowledged");
    else if (has_passed(h, h->block_due_ms))
        dx_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, "a head took too long");
    else if (has_passed(h, h->idle_due_ms))
        dx_http2_fail(h, NGHTTP2_NO_ERROR, "idle");
    else if (has_passed(h, h->drain_due_ms))
        leave(h);
    if (h->state != H2_OVER && has_passed(h, h->stall_due_ms))
        dx_http2_look_at_stalls(h);
    if (h->state != H2_OVER)
        check_life(h);
    dx_http2_wake(h);
}

/* ---- the end --------------------------------------------------------------------------------------- */

static void abort_streams(dx_http2 *h)
{
    for (dx_list *l = h->streams.next, *next; l != &h->streams; l = next) {
        next = l->next;
        dx_conn_abort(dx_http2_stream_conn(DX_CONTAINER(l, dx_http2_stream, link)), DX_ERR_RESET,
                      true);
    }
}

void dx_http2_fail(dx_http2 *h, uint32_t code, const char *why)
{
    if (h->state == H2_OVER)
        return;
    dx_log_write(h->conn->net->log, DX_LOG_DEBUG, "HTTP/2 connection %d.%u ends: %s",
                 dx_conn_fd(h->conn), h->number, why);
    h->http->goaways[code < DX_HTTP2_CODES_COUNT ? code : NGHTTP2_INTERNAL_ERROR]++;
    nghttp2_session_terminate_session(h->session, code);
    enter(h, H2_OVER);
    abort_streams(h);
    if (h->slowed_due_ms)
        dx_conn_slow(h->conn, false);
    dx_http2_wake(h);
}

/* The second GOAWAY: nothing new from here on. */
static void leave(dx_http2 *h)
{
    if (h->state != H2_DRAINING)
        return;
    h->drain_due_ms = 0;
    enter(h, H2_LEAVING);
    nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(h->session), NGHTTP2_NO_ERROR,
                          NULL, 0);
    dx_http2_wake(h);
}

/* RFC 9113 §6.8: what the client sent before it heard of our leaving is behind its answer to the ping. */
void dx_http2_drain(dx_conn *conn)
{
    dx_http2 *h = conn->protocol;

    if (h->state != H2_OPEN)
        return;
    enter(h, H2_DRAINING);
    nghttp2_submit_shutdown_notice(h->session);
    nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
    h->drain_due_ms = now_ms(h) + h->http->config.http2.drain_ms;
    dx_http2_wake(h);
    for (dx_list *l = h->streams.next, *next; l != &h->streams; l = next) {
        next = l->next;
        dx_http2_stream_hurry(DX_CONTAINER(l, dx_http2_stream, link));
    }
}

void dx_http2_on_pong(dx_http2 *h)
{
    leave(h);
}

/* ---- turns ------------------------------------------------------------------------------------------- */

/* What is woken meanwhile is for the next turn. */
static void turn_streams(dx_http2 *h)
{
    dx_list now;
    dx_list *link;

    dx_list_init(&now);
    dx_list_splice(&now, &h->woken);
    while ((link = dx_list_take_first(&now)) != NULL)
        dx_http2_stream_turn(DX_CONTAINER(link, dx_http2_stream, turn_link));
}

static void free_closed(dx_http2 *h)
{
    dx_list *link;

    while ((link = dx_list_take_first(&h->closed)) != NULL)
        dx_http2_stream_over(DX_CONTAINER(link, dx_http2_stream, turn_link));
}

/* Lets nghttp2 make frames, as many as the connection takes for now. */
static void produce(dx_http2 *h)
{
    const uint8_t *at;
    ssize_t size = 0;

    while (dx_conn_is_open(h->conn)) {
        if (dx_conn_queued(h->conn) >= h->http->config.queued_bytes_high) {
            dx_conn_want_room(h->conn);
            return;
        }
        size = nghttp2_session_mem_send(h->session, &at);
        if (size <= 0)
            break;
        h->out_bytes += (size_t)size;
        dx_conn_write(h->conn, dx_bytes_at(at, (size_t)size));
    }
    if (size < 0)
        dx_conn_abort(h->conn, DX_ERR_MEMORY, true);
}

/* Nothing more will come of it: we have said so, or nghttp2 has, or the client asks nothing any more. */
static bool is_done(const dx_http2 *h)
{
    return dx_conn_is_open(h->conn) && !nghttp2_session_want_write(h->session) &&
           (h->state == H2_OVER || !nghttp2_session_want_read(h->session) ||
            (h->is_fin_seen && h->streams_count == 0));
}

/* An allocation of nghttp2's has failed: it is not asked any more. */
static bool is_broken(dx_http2 *h)
{
    if (h->memory.is_broken && h->conn->state != DX_CONN_CLOSED) {
        h->state = H2_OVER;
        dx_conn_abort(h->conn, DX_ERR_MEMORY, true);
    }
    return h->memory.is_broken;
}

static void work(dx_http2 *h)
{
    if (is_broken(h))
        return;
    turn_streams(h);
    produce(h);
    dx_http2_check_window(h);
    free_closed(h);
    if (is_broken(h))
        return;
    if (is_done(h)) {
        if (!h->is_goaway_sent) {
            dx_http2_fail(h, NGHTTP2_NO_ERROR, "the client asks nothing any more");
            produce(h);
        }
        if (h->state != H2_OVER)
            enter(h, H2_OVER);
        abort_streams(h);
        free_closed(h);
        dx_conn_finish(h->conn);
    }
    if (dx_conn_is_open(h->conn))
        arm(h);
}

static void on_work(dx_task *task)
{
    dx_http2 *h = DX_CONTAINER(task, dx_http2, work);

    work(h);
    if (h->conn->state != DX_CONN_CLOSED)
        dx_conn_flush(h->conn);
}

/* ---- the connection ------------------------------------------------------------------------------------ */

static void on_fatal(dx_http2 *h, ssize_t code)
{
    if (code == NGHTTP2_ERR_NOMEM)
        dx_conn_abort(h->conn, DX_ERR_MEMORY, true);
    else if (code == NGHTTP2_ERR_FLOODED)
        dx_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, "too many answers are not taken");
    else
        dx_http2_fail(h, NGHTTP2_PROTOCOL_ERROR, nghttp2_strerror((int)code));
}

/* Gives a negative number if nghttp2 cannot go on. */
static ssize_t receive(dx_http2 *h, dx_bytes in)
{
    ssize_t used = 0;

    while (in.size > 0 && used >= 0 && h->state != H2_OVER && !h->memory.is_broken) {
        int32_t data_id;
        size_t part = dx_http2_scan_data(&h->scan, in, &data_id);
        if (part > 0)
            used = nghttp2_session_mem_recv(h->session, in.at, part);
        dx_bytes_skip(&in, part);
        if (data_id > 0 && used >= 0 && !h->memory.is_broken)
            dx_http2_on_data_head(h, data_id);
    }
    return used;
}

/* More answers than a turn of an honest client asks for are made now, not at its end: those to what it did wrong
 * have their price when they are made, and until then they would only be kept. */
static bool has_many_frames(const dx_http2 *h)
{
    return nghttp2_session_get_outbound_queue_size(h->session) > FRAMES_QUEUED_MAX;
}

static void on_piece(dx_http2 *h, dx_bytes piece)
{
    ssize_t used = receive(h, piece);

    if (is_broken(h))
        return;
    if (used < 0)
        on_fatal(h, used);
    else if (dx_http2_check_useful(h))
        turn_streams(h); /* requests that have come whole */
    if (has_many_frames(h))
        work(h);
}

/* Also while streams are slow: their windows and resets have to be heard. What was asked is answered at once, not
 * at the end of the turn: what all connections had asked would be held together, a thousand streams and their
 * content, and none of it would be in the processor's cache any more. */
static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    dx_http2 *h = conn->protocol;

    if (h->state == H2_OVER)
        return size;
    h->heard_ms = now_ms(h);
    h->in_bytes += size;
    for (dx_bytes in = dx_bytes_at(at, size); in.size > 0 && h->state != H2_OVER;) {
        dx_bytes piece = dx_bytes_at(in.at, dx_min_size(in.size, PIECE_BYTES));
        dx_bytes_skip(&in, piece.size);
        on_piece(h, piece);
    }
    work(h);
    return size;
}

/* The client has closed its half: what it asked for whole is still answered. */
static void on_end(dx_conn *conn)
{
    dx_http2 *h = conn->protocol;

    h->is_fin_seen = true;
    for (dx_list *l = h->streams.next, *next; l != &h->streams; l = next) {
        next = l->next;
        dx_http2_stream_on_fin(DX_CONTAINER(l, dx_http2_stream, link));
    }
    dx_http2_wake(h);
}

static void on_room(dx_conn *conn)
{
    work(conn->protocol);
}

static void close_session(dx_http2 *h)
{
    if (!h->memory.is_broken)
        nghttp2_session_del(h->session);
    dx_http2_memory_free(&h->memory);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    dx_http2 *h = conn->protocol;
    dx_http2_shared *shared = h->http->http2;

    (void)why;
    h->state = H2_OVER; /* whatever it was: nothing is sent any more */
    abort_streams(h);
    free_closed(h);
    dx_task_clear(&h->work);
    if (h->block)
        dx_http2_block_give(h->http, h->block);
    close_session(h);
    dx_pool_give(&shared->conns, h);
}

static const dx_conn_ops conn_ops = {
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_room = on_room,
    .on_deadline = on_deadline,
    .on_closed = on_closed,
};

bool dx_http2_is(const dx_conn *conn)
{
    return conn->ops == &conn_ops;
}

/* ---- beginnings ------------------------------------------------------------------------------------------ */

static bool open_session(dx_http2 *h)
{
    const dx_http_config *config = &h->http->config;
    dx_http2_shared *shared = h->http->http2;
    nghttp2_mem memory = dx_http2_memory_init(&h->memory, &shared->spares);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, config->http2.streams_max},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, config->http2.stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, config->head.fields_bytes_max},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };

    if (nghttp2_session_server_new3(&h->session, shared->callbacks, h, shared->option, &memory)) {
        dx_http2_memory_free(&h->memory);
        return false;
    }
    if (nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, DX_COUNT(settings)) == 0 &&
        nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                              (int32_t)config->http2.conn_window_bytes) == 0)
        return true;
    close_session(h);
    return false;
}

bool dx_http2_begin(dx_http *http, dx_conn *conn)
{
    if (http->http2 == NULL)
        http->http2 = dx_http2_shared_new(&http->config.http2);
    dx_http2 *h = http->http2 ? dx_pool_take(&http->http2->conns) : NULL;
    if (h == NULL)
        return false;
    h->http = http;
    h->conn = conn;
    if (!open_session(h)) {
        dx_pool_give(&http->http2->conns, h);
        return false;
    }
    h->number = ++http->http2->conns_begun;
    dx_http2_scan_init(&h->scan);
    dx_list_init(&h->streams);
    dx_list_init(&h->woken);
    dx_list_init(&h->closed);
    dx_task_init(&h->work, on_work);
    h->heard_ms = now_ms(h);
    h->settings_due_ms = h->heard_ms + http->config.http2.settings_ms;
    dx_conn_set_protocol(conn, &conn_ops, h);
    dx_http2_wake(h);
    return true;
}

size_t dx_http2_conns_count(const dx_http *http)
{
    return http->http2 ? http->http2->conns.live_count : 0;
}
