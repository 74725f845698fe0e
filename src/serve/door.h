/* The doors of a stream: what HTTP and WebSocket have in common.
 * Is:     the namespace a route serves, names, positions, problems.
 * Is not: the doors themselves (door_http.c, door_websocket.c).
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_DOOR_H
#define DX_SERVE_DOOR_H

#include "serve/server.h"
#include "stream/hub.h"

/* A prefix with streams: the context of its routes. */
typedef struct dx_stream_route {
    dx_server_owned owned;
    dx_server *server;
    dx_namespace ns;
    dx_ws_endpoint endpoint;
    char prefix[];
} dx_stream_route;

/* Route handlers. */
void dx_door_post(dx_exchange *x, void *route);
void dx_door_get(dx_exchange *x, void *route);
void dx_door_websocket(dx_exchange *x, void *route);

/* The endpoint of the WebSocket door. */
void dx_door_websocket_init(dx_ws_endpoint *endpoint, const dx_ws_config *config);

/* False: the path is no stream's name; it was answered with 400. */
bool dx_door_check_name(dx_exchange *x, const dx_stream_route *route);

/* Reads `?offset=`; `otherwise` if there is none. False: answered with 400. */
bool dx_door_position(dx_exchange *x, dx_offset_kind otherwise, dx_position *ret);

/* Answers what went wrong with a stream (any status but OK). `read` is NULL where nothing was read. */
void dx_door_problem(dx_exchange *x, dx_stream_status status, const dx_stream_info *info);

/* What a Content-Type means for a stream. */
dx_stream_kind dx_door_kind(dx_bytes type);

#endif
