/* Appending at the home: what may be appended, and doing it.
 * Source: Durable Streams 1.0, Append to Stream, Error Precedence.
 * SPDX-License-Identifier: MIT */
#include "stream/stream.h"

#include "base/assert.h"
#include "codec/json.h"
#include "stream/stream_store.h"

/* ---- judging ---------------------------------------------------------------------------------- */

static bool all_json(const dx_append *a)
{
    size_t error_at;

    for (size_t i = 0; i < a->count; i++)
        if (dx_json_check(dx_message_payload(a->messages[i]), DX_JSON_DEPTH_DEFAULT, &error_at) !=
            DX_JSON_OK)
            return false;
    return true;
}

/* The first message decides what the stream carries, where its namespace does not. */
dx_stream_status dx_stream_decide_type(dx_stream *s, const dx_append *a)
{
    dx_bytes fixed = s->ns->type ? dx_bytes_of(s->ns->type) : (dx_bytes){0};

    if (fixed.size == 0)
        return dx_stream_set_type(s, a->type.size > 0 ? a->type : dx_type_of_kind(a->kind),
                                  a->kind);
    if (a->type.size > 0 && !dx_type_is_media(a->type, fixed))
        return DX_STREAM_TYPE;
    return dx_stream_set_type(s, fixed, dx_type_kind(fixed));
}

static dx_stream_status check_type(dx_stream *s, const dx_append *a)
{
    if (a->count == 0)
        return DX_STREAM_OK;
    if (a->type.size > 0)
        return dx_type_is_media(a->type, dx_stream_type(s)) ? DX_STREAM_OK : DX_STREAM_TYPE;
    switch (s->kind) {
    case DX_STREAM_TEXT: return a->kind == DX_STREAM_BINARY ? DX_STREAM_TYPE : DX_STREAM_OK;
    case DX_STREAM_JSON:
        if (a->kind == DX_STREAM_BINARY)
            return DX_STREAM_TYPE;
        return all_json(a) ? DX_STREAM_OK : DX_STREAM_BAD_JSON;
    case DX_STREAM_BINARY:
    case DX_STREAM_UNDECIDED: return DX_STREAM_OK;
    }
    dx_unreachable("dx_stream_kind outside its enum");
}

/* What was appended once stays so, whatever happened since; then that it is closed comes before all other
 * reasons to refuse. To close again what is closed is no fault. */
dx_stream_status dx_stream_judge(dx_stream *s, dx_append *a)
{
    dx_stream_status status = DX_STREAM_OK;

    if (s->is_deleted)
        return DX_STREAM_DELETED;
    if (a->rules && dx_rules_find_duplicate(s, a, &status))
        return status;
    if (dx_stream_judged_closed(s)) {
        a->next = dx_stream_offset(s, dx_stream_judged_tail(s));
        if (a->count > 0)
            return DX_STREAM_CLOSED;
        a->rules->is_duplicate = true;
        return DX_STREAM_OK;
    }
    status = check_type(s, a);
    if (status != DX_STREAM_OK || (a->rules == NULL && s->ns->append_rate_max == 0))
        return status;
    return dx_rules_check(s, a);
}

/* ---- in memory -------------------------------------------------------------------------------- */

static void close_now(dx_stream *s)
{
    s->is_closed = true;
    dx_stream_end_links(s, DX_STREAM_END_CLOSED);
}

static dx_stream_status append_now(dx_stream *s, dx_append *a)
{
    dx_rules_plan plan;

    if (!dx_log_reserve(&s->log, a->count, &s->ns->retention) ||
        (a->rules && !dx_rules_reserve(s, a, &plan)))
        return DX_STREAM_MEMORY;
    dx_stream_append_now(s, a->messages, a->count);
    a->next = dx_stream_offset(s, s->log.tail);
    if (a->rules)
        dx_rules_accept(s, a, &plan);
    if (a->rules && a->rules->is_closing)
        close_now(s);
    s->is_made = true;
    if (s->lifetime.kind == DX_LIFETIME_IDLE)
        dx_stream_use(s);
    return DX_STREAM_OK;
}

/* ---- either ----------------------------------------------------------------------------------- */

/* *ret is made if there was none. True: answered later. */
static bool append(dx_hub *hub, dx_append *a, dx_stream **ret)
{
    dx_stream *s = *ret;

    a->status = DX_STREAM_NOT_FOUND;
    if ((s == NULL || !s->is_made) && (a->ns->creation == DX_CREATE_BY_PUT || a->count == 0))
        return false;
    if (s == NULL)
        s = *ret = dx_stream_new(hub, a->ns, a->path);
    a->status = s ? DX_STREAM_OK : DX_STREAM_FULL;
    if (s && !s->is_made) /* also again, if the one who decided was refused */
        a->status = dx_stream_decide_type(s, a);
    if (a->status == DX_STREAM_OK)
        a->status = dx_stream_judge(s, a);
    bool is_taken = a->status == DX_STREAM_OK && !(a->rules && a->rules->is_duplicate);
    if (s && s->kept)
        return is_taken ? dx_kept_append(s, a) : dx_kept_answer_later(s, a);
    if (is_taken)
        a->status = append_now(s, a);
    return false;
}

void dx_home_append(dx_hub *hub, dx_append *a)
{
    dx_entered in;

    dx_assert(a->count > 0 || (a->rules && a->rules->is_closing));
    if (!dx_home_enter(hub, &(dx_entry){.ns = a->ns, .path = a->path, .post = &a->post}, &in))
        return;
    hub->traffic.published_count += a->count;
    if (in.status != DX_STREAM_OK) {
        a->status = in.status;
    } else {
        if (a->rules)
            a->rules->is_duplicate = false;
        if (append(hub, a, &in.stream))
            return;
        if (in.stream) {
            a->is_closed = in.stream->is_closed;
            a->subscribers_count = dx_stream_subscribers(in.stream);
            dx_stream_free_if_unused(in.stream);
        }
    }
    dx_home_answer_append(hub, a);
}
