/* The client on a connection of HTTP/1.1.
 * Source: RFC 9112, RFC 9110 §10.1.1.
 * SPDX-License-Identifier: MIT */
#include "http/client_inner.h"

#include "base/assert.h"

enum {
    FIELDS_COUNT_MAX = 100,
    CONTINUE_MS = 1000, /* RFC 9110 §10.1.1: a client must not wait for ever */
};

/* ---- the request ------------------------------------------------------------------------------ */

/* Not while another answer is under way: what is held is of this request. */
void dx_http_client_write_body(dx_http_client *c)
{
    dx_timer_clear(&c->continue_timer);
    c->is_body_held = false;
    dx_conn_write_large(c->conn, (dx_bytes){NULL, 0}, dx_buffer_view(&c->body));
    dx_buffer_clear(&c->body);
}

void dx_http_client_write(dx_http_client *c)
{
    dx_http_client_enter(c, CLIENT_HEAD);
    dx_http_reader_init(&c->reader, &DX_HTTP_LIMITS_DEFAULT);
    dx_conn_write(c->conn, dx_buffer_view(&c->head));
    dx_buffer_clear(&c->head);
    c->is_body_held = c->expects_continue;
    if (c->is_body_held)
        dx_timer_set(c->origin->net->loop, &c->continue_timer, CONTINUE_MS);
    else
        dx_http_client_write_body(c);
}

/* ---- the response ----------------------------------------------------------------------------- */

static void on_head(dx_http_client *c, const dx_http_response_head *head, dx_bytes rest)
{
    if (head->code == 100 && c->is_body_held)
        dx_http_client_write_body(c);
    if (head->code == 101) {
        dx_http_client_fail(c, DX_ERR_PROTOCOL,
                            "the server switched protocols, which was not asked for");
        return;
    }
    if (head->code < 200) /* RFC 9110 §15.2: the final one follows */
        return;
    dx_timer_clear(&c->continue_timer); /* whoever answers so does not want it */
    c->body_left = head->framing.content_length;
    dx_http_chunks_init(&c->chunks);
    dx_http_client_give_head(c, head);
    bool is_empty = c->framing.body == DX_HTTP_BODY_NONE ||
                    (c->framing.body == DX_HTTP_BODY_LENGTH && c->body_left == 0);
    if (is_empty && !c->is_freed)
        dx_http_client_done(c, rest.size > 0);
}

/* Each of the two takes something off `*in`; false if nothing more can be taken now. */
static bool read_head(dx_http_client *c, dx_bytes *in)
{
    dx_http_field fields[FIELDS_COUNT_MAX];
    dx_http_response_head head = {.fields = {.at = fields, .count_max = FIELDS_COUNT_MAX}};
    size_t consumed = 0;

    dx_http_status status = dx_http_response_read(&c->reader, *in, c->method, &head, &consumed);
    if (status == DX_HTTP_MORE)
        return false;
    if (status != DX_HTTP_OK) {
        dx_http_client_fail(c, DX_ERR_PROTOCOL, dx_http_fault_of(status)->text);
        return false;
    }
    dx_bytes_skip(in, consumed);
    on_head(c, &head, *in);
    return true;
}

static bool read_chunk(dx_http_client *c, dx_bytes *in)
{
    dx_bytes piece;
    dx_http_status status = dx_http_chunk_read(&c->chunks, in, &piece);

    if (status == DX_HTTP_DATA)
        dx_http_client_give_body(c, piece);
    else if (status == DX_HTTP_END)
        dx_http_client_done(c, in->size > 0);
    else if (status != DX_HTTP_MORE)
        dx_http_client_fail(c, DX_ERR_PROTOCOL, dx_http_fault_of(status)->text);
    return status == DX_HTTP_DATA;
}

static bool read_body(dx_http_client *c, dx_bytes *in)
{
    dx_bytes piece = *in;

    if (c->framing.body == DX_HTTP_BODY_CHUNKED)
        return read_chunk(c, in);
    if (c->framing.body == DX_HTTP_BODY_LENGTH) {
        piece.size = (size_t)dx_min_u64(c->body_left, in->size);
        c->body_left -= piece.size;
    }
    dx_bytes_skip(in, piece.size);
    dx_http_client_give_body(c, piece);
    if (c->framing.body == DX_HTTP_BODY_LENGTH && c->body_left == 0 && !c->is_freed)
        dx_http_client_done(c, in->size > 0);
    return true;
}

/* ---- the connection --------------------------------------------------------------------------- */

/* ---- the connection --------------------------------------------------------------------------- */

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    dx_http_client *c = conn->protocol;
    dx_bytes in = {at, size};
    bool goes_on = true;

    dx_http_client_entered(c);
    while (goes_on && in.size > 0 && c->conn == conn && !c->is_paused) {
        switch (c->state) {
        case CLIENT_HEAD: goes_on = read_head(c, &in); break;
        case CLIENT_BODY: goes_on = read_body(c, &in); break;
        case CLIENT_OPENING:
        case CLIENT_IDLE: /* a response to nothing */
            dx_conn_abort(dx_http_client_detach(c), DX_ERR_PROTOCOL, true);
            break;
        }
    }
    bool is_ours = c->conn == conn;
    dx_http_client_left(c);
    return is_ours ? size - in.size : size;
}

static void on_open(dx_conn *conn)
{
    dx_http_client_write(conn->protocol);
}

static void on_end(dx_conn *conn)
{
    dx_http_client *c = conn->protocol;

    dx_http_client_entered(c);
    if (c->state == CLIENT_BODY && c->framing.body == DX_HTTP_BODY_CLOSE)
        dx_http_client_done(c, true);
    else if (c->state == CLIENT_IDLE)
        dx_conn_finish(dx_http_client_detach(c));
    else
        dx_http_client_fail(c, DX_ERR_RESET,
                            "the server ended the connection before its answer was whole");
    dx_http_client_left(c);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    dx_http_client *c = conn->protocol;

    dx_http_client_entered(c);
    c->conn = NULL;
    const char *text = why == DX_OK ? dx_err_text(DX_ERR_RESET) : dx_conn_why(conn);
    if (c->state != CLIENT_IDLE)
        dx_http_client_fail(c, why == DX_OK ? DX_ERR_RESET : why, text);
    dx_http_client_left(c);
}

static const dx_conn_ops conn_ops = {
    .on_bytes = on_bytes,
    .on_open = on_open,
    .on_end = on_end,
    .on_deadline = dx_http_client_on_deadline,
    .on_closed = on_closed,
};

dx_err dx_http_client_connect(dx_http_client *c)
{
    const dx_http_origin *o = c->origin;
    dx_conn_target to = o->to;

    to.alpn = DX_HTTP1_ALPN;
    dx_err err = dx_conn_connect_to(o->net, &to, &conn_ops, c, &c->conn);
    if (err == DX_OK) {
        c->is_http2 = false;
        dx_http_client_enter(c, CLIENT_OPENING);
    }
    return err;
}

void dx_http_client_take(dx_http_client *c, dx_conn *conn)
{
    c->conn = conn;
    c->is_http2 = false;
    dx_conn_set_protocol(conn, &conn_ops, c);
    dx_http_client_write(c);
}
