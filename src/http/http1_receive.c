/* HTTP/1.1 at the server: bodies that the handler takes in pieces.
 * Is:     from the head of a streamed route to the last piece; pausing; what is too much, or too slow.
 * Is not: bodies that are gathered (http1.c).
 * Source: RFC 9112 §6, §7.1; RFC 9110 §10.1.1.
 * SPDX-License-Identifier: MIT */
#include "http/http1_conn.h"

#include "base/assert.h"

bool dx_http1_is_held(const dx_http1 *h)
{
    return h->state == H1_RECEIVING && dx_exchange_is_held(h->x);
}

/* While it is held, we are who is slow. */
static void set_deadline(dx_http1 *h)
{
    h->window_bytes = 0;
    dx_conn_set_deadline(h->conn, dx_http1_is_held(h) ? 0 : h->http->config.body_window_ms);
}

void dx_http1_begin_receiving(dx_http1 *h, dx_bytes head)
{
    const dx_http_framing *f = &h->x->head.framing;

    dx_http1_enter(h, H1_RECEIVING);
    h->keep_alive = false; /* an answer before the body is whole ends the connection */
    h->body_left = f->content_length;
    dx_http_chunks_init(&h->chunks);
    dx_conn_set_deadline(h->conn, 0);
    if (!dx_http1_keep_head(h->x, head)) {
        dx_http1_answer_fault(h, 503, "Out of memory, try again later.", NULL);
        return;
    }
    dx_exchange_handle(h->x);
    if (h->state != H1_RECEIVING || h->x->on_piece == NULL)
        return;
    if (f->expect_continue && h->x->state == DX_EXCHANGE_HANDLING)
        dx_conn_write(h->conn, DX_BYTES("HTTP/1.1 100 Continue\r\n\r\n"));
    set_deadline(h);
}

/* The body will not be whole. */
static void fail(dx_http1 *h, unsigned status, const char *text, const char *section)
{
    if (dx_exchange_lose_body(h->x))
        dx_http1_answer_fault(h, status, text, section);
    else
        dx_conn_abort(h->conn, DX_ERR_PROTOCOL,
                      true); /* part of an answer is out: it must not look whole */
}

/* False: it was too much. `announced`: bytes that are sure to follow. */
static bool take(dx_http1 *h, dx_bytes piece, uint64_t announced)
{
    dx_exchange *x = h->x;

    if (dx_exchange_may_receive(x, piece.size) && announced <= x->received_max - x->received)
        return true;
    fail(h, 413, "The body is larger than what is taken here.", NULL);
    return false;
}

static void give_last(dx_http1 *h, dx_bytes piece)
{
    dx_exchange *x = h->x;

    dx_conn_set_deadline(h->conn, 0);
    dx_http1_enter(h, H1_HANDLING);
    if (x->state == DX_EXCHANGE_HANDLING) /* no answer has said otherwise */
        h->keep_alive = x->head.framing.keep_alive && !h->is_draining;
    dx_exchange_give(x, piece, true);
}

static size_t receive_length(dx_http1 *h, dx_bytes in)
{
    dx_bytes piece = {in.at, (size_t)dx_min_u64(h->body_left, in.size)};

    if (!take(h, piece, h->body_left - piece.size))
        return piece.size;
    h->body_left -= piece.size;
    if (h->body_left == 0)
        give_last(h, piece);
    else
        dx_exchange_give(h->x, piece, false);
    return piece.size;
}

static size_t receive_chunked(dx_http1 *h, dx_bytes in)
{
    dx_bytes rest = in, piece = {0};
    dx_http_status status = dx_http_chunk_read(&h->chunks, &rest, &piece);

    if (status == DX_HTTP_DATA) {
        if (take(h, piece, dx_http_chunk_announced(&h->chunks)))
            dx_exchange_give(h->x, piece, false);
    } else if (status == DX_HTTP_END) {
        give_last(h, (dx_bytes){0});
    } else if (status != DX_HTTP_MORE) {
        const dx_http_fault *fault = dx_http_fault_of(status);
        fail(h, fault->code, fault->text, fault->section);
        return in.size;
    }
    return in.size - rest.size;
}

size_t dx_http1_receive(dx_http1 *h, dx_bytes in)
{
    size_t used = 0;

    while (used < in.size && h->state == H1_RECEIVING && !dx_http1_is_held(h)) {
        dx_bytes rest = {in.at + used, in.size - used};
        size_t part = h->x->head.framing.body == DX_HTTP_BODY_CHUNKED ? receive_chunked(h, rest)
                                                                      : receive_length(h, rest);
        h->window_bytes += (uint32_t)dx_min_size(part, UINT32_MAX / 4);
        used += part;
        if (part == 0)
            break;
    }
    return used;
}

void dx_http1_receive_slowly(dx_http1 *h)
{
    if (h->window_bytes < h->http->config.body_window_bytes && !dx_http1_is_held(h))
        fail(h, 408, "The request body came too slowly.", NULL);
    else
        set_deadline(h);
}

void dx_http1_hold(dx_exchange *x)
{
    dx_http1 *h = x->carrier;

    if (h->state != H1_RECEIVING)
        return;
    set_deadline(h);
    if (x->is_paused)
        dx_conn_pause(h->conn);
    else
        dx_conn_resume(h->conn);
}
