/* Changes on their way to the store: filled in a turn, given as one, visible and answered when committed.
 * Appends are judged against what those before them will leave; if a commit fails so do all behind it, and
 * what is known of the stream is loaded again.
 * SPDX-License-Identifier: MIT */
#include "stream/stream_fork.h"
#include "stream/stream_store.h"

#include "base/assert.h"
#include "base/mutant.h"

#include <stdlib.h>

uint64_t dx_stream_judged_tail(const dx_stream *s)
{
    return s->kept ? s->kept->tail : s->log.tail;
}

bool dx_stream_judged_closed(const dx_stream *s)
{
    return s->kept ? s->kept->is_closed : s->is_closed;
}

/* ---- filling ---------------------------------------------------------------------------------- */

static void change_free(dx_change *ch)
{
    for (size_t i = 0; i < ch->count; i++)
        dx_message_unref(ch->messages[i]);
    free(ch->messages);
    free(ch->record);
    dx_facts_deinit(&ch->facts);
    free(ch);
}

static bool reserve(dx_change *ch, size_t count)
{
    size_t capacity = ch->capacity ? ch->capacity : 8;

    while (capacity < ch->count + count)
        capacity *= 2;
    if (capacity == ch->capacity)
        return true;
    dx_message **messages = realloc(ch->messages, capacity * sizeof *messages);
    if (messages == NULL)
        return false;
    ch->messages = messages;
    ch->capacity = capacity;
    return true;
}

dx_change *dx_kept_change(dx_stream *s, size_t count)
{
    dx_change *ch = s->kept->filling;

    if (ch == NULL) {
        ch = calloc(1, sizeof *ch);
        if (ch == NULL)
            return NULL;
        dx_list_init(&ch->link);
        ch->stream = s;
    }
    if (count > 0 && !reserve(ch, count)) {
        if (s->kept->filling == NULL)
            change_free(ch);
        return NULL;
    }
    s->kept->filling = ch;
    if (!s->hub->is_ended)
        dx_task_queue(s->hub->loop, &s->send);
    return ch;
}

/* One that holds nothing after all. */
static void drop_if_empty(dx_stream *s)
{
    dx_change *ch = s->kept->filling;

    if (ch->count > 0 || ch->answers || ch->has_record || ch->is_making || ch->first)
        return;
    s->kept->filling = NULL;
    change_free(ch);
}

static void place(dx_stream *s, dx_change *ch, dx_message **messages, size_t count)
{
    dx_kept *kept = s->kept;
    uint64_t now_ms = dx_home_wall_ms(s->hub);

    dx_stream_stamp(s, messages, count);
    kept->time_ms = now_ms > kept->time_ms ? now_ms : kept->time_ms;
    if (count > 1 && DX_MUTANT_ONE_IN("array_reversed", 500)) {
        dx_message *first = messages[0];
        messages[0] = messages[1];
        messages[1] = first;
    }
    for (size_t i = 0; i < count; i++) {
        messages[i]->sequence = ++kept->tail;
        messages[i]->time_ms = kept->time_ms;
        kept->bytes += messages[i]->size;
        ch->messages[ch->count++] = messages[i];
        messages[i] = NULL;
    }
}

static void begin_making(dx_stream *s, dx_change *ch)
{
    dx_store *store = s->hub->all->store;

    s->kept->id = store->ops->new_id(store);
    ch->is_making = ch->has_record = true;
    s->state = DX_HOME_CHANGING;
}

static void add_answer(dx_change *ch, dx_append *a)
{
    dx_post *post = &a->post, *last = ch->answers;

    post->next = last ? last->next : post;
    if (last)
        last->next = post;
    ch->answers = post;
}

bool dx_kept_answer_later(dx_stream *s, dx_append *a)
{
    dx_kept *kept = s->kept;
    dx_change *ch = kept->filling;

    if (ch == NULL && !dx_list_is_empty(&kept->changes))
        ch = DX_CONTAINER(kept->changes.prev, dx_change, link);
    if (ch)
        add_answer(ch, a);
    return ch != NULL;
}

bool dx_kept_append(dx_stream *s, dx_append *a)
{
    dx_change *ch = dx_kept_change(s, a->count);
    dx_rules_plan plan;

    if (ch == NULL || !dx_rules_reserve(s, a, &plan)) {
        if (ch)
            drop_if_empty(s);
        a->status = DX_STREAM_MEMORY;
        return dx_kept_answer_later(s, a);
    }
    if (!s->is_made)
        begin_making(s, ch);
    place(s, ch, a->messages, a->count);
    a->next = dx_stream_offset(s, s->kept->tail - DX_MUTANT_ONE_IN("ack_of_another", 1000));
    if (a->rules)
        dx_rules_accept(s, a, &plan);
    if (a->rules && a->rules->is_closing)
        s->kept->is_closed = ch->is_closing = ch->has_record = true;
    if (s->lifetime.kind == DX_LIFETIME_IDLE)
        dx_stream_use(s);
    add_answer(ch, a);
    return true;
}

/* Messages that the fork shares, but must have in the store itself. */
static void place_shared(dx_stream *s, dx_change *ch, dx_fork_work *w)
{
    dx_kept *kept = s->kept;

    for (size_t i = 0; i < w->count; i++) {
        ch->messages[ch->count++] = w->messages[i];
        kept->bytes += w->messages[i]->size;
        kept->time_ms = w->messages[i]->time_ms;
    }
    w->count = 0;
}

bool dx_kept_create(dx_stream *s, dx_create *c)
{
    dx_fork_work *w = c->work;
    dx_kept *kept = s->kept;
    size_t more = w ? w->count + (w->cut != NULL) : 0;
    dx_change *ch = dx_kept_change(s, c->count + more);

    if (ch == NULL)
        return false;
    begin_making(s, ch);
    ch->create = c;
    if (w) {
        kept->first = w->is_source_kept && w->is_fork_kept ? w->first : w->at + 1 - w->count;
        kept->next_first = kept->first;
        kept->tail = w->at;
        s->log.tail = w->at - w->count; /* what is behind gets there when it is committed */
        place_shared(s, ch, w);
    }
    if (w && w->cut)
        place(s, ch, &w->cut, 1);
    place(s, ch, c->messages, c->count);
    kept->is_closed = ch->is_closing = c->is_closed;
    dx_stream_use(s);
    return true;
}

bool dx_kept_end(dx_stream *s, dx_delete *op, bool is_soft)
{
    dx_change *ch = dx_kept_change(s, 0);

    if (ch == NULL)
        return false;
    s->state = DX_HOME_CHANGING;
    ch->op = op;
    ch->is_deleting = true;
    ch->is_soft = ch->has_record = is_soft;
    return true;
}

/* ---- committed -------------------------------------------------------------------------------- */

static dx_stream_status status_of(dx_store_status status)
{
    switch (status) {
    case DX_STORE_OK: return DX_STREAM_OK;
    case DX_STORE_FULL: return DX_STREAM_NO_SPACE;
    case DX_STORE_NOT_FOUND:
    case DX_STORE_BROKEN:
    case DX_STORE_MEMORY:
    case DX_STORE_CLOSED: return DX_STREAM_STORE;
    }
    dx_unreachable("dx_store_status outside its enum");
}

/* In the order they came. `done` may do anything. */
static void answer_all(dx_stream *s, dx_change *ch, dx_stream_status status)
{
    dx_post *last = ch->answers, *next = last ? last->next : NULL;

    for (bool is_more = last != NULL; is_more;) {
        dx_post *post = next;
        dx_append *a = DX_CONTAINER(post, dx_append, post);
        is_more = post != last;
        next = post->next;
        if (status != DX_STREAM_OK)
            a->status = status;
        a->is_closed = s->is_closed;
        a->subscribers_count = dx_stream_subscribers(s);
        dx_home_answer_append(s->hub, a);
    }
}

static void answer_create(dx_stream *s, dx_change *ch, dx_stream_status status)
{
    dx_create *c = ch->create;
    bool is_good = status == DX_STREAM_OK;

    c->status = status;
    c->is_new = is_good;
    if (is_good)
        dx_stream_fill_info(s, &c->info);
    if (!is_good && c->work)
        dx_fork_unfill(s, c);
    if (c->work)
        dx_fork_finish(s->hub, c, is_good);
    dx_home_answer_create(s->hub, c);
}

static void answer(dx_stream *s, dx_change *ch, dx_stream_status status)
{
    answer_all(s, ch, status);
    if (ch->create)
        answer_create(s, ch, status);
    if (ch->op) {
        ch->op->status = status;
        dx_home_answer_delete(s->hub, ch->op);
    }
}

static void show_messages(dx_stream *s, dx_change *ch)
{
    for (size_t i = 0; i < ch->count; i++) {
        dx_kept_cache(s, ch->messages[i]);
        if (!s->hub->is_ended)
            dx_stream_feed_links(s, ch->messages[i]);
    }
    if (ch->count > 0 && !dx_list_is_empty(&s->links) && !s->hub->is_ended)
        dx_task_queue(s->hub->loop, &s->send);
}

static void show_deleted(dx_stream *s, bool is_soft)
{
    dx_fork *fork = s->fork;

    dx_stream_end_links(s, DX_STREAM_END_DELETED);
    dx_presence_drop(s->hub, dx_stream_path(s));
    if (is_soft) {
        s->is_deleted = true;
        s->lifetime = (dx_lifetime){0};
        return;
    }
    s->fork = NULL;
    dx_stream_reset(s);
    s->kept->is_unknown = false; /* there is nothing of this name */
    dx_fork_give_back(s->hub, &fork);
}

static void show(dx_stream *s, dx_change *ch)
{
    bool is_exclusive = ch->is_making || ch->is_deleting;

    if (ch->is_making)
        s->is_made = true;
    s->was_put |= ch->create != NULL;
    show_messages(s, ch);
    if (ch->first > s->kept->first)
        s->kept->first = ch->first;
    if (!ch->is_deleting)
        dx_kept_trim(s);
    if (ch->is_closing) {
        s->is_closed = true;
        dx_stream_end_links(s, DX_STREAM_END_CLOSED);
    }
    if (ch->is_deleting)
        show_deleted(s, ch->is_soft);
    if (is_exclusive && s->state == DX_HOME_CHANGING)
        s->state = DX_HOME_READY;
}

static void finish(dx_change *ch)
{
    dx_stream *s = ch->stream;
    bool is_good = ch->commit.status == DX_STORE_OK;

    s->pins++;
    dx_list_remove(&ch->link);
    if (is_good)
        show(s, ch);
    else
        s->state = DX_HOME_FAILED;
    answer(s, ch, status_of(ch->commit.status));
    change_free(ch);
    s->pins--;
    if (!dx_list_is_empty(&s->kept->changes))
        return;
    if (s->state == DX_HOME_FAILED && s->kept->filling)
        dx_kept_submit(s); /* fails, too, and comes here again */
    else if (s->state == DX_HOME_FAILED)
        dx_kept_fail(s);
    else
        dx_stream_resume(s);
}

static void on_committed(dx_store_commit *commit)
{
    finish(DX_CONTAINER(commit, dx_change, commit));
}

/* ---- giving ----------------------------------------------------------------------------------- */

/* What is over the bound by count goes at once; bytes and age are seen to in the background, and what
 * goes by count then, too, so that its bytes are known. */
static uint64_t first_to_keep(const dx_stream *s, const dx_change *ch)
{
    const dx_retention *keep = &s->ns->retention;
    dx_kept *kept = s->kept;

    if (ch->is_making && s->fork && s->fork->is_kept)
        return kept->first;
    if (keep->bytes_max == UINT64_MAX && kept->tail >= kept->next_first + keep->count_max) {
        kept->next_first = kept->tail - keep->count_max + 1;
        return kept->next_first;
    }
    return ch->first;
}

static bool add_facts(dx_stream *s, dx_change *ch)
{
    dx_kept *kept = s->kept;
    bool is_new_use = s->lifetime.kind == DX_LIFETIME_IDLE && kept->used_saved_ms != s->used_ms;

    if (ch->is_deleting)
        return true;
    if (!dx_rules_write_facts(s, &ch->facts))
        return false;
    if (is_new_use && !dx_facts_add_number(&ch->facts, DX_FACT_USED, s->used_ms))
        return false;
    if (is_new_use)
        kept->used_saved_ms = s->used_ms;
    return s->ns->retention.bytes_max == UINT64_MAX || (ch->count == 0 && ch->first == 0) ||
           dx_facts_add_number(&ch->facts, DX_FACT_BYTES, kept->bytes);
}

static bool add_record(dx_stream *s, dx_change *ch)
{
    size_t size = 0;

    if (!ch->has_record)
        return true;
    ch->record = dx_record_write(s, ch->is_soft, &size);
    ch->commit.record = dx_bytes_at(ch->record, size);
    return ch->record != NULL;
}

void dx_kept_submit(dx_stream *s)
{
    dx_store *store = s->hub->all->store;
    dx_kept *kept = s->kept;
    dx_change *ch = kept->filling;

    if (ch == NULL)
        return;
    kept->filling = NULL;
    dx_list_append(&kept->changes, &ch->link);
    ch->first = first_to_keep(s, ch);
    bool is_good = s->state != DX_HOME_FAILED && add_facts(s, ch) && add_record(s, ch);
    dx_facts_finish(&ch->facts);
    bool is_shared = ch->is_making && s->fork && s->fork->is_kept;
    ch->commit.id = kept->id;
    ch->commit.path = ch->is_making ? dx_stream_path(s) : (dx_bytes){0};
    ch->commit.source = is_shared ? s->fork->source_id : 0;
    ch->commit.source_tail = is_shared ? s->epochs.own.from - 1 : 0;
    ch->commit.facts = ch->facts.at;
    ch->commit.facts_count = ch->facts.count;
    ch->commit.messages = ch->messages;
    ch->commit.count = ch->count;
    ch->commit.first = ch->first;
    ch->commit.is_deleted = ch->is_deleting && !ch->is_soft;
    ch->commit.loop = s->hub->loop;
    ch->commit.done = on_committed;
    if (DX_MUTANT("ack_before_commit") && !ch->is_making) {
        answer_all(s, ch, DX_STREAM_OK);
        ch->answers = NULL;
    }
    if (is_good) {
        store->ops->commit(store, &ch->commit);
    } else { /* it fails as if the store had refused it; those behind it are not given any more */
        ch->commit.status = DX_STORE_MEMORY;
        finish(ch);
    }
}
