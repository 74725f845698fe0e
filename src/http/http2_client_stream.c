/* Streams of an HTTP/2 connection at the client: each is a carried connection with one request, or a tunnel.
 * Is:     from the request's head to the answer's end, both windows.
 * Is not: frames (nghttp2), what is done with an answer (client_http2.c), WebSocket (ws).
 * Source: RFC 9113 §5, §6.9, §8.1, §8.3, §8.7; RFC 8441 §4, §5.
 * SPDX-License-Identifier: MIT */
#include "http/http2_client_conn.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEAD_BYTES_MAX = 16384, FIELDS_MAX = 120, LINE_BYTES_MAX = 1 << 20 };

/* ---- what the carried connection asks of its carrier ------------------------------------------- */

static void wake(dx_conn *conn)
{
    dx_http2_client_stream *s = DX_CONTAINER(conn, dx_http2_client_stream, carried.conn);

    if (dx_list_is_empty(&s->turn_link))
        dx_list_append(&s->h->woken, &s->turn_link);
    dx_http2_client_wake(s->h);
}

static void close_stream(dx_conn *conn, bool is_reset)
{
    dx_http2_client_stream *s = DX_CONTAINER(conn, dx_http2_client_stream, carried.conn);
    dx_http2_client *h = s->h;

    (void)is_reset;
    /* Also when all is over: what is sent later may close a stream that was freed already. */
    if (!s->is_gone && !h->memory.is_broken)
        nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
    if (!s->is_gone && !h->memory.is_broken && h->state != H2C_OVER &&
        (!s->is_whole || !s->is_end_sent))
        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_CANCEL);
    dx_list_remove(&s->turn_link);
    dx_list_append(&h->closed, &s->turn_link);
    dx_http2_client_wake(h);
}

static const dx_conn_carrier carrier = {.wake = wake, .close = close_stream};

void dx_http2_client_stream_fail(dx_http2_client_stream *s, dx_err err, const char *why)
{
    if (s->carried.conn.state == DX_CONN_CLOSED)
        return;
    snprintf(s->why, sizeof s->why, "%s", why);
    dx_conn_abort(dx_http2_client_stream_conn(s), err, true);
}

const char *dx_http2_client_why(const dx_conn *conn)
{
    const dx_http2_client_stream *s = DX_CONTAINER(conn, dx_http2_client_stream, carried.conn);

    dx_assert(conn->is_carried);
    return s->why[0] ? s->why : dx_err_text(conn->why == DX_OK ? DX_ERR_RESET : conn->why);
}

void dx_http2_client_leave(const dx_conn *conn)
{
    const dx_http2_client_stream *s = DX_CONTAINER(conn, dx_http2_client_stream, carried.conn);

    dx_assert(conn->is_carried);
    if (s->h->streams_count == 1)
        dx_http2_client_no_more(s->h);
}

/* ---- the request's head ------------------------------------------------------------------------ */

typedef struct request {
    dx_http_field memory[FIELDS_MAX];
    dx_http_request_head head;
    dx_http2_fields fields;
    uint8_t check[HEAD_BYTES_MAX];
} request;

/* It was written by our own writer, of what may have been anything. */
static dx_err read_head(const dx_http2_call *call, request *r)
{
    static const dx_http_limits limits = {LINE_BYTES_MAX, LINE_BYTES_MAX, FIELDS_MAX};
    dx_http_reader reader;
    size_t used = 0;

    if (call->head.size > HEAD_BYTES_MAX)
        return DX_ERR_TOO_LARGE;
    r->head.fields = (dx_http_fields){.at = r->memory, .count_max = FIELDS_MAX};
    dx_http_reader_init(&reader, &limits);
    dx_http_status status = dx_http_request_read(&reader, call->head, &r->head, &used);
    if (status == DX_HTTP_FAULT_FIELDS_LARGE)
        return DX_ERR_TOO_LARGE;
    return status == DX_HTTP_OK && used == call->head.size ? DX_OK : DX_ERR_NAME;
}

/* RFC 9113 §8.3.1: Host is :authority. No interim answer is waited for: the window is what a server lets come
 * before it has judged the request. */
static bool is_left_out(dx_http_name id)
{
    return id == DX_HTTP_HOST || id == DX_HTTP_EXPECT;
}

static dx_err make_head(const dx_http2_client *h, const dx_http2_call *call, request *r)
{
    dx_http2_fields *f = &r->fields;
    dx_err err = read_head(call, r);

    if (err != DX_OK)
        return err;
    dx_http2_fields_init(f, r->check, sizeof r->check);
    dx_http2_fields_add_pseudo(f, ":method",
                               call->is_tunnel ? DX_BYTES("CONNECT") : r->head.method_text);
    if (call->is_tunnel)
        dx_http2_fields_add_pseudo(f, ":protocol", DX_BYTES("websocket"));
    dx_http2_fields_add_pseudo(f, ":scheme",
                               dx_conn_is_secure(h->conn) ? DX_BYTES("https") : DX_BYTES("http"));
    dx_http2_fields_add_pseudo(f, ":authority", r->head.host);
    dx_http2_fields_add_pseudo(f, ":path", r->head.target);
    for (size_t i = 0; i < r->head.fields.count; i++)
        if (!is_left_out(r->memory[i].id))
            dx_http2_fields_add(f, r->memory[i].name, r->memory[i].value);
    return f->check.fault == DX_HTTP_WRITER_OK ? DX_OK : DX_ERR_TOO_LARGE;
}

/* ---- what leaves ---------------------------------------------------------------------------------- */

/* nghttp2 asks for content. */
static ssize_t on_content(nghttp2_session *session, int32_t id, uint8_t *to, size_t max,
                          uint32_t *flags, nghttp2_data_source *source, void *context)
{
    dx_http2_client_stream *s = nghttp2_session_get_stream_user_data(session, id);

    (void)source, (void)context;
    if (s == NULL)
        return NGHTTP2_ERR_DEFERRED; /* its reset is on the way */
    if (!s->is_tunnel)
        max = (size_t)dx_min_u64(max, s->content_left);
    size_t size = dx_conn_carried_read(&s->carried, to, max);
    s->has_moved = s->h->has_moved = true;
    if (!s->is_tunnel)
        s->content_left -= size;
    if (s->is_tunnel ? dx_conn_carried_is_spent(&s->carried) : s->content_left == 0) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)size;
    }
    if (size > 0) {
        dx_conn_wake(
            dx_http2_client_stream_conn(s)); /* whether the window is shut now is seen there */
        return (ssize_t)size;
    }
    s->is_deferred = true;
    return NGHTTP2_ERR_DEFERRED;
}

static dx_err submit(dx_http2_client_stream *s, const request *r)
{
    nghttp2_data_provider content = {.read_callback = on_content};
    bool has_content = s->is_tunnel || s->content_left > 0;

    s->id = nghttp2_submit_request(s->h->session, NULL, r->fields.at, r->fields.count,
                                   has_content ? &content : NULL, s);
    if (s->id > 0)
        return DX_OK;
    return s->id == NGHTTP2_ERR_NOMEM ? DX_ERR_MEMORY : DX_ERR_NAME;
}

static dx_http2_client_stream *stream_new(dx_http2_client *h, const dx_http2_call *call)
{
    dx_http2_client_stream *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->h = h;
    s->on_head = call->on_head;
    s->content_left = call->content_bytes;
    s->is_tunnel = call->is_tunnel;
    dx_list_init(&s->link);
    dx_list_init(&s->turn_link);
    return s;
}

/* ---- life --------------------------------------------------------------------------------------- */

static dx_err begin(dx_http2_client_stream *s, const dx_http2_call *call, const request *r)
{
    dx_conn *conn = dx_http2_client_stream_conn(s);

    dx_list_append(&s->h->streams, &s->link);
    s->h->streams_count++;
    dx_http2_client_wake(s->h);
    dx_err err = submit(s, r);
    if (err == DX_OK) {
        dx_conn_set_protocol(conn, call->ops, call->protocol);
        return DX_OK;
    }
    s->is_gone = true;
    dx_conn_abort(conn, err, true);
    return err;
}

dx_err dx_http2_client_open(dx_http2_client *h, const dx_http2_call *call, dx_conn **ret)
{
    request r;

    dx_assert(h->state == H2C_OPEN && call->on_head && call->ops->on_closed);
    dx_err err = make_head(h, call, &r);
    if (err != DX_OK)
        return err;
    dx_http2_client_stream *s = h->memory.is_broken ? NULL : stream_new(h, call);
    if (s == NULL)
        return DX_ERR_MEMORY;
    if (!dx_conn_carried_init(&s->carried, h->conn, &carrier, &dx_conn_nobody, NULL)) {
        free(s);
        return DX_ERR_MEMORY;
    }
    err = begin(s, call, &r);
    if (err == DX_OK)
        *ret = dx_http2_client_stream_conn(s);
    return err;
}

bool dx_http2_client_has_tunnels(const dx_http2_client *h)
{
    return h->is_settled && nghttp2_session_get_remote_settings(
                                h->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

/* ---- what comes ------------------------------------------------------------------------------------ */

static void note_length(dx_http_response_head *head, bool is_whole)
{
    const dx_http_field *length = dx_http_fields_get(&head->fields, DX_HTTP_CONTENT_LENGTH);

    head->framing.keep_alive = true;
    if (length)
        (void)dx_bytes_decimal(length->value, UINT64_MAX, &head->framing.content_length);
    if (is_whole)
        head->framing.body = DX_HTTP_BODY_NONE;
    else
        head->framing.body = length ? DX_HTTP_BODY_LENGTH : DX_HTTP_BODY_CHUNKED;
}

void dx_http2_client_stream_on_head(dx_http2_client_stream *s, const dx_http2_block *block,
                                    bool is_whole)
{
    dx_http_response_head head = {.fields = block->fields, .minor_version = 1};
    uint64_t code = 0;

    if (s->is_headed) { /* trailers: nobody looks at them */
        if (is_whole)
            dx_http2_client_stream_on_whole(s);
        return;
    }
    if (block->is_too_large || !dx_bytes_decimal(block->status, 999, &code)) {
        dx_http2_client_stream_fail(s, DX_ERR_TOO_LARGE, "the head of the answer is too large");
        return;
    }
    s->is_headed = true;
    s->is_whole = is_whole;
    head.code = (unsigned)code;
    note_length(&head, is_whole);
    s->on_head(dx_http2_client_stream_conn(s), &head);
    if (is_whole)
        dx_conn_carried_input_end(&s->carried);
}

/* Gives the window of `size` bytes back, so that more may come. The connection's was given at once: one stream
 * must not hold up the others. What is not read stays unread. */
static void give_window(dx_http2_client_stream *s)
{
    size_t kept = s->carried.conn.state == DX_CONN_CLOSED ? 0 : dx_conn_kept(&s->carried.conn);
    uint32_t size = s->unread > kept ? s->unread - (uint32_t)kept : 0;

    if (size == 0)
        return;
    s->unread -= size;
    if (s->is_gone || s->h->state == H2C_OVER)
        return;
    nghttp2_session_consume_stream(s->h->session, s->id, size);
    dx_http2_client_wake(s->h);
}

void dx_http2_client_stream_on_data(dx_http2_client_stream *s, uint8_t *at, size_t size)
{
    s->unread += (uint32_t)size;
    nghttp2_session_consume_connection(s->h->session, size);
    dx_conn_carried_input(&s->carried, at, size);
    give_window(s);
}

void dx_http2_client_stream_on_whole(dx_http2_client_stream *s)
{
    s->is_whole = true;
    dx_conn_carried_input_end(&s->carried);
}

void dx_http2_client_stream_on_end_sent(dx_http2_client_stream *s)
{
    s->is_end_sent = true;
    dx_conn_wake(dx_http2_client_stream_conn(s));
}

/* ---- the end --------------------------------------------------------------------------------------- */

/* RFC 9113 §8.7: of such a request the server has done nothing. */
static void fail_refused(dx_http2_client_stream *s)
{
    dx_http2_client_stream_fail(
        s, DX_ERR_BUSY,
        s->h->is_goaway_seen ? "the server is going away and has not looked at the request: "
                               "it may be sent again"
                             : "the server has refused the request without looking at it: it "
                               "may be sent again");
}

static void fail_reset(dx_http2_client_stream *s, uint32_t code)
{
    char why[H2C_WHY_BYTES];

    if (code == NGHTTP2_HTTP_1_1_REQUIRED) {
        dx_http2_client_stream_fail(s, DX_ERR_UNSUPPORTED,
                                    "the server wants HTTP/1.1 for this request");
        return;
    }
    snprintf(why, sizeof why, "the server has ended the request before its answer was whole: %s",
             nghttp2_http2_strerror(code));
    dx_http2_client_stream_fail(s, code == NGHTTP2_PROTOCOL_ERROR ? DX_ERR_PROTOCOL : DX_ERR_RESET,
                                why);
}

void dx_http2_client_stream_on_gone(dx_http2_client_stream *s, uint32_t code)
{
    dx_conn *conn = dx_http2_client_stream_conn(s);

    s->is_gone = true;
    if (conn->state == DX_CONN_LINGERING)
        dx_conn_abort(conn, DX_OK, false);
    else if (s->is_end_sent && conn->state == DX_CONN_FLUSHING)
        dx_conn_wake(conn);
    else if (s->is_whole && !s->is_tunnel)
        return; /* what it has brought may still have to be read */
    else if (code == NGHTTP2_REFUSED_STREAM || !s->is_sent)
        fail_refused(s);
    else
        fail_reset(s, code);
}

void dx_http2_client_stream_turn(dx_http2_client_stream *s)
{
    dx_conn *conn = dx_http2_client_stream_conn(s);

    if (conn->state == DX_CONN_CLOSED)
        return;
    dx_conn_carried_turn(&s->carried);
    give_window(s);
    if (conn->state == DX_CONN_CLOSED || (s->is_gone && conn->state != DX_CONN_FLUSHING))
        return;
    if (s->is_end_sent && conn->state == DX_CONN_FLUSHING) {
        if (s->is_gone)
            dx_conn_abort(conn, DX_OK, false);
        else
            dx_conn_carried_end_sent(&s->carried); /* the server's half goes on */
        return;
    }
    if (s->is_gone)
        return;
    if (s->is_deferred) {
        s->is_deferred = false;
        nghttp2_session_resume_data(s->h->session, s->id);
    }
    dx_http2_client_stream_check_window(s);
}

void dx_http2_client_stream_over(dx_http2_client_stream *s)
{
    dx_conn_carried_over(&s->carried);
    dx_list_remove(&s->turn_link);
    dx_list_remove(&s->link);
    s->h->streams_count--;
    free(s);
}
