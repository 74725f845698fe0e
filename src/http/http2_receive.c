/* HTTP/2 at the server: bodies that the handler takes in pieces.
 * Is:     what came of a body, kept until the handler takes it, by the turn; its window, which is given back as it
 *         takes it: so no more than a window is ever kept.
 * Is not: bodies that are gathered (http2_stream.c).
 * Source: RFC 9113 §6.9, §8.1.
 * SPDX-License-Identifier: MIT */
#include "http/http2_conn.h"

#include "base/assert.h"

static bool is_held(const dx_http2_stream *s)
{
    return dx_exchange_is_held(s->x);
}

/* While it is held, we are who is slow. */
static void set_deadline(dx_http2_stream *s)
{
    if (is_held(s))
        dx_conn_set_deadline(dx_http2_stream_conn(s), 0);
    else
        dx_http2_stream_set_body_deadline(s);
}

void dx_http2_stream_begin_receiving(dx_http2_stream *s)
{
    dx_http2_stream_enter(s, S2_RECEIVING);
    dx_conn_set_deadline(dx_http2_stream_conn(s), 0);
    dx_conn_wake(dx_http2_stream_conn(s)); /* the handler is called when all that came was looked at */
}

/* The body will not be whole. */
static void fail(dx_http2_stream *s, unsigned status, const char *text)
{
    if (dx_exchange_lose_body(s->x)) {
        dx_http2_stream_enter(s, S2_HANDLING);
        if (s->x->head.method == DX_HTTP_HEAD)
            s->x->head.method = DX_HTTP_GET;
        dx_exchange_problem(s->x, status, text);
    } else {
        dx_http2_stream_reset(s, NGHTTP2_INTERNAL_ERROR); /* part of an answer is out */
    }
}

void dx_http2_stream_receive(dx_http2_stream *s, dx_bytes piece)
{
    if (!dx_buffer_append(&s->body, piece)) {
        dx_http2_stream_reset(s, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    s->h->bodies_bytes += (uint32_t)piece.size;
    s->window_bytes += (uint32_t)dx_min_size(piece.size, UINT32_MAX / 4);
    dx_conn_wake(dx_http2_stream_conn(s));
}

static void call_handler(dx_http2_stream *s)
{
    const dx_http_framing *f = &s->x->head.framing;
    nghttp2_nv status = {(uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NONE};

    dx_exchange_handle(s->x);
    if (s->x == NULL || s->x->on_piece == NULL)
        return;
    if (f->expect_continue && s->x->state == DX_EXCHANGE_HANDLING && !s->is_gone)
        nghttp2_submit_headers(s->h->session, NGHTTP2_FLAG_NONE, s->id, NULL, &status, 1, NULL);
    set_deadline(s);
}

/* Takes what is kept; the handler may end all in the call. */
static void give_kept(dx_http2_stream *s, bool is_last)
{
    dx_buffer kept = s->body;

    s->body = (dx_buffer){0};
    s->h->bodies_bytes -= (uint32_t)kept.size;
    if (dx_exchange_may_receive(s->x, kept.size)) {
        if (is_last) {
            dx_conn_set_deadline(dx_http2_stream_conn(s), 0);
            dx_http2_stream_enter(s, S2_HANDLING);
        }
        dx_exchange_give(s->x, dx_buffer_view(&kept), is_last);
    } else {
        fail(s, 413, "The body is larger than what is taken here.");
    }
    if (s->carried.conn.state != DX_CONN_CLOSED)
        dx_http2_stream_give_window(s, (uint32_t)kept.size);
    dx_buffer_clear(&kept);
}

/* What was announced is refused before it comes. */
static bool is_announced_too_large(const dx_exchange *x)
{
    const dx_http_framing *f = &x->head.framing;
    return f->body == DX_HTTP_BODY_LENGTH && f->content_length > x->received_max;
}

void dx_http2_stream_give_body(dx_http2_stream *s)
{
    if (s->x && s->x->state == DX_EXCHANGE_READING)
        call_handler(s);
    if (s->x == NULL || s->state != S2_RECEIVING || is_held(s))
        return;
    if (is_announced_too_large(s->x))
        fail(s, 413, "The body is larger than what is taken here.");
    else if (s->body.size > 0 || s->is_whole)
        give_kept(s, s->is_whole);
}

void dx_http2_stream_receive_slowly(dx_http2_stream *s)
{
    if (s->window_bytes < s->h->http->config.body_window_bytes && !is_held(s))
        fail(s, 408, "The request body came too slowly.");
    else
        set_deadline(s);
}

void dx_http2_stream_hold(dx_exchange *x)
{
    dx_http2_stream *s = x->carrier;

    if (s->state != S2_RECEIVING)
        return;
    set_deadline(s);
    dx_conn_wake(dx_http2_stream_conn(s));
}
