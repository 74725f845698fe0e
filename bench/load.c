/* A load generator for WebSocket servers: echo, fan-out, idle connections.
 * Is:     a client of its own, one thread, one epoll; prints one line of JSON for bench/run.
 * Is not: a checker of conformance; it trusts frames as far as counting them needs.
 * Memory: one struct per connection; payloads are counted, never kept.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "load_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 18, BURST_BYTES = 1 << 16, CONNECTING_MAX = 128, SOURCES = 64 };
enum { STALL_MS = 10000, FRAME_HEAD_MAX = 14, CONTROL_MAX = 125, STATUS_BYTES = 12 };
enum { OP_TEXT = 1, OP_CLOSE = 8, OP_PING = 9 };

typedef enum mode { MODE_ECHO, MODE_FANOUT, MODE_IDLE } mode;
typedef enum phase { CONNECTING, HANDSHAKE, OPEN } phase;

typedef struct conn {
    int fd;
    void *tls; /* NULL: in clear */
    phase phase;
    bool publishes;    /* fan-out: the one that sends */
    bool wants_write;  /* EPOLLOUT is armed */
    uint8_t head_size; /* bytes of the frame head seen so far; in HANDSHAKE: of the status line */
    uint8_t blank;     /* HANDSHAKE: how much of CR LF CR LF was seen */
    uint8_t head[STATUS_BYTES > FRAME_HEAD_MAX ? STATUS_BYTES : FRAME_HEAD_MAX];
    uint8_t control[CONTROL_MAX];
    uint64_t payload_left; /* of the frame that is being read */
    uint64_t payload_size;
    uint64_t send_left; /* bytes still to send: frames one after the other, from send_at */
    size_t send_at;     /* where in the burst the next byte is */
} conn;

static struct {
    mode mode;
    struct sockaddr_in to;
    const char *host_text, *path, *publish_path;
    long connections_count, in_flight_count, size, warmup_ms, measure_ms, server_pid, tls;
} want = {.mode = MODE_ECHO,
          .host_text = "127.0.0.1",
          .path = "/echo",
          .connections_count = 100,
          .in_flight_count = 1,
          .size = 20,
          .warmup_ms = 500,
          .measure_ms = 2000};

static int epoll_fd;
static conn *conns, *publisher;
static long conns_count, open_count, connecting_count, started_count;
static uint8_t *burst; /* whole masked frames, one after the other */
static size_t burst_size, frame_size;
static uint64_t messages;   /* data messages received */
static uint64_t round_left; /* fan-out: deliveries still missing of this burst */

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- CPU time ------------------------------------------------------------------------------- */

/* User and system time of the server, all threads, in seconds; 0 without --server-pid. */
static double server_cpu(void)
{
    char name[64], text[1024];
    unsigned long user, system;

    if (want.server_pid == 0)
        return 0;
    snprintf(name, sizeof(name), "/proc/%ld/stat", want.server_pid);
    FILE *file = fopen(name, "r");
    if (!file)
        fail("the server (pid %ld) is gone", want.server_pid);
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[size] = 0;
    const char *after_name = strrchr(text, ')'); /* the name may hold blanks */
    if (!after_name ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        fail("cannot read %s", name);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double own_cpu(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* --- sending -------------------------------------------------------------------------------- */

/* Writes one masked text frame of `size` letters; returns its size. */
static size_t frame_write(uint8_t *to, size_t size)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t *at = to;

    *at++ = 0x80 | OP_TEXT;
    if (size < 126) {
        *at++ = (uint8_t)(0x80 | size);
    } else {
        int bytes = size < 65536 ? 2 : 8;
        *at++ = (uint8_t)(0x80 | (bytes == 2 ? 126 : 127));
        while (bytes-- > 0)
            *at++ = (uint8_t)((uint64_t)size >> (8 * bytes));
    }
    memcpy(at, key, sizeof(key));
    at += sizeof(key);
    for (size_t i = 0; i < size; i++)
        *at++ = (uint8_t)(('a' + i % 26) ^ key[i % 4]);
    return (size_t)(at - to);
}

static void burst_init(void)
{
    size_t one = (size_t)want.size + FRAME_HEAD_MAX;
    size_t count = one < BURST_BYTES ? BURST_BYTES / one : 1;

    burst = malloc(one * count);
    if (!burst)
        fail("out of memory");
    for (size_t i = 0; i < count; i++)
        burst_size += frame_size = frame_write(burst + burst_size, (size_t)want.size);
}

static void conn_watch(conn *c, bool write)
{
    if (c->wants_write == write)
        return;
    c->wants_write = write;
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0u), .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

static ssize_t conn_put(conn *c, const void *at, size_t size)
{
    return c->tls ? load_tls_send(c->tls, at, size) : send(c->fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t conn_get(conn *c, void *to, size_t size)
{
    return c->tls ? load_tls_recv(c->tls, to, size) : recv(c->fd, to, size, MSG_DONTWAIT);
}

static void conn_flush(conn *c)
{
    while (c->send_left > 0) {
        size_t size = burst_size - c->send_at;
        if (size > c->send_left)
            size = (size_t)c->send_left;
        ssize_t sent = conn_put(c, burst + c->send_at, size);
        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent < 0)
            fail("send: %s", strerror(errno));
        c->send_left -= (uint64_t)sent;
        c->send_at = (c->send_at + (size_t)sent) % burst_size;
    }
    conn_watch(c, c->send_left > 0);
}

static void conn_send(conn *c, uint64_t count)
{
    if (c->send_left == 0)
        c->send_at = 0; /* all frames are alike: begin where the burst does */
    c->send_left += count * frame_size;
    conn_flush(c);
}

static void fanout_next(void)
{
    round_left = (uint64_t)(conns_count - 1) * (uint64_t)want.in_flight_count;
    conn_send(publisher, (uint64_t)want.in_flight_count);
}

/* --- receiving ------------------------------------------------------------------------------ */

static void on_message(conn *c, uint64_t *arrived)
{
    if (c->publishes)
        return; /* a server that echoes to the publisher too */
    if (c->payload_size != (uint64_t)want.size)
        fail("a message of %llu bytes came, %ld were sent", (unsigned long long)c->payload_size,
             want.size);
    *arrived += 1;
}

static void on_control(conn *c, uint8_t opcode)
{
    uint8_t pong[6 + CONTROL_MAX] = {0x8a, (uint8_t)(0x80 | c->payload_size)}; /* mask key 0 */

    if (opcode == OP_CLOSE)
        fail("the server closed with code %d",
             c->payload_size >= 2 ? c->control[0] << 8 | c->control[1] : 1005);
    if (opcode != OP_PING)
        return;
    memcpy(pong + 6, c->control, c->payload_size);
    if (conn_put(c, pong, 6 + (size_t)c->payload_size) < 0)
        fail("send of a pong: %s", strerror(errno));
}

/* Takes bytes of a frame head; true when it is whole (payload_size is set). */
static bool head_take(conn *c, const uint8_t **at, const uint8_t *end)
{
    while (*at < end) {
        c->head[c->head_size++] = *(*at)++;
        if (c->head_size < 2)
            continue;
        uint8_t length = c->head[1]; /* a server does not mask */
        int extra = length < 126 ? 0 : length == 126 ? 2 : 8;
        if (c->head_size < 2 + extra)
            continue;
        c->payload_size = extra ? 0 : length;
        for (int i = 0; i < extra; i++)
            c->payload_size = c->payload_size << 8 | c->head[2 + i];
        c->payload_left = c->payload_size;
        return true;
    }
    return false;
}

/* Takes what there is of the payload; true when the frame is whole. */
static bool payload_take(conn *c, const uint8_t **at, const uint8_t *end)
{
    uint64_t size =
        (uint64_t)(end - *at) < c->payload_left ? (uint64_t)(end - *at) : c->payload_left;

    if (c->head[0] & 8) {
        if (c->payload_size > CONTROL_MAX)
            fail("a control frame of %llu bytes", (unsigned long long)c->payload_size);
        memcpy(c->control + (c->payload_size - c->payload_left), *at, size);
    }
    *at += size;
    c->payload_left -= size;
    return c->payload_left == 0;
}

/* Reads frames; returns how many data messages ended in these bytes. */
static uint64_t frames_read(conn *c, const uint8_t *at, const uint8_t *end)
{
    uint64_t arrived = 0;

    for (;;) {
        bool in_head = c->payload_left == 0;
        if (in_head && !head_take(c, &at, end))
            return arrived;
        if (!payload_take(c, &at, end))
            return arrived;
        if (c->head[0] & 8)
            on_control(c, c->head[0] & 15);
        else if (c->head[0] & 0x80)
            on_message(c, &arrived);
        else
            fail("the server fragments: not counted here");
        c->head_size = 0;
    }
}

static void conn_opened(conn *c)
{
    c->phase = OPEN;
    c->head_size = 0;
    connecting_count--;
    open_count++;
}

/* The answer to the handshake: a status line with 101, then anything up to the blank line. */
static const uint8_t *handshake_read(conn *c, const uint8_t *at, const uint8_t *end)
{
    static const char blank[] = "\r\n\r\n";

    while (at < end && c->phase == HANDSHAKE) {
        uint8_t byte = *at++;
        if (c->head_size < STATUS_BYTES)
            c->head[c->head_size++] = byte;
        if (c->head_size == STATUS_BYTES && memcmp(c->head, "HTTP/1.1 101", STATUS_BYTES) != 0)
            fail("the handshake was answered '%.12s'", (const char *)c->head);
        c->blank = byte == (uint8_t)blank[c->blank] ? c->blank + 1 : byte == '\r';
        if (c->blank == 4)
            conn_opened(c);
    }
    return at;
}

static void on_arrived(conn *c, uint64_t arrived)
{
    messages += arrived;
    if (want.mode == MODE_ECHO && arrived > 0)
        conn_send(c, arrived);
    if (want.mode != MODE_FANOUT || arrived == 0)
        return;
    if (arrived > round_left)
        fail("more messages arrived than were sent");
    round_left -= arrived;
    if (round_left == 0)
        fanout_next();
}

static void conn_readable(conn *c)
{
    static uint8_t bytes[READ_BYTES];
    ssize_t size = conn_get(c, bytes, sizeof(bytes));

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0)
        fail("the server closed a connection: %s", size < 0 ? strerror(errno) : "end of stream");
    const uint8_t *at = bytes, *end = bytes + size;
    if (c->phase == HANDSHAKE)
        at = handshake_read(c, at, end);
    if (c->phase == OPEN && at < end)
        on_arrived(c, frames_read(c, at, end));
}

/* --- connecting ----------------------------------------------------------------------------- */

static void conn_start(conn *c, long index)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        fail("socket: %s (ulimit -n?)", strerror(errno));
    /* Many source addresses: one has only 28,000 ports towards one server. */
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(index % SOURCES));
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (ntohl(want.to.sin_addr.s_addr) >> 24 == 127 &&
        bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
        fail("bind: %s", strerror(errno));
    if (connect(c->fd, (struct sockaddr *)&want.to, sizeof(want.to)) < 0 && errno != EINPROGRESS)
        fail("connect: %s", strerror(errno));
    c->phase = CONNECTING;
    c->wants_write = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
    connecting_count++;
}

static void handshake_send(conn *c)
{
    char text[1024];
    const char *path = c->publishes ? want.publish_path : want.path;
    int size = snprintf(text, sizeof(text),
                        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\n",
                        path, want.host_text, ntohs(want.to.sin_port));
    int error = 0;
    socklen_t error_size = sizeof(error);

    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
    if (error)
        fail("connect: %s", strerror(error));
    if (size < 0 || (size_t)size >= sizeof(text) ||
        conn_put(c, text, (size_t)size) != size)
        fail("the handshake could not be sent");
    c->phase = HANDSHAKE;
    conn_watch(c, false);
}

/* True when the way is open, in clear or through TLS. */
static bool conn_is_open(conn *c)
{
    if (!want.tls)
        return true;
    if (c->tls == NULL && (c->tls = load_tls_new(c->fd)) == NULL)
        fail("out of memory");
    int shaken = load_tls_shake(c->tls);
    if (shaken < 0)
        fail("the TLS handshake failed: TLS 1.3 with AES-128-GCM is asked for");
    conn_watch(c, false);
    return shaken == 1;
}

static void turn(int timeout_ms)
{
    struct epoll_event events[512];
    int count = epoll_wait(epoll_fd, events, 512, timeout_ms);

    for (int i = 0; i < count; i++) {
        conn *c = events[i].data.ptr;
        if (c->phase == CONNECTING && !conn_is_open(c))
            continue;
        if (c->phase == CONNECTING)
            handshake_send(c);
        else if (events[i].events & EPOLLOUT)
            conn_flush(c);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            conn_readable(c);
    }
}

/* Opens all connections, a bounded number at a time. */
static void connect_all(void)
{
    int64_t deadline = now_ms() + STALL_MS;
    long opened = 0;

    while (open_count < conns_count) {
        while (started_count < conns_count && connecting_count < CONNECTING_MAX) {
            conn_start(&conns[started_count], started_count);
            started_count++;
        }
        turn(100);
        if (open_count > opened)
            opened = open_count, deadline = now_ms() + STALL_MS;
        if (now_ms() > deadline)
            fail("only %ld of %ld connections opened", open_count, conns_count);
    }
}

/* --- the three modes ------------------------------------------------------------------------ */

static void run_for(int64_t ms)
{
    int64_t end = now_ms() + ms, stalled = now_ms() + STALL_MS, now;
    uint64_t seen = messages;

    while ((now = now_ms()) < end) {
        turn((int)(end - now));
        if (messages != seen)
            seen = messages, stalled = now + STALL_MS;
        if (now > stalled)
            fail("no message came for %d ms", STALL_MS);
    }
}

static void measure(void)
{
    if (want.mode == MODE_FANOUT)
        fanout_next();
    else
        for (long i = 0; i < conns_count; i++)
            conn_send(&conns[i], (uint64_t)want.in_flight_count);
    run_for(want.warmup_ms);
    uint64_t messages_before = messages;
    double server_before = server_cpu(), own_before = own_cpu();
    int64_t began = now_ms();
    run_for(want.measure_ms);
    double seconds = (double)(now_ms() - began) / 1000;
    printf("{\"messages\":%llu,\"seconds\":%.3f,\"server_cpu_s\":%.3f,\"load_cpu_s\":%.3f}\n",
           (unsigned long long)(messages - messages_before), seconds, server_cpu() - server_before,
           own_cpu() - own_before);
}

/* Holds the connections, answering pings, until stdin ends. */
static void hold(void)
{
    conn input = {.fd = STDIN_FILENO};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &input};

    printf("{\"open\":%ld}\n", open_count);
    fflush(stdout);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
        fail("stdin must be a pipe: %s", strerror(errno));
    for (;;) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll_fd, events, 64, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &input)
                return;
            conn_readable(events[i].data.ptr);
        }
    }
}

static long number(const char *text, long most)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == 0 || *end != 0 || value < 0 || value > most)
        fail("'%s' is not a number from 0 to %ld", text, most);
    return value;
}

static void options_read(int argc, char **argv)
{
    static const struct option options[] = {
        {"host", 1, 0, 'h'},
        {"port", 1, 0, 'p'},
        {"path", 1, 0, 'a'},
        {"publish-path", 1, 0, 'u'},
        {"connections", 1, 0, 'c'},
        {"in-flight", 1, 0, 'f'},
        {"size", 1, 0, 's'},
        {"warmup-ms", 1, 0, 'w'},
        {"measure-ms", 1, 0, 'm'},
        {"server-pid", 1, 0, 'P'},
        {"tls", 0, 0, 't'},
        {0},
    };
    static const char *const modes[] = {"echo", "fanout", "idle"};
    const char *name = argc > 1 ? argv[1] : "";
    int c;

    while (want.mode <= MODE_IDLE && strcmp(name, modes[want.mode]) != 0)
        want.mode++;
    if (want.mode > MODE_IDLE)
        fail(
            "usage: load echo|fanout|idle --port PORT [--host IPV4] [--path PATH] [--publish-path PATH]\n"
            "  [--connections N] [--in-flight N] [--size BYTES] [--warmup-ms N] [--measure-ms N] [--server-pid PID] [--tls]");
    want.to =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    while ((c = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1)
        switch (c) {
        case 'h': want.host_text = optarg; break;
        case 'p': want.to.sin_port = htons((uint16_t)number(optarg, 65535)); break;
        case 'a': want.path = optarg; break;
        case 'u': want.publish_path = optarg; break;
        case 't': want.tls = 1; break;
        case 'c': want.connections_count = number(optarg, 1000000); break;
        case 'f': want.in_flight_count = number(optarg, 1000000); break;
        case 's': want.size = number(optarg, 1 << 28); break;
        case 'w': want.warmup_ms = number(optarg, 3600000); break;
        case 'm': want.measure_ms = number(optarg, 3600000); break;
        case 'P': want.server_pid = number(optarg, 1 << 30); break;
        default: exit(2);
        }
    if (inet_pton(AF_INET, want.host_text, &want.to.sin_addr) != 1)
        fail("'%s' is not an IPv4 address", want.host_text);
    if (!want.publish_path)
        want.publish_path = want.path;
}

int main(int argc, char **argv)
{
    struct rlimit files;

    options_read(argc, argv);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (want.tls && !load_tls_init())
        fail("no TLS 1.3 with AES-128-GCM here");
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    conns_count = want.connections_count + (want.mode == MODE_FANOUT);
    conns = calloc((size_t)conns_count, sizeof(*conns));
    if (epoll_fd < 0 || !conns || conns_count == 0)
        fail("cannot start with %ld connections", conns_count);
    publisher = &conns[conns_count - 1];
    publisher->publishes = want.mode == MODE_FANOUT;
    burst_init();
    connect_all();
    if (want.mode == MODE_IDLE)
        hold();
    else
        measure();
    return 0;
}
