/* A loop with connections, and the bare other end of one of them.
 * SPDX-License-Identifier: MIT */
#include "net/test_peer.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 20000 };

void world_init(world *w, const dx_net_limits *limits)
{
    w->loop = new_loop();
    dx_net_init(&w->net, w->loop, limits ? limits : &DX_NET_LIMITS_DEFAULT, NULL);
}

void world_deinit(world *w)
{
    for (int i = 0; i < TURNS_MAX && w->net.conns_count > 0; i++)
        dx_loop_step(w->loop, 20);
    dx_net_deinit(&w->net); /* asserts that all are gone */
    dx_loop_free(w->loop);
}

void world_settle(world *w)
{
    for (int i = 0; i < 12; i++)
        dx_loop_step(w->loop, i < 4 ? 1 : 0);
}

void peer_open(peer *p, int fd)
{
    *p = (peer){.fd = fd};
}

void peer_close(peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    dx_buffer_clear(&p->in);
}

void peer_reset(peer *p)
{
    close_reset(p->fd);
    p->fd = -1;
    dx_buffer_clear(&p->in);
}

void peer_read(peer *p, size_t max)
{
    uint8_t piece[65536];

    while (max > 0 && !p->is_ended && !p->is_reset) {
        ssize_t got = recv(p->fd, piece, dx_min_size(sizeof piece, max), MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return;
        p->is_ended = got == 0;
        p->is_reset = got < 0;
        if (got > 0) {
            bool ok = dx_buffer_append(&p->in, dx_bytes_at(piece, (size_t)got));
            dx_assert(ok);
            max -= (size_t)got;
        }
    }
}

size_t peer_write_some(peer *p, dx_bytes bytes)
{
    ssize_t sent = send(p->fd, bytes.at, bytes.size, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && errno != EAGAIN)
        p->is_reset = true;
    return sent > 0 ? (size_t)sent : 0;
}

void peer_write(world *w, peer *p, dx_bytes bytes)
{
    for (int i = 0; i < TURNS_MAX && bytes.size > 0 && !p->is_reset; i++) {
        size_t sent = peer_write_some(p, bytes);
        dx_bytes_skip(&bytes, sent);
        dx_loop_step(w->loop, sent > 0 ? 0 : 1);
    }
    dx_assert(bytes.size == 0 || p->is_reset); /* the other end reads, or is gone */
}

void peer_trickle(world *w, peer *p, dx_bytes bytes)
{
    for (size_t i = 0; i < bytes.size && !p->is_reset; i++) {
        peer_write(w, p, (dx_bytes){bytes.at + i, 1});
        dx_loop_step(w->loop, 0);
        dx_loop_step(w->loop, 0);
    }
}

void peer_finish(peer *p)
{
    shutdown(p->fd, SHUT_WR);
}

void peer_forget(peer *p)
{
    dx_buffer_clear(&p->in);
}

const char *peer_text(peer *p)
{
    bool ok = dx_buffer_reserve(&p->in, 1);

    dx_assert(ok);
    p->in.at[p->in.size] = '\0';
    return (const char *)p->in.at;
}
