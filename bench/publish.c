/* A load generator for publishing with acknowledgement: how many a second, and what the server pays for each.
 * Usage: publish --mode v1|http|nats --port N [--connections N] [--streams N] [--in-flight N] [--size BYTES]
 *                [--ms N] [--prefix /s/] [--server-pid N]
 * Is:     a client of its own for three protocols: duplex.v1 (a WebSocket a stream, streams spread over the
 *         connections), HTTP/1.1 POST (pipelined, over all streams in turn) and NATS JetStream (asynchronous
 *         publishing, to all subjects in turn); prints one line of JSON for bench/durable.
 * Is not: a checker: that every publish was acknowledged, and well, is all it looks at.
 * Memory: one struct and two buffers per connection.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_BYTES = 1 << 17, OUT_BYTES = 1 << 18, ONE_MAX = 70000, STALL_MS = 10000, EVENTS = 256 };

typedef struct conn {
    int fd;
    long stream; /* v1: the one it publishes to; else the next one */
    long in_flight;
    uint64_t number; /* of publishes sent: the id of the next */
    bool wants_write;
    size_t in_size, out_size, out_sent;
    uint8_t *in, *out;
} conn;

/* How a protocol publishes and hears of it. */
typedef struct protocol {
    const char *name;
    void (*open)(conn *c);
    size_t (*write)(conn *c, char *at);    /* one publish; gives its bytes, at most ONE_MAX */
    size_t (*read)(conn *c, size_t *acks); /* gives how many bytes of `in` are done with */
} protocol;

static struct {
    const protocol *how;
    const char *prefix;
    long port, connections, streams, in_flight, size, ms, server_pid;
} want = {
    .prefix = "/s/", .connections = 64, .streams = 1, .in_flight = 64, .size = 200, .ms = 3000};

static char payload[ONE_MAX];

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("publish: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* User and system time of the server, all threads, in seconds; 0 without --server-pid. */
static double server_cpu(void)
{
    char name[64], text[1024];
    unsigned long user, system;

    if (want.server_pid == 0)
        return 0;
    snprintf(name, sizeof name, "/proc/%ld/stat", want.server_pid);
    FILE *file = fopen(name, "r");
    if (!file)
        fail("the server (pid %ld) is gone", want.server_pid);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    const char *after_name = strrchr(text, ')');
    if (!after_name ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        fail("cannot read %s", name);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* ---- what all do in the beginning: one thing asked, one answer waited for ------------------------------- */

static void send_text(const conn *c, const char *text, size_t size)
{
    if (send(c->fd, text, size, MSG_NOSIGNAL) != (ssize_t)size)
        fail("cannot send: %s", strerror(errno));
}

/* Reads until `end` has come; what is behind it is taken to be nothing. */
static void await(conn *c, const char *end, const char *wanted)
{
    while (memmem(c->in, c->in_size, end, strlen(end)) == NULL) {
        ssize_t got =
            c->in_size < IN_BYTES ? recv(c->fd, c->in + c->in_size, IN_BYTES - c->in_size, 0) : 0;
        if (got <= 0)
            fail("no answer from the server (%s wanted)", wanted);
        c->in_size += (size_t)got;
    }
    if (memmem(c->in, c->in_size, wanted, strlen(wanted)) == NULL)
        fail("%s wanted, got: %.*s", wanted, (int)c->in_size, (char *)c->in);
    c->in_size = 0;
}

/* ---- duplex.v1 -------------------------------------------------------------------------------------------- */

static void v1_open(conn *c)
{
    char text[512];
    int size = snprintf(text, sizeof text,
                        "GET %s%ld?read=0 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        "Sec-WebSocket-Protocol: duplex.v1\r\n\r\n",
                        want.prefix, c->stream);

    send_text(c, text, (size_t)size);
    await(c, "\r\n\r\n", " 101 ");
}

/* RFC 6455 §5.2; the mask is zero, which a server must undo as any other. */
static size_t v1_write(conn *c, char *at)
{
    char id[24];
    int id_size = snprintf(id, sizeof id, "%llu\n", (unsigned long long)c->number++);
    size_t size = (size_t)id_size + (size_t)want.size, head = 2;

    at[0] = (char)0x81;
    if (size < 126) {
        at[1] = (char)(0x80 | size);
    } else {
        at[1] = (char)(0x80 | 126), at[2] = (char)(size >> 8), at[3] = (char)size;
        head = 4;
    }
    memset(at + head, 0, 4);
    memcpy(at + head + 4, id, (size_t)id_size);
    memcpy(at + head + 4 + id_size, payload, (size_t)want.size);
    return head + 4 + size;
}

static size_t v1_read(conn *c, size_t *acks)
{
    size_t at = 0;

    for (;;) {
        const uint8_t *frame = c->in + at;
        size_t left = c->in_size - at, head = 2;
        if (left < 4)
            return at;
        size_t size = frame[1];
        if (size == 126)
            size = (size_t)frame[2] << 8 | frame[3], head = 4;
        if (size > 2000)
            fail("a frame that is no acknowledgement");
        if (left < head + size)
            return at;
        if ((frame[0] & 0x0f) == 8)
            fail("the server closed: %.*s", (int)size - 2, (const char *)frame + head + 2);
        if (size >= 7 && memcmp(frame + head, "\n{\"ack\"", 7) == 0)
            ++*acks;
        else if (memmem(frame + head, size, "\"error\"", 7))
            fail("refused: %.*s", (int)size, (const char *)frame + head);
        at += head + size;
    }
}

/* ---- HTTP/1.1 -------------------------------------------------------------------------------------------- */

static void http_open(conn *c)
{
    (void)c;
}

static size_t http_write(conn *c, char *at)
{
    int head = sprintf(at,
                       "POST %s%ld HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                       "Content-Length: %ld\r\n\r\n",
                       want.prefix, c->stream, want.size);

    c->stream = (c->stream + want.connections) % want.streams;
    memcpy(at + head, payload, (size_t)want.size);
    return (size_t)head + (size_t)want.size;
}

static size_t http_read(conn *c, size_t *acks)
{
    size_t at = 0;

    for (;;) {
        const char *text = (const char *)c->in + at;
        const char *end = memmem(text, c->in_size - at, "\r\n\r\n", 4);
        if (end == NULL)
            return at;
        if (memcmp(text, "HTTP/1.1 2", 10) != 0 ||
            memmem(text, (size_t)(end - text), "ength: ", 7) != NULL)
            fail("refused, or with a body: %.*s", (int)(end - text), text);
        ++*acks;
        at += (size_t)(end - text) + 4;
    }
}

/* ---- NATS JetStream ---------------------------------------------------------------------------------------- */

static void nats_open(conn *c)
{
    static const char hello[] = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,"
                                "\"no_responders\":true}\r\nPING\r\n";
    static const char make[] =
        "{\"name\":\"BENCH\",\"subjects\":[\"s.*\"],\"storage\":\"file\",\"num_replicas\":1,"
        "\"retention\":\"limits\",\"discard\":\"old\",\"max_consumers\":-1,\"max_msgs\":-1,"
        "\"max_bytes\":-1,\"max_age\":0}";
    char text[1024];

    send_text(c, hello, sizeof hello - 1);
    await(c, "PONG\r\n", "PONG");
    int size = snprintf(text, sizeof text,
                        "SUB _i%d.> 1\r\nPUB $JS.API.STREAM.CREATE.BENCH _i%d.0 %zu\r\n%s\r\n",
                        c->fd, c->fd, sizeof make - 1, make);
    send_text(c, text, (size_t)size);
    await(c, "}\r\n", "\"name\":\"BENCH\"");
}

static size_t nats_write(conn *c, char *at)
{
    int head = sprintf(at, "PUB s.%ld _i%d.%llu %ld\r\n", c->stream, c->fd,
                       (unsigned long long)c->number++, want.size);

    c->stream = (c->stream + want.connections) % want.streams;
    memcpy(at + head, payload, (size_t)want.size);
    memcpy(at + head + want.size, "\r\n", 2);
    return (size_t)head + (size_t)want.size + 2;
}

/* MSG <subject> <sid> <bytes>, then the acknowledgement as JSON. */
static size_t nats_read(conn *c, size_t *acks)
{
    size_t at = 0;

    for (;;) {
        const char *line = (const char *)c->in + at;
        const char *end = memmem(line, c->in_size - at, "\r\n", 2);
        if (end == NULL)
            return at;
        size_t line_size = (size_t)(end - line) + 2;
        if (memcmp(line, "PING", 4) == 0) {
            send_text(c, "PONG\r\n", 6);
        } else if (memcmp(line, "MSG ", 4) == 0) {
            const char *number = memrchr(line, ' ', (size_t)(end - line));
            size_t size = strtoul(number + 1, NULL, 10) + 2;
            if (c->in_size - at < line_size + size)
                return at;
            if (memmem(end + 2, size, "\"seq\":", 6) == NULL)
                fail("refused: %.*s", (int)size, end + 2);
            ++*acks;
            line_size += size;
        } else {
            fail("not understood: %.*s", (int)line_size, line);
        }
        at += line_size;
    }
}

/* ---- the loop ------------------------------------------------------------------------------------------------ */

static const protocol protocols[] = {{"v1", v1_open, v1_write, v1_read},
                                     {"http", http_open, http_write, http_read},
                                     {"nats", nats_open, nats_write, nats_read}};

static void want_write(conn *c, int epoll_fd, bool wanted)
{
    struct epoll_event event = {.events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = c};

    if (c->wants_write != wanted)
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    c->wants_write = wanted;
}

static void fill_and_send(conn *c, int epoll_fd, bool may_publish)
{
    while (may_publish && c->in_flight < want.in_flight && c->out_size + ONE_MAX < OUT_BYTES) {
        c->out_size += want.how->write(c, (char *)c->out + c->out_size);
        c->in_flight++;
    }
    while (c->out_sent < c->out_size) {
        ssize_t sent = send(c->fd, c->out + c->out_sent, c->out_size - c->out_sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            memmove(c->out, c->out + c->out_sent, c->out_size - c->out_sent);
            c->out_size -= c->out_sent;
            c->out_sent = 0;
            want_write(c, epoll_fd, true);
            return;
        }
        if (sent <= 0)
            fail("the server closed a connection");
        c->out_sent += (size_t)sent;
    }
    c->out_sent = c->out_size = 0;
    want_write(c, epoll_fd, false);
}

static size_t receive(conn *c)
{
    size_t acks = 0;
    ssize_t got = recv(c->fd, c->in + c->in_size, IN_BYTES - c->in_size, MSG_DONTWAIT);

    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got <= 0)
        fail("the server closed a connection");
    c->in_size += (size_t)got;
    size_t done = want.how->read(c, &acks);
    memmove(c->in, c->in + done, c->in_size - done);
    c->in_size -= done;
    c->in_flight -= (long)acks;
    return acks;
}

static void conn_open(conn *c, long index, int epoll_fd)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)want.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

    *c = (conn){.fd = socket(AF_INET, SOCK_STREAM, 0),
                .stream = index % want.streams,
                .in = malloc(IN_BYTES),
                .out = malloc(OUT_BYTES)};
    if (!c->in || !c->out || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
        fail("cannot connect to port %ld: %s", want.port, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    want.how->open(c);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

/* Turns until `until_us`, or until nothing is in flight; gives the acknowledgements. */
static uint64_t turn(conn *conns, int epoll_fd, int64_t until_us, bool may_publish)
{
    struct epoll_event events[EVENTS];
    uint64_t acks = 0, missing = 1;

    while (now_us() < until_us && missing > 0) {
        int count = epoll_wait(epoll_fd, events, EVENTS, STALL_MS);
        if (count <= 0)
            fail("nothing was acknowledged for %d ms", STALL_MS);
        for (int i = 0; i < count; i++) {
            conn *c = events[i].data.ptr;
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                acks += receive(c);
            fill_and_send(c, epoll_fd, may_publish);
        }
        missing = may_publish;
        for (long i = 0; !may_publish && i < want.connections; i++)
            missing += (uint64_t)conns[i].in_flight;
    }
    return acks;
}

static void measure(void)
{
    conn *conns = calloc((size_t)want.connections, sizeof *conns);
    int epoll_fd = epoll_create1(0);

    if (!conns || epoll_fd < 0)
        fail("out of memory");
    for (long i = 0; i < want.connections; i++)
        conn_open(&conns[i], i, epoll_fd);
    for (long i = 0; i < want.connections; i++)
        fill_and_send(&conns[i], epoll_fd, true);
    (void)turn(conns, epoll_fd, now_us() + want.ms * 250, true); /* a quarter to warm up */
    int64_t begun = now_us();
    double cpu = server_cpu();
    uint64_t acks = turn(conns, epoll_fd, begun + want.ms * 1000, true);
    double took_s = (double)(now_us() - begun) / 1e6, used_s = server_cpu() - cpu;
    (void)turn(conns, epoll_fd, now_us() + STALL_MS * 1000LL,
               false); /* all of them are acknowledged */
    for (long i = 0; i < want.connections; i++)
        if (conns[i].in_flight != 0)
            fail("%ld publishes were never acknowledged", conns[i].in_flight);
    printf("{\"acks\": %llu, \"seconds\": %.3f, \"per_second\": %.0f, \"server_cpu_us\": %.3f}\n",
           (unsigned long long)acks, took_s, (double)acks / took_s,
           acks ? used_s * 1e6 / (double)acks : 0);
}

static const protocol *protocol_named(const char *name)
{
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
        if (strcmp(protocols[i].name, name) == 0)
            return &protocols[i];
    fail("--mode is v1, http or nats, not %s", name);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"mode", 1, NULL, 'm'},        {"port", 1, NULL, 'p'},
                                          {"connections", 1, NULL, 'c'}, {"streams", 1, NULL, 's'},
                                          {"in-flight", 1, NULL, 'i'},   {"size", 1, NULL, 'b'},
                                          {"ms", 1, NULL, 't'},          {"prefix", 1, NULL, 'x'},
                                          {"server-pid", 1, NULL, 'd'},  {NULL, 0, NULL, 0}};

    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) >= 0;) {
        switch (option) {
        case 'm': want.how = protocol_named(optarg); break;
        case 'p': want.port = atol(optarg); break;
        case 'c': want.connections = atol(optarg); break;
        case 's': want.streams = atol(optarg); break;
        case 'i': want.in_flight = atol(optarg); break;
        case 'b': want.size = atol(optarg); break;
        case 't': want.ms = atol(optarg); break;
        case 'x': want.prefix = optarg; break;
        case 'd': want.server_pid = atol(optarg); break;
        default: return 2;
        }
    }
    if (!want.how || want.port <= 0 || want.connections <= 0 || want.streams <= 0 ||
        want.in_flight <= 0 || want.size <= 0 || want.size > ONE_MAX - 1000)
        fail("see the usage at the top of publish.c");
    memset(payload, 'x', sizeof payload);
    measure();
    return 0;
}
