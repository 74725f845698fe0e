/* A server for tests of HTTP/1.1.
 * SPDX-License-Identifier: MIT */
#include "http/test_site.h"

#include "codec/http_chunk.h"

#include <stdio.h>

enum { BODY_BYTES_MAX = 1000 };

static void note(site *s, const dx_exchange *x)
{
    s->handled++;
    snprintf(s->seen, sizeof s->seen, "%.*s", DX_FORMAT(dx_exchange_path(x)));
}

static void on_hello(dx_exchange *x, void *context)
{
    note(context, x);
    dx_exchange_respond(x, &(dx_response){.type = DX_BYTES("text/plain"), .body = DX_BYTES("hello")});
}

static void on_number(dx_exchange *x, void *context)
{
    note(context, x);
    dx_exchange_respond(x, &(dx_response){.body = dx_exchange_parameter(x, "n")});
}

static void on_echo(dx_exchange *x, void *context)
{
    note(context, x);
    dx_exchange_respond(x, &(dx_response){.body = dx_exchange_body(x)});
}

static void forget(site *s, const dx_exchange *x)
{
    for (size_t i = 0; i < s->later_count; i++)
        if (s->later[i] == x) {
            memmove(&s->later[i], &s->later[i + 1], (s->later_count - i - 1) * sizeof s->later[0]);
            s->later_count--;
            return;
        }
}

static void on_gone(dx_exchange *x, void *context)
{
    site *s = context;

    s->gone++;
    forget(s, x);
}

static void on_later(dx_exchange *x, void *context)
{
    site *s = context;

    note(s, x);
    dx_assert(s->later_count < SITE_LATER_MAX);
    s->later[s->later_count++] = x;
    dx_exchange_on_gone(x, on_gone, s);
}

static void on_status(dx_exchange *x, void *context)
{
    unsigned status = dx_bytes_equal(dx_exchange_path(x), DX_BYTES("/204")) ? 204 : 304;

    note(context, x);
    dx_exchange_respond(x, &(dx_response){.status = status, .body = DX_BYTES("never sent")});
}

static void on_bad(dx_exchange *x, void *context)
{
    static const dx_header headers[] = {{DX_BYTES("X-Bad"), DX_BYTES("a\r\nX-Injected: b")}};

    note(context, x);
    dx_exchange_respond(x, &(dx_response){.headers = headers,
                                          .headers_count = DX_COUNT(headers),
                                          .body = DX_BYTES("must not be seen")});
}

static void upgrade(site *s, dx_exchange *x)
{
    static const dx_header headers[] = {{DX_BYTES("Upgrade"), DX_BYTES("probe")}};

    s->upgraded.conn = x->ops->upgrade(x, headers, DX_COUNT(headers));
    dx_conn_set_protocol(s->upgraded.conn, &probe_ops, &s->upgraded);
}

static void on_upgrade(dx_exchange *x, void *context)
{
    note(context, x);
    upgrade(context, x);
}

void site_answer(site *s, const char *text)
{
    dx_exchange *x = site_take_later(s);

    dx_assert(x != NULL);
    if (dx_bytes_equal(dx_exchange_path(x), DX_BYTES("/upgrade-later")))
        upgrade(s, x);
    else
        dx_exchange_respond(x, &(dx_response){.body = dx_bytes_of(text)});
}

dx_exchange *site_take_later(site *s)
{
    dx_exchange *x = s->later_count ? s->later[0] : NULL;

    forget(s, x);
    return x;
}

void site_init(site *s, const dx_http_config *config, const dx_net_limits *limits)
{
    const uint32_t get = DX_BIT(DX_HTTP_GET), post = DX_BIT(DX_HTTP_POST);
    const dx_route routes[] = {
        {"/hello", get, 0, on_hello, s},
        {"/n/{n}", get, 0, on_number, s},
        {"/echo", post, BODY_BYTES_MAX, on_echo, s},
        {"/later", get | post, BODY_BYTES_MAX, on_later, s},
        {"/stream", get, 0, on_later, s},
        {"/204", get, 0, on_status, s},
        {"/304", get, 0, on_status, s},
        {"/bad", get, 0, on_bad, s},
        {"/both", get | post, 100, on_hello, s},
        {"/both", DX_ROUTE_WEBSOCKET, 0, on_upgrade, s},
        {"/post-and-ws", post, 100, on_hello, s},
        {"/post-and-ws", DX_ROUTE_WEBSOCKET, 0, on_upgrade, s},
        {"/ws", DX_ROUTE_WEBSOCKET, 0, on_upgrade, s},
        {"/upgrade", get, 0, on_upgrade, s},
        {"/upgrade-later", get, 0, on_later, s},
    };

    memset(s, 0, sizeof *s);
    world_init(&s->w, limits);
    for (size_t i = 0; i < DX_COUNT(routes); i++)
        dx_assert(dx_router_add(&s->router, &routes[i]) == DX_OK);
    dx_err err = dx_http_init(&s->http, &s->w.net, &s->router, config ? config : &DX_HTTP_CONFIG_DEFAULT);
    dx_assert(err == DX_OK);
}

void site_deinit(site *s)
{
    for (int i = 0; i < 1000 && s->w.net.conns_count > 0; i++)
        dx_loop_step(s->w.loop, 10);
    dx_http_deinit(&s->http);
    dx_router_deinit(&s->router);
    world_deinit(&s->w);
    s->upgraded.conn = NULL;
    probe_deinit(&s->upgraded);
}

static void connect_with(site *s, peer *p, void (*make)(int ret[2]))
{
    int fds[2];

    make(fds);
    peer_open(p, fds[1]);
    dx_http1_accept(&s->http, fds[0], NULL);
}

void site_connect(site *s, peer *p)
{
    connect_with(s, p, socket_pair);
}

void site_connect_tcp(site *s, peer *p)
{
    connect_with(s, p, tcp_pair);
}

void site_ask(site *s, peer *p, dx_bytes request, size_t split)
{
    dx_bytes first;

    site_connect(s, p);
    if (split > 0 && dx_bytes_take(&request, split, &first)) {
        peer_write(&s->w, p, first);
        dx_loop_step(s->w.loop, 0);
    }
    peer_write(&s->w, p, request);
    peer_finish(p);
    for (int i = 0; i < 1000 && !p->is_ended && !p->is_reset; i++) {
        dx_loop_step(s->w.loop, 5);
        peer_read(p, SIZE_MAX);
    }
}

/* ---- responses -------------------------------------------------------------------------------- */

static bool chunks_end(dx_bytes *in)
{
    dx_http_chunks chunks;
    dx_bytes piece;

    dx_http_chunks_init(&chunks);
    for (;;) {
        dx_http_status status = dx_http_chunk_read(&chunks, in, &piece);
        if (status != DX_HTTP_DATA)
            return status == DX_HTTP_END;
    }
}

bool response_next(dx_bytes *in, bool to_head, response *ret)
{
    dx_http_field fields[100];
    dx_http_response_head head = {.fields = {.at = fields, .count_max = DX_COUNT(fields)}};
    dx_http_reader reader;
    size_t size = 0;

    dx_http_reader_init(&reader, &DX_HTTP_LIMITS_DEFAULT);
    if (dx_http_response_read(&reader, *in, to_head ? DX_HTTP_HEAD : DX_HTTP_GET, &head, &size) !=
        DX_HTTP_OK)
        return false;
    dx_bytes rest = *in, begin;
    *ret = (response){.code = head.code,
                      .keep_alive = head.framing.keep_alive,
                      .is_chunked = head.framing.body == DX_HTTP_BODY_CHUNKED};
    dx_assert(dx_bytes_take(&rest, size, &ret->head));
    begin = rest;
    if (ret->is_chunked) {
        if (!chunks_end(&rest))
            return false;
    } else if (head.framing.body == DX_HTTP_BODY_LENGTH) {
        if (rest.size < head.framing.content_length)
            return false;
        dx_bytes_skip(&rest, (size_t)head.framing.content_length);
    } else if (head.framing.body == DX_HTTP_BODY_CLOSE) {
        rest.size = 0;
        rest.at = begin.at + begin.size;
    }
    ret->body = (dx_bytes){begin.at, begin.size - rest.size};
    *in = rest;
    return true;
}

int count_text(peer *p, const char *text)
{
    int count = 0;

    for (const char *at = peer_text(p); (at = strstr(at, text)) != NULL; at += strlen(text))
        count++;
    return count;
}
