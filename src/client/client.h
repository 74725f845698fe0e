/* The client as its own layer sees it: its loop, what it has begun, names that are looked up.
 * Is:     struct dx_client; places (a URL made into an address); WebSockets that may be abandoned.
 * Is not: connections (net), requests (http/client.h), sessions (ws/client.h).
 * Memory: a client owns what it has begun; each has an arena for what it was given.
 * Threads: the client's, but for the posts of lookups.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLIENT_CLIENT_H
#define DX_CLIENT_CLIENT_H

#include "base/arena.h"
#include "codec/url.h"
#include "loop/errand.h"
#include "ws/client.h"

#include <duplex/client.h>
#include <pthread.h>

/* Something that a client has begun. */
typedef struct dx_begun {
    dx_list link;
    void (*end)(struct dx_begun *begun,
                dx_err err); /* tells its owner, and frees it, now or soon */
} dx_begun;

struct dx_client {
    dx_loop *loop;
    dx_net net;
    dx_ws_worker ws;
    dx_errands errands;
    dx_tls *tls; /* NULL until something is secure */
    char *ca, *cert, *key;
    bool is_insecure;
    dx_list begun;       /* of dx_begun.link; what stands on others before them */
    dx_list lookups;     /* of dx_lookup.link */
    dx_list lines;       /* of request.c: connections for requests */
    uint32_t idle_count; /* lines without a request */
};

void dx_client_begin(dx_client *client, dx_begun *begun, void (*end)(dx_begun *, dx_err));

/* request.c: closes the connections of requests; none is under way. */
void dx_lines_free(dx_client *client);

/* ---- places (place.c) ------------------------------------------------------------------------- */

/* Where a URL leads to. */
typedef struct dx_place {
    dx_url url;      /* views of a copy in an arena, as all below */
    dx_bytes target; /* path and query, as a request line wants them */
    const char *host;
    dx_conn_target to; /* complete when its lookup is done */
} dx_place;

/* Reads `url` into `arena`, and gets ready for TLS. Errors: as for dx_client_connect. */
DX_MUST_USE dx_err dx_place_read(dx_client *client, const char *url, dx_arena *arena,
                                 dx_place *ret);

/* Copies of header fields in `arena`. NULL when memory is out. */
dx_header *dx_headers_copy(dx_arena *arena, const dx_header *headers, size_t count);

/* ---- names (lookup.c) ------------------------------------------------------------------------- */

typedef struct dx_lookup dx_lookup;
typedef void dx_lookup_done(void *context, dx_err err, const dx_address *address);

/* Looks a host up, in a thread of its own unless it is an address. `done` follows, never from in here.
 * Errors: DX_ERR_MEMORY, DX_ERR_SYSTEM, DX_ERR_BUSY: it does not. */
DX_MUST_USE dx_err dx_lookup_begin(dx_client *client, const dx_place *place, dx_lookup_done *done,
                                   void *context, dx_lookup **ret);
/* `done` is not called any more. NULL is allowed. */
void dx_lookup_forget(dx_lookup *lookup);

/* ---- WebSockets that may be abandoned (socket.c) ----------------------------------------------- */

typedef struct dx_socket dx_socket;

/* As dx_client_connect. */
DX_MUST_USE dx_err dx_socket_open(dx_client *client, const char *url, const dx_ws_handler *handler,
                                  const dx_connect_options *options, dx_socket **ret);
/* Nothing is called any more; it is closed with 1000, when it is open at the latest. NULL is allowed. */
void dx_socket_abandon(dx_socket *socket);

#endif
