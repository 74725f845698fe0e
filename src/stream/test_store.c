/* A store for tests.
 * SPDX-License-Identifier: MIT */
#include "stream/test_store.h"

#include "base/assert.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* The contract of store.h: whoever breaks it stops here. */
#define MUST(condition)                                                                            \
    ((condition)                                                                                   \
         ? (void)0                                                                                 \
         : (fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition), abort()))

typedef struct disk_fact {
    struct disk_fact *next;
    uint8_t *bytes;
    size_t key_size, value_size;
    uint64_t until_ms;
} disk_fact;

typedef struct disk_stream {
    struct disk_stream *next;
    uint64_t id, source, source_tail, first, tail;
    uint8_t *record;
    size_t record_size;
    disk_fact *facts;
    dx_message **messages; /* own ones, in a row; the first is number messages_first */
    uint64_t messages_first;
    size_t count;
    uint8_t path[1024];
    size_t path_size;
} disk_stream;

struct test_disk {
    disk_stream *streams;
    uint64_t id_last;
};

typedef enum op_kind { LOAD, COMMIT, READ, SCAN } op_kind;

typedef struct op {
    struct op *next;
    op_kind kind;
    bool is_doomed; /* a commit behind one that failed */
    void *what;
} op;

struct test_store {
    dx_store store;
    pthread_mutex_t lock; /* of all that follows, and the disk */
    test_disk *disk;
    op *first, **last;
    size_t commits, reads, fail_in;
    dx_store_status fail_status, loads_status, reads_status;
    uint64_t failing_id; /* commits of this stream fail, until the first one was answered */
    size_t answers;      /* of commits, in mailboxes: the store outlives them */
    bool is_held, is_crashed, is_ending, is_freed;
};

static test_store *of(dx_store *store)
{
    return DX_CONTAINER(store, test_store, store);
}

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

/* ---- the disk --------------------------------------------------------------------------------- */

test_disk *test_disk_new(void)
{
    return must(calloc(1, sizeof(test_disk)));
}

static disk_stream *find_id(const test_disk *disk, uint64_t id)
{
    disk_stream *s = disk->streams;

    while (s && s->id != id)
        s = s->next;
    return s;
}

static disk_stream *find_path(const test_disk *disk, dx_bytes path)
{
    disk_stream *s = disk->streams;

    while (s && !dx_bytes_equal(dx_bytes_at(s->path, s->path_size), path))
        s = s->next;
    return s;
}

static uint32_t forks_of(const test_disk *disk, uint64_t id)
{
    uint32_t count = 0;

    for (disk_stream *s = disk->streams; s; s = s->next)
        count += s->source == id;
    return count;
}

static void stream_free(disk_stream *s)
{
    for (disk_fact *f; (f = s->facts) != NULL;) {
        s->facts = f->next;
        free(f->bytes);
        free(f);
    }
    for (size_t i = 0; i < s->count; i++)
        dx_message_unref(s->messages[i]);
    free(s->messages);
    free(s->record);
    free(s);
}

static void stream_remove(test_disk *disk, disk_stream *s)
{
    disk_stream **at = &disk->streams;

    MUST(forks_of(disk, s->id) == 0);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    stream_free(s);
}

void test_disk_free(test_disk *disk)
{
    for (disk_stream *s; (s = disk->streams) != NULL;) {
        disk->streams = s->next;
        stream_free(s);
    }
    free(disk);
}

size_t test_disk_count(const test_disk *disk)
{
    size_t count = 0;

    for (disk_stream *s = disk->streams; s; s = s->next)
        count++;
    return count;
}

/* A copy: what the asker does with its own must not matter. */
static dx_message *copy_of(const dx_message *m)
{
    dx_message *copy = must(dx_message_new(dx_message_payload(m), 0));

    copy->epoch = m->epoch;
    copy->sequence = m->sequence;
    copy->time_ms = m->time_ms;
    copy->is_last = m->is_last;
    return copy;
}

/* NULL: not retained. */
static dx_message *message_at(const test_disk *disk, const disk_stream *s, uint64_t sequence)
{
    while (s && s->source && sequence <= s->source_tail)
        s = find_id(disk, s->source);
    if (s == NULL || sequence < s->messages_first || sequence >= s->messages_first + s->count ||
        sequence < s->first)
        return NULL;
    return s->messages[sequence - s->messages_first];
}

static void set_fact(disk_stream *s, const dx_store_fact *fact)
{
    disk_fact **at = &s->facts, *f;

    while (*at && !dx_bytes_equal(dx_bytes_at((*at)->bytes, (*at)->key_size), fact->key))
        at = &(*at)->next;
    if ((f = *at) != NULL) {
        *at = f->next;
        free(f->bytes);
        free(f);
    }
    if (fact->value.size == 0)
        return;
    f = must(calloc(1, sizeof *f));
    f->bytes = must(malloc(fact->key.size + fact->value.size));
    dx_copy(f->bytes, fact->key.at, fact->key.size);
    dx_copy(f->bytes + fact->key.size, fact->value.at, fact->value.size);
    f->key_size = fact->key.size;
    f->value_size = fact->value.size;
    f->until_ms = fact->until_ms;
    f->next = s->facts;
    s->facts = f;
}

char *test_disk_text(const test_disk *disk, dx_bytes path)
{
    disk_stream *s = find_path(disk, path);
    char *text;
    size_t size;
    FILE *out = must(open_memstream(&text, &size));

    if (s) {
        fprintf(out, "first %lu tail %lu source %lu %lu record ", s->first, s->tail, s->source,
                s->source_tail);
        for (size_t i = 0; i < s->record_size; i++)
            fprintf(out, "%02x", s->record[i]);
        for (uint64_t n = 1; n <= s->tail; n++) {
            dx_message *m = message_at(disk, s, n);
            if (m)
                fprintf(out, "\n%lu %lx %.*s", m->sequence, m->epoch, (int)m->size, m->payload);
        }
    }
    fclose(out);
    return text;
}

/* ---- carrying out ----------------------------------------------------------------------------- */

static void on_load(dx_post *post)
{
    dx_store_load *load = DX_CONTAINER(post, dx_store_load, post);
    dx_store_fact *facts = load->work;

    load->done(load); /* may free it */
    free(facts);
}

static void free_now(test_store *store)
{
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static void on_commit(dx_post *post)
{
    dx_store_commit *commit = DX_CONTAINER(post, dx_store_commit, post);
    test_store *store = commit->work;

    pthread_mutex_lock(&store->lock);
    store->answers--;
    bool is_last = store->is_freed && store->answers == 0;
    if (commit->status != DX_STORE_OK && store->failing_id == commit->id) {
        for (op *o = store->first; o; o = o->next)
            if (o->kind == COMMIT && ((dx_store_commit *)o->what)->id == commit->id)
                o->is_doomed = true;
        store->failing_id = 0;
    }
    pthread_mutex_unlock(&store->lock);
    if (is_last)
        free_now(store);
    commit->done(commit);
}

static void on_read(dx_post *post)
{
    dx_store_read *read = DX_CONTAINER(post, dx_store_read, post);
    read->done(read);
}

static void carry_load(test_store *store, dx_store_load *load)
{
    disk_stream *s = find_path(store->disk, load->path);

    load->work = NULL;
    load->status = store->loads_status;
    if (load->status == DX_STORE_OK && s == NULL)
        load->status = DX_STORE_NOT_FOUND;
    if (load->status != DX_STORE_OK)
        return;
    load->id = s->id;
    load->record = dx_bytes_at(s->record, s->record_size);
    load->first = s->first;
    load->tail = s->tail;
    load->forks_count = forks_of(store->disk, s->id);
    load->facts_count = 0;
    for (disk_fact *f = s->facts; f; f = f->next)
        load->facts_count++;
    dx_store_fact *facts = must(calloc(load->facts_count + 1, sizeof *facts));
    size_t i = 0;
    for (disk_fact *f = s->facts; f; f = f->next)
        facts[i++] =
            (dx_store_fact){dx_bytes_at(f->bytes, f->key_size),
                            dx_bytes_at(f->bytes + f->key_size, f->value_size), f->until_ms};
    load->facts = load->work = facts;
}

static disk_stream *make(test_disk *disk, const dx_store_commit *c)
{
    disk_stream *s = must(calloc(1, sizeof *s));

    MUST(find_path(disk, c->path) == NULL);
    MUST(c->record.at != NULL);
    s->id = c->id;
    s->path_size = c->path.size;
    memcpy(s->path, c->path.at, c->path.size);
    s->source = c->source;
    s->source_tail = c->source_tail;
    s->first = 1;
    if (c->source == 0 && c->count > 0) /* one that has the messages of a source that is not here */
        s->first = c->messages[0]->sequence;
    s->tail = c->source ? c->source_tail : s->first - 1;
    s->messages_first = s->tail + 1;
    s->next = disk->streams;
    disk->streams = s;
    return s;
}

static void apply(test_disk *disk, const dx_store_commit *c)
{
    disk_stream *s = c->path.size > 0 ? make(disk, c) : find_id(disk, c->id);

    MUST(s != NULL);
    if (c->is_deleted) {
        stream_remove(disk, s);
        return;
    }
    if (c->record.at) {
        free(s->record);
        s->record = must(malloc(c->record.size));
        memcpy(s->record, c->record.at, c->record.size);
        s->record_size = c->record.size;
    }
    for (size_t i = 0; i < c->facts_count; i++) {
        for (size_t k = 0; k < i; k++)
            MUST(!dx_bytes_equal(c->facts[i].key, c->facts[k].key));
        set_fact(s, &c->facts[i]);
    }
    if (c->count > 0)
        s->messages = must(realloc(s->messages, (s->count + c->count) * sizeof *s->messages));
    for (size_t i = 0; i < c->count; i++) {
        MUST(c->messages[i]->sequence == s->tail + 1);
        s->messages[s->count++] = copy_of(c->messages[i]);
        s->tail++;
    }
    if (c->first > s->first)
        s->first = c->first;
    MUST(s->first <= s->tail + 1);
}

static void carry_commit(test_store *store, dx_store_commit *c, bool is_doomed)
{
    store->commits++;
    c->work = store;
    c->status = DX_STORE_OK;
    if (store->is_crashed)
        c->status = DX_STORE_CLOSED;
    if (store->fail_in > 0 && --store->fail_in == 0)
        store->failing_id = c->id;
    if (is_doomed || (store->failing_id && store->failing_id == c->id))
        c->status = store->fail_status;
    if (c->status == DX_STORE_OK)
        apply(store->disk, c);
}

static void carry_read(test_store *store, dx_store_read *r)
{
    disk_stream *s = find_id(store->disk, r->id);
    size_t bytes = 0;

    store->reads++;
    r->count = 0;
    r->messages = NULL;
    r->status = store->reads_status;
    if (r->status == DX_STORE_OK && s == NULL)
        r->status = DX_STORE_NOT_FOUND;
    if (r->status != DX_STORE_OK || r->count_max == 0)
        return;
    r->messages = must(malloc((size_t)(s->tail + 1) * sizeof *r->messages));
    for (uint64_t n = r->from > s->first ? r->from : s->first;
         n <= s->tail && r->count < r->count_max; n++) {
        dx_message *m = message_at(store->disk, s, n);
        if (m == NULL)
            continue;
        if (r->count > 0 && s->source && n == s->source_tail + 1)
            break; /* less than was asked for, as a store may give */
        if (r->count > 0 && bytes + m->size > r->bytes_max)
            break;
        bytes += m->size;
        r->messages[r->count++] = copy_of(m);
    }
}

static void on_scan(dx_post *post)
{
    dx_store_scan *scan = DX_CONTAINER(post, dx_store_scan, post);
    uint8_t *bytes = scan->work;

    scan->done(scan);
    free(bytes);
}

/* The stream with the lowest id above `id`. */
static const disk_stream *next_stream(const test_disk *disk, uint64_t id)
{
    const disk_stream *best = NULL;

    for (const disk_stream *s = disk->streams; s; s = s->next)
        if (s->id > id && (best == NULL || s->id < best->id))
            best = s;
    return best;
}

/* Each record and path in a block of its own would be as good; one block is freed at once. */
static void carry_scan(test_store *store, dx_store_scan *scan)
{
    enum { ROW = sizeof(dx_store_scanned), ROOM = 4096 };
    uint8_t *bytes = must(calloc(scan->count_max, ROW + ROOM));
    dx_store_scanned *rows = (dx_store_scanned *)(void *)bytes;
    uint64_t id = scan->after;

    scan->work = bytes;
    scan->status = store->is_crashed ? DX_STORE_CLOSED : store->loads_status;
    scan->count = 0;
    scan->at = rows;
    bytes += scan->count_max * ROW;
    for (const disk_stream *s; scan->status == DX_STORE_OK && scan->count < scan->count_max &&
                               (s = next_stream(store->disk, id)) != NULL;
         bytes += ROOM) {
        MUST(s->path_size + s->record_size <= ROOM);
        memcpy(bytes, s->path, s->path_size);
        memcpy(bytes + s->path_size, s->record, s->record_size);
        rows[scan->count++] = (dx_store_scanned){s->id, dx_bytes_at(bytes, s->path_size),
                                                 dx_bytes_at(bytes + s->path_size, s->record_size)};
        id = s->id;
    }
}

static void carry(test_store *store, const op *o, dx_post **post, dx_loop **loop)
{
    switch (o->kind) {
    case LOAD: {
        dx_store_load *load = o->what;
        carry_load(store, load);
        load->post.run = on_load;
        *post = &load->post, *loop = load->loop;
        return;
    }
    case COMMIT: {
        dx_store_commit *commit = o->what;
        carry_commit(store, commit, o->is_doomed);
        commit->post.run = on_commit;
        store->answers++;
        *post = &commit->post, *loop = commit->loop;
        return;
    }
    case READ: {
        dx_store_read *read = o->what;
        carry_read(store, read);
        read->post.run = on_read;
        *post = &read->post, *loop = read->loop;
        return;
    }
    case SCAN: {
        dx_store_scan *scan = o->what;
        carry_scan(store, scan);
        scan->post.run = on_scan;
        *post = &scan->post, *loop = scan->loop;
        return;
    }
    }
}

static op *take_first(test_store *store)
{
    op *o = store->first;

    store->first = o->next;
    if (store->first == NULL)
        store->last = &store->first;
    return o;
}

static size_t let(test_store *store, size_t count)
{
    size_t done = 0;

    for (; done < count && store->first; done++) {
        op *o = take_first(store);
        dx_post *post = NULL;
        dx_loop *loop = NULL;
        carry(store, o, &post, &loop);
        free(o);
        while (dx_loop_post(loop, post) != DX_OK)
            sched_yield();
    }
    return done;
}

size_t test_store_let(dx_store *base, size_t count)
{
    test_store *store = of(base);

    pthread_mutex_lock(&store->lock);
    size_t done = let(store, count);
    pthread_mutex_unlock(&store->lock);
    return done;
}

static void add(test_store *store, op_kind kind, void *what)
{
    op *o = must(malloc(sizeof *o));

    MUST(!store->is_ending);
    *o = (op){.kind = kind, .what = what};
    pthread_mutex_lock(&store->lock);
    *store->last = o;
    store->last = &o->next;
    if (!store->is_held)
        let(store, SIZE_MAX);
    pthread_mutex_unlock(&store->lock);
}

/* ---- operations ------------------------------------------------------------------------------- */

static uint64_t store_new_id(dx_store *store)
{
    pthread_mutex_lock(&of(store)->lock);
    uint64_t id = ++of(store)->disk->id_last;
    pthread_mutex_unlock(&of(store)->lock);
    return id;
}

static void store_load(dx_store *store, dx_store_load *load)
{
    add(of(store), LOAD, load);
}

static void store_commit(dx_store *store, dx_store_commit *commit)
{
    add(of(store), COMMIT, commit);
}

static void store_read(dx_store *store, dx_store_read *read)
{
    add(of(store), READ, read);
}

static void store_scan(dx_store *store, dx_store_scan *scan)
{
    add(of(store), SCAN, scan);
}

static void store_free(dx_store *base)
{
    test_store *store = of(base);

    store->is_ending = true;
    while (store->first) {
        op *o = take_first(store);
        dx_post *post = NULL;
        dx_loop *loop = NULL;
        carry(store, o, &post, &loop);
        free(o);
        post->run(post);
    }
    store->is_freed = true;
    if (store->answers == 0)
        free_now(store);
}

dx_store *test_store_new(test_disk *disk)
{
    static const dx_store_ops ops = {store_new_id, store_load, store_commit,
                                     store_read,   store_scan, store_free};
    test_store *store = must(calloc(1, sizeof *store));

    store->store.ops = &ops;
    if (pthread_mutex_init(&store->lock, NULL) != 0)
        abort();
    store->disk = disk;
    store->last = &store->first;
    return &store->store;
}

void test_store_hold(dx_store *store, bool is_held)
{
    of(store)->is_held = is_held;
    if (!is_held)
        test_store_let(store, SIZE_MAX);
}

void test_store_fail(dx_store *store, size_t nth, dx_store_status status)
{
    of(store)->fail_in = nth;
    of(store)->fail_status = status;
}

void test_store_fail_loads(dx_store *store, dx_store_status status)
{
    of(store)->loads_status = status;
}

void test_store_fail_reads(dx_store *store, dx_store_status status)
{
    of(store)->reads_status = status;
}

void test_store_crash(dx_store *store)
{
    of(store)->is_crashed = true;
    of(store)->loads_status = of(store)->reads_status = DX_STORE_CLOSED;
}

size_t test_store_commits(const dx_store *store)
{
    return DX_CONTAINER(store, test_store, store)->commits;
}

size_t test_store_reads(const dx_store *store)
{
    return DX_CONTAINER(store, test_store, store)->reads;
}
