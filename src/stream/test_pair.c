/* Two hubs for tests of homes.
 * SPDX-License-Identifier: MIT */
#include "stream/test_pair.h"

#include "base/clock.h"
#include "stream/stream.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t wall_ms = 1700000000000;

uint64_t __wrap_dx_clock_wall_ms(void);
uint64_t __wrap_dx_clock_wall_ms(void)
{
    return wall_ms;
}

void pair_pass(pair *p, int64_t ms)
{
    wall_ms += (uint64_t)ms;
    for (int i = 0; i < 2; i++)
        p->hubs[i]->wall_ms = 0; /* it is asked again */
}

static void name(pair *p)
{
    int found[2] = {0};

    for (int i = 0; found[0] < PAIR_PATHS || found[1] < PAIR_PATHS; i++) {
        char path[24];
        snprintf(path, sizeof path, "/live/%d", i);
        uint32_t home = dx_streams_home(p->streams, dx_bytes_of(path));
        if (found[home] < PAIR_PATHS)
            memcpy(p->names[home][found[home]++], path, sizeof path);
    }
    p->path = p->names[0][0];
}

pair *pair_new_with(dx_store *store)
{
    pair *p = calloc(1, sizeof *p);

    if (p == NULL || dx_streams_new(2, store, &p->streams) != DX_OK)
        abort();
    p->store = store;
    p->ns = (dx_namespace){.prefix = "/live/", .retention = KEEP_ALL, .message_bytes_max = 65536};
    p->ns.durability = store ? DX_DURABILITY_DISK : DX_DURABILITY_MEMORY;
    p->other = p->ns;
    for (uint32_t i = 0; i < 2; i++) {
        p->hubs[i] = dx_streams_hub(p->streams, i);
        if (dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &p->loops[i]) != DX_OK ||
            dx_hub_begin(p->streams, i, p->loops[i]) != DX_OK)
            abort();
    }
    name(p);
    return p;
}

pair *pair_new(dx_retention keep)
{
    pair *p = pair_new_with(NULL);

    p->ns.retention = keep;
    return p;
}

void pair_turn(pair *p)
{
    for (int i = 0; i < 6; i++)
        dx_loop_step(p->loops[i % 2], 0);
}

void pair_wait(pair *p, const bool *is_done)
{
    for (int i = 0; i < 200 && !*is_done; i++)
        pair_turn(p);
    if (*is_done)
        return;
    printf("Bail out! an operation is not answered\n");
    abort();
}

void pair_free(pair *p)
{
    for (int i = 0; i < 2; i++)
        dx_hub_end(p->hubs[i]);
    if (p->store)
        p->store->ops->free(p->store);
    for (int i = 0; i < 2; i++)
        dx_loop_free(p->loops[i]);
    dx_streams_free(p->streams);
    free(p);
}

/* ---- operations ------------------------------------------------------------------------------- */

dx_message *pair_message(const char *text)
{
    dx_message *message = dx_message_new(dx_bytes_of(text), 0);

    if (message == NULL)
        abort();
    return message;
}

static dx_message **messages_of(const char *const *texts, size_t *count)
{
    dx_message **messages = calloc(1024, sizeof *messages);

    if (messages == NULL)
        abort();
    for (*count = 0; texts && texts[*count]; ++*count)
        messages[*count] = pair_message(texts[*count]);
    return messages;
}

static void on_appended(dx_append *a)
{
    free(a->messages);
    DX_CONTAINER(a, pair_answer, append)->is_done = true;
}

static void on_created(dx_create *c)
{
    free(c->messages);
    DX_CONTAINER(c, pair_answer, create)->is_done = true;
}

static void on_deleted(dx_delete *op)
{
    DX_CONTAINER(op, pair_answer, op)->is_done = true;
}

void pair_begin_append(pair *p, uint32_t from, pair_answer *answer, const char *const *texts)
{
    dx_append *a = &answer->append;

    a->ns = a->ns ? a->ns : &p->ns;
    a->path = a->path.size > 0 ? a->path : dx_bytes_of(p->path);
    if (a->kind == DX_STREAM_UNDECIDED)
        a->kind = a->type.size > 0 ? dx_type_kind(a->type) : DX_STREAM_BINARY;
    a->messages = messages_of(texts, &a->count);
    a->done = on_appended;
    dx_hub_append(p->hubs[from], a);
}

void pair_begin_create(pair *p, uint32_t from, pair_answer *answer, const char *const *texts)
{
    dx_create *c = &answer->create;

    c->ns = c->ns ? c->ns : &p->ns;
    c->source_ns = c->source_ns ? c->source_ns : &p->ns;
    c->path = c->path.size > 0 ? c->path : dx_bytes_of(p->path);
    if (c->kind == DX_STREAM_UNDECIDED && c->type.size > 0)
        c->kind = dx_type_kind(c->type);
    c->messages = messages_of(texts, &c->count);
    c->done = on_created;
    dx_hub_create(p->hubs[from], c);
}

void pair_begin_delete(pair *p, uint32_t from, pair_answer *answer)
{
    dx_delete *op = &answer->op;

    op->ns = op->ns ? op->ns : &p->ns;
    op->path = op->path.size > 0 ? op->path : dx_bytes_of(p->path);
    op->done = on_deleted;
    dx_hub_delete(p->hubs[from], op);
}

dx_append pair_append(pair *p, uint32_t from, dx_append like, const char *const *texts)
{
    pair_answer answer = {.append = like};

    pair_begin_append(p, from, &answer, texts);
    pair_wait(p, &answer.is_done);
    return answer.append;
}

dx_create pair_create(pair *p, uint32_t from, dx_create like, const char *const *texts)
{
    pair_answer answer = {.create = like};

    pair_begin_create(p, from, &answer, texts);
    pair_wait(p, &answer.is_done);
    return answer.create;
}

dx_stream_status pair_delete(pair *p, uint32_t from, const char *path)
{
    pair_answer answer = {.op.path = dx_bytes_of(path)};

    pair_begin_delete(p, from, &answer);
    pair_wait(p, &answer.is_done);
    return answer.op.status;
}

typedef struct reading {
    dx_read read;
    bool is_done;
} reading;

static void on_read(dx_read *r)
{
    DX_CONTAINER(r, reading, read)->is_done = true;
}

dx_read pair_read(pair *p, uint32_t from, dx_read like)
{
    reading r = {.read = like};

    r.read.ns = like.ns ? like.ns : &p->ns;
    r.read.path = like.path.size > 0 ? like.path : dx_bytes_of(p->path);
    r.read.count_max = like.count_max ? like.count_max : 1000;
    r.read.bytes_max = like.bytes_max ? like.bytes_max : 1000000;
    r.read.done = on_read;
    dx_hub_read(p->hubs[from], &r.read);
    pair_wait(p, &r.is_done);
    return r.read;
}

const char *pair_text(pair *p, uint32_t from, const char *path)
{
    static char text[65536];
    size_t size = 0;
    dx_read r =
        pair_read(p, from, (dx_read){.path = dx_bytes_of(path), .position.kind = DX_OFFSET_START});

    text[0] = '\0';
    if (r.status != DX_STREAM_OK)
        snprintf(text, sizeof text, "[%s]",
                 r.status == DX_STREAM_NOT_FOUND ? "not found"
                 : r.status == DX_STREAM_DELETED ? "deleted"
                 : r.status == DX_STREAM_STORE   ? "store"
                                                 : "other");
    for (size_t i = 0; i < r.count && size < sizeof text; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%.*s", i ? "|" : "",
                                 (int)r.messages[i]->size, r.messages[i]->payload);
    dx_read_release(&r);
    return text;
}

dx_stream_info pair_info(pair *p, uint32_t from, const char *path)
{
    dx_read r =
        pair_read(p, from, (dx_read){.path = dx_bytes_of(path), .position.kind = DX_OFFSET_NOW});

    if (r.status != DX_STREAM_OK)
        r.info = (dx_stream_info){0};
    dx_read_release(&r);
    return r.info;
}
