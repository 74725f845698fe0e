/* WebSockets of a client: from a URL to a session.
 * SPDX-License-Identifier: MIT */
#include "client/client.h"

#include "base/clock.h"
#include "base/sized.h"

#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 30000, MESSAGE_BYTES_MAX = 1 << 20, SUBPROTOCOLS_MAX = 32 };

struct dx_socket {
    dx_begun begun;
    dx_client *client;
    dx_arena arena;
    dx_place place;
    dx_http_origin server; /* once it was looked up */
    dx_lookup *lookup;     /* NULL: done */
    dx_ws *ws;             /* NULL: not open yet */
    dx_ws_endpoint endpoint;
    dx_ws_handler handler; /* the program's */
    dx_header *headers;
    size_t headers_count;
    dx_bytes origin;
    uint64_t due_ms; /* of now_ms */
    bool is_abandoned;
};

/* The loop's own time may be that of a turn long ago. */
static uint64_t now_ms(void)
{
    return dx_clock_ns() / 1000000;
}

static void socket_free(dx_socket *s)
{
    dx_list_remove(&s->begun.link);
    dx_lookup_forget(s->lookup);
    dx_arena_deinit(&s->arena);
    free(s);
}

static void fail(dx_socket *s, dx_err err, unsigned status, const char *text)
{
    dx_ws_handler handler = s->handler;

    socket_free(s);
    if (handler.failed)
        handler.failed(handler.context, err, status, text);
}

/* ---- the session ------------------------------------------------------------------------------ */

static dx_socket *socket_of(dx_ws *ws)
{
    return DX_CONTAINER((dx_ws_endpoint *)(uintptr_t)ws->endpoint, dx_socket, endpoint);
}

static void on_open(dx_ws *ws, void *context)
{
    dx_socket *s = socket_of(ws);

    (void)context;
    s->ws = ws;
    dx_ws_set_user(ws, NULL);
    if (s->is_abandoned)
        dx_ws_close(ws, 1000, (dx_bytes){0});
    else if (s->handler.open)
        s->handler.open(ws, s->handler.context);
}

static void on_freed(dx_ws *ws)
{
    socket_free(socket_of(ws));
}

static void on_failed(void *user, dx_err err, unsigned status, const char *text)
{
    fail(user, err, status, text);
}

/* ---- connecting ------------------------------------------------------------------------------- */

static void on_found(void *context, dx_err err, const dx_address *address)
{
    dx_socket *s = context;
    uint64_t now = now_ms();

    s->lookup = NULL;
    if (err != DX_OK || now >= s->due_ms) {
        fail(s, err == DX_OK ? DX_ERR_TIMEOUT : err, 0, "the host was not found");
        return;
    }
    s->place.to.address = *address;
    dx_http_origin_init(&s->server, &s->client->net, &s->place.to, DX_HTTP_VERSION_1_1);
    err = dx_ws_connect(&s->client->ws, &(dx_ws_connect_options){
                                            .endpoint = &s->endpoint,
                                            .server = &s->server,
                                            .authority = s->place.url.authority,
                                            .target = s->place.target,
                                            .origin = s->origin,
                                            .headers = s->headers,
                                            .headers_count = s->headers_count,
                                            .timeout_ms = (uint32_t)(s->due_ms - now),
                                            .user = s,
                                            .failed = on_failed,
                                        });
    if (err != DX_OK)
        fail(s, err, 0, dx_err_text(err));
}

static bool copy_texts(dx_socket *s, const dx_connect_options *o)
{
    dx_bytes *protocols = dx_arena_take(&s->arena, SUBPROTOCOLS_MAX * sizeof *protocols);

    if (protocols == NULL ||
        (o->origin && !dx_arena_copy(&s->arena, dx_bytes_of(o->origin), &s->origin)))
        return false;
    for (size_t i = 0; i < o->subprotocols_count; i++)
        if (!dx_arena_copy(&s->arena, dx_bytes_of(o->subprotocols[i]), &protocols[i]))
            return false;
    s->endpoint.subprotocols = protocols;
    s->endpoint.subprotocols_count = o->subprotocols_count;
    s->headers = dx_headers_copy(&s->arena, o->headers, o->headers_count);
    s->headers_count = o->headers_count;
    return s->headers != NULL;
}

static void set_handler(dx_socket *s, const dx_ws_handler *handler)
{
    s->handler = *handler;
    s->endpoint.handler = *handler;
    s->endpoint.handler.open = on_open;
}

static void configure(dx_socket *s, const dx_connect_options *o)
{
    dx_ws_config *config = &s->endpoint.config;

    *config = DX_WS_CONFIG_DEFAULT;
    config->message_bytes_max = o->message_bytes_max ? o->message_bytes_max : MESSAGE_BYTES_MAX;
    config->is_deflate = !o->is_deflate_off;
    if (o->ping_ms)
        config->ping_ms = o->ping_ms;
    s->endpoint.freed = on_freed;
    s->due_ms = now_ms() + (o->timeout_ms ? o->timeout_ms : TIMEOUT_MS);
}

/* The client ends: connections are closed afterwards, which tells those that are open. */
static void on_end(dx_begun *begun, dx_err err)
{
    dx_socket *s = DX_CONTAINER(begun, dx_socket, begun);

    if (s->lookup)
        fail(s, err, 0, dx_err_text(err));
}

dx_err dx_socket_open(dx_client *c, const char *url, const dx_ws_handler *handler,
                      const dx_connect_options *options, dx_socket **ret)
{
    dx_socket *s = calloc(1, sizeof *s);

    if (s == NULL)
        return DX_ERR_MEMORY;
    s->client = c;
    dx_client_begin(c, &s->begun, on_end);
    set_handler(s, handler);
    configure(s, options);
    dx_err err = options->subprotocols_count > SUBPROTOCOLS_MAX ? DX_ERR_NAME : DX_OK;
    if (err == DX_OK)
        err = dx_place_read(c, url, &s->arena, &s->place);
    if (err == DX_OK && !copy_texts(s, options))
        err = DX_ERR_MEMORY;
    if (err == DX_OK)
        err = dx_lookup_begin(c, &s->place, on_found, s, &s->lookup);
    if (err != DX_OK) {
        socket_free(s);
        return err;
    }
    *ret = s;
    return DX_OK;
}

void dx_socket_abandon(dx_socket *s)
{
    static const dx_ws_handler nobody = {0};

    if (s == NULL)
        return;
    set_handler(s, &nobody);
    s->is_abandoned = true;
    if (s->lookup)
        socket_free(s);
    else if (s->ws)
        dx_ws_close(s->ws, 1000, (dx_bytes){0});
}

dx_err dx_client_connect_sized(dx_client *client, const char *url, const dx_ws_handler *handler,
                               size_t handler_size, const dx_connect_options *options,
                               size_t options_size)
{
    dx_ws_handler h;
    dx_connect_options o;
    dx_socket *socket;

    if (!dx_sized_copy(&h, sizeof h, handler, handler_size) ||
        !dx_sized_copy(&o, sizeof o, options, options_size))
        return DX_ERR_UNSUPPORTED;
    return dx_socket_open(client, url, &h, &o, &socket);
}
