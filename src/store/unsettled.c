/* What is committed but not yet settled.
 * SPDX-License-Identifier: MIT */
#include "store/unsettled.h"

#include "base/random.h"

#include <stdlib.h>

enum { MESSAGE_BYTES = 80, FACT_BYTES = 64 }; /* what one costs beside its own bytes */

void dx_unsettled_init(dx_unsettled *u)
{
    uint64_t seed[2];

    dx_random_fill(seed, sizeof seed);
    *u = (dx_unsettled){0};
    pthread_mutex_init(&u->lock, NULL);
    dx_map_init(&u->ids, seed);
    dx_map_init(&u->paths, seed);
    dx_list_init(&u->oldest);
    dx_list_init(&u->big);
}

dx_bytes dx_id_key(uint64_t id, uint8_t at[static 8])
{
    for (size_t i = 0; i < 8; i++)
        at[i] = (uint8_t)(id >> (8 * i));
    return dx_bytes_at(at, 8);
}

dx_pending *dx_unsettled_find(const dx_unsettled *u, uint64_t id)
{
    uint8_t key[8];
    dx_map_node *node = dx_map_find(&u->ids, dx_id_key(id, key));
    return node ? DX_CONTAINER(node, dx_pending, by_id) : NULL;
}

dx_pending *dx_unsettled_find_path(const dx_unsettled *u, dx_bytes path)
{
    dx_map_node *node = dx_map_find(&u->paths, path);
    return node ? DX_CONTAINER(node, dx_pending, by_path) : NULL;
}

/* ---- a stream's changes ---- */

static void facts_free(dx_pending_fact *facts)
{
    while (facts) {
        dx_pending_fact *next = facts->next;
        free(facts);
        facts = next;
    }
}

static void leave_paths(dx_unsettled *u, dx_pending *p)
{
    if (p->is_in_paths)
        dx_map_remove(&u->paths, &p->by_path);
    p->is_in_paths = false;
}

/* The messages and facts of a stream that is no more, or are settled. */
static void drop_contents(dx_pending *p)
{
    for (size_t i = 0; i < p->count; i++)
        dx_message_unref(p->messages[i]);
    facts_free(p->facts);
    p->facts = NULL, p->facts_end = &p->facts;
    p->facts_count = p->count = 0;
}

static void pending_free(dx_unsettled *u, dx_pending *p)
{
    leave_paths(u, p);
    dx_map_remove(&u->ids, &p->by_id);
    dx_list_remove(&p->link);
    dx_list_remove(&p->big_link);
    drop_contents(p);
    dx_buffer_clear(&p->record);
    free(p->messages);
    free(p->path);
    free(p);
}

static dx_pending *pending_new(dx_unsettled *u, uint64_t id)
{
    dx_pending *p = calloc(1, sizeof *p);

    if (p == NULL)
        return NULL;
    p->id = id;
    p->facts_end = &p->facts;
    dx_list_init(&p->link);
    dx_list_init(&p->big_link);
    p->by_id.key = dx_id_key(id, p->id_key);
    if (dx_map_insert(&u->ids, &p->by_id))
        return p;
    free(p);
    return NULL;
}

void dx_unsettled_forget(dx_unsettled *u, dx_pending *p)
{
    dx_assert(p->prepared == 0);
    u->bytes -= p->bytes;
    u->count--;
    u->forks_count -= p->is_created && p->source;
    pending_free(u, p);
}

void dx_unsettled_deinit(dx_unsettled *u)
{
    for (dx_map_node *node; (node = dx_map_next(&u->ids, NULL));)
        pending_free(u, DX_CONTAINER(node, dx_pending, by_id));
    dx_map_deinit(&u->ids);
    dx_map_deinit(&u->paths);
    pthread_mutex_destroy(&u->lock);
}

uint64_t dx_unsettled_journal(const dx_unsettled *u)
{
    if (dx_list_is_empty(&u->oldest))
        return UINT64_MAX;
    return DX_CONTAINER(u->oldest.next, dx_pending, link)->journal;
}

/* ---- prepare ---- */

static bool reserve_messages(dx_pending *p, size_t count)
{
    size_t need = p->count + p->reserved + count, capacity = dx_max_size(p->capacity, 4);

    while (capacity < need)
        capacity *= 2;
    if (capacity > p->capacity) {
        dx_message **messages = realloc(p->messages, capacity * sizeof *messages);
        if (messages == NULL)
            return false;
        p->messages = messages, p->capacity = capacity;
    }
    p->reserved += count;
    return true;
}

static bool copy_facts(dx_change *change, const dx_store_commit *commit)
{
    for (size_t i = 0; i < commit->facts_count; i++) {
        const dx_store_fact *from = &commit->facts[i];
        size_t size = from->key.size + from->value.size;
        dx_pending_fact *fact = malloc(sizeof *fact + size);
        if (fact == NULL)
            return false;
        fact->next = NULL;
        fact->until_ms = from->until_ms;
        fact->key_size = (uint32_t)from->key.size;
        fact->value_size = (uint32_t)from->value.size;
        dx_copy(fact->bytes, from->key.at, from->key.size);
        dx_copy(fact->bytes + from->key.size, from->value.at, from->value.size);
        *change->facts_end = fact;
        change->facts_end = &fact->next;
        change->facts_count++;
        change->facts_bytes += size + FACT_BYTES;
    }
    return true;
}

static bool take_path(dx_unsettled *u, dx_pending *p, dx_bytes path)
{
    p->path = malloc(path.size);
    if (p->path == NULL)
        return false;
    dx_copy(p->path, path.at, path.size);
    p->path_size = path.size;
    p->by_path.key = dx_bytes_at(p->path, path.size);
    p->is_in_paths = dx_map_insert(&u->paths, &p->by_path);
    return p->is_in_paths;
}

static bool prepare(dx_unsettled *u, const dx_store_commit *commit, dx_change *change)
{
    dx_pending *p = change->pending;

    if (commit->path.size && !take_path(u, p, commit->path))
        return false;
    change->makes = commit->path.size > 0;
    return copy_facts(change, commit) &&
           (commit->record.at == NULL || dx_buffer_append(&change->record, commit->record)) &&
           reserve_messages(p, commit->count);
}

dx_prepared dx_unsettled_prepare(dx_unsettled *u, const dx_store_commit *commit, dx_change *ret)
{
    dx_change *change = ret;

    *change = (dx_change){0};
    change->facts_end = &change->facts;
    if (commit->path.size && dx_unsettled_find_path(u, commit->path))
        return DX_PREPARE_LATER;
    pthread_mutex_lock(&u->lock);
    dx_pending *p = dx_unsettled_find(u, commit->id);
    change->pending = p ? p : pending_new(u, commit->id);
    bool is_done = false;
    if (change->pending) {
        change->pending->prepared++;
        is_done = prepare(u, commit, change);
        if (!is_done)
            change->pending->reserved += commit->count; /* as cancel expects */
    }
    pthread_mutex_unlock(&u->lock);
    if (is_done)
        return DX_PREPARED;
    if (change->pending)
        dx_unsettled_cancel(u, commit, change);
    return DX_PREPARE_MEMORY;
}

void dx_unsettled_cancel(dx_unsettled *u, const dx_store_commit *commit, dx_change *change)
{
    dx_pending *p = change->pending;

    facts_free(change->facts);
    dx_buffer_clear(&change->record);
    pthread_mutex_lock(&u->lock);
    p->reserved -= commit->count;
    p->prepared--;
    if (commit->path.size) { /* a stream that was to be made: nothing of it can be applied */
        leave_paths(u, p);
        free(p->path);
        p->path = NULL;
    }
    if (p->prepared == 0 && dx_list_is_empty(&p->link))
        pending_free(u, p);
    pthread_mutex_unlock(&u->lock);
}

/* ---- apply ---- */

static void apply_fate(dx_unsettled *u, const dx_store_commit *commit, dx_pending *p)
{
    if (commit->is_path_freed && commit->record.at == NULL) {
        p->is_path_freed = true;
        leave_paths(u, p);
    }
    if (commit->is_deleted) {
        p->is_deleted = true;
        leave_paths(u, p);
        drop_contents(p);
    }
}

static size_t apply_messages(const dx_store_commit *commit, dx_pending *p)
{
    size_t bytes = 0;

    for (size_t i = 0; i < commit->count; i++) {
        dx_assert(p->count == 0 ||
                  commit->messages[i]->sequence == p->messages[p->count - 1]->sequence + 1);
        p->messages[p->count++] = dx_message_ref(commit->messages[i]);
        bytes += commit->messages[i]->size + MESSAGE_BYTES;
    }
    p->reserved -= commit->count;
    return bytes;
}

static size_t apply_record(dx_change *change, const dx_store_commit *commit, dx_pending *p)
{
    if (commit->record.at == NULL)
        return 0;
    dx_buffer_clear(&p->record);
    p->record = change->record;
    change->record = (dx_buffer){0};
    p->has_record = true;
    return p->record.size;
}

void dx_unsettled_apply(dx_unsettled *u, const dx_store_commit *commit, dx_change *change,
                        uint64_t journal)
{
    dx_pending *p = change->pending;

    pthread_mutex_lock(&u->lock);
    size_t bytes = 0;
    if (dx_list_is_empty(&p->link)) {
        dx_list_append(&u->oldest, &p->link);
        p->journal = journal;
        bytes += sizeof *p;
        u->count++;
    }
    if (change->makes) {
        p->is_created = true;
        p->source = commit->source, p->source_tail = commit->source_tail;
        u->forks_count += p->source != 0;
    }
    bytes += apply_record(change, commit, p);
    if (change->facts) {
        *p->facts_end = change->facts;
        p->facts_end = change->facts_end;
        p->facts_count += change->facts_count;
        bytes += change->facts_bytes;
    }
    bytes += apply_messages(commit, p);
    if (commit->first > p->first)
        p->first = commit->first;
    apply_fate(u, commit, p);
    p->prepared--;
    p->bytes += bytes;
    u->bytes += bytes;
    if (p->bytes >= DX_PENDING_BIG && dx_list_is_empty(&p->big_link))
        dx_list_append(&u->big, &p->big_link);
    pthread_mutex_unlock(&u->lock);
}
