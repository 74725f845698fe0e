/* Settling: messages that nobody needs any more are dropped, whole runs at a time. Their pages go to SQLite's
 * free list and are used for what comes next.
 * SPDX-License-Identifier: MIT */
#include "store/settle.h"

#include "base/clock.h"

enum { RUNS_A_STEP = 64, FACTS_A_STEP = 512 };

typedef struct row {
    uint64_t source, first;
    bool is_found, is_deleted;
} row;

static int get_row(dx_db *db, uint64_t id, row *ret)
{
    sqlite3_stmt *s = dx_db_statement(db, DX_SQL_STREAM_GET);

    *ret = (row){0};
    if (s == NULL)
        return sqlite3_extended_errcode(db->handle);
    dx_bind_u64(s, 1, id);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        *ret = (row){dx_column_u64(s, 0), dx_column_u64(s, 2), true, sqlite3_column_int(s, 4) != 0};
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* One number of one row, or `*ret` as it was. */
static int get_number(dx_db *db, dx_sql which, uint64_t id, uint64_t *ret, bool *is_there)
{
    sqlite3_stmt *s = dx_db_statement(db, which);

    *is_there = false;
    if (s == NULL)
        return sqlite3_extended_errcode(db->handle);
    dx_bind_u64(s, 1, id);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL) {
        *ret = dx_column_u64(s, 0);
        *is_there = true;
    }
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

typedef struct place {
    uint64_t id, last;
    bool is_there;
} place;

static int get_run(dx_db *db, dx_sql which, uint64_t stream, place *ret)
{
    sqlite3_stmt *s = dx_db_statement(db, which);

    *ret = (place){0};
    if (s == NULL)
        return sqlite3_extended_errcode(db->handle);
    dx_bind_u64(s, 1, stream);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        *ret = (place){dx_column_u64(s, 0), dx_column_u64(s, 1) + dx_column_u64(s, 2) - 1, true};
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Drops runs that lie wholly below `needed`. */
static int drop_runs(dx_db *db, uint64_t id, uint64_t needed, size_t count_max, bool *is_done)
{
    place oldest;
    int code = SQLITE_OK;

    *is_done = false;
    for (size_t i = 0; code == SQLITE_OK && i < count_max; i++) {
        code = get_run(db, DX_SQL_RUN_FIRST, id, &oldest);
        if (code != SQLITE_OK)
            break;
        if (!oldest.is_there || oldest.last >= needed) {
            *is_done = true;
            break;
        }
        code = dx_db_run_ids(db, DX_SQL_RUN_DROP, oldest.id, 0);
    }
    return code;
}

int dx_settle_drop(dx_settler *settler, uint64_t id, size_t count_max, bool *is_done)
{
    dx_db *db = settler->db;
    row r;
    place newest = {0};
    bool is_there;
    int code = get_row(db, id, &r);

    *is_done = true;
    if (code != SQLITE_OK || !r.is_found)
        return code;
    uint64_t needed = r.is_deleted ? UINT64_MAX : r.first, by_forks = UINT64_MAX;
    code = get_number(db, DX_SQL_STREAM_NEEDED, id, &by_forks, &is_there);
    if (code == SQLITE_OK)
        code = get_run(db, DX_SQL_RUN_LAST, id, &newest);
    needed = dx_min_u64(needed, by_forks);
    if (code == SQLITE_OK && newest.is_there &&
        newest.last < needed) /* else nobody would know the tail */
        code = dx_db_run_ids(db, DX_SQL_STREAM_TAIL, id, newest.last);
    if (code == SQLITE_OK)
        code = drop_runs(db, id, needed, count_max, is_done);
    if (code == SQLITE_OK && r.source && !r.is_deleted) /* which may have kept them for this one */
        code = dx_db_run_ids(db, DX_SQL_CHORE_ADD, r.source, 0);
    return code;
}

/* ---- chores ---- */

/* Nothing refers to a deleted stream any more: its facts, and last its row. */
static int drop_rest(dx_db *db, uint64_t id, uint64_t source, bool *is_done)
{
    uint64_t any;
    bool has_forks, has_facts;
    int code = get_number(db, DX_SQL_STREAM_HAS_FORKS, id, &any, &has_forks);

    *is_done = true;
    if (code != SQLITE_OK || has_forks) /* the last of them comes back to this one */
        return code;
    code = dx_db_run_ids(db, DX_SQL_FACTS_DROP, id, FACTS_A_STEP);
    has_facts = sqlite3_changes(db->handle) == FACTS_A_STEP;
    if (code != SQLITE_OK || has_facts) {
        *is_done = false;
        return code;
    }
    code = dx_db_run_ids(db, DX_SQL_STREAM_DROP, id, 0);
    if (code == SQLITE_OK && source)
        code = dx_db_run_ids(db, DX_SQL_CHORE_ADD, source, 0);
    return code;
}

static int run_chore(dx_settler *settler, uint64_t id)
{
    dx_db *db = settler->db;
    bool is_done;
    row r;
    int code = dx_settle_drop(settler, id, RUNS_A_STEP, &is_done);

    if (code == SQLITE_OK && is_done)
        code = get_row(db, id, &r);
    if (code == SQLITE_OK && is_done && r.is_found && r.is_deleted)
        code = drop_rest(db, id, r.source, &is_done);
    if (code == SQLITE_OK && is_done)
        code = dx_db_run_ids(db, DX_SQL_CHORE_DROP, id, 0);
    return code;
}

static int next_chore(dx_settler *settler, uint64_t *ret, bool *is_there)
{
    int code = get_number(settler->db, DX_SQL_CHORE_NEXT, settler->chore_after, ret, is_there);

    if (code == SQLITE_OK && *is_there && *ret <= settler->chore_after) /* a damaged tree */
        return SQLITE_CORRUPT;
    if (code == SQLITE_OK && !*is_there &&
        settler->chore_after > 0) { /* once more from the start */
        settler->chore_after = 0;
        code = get_number(settler->db, DX_SQL_CHORE_NEXT, 0, ret, is_there);
    }
    return code;
}

static int within_transaction(dx_settler *settler, int (*act)(dx_settler *, uint64_t),
                              uint64_t argument)
{
    dx_db *db = settler->db;
    int code = dx_db_set_durable(db, false);

    if (code == SQLITE_OK)
        code = dx_db_run_ids(db, DX_SQL_BEGIN_IMMEDIATE, 0, 0);
    if (code == SQLITE_OK)
        code = act(settler, argument);
    if (code == SQLITE_OK)
        code = dx_db_commit(db);
    dx_db_rollback(db);
    int again = dx_db_set_durable(db, true);
    return code == SQLITE_OK ? again : code;
}

int dx_settle_chore(dx_settler *settler)
{
    uint64_t id;
    bool is_there;

    if (settler->unsettled->forks_count > 0) /* they may need what would be dropped */
        return dx_settle_slice(settler, false);
    int code = next_chore(settler, &id, &is_there);
    settler->has_chores = code != SQLITE_OK || is_there;
    if (code != SQLITE_OK || !is_there)
        return code;
    settler->chore_after = id;
    return within_transaction(settler, run_chore, id);
}

static int run_expire(dx_settler *settler, uint64_t now_ms)
{
    return dx_db_run_ids(settler->db, DX_SQL_FACTS_EXPIRE, now_ms, FACTS_A_STEP);
}

int dx_settle_expire(dx_settler *settler, bool *ret)
{
    int code = within_transaction(settler, run_expire, dx_clock_wall_ms());

    *ret = code == SQLITE_OK && sqlite3_changes(settler->db->handle) == FACTS_A_STEP;
    return code;
}
