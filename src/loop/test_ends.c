/* What the loop's tests share: see test_ends.h.
 * SPDX-License-Identifier: MIT */
#include "loop/test_ends.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

dx_loop_kind loop_kind;

bool io_uring_works(void)
{
    static int known; /* 1: no, 2: yes */

    if (known == 0) {
        dx_loop *loop = NULL;
        dx_err err = dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_IO_URING}, &loop);
        dx_loop_free(loop);
        known = err == DX_OK ? 2 : 1;
    }
    return known == 2;
}

void skip_test(void)
{
}

dx_loop *new_loop(void)
{
    dx_loop *loop = NULL;
    dx_err err = dx_loop_new(&(dx_loop_options){.kind = loop_kind}, &loop);

    dx_assert(err == DX_OK);
    return loop;
}

int turn_for(dx_loop *loop, uint64_t span_ms)
{
    uint64_t end_ms = dx_clock_ms() + span_ms, now_ms;
    int turns = 0;

    for (; (now_ms = dx_clock_ms()) < end_ms; turns++)
        dx_loop_step(loop, (int)(end_ms - now_ms));
    return turns;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static end *end_of(dx_io *io)
{
    end *e = DX_CONTAINER(io, end, io);

    dx_assert(e->closed == 0 && io->fd >= 0);
    return e;
}

static void pump(end *e)
{
    struct iovec iov[64];
    uint32_t count = 0, pieces = e->pieces ? e->pieces : 1;
    size_t at = e->out_sent, left = e->out_size - at;
    size_t piece = e->piece_bytes ? e->piece_bytes : left / pieces + 1;

    for (; count < pieces && at < e->out_size; count++) {
        size_t size = dx_min_size(piece, e->out_size - at);
        iov[count] = (struct iovec){(void *)(uintptr_t)(e->out + at), size};
        at += size;
    }
    e->starts++;
    e->asked = at - e->out_sent;
    dx_io_send(&e->io, iov, count);
}

/* A send is over or room has come back or bytes came to echo: goes on if nothing is in flight. */
static void pump_if_idle(end *e)
{
    bool is_in_flight = e->starts != e->sents, is_full = e->shorts != e->writables;

    if (!is_in_flight && !is_full && e->out_sent < e->out_size && e->sent_err == DX_OK)
        pump(e);
}

static void after(end *e, end_event event)
{
    if (e->close_on & event)
        dx_io_close(&e->io, e->close_reset);
    else if (e->hook)
        e->hook(e, event);
}

static void on_recv(dx_io *io, uint8_t *at, size_t size)
{
    end *e = end_of(io);

    dx_assert(size <= e->in_bytes_max - e->in_size);
    memcpy(e->in + e->in_size, at, size);
    memset(at, 0xee, size); /* it may be changed in place */
    e->in_size += size;
    e->recvs++;
    if (e->echoes) {
        e->out = e->in, e->out_size = e->in_size;
        pump_if_idle(e);
    }
    if (io->fd >= 0)
        after(e, ON_RECV);
}

static void on_recv_end(dx_io *io, dx_err err)
{
    end *e = end_of(io);

    dx_assert(e->ends == 0);
    e->ends++;
    e->end_err = err;
    after(e, ON_RECV_END);
}

static void on_sent(dx_io *io, size_t sent, dx_err err)
{
    end *e = end_of(io);

    dx_assert(e->sents + 1 == e->starts && sent <= e->asked);
    e->sents++;
    e->out_sent += sent;
    e->sent_err = err;
    e->shorts += err == DX_OK && sent < e->asked;
    after(e, ON_SENT);
    if (io->fd >= 0)
        pump_if_idle(e);
}

static void on_writable(dx_io *io)
{
    end *e = end_of(io);

    e->writables++;
    dx_assert(e->writables == e->shorts);
    after(e, ON_WRITABLE);
    if (io->fd >= 0)
        pump_if_idle(e);
}

static void on_accept(dx_io *io, int fd, dx_err err)
{
    end *e = end_of(io);

    dx_assert((fd >= 0) == (err == DX_OK));
    e->accept_err = err;
    if (err != DX_OK) {
        e->accept_errs++;
    } else {
        e->accepts++;
        if (e->keeps_accepted)
            e->accepted_fd = fd;
        else
            close(fd);
    }
    after(e, ON_ACCEPT);
}

static void on_connect(dx_io *io, dx_err err)
{
    end *e = end_of(io);

    e->connects++;
    e->connect_err = err;
    after(e, ON_CONNECT);
}

static void on_closed(dx_io *io)
{
    end *e = DX_CONTAINER(io, end, io);

    dx_assert(e->closed == 0 && io->fd == -1);
    e->closed++;
    memset(io, 0xdd, sizeof *io); /* nothing refers to it any more */
}

void end_open(end *e, dx_loop *loop, int fd, size_t in_bytes_max)
{
    static const dx_io_ops ops = {.on_recv = on_recv,
                                  .on_recv_end = on_recv_end,
                                  .on_sent = on_sent,
                                  .on_writable = on_writable,
                                  .on_accept = on_accept,
                                  .on_connect = on_connect,
                                  .on_closed = on_closed};

    /* Fails on what is not TCP. With Nagle's algorithm small pieces would wait for each other's
     * ACK. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    *e = (end){.in_bytes_max = in_bytes_max, .accepted_fd = -1};
    e->in = malloc(in_bytes_max + 1);
    dx_assert(e->in != NULL);
    dx_err err = dx_io_open(&e->io, loop, fd, &ops);
    dx_assert(err == DX_OK);
}

void end_send(end *e, const void *out, size_t size)
{
    dx_assert(e->out_sent == e->out_size && !e->echoes);
    e->out = out, e->out_size = size, e->out_sent = 0;
    pump_if_idle(e);
}

void end_finish(end *e)
{
    dx_loop *loop = e->io.loop;

    if (e->closed == 0 && e->io.fd >= 0)
        dx_io_close(&e->io, false);
    for (int i = 0; i < 100 && e->closed == 0; i++)
        dx_loop_step(loop, 100);
    dx_assert(e->closed == 1);
    free(e->in);
    e->in = NULL;
}

/* ---- sockets --------------------------------------------------------------------------------- */

void socket_pair(int ret[2])
{
    int result = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret);
    dx_assert(result == 0);
}

int tcp_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    dx_assert(fd >= 0);
    return fd;
}

int tcp_listen(struct sockaddr_storage *ret, socklen_t *ret_bytes)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = tcp_socket();

    *ret_bytes = sizeof *ret;
    int result = bind(fd, (struct sockaddr *)&any, sizeof any) | listen(fd, 1024) |
                 getsockname(fd, (struct sockaddr *)ret, ret_bytes);
    dx_assert(result == 0);
    return fd;
}

int tcp_connect(const struct sockaddr_storage *address, socklen_t address_bytes)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, address_bytes) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void tcp_pair(int ret[2])
{
    struct sockaddr_storage address;
    socklen_t address_bytes;
    int listener = tcp_listen(&address, &address_bytes);

    ret[0] = tcp_socket();
    (void)connect(ret[0], (struct sockaddr *)&address, address_bytes);
    for (int i = 0; i < 1000; i++) {
        ret[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (ret[1] >= 0)
            break;
        usleep(1000);
    }
    dx_assert(ret[1] >= 0);
    close(listener);
}

void set_buffer_bytes(int fd, int option, int bytes)
{
    int result = setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof bytes);
    dx_assert(result == 0);
}

void close_reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

/* ---- numbers --------------------------------------------------------------------------------- */

uint64_t next_random(uint64_t *seed) /* a Weyl sequence, mixed by two multiplications */
{
    uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

void fill_random(uint64_t *seed, uint8_t *to, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)next_random(seed);
}
