/* A client: WebSockets and HTTP requests to other servers.
 * Is:     ws, wss, http and https; its loop, alone on a thread of the program's or beside another event loop.
 * Is not: streams of other servers (remote.h, which stands on this); redirects, cookies, proxies.
 * Memory: texts and headers given here are copied. What a client has begun ends with it.
 * Threads: a client and all that is its belong to one thread, which runs or steps it, and which makes all
 *          callbacks; dx_client_post and dx_client_stop from any. As many clients as wanted, each on its own.
 * SPDX-License-Identifier: MIT */
#ifndef DUPLEX_CLIENT_H
#define DUPLEX_CLIENT_H

#include <duplex/alarm.h>
#include <duplex/http.h>
#include <duplex/websocket.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dx_client dx_client;

/* Everything may be left zero. */
typedef struct dx_client_options {
    const char *ca;        /* believe https and wss servers by the authorities in this PEM file; NULL: by those
                              of the system */
    const char *cert, *key; /* PEM files to show to servers that ask who we are; both or none */
    bool is_insecure;      /* believe any server, whoever it may be */
} dx_client_options;

/* Makes a client, given to the caller. options: borrowed; NULL for all defaults.
 * Errors: DX_ERR_MEMORY, DX_ERR_FILES, DX_ERR_UNSUPPORTED (options of a later version). */
DX_API DX_MUST_USE dx_err dx_client_new_sized(const dx_client_options *options, size_t options_size,
                                              dx_client **ret);
DX_MUST_USE static inline dx_err dx_client_new(const dx_client_options *options, dx_client **ret)
{
    return dx_client_new_sized(options, sizeof *options, ret);
}

/* Ends all that is under way, each with its last callback (DX_ERR_CLOSED, or close code 1006), and frees the
 * client. Not from a callback. NULL is allowed. Waits for the resolver if it is looking up a name. */
DX_API void dx_client_free(dx_client *client);

/* Makes callbacks until dx_client_stop. */
DX_API void dx_client_run(dx_client *client);
/* Ends dx_client_run after the callback under way, or the next one at once. Any thread, and signal handlers. */
DX_API void dx_client_stop(dx_client *client);

/* The same beside another event loop: as dx_server_step, dx_server_fd and dx_server_due_ms. dx_client_step is
 * false once it was stopped, and true again after that. */
DX_API bool dx_client_step(dx_client *client, int wait_ms);
DX_API int dx_client_fd(const dx_client *client);
DX_API int dx_client_due_ms(dx_client *client);

/* Runs `run` on the client's thread, soon, or `delay_ms` or up to 16 ms later. ret: to cancel it; may be NULL.
 * Errors: DX_ERR_MEMORY, DX_ERR_BUSY (65536 wait): it will not run.
 * Threads: dx_client_post any, until the client is freed; dx_client_after the client's. */
DX_API DX_MUST_USE dx_err dx_client_post(dx_client *client, dx_run *run, void *context);
DX_API DX_MUST_USE dx_err dx_client_after(dx_client *client, uint32_t delay_ms, dx_run *run, void *context,
                                          dx_alarm **ret);

/* ---- WebSocket ---- */

/* Everything may be left zero. */
typedef struct dx_connect_options {
    const char *const *subprotocols; /* in order of liking, at most 32 */
    size_t subprotocols_count;
    const char *origin; /* Origin; NULL: none */
    const dx_header *headers; /* further fields of the handshake, such as Authorization */
    size_t headers_count;
    uint32_t timeout_ms;        /* for the name, the connection and the handshake together; 0: 30 s */
    uint32_t message_bytes_max; /* of one that comes; 0: 1 MiB */
    uint32_t ping_ms;           /* silence after which the server is asked for a sign of life; 0: 25 s */
    bool is_deflate_off;        /* no permessage-deflate */
} dx_connect_options;

/* Begins to connect to a WebSocket server. url: ws://, wss:// (or http://, https://). handler: copied; its
 * `open` follows when the handshake is over, or its `failed`, never from inside this call.
 * Errors: DX_ERR_NAME (no URL, or a header field that cannot be sent), DX_ERR_UNSUPPORTED, DX_ERR_MEMORY,
 * DX_ERR_BUSY; of the files in dx_client_options: DX_ERR_NOT_FOUND, DX_ERR_DENIED, DX_ERR_NAME. Nothing is
 * called then. */
DX_API DX_MUST_USE dx_err dx_client_connect_sized(dx_client *client, const char *url,
                                                  const dx_ws_handler *handler, size_t handler_size,
                                                  const dx_connect_options *options, size_t options_size);
DX_MUST_USE static inline dx_err dx_client_connect(dx_client *client, const char *url,
                                                   const dx_ws_handler *handler,
                                                   const dx_connect_options *options)
{
    return dx_client_connect_sized(client, url, handler, sizeof *handler, options, sizeof *options);
}

/* ---- HTTP ---- */

/* A request under way; it is gone when its `done` returns. */
typedef struct dx_request dx_request;

/* The head of a response; a view for the call. */
typedef struct dx_reply {
    unsigned status;
    const dx_header *headers;
    size_t headers_count;
} dx_reply;

/* The first field of that name (any case); {NULL, 0} if there is none. */
DX_API dx_bytes dx_reply_header(const dx_reply *reply, const char *name);

/* What becomes of a request; slots may be NULL. */
typedef struct dx_request_handler {
    void (*head)(dx_request *request, const dx_reply *reply, void *context);
    /* A piece of the content, as it comes; borrowed. */
    void (*body)(dx_request *request, dx_bytes piece, void *context);
    /* It is over, whole if err is DX_OK (whatever the status was). Called once. text: what went wrong, one
     * sentence without a full stop. */
    void (*done)(dx_request *request, dx_err err, const char *text, void *context);
    void *context;
} dx_request_handler;

/* Everything may be left zero. */
typedef struct dx_request_options {
    const char *method; /* NULL: GET, with a body POST */
    const dx_header *headers;
    size_t headers_count;
    dx_bytes body;       /* at most 1 GiB; above 64 KiB it waits for 100 Continue, one second at most */
    uint32_t timeout_ms; /* until the response is whole; 0: 30 s */
    uint32_t silence_ms; /* not 0: timeout_ms is for the head only, then each piece may take so long: for
                            one without end, such as server-sent events */
} dx_request_options;

/* Sends a request. Connections are kept and used again; a request that got no answer because such a one had
 * ended meanwhile is sent once more, if its method says that this does no harm (RFC 9110 §9.2.2).
 * ret: to cancel it; may be NULL.
 * Errors: as for dx_client_connect, and DX_ERR_TOO_LARGE (head above 16 KiB, or the body). */
DX_API DX_MUST_USE dx_err dx_client_request_sized(dx_client *client, const char *url,
                                                  const dx_request_options *options, size_t options_size,
                                                  const dx_request_handler *handler, size_t handler_size,
                                                  dx_request **ret);
DX_MUST_USE static inline dx_err dx_client_request(dx_client *client, const char *url,
                                                   const dx_request_options *options,
                                                   const dx_request_handler *handler, dx_request **ret)
{
    return dx_client_request_sized(client, url, options, sizeof *options, handler, sizeof *handler, ret);
}

/* Ends it; nothing is called any more, and `request` is gone. Not in its `done`. NULL is allowed. */
DX_API void dx_request_cancel(dx_request *request);

#ifdef __cplusplus
}
#endif
#endif
