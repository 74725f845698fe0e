/* Windows that a client keeps shut, so that what waits for them would be held for ever.
 * Is:     who waits and for how long; the reset of a stream that has waited too long.
 * Is not: flow control itself (nghttp2), a client that takes no bytes at all (net/conn.c).
 * Why so: a client behind a slow line gives no window back before what was sent has reached it, and one window
 *         is for all streams. So a stream has stalled only when its client has all that it was sent, and
 *         neither its own window nor what else goes through the connection's has moved since.
 * Source: RFC 9113 §5.2.2, §10.5.
 * SPDX-License-Identifier: MIT */
#include "http/http2_conn.h"

#include "net/socket.h"

/* Looked at eight times in stalled_ms: who is found unmoved at nine looks has been for so long at least. */
enum { LOOKS_PER_STALL = 8, LOOKS_MAX = LOOKS_PER_STALL + 1 };

static bool is_shut_for_all(const dx_http2 *h)
{
    return nghttp2_session_get_remote_window_size(h->session) <= 0;
}

static bool is_shut(const dx_http2_stream *s)
{
    return nghttp2_session_get_stream_remote_window_size(s->h->session, s->id) <= 0;
}

void dx_http2_watch_stall(dx_http2 *h)
{
    uint32_t every_ms = h->http->config.http2.stalled_ms / LOOKS_PER_STALL;

    if (h->stall_due_ms == 0)
        h->stall_due_ms = dx_conn_now_ms(h->conn) + every_ms;
}

/* In the turns of those that have something to send, but also of those that had: the window may have opened,
 * though it is not their turn yet. */
void dx_http2_stream_check_window(dx_http2_stream *s)
{
    dx_conn *conn = dx_http2_stream_conn(s);

    if (!is_shut(s) && !is_shut_for_all(s->h))
        return;
    if (!conn->is_blocked && dx_conn_carried_has_output(&s->carried))
        dx_conn_carried_block(&s->carried);
    if (conn->is_blocked)
        dx_http2_watch_stall(s->h);
}

void dx_http2_stream_note_open(dx_http2_stream *s)
{
    s->looks = 0;
}

void dx_http2_stream_note_content(dx_http2_stream *s, size_t size)
{
    s->looks = 0;
    s->h->moved_at = s->h->out_bytes + size; /* its frame is not counted yet */
    s->moved_at = (uint32_t)s->h->moved_at;
}

/* How much of all that we have made has reached the client; TLS makes it more than it is, which only gives
 * the client time. */
static uint32_t arrived_at(const dx_http2 *h)
{
    uint32_t unsent = dx_socket_unsent(dx_conn_fd(h->conn));

    return (uint32_t)(h->out_bytes - dx_conn_queued(h->conn) - unsent);
}

static bool is_waiting(dx_http2_stream *s)
{
    dx_conn *conn = dx_http2_stream_conn(s);

    if (s->is_gone || conn->state == DX_CONN_CLOSED || (!is_shut(s) && !is_shut_for_all(s->h)))
        return false;
    return conn->is_blocked || dx_conn_carried_has_output(&s->carried);
}

/* True if it waits. `has_moved`: content went through the connection's window since the last look. */
static bool look_at(dx_http2_stream *s, uint32_t arrived, bool has_moved)
{
    uint32_t sent = is_shut(s) ? s->moved_at : (uint32_t)s->h->moved_at;

    if (!is_waiting(s)) {
        s->looks = 0;
        return false;
    }
    if ((int32_t)(arrived - sent) < 0 || (has_moved && !is_shut(s)))
        s->looks = 0;
    else if (++s->looks >= LOOKS_MAX)
        dx_conn_abort(dx_http2_stream_conn(s), DX_ERR_TIMEOUT, true);
    return true;
}

void dx_http2_look_at_stalls(dx_http2 *h)
{
    uint32_t arrived = arrived_at(h);
    bool has_moved = h->moved_at != h->moved_looked_at, is_any = false;

    h->moved_looked_at = h->moved_at;
    h->stall_due_ms = 0;
    for (dx_list *l = h->streams.next, *next; l != &h->streams; l = next) {
        next = l->next;
        is_any |= look_at(DX_CONTAINER(l, dx_http2_stream, link), arrived, has_moved);
    }
    if (is_any)
        dx_http2_watch_stall(h);
}

void dx_http2_check_window(dx_http2 *h)
{
    if (h->streams_count > 0 && is_shut_for_all(h))
        dx_http2_watch_stall(h);
}
