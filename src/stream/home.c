/* Streams at their home: finding them, who waits for one, reads, deletions, answers, the sweep.
 * SPDX-License-Identifier: MIT */
#include "stream/stream.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mutant.h"
#include "stream/stream_store.h"

#include <stdlib.h>

enum { SWEEP_COUNT = 2000 /* streams looked at in one sweep */ };

uint64_t dx_home_wall_ms(dx_hub *hub)
{
    if (hub->is_ended)
        return hub->wall_ms; /* the loop may be gone */
    uint64_t now_ms = dx_loop_now_ms(hub->loop);

    if (hub->wall_at_ms != now_ms || hub->wall_ms == 0) {
        hub->wall_at_ms = now_ms;
        hub->wall_ms = dx_clock_wall_ms();
    }
    return hub->wall_ms;
}

/* ---- entering --------------------------------------------------------------------------------- */

dx_stream *dx_home_find(dx_hub *hub, dx_bytes path)
{
    dx_map_node *node = dx_map_find(&hub->streams, path);
    return node ? DX_CONTAINER(node, dx_stream, node) : NULL;
}

/* Behind those who wait, but for one that had its turn and must wait again: in front of them. */
void dx_stream_wait(dx_stream *s, dx_post *post)
{
    dx_post *last = s->waiting;
    bool is_first = s->resumed == post;

    s->resumed = NULL;
    post->next = last ? last->next : post;
    if (last)
        last->next = post;
    if (!last || !is_first)
        s->waiting = post;
}

void dx_stream_unwait(dx_stream *s, dx_post *post)
{
    dx_post *before = s->waiting;

    while (before->next != post)
        before = before->next;
    before->next = post->next;
    if (s->waiting == post)
        s->waiting = before == post ? NULL : before;
}

static bool must_wait(const dx_stream *s, const dx_entry *entry)
{
    if (s->state != DX_HOME_READY)
        return true;
    if (entry->is_exclusive && s->kept && dx_kept_is_busy(s))
        return true;
    return s->waiting && s->resumed != entry->post && !entry->is_read;
}

/* One whose time is over is gone for whoever comes now. False: the store must be told before. */
static bool end_expired(dx_stream **s, const dx_entry *entry)
{
    if (*s == NULL || !(*s)->is_made || (*s)->is_deleted || !dx_stream_is_expired(*s))
        return true;
    if ((*s)->kept) {
        dx_stream_wait(*s, entry->post);
        dx_kept_expire(*s);
        return false;
    }
    dx_hub *hub = (*s)->hub;
    dx_stream_delete_now(*s);
    *s = dx_home_find(hub, entry->path);
    return true;
}

/* The first to come for a stream that the store may have. */
static dx_stream *begin_kept(dx_hub *hub, const dx_entry *entry)
{
    dx_stream *s = dx_stream_new(hub, entry->ns, entry->path);

    if (s == NULL || dx_kept_begin(s))
        return s;
    dx_stream_free(s);
    return NULL;
}

/* What is known of it is not what the store has: to be loaded. */
static bool enter_unknown(dx_stream *s, const dx_entry *entry, dx_entered *ret)
{
    if (s->resumed == entry->post) { /* that was tried */
        s->resumed = NULL;
        ret->status = DX_STREAM_STORE;
        return true;
    }
    dx_stream_wait(s, entry->post);
    dx_kept_load(s);
    return false;
}

bool dx_home_enter(dx_hub *hub, const dx_entry *entry, dx_entered *ret)
{
    dx_stream *s = dx_home_find(hub, entry->path);

    *ret = (dx_entered){.status = hub->is_ended ? DX_STREAM_ENDED : DX_STREAM_OK};
    if (hub->is_ended)
        return true;
    if (s == NULL && dx_kept_is_for(hub, entry->ns) && (s = begin_kept(hub, entry)) == NULL) {
        ret->status = DX_STREAM_FULL;
        return true;
    }
    if (s == NULL)
        return true;
    if (s->ns == &dx_kept_unknown_ns)
        s->ns = entry->ns;
    if (must_wait(s, entry)) {
        dx_stream_wait(s, entry->post);
        return false;
    }
    if (s->kept && dx_kept_is_unknown(s))
        return enter_unknown(s, entry, ret);
    if (s->kept)
        s->kept->seen_ms = dx_loop_now_ms(hub->loop);
    if (!end_expired(&s, entry))
        return false;
    if (s)
        s->resumed = NULL;
    ret->stream = s;
    return true;
}

static dx_post *take_waiting(dx_stream *s)
{
    dx_post *first = s->waiting->next;

    if (first == s->waiting)
        s->waiting = NULL;
    else
        s->waiting->next = first->next;
    return first;
}

void dx_stream_resume(dx_stream *s)
{
    s->pins++;
    while (s->waiting && (s->state == DX_HOME_READY || s->hub->is_ended)) {
        dx_post *post = take_waiting(s);
        s->resumed = post;
        post->run(post);
        s->resumed = NULL;
        if (s->waiting && s->waiting->next == post)
            break; /* it waits for something else */
    }
    s->pins--;
    dx_stream_free_if_unused(s);
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void on_append_answer(dx_post *post)
{
    dx_append *append = DX_CONTAINER(post, dx_append, post);
    append->done(append);
}

static void on_create_answer(dx_post *post)
{
    dx_create *create = DX_CONTAINER(post, dx_create, post);
    create->done(create);
}

static void on_delete_answer(dx_post *post)
{
    dx_delete *op = DX_CONTAINER(post, dx_delete, post);
    op->done(op);
}

static void on_read_answer(dx_post *post)
{
    dx_read *read = DX_CONTAINER(post, dx_read, post);
    read->done(read);
}

static void answer(dx_hub *home, dx_hub *from, dx_post *post, void (*run)(dx_post *post))
{
    post->run = run;
    if (home == from)
        run(post);
    else
        dx_hub_send(home, from, post);
}

static void release_all(dx_message **messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dx_message_unref(messages[i]);
}

void dx_home_answer_append(dx_hub *hub, dx_append *a)
{
    release_all(a->messages, a->count);
    answer(hub, a->from, &a->post, on_append_answer);
}

void dx_home_answer_create(dx_hub *hub, dx_create *c)
{
    release_all(c->messages, c->count);
    answer(hub, c->from, &c->post, on_create_answer);
}

void dx_home_answer_delete(dx_hub *hub, dx_delete *op)
{
    answer(hub, op->from, &op->post, on_delete_answer);
}

void dx_home_answer_read(dx_hub *hub, dx_read *r)
{
    answer(hub, r->from, &r->post, on_read_answer);
}

/* ---- deleting --------------------------------------------------------------------------------- */

void dx_stream_delete_now(dx_stream *s)
{
    dx_fork *fork = s->fork;
    uint32_t forks_count = s->forks_count;
    uint64_t identity = s->identity;

    dx_stream_end_links(s, DX_STREAM_END_DELETED);
    dx_presence_drop(s->hub, dx_stream_path(s));
    s->fork = NULL;
    dx_stream_reset(s);
    if (forks_count > 0) { /* the name stays taken; forks have their messages themselves */
        s->is_made = s->is_deleted = true;
        s->forks_count = forks_count;
        s->identity = identity;
        s->fork = fork;
        return;
    }
    dx_fork_give_back(s->hub, &fork);
    dx_stream_free_if_unused(s);
}

void dx_home_delete(dx_hub *hub, dx_delete *op)
{
    dx_entered in;
    dx_entry entry = {.ns = op->ns, .path = op->path, .post = &op->post, .is_exclusive = true};

    if (!dx_home_enter(hub, &entry, &in))
        return;
    dx_stream *s = in.stream;
    op->status = in.status != DX_STREAM_OK  ? in.status
                 : s == NULL || !s->is_made ? DX_STREAM_NOT_FOUND
                 : s->is_deleted            ? DX_STREAM_DELETED
                                            : DX_STREAM_OK;
    if (op->status == DX_STREAM_OK && s->kept) {
        dx_kept_delete(s, op);
        return;
    }
    if (op->status == DX_STREAM_OK)
        dx_stream_delete_now(s);
    else if (s)
        dx_stream_free_if_unused(s);
    dx_home_answer_delete(hub, op);
}

/* ---- reading ---------------------------------------------------------------------------------- */

dx_stream_status dx_stream_take_page(const dx_stream *s, dx_read *r, uint64_t first)
{
    uint64_t left = first <= s->log.tail ? s->log.tail + 1 - first : 0;
    size_t count = (size_t)dx_min_u64(left, r->count_max), bytes = 0;

    r->next = dx_stream_offset(s, first - 1);
    if (count > 2 && DX_MUTANT_ONE_IN("hole_in_a_page", 100)) {
        first++;
        count--;
    }
    if (count == 0)
        return r->status;
    r->messages = malloc(count * sizeof(dx_message *));
    if (r->messages == NULL)
        return DX_STREAM_MEMORY;
    for (size_t i = 0; i < count; i++) {
        dx_message *message = dx_log_at(&s->log, first + i);
        if (i > 0 && bytes + message->size > r->bytes_max)
            break;
        bytes += message->size;
        r->messages[r->count++] = dx_message_ref(message);
        r->next = (dx_offset){message->epoch, message->sequence};
    }
    return r->status;
}

/* True: the store reads it, and answers later. */
static bool read_from(dx_stream *s, dx_read *r)
{
    uint64_t start = 0;

    if (s->is_deleted) {
        r->status = DX_STREAM_DELETED;
        return false;
    }
    if (s->kept == NULL)
        dx_log_trim(&s->log, dx_home_wall_ms(s->hub), &s->ns->retention);
    if (r->is_touch)
        dx_stream_use(s);
    dx_stream_fill_info(s, &r->info);
    if (r->has_depth)
        r->info.start = dx_stream_offset(s, dx_stream_first_for(s, r) - 1);
    r->status = dx_stream_resolve(s, r, &start, &r->lost);
    if (r->status == DX_STREAM_FUTURE || (r->status == DX_STREAM_GONE && r->lost == 0))
        return false;
    start += r->lost;
    if (s->kept && start < dx_log_first(&s->log) && start <= s->log.tail && r->count_max > 0)
        return dx_kept_read(s, r, start);
    r->status = dx_stream_take_page(s, r, start);
    return false;
}

/* One that is only waited for reads as empty. */
static bool is_readable(const dx_stream *s)
{
    return s->is_made || !dx_list_is_empty(&s->links);
}

void dx_home_read(dx_hub *hub, dx_read *r)
{
    dx_entered in;
    dx_entry entry = {.ns = r->ns, .path = r->path, .post = &r->post, .is_read = true};

    r->count = 0;
    r->messages = NULL;
    r->lost = 0;
    if (!dx_home_enter(hub, &entry, &in))
        return;
    r->status = in.status != DX_STREAM_OK ? in.status : DX_STREAM_NOT_FOUND;
    if (in.stream && DX_MUTANT_ONE_IN("another_stream", 100)) /* of those of this worker */
        in.stream = DX_CONTAINER(hub->sweep.next, dx_stream, swept);
    if (in.stream && is_readable(in.stream) && read_from(in.stream, r))
        return;
    if (in.stream)
        dx_stream_free_if_unused(in.stream);
    dx_home_answer_read(hub, r);
}

/* ---- in the background ------------------------------------------------------------------------ */

void dx_home_sweep(dx_hub *hub)
{
    size_t count = dx_min_size(SWEEP_COUNT, hub->streams.count);

    while (count-- > 0 && !dx_list_is_empty(&hub->sweep)) {
        dx_list *first = dx_list_take_first(&hub->sweep);
        dx_stream *s = DX_CONTAINER(first, dx_stream, swept);
        dx_list_append(&hub->sweep, first);
        dx_rules_sweep(s);
        if (s->kept) {
            dx_kept_sweep(s);
        } else if (s->is_made && !s->is_deleted && dx_stream_is_expired(s)) {
            dx_stream_delete_now(s);
        } else {
            dx_log_trim(&s->log, dx_home_wall_ms(hub), &s->ns->retention);
            dx_stream_free_if_unused(s);
        }
    }
}

/* What was appended in this turn is still given to the store. */
void dx_home_end(dx_hub *hub)
{
    for (dx_list *l = hub->sweep.next; l != &hub->sweep; l = l->next) {
        dx_stream *s = DX_CONTAINER(l, dx_stream, swept);
        dx_task_clear(&s->send);
        s->pins++;
        if (s->kept)
            dx_kept_submit(s);
        s->pins--;
    }
}

void dx_home_free(dx_hub *hub)
{
    while (!dx_list_is_empty(&hub->sweep))
        dx_stream_free(DX_CONTAINER(hub->sweep.next, dx_stream, swept));
    dx_map_deinit(&hub->streams);
}
