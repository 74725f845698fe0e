/* Lines of JSON into a store.
 * SPDX-License-Identifier: MIT */
#include "store/transfer.h"

#include "store/db.h"
#include "store/import_line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    BATCH_COUNT = 1000,
    BATCH_BYTES = 256 << 10,
    UNDER_WAY_COUNT = 512, /* commits */
    UNDER_WAY_BYTES = 16 << 20,
    TURN_MS = 100,
};

typedef struct importing importing;

/* A commit that is being filled, or is under way, and all that it refers to. */
typedef struct batch {
    dx_store_commit commit;
    dx_list link; /* in importing.under_way */
    importing *in;
    uint64_t line;
    dx_buffer path, record, facts_bytes;
    dx_store_fact *facts;
    size_t facts_count;
    dx_message **messages;
    size_t count, bytes;
} batch;

struct importing {
    dx_store *store;
    dx_loop *loop;
    char *why;
    dx_err err;
    uint64_t line;
    dx_transfer_count count;
    dx_line at;
    /* of the stream that is being read */
    bool is_in_stream;
    uint64_t id, first, tail, next, bytes;
    dx_record_view record; /* `type` is not good here */
    dx_buffer runs;
    uint32_t run; /* the epoch of the message before */
    batch *filling;
    /* under way */
    dx_list under_way; /* of batch.link */
    size_t commits, commits_bytes;
    bool is_begun, is_ended;
};

/* The first that goes wrong counts. False. */
static bool fail_at(importing *in, uint64_t line, dx_err err, const char *what)
{
    if (in->err == DX_OK) {
        in->err = err;
        dx_why(in->why, "line %" PRIu64 ": %s", line, what);
    }
    return false;
}

static bool fail(importing *in, dx_err err, const char *what)
{
    return fail_at(in, in->line, err, what);
}

static bool no_memory(importing *in)
{
    return fail(in, DX_ERR_MEMORY, "out of memory");
}

/* ---- commits ---------------------------------------------------------------------------------- */

static void batch_free(batch *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->count; i++)
        dx_message_unref(b->messages[i]);
    free(b->messages);
    free(b->facts);
    dx_buffer_clear(&b->path);
    dx_buffer_clear(&b->record);
    dx_buffer_clear(&b->facts_bytes);
    free(b);
}

static const char *say_status(dx_store_status status)
{
    switch (status) {
    case DX_STORE_FULL: return "the disk is full";
    case DX_STORE_MEMORY: return "out of memory";
    case DX_STORE_OK:
    case DX_STORE_NOT_FOUND:
    case DX_STORE_BROKEN:
    case DX_STORE_CLOSED: return "the store failed";
    }
    dx_unreachable("dx_store_status outside its enum");
}

static void on_committed(dx_store_commit *commit)
{
    batch *b = DX_CONTAINER(commit, batch, commit);
    importing *in = b->in;

    dx_list_remove(&b->link);
    in->commits--;
    in->commits_bytes -= b->bytes;
    if (commit->status != DX_STORE_OK)
        (void)fail_at(in, b->line,
                      commit->status == DX_STORE_MEMORY ? DX_ERR_MEMORY : DX_ERR_SYSTEM,
                      say_status(commit->status));
    batch_free(b);
}

static batch *batch_new(importing *in)
{
    batch *b = calloc(1, sizeof *b);

    if (b == NULL || (b->messages = malloc(BATCH_COUNT * sizeof *b->messages)) == NULL) {
        free(b);
        (void)no_memory(in);
        return NULL;
    }
    dx_list_init(&b->link);
    b->in = in;
    b->line = in->line;
    b->commit = (dx_store_commit){.id = in->id, .loop = in->loop, .done = on_committed};
    return b;
}

static batch *filling(importing *in)
{
    if (in->filling == NULL)
        in->filling = batch_new(in);
    return in->filling;
}

static bool add_fact(importing *in, const dx_fact_view *fact)
{
    batch *b = filling(in);
    dx_store_fact *facts = b ? realloc(b->facts, (b->facts_count + 1) * sizeof *facts) : NULL;

    if (facts)
        b->facts = facts;
    if (facts == NULL || !dx_fact_view_write(fact, &b->facts_bytes, &facts[b->facts_count]))
        return no_memory(in);
    b->facts_count++;
    return true;
}

static void submit(importing *in)
{
    batch *b = in->filling;
    const uint8_t *at = b->facts_bytes.at;

    in->filling = NULL;
    for (size_t i = 0; i < b->facts_count; i++) {
        b->facts[i].key.at = at;
        b->facts[i].value.at = at + b->facts[i].key.size;
        at += b->facts[i].key.size + b->facts[i].value.size;
    }
    b->commit.path = dx_buffer_view(&b->path);
    b->commit.record = dx_buffer_view(&b->record);
    b->commit.facts = b->facts;
    b->commit.facts_count = b->facts_count;
    b->commit.messages = b->messages;
    b->commit.count = b->count;
    dx_list_append(&in->under_way, &b->link);
    in->commits++;
    in->commits_bytes += b->bytes;
    in->store->ops->commit(in->store, &b->commit);
    while (in->commits >= UNDER_WAY_COUNT || in->commits_bytes >= UNDER_WAY_BYTES)
        dx_loop_step(in->loop, TURN_MS);
}

/* ---- streams ---------------------------------------------------------------------------------- */

typedef struct looking {
    dx_store_load load;
    bool is_done;
} looking;

static void on_loaded(dx_store_load *load)
{
    DX_CONTAINER(load, looking, load)->is_done = true;
}

/* What is under way no load finds yet. */
static bool is_under_way(const importing *in, dx_bytes path)
{
    for (const dx_list *l = in->under_way.next; l != &in->under_way; l = l->next)
        if (dx_bytes_equal(dx_buffer_view(&DX_CONTAINER(l, const batch, link)->path), path))
            return true;
    return false;
}

static bool is_new(importing *in, dx_bytes path)
{
    if (is_under_way(in, path))
        return fail(in, DX_ERR_CONFLICT, "there is such a stream already");
    looking l = {.load = {.path = path, .loop = in->loop, .done = on_loaded}};

    in->store->ops->load(in->store, &l.load);
    while (!l.is_done)
        dx_loop_step(in->loop, TURN_MS);
    if (l.load.status == DX_STORE_NOT_FOUND)
        return true;
    if (l.load.status == DX_STORE_OK)
        return fail(in, DX_ERR_CONFLICT, "there is such a stream already");
    return fail(in, DX_ERR_SYSTEM, say_status(l.load.status));
}

static bool add_message(importing *in, dx_offset offset, uint64_t time_ms, bool is_last,
                        dx_bytes payload)
{
    batch *b = filling(in);
    dx_message *m = b ? dx_message_new(payload, 0) : NULL;

    if (m == NULL)
        return no_memory(in);
    m->kind = (uint8_t)in->record.kind;
    m->is_last = is_last;
    m->epoch = offset.epoch;
    m->sequence = offset.sequence;
    m->time_ms = time_ms;
    b->messages[b->count++] = m;
    b->bytes += payload.size;
    if (b->count == BATCH_COUNT || b->bytes >= BATCH_BYTES)
        submit(in);
    return true;
}

/* An empty stream that had messages: the last one is put in and dropped again, so that its number is known. */
static bool leave_tail(importing *in)
{
    dx_offset last = dx_record_run(&in->record, in->record.runs_count - 1);

    last.sequence = in->tail;
    if (!add_message(in, last, 0, true, DX_BYTES("-")))
        return false;
    if (in->filling)
        submit(in);
    if (filling(in) == NULL)
        return false;
    in->filling->commit.first = in->tail + 1;
    submit(in);
    return true;
}

static bool end_stream(importing *in)
{
    const dx_fact_view bytes = {.kind = DX_FACT_IS_BYTES, .numbers = {in->bytes}};

    if (!in->is_in_stream)
        return true;
    in->is_in_stream = false;
    if (in->next <= in->tail)
        return fail(in, DX_ERR_NAME, "messages of the stream before are missing");
    if (in->first > in->tail && in->tail > 0 && !leave_tail(in))
        return false;
    if (in->bytes > 0 && !add_fact(in, &bytes))
        return false;
    if (in->filling)
        submit(in);
    return in->err == DX_OK;
}

static bool begin_stream(importing *in)
{
    dx_line *l = &in->at;
    const dx_fact_view used = {.kind = DX_FACT_IS_USED, .numbers = {l->used_ms}};

    if (!end_stream(in) || !is_new(in, l->path))
        return false;
    in->is_in_stream = true;
    in->id = in->store->ops->new_id(in->store);
    in->first = in->next = l->first;
    in->tail = l->tail;
    in->bytes = 0;
    in->run = 0;
    in->runs.size = 0;
    batch *b = filling(in);
    if (b == NULL || !dx_buffer_append(&in->runs, l->record.runs) ||
        !dx_buffer_append(&b->path, l->path) || !dx_record_view_write(&l->record, &b->record))
        return no_memory(in);
    in->record = l->record;
    in->record.runs = dx_buffer_view(&in->runs);
    b->commit.first = l->first > 1 ? l->first : 0;
    in->count.streams++;
    return l->record.lifetime.kind != DX_LIFETIME_IDLE || add_fact(in, &used);
}

/* The epoch that the stream says its message `sequence` is of. */
static uint64_t epoch_at(importing *in, uint64_t sequence)
{
    while (in->run + 1 < in->record.runs_count &&
           dx_record_run(&in->record, in->run + 1).sequence <= sequence)
        in->run++;
    return dx_record_run(&in->record, in->run).epoch;
}

static bool take_message(importing *in)
{
    const dx_line *l = &in->at;

    if (!in->is_in_stream)
        return fail(in, DX_ERR_NAME, "a message comes behind its stream");
    if (l->offset.sequence != in->next || in->next > in->tail)
        return fail(in, DX_ERR_NAME, "not the offset that comes next in this stream");
    if (l->offset.epoch != epoch_at(in, in->next))
        return fail(in, DX_ERR_NAME, "the offset is not of the epoch that the stream has there");
    in->next++;
    in->bytes += l->payload.size;
    in->count.messages++;
    return add_message(in, l->offset, l->time_ms, !l->is_more, l->payload);
}

static bool take_fact(importing *in)
{
    if (!in->is_in_stream || in->next != in->first)
        return fail(in, DX_ERR_NAME,
                    "producers and keys come behind their stream, before its messages");
    return add_fact(in, &in->at.fact);
}

static bool take_end(importing *in)
{
    if (!end_stream(in))
        return false;
    in->is_ended = true;
    if (in->at.streams != in->count.streams || in->at.messages != in->count.messages)
        return fail(in, DX_ERR_NAME,
                    "the number of streams or messages is not what it was: some are missing");
    return true;
}

/* ---- lines ------------------------------------------------------------------------------------ */

static bool take_line(importing *in, dx_bytes text)
{
    const char *wrong = dx_line_read(text, &in->at);

    if (wrong)
        return fail(in, DX_ERR_NAME, wrong);
    if (!in->is_begun && in->at.kind != DX_LINE_BEGIN)
        return fail(in, DX_ERR_NAME, "this is no export of duplex");
    if (in->is_ended)
        return fail(in, DX_ERR_NAME, "something follows the end");
    switch (in->at.kind) {
    case DX_LINE_BEGIN:
        if (in->is_begun)
            return fail(in, DX_ERR_NAME, "a second beginning");
        in->is_begun = true;
        return true;
    case DX_LINE_STREAM: return begin_stream(in);
    case DX_LINE_FACT: return take_fact(in);
    case DX_LINE_MESSAGE: return take_message(in);
    case DX_LINE_END: return take_end(in);
    }
    dx_unreachable("dx_line_kind outside its enum");
}

static void take_all(importing *in, FILE *from)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t size;

    while (in->err == DX_OK && (size = getline(&text, &room, from)) >= 0) {
        in->line++;
        if (size > 0 && text[size - 1] == '\n')
            size--;
        if (size > 0)
            (void)take_line(in, dx_bytes_at(text, (size_t)size));
    }
    if (in->err == DX_OK && ferror(from))
        (void)fail(in, DX_ERR_CLOSED, strerror(errno));
    if (in->err == DX_OK && !in->is_ended)
        (void)fail(in, DX_ERR_CLOSED, "it ends here, before its end");
    free(text);
}

static void finish(importing *in)
{
    while (in->commits > 0)
        dx_loop_step(in->loop, TURN_MS);
    batch_free(in->filling);
    dx_buffer_clear(&in->at.memory);
    dx_buffer_clear(&in->at.runs);
    dx_buffer_clear(&in->runs);
}

dx_err dx_store_import(const char *directory, FILE *from, dx_transfer_count *ret, char *why)
{
    importing in = {.why = why, .err = DX_OK};
    dx_list_init(&in.under_way);
    dx_err err = dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &in.loop);

    if (err == DX_OK)
        err = dx_store_sqlite_open(&(dx_store_sqlite_options){.directory = directory}, &in.store,
                                   why);
    if (err == DX_OK) {
        take_all(&in, from);
        finish(&in);
        in.store->ops->free(in.store);
        err = in.err;
    }
    dx_loop_free(in.loop);
    if (err == DX_OK)
        *ret = in.count;
    return err;
}
