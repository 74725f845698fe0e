/* HTTP/1.1 at the server: reading requests. Responses are written in http1_response.c.
 * SPDX-License-Identifier: MIT */
#include "http/http1.h"

#include "base/assert.h"
#include "base/clock.h"
#include "codec/url.h"
#include "http/http1_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PIPELINED_BYTES_MAX = 65536, /* kept while a request is handled; more waits in the kernel */
    FIRST_REQUEST_MS = 500,      /* to one who connected just before the server goes away */
};

#define FROM_HEAD (DX_BIT(H1_BODY) | DX_BIT(H1_RECEIVING) | DX_BIT(H1_HANDLING) | DX_BIT(H1_OVER))

/* Rows: from. Bits: where it may go. */
static const uint8_t legal_moves[] = {
    [H1_IDLE] = DX_BIT(H1_HEAD) | FROM_HEAD,
    [H1_HEAD] = FROM_HEAD,
    [H1_RECEIVING] = DX_BIT(H1_HANDLING) | DX_BIT(H1_OVER),
    [H1_BODY] = DX_BIT(H1_HANDLING) | DX_BIT(H1_OVER),
    [H1_HANDLING] = DX_BIT(H1_IDLE) | DX_BIT(H1_OVER),
    [H1_OVER] = 0,
};

void dx_http1_enter(dx_http1 *h, dx_http1_state to)
{
    dx_assert(legal_moves[h->state] & DX_BIT(to));
    h->state = to;
}

/* ---- exchanges -------------------------------------------------------------------------------- */

static dx_exchange *exchange_new(dx_http1 *h)
{
    dx_exchange *x = dx_http_exchange_new(h->http, &dx_http1_exchange_ops, h);

    h->is_head_request = false; /* not of the request before */
    return x;
}

void dx_http1_exchange_free(dx_http1 *h, dx_exchange *x)
{
    dx_http_exchange_free(h->http, x);
    dx_buffer_clear(&h->body);
    h->x = NULL;
}

static dx_bytes moved(dx_bytes view, dx_bytes from, const uint8_t *to)
{
    bool inside = view.at >= from.at && view.at <= from.at + from.size;
    return inside ? (dx_bytes){to + (view.at - from.at), view.size} : view;
}

/* The request outlives the input it was read from: copies its head into the arena and moves every
 * view. `from` is the head's bytes. */
bool dx_http1_keep_head(dx_exchange *x, dx_bytes from)
{
    dx_http_request_head *head = &x->head;
    dx_bytes copy;
    dx_http_field *fields = dx_arena_take(&x->arena, head->fields.count * sizeof *fields);

    if (fields == NULL || !dx_arena_copy(&x->arena, from, &copy))
        return false;
    for (size_t i = 0; i < head->fields.count; i++) {
        fields[i] = head->fields.at[i];
        fields[i].name = moved(fields[i].name, from, copy.at);
        fields[i].value = moved(fields[i].value, from, copy.at);
    }
    head->fields.at = fields;
    dx_bytes *views[] = {&head->method_text, &head->target, &head->path, &head->query, &head->host};
    for (size_t i = 0; i < DX_COUNT(views); i++)
        *views[i] = moved(*views[i], from, copy.at);
    return true;
}

/* Answers a fault that leaves the framing in doubt: the connection ends (RFC 9112 §2.2, §6.3). */
void dx_http1_answer_fault(dx_http1 *h, unsigned status, const char *text, const char *section)
{
    char detail[512];

    if (h->x == NULL && (h->x = exchange_new(h)) == NULL) {
        dx_conn_abort(h->conn, DX_ERR_MEMORY, true);
        return;
    }
    h->keep_alive = false;
    if (h->state != H1_HANDLING)
        dx_http1_enter(h, H1_HANDLING);
    h->x->head.method = DX_HTTP_GET; /* whatever it was, this answer has a body */
    if (section)
        snprintf(detail, sizeof detail, "%s (%s)", text, section);
    else
        snprintf(detail, sizeof detail, "%s", text);
    dx_exchange_problem(h->x, status, detail);
}

/* ---- the head --------------------------------------------------------------------------------- */

static bool find_route(dx_http1 *h)
{
    dx_exchange_found found = dx_exchange_find(h->x, h->http->router);

    if (found == DX_FOUND)
        return true;
    if (found == DX_FOUND_NO_METHOD || found == DX_FOUND_BAD_PATH)
        h->keep_alive = false; /* who knows what such a method's content is */
    dx_exchange_answer_unfound(h->x, found);
    return false;
}

static bool has_body(const dx_http_framing *f)
{
    return f->body == DX_HTTP_BODY_CHUNKED ||
           (f->body == DX_HTTP_BODY_LENGTH && f->content_length > 0);
}

static void answer_too_large(dx_http1 *h, size_t body_bytes_max)
{
    char detail[128];

    snprintf(detail, sizeof detail, "The body is too large: at most %zu bytes are taken here.",
             body_bytes_max);
    dx_http1_answer_fault(h, 413, detail, NULL);
}

static void handle(dx_http1 *h)
{
    dx_conn_set_deadline(h->conn, 0);
    dx_http1_enter(h, H1_HANDLING);
    dx_exchange_handle(h->x);
    if (h->x && h->x->on_piece) /* a streamed route, and no body */
        dx_exchange_give(h->x, (dx_bytes){0}, true);
}

/* The request has a body: begins to read it. The caller's input goes on behind the head. */
static void begin_body(dx_http1 *h, dx_bytes head, bool body_has_begun)
{
    const dx_http_framing *f = &h->x->head.framing;

    dx_http1_enter(h, H1_BODY);
    h->body_left = f->content_length;
    h->window_bytes = 0;
    dx_http_chunks_init(&h->chunks);
    if (!dx_http1_keep_head(h->x, head)) {
        dx_http1_answer_fault(h, 503, "Out of memory, try again later.", NULL);
        return;
    }
    /* §10.1.1 of RFC 9110: not to 1.0, and not when the body is on its way anyway. */
    if (f->expect_continue && !body_has_begun)
        dx_conn_write(h->conn, DX_BYTES("HTTP/1.1 100 Continue\r\n\r\n"));
    dx_conn_set_deadline(h->conn, h->http->config.body_window_ms);
}

/* A whole head was read. `rest` is the input behind it. Returns how much of that was consumed. */
static size_t on_head(dx_http1 *h, dx_bytes head, dx_bytes rest)
{
    const dx_http_framing *f = &h->x->head.framing;

    /* An error before the body is read ends it. */
    h->keep_alive = f->keep_alive && !h->is_draining && !has_body(f);
    h->is_head_request = h->x->head.method == DX_HTTP_HEAD;
    h->x->is_fin_seen = h->is_fin_seen;
    h->x->is_hurried = h->is_draining;
    if (!find_route(h)) /* answered */
        return 0;
    if (h->x->match.route->methods & DX_ROUTE_WEBSOCKET) {
        /* A handshake has no body: one that has is refused unread, and the connection ends. */
        if (h->is_draining)
            dx_exchange_problem(h->x, 503, "The server is going away: no new WebSocket here.");
        else
            handle(h);
        return 0;
    }
    if (dx_route_is_streamed(h->x->match.route) && has_body(f)) {
        dx_http1_begin_receiving(h, head);
        return 0;
    }
    size_t max = h->x->match.route->body_bytes_max;
    if (f->body == DX_HTTP_BODY_LENGTH && f->content_length > max) {
        answer_too_large(h, max);
        return 0;
    }
    h->keep_alive = f->keep_alive && !h->is_draining;
    if (!has_body(f)) {
        handle(h);
        return 0;
    }
    if (f->body == DX_HTTP_BODY_LENGTH && rest.size >= f->content_length) {
        size_t size = (size_t)f->content_length;
        h->x->body = (dx_bytes){rest.at, size}; /* all of it is here: no copy */
        handle(h);
        return size;
    }
    begin_body(h, head, rest.size > 0);
    return 0;
}

/* The handler has returned without an answer: what it looks at must stay. */
static void keep_exchange(dx_http1 *h, dx_bytes head)
{
    dx_exchange *x = h->x;

    if (h->state != H1_HANDLING || x == NULL || x->head.fields.at != h->http->fields)
        return;
    if (dx_http1_keep_head(x, head) &&
        (x->body.size == 0 || dx_arena_copy(&x->arena, x->body, &x->body)))
        return;
    x->head = (dx_http_request_head){0}; /* for on_gone: nothing that is not there any more */
    x->body = (dx_bytes){0};
    dx_conn_abort(h->conn, DX_ERR_MEMORY, true);
}

/* RFC 9113 §3.3: a client that knows we speak HTTP/2 begins with its preface, which is no request. */
static bool may_be_http2(const dx_http1 *h, dx_bytes in)
{
    dx_bytes preface = dx_http2_preface;

    return !h->is_kept && in.at[0] == preface.at[0] && !h->conn->is_tls &&
           h->http->config.http2.streams_max > 0 &&
           memcmp(in.at, preface.at, dx_min_size(in.size, preface.size)) == 0;
}

static void become_http2(dx_http1 *h)
{
    dx_conn *conn = h->conn;

    if (dx_http2_begin(h->http, conn)) {
        dx_http1_enter(h, H1_OVER);
        dx_http1_detach(h);
    } else {
        dx_conn_abort(conn, DX_ERR_MEMORY, true);
    }
}

/* Waits for the rest of a head. The time for it is absolute: more bytes do not move it (slowloris). */
static void wait_for_head(dx_http1 *h)
{
    if (h->state != H1_IDLE)
        return;
    dx_http1_enter(h, H1_HEAD);
    if (h->is_kept) /* the first head's time runs since the accept */
        dx_conn_set_deadline(h->conn, h->http->config.head_ms);
}

static size_t read_head(dx_http1 *h, dx_bytes in)
{
    size_t head_size = 0;

    if (may_be_http2(h, in)) {
        if (in.size >= dx_http2_preface.size)
            become_http2(h);
        else
            wait_for_head(h);
        return 0;
    }
    if (h->x == NULL && (h->x = exchange_new(h)) == NULL) {
        dx_conn_abort(h->conn, DX_ERR_MEMORY, true);
        return in.size;
    }
    dx_http_status status = dx_http_request_read(&h->reader, in, &h->x->head, &head_size);
    if (status == DX_HTTP_OK) {
        dx_bytes head = {in.at, head_size};
        size_t body = on_head(h, head, (dx_bytes){in.at + head_size, in.size - head_size});
        keep_exchange(h, head);
        return head_size + body;
    }
    if (status == DX_HTTP_MORE) {
        dx_http1_exchange_free(h, h->x);
        wait_for_head(h);
        return 0;
    }
    const dx_http_fault *fault = dx_http_fault_of(status);
    dx_http1_answer_fault(h, fault->code, fault->text, fault->section);
    return in.size;
}

/* ---- the body --------------------------------------------------------------------------------- */

static void body_is_whole(dx_http1 *h)
{
    h->x->body = dx_buffer_view(&h->body);
    handle(h);
}

/* `announced`: bytes that are sure to follow the piece. */
static void take_body(dx_http1 *h, dx_bytes piece, uint64_t announced)
{
    size_t max = h->x->match.route->body_bytes_max;
    size_t room = max - h->body.size;

    if (piece.size > room || announced > room - piece.size)
        answer_too_large(h, max);
    else if (!dx_buffer_append(&h->body, piece))
        dx_http1_answer_fault(h, 503, "Out of memory, try again later.", NULL);
}

static size_t read_body_length(dx_http1 *h, dx_bytes in)
{
    size_t size = (size_t)dx_min_u64(h->body_left, in.size);

    take_body(h, (dx_bytes){in.at, size}, h->body_left - size);
    h->body_left -= size;
    if (h->state == H1_BODY && h->body_left == 0)
        body_is_whole(h);
    return size;
}

static size_t read_body_chunked(dx_http1 *h, dx_bytes in)
{
    dx_bytes rest = in, piece;

    while (h->state == H1_BODY) {
        dx_http_status status = dx_http_chunk_read(&h->chunks, &rest, &piece);
        if (status == DX_HTTP_DATA) {
            take_body(h, piece, dx_http_chunk_announced(&h->chunks));
        } else if (status == DX_HTTP_END) {
            body_is_whole(h);
        } else if (status == DX_HTTP_MORE) {
            take_body(h, (dx_bytes){0},
                      dx_http_chunk_announced(&h->chunks)); /* a size is an announcement, too */
            break;
        } else {
            const dx_http_fault *fault = dx_http_fault_of(status);
            dx_http1_answer_fault(h, fault->code, fault->text, fault->section);
            return in.size;
        }
    }
    return in.size - rest.size;
}

static size_t read_body(dx_http1 *h, dx_bytes in)
{
    size_t used = h->x->head.framing.body == DX_HTTP_BODY_CHUNKED ? read_body_chunked(h, in)
                                                                  : read_body_length(h, in);
    h->window_bytes += (uint32_t)dx_min_size(used, UINT32_MAX / 2);
    return used;
}

/* ---- the connection --------------------------------------------------------------------------- */

static void http1_free(dx_http1 *h)
{
    dx_assert(h->x == NULL);
    dx_pool_give(&h->http->conns, h);
}

void dx_http1_detach(dx_http1 *h)
{
    h->conn = NULL;
    if (!h->is_reading)
        http1_free(h);
}

/* Whether the next request has to wait: for the answer to the one before, or for answers to leave. */
static bool must_wait(dx_http1 *h)
{
    if (h->state == H1_HANDLING || dx_http1_is_held(h))
        return true;
    if (h->state == H1_RECEIVING || dx_conn_queued(h->conn) <= h->http->config.queued_bytes_high)
        return false;
    h->is_room_awaited = true;
    dx_conn_want_room(h->conn);
    return true;
}

/* All that came was looked at, and no more will come: a part of a request is not a request. */
static void finish_after_fin(dx_http1 *h)
{
    if (h->is_fin_seen && h->state != H1_HANDLING && !dx_http1_is_held(h) && !h->is_room_awaited)
        dx_conn_finish(h->conn);
}

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    dx_http1 *h = conn->protocol;
    size_t used = 0;

    h->is_reading = true;
    h->is_room_awaited = false;
    while (used < size && h->conn && h->state != H1_OVER) {
        dx_bytes in = {at + used, size - used};
        if (must_wait(h)) {
            if (in.size > PIPELINED_BYTES_MAX)
                dx_conn_pause(conn);
            break;
        }
        size_t part = h->state == H1_BODY        ? read_body(h, in)
                      : h->state == H1_RECEIVING ? dx_http1_receive(h, in)
                                                 : read_head(h, in);
        used += part;
        if (part == 0 && h->state == H1_HEAD)
            break;
    }
    h->is_reading = false;
    if (h->conn == NULL)
        http1_free(h); /* upgraded: the rest is the new protocol's */
    else if (h->state == H1_OVER)
        return size;
    else
        finish_after_fin(h);
    return used;
}

/* The client closed its half. What it asked for whole is still answered. */
static void on_end(dx_conn *conn)
{
    dx_http1 *h = conn->protocol;

    h->is_fin_seen = true;
    if (h->x && h->state == H1_HANDLING) {
        h->x->is_fin_seen = true;
        dx_exchange_hurry(h->x); /* if that ends it, the connection has gone on by itself */
        return;
    }
    finish_after_fin(h);
}

static void on_room(dx_conn *conn)
{
    dx_http1 *h = conn->protocol;
    dx_exchange *x = h->x;

    if (dx_http1_end_if_due(h))
        return;
    if (h->is_room_awaited)
        dx_conn_resume(conn); /* the requests that waited */
    if (x && x->on_room) {
        dx_exchange_handler *room = x->on_room;
        x->on_room = NULL;
        room(x, x->room_context);
    }
}

static void on_deadline(dx_conn *conn)
{
    dx_http1 *h = conn->protocol;
    const dx_http_config *config = &h->http->config;

    switch (h->state) {
    case H1_IDLE: dx_conn_finish(conn); return;
    case H1_HEAD: dx_http1_answer_fault(h, 408, "The request head took too long.", NULL); return;
    case H1_BODY:
        if (h->window_bytes < config->body_window_bytes) {
            dx_http1_answer_fault(h, 408, "The request body came too slowly.", NULL);
        } else {
            h->window_bytes = 0;
            dx_conn_set_deadline(conn, config->body_window_ms);
        }
        return;
    case H1_RECEIVING: dx_http1_receive_slowly(h); return;
    case H1_HANDLING:
    case H1_OVER: return;
    }
}

/* Hands are shaken: ALPN may have agreed on HTTP/2. */
static void on_open(dx_conn *conn)
{
    if (dx_bytes_equal(dx_conn_alpn(conn), DX_BYTES(DX_HTTP2_ALPN)))
        become_http2(conn->protocol);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    dx_http1 *h = conn->protocol;

    (void)why;
    if (h->x) {
        dx_exchange_abandon(h->x);
        dx_http1_exchange_free(h, h->x);
    }
    http1_free(h);
}

static const dx_conn_ops conn_ops = {
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_room = on_room,
    .pull = dx_http1_pull,
    .pulled = dx_http1_pulled,
    .on_deadline = on_deadline,
    .on_open = on_open,
    .on_closed = on_closed,
};

bool dx_http1_is(const dx_conn *conn)
{
    return conn->ops == &conn_ops;
}

#define NOT_TLS_BODY                                                                                  \
    "{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"This port speaks HTTPS: use https:// or " \
    "wss:// in the URL.\"}"

const dx_bytes dx_http1_not_tls = {(const uint8_t *)"HTTP/1.1 400 Bad Request\r\n"
                                                    "Content-Type: application/problem+json\r\n"
                                                    "Connection: close\r\n\r\n" NOT_TLS_BODY "\n",
                                   sizeof "HTTP/1.1 400 Bad Request\r\n"
                                          "Content-Type: application/problem+json\r\n"
                                          "Connection: close\r\n\r\n" NOT_TLS_BODY "\n" -
                                       1};

void dx_http1_accept(dx_http *http, int fd, dx_tls *tls)
{
    dx_http1 *h = dx_pool_take(&http->conns);

    if (h == NULL) {
        close(fd);
        return;
    }
    *h = (dx_http1){.http = http, .state = H1_IDLE};
    dx_http_reader_init(&h->reader, &http->config.head);
    h->conn = tls ? dx_conn_accept_tls(http->net, fd, tls, &conn_ops, h)
                  : dx_conn_accept(http->net, fd, &conn_ops, h);
    if (h->conn == NULL)
        dx_pool_give(&http->conns, h);
    else
        dx_conn_set_deadline(h->conn, http->config.head_ms);
}

void dx_http_drain(dx_conn *conn)
{
    if (dx_http1_is(conn))
        dx_http1_drain(conn);
    else if (dx_http2_is(conn))
        dx_http2_drain(conn);
}

void dx_http1_drain(dx_conn *conn)
{
    dx_http1 *h = conn->protocol;

    h->is_draining = true;
    h->keep_alive = false;
    if (h->state == H1_IDLE && h->is_kept)
        dx_conn_finish(conn);
    else if (h->state == H1_IDLE) /* it was accepted, and its first request may be on the way */
        dx_conn_set_deadline(conn, FIRST_REQUEST_MS);
    else if (h->state == H1_HANDLING && h->x)
        dx_exchange_hurry(h->x);
}

/* ---- what the connections of a loop share ----------------------------------------------------- */

dx_exchange *dx_http_exchange_new(dx_http *http, const dx_exchange_ops *ops, void *carrier)
{
    dx_exchange *x = dx_pool_take_raw(&http->exchanges);

    if (x == NULL)
        return NULL;
    *x = (dx_exchange){.ops = ops, .carrier = carrier, .arena = http->spare, .watch = &http->watch};
    x->begun_ns = dx_loop_now_ns(http->net->loop);
    http->spare = (dx_arena){0};
    x->head.fields.at = http->fields;
    x->head.fields.count_max = http->config.head.fields_count_max;
    x->head.minor_version = 1; /* until the peer says otherwise */
    return x;
}

void dx_http_exchange_free(dx_http *http, dx_exchange *x)
{
    if (x->user)
        x->user_free(x->user);
    dx_arena_reset(&x->arena);
    if (http->spare.blocks)
        dx_arena_deinit(&x->arena);
    else
        http->spare = x->arena;
    dx_pool_give(&http->exchanges, x);
}

dx_err dx_http_init(dx_http *http, dx_net *net, const dx_router *router,
                    const dx_http_config *config)
{
    *http = (dx_http){.net = net, .router = router, .config = *config};
    http->fields = calloc(config->head.fields_count_max, sizeof *http->fields);
    if (http->fields == NULL)
        return DX_ERR_MEMORY;
    dx_pool_init(&http->conns, sizeof(dx_http1));
    dx_pool_init(&http->exchanges, sizeof(dx_exchange));
    return DX_OK;
}

void dx_http_deinit(dx_http *http)
{
    if (http->fields == NULL)
        return;
    dx_pool_deinit(&http->conns);
    dx_pool_deinit(&http->exchanges);
    dx_arena_deinit(&http->spare);
    dx_http2_shared_free(http);
    free(http->fields);
    http->fields = NULL;
}

dx_bytes dx_http_now(dx_http *http)
{
    uint64_t now_ms = dx_loop_now_ms(http->net->loop);

    if (http->date_read_ms == 0 || now_ms - http->date_read_ms >= 500) {
        http->date_read_ms = now_ms;
        dx_http_date_write((int64_t)(dx_clock_wall_ms() / 1000), http->date);
    }
    return dx_bytes_at(http->date, sizeof http->date);
}
