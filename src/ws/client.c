/* The opening handshake at the client: by Upgrade on a connection of HTTP/1.1, or on a stream of HTTP/2.
 * Source: RFC 6455 §4.1, RFC 8441 §5.
 * SPDX-License-Identifier: MIT */
#include "ws/client.h"

#include "base/assert.h"
#include "base/random.h"
#include "codec/http_writer.h"
#include "codec/ws_handshake.h"

#include <stdlib.h>

enum { HEAD_BYTES_MAX = 12288, FIELDS_COUNT_MAX = 100, LINES_MAX = 16 };

/* Between connecting and the 101, or 200. */
typedef struct dialing {
    dx_ws_worker *worker;
    dx_http_origin *origin;
    dx_http_waiter waiter;
    uint64_t due_ms;
    const dx_ws_endpoint *endpoint;
    void *user;
    void (*failed)(void *user, dx_err err, unsigned status, const char *text);
    dx_http_reader reader;
    char key[DX_WS_KEY_BYTES];
    const char *why; /* what `failed` will be told */
    unsigned status;
    bool is_over;
    bool is_tunnel; /* a stream of HTTP/2 */
    size_t request_size;
    uint8_t request[];
} dialing;

static dx_ws_lines lines_of(const dx_http_fields *fields, dx_http_name id,
                            dx_bytes memory[LINES_MAX])
{
    size_t count = 0;
    const dx_http_field *f = dx_http_fields_get(fields, id);

    for (; f && count < LINES_MAX; f = dx_http_fields_next(fields, f))
        memory[count++] = f->value;
    return (dx_ws_lines){memory, count};
}

static void give_up(dx_conn *conn, const char *why)
{
    dialing *d = conn->protocol;

    d->why = why;
    dx_conn_abort(conn, DX_ERR_PROTOCOL, false);
}

static uint8_t subprotocol_index(const dx_ws_endpoint *endpoint, dx_bytes chosen)
{
    for (size_t i = 0; i < endpoint->subprotocols_count; i++)
        if (chosen.size > 0 && dx_bytes_equal(endpoint->subprotocols[i], chosen))
            return (uint8_t)(i + 1);
    return 0;
}

static dx_ws_refusal check_answer(const dialing *d, const dx_http_response_head *head,
                                  dx_bytes *subprotocol)
{
    dx_bytes upgrade[LINES_MAX], connection[LINES_MAX], accept[LINES_MAX], protocol[LINES_MAX];
    const dx_http_fields *fields = &head->fields;
    dx_ws_answer answer = {
        .is_tunnel = d->is_tunnel,
        .status = (uint16_t)head->code,
        .upgrade = lines_of(fields, DX_HTTP_UPGRADE, upgrade),
        .connection = lines_of(fields, DX_HTTP_CONNECTION, connection),
        .accept = lines_of(fields, DX_HTTP_SEC_WEBSOCKET_ACCEPT, accept),
        .subprotocol = lines_of(fields, DX_HTTP_SEC_WEBSOCKET_PROTOCOL, protocol),
    };
    return dx_ws_answer_check(&answer, d->key, d->endpoint->subprotocols,
                              d->endpoint->subprotocols_count, subprotocol);
}

/* The answer's head is whole: a session from here on, or the end. */
static void on_head(dx_conn *conn, const dx_http_response_head *head)
{
    dialing *d = conn->protocol;
    dx_bytes subprotocol = {0}, extensions[LINES_MAX];
    dx_ws_deflate_params params;
    const dx_ws_config *config = &d->endpoint->config;

    d->status = head->code;
    dx_ws_refusal refusal = check_answer(d, head, &subprotocol);
    dx_ws_deflate_result deflate =
        dx_ws_deflate_check(lines_of(&head->fields, DX_HTTP_SEC_WEBSOCKET_EXTENSIONS, extensions),
                            config->is_deflate ? &config->deflate : NULL, &params);
    if (refusal == DX_WS_ACCEPTED && deflate == DX_WS_DEFLATE_BAD)
        refusal = DX_WS_REFUSED_ANSWER_EXTENSION;
    if (refusal != DX_WS_ACCEPTED) {
        give_up(conn, dx_ws_refusal_text(refusal));
        return;
    }
    dx_ws *ws = dx_ws_new(d->worker, d->endpoint, DX_WS_CLIENT,
                          deflate == DX_WS_DEFLATE_ACCEPTED ? &params : NULL);
    if (ws == NULL) {
        give_up(conn, dx_err_text(DX_ERR_MEMORY));
        return;
    }
    ws->user = d->user;
    ws->subprotocol = subprotocol_index(d->endpoint, subprotocol);
    d->is_over = true;
    dx_ws_begin(ws, conn);
}

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    dialing *d = conn->protocol;
    dx_http_field fields[FIELDS_COUNT_MAX];
    dx_http_response_head head = {.fields = {.at = fields, .count_max = FIELDS_COUNT_MAX}};
    size_t used = 0;

    do { /* RFC 9110 §15.2: any number of interim answers may come first */
        size_t head_size = 0;
        dx_bytes in = {at + used, size - used};
        dx_http_status status =
            dx_http_response_read(&d->reader, in, DX_HTTP_GET, &head, &head_size);
        if (status == DX_HTTP_MORE)
            return used;
        if (status != DX_HTTP_OK) {
            give_up(conn, dx_http_fault_of(status)->text);
            return size;
        }
        used += head_size;
    } while (head.code < 200 && head.code != 101);
    on_head(conn, &head);
    if (d->is_over)
        free(d);
    return used;
}

static void on_open(dx_conn *conn)
{
    dialing *d = conn->protocol;
    dx_conn_write(conn, dx_bytes_at(d->request, d->request_size));
}

static void on_deadline(dx_conn *conn)
{
    dialing *d = conn->protocol;

    d->why = "the server did not answer in time";
    dx_conn_abort(conn, DX_ERR_TIMEOUT, true);
}

static void fail(dialing *d, dx_err err, const char *text)
{
    d->failed(d->user, err, d->status, d->why ? d->why : text);
    free(d);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    const char *text = why == DX_OK ? dx_err_text(DX_ERR_RESET) : dx_conn_why(conn);
    fail(conn->protocol, why == DX_OK ? DX_ERR_RESET : why, text);
}

static const dx_conn_ops conn_ops = {
    .on_bytes = on_bytes,
    .on_open = on_open,
    .on_deadline = on_deadline,
    .on_closed = on_closed,
};

/* ---- by Upgrade -------------------------------------------------------------------------------- */

static uint32_t left_ms(const dialing *d)
{
    uint64_t now_ms = dx_loop_now_ms(d->origin->net->loop);
    return d->due_ms > now_ms ? (uint32_t)(d->due_ms - now_ms) : 1;
}

/* A connection of its own. */
static dx_err connect_alone(dialing *d)
{
    dx_conn_target to = d->origin->to;
    dx_conn *conn;

    to.alpn = DX_HTTP1_ALPN;
    dx_err err = dx_conn_connect_to(d->origin->net, &to, &conn_ops, d, &conn);
    if (err == DX_OK)
        dx_conn_set_deadline(conn, left_ms(d));
    return err;
}

static void on_given(dx_http_waiter *waiter, dx_conn *conn)
{
    dialing *d = DX_CONTAINER(waiter, dialing, waiter);

    dx_conn_set_protocol(conn, &conn_ops, d);
    dx_conn_set_deadline(conn, left_ms(d));
    on_open(conn);
}

/* The server's HTTP/2 has no place for it. */
static void go_back(dialing *d)
{
    d->is_tunnel = false;
    d->origin->lacks_tunnels = true;
    dx_err err = connect_alone(d);
    if (err != DX_OK)
        fail(d, err, dx_err_text(err));
}

static bool may_go_back(const dialing *d)
{
    return d->origin->version == DX_HTTP_VERSION_AUTO;
}

/* ---- on a stream of HTTP/2 ----------------------------------------------------------------------- */

static size_t tunnel_on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    (void)conn, (void)at; /* of an answer that was refused */
    return size;
}

static void tunnel_on_end(dx_conn *conn)
{
    give_up(conn, "the server ended the WebSocket before it was open");
}

static void tunnel_on_closed(dx_conn *conn, dx_err why)
{
    dialing *d = conn->protocol;

    if (why == DX_ERR_UNSUPPORTED && may_go_back(d))
        go_back(d);
    else
        fail(d, why == DX_OK ? DX_ERR_RESET : why, dx_http2_client_why(conn));
}

static void tunnel_on_head(dx_conn *conn, const dx_http_response_head *head)
{
    dialing *d = conn->protocol;

    on_head(conn, head);
    if (d->is_over)
        free(d);
}

static const dx_conn_ops tunnel_ops = {
    .on_bytes = tunnel_on_bytes,
    .on_end = tunnel_on_end,
    .on_deadline = on_deadline,
    .on_closed = tunnel_on_closed,
};

static void open_tunnel(dialing *d, dx_http2_client *client)
{
    dx_conn *conn;

    d->is_tunnel = true;
    dx_err err =
        dx_http2_client_open(client,
                             &(dx_http2_call){.head = dx_bytes_at(d->request, d->request_size),
                                              .is_tunnel = true,
                                              .ops = &tunnel_ops,
                                              .protocol = d,
                                              .on_head = tunnel_on_head},
                             &conn);
    if (err == DX_OK)
        dx_conn_set_deadline(conn, left_ms(d));
    else
        fail(d, err, dx_err_text(err));
}

static void on_ready(dx_http_waiter *waiter, dx_http2_client *client)
{
    dialing *d = DX_CONTAINER(waiter, dialing, waiter);

    if (dx_http2_client_has_tunnels(client))
        open_tunnel(d, client);
    else if (may_go_back(d))
        go_back(d);
    else
        fail(d, DX_ERR_UNSUPPORTED,
             "the server has no WebSocket over HTTP/2 (RFC 8441): it may have it over HTTP/1.1");
}

static void on_failed(dx_http_waiter *waiter, dx_err err, const char *text)
{
    fail(DX_CONTAINER(waiter, dialing, waiter), err, text);
}

/* ---- the request ------------------------------------------------------------------------------- */

static void write_subprotocols(dx_http_writer *w, const dx_ws_endpoint *endpoint)
{
    for (size_t i = 0; i < endpoint->subprotocols_count; i++)
        dx_http_write_known(w, DX_HTTP_SEC_WEBSOCKET_PROTOCOL, endpoint->subprotocols[i]);
}

static dx_err write_request(dialing *d, const dx_ws_connect_options *options)
{
    dx_http_writer w;
    uint8_t random[16];
    const dx_ws_config *config = &options->endpoint->config;

    dx_random_fill(random, sizeof random);
    dx_ws_key_write(random, d->key);
    dx_http_writer_init(&w, d->request, HEAD_BYTES_MAX);
    dx_http_write_request(&w, DX_BYTES("GET"), options->target);
    dx_http_write_known(&w, DX_HTTP_HOST, options->authority);
    dx_http_write_known(&w, DX_HTTP_UPGRADE, DX_BYTES("websocket"));
    dx_http_write_known(&w, DX_HTTP_CONNECTION, DX_BYTES("Upgrade"));
    dx_http_write_known(&w, DX_HTTP_SEC_WEBSOCKET_KEY, dx_bytes_at(d->key, sizeof d->key));
    dx_http_write_known(&w, DX_HTTP_SEC_WEBSOCKET_VERSION, DX_BYTES(DX_WS_VERSION));
    if (options->origin.size > 0)
        dx_http_write_known(&w, DX_HTTP_ORIGIN, options->origin);
    for (size_t i = 0; i < options->headers_count; i++)
        dx_http_write_field(&w, options->headers[i].name, options->headers[i].value);
    write_subprotocols(&w, options->endpoint);
    if (config->is_deflate) {
        dx_ws_deflate_text offer;
        dx_ws_deflate_offer(&config->deflate, &offer);
        dx_http_write_known(&w, DX_HTTP_SEC_WEBSOCKET_EXTENSIONS,
                            dx_bytes_at(offer.at, offer.size));
    }
    d->request_size = dx_http_write_end(&w).size;
    if (d->request_size > 0)
        return DX_OK;
    return w.fault == DX_HTTP_WRITER_FULL ? DX_ERR_TOO_LARGE : DX_ERR_NAME;
}

static dialing *dialing_new(dx_ws_worker *worker, const dx_ws_connect_options *options)
{
    dialing *d = calloc(1, sizeof *d + HEAD_BYTES_MAX);

    if (d == NULL)
        return NULL;
    d->worker = worker;
    d->endpoint = options->endpoint;
    d->origin = options->server;
    d->user = options->user;
    d->failed = options->failed;
    d->due_ms = dx_loop_now_ms(worker->net->loop) + options->timeout_ms;
    dx_http_waiter_init(&d->waiter);
    d->waiter.is_for_tunnel = true;
    d->waiter.ready = on_ready;
    d->waiter.given = on_given;
    d->waiter.failed = on_failed;
    dx_http_reader_init(&d->reader, &DX_HTTP_LIMITS_DEFAULT);
    return d;
}

dx_err dx_ws_connect(dx_ws_worker *worker, const dx_ws_connect_options *options)
{
    dx_http_origin *origin = options->server;
    dialing *d = dialing_new(worker, options);

    dx_assert(options->failed);
    if (d == NULL)
        return DX_ERR_MEMORY;
    dx_err err = write_request(d, options);
    if (err == DX_OK && dx_http_origin_may_http2(origin) && !origin->lacks_tunnels)
        err = dx_http_origin_wait(origin, &d->waiter, options->timeout_ms);
    else if (err == DX_OK)
        err = connect_alone(d);
    if (err != DX_OK)
        free(d);
    return err;
}
