/* Topics: one worker's end of a stream, from the first subscriber there to the last.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "stream/hub_home.h"

#include <stdlib.h>

enum { WAKE_COUNT_MAX = 2048 }; /* waiters woken in one turn; the others in the next */

static void topic_leave(dx_topic *t);

/* ---- delivery --------------------------------------------------------------------------------- */

/* Those who wait now; who begins to wait before their turn has come waits for something else. */
static void wake_soon(dx_topic *t)
{
    if (dx_list_is_empty(&t->waiters) || t->hub->is_ended)
        return;
    dx_list_splice(&t->waking, &t->waiters);
    dx_task_queue(t->hub->loop, &t->wake);
}

void dx_topic_deliver(dx_topic *t, dx_message *message)
{
    if (message->sequence < t->next_sequence || t->end != DX_STREAM_END_NONE)
        return;
    t->next_sequence = message->sequence + 1;
    t->epoch = message->epoch;
    t->hub->traffic.delivered_count += t->watches_count;
    for (dx_list *l = t->feeds.next; l != &t->feeds; l = l->next)
        dx_feed_append(DX_CONTAINER(l, dx_feed, link), message);
    wake_soon(t);
}

void dx_topic_note(dx_topic *t, dx_bytes text)
{
    for (dx_list *l = t->feeds.next; l != &t->feeds; l = l->next)
        dx_feed_note(DX_CONTAINER(l, dx_feed, link), text);
}

/* Who asks for the path from now on gets another topic, of what is there then. */
static void topic_unmap(dx_topic *t)
{
    if (!t->is_mapped)
        return;
    t->is_mapped = false;
    dx_map_remove(&t->hub->topics, &t->node);
    dx_list_append(&t->hub->unmapped, &t->unmapped);
}

void dx_topic_on_end(dx_topic *t, dx_stream_end end)
{
    if (t->end == end || t->end == DX_STREAM_END_DELETED || t->hub->is_ended)
        return;
    t->end = end;
    if (end == DX_STREAM_END_DELETED)
        topic_unmap(t);
    for (dx_list *l = t->feeds.next; l != &t->feeds; l = l->next)
        dx_feed_end(DX_CONTAINER(l, dx_feed, link), end);
    wake_soon(t);
}

/* ---- waiters ---------------------------------------------------------------------------------- */

static void on_wake(dx_task *task)
{
    dx_topic *t = DX_CONTAINER(task, dx_topic, wake);

    dx_list now;

    dx_topic_hold(t); /* those who are woken may leave */
    dx_list_init(&now);
    dx_list_splice(&now, &t->waking); /* one that waits again while it is woken is not among them */
    for (uint32_t woken = 0; woken < WAKE_COUNT_MAX; woken++) {
        dx_list *first = dx_list_take_first(&now);
        if (first == NULL)
            break;
        dx_waiter *waiter = DX_CONTAINER(first, dx_waiter, link);
        waiter->woken(waiter);
    }
    dx_list_splice(&now, &t->waking);
    dx_list_splice(&t->waking, &now);
    if (!dx_list_is_empty(&t->waking))
        dx_task_queue(t->hub->loop, &t->wake);
    dx_topic_release(t);
}

void dx_topic_wait(dx_topic *t, dx_waiter *waiter)
{
    dx_list_init(&waiter->link);
    dx_list_append(&t->waiters, &waiter->link);
    if (t->end != DX_STREAM_END_NONE)
        wake_soon(t);
}

void dx_waiter_end(dx_waiter *waiter)
{
    if (waiter->link.next)
        dx_list_remove(&waiter->link);
}

/* ---- birth ------------------------------------------------------------------------------------ */

static void topic_ready(dx_topic *t)
{
    dx_topic_hold(t); /* those who wait may end their watches here */
    t->is_ready = t->link->status == DX_STREAM_OK;
    t->epoch = t->link->epoch;
    t->next_sequence = t->link->next;
    t->identity = t->link->identity;
    t->end = t->link->end;
    if (!t->is_ready)
        topic_unmap(t);
    for (dx_list *l; (l = dx_list_take_first(&t->waiting)) != NULL;) {
        dx_watch *watch = DX_CONTAINER(l, dx_watch, link);
        watch->ready(watch, t->link->status);
    }
    dx_topic_release(t);
}

static void on_ready(dx_post *post)
{
    dx_link *link = DX_CONTAINER(post, dx_link, post);

    if (!link->topic->is_leaving) /* else nobody has waited for it */
        topic_ready(link->topic);
    post->run = dx_home_on_ack;
    dx_hub_send(link->worker, link->home, post);
}

static void on_subscribe(dx_post *post)
{
    dx_link *link = DX_CONTAINER(post, dx_link, post);

    dx_home_subscribe(link->home, link);
}

void dx_link_on_subscribed(dx_link *link)
{
    if (link->home == link->worker) {
        topic_ready(link->topic);
        return;
    }
    link->is_out = true;
    link->post.run = on_ready;
    dx_hub_send(link->home, link->worker, &link->post);
}

static void link_free(dx_link *link)
{
    if (link == NULL)
        return;
    dx_batch_deinit(&link->batch);
    dx_batch_deinit(&link->queued);
    free(link);
}

/* A link within one worker never carries a batch. */
static dx_link *link_new(bool is_remote)
{
    dx_link *link = calloc(1, sizeof *link);

    if (link == NULL || !is_remote || (dx_batch_init(&link->batch) && dx_batch_init(&link->queued)))
        return link;
    link_free(link);
    return NULL;
}

static dx_topic *topic_new(dx_hub *hub, const dx_namespace *ns, dx_bytes path)
{
    dx_topic *t = calloc(1, sizeof *t + path.size);
    dx_hub *home = &hub->all->hubs[dx_streams_home(hub->all, path)];

    if (t == NULL)
        return NULL;
    memcpy(t->path, path.at, path.size);
    t->node.key = dx_bytes_at(t->path, path.size);
    t->hub = hub;
    t->ns = ns;
    dx_list_init(&t->feeds);
    dx_list_init(&t->waiting);
    dx_list_init(&t->waiters);
    dx_list_init(&t->waking);
    dx_list_init(&t->unmapped);
    dx_task_init(&t->wake, on_wake);
    t->link = link_new(home != hub);
    if (t->link == NULL || !dx_map_insert(&hub->topics, &t->node)) {
        link_free(t->link);
        free(t);
        return NULL;
    }
    t->is_mapped = true;
    t->link->topic = t;
    t->link->home = home;
    t->link->worker = hub;
    dx_home_link_init(t->link);
    return t;
}

static void topic_begin(dx_topic *t)
{
    if (t->link->home == t->hub) {
        dx_home_subscribe(t->hub, t->link);
    } else {
        t->link->post.run = on_subscribe;
        dx_hub_send(t->hub, t->link->home, &t->link->post);
    }
}

/* ---- death ------------------------------------------------------------------------------------ */

static void topic_free(dx_topic *t)
{
    dx_assert(dx_list_is_empty(&t->waiters) && dx_list_is_empty(&t->waking));
    dx_task_clear(&t->wake);
    dx_task_clear(&t->link->end_task);
    for (dx_list *l; (l = dx_list_take_first(&t->feeds)) != NULL;)
        dx_feed_free(DX_CONTAINER(l, dx_feed, link));
    link_free(t->link);
    free(t);
}

static void on_gone(dx_post *post)
{
    topic_free(DX_CONTAINER(post, dx_link, leave_post)->topic);
}

static void on_leave(dx_post *post)
{
    dx_link *link = DX_CONTAINER(post, dx_link, leave_post);

    dx_home_leave(link->home, link);
    link->is_leaving = true;
    post->run = on_gone;
    if (!link->is_out) /* else when the other post is back */
        dx_hub_send(link->home, link->worker, post);
}

static void topic_clear_tasks(dx_topic *t)
{
    dx_task_clear(&t->wake);
    dx_task_clear(&t->link->end_task);
    for (dx_list *l = t->feeds.next; l != &t->feeds; l = l->next)
        dx_task_clear(&DX_CONTAINER(l, dx_feed, link)->flush);
}

/* No task may hold it again: it would leave twice. */
static void topic_leave(dx_topic *t)
{
    dx_assert(!t->is_leaving);
    topic_clear_tasks(t);
    topic_unmap(t);
    dx_list_remove(&t->unmapped);
    dx_presence_topic_leaves(t);
    t->is_leaving = true;
    if (t->link->home == t->hub) {
        dx_home_leave(t->hub, t->link);
        topic_free(t);
    } else {
        t->link->leave_post.run = on_leave;
        dx_hub_send(t->hub, t->link->home, &t->link->leave_post);
    }
}

void dx_topics_end(dx_hub *hub)
{
    for (dx_map_node *n = dx_map_next(&hub->topics, NULL); n; n = dx_map_next(&hub->topics, n))
        topic_clear_tasks(DX_CONTAINER(n, dx_topic, node));
    for (dx_list *l = hub->unmapped.next; l != &hub->unmapped; l = l->next)
        topic_clear_tasks(DX_CONTAINER(l, dx_topic, unmapped));
}

void dx_topics_free(dx_hub *hub)
{
    for (dx_map_node *n; (n = dx_map_next(&hub->topics, NULL)) != NULL;)
        topic_unmap(DX_CONTAINER(n, dx_topic, node));
    for (dx_list *l; (l = dx_list_take_first(&hub->unmapped)) != NULL;) {
        dx_topic *t = DX_CONTAINER(l, dx_topic, unmapped);
        if (t->link->stream)
            dx_list_remove(&t->link->link);
        dx_presence_topic_leaves(t);
        topic_free(t);
    }
    dx_map_deinit(&hub->topics);
}

/* ---- watches ---------------------------------------------------------------------------------- */

static void topic_count(dx_topic *t)
{
    atomic_store_explicit(&t->link->subscribers_count, t->watches_count, memory_order_relaxed);
}

dx_err dx_hub_watch(dx_hub *hub, const dx_namespace *ns, dx_bytes path, dx_watch *watch)
{
    dx_map_node *node = dx_map_find(&hub->topics, path);
    dx_topic *t = node ? DX_CONTAINER(node, dx_topic, node) : topic_new(hub, ns, path);

    if (t == NULL)
        return DX_ERR_MEMORY;
    watch->topic = t;
    dx_list_init(&watch->link);
    t->watches_count++;
    topic_count(t);
    if (t->is_ready) {
        watch->ready(watch, DX_STREAM_OK);
        return DX_OK;
    }
    dx_list_append(&t->waiting, &watch->link);
    if (t->watches_count == 1)
        topic_begin(t);
    return DX_OK;
}

void dx_watch_end(dx_watch *watch)
{
    dx_list_remove(&watch->link);
    dx_topic_release(watch->topic);
    watch->topic = NULL;
}

void dx_topic_hold(dx_topic *t)
{
    t->watches_count++;
}

void dx_topic_release(dx_topic *t)
{
    dx_assert(t->watches_count > 0);
    t->watches_count--;
    topic_count(t);
    if (t->watches_count == 0)
        topic_leave(t);
}

dx_bytes dx_topic_path(const dx_topic *t)
{
    return t->node.key;
}

const dx_namespace *dx_topic_namespace(const dx_topic *t)
{
    return t->ns;
}

dx_offset dx_topic_tail(const dx_topic *t)
{
    return (dx_offset){t->epoch, t->next_sequence - 1};
}

dx_stream_end dx_topic_end(const dx_topic *t)
{
    return t->end;
}

uint64_t dx_topic_next(const dx_topic *t)
{
    return t->next_sequence;
}
