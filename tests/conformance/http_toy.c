/* A toy HTTP/1.1 server: routing, answers, connections. See http_toy.h.
 * Usage:  http_toy [--mode echo|stream] [--fault NAME]; prints its port, ends when stdin does.
 * Memory: streams live until the end.   Threads: one for each connection; the streams have a lock.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_toy.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A stream: its path and all that was posted to it. */
typedef struct stream {
    struct stream *next;
    char path[64];
    char *bytes;
    size_t size;
} stream;

static const char *fault = "none";
static bool streams_mode;
static stream *streams;
static pthread_mutex_t streams_lock = PTHREAD_MUTEX_INITIALIZER;

bool toy_errs(const char *name)
{
    return strcmp(fault, name) == 0;
}

/* ---- answers ---- */

typedef struct answer {
    int status;
    const char *type, *fields; /* `fields`: whole lines, or "" */
    const char *body;
    size_t body_size;
    bool head, close;
} answer;

static void send_all(toy_connection *c, const char *at, size_t size)
{
    while (size) {
        ssize_t count = send(c->fd, at, size, MSG_NOSIGNAL);
        if (count <= 0)
            return;
        at += count, size -= (size_t)count;
    }
}

static void format_date(char *to, size_t room)
{
    time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    if (toy_errs("no-date"))
        to[0] = 0;
    else
        strftime(to, room,
                 toy_errs("old-date") ? "Date: %A, %d-%b-%y %H:%M:%S GMT\r\n"
                                      : "Date: %a, %d %b %Y %H:%M:%S GMT\r\n",
                 &tm);
}

static void send_answer(toy_connection *c, const answer *a)
{
    char head[1024], date[80], length[64] = "";
    size_t said = a->body_size;
    bool bodiless = a->status == 204;

    said += toy_errs("body-short") ? 5 : 0;
    said -= toy_errs("body-long") && said > 0 ? 1 : 0;
    if (!bodiless || toy_errs("length-in-204"))
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", said);
    format_date(date, sizeof date);
    int size = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\n%s%s%s%s%s%s%s\r\n", a->status, date,
                        a->type ? "Content-Type: " : "", a->type ? a->type : "",
                        a->type ? "\r\n" : "", length, a->fields ? a->fields : "",
                        a->close && !toy_errs("close-unsaid") ? "Connection: close\r\n" : "");
    if (toy_errs("lf-answers"))
        for (char *cr; (cr = memchr(head, '\r', (size_t)size)) != NULL; size--)
            memmove(cr, cr + 1, (size_t)(head + size - cr));
    send_all(c, head, (size_t)size);
    if ((!a->head || toy_errs("head-body")) && !bodiless)
        send_all(c, a->body, a->body_size);
}

static void send_problem(toy_connection *c, const toy_request *r, int status, bool close)
{
    char body[80], fields[200] = "";

    int size = snprintf(body, sizeof body, "{\"title\":\"no\",\"status\":%d}", status);
    if (status == 405 && !toy_errs("no-allow"))
        snprintf(fields, sizeof fields, "Allow: %s\r\n",
                 r->target && strncmp(r->target, "/live/", 6) == 0 ? "GET, HEAD, POST, OPTIONS"
                                                                   : "GET, HEAD");
    if (status == 426)
        snprintf(fields, sizeof fields, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    send_answer(c, &(answer){.status = status,
                             .type = "application/problem+json",
                             .fields = fields,
                             .body = body,
                             .body_size = (size_t)size,
                             .close = close,
                             .head = r->method && strcmp(r->method, "HEAD") == 0});
}

/* ---- streams ---- */

static stream *find_stream(const char *path, size_t size, bool make)
{
    stream *s = streams;

    while (s && !(strlen(s->path) == size && memcmp(s->path, path, size) == 0))
        s = s->next;
    if (s || !make || size >= sizeof s->path)
        return s;
    s = calloc(1, sizeof *s);
    if (!s)
        abort();
    memcpy(s->path, path, size);
    s->next = streams;
    return streams = s;
}

static void append(stream *s, const toy_request *r)
{
    size_t size = toy_errs("body-lost") && r->body_size > 5 ? 5 : r->body_size;

    s->bytes = realloc(s->bytes, s->size + size + 1);
    if (!s->bytes)
        abort();
    if (size)
        memcpy(s->bytes + s->size, r->body, size);
    s->size += size;
}

/* Answers a request to /live/NAME. */
static int serve_stream(const toy_request *r, answer *a)
{
    size_t size = strcspn(r->target, "?");

    if (strcmp(r->method, "OPTIONS") == 0) {
        a->status = 204;
        a->type = NULL;
        a->fields = "Allow: GET, HEAD, POST, OPTIONS\r\n";
        return TOY_OK;
    }
    if (strcmp(r->method, "POST") == 0) {
        if (r->body_size == 0)
            return 400;
        append(find_stream(r->target, size, true), r);
        a->body = "", a->body_size = 0;
        return TOY_OK;
    }
    if (strcmp(r->method, "GET") != 0 && !a->head)
        return 405;
    stream *s = find_stream(r->target, size, false);
    a->body = s ? s->bytes : "", a->body_size = s ? s->size : 0;
    return s ? TOY_OK : 404;
}

static int route(const toy_request *r, answer *a)
{
    bool get = strcmp(r->method, "GET") == 0;
    bool upgrade = toy_field_lists(r, "Upgrade", "websocket") && get &&
                   toy_field_lists(r, "Connection", "upgrade") && !r->http10;

    if (strcmp(r->method, "TRACE") == 0 && !toy_errs("trace"))
        return 405;
    if (upgrade && !toy_field_lists(r, "Sec-WebSocket-Version", "13"))
        return 426;
    if (!streams_mode || strcmp(r->target, "*") == 0)
        return TOY_OK;
    if (strncmp(r->target, "/live/", 6) == 0)
        return serve_stream(r, a);
    if (strncmp(r->target, "/healthz", 8) != 0 || (r->target[8] && r->target[8] != '?'))
        return 404;
    return get || a->head ? TOY_OK : 405;
}

/* ---- one request ---- */

/* %0d%0a in the target becomes a line of the answer. */
static void inject(const toy_request *r, char *to, size_t room)
{
    const char *at = strstr(r->target, "%0d%0aX");

    if (at && toy_errs("injects"))
        snprintf(to, room, "X%.*s: yes\r\n", 9, at + 7);
}

static void answer_request(toy_connection *c, const toy_request *r)
{
    char fields[80] = "";
    answer a = {.status = 200,
                .type = "text/plain",
                .fields = fields,
                .body = "ok\n",
                .body_size = 3,
                .head = strcmp(r->method, "HEAD") == 0,
                .close = r->close};

    if (r->http10 && !r->close)
        snprintf(fields, sizeof fields, "Connection: keep-alive\r\n");
    inject(r, fields, sizeof fields);
    if (strcmp(r->method, "TRACE") == 0)
        a.body = r->section, a.body_size = sizeof r->section;
    if (toy_errs("upgrades-post") && toy_field_lists(r, "Upgrade", "websocket"))
        a.status = 101;
    pthread_mutex_lock(&streams_lock);
    int status = route(r, &a);
    if (status == TOY_OK)
        send_answer(c, &a);
    else
        send_problem(c, r, status, r->close);
    pthread_mutex_unlock(&streams_lock);
}

/* Reads and answers one request. False: the connection is at its end. */
static bool serve_one(toy_connection *c, toy_request *r)
{
    int status = toy_read_head(c, r);

    if (status == TOY_OK && r->expects && (r->chunked || r->length))
        send_all(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    if (status == TOY_OK)
        status = toy_read_body(c, r);
    if (status == TOY_GONE)
        return false;
    if (status != TOY_OK) {
        send_problem(c, r, status, true);
        return toy_errs("serves-after-fault");
    }
    answer_request(c, r);
    return toy_errs("serves-after-close") || (!r->close && !toy_errs("close-unsaid")) ||
           toy_errs("close-ignored");
}

/* FIN first, then what is still coming is thrown away: the answer is not lost to an RST. */
static void linger(toy_connection *c)
{
    char waste[4096];
    size_t left = 1 << 20;

    shutdown(c->fd, SHUT_WR);
    while (left) {
        ssize_t count = recv(c->fd, waste, sizeof waste, 0);
        if (count <= 0)
            return;
        left -= (size_t)count < left ? (size_t)count : left;
    }
}

static void *serve(void *argument)
{
    toy_connection c = {.fd = (int)(intptr_t)argument};
    struct timeval deadline = {.tv_sec = 5};
    bool more = true;
    int on = 1;

    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (more) {
        toy_request *r = calloc(1, sizeof *r);
        if (!r)
            abort();
        more = serve_one(&c, r);
        free(r->body);
        free(r);
    }
    if (toy_errs("no-close"))
        sleep(2);
    else if (!toy_errs("no-linger"))
        linger(&c);
    close(c.fd);
    return NULL;
}

/* ---- the program ---- */

static int listen_somewhere(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) || listen(fd, 512) ||
        getsockname(fd, (struct sockaddr *)&at, &size))
        return -1;
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

static void *end_with_stdin(void *unused)
{
    char waste[64];

    while (read(0, waste, sizeof waste) > 0)
        ;
    _exit(unused != NULL);
}

int main(int argc, char **argv)
{
    pthread_t thread;
    pthread_attr_t detached;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--fault") == 0)
            fault = argv[i + 1];
        else if (strcmp(argv[i], "--mode") == 0)
            streams_mode = strcmp(argv[i + 1], "stream") == 0;
    }
    signal(SIGPIPE, SIG_IGN);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int listener = listen_somewhere();
    if (listener < 0 || pthread_create(&thread, &detached, end_with_stdin, NULL))
        return 1;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && pthread_create(&thread, &detached, serve, (void *)(intptr_t)fd))
            close(fd);
    }
}
