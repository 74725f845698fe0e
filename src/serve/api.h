/* /api/v1 on the admin listener: the server and its streams, for programs that look after them.
 * Is:     listing, describing and deleting streams, publishing to many, draining; src/serve/openapi.json says how.
 * Is not: one stream's messages (the doors), figures (stats.h), certificates and tokens.
 * Memory: one operation for each request under way; a listing has at most 1000 rows for each worker.
 * Threads: the admin thread's; what it asks of streams is asked on workers, by posts.
 * Source: OpenAPI 3.1, RFC 9457.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_API_H
#define DX_SERVE_API_H

#include "serve/server.h"

/* What its requests share, on the admin thread. */
typedef struct dx_api {
    dx_server_owned owned;
    dx_server *server;
    size_t publishes_count; /* messages under way */
} dx_api;

/* Adds the routes. Errors: as dx_server_route. */
DX_MUST_USE dx_err dx_server_api(dx_server *server);
/* api_publish.c, of the same */
void dx_api_publish(dx_exchange *x, void *api);

#endif
