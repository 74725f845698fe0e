/* From http to https: every request is answered with the URL to use instead.
 * Is not: for requests that could be answered, which are elsewhere.
 * Memory: the answer's, in the exchange's arena.
 * Source: RFC 9110 §15.4.9; RFC 6797 §7.2.
 * SPDX-License-Identifier: MIT */
#include "codec/url.h"
#include "serve/server.h"

#include "base/assert.h"

#include <stdio.h>

enum {
    HOST_BYTES_MAX = 255,
    BODY_BYTES_MAX = 1048576, /* which is read and dropped */
    HTTP_PORT = 80,
    HTTPS_PORT = 443,
};

/* What stands before the path: "https://", host in its brackets, port. Host was checked by the grammar when the
 * head was read: there is nothing in it that could end a field. */
static bool write_authority(dx_buffer *to, dx_bytes host, uint16_t port)
{
    char text[8] = "";
    bool is_literal = dx_bytes_find(host, ':') < host.size;

    if (port != HTTPS_PORT)
        snprintf(text, sizeof text, ":%u", port);
    return dx_buffer_append(to, DX_BYTES("https://")) &&
           dx_buffer_append(to, is_literal ? DX_BYTES("[") : DX_BYTES("")) &&
           dx_buffer_append(to, host) &&
           dx_buffer_append(to, is_literal ? DX_BYTES("]") : DX_BYTES("")) &&
           dx_buffer_append(to, dx_bytes_of(text));
}

static bool is_token(dx_bytes name)
{
    return dx_bytes_equal(name, DX_BYTES("token"));
}

static bool has_token(dx_bytes query)
{
    dx_bytes name, value;

    while (dx_url_query_next(&query, &name, &value))
        if (is_token(name))
            return true;
    return false;
}

/* A token that came in clear is not repeated: answers are kept by caches, and shown in logs of others. */
static bool write_target(dx_buffer *to, const dx_exchange *x)
{
    dx_bytes query = x->head.query, name, value;
    bool ok = dx_buffer_append(to, x->head.path), is_first = true;

    if (!has_token(query))
        return ok && (query.at == NULL ||
                      (dx_buffer_append(to, DX_BYTES("?")) && dx_buffer_append(to, query)));
    while (ok && dx_url_query_next(&query, &name, &value)) {
        if (is_token(name))
            continue;
        ok = dx_buffer_append(to, is_first ? DX_BYTES("?") : DX_BYTES("&")) &&
             dx_buffer_append(to, name) &&
             (value.at == NULL ||
              (dx_buffer_append(to, DX_BYTES("=")) && dx_buffer_append(to, value)));
        is_first = false;
    }
    return ok;
}

static void answer(dx_exchange *x, dx_bytes location)
{
    const dx_header header = {DX_BYTES("Location"), location};

    dx_exchange_respond(x, &(dx_response){.status = 308,
                                          .type = DX_BYTES("text/plain"),
                                          .headers = &header,
                                          .headers_count = 1,
                                          .body = DX_BYTES("Use https://.\n")});
}

static void handle(dx_exchange *x, void *context)
{
    const dx_server *s = context;
    dx_buffer location = {0};
    dx_bytes host;
    uint16_t port;

    if (!dx_url_authority_read(x->head.host, &host, &port) || host.size > HOST_BYTES_MAX) {
        dx_exchange_problem(
            x, 400, "The request must say in Host which host it is for, with at most 255 bytes.");
        return;
    }
    uint16_t to = port == 0 || port == HTTP_PORT ? s->redirect_port : s->https_port;
    if (write_authority(&location, host, to) && write_target(&location, x))
        answer(x, dx_buffer_view(&location));
    else
        dx_exchange_problem(x, 503, "Out of memory, try again later.");
    dx_buffer_clear(&location);
}

/* ---- starting --------------------------------------------------------------------------------- */

static uint32_t all_methods(void)
{
    uint32_t all = DX_ROUTE_WEBSOCKET;

    for (unsigned m = DX_HTTP_GET; m < DX_HTTP_METHOD_COUNT; m++)
        if (m != DX_HTTP_CONNECT && m != DX_HTTP_TRACE)
            all |= DX_BIT(m);
    return all;
}

/* The first address with TLS and a port; NULL: there is none. */
static const dx_listen *https_listen(const dx_server *s)
{
    for (size_t i = 0; i < s->listens_count; i++)
        if (dx_listen_is_tls(&s->listens[i], s->tls != NULL) &&
            s->listens[i].address.any.sa_family != AF_UNIX)
            return &s->listens[i];
    return NULL;
}

dx_err dx_server_start_redirect(dx_server *s)
{
    if (s->redirect[0] == '\0' || s->redirect_router.count > 0)
        return DX_OK;
    if (https_listen(s) == NULL) {
        dx_log_write(
            &s->log, DX_LOG_ERROR,
            "--redirect leads to https://, and no address is: --tls-cert FILE --tls-key FILE are needed");
        return DX_ERR_NAME;
    }
    return dx_router_add(&s->redirect_router,
                         &(dx_route){"/**", all_methods(), BODY_BYTES_MAX, handle, s});
}

void dx_server_settle_redirect(dx_server *s)
{
    const dx_listen *https = https_listen(s);

    s->https_port = https ? dx_address_port(&https->address) : 0;
    s->redirect_port = HTTPS_PORT;
    for (size_t i = 0; i < s->listens_count; i++)
        if (s->listens[i].security == DX_LISTEN_REDIRECT &&
            dx_address_port(&s->listens[i].address) == HTTP_PORT)
            s->redirect_port = s->https_port;
}
