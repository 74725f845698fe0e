/* One descriptor in the loop, whatever the backend: checks what the owner asks, keeps the bits of
 * dx_io.state, calls the owner's functions.
 * Is not: waiting (loop_epoll.c, loop_io_uring.c), the turn (loop.c).
 * SPDX-License-Identifier: MIT */
#include "loop/loop_backend.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { IOV_COUNT_MAX = 64 };

/* ---- what the owner asks --------------------------------------------------------------------- */

dx_err dx_io_open(dx_io *io, dx_loop *loop, int fd, const dx_io_ops *ops)
{
    dx_assert(fd >= 0);
    *io = (dx_io){.ops = ops, .loop = loop, .fd = fd};
    dx_list_init(&io->closed_link);
    dx_err err = loop->backend->open(io);
    if (err != DX_OK) {
        io->fd = -1;
        return err;
    }
    loop->ios_count++;
    return DX_OK;
}

void dx_io_accept_start(dx_io *io)
{
    dx_assert(dx_io_is_open(io) && io->ops->on_accept);
    if (dx_io_has(io, DX_IO_ACCEPTING))
        return;
    dx_io_set(io, DX_IO_ACCEPTING);
    io->loop->backend->accept_start(io);
}

bool dx_io_accept_stop(dx_io *io)
{
    dx_assert(dx_io_is_open(io));
    if (!dx_io_has(io, DX_IO_ACCEPTING))
        return true;
    dx_io_unset(io, DX_IO_ACCEPTING);
    return io->loop->backend->accept_stop(io);
}

void dx_io_connect(dx_io *io, const struct sockaddr *address, socklen_t address_bytes)
{
    dx_assert(dx_io_is_open(io) && io->ops->on_connect);
    dx_assert(!dx_io_has(io, DX_IO_CONNECTING | DX_IO_RECV_WANTED));
    dx_io_set(io, DX_IO_CONNECTING);
    /* EINTR: the connection goes on being made in the background, as with EINPROGRESS. */
    if (connect(io->fd, address, address_bytes) == 0 || errno == EINPROGRESS || errno == EINTR) {
        io->loop->backend->connect_wait(io);
        return;
    }
    /* EAGAIN is a Unix socket whose listener has a full queue. */
    io->pending = (uint16_t)(errno == EAGAIN ? DX_ERR_BUSY : dx_err_from_errno(errno));
    dx_list_append(&io->loop->refused, &io->closed_link);
}

void dx_io_recv_start(dx_io *io)
{
    if (!dx_io_is_open(io) || dx_io_has(io, DX_IO_RECV_WANTED | DX_IO_RECV_ENDED))
        return;
    dx_io_set(io, DX_IO_RECV_WANTED);
    if (!dx_io_has(io, DX_IO_CONNECTING)) /* else when it is connected */
        io->loop->backend->recv_start(io);
}

void dx_io_recv_stop(dx_io *io)
{
    if (!dx_io_is_open(io) || !dx_io_has(io, DX_IO_RECV_WANTED))
        return;
    dx_io_unset(io, DX_IO_RECV_WANTED);
    if (!dx_io_has(io, DX_IO_CONNECTING))
        io->loop->backend->recv_stop(io);
}

void dx_io_send(dx_io *io, const struct iovec *iov, uint32_t iov_count)
{
    dx_assert(dx_io_is_open(io) && iov_count >= 1 && iov_count <= IOV_COUNT_MAX);
    dx_assert(!dx_io_has(io, DX_IO_SENDING | DX_IO_SHORT | DX_IO_CONNECTING));
    dx_io_set(io, DX_IO_SENDING);
    io->loop->backend->send(io, iov, iov_count);
}

dx_err dx_io_send_now(dx_io *io, const struct iovec *iov, uint32_t iov_count, size_t *ret)
{
    dx_assert(dx_io_is_open(io) && iov_count >= 1 && iov_count <= IOV_COUNT_MAX);
    dx_assert(!dx_io_has(io, DX_IO_SENDING | DX_IO_SHORT | DX_IO_CONNECTING));
    dx_err err = dx_send_some(io->fd, iov, iov_count, ret);
    if (err != DX_OK)
        dx_io_set(io, DX_IO_SEND_FAILED);
    return err;
}

void dx_io_shutdown(dx_io *io)
{
    if (!dx_io_is_open(io))
        return;
    if (dx_io_has(io, DX_IO_SENDING))
        dx_io_set(io, DX_IO_SHUT_LATER); /* or the FIN would overtake what io_uring has queued */
    else
        (void)shutdown(io->fd, SHUT_WR); /* fails only if the connection is gone: recv_end tells */
}

void dx_io_close(dx_io *io, bool reset)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    int fd = io->fd;

    dx_assert(dx_io_is_open(io));
    if (reset) /* fails where there is no such thing as RST (Unix sockets) */
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    io->fd = -1;
    if (dx_io_has(io, DX_IO_CONNECTING) && !dx_list_is_empty(&io->closed_link)) {
        dx_list_remove(&io->closed_link); /* was refused at once: that is not told any more */
        io->pending = 0;
    }
    io->loop->backend->close(io, fd);
}

/* ---- what the backends report ---------------------------------------------------------------- */

void dx_io_report_recv(dx_io *io, uint8_t *at, size_t size)
{
    dx_assert(dx_io_is_open(io) && size >= 1);
    io->ops->on_recv(io, at, size);
}

void dx_io_report_recv_end(dx_io *io, dx_err err)
{
    dx_assert(dx_io_is_open(io) && !dx_io_has(io, DX_IO_RECV_ENDED));
    dx_io_unset(io, DX_IO_RECV_WANTED);
    dx_io_set(io, DX_IO_RECV_ENDED);
    /* The kernel tells of a reset once; if a send heard of it, receiving sees a mere end. */
    if (err == DX_OK && dx_io_has(io, DX_IO_SEND_FAILED))
        err = DX_ERR_RESET;
    if (io->ops->on_recv_end)
        io->ops->on_recv_end(io, err);
}

void dx_io_report_sent(dx_io *io, size_t sent, size_t asked, dx_err err)
{
    dx_assert(dx_io_is_open(io) && dx_io_has(io, DX_IO_SENDING) && sent <= asked);
    dx_io_unset(io, DX_IO_SENDING);
    if (err != DX_OK)
        dx_io_set(io, DX_IO_SEND_FAILED);
    else if (sent < asked)
        dx_io_set(io, DX_IO_SHORT);
    if (dx_io_has(io, DX_IO_SHUT_LATER)) {
        dx_io_unset(io, DX_IO_SHUT_LATER);
        (void)shutdown(io->fd, SHUT_WR);
    }
    if (io->ops->on_sent)
        io->ops->on_sent(io, sent, err);
}

void dx_io_report_writable(dx_io *io)
{
    dx_assert(dx_io_is_open(io) && dx_io_has(io, DX_IO_SHORT));
    dx_io_unset(io, DX_IO_SHORT);
    if (io->ops->on_writable)
        io->ops->on_writable(io);
}

void dx_io_report_accept(dx_io *io, int fd)
{
    dx_assert(dx_io_is_open(io));
    io->ops->on_accept(io, fd, DX_OK);
}

bool dx_io_report_accept_error(dx_io *io, int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EBADF: /* from here on: not a listener, or no longer one */
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP: break;
    default: return false; /* errno is no enum; accept(2) passes on errors of the new connection */
    }
    dx_io_unset(io, DX_IO_ACCEPTING);
    io->ops->on_accept(io, -1, dx_err_from_errno(error));
    return true;
}

void dx_io_report_accept_stopped(dx_io *io)
{
    io->ops->on_accept(io, -1, DX_ERR_CLOSED);
}

void dx_io_report_connect(dx_io *io)
{
    int error = 0;
    socklen_t size = sizeof error;

    dx_assert(dx_io_is_open(io) && dx_io_has(io, DX_IO_CONNECTING));
    dx_io_unset(io, DX_IO_CONNECTING);
    if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error == 0 && dx_io_has(io, DX_IO_RECV_WANTED))
        io->loop->backend->recv_start(io);
    io->ops->on_connect(io, dx_err_from_errno(error));
}

void dx_io_report_closed(dx_io *io)
{
    dx_assert(!dx_io_is_open(io) && io->pending == 0);
    dx_list_init(&io->closed_link);
    dx_list_append(&io->loop->closed, &io->closed_link);
}

/* ---- sending --------------------------------------------------------------------------------- */

dx_err dx_send_some(int fd, const struct iovec *iov, uint32_t iov_count, size_t *ret)
{
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = iov_count};
    ssize_t size;

    do {
        size = iov_count == 1 ? send(fd, iov->iov_base, iov->iov_len, flags)
                              : sendmsg(fd, &message, flags);
    } while (size < 0 && errno == EINTR);
    if (size < 0 && errno != EAGAIN)
        return dx_err_from_errno(errno);
    *ret = size < 0 ? 0 : (size_t)size;
    return DX_OK;
}
