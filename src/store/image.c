/* What a store holds as one sees it: loading streams. Reading messages is in image_read.c.
 * SPDX-License-Identifier: MIT */
#include "store/image.h"

#include "base/clock.h"
#include "base/mutant.h"

#include <stdlib.h>

/* A fact under way: places in the block of bytes, which may still move. */
typedef struct found_fact {
    size_t key_at, key_size, value_at, value_size, index;
    uint64_t until_ms;
    const uint8_t *bytes; /* the block, once it stays where it is */
} found_fact;

typedef struct found_facts {
    found_fact *at;
    size_t count, capacity;
    dx_buffer bytes;
} found_facts;

static bool facts_add(found_facts *to, dx_bytes key, dx_bytes value, uint64_t until_ms)
{
    if (to->count == to->capacity) {
        size_t capacity = to->capacity ? to->capacity * 2 : 16;
        found_fact *at = realloc(to->at, capacity * sizeof *at);
        if (at == NULL)
            return false;
        to->at = at, to->capacity = capacity;
    }
    found_fact fact = {to->bytes.size, key.size, to->bytes.size + key.size, value.size, to->count,
                       until_ms,       NULL};
    if (!dx_buffer_append(&to->bytes, key) || !dx_buffer_append(&to->bytes, value))
        return false;
    to->at[to->count++] = fact;
    return true;
}

static void found_free(found_facts *facts)
{
    free(facts->at);
    dx_buffer_clear(&facts->bytes);
}

/* By key, and those of one key in the order they came. */
static int fact_compare(const void *left, const void *right)
{
    const found_fact *a = left, *b = right;
    int order =
        memcmp(a->bytes + a->key_at, b->bytes + b->key_at, dx_min_size(a->key_size, b->key_size));

    if (order != 0)
        return order;
    if (a->key_size != b->key_size)
        return a->key_size < b->key_size ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

static bool is_same_key(const found_fact *a, const found_fact *b)
{
    return dx_bytes_equal(dx_bytes_at(a->bytes + a->key_at, a->key_size),
                          dx_bytes_at(b->bytes + b->key_at, b->key_size));
}

/* The last of each key counts; one without a value, or that is over, does not. */
static bool facts_finish(found_facts *from, bool has_changes, dx_facts *ret)
{
    uint64_t now_ms = dx_clock_wall_ms();
    dx_store_fact *at = malloc((from->count + 1) * sizeof *at);
    size_t count = 0;

    if (at == NULL)
        return false;
    for (size_t i = 0; i < from->count; i++)
        from->at[i].bytes = from->bytes.at;
    if (has_changes)
        qsort(from->at, from->count, sizeof *from->at, fact_compare);
    for (size_t i = 0; i < from->count; i++) {
        const found_fact *f = &from->at[i];
        if (has_changes && i + 1 < from->count && is_same_key(f, f + 1))
            continue;
        if (f->value_size == 0 || (f->until_ms != 0 && f->until_ms <= now_ms))
            continue;
        at[count++] =
            (dx_store_fact){dx_bytes_at(f->bytes + f->key_at, f->key_size),
                            dx_bytes_at(f->bytes + f->value_at, f->value_size), f->until_ms};
    }
    free(from->at);
    *ret = (dx_facts){at, count, from->bytes};
    *from = (found_facts){0};
    return true;
}

void dx_facts_free(dx_facts *facts)
{
    free(facts->at);
    dx_buffer_clear(&facts->bytes);
    *facts = (dx_facts){0};
}

/* ---- the parts of a stream ---- */

/* What is known of a stream while it is loaded. */
typedef struct loading {
    dx_image *image;
    uint64_t id, first, tail;
    uint32_t forks_count;
    bool is_by_id;
    bool is_created, is_gone, has_record;
    dx_buffer record;
    found_facts settled, changed;
} loading;

/* The unsettled changes; under the lock. */
static bool take_changes(loading *l, const dx_pending *p)
{
    l->is_created = p->is_created;
    l->is_gone = p->is_deleted || (p->is_path_freed && !l->is_by_id);
    l->first = p->first;
    l->tail = p->count ? p->messages[p->count - 1]->sequence : p->is_created ? p->source_tail : 0;
    l->has_record = p->has_record;
    if (p->has_record && !dx_buffer_append(&l->record, dx_buffer_view(&p->record)))
        return false;
    for (const dx_pending_fact *f = p->facts; f; f = f->next)
        if (!facts_add(&l->changed, dx_pending_fact_key(f), dx_pending_fact_value(f), f->until_ms))
            return false;
    return true;
}

static void raise(uint64_t *to, uint64_t value)
{
    if (value > *to)
        *to = value;
}

/* The row. NOT_FOUND if there is none. */
static dx_store_status take_row(loading *l)
{
    dx_db *db = l->image->db;
    sqlite3_stmt *s = dx_db_statement(db, DX_SQL_STREAM_GET);
    dx_store_status status = DX_STORE_NOT_FOUND;

    if (s == NULL)
        return dx_db_status(sqlite3_extended_errcode(db->handle));
    dx_bind_u64(s, 1, l->id);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        raise(&l->first, dx_column_u64(s, 2));
        raise(&l->tail, dx_max_size(dx_column_u64(s, 1), dx_column_u64(s, 3)));
        l->is_gone = sqlite3_column_int(s, 4) != 0;
        bool is_whole = l->has_record || dx_buffer_append(&l->record, dx_column_bytes(s, 5));
        status = l->is_gone ? DX_STORE_NOT_FOUND : is_whole ? DX_STORE_OK : DX_STORE_MEMORY;
    } else if (code != SQLITE_DONE) {
        status = dx_db_status(code);
    }
    sqlite3_reset(s);
    return status;
}

static dx_store_status take_facts(loading *l)
{
    dx_db *db = l->image->db;
    sqlite3_stmt *s = dx_db_statement(db, DX_SQL_FACTS);
    bool has_memory = true;
    int code = SQLITE_DONE;

    if (s == NULL)
        return dx_db_status(sqlite3_extended_errcode(db->handle));
    dx_bind_u64(s, 1, l->id);
    while (has_memory && (code = sqlite3_step(s)) == SQLITE_ROW) {
        dx_bytes key = dx_column_bytes(s, 0), value = dx_column_bytes(s, 1);
        has_memory = facts_add(&l->settled, key, value, dx_column_u64(s, 2));
    }
    sqlite3_reset(s);
    if (!has_memory)
        return DX_STORE_MEMORY;
    return code == SQLITE_DONE ? DX_STORE_OK : dx_db_status(code);
}

static dx_store_status take_tail(loading *l)
{
    dx_db *db = l->image->db;
    sqlite3_stmt *s = dx_db_statement(db, DX_SQL_RUN_LAST);

    if (s == NULL)
        return dx_db_status(sqlite3_extended_errcode(db->handle));
    dx_bind_u64(s, 1, l->id);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        raise(&l->tail, dx_column_u64(s, 1) + dx_column_u64(s, 2) - 1);
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? DX_STORE_OK : dx_db_status(code);
}

/* ---- the whole ---- */

static dx_store_status find_by_path(dx_image *image, dx_bytes path, uint64_t *ret)
{
    pthread_mutex_lock(&image->unsettled->lock);
    const dx_pending *p = dx_unsettled_find_path(image->unsettled, path);
    bool is_made = p && p->is_created;
    if (is_made)
        *ret = p->id;
    pthread_mutex_unlock(&image->unsettled->lock);
    if (is_made)
        return DX_STORE_OK;

    sqlite3_stmt *s = dx_db_statement(image->db, DX_SQL_STREAM_FIND);
    if (s == NULL)
        return dx_db_status(sqlite3_extended_errcode(image->db->handle));
    dx_bind_bytes(s, 1, path);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        *ret = dx_column_u64(s, 0);
    sqlite3_reset(s);
    if (code == SQLITE_ROW)
        return DX_STORE_OK;
    return code == SQLITE_DONE ? DX_STORE_NOT_FOUND : dx_db_status(code);
}

static dx_store_status load_parts(loading *l)
{
    dx_unsettled *u = l->image->unsettled;
    bool has_memory = true;

    pthread_mutex_lock(&u->lock);
    const dx_pending *p = dx_unsettled_find(u, l->id);
    if (p)
        has_memory = take_changes(l, p);
    pthread_mutex_unlock(&u->lock);
    if (!has_memory)
        return DX_STORE_MEMORY;
    if (l->is_gone)
        return DX_STORE_NOT_FOUND;
    if (l->is_created)
        return DX_STORE_OK;
    dx_store_status status = take_row(l);
    if (status == DX_STORE_OK)
        status = take_facts(l);
    return status == DX_STORE_OK ? take_tail(l) : status;
}

/* Those in no table yet; under the lock. */
static uint32_t count_new_forks(const dx_unsettled *u, uint64_t id)
{
    uint32_t count = 0;

    for (dx_list *i = u->oldest.next; u->forks_count > 0 && i != &u->oldest; i = i->next) {
        const dx_pending *p = DX_CONTAINER(i, dx_pending, link);
        count += p->is_created && p->source == id && !p->is_deleted;
    }
    return count;
}

static dx_store_status count_forks(dx_image *image, uint64_t id, uint32_t *ret)
{
    dx_unsettled *u = image->unsettled;
    sqlite3_stmt *s = dx_db_statement(image->db, DX_SQL_STREAM_FORKS);
    int code;

    if (s == NULL)
        return dx_db_status(sqlite3_extended_errcode(image->db->handle));
    dx_bind_u64(s, 1, id);
    pthread_mutex_lock(&u->lock);
    uint32_t count = count_new_forks(u, id);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        const dx_pending *p = dx_unsettled_find(u, dx_column_u64(s, 0));
        count += p == NULL || !p->is_deleted;
    }
    pthread_mutex_unlock(&u->lock);
    sqlite3_reset(s);
    if (code != SQLITE_DONE)
        return dx_db_status(code);
    *ret = count;
    return DX_STORE_OK;
}

/* Puts the changed facts behind the settled ones. */
static bool merge_facts(loading *l, dx_facts *ret)
{
    found_facts *changed = &l->changed;

    for (size_t i = 0; i < changed->count; i++) {
        const found_fact *f = &changed->at[i];
        if (!facts_add(&l->settled, dx_bytes_at(changed->bytes.at + f->key_at, f->key_size),
                       dx_bytes_at(changed->bytes.at + f->value_at, f->value_size), f->until_ms))
            return false;
    }
    return facts_finish(&l->settled, changed->count > 0, ret);
}

static dx_store_status load_all(loading *l, dx_bytes path, dx_facts *facts)
{
    dx_store_status status = l->is_by_id ? DX_STORE_OK : find_by_path(l->image, path, &l->id);

    if (status == DX_STORE_OK)
        status = load_parts(l);
    if (status == DX_STORE_OK)
        status = count_forks(l->image, l->id, &l->forks_count);
    if (status == DX_STORE_OK && !merge_facts(l, facts))
        status = DX_STORE_MEMORY;
    return status;
}

void dx_image_load(dx_image *image, dx_store_load *load, dx_facts *facts, dx_buffer *record)
{
    loading l = {.image = image, .id = load->id, .is_by_id = load->path.size == 0};

    if (image->settling)
        pthread_rwlock_rdlock(image->settling);
    bool is_within = !sqlite3_get_autocommit(image->db->handle);
    int code = is_within ? SQLITE_OK : dx_db_run_ids(image->db, DX_SQL_BEGIN, 0, 0);
    load->status = code == SQLITE_OK ? load_all(&l, load->path, facts) : dx_db_status(code);
    if (!is_within)
        dx_db_rollback(image->db);
    if (image->settling)
        pthread_rwlock_unlock(image->settling);
    if (load->status == DX_STORE_OK) {
        load->id = l.id;
        load->tail = l.tail - (l.tail > 1 && DX_MUTANT("offset_reused_after_crash"));
        load->forks_count = l.forks_count;
        load->first = dx_min_u64(dx_max_size(l.first, 1), l.tail + 1);
        *record = l.record;
        l.record = (dx_buffer){0};
        load->record = dx_bytes_at(record->at, record->size);
        load->facts = facts->at, load->facts_count = facts->count;
    }
    dx_buffer_clear(&l.record);
    found_free(&l.settled);
    found_free(&l.changed);
}
