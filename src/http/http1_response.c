/* HTTP/1.1 at the server: writing responses.
 * Is:     status line and fields, content by length, chunks or close, 101; what comes after.
 * Is not: reading (http1.c).
 * Source: RFC 9112 §6, §7.1, §9.3; RFC 9110 §6.4, §7.8.
 * SPDX-License-Identifier: MIT */
#include "http/http1_conn.h"

#include "base/assert.h"
#include "codec/http_writer.h"

enum { HEAD_BYTES_MAX = 8192, LARGE_BYTES = 16384 };

static bool status_has_no_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

static void write_connection(dx_http_writer *w, const dx_http1 *h)
{
    if (!h->keep_alive)
        dx_http_write_known(w, DX_HTTP_CONNECTION, DX_BYTES("close"));
    else if (h->x->head.minor_version == 0) /* RFC 9112 §9.3: a 1.0 client must be told */
        dx_http_write_known(w, DX_HTTP_CONNECTION, DX_BYTES("keep-alive"));
}

static void write_framing(dx_http_writer *w, dx_http1 *h, unsigned status, uint64_t length)
{
    h->is_bodyless = h->is_head_request || status_has_no_body(status);
    h->is_chunked = length == DX_LENGTH_UNKNOWN && h->x->head.minor_version >= 1;
    h->response_left = length;
    if (status_has_no_body(status)) /* RFC 9110 §8.6: no Content-Length on 1xx and 204 */
        h->is_chunked = false;
    else if (h->is_chunked)
        dx_http_write_known(w, DX_HTTP_TRANSFER_ENCODING, DX_BYTES("chunked"));
    else if (length == DX_LENGTH_UNKNOWN)
        h->keep_alive = false; /* 1.0: the end of the connection is the end of the content */
    else
        dx_http_write_number(w, DX_HTTP_CONTENT_LENGTH, length);
}

static void write_more(dx_http_writer *w, const dx_http1 *h, unsigned status)
{
    dx_header more[DX_HTTP_MORE_MAX];
    size_t count = h->http->more ? h->http->more(h->x, status, more) : 0;

    for (size_t i = 0; i < count; i++)
        dx_http_write_field(w, more[i].name, more[i].value);
}

static dx_bytes write_head(dx_http1 *h, dx_http_writer *w, const dx_response *r, uint64_t length)
{
    unsigned status = r->status ? r->status : 200;

    dx_assert(status >= 200 && status <= 599);
    dx_http_write_status(w, status);
    dx_http_write_known(w, DX_HTTP_DATE, dx_http_now(h->http));
    if (r->type.size > 0)
        dx_http_write_known(w, DX_HTTP_CONTENT_TYPE, r->type);
    for (size_t i = 0; i < r->headers_count; i++)
        dx_http_write_field(w, r->headers[i].name, r->headers[i].value);
    write_more(w, h, status);
    write_framing(w, h, status, length);
    write_connection(w, h);
    return dx_http_write_end(w);
}

static void start(dx_exchange *x, const dx_response *response, uint64_t length)
{
    dx_http1 *h = x->carrier;
    uint8_t memory[HEAD_BYTES_MAX];
    dx_http_writer w;

    if (h->state != H1_HANDLING && h->state != H1_RECEIVING) /* answered before the body was read */
        dx_http1_enter(h, H1_HANDLING);
    dx_http_writer_init(&w, memory, sizeof memory);
    dx_bytes head = write_head(h, &w, response, length);
    if (head.size ==
        0) { /* a handler's field that cannot be sent: its content must not be, either */
        h->keep_alive = false;
        dx_http_writer_init(&w, memory, sizeof memory);
        head = write_head(h, &w, &(dx_response){.status = 500}, 0);
        h->is_bodyless = true;
        h->response_left = length; /* of what will be written, and dropped */
    }
    dx_conn_write(h->conn, head);
}

static void write_chunk(dx_http1 *h, dx_bytes piece)
{
    uint8_t head[DX_HTTP_CHUNK_HEAD_MAX];
    size_t size = dx_http_chunk_head_write(piece.size, head);

    dx_conn_write(h->conn, dx_bytes_at(head, size));
    dx_conn_write(h->conn, piece);
    dx_conn_write(h->conn, DX_BYTES("\r\n"));
}

static dx_send_result write_piece(dx_exchange *x, dx_bytes piece)
{
    dx_http1 *h = x->carrier;

    if (!dx_conn_is_open(h->conn))
        return DX_SEND_CLOSED;
    if (h->response_left != DX_LENGTH_UNKNOWN) {
        dx_assert(piece.size <= h->response_left);
        h->response_left -= piece.size;
    }
    if (piece.size > 0 && !h->is_bodyless) {
        if (h->is_chunked)
            write_chunk(h, piece);
        else if (piece.size >= LARGE_BYTES)
            dx_conn_write_large(h->conn, (dx_bytes){0}, piece);
        else
            dx_conn_write(h->conn, piece);
    }
    return dx_conn_is_open(h->conn) ? DX_SEND_QUEUED : DX_SEND_CLOSED;
}

static bool is_busy(const dx_exchange *x)
{
    const dx_http1 *h = x->carrier;
    return dx_conn_queued(h->conn) > h->http->config.queued_bytes_high;
}

/* The client has closed its half, and there is nothing left of what came before that. */
static bool is_last(const dx_http1 *h)
{
    return h->is_fin_seen && !h->is_reading && dx_conn_kept(h->conn) == 0;
}

/* The response is whole: the next request, or the end. */
static void end_now(dx_exchange *x)
{
    dx_http1 *h = x->carrier;
    bool cut = h->response_left != DX_LENGTH_UNKNOWN && h->response_left > 0 && !h->is_bodyless;

    if (h->is_chunked && !h->is_bodyless)
        dx_conn_write(h->conn, DX_BYTES("0\r\n\r\n"));
    h->is_end_due = false;
    dx_exchange_free_source(x);
    dx_http1_exchange_free(h, x);
    if (!dx_conn_is_open(h->conn)) {
        dx_http1_enter(h, H1_OVER);
    } else if (cut) { /* less than was announced: the client must see that it is not whole */
        dx_http1_enter(h, H1_OVER);
        dx_conn_abort(h->conn, DX_ERR_CLOSED, true);
    } else if (!h->keep_alive || is_last(h)) {
        dx_http1_enter(h, H1_OVER);
        dx_conn_finish(h->conn);
    } else {
        dx_http1_enter(h, H1_IDLE);
        h->is_kept = true;
        dx_http_reader_init(&h->reader, &h->http->config.head);
        dx_conn_set_deadline(h->conn, h->http->config.idle_ms);
        if (!h->is_reading)
            dx_conn_resume(h->conn); /* requests that came meanwhile */
    }
}

/* ---- content from a source -------------------------------------------------------------------- */

static dx_exchange_framing stream(dx_exchange *x)
{
    dx_http1 *h = x->carrier;

    dx_assert(h->response_left == DX_LENGTH_UNKNOWN && !h->is_bodyless);
    x->head =
        (dx_http_request_head){.method = x->head.method, .minor_version = x->head.minor_version};
    x->path = x->body = (dx_bytes){0};
    x->match = (dx_route_match){0};
    dx_arena_deinit(&x->arena);
    return h->is_chunked ? DX_EXCHANGE_CHUNKED : DX_EXCHANGE_BARE;
}

/* Something pulled is in flight, or its rest is still to be. */
static bool is_in_use(const dx_http1 *h)
{
    const dx_conn *conn = h->conn;
    return h->is_pulling || conn->is_pull_cut || (conn->is_sending && conn->flight_pulled > 0);
}

static void end(dx_exchange *x)
{
    dx_http1 *h = x->carrier;

    if (x->source && is_in_use(h))
        h->is_end_due =
            true; /* `pulled` goes on; or the connection fails, and all is over anyway */
    else
        end_now(x);
}

uint32_t dx_http1_pull(dx_conn *conn, struct iovec *iov, uint32_t max)
{
    dx_http1 *h = conn->protocol;
    dx_exchange *x = h->x;

    return x && x->source ? x->source->pull(x->source_context, iov, max) : 0;
}

bool dx_http1_pulled(dx_conn *conn, size_t bytes)
{
    dx_http1 *h = conn->protocol;

    h->is_pulling = true;
    bool is_cut = h->x->source->pulled(h->x->source_context, bytes);
    h->is_pulling = false;
    if (!is_cut && conn->state != DX_CONN_CLOSED)
        (void)dx_http1_end_if_due(h);
    return is_cut;
}

static void write_rest(dx_exchange *x, dx_bytes rest)
{
    dx_http1 *h = x->carrier;

    dx_conn_write_rest(h->conn, rest);
    if (h->is_end_due) /* no `pulled` follows that would go on */
        dx_conn_want_room(h->conn);
}

bool dx_http1_end_if_due(dx_http1 *h)
{
    if (!h->is_end_due || is_in_use(h))
        return false;
    end_now(h->x);
    return true;
}

static void wake(dx_exchange *x)
{
    dx_http1 *h = x->carrier;
    dx_conn_wake(h->conn);
}

static void flush(dx_exchange *x)
{
    dx_http1 *h = x->carrier;
    dx_conn_flush(h->conn);
}

static void want_room(dx_exchange *x)
{
    dx_http1 *h = x->carrier;
    dx_conn_want_room(h->conn);
}

static dx_conn *conn_of(const dx_exchange *x)
{
    const dx_http1 *h = x->carrier;
    return h->conn;
}

/* RFC 9110 §7.8; the fields of the new protocol come from it. */
static dx_conn *upgrade(dx_exchange *x, const dx_header *headers, size_t headers_count)
{
    dx_http1 *h = x->carrier;
    dx_conn *conn = h->conn;
    uint8_t memory[HEAD_BYTES_MAX];
    dx_http_writer w;

    dx_http_writer_init(&w, memory, sizeof memory);
    dx_http_write_status(&w, 101);
    dx_http_write_known(&w, DX_HTTP_CONNECTION, DX_BYTES("Upgrade"));
    for (size_t i = 0; i < headers_count; i++)
        dx_http_write_field(&w, headers[i].name, headers[i].value);
    dx_bytes head = dx_http_write_end(&w);
    dx_assert(head.size > 0);
    dx_conn_write(conn, head);
    dx_conn_set_deadline(conn, 0);
    dx_conn_resume(conn);
    dx_http1_exchange_free(h, x);
    if (h->state != H1_OVER)
        dx_http1_enter(h, H1_OVER);
    dx_http1_detach(h);
    return conn;
}

const dx_exchange_ops dx_http1_exchange_ops = {
    .start = start,
    .write = write_piece,
    .is_busy = is_busy,
    .end = end,
    .want_room = want_room,
    .conn = conn_of,
    .upgrade = upgrade,
    .stream = stream,
    .write_rest = write_rest,
    .wake = wake,
    .flush = flush,
    .hold = dx_http1_hold,
};
