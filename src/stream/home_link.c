/* Links: what goes from a stream's home to the workers that have subscribers, messages and its end.
 * SPDX-License-Identifier: MIT */
#include "stream/stream.h"

#include "base/assert.h"
#include "stream/stream_store.h"

/* ---- on the worker ---------------------------------------------------------------------------- */

static void on_batch(dx_post *post)
{
    dx_link *link = DX_CONTAINER(post, dx_link, post);
    bool is_heard = !link->worker->is_ended && !link->topic->is_leaving;
    dx_stream_end end = link->end;

    for (uint32_t i = 0; i < link->batch.count && is_heard; i++)
        dx_topic_deliver(link->topic, link->batch.at[i]);
    dx_batch_clear(&link->batch);
    link->end = DX_STREAM_END_NONE;
    if (end && is_heard)
        dx_topic_on_end(link->topic, end); /* it may leave, but stays until the home knows */
    post->run = dx_home_on_ack;
    dx_hub_send(link->worker, link->home, post);
}

static void on_end_here(dx_task *task)
{
    dx_link *link = DX_CONTAINER(task, dx_link, end_task);
    dx_stream_end end = link->end_due;

    link->end_due = DX_STREAM_END_NONE;
    dx_topic_on_end(link->topic, end); /* `link` may be gone */
}

void dx_home_link_init(dx_link *link)
{
    dx_list_init(&link->link);
    dx_task_init(&link->end_task, on_end_here);
}

/* ---- at the home ------------------------------------------------------------------------------ */

/* Puts what the worker was not given yet into the next batch, as much as fits. Where the log has been
 * trimmed past it, the topic sees the jump in the sequence; what only the store has is read first. */
static void fill_batch(dx_link *link)
{
    const dx_stream *s = link->stream;
    const dx_log_ring *log = &s->log;
    uint64_t next = link->sent + 1;

    if (next < dx_log_first(log) && s->kept && next <= log->tail) {
        dx_kept_read_link(link);
        return;
    }
    if (next < dx_log_first(log))
        next = dx_log_first(log);
    for (; next <= log->tail && dx_batch_add(&link->queued, dx_log_at(log, next)); next++)
        link->sent = next;
}

/* The end goes behind the last message; when the stream is gone there are none. */
static bool may_end(const dx_link *link)
{
    return link->end_due && (link->stream == NULL || link->sent >= link->stream->log.tail);
}

static void send_batch(dx_link *link)
{
    dx_assert(!link->is_out && link->batch.count == 0);
    if (link->stream && !link->page)
        fill_batch(link);
    if (may_end(link)) {
        link->end = link->end_due;
        link->end_due = DX_STREAM_END_NONE;
    }
    if (link->queued.count == 0 && link->end == DX_STREAM_END_NONE)
        return;
    dx_batch empty = link->batch;
    link->batch = link->queued;
    link->queued = empty;
    link->is_out = true;
    link->post.run = on_batch;
    dx_hub_send(link->home, link->worker, &link->post);
}

void dx_home_link_send(dx_link *link)
{
    if (link->worker != link->home && !link->is_out)
        send_batch(link);
}

void dx_stream_send_links(dx_stream *s)
{
    for (dx_list *l = s->links.next; l != &s->links; l = l->next)
        dx_home_link_send(DX_CONTAINER(l, dx_link, link));
}

void dx_stream_feed_links(dx_stream *s, dx_message *message)
{
    for (dx_list *l = s->links.next; l != &s->links; l = l->next) {
        dx_link *link = DX_CONTAINER(l, dx_link, link);
        if (link->worker == s->hub)
            dx_topic_deliver(link->topic, message);
        else if (link->sent + 1 == message->sequence && dx_batch_add(&link->queued, message))
            link->sent = message->sequence;
    }
}

void dx_stream_end_links(dx_stream *s, dx_stream_end end)
{
    dx_list *next;

    for (dx_list *l = s->links.next; l != &s->links; l = next) {
        dx_link *link = DX_CONTAINER(l, dx_link, link);
        next = l->next;
        link->end_due = end;
        if (end == DX_STREAM_END_DELETED) {
            dx_list_remove(&link->link);
            link->stream = NULL;
            dx_batch_clear(&link->queued);
            dx_kept_stop_link(link);
        }
        if (s->hub->is_ended)
            continue;
        if (link->worker == s->hub)
            dx_task_queue(s->hub->loop, &link->end_task);
        else if (end == DX_STREAM_END_DELETED)
            dx_home_link_send(link);
        else
            dx_task_queue(s->hub->loop, &s->send);
    }
}

/* ---- coming and going ------------------------------------------------------------------------- */

static void on_subscribe_again(dx_post *post)
{
    dx_link *link = DX_CONTAINER(post, dx_link, post);
    dx_home_subscribe(link->home, link);
}

static dx_stream_status subscribe(dx_link *link, dx_stream *s)
{
    dx_hub *hub = link->home;
    const dx_topic *topic = link->topic; /* path and namespace are constant for its life */

    if ((s == NULL || !s->is_made) && topic->ns->creation == DX_CREATE_BY_PUT)
        return DX_STREAM_NOT_FOUND;
    if (s == NULL)
        s = dx_stream_new(hub, topic->ns, topic->node.key);
    if (s == NULL)
        return DX_STREAM_FULL;
    if (s->is_deleted)
        return DX_STREAM_DELETED;
    dx_offset tail = dx_stream_offset(s, s->log.tail);
    link->stream = s;
    link->sent = tail.sequence;
    link->epoch = tail.epoch;
    link->next = tail.sequence + 1;
    link->identity = s->identity;
    link->end = s->is_closed ? DX_STREAM_END_CLOSED : DX_STREAM_END_NONE;
    dx_list_append(&s->links, &link->link);
    dx_stream_use(s);
    return DX_STREAM_OK;
}

void dx_home_subscribe(dx_hub *hub, dx_link *link)
{
    const dx_topic *topic = link->topic;
    dx_entered in;

    link->is_subscribing = true;
    link->post.run = on_subscribe_again;
    if (!dx_home_enter(
            hub, &(dx_entry){.ns = topic->ns, .path = topic->node.key, .post = &link->post}, &in))
        return;
    link->is_subscribing = false;
    link->status = in.status == DX_STREAM_OK ? subscribe(link, in.stream) : in.status;
    if (in.stream)
        dx_stream_free_if_unused(in.stream);
    dx_link_on_subscribed(link);
}

void dx_home_leave(dx_hub *hub, dx_link *link)
{
    dx_stream *s = link->stream;

    dx_task_clear(&link->end_task);
    dx_kept_stop_link(link);
    dx_batch_clear(&link->queued);
    if (link->is_subscribing) {
        link->is_subscribing = false;
        s = dx_home_find(hub, link->topic->node.key);
        dx_stream_unwait(s, &link->post);
    } else if (s) {
        link->stream = NULL;
        dx_list_remove(&link->link);
        dx_stream_use(s);
    }
    if (s)
        dx_stream_free_if_unused(s);
}

void dx_home_on_ack(dx_post *post)
{
    dx_link *link = DX_CONTAINER(post, dx_link, post);

    link->is_out = false;
    link->end = DX_STREAM_END_NONE;
    if (link->is_leaving)
        dx_hub_send(link->home, link->worker, &link->leave_post);
    else if (!link->home->is_ended)
        send_batch(link);
}
