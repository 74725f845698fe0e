/* A protocol for tests.
 * SPDX-License-Identifier: MIT */
#include "net/test_probe.h"

static void event(probe *p, probe_event e)
{
    p->counts[e]++;
    if (p->hook && p->hook_event == e)
        p->hook(p, e);
}

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    probe *p = conn->protocol;
    size_t used = p->take_multiple ? size / p->take_multiple * p->take_multiple : size;

    p->bytes_last = size;
    bool ok = dx_buffer_append(&p->in, dx_bytes_at(at, used));
    dx_assert(ok);
    memset(at, 0xee, used); /* consumed bytes may be changed */
    event(p, PROBE_BYTES);
    return used;
}

static void on_end(dx_conn *conn)
{
    probe *p = conn->protocol;

    event(p, PROBE_END);
    if (!p->is_own_end)
        dx_conn_finish(conn);
}

static void on_room(dx_conn *conn)
{
    event(conn->protocol, PROBE_ROOM);
}

static uint32_t pull(dx_conn *conn, struct iovec *iov, uint32_t max)
{
    probe *p = conn->protocol;
    size_t at = p->feed_at, stop = p->feed_size;
    uint32_t count = 0;

    event(p, PROBE_PULL);
    if (conn->state != DX_CONN_OPEN && p->message_bytes) /* only the rest */
        stop = (at + p->message_bytes - 1) / p->message_bytes * p->message_bytes;
    while (count < max && at < stop) {
        size_t size = p->message_bytes ? p->message_bytes - at % p->message_bytes : stop - at;
        iov[count++] = (struct iovec){(void *)(uintptr_t)(p->feed + at), size};
        at += size;
    }
    return count;
}

static bool pulled(dx_conn *conn, size_t bytes)
{
    probe *p = conn->protocol;

    p->feed_at += bytes;
    dx_assert(p->feed_at <= p->feed_size);
    if (p->feed_at < p->feed_size)
        dx_conn_wake(conn);
    event(p, PROBE_PULLED);
    return p->message_bytes && p->feed_at % p->message_bytes != 0;
}

static void on_deadline(dx_conn *conn)
{
    event(conn->protocol, PROBE_DEADLINE);
}

static void on_open(dx_conn *conn)
{
    event(conn->protocol, PROBE_OPEN);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    probe *p = conn->protocol;

    p->why = why;
    p->why_text = dx_conn_why(conn);
    event(p, PROBE_CLOSED);
    p->conn = NULL;
}

const dx_conn_ops probe_ops = {
    .on_bytes = on_bytes,
    .on_end = on_end,
    .on_room = on_room,
    .pull = pull,
    .pulled = pulled,
    .on_deadline = on_deadline,
    .on_open = on_open,
    .on_closed = on_closed,
};

void probe_deinit(probe *p)
{
    dx_assert(p->conn == NULL);
    dx_buffer_clear(&p->in);
}

static void open_with(world *w, probe *p, peer *other, void (*make)(int ret[2]))
{
    int fds[2];

    make(fds);
    peer_open(other, fds[1]);
    p->conn = dx_conn_accept(&w->net, fds[0], &probe_ops, p);
    dx_assert(p->conn != NULL);
}

void probe_open(world *w, probe *p, peer *other)
{
    open_with(w, p, other, socket_pair);
}

void probe_open_tcp(world *w, probe *p, peer *other)
{
    open_with(w, p, other, tcp_pair);
}
