/* One connection to a store's database.
 * SPDX-License-Identifier: MIT */
#include "store/db.h"

#include "base/assert.h"
#include "base/mutant.h"

#include <stdarg.h>
#include <stdio.h>

enum { APPLICATION = 0x44757078, BUSY_MS = 5000 }; /* "Dupx" */

/* What brings a schema of version i to version i + 1. Only ever appended to. */
static const char *const migrations[] = {
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE journal(id INTEGER PRIMARY KEY, life INTEGER NOT NULL, crc INTEGER NOT NULL,"
    " data BLOB NOT NULL);"
    "CREATE TABLE stream(id INTEGER PRIMARY KEY, path BLOB, source INTEGER, source_tail INTEGER NOT NULL,"
    " first INTEGER NOT NULL, tail INTEGER NOT NULL, is_deleted INTEGER NOT NULL, record BLOB NOT NULL);"
    "CREATE UNIQUE INDEX stream_path ON stream(path) WHERE path IS NOT NULL;"
    "CREATE INDEX stream_source ON stream(source) WHERE source IS NOT NULL;"
    "CREATE TABLE fact(stream INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
    " until INTEGER NOT NULL, PRIMARY KEY(stream, key)) WITHOUT ROWID;"
    "CREATE INDEX fact_until ON fact(until) WHERE until > 0;"
    "CREATE TABLE run(id INTEGER PRIMARY KEY, stream INTEGER NOT NULL, first INTEGER NOT NULL,"
    " count INTEGER NOT NULL, life INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE UNIQUE INDEX run_place ON run(stream, first, count);"
    "CREATE TABLE chore(stream INTEGER PRIMARY KEY);",
};
enum { VERSION = DX_COUNT(migrations) };

static const char *const texts[DX_SQL_COUNT] = {
    [DX_SQL_BEGIN] = "BEGIN",
    [DX_SQL_BEGIN_IMMEDIATE] = "BEGIN IMMEDIATE",
    [DX_SQL_COMMIT] = "COMMIT",
    [DX_SQL_ROLLBACK] = "ROLLBACK",
    [DX_SQL_META_GET] = "SELECT value FROM meta WHERE key = ?1",
    [DX_SQL_META_SET] = "INSERT OR REPLACE INTO meta VALUES(?1, ?2)",
    [DX_SQL_META_PROBE] = "INSERT OR REPLACE INTO meta VALUES('probe', zeroblob(16384))",
    [DX_SQL_JOURNAL_ADD] = "INSERT INTO journal VALUES(?1, ?2, ?3, ?4)",
    [DX_SQL_JOURNAL_NEXT] =
        "SELECT id, life, crc, data FROM journal WHERE id > ?1 ORDER BY id LIMIT 1",
    [DX_SQL_JOURNAL_DROP] = "DELETE FROM journal WHERE id < ?1",
    [DX_SQL_STREAM_FIND] = "SELECT id FROM stream WHERE path = ?1",
    [DX_SQL_STREAM_GET] =
        "SELECT source, source_tail, first, tail, is_deleted, record, path FROM stream"
        " WHERE id = ?1",
    [DX_SQL_STREAM_TAKE_PATH] = "UPDATE stream SET path = NULL WHERE path = ?1",
    [DX_SQL_STREAM_ADD] = "INSERT INTO stream VALUES(?1, ?2, nullif(?3, 0), ?4, ?5, 0, 0, ?6)",
    [DX_SQL_STREAM_CHANGE] =
        "UPDATE stream SET first = max(first, ?2), record = coalesce(?3, record)"
        " WHERE id = ?1",
    [DX_SQL_STREAM_FREE_PATH] = "UPDATE stream SET path = NULL WHERE id = ?1",
    [DX_SQL_STREAM_DELETE] =
        "UPDATE stream SET path = NULL, is_deleted = 1, record = x'' WHERE id = ?1",
    [DX_SQL_STREAM_DROP] = "DELETE FROM stream WHERE id = ?1",
    [DX_SQL_STREAM_TAIL] = "UPDATE stream SET tail = max(tail, ?2) WHERE id = ?1",
    /* A fork is made after its source, so its id is higher: no circle even in a damaged table. */
    [DX_SQL_STREAM_NEEDED] =
        "WITH RECURSIVE heir(id, reach, first, is_deleted) AS"
        " (SELECT id, source_tail, first, is_deleted FROM stream WHERE source = ?1"
        " UNION ALL SELECT s.id, min(h.reach, s.source_tail), s.first, s.is_deleted"
        " FROM heir h JOIN stream s ON s.source = h.id WHERE s.id > h.id)"
        " SELECT min(max(first, 1)) FROM heir WHERE first <= reach AND NOT is_deleted",
    [DX_SQL_STREAM_HAS_FORKS] = "SELECT 1 FROM stream WHERE source = ?1 LIMIT 1",
    [DX_SQL_STREAM_FORKS] = "SELECT id FROM stream WHERE source = ?1 AND NOT is_deleted",
    [DX_SQL_STREAM_SCAN] = "SELECT id, path, record FROM stream WHERE id > ?1 ORDER BY id LIMIT ?2",
    [DX_SQL_STREAM_NEXT] = "SELECT id FROM stream WHERE id > ?1 ORDER BY id LIMIT 1",
    [DX_SQL_FACT_SET] = "INSERT OR REPLACE INTO fact VALUES(?1, ?2, ?3, ?4)",
    [DX_SQL_FACT_DROP] = "DELETE FROM fact WHERE stream = ?1 AND key = ?2",
    [DX_SQL_FACTS] = "SELECT key, value, until FROM fact WHERE stream = ?1",
    [DX_SQL_FACTS_DROP] = "DELETE FROM fact WHERE stream = ?1 AND key IN"
                          " (SELECT key FROM fact WHERE stream = ?1 LIMIT ?2)",
    [DX_SQL_FACTS_EXPIRE] = "DELETE FROM fact WHERE (stream, key) IN"
                            " (SELECT stream, key FROM fact WHERE until > 0 AND until <= ?1"
                            " ORDER BY until LIMIT ?2)",
    [DX_SQL_RUN_ADD] = "INSERT INTO run(stream, first, count, life, crc, data)"
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [DX_SQL_RUN_CHANGE] = "UPDATE run SET count = ?2, crc = ?3, data = ?4 WHERE id = ?1",
    [DX_SQL_RUN_LAST] =
        "SELECT id, first, count FROM run WHERE stream = ?1 ORDER BY first DESC LIMIT 1",
    [DX_SQL_RUN_FIRST] =
        "SELECT id, first, count FROM run WHERE stream = ?1 ORDER BY first LIMIT 1",
    [DX_SQL_RUN_GET] = "SELECT life, crc, data FROM run WHERE id = ?1",
    [DX_SQL_RUNS_FROM] =
        "SELECT id, first, count, life, crc, data FROM run WHERE stream = ?1 AND first >="
        " coalesce((SELECT max(first) FROM run WHERE stream = ?1 AND first <= ?2), 0)"
        " ORDER BY first",
    [DX_SQL_RUN_DROP] = "DELETE FROM run WHERE id = ?1",
    [DX_SQL_CHORE_ADD] = "INSERT OR IGNORE INTO chore VALUES(?1)",
    [DX_SQL_CHORE_NEXT] = "SELECT stream FROM chore WHERE stream > ?1 ORDER BY stream LIMIT 1",
    [DX_SQL_CHORE_DROP] = "DELETE FROM chore WHERE stream = ?1",
};

/* ---- statements ---- */

int dx_db_exec(dx_db *db, const char *sql)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
}

sqlite3_stmt *dx_db_statement(dx_db *db, dx_sql which)
{
    sqlite3_stmt **statement = &db->statements[which];

    if (*statement == NULL &&
        sqlite3_prepare_v3(db->handle, texts[which], -1, SQLITE_PREPARE_PERSISTENT, statement,
                           NULL) != SQLITE_OK)
        return NULL;
    return *statement;
}

int dx_db_run(dx_db *db, sqlite3_stmt *statement)
{
    if (statement == NULL)
        return sqlite3_extended_errcode(db->handle);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    }
    if (code != SQLITE_DONE)
        dx_why(db->why, "%s", sqlite3_errmsg(db->handle));
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int dx_db_run_ids(dx_db *db, dx_sql which, uint64_t a, uint64_t b)
{
    sqlite3_stmt *statement = dx_db_statement(db, which);

    if (statement == NULL)
        return sqlite3_extended_errcode(db->handle);
    int count = sqlite3_bind_parameter_count(statement);
    if (count > 0)
        dx_bind_u64(statement, 1, a);
    if (count > 1)
        dx_bind_u64(statement, 2, b);
    return dx_db_run(db, statement);
}

int dx_db_commit(dx_db *db)
{
    return dx_db_run_ids(db, DX_SQL_COMMIT, 0, 0);
}

void dx_db_rollback(dx_db *db)
{
    if (!sqlite3_get_autocommit(db->handle))
        (void)dx_db_run_ids(db, DX_SQL_ROLLBACK, 0, 0);
}

/* ---- what errors mean ---- */

void dx_why(char *why, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(why, DX_STORE_WHY_BYTES, format, arguments);
    va_end(arguments);
}

bool dx_db_is_medium_fault(int code)
{
    return (code & 0xff) == SQLITE_IOERR && code != SQLITE_IOERR_NOMEM;
}

dx_store_status dx_db_status(int code)
{
    if (code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM)
        return DX_STORE_MEMORY;
    return code == SQLITE_FULL ? DX_STORE_FULL : DX_STORE_BROKEN;
}

/* ---- opening ---- */

static int read_number(dx_db *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);

    if (code != SQLITE_OK)
        return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    int end = sqlite3_finalize(statement);
    return code == SQLITE_ROW ? SQLITE_OK : end == SQLITE_OK ? SQLITE_ERROR : end;
}

static int migrate(dx_db *db, int64_t from)
{
    char text[96];
    int code = dx_db_exec(db, "BEGIN IMMEDIATE");

    for (int64_t i = from; code == SQLITE_OK && i < VERSION; i++)
        code = dx_db_exec(db, migrations[i]);
    sqlite3_snprintf(sizeof text, text, "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                     APPLICATION, VERSION);
    if (code == SQLITE_OK)
        code = dx_db_exec(db, text);
    if (code != SQLITE_OK) {
        dx_why(db->why, "%s", sqlite3_errmsg(db->handle)); /* which the next line changes */
        dx_db_rollback(db);
    }
    return code;
}

static dx_err say_sqlite(dx_db *db, int code, const char *path, char *why)
{
    dx_why(why, "%s: %s", path,
           db->why[0]   ? db->why
           : db->handle ? sqlite3_errmsg(db->handle)
                        : sqlite3_errstr(code));
    switch (code & 0xff) {
    case SQLITE_NOMEM: return DX_ERR_MEMORY;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH: return DX_ERR_DENIED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return DX_ERR_IN_USE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return DX_ERR_CONFLICT;
    default: return code == SQLITE_IOERR_DATA ? DX_ERR_CONFLICT : DX_ERR_SYSTEM;
    }
}

/* The schema is there and ours, or is made. */
static dx_err check_schema(dx_db *db, const char *path, bool is_reader, char *why)
{
    int64_t application = 0, version = 0, tables = 0;
    int code = read_number(db, "PRAGMA application_id", &application);

    if (code == SQLITE_OK)
        code = read_number(db, "PRAGMA user_version", &version);
    if (code == SQLITE_OK)
        code = read_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (code != SQLITE_OK)
        return say_sqlite(db, code, path, why);
    bool is_empty = application == 0 && version == 0 && tables == 0;
    bool is_ours = application == APPLICATION || is_empty;
    if (is_empty && is_reader) { /* whoever made it was stopped before there was a schema */
        dx_why(why, "%s: there is no store in it yet", path);
        return DX_ERR_NOT_FOUND;
    }
    if (!is_ours || version > VERSION) {
        dx_why(why, "%s: %s", path,
               is_ours ? "was written by a newer version of duplex" : "is not a store of duplex");
        return DX_ERR_CONFLICT;
    }
    if (version == VERSION)
        return DX_OK;
    if (is_reader) {
        dx_why(why, "%s: is of an older version: serve from it once", path);
        return DX_ERR_CONFLICT;
    }
    code = migrate(db, version);
    return code == SQLITE_OK ? DX_OK : say_sqlite(db, code, path, why);
}

/* secure_delete: Debian's build writes zeros over all that is deleted, and with that each page of a dropped
 * journal row once more. No auto_vacuum: freed pages are used again from the free list; moving pages to
 * shrink the file would cost each transaction a map of pages. Checkpoints are the store's affair. */
static int set_up(dx_db *db, bool is_reader)
{
    int reserved = DX_PAGE_RESERVED;

    sqlite3_busy_timeout(db->handle, BUSY_MS);
    int code = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (code == SQLITE_OK && !is_reader)
        code = dx_db_exec(
            db, "PRAGMA page_size=4096; PRAGMA auto_vacuum=NONE; PRAGMA journal_mode=WAL");
    if (code == SQLITE_OK)
        code = dx_db_exec(
            db, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA secure_delete=OFF;"
                "PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF; PRAGMA cell_size_check=ON;"
                "PRAGMA trusted_schema=OFF");
    if (code == SQLITE_OK && DX_MUTANT("sync_left_out"))
        code = dx_db_exec(db, "PRAGMA synchronous=NORMAL");
    return code == SQLITE_OK && is_reader ? dx_db_exec(db, "PRAGMA query_only=ON") : code;
}

dx_err dx_db_open(dx_db *db, const char *path, const char *vfs, bool is_reader, char *why)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

    *db = (dx_db){0};
    int code =
        sqlite3_open_v2(path, &db->handle, is_reader ? flags : flags | SQLITE_OPEN_CREATE, vfs);
    if (code == SQLITE_OK)
        code = set_up(db, is_reader);
    dx_err err = code == SQLITE_OK ? check_schema(db, path, is_reader, why)
                                   : say_sqlite(db, code, path, why);
    if (err != DX_OK)
        dx_db_close(db);
    return err;
}

void dx_db_close(dx_db *db)
{
    for (size_t i = 0; i < DX_COUNT(db->statements); i++)
        sqlite3_finalize(db->statements[i]);
    int code = sqlite3_close(db->handle);
    dx_assert(code == SQLITE_OK);
    *db = (dx_db){0};
}

int dx_db_set_cache(dx_db *db, size_t bytes)
{
    char text[64];

    sqlite3_snprintf(sizeof text, text, "PRAGMA cache_size=-%d", (int)(bytes / 1024));
    return dx_db_exec(db, text);
}

int dx_db_set_durable(dx_db *db, bool is_durable)
{
    return dx_db_exec(db, is_durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
}
