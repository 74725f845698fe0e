/* Who asks a store in tests.
 * SPDX-License-Identifier: MIT */
#include "store/test_asker.h"

#include "base/assert.h"
#include "base/clock.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 60000 };

void asker_begin_without_store(asker *a)
{
    const char *base = getenv("TMPDIR");

    snprintf(a->directory, sizeof a->directory, "%s/duplex-store-XXXXXX", base ? base : "/tmp");
    dx_assert(mkdtemp(a->directory) != NULL);
    a->options.directory = a->directory;
    dx_err err = dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &a->loop);
    dx_assert(err == DX_OK);
}

void asker_begin(asker *a)
{
    dx_store_sqlite_options options = a->options;

    *a = (asker){.options = options};
    asker_begin_without_store(a);
    dx_err err = asker_open(a);
    if (err != DX_OK)
        printf("# %s\n", a->why);
    dx_assert(err == DX_OK);
}

dx_err asker_open(asker *a)
{
    return dx_store_sqlite_open(&a->options, &a->store, a->why);
}

static void read_release(asker *a)
{
    for (size_t i = 0; i < a->read.count; i++)
        dx_message_unref(a->read.messages[i]);
    free(a->read.messages);
    a->read.messages = NULL, a->read.count = 0;
}

void asker_close(asker *a)
{
    if (a->store)
        a->store->ops->free(a->store);
    a->store = NULL;
}

void asker_reopen(asker *a)
{
    asker_close(a);
    dx_err err = asker_open(a);
    if (err != DX_OK)
        printf("# %s\n", a->why);
    dx_assert(err == DX_OK);
}

static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);

    if (directory == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    (void)rmdir(path);
}

void asker_remove(asker *a)
{
    read_release(a);
    dx_loop_free(a->loop);
    remove_directory(a->directory);
}

void asker_end(asker *a)
{
    asker_close(a);
    asker_remove(a);
}

void asker_wait(asker *a, const bool *is_done)
{
    uint64_t until_ms = dx_clock_ms() + WAIT_MS;

    while (!*is_done) {
        dx_assert(dx_clock_ms() < until_ms);
        dx_loop_step(a->loop, 1000);
    }
}

/* ---- commits ---- */

static dx_message *make_message(uint64_t id, uint64_t sequence, size_t size)
{
    char text[64];
    int head = snprintf(text, sizeof text, "%llu/%llu", (unsigned long long)id,
                        (unsigned long long)sequence);
    size_t whole = dx_max_size((size_t)head, size);
    uint8_t *payload = malloc(whole);

    memset(payload, '.', whole);
    memcpy(payload, text, (size_t)head);
    dx_message *message = dx_message_new(dx_bytes_at(payload, whole), id * 7 + 1);
    free(payload);
    message->kind = (uint8_t)(id % 3);
    message->is_last = sequence % 2;
    message->epoch = 1000 + id;
    message->sequence = sequence;
    message->time_ms = 1700000000000 + sequence;
    return message;
}

bool asker_is_right(const dx_message *message, uint64_t id, uint64_t sequence)
{
    dx_message *want = make_message(id, sequence, message->size);
    bool is_right = message->size == want->size && message->kind == want->kind &&
                    message->is_last == want->is_last && message->epoch == want->epoch &&
                    message->sequence == sequence && message->time_ms == want->time_ms &&
                    memcmp(message->payload, want->payload, want->size) == 0;
    dx_message_unref(want);
    return is_right;
}

static void on_committed(dx_store_commit *commit)
{
    commitment *c = DX_CONTAINER(commit, commitment, commit);

    c->is_done = true;
    if (c->then)
        c->then(c);
}

commitment *asker_commit_start(asker *a, const edit *e)
{
    commitment *c = calloc(1, sizeof *c);
    dx_message **messages = calloc(e->count + 1, sizeof(dx_message *));

    for (size_t i = 0; i < e->count; i++)
        messages[i] = make_message(e->id, e->sequence + i, e->size);
    c->commit = (dx_store_commit){
        .id = e->id,
        .path = e->path ? dx_bytes_of(e->path) : (dx_bytes){0},
        .source = e->source,
        .source_tail = e->source_tail,
        .record = e->record ? dx_bytes_of(e->record) : (dx_bytes){0},
        .facts = e->facts,
        .facts_count = e->facts_count,
        .messages = messages,
        .count = e->count,
        .first = e->first,
        .is_path_freed = e->is_path_freed,
        .is_deleted = e->is_deleted,
        .loop = a->loop,
        .done = on_committed,
    };
    a->store->ops->commit(a->store, &c->commit);
    return c;
}

void commitment_free(commitment *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->commit.count; i++)
        dx_message_unref(c->commit.messages[i]);
    free((void *)(uintptr_t)c->commit.messages);
    free(c);
}

dx_store_status asker_commit(asker *a, const edit *e)
{
    commitment *c = asker_commit_start(a, e);

    asker_wait(a, &c->is_done);
    dx_store_status status = c->commit.status;
    commitment_free(c);
    return status;
}

uint64_t asker_make(asker *a, const char *path, size_t count)
{
    uint64_t id = a->store->ops->new_id(a->store);
    dx_store_status status = asker_commit(
        a, &(edit){.id = id, .path = path, .record = "made", .sequence = 1, .count = count});

    dx_assert(status == DX_STORE_OK);
    return id;
}

/* ---- loads ---- */

typedef struct loading {
    dx_store_load load;
    asker *a;
    bool is_done;
} loading;

static void on_loaded(dx_store_load *load)
{
    loading *l = DX_CONTAINER(load, loading, load);
    asker *a = l->a;
    size_t size = 0;

    l->is_done = true;
    if (load->status != DX_STORE_OK)
        return;
    a->id = load->id, a->first = load->first, a->tail = load->tail;
    a->facts_count = load->facts_count;
    snprintf(a->record, sizeof a->record, "%.*s", DX_FORMAT(load->record));
    for (size_t i = 0; i < load->facts_count && size < sizeof a->facts; i++)
        size += (size_t)snprintf(a->facts + size, sizeof a->facts - size, "%.*s=%.*s;",
                                 DX_FORMAT(load->facts[i].key), DX_FORMAT(load->facts[i].value));
}

dx_store_status asker_load(asker *a, const char *path)
{
    loading l = {.load = {.path = dx_bytes_of(path), .loop = a->loop, .done = on_loaded}, .a = a};

    a->id = a->first = a->tail = 0;
    a->record[0] = a->facts[0] = 0;
    a->facts_count = 0;
    a->store->ops->load(a->store, &l.load);
    asker_wait(a, &l.is_done);
    return l.load.status;
}

/* ---- reads ---- */

typedef struct reading {
    dx_store_read read;
    bool is_done;
} reading;

static void on_read(dx_store_read *read)
{
    DX_CONTAINER(read, reading, read)->is_done = true;
}

dx_store_status asker_read(asker *a, uint64_t id, uint64_t from, size_t count_max, size_t bytes_max)
{
    reading r = {.read = {.id = id,
                          .from = from,
                          .count_max = count_max,
                          .bytes_max = bytes_max,
                          .loop = a->loop,
                          .done = on_read}};

    read_release(a);
    a->store->ops->read(a->store, &r.read);
    asker_wait(a, &r.is_done);
    a->read = r.read;
    return r.read.status;
}

long asker_count(asker *a, uint64_t id, uint64_t from)
{
    long count = 0;

    for (;;) {
        dx_store_status status = asker_read(a, id, from, 1000, 1 << 20);
        if (status != DX_STORE_OK)
            return -(long)status;
        if (a->read.count == 0)
            return count;
        for (size_t i = 0; i < a->read.count; i++, from++, count++)
            if (!asker_is_right(a->read.messages[i], id, from))
                return -(long)from;
    }
}
