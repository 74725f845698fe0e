/* Windows that a server keeps shut, so that what waits for them would be held for ever.
 * Is:     who waits and for how long; the reset of a stream that has waited too long.
 * Is not: flow control itself (nghttp2), a server that takes no bytes at all (net/conn.c).
 * Why so: a server behind a slow line gives no window back before what was sent has reached it, and one window is
 *         for all streams. So a stream has stalled only when all has left that was made, and neither its own
 *         window nor the connection's has moved since.
 * Source: RFC 9113 §5.2.2, §10.5.
 * SPDX-License-Identifier: MIT */
#include "http/http2_client_conn.h"

#include "net/socket.h"

/* Looked at four times in stalled_ms: who is found unmoved at five looks has been for so long at least. */
enum { LOOKS_PER_STALL = 4, LOOKS_MAX = LOOKS_PER_STALL + 1 };

static bool is_shut(const dx_http2_client_stream *s)
{
    return nghttp2_session_get_stream_remote_window_size(s->h->session, s->id) <= 0;
}

static bool is_waiting(const dx_http2_client_stream *s)
{
    return !s->is_gone && s->carried.conn.state != DX_CONN_CLOSED && s->carried.conn.is_blocked;
}

void dx_http2_client_stream_check_window(dx_http2_client_stream *s)
{
    dx_http2_client *h = s->h;
    dx_conn *conn = dx_http2_client_stream_conn(s);

    if (!s->is_sent || (!is_shut(s) && nghttp2_session_get_remote_window_size(h->session) > 0))
        return;
    if (!conn->is_blocked && dx_conn_carried_has_output(&s->carried))
        dx_conn_carried_block(&s->carried);
    if (conn->is_blocked && h->stall_due_ms == 0)
        h->stall_due_ms = dx_conn_now_ms(h->conn) + h->config.stalled_ms / LOOKS_PER_STALL;
}

/* True if it waits. is_quiet: nothing is on its way to the server any more. */
static bool look_at(dx_http2_client_stream *s, bool is_quiet)
{
    bool has_moved = s->has_moved || (s->h->has_moved && !is_shut(s));

    s->has_moved = false;
    if (!is_waiting(s) || has_moved || !is_quiet)
        s->looks = 0;
    else if (++s->looks >= LOOKS_MAX)
        dx_http2_client_stream_fail(s, DX_ERR_TIMEOUT,
                                    "the server takes nothing more of the request");
    return is_waiting(s);
}

void dx_http2_client_look_at_stalls(dx_http2_client *h)
{
    bool is_quiet = dx_conn_queued(h->conn) == 0 && dx_socket_unsent(dx_conn_fd(h->conn)) == 0;
    bool is_any = false;

    for (dx_list *l = h->streams.next, *next; l != &h->streams; l = next) {
        next = l->next;
        is_any |= look_at(DX_CONTAINER(l, dx_http2_client_stream, link), is_quiet);
    }
    h->has_moved = false;
    h->stall_due_ms = is_any ? dx_conn_now_ms(h->conn) + h->config.stalled_ms / LOOKS_PER_STALL : 0;
}
