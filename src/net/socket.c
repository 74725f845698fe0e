/* Making sockets.
 * SPDX-License-Identifier: MIT */
#include "net/socket.h"

#include "base/assert.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG_COUNT = 4096, USER_TIMEOUT_MS = 30000 };

static int protocol_of(dx_transport transport)
{
    switch (transport) {
    case DX_TCP: return IPPROTO_TCP;
    case DX_MPTCP: return IPPROTO_MPTCP;
    case DX_SCTP: return IPPROTO_SCTP; /* one-to-one style, RFC 6458 §4: a byte stream in order */
    case DX_UNIX: return 0;
    }
    dx_unreachable("dx_transport outside its enum");
}

static int set_option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int socket_new(const dx_address *a)
{
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    protocol_of(a->transport));
    if (fd >= 0 && a->any.sa_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY,
                   memcmp(&a->v6.sin6_addr, &in6addr_any, sizeof in6addr_any) != 0);
    return fd;
}

static dx_err socket_fail(int fd)
{
    dx_err err = dx_err_from_errno(errno);

    if (fd >= 0)
        close(fd);
    return err;
}

static dx_err listen_one(const dx_address *a, bool reuse_port, int *ret)
{
    int fd = socket_new(a);

    if (fd < 0)
        return socket_fail(fd);
    if (a->transport != DX_UNIX)
        set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (reuse_port && set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0)
        return socket_fail(fd);
    if (bind(fd, &a->any, a->size) != 0 || listen(fd, BACKLOG_COUNT) != 0)
        return socket_fail(fd);
    *ret = fd;
    return DX_OK;
}

/* A socket file that nobody answers on is a leftover of a process that died: unlink it. */
static void unlink_if_abandoned(const dx_address *a)
{
    struct stat st;

    if (a->local.sun_path[0] == '\0' || lstat(a->local.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    int fd = socket_new(a);
    if (fd < 0)
        return;
    if (connect(fd, &a->any, a->size) != 0 && errno == ECONNREFUSED)
        unlink(a->local.sun_path);
    close(fd);
}

/* SO_REUSEPORT would let a second server of the same user in without a word, so one bind without
 * it comes first; it also finds the port where 0 was asked for. */
static dx_err probe_port(dx_address *a)
{
    int fd = -1;
    dx_err err = listen_one(a, false, &fd);

    if (err != DX_OK)
        return err;
    dx_address bound = *a;
    if (getsockname(fd, &bound.any, &bound.size) == 0)
        dx_address_set_port(a, dx_address_port(&bound));
    close(fd);
    return DX_OK;
}

static dx_err listen_fail(int *fds, uint32_t made, dx_err err)
{
    while (made > 0)
        close(fds[--made]);
    return err;
}

dx_err dx_socket_listen(dx_address *address, uint32_t count, int *fds)
{
    bool spread = address->transport == DX_TCP || address->transport == DX_MPTCP;
    dx_err err = DX_OK;

    dx_assert(count >= 1);
    if (address->transport == DX_UNIX)
        unlink_if_abandoned(address);
    else if ((err = probe_port(address)) != DX_OK)
        return err;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || spread)
            err = listen_one(address, spread && count > 1, &fds[i]);
        else if ((fds[i] = fcntl(fds[0], F_DUPFD_CLOEXEC, 0)) < 0)
            err = dx_err_from_errno(errno);
        if (err != DX_OK)
            return listen_fail(fds, i, err);
    }
    return DX_OK;
}

dx_err dx_socket_share(const dx_address *address, int fd, int *ret)
{
    int is_spread = 0;
    socklen_t size = sizeof is_spread;

    if (address->transport != DX_UNIX &&
        getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &is_spread, &size) == 0 && is_spread &&
        listen_one(address, true, ret) == DX_OK)
        return DX_OK;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return dx_err_from_errno(errno);
    *ret = copy;
    return DX_OK;
}

dx_err dx_socket_client(const dx_address *address, int *ret)
{
    int fd = socket_new(address);

    if (fd < 0)
        return socket_fail(fd);
    *ret = fd;
    return DX_OK;
}

void dx_socket_tune(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* fails on unix sockets, where nothing is delayed */
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

uint32_t dx_socket_unsent(int fd)
{
    int bytes = 0;

    return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes >= 0 ? (uint32_t)bytes : UINT32_MAX;
}

bool dx_socket_peer(int fd, dx_address *ret)
{
    dx_address peer = {.transport = DX_TCP, .size = sizeof(struct sockaddr_un)};

    if (getpeername(fd, &peer.any, &peer.size) != 0)
        return false;
    *ret = peer;
    return true;
}
