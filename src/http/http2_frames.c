/* What nghttp2 tells of an HTTP/2 connection, and what its connections share.
 * Is:     nghttp2's callbacks: frames counted, heads gathered, content and ends passed to their streams.
 * Is not: what streams make of it (http2_stream.c).
 * Source: RFC 9113 §4.3, §5, §6, §8.1.
 * SPDX-License-Identifier: MIT */
#include "http/http2_conn.h"

#include "base/assert.h"

#include <stdlib.h>

static dx_http2_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return id > 0 ? nghttp2_session_get_stream_user_data(session, id) : NULL;
}

static bool is_over(const dx_http2 *h)
{
    return h->state == H2_OVER;
}

/* ---- heads ------------------------------------------------------------------------------------- */

static dx_http2_block *block_take(dx_http *http)
{
    dx_http2_block *block = http->http2->spare;

    http->http2->spare = NULL;
    if (block == NULL)
        return dx_http2_block_new(&http->config.head);
    dx_http2_block_reset(block);
    return block;
}

void dx_http2_block_give(dx_http *http, dx_http2_block *block)
{
    if (http->http2->spare)
        free(block);
    else
        http->http2->spare = block;
}

static void end_block(dx_http2 *h)
{
    h->block_due_ms = 0;
    if (h->block)
        dx_http2_block_give(h->http, h->block);
    h->block = NULL;
}

static void begin_block(dx_http2 *h)
{
    end_block(h);
    h->block = block_take(h->http);
    h->block_due_ms = dx_conn_now_ms(h->conn) + h->http->config.head_ms;
    if (h->block == NULL)
        dx_http2_fail(h, NGHTTP2_INTERNAL_ERROR, "out of memory");
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    dx_http2 *h = context;

    if (is_over(h))
        return 0;
    begin_block(h);
    if (is_over(h) || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    h->last_id = frame->hd.stream_id;
    dx_http2_stream *s = dx_http2_stream_new(h, frame->hd.stream_id);
    if (s) {
        nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, s);
        return 0;
    }
    end_block(h); /* of a stream that is reset nghttp2 does not tell that its head is whole */
    nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                              NGHTTP2_REFUSED_STREAM);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *context)
{
    dx_http2 *h = context;

    (void)session, (void)frame, (void)flags;
    if (is_over(h) || h->block == NULL)
        return 0;
    dx_http2_block_add(h->block, &h->http->config.head, dx_bytes_at(name, name_size),
                       dx_bytes_at(value, value_size));
    if (dx_http2_block_is_far_too_large(h->block, &h->http->config.head))
        dx_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, "a head far too large");
    return 0;
}

/* RFC 9113 §8.2.1: nghttp2 would only leave it out. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_size, const uint8_t *value,
                             size_t value_size, uint8_t flags, void *context)
{
    (void)session, (void)frame, (void)name, (void)name_size, (void)value, (void)value_size;
    (void)flags, (void)context;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* nghttp2 resets the stream and keeps to itself what is still to come of its head: so its time is over. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code,
                            void *context)
{
    (void)session, (void)code;
    if (frame->hd.type == NGHTTP2_HEADERS)
        end_block(context);
    return 0;
}

static void on_head(dx_http2 *h, dx_http2_stream *s, bool is_request, bool is_whole)
{
    if (h->block) {
        h->useful_bytes += h->block->list_bytes;
        dx_http2_earn_frames(h, 4);
    }
    if (s && is_request && h->block)
        dx_http2_stream_on_head(s, h->block, is_whole);
    else if (s && is_whole) /* trailers: nobody looks at them */
        dx_http2_stream_on_whole(s);
    end_block(h);
}

/* ---- frames ------------------------------------------------------------------------------------- */

/* RFC 9113 §5.1: on a stream that the client has ended or reset there is nothing more to say. What was on its
 * way when we reset one is no fault; as long as we know which those were. */
static bool is_closed_by_client(const dx_http2 *h, int32_t id)
{
    if (id % 2 == 0 || id > h->last_id || h->resets_sent > H2_RESETS_KNOWN ||
        nghttp2_session_find_stream(h->session, id) != NULL)
        return false;
    for (uint32_t i = 0; i < h->resets_sent; i++)
        if (h->reset_ids[i] == id)
            return false;
    return true;
}

static void note_reset_sent(dx_http2 *h, int32_t id)
{
    if (h->resets_sent < H2_RESETS_KNOWN)
        h->reset_ids[h->resets_sent] = id;
    if (h->resets_sent <= H2_RESETS_KNOWN)
        h->resets_sent++;
}

void dx_http2_on_data_head(dx_http2 *h, int32_t id)
{
    if (!is_over(h) && is_closed_by_client(h, id)) /* from then on it is one that we have reset */
        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_STREAM_CLOSED);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *context)
{
    dx_http2 *h = context;

    (void)session;
    if (is_over(h))
        return 0;
    switch (hd->type) {       /* a byte of the peer's */
    case NGHTTP2_DATA: break; /* dx_http2_on_data_head */
    case NGHTTP2_HEADERS:
        h->continuations = 0;
        if (is_closed_by_client(h, hd->stream_id))
            dx_http2_fail(h, NGHTTP2_STREAM_CLOSED,
                          "HEADERS on a stream that the client has closed");
        break;
    case NGHTTP2_CONTINUATION:
        if (++h->continuations > h->http->config.http2.continuations_max)
            dx_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, "a head in too many frames");
        break;
    case NGHTTP2_RST_STREAM: break; /* has a price of its own */
    case NGHTTP2_PRIORITY:          /* nghttp2 does not look at these any more (RFC 9218 §2.1) */
        if (hd->stream_id == 0)
            dx_http2_fail(h, NGHTTP2_PROTOCOL_ERROR, "PRIORITY on stream 0");
        else
            dx_http2_pay_frame(h);
        break;
    default: dx_http2_pay_frame(h); break;
    }
    return 0;
}

/* nghttp2 obeys it; but takes one of stream 0, which RFC 9218 §7.1 forbids. */
static void on_priority(dx_http2 *h, const nghttp2_frame *frame)
{
    const nghttp2_ext_priority_update *update = frame->ext.payload;
    dx_http2_stream *s = stream_of(h->session, update->stream_id);

    if (update->stream_id == 0)
        dx_http2_fail(h, NGHTTP2_PROTOCOL_ERROR, "PRIORITY_UPDATE of stream 0");
    else if (s)
        s->is_ranked = true;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    dx_http2 *h = context;
    dx_http2_stream *s = stream_of(session, frame->hd.stream_id);
    bool is_whole = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    if (is_over(h))
        return 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        on_head(h, s, frame->headers.cat == NGHTTP2_HCAT_REQUEST, is_whole);
        break;
    case NGHTTP2_DATA:
        if (frame->hd.length == frame->data.padlen && !is_whole)
            dx_http2_pay_frame(h);
        if (s && is_whole && !is_over(h))
            dx_http2_stream_on_whole(s);
        break;
    case NGHTTP2_RST_STREAM: dx_http2_pay_reset(h); break;
    case NGHTTP2_SETTINGS:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            h->settings_due_ms = 0;
        break;
    case NGHTTP2_PRIORITY_UPDATE: on_priority(h, frame); break;
    case NGHTTP2_WINDOW_UPDATE:
        if (s)
            dx_http2_stream_note_open(s);
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK) {
            h->pinged_ms = 0;
            dx_http2_on_pong(h);
        }
        break;
    default: break;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *at,
                   size_t size, void *context)
{
    dx_http2 *h = context;
    dx_http2_stream *s = stream_of(session, id);

    (void)flags;
    if (is_over(h))
        return 0;
    h->useful_bytes += size;
    if (s)
        dx_http2_stream_on_data(s, (uint8_t *)(uintptr_t)at,
                                size); /* it is our input's own memory */
    else
        nghttp2_session_consume(session, id, size);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    dx_http2_stream *s = stream_of(session, id);

    (void)code, (void)context;
    if (s)
        dx_http2_stream_on_gone(s);
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    dx_http2 *h = context;
    dx_http2_stream *s = stream_of(session, frame->hd.stream_id);
    h->is_goaway_sent |= frame->hd.type == NGHTTP2_GOAWAY;
    bool is_content = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;

    if (is_content && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && s) {
        s->is_end_sent = true;
        dx_conn_wake(dx_http2_stream_conn(s));
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM && !is_over(h)) {
        note_reset_sent(h, frame->hd.stream_id);
        dx_http2_pay_reset(h);
    }
    return 0;
}

static int on_fault(nghttp2_session *session, int code, const char *text, size_t size,
                    void *context)
{
    const dx_http2 *h = context;

    (void)session, (void)code;
    dx_log_write(h->conn->net->log, DX_LOG_DEBUG, "HTTP/2 connection %d.%u: %.*s",
                 dx_conn_fd(h->conn), h->number, (int)size, text);
    return 0;
}

/* ---- what connections share ---------------------------------------------------------------------- */

static nghttp2_session_callbacks *callbacks_new(void)
{
    nghttp2_session_callbacks *c;

    if (nghttp2_session_callbacks_new(&c) != 0)
        return NULL;
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_sent);
    nghttp2_session_callbacks_set_error_callback2(c, on_fault);
    return c;
}

static nghttp2_option *option_new(const dx_http2_config *config)
{
    nghttp2_option *o;

    (void)config;
    if (nghttp2_option_new(&o) != 0)
        return NULL;
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_builtin_recv_extension_type(o, NGHTTP2_PRIORITY_UPDATE);
#ifdef DX_HAVE_NGHTTP2_LIMITS /* ours come first, and say so */
    nghttp2_option_set_stream_reset_rate_limit(o, UINT64_MAX / 2, UINT64_MAX / 2);
    nghttp2_option_set_max_continuations(o, (size_t)config->continuations_max * 2);
#endif
    return o;
}

dx_http2_shared *dx_http2_shared_new(const dx_http2_config *config)
{
    dx_http2_shared *shared = calloc(1, sizeof *shared);

    if (shared == NULL)
        return NULL;
    dx_pool_init(&shared->conns, sizeof(dx_http2));
    dx_pool_init(&shared->streams, sizeof(dx_http2_stream));
    dx_http2_spares_init(&shared->spares);
    shared->callbacks = callbacks_new();
    shared->option = option_new(config);
    if (shared->callbacks && shared->option)
        return shared;
    nghttp2_session_callbacks_del(shared->callbacks);
    nghttp2_option_del(shared->option);
    free(shared);
    return NULL;
}

void dx_http2_shared_free(dx_http *http)
{
    dx_http2_shared *shared = http->http2;

    if (shared == NULL)
        return;
    dx_pool_deinit(&shared->conns);
    dx_pool_deinit(&shared->streams);
    dx_http2_spares_deinit(&shared->spares);
    nghttp2_session_callbacks_del(shared->callbacks);
    nghttp2_option_del(shared->option);
    free(shared->spare);
    free(shared);
    http->http2 = NULL;
}
