/* A small test client on one TCP socket. See peer.h for the contract.
 * Memory:  the input buffer doubles; it is compacted when read empty.
 * Threads: as its dx_peer.
 * Source:  settling asks the kernel (NETLINK_SOCK_DIAG) for the receive queue of the server's end.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/peer.h"

#include "tests/conformance/peer_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    INPUT_FIRST_BYTES = 4096,
    SETTLE_MS_MAX = 20,
};

int64_t dx_peer_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *dx_peer_status_text(dx_peer_status status)
{
    switch (status) {
    case DX_PEER_OK: return "ok";
    case DX_PEER_TIMEOUT: return "timeout";
    case DX_PEER_EOF: return "EOF";
    case DX_PEER_RESET: return "RST";
    case DX_PEER_ERROR: return "local error";
    }
    return "?";
}

/* ---- where to ---- */

static bool copy_part(char *to, size_t to_size, const char *from, size_t size)
{
    if (size >= to_size)
        return false;
    memcpy(to, from, size);
    to[size] = 0;
    return true;
}

bool dx_peer_url_parse(const char *text, dx_peer_url *ret)
{
    const char *scheme_end = strstr(text, "://");
    const char *host = scheme_end ? scheme_end + 3 : text;
    const char *path = host + strcspn(host, "/?");
    const char *host_end, *port;
    dx_peer_url url = {.is_secure = !strncmp(text, "wss:", 4) || !strncmp(text, "https:", 6)};

    if (*host == '[') {
        host++;
        host_end = memchr(host, ']', (size_t)(path - host));
        port = host_end ? host_end + 1 : NULL;
    } else {
        host_end = memchr(host, ':', (size_t)(path - host));
        port = host_end;
    }
    if (!host_end || port == path || *port != ':')
        return false;
    if (!copy_part(url.host, sizeof url.host, host, (size_t)(host_end - host)) ||
        !copy_part(url.port, sizeof url.port, port + 1, (size_t)(path - port - 1)))
        return false;
    int size = snprintf(url.path, sizeof url.path, "%s%s", *path == '/' ? "" : "/", path);
    if (size < 0 || (size_t)size >= sizeof url.path || !url.host[0] || !url.port[0])
        return false;
    *ret = url;
    return true;
}

/* ---- life ---- */

static int poll_one(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - dx_peer_now_ms();
        struct pollfd item = {.fd = fd, .events = events};
        int count = poll(&item, 1, left > 0 ? (int)left : 0);

        if (count < 0 && errno == EINTR)
            continue;
        return count > 0 ? item.revents : 0;
    }
}

static dx_peer_status connect_fd(int fd, const struct addrinfo *to, int timeout_ms)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
        return DX_PEER_OK;
    if (errno != EINPROGRESS)
        return DX_PEER_ERROR;
    if (!poll_one(fd, POLLOUT, dx_peer_now_ms() + timeout_ms))
        return DX_PEER_TIMEOUT;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) || error)
        return DX_PEER_ERROR;
    return DX_PEER_OK;
}

dx_peer_status dx_peer_connect(dx_peer *peer, const char *host, const char *port, int timeout_ms)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    dx_peer_status status = DX_PEER_ERROR;
    int on = 1;

    *peer = (dx_peer){.fd = -1, .settles = true};
    if (getaddrinfo(host, port, &hints, &list))
        return DX_PEER_ERROR;
    for (struct addrinfo *at = list; at && status != DX_PEER_OK; at = at->ai_next) {
        int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0)
            continue;
        status = connect_fd(fd, at, timeout_ms);
        if (status == DX_PEER_OK)
            peer->fd = fd;
        else
            close(fd);
    }
    freeaddrinfo(list);
    if (status != DX_PEER_OK)
        return status;
    socklen_t near_size = sizeof peer->near, far_size = sizeof peer->far;
    if (setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
        getsockname(peer->fd, (struct sockaddr *)&peer->near, &near_size) ||
        getpeername(peer->fd, (struct sockaddr *)&peer->far, &far_size))
        peer->settles = false; /* the server may already have closed: the reads will tell */
    return dx_peer_tls_begin(peer, timeout_ms);
}

void dx_peer_deinit(dx_peer *peer)
{
    dx_peer_tls_end(peer);
    if (peer->fd >= 0)
        close(peer->fd);
    free(peer->input);
    *peer = (dx_peer){.fd = -1};
}

void dx_peer_finish(dx_peer *peer)
{
    if (peer->tls)
        dx_peer_tls_finish(peer);
    shutdown(peer->fd, SHUT_WR);
}

/* ---- reading ---- */

void dx_peer_skip(dx_peer *peer, size_t size)
{
    if (size > dx_peer_input_size(peer))
        abort();
    peer->at += size;
    if (peer->at == peer->end)
        peer->at = peer->end = 0;
}

static bool make_room(dx_peer *peer)
{
    if (peer->end < peer->capacity)
        return true;
    if (peer->at > peer->capacity / 2) {
        memmove(peer->input, peer->input + peer->at, peer->end - peer->at);
        peer->end -= peer->at;
        peer->at = 0;
        return true;
    }
    size_t capacity = peer->capacity ? peer->capacity * 2 : INPUT_FIRST_BYTES;
    uint8_t *input = realloc(peer->input, capacity);
    if (!input)
        return false;
    peer->input = input;
    peer->capacity = capacity;
    return true;
}

/* One recv. TIMEOUT: nothing there now. */
static dx_peer_status read_once(dx_peer *peer)
{
    if (peer->broken != DX_PEER_OK)
        return peer->broken;
    if (!make_room(peer))
        return peer->broken = DX_PEER_ERROR;
    ssize_t count;
    do {
        size_t room = peer->capacity - peer->end;
        count = peer->tls ? dx_peer_tls_recv(peer, peer->input + peer->end, room)
                          : recv(peer->fd, peer->input + peer->end, room, 0);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        peer->end += (size_t)count;
        peer->received_bytes += (size_t)count;
        return DX_PEER_OK;
    }
    if (count == 0)
        return peer->broken = peer->was_reset ? DX_PEER_RESET : DX_PEER_EOF;
    if (errno == EAGAIN)
        return DX_PEER_TIMEOUT;
    return peer->broken = DX_PEER_RESET;
}

static dx_peer_status fill_until(dx_peer *peer, int64_t deadline_ms)
{
    for (;;) {
        dx_peer_status status = read_once(peer);

        if (status != DX_PEER_TIMEOUT)
            return status;
        if (!poll_one(peer->fd, POLLIN, deadline_ms))
            return DX_PEER_TIMEOUT;
    }
}

dx_peer_status dx_peer_fill(dx_peer *peer, int timeout_ms)
{
    return fill_until(peer, dx_peer_now_ms() + timeout_ms);
}

dx_peer_status dx_peer_need(dx_peer *peer, size_t size, int timeout_ms)
{
    int64_t deadline_ms = dx_peer_now_ms() + timeout_ms;
    dx_peer_status status = DX_PEER_OK;

    while (dx_peer_input_size(peer) < size && status == DX_PEER_OK)
        status = fill_until(peer, deadline_ms);
    return status;
}

dx_peer_status dx_peer_need_mark(dx_peer *peer, const char *mark, size_t *ret_size, int timeout_ms)
{
    int64_t deadline_ms = dx_peer_now_ms() + timeout_ms;
    size_t mark_size = strlen(mark);

    for (;;) {
        size_t size = dx_peer_input_size(peer);
        const uint8_t *at = size ? memmem(dx_peer_input(peer), size, mark, mark_size) : NULL;

        if (at) {
            *ret_size = (size_t)(at - dx_peer_input(peer)) + mark_size;
            return DX_PEER_OK;
        }
        dx_peer_status status = fill_until(peer, deadline_ms);
        if (status != DX_PEER_OK)
            return status;
    }
}

dx_peer_status dx_peer_need_eof(dx_peer *peer, int timeout_ms)
{
    int64_t deadline_ms = dx_peer_now_ms() + timeout_ms;
    dx_peer_status status = DX_PEER_OK;

    while (status == DX_PEER_OK)
        status = fill_until(peer, deadline_ms);
    return status;
}

/* ---- settling: has the server's end read what was sent? ---- */

static void diag_id(const dx_peer *peer, struct inet_diag_req_v2 *req)
{
    /* The server's socket seen from its side: its source is our far end. */
    if (peer->far.ss_family == AF_INET) {
        const struct sockaddr_in *far = (const void *)&peer->far, *near = (const void *)&peer->near;

        req->id.idiag_sport = far->sin_port;
        req->id.idiag_dport = near->sin_port;
        memcpy(req->id.idiag_src, &far->sin_addr, sizeof far->sin_addr);
        memcpy(req->id.idiag_dst, &near->sin_addr, sizeof near->sin_addr);
    } else {
        const struct sockaddr_in6 *far = (const void *)&peer->far,
                                  *near = (const void *)&peer->near;

        req->id.idiag_sport = far->sin6_port;
        req->id.idiag_dport = near->sin6_port;
        memcpy(req->id.idiag_src, &far->sin6_addr, sizeof far->sin6_addr);
        memcpy(req->id.idiag_dst, &near->sin6_addr, sizeof near->sin6_addr);
    }
}

/* Bytes that wait unread in the server's socket; -1 if the kernel does not say. */
static long far_unread_bytes(const dx_peer *peer, int netlink)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 req;
    } ask = {
        .head = {.nlmsg_len = sizeof ask,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST},
        .req = {.sdiag_family = (uint8_t)peer->far.ss_family,
                .sdiag_protocol = IPPROTO_TCP,
                .idiag_states = ~0U,
                .id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
    };
    union {
        struct nlmsghdr head;
        char bytes[2048];
    } answer;

    diag_id(peer, &ask.req);
    if (send(netlink, &ask, sizeof ask, 0) != (ssize_t)sizeof ask)
        return -1;
    ssize_t size = recv(netlink, &answer, sizeof answer, 0);
    if (size < (ssize_t)NLMSG_LENGTH(sizeof(struct inet_diag_msg)) ||
        answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return -1;
    const struct inet_diag_msg *found = NLMSG_DATA(&answer.head);
    return (long)found->idiag_rqueue;
}

/* One netlink socket for each thread: opening one for each piece would double the cost. */
static int netlink_of_thread(void)
{
    static _Thread_local int netlink = -2;

    if (netlink == -2)
        netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    return netlink;
}

void dx_peer_settle(dx_peer *peer)
{
    int64_t deadline_ms = dx_peer_now_ms() + SETTLE_MS_MAX;
    int netlink = peer->settles ? netlink_of_thread() : -1;

    if (netlink < 0) {
        peer->settles = false;
        sched_yield();
    }
    while (peer->settles) {
        long unread = far_unread_bytes(peer, netlink);

        if (unread == 0)
            return;
        /* Gone, unknown, or the server has stopped reading: to wait again would only cost time. */
        if (unread < 0 || dx_peer_now_ms() > deadline_ms)
            peer->settles = false;
        else
            sched_yield();
    }
}

/* ---- sending ---- */

void dx_peer_split_set(dx_peer *peer, dx_peer_split_rule rule)
{
    peer->split = rule;
    peer->sent_bytes = 0;
}

static dx_peer_status send_piece(dx_peer *peer, const uint8_t *bytes, size_t size, int timeout_ms)
{
    int64_t deadline_ms = dx_peer_now_ms() + timeout_ms;

    while (size > 0) {
        ssize_t count = peer->tls ? dx_peer_tls_send(peer, bytes, size)
                                  : send(peer->fd, bytes, size, MSG_NOSIGNAL);

        if (count > 0) {
            bytes += count;
            size -= (size_t)count;
            peer->sent_bytes += (size_t)count;
            deadline_ms = dx_peer_now_ms() + timeout_ms;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN) {
            peer->was_reset =
                true; /* the kernel forgets it once told; what came before stays readable */
            return DX_PEER_RESET;
        }
        short events = peer->broken == DX_PEER_OK ? POLLIN | POLLOUT : POLLOUT;
        int came = poll_one(peer->fd, events, deadline_ms);
        if (!came)
            return DX_PEER_TIMEOUT;
        if (came & POLLIN) /* take what comes, or both ends wait for each other */
            (void)read_once(peer);
    }
    return DX_PEER_OK;
}

/* A small generator is enough: pieces must differ, not be unguessable. */
static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15U;
    uint64_t x = *state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

/* 1 to `max`, each power of two as likely as another: most cuts fall close together. */
static size_t random_size(uint64_t *state, size_t max)
{
    unsigned bits = max > 1 ? 64U - (unsigned)__builtin_clzll(max - 1) : 0;
    uint64_t top = (uint64_t)1 << (next_random(state) % (bits + 1));
    size_t size = 1 + (size_t)(next_random(state) % top);

    return size < max ? size : max;
}

static size_t piece_size(dx_peer *peer, size_t left)
{
    dx_peer_split_rule *rule = &peer->split;
    size_t size = left;

    switch (rule->kind) {
    case DX_PEER_WHOLE: break;
    case DX_PEER_EVERY: size = rule->size; break;
    case DX_PEER_CUT:
        if (peer->sent_bytes < rule->size)
            size = rule->size - peer->sent_bytes;
        break;
    case DX_PEER_RANDOM: size = random_size(&rule->seed, rule->size); break;
    }
    return size < left ? size : left;
}

dx_peer_status dx_peer_send_chopped(dx_peer *peer, const void *bytes, size_t size, size_t piece,
                                    int timeout_ms)
{
    const uint8_t *at = bytes;

    while (size > 0) {
        size_t now = piece_size(peer, size < piece ? size : piece);
        dx_peer_status status = send_piece(peer, at, now, timeout_ms);

        if (status != DX_PEER_OK)
            return status;
        at += now;
        size -= now;
        if (size > 0 || (peer->split.kind == DX_PEER_CUT && peer->sent_bytes == peer->split.size))
            dx_peer_settle(peer);
    }
    return DX_PEER_OK;
}

dx_peer_status dx_peer_send(dx_peer *peer, const void *bytes, size_t size, int timeout_ms)
{
    return dx_peer_send_chopped(peer, bytes, size, SIZE_MAX, timeout_ms);
}
