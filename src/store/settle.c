/* Settling: a slice.
 * SPDX-License-Identifier: MIT */
#include "store/settle.h"

#include "base/clock.h"

#include <stdlib.h>

enum {
    SLICE_BYTES = 1 << 20,
    SLICE_STREAMS = 512,
    RUNS_AT_ONCE = 16, /* dropped while a stream is settled; more is a chore */
};

typedef struct slice {
    dx_pending *streams[SLICE_STREAMS];
    size_t count, bytes;
    size_t forks_count;
    bool has_chores; /* some may have been made */
} slice;

/* ---- one stream ---- */

/* Who had the path before is deleted, or its path was freed, but that may be settled later than this one. */
static int take_path(dx_db *db, const dx_pending *p)
{
    sqlite3_stmt *s = dx_db_statement(db, DX_SQL_STREAM_TAKE_PATH);

    if (s == NULL)
        return sqlite3_extended_errcode(db->handle);
    dx_bind_bytes(s, 1, dx_bytes_at(p->path, p->path_size));
    return dx_db_run(db, s);
}

static int add_stream(dx_db *db, const dx_pending *p)
{
    sqlite3_stmt *s = dx_db_statement(db, DX_SQL_STREAM_ADD);
    int code = p->is_path_freed ? SQLITE_OK : take_path(db, p);

    if (s == NULL || code != SQLITE_OK)
        return s == NULL ? sqlite3_extended_errcode(db->handle) : code;
    dx_bind_u64(s, 1, p->id);
    if (p->is_path_freed)
        sqlite3_bind_null(s, 2);
    else
        dx_bind_bytes(s, 2, dx_bytes_at(p->path, p->path_size));
    dx_bind_u64(s, 3, p->source);
    dx_bind_u64(s, 4, p->source_tail);
    dx_bind_u64(s, 5, p->first);
    dx_bind_bytes(s, 6, dx_buffer_view(&p->record));
    return dx_db_run(db, s);
}

static int change_stream(dx_db *db, const dx_pending *p)
{
    sqlite3_stmt *s = p->has_record || p->first ? dx_db_statement(db, DX_SQL_STREAM_CHANGE) : NULL;
    int code = SQLITE_OK;

    if (p->has_record || p->first) {
        if (s == NULL)
            return sqlite3_extended_errcode(db->handle);
        dx_bind_u64(s, 1, p->id);
        dx_bind_u64(s, 2, p->first);
        if (p->has_record)
            dx_bind_bytes(s, 3, dx_buffer_view(&p->record));
        else
            sqlite3_bind_null(s, 3);
        code = dx_db_run(db, s);
    }
    if (code == SQLITE_OK && p->is_path_freed)
        code = dx_db_run_ids(db, DX_SQL_STREAM_FREE_PATH, p->id, 0);
    return code;
}

/* ---- facts ---- */

static int settle_fact(dx_db *db, uint64_t stream, const dx_pending_fact *fact, uint64_t now_ms)
{
    bool is_over = fact->value_size == 0 || (fact->until_ms != 0 && fact->until_ms <= now_ms);
    sqlite3_stmt *s = dx_db_statement(db, is_over ? DX_SQL_FACT_DROP : DX_SQL_FACT_SET);

    if (s == NULL)
        return sqlite3_extended_errcode(db->handle);
    dx_bind_u64(s, 1, stream);
    dx_bind_bytes(s, 2, dx_pending_fact_key(fact));
    if (!is_over) {
        dx_bind_bytes(s, 3, dx_pending_fact_value(fact));
        dx_bind_u64(s, 4, dx_min_u64(fact->until_ms, INT64_MAX));
    }
    return dx_db_run(db, s);
}

typedef struct ranked {
    const dx_pending_fact *fact;
    size_t rank;
} ranked;

static int ranked_compare(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    dx_bytes x = dx_pending_fact_key(a->fact), y = dx_pending_fact_key(b->fact);
    int order = memcmp(x.at, y.at, dx_min_size(x.size, y.size));

    if (order != 0)
        return order;
    if (x.size != y.size)
        return x.size < y.size ? -1 : 1;
    return a->rank < b->rank ? -1 : 1;
}

/* A producer's fact changes with each of its appends: only the last of each key is written. */
static int settle_facts(dx_db *db, const dx_pending *p)
{
    uint64_t now_ms = dx_clock_wall_ms();
    int code = SQLITE_OK;
    size_t count = 0;

    if (p->facts_count == 0)
        return SQLITE_OK;
    ranked *all = malloc(p->facts_count * sizeof *all);
    if (all == NULL)
        return SQLITE_NOMEM;
    for (const dx_pending_fact *f = p->facts; f; f = f->next, count++)
        all[count] = (ranked){f, count};
    qsort(all, count, sizeof *all, ranked_compare);
    for (size_t i = 0; i < count && code == SQLITE_OK; i++)
        if (i + 1 == count ||
            !dx_bytes_equal(dx_pending_fact_key(all[i].fact), dx_pending_fact_key(all[i + 1].fact)))
            code = settle_fact(db, p->id, all[i].fact, now_ms);
    free(all);
    return code;
}

/* ---- a slice ---- */

static int settle_deleted(dx_settler *settler, const dx_pending *p, slice *s)
{
    if (p->is_created) /* and nobody has seen it on disk */
        return SQLITE_OK;
    s->has_chores = true;
    int code = dx_db_run_ids(settler->db, DX_SQL_STREAM_DELETE, p->id, 0);
    return code == SQLITE_OK ? dx_db_run_ids(settler->db, DX_SQL_CHORE_ADD, p->id, 0) : code;
}

static int settle_stream(dx_settler *settler, const dx_pending *p, slice *s, bool is_merging)
{
    if (p->is_deleted)
        return settle_deleted(settler, p, s);
    int code = p->is_created ? add_stream(settler->db, p) : change_stream(settler->db, p);
    if (code == SQLITE_OK)
        code = settle_facts(settler->db, p);
    if (code == SQLITE_OK)
        code = dx_settle_messages(settler, p, is_merging && !p->is_created);
    s->has_chores = s->has_chores || p->first;
    return code;
}

static bool take(slice *s, dx_pending *p)
{
    if (s->count == SLICE_STREAMS || s->bytes >= SLICE_BYTES)
        return false;
    s->streams[s->count++] = p;
    p->is_chosen = true;
    s->bytes += p->bytes;
    return true;
}

static bool is_fork(const dx_pending *p)
{
    return p->is_created && p->source;
}

/* Forks come first, all of them: what their sources drop in this slice depends on them. Then what is big,
 * then what has waited longest. */
static void choose(dx_unsettled *u, slice *s)
{
    size_t forks = u->forks_count;

    for (dx_list *at = u->oldest.next; forks > 0 && at != &u->oldest; at = at->next) {
        dx_pending *p = DX_CONTAINER(at, dx_pending, link);
        if (!is_fork(p))
            continue;
        if (!take(s, p))
            return;
        s->forks_count++, forks--;
    }
    for (dx_list *at = u->big.next; at != &u->big; at = at->next) {
        dx_pending *p = DX_CONTAINER(at, dx_pending, big_link);
        if (!is_fork(p) && !take(s, p))
            return;
    }
    for (dx_list *at = u->oldest.next; at != &u->oldest; at = at->next) {
        dx_pending *p = DX_CONTAINER(at, dx_pending, link);
        if (!is_fork(p) && p->bytes < DX_PENDING_BIG && !take(s, p))
            return;
    }
}

/* The first journal row that is still needed when the slice has been settled. */
static uint64_t journal_after(const dx_unsettled *u)
{
    for (const dx_list *at = u->oldest.next; at != &u->oldest; at = at->next) {
        const dx_pending *p = DX_CONTAINER(at, const dx_pending, link);
        if (!p->is_chosen)
            return p->journal;
    }
    return INT64_MAX;
}

/* After all forks of the slice are in the table: they may need what would be dropped. */
static int settle_drop(dx_settler *settler, const dx_pending *p, const slice *s)
{
    bool is_done = false;
    int code = SQLITE_OK;

    if (p->is_deleted || p->first == 0)
        return SQLITE_OK;
    if (s->forks_count == settler->unsettled->forks_count)
        code = dx_settle_drop(settler, p->id, RUNS_AT_ONCE, &is_done);
    return code == SQLITE_OK && !is_done ? dx_db_run_ids(settler->db, DX_SQL_CHORE_ADD, p->id, 0)
                                         : code;
}

static int settle_all(dx_settler *settler, slice *s, bool is_merging)
{
    int code = dx_db_run_ids(settler->db, DX_SQL_BEGIN_IMMEDIATE, 0, 0);

    for (size_t i = 0; i < s->count && code == SQLITE_OK; i++)
        code = settle_stream(settler, s->streams[i], s, is_merging);
    for (size_t i = 0; i < s->count && code == SQLITE_OK; i++)
        code = settle_drop(settler, s->streams[i], s);
    if (code == SQLITE_OK)
        code =
            dx_db_run_ids(settler->db, DX_SQL_JOURNAL_DROP, journal_after(settler->unsettled), 0);
    return code;
}

/* See image.h for why under `settling`. */
static int finish(dx_settler *settler, const slice *s)
{
    dx_unsettled *u = settler->unsettled;

    pthread_rwlock_wrlock(settler->settling);
    int code = dx_db_commit(settler->db);
    if (code == SQLITE_OK) {
        pthread_mutex_lock(&u->lock);
        for (size_t i = 0; i < s->count; i++)
            dx_unsettled_forget(u, s->streams[i]);
        pthread_mutex_unlock(&u->lock);
    }
    pthread_rwlock_unlock(settler->settling);
    return code;
}

int dx_settle_slice(dx_settler *settler, bool is_merging)
{
    slice s = {.count = 0};

    choose(settler->unsettled, &s);
    if (s.count == 0)
        return SQLITE_OK;
    int code = dx_db_set_durable(settler->db, false);
    if (code == SQLITE_OK)
        code = settle_all(settler, &s, is_merging);
    if (code == SQLITE_OK)
        code = finish(settler, &s);
    dx_db_rollback(settler->db);
    for (size_t i = 0; i < s.count && code != SQLITE_OK; i++)
        s.streams[i]->is_chosen = false;
    settler->has_chores = settler->has_chores || s.has_chores;
    int again = dx_db_set_durable(settler->db, true);
    return code == SQLITE_OK ? again : code;
}
