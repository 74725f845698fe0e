/* HTTP/2 responses: what an exchange asks of its carrier.
 * Is:     heads, content piece by piece and from a source, the end; the 200 that opens a tunnel.
 * Is not: frames and their order (nghttp2).
 * Source: RFC 9113 §8.1, §8.2.2, §8.3.2; RFC 8441 §5; RFC 9218 §10, §11.
 * SPDX-License-Identifier: MIT */
#include "http/http2_conn.h"

#include "base/assert.h"
#include "codec/http_writer.h"

enum {
    HEAD_BYTES_MAX = 8192, /* as HTTP/1.1 takes */
    USEFUL_BYTES = 1024,
    LIVE_URGENCY = NGHTTP2_EXTPRI_DEFAULT_URGENCY - 1,
};

static bool status_has_no_body(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

/* ---- the head ----------------------------------------------------------------------------------- */

/* A head under way. */
typedef struct head {
    dx_http2_fields fields;
    char status[3], length[20];
    uint8_t memory[HEAD_BYTES_MAX];
} head;

static void head_init(head *h, unsigned status)
{
    dx_http2_fields_init(&h->fields, h->memory, sizeof h->memory);
    h->status[0] = (char)('0' + status / 100 % 10);
    h->status[1] = (char)('0' + status / 10 % 10);
    h->status[2] = (char)('0' + status % 10);
    dx_http2_fields_add_pseudo(&h->fields, ":status", dx_bytes_at(h->status, 3));
}

static void head_add(head *h, dx_bytes name, dx_bytes value)
{
    dx_http2_fields_add(&h->fields, name, value);
}

static void head_add_known(head *h, dx_http_name name, dx_bytes value)
{
    dx_http2_fields_add_known(&h->fields, name, value);
}

static void add_length(head *h, uint64_t length)
{
    size_t at = sizeof h->length;

    do
        h->length[--at] = (char)('0' + length % 10);
    while ((length /= 10) > 0);
    dx_http2_fields_put(&h->fields, DX_BYTES("content-length"),
                        dx_bytes_at(h->length + at, sizeof h->length - at));
}

static bool make_head(const dx_http2_stream *s, head *h, const dx_response *r, uint64_t length)
{
    dx_http *http = s->h->http;
    dx_header more[DX_HTTP_MORE_MAX];
    unsigned status = r->status ? r->status : 200;

    dx_assert(status >= 200 && status <= 599);
    head_init(h, status);
    dx_http2_fields_put(&h->fields, DX_BYTES("date"), dx_http_now(http));
    if (r->type.size > 0)
        head_add_known(h, DX_HTTP_CONTENT_TYPE, r->type);
    for (size_t i = 0; i < r->headers_count; i++)
        head_add(h, r->headers[i].name, r->headers[i].value);
    size_t count = http->more ? http->more(s->x, status, more) : 0;
    for (size_t i = 0; i < count; i++)
        head_add(h, more[i].name, more[i].value);
    if (length != DX_LENGTH_UNKNOWN && !status_has_no_body(status))
        add_length(h, length);
    return h->fields.check.fault == DX_HTTP_WRITER_OK;
}

static void submit(dx_http2_stream *s, const head *h, bool has_content)
{
    nghttp2_data_provider content = {.read_callback = dx_http2_on_content};

    if (s->is_gone || s->h->state == H2_OVER)
        return;
    if (nghttp2_submit_response(s->h->session, s->id, h->fields.at, h->fields.count,
                                has_content ? &content : NULL) != 0)
        dx_conn_abort(dx_http2_stream_conn(s), DX_ERR_MEMORY, true);
    dx_http2_wake(s->h);
}

static void start(dx_exchange *x, const dx_response *response, uint64_t length)
{
    dx_http2_stream *s = x->carrier;
    unsigned status = response->status ? response->status : 200;
    head h;

    if (s->state != S2_HANDLING && s->state != S2_RECEIVING) /* answered before the body was read */
        dx_http2_stream_enter(s, S2_HANDLING);
    s->is_bodyless = x->head.method == DX_HTTP_HEAD || status_has_no_body(status) || length == 0;
    s->response_left = length;
    if (!make_head(s, &h, response, length)) {
        /* a handler's field that cannot be sent: its content must not be, either */
        s->is_bodyless = true;
        bool is_good = make_head(s, &h, &(dx_response){.status = 500}, 0);
        dx_assert(is_good);
    }
    submit(s, &h, !s->is_bodyless);
}

/* ---- content -------------------------------------------------------------------------------------- */

static dx_send_result write_piece(dx_exchange *x, dx_bytes piece)
{
    dx_http2_stream *s = x->carrier;
    dx_conn *conn = dx_http2_stream_conn(s);

    if (!dx_conn_is_open(conn))
        return DX_SEND_CLOSED;
    if (s->response_left != DX_LENGTH_UNKNOWN) {
        dx_assert(piece.size <= s->response_left);
        s->response_left -= piece.size;
    }
    if (piece.size > 0 && !s->is_bodyless)
        dx_conn_write(conn, piece);
    return dx_conn_is_open(conn) ? DX_SEND_QUEUED : DX_SEND_CLOSED;
}

static bool is_busy(const dx_exchange *x)
{
    const dx_http2_stream *s = x->carrier;
    return dx_conn_queued(&s->carried.conn) > s->h->http->config.queued_bytes_high;
}

static void end_now(dx_exchange *x)
{
    dx_http2_stream *s = x->carrier;
    dx_conn *conn = dx_http2_stream_conn(s);
    bool cut = s->response_left != DX_LENGTH_UNKNOWN && s->response_left > 0 && !s->is_bodyless;

    s->is_end_due = false;
    dx_exchange_free_source(x);
    dx_http2_stream_forget_exchange(s);
    if (cut) /* less than was announced: the client must see that it is not whole */
        dx_conn_abort(conn, DX_ERR_CLOSED, true);
    else
        dx_conn_finish(conn);
}

/* The rest of something pulled is still to be sent. */
static bool is_in_use(const dx_http2_stream *s)
{
    return s->is_pulling || s->carried.conn.is_pull_cut;
}

static void end(dx_exchange *x)
{
    dx_http2_stream *s = x->carrier;

    if (x->source && is_in_use(s))
        s->is_end_due = true; /* `pulled` goes on; or the stream fails, and all is over anyway */
    else
        end_now(x);
}

bool dx_http2_stream_end_if_due(dx_http2_stream *s)
{
    if (!s->is_end_due || is_in_use(s))
        return false;
    end_now(s->x);
    return true;
}

/* What is sent as it happens would wait for every download that began before it: so it goes first, and in
 * turn with its like; unless the client has said otherwise. */
static void be_live(dx_http2_stream *s)
{
    const nghttp2_extpri rank = {.urgency = LIVE_URGENCY, .inc = 1};

    if (!s->is_ranked && !s->is_gone && s->h->state != H2_OVER)
        nghttp2_session_change_extpri_stream_priority(s->h->session, s->id, &rank, 0);
}

static dx_exchange_framing stream(dx_exchange *x)
{
    dx_http2_stream *s = x->carrier;

    dx_assert(s->response_left == DX_LENGTH_UNKNOWN && !s->is_bodyless);
    x->head =
        (dx_http_request_head){.method = x->head.method, .minor_version = x->head.minor_version};
    x->path = x->body = (dx_bytes){0};
    x->match = (dx_route_match){0};
    dx_arena_deinit(&x->arena);
    dx_http2_stream_forget_request(s);
    be_live(s);
    return DX_EXCHANGE_BARE;
}

uint32_t dx_http2_stream_pull(dx_conn *conn, struct iovec *iov, uint32_t max)
{
    dx_http2_stream *s = conn->protocol;
    dx_exchange *x = s->x;

    return x && x->source ? x->source->pull(x->source_context, iov, max) : 0;
}

bool dx_http2_stream_pulled(dx_conn *conn, size_t bytes)
{
    dx_http2_stream *s = conn->protocol;

    s->is_pulling = true;
    bool is_cut = s->x->source->pulled(s->x->source_context, bytes);
    s->is_pulling = false;
    if (!is_cut && conn->state != DX_CONN_CLOSED) {
        conn->is_pull_cut = false;
        (void)dx_http2_stream_end_if_due(s);
    }
    return is_cut;
}

static void write_rest(dx_exchange *x, dx_bytes rest)
{
    dx_http2_stream *s = x->carrier;

    dx_conn_write_rest(dx_http2_stream_conn(s), rest);
    if (s->is_end_due) /* no `pulled` follows that would go on */
        dx_conn_want_room(dx_http2_stream_conn(s));
}

static void wake(dx_exchange *x)
{
    dx_http2_stream *s = x->carrier;
    dx_conn_wake(dx_http2_stream_conn(s));
}

static void want_room(dx_exchange *x)
{
    dx_http2_stream *s = x->carrier;
    dx_conn_want_room(dx_http2_stream_conn(s));
}

static dx_conn *conn_of(const dx_exchange *x)
{
    dx_http2_stream *s = x->carrier;
    return dx_http2_stream_conn(s);
}

/* RFC 8441 §5: 200 opens the tunnel. */
static dx_conn *upgrade(dx_exchange *x, const dx_header *headers, size_t headers_count)
{
    dx_http2_stream *s = x->carrier;
    dx_conn *conn = dx_http2_stream_conn(s);
    head h;

    dx_assert(x->is_tunnel && s->state == S2_HANDLING);
    head_init(&h, 200);
    head_add_known(&h, DX_HTTP_DATE, dx_http_now(s->h->http));
    for (size_t i = 0; i < headers_count; i++)
        head_add(&h, headers[i].name, headers[i].value);
    dx_assert(h.fields.check.fault == DX_HTTP_WRITER_OK);
    dx_http2_stream_enter(s, S2_TUNNEL);
    dx_http2_stream_forget_exchange(s);
    submit(s, &h, true);
    be_live(s);
    return conn;
}

const dx_exchange_ops dx_http2_exchange_ops = {
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
    .flush = wake, /* many leave together */
    .hold = dx_http2_stream_hold,
};

/* ---- what leaves ---------------------------------------------------------------------------------- */

ssize_t dx_http2_on_content(nghttp2_session *session, int32_t id, uint8_t *to, size_t max,
                            uint32_t *flags, nghttp2_data_source *source, void *context)
{
    dx_http2_stream *s = nghttp2_session_get_stream_user_data(session, id);

    (void)source, (void)context;
    if (s == NULL)
        return NGHTTP2_ERR_DEFERRED; /* its reset is on the way */
    size_t size = dx_conn_carried_read(&s->carried, to, max);
    s->h->useful_bytes += size;
    if (size > 0)
        dx_http2_stream_note_content(s, size);
    if (size >= USEFUL_BYTES) /* not byte by byte, as the client's windows may want it */
        dx_http2_earn_frames(s->h, 4);
    if (dx_conn_carried_is_spent(&s->carried)) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        return (ssize_t)size;
    }
    if (size > 0) {
        dx_conn_wake(dx_http2_stream_conn(s)); /* whether the window is shut now is seen there */
        return (ssize_t)size;
    }
    s->is_deferred = true;
    return NGHTTP2_ERR_DEFERRED;
}
