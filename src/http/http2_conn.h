/* An HTTP/2 connection and its streams, as their files see them.
 * Is:     the state that http2.c (connection), http2_frames.c (what comes), http2_head.c (requests),
 *         http2_stream.c (streams), http2_response.c (responses), http2_stall.c (shut windows) and
 *         http2_calm.c (floods) share.
 * Is not: for anyone else (http2.h). nghttp2 is seen only here, in http2_parts.h and at the client.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_HTTP2_CONN_H
#define DX_HTTP_HTTP2_CONN_H

#include "http/http1.h"
#include "http/http2_parts.h"
#include "net/conn_carried.h"

/* HTTP/2 on one loop: what its connections share. */
typedef struct dx_http2_shared {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    dx_pool conns, streams;
    dx_http2_spares spares;
    dx_http2_block *spare; /* NULL: none, or in use */
    uint32_t conns_begun;  /* numbers them, for the log */
} dx_http2_shared;

enum { DX_HTTP2_FRAME_HEAD_BYTES = 9 };

/* What comes, seen as frames. */
typedef struct dx_http2_scan {
    uint32_t left; /* bytes before the next frame's head */
    uint8_t size;  /* of the head, as far as it has come */
    bool is_told;  /* it is of DATA, and that was told */
    uint8_t head[DX_HTTP2_FRAME_HEAD_BYTES];
} dx_http2_scan;

typedef enum dx_http2_state {
    H2_OPEN,
    H2_DRAINING, /* the first GOAWAY: what is on its way is still taken */
    H2_LEAVING,  /* the last GOAWAY: what is under way is answered */
    H2_OVER,     /* nothing is taken any more, what is queued leaves */
} dx_http2_state;

enum { H2_RESETS_KNOWN = 16 };

typedef struct dx_http2 {
    dx_http *http;
    dx_conn *conn;
    nghttp2_session *session;
    dx_http2_memory memory; /* the session's */
    dx_http2_scan scan;
    dx_task work;    /* at the end of a turn: streams that were woken, then what is to be sent */
    dx_list streams; /* of dx_http2_stream.link, in the order of their ids */
    dx_list woken;   /* of turn_link: something is to be looked at */
    dx_list closed;  /* of turn_link: to be told and freed */
    dx_http2_block *block; /* NULL: no head is being read */
    uint64_t in_bytes, useful_bytes;
    uint64_t heard_ms, pinged_ms; /* pinged_ms: 0: no answer is awaited */
    /* 0: none */
    uint64_t block_due_ms, settings_due_ms, idle_due_ms, drain_due_ms, slowed_due_ms, stall_due_ms;
    uint64_t out_bytes; /* that nghttp2 has made: a position among all that leaves, */
    uint64_t moved_at;  /* as is that of the last content */
    uint64_t moved_looked_at;
    dx_http2_bucket resets, frames;
    uint32_t number;
    uint32_t streams_count;
    uint32_t starved_count;             /* of streams */
    uint32_t heads_bytes, bodies_bytes; /* kept for requests */
    uint32_t continuations;             /* of the head that is being read */
    int32_t last_id;                    /* of a request */
    int32_t reset_ids[H2_RESETS_KNOWN]; /* streams that we have reset: the first of them */
    uint32_t resets_sent;
    uint8_t state;
    bool is_goaway_sent;
    bool is_fin_seen;
} dx_http2;

typedef enum dx_http2_stream_state {
    S2_HEAD,      /* the head is not whole, or not judged */
    S2_BODY,      /* the body is being gathered */
    S2_RECEIVING, /* the handler has it, or will at the end of the turn, and takes the body in pieces */
    S2_READY,     /* whole: the handler is called when all that came was looked at */
    S2_HANDLING, /* the handler has it, or it was answered */
    S2_TUNNEL,   /* its bytes are another protocol's */
} dx_http2_stream_state;

/* `carried` is first. */
typedef struct dx_http2_stream {
    dx_conn_carried carried;
    dx_http2 *h;
    dx_exchange *x;
    dx_list link, turn_link;
    dx_buffer body;
    uint64_t response_left; /* bytes the handler still owes */
    uint32_t unread;        /* bytes that came and whose window was not given back */
    uint32_t window_bytes;  /* of the body, in this window of time */
    uint32_t head_bytes;    /* kept of its request */
    uint32_t moved_at;      /* dx_http2.out_bytes, modulo 2^32, when its last content left */
    int32_t id;
    uint8_t state;
    uint8_t looks;    /* in a row at which its window was shut and had not moved */
    bool is_bodyless; /* the response: HEAD, 204, 304, or no content */
    bool is_whole;    /* the request has come whole */
    bool is_deferred; /* nghttp2 does not ask for content until it is told to */
    bool is_end_sent; /* the response is out, with its end */
    bool is_gone;     /* nghttp2 knows nothing of it any more */
    bool is_starved;  /* its body waits until those before it are whole */
    bool is_pulling;  /* inside the source's `pulled` */
    bool is_ranked;   /* its client has said how urgent it is */
    bool is_end_due;  /* the response is over but for the rest of a message that was pulled */
} dx_http2_stream;

/* ---- http2.c ---- */

/* Something is to be done at the end of the turn. */
void dx_http2_wake(dx_http2 *h);
/* Ends the connection with GOAWAY and `code`: streams are over. Once. */
void dx_http2_fail(dx_http2 *h, uint32_t code, const char *why);

/* The answer to one of our pings. */
void dx_http2_on_pong(dx_http2 *h);

/* ---- http2_frames.c: nghttp2's callbacks ---- */

dx_http2_shared *dx_http2_shared_new(const dx_http2_config *config);
/* Of a head that is over: kept for the next one. */
void dx_http2_block_give(dx_http *http, dx_http2_block *block);
/* DATA for stream `id` comes next: answered if the client has closed it, of which nghttp2 does not tell. */
void dx_http2_on_data_head(dx_http2 *h, int32_t id);

/* ---- http2_scan.c ---- */

void dx_http2_scan_init(dx_http2_scan *scan);
/* Gives how much of `in` comes before the last byte of the next head of DATA, and that one's stream; or all of it,
 * and 0. What is behind is for the next call. */
size_t dx_http2_scan_data(dx_http2_scan *scan, dx_bytes in, int32_t *id);

/* ---- http2_head.c ---- */

typedef enum dx_http2_verdict {
    H2_HEAD_OK,
    H2_HEAD_MALFORMED, /* RFC 9113 §8.1.1 */
    H2_HEAD_ANSWER,    /* is to be answered with `status` and `text` */
    H2_HEAD_MEMORY,
} dx_http2_verdict;

typedef struct dx_http2_fault {
    unsigned status;
    const char *text;
} dx_http2_fault;

/* Makes x->head of a whole block, in x's arena. is_whole: there is no body. */
dx_http2_verdict dx_http2_head_make(const dx_http2_block *block, bool is_whole, dx_exchange *x,
                                    dx_http2_fault *fault);

/* ---- http2_stream.c ---- */

/* NULL: refused, or memory is out. */
dx_http2_stream *dx_http2_stream_new(dx_http2 *h, int32_t id);
/* Its head is whole. */
void dx_http2_stream_on_head(dx_http2_stream *s, const dx_http2_block *block, bool is_whole);
void dx_http2_stream_on_data(dx_http2_stream *s, uint8_t *at, size_t size);
/* The client will send no more on it. */
void dx_http2_stream_on_whole(dx_http2_stream *s);
/* Nor on any other: the connection's half is closed. */
void dx_http2_stream_on_fin(dx_http2_stream *s);
/* The server is going away. */
void dx_http2_stream_hurry(dx_http2_stream *s);
/* nghttp2 has closed it. */
void dx_http2_stream_on_gone(dx_http2_stream *s);
/* Looks at what it was woken for. */
void dx_http2_stream_turn(dx_http2_stream *s);
/* After `close`: tells and frees it. */
void dx_http2_stream_over(dx_http2_stream *s);
/* Resets it. */
void dx_http2_stream_reset(dx_http2_stream *s, uint32_t code);
static inline dx_conn *dx_http2_stream_conn(dx_http2_stream *s)
{
    return &s->carried.conn;
}
/* Moves it in the table of legal moves. */
void dx_http2_stream_enter(dx_http2_stream *s, dx_http2_stream_state to);
void dx_http2_stream_forget_request(dx_http2_stream *s);
void dx_http2_stream_forget_exchange(dx_http2_stream *s);

/* Answers a request whose body was not read. */
void dx_http2_stream_answer(dx_http2_stream *s, unsigned status, const char *text);
/* The time for a part of the body, from now. */
void dx_http2_stream_set_body_deadline(dx_http2_stream *s);
/* Gives the window of `size` bytes that came back. */
void dx_http2_stream_give_window(dx_http2_stream *s, uint32_t size);

/* ---- http2_receive.c: bodies in pieces ---- */

/* A streamed route's head is whole; a piece has come; the turn: to the handler, and what is kept for it. */
void dx_http2_stream_begin_receiving(dx_http2_stream *s);
void dx_http2_stream_receive(dx_http2_stream *s, dx_bytes piece);
void dx_http2_stream_give_body(dx_http2_stream *s);
void dx_http2_stream_receive_slowly(dx_http2_stream *s);
void dx_http2_stream_hold(dx_exchange *x);

/* ---- http2_response.c ---- */

extern const dx_exchange_ops dx_http2_exchange_ops;

uint32_t dx_http2_stream_pull(dx_conn *conn, struct iovec *iov, uint32_t max);
bool dx_http2_stream_pulled(dx_conn *conn, size_t bytes);
bool dx_http2_stream_end_if_due(dx_http2_stream *s);
/* nghttp2 asks for content. */
ssize_t dx_http2_on_content(nghttp2_session *session, int32_t id, uint8_t *to, size_t max,
                            uint32_t *flags, nghttp2_data_source *source, void *context);

/* ---- http2_stall.c ---- */

/* Some stream may wait for a window. */
void dx_http2_watch_stall(dx_http2 *h);
/* stall_due_ms has passed: resets what has waited too long. */
void dx_http2_look_at_stalls(dx_http2 *h);
/* After frames were made: is the connection's window shut? */
void dx_http2_check_window(dx_http2 *h);
/* Its window is shut, or the connection's, and it has something to send: its protocol is held up. */
void dx_http2_stream_check_window(dx_http2_stream *s);
/* The client has opened its window. */
void dx_http2_stream_note_open(dx_http2_stream *s);
/* Content goes through it. */
void dx_http2_stream_note_content(dx_http2_stream *s, size_t size);

/* ---- http2_calm.c ---- */

/* False: too many; the connection ends. */
bool dx_http2_pay_frame(dx_http2 *h);
bool dx_http2_pay_reset(dx_http2 *h);
/* Something useful was done: gives back what so many frames cost. */
void dx_http2_earn_frames(dx_http2 *h, uint32_t count);
bool dx_http2_check_useful(dx_http2 *h);

#endif
