/* Settling: messages become runs. A run ends at 64 KiB, so that reading one message costs little; a message
 * that is larger has one of its own.
 * SPDX-License-Identifier: MIT */
#include "store/run.h"
#include "store/settle.h"

enum {
    RUN_BYTES = 64 << 10,
    MERGED_BYTES = 4000, /* a page: what comes to a smaller run is put behind it */
};

/* The stream's newest run. */
typedef struct newest {
    uint64_t id, first, count;
} newest;

static int get_newest(dx_settler *settler, uint64_t stream, newest *ret)
{
    sqlite3_stmt *s = dx_db_statement(settler->db, DX_SQL_RUN_LAST);

    if (s == NULL)
        return sqlite3_extended_errcode(settler->db->handle);
    dx_bind_u64(s, 1, stream);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        *ret = (newest){dx_column_u64(s, 0), dx_column_u64(s, 1), dx_column_u64(s, 2)};
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Puts the newest run's bytes into the scratch buffer if more may be put behind them: it is small, right,
 * and of this life (origins mean nothing beside those of another). */
static int take_newest(dx_settler *settler, uint64_t stream, const newest *n, bool *ret)
{
    sqlite3_stmt *s = dx_db_statement(settler->db, DX_SQL_RUN_GET);

    *ret = false;
    if (s == NULL)
        return sqlite3_extended_errcode(settler->db->handle);
    dx_bind_u64(s, 1, n->id);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        uint64_t life = dx_column_u64(s, 0);
        dx_bytes data = dx_column_bytes(s, 2);
        *ret = life == settler->life && data.size < MERGED_BYTES &&
               sqlite3_column_int64(s, 1) == dx_run_sum(stream, n->first, n->count, life, data) &&
               dx_buffer_append(&settler->scratch, data);
    }
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* How many of `messages` make a run of its own. */
static size_t cut(dx_message *const *messages, size_t count, size_t bytes_before)
{
    size_t bytes = bytes_before, i = 0;

    do
        bytes += messages[i]->size + DX_RUN_HEAD_BYTES_MAX;
    while (++i < count && bytes < RUN_BYTES);
    return i;
}

static int add_run(dx_settler *settler, uint64_t stream, uint64_t first, size_t count)
{
    sqlite3_stmt *s = dx_db_statement(settler->db, DX_SQL_RUN_ADD);
    dx_bytes data = dx_buffer_view(&settler->scratch);

    if (s == NULL)
        return sqlite3_extended_errcode(settler->db->handle);
    dx_bind_u64(s, 1, stream);
    dx_bind_u64(s, 2, first);
    dx_bind_u64(s, 3, count);
    dx_bind_u64(s, 4, settler->life);
    dx_bind_u64(s, 5, dx_run_sum(stream, first, count, settler->life, data));
    dx_bind_bytes(s, 6, data);
    return dx_db_run(settler->db, s);
}

static int change_run(dx_settler *settler, uint64_t stream, const newest *n, size_t more)
{
    sqlite3_stmt *s = dx_db_statement(settler->db, DX_SQL_RUN_CHANGE);
    dx_bytes data = dx_buffer_view(&settler->scratch);
    uint64_t count = n->count + more;

    if (s == NULL)
        return sqlite3_extended_errcode(settler->db->handle);
    dx_bind_u64(s, 1, n->id);
    dx_bind_u64(s, 2, count);
    dx_bind_u64(s, 3, dx_run_sum(stream, n->first, count, settler->life, data));
    dx_bind_bytes(s, 4, data);
    return dx_db_run(settler->db, s);
}

/* Puts the first messages behind the newest run, if that is small. Gives how many. */
static int merge(dx_settler *settler, const dx_pending *p, size_t *ret)
{
    newest n = {0};
    bool is_taken = false;
    int code = get_newest(settler, p->id, &n);

    settler->scratch.size = 0;
    if (code == SQLITE_OK && n.count > 0 && n.first + n.count == p->messages[0]->sequence)
        code = take_newest(settler, p->id, &n, &is_taken);
    if (code != SQLITE_OK || !is_taken)
        return code;
    size_t count = cut(p->messages, p->count, settler->scratch.size);
    if (!dx_run_append(&settler->scratch, p->messages, count))
        return SQLITE_NOMEM;
    code = change_run(settler, p->id, &n, count);
    if (code == SQLITE_OK)
        *ret = count;
    return code;
}

int dx_settle_messages(dx_settler *settler, const dx_pending *p, bool is_merging)
{
    size_t done = 0;
    int code = is_merging && p->count > 0 ? merge(settler, p, &done) : SQLITE_OK;

    while (code == SQLITE_OK && done < p->count) {
        size_t count = cut(p->messages + done, p->count - done, 0);
        settler->scratch.size = 0;
        if (!dx_run_append(&settler->scratch, p->messages + done, count))
            return SQLITE_NOMEM;
        code = add_run(settler, p->id, p->messages[done]->sequence, count);
        done += count;
    }
    return code;
}
