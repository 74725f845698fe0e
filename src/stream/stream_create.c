/* Making a stream by name: whether there is one as asked for, else a new one, perhaps as a fork.
 * Source: Durable Streams 1.0, Create Stream.
 * SPDX-License-Identifier: MIT */
#include "stream/stream_store.h"

#include "base/assert.h"

/* ---- comparing -------------------------------------------------------------------------------- */

static bool is_same_lifetime(const dx_lifetime *a, const dx_lifetime *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case DX_LIFETIME_FOR_EVER: return true;
    case DX_LIFETIME_IDLE: return a->idle_s == b->idle_s;
    case DX_LIFETIME_UNTIL: return a->until_ms == b->until_ms;
    }
    dx_unreachable("dx_lifetime_kind outside its enum");
}

static bool is_same_position(const dx_fork *f, const dx_create *c)
{
    switch (c->fork_at.kind) {
    case DX_OFFSET_NOW: return f->was_at_tail;
    case DX_OFFSET_START: return f->at.sequence == 0;
    case DX_OFFSET_AT:
        return c->fork_at.at.sequence == f->at.sequence &&
               (c->fork_at.at.sequence == 0 || c->fork_at.at.epoch == f->at.epoch);
    case DX_OFFSET_BAD: return false;
    }
    dx_unreachable("dx_offset_kind outside its enum");
}

static bool is_same_fork(const dx_stream *s, const dx_create *c)
{
    const dx_fork *f = s->fork;

    if (f == NULL || !c->is_fork)
        return f == NULL && !c->is_fork;
    return dx_bytes_equal(dx_bytes_at(f->source, f->source_size), c->source) &&
           f->more == c->fork_more && is_same_position(f, c);
}

/* As a stream gets it that is made by `c`. */
static dx_bytes type_for(const dx_create *c)
{
    if (c->type.size > 0)
        return c->type;
    return c->ns->type ? dx_bytes_of(c->ns->type) : dx_type_of_kind(DX_STREAM_UNDECIDED);
}

static bool is_as_asked(const dx_stream *s, const dx_create *c)
{
    bool inherits = c->is_fork && c->lifetime.kind == DX_LIFETIME_FOR_EVER;

    if (!is_same_fork(s, c) || s->is_closed != c->is_closed)
        return false;
    if (inherits ? s->fork->has_lifetime : !is_same_lifetime(&s->lifetime, &c->lifetime))
        return false;
    if (c->is_fork)
        return c->type.size == 0 || dx_type_is_media(c->type, dx_stream_type(s));
    return dx_type_is_same(type_for(c), dx_stream_type(s));
}

/* ---- making ----------------------------------------------------------------------------------- */

static dx_stream_status fill(dx_stream *s, dx_create *c)
{
    if (c->is_fork)
        return dx_fork_fill(s, c);
    dx_bytes type = type_for(c);
    bool is_kind_known = c->type.size > 0 && c->kind != DX_STREAM_UNDECIDED;
    s->lifetime = c->lifetime;
    return dx_stream_set_type(s, type, is_kind_known ? c->kind : dx_type_kind(type));
}

static dx_stream_status make_now(dx_stream *s, dx_create *c)
{
    if (!dx_log_reserve(&s->log, c->count, &s->ns->retention))
        return DX_STREAM_MEMORY;
    s->is_made = s->was_put = true;
    dx_stream_append_now(s, c->messages, c->count);
    dx_stream_use(s);
    if (c->is_closed) {
        s->is_closed = true;
        dx_stream_end_links(s, DX_STREAM_END_CLOSED);
    }
    return DX_STREAM_OK;
}

/* Who waits for a stream of this name cannot be given what a fork begins with: it comes again. */
static void begin_fork(dx_stream *s)
{
    if (dx_list_is_empty(&s->links))
        return;
    dx_stream_end_links(s, DX_STREAM_END_DELETED);
    dx_stream_reset(s);
}

/* True: answered later. */
static bool make(dx_hub *hub, dx_create *c, dx_stream **ret)
{
    bool is_other_type =
        c->ns->type && c->type.size > 0 && !dx_type_is_media(c->type, dx_bytes_of(c->ns->type));

    c->status = is_other_type ? DX_STREAM_TYPE : DX_STREAM_OK;
    if (is_other_type)
        return false;
    if (c->is_fork && c->work == NULL && dx_fork_take(hub, c, *ret))
        return true;
    if (*ret == NULL)
        *ret = dx_stream_new(hub, c->ns, c->path);
    dx_stream *s = *ret;
    c->status = c->is_fork && c->work == NULL ? DX_STREAM_MEMORY
                : s                           ? DX_STREAM_OK
                                              : DX_STREAM_FULL;
    if (c->status != DX_STREAM_OK)
        return false;
    if (c->is_fork)
        begin_fork(s);
    c->status = fill(s, c);
    if (c->status == DX_STREAM_OK && s->kept && dx_kept_create(s, c))
        return true;
    if (c->status == DX_STREAM_OK)
        c->status = s->kept ? DX_STREAM_MEMORY : make_now(s, c);
    if (c->status != DX_STREAM_OK) {
        if (c->work)
            dx_fork_unfill(s, c);
        dx_stream_reset(s);
    }
    return false;
}

/* True: answered later. */
static bool create(dx_hub *hub, dx_create *c, dx_stream **s)
{
    if (*s == NULL || !(*s)->is_made) {
        if (make(hub, c, s))
            return true;
        c->is_new = c->status == DX_STREAM_OK;
    } else {
        c->status = (*s)->is_deleted     ? DX_STREAM_DELETED
                    : is_as_asked(*s, c) ? DX_STREAM_OK
                                         : DX_STREAM_CONFLICT;
    }
    return false;
}

void dx_home_create(dx_hub *hub, dx_create *c)
{
    dx_entered in;
    dx_entry entry = {.ns = c->ns, .path = c->path, .post = &c->post, .is_exclusive = true};

    if (c->work)
        dx_fork_taken(c);
    if (!dx_home_enter(hub, &entry, &in))
        return;
    c->status = in.status;
    if (in.status == DX_STREAM_OK && create(hub, c, &in.stream))
        return;
    if (in.stream && c->status == DX_STREAM_OK)
        dx_stream_fill_info(in.stream, &c->info);
    if (c->work)
        dx_fork_finish(hub, c, c->is_new);
    if (in.stream)
        dx_stream_free_if_unused(in.stream);
    dx_home_answer_create(hub, c);
}
