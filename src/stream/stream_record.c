/* The record of a stream as the store keeps it, and its facts: small, versioned, read as if a stranger had
 * written them. All numbers are big-endian.
 * SPDX-License-Identifier: MIT */
#include "stream/record.h"
#include "stream/stream_store.h"

#include "base/assert.h"
#include "base/mutant.h"

#include <stdlib.h>

enum { VERSION = 1 };

/* Bits of the record. */
enum {
    IS_CLOSED = 1,
    IS_DELETED = 2,
    IS_FORK = 4,
    WAS_AT_TAIL = 8,
    HAS_LIFETIME = 16, /* a fork's own */
    IS_KEPT = 32,      /* its source is in the store, too */
    BITS_ALL = 63,
};

/* ---- writing ---------------------------------------------------------------------------------- */

static uint8_t *put_number(uint8_t *to, uint64_t number, unsigned size)
{
    for (unsigned i = size; i-- > 0; number >>= 8)
        to[i] = (uint8_t)number;
    return to + size;
}

static uint8_t *put_bytes(uint8_t *to, const void *from, size_t size)
{
    dx_copy(to, from, size);
    return to + size;
}

static uint8_t bits_of(const dx_stream *s, bool is_deleted)
{
    const dx_fork *f = s->fork;
    int bits = (dx_stream_judged_closed(s) ? IS_CLOSED : 0) | (is_deleted ? IS_DELETED : 0);

    if (f)
        bits |= IS_FORK | (f->was_at_tail ? WAS_AT_TAIL : 0) |
                (f->has_lifetime ? HAS_LIFETIME : 0) | (f->is_kept ? IS_KEPT : 0);
    return (uint8_t)bits;
}

static uint8_t *put_lifetime(uint8_t *to, const dx_lifetime *lifetime, bool is_deleted)
{
    to = put_number(to, is_deleted ? DX_LIFETIME_FOR_EVER : lifetime->kind, 1);
    to = put_number(to, lifetime->idle_s, 8);
    return put_number(to, lifetime->until_ms, 8);
}

static uint8_t *put_fork(uint8_t *to, const dx_fork *f)
{
    to = put_number(to, f->source_identity, 8);
    to = put_number(to, f->source_id, 8);
    to = put_number(to, f->at.epoch, 8);
    to = put_number(to, f->at.sequence, 8);
    to = put_number(to, f->more, 8);
    to = put_number(to, f->source_size, 2);
    return put_bytes(to, f->source, f->source_size);
}

uint8_t *dx_record_write(const dx_stream *s, bool is_deleted, size_t *size)
{
    const dx_epochs *e = &s->epochs;
    size_t fork_size = s->fork ? 42 + (size_t)s->fork->source_size : 0;
    size_t bound =
        3 + 8 + 17 + 1 + (size_t)s->type_size + 4 + 16 * ((size_t)e->older_count + 1) + fork_size;
    uint8_t *record = malloc(bound), *to = record;

    if (record == NULL)
        return NULL;
    to = put_number(to, VERSION, 1);
    to = put_number(to, bits_of(s, is_deleted), 1);
    to = put_number(to, s->kind, 1);
    to = put_number(to, s->identity, 8);
    to = put_lifetime(to, &s->lifetime, is_deleted);
    to = put_number(to, s->type_size, 1);
    to = put_bytes(to, s->type, s->type_size);
    to = put_number(to, e->older_count, 4);
    for (uint32_t i = 0; i <= e->older_count; i++) {
        const dx_epoch_run *run = i < e->older_count ? &e->older[i] : &e->own;
        to = put_number(to, run->epoch, 8);
        to = put_number(to, run->from, 8);
    }
    if (s->fork)
        to = put_fork(to, s->fork);
    dx_assert((size_t)(to - record) == bound);
    *size = bound;
    return record;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static bool get_u32(dx_bytes *in, uint32_t *ret)
{
    uint16_t high, low;

    if (in->size < 4 || !dx_bytes_u16(in, &high) || !dx_bytes_u16(in, &low))
        return false;
    *ret = (uint32_t)high << 16 | low;
    return true;
}

typedef struct record {
    uint8_t version, bits, kind, lifetime, type_size;
    uint64_t identity, idle_s, until_ms;
    dx_bytes type, runs;
    uint32_t older_count;
    uint64_t fork[5]; /* source identity and id, at, more */
    uint16_t source_size;
    dx_bytes source;
} record;

static bool read_fork(dx_bytes *in, record *r)
{
    for (int i = 0; i < 5; i++)
        if (!dx_bytes_u64(in, &r->fork[i]))
            return false;
    return dx_bytes_u16(in, &r->source_size) && r->source_size <= DX_PATH_BYTES_MAX &&
           dx_bytes_take(in, r->source_size, &r->source);
}

static bool read_all(dx_bytes in, record *r)
{
    if (!dx_bytes_u8(&in, &r->version) || r->version != VERSION || !dx_bytes_u8(&in, &r->bits) ||
        (r->bits & ~BITS_ALL) || !dx_bytes_u8(&in, &r->kind) || r->kind > DX_STREAM_BINARY ||
        !dx_bytes_u64(&in, &r->identity) || r->identity == 0)
        return false;
    if (!dx_bytes_u8(&in, &r->lifetime) || r->lifetime > DX_LIFETIME_UNTIL ||
        !dx_bytes_u64(&in, &r->idle_s) || !dx_bytes_u64(&in, &r->until_ms))
        return false;
    if (!dx_bytes_u8(&in, &r->type_size) || !dx_bytes_take(&in, r->type_size, &r->type) ||
        !get_u32(&in, &r->older_count) || r->older_count >= DX_EPOCH_RUNS_MAX ||
        !dx_bytes_take(&in, 16 * ((size_t)r->older_count + 1), &r->runs))
        return false;
    if (r->bits & IS_FORK ? !read_fork(&in, r)
                          : (r->bits & (WAS_AT_TAIL | HAS_LIFETIME | IS_KEPT)) != 0)
        return false;
    return in.size == 0 && (!(r->bits & IS_DELETED) || r->lifetime == DX_LIFETIME_FOR_EVER);
}

/* Epochs and places rise, and something is known of the beginning. */
static bool read_runs(dx_bytes in, uint32_t older_count, dx_epochs *e)
{
    dx_epoch_run before = {0};

    for (uint32_t i = 0; i <= older_count; i++) {
        dx_epoch_run *run = i < older_count ? &e->older[i] : &e->own;
        bool is_read = dx_bytes_u64(&in, &run->epoch) && dx_bytes_u64(&in, &run->from);
        bool is_risen =
            i == 0 ? run->from == 0 : run->epoch > before.epoch && run->from > before.from;
        if (!is_read || !is_risen)
            return false;
        before = *run;
    }
    return true;
}

static dx_fork *fork_of(const record *r)
{
    dx_fork *f = calloc(1, sizeof *f + r->source_size);

    if (f == NULL)
        return NULL;
    f->source_identity = r->fork[0];
    f->source_id = r->fork[1];
    f->at = (dx_offset){r->fork[2], r->fork[3]};
    f->more = r->fork[4];
    f->was_at_tail = r->bits & WAS_AT_TAIL;
    f->has_lifetime = r->bits & HAS_LIFETIME;
    f->is_kept = r->bits & IS_KEPT;
    f->source_size = r->source_size;
    dx_copy(f->source, r->source.at, r->source_size);
    return f;
}

static dx_record_status fill(dx_stream *s, const record *r)
{
    dx_epochs *e = &s->epochs;

    if (r->older_count > 0) {
        e->older = calloc(r->older_count, sizeof *e->older);
        if (e->older == NULL)
            return DX_RECORD_MEMORY;
        e->older_count = r->older_count;
    }
    if (!read_runs(r->runs, r->older_count, e))
        return DX_RECORD_BAD;
    if (r->type_size > 0 && dx_stream_set_type(s, r->type, (dx_stream_kind)r->kind) != DX_STREAM_OK)
        return DX_RECORD_MEMORY;
    if (r->bits & IS_FORK && (s->fork = fork_of(r)) == NULL)
        return DX_RECORD_MEMORY;
    s->kind = (dx_stream_kind)r->kind;
    s->identity = r->identity;
    s->lifetime = (dx_lifetime){(dx_lifetime_kind)r->lifetime, r->idle_s, r->until_ms};
    s->is_closed = r->bits & IS_CLOSED;
    s->is_deleted = r->bits & IS_DELETED;
    return DX_RECORD_OK;
}

dx_record_status dx_record_read(dx_stream *s, dx_bytes in)
{
    record r = {0};

    return read_all(in, &r) ? fill(s, &r) : DX_RECORD_BAD;
}

/* ---- for others ------------------------------------------------------------------------------- */

dx_offset dx_record_run(const dx_record_view *view, uint32_t index)
{
    dx_bytes in = dx_bytes_at(view->runs.at + 16 * (size_t)index, 16);
    dx_offset run = {0};

    dx_assert(index < view->runs_count);
    (void)(dx_bytes_u64(&in, &run.epoch) && dx_bytes_u64(&in, &run.sequence));
    return run;
}

bool dx_record_add_run(dx_buffer *runs, dx_offset run)
{
    uint8_t bytes[16];

    put_number(put_number(bytes, run.epoch, 8), run.sequence, 8);
    return dx_buffer_append(runs, dx_bytes_at(bytes, sizeof bytes));
}

bool dx_record_view_read(dx_bytes in, dx_record_view *ret)
{
    record r = {0};

    if (!read_all(in, &r))
        return false;
    *ret = (dx_record_view){
        .identity = r.identity,
        .lifetime = {(dx_lifetime_kind)r.lifetime, r.idle_s, r.until_ms},
        .kind = (dx_stream_kind)r.kind,
        .is_closed = r.bits & IS_CLOSED,
        .is_deleted = r.bits & IS_DELETED,
        .type = r.type,
        .runs = r.runs,
        .runs_count = r.older_count + 1,
    };
    return true;
}

bool dx_record_view_write(const dx_record_view *view, dx_buffer *to)
{
    uint8_t head[3 + 8 + 17 + 1 + DX_TYPE_BYTES_MAX + 4], *at = head;

    dx_assert(view->type.size <= DX_TYPE_BYTES_MAX && view->runs_count > 0 &&
              view->runs.size == 16 * (size_t)view->runs_count);
    at = put_number(at, VERSION, 1);
    at = put_number(at, view->is_closed ? IS_CLOSED : 0, 1);
    at = put_number(at, view->kind, 1);
    at = put_number(at, view->identity, 8);
    at = put_lifetime(at, &view->lifetime, false);
    at = put_number(at, view->type.size, 1);
    at = put_bytes(at, view->type.at, view->type.size);
    at = put_number(at, view->runs_count - 1, 4);
    return dx_buffer_append(to, dx_bytes_at(head, (size_t)(at - head))) &&
           dx_buffer_append(to, view->runs);
}

/* ---- facts ------------------------------------------------------------------------------------ */

static bool reserve_bytes(dx_facts *f, size_t more)
{
    size_t room = f->room ? f->room : 256;

    while (room < f->size + more)
        room *= 2;
    if (room == f->room)
        return true;
    uint8_t *bytes = realloc(f->bytes, room);
    if (bytes == NULL)
        return false;
    f->bytes = bytes;
    f->room = room;
    return true;
}

bool dx_facts_add(dx_facts *f, uint8_t kind, dx_bytes name, dx_bytes value)
{
    if (f->count == f->capacity) {
        size_t capacity = f->capacity ? 2 * f->capacity : 4;
        dx_store_fact *at = realloc(f->at, capacity * sizeof *at);
        if (at == NULL)
            return false;
        f->at = at;
        f->capacity = capacity;
    }
    if (!reserve_bytes(f, 1 + name.size + value.size))
        return false;
    uint8_t *to = f->bytes + f->size;
    *to = kind;
    put_bytes(put_bytes(to + 1, name.at, name.size), value.at, value.size);
    f->size += 1 + name.size + value.size;
    f->at[f->count++] = (dx_store_fact){.key.size = 1 + name.size, .value.size = value.size};
    return true;
}

bool dx_facts_add_number(dx_facts *f, uint8_t kind, uint64_t number)
{
    uint8_t value[8];

    put_number(value, number, 8);
    return dx_facts_add(f, kind, (dx_bytes){0}, dx_bytes_at(value, 8));
}

void dx_facts_finish(dx_facts *f)
{
    const uint8_t *at = f->bytes;

    for (size_t i = 0; i < f->count; i++) {
        f->at[i].key.at = at;
        f->at[i].value.at = at + f->at[i].key.size;
        at += f->at[i].key.size + f->at[i].value.size;
    }
}

void dx_facts_deinit(dx_facts *f)
{
    free(f->at);
    free(f->bytes);
    *f = (dx_facts){0};
}

static bool write_three(dx_facts *f, uint8_t kind, dx_bytes name, const uint64_t numbers[3])
{
    uint8_t value[24];

    for (unsigned i = 0; i < 3; i++)
        put_number(value + 8 * i, numbers[i], 8);
    return dx_facts_add(f, kind, name, dx_bytes_at(value, sizeof value));
}

static bool write_producers(dx_stream_rules *rules, dx_facts *f)
{
    for (dx_list *l; !dx_list_is_empty(&rules->producers_dirty);) {
        l = rules->producers_dirty.next;
        dx_producer *p = DX_CONTAINER(l, dx_producer, dirty);
        bool is_added = p->is_gone ? dx_facts_add(f, DX_FACT_PRODUCER, p->node.key, (dx_bytes){0})
                                   : write_three(f, DX_FACT_PRODUCER, p->node.key,
                                                 (uint64_t[]){p->epoch, p->sequence, p->used_ms});
        if (!is_added)
            return false;
        f->count -= DX_MUTANT("producer_in_memory_only");
        dx_list_remove(l);
        if (p->is_gone)
            free(p);
    }
    return true;
}

static bool write_keys(dx_stream_rules *rules, dx_facts *f)
{
    while (!dx_list_is_empty(&rules->keys_dirty)) {
        dx_used_key *k = DX_CONTAINER(rules->keys_dirty.next, dx_used_key, dirty);
        if (!write_three(f, DX_FACT_KEY, k->node.key,
                         (uint64_t[]){k->hash, k->next.epoch, k->next.sequence}))
            return false;
        f->at[f->count - 1].until_ms = k->until_ms;
        f->count -= DX_MUTANT("key_in_memory_only");
        dx_list_remove(&k->dirty);
    }
    return true;
}

bool dx_rules_write_facts(dx_stream *s, dx_facts *f)
{
    dx_stream_rules *rules = s->rules;

    if (rules == NULL)
        return true;
    if (!write_producers(rules, f) || !write_keys(rules, f))
        return false;
    if (rules->is_sequence_dirty &&
        !dx_facts_add(f, DX_FACT_SEQUENCE, (dx_bytes){0},
                      dx_bytes_at(rules->sequence, rules->sequence_size)))
        return false;
    rules->is_sequence_dirty = false;
    return true;
}

static bool read_three(dx_bytes value, uint64_t ret[3])
{
    return value.size == 24 && dx_bytes_u64(&value, &ret[0]) && dx_bytes_u64(&value, &ret[1]) &&
           dx_bytes_u64(&value, &ret[2]);
}

dx_fact_view dx_fact_view_read(const dx_store_fact *fact)
{
    dx_bytes name = fact->key, value = fact->value;
    dx_fact_view view = {.until_ms = fact->until_ms};
    uint8_t kind = 0;

    if (!dx_bytes_u8(&name, &kind))
        return view;
    view.name = name;
    if (kind == DX_FACT_PRODUCER && read_three(value, view.numbers))
        view.kind = DX_FACT_IS_PRODUCER;
    else if (kind == DX_FACT_KEY && read_three(value, view.numbers))
        view.kind = DX_FACT_IS_KEY;
    else if (kind == DX_FACT_USED && dx_bytes_u64(&value, &view.numbers[0]))
        view.kind = DX_FACT_IS_USED;
    else if (kind == DX_FACT_BYTES && dx_bytes_u64(&value, &view.numbers[0]))
        view.kind = DX_FACT_IS_BYTES;
    else if (kind == DX_FACT_SEQUENCE)
        view.kind = DX_FACT_IS_SEQUENCE, view.name = value;
    return view;
}

bool dx_fact_view_write(const dx_fact_view *view, dx_buffer *to, dx_store_fact *ret)
{
    static const char kinds[] = {
        [DX_FACT_IS_OTHER] = 0,           [DX_FACT_IS_PRODUCER] = DX_FACT_PRODUCER,
        [DX_FACT_IS_KEY] = DX_FACT_KEY,   [DX_FACT_IS_SEQUENCE] = DX_FACT_SEQUENCE,
        [DX_FACT_IS_USED] = DX_FACT_USED, [DX_FACT_IS_BYTES] = DX_FACT_BYTES,
    };
    bool is_named = view->kind == DX_FACT_IS_PRODUCER || view->kind == DX_FACT_IS_KEY;
    bool is_number = view->kind == DX_FACT_IS_USED || view->kind == DX_FACT_IS_BYTES;
    uint8_t value[24];
    dx_bytes key = is_named ? view->name : (dx_bytes){0};
    dx_bytes all = dx_bytes_at(value, is_number ? 8 : sizeof value);

    dx_assert(view->kind != DX_FACT_IS_OTHER);
    for (unsigned i = 0; i < 3; i++)
        put_number(value + 8 * i, view->numbers[i], 8);
    if (view->kind == DX_FACT_IS_SEQUENCE)
        all = view->name;
    *ret = (dx_store_fact){
        .key.size = 1 + key.size, .value.size = all.size, .until_ms = view->until_ms};
    return dx_buffer_append(to, dx_bytes_at(&kinds[view->kind], 1)) && dx_buffer_append(to, key) &&
           dx_buffer_append(to, all);
}

static bool read_producer(dx_stream *s, dx_bytes id, const uint64_t n[3])
{
    dx_producer *p = dx_rules_add_producer(s, id);

    if (p == NULL)
        return false;
    p->epoch = n[0];
    p->sequence = n[1];
    p->used_ms = n[2];
    return true;
}

static bool read_key(dx_stream *s, dx_bytes key, const uint64_t n[3], uint64_t until_ms)
{
    if (until_ms <= dx_home_wall_ms(s->hub))
        return true;
    dx_used_key *k = dx_rules_add_key(s, key);
    if (k == NULL)
        return false;
    k->hash = n[0];
    k->next = (dx_offset){n[1], n[2]};
    k->until_ms = until_ms;
    return true;
}

bool dx_rules_read_fact(dx_stream *s, const dx_store_fact *fact)
{
    dx_bytes name = fact->key, value = fact->value;
    uint64_t three[3];
    uint8_t kind;

    if (!dx_bytes_u8(&name, &kind))
        return true;
    switch (kind) {
    case DX_FACT_PRODUCER: return !read_three(value, three) || read_producer(s, name, three);
    case DX_FACT_KEY: return !read_three(value, three) || read_key(s, name, three, fact->until_ms);
    case DX_FACT_SEQUENCE: return dx_rules_set_sequence(s, value);
    case DX_FACT_BYTES: (void)dx_bytes_u64(&value, &s->kept->bytes); return true;
    case DX_FACT_USED:
        if (dx_bytes_u64(&value, &s->used_ms))
            s->kept->used_saved_ms = s->used_ms;
        return true;
    }
    return true; /* of a later version */
}
