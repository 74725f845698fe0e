/* HTTP on a loop in the test.
 * SPDX-License-Identifier: MIT */
#include "http/test_served.h"

#include "base/assert.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MAX = 4000, WAIT_MS = 2, SILENCE_MS = 1000 };

void served_init(served *s, const dx_route *route)
{
    *s = (served){0};
    dx_err err = dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &s->loop);
    dx_assert(err == DX_OK);
    dx_net_init(&s->net, s->loop, &DX_NET_LIMITS_DEFAULT, NULL);
    err = dx_router_add(&s->router, route);
    dx_assert(err == DX_OK);
    err = dx_http_init(&s->http, &s->net, &s->router, &DX_HTTP_CONFIG_DEFAULT);
    dx_assert(err == DX_OK);
}

void served_deinit(served *s)
{
    for (int i = 0; i < TURNS_MAX && s->net.conns_count > 0; i++)
        dx_loop_step(s->loop, WAIT_MS);
    dx_http_deinit(&s->http);
    dx_net_deinit(&s->net);
    dx_router_deinit(&s->router);
    dx_loop_free(s->loop);
}

int served_connect(served *s)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        dx_unreachable("no socket pair");
    dx_http1_accept(&s->http, ends[0], NULL);
    return ends[1];
}

void served_send(served *s, int fd, dx_bytes text)
{
    for (int i = 0; i < TURNS_MAX && text.size > 0; i++) {
        ssize_t sent = send(fd, text.at, text.size, MSG_NOSIGNAL);
        if (sent > 0)
            dx_bytes_skip(&text, (size_t)sent);
        else if (errno != EAGAIN)
            return; /* the server has heard enough */
        dx_loop_step(s->loop, 0);
    }
}

bool served_receive(served *s, int fd, size_t size, dx_buffer *to)
{
    uint8_t piece[4096];

    for (int silence = 0; to->size < size && silence < SILENCE_MS / WAIT_MS; silence++) {
        ssize_t got = recv(fd, piece, dx_min_size(sizeof piece, size - to->size), 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return false;
        if (got > 0) {
            silence = 0;
            bool ok = dx_buffer_append(to, dx_bytes_at(piece, (size_t)got));
            dx_assert(ok);
        } else {
            dx_loop_step(s->loop, WAIT_MS);
        }
    }
    return true;
}

void served_ask(served *s, dx_bytes request, served_response *ret)
{
    int fd = served_connect(s);
    dx_http_reader reader;
    size_t consumed = 0;
    dx_http_method method =
        dx_bytes_starts(request, DX_BYTES("HEAD ")) ? DX_HTTP_HEAD : DX_HTTP_GET;

    *ret = (served_response){.head = {.fields = {.count_max = SERVED_FIELDS_MAX}}};
    ret->head.fields.at = ret->fields;
    served_send(s, fd, request);
    served_receive(s, fd, SIZE_MAX, &ret->bytes);
    close(fd);
    dx_http_reader_init(&reader, &DX_HTTP_LIMITS_DEFAULT);
    dx_bytes all = dx_buffer_view(&ret->bytes);
    if (dx_http_response_read(&reader, all, method, &ret->head, &consumed) != DX_HTTP_OK) {
        ret->head.code = 0;
        ret->head.fields.count = 0, ret->head.fields.seen = 0;
        return;
    }
    dx_bytes_skip(&all, consumed);
    ret->body = all;
}

void served_response_deinit(served_response *r)
{
    dx_buffer_clear(&r->bytes);
}

dx_bytes served_field(const served_response *r, const char *name)
{
    const dx_http_field *field = dx_http_fields_find(&r->head.fields, dx_bytes_of(name));
    return field ? field->value : DX_BYTES("");
}
