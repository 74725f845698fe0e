/* Forks: taking from the source at its home, beginning the fork at its own, giving back.
 * A source in memory gives references to its messages; one in the store its number there, for the store
 * finds the messages itself. Where only one of the two is in the store, the fork gets all messages.
 * Source: Durable Streams 1.0, Stream forking.
 * SPDX-License-Identifier: MIT */
#include "stream/stream_fork.h"

#include "base/assert.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "stream/stream_store.h"

#include <stdlib.h>

enum { PAGE_COUNT = 4096, PAGE_BYTES = 1 << 20 };

static dx_bytes source_of(const dx_fork_work *w)
{
    return dx_bytes_at(w->source, w->source_size);
}

static void work_free(dx_fork_work *w)
{
    for (size_t i = 0; i < w->count; i++)
        dx_message_unref(w->messages[i]);
    free(w->messages);
    dx_message_unref(w->cut);
    free(w->runs);
    free(w->fork);
    free(w);
}

/* ---- at the source's home: holding ------------------------------------------------------------- */

static void hold(dx_fork_work *w, dx_stream *s)
{
    w->is_held = true;
    if (s->kept)
        dx_kept_hold(s);
    else
        s->forks_count++;
}

/* The last fork of a deleted stream is gone, so it goes, too. */
static void unhold(dx_stream *s)
{
    if (s->kept) {
        dx_kept_unhold(s);
        return;
    }
    dx_assert(s->forks_count > 0);
    if (--s->forks_count == 0 && s->is_deleted) {
        dx_fork *fork = s->fork;
        s->fork = NULL;
        dx_stream_reset(s);
        dx_fork_give_back(s->hub, &fork);
    }
    dx_stream_free_if_unused(s);
}

static void end_take(dx_fork_work *w)
{
    dx_fork *fork = w->fork;

    if (w->is_held && (w->status != DX_STREAM_OK || w->is_source_kept != w->is_fork_kept)) {
        w->is_held = false;
        unhold(dx_home_find(w->source_home, source_of(w)));
    }
    if (fork) {
        fork->is_held = w->is_held;
        fork->is_kept = w->is_source_kept && w->is_fork_kept;
        if (!fork->is_kept)
            fork->source_id = 0;
    }
    if (w->source_home == w->home)
        w->create->post.run(&w->create->post);
    else
        dx_hub_send(w->source_home, w->home, &w->create->post);
}

/* ---- at the source's home: messages ------------------------------------------------------------ */

static bool keep_message(dx_fork_work *w, dx_message *message)
{
    if (w->count == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : 16;
        dx_message **messages = realloc(w->messages, capacity * sizeof *messages);
        if (messages == NULL)
            return false;
        w->messages = messages;
        w->capacity = capacity;
    }
    w->messages[w->count++] = dx_message_ref(message);
    return true;
}

/* Whether a text may end behind `size` bytes of it. */
static bool is_cut_well(const dx_fork_work *w, dx_bytes payload, size_t size)
{
    return w->kind != DX_STREAM_TEXT || size == payload.size || (payload.at[size] & 0xc0) != 0x80;
}

/* The message behind `at`: all of it is shared, or its first part is the fork's own. */
static dx_stream_status cut(dx_fork_work *w, dx_message *message)
{
    uint64_t size = w->create->fork_more;
    dx_bytes payload = dx_message_payload(message);

    if (size > payload.size || !is_cut_well(w, payload, (size_t)size))
        return DX_STREAM_SOURCE_OFFSET;
    if (size < payload.size) {
        w->cut = dx_message_new(dx_bytes_at(payload.at, (size_t)size), 0);
        return w->cut ? DX_STREAM_OK : DX_STREAM_MEMORY;
    }
    w->at = message->sequence;
    if (w->runs[w->runs_count - 1].epoch != message->epoch) /* there is room: see copy_runs */
        w->runs[w->runs_count++] = (dx_epoch_run){message->epoch, message->sequence};
    if (w->is_source_kept && w->is_fork_kept)
        return DX_STREAM_OK;
    return keep_message(w, message) ? DX_STREAM_OK : DX_STREAM_MEMORY;
}

static dx_stream_status take_messages(dx_fork_work *w, dx_message **messages, size_t count)
{
    dx_stream_status status = DX_STREAM_OK;

    for (size_t i = 0; i < count && status == DX_STREAM_OK; i++) {
        if (messages[i]->sequence > w->at)
            status = cut(w, messages[i]);
        else if (!keep_message(w, messages[i]))
            status = DX_STREAM_MEMORY;
    }
    return status;
}

static void read_on(dx_fork_work *w, uint64_t from);

/* What was trimmed meanwhile is not in the fork either. */
static void on_page(dx_read *r)
{
    dx_fork_work *w = r->owner;
    bool is_good = r->status == DX_STREAM_OK || (r->status == DX_STREAM_GONE && r->lost > 0);
    uint64_t next = r->next.sequence + 1;
    bool is_end = r->count == 0 || next > w->read_to;

    if (is_good && r->status == DX_STREAM_GONE) {
        while (w->count > 0)
            dx_message_unref(w->messages[--w->count]);
    }
    w->status = is_good                            ? take_messages(w, r->messages, r->count)
                : r->status == DX_STREAM_DELETED   ? DX_STREAM_SOURCE_DELETED
                : r->status == DX_STREAM_NOT_FOUND ? DX_STREAM_SOURCE_NOT_FOUND
                                                   : r->status;
    dx_read_release(r);
    if (w->status == DX_STREAM_OK && is_end && w->needs_cut && next <= w->read_to)
        w->status = DX_STREAM_SOURCE_OFFSET;
    if (w->status == DX_STREAM_OK && !is_end)
        read_on(w, next);
    else
        end_take(w);
}

static void on_read(dx_post *post)
{
    dx_read *r = DX_CONTAINER(post, dx_read, post);
    dx_home_read(r->from, r);
}

static void read_on(dx_fork_work *w, uint64_t from)
{
    uint64_t left = w->read_to + 1 - from;

    w->read =
        (dx_read){.ns = w->create->source_ns,
                  .path = source_of(w),
                  .position = {DX_OFFSET_AT, {0, from - 1}},
                  .identity = w->fork->source_identity,
                  .count_max = (size_t)(w->is_source_kept ? dx_min_u64(left, PAGE_COUNT) : left),
                  .bytes_max = w->is_source_kept ? PAGE_BYTES : SIZE_MAX,
                  .done = on_page,
                  .owner = w,
                  .from = w->source_home};
    w->read.post.run = on_read;
    dx_home_read(w->source_home, &w->read);
}

/* ---- at the source's home: where the fork begins ----------------------------------------------- */

/* Room for one more. */
static bool copy_runs(dx_fork_work *w, const dx_epochs *e)
{
    w->runs = malloc((e->older_count + 2) * sizeof *w->runs);
    if (w->runs == NULL)
        return false;
    for (uint32_t i = 0; i < e->older_count && e->older[i].from <= w->at; i++)
        w->runs[w->runs_count++] = e->older[i];
    if (e->own.from <= w->at)
        w->runs[w->runs_count++] = e->own;
    return true;
}

static dx_stream_status find_point(dx_fork_work *w, const dx_stream *s)
{
    const dx_create *c = w->create;
    dx_read r = {.position = c->fork_at};
    uint64_t start = 0, lost;
    dx_stream_status status = dx_stream_resolve(s, &r, &start, &lost);
    uint64_t left = s->log.tail + 1 - start;

    if (status != DX_STREAM_OK)
        return DX_STREAM_SOURCE_OFFSET;
    w->at = start - 1;
    if (c->fork_more > 0 && left == 0)
        return DX_STREAM_SOURCE_OFFSET;
    w->needs_cut = c->fork_more > 0 && s->kind != DX_STREAM_JSON;
    if (s->kind != DX_STREAM_JSON)
        return DX_STREAM_OK;
    w->at += c->fork_more;
    return c->fork_more <= left ? DX_STREAM_OK : DX_STREAM_SOURCE_OFFSET;
}

static dx_fork *fork_new(const dx_fork_work *w, const dx_stream *s, dx_offset at)
{
    const dx_create *c = w->create;
    dx_fork *f = calloc(1, sizeof *f + w->source_size);

    if (f == NULL)
        return NULL;
    f->source_identity = s->identity;
    f->source_id = s->kept ? dx_kept_id(s) : 0;
    f->at = at;
    f->more = c->fork_more;
    f->was_at_tail = c->fork_at.kind == DX_OFFSET_NOW;
    f->has_lifetime = c->lifetime.kind != DX_LIFETIME_FOR_EVER;
    f->source_size = w->source_size;
    memcpy(f->source, w->source, w->source_size);
    return f;
}

static dx_stream_status describe(dx_fork_work *w, const dx_stream *s)
{
    const dx_create *c = w->create;
    dx_stream_status status;

    if (s == NULL || !s->is_made)
        return DX_STREAM_SOURCE_NOT_FOUND;
    if (s->is_deleted)
        return DX_STREAM_SOURCE_DELETED;
    if (c->type.size > 0 && !dx_type_is_media(c->type, dx_stream_type(s)))
        return DX_STREAM_SOURCE_TYPE;
    w->is_source_kept = s->kept != NULL;
    w->is_fork_kept = dx_kept_is_for(w->home, c->ns);
    w->kind = s->kind;
    w->type_size = s->type_size;
    dx_copy(w->type, s->type, s->type_size);
    w->lifetime = c->lifetime.kind == DX_LIFETIME_FOR_EVER ? s->lifetime : c->lifetime;
    if ((status = find_point(w, s)) != DX_STREAM_OK)
        return status;
    if (s->epochs.older_count + 1 >= DX_EPOCH_RUNS_MAX)
        return DX_STREAM_FULL;
    uint64_t asked = s->kind == DX_STREAM_JSON ? w->at - c->fork_more : w->at;
    w->fork = fork_new(w, s, dx_stream_offset(s, asked));
    return w->fork && copy_runs(w, &s->epochs) ? DX_STREAM_OK : DX_STREAM_MEMORY;
}

static void on_take(dx_post *post)
{
    dx_fork_work *w = DX_CONTAINER(post, dx_fork_work, post);
    dx_entered in;
    dx_entry entry = {
        .ns = w->create->source_ns, .path = source_of(w), .post = post, .is_read = true};

    if (!dx_home_enter(w->source_home, &entry, &in))
        return;
    w->status = in.status == DX_STREAM_OK ? describe(w, in.stream) : in.status;
    if (w->status != DX_STREAM_OK) {
        if (in.stream)
            dx_stream_free_if_unused(in.stream);
        end_take(w);
        return;
    }
    hold(w, in.stream);
    w->first = dx_stream_first(in.stream);
    bool is_shared = w->is_source_kept && w->is_fork_kept;
    uint64_t from = is_shared ? w->at + 1 : w->first;
    w->read_to = w->needs_cut ? w->at + 1 : w->at;
    if (from <= w->read_to)
        read_on(w, from);
    else
        end_take(w);
}

/* ---- at the fork's home ------------------------------------------------------------------------ */

bool dx_fork_take(dx_hub *hub, dx_create *c, dx_stream *s)
{
    dx_fork_work *w = calloc(1, sizeof *w + c->source.size);

    if (w == NULL)
        return false;
    w->create = c;
    w->home = hub;
    w->source_home = &hub->all->hubs[dx_streams_home(hub->all, c->source)];
    w->source_size = (uint16_t)c->source.size;
    dx_copy(w->source, c->source.at, c->source.size);
    w->post.run = on_take;
    w->pinned = s;
    if (s)
        s->pins++;
    c->work = w;
    if (w->source_home == hub)
        on_take(&w->post);
    else
        dx_hub_send(hub, w->source_home, &w->post);
    return true;
}

void dx_fork_taken(dx_create *c)
{
    dx_fork_work *w = c->work;

    if (w->pinned)
        w->pinned->pins--;
    w->pinned = NULL;
}

/* Without a Content-Type nobody has looked whether they fit. */
static bool are_json(const dx_create *c)
{
    size_t error_at;

    for (size_t i = 0; i < c->count; i++)
        if (dx_json_check(dx_message_payload(c->messages[i]), DX_JSON_DEPTH_DEFAULT, &error_at) !=
            DX_JSON_OK)
            return false;
    return true;
}

static bool fill_log(dx_stream *s, dx_fork_work *w, size_t more)
{
    dx_log_reset(&s->log, w->at - w->count);
    if (!dx_log_reserve(&s->log, w->count + (w->cut != NULL) + more, &s->ns->retention))
        return false;
    for (size_t i = 0; i < w->count; i++) {
        dx_log_push(&s->log, w->messages[i]);
        dx_log_trim(&s->log, dx_home_wall_ms(s->hub), &s->ns->retention);
    }
    w->count = 0;
    if (w->cut)
        dx_stream_append_now(s, &w->cut, 1);
    return true;
}

dx_stream_status dx_fork_fill(dx_stream *s, dx_create *c)
{
    dx_fork_work *w = c->work;

    if (w->status != DX_STREAM_OK)
        return w->status;
    if (w->kind == DX_STREAM_JSON && c->type.size == 0 && !are_json(c))
        return DX_STREAM_BAD_JSON;
    dx_stream_status status = dx_stream_set_type(s, dx_bytes_at(w->type, w->type_size), w->kind);
    if (status != DX_STREAM_OK)
        return status;
    dx_stream_begin_life(s, w->runs[w->runs_count - 1].epoch);
    s->epochs.own.from = w->at + 1;
    s->epochs.older = w->runs;
    s->epochs.older_count = w->runs_count;
    w->runs = NULL;
    s->lifetime = w->lifetime;
    if (s->kept == NULL && !fill_log(s, w, c->count))
        return DX_STREAM_MEMORY;
    s->fork = w->fork;
    w->fork = NULL;
    return DX_STREAM_OK;
}

void dx_fork_unfill(dx_stream *s, dx_create *c)
{
    dx_fork_work *w = c->work;

    if (w->fork == NULL) {
        w->fork = s->fork;
        s->fork = NULL;
    }
}

/* ---- giving back ------------------------------------------------------------------------------- */

static void on_settle(dx_post *post)
{
    dx_fork_work *w = DX_CONTAINER(post, dx_fork_work, post);

    unhold(dx_home_find(w->source_home, source_of(w)));
    work_free(w);
}

/* A source in memory counts its forks; one in the store only those that are not there yet. */
void dx_fork_finish(dx_hub *hub, dx_create *c, bool is_made)
{
    dx_fork_work *w = c->work;

    c->work = NULL;
    w->create = NULL;
    if (!w->is_held || (is_made && !w->is_source_kept)) {
        work_free(w);
        return;
    }
    w->post.run = on_settle;
    if (w->source_home == hub)
        on_settle(&w->post);
    else
        dx_hub_send(hub, w->source_home, &w->post);
}

static void on_give_back(dx_post *post)
{
    dx_fork *f = DX_CONTAINER(post, dx_fork, post);
    dx_bytes path = dx_bytes_at(f->source, f->source_size);
    dx_entered in;
    dx_entry entry = {.ns = f->is_kept ? &dx_kept_unknown_ns : NULL,
                      .path = path,
                      .post = post,
                      .is_exclusive = f->is_kept,
                      .is_read = !f->is_kept};

    if (!dx_home_enter(f->home, &entry, &in))
        return;
    dx_stream *s = in.status == DX_STREAM_OK ? in.stream : NULL;
    if (s && s->kept && s->is_deleted)
        dx_kept_check_deleted(s);
    else if (s && s->kept == NULL && s->identity == f->source_identity)
        unhold(s);
    else if (s)
        dx_stream_free_if_unused(s);
    free(f);
}

void dx_fork_give_back(dx_hub *hub, dx_fork **fork)
{
    dx_fork *f = *fork;

    *fork = NULL;
    if (f == NULL || (!f->is_held && !f->is_kept)) {
        free(f);
        return;
    }
    f->home = &hub->all->hubs[dx_streams_home(hub->all, dx_bytes_at(f->source, f->source_size))];
    f->post.run = on_give_back;
    if (f->home == hub)
        on_give_back(&f->post);
    else
        dx_hub_send(hub, f->home, &f->post);
}
