/* A server: addresses, routes, workers.
 * Is:     making it, telling it what to serve, running and stopping it.
 * Is not: what a handler does (http.h, websocket.h), signals (the program's).
 * Memory: strings given here are copied.
 * Threads: set it up on one thread, then run it; dx_server_stop and dx_server_drain from any.
 * SPDX-License-Identifier: MIT */
#ifndef DUPLEX_SERVER_H
#define DUPLEX_SERVER_H

#include <duplex/alarm.h>
#include <duplex/http.h>
#include <duplex/websocket.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dx_server dx_server;

/* PEM files: a certificate, behind it those that lead to its authority; and its private key. */
typedef struct dx_tls_files {
    const char *cert, *key;
} dx_tls_files;

/* Everything may be left zero. */
typedef struct dx_server_options {
    const char *listen;         /* addresses, separated by blanks; NULL: "127.0.0.1:4437". Forms: HOST:PORT,
                                   [IPV6]:PORT, mptcp:HOST:PORT, sctp:HOST:PORT, unix:/PATH, unix:@NAME;
                                   port 0: the kernel chooses, the log tells. With http:// or https:// in
                                   front: in clear or through TLS; else TLS if there is a certificate, but
                                   for unix sockets */
    const char *loop;           /* "auto" (default), "epoll" or "io_uring" */
    const char *log_level;      /* "error", "warn", "info" (default) or "debug"; lines go to stderr, written by
                                   a thread of the log's own: a reader that is slow loses some */
    uint32_t workers;           /* 1 to 256; 0: one per core */
    uint32_t message_bytes_max; /* of a WebSocket message; 0: 65536; at most 1 GiB */
    bool is_deflate_off;        /* no permessage-deflate */
    uint32_t ping_ms;           /* silence of a WebSocket after which it is asked for a sign of life; 0: 25 s */
    uint32_t idle_ms;           /* an HTTP connection stays open between requests; 0: 75 s */
    uint32_t http2_streams_max; /* requests and WebSockets at once on an HTTP/2 connection; 0: 100 */
    bool is_http2_off;          /* HTTP/1.1 only */
    uint32_t wait_ms;           /* a long-poll on a stream that says nothing else; 0: 20 s */
    /* A request's header field that names who is asking: believed if the peer is in trusted_from, such as
     * a proxy that has checked it and sets or removes the field in every request. NULL: nobody is known. */
    const char *subject_header;
    const char *trusted_from; /* networks, separated by blanks: ADDRESS, ADDRESS/BITS or unix */
    const char *origins;      /* whose pages may use streams, by HTTP and WebSocket, besides those of the same
                                 host, separated by blanks: https://HOST[:PORT], or "*": all; NULL: none */
    const char *data; /* the directory for streams that are kept on disk, made if missing; NULL: there is none,
                         such streams are kept in memory */
    /* Certificates for TLS 1.2 and 1.3, at most 64: a client gets the first that is for the name it asks for,
     * else the first of all. */
    const dx_tls_files *tls;
    size_t tls_count;
    /* A directory where a certificate for localhost and its authority are made, and kept for the next time;
     * for development only. The log says how to trust it. NULL: none. */
    const char *tls_dev;
    /* Clients show a certificate that leads to one in this PEM file (of authorities, or of the clients
     * themselves), and are known by a name in it. NULL: they are not asked. */
    const char *tls_client_ca;
    const char *tls_client;      /* "required" (default); "optional": who has none may come, too; "off" */
    const char *tls_client_name; /* the name in it: "cn" (default), the common name; of the alternative names
                                    "email", "uri" or "dns". There must be exactly one */
    /* Addresses as for `listen`, where every request is answered with 308 and the same URL behind https://.
     * NULL: none. */
    const char *redirect;
    /* No threads: it runs when the program calls dx_server_step, beside another event loop or in a loop of
     * its own; with one worker, by epoll. (The store, the log and the admin listener have threads of their own
     * all the same.) */
    bool is_stepped;
    /* Gets the lines of the log instead of stderr. level: "error", "warn", "info", "debug"; text: borrowed,
     * without a line feed or other control bytes. Any thread, several at once. It may not call the server. */
    void (*log)(void *context, const char *level, const char *text);
    void *log_context;
    /* An address for those who run the server, as one of `listen`; what is answered there a thread of its own
     * answers. In clear, but with https:// in front. NULL or "none": there is none. One that others than this
     * machine can reach needs a token. */
    const char *admin;
    bool is_admin_optional; /* if its address is in use, the server starts without one, and the log says so */
    /* A file with one line, 16 to 512 visible characters: asked for there, as "Authorization: Bearer TOKEN".
     * NULL: whoever can reach the address may use it, but pages in a browser. */
    const char *admin_token_file;
    /* Tokens (JWT) are checked by the keys in these files, PEM, JWK or JWKS; "ISSUER=FILE": for tokens of this
     * issuer alone. At most 16. Read again when they change. None: tokens are not looked at. */
    const char *const *token_keys;
    size_t token_keys_count;
    const char *token_audience; /* NULL: a token must have no aud; else one that is, or has, this */
    const char *token_cookie;   /* the cookie that a token may come in, too; NULL: none */
    const char *revocations;    /* the file that keeps them; NULL: they end with the server */
    const char *log_format; /* "auto" (default): "logfmt" on a terminal, else "json" */
    /* Which answers have a line in the log, 1000 a second at most: "off" (default); "errors", those from 400 on;
     * "all"; "N%" such as "0.5%", so many of them, and all from 500 on. Their queries are never logged. */
    const char *access_log;
} dx_server_options;

/* Makes a server, given to the caller. options: borrowed; NULL for all defaults. What is wrong with them
 * is told by dx_server_start. NULL when memory is out. */
DX_API DX_MUST_USE dx_server *dx_server_new_sized(const dx_server_options *options,
                                                  size_t options_size);
DX_MUST_USE static inline dx_server *dx_server_new(const dx_server_options *options)
{
    return dx_server_new_sized(options, sizeof *options);
}

/* Frees it, stopping it first if it runs. NULL is allowed. */
DX_API void dx_server_free(dx_server *server);

/* Serves requests with `method` ("GET", …, "*" for all that HTTP/1.1 knows) on paths that fit `pattern`:
 * literal segments, "{name}" for one segment, "**" at the end for the rest. GET serves HEAD too. A
 * request's body is gathered before the handler is called, up to 1 MiB.
 * Errors: DX_ERR_NAME (pattern or method), DX_ERR_CONFLICT (it has one), DX_ERR_MEMORY. */
DX_API dx_err dx_server_route(dx_server *server, const char *method, const char *pattern,
                              dx_exchange_handler *handler, void *context);

/* The same for bodies of any size: the handler is called when the request's head has come, and takes the body in
 * pieces (dx_exchange_receive), or answers without it.
 * Errors: as above. */
DX_API dx_err dx_server_route_streamed(dx_server *server, const char *method, const char *pattern,
                                       dx_exchange_handler *handler, void *context);

/* Serves WebSocket on paths that fit `pattern`, beside other routes for the same pattern. handler: copied.
 * Errors: as above. */
DX_API dx_err dx_server_websocket_sized(dx_server *server, const char *pattern,
                                        const dx_ws_handler *handler, size_t handler_size);
static inline dx_err dx_server_websocket(dx_server *server, const char *pattern,
                                         const dx_ws_handler *handler)
{
    return dx_server_websocket_sized(server, pattern, handler, sizeof *handler);
}

/* WebSockets of one server that are sent the same messages, from any thread: the players of a game, those who
 * look at one thing. What is to be read later, too, belongs into a stream (stream.h). */
typedef struct dx_ws_group dx_ws_group;

/* Makes a group, before the server is started; it is freed with the server. NULL when memory is out. */
DX_API DX_MUST_USE dx_ws_group *dx_server_group(dx_server *server);

/* In a callback of `ws`: it is in the group from now on, until it is taken out, by the program, at the latest
 * in its `close`. Removing one that is not in does nothing.
 * Errors: DX_ERR_MEMORY. */
DX_API dx_err dx_ws_group_add(dx_ws_group *group, dx_ws *ws);
DX_API void dx_ws_group_remove(dx_ws_group *group, dx_ws *ws);

/* Sends one message to all that are in; payload: borrowed, copied once. It is left out for one whose queue is
 * full. In order for messages of one thread.
 * Errors: DX_ERR_CLOSED (the server does not run), DX_ERR_BUSY, DX_ERR_MEMORY: some may have got it then.
 * Threads: any, until the server is freed.   Cost: O(members), on their workers. */
DX_API dx_err dx_ws_group_send(dx_ws_group *group, dx_ws_type type, dx_bytes payload);

/* Serves the files below `directory` at paths below `prefix` ("/" or "/files/"): types by name, ETag,
 * conditions, ranges, precompressed siblings (.br, .gz); index.html for a directory.
 * Errors: as above, DX_ERR_NOT_FOUND, DX_ERR_DENIED (the directory cannot be opened). */
DX_API dx_err dx_server_files(dx_server *server, const char *prefix, const char *directory);

/* GET /healthz answers 200 as long as the server answers at all. GET /readyz answers 200 while it does all
 * it is to do, and 503 with what is wrong, as a problem (RFC 9457), while what is to be kept on disk cannot
 * be, and while it drains. Both also on the admin listener, without a token.
 * Errors: as for dx_server_route. */
DX_API dx_err dx_server_health(dx_server *server);

/* Opens the addresses and starts the workers; returns when all are serving.
 * Errors: DX_ERR_ADDRESS, DX_ERR_NAME (an option's value), DX_ERR_IN_USE, DX_ERR_DENIED,
 * DX_ERR_UNSUPPORTED, DX_ERR_FILES, DX_ERR_MEMORY, DX_ERR_SYSTEM; the log says which and why. */
DX_API DX_MUST_USE dx_err dx_server_start(dx_server *server);

/* Waits until it has stopped or drained. One that is_stepped runs in here until then. */
DX_API void dx_server_wait(dx_server *server);

/* Starts and waits. Returns an exit code: 0; 1 for a failure; 78 for options that make no sense. */
DX_API int dx_server_run(dx_server *server);

/* Takes no new connections, closes WebSockets with 1001, lets requests under way finish, and stops: at
 * the latest after `timeout_ms`. Any thread. */
DX_API void dx_server_drain(dx_server *server, uint32_t timeout_ms);

/* Logs from this level on: "error", "warn", "info" or "debug". Any thread.
 * Errors: DX_ERR_NAME, it is none of these. */
DX_API dx_err dx_server_set_log_level(dx_server *server, const char *level);

/* Reads the certificates and keys, those for tokens too, again, as the server does by itself some seconds after their files have
 * changed: new connections get them, old ones keep theirs. What cannot be
 * read changes nothing; the log says what is wrong. Without TLS nothing happens. Any thread; not in signal
 * handlers. While the server runs.
 * Errors: DX_ERR_NOT_FOUND, DX_ERR_DENIED, DX_ERR_NAME (a file that is not what it should be), DX_ERR_MEMORY. */
DX_API dx_err dx_server_reload(dx_server *server);

/* Stops now. Any thread; safe in signal handlers. */
DX_API void dx_server_stop(dx_server *server);

/* ---- beside another event loop (is_stepped) ----
 *
 *     while (dx_server_step(server, 0)) {
 *         struct pollfd fds[] = {{.fd = dx_server_fd(server), .events = POLLIN}, …};
 *         poll(fds, count, dx_server_due_ms(server));
 *     }
 *
 * All of it, and every callback, on the thread that started the server. */

/* One turn: what has come is answered, what is due is done. Waits at most `wait_ms` for something to come; 0:
 * not at all; -1: without end. False once the server has stopped or drained: free it then. */
DX_API bool dx_server_step(dx_server *server, int wait_ms);

/* A descriptor that becomes readable when a step has something to do. For poll, epoll, select and what is
 * made of them; it is not to be read or closed. The same from start to end. */
DX_API int dx_server_fd(const dx_server *server);

/* How long to wait for it at most, in ms: what poll takes; -1: without end. Ask right before each wait: what
 * another thread posts wakes the wait only from then on. */
DX_API int dx_server_due_ms(dx_server *server);

/* ---- workers ---- */

/* One thread of the server, with a loop and connections of its own. Good while the server runs. */
typedef struct dx_worker dx_worker;

DX_API uint32_t dx_server_workers_count(const dx_server *server);

/* The worker that makes the callbacks of `x`, of `ws`: to post there what has to do with them. For a WebSocket of a
 * client: NULL. */
DX_API dx_worker *dx_exchange_worker(const dx_exchange *x);
DX_API dx_worker *dx_ws_worker_of(const dx_ws *ws);

/* Runs `run` once on worker `index` (0 to dx_server_workers_count - 1), on `worker`; in the order of one
 * thread's posts. An exchange or WebSocket may be over by then: who posts for one looks first whether its `close`
 * or `gone` was called.
 * Errors: DX_ERR_CLOSED (the server does not run), DX_ERR_BUSY (65536 wait), DX_ERR_MEMORY: it will not run.
 * Threads: any. */
DX_API DX_MUST_USE dx_err dx_server_post(dx_server *server, uint32_t index, dx_run *run,
                                         void *context);
DX_API DX_MUST_USE dx_err dx_worker_post(dx_worker *worker, dx_run *run, void *context);

/* Runs `run` once on `worker`, `delay_ms` or up to 16 ms later. ret: to cancel it; NULL if it never will be.
 * Errors: DX_ERR_MEMORY, DX_ERR_CLOSED: it will not run.
 * Threads: the worker's, that is, any of its callbacks. */
DX_API DX_MUST_USE dx_err dx_worker_after(dx_worker *worker, uint32_t delay_ms, dx_run *run,
                                          void *context, dx_alarm **ret);

/* The port of the first address once the server has started; 0 for a unix socket. */
DX_API uint16_t dx_server_port(const dx_server *server);

#ifdef __cplusplus
}
#endif
#endif
