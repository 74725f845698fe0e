/* Topics: one worker's end of a stream, from the first subscriber there to the last.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "stream/hub_home.h"

#include <stdlib.h>

/* ---- delivery --------------------------------------------------------------------------------- */

void dx_topic_deliver(dx_topic *t, dx_message *message)
{
    if (message->sequence < t->next_sequence)
        return;
    t->next_sequence = message->sequence + 1;
    for (dx_list *l = t->feeds.next; l != &t->feeds; l = l->next)
        dx_feed_append(DX_CONTAINER(l, dx_feed, link), message);
}

/* ---- birth ------------------------------------------------------------------------------------ */

static void topic_leave(dx_topic *t);

static void topic_ready(dx_topic *t)
{
    t->watches_count++; /* those who wait may end their watches here */
    t->is_ready = t->link->err == DX_OK;
    t->epoch = t->link->epoch;
    t->next_sequence = t->link->next;
    for (dx_list *l; (l = dx_list_take_first(&t->waiting)) != NULL;) {
        dx_watch *watch = DX_CONTAINER(l, dx_watch, link);
        watch->ready(watch, t->link->err);
    }
    if (--t->watches_count == 0)
        topic_leave(t);
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
    link->is_out = true;
    post->run = on_ready;
    dx_hub_send(link->home, link->worker, post);
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
    t->link = link_new(home != hub);
    if (t->link == NULL || !dx_map_insert(&hub->topics, &t->node)) {
        link_free(t->link);
        free(t);
        return NULL;
    }
    t->link->topic = t;
    t->link->home = home;
    t->link->worker = hub;
    dx_list_init(&t->link->link);
    return t;
}

static void topic_begin(dx_topic *t)
{
    if (t->link->home == t->hub) {
        dx_home_subscribe(t->hub, t->link);
        topic_ready(t);
    } else {
        t->link->post.run = on_subscribe;
        dx_hub_send(t->hub, t->link->home, &t->link->post);
    }
}

/* ---- death ------------------------------------------------------------------------------------ */

static void topic_free(dx_topic *t)
{
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

static void topic_leave(dx_topic *t)
{
    dx_map_remove(&t->hub->topics, &t->node);
    t->is_leaving = true;
    if (t->link->home == t->hub) {
        dx_home_leave(t->hub, t->link);
        topic_free(t);
    } else {
        t->link->leave_post.run = on_leave;
        dx_hub_send(t->hub, t->link->home, &t->link->leave_post);
    }
}

void dx_topics_free(dx_hub *hub)
{
    dx_map_node *next;

    for (dx_map_node *n = dx_map_next(&hub->topics, NULL); n; n = next) {
        next = dx_map_next(&hub->topics, n);
        dx_topic *t = DX_CONTAINER(n, dx_topic, node);
        dx_map_remove(&hub->topics, n);
        if (t->link->stream)
            dx_list_remove(&t->link->link);
        topic_free(t);
    }
    dx_map_deinit(&hub->topics);
}

/* ---- watches ---------------------------------------------------------------------------------- */

dx_err dx_hub_watch(dx_hub *hub, const dx_namespace *ns, dx_bytes path, dx_watch *watch)
{
    dx_map_node *node = dx_map_find(&hub->topics, path);
    dx_topic *t = node ? DX_CONTAINER(node, dx_topic, node) : topic_new(hub, ns, path);

    if (t == NULL)
        return DX_ERR_MEMORY;
    watch->topic = t;
    dx_list_init(&watch->link);
    t->watches_count++;
    if (t->is_ready) {
        watch->ready(watch, DX_OK);
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

void dx_topic_release(dx_topic *t)
{
    dx_assert(t->watches_count > 0);
    if (--t->watches_count == 0)
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

uint64_t dx_topic_epoch(const dx_topic *t)
{
    return t->epoch;
}

uint64_t dx_topic_next(const dx_topic *t)
{
    return t->next_sequence;
}
