/* duplex compare by HTTP/2: the same requests as by HTTP/1.1, on streams of one connection.
 * Source: RFC 9113.
 * SPDX-License-Identifier: MIT */
#include "cli/compare.h"

/* The connection is there, with the SETTINGS of both: what it costs before the first message. */
static void on_ready(dx_http_waiter *waiter, dx_http2_client *client)
{
    (void)client;
    DX_CONTAINER(waiter, dx_compare_line, waiter)->is_open = true;
}

static void be_missing(dx_compare_line *line)
{
    line->missing = "the server does not speak HTTP/2";
    line->is_open = true;
}

static void on_given(dx_http_waiter *waiter, dx_conn *conn)
{
    dx_conn_finish(conn); /* of HTTP/1.1 */
    be_missing(DX_CONTAINER(waiter, dx_compare_line, waiter));
}

/* That somebody is there is known: the stream was made by HTTP/1.1. */
static void on_failed(dx_http_waiter *waiter, dx_err err, const char *text)
{
    dx_compare_line *line = DX_CONTAINER(waiter, dx_compare_line, waiter);

    if (err == DX_ERR_PROTOCOL || err == DX_ERR_UNSUPPORTED || err == DX_ERR_RESET)
        be_missing(line);
    else
        dx_compare_fail_by(line, err, text);
}

static void open_it(dx_compare_line *line)
{
    dx_http_waiter *w = &line->waiter;

    dx_http_waiter_init(w);
    w->is_for_tunnel = true; /* the server's SETTINGS have come, too */
    w->ready = on_ready;
    w->given = on_given;
    w->failed = on_failed;
    dx_err err = dx_http_origin_wait(&line->remote.origin, w, DX_COMPARE_PATIENCE_MS);
    if (err != DX_OK)
        dx_compare_fail_by(line, err, dx_err_text(err));
}

static void close_it(dx_compare_line *line)
{
    if (line->waiter.ready)
        dx_http_waiter_leave(&line->waiter);
}

const dx_compare_way dx_compare_http_2 = {
    .id = "http-2",
    .name = "HTTP/2",
    .open = open_it,
    .say = dx_compare_say_and_ask,
    .ask = dx_compare_ask,
    .close = close_it,
    .is_http2 = true,
};
