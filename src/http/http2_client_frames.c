/* What nghttp2 tells of an HTTP/2 connection at the client.
 * Is:     nghttp2's callbacks: frames counted, heads gathered, content and ends passed to their streams.
 * Is not: what streams make of it (http2_client_stream.c).
 * Source: RFC 9113 §4.3, §6, §8.1, §8.4, §10.5.
 * SPDX-License-Identifier: MIT */
#include "http/http2_client_conn.h"

#include "base/assert.h"

#include <stdio.h>

static dx_http2_client_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return id > 0 ? nghttp2_session_get_stream_user_data(session, id) : NULL;
}

static bool is_over(const dx_http2_client *h)
{
    return h->state == H2C_OVER;
}

/* ---- floods ------------------------------------------------------------------------------------ */

static void pay_frame(dx_http2_client *h)
{
    uint64_t now_us = dx_loop_now_ns(h->conn->net->loop) / 1000;

    if (dx_http2_bucket_pay(&h->frames, now_us, h->config.frames_burst,
                            h->config.frames_per_second) < 0)
        dx_http2_client_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, DX_ERR_PROTOCOL,
                             "the server sent too many frames that bring nothing");
}

static void earn_frames(dx_http2_client *h)
{
    dx_http2_bucket_earn(&h->frames, 4, h->config.frames_per_second);
}

/* ---- heads ------------------------------------------------------------------------------------- */

static void end_block(dx_http2_client *h)
{
    h->is_block_open = false;
    h->block_due_ms = 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    dx_http2_client *h = context;

    (void)session, (void)frame;
    dx_http2_block_reset(h->block);
    h->is_block_open = true;
    h->block_due_ms = dx_conn_now_ms(h->conn) + h->config.head_ms;
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *context)
{
    dx_http2_client *h = context;

    (void)session, (void)frame, (void)flags;
    if (is_over(h) || !h->is_block_open)
        return 0;
    dx_http2_block_add(h->block, &h->config.head, dx_bytes_at(name, name_size),
                       dx_bytes_at(value, value_size));
    if (dx_http2_block_is_far_too_large(h->block, &h->config.head))
        dx_http2_client_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, DX_ERR_PROTOCOL,
                             "the head of an answer is far too large");
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

static void on_head(dx_http2_client *h, dx_http2_client_stream *s, bool is_whole)
{
    bool is_interim = !is_whole && h->block->status.size > 0 && h->block->status.at[0] == '1';

    if (is_interim) /* a server may send any number of them */
        pay_frame(h);
    else
        earn_frames(h);
    if (s && !is_over(h) && !is_interim)
        dx_http2_client_stream_on_head(s, h->block, is_whole);
    end_block(h);
}

/* ---- frames ------------------------------------------------------------------------------------- */

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *context)
{
    dx_http2_client *h = context;

    (void)session;
    if (is_over(h))
        return 0;
    switch (hd->type) { /* a byte of the peer's */
    case NGHTTP2_DATA: break;
    case NGHTTP2_HEADERS: h->continuations = 0; break;
    case NGHTTP2_CONTINUATION:
        if (++h->continuations > h->config.continuations_max)
            dx_http2_client_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, DX_ERR_PROTOCOL,
                                 "the head of an answer comes in too many frames");
        break;
    case NGHTTP2_RST_STREAM: break; /* no more than we have sent requests */
    default: pay_frame(h); break;
    }
    return 0;
}

static void on_goaway(dx_http2_client *h, uint32_t code)
{
    h->is_goaway_seen = true;
    if (code != NGHTTP2_NO_ERROR && h->why[0] == '\0') {
        h->err = DX_ERR_RESET;
        snprintf(h->why, sizeof h->why, "the server ends the connection: %s",
                 nghttp2_http2_strerror(code));
    }
    dx_http2_client_no_more(h);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    dx_http2_client *h = context;
    dx_http2_client_stream *s = stream_of(session, frame->hd.stream_id);
    bool is_whole = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    if (is_over(h))
        return 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS: on_head(h, s, is_whole); break;
    case NGHTTP2_DATA:
        if (frame->hd.length == frame->data.padlen && !is_whole)
            pay_frame(h);
        if (s && is_whole && !is_over(h))
            dx_http2_client_stream_on_whole(s);
        break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
            h->is_settled = true;
            h->settings_due_ms = 0;
        }
        break;
    case NGHTTP2_GOAWAY: on_goaway(h, frame->goaway.error_code); break;
    default: break;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *at,
                   size_t size, void *context)
{
    const dx_http2_client *h = context;
    dx_http2_client_stream *s = stream_of(session, id);

    (void)flags;
    if (is_over(h))
        return 0;
    if (s)
        dx_http2_client_stream_on_data(s, (uint8_t *)(uintptr_t)at,
                                       size); /* our input's own memory */
    else
        nghttp2_session_consume(session, id, size);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *context)
{
    dx_http2_client_stream *s = stream_of(session, id);

    (void)context;
    if (s)
        dx_http2_client_stream_on_gone(s, code);
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    dx_http2_client *h = context;
    dx_http2_client_stream *s = stream_of(session, frame->hd.stream_id);
    bool is_content = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;

    if (frame->hd.type == NGHTTP2_DATA) /* the server may answer each with windows */
        earn_frames(h);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR &&
        h->why[0] == '\0') { /* nghttp2's own judgement */
        h->err = DX_ERR_PROTOCOL;
        snprintf(h->why, sizeof h->why, "the server broke the rules of HTTP/2: %s",
                 nghttp2_http2_strerror(frame->goaway.error_code));
    }
    if (s && frame->hd.type == NGHTTP2_RST_STREAM) /* likewise */
        dx_http2_client_stream_fail(s, DX_ERR_PROTOCOL, "the answer breaks the rules of HTTP/2");
    if (s && is_content) {
        s->is_sent = true;
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
            dx_http2_client_stream_on_end_sent(s);
    }
    return 0;
}

/* ---- the session --------------------------------------------------------------------------------- */

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
    return c;
}

static nghttp2_option *option_new(const dx_http2_client_config *config)
{
    nghttp2_option *o;

    (void)config;
    if (nghttp2_option_new(&o) != 0)
        return NULL;
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
#ifdef DX_HAVE_NGHTTP2_LIMITS /* ours comes first, and says so */
    nghttp2_option_set_max_continuations(o, (size_t)config->continuations_max * 2);
#endif
    return o;
}

static bool submit_settings(dx_http2_client *h)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, /* RFC 9113 §8.4: one that comes is a fault */
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h->config.stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h->config.head.fields_bytes_max},
    };

    return nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, settings, DX_COUNT(settings)) ==
               0 &&
           nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)h->config.conn_window_bytes) == 0;
}

bool dx_http2_client_session_open(dx_http2_client *h)
{
    nghttp2_mem memory = dx_http2_memory_init(&h->memory, NULL);
    nghttp2_session_callbacks *callbacks = callbacks_new(); /* the session has copies of both */
    nghttp2_option *option = option_new(&h->config);

    bool ok = callbacks && option &&
              nghttp2_session_client_new3(&h->session, callbacks, h, option, &memory) == 0;
    if (ok && !submit_settings(h)) {
        dx_http2_client_session_close(h);
        ok = false;
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    if (!ok)
        dx_http2_memory_free(&h->memory);
    return ok;
}

void dx_http2_client_session_close(dx_http2_client *h)
{
    if (!h->memory.is_broken)
        nghttp2_session_del(h->session);
    dx_http2_memory_free(&h->memory);
}
