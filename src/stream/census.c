/* Counting and listing what a hub has.
 * SPDX-License-Identifier: MIT */
#include "stream/census.h"

#include "base/map_walk.h"
#include "stream/stream.h"
#include "stream/stream_store.h"

#include <stdlib.h>

enum { BUCKETS_AT_ONCE = 1024 };

/* ---- counting --------------------------------------------------------------------------------- */

static void count_feed(const dx_feed *f, dx_census *c)
{
    c->feeds_count++;
    c->feed_bytes += f->tail - f->head;
    c->live_count += f->live_count;
    c->behind_count += f->behind_count;
    for (const dx_list *l = f->catching.next; l != &f->catching; l = l->next) {
        const dx_subscriber *sub = DX_CONTAINER(l, dx_subscriber, link);
        c->catching_count += !sub->is_waiting;
        if (f->next_sequence > sub->next)
            c->lag_max = dx_max_size(c->lag_max, f->next_sequence - sub->next);
    }
}

static void count_topic(dx_map_node *node, void *census)
{
    const dx_topic *t = DX_CONTAINER(node, dx_topic, node);
    dx_census *c = census;

    c->topics_count++;
    for (const dx_list *l = t->feeds.next; l != &t->feeds; l = l->next)
        count_feed(DX_CONTAINER(l, dx_feed, link), c);
}

bool dx_hub_count(dx_hub *hub, dx_census *c)
{
    c->streams_count = hub->streams.count;
    c->cached_bytes = hub->cached_bytes;
    dx_map_walk(&hub->topics, &c->cursor, BUCKETS_AT_ONCE, count_topic, c);
    return c->cursor == 0;
}

bool dx_hub_is_ended(const dx_hub *hub)
{
    return hub->is_ended;
}

/* ---- listing ---------------------------------------------------------------------------------- */

static int compare(dx_bytes a, dx_bytes b)
{
    int order = memcmp(a.at, b.at, dx_min_size(a.size, b.size));

    return order ? order : a.size < b.size ? -1 : a.size > b.size;
}

static dx_bytes path_of(const dx_listed *row)
{
    return dx_bytes_at(row->path, row->path_size);
}

/* Where `path` stands, or would. */
static size_t place_of(const dx_listing *l, dx_bytes path)
{
    size_t low = 0, high = l->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(path_of(l->rows[middle]), path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void fill(const dx_stream *s, dx_listed *row)
{
    row->ns = s->ns;
    row->memory_bytes = s->log.bytes;
    dx_stream_fill_info(s, &row->info);
}

/* In its place; the last one leaves if there are enough. */
static void insert(dx_listing *l, const dx_stream *s, size_t at)
{
    dx_bytes path = dx_stream_path(s);
    dx_listed *row = malloc(sizeof *row + path.size);

    if (row == NULL) {
        l->is_out_of_memory = true;
        return;
    }
    row->path_size = path.size;
    dx_copy(row->path, path.at, path.size);
    fill(s, row);
    if (l->count == l->count_max)
        free(l->rows[--l->count]);
    memmove(&l->rows[at + 1], &l->rows[at], (l->count - at) * sizeof *l->rows);
    l->rows[at] = row;
    l->count++;
}

static void look(dx_map_node *node, void *listing)
{
    const dx_stream *s = DX_CONTAINER(node, dx_stream, node);
    dx_listing *l = listing;
    dx_bytes path = dx_stream_path(s);

    if (!s->is_made || s->is_deleted || !dx_bytes_starts(path, l->prefix) ||
        (l->after.size > 0 && compare(path, l->after) <= 0))
        return;
    size_t at = place_of(l, path);
    bool is_there = at < l->count && compare(path_of(l->rows[at]), path) == 0;
    if (at < l->count_max && !is_there)
        insert(l, s, at);
}

bool dx_hub_list(dx_hub *hub, dx_listing *l)
{
    if (l->rows == NULL && l->count_max > 0)
        l->rows = malloc((l->count_max + 1) * sizeof *l->rows);
    if (l->rows == NULL) {
        l->is_out_of_memory = l->count_max > 0;
        return true;
    }
    dx_map_walk(&hub->streams, &l->cursor, BUCKETS_AT_ONCE, look, l);
    return l->cursor == 0;
}

void dx_listing_release(dx_listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->rows[i]);
    free(l->rows);
    l->rows = NULL;
    l->count = 0;
}

bool dx_hub_find(dx_hub *hub, dx_bytes path, dx_listed *ret)
{
    const dx_stream *s = dx_home_find(hub, path);

    if (s == NULL || !s->is_made || s->is_deleted)
        return false;
    fill(s, ret);
    return true;
}
