/* The server as its own layer sees it: what all workers share, and what each has.
 * Is:     struct dx_server, struct dx_worker; registering routes from within.
 * Is not: the doors of streams (door_*.c), the command line (cli).
 * Memory: a server owns its routes' contexts and its workers.
 * Threads: a dx_worker belongs to its loop's thread; of a dx_server everything is constant once it has
 *          started.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_SERVER_H
#define DX_SERVE_SERVER_H

#include "http/http1.h"
#include "loop/errand.h"
#include "loop/workers.h"
#include "net/handed.h"
#include "net/listener.h"
#include "net/tls_dev.h"
#include "serve/access.h"
#include "serve/admin.h"
#include "serve/access_log.h"
#include "serve/allowance.h"
#include "serve/lease.h"
#include "serve/console.h"
#include "serve/listen.h"
#include "serve/pulse.h"
#include "serve/revoked.h"
#include "serve/stats.h"
#include "serve/tokens.h"
#include "serve/watch.h"
#include "stream/hub.h"
#include "ws/server.h"

#include <duplex/server.h>
#include <pthread.h>

enum { DX_LISTEN_MAX = 16, DX_WORKERS_MAX = 256 };

/* Something the server frees when it is freed. */
typedef struct dx_server_owned {
    dx_list link;
    void (*free)(struct dx_server_owned *owned);
} dx_server_owned;

/* What an answer is to, for counting (dx_exchange.sort). */
typedef enum dx_door_sort {
    DX_SORT_OTHER, /* no stream, or not known by then */
    DX_SORT_CREATE,
    DX_SORT_PUBLISH,
    DX_SORT_READ,
    DX_SORT_LONG_POLL,
    DX_SORT_SSE,
    DX_SORT_WEBSOCKET, /* refused before the handshake */
    DX_SORT_HEAD,
    DX_SORT_PRESENCE,
    DX_SORT_DELETE,
    DX_SORT_OPTIONS,
    DX_SORTS_COUNT
} dx_door_sort;

enum { DX_STATUS_MIN = 200, DX_STATUS_MAX = 599, DX_STATUSES_COUNT = 400 };

typedef struct dx_worker_counts {
    uint64_t answers[DX_SORTS_COUNT][4]; /* by the first digit of their status, from 2 on */
    uint64_t statuses[DX_STATUSES_COUNT];
    uint64_t sse_count, waits_count; /* that go on now */
} dx_worker_counts;

struct dx_worker {
    dx_server *server;
    uint32_t index;
    dx_loop *loop;
    pid_t thread_id;
    dx_errands errands; /* the program's */
    dx_log log; /* the server's, with the worker's number */
    dx_access_log access_log;
    dx_net net;
    dx_http http, redirect; /* the latter for DX_LISTEN_REDIRECT */
    dx_ws_worker ws;
    dx_pool doors, appends; /* of door_websocket.c */
    dx_leases leases;
    struct dx_worker_listener *listeners;
    size_t listeners_count; /* opened */
    dx_post drain_post;
    dx_timer drain_tick;
    uint64_t drain_due_ms; /* loop time; 0: not draining */
    bool is_told;          /* its connections were told that it drains */
    bool is_drained;       /* its last connection has gone */
    dx_list visits;        /* of admin_streams.c */
    bool visits_are_over;
    dx_worker_counts counts;
};

/* One of a worker's listening sockets. */
typedef struct dx_worker_listener {
    dx_listener listener;
    const dx_listen *listen;
} dx_worker_listener;

/* What was seen of the store last (health.c). */
typedef struct dx_health {
    dx_timer timer; /* on worker 0 */
    dx_server *server;
    uint8_t status; /* dx_store_status */
} dx_health;

struct dx_server {
    char *listen;
    char *loop_name, *log_level, *log_format, *access_log;
    char *subject_header, *trusted_from, *origins;
    char *data;      /* "": none */
    dx_store *store; /* NULL: nothing is kept on disk */
    dx_health health;
    dx_trust trust; /* what these say, once it has started */
    dx_server_options options;
    bool is_asked_too_much; /* the program uses options of a later version */
    dx_log log;
    atomic_uint access_log_policy;
    dx_loop_kind loop_kind;
    dx_router router;
    dx_ws_config ws_config; /* of all endpoints */
    dx_http_config http_config;
    dx_list owned;          /* of dx_server_owned.link */
    dx_listen listens[DX_LISTEN_MAX];
    size_t listens_count;
    dx_tls_pair *pairs; /* as configured: pairs_count of them, copies */
    size_t pairs_count;
    char *tls_dev;      /* the directory of the development certificate; NULL: none */
    dx_tls *tls;        /* what these are once it has started; NULL: no TLS */
    char *client_ca, *client_mode, *client_name; /* "": as if not given */
    bool tls_asks_clients;
    const char *tls_files[2 * DX_TLS_PAIRS_MAX + 1]; /* that it was loaded from: tls_files_count of them */
    size_t tls_files_count;
    uint64_t tls_state; /* what they were like then (watch.h) */
    dx_tls_dev dev;     /* of tls_dev */
    pthread_mutex_t reload_lock; /* one reads them at a time */
    dx_watch *watch;    /* of tls_files; NULL: no TLS */
    char **token_keys;  /* as configured: token_keys_count of them */
    size_t token_keys_count;
    char *token_audience, *token_cookie, *revocations; /* "": none */
    dx_tokens *tokens;  /* once it has started; NULL: tokens are not looked at */
    const char *const *token_files; /* of tokens */
    size_t token_files_count;
    uint64_t token_state;
    dx_watch *token_watch;
    dx_revoked revoked;
    bool has_revoked;
    dx_allowances allowances;
    char *redirect;     /* addresses; "": none */
    dx_router redirect_router;
    uint16_t https_port;    /* of the first address with TLS */
    uint16_t redirect_port; /* the same for who came to port 80: 443 if none of ours is that, which then was
                               mapped to another, and so is 443 */
    /* [address][slot]: a socket is looked after by worker `slot` modulo their number; -1: there is none, or
     * the worker has it. handles: the same, and they stay */
    int *fds, *handles;
    uint32_t slots_count;
    char names[DX_LISTEN_MAX][DX_HANDED_NAME_BYTES]; /* of the sockets of an address, for the next process */
    dx_handed *handed;   /* those of the process before; borrowed while it starts; NULL: none */
    bool is_handed_over; /* the next process has them */
    uint32_t workers_count;
    dx_worker *worker;   /* workers_count of them */
    dx_workers *workers; /* their threads; NULL before start */
    dx_streams *streams;
    _Atomic(dx_pulse *) pulse; /* NULL: nobody looks whether workers turn */
    uint32_t stuck_ms; /* when one does not; 0: DX_PULSE_STUCK_MS */
    void (*on_turning)(void *context); /* set before it starts: called each second while all workers turn, by a
                                          thread of the server's; NULL: not wanted */
    void *turning_context;
    dx_stats *stats; /* NULL: none; owned */
    dx_console *console; /* the same */
    dx_admin admin;
    atomic_uint drain_ms, drained_count;
    atomic_bool is_draining, is_stopped;
    bool is_joined; /* by dx_server_wait */
};

/* As dx_server_route; `route` and its pattern are copied. */
dx_err dx_server_add_route(dx_server *server, const dx_route *route);

/* A copy of `text` that is freed with the server. NULL when memory is out. */
const char *dx_server_copy(dx_server *server, const char *text);

/* Frees `owned` with the server. */
void dx_server_own(dx_server *server, dx_server_owned *owned, void (*free_it)(dx_server_owned *));

/* The worker that `x` or a loop belongs to. */
dx_worker *dx_worker_of(const dx_exchange *x);

/* What dx_server_streams takes: it begins and ends with "/", of its segments one may be {sub}, and none has
 * other marks of a pattern. */
bool dx_stream_prefix_is_good(const char *prefix);
/* streams.c: whether there are namespaces that want a store; and what becomes of them. */
bool dx_server_wants_store(const dx_server *server);
void dx_server_settle_streams(dx_server *server);
/* A dx_namespace_finder of a server that has started. */
const dx_namespace *dx_server_namespace_of(void *server, dx_bytes path);

/* door_websocket.c: sizes for the worker's pools */
size_t dx_door_bytes(void);
size_t dx_door_append_bytes(void);
/* Closes a session because the server goes away; one of duplex.v1 is told when to come back. Any other
 * session is closed, too. */
void dx_door_websocket_drain(dx_ws *ws);

/* server_tls.c */
DX_MUST_USE bool dx_server_copy_tls(dx_server *server);
void dx_server_forget_tls(dx_server *server);
dx_err dx_server_start_tls(dx_server *server);
/* Sees from now on when the files change. */
dx_err dx_server_watch_tls(dx_server *server);

/* server_tokens.c */
DX_MUST_USE bool dx_server_copy_tokens(dx_server *server);
void dx_server_forget_tokens(dx_server *server);
DX_MUST_USE dx_err dx_server_start_tokens(dx_server *server);
void dx_server_end_tokens(dx_server *server);
DX_MUST_USE dx_err dx_server_watch_tokens(dx_server *server);
dx_err dx_server_reload_tokens(dx_server *server);

/* redirect.c: its route; and where it leads to, once the addresses are known. */
DX_MUST_USE dx_err dx_server_start_redirect(dx_server *server);
void dx_server_settle_redirect(dx_server *server);

/* sockets.c: opens all, or takes them from `handed`; for one more, the same. Errors: as dx_server_start. */
DX_MUST_USE dx_err dx_server_open_sockets(dx_server *server);
DX_MUST_USE dx_err dx_server_open_socket(dx_server *server, const char *name, dx_address *address, int *ret);
void dx_server_close_sockets(dx_server *server);

/* dx_server_start in two halves: between them it has its sockets, and has touched no data. handed: borrowed until
 * dx_server_begin; NULL: none. */
DX_MUST_USE dx_err dx_server_prepare(dx_server *server, dx_handed *handed);
DX_MUST_USE dx_err dx_server_begin(dx_server *server);

/* Duplicates of its listening sockets, while it runs. Errors: DX_ERR_CLOSED (it drains), DX_ERR_FILES, DX_ERR_MEMORY.
 * And draining for one who has them. */
DX_MUST_USE dx_err dx_server_hand_sockets(dx_server *server, dx_handed *ret);
void dx_server_hand_over(dx_server *server, uint32_t timeout_ms);
/* After dx_server_wait: lets go of the data. Only the log is left. */
void dx_server_close(dx_server *server);

/* health.c: for worker 0, on its thread; and when the workers have ended */
void dx_health_begin(dx_server *server);
void dx_health_end(dx_server *server);
void dx_health_log_store(const dx_server *server);

/* worker.c, for server.c */
dx_err dx_worker_start(dx_loop *loop, uint32_t index, void *server);
void dx_worker_end(dx_loop *loop, uint32_t index, void *server);
void dx_worker_drain(dx_worker *worker);
/* What must outlive the streams. */
void dx_worker_deinit(dx_worker *worker);

#endif
