/* An HTTP client: one request at a time, by the version that its origin speaks.
 * Is:     connecting, writing the request, reading the response piece by piece, 100 Continue for large bodies,
 *         one deadline. By HTTP/1.1 it has a connection of its own, which may be kept for the next request; by
 *         HTTP/2 the clients of an origin have one together, and their requests go side by side.
 * Is not: names and URLs (net/address, codec/url), which version it is (origin.h), redirects, retries: whether a
 *         request that failed had an effect, only its sender can judge.
 * Memory: one dx_http_client; the request from send until it was written; of the response nothing but, while it is
 *         paused, what the server was allowed to send meanwhile.
 * Threads: its loop's.
 * Source: RFC 9112, RFC 9113 §8, RFC 9110 §10.1.1.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_CLIENT_H
#define DX_HTTP_CLIENT_H

#include "codec/http_message.h"
#include "http/origin.h"

#include <duplex/http.h>

typedef struct dx_http_client dx_http_client;

enum { DX_HTTP_CLIENT_BODY_MAX = 1 << 30 };

/* What becomes of a request: head, body as often as there is some, done; or failed, at any time.
 * They run on the loop's thread, never from inside dx_http_client_send. After done and failed the
 * client is free for the next request, which may be sent from there; it may be freed from any. */
typedef struct dx_http_client_handler {
    /* The final response's head; borrowed. May be NULL. */
    void (*head)(void *context, const dx_http_response_head *head);
    /* A piece of its content; borrowed. May be NULL. */
    void (*body)(void *context, dx_bytes piece);
    void (*done)(void *context);
    /* text: borrowed, one sentence without a full stop. DX_ERR_BUSY: a server of HTTP/2 has not
     * looked at the request, nothing was done, and it may be sent again. */
    void (*failed)(void *context, dx_err err, const char *text);
    void *context;
} dx_http_client_handler;

typedef struct dx_http_client_request {
    dx_bytes method;          /* "GET", … */
    dx_bytes target;          /* path and query */
    dx_bytes authority;       /* the Host field */
    const dx_header *headers; /* further fields, without Connection and those of the framing */
    size_t headers_count;
    dx_bytes body;       /* at most DX_HTTP_CLIENT_BODY_MAX */
    uint32_t timeout_ms; /* from connecting to the response's end; at least 1 */
    uint32_t
        silence_ms; /* not 0: timeout_ms is for the response's head only, then each piece of its content
                            may take so long: for one that has no end */
    bool
        keep_alive; /* keep the connection for another request; of HTTP/2 it goes only if nothing else is
                            under way on it */
    bool is_1_0; /* say HTTP/1.0, where a connection is for one request: keep_alive must be false */
} dx_http_client_request;

/* A client of `origin` (borrowed until it is freed); it connects when there is something to send. handler: copied.
 * NULL when memory is out. */
dx_http_client *dx_http_client_new(dx_http_origin *origin, const dx_http_client_handler *handler);

/* Closes the connection, if there is one, and frees the client; nothing is called any more. NULL is
 * allowed. */
void dx_http_client_free(dx_http_client *client);

/* Sends a request; none may be under way. Everything in `request` is borrowed until return (the body
 * is copied). By HTTP/1.1 a body above 64 KiB waits for 100 Continue, one second at most, so that a server
 * that does not want it can say why; by HTTP/2 the server's window says how much of it may come.
 * Errors: DX_ERR_NAME (a method, target or field that cannot be written), DX_ERR_TOO_LARGE (head above
 * 16 KiB, or the body), DX_ERR_MEMORY, DX_ERR_FILES, DX_ERR_UNSUPPORTED, DX_ERR_SYSTEM; nothing is
 * called then. */
DX_MUST_USE dx_err dx_http_client_send(dx_http_client *client,
                                       const dx_http_client_request *request);

/* From `head` on: no `body` and no `done` until it is resumed. The server is held up by its window; the time of a
 * request without end (silence_ms) stands still, that of any other goes on. No-ops when there is nothing to do. */
void dx_http_client_pause(dx_http_client *client);
void dx_http_client_resume(dx_http_client *client);

#endif
