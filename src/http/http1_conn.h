/* An HTTP/1.1 connection, as its two halves see it.
 * Is:     the state that http1.c (requests) and http1_response.c (responses) share.
 * Is not: for anyone else (http1.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_HTTP1_CONN_H
#define DX_HTTP_HTTP1_CONN_H

#include "http/http1.h"

typedef enum dx_http1_state {
    H1_IDLE,      /* no byte of a request has come */
    H1_HEAD,      /* a part of a head is kept by the connection */
    H1_BODY,      /* the head is read, the body is being gathered */
    H1_RECEIVING, /* the handler has it, and takes the body in pieces */
    H1_HANDLING,  /* the handler has it; further requests wait */
    H1_OVER,      /* the last response was written, or the connection was given up */
} dx_http1_state;

typedef struct dx_http1 {
    dx_http *http;
    dx_conn *conn; /* NULL once it was upgraded */
    dx_exchange *x;
    dx_http_reader reader;
    dx_http_chunks chunks;
    dx_buffer body;
    uint64_t body_left;     /* BODY_LENGTH: bytes to come */
    uint64_t response_left; /* bytes the handler still owes */
    uint32_t window_bytes;  /* of the body, in this window */
    dx_http1_state state;
    bool keep_alive, is_head_request, is_fin_seen, is_draining;
    bool is_chunked;      /* the response */
    bool is_bodyless;     /* the response: HEAD, 204, 304 */
    bool is_reading;      /* inside on_bytes: must not be freed now */
    bool is_room_awaited; /* requests wait until the answers before them have left */
    bool is_kept;         /* a request was answered here before */
    bool is_pulling;      /* inside the source's `pulled` */
    bool is_end_due;      /* the response is over but for the rest of a message that was pulled */
} dx_http1;

extern const dx_exchange_ops dx_http1_exchange_ops;

void dx_http1_enter(dx_http1 *h, dx_http1_state to);
void dx_http1_exchange_free(dx_http1 *h, dx_exchange *x);
/* The connection is somebody else's now. */
void dx_http1_detach(dx_http1 *h);

/* http1.c: answers a fault that leaves the framing in doubt: the connection ends. section: may be NULL. */
void dx_http1_answer_fault(dx_http1 *h, unsigned status, const char *text, const char *section);
/* The request outlives the input that `head` is of. False: memory is out. */
DX_MUST_USE bool dx_http1_keep_head(dx_exchange *x, dx_bytes head);

/* http1_receive.c: bodies in pieces. A whole head of a streamed route was read; */
void dx_http1_begin_receiving(dx_http1 *h, dx_bytes head);
/* more of the body has come: how much of it was taken; */
size_t dx_http1_receive(dx_http1 *h, dx_bytes in);
/* nothing of it may be taken now; the deadline has passed. */
bool dx_http1_is_held(const dx_http1 *h);
void dx_http1_receive_slowly(dx_http1 *h);
void dx_http1_hold(dx_exchange *x);

/* http1_response.c: dx_conn_ops.pull and pulled */
uint32_t dx_http1_pull(dx_conn *conn, struct iovec *iov, uint32_t max);
bool dx_http1_pulled(dx_conn *conn, size_t bytes);
/* Ends a response that waited only for what was pulled; false: there is none, or it still waits. */
bool dx_http1_end_if_due(dx_http1 *h);

#endif
