/* The HTTP/1.1 client.
 * SPDX-License-Identifier: MIT */
#include "http/client.h"

#include "base/assert.h"
#include "codec/http_chunk.h"
#include "codec/http_writer.h"

#include <stdlib.h>

enum {
    HEAD_BYTES_MAX = 16384,
    FIELDS_COUNT_MAX = 100,
    EXPECT_BYTES = 65536, /* bodies above it are announced first */
    CONTINUE_MS = 1000,   /* RFC 9110 §10.1.1: a client must not wait for ever */
};

typedef enum client_state {
    CLIENT_IDLE,    /* no request is under way */
    CLIENT_OPENING, /* the connection is being made */
    CLIENT_HEAD,    /* the request is written, but perhaps its body; a response head is awaited */
    CLIENT_BODY,    /* the response's content is being read */
} client_state;

struct dx_http_client {
    dx_net *net;
    dx_conn_target to;
    dx_http_client_handler handler;
    dx_conn *conn; /* NULL: none */
    client_state state;
    dx_http_method method;
    dx_buffer head, body; /* of the request, until they are written */
    dx_http_reader reader;
    dx_http_chunks chunks;
    dx_http_framing framing; /* of the response */
    uint64_t body_left;
    uint32_t silence_ms;
    dx_timer continue_timer;
    bool keep_alive, is_body_held;
    bool is_inside, is_freed; /* freed from one of its own callbacks: at the end of that */
};

/* Rows: from. Bits: where it may go. */
static const uint8_t legal_moves[] = {
    [CLIENT_IDLE] = DX_BIT(CLIENT_OPENING) | DX_BIT(CLIENT_HEAD),
    [CLIENT_OPENING] = DX_BIT(CLIENT_HEAD) | DX_BIT(CLIENT_IDLE),
    [CLIENT_HEAD] = DX_BIT(CLIENT_BODY) | DX_BIT(CLIENT_IDLE),
    [CLIENT_BODY] = DX_BIT(CLIENT_IDLE),
};

static void client_enter(dx_http_client *c, client_state to)
{
    dx_assert(legal_moves[c->state] & DX_BIT(to));
    c->state = to;
}

/* ---- letting a connection go ------------------------------------------------------------------ */

static size_t nobody_on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    (void)conn, (void)at;
    return size;
}

static void nobody_on_closed(dx_conn *conn, dx_err why)
{
    (void)conn, (void)why;
}

/* Of a connection that belongs to no client any more. */
static const dx_conn_ops nobody = {.on_bytes = nobody_on_bytes, .on_closed = nobody_on_closed};

static dx_conn *client_detach(dx_http_client *c)
{
    dx_conn *conn = c->conn;

    if (conn)
        dx_conn_set_protocol(conn, &nobody, NULL);
    c->conn = NULL;
    return conn;
}

/* The request is over, this way or that. */
static void client_forget_request(dx_http_client *c)
{
    client_enter(c, CLIENT_IDLE);
    dx_timer_clear(&c->continue_timer);
    dx_buffer_clear(&c->head);
    dx_buffer_clear(&c->body);
    c->is_body_held = false;
}

static void client_fail(dx_http_client *c, dx_err err, const char *text)
{
    dx_conn *conn = client_detach(c);

    if (conn)
        dx_conn_abort(conn, err, true);
    client_forget_request(c);
    c->handler.failed(c->handler.context, err, text);
}

/* The response is whole. has_more: bytes follow that nobody asked for. */
static void client_done(dx_http_client *c, bool has_more)
{
    if (c->keep_alive && c->framing.keep_alive && !has_more && !c->is_body_held) {
        dx_conn_set_deadline(c->conn, 0);
    } else {
        dx_conn *conn = client_detach(c);
        dx_conn_finish(conn);
    }
    client_forget_request(c);
    c->handler.done(c->handler.context);
}

/* ---- the request ------------------------------------------------------------------------------ */

static void client_write_body(dx_http_client *c)
{
    dx_timer_clear(&c->continue_timer);
    c->is_body_held = false;
    dx_conn_write_large(c->conn, (dx_bytes){NULL, 0}, dx_buffer_view(&c->body));
    dx_buffer_clear(&c->body);
}

static void on_continue_timer(dx_timer *timer)
{
    dx_http_client *c = DX_CONTAINER(timer, dx_http_client, continue_timer);

    if (c->state == CLIENT_HEAD && c->is_body_held)
        client_write_body(c);
}

static void client_write_request(dx_http_client *c)
{
    client_enter(c, CLIENT_HEAD);
    dx_http_reader_init(&c->reader, &DX_HTTP_LIMITS_DEFAULT);
    dx_conn_write(c->conn, dx_buffer_view(&c->head));
    dx_buffer_clear(&c->head);
    if (c->is_body_held)
        dx_timer_set(c->net->loop, &c->continue_timer, CONTINUE_MS);
    else
        client_write_body(c);
}

/* A request with content or one that is expected to have some (RFC 9110 §8.6). */
static bool says_length(const dx_http_client_request *r, dx_http_method method)
{
    return r->body.size > 0 || method == DX_HTTP_POST || method == DX_HTTP_PUT ||
           method == DX_HTTP_PATCH;
}

/* RFC 9110 §10.1.1: HTTP/1.0 knows of no interim answers. */
static bool expects_continue(const dx_http_client_request *r)
{
    return r->body.size > EXPECT_BYTES && !r->is_1_0;
}

static dx_err write_head(dx_http_client *c, const dx_http_client_request *r)
{
    dx_http_writer w;

    if (!dx_buffer_reserve(&c->head, HEAD_BYTES_MAX))
        return DX_ERR_MEMORY;
    dx_http_writer_init(&w, c->head.at, HEAD_BYTES_MAX);
    if (r->is_1_0)
        dx_http_write_request_1_0(&w, r->method, r->target);
    else
        dx_http_write_request(&w, r->method, r->target);
    dx_http_write_known(&w, DX_HTTP_HOST, r->authority);
    for (size_t i = 0; i < r->headers_count; i++)
        dx_http_write_field(&w, r->headers[i].name, r->headers[i].value);
    if (says_length(r, c->method))
        dx_http_write_number(&w, DX_HTTP_CONTENT_LENGTH, r->body.size);
    if (expects_continue(r))
        dx_http_write_known(&w, DX_HTTP_EXPECT, DX_BYTES("100-continue"));
    if (!r->keep_alive && !r->is_1_0)
        dx_http_write_known(&w, DX_HTTP_CONNECTION, DX_BYTES("close"));
    c->head.size = dx_http_write_end(&w).size;
    if (c->head.size > 0)
        return DX_OK;
    return w.fault == DX_HTTP_WRITER_FULL ? DX_ERR_TOO_LARGE : DX_ERR_NAME;
}

static const dx_conn_ops conn_ops;

static dx_err client_begin(dx_http_client *c, const dx_http_client_request *r)
{
    dx_err err = write_head(c, r);

    if (err == DX_OK && !dx_buffer_append(&c->body, r->body))
        err = DX_ERR_MEMORY;
    if (err == DX_OK && c->conn == NULL) {
        err = dx_conn_connect_to(c->net, &c->to, &conn_ops, c, &c->conn);
        if (err == DX_OK)
            client_enter(c, CLIENT_OPENING);
    }
    return err;
}

dx_err dx_http_client_send(dx_http_client *c, const dx_http_client_request *r)
{
    dx_assert(c->state == CLIENT_IDLE && !c->is_freed && r->timeout_ms > 0);
    dx_assert(!r->is_1_0 || !r->keep_alive);
    if (r->body.size > DX_HTTP_CLIENT_BODY_MAX)
        return DX_ERR_TOO_LARGE;
    if (c->conn && !dx_conn_is_open(c->conn)) /* it was kept, and is ending just now */
        client_detach(c);
    c->method = dx_http_method_of(r->method);
    dx_err err = client_begin(c, r);
    if (err != DX_OK) {
        dx_buffer_clear(&c->head);
        dx_buffer_clear(&c->body);
        return err;
    }
    c->keep_alive = r->keep_alive;
    c->silence_ms = r->silence_ms;
    c->is_body_held = expects_continue(r);
    dx_conn_set_deadline(c->conn, r->timeout_ms);
    if (c->state == CLIENT_IDLE)
        client_write_request(c);
    return DX_OK;
}

/* ---- the response ----------------------------------------------------------------------------- */

/* Of a response without end every piece has its own time. */
static void client_hear(dx_http_client *c)
{
    if (c->silence_ms > 0)
        dx_conn_set_deadline(c->conn, c->silence_ms);
}

static void client_on_head(dx_http_client *c, const dx_http_response_head *head, dx_bytes rest)
{
    if (head->code == 100 && c->is_body_held)
        client_write_body(c);
    if (head->code == 101) {
        client_fail(c, DX_ERR_PROTOCOL, "the server switched protocols, which was not asked for");
        return;
    }
    if (head->code < 200) /* RFC 9110 §15.2: the final one follows */
        return;
    client_enter(c, CLIENT_BODY);
    c->framing = head->framing;
    c->body_left = head->framing.content_length;
    dx_http_chunks_init(&c->chunks);
    client_hear(c);
    if (c->handler.head)
        c->handler.head(c->handler.context, head);
    bool is_empty = c->framing.body == DX_HTTP_BODY_NONE ||
                    (c->framing.body == DX_HTTP_BODY_LENGTH && c->body_left == 0);
    if (is_empty && !c->is_freed)
        client_done(c, rest.size > 0);
}

/* Each of the two takes something off `*in`; false if nothing more can be taken now. */
static bool client_read_head(dx_http_client *c, dx_bytes *in)
{
    dx_http_field fields[FIELDS_COUNT_MAX];
    dx_http_response_head head = {.fields = {.at = fields, .count_max = FIELDS_COUNT_MAX}};
    size_t consumed = 0;

    dx_http_status status = dx_http_response_read(&c->reader, *in, c->method, &head, &consumed);
    if (status == DX_HTTP_MORE)
        return false;
    if (status != DX_HTTP_OK) {
        client_fail(c, DX_ERR_PROTOCOL, dx_http_fault_of(status)->text);
        return false;
    }
    dx_bytes_skip(in, consumed);
    client_on_head(c, &head, *in);
    return true;
}

static void client_give_body(dx_http_client *c, dx_bytes piece)
{
    client_hear(c);
    if (c->handler.body)
        c->handler.body(c->handler.context, piece);
}

static bool client_read_chunk(dx_http_client *c, dx_bytes *in)
{
    dx_bytes piece;
    dx_http_status status = dx_http_chunk_read(&c->chunks, in, &piece);

    if (status == DX_HTTP_DATA)
        client_give_body(c, piece);
    else if (status == DX_HTTP_END)
        client_done(c, in->size > 0);
    else if (status != DX_HTTP_MORE)
        client_fail(c, DX_ERR_PROTOCOL, dx_http_fault_of(status)->text);
    return status == DX_HTTP_DATA;
}

static bool client_read_body(dx_http_client *c, dx_bytes *in)
{
    dx_bytes piece = *in;

    if (c->framing.body == DX_HTTP_BODY_CHUNKED)
        return client_read_chunk(c, in);
    if (c->framing.body == DX_HTTP_BODY_LENGTH) {
        piece.size = (size_t)dx_min_u64(c->body_left, in->size);
        c->body_left -= piece.size;
    }
    dx_bytes_skip(in, piece.size);
    client_give_body(c, piece);
    if (c->framing.body == DX_HTTP_BODY_LENGTH && c->body_left == 0 && !c->is_freed)
        client_done(c, in->size > 0);
    return true;
}

/* ---- the connection --------------------------------------------------------------------------- */

/* Callbacks may free the client: it goes when the last of our own frames has left it. */
static void client_leave(dx_http_client *c)
{
    c->is_inside = false;
    if (c->is_freed)
        free(c);
}

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    dx_http_client *c = conn->protocol;
    dx_bytes in = {at, size};
    bool goes_on = true;

    c->is_inside = true;
    while (goes_on && in.size > 0 && c->conn == conn) {
        switch (c->state) {
        case CLIENT_HEAD: goes_on = client_read_head(c, &in); break;
        case CLIENT_BODY: goes_on = client_read_body(c, &in); break;
        case CLIENT_OPENING:
        case CLIENT_IDLE: /* a response to nothing */
            dx_conn_abort(client_detach(c), DX_ERR_PROTOCOL, true);
            break;
        }
    }
    bool is_ours = c->conn == conn;
    client_leave(c);
    return is_ours ? size - in.size : size;
}

static void on_open(dx_conn *conn)
{
    client_write_request(conn->protocol);
}

static void on_end(dx_conn *conn)
{
    dx_http_client *c = conn->protocol;

    c->is_inside = true;
    if (c->state == CLIENT_BODY && c->framing.body == DX_HTTP_BODY_CLOSE)
        client_done(c, true);
    else if (c->state == CLIENT_IDLE)
        dx_conn_finish(client_detach(c));
    else
        client_fail(c, DX_ERR_RESET, "the server ended the connection before its answer was whole");
    client_leave(c);
}

static void on_deadline(dx_conn *conn)
{
    dx_http_client *c = conn->protocol;

    c->is_inside = true;
    client_fail(c, DX_ERR_TIMEOUT, "the server did not answer in time");
    client_leave(c);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    dx_http_client *c = conn->protocol;

    c->is_inside = true;
    c->conn = NULL;
    const char *text = why == DX_OK ? dx_err_text(DX_ERR_RESET) : dx_conn_why(conn);
    if (c->state != CLIENT_IDLE)
        client_fail(c, why == DX_OK ? DX_ERR_RESET : why, text);
    client_leave(c);
}

static const dx_conn_ops conn_ops = {
    .on_bytes = on_bytes,
    .on_open = on_open,
    .on_end = on_end,
    .on_deadline = on_deadline,
    .on_closed = on_closed,
};

dx_http_client *dx_http_client_new(dx_net *net, const dx_conn_target *to,
                                   const dx_http_client_handler *handler)
{
    dx_http_client *c = calloc(1, sizeof *c);

    dx_assert(handler->done && handler->failed);
    if (c == NULL)
        return NULL;
    c->net = net;
    c->to = *to;
    c->handler = *handler;
    dx_timer_init(&c->continue_timer, on_continue_timer);
    return c;
}

void dx_http_client_free(dx_http_client *c)
{
    if (c == NULL)
        return;
    dx_conn *conn = client_detach(c);
    if (conn)
        dx_conn_abort(conn, DX_ERR_CLOSED, false);
    dx_timer_clear(&c->continue_timer);
    dx_buffer_clear(&c->head);
    dx_buffer_clear(&c->body);
    c->is_freed = true;
    if (!c->is_inside)
        free(c);
}
