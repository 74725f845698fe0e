/* A stream that the store keeps: loading it, deleting it, dropping it from memory.
 * SPDX-License-Identifier: MIT */
#include "stream/stream_store.h"

#include "base/assert.h"

#include <stdlib.h>

enum {
    UNUSED_MS = 60000,  /* after so long it leaves memory */
    USED_MS_MIN = 1000, /* that it was used is written down this often at most, */
    USED_PARTS = 16,    /* and when such a part of its time has passed */
};

const dx_namespace dx_kept_unknown_ns = {
    .prefix = "",
    .creation = DX_CREATE_BY_PUT,
    .durability = DX_DURABILITY_DISK,
    .retention = {UINT32_MAX - 1, UINT64_MAX, UINT64_MAX},
};

/* ---- life ------------------------------------------------------------------------------------- */

bool dx_kept_begin(dx_stream *s)
{
    s->kept = calloc(1, sizeof *s->kept);
    if (s->kept == NULL)
        return false;
    dx_list_init(&s->kept->changes);
    dx_kept_forget(s);
    s->kept->is_unknown = true;
    return true;
}

void dx_kept_free(dx_stream *s)
{
    dx_assert(s->kept == NULL || !dx_kept_is_busy(s));
    free(s->kept);
    s->kept = NULL;
}

void dx_kept_forget(dx_stream *s)
{
    dx_kept *kept = s->kept;

    kept->id = kept->tail = kept->time_ms = kept->bytes = 0;
    kept->first = kept->next_first = 1;
    kept->is_closed = kept->is_check_due = false;
    kept->oldest_ms = kept->used_saved_ms = 0;
    kept->seen_ms = s->hub->is_ended ? 0 : dx_loop_now_ms(s->hub->loop);
}

bool dx_kept_is_unknown(const dx_stream *s)
{
    return s->kept->is_unknown;
}

bool dx_kept_is_busy(const dx_stream *s)
{
    const dx_kept *kept = s->kept;
    return kept->filling || kept->trim || !dx_list_is_empty(&kept->changes);
}

bool dx_kept_is_needed(const dx_stream *s)
{
    return dx_kept_is_busy(s) || s->kept->takes_count > 0;
}

uint64_t dx_kept_first(const dx_stream *s)
{
    return s->kept->first;
}

uint64_t dx_kept_id(const dx_stream *s)
{
    return s->kept->id;
}

/* ---- loading ---------------------------------------------------------------------------------- */

/* To know it, or to know whether forks need it. */
typedef struct loading {
    dx_store_load load;
    dx_stream *stream;
    dx_delete *op;
    bool is_for_deleting;
    bool must_be_deleted; /* else the stream stays as it is */
    dx_offset tail;       /* what links were given till now */
    uint64_t identity;
} loading;

static dx_store_status take(dx_stream *s, const dx_store_load *load)
{
    dx_kept *kept = s->kept;

    switch (dx_record_read(s, load->record)) {
    case DX_RECORD_OK: break;
    case DX_RECORD_BAD: return DX_STORE_BROKEN;
    case DX_RECORD_MEMORY: return DX_STORE_MEMORY;
    }
    kept->id = load->id;
    kept->first = kept->next_first = load->first;
    kept->tail = load->tail;
    kept->is_closed = s->is_closed;
    dx_log_reset(&s->log, load->tail);
    for (size_t i = 0; i < load->facts_count; i++)
        if (!dx_rules_read_fact(s, &load->facts[i]))
            return DX_STORE_MEMORY;
    s->is_made = s->was_put = true;
    kept->is_check_due = s->is_deleted && load->forks_count == 0;
    return DX_STORE_OK;
}

/* Links go on only with what they know. */
static void check_links(dx_stream *s, const loading *l)
{
    bool is_same = s->identity == l->identity && s->log.tail == l->tail.sequence && !s->is_deleted;

    if (!is_same && !dx_list_is_empty(&s->links))
        dx_stream_end_links(s, DX_STREAM_END_DELETED);
}

static void on_loaded(dx_store_load *load)
{
    loading *l = DX_CONTAINER(load, loading, load);
    dx_stream *s = l->stream;
    dx_store_status status = load->status;

    s->state = DX_HOME_READY;
    if (status == DX_STORE_OK)
        status = take(s, load);
    s->kept->is_unknown = status != DX_STORE_OK && status != DX_STORE_NOT_FOUND;
    if (status != DX_STORE_OK)
        dx_stream_reset(s);
    if (status == DX_STORE_NOT_FOUND &&
        l->tail.sequence == 0) { /* as those who wait for it know it */
        s->identity = l->identity;
        s->epochs.own.epoch = l->tail.epoch;
    }
    if (!s->kept->is_unknown)
        check_links(s, l);
    free(l);
    if (s->kept->is_check_due && !s->hub->is_ended)
        dx_kept_check_deleted(s); /* its last fork had gone when nobody was there to see it */
    else
        dx_stream_resume(s);
}

static loading *loading_new(dx_stream *s)
{
    loading *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    l->stream = s;
    l->tail = dx_stream_offset(s, s->log.tail);
    l->identity = s->identity;
    l->load.path = dx_stream_path(s);
    l->load.loop = s->hub->loop;
    return l;
}

void dx_kept_load(dx_stream *s)
{
    dx_store *store = s->hub->all->store;
    loading *l = loading_new(s);

    if (l == NULL) {
        dx_stream_resume(s); /* they are told */
        return;
    }
    if (s->is_made || s->type)
        dx_stream_reset(s);
    s->state = DX_HOME_LOADING;
    l->load.done = on_loaded;
    store->ops->load(store, &l->load);
}

void dx_kept_fail(dx_stream *s)
{
    bool is_wanted = s->waiting || !dx_list_is_empty(&s->links);

    s->state = DX_HOME_READY;
    s->kept->is_unknown = true;
    if (is_wanted && !s->hub->is_ended)
        dx_kept_load(s);
    else
        dx_stream_resume(s);
}

/* ---- deleting --------------------------------------------------------------------------------- */

static void end_counting(dx_stream *s, loading *l, dx_store_status status, uint32_t forks_count)
{
    bool has_forks = forks_count + s->kept->takes_count > 0;
    status = s->hub->is_ended ? DX_STORE_CLOSED : status;
    bool must = status == DX_STORE_OK && !(l->must_be_deleted && has_forks);
    bool has_failed = status != DX_STORE_OK || (must && !dx_kept_end(s, l->op, has_forks));

    s->pins++;
    if (must && !has_failed) {
        dx_kept_submit(s);
    } else {
        s->state = DX_HOME_READY;
        s->kept->is_unknown = has_failed; /* so that those who wait do not try for ever */
        if (l->op) {
            l->op->status = DX_STREAM_STORE;
            dx_home_answer_delete(s->hub, l->op);
        }
        dx_stream_resume(s);
    }
    s->pins--;
    dx_stream_free_if_unused(s);
}

static void on_counted(dx_store_load *load)
{
    loading *l = DX_CONTAINER(load, loading, load);

    end_counting(l->stream, l, load->status, load->forks_count);
    free(l);
}

/* Forks are counted by the store, which cannot be wrong about them. */
static void count_forks(dx_stream *s, const loading *wish)
{
    dx_store *store = s->hub->all->store;
    loading *l = loading_new(s);

    s->state = DX_HOME_CHANGING;
    if (l == NULL) {
        loading failed = *wish;
        end_counting(s, &failed, DX_STORE_MEMORY, 0);
        return;
    }
    l->op = wish->op;
    l->must_be_deleted = wish->must_be_deleted;
    l->load.done = on_counted;
    store->ops->load(store, &l->load);
}

void dx_kept_delete(dx_stream *s, dx_delete *op)
{
    count_forks(s, &(loading){.op = op});
}

void dx_kept_expire(dx_stream *s)
{
    if (!dx_kept_is_busy(s))
        count_forks(s, &(loading){0});
}

void dx_kept_check_deleted(dx_stream *s)
{
    s->kept->is_check_due = false;
    count_forks(s, &(loading){.must_be_deleted = true});
}

void dx_kept_hold(dx_stream *s)
{
    s->kept->takes_count++;
}

void dx_kept_unhold(dx_stream *s)
{
    dx_assert(s->kept->takes_count > 0);
    s->kept->takes_count--;
    s->kept->is_check_due |= s->is_deleted;
    if (s->kept->is_check_due && s->state == DX_HOME_READY && !dx_kept_is_busy(s) &&
        !s->hub->is_ended)
        dx_kept_check_deleted(s);
    else
        dx_stream_resume(s);
}

/* ---- in the background ------------------------------------------------------------------------ */

/* Reading is a use, too, of which no commit tells. */
static void save_use(dx_stream *s, bool is_leaving)
{
    uint64_t part_ms = s->lifetime.idle_s * 1000 / USED_PARTS;
    uint64_t wait_ms = part_ms > USED_MS_MIN ? part_ms : USED_MS_MIN;
    bool is_due =
        s->used_ms > s->kept->used_saved_ms + wait_ms || s->used_ms < s->kept->used_saved_ms;

    if (s->lifetime.kind == DX_LIFETIME_IDLE && !s->is_deleted &&
        s->used_ms != s->kept->used_saved_ms && (is_due || is_leaving) && dx_kept_change(s, 0))
        return; /* it puts in by itself when it was used */
}

static bool may_leave(const dx_stream *s)
{
    return s->pins == 0 && s->state == DX_HOME_READY && s->waiting == NULL &&
           dx_list_is_empty(&s->links) && !dx_kept_is_needed(s);
}

void dx_kept_sweep(dx_stream *s)
{
    dx_kept *kept = s->kept;

    if (s->state != DX_HOME_READY || dx_kept_is_busy(s))
        return;
    if (!s->is_made || kept->is_unknown) {
        if (may_leave(s))
            dx_stream_free(s);
        return;
    }
    if (kept->is_check_due) {
        dx_kept_check_deleted(s);
        return;
    }
    if (!s->is_deleted && dx_stream_is_expired(s)) {
        dx_kept_expire(s);
        return;
    }
    bool is_unused =
        dx_loop_now_ms(s->hub->loop) - kept->seen_ms > UNUSED_MS && dx_list_is_empty(&s->links);
    save_use(s, is_unused);
    dx_kept_trim(s);
    if (is_unused && may_leave(s))
        dx_stream_free(s);
}
