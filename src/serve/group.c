/* Groups: WebSockets that are sent the same messages, from any thread.
 * Is:     who is in, by worker; a message's way to each worker that has members.
 * Is not: streams, which also keep what was sent (stream/feed.h).
 * Memory: a member is a pointer; a message is held once, and a post for each worker with members.
 * Threads: a worker's members belong to it; their count is for all.
 * SPDX-License-Identifier: MIT */
#include "serve/server.h"

#include "base/assert.h"

#include <stdatomic.h>
#include <stdlib.h>

typedef struct members {
    dx_ws **at;
    size_t room;
    atomic_size_t count; /* written by the worker only */
} members;

struct dx_ws_group {
    dx_server_owned owned;
    dx_server *server;
    members by_worker[DX_WORKERS_MAX];
};

typedef struct group_message {
    atomic_uint refs_count;
    dx_ws_type type;
    size_t size;
    uint8_t bytes[];
} group_message;

typedef struct group_post {
    dx_post post;
    members *members;
    group_message *message;
} group_post;

static void group_free(dx_server_owned *owned)
{
    dx_ws_group *group = DX_CONTAINER(owned, dx_ws_group, owned);

    for (size_t i = 0; i < DX_WORKERS_MAX; i++)
        free(group->by_worker[i].at);
    free(group);
}

dx_ws_group *dx_server_group(dx_server *s)
{
    dx_ws_group *group = calloc(1, sizeof *group);

    dx_assert(s->workers == NULL);
    if (group == NULL)
        return NULL;
    group->server = s;
    dx_server_own(s, &group->owned, group_free);
    return group;
}

static members *members_beside(dx_ws_group *group, const dx_ws *ws)
{
    const dx_worker *worker = dx_loop_owner(ws->worker->net->loop);

    dx_assert(worker->server == group->server);
    return &group->by_worker[worker->index];
}

dx_err dx_ws_group_add(dx_ws_group *group, dx_ws *ws)
{
    members *m = members_beside(group, ws);
    size_t count = atomic_load_explicit(&m->count, memory_order_relaxed);

    if (count == m->room) {
        size_t room = m->room ? 2 * m->room : 8;
        dx_ws **at = realloc(m->at, room * sizeof *at);
        if (at == NULL)
            return DX_ERR_MEMORY;
        m->at = at;
        m->room = room;
    }
    m->at[count] = ws;
    atomic_store(&m->count, count + 1);
    return DX_OK;
}

void dx_ws_group_remove(dx_ws_group *group, dx_ws *ws)
{
    members *m = members_beside(group, ws);
    size_t count = atomic_load_explicit(&m->count, memory_order_relaxed);

    for (size_t i = 0; i < count; i++)
        if (m->at[i] == ws) {
            m->at[i] = m->at[count - 1];
            atomic_store(&m->count, count - 1);
            return;
        }
}

static void message_unref(group_message *message)
{
    if (atomic_fetch_sub(&message->refs_count, 1) == 1)
        free(message);
}

/* A send calls nobody back at once, so that the members stay who they are meanwhile. */
static void on_post(dx_post *post)
{
    group_post *p = DX_CONTAINER(post, group_post, post);
    size_t count = atomic_load_explicit(&p->members->count, memory_order_relaxed);

    for (size_t i = 0; i < count; i++)
        dx_ws_send(p->members->at[i], p->message->type,
                   dx_bytes_at(p->message->bytes, p->message->size));
    message_unref(p->message);
    free(p);
}

static dx_err post_to(dx_ws_group *group, uint32_t worker, group_message *message)
{
    group_post *p = malloc(sizeof *p);

    if (p == NULL)
        return DX_ERR_MEMORY;
    *p = (group_post){
        .post = {.run = on_post}, .members = &group->by_worker[worker], .message = message};
    atomic_fetch_add(&message->refs_count, 1);
    dx_err err = dx_loop_post(dx_workers_loop(group->server->workers, worker), &p->post);
    if (err != DX_OK) {
        message_unref(message);
        free(p);
    }
    return err;
}

dx_err dx_ws_group_send(dx_ws_group *group, dx_ws_type type, dx_bytes payload)
{
    dx_server *s = group->server;
    dx_err err = DX_OK;

    if (s->workers == NULL || atomic_load(&s->is_stopped))
        return DX_ERR_CLOSED;
    group_message *message = malloc(sizeof *message + payload.size);
    if (message == NULL)
        return DX_ERR_MEMORY;
    *message = (group_message){.refs_count = 1, .type = type, .size = payload.size};
    dx_copy(message->bytes, payload.at, payload.size);
    for (uint32_t i = 0; i < s->workers_count; i++)
        if (atomic_load(&group->by_worker[i].count) > 0) {
            dx_err failed = post_to(group, i, message);
            err = failed == DX_OK ? err : failed;
        }
    message_unref(message);
    return err;
}
