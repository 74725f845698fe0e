/* A stream at its home: its life, its positions, what is appended.
 * SPDX-License-Identifier: MIT */
#include "stream/stream.h"

#include "base/clock.h"
#include "base/mutant.h"
#include "base/random.h"
#include "stream/stream_store.h"

#include <stdlib.h>

enum { STREAMS_COUNT_MAX = 1000000 /* per worker */ };

/* ---- life ------------------------------------------------------------------------------------- */

/* Time in front, so that a life sorts behind the ones before it, and a fork's own messages behind those
 * of its source; random behind, so that no two are taken for each other. */
static uint64_t epoch_new(dx_hub *hub, uint64_t after)
{
    uint16_t random;

    dx_random_fill(&random, sizeof random);
    uint64_t epoch = dx_home_wall_ms(hub) << 16 | random;
    after = after > hub->epoch_last ? after : hub->epoch_last;
    hub->epoch_last = epoch > after ? epoch : after + 1;
    if (DX_MUTANT("epoch_kept_after_wipe"))
        hub->epoch_last = 4711;
    return hub->epoch_last;
}

void dx_stream_begin_life(dx_stream *s, uint64_t after)
{
    s->epochs.own.epoch = epoch_new(s->hub, after);
    do
        dx_random_fill(&s->identity, sizeof s->identity);
    while (s->identity == 0);
    s->used_ms = dx_home_wall_ms(s->hub);
}

static void on_send(dx_task *task)
{
    dx_stream *s = DX_CONTAINER(task, dx_stream, send);

    s->pins++; /* a store may answer at once */
    if (s->kept)
        dx_kept_submit(s);
    dx_stream_send_links(s);
    s->pins--;
    dx_stream_free_if_unused(s);
}

dx_stream *dx_stream_new(dx_hub *hub, const dx_namespace *ns, dx_bytes path)
{
    dx_stream *s = hub->streams.count < STREAMS_COUNT_MAX ? calloc(1, sizeof *s + path.size) : NULL;

    if (s == NULL)
        return NULL;
    memcpy(s->path, path.at, path.size);
    s->node.key = dx_bytes_at(s->path, path.size);
    s->hub = hub;
    s->ns = ns;
    dx_list_init(&s->links);
    dx_list_init(&s->swept);
    dx_task_init(&s->send, on_send);
    if (!dx_map_insert(&hub->streams, &s->node)) {
        free(s);
        return NULL;
    }
    dx_list_append(&hub->sweep, &s->swept);
    dx_stream_begin_life(s, 0);
    return s;
}

/* All but the place in the map, the links, and who waits. */
static void forget(dx_stream *s)
{
    if (s->kept)
        s->hub->cached_bytes -= s->log.bytes;
    dx_log_deinit(&s->log);
    s->log = (dx_log_ring){0};
    free(s->epochs.older);
    s->epochs = (dx_epochs){0};
    dx_rules_free(s->rules);
    s->rules = NULL;
    free(s->fork);
    s->fork = NULL;
    free(s->type);
    s->type = NULL;
    s->type_size = 0;
    s->kind = DX_STREAM_UNDECIDED;
    s->lifetime = (dx_lifetime){0};
    s->rate_at_ns = 0;
    s->forks_count = 0;
    s->is_made = s->was_put = s->is_closed = s->is_deleted = false;
    if (s->kept)
        dx_kept_forget(s);
}

void dx_stream_reset(dx_stream *s)
{
    uint64_t last = s->epochs.own.epoch;

    forget(s);
    dx_stream_begin_life(s, last);
}

void dx_stream_free(dx_stream *s)
{
    dx_assert(dx_list_is_empty(&s->links) && s->waiting == NULL);
    dx_task_clear(&s->send);
    dx_map_remove(&s->hub->streams, &s->node);
    dx_list_remove(&s->swept);
    forget(s);
    dx_kept_free(s);
    free(s);
}

static bool is_needed(const dx_stream *s)
{
    if (s->pins > 0 || s->state != DX_HOME_READY || s->waiting || !dx_list_is_empty(&s->links) ||
        (s->kept && dx_kept_is_needed(s)))
        return true;
    if (!s->is_made || s->kept)
        return s->is_made; /* the sweep drops what the store has */
    return s->was_put || s->log.count > 0 || s->is_closed || s->is_deleted || s->rules ||
           s->forks_count > 0;
}

void dx_stream_free_if_unused(dx_stream *s)
{
    if (!is_needed(s))
        dx_stream_free(s);
}

dx_stream_status dx_stream_set_type(dx_stream *s, dx_bytes type, dx_stream_kind kind)
{
    dx_assert(type.size > 0 && type.size <= DX_TYPE_BYTES_MAX);
    char *copy = malloc(type.size);

    if (copy == NULL)
        return DX_STREAM_MEMORY;
    memcpy(copy, type.at, type.size);
    free(s->type);
    s->type = copy;
    s->type_size = (uint8_t)type.size;
    s->kind = kind;
    return DX_STREAM_OK;
}

uint32_t dx_stream_subscribers(const dx_stream *s)
{
    uint32_t count = 0;

    for (dx_list *l = s->links.next; l != &s->links; l = l->next)
        count += atomic_load_explicit(&DX_CONTAINER(l, dx_link, link)->subscribers_count,
                                      memory_order_relaxed);
    return count;
}

void dx_stream_fill_info(const dx_stream *s, dx_stream_info *info)
{
    info->start = dx_stream_offset(s, dx_stream_first(s) - 1);
    info->tail = dx_stream_offset(s, s->log.tail);
    info->lifetime = s->lifetime;
    info->identity = s->identity;
    info->subscribers_count = dx_stream_subscribers(s);
    info->kind = s->kind;
    info->is_closed = s->is_closed;
    info->type_size = s->type_size;
    dx_copy(info->type, s->type, s->type_size);
}

/* ---- lifetimes -------------------------------------------------------------------------------- */

bool dx_stream_is_expired(const dx_stream *s)
{
    uint64_t now_ms;

    switch (s->lifetime.kind) {
    case DX_LIFETIME_FOR_EVER: return false;
    case DX_LIFETIME_IDLE:
        now_ms = dx_home_wall_ms(s->hub);
        return dx_list_is_empty(&s->links) && now_ms >= s->used_ms &&
               (now_ms - s->used_ms) / 1000 >= s->lifetime.idle_s;
    case DX_LIFETIME_UNTIL: return dx_home_wall_ms(s->hub) >= s->lifetime.until_ms;
    }
    dx_unreachable("dx_lifetime_kind outside its enum");
}

void dx_stream_use(dx_stream *s)
{
    s->used_ms = dx_home_wall_ms(s->hub);
}

/* ---- positions -------------------------------------------------------------------------------- */

uint64_t dx_epochs_at(const dx_epochs *epochs, uint64_t sequence)
{
    uint32_t i = epochs->older_count;

    if (i == 0 || sequence >= epochs->own.from)
        return epochs->own.epoch;
    while (i > 1 && epochs->older[i - 1].from > sequence)
        i--;
    return epochs->older[i - 1].epoch;
}

uint64_t dx_stream_first(const dx_stream *s)
{
    return s->kept ? dx_kept_first(s) : dx_log_first(&s->log);
}

dx_offset dx_stream_offset(const dx_stream *s, uint64_t sequence)
{
    return (dx_offset){dx_epochs_at(&s->epochs, sequence), sequence};
}

/* Whether the position is, or was, one of this log; all agree that there is nothing before the first. */
static bool is_own(const dx_stream *s, const dx_read *r)
{
    dx_offset at = r->position.at;

    if (r->identity)
        return r->identity == s->identity;
    if (at.sequence > s->log.tail)
        return at.epoch == s->epochs.own.epoch || at.epoch == dx_epochs_at(&s->epochs, s->log.tail);
    return at.epoch == dx_epochs_at(&s->epochs, at.sequence) || (at.sequence == 0 && at.epoch == 0);
}

uint64_t dx_stream_first_for(const dx_stream *s, const dx_read *r)
{
    uint64_t first = dx_stream_first(s), behind = s->log.tail + 1;

    if (!r->has_depth || behind < first)
        return first;
    return behind - dx_min_u64(r->depth_max, behind - first);
}

dx_stream_status dx_stream_resolve(const dx_stream *s, const dx_read *r, uint64_t *start,
                                   uint64_t *lost)
{
    uint64_t first = dx_stream_first_for(s, r), tail = s->log.tail;

    *lost = 0;
    if (r->last > 0) {
        *start = tail + 1 - dx_min_u64(r->last, tail + 1 - first);
        return DX_STREAM_OK;
    }
    switch (r->position.kind) {
    case DX_OFFSET_START: *start = first; return DX_STREAM_OK;
    case DX_OFFSET_NOW: *start = tail + 1; return DX_STREAM_OK;
    case DX_OFFSET_BAD: return DX_STREAM_FUTURE;
    case DX_OFFSET_AT: break;
    }
    uint64_t behind = r->position.at.sequence;
    if (!is_own(s, r))
        return DX_STREAM_GONE;
    if (behind > tail)
        return DX_STREAM_FUTURE;
    *start = behind + 1;
    *lost = *start < first ? first - *start : 0;
    if (*lost > 0 && DX_MUTANT("partial_recovery")) {
        *start = first;
        *lost = 0;
    }
    return *lost > 0 ? DX_STREAM_GONE : DX_STREAM_OK;
}

/* ---- messages --------------------------------------------------------------------------------- */

void dx_stream_stamp(const dx_stream *s, dx_message **messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        messages[i]->kind = (uint8_t)s->kind;
        messages[i]->epoch = s->epochs.own.epoch;
        messages[i]->is_last = i + 1 == count;
    }
}

void dx_stream_append_now(dx_stream *s, dx_message **messages, size_t count)
{
    uint64_t now_ms = dx_home_wall_ms(s->hub);

    dx_assert(s->kept == NULL);
    dx_stream_stamp(s, messages, count);
    for (size_t i = 0; i < count; i++) {
        dx_message *message = messages[i];
        messages[i] = NULL;
        dx_message_ref(message); /* the log may trim what it has just taken */
        dx_log_append(&s->log, message, now_ms, &s->ns->retention);
        dx_stream_feed_links(s, message);
        dx_message_unref(message);
    }
    if (!dx_list_is_empty(&s->links))
        dx_task_queue(s->hub->loop, &s->send);
}
