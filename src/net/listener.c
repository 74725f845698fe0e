/* Accepting connections.
 * SPDX-License-Identifier: MIT */
#include "net/listener.h"

#include "base/err.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    RETRY_MS = 100,       /* pause after running out of something */
    REFUSE_COUNT_MAX = 64 /* waiting connections refused at once when descriptors ran out */
};

static int spare_open(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Out of descriptors: with the spare one given up, those who wait are taken and reset, so that they
 * learn it now and not by a timeout, and the loop does not spin on a listener that stays readable. */
static void refuse_waiting(dx_listener *l)
{
    if (l->spare_fd < 0)
        return;
    close(l->spare_fd);
    for (int i = 0; i < REFUSE_COUNT_MAX; i++) {
        int fd = accept4(l->io.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            break;
        struct linger reset = {.l_onoff = 1, .l_linger = 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    l->spare_fd = spare_open();
}

static void on_accept(dx_io *io, int fd, dx_err err)
{
    dx_listener *l = DX_CONTAINER(io, dx_listener, io);

    if (err == DX_OK) {
        l->is_warned = false;
        l->on_accept(l, fd);
        return;
    }
    if (err == DX_ERR_CLOSED) {
        dx_listener_close(l);
        return;
    }
    if (!l->is_warned)
        dx_log_write(l->log, DX_LOG_WARN, "cannot accept: %s; trying again every %d ms",
                     dx_err_text(err), RETRY_MS);
    l->is_warned = true;
    if (err == DX_ERR_FILES)
        refuse_waiting(l);
    dx_timer_set(io->loop, &l->retry, RETRY_MS);
}

static void on_retry(dx_timer *timer)
{
    dx_listener *l = DX_CONTAINER(timer, dx_listener, retry);

    if (l->spare_fd < 0)
        l->spare_fd = spare_open();
    dx_io_accept_start(&l->io);
}

static void on_closed(dx_io *io)
{
    dx_listener *l = DX_CONTAINER(io, dx_listener, io);

    l->is_closed = true;
}

static const dx_io_ops io_ops = {.on_accept = on_accept, .on_closed = on_closed};

dx_err dx_listener_open(dx_listener *l, dx_loop *loop, int fd)
{
    dx_err err = dx_io_open(&l->io, loop, fd, &io_ops);

    if (err != DX_OK)
        return err;
    l->is_closed = l->is_warned = false;
    l->spare_fd = spare_open();
    dx_socket_tune(fd); /* once for all that will be accepted */
    dx_timer_init(&l->retry, on_retry);
    dx_io_accept_start(&l->io);
    return DX_OK;
}

void dx_listener_stop(dx_listener *l)
{
    if (l->io.fd < 0)
        return;
    dx_timer_clear(&l->retry);
    if (dx_io_accept_stop(&l->io))
        dx_listener_close(l);
}

void dx_listener_close(dx_listener *l)
{
    if (l->io.fd < 0)
        return;
    dx_timer_clear(&l->retry);
    if (l->spare_fd >= 0)
        close(l->spare_fd);
    l->spare_fd = -1;
    dx_io_close(&l->io, false);
}
