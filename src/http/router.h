/* From a path and a method to a handler.
 * Is:     patterns of literal segments, `{name}` for one segment, `**` for the rest; 405 and Allow.
 * Is not: decoding (codec/url), answering.
 * Memory: a table filled before the server starts, constant afterwards.
 * Threads: reading from any once it is filled.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_ROUTER_H
#define DX_HTTP_ROUTER_H

#include "codec/http_message.h"

#include <duplex/http.h>

enum { DX_ROUTE_PARAMETERS_MAX = 8 };

/* In dx_route.methods, beside the methods: requests that ask for a WebSocket. They go to such a route
 * before any other, whatever their method (the handshake refuses all but GET). */
#define DX_ROUTE_WEBSOCKET DX_BIT(31)

typedef struct dx_route {
    const char *pattern;   /* borrowed for the router's life: "/rooms/{room}", "/files/" + "**" */
    uint32_t methods;      /* bits DX_BIT(DX_HTTP_GET), …; GET serves HEAD too */
    size_t body_bytes_max; /* of a request: above it 413 */
    dx_exchange_handler *handle;
    void *context;
} dx_route;

/* As body_bytes_max: the handler is called before the body, and takes it in pieces (dx_exchange_receive). */
#define DX_ROUTE_STREAMED SIZE_MAX

static inline bool dx_route_is_streamed(const dx_route *route)
{
    return route->body_bytes_max == DX_ROUTE_STREAMED;
}

/* A route, its pattern cut where its first segment is that is not literal. Most paths that do not begin with
 * `literal` are told apart by its first eight bytes. */
typedef struct dx_router_entry {
    dx_route route;
    dx_bytes literal, rest;       /* rest: {NULL, 0} if all of it is literal */
    uint64_t first8, first8_mask; /* of `literal`; the mask covers as many bytes as it has */
} dx_router_entry;

typedef struct dx_router {
    dx_router_entry *entries; /* the more special first */
    size_t count;
} dx_router;

typedef struct dx_route_parameter {
    dx_bytes name, value;
} dx_route_parameter;

typedef enum dx_route_status { DX_ROUTE_OK, DX_ROUTE_NOT_FOUND, DX_ROUTE_METHOD } dx_route_status;

typedef struct dx_route_wish {
    dx_http_method method;
    bool is_websocket;
    dx_bytes path; /* decoded */
} dx_route_wish;

typedef struct dx_route_match {
    const dx_route *route;
    uint32_t
        allowed; /* of the routes that fit the path, without one that was found, or are less special */
    dx_route_parameter parameters[DX_ROUTE_PARAMETERS_MAX];
    size_t parameters_count;
} dx_route_match;

/* Adds `route`. Errors: DX_ERR_NAME (a pattern that does not start with "/", has "**" not at its end,
 * more than 8 parameters, the rest counted, or an unnamed one), DX_ERR_CONFLICT (that pattern has that method),
 * DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_router_add(dx_router *router, const dx_route *route);

void dx_router_deinit(dx_router *router);

/* Finds the route: literal segments before `{name}` before `**` (which may match nothing: "/a/" fits
 * "/a/" + "**"). ret->allowed is set whatever is found. Cost: O(routes). */
dx_route_status dx_router_find(const dx_router *router, const dx_route_wish *wish,
                               dx_route_match *ret);

#endif
