/* What an append must fulfil beyond its content: producers, idempotency keys, Stream-Seq, If-Match, rate.
 * Is:     the judgement and what is remembered for it, per stream and within bounds.
 * Is not: closing and types (stream_append.c); the store (facts are only made and read here).
 * Source: Durable Streams 1.0, Append and Idempotent Producers.
 * SPDX-License-Identifier: MIT */
#include "stream/stream_rules.h"

#include "base/assert.h"

#include <stdlib.h>

enum {
    KEY_MS = 300000,          /* an idempotency key is remembered so long */
    KEYS_BYTES_MAX = 8 << 20, /* of one stream; beyond, the oldest are forgotten earlier */
    PRODUCERS_BYTES_MAX = 1 << 20,
    PRODUCER_MS = 7 * 24 * 3600 * 1000, /* without a store: after so long unused it is forgotten */
};

/* ---- what is remembered ----------------------------------------------------------------------- */

static dx_stream_rules *rules_of(dx_stream *s)
{
    if (s->rules)
        return s->rules;
    dx_stream_rules *rules = calloc(1, sizeof *rules);

    if (rules == NULL)
        return NULL;
    dx_map_init(&rules->producers, s->hub->all->seed);
    dx_map_init(&rules->keys, s->hub->all->seed);
    dx_list_init(&rules->producers_used);
    dx_list_init(&rules->keys_made);
    dx_list_init(&rules->producers_dirty);
    dx_list_init(&rules->keys_dirty);
    return s->rules = rules;
}

static size_t producer_bytes(const dx_producer *p)
{
    return sizeof *p + p->node.key.size;
}

static size_t key_bytes(const dx_used_key *k)
{
    return sizeof *k + k->node.key.size;
}

static dx_producer *producer_new(dx_stream_rules *rules, dx_bytes id)
{
    dx_producer *p = calloc(1, sizeof *p + id.size);

    if (p == NULL)
        return NULL;
    dx_copy(p->id, id.at, id.size);
    p->node.key = dx_bytes_at(p->id, id.size);
    dx_list_init(&p->used);
    dx_list_init(&p->dirty);
    if (!dx_map_insert(&rules->producers, &p->node)) {
        free(p);
        return NULL;
    }
    rules->producers_bytes += producer_bytes(p);
    dx_list_append(&rules->producers_used, &p->used);
    return p;
}

/* `is_stored`: the store must forget it, too. */
static void producer_forget(dx_stream_rules *rules, dx_producer *p, bool is_stored)
{
    rules->producers_bytes -= producer_bytes(p);
    dx_map_remove(&rules->producers, &p->node);
    dx_list_remove(&p->used);
    dx_list_remove(&p->dirty);
    p->is_gone = is_stored;
    if (is_stored)
        dx_list_append(&rules->producers_dirty, &p->dirty);
    else
        free(p);
}

static dx_used_key *key_new(dx_stream_rules *rules, dx_bytes key)
{
    dx_used_key *k = calloc(1, sizeof *k + key.size);

    if (k == NULL)
        return NULL;
    dx_copy(k->key, key.at, key.size);
    k->node.key = dx_bytes_at(k->key, key.size);
    dx_list_init(&k->made);
    dx_list_init(&k->dirty);
    if (!dx_map_insert(&rules->keys, &k->node)) {
        free(k);
        return NULL;
    }
    rules->keys_bytes += key_bytes(k);
    dx_list_append(&rules->keys_made, &k->made);
    return k;
}

static void key_forget(dx_stream_rules *rules, dx_used_key *k)
{
    rules->keys_bytes -= key_bytes(k);
    dx_map_remove(&rules->keys, &k->node);
    dx_list_remove(&k->made);
    dx_list_remove(&k->dirty);
    free(k);
}

static dx_producer *producer_find(const dx_stream *s, dx_bytes id)
{
    dx_map_node *node = s->rules && id.size > 0 ? dx_map_find(&s->rules->producers, id) : NULL;
    return node ? DX_CONTAINER(node, dx_producer, node) : NULL;
}

static dx_used_key *key_find(const dx_stream *s, dx_bytes key)
{
    dx_map_node *node = s->rules && key.size > 0 ? dx_map_find(&s->rules->keys, key) : NULL;
    dx_used_key *k = node ? DX_CONTAINER(node, dx_used_key, node) : NULL;

    if (k && k->until_ms <= dx_home_wall_ms(s->hub)) {
        key_forget(s->rules, k);
        return NULL;
    }
    return k;
}

void dx_rules_free(dx_stream_rules *rules)
{
    if (rules == NULL)
        return;
    for (dx_list *l; (l = dx_list_take_first(&rules->producers_dirty)) != NULL;) {
        dx_producer *p = DX_CONTAINER(l, dx_producer, dirty);
        if (p->is_gone)
            free(p);
    }
    while (!dx_list_is_empty(&rules->producers_used))
        producer_forget(rules, DX_CONTAINER(rules->producers_used.next, dx_producer, used), false);
    while (!dx_list_is_empty(&rules->keys_made))
        key_forget(rules, DX_CONTAINER(rules->keys_made.next, dx_used_key, made));
    dx_map_deinit(&rules->producers);
    dx_map_deinit(&rules->keys);
    free(rules->sequence);
    free(rules);
}

static void forget_old(dx_stream *s)
{
    dx_stream_rules *rules = s->rules;
    uint64_t now_ms = dx_home_wall_ms(s->hub);

    while (!dx_list_is_empty(&rules->keys_made)) {
        dx_used_key *k = DX_CONTAINER(rules->keys_made.next, dx_used_key, made);
        if (k->until_ms > now_ms && rules->keys_bytes <= KEYS_BYTES_MAX)
            break;
        key_forget(rules, k);
    }
    while (!dx_list_is_empty(&rules->producers_used)) {
        dx_producer *p = DX_CONTAINER(rules->producers_used.next, dx_producer, used);
        bool is_old = s->kept == NULL && now_ms > p->used_ms && now_ms - p->used_ms > PRODUCER_MS;
        if (!is_old && rules->producers_bytes <= PRODUCERS_BYTES_MAX)
            break;
        producer_forget(rules, p, s->kept != NULL);
    }
}

void dx_rules_sweep(dx_stream *s)
{
    dx_stream_rules *rules = s->rules;

    if (rules == NULL)
        return;
    forget_old(s);
    if (rules->producers.count > 0 || rules->keys.count > 0 || rules->sequence_size > 0 ||
        !dx_list_is_empty(&rules->producers_dirty))
        return;
    dx_rules_free(rules);
    s->rules = NULL;
}

/* ---- judging ---------------------------------------------------------------------------------- */

/* Tells a key's own messages from others: no defence against one who seeks a collision, for he would only
 * fool himself. */
static uint64_t messages_hash(const dx_append *a)
{
    uint64_t seed[2] = {0x647570ull, a->count};

    for (size_t i = 0; i < a->count; i++)
        seed[0] = dx_siphash(seed, dx_message_payload(a->messages[i]));
    return seed[0];
}

static bool find_key(dx_stream *s, dx_append *a, dx_stream_status *ret)
{
    const dx_used_key *k = key_find(s, a->rules->key);

    if (k == NULL)
        return false;
    *ret = k->hash == messages_hash(a) ? DX_STREAM_OK : DX_STREAM_KEY_REUSED;
    a->rules->is_duplicate = *ret == DX_STREAM_OK;
    a->next = k->next;
    return true;
}

bool dx_rules_find_duplicate(dx_stream *s, dx_append *a, dx_stream_status *ret)
{
    dx_append_rules *r = a->rules;
    const dx_producer *p = producer_find(s, r->producer);

    if (p) {
        r->answer_epoch = p->epoch;
        r->answer_sequence = p->sequence;
    }
    if (p && r->producer_epoch < p->epoch) {
        *ret = DX_STREAM_PRODUCER_STALE;
        return true;
    }
    if (p && r->producer_epoch == p->epoch && r->producer_sequence <= p->sequence) {
        r->is_duplicate = true;
        a->next = dx_stream_offset(s, dx_stream_judged_tail(s));
        *ret = DX_STREAM_OK;
        return true;
    }
    return find_key(s, a, ret);
}

static dx_stream_status check_producer(const dx_stream *s, dx_append_rules *r)
{
    const dx_producer *p = producer_find(s, r->producer);
    uint64_t expected = p && r->producer_epoch == p->epoch ? p->sequence + 1 : 0;

    if (r->producer.size == 0 || r->producer_sequence == expected)
        return DX_STREAM_OK;
    if (p && r->producer_epoch > p->epoch)
        return DX_STREAM_PRODUCER_START;
    r->answer_epoch = r->producer_epoch;
    r->answer_sequence = expected;
    return DX_STREAM_PRODUCER_GAP;
}

static int compare(dx_bytes a, dx_bytes b)
{
    size_t common = dx_min_size(a.size, b.size);
    int order = common > 0 ? memcmp(a.at, b.at, common) : 0;

    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static dx_stream_status check_wishes(dx_stream *s, dx_append *a)
{
    const dx_append_rules *r = a->rules;
    dx_offset tail = dx_stream_offset(s, dx_stream_judged_tail(s));
    bool is_at_start = r->expected.epoch == 0 && r->expected.sequence == 0 && tail.sequence == 0;

    if (r->sequence.size > 0 && s->rules && s->rules->sequence_size > 0 &&
        compare(r->sequence, dx_bytes_at(s->rules->sequence, s->rules->sequence_size)) <= 0)
        return DX_STREAM_SEQUENCE;
    if (r->has_expected && dx_offset_compare(r->expected, tail) != 0 && !is_at_start) {
        a->next = tail;
        return DX_STREAM_MISMATCH;
    }
    return DX_STREAM_OK;
}

/* A bucket of one second, kept as the time when it will be full again. What is larger than the bucket is
 * taken when that is full, so that nothing is refused for ever. */
static dx_stream_status check_rate(dx_stream *s, dx_append *a)
{
    uint64_t second = 1000000000, now = dx_loop_now_ns(s->hub->loop);
    uint64_t full_at = s->rate_at_ns > now ? s->rate_at_ns : now;
    uint64_t cost = a->count * second / s->ns->append_rate_max;

    if (full_at > now && full_at - now + cost > second) {
        uint64_t wait = full_at - now + (cost < second ? cost : second) - second;
        a->retry_ms = (uint32_t)(wait / 1000000 + 1);
        return DX_STREAM_RATE;
    }
    s->rate_at_ns = full_at + cost;
    return DX_STREAM_OK;
}

dx_stream_status dx_rules_check(dx_stream *s, dx_append *a)
{
    dx_stream_status status = a->rules ? check_producer(s, a->rules) : DX_STREAM_OK;

    if (status == DX_STREAM_OK && a->rules)
        status = check_wishes(s, a);
    if (status == DX_STREAM_OK && s->ns->append_rate_max > 0)
        status = check_rate(s, a);
    return status;
}

/* ---- accepting -------------------------------------------------------------------------------- */

static void plan_drop(dx_stream *s, dx_rules_plan *plan)
{
    if (plan->producer && plan->is_new_producer)
        producer_forget(s->rules, plan->producer, false);
    if (plan->key)
        key_forget(s->rules, plan->key);
    free(plan->sequence);
}

static bool make_plan(dx_stream *s, const dx_append_rules *r, dx_rules_plan *p)
{
    if (r->producer.size > 0) {
        p->producer = producer_find(s, r->producer);
        p->is_new_producer = p->producer == NULL;
        if (p->is_new_producer && (p->producer = producer_new(s->rules, r->producer)) == NULL)
            return false;
    }
    if (r->key.size > 0 && (p->key = key_new(s->rules, r->key)) == NULL)
        return false;
    return r->sequence.size == 0 || (p->sequence = malloc(r->sequence.size)) != NULL;
}

bool dx_rules_reserve(dx_stream *s, const dx_append *a, dx_rules_plan *ret)
{
    const dx_append_rules *r = a->rules;

    *ret = (dx_rules_plan){0};
    if (r == NULL || r->producer.size + r->key.size + r->sequence.size == 0)
        return true;
    if (rules_of(s) == NULL)
        return false;
    if (r->key.size > 0)
        ret->key_hash = messages_hash(a);
    if (make_plan(s, r, ret))
        return true;
    plan_drop(s, ret);
    *ret = (dx_rules_plan){0};
    return false;
}

static void accept_producer(dx_stream *s, dx_append_rules *r, dx_producer *p)
{
    dx_stream_rules *rules = s->rules;

    p->epoch = r->answer_epoch = r->producer_epoch;
    p->sequence = r->answer_sequence = r->producer_sequence;
    p->used_ms = dx_home_wall_ms(s->hub);
    dx_list_remove(&p->used);
    dx_list_append(&rules->producers_used, &p->used);
    dx_list_remove(&p->dirty);
    if (s->kept)
        dx_list_append(&rules->producers_dirty, &p->dirty);
}

void dx_rules_accept(dx_stream *s, dx_append *a, dx_rules_plan *accepted)
{
    dx_append_rules *r = a->rules;
    dx_stream_rules *rules = s->rules;

    if (accepted->producer)
        accept_producer(s, r, accepted->producer);
    if (accepted->key) {
        accepted->key->hash = accepted->key_hash;
        accepted->key->next = a->next;
        accepted->key->until_ms = dx_home_wall_ms(s->hub) + KEY_MS;
        if (s->kept)
            dx_list_append(&rules->keys_dirty, &accepted->key->dirty);
    }
    if (accepted->sequence) {
        memcpy(accepted->sequence, r->sequence.at, r->sequence.size);
        free(rules->sequence);
        rules->sequence = accepted->sequence;
        rules->sequence_size = r->sequence.size;
        rules->is_sequence_dirty = s->kept != NULL;
    }
    if (accepted->producer || accepted->key)
        forget_old(s);
}

/* ---- reading back ----------------------------------------------------------------------------- */

dx_producer *dx_rules_add_producer(dx_stream *s, dx_bytes id)
{
    dx_producer *p = producer_find(s, id);
    return p ? p : rules_of(s) ? producer_new(s->rules, id) : NULL;
}

dx_used_key *dx_rules_add_key(dx_stream *s, dx_bytes key)
{
    dx_map_node *node = s->rules ? dx_map_find(&s->rules->keys, key) : NULL;

    if (node)
        return DX_CONTAINER(node, dx_used_key, node);
    return rules_of(s) ? key_new(s->rules, key) : NULL;
}

bool dx_rules_set_sequence(dx_stream *s, dx_bytes sequence)
{
    char *copy = rules_of(s) ? malloc(sequence.size + 1) : NULL;

    if (copy == NULL)
        return false;
    dx_copy(copy, sequence.at, sequence.size);
    free(s->rules->sequence);
    s->rules->sequence = copy;
    s->rules->sequence_size = sequence.size;
    return true;
}
