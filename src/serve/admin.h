/* The admin listener: an address for those who run the server, apart from what it serves.
 * Is:     its thread, its address, its routes, who may use them.
 * Is not: what is answered there (health.c, …).
 * Memory: one struct in the server; its thread exists if there is an address.
 * Threads: a thread of its own with a loop of its own, so that it answers when a worker does not. Routes are
 *          added before the server starts.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_ADMIN_H
#define DX_SERVE_ADMIN_H

#include "http/http1.h"
#include "loop/workers.h"
#include "net/handed.h"
#include "net/listener.h"
#include "serve/listen.h"

#include <duplex/server.h>

enum { DX_ADMIN_TOKEN_BYTES_MIN = 16, DX_ADMIN_TOKEN_BYTES_MAX = 512 };

typedef struct dx_admin_door dx_admin_door; /* admin_streams.c */

typedef struct dx_admin {
    struct dx_server *server;
    char *address, *token_file; /* as configured; "" or "none": there is none */
    bool is_optional;           /* to be done without if the address is in use */
    dx_router routes;           /* what may be asked for */
    dx_router all;              /* one route: whoever asks must pass the guard */
    dx_router streams;          /* what a worker looks in (admin_streams.c), */
    dx_admin_door *doors;       /* and what is found */
    uint32_t visits_count;      /* requests that are on their way to a worker, or back */
    dx_listen listen;
    int fd;             /* -1: not open, or the listener has it */
    int handle;         /* the same, and stays; -1: there is none */
    char name[DX_HANDED_NAME_BYTES]; /* of the socket, for the next process */
    dx_workers *thread; /* one; NULL: none */
    dx_loop *loop;
    dx_net net;
    dx_http http;
    dx_listener listener;
    bool is_stopped; /* its thread was joined */
    bool
        is_guarded; /* browsers may reach it, and nothing else keeps their pages out: Host counts */
    size_t token_size; /* 0: none is asked for */
    uint8_t token[DX_ADMIN_TOKEN_BYTES_MAX];
} dx_admin;

/* Who may use a route of the admin listener. */
typedef enum dx_admin_who {
    DX_ADMIN_HOLDER, /* who has the token, if there is one */
    DX_ADMIN_ANYONE, /* for what says nothing about what is served: pages that ask for the token, health */
} dx_admin_who;

/* Adds a route, as dx_server_route does: `handle` runs on the admin thread, its loop's owner is the dx_admin,
 * no dx_worker. A request's body is at most 1 MiB. Without an admin address it is never called.
 * Errors: as dx_server_route. */
dx_err dx_server_admin_route(struct dx_server *server, const dx_route *route, dx_admin_who who);

/* ---- for server.c ---- */

DX_MUST_USE bool dx_admin_init(dx_admin *admin, struct dx_server *server);
void dx_admin_deinit(dx_admin *admin);
/* Reads the address and the token, opens the socket. Errors: as dx_server_start; the log says why. */
DX_MUST_USE dx_err dx_admin_open(dx_admin *admin);
/* Starts the thread, when the workers run. */
DX_MUST_USE dx_err dx_admin_start(dx_admin *admin);
/* Says where it is. */
void dx_admin_log_address(const dx_admin *admin);
/* Ends it, when they do not run any more. */
void dx_admin_stop(dx_admin *admin);
/* Back to before dx_admin_open; when workers and streams are freed: what they still answer is answered. */
void dx_admin_close(dx_admin *admin);

/* admin_guard.c: lets a request through to the routes, or answers it. admin: a dx_admin */
void dx_admin_handle(dx_exchange *x, void *admin);
/* Whether the request shows the token, if one is asked for; else it was answered with 401. */
bool dx_admin_holds_token(dx_exchange *x, const dx_admin *admin);
/* Reads the token. Errors: DX_ERR_NOT_FOUND, DX_ERR_DENIED, DX_ERR_NAME (no good token), DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_admin_read_token(dx_admin *admin);

#endif
