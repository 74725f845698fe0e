/* Streams at their home: appends in one order, reads, retention, and what goes out to other workers.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "base/clock.h"
#include "base/random.h"
#include "codec/json.h"
#include "stream/hub_home.h"

#include <stdlib.h>

enum {
    STREAMS_COUNT_MAX = 1000000, /* per worker */
    SWEEP_COUNT = 2000,          /* streams looked at in one sweep */
};

/* ---- the streams of a home -------------------------------------------------------------------- */

dx_stream *dx_home_find(dx_hub *hub, dx_bytes path)
{
    dx_map_node *node = dx_map_find(&hub->streams, path);
    return node ? DX_CONTAINER(node, dx_stream, node) : NULL;
}

/* ---- links: what goes out -------------------------------------------------------------------- */

static void on_batch(dx_post *post)
{
    dx_link *link = DX_CONTAINER(post, dx_link, post);

    for (uint32_t i = 0; i < link->batch.count && !link->worker->is_ended; i++)
        dx_topic_deliver(link->topic, link->batch.at[i]);
    dx_batch_clear(&link->batch);
    post->run = dx_home_on_ack;
    dx_hub_send(link->worker, link->home, post);
}

/* Puts what the worker was not given yet into the next batch, as much as fits. Where the log has been
 * trimmed past it, the topic sees the jump in the sequence. */
static void fill_batch(dx_link *link)
{
    const dx_log_ring *log = &link->stream->log;
    uint64_t next = link->sent + 1;

    if (next < dx_log_first(log))
        next = dx_log_first(log);
    for (; next <= log->tail && dx_batch_add(&link->queued, dx_log_at(log, next)); next++)
        link->sent = next;
}

static void send_batch(dx_link *link)
{
    dx_assert(!link->is_out && link->batch.count == 0);
    fill_batch(link);
    if (link->queued.count == 0)
        return;
    dx_batch empty = link->batch;
    link->batch = link->queued;
    link->queued = empty;
    link->is_out = true;
    link->post.run = on_batch;
    dx_hub_send(link->home, link->worker, &link->post);
}

static void on_send(dx_task *task)
{
    dx_stream *s = DX_CONTAINER(task, dx_stream, send);

    for (dx_list *l = s->links.next; l != &s->links; l = l->next) {
        dx_link *link = DX_CONTAINER(l, dx_link, link);
        if (link->worker != s->hub && !link->is_out)
            send_batch(link);
    }
}

/* Time in front, so that a stream that is made again sorts behind the one that is gone; random behind,
 * so that no two are taken for each other. */
static uint64_t epoch_new(void)
{
    uint16_t random;

    dx_random_fill(&random, sizeof random);
    return dx_clock_wall_ms() << 16 | random;
}

static dx_stream *stream_new(dx_hub *hub, const dx_namespace *ns, dx_bytes path)
{
    dx_stream *s = hub->streams.count < STREAMS_COUNT_MAX ? calloc(1, sizeof *s + path.size) : NULL;

    if (s == NULL)
        return NULL;
    memcpy(s->path, path.at, path.size);
    s->node.key = dx_bytes_at(s->path, path.size);
    s->hub = hub;
    s->ns = ns;
    s->epoch = epoch_new();
    dx_list_init(&s->links);
    dx_list_init(&s->swept);
    dx_task_init(&s->send, on_send);
    if (!dx_map_insert(&hub->streams, &s->node)) {
        free(s);
        return NULL;
    }
    dx_list_append(&hub->sweep, &s->swept);
    return s;
}

static void stream_free(dx_stream *s)
{
    dx_assert(dx_list_is_empty(&s->links));
    dx_task_clear(&s->send);
    dx_map_remove(&s->hub->streams, &s->node);
    dx_list_remove(&s->swept);
    dx_log_deinit(&s->log);
    free(s->type);
    free(s);
}

/* A stream that holds nothing and that nobody waits for need not be remembered. */
static void stream_free_if_unused(dx_stream *s)
{
    if (s->log.count == 0 && dx_list_is_empty(&s->links))
        stream_free(s);
}

void dx_home_sweep(dx_hub *hub)
{
    uint64_t now_ms = dx_loop_now_ms(hub->loop);
    size_t count = dx_min_size(SWEEP_COUNT, hub->streams.count);

    while (count-- > 0) {
        dx_list *first = dx_list_take_first(&hub->sweep);
        dx_stream *s = DX_CONTAINER(first, dx_stream, swept);
        dx_list_append(&hub->sweep, first);
        dx_log_trim(&s->log, now_ms, &s->ns->retention);
        stream_free_if_unused(s);
    }
}

void dx_home_free(dx_hub *hub)
{
    while (!dx_list_is_empty(&hub->sweep))
        stream_free(DX_CONTAINER(hub->sweep.next, dx_stream, swept));
    dx_map_deinit(&hub->streams);
}

/* ---- appending -------------------------------------------------------------------------------- */

static dx_bytes default_type(dx_stream_kind kind)
{
    switch (kind) {
    case DX_STREAM_TEXT: return DX_BYTES("text/plain; charset=utf-8");
    case DX_STREAM_JSON: return DX_BYTES("application/json");
    case DX_STREAM_BINARY:
    case DX_STREAM_UNDECIDED: return DX_BYTES("application/octet-stream");
    }
    dx_unreachable("dx_stream_kind outside its enum");
}

/* The first message decides what the stream carries. */
static dx_stream_status decide_type(dx_stream *s, const dx_append *a)
{
    dx_bytes type = a->type.size > 0 ? a->type : default_type(a->kind);

    dx_assert(type.size <= DX_TYPE_BYTES_MAX);
    s->type = malloc(type.size);
    if (s->type == NULL)
        return DX_STREAM_MEMORY;
    memcpy(s->type, type.at, type.size);
    s->type_size = (uint8_t)type.size;
    s->kind = a->kind;
    return DX_STREAM_OK;
}

static bool all_json(const dx_append *a)
{
    size_t error_at;

    for (size_t i = 0; i < a->count; i++)
        if (dx_json_check(dx_message_payload(a->messages[i]), DX_JSON_DEPTH_DEFAULT, &error_at) !=
            DX_JSON_OK)
            return false;
    return true;
}

/* Without parameters: text/plain is the type of text/plain; charset=utf-8. */
static dx_bytes media_type(dx_bytes type)
{
    dx_bytes media = {0};

    dx_bytes_split(&type, ';', &media);
    return dx_bytes_trim(media);
}

static dx_stream_status check_type(dx_stream *s, const dx_append *a)
{
    if (s->kind == DX_STREAM_UNDECIDED)
        return decide_type(s, a);
    if (a->type.size > 0) {
        dx_bytes own = media_type(dx_bytes_at(s->type, s->type_size));
        return dx_bytes_equal_nocase(media_type(a->type), own) ? DX_STREAM_OK : DX_STREAM_TYPE;
    }
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

/* There is room for all of them. */
static void append_all(dx_stream *s, dx_append *a)
{
    uint64_t now_ms = dx_loop_now_ms(s->hub->loop);

    for (size_t i = 0; i < a->count; i++) {
        dx_message *message = a->messages[i];
        message->kind = (uint8_t)s->kind;
        dx_message_ref(message); /* the log may trim what it has just taken */
        dx_log_append(&s->log, message, now_ms, &s->ns->retention);
        a->messages[i] = NULL;
        for (dx_list *l = s->links.next; l != &s->links; l = l->next) {
            dx_link *link = DX_CONTAINER(l, dx_link, link);
            if (link->worker == s->hub)
                dx_topic_deliver(link->topic, message);
            else if (link->sent + 1 == message->sequence && dx_batch_add(&link->queued, message))
                link->sent = message->sequence;
        }
        dx_message_unref(message);
    }
    dx_task_queue(s->hub->loop, &s->send);
    a->next = (dx_offset){s->epoch, s->log.tail};
}

static dx_stream_status append(dx_hub *hub, dx_append *a)
{
    dx_stream *s = dx_home_find(hub, a->path);

    if (hub->is_ended)
        return DX_STREAM_ENDED;
    if (s == NULL)
        s = stream_new(hub, a->ns, a->path);
    if (s == NULL)
        return DX_STREAM_FULL;
    if (!dx_log_reserve(&s->log, a->count, &s->ns->retention))
        return DX_STREAM_MEMORY;
    dx_stream_status status = check_type(s, a);
    if (status == DX_STREAM_OK)
        append_all(s, a);
    return status;
}

void dx_home_append(dx_hub *hub, dx_append *a)
{
    dx_assert(a->count > 0);
    a->status = append(hub, a);
    for (size_t i = 0; i < a->count; i++)
        dx_message_unref(a->messages[i]);
}

/* ---- reading ---------------------------------------------------------------------------------- */

static void fill_info(const dx_stream *s, dx_stream_info *info)
{
    info->epoch = s->epoch;
    info->first = dx_log_first(&s->log);
    info->tail = s->log.tail;
    info->kind = s->kind;
    info->type_size = s->type_size;
    dx_copy(info->type, s->type, s->type_size);
}

/* The sequence to read first, and whether the position is one of this log. */
static dx_stream_status resolve(const dx_stream *s, const dx_position *position, uint64_t *start)
{
    switch (position->kind) {
    case DX_OFFSET_START: *start = dx_log_first(&s->log); return DX_STREAM_OK;
    case DX_OFFSET_NOW: *start = s->log.tail + 1; return DX_STREAM_OK;
    case DX_OFFSET_BAD: return DX_STREAM_FUTURE;
    case DX_OFFSET_AT: break;
    }
    *start = position->at.sequence + 1;
    if (position->at.epoch != s->epoch)
        return DX_STREAM_GONE;
    if (position->at.sequence > s->log.tail)
        return DX_STREAM_FUTURE;
    return *start < dx_log_first(&s->log) ? DX_STREAM_GONE : DX_STREAM_OK;
}

static dx_stream_status take_page(const dx_stream *s, dx_read *r)
{
    uint64_t first = r->start > dx_log_first(&s->log) ? r->start : dx_log_first(&s->log);
    uint64_t left = first <= s->log.tail ? s->log.tail + 1 - first : 0;
    size_t count = (size_t)dx_min_u64(left, r->count_max), bytes = 0;

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
    }
    return r->status;
}

void dx_home_read(dx_hub *hub, dx_read *r)
{
    dx_stream *s = dx_home_find(hub, r->path);

    r->count = 0;
    r->messages = NULL;
    r->status = hub->is_ended ? DX_STREAM_ENDED : DX_STREAM_NOT_FOUND;
    if (s == NULL || hub->is_ended)
        return;
    dx_log_trim(&s->log, dx_loop_now_ms(hub->loop), &s->ns->retention);
    fill_info(s, &r->info);
    r->status = resolve(s, &r->position, &r->start);
    if (r->status == DX_STREAM_OK ||
        (r->status == DX_STREAM_GONE && r->position.at.epoch == s->epoch))
        r->status = take_page(s, r);
}

/* ---- links ------------------------------------------------------------------------------------ */

void dx_home_subscribe(dx_hub *hub, dx_link *link)
{
    dx_bytes path = link->topic->node.key; /* constant for the topic's life */
    dx_stream *s = dx_home_find(hub, path);

    if (s == NULL && !hub->is_ended)
        s = stream_new(hub, link->topic->ns, path);
    link->err = hub->is_ended ? DX_ERR_CLOSED : s ? DX_OK : DX_ERR_MEMORY;
    if (link->err != DX_OK)
        return;
    link->stream = s;
    link->sent = s->log.tail;
    link->epoch = s->epoch;
    link->next = s->log.tail + 1;
    dx_list_append(&s->links, &link->link);
}

void dx_home_leave(dx_hub *hub, dx_link *link)
{
    dx_stream *s = link->stream;

    (void)hub;
    link->stream = NULL;
    dx_batch_clear(&link->queued);
    if (s == NULL)
        return;
    dx_list_remove(&link->link);
    stream_free_if_unused(s);
}

void dx_home_on_ack(dx_post *post)
{
    dx_link *link = DX_CONTAINER(post, dx_link, post);

    link->is_out = false;
    if (link->is_leaving)
        dx_hub_send(link->home, link->worker, &link->leave_post);
    else if (link->stream && !link->home->is_ended)
        send_batch(link);
}
