/* A server in this process, and clients with blocking sockets: see test_peer.h.
 * SPDX-License-Identifier: MIT */
#include "serve/test_peer.h"

#include "loop/loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAIT_MS = 10000 };

static void fail(const char *text)
{
    fprintf(stderr, "test_peer: %s: %s\n", text, strerror(errno));
    abort();
}

/* ---- servers ----------------------------------------------------------------------------------------- */

const char *const *loop_names(void)
{
    static const char *const both[] = {"epoll", "io_uring", NULL};
    static const char *const one[] = {"epoll", NULL};
    dx_loop *loop = NULL;
    bool works = dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_IO_URING}, &loop) == DX_OK;

    dx_loop_free(loop);
    return works ? both : one;
}

static char unix_name[64]; /* abstract */

dx_server *server_start(const char *loop, uint32_t workers, const dx_stream_options *kept)
{
    static int count;
    char listen[100];

    snprintf(unix_name, sizeof unix_name, "duplex-test-%d-%d", (int)getpid(), count++);
    snprintf(listen, sizeof listen, "127.0.0.1:0 unix:@%s", unix_name);
    dx_server *s = dx_server_new(&(dx_server_options){
        .origins = "*", .listen = listen, .loop = loop, .log_level = "error", .workers = workers});

    dx_stream_options by_put = kept ? *kept : (dx_stream_options){0}, typed = by_put;
    by_put.is_by_put = true;
    typed.type = "application/json";
    if (s == NULL || dx_server_streams(s, "/live/", kept) != DX_OK ||
        dx_server_streams(s, "/s/", &by_put) != DX_OK ||
        dx_server_streams(s, "/typed/", &typed) != DX_OK || dx_server_start(s) != DX_OK)
        fail("no server");
    return s;
}

void server_end(dx_server *server)
{
    dx_server_stop(server);
    dx_server_wait(server);
    dx_server_free(server);
}

/* ---- sockets ----------------------------------------------------------------------------------------- */

int peer_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) != 0)
        fail("connect");
    return fd;
}

int peer_connect_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(unix_name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path + 1, unix_name, size);
    socklen_t address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, address_bytes) != 0)
        fail("connect");
    return fd;
}

void peer_write(int fd, const void *at, size_t size)
{
    const uint8_t *bytes = at;

    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the server has closed: what it said is read next */
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* 1: `size` bytes are there; 0: the end; -1: nothing came in time. */
static int peer_read(int fd, void *at, size_t size, int wait_ms)
{
    uint8_t *bytes = at;

    while (size > 0) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, wait_ms) <= 0)
            return -1;
        ssize_t got = recv(fd, bytes, size, 0);
        if (got <= 0)
            return 0;
        bytes += got;
        size -= (size_t)got;
    }
    return 1;
}

/* ---- HTTP -------------------------------------------------------------------------------------------- */

/* Up to and with the empty line; false: something else came. */
static bool read_head(int fd, answer *a)
{
    size_t size = 0;

    while (size < sizeof a->head - 1 &&
           (size < 4 || memcmp(a->head + size - 4, "\r\n\r\n", 4) != 0))
        if (peer_read(fd, a->head + size++, 1, WAIT_MS) != 1)
            return false;
    a->head[size] = '\0';
    return sscanf(a->head, "HTTP/1.1 %u ", &a->status) == 1;
}

const char *answer_field(const answer *a, const char *name)
{
    static _Thread_local char value[512];
    size_t size = strlen(name);

    for (const char *line = strstr(a->head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, size) == 0 && line[2 + size] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line + 4 + size, "\r"),
                     line + 4 + size);
            return value;
        }
    return "";
}

answer http_answer(int fd, bool is_head)
{
    answer a = {0};

    if (read_head(fd, &a)) {
        size_t length = is_head ? 0 : strtoul(answer_field(&a, "Content-Length"), NULL, 10);
        a.body = calloc(1, length + 1);
        if (a.body && peer_read(fd, a.body, length, WAIT_MS) == 1)
            a.size = length;
    }
    return a;
}

answer http(dx_server *server, const char *method, const char *path, const char *fields,
            dx_bytes body)
{
    char head[8192];
    answer a;
    int fd = peer_connect(dx_server_port(server));
    int size =
        snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%s",
                 method, path, fields);

    if (body.size > 0 || strcmp(method, "POST") == 0)
        size +=
            snprintf(head + size, sizeof head - (size_t)size, "Content-Length: %zu\r\n", body.size);
    size += snprintf(head + size, sizeof head - (size_t)size, "\r\n");
    peer_write(fd, head, (size_t)size);
    peer_write(fd, body.at, body.size);
    a = http_answer(fd, strcmp(method, "HEAD") == 0);
    close(fd);
    return a;
}

answer http_get(dx_server *server, const char *path)
{
    return http(server, "GET", path, "", (dx_bytes){0});
}

answer http_post(dx_server *server, const char *path, const char *type, const char *body)
{
    char field[512] = "";

    if (type)
        snprintf(field, sizeof field, "Content-Type: %s\r\n", type);
    return http(server, "POST", path, field, dx_bytes_of(body));
}

void answer_free(answer *a)
{
    free(a->body);
    a->body = NULL;
}

unsigned http_status(dx_server *server, const char *method, const char *path, const char *type,
                     const char *body)
{
    char field[512] = "";

    if (type)
        snprintf(field, sizeof field, "Content-Type: %s\r\n", type);
    answer a = http(server, method, path, field, dx_bytes_of(body));
    answer_free(&a);
    return a.status;
}

/* ---- WebSocket ----------------------------------------------------------------------------------------- */

int ws_open_on(int fd, const char *path, unsigned *status)
{
    char head[4096];
    answer a = {0};
    int size =
        snprintf(head, sizeof head,
                 "GET %s HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                 path);

    peer_write(fd, head, (size_t)size);
    read_head(fd, &a);
    *status = a.status;
    if (a.status == 101)
        return fd;
    close(fd);
    return -1;
}

int ws_open(dx_server *server, const char *path, unsigned *status)
{
    return ws_open_on(peer_connect(dx_server_port(server)), path, status);
}

int ws_must_open(dx_server *server, const char *path)
{
    unsigned status;
    int fd = ws_open(server, path, &status);

    if (fd < 0)
        fail("no WebSocket");
    return fd;
}

void ws_send(int fd, unsigned opcode, dx_bytes payload)
{
    static _Thread_local uint8_t out[1100000];
    size_t size = 0;

    out[size++] = (uint8_t)(0x80 | opcode);
    if (payload.size < 126) {
        out[size++] = (uint8_t)(0x80 | payload.size);
    } else if (payload.size < 65536) {
        out[size++] = 0x80 | 126;
        out[size++] = (uint8_t)(payload.size >> 8);
        out[size++] = (uint8_t)payload.size;
    } else {
        out[size++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            out[size++] = (uint8_t)((uint64_t)payload.size >> shift);
    }
    for (int i = 0; i < 4; i++)
        out[size++] = 0; /* a key of zeros masks nothing */
    if (payload.size > sizeof out - size)
        fail("too large a frame for this client");
    dx_copy(out + size, payload.at, payload.size);
    peer_write(fd, out, size + payload.size);
}

void ws_send_text(int fd, const char *text)
{
    ws_send(fd, 1, dx_bytes_of(text));
}

static bool read_frame(int fd, frame *f, int wait_ms)
{
    uint8_t head[2], more[8];
    int result = peer_read(fd, head, 2, wait_ms);

    *f = (frame){.opcode = result == 0 ? FRAME_END : FRAME_NONE};
    if (result != 1)
        return true;
    f->size = head[1] & 0x7f;
    size_t extra = f->size == 126 ? 2 : f->size == 127 ? 8 : 0;
    if (peer_read(fd, more, extra, WAIT_MS) != 1)
        return true;
    for (size_t i = 0; i < extra; i++)
        f->size = i == 0 ? more[0] : f->size << 8 | more[i];
    if ((head[0] & 0xf0) != 0x80 || f->size >= sizeof f->payload)
        fail("a frame that this client does not know");
    if (peer_read(fd, f->payload, f->size, WAIT_MS) != 1)
        return true;
    f->opcode = head[0] & 15;
    f->payload[f->size] = '\0';
    return f->opcode != 9;
}

const frame *ws_next_within(int fd, int wait_ms)
{
    static _Thread_local frame f;

    while (!read_frame(fd, &f, wait_ms))
        continue;
    return &f;
}

const frame *ws_next(int fd)
{
    return ws_next_within(fd, WAIT_MS);
}

bool ws_next_is(int fd, const char *text)
{
    const frame *f = ws_next(fd);
    bool is_it =
        f->opcode == 1 && f->size == strlen(text) && memcmp(f->payload, text, f->size) == 0;

    if (!is_it)
        printf("# expected \"%s\", got a frame %x: %.100s\n", text, f->opcode,
               (const char *)f->payload);
    return is_it;
}

unsigned ws_close_code(int fd)
{
    const frame *f = ws_next(fd);

    if (f->opcode != 8 || f->size < 2)
        return 0;
    return (unsigned)f->payload[0] << 8 | f->payload[1];
}

size_t resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%lu %lu", &total, &resident) != 2)
        fail("/proc/self/statm");
    fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}
