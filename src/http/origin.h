/* A server as its clients see it: where it is, which HTTP it speaks, and the one connection of HTTP/2 to it.
 * Is:     whom to connect to and by which version; the way to HTTP/2's connection, which requests and WebSockets
 *         share; who waits for it.
 * Is not: requests (client.h), WebSockets (ws/client.h), that connection (http2_client.h).
 * Memory: one struct of the caller's, who sets what is not private.
 * Threads: its loop's.
 * Source: RFC 9113 §3, RFC 7301.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_ORIGIN_H
#define DX_HTTP_ORIGIN_H

#include "http/alpn.h"
#include "http/http2_client.h"

typedef enum dx_http_version {
    DX_HTTP_VERSION_AUTO, /* through TLS what ALPN agrees on; in clear HTTP/1.1 */
    DX_HTTP_VERSION_1_1,
    DX_HTTP_VERSION_2, /* in clear with prior knowledge */
} dx_http_version;

/* What a client's TLS has to offer for it; NULL-terminated, static. */
const char *const *dx_http_alpn_of(dx_http_version version);

typedef struct dx_http_origin {
    dx_net *net;       /* borrowed */
    dx_conn_target to; /* what it points to must stay; its tls offers dx_http_alpn_of(version) */
    dx_http_version version;
    dx_http2_client_config http2;
    /* private */
    dx_list waiting;         /* of dx_http_waiter.link */
    dx_conn *dial;           /* the connection that is being made for them; NULL: none */
    dx_http2_client *client; /* takes new requests; NULL: none */
    dx_task served;          /* somebody waits for what is there already */
    bool lacks_tunnels; /* the server has HTTP/2, but no WebSocket there: those go by HTTP/1.1 */
} dx_http_origin;

/* net, to: as above. */
void dx_http_origin_init(dx_http_origin *origin, dx_net *net, const dx_conn_target *to,
                         dx_http_version version);
/* Ends its connection; whoever waits fails with DX_ERR_CLOSED, and may not wait again. */
void dx_http_origin_deinit(dx_http_origin *origin);

/* Whether it may come to HTTP/2 at all: else who wants something connects by itself. */
static inline bool dx_http_origin_may_http2(const dx_http_origin *origin)
{
    return origin->version == DX_HTTP_VERSION_2 ||
           (origin->version == DX_HTTP_VERSION_AUTO && origin->to.tls);
}

/* Somebody who wants something of it. One of the three is called, once, and never from inside
 * dx_http_origin_wait; it waits no more then, and may be freed. */
typedef struct dx_http_waiter {
    dx_list link;
    dx_timer timer;
    bool is_for_tunnel; /* waits for the server's SETTINGS, too */
    void (*ready)(struct dx_http_waiter *waiter, dx_http2_client *client);
    /* The server speaks HTTP/1.1: `conn`, which is open, is the waiter's. */
    void (*given)(struct dx_http_waiter *waiter, dx_conn *conn);
    /* text: borrowed. */
    void (*failed)(struct dx_http_waiter *waiter, dx_err err, const char *text);
} dx_http_waiter;

/* Before anything else. */
void dx_http_waiter_init(dx_http_waiter *waiter);

/* The connection of HTTP/2 if it is there already, and good for this waiter; NULL: wait for it. */
dx_http2_client *dx_http_origin_client(const dx_http_origin *origin, const dx_http_waiter *waiter);

/* Connects if nobody does yet, and waits at most timeout_ms.
 * Errors: as dx_conn_connect_to; it does not wait then. */
DX_MUST_USE dx_err dx_http_origin_wait(dx_http_origin *origin, dx_http_waiter *waiter,
                                       uint32_t timeout_ms);
/* Waits no more, if it does. */
void dx_http_waiter_leave(dx_http_waiter *waiter);

/* ---- for http2_client.c ---- */

/* `client` takes nothing new any more; whoever waits for its SETTINGS waits in vain. text: borrowed. */
void dx_http_origin_lose(dx_http_origin *origin, const dx_http2_client *client, dx_err err,
                         const char *text);
/* There is something for those who wait. */
void dx_http_origin_serve(dx_http_origin *origin);

#endif
