/* A client of the doors that go on: see test_live.h.
 * SPDX-License-Identifier: MIT */
#include "serve/test_live.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAIT_MS = 10000, SILENCE_MS = 50, DATA_MAX = 64 * 1048576 };

static char unix_name[64]; /* abstract */

dx_server *live_server_start(const char *loop, uint32_t workers, const dx_live_times *times)
{
    static int count;
    char listen[100];

    snprintf(unix_name, sizeof unix_name, "duplex-live-%d-%d", (int)getpid(), count++);
    snprintf(listen, sizeof listen, "127.0.0.1:0 unix:@%s", unix_name);
    dx_server *s = dx_server_new(&(dx_server_options){
        .listen = listen, .loop = loop, .log_level = "error", .workers = workers});
    if (s == NULL || dx_server_streams(s, "/live/", NULL) != DX_OK)
        abort();
    const dx_stream_route *route = dx_stream_route_of(s, DX_BYTES("/live/x"));
    ((dx_stream_route *)(uintptr_t)route)->live = *times; /* nobody runs it yet */
    if (dx_server_start(s) != DX_OK)
        abort();
    return s;
}

int live_connect_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(unix_name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(address.sun_path + 1, unix_name, size);
    socklen_t address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, address_bytes) != 0)
        abort();
    return fd;
}

/* Takes the content out of what came. */
static void read_content(live *l)
{
    dx_bytes in = dx_buffer_view(&l->in), piece;
    dx_http_status status = DX_HTTP_MORE;

    if (l->end != LIVE_OPEN || l->is_whole)
        return;
    if (!l->is_chunked) {
        if (!dx_buffer_append(&l->content, in))
            abort();
        dx_buffer_consume(&l->in, in.size);
        return;
    }
    while ((status = dx_http_chunk_read(&l->chunks, &in, &piece)) == DX_HTTP_DATA) {
        l->comments_count +=
            dx_bytes_equal(piece, DX_BYTES(":\n\n")); /* they have chunks of their own */
        if (!dx_buffer_append(&l->content, piece))
            abort();
    }
    if (status != DX_HTTP_MORE && status != DX_HTTP_END)
        l->end = LIVE_CUT;
    l->is_whole = status == DX_HTTP_END;
    dx_buffer_consume(&l->in, l->in.size - in.size);
}

/* Receives something; false: the end, or nothing in time. */
static bool receive(live *l, int wait_ms)
{
    static _Thread_local uint8_t memory[65536];
    struct pollfd wait = {.fd = l->fd, .events = POLLIN};

    if (poll(&wait, 1, wait_ms) <= 0)
        return false;
    ssize_t got = recv(l->fd, memory, sizeof memory, 0);
    if (got <= 0) {
        l->is_whole = !l->is_chunked && got == 0;
        l->end = l->is_whole ? l->end : LIVE_CUT;
        return false;
    }
    if (!dx_buffer_append(&l->in, dx_bytes_at(memory, (size_t)got)))
        abort();
    return true;
}

static size_t find_empty_line(const live *l)
{
    for (size_t i = 0; i + 4 <= l->in.size; i++)
        if (memcmp(l->in.at + i, "\r\n\r\n", 4) == 0)
            return i + 4;
    return 0;
}

static void read_head(live *l)
{
    size_t size;

    l->end = LIVE_OPEN;
    l->is_whole = false;
    l->status = 0;
    l->head[0] = '\0';
    while ((size = find_empty_line(l)) == 0)
        if (!receive(l, WAIT_MS)) {
            l->end = LIVE_CUT;
            return;
        }
    size_t kept = dx_min_size(size, sizeof l->head - 1);
    memcpy(l->head, l->in.at, kept);
    l->head[kept] = '\0';
    dx_buffer_consume(&l->in, size);
    sscanf(l->head, "HTTP/1.%*d %u ", &l->status);
    l->is_chunked = strcmp(live_field(l, "Transfer-Encoding"), "chunked") == 0;
    if (l->status == 204)
        l->end = LIVE_ENDED;
    dx_http_chunks_init(&l->chunks);
    dx_sse_reader_restart(&l->events);
}

void live_again(live *l, const char *path, const char *fields)
{
    char head[8192];
    const char *version = strncmp(path, "1.0 ", 4) == 0 ? "1.0" : "1.1";

    path += strcmp(version, "1.0") == 0 ? 4 : 0;
    int size = snprintf(head, sizeof head, "GET %s HTTP/%s\r\nHost: test\r\n%s\r\n", path, version,
                        fields);
    peer_write(l->fd, head, (size_t)size);
    read_head(l);
}

void live_open_on(live *l, int fd, const char *path, const char *fields)
{
    memset(l, 0, sizeof *l);
    l->fd = fd;
    dx_sse_reader_init(&l->events, DATA_MAX);
    live_again(l, path, fields);
}

void live_open(live *l, dx_server *server, const char *path, const char *fields)
{
    live_open_on(l, peer_connect(dx_server_port(server)), path, fields);
}

void live_close(live *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    dx_buffer_clear(&l->in);
    dx_buffer_clear(&l->content);
    dx_sse_reader_deinit(&l->events);
    free(l->data);
    l->data = NULL;
}

const char *live_field(const live *l, const char *name)
{
    answer a;

    memcpy(a.head, l->head, sizeof a.head);
    return answer_field(&a, name);
}

/* ---- events ------------------------------------------------------------------------------------ */

static void take_event(live *l, const dx_sse_event *event)
{
    snprintf(l->type, sizeof l->type, "%.*s", DX_FORMAT(event->type));
    snprintf(l->id, sizeof l->id, "%.*s", DX_FORMAT(dx_sse_last_id(&l->events)));
    free(l->data);
    l->data = malloc(event->data.size + 1);
    if (l->data == NULL)
        abort();
    dx_copy(l->data, event->data.at, event->data.size);
    l->data[event->data.size] = '\0';
    l->data_size = event->data.size;
}

bool live_next_within(live *l, int wait_ms)
{
    uint64_t end_ms = dx_clock_ms() + (uint64_t)wait_ms;
    dx_sse_event event;

    while (l->end == LIVE_OPEN) {
        read_content(l);
        dx_bytes in = dx_buffer_view(&l->content);
        dx_sse_status status = dx_sse_read(&l->events, &in, &event);
        dx_buffer_consume(&l->content, l->content.size - in.size);
        uint64_t now_ms = dx_clock_ms();
        if (status == DX_SSE_EVENT) {
            take_event(l, &event);
            return true;
        }
        if (status != DX_SSE_MORE)
            abort();
        if (l->is_whole)
            l->end = LIVE_ENDED;
        else if (now_ms >= end_ms ||
                 (!receive(l, (int)(end_ms - now_ms)) && dx_clock_ms() >= end_ms))
            return false;
    }
    return false;
}

bool live_next(live *l)
{
    return live_next_within(l, WAIT_MS);
}

bool live_is(live *l, const char *type, const char *data)
{
    if (!live_next(l)) {
        printf("# no event, expected %s: %s\n", type, data);
        return false;
    }
    if (strcmp(l->type, type) == 0 && strcmp(l->data, data) == 0)
        return true;
    printf("# event %s: %.200s, expected %s: %s\n", l->type, l->data, type, data);
    return false;
}

bool live_is_silent(live *l)
{
    return !live_next_within(l, SILENCE_MS) && l->end == LIVE_OPEN;
}

live_end live_to_end(live *l)
{
    while (live_next(l))
        ;
    return l->end;
}

const char *live_member(const live *l, const char *name)
{
    static _Thread_local char value[128];
    char key[64];

    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *at = strstr(l->data, key);
    if (at == NULL)
        return "";
    at += strlen(key);
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\""), at);
    return value;
}
