/* The HTTP client, as its files see it.
 * Is:     the state that client.c (requests, whatever carries them), client_http1.c and client_http2.c share.
 * Is not: for anyone else (client.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_CLIENT_INNER_H
#define DX_HTTP_CLIENT_INNER_H

#include "codec/http_chunk.h"
#include "http/client.h"

typedef enum dx_http_client_state {
    CLIENT_IDLE,    /* no request is under way */
    CLIENT_OPENING, /* the connection is being made */
    CLIENT_HEAD,    /* the request is written, but perhaps its body; a response head is awaited */
    CLIENT_BODY,    /* the response's content is being read */
} dx_http_client_state;

struct dx_http_client {
    dx_http_origin *origin;
    dx_http_client_handler handler;
    dx_conn *conn; /* of HTTP/1.1, or a stream of HTTP/2; NULL: none */
    dx_http_waiter waiter;
    dx_http_client_state state;
    dx_http_method method;
    dx_buffer head, body; /* of the request, until they are written */
    size_t body_sent;     /* of that, by HTTP/2 */
    uint64_t due_ms;
    uint32_t silence_ms;
    bool keep_alive;
    bool is_http2;            /* what `conn` is */
    bool is_paused;           /* by dx_http_client_pause */
    bool is_inside, is_freed; /* freed from one of its own callbacks: at the end of that */
    dx_http_framing framing;  /* of the response */
    /* HTTP/1.1 */
    dx_http_reader reader;
    dx_http_chunks chunks;
    uint64_t body_left;
    dx_timer continue_timer;
    bool expects_continue, is_body_held;
};

/* ---- client.c ---- */

void dx_http_client_enter(dx_http_client *c, dx_http_client_state to);
/* Its connection, if there is one, is not its own any more. */
dx_conn *dx_http_client_detach(dx_http_client *c);
/* What becomes of the request. Each of them may be the end of `c` once dx_http_client_left is called. */
void dx_http_client_fail(dx_http_client *c, dx_err err, const char *text);
/* has_more: bytes follow that nobody asked for. */
void dx_http_client_done(dx_http_client *c, bool has_more);
void dx_http_client_give_head(dx_http_client *c, const dx_http_response_head *head);
void dx_http_client_give_body(dx_http_client *c, dx_bytes piece);
/* Callbacks may free the client: it goes when the last of our own frames has left it. */
static inline void dx_http_client_entered(dx_http_client *c)
{
    c->is_inside = true;
}
void dx_http_client_left(dx_http_client *c);
/* What both versions do about the end of a connection. */
void dx_http_client_on_deadline(dx_conn *conn);
/* What is left of the request's time; at least 1. */
uint32_t dx_http_client_left_ms(const dx_http_client *c);

/* ---- client_http1.c ---- */

/* Connects, for this client alone. */
DX_MUST_USE dx_err dx_http_client_connect(dx_http_client *c);
/* Takes over `conn`, which is open, and writes the request. */
void dx_http_client_take(dx_http_client *c, dx_conn *conn);
/* Writes the request on the connection that was kept. */
void dx_http_client_write(dx_http_client *c);

/* Its body, which was held back. */
void dx_http_client_write_body(dx_http_client *c);

/* ---- client_http2.c ---- */

/* Sends the request on a stream of its own. */
DX_MUST_USE dx_err dx_http_client_call(dx_http_client *c, dx_http2_client *on);
/* The answer is whole: lets the stream go, and the connection, if it is not to be kept. */
void dx_http_client_release(dx_http_client *c);

#endif
