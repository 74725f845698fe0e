/* Checking everything that a store holds.
 * SPDX-License-Identifier: MIT */
#include "store/inspection.h"
#include "store/run.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct check {
    dx_inspection i;
    void (*on_fault)(void *context, const char *sentence);
    void *context;
    dx_store_report report;
} check;

/* A stream under way. */
typedef struct row {
    uint64_t id, first, tail, source_tail;
    bool is_deleted;
} row;

static void fault(check *c, const char *format, ...) DX_PRINTF(2, 3);
static void fault(check *c, const char *format, ...)
{
    char sentence[DX_STORE_WHY_BYTES];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    c->report.faults++;
    c->on_fault(c->context, sentence);
}

static void fault_sqlite(check *c, const char *what)
{
    fault(c, "%s: %s", what, sqlite3_errmsg(c->i.db.handle));
}

/* ---- one stream ---- */

/* Gives false if it is damaged. */
static bool check_run(check *c, sqlite3_stmt *s, const row *r)
{
    uint64_t first = dx_column_u64(s, 1), count = dx_column_u64(s, 2);
    dx_bytes data = dx_column_bytes(s, 5);
    dx_run_reader reader = {.rest = data};
    dx_run_item item;
    uint64_t found = 0;

    c->report.runs++;
    if (sqlite3_column_int64(s, 4) != dx_run_sum(r->id, first, count, dx_column_u64(s, 3), data))
        return false;
    while (dx_run_next(&reader, &item) == DX_RUN_ITEM) {
        found++;
        c->report.payload_bytes += item.payload.size;
    }
    c->report.messages += found;
    return found == count && reader.rest.size == 0;
}

static void check_runs(check *c, row *r)
{
    sqlite3_stmt *s = dx_db_statement(&c->i.db, DX_SQL_RUNS_FROM);
    unsigned long long id = r->id;
    uint64_t next = 0;
    int code = SQLITE_ERROR;

    if (s) {
        dx_bind_u64(s, 1, r->id);
        dx_bind_u64(s, 2, 0);
    }
    while (s && (code = sqlite3_step(s)) == SQLITE_ROW) {
        uint64_t first = dx_column_u64(s, 1), count = dx_column_u64(s, 2);
        if (!check_run(c, s, r))
            fault(c, "stream %llu: the run from message %llu on is damaged", id,
                  (unsigned long long)first);
        if (next == 0 && !r->is_deleted && first > dx_max_size(r->first, r->source_tail + 1))
            fault(c, "stream %llu: messages before %llu are missing", id,
                  (unsigned long long)first);
        if (next != 0 && first != next)
            fault(c, "stream %llu: message %llu follows on %llu", id, (unsigned long long)first,
                  (unsigned long long)next - 1);
        next = first + count;
    }
    if (code != SQLITE_DONE)
        fault_sqlite(c, "a stream's runs cannot be read");
    if (s)
        sqlite3_reset(s);
    if (next > 0 && next - 1 > r->tail)
        r->tail = next - 1;
}

static void check_facts(check *c, const row *r)
{
    sqlite3_stmt *s = dx_db_statement(&c->i.db, DX_SQL_FACTS);
    int code = SQLITE_ERROR;

    if (s)
        dx_bind_u64(s, 1, r->id);
    while (s && (code = sqlite3_step(s)) == SQLITE_ROW)
        c->report.facts++;
    if (code != SQLITE_DONE)
        fault_sqlite(c, "a stream's facts cannot be read");
    if (s)
        sqlite3_reset(s);
}

/* What is not settled follows on what is. */
static void check_unsettled(check *c, const row *r, bool is_settled)
{
    const dx_pending *p = dx_unsettled_find(&c->i.unsettled, r->id);

    if (p == NULL || p->is_deleted)
        return;
    c->report.unsettled_streams++;
    c->report.unsettled_messages += p->count;
    c->report.messages += p->count;
    for (size_t i = 0; i < p->count; i++)
        c->report.payload_bytes += p->messages[i]->size;
    uint64_t tail = is_settled ? r->tail : p->source_tail;
    if (p->count > 0 && (is_settled || p->source) && p->messages[0]->sequence != tail + 1)
        fault(c, "stream %llu: message %llu of the journal follows on %llu",
              (unsigned long long)r->id, (unsigned long long)p->messages[0]->sequence,
              (unsigned long long)tail);
}

static int get_row(check *c, uint64_t id, row *ret, bool *is_there)
{
    sqlite3_stmt *s = dx_db_statement(&c->i.db, DX_SQL_STREAM_GET);

    *ret = (row){.id = id};
    if (s == NULL)
        return sqlite3_extended_errcode(c->i.db.handle);
    dx_bind_u64(s, 1, id);
    int code = sqlite3_step(s);
    *is_there = code == SQLITE_ROW;
    if (*is_there)
        *ret = (row){id, dx_max_size(dx_column_u64(s, 2), 1),
                     dx_max_size(dx_column_u64(s, 1), dx_column_u64(s, 3)), dx_column_u64(s, 1),
                     sqlite3_column_int(s, 4) != 0};
    sqlite3_reset(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static void check_stream(check *c, uint64_t id)
{
    bool is_there = false;
    row r;

    if (get_row(c, id, &r, &is_there) != SQLITE_OK) {
        fault_sqlite(c, "a stream's row cannot be read");
        return;
    }
    if (is_there) {
        check_runs(c, &r);
        check_facts(c, &r);
    }
    if (!r.is_deleted) {
        c->report.streams++;
        check_unsettled(c, &r, is_there);
    }
}

/* ---- all ---- */

/* SQLite's own look at its trees: also that each index has what its table has. */
static void check_structure(check *c)
{
    sqlite3_stmt *s;
    int code = sqlite3_prepare_v2(c->i.db.handle, "PRAGMA integrity_check(20)", -1, &s, NULL);

    while (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(s, 0);
        if (line && strcmp(line, "ok") != 0)
            fault(c, "structure: %s", line);
        code = SQLITE_OK;
    }
    if (code != SQLITE_DONE)
        fault_sqlite(c, "the structure cannot be checked");
    sqlite3_finalize(s);
}

static void check_owners(check *c)
{
    sqlite3_stmt *s;
    int code = sqlite3_prepare_v2(
        c->i.db.handle, "SELECT count(*) FROM run WHERE stream NOT IN (SELECT id FROM stream)", -1,
        &s, NULL);

    if (code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0) > 0)
        fault(c, "%lld runs belong to no stream", sqlite3_column_int64(s, 0));
    sqlite3_finalize(s);
}

static void check_all(check *c)
{
    char why[DX_STORE_WHY_BYTES];
    uint64_t id = 0;
    int code = SQLITE_OK;

    check_structure(c);
    if (dx_inspection_recover(&c->i, why) != DX_OK)
        fault(c, "%s", why);
    while (dx_inspection_next(&c->i, &id, &code))
        check_stream(c, id);
    if (code != SQLITE_OK)
        fault_sqlite(c, "the streams cannot be read");
    check_owners(c);
}

dx_err dx_store_sqlite_verify(const char *directory,
                              void (*on_fault)(void *context, const char *sentence), void *context,
                              dx_store_report *ret, char *why)
{
    check c = {.on_fault = on_fault, .context = context};
    dx_err err = dx_inspection_open(&c.i, directory, why);

    if (err == DX_OK) {
        check_all(&c);
        *ret = c.report;
    }
    dx_inspection_close(&c.i);
    return err;
}
