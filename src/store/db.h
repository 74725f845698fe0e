/* One connection to a store's database: opening, schema, prepared statements, what errors mean.
 * Is:     the only place with SQL.
 * Is not: what rows are for (settle, image), threads (sqlite).
 * Memory: SQLite's page cache, bounded; a prepared statement of each kind that was used.
 * Threads: a connection belongs to one thread at a time.
 *
 * What is on disk: DIRECTORY/duplex.db with
 *   journal  what was committed and is not settled yet: a row per transaction with all its commits
 *   stream   a row per stream: path, record, source of a fork, lower bound, tail when it was emptied
 *   run      messages in a row of one stream, up to some 64 KiB
 *   fact     what is known of a stream beside its record
 *   chore    streams that have messages to drop
 *   meta     numbers of the database: the next stream's id, the life (counts openings)
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_DB_H
#define DX_STORE_DB_H

#include "base/bytes.h"
#include "store/checked_vfs.h"
#include "store/sqlite.h"

#define DX_STORE_FILE "duplex.db" /* in its directory */

typedef enum dx_sql {
    DX_SQL_BEGIN,
    DX_SQL_BEGIN_IMMEDIATE,
    DX_SQL_COMMIT,
    DX_SQL_ROLLBACK,
    DX_SQL_META_GET,         /* key: value */
    DX_SQL_META_SET,         /* key, value */
    DX_SQL_META_PROBE,       /* some pages, to see whether they can be written */
    DX_SQL_JOURNAL_ADD,      /* id, life, crc, data */
    DX_SQL_JOURNAL_NEXT,     /* above id: id, life, crc, data */
    DX_SQL_JOURNAL_DROP,     /* below id */
    DX_SQL_STREAM_FIND,      /* path: id */
    DX_SQL_STREAM_GET,       /* id: source, source_tail, first, tail, is_deleted, record, path */
    DX_SQL_STREAM_TAKE_PATH, /* path */
    DX_SQL_STREAM_ADD,       /* id, path, source, source_tail, first, record */
    DX_SQL_STREAM_CHANGE,    /* id, first, record or NULL */
    DX_SQL_STREAM_FREE_PATH, /* id */
    DX_SQL_STREAM_DELETE,    /* id */
    DX_SQL_STREAM_DROP,      /* id */
    DX_SQL_STREAM_TAIL,      /* id, tail */
    DX_SQL_STREAM_NEEDED, /* id: the lowest sequence that forks of it, and of those, need; or NULL */
    DX_SQL_STREAM_HAS_FORKS, /* id */
    DX_SQL_STREAM_FORKS,     /* id: the ids of its forks */
    DX_SQL_STREAM_SCAN,      /* id: id, path, record of those above; a number: of how many */
    DX_SQL_STREAM_NEXT,      /* above id: id */
    DX_SQL_FACT_SET,         /* stream, key, value, until */
    DX_SQL_FACT_DROP,        /* stream, key */
    DX_SQL_FACTS,            /* stream: key, value, until */
    DX_SQL_FACTS_DROP,       /* stream, count_max */
    DX_SQL_FACTS_EXPIRE,     /* now, count_max */
    DX_SQL_RUN_ADD,          /* stream, first, count, life, crc, data */
    DX_SQL_RUN_CHANGE,       /* id, count, crc, data */
    DX_SQL_RUN_LAST,         /* stream: id, first, count */
    DX_SQL_RUN_FIRST,        /* stream: id, first, count */
    DX_SQL_RUN_GET,          /* id: life, crc, data */
    DX_SQL_RUNS_FROM,        /* stream, sequence: id, first, count, life, crc, data */
    DX_SQL_RUN_DROP,         /* id */
    DX_SQL_CHORE_ADD,        /* stream */
    DX_SQL_CHORE_NEXT,       /* above stream: stream */
    DX_SQL_CHORE_DROP,       /* stream */
    DX_SQL_COUNT,
} dx_sql;

typedef struct dx_db {
    sqlite3 *handle;
    sqlite3_stmt *statements[DX_SQL_COUNT];
    char why
        [DX_STORE_WHY_BYTES]; /* of the last dx_db_run that failed; what follows, a rollback, hides it */
} dx_db;

/* Writes a sentence of at most DX_STORE_WHY_BYTES - 1 bytes. */
void dx_why(char *why, const char *format, ...) DX_PRINTF(2, 3);

/* Opens `path` (made if missing unless `is_reader`), and brings its schema up to date.
 * vfs: of dx_checked_vfs. why: a sentence if it fails. */
DX_MUST_USE dx_err dx_db_open(dx_db *db, const char *path, const char *vfs, bool is_reader,
                              char *why);
/* For one that was zeroed or failed to open, too. */
void dx_db_close(dx_db *db);

/* Sets the page cache's bound. */
int dx_db_set_cache(dx_db *db, size_t bytes);

/* Commits reach the disk before they return, or only some time later (but in order). Outside a transaction. */
int dx_db_set_durable(dx_db *db, bool is_durable);

/* Runs text once, without results. */
int dx_db_exec(dx_db *db, const char *sql);

/* The statement, ready to be bound. NULL: see dx_db_status. */
sqlite3_stmt *dx_db_statement(dx_db *db, dx_sql which);

/* Steps `statement` (or NULL) until it is done and makes it ready for next time. Gives SQLITE_OK or an
 * error. */
int dx_db_run(dx_db *db, sqlite3_stmt *statement);

/* Binds integers 1.. and runs. */
int dx_db_run_ids(dx_db *db, dx_sql which, uint64_t a, uint64_t b);

int dx_db_commit(dx_db *db);
/* Ends a transaction that was begun, if one is. */
void dx_db_rollback(dx_db *db);

static inline void dx_bind_u64(sqlite3_stmt *statement, int index, uint64_t value)
{
    (void)sqlite3_bind_int64(statement, index, (sqlite3_int64)value);
}

/* Not copied: valid until the statement is reset. */
static inline void dx_bind_bytes(sqlite3_stmt *statement, int index, dx_bytes bytes)
{
    (void)sqlite3_bind_blob64(statement, index, bytes.at ? (const void *)bytes.at : "", bytes.size,
                              SQLITE_STATIC);
}

static inline uint64_t dx_column_u64(sqlite3_stmt *statement, int index)
{
    return (uint64_t)sqlite3_column_int64(statement, index);
}

/* A view until the next step. */
static inline dx_bytes dx_column_bytes(sqlite3_stmt *statement, int index)
{
    const void *at = sqlite3_column_blob(statement, index);
    return dx_bytes_at(at, (size_t)sqlite3_column_bytes(statement, index));
}

/* What an error of SQLite means to who asked. `code` is not SQLITE_OK, ROW or DONE. */
dx_store_status dx_db_status(int code);

/* The medium did something that leaves open what it holds now: reading, writing or syncing failed. */
bool dx_db_is_medium_fault(int code);

#endif
