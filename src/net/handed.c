/* Sockets from elsewhere.
 * Source: unix(7), SCM_RIGHTS.
 * SPDX-License-Identifier: MIT */
#include "net/handed.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

dx_err dx_handed_add(dx_handed *h, int fd, const char *name)
{
    if (h->count == h->room) {
        size_t room = h->room ? 2 * h->room : 16;
        dx_handed_socket *at = room <= DX_HANDED_MAX ? realloc(h->at, room * sizeof *at) : NULL;
        if (at == NULL) {
            close(fd);
            return room <= DX_HANDED_MAX ? DX_ERR_MEMORY : DX_ERR_TOO_LARGE;
        }
        h->at = at;
        h->room = room;
    }
    h->at[h->count].fd = fd;
    snprintf(h->at[h->count].name, DX_HANDED_NAME_BYTES, "%s", name);
    h->count++;
    return DX_OK;
}

void dx_handed_deinit(dx_handed *h)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->at[i].fd >= 0)
            close(h->at[i].fd);
    free(h->at);
    *h = (dx_handed){0};
}

size_t dx_handed_left(const dx_handed *h, const char **ret_name)
{
    size_t count = 0;

    for (size_t i = 0; i < h->count; i++)
        if (h->at[i].fd >= 0) {
            *ret_name = h->at[i].name;
            count++;
        }
    return count;
}

/* ---- finding ---------------------------------------------------------------------------------- */

static bool is_same_place(const dx_address *a, const dx_address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    if (a->any.sa_family == AF_INET6)
        return a->v6.sin6_port == b->v6.sin6_port &&
               memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
    return a->size == b->size && memcmp(&a->any, &b->any, a->size) == 0;
}

static bool place_of(int fd, dx_address *ret)
{
    int listens = 0;
    socklen_t size = sizeof listens;

    *ret = (dx_address){.size = sizeof(struct sockaddr_un)};
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
           getsockname(fd, &ret->any, &ret->size) == 0;
}

static int protocol_of(int fd)
{
    int protocol = 0;
    socklen_t size = sizeof protocol;

    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 ? protocol : 0;
}

static bool fits_transport(int fd, dx_transport transport)
{
    switch (transport) {
    case DX_TCP: return protocol_of(fd) == IPPROTO_TCP;
    case DX_MPTCP: return protocol_of(fd) == IPPROTO_MPTCP;
    case DX_SCTP: return protocol_of(fd) == IPPROTO_SCTP;
    case DX_UNIX: return protocol_of(fd) == 0;
    }
    return false;
}

static void make_ours(int fd)
{
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static uint32_t take(dx_handed *h, const char *name, dx_address *address, int *fds, uint32_t max)
{
    dx_address place;
    uint32_t count = 0;

    for (size_t i = 0; i < h->count && count < max; i++) {
        int fd = h->at[i].fd;
        if (fd < 0 || !place_of(fd, &place) || !fits_transport(fd, address->transport))
            continue;
        if (name ? strcmp(h->at[i].name, name) != 0 : !is_same_place(&place, address))
            continue;
        if (address->transport != DX_UNIX && dx_address_port(address) == 0)
            dx_address_set_port(address, dx_address_port(&place));
        make_ours(fd);
        fds[count++] = fd;
        h->at[i].fd = -1;
    }
    return count;
}

uint32_t dx_handed_take(dx_handed *h, const char *name, dx_address *address, int *fds, uint32_t max)
{
    uint32_t count = take(h, name, address, fds, max);

    return count > 0 ? count : take(h, NULL, address, fds, max);
}

/* ---- sending ---------------------------------------------------------------------------------- */

typedef union control {
    struct cmsghdr head;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
} control;

/* fd: -1 for none. */
static dx_err send_one(int channel, const char *name, int fd)
{
    control c = {0};
    struct iovec iov = {(void *)(uintptr_t)name, strlen(name) + 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t sent;

    if (fd >= 0) {
        m.msg_control = &c;
        m.msg_controllen = sizeof c.bytes;
        c.head = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&c.head), &fd, sizeof fd);
    }
    do
        sent = sendmsg(channel, &m, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 ? DX_OK : errno == EPIPE ? DX_ERR_CLOSED : dx_err_from_errno(errno);
}

dx_err dx_handed_send(const dx_handed *h, int channel)
{
    dx_err err = DX_OK;

    for (size_t i = 0; err == DX_OK && i < h->count; i++)
        if (h->at[i].fd >= 0)
            err = send_one(channel, h->at[i].name, h->at[i].fd);
    return err == DX_OK ? send_one(channel, "", -1) : err;
}

/* fd: -1 at the end. */
static dx_err receive_one(int channel, char name[DX_HANDED_NAME_BYTES], int *fd)
{
    control c = {0};
    struct iovec iov = {name, DX_HANDED_NAME_BYTES - 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c.bytes};
    ssize_t got;

    do
        got = recvmsg(channel, &m, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return got == 0 ? DX_ERR_CLOSED : dx_err_from_errno(errno);
    name[got] = '\0';
    *fd = -1;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&m);
    if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(head), sizeof *fd);
    return DX_OK;
}

dx_err dx_handed_receive(dx_handed *h, int channel)
{
    char name[DX_HANDED_NAME_BYTES];
    int fd = -1;

    for (;;) {
        dx_err err = receive_one(channel, name, &fd);
        if (err != DX_OK || fd < 0)
            return err;
        err = dx_handed_add(h, fd, name);
        if (err != DX_OK)
            return err;
    }
}
