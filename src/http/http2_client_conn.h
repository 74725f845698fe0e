/* An HTTP/2 connection at the client and its streams, as their files see them.
 * Is:     the state that http2_client.c (connection), http2_client_frames.c (what comes) and
 *         http2_client_stream.c (streams) and http2_client_stall.c (shut windows) share.
 * Is not: for anyone else (http2_client.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_HTTP2_CLIENT_CONN_H
#define DX_HTTP_HTTP2_CLIENT_CONN_H

#include "http/http2_client.h"
#include "http/http2_parts.h"
#include "net/conn_carried.h"

enum { H2C_WHY_BYTES = 128 };

typedef enum dx_http2_client_state {
    H2C_OPEN,
    H2C_LEAVING, /* no new streams: the server, or we, have said so; those under way go on */
    H2C_OVER,    /* nothing is taken any more, what is queued leaves */
} dx_http2_client_state;

struct dx_http2_client {
    struct dx_http_origin *origin; /* NULL: it has let go */
    dx_http2_client_config config;
    dx_conn *conn;
    nghttp2_session *session;
    dx_http2_memory memory; /* the session's */
    dx_task work;    /* at the end of a turn: streams that were woken, then what is to be sent */
    dx_list streams; /* of dx_http2_client_stream.link */
    dx_list woken;   /* of turn_link: something is to be looked at */
    dx_list closed;  /* of turn_link: to be told and freed */
    size_t streams_count;
    dx_http2_block *block;                                /* of heads */
    bool is_block_open;                                   /* a head is being read */
    uint32_t continuations;                               /* of it */
    uint64_t block_due_ms, settings_due_ms, stall_due_ms; /* 0: none */
    dx_http2_bucket frames;
    uint8_t state;
    bool is_heard, is_settled, is_goaway_seen;
    bool has_moved; /* content of any stream, since stalls were looked at */
    dx_err err;     /* why it ends, once it does */
    char why[H2C_WHY_BYTES];
};

/* `carried` is first. */
typedef struct dx_http2_client_stream {
    dx_conn_carried carried;
    dx_http2_client *h;
    void (*on_head)(dx_conn *conn, const dx_http_response_head *head);
    dx_list link, turn_link;
    uint64_t content_left; /* of the request; of a tunnel not counted */
    uint32_t unread;       /* bytes that came and whose window was not given back */
    int32_t id;
    bool is_tunnel;
    bool is_sent;     /* the request's head has left */
    bool is_end_sent; /* with all of its content */
    bool is_headed;   /* the answer's head has come */
    bool is_whole;    /* the answer has come whole */
    bool is_deferred; /* nghttp2 does not ask for content until it is told to */
    bool is_gone;     /* nghttp2 knows nothing of it any more */
    bool has_moved;   /* its content, since stalls were looked at */
    uint8_t looks;    /* at which it had not */
    char why[H2C_WHY_BYTES];
} dx_http2_client_stream;

/* ---- http2_client.c ---- */

/* Something is to be done at the end of the turn. */
void dx_http2_client_wake(dx_http2_client *h);
/* Ends the connection with GOAWAY and `code`: its streams fail with `err`. Once. */
void dx_http2_client_fail(dx_http2_client *h, uint32_t code, dx_err err, const char *why);
/* No new streams from here on. */
void dx_http2_client_no_more(dx_http2_client *h);

/* ---- http2_client_frames.c ---- */

/* A session for `h`, its SETTINGS submitted. False: memory is out. */
DX_MUST_USE bool dx_http2_client_session_open(dx_http2_client *h);
void dx_http2_client_session_close(dx_http2_client *h);

/* ---- http2_client_stall.c ---- */

/* A shut window: it is watched. */
void dx_http2_client_stream_check_window(dx_http2_client_stream *s);
/* After stall_due_ms. */
void dx_http2_client_look_at_stalls(dx_http2_client *h);

/* ---- http2_client_stream.c ---- */

static inline dx_conn *dx_http2_client_stream_conn(dx_http2_client_stream *s)
{
    return &s->carried.conn;
}
/* The answer's head, if it is the final one. */
void dx_http2_client_stream_on_head(dx_http2_client_stream *s, const dx_http2_block *block,
                                    bool is_whole);
void dx_http2_client_stream_on_data(dx_http2_client_stream *s, uint8_t *at, size_t size);
/* The server will send no more on it. */
void dx_http2_client_stream_on_whole(dx_http2_client_stream *s);
/* nghttp2 has closed it. */
void dx_http2_client_stream_on_gone(dx_http2_client_stream *s, uint32_t code);
/* Its frames have left, with the end of what it sends. */
void dx_http2_client_stream_on_end_sent(dx_http2_client_stream *s);
/* Looks at what it was woken for. */
void dx_http2_client_stream_turn(dx_http2_client_stream *s);
/* After `close`: tells and frees it. */
void dx_http2_client_stream_over(dx_http2_client_stream *s);
/* Resets it. why: copied. */
void dx_http2_client_stream_fail(dx_http2_client_stream *s, dx_err err, const char *why);

#endif
