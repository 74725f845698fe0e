/* What an echoed message costs the loop, beside a bare epoll loop that does nothing else.
 * Usage:  bench_echo bare|epoll|io_uring [CONNECTIONS [SECONDS [BYTES]]]
 * Is:     a server in a child process on core 0, a bare epoll client on core 1, one message in
 *         flight on each connection, over TCP on loopback; CPU time is the child's, from getrusage.
 * Is not: a test; nothing fails.
 * SPDX-License-Identifier: MIT */
#include "loop/loop.h"

#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, BYTES_MAX = 65536 };

static int connections = 100, seconds = 3, message_bytes = 16;

static void pin(size_t core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void no_delay(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static int listen_any(struct sockaddr_in *ret)
{
    socklen_t size = sizeof *ret;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    dx_assert(bind(fd, (struct sockaddr *)ret, size) == 0 && listen(fd, 4096) == 0);
    dx_assert(getsockname(fd, (struct sockaddr *)ret, &size) == 0);
    return fd;
}

/* ---- the servers: they run until they are killed ------------------------------------------- */

static void bare_server(int listener)
{
    static uint8_t buffer[BYTES_MAX];
    static struct epoll_event events[1024];
    int epoll = epoll_create1(0);

    epoll_ctl(epoll, EPOLL_CTL_ADD, listener,
              &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});
    for (;;) {
        int count = epoll_wait(epoll, events, 1024, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                no_delay(fd);
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd,
                          &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
                continue;
            }
            ssize_t size = recv(fd, buffer, sizeof buffer, 0);
            if (size > 0)
                (void)!send(fd, buffer, (size_t)size, MSG_NOSIGNAL);
            else if (size == 0)
                close(fd);
        }
    }
}

typedef struct echo {
    dx_io io;
    uint8_t bytes[BYTES_MAX];
} echo;

static void echo_on_recv(dx_io *io, uint8_t *at, size_t size)
{
    echo *e = DX_CONTAINER(io, echo, io);

    memcpy(e->bytes, at, size); /* a real owner keeps what it sends until on_sent, too */
    dx_io_send(io, &(struct iovec){e->bytes, size}, 1);
}

static void echo_on_end(dx_io *io, dx_err err)
{
    (void)err;
    dx_io_close(io, false);
}

static void echo_on_closed(dx_io *io)
{
    free(DX_CONTAINER(io, echo, io));
}

static void listener_on_accept(dx_io *io, int fd, dx_err err)
{
    static const dx_io_ops ops = {
        .on_recv = echo_on_recv, .on_recv_end = echo_on_end, .on_closed = echo_on_closed};
    echo *e = malloc(sizeof *e);

    dx_assert(err == DX_OK && e != NULL);
    no_delay(fd);
    err = dx_io_open(&e->io, io->loop, fd, &ops);
    dx_assert(err == DX_OK);
    dx_io_recv_start(&e->io);
}

static void loop_server(int listener, dx_loop_kind kind)
{
    static const dx_io_ops ops = {.on_accept = listener_on_accept};
    dx_loop *loop;
    dx_io io;
    dx_err err = dx_loop_new(&(dx_loop_options){.kind = kind}, &loop);

    dx_assert(err == DX_OK);
    err = dx_io_open(&io, loop, listener, &ops);
    dx_assert(err == DX_OK);
    dx_io_accept_start(&io);
    dx_loop_run(loop);
}

static pid_t start_server(int listener, const char *name)
{
    dx_loop_kind kind = DX_LOOP_AUTO;
    pid_t child = fork();

    if (child != 0)
        return child;
    pin(0);
    if (dx_loop_kind_from_name(name, &kind))
        loop_server(listener, kind);
    else
        bare_server(listener);
    _exit(0);
}

/* ---- the client ----------------------------------------------------------------------------- */

static uint64_t run_client(const struct sockaddr_in *address)
{
    static uint8_t buffer[BYTES_MAX];
    static int got[65536];
    static struct epoll_event events[1024];
    int epoll = epoll_create1(0);
    uint64_t messages = 0, end_ms;

    for (int i = 0; i < connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        dx_assert(connect(fd, (const struct sockaddr *)address, sizeof *address) == 0);
        no_delay(fd);
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd,
                  &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
        (void)!send(fd, buffer, (size_t)message_bytes, 0);
    }
    end_ms = dx_clock_ms() + (uint64_t)seconds * 1000;
    while (dx_clock_ms() < end_ms) {
        int count = epoll_wait(epoll, events, 1024, 1000);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            ssize_t size = recv(fd, buffer, sizeof buffer, 0);
            got[fd] += (int)size;
            if (got[fd] < message_bytes)
                continue;
            got[fd] = 0;
            messages++;
            (void)!send(fd, buffer, (size_t)message_bytes, 0);
        }
    }
    return messages;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    struct rusage usage;

    if (argc < 2) {
        fprintf(stderr, "usage: bench_echo bare|epoll|io_uring [CONNECTIONS [SECONDS [BYTES]]]\n");
        return 2;
    }
    connections = argc > 2 ? atoi(argv[2]) : connections;
    seconds = argc > 3 ? atoi(argv[3]) : seconds;
    message_bytes = argc > 4 ? atoi(argv[4]) : message_bytes;
    if (connections < 1 || connections > CONNECTIONS_MAX || message_bytes > BYTES_MAX)
        return 2;
    int listener = listen_any(&address);
    pid_t child = start_server(listener, argv[1]);
    pin(1);
    uint64_t messages = run_client(&address);
    kill(child, SIGKILL);
    wait4(child, NULL, 0, &usage);
    double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("%-9s %4d connections, %d bytes: %8.0f messages/s, %5.0f ns CPU a message, "
           "%.0f %% busy\n",
           argv[1], connections, message_bytes, (double)messages / seconds,
           cpu_s * 1e9 / (double)messages, cpu_s * 100 / seconds);
    return 0;
}
