/* Looking at what goes on at a hub.
 * SPDX-License-Identifier: MIT */
#include "stream/look.h"

#include "stream/feed_chain.h"
#include "stream/stream.h"

enum { RECENT_COUNT = 20 };

static uint64_t recent_of(const dx_log_ring *log)
{
    return log->tail - dx_min_u64(log->count, RECENT_COUNT);
}

static void look_at_stream(const dx_stream *s, const dx_hub_look *look)
{
    const dx_stream_figures figures = {
        .path = dx_stream_path(s),
        .tail = dx_stream_offset(s, s->log.tail),
        .recent = dx_stream_offset(s, recent_of(&s->log)),
        .written_ms = s->log.time_ms,
        .kept_count = s->log.count,
        .kept_bytes = s->log.bytes,
        .subscribers_count = dx_stream_subscribers(s),
        .is_closed = s->is_closed,
    };
    look->stream(look->context, &figures);
}

/* The message that it is sent next; one that was sent in part is. */
static uint64_t next_of(const dx_feed *f, const dx_subscriber *sub)
{
    if (sub->state == DX_SUBSCRIBER_CATCHING)
        return sub->next;
    if (sub->position < f->head || sub->position >= f->tail)
        return f->next_sequence;
    const dx_feed_entry *entry = dx_feed_entry_at(f, dx_feed_entry_of(f, sub->position));
    return entry->is_note ? entry->sequence + 1 : entry->sequence;
}

static void look_at_subscriber(const dx_feed *f, const dx_subscriber *sub, const dx_hub_look *look)
{
    const dx_topic *t = f->topic;
    uint64_t next = next_of(f, sub);
    const dx_subscriber_figures figures = {
        .path = t->node.key,
        .at = {t->epoch, next - 1},
        .behind_count = t->next_sequence > next ? t->next_sequence - next : 0,
        .is_catching_up = sub->state == DX_SUBSCRIBER_CATCHING,
    };
    look->subscriber(look->context, &figures);
}

static uint32_t look_at_list(const dx_feed *f, const dx_list *list, const dx_hub_look *look,
                             uint32_t left)
{
    for (const dx_list *l = list->next; l != list && left > 0; l = l->next) {
        if (l == &f->cursor) /* a place in the list, nobody */
            continue;
        look_at_subscriber(f, DX_CONTAINER(l, dx_subscriber, link), look);
        left--;
    }
    return left;
}

/* Those who catch up first: they are the ones that are behind. */
static uint32_t look_at_topic(const dx_topic *t, const dx_hub_look *look, uint32_t left)
{
    for (const dx_list *l = t->feeds.next; l != &t->feeds && left > 0; l = l->next) {
        const dx_feed *f = DX_CONTAINER(l, dx_feed, link);
        left = look_at_list(f, &f->catching, look, left);
        left = look_at_list(f, &f->live, look, left);
    }
    return left;
}

size_t dx_hub_look_at(const dx_hub *hub, const dx_hub_look *look)
{
    uint32_t streams = look->streams_max, subscribers = look->subscribers_max;

    for (dx_map_node *n = NULL; streams > 0 && (n = dx_map_next(&hub->streams, n)) != NULL;
         streams--) {
        const dx_stream *s = DX_CONTAINER(n, dx_stream, node);
        if (s->is_made && !s->is_deleted && s->state == DX_HOME_READY)
            look_at_stream(s, look);
    }
    for (dx_map_node *n = NULL; subscribers > 0 && (n = dx_map_next(&hub->topics, n)) != NULL;)
        subscribers = look_at_topic(DX_CONTAINER(n, dx_topic, node), look, subscribers);
    return hub->streams.count;
}
