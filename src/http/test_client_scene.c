/* A client of HTTP and the bare other end of its connection.
 * SPDX-License-Identifier: MIT */
#include "http/test_client_scene.h"

#include "base/assert.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void scene_free_client(scene *s)
{
    dx_http_client_free(s->client);
    s->client = NULL;
}

static void on_head(void *context, const dx_http_response_head *head)
{
    scene *s = context;
    dx_bytes next = dx_http_fields_value(&head->fields, DX_HTTP_STREAM_NEXT_OFFSET);

    s->heads_count++;
    s->code = head->code;
    snprintf(s->next_offset, sizeof s->next_offset, "%.*s", DX_FORMAT(next));
    if (s->pauses)
        dx_http_client_pause(s->client);
    if (s->frees_on_head)
        scene_free_client(s);
}

static void on_body(void *context, dx_bytes piece)
{
    scene *s = context;

    dx_assert(piece.size > 0);
    dx_assert(dx_buffer_append(&s->body, piece));
    if (s->frees_on_body)
        scene_free_client(s);
}

void scene_send(scene *s, const char *method, dx_bytes body, bool keep_alive)
{
    static const dx_header headers[] = {{DX_BYTES("Content-Type"), DX_BYTES("text/plain")}};
    dx_http_client_request request = {.method = dx_bytes_of(method),
                                      .target = DX_BYTES("/live/x?y=1"),
                                      .authority = DX_BYTES("test:80"),
                                      .headers = headers,
                                      .headers_count = body.size > 0,
                                      .body = body,
                                      .timeout_ms = 2000,
                                      .keep_alive = keep_alive};

    dx_err err = dx_http_client_send(s->client, &request);
    dx_assert(err == DX_OK);
}

static void on_done(void *context)
{
    scene *s = context;

    s->dones_count++;
    if (s->frees_on_done)
        scene_free_client(s);
    if (s->sends_again) {
        s->sends_again = false;
        scene_send(s, "GET", (dx_bytes){NULL, 0}, true);
    }
}

static void on_failed(void *context, dx_err err, const char *text)
{
    scene *s = context;

    s->faileds_count++;
    s->err = err;
    snprintf(s->why, sizeof s->why, "%s", text);
}

static dx_address listen_anywhere(int *listener)
{
    dx_address address = {.transport = DX_TCP, .size = sizeof address.v4};

    address.v4.sin_family = AF_INET;
    address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    dx_assert(bind(*listener, &address.any, address.size) == 0);
    dx_assert(listen(*listener, 8) == 0);
    dx_assert(getsockname(*listener, &address.any, &address.size) == 0);
    return address;
}

static void client_init(scene *s)
{
    s->client = dx_http_client_new(
        &s->first->origin,
        &(dx_http_client_handler){
            .head = on_head, .body = on_body, .done = on_done, .failed = on_failed, .context = s});
    dx_assert(s->client != NULL);
}

void scene_init(scene *s, dx_http_version version)
{
    *s = (scene){.peer = -1, .first = s};
    dx_assert(dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &s->loop) == DX_OK);
    dx_net_init(&s->net, s->loop, &DX_NET_LIMITS_DEFAULT, NULL);
    dx_conn_target to = {.address = listen_anywhere(&s->listener)};
    dx_http_origin_init(&s->origin, &s->net, &to, version);
    client_init(s);
}

void scene_init_beside(scene *s, scene *first)
{
    *s = (scene){.peer = -1, .listener = -1, .first = first, .loop = first->loop};
    client_init(s);
}

void scene_deinit(scene *s)
{
    dx_http_client_free(s->client);
    dx_buffer_clear(&s->asked);
    dx_buffer_clear(&s->body);
    if (s->first != s)
        return;
    dx_http_origin_deinit(&s->origin);
    if (s->peer >= 0)
        close(s->peer);
    close(s->listener);
    for (int i = 0; i < TURNS_MAX && s->net.conns_count > 0; i++)
        dx_loop_step(s->loop, WAIT_MS);
    dx_assert(s->net.conns_count == 0);
    dx_net_deinit(&s->net);
    dx_loop_free(s->loop);
}

void peer_read(scene *s)
{
    uint8_t piece[65536];

    if (s->peer < 0)
        s->peer = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ssize_t got = s->peer < 0 ? -1 : recv(s->peer, piece, sizeof piece, 0);
    if (got > 0)
        dx_assert(dx_buffer_append(&s->asked, dx_bytes_at(piece, (size_t)got)));
}

void peer_await(scene *s, const char *end)
{
    size_t size = strlen(end);

    for (int i = 0; i < TURNS_MAX && !scene_is_told(s); i++) {
        peer_read(s);
        if (s->asked.size >= size && memcmp(s->asked.at + s->asked.size - size, end, size) == 0)
            return;
        dx_loop_step(s->loop, WAIT_MS);
    }
    dx_unreachable("the request did not come");
}

void peer_say(scene *s, dx_bytes text)
{
    if (text.size > 0)
        dx_assert(send(s->peer, text.at, text.size, MSG_NOSIGNAL) == (ssize_t)text.size);
}

void peer_close(scene *s)
{
    close(s->peer);
    s->peer = -1;
}

void run_until_told(scene *s)
{
    for (int i = 0; i < TURNS_MAX && !scene_is_told(s); i++)
        dx_loop_step(s->loop, WAIT_MS);
    dx_assert(scene_is_told(s));
}

void run_turns(scene *s, int count)
{
    for (int i = 0; i < count; i++)
        dx_loop_step(s->loop, 1);
}
