/* Tests of the schema's version: what is newer is refused and left as it is, what is older is brought up to date, as
 * a whole or not at all.
 * SPDX-License-Identifier: MIT */
#include "store/checked_vfs.h"
#include "store/db.h"
#include "store/inspect.h"
#include "store/test_asker.h"
#include "tests/tap.h"

#include <stdio.h>
#include <string.h>

static asker a;

/* Runs `sql` on the file of the store, which is closed, with pages that have their checksums. */
static void change(const char *sql)
{
    dx_checked_vfs vfs;
    sqlite3 *handle;
    char path[256];

    snprintf(path, sizeof path, "%s/%s", a.directory, DX_STORE_FILE);
    CHECK_INT(dx_checked_vfs_init(&vfs, NULL), DX_OK);
    CHECK_INT(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs.name),
              SQLITE_OK);
    int reserved = DX_PAGE_RESERVED;
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    CHECK_INT(sqlite3_exec(handle, "PRAGMA page_size=4096", NULL, NULL, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    CHECK_INT(sqlite3_close(handle), SQLITE_OK);
    dx_checked_vfs_deinit(&vfs);
}

static bool on_stream(dx_store_walker *walker, const dx_store_stream *stream)
{
    (void)walker, (void)stream;
    return true;
}

/* What those say who only look. */
static void check_lookers(const char *expected)
{
    dx_store_walker walker = {.on_stream = on_stream};
    dx_store_report report;
    char why[DX_STORE_WHY_BYTES], file[256];

    why[0] = '\0';
    CHECK_INT(dx_store_sqlite_walk(a.directory, &walker, why), DX_ERR_CONFLICT);
    CHECK(strstr(why, expected) != NULL);
    why[0] = '\0';
    CHECK_INT(dx_store_sqlite_verify(a.directory, NULL, NULL, &report, why), DX_ERR_CONFLICT);
    CHECK(strstr(why, expected) != NULL);
    snprintf(file, sizeof file, "%s/copy", a.directory);
    why[0] = '\0';
    CHECK_INT(dx_store_sqlite_backup(a.directory, file, NULL, NULL, why), DX_ERR_CONFLICT);
    CHECK(strstr(why, expected) != NULL);
}

TEST("a file of a newer version is refused by all, and left as it is")
{
    a = (asker){0};
    asker_begin(&a);
    uint64_t id = asker_make(&a, "/s/a", 3);
    asker_close(&a);
    change("PRAGMA user_version=2");
    CHECK_INT(asker_open(&a), DX_ERR_CONFLICT);
    CHECK(strstr(a.why, "was written by a newer version of duplex") != NULL);
    check_lookers("was written by a newer version of duplex");
    change("PRAGMA user_version=1");
    CHECK_INT(asker_open(&a), DX_OK);
    CHECK_INT(asker_load(&a, "/s/a"), DX_STORE_OK);
    CHECK_INT(a.id, id);
    CHECK_INT(asker_count(&a, id, 1), 3);
    asker_end(&a);
}

TEST(
    "a file of an older version is brought up to date when it is served from, not when it is looked at")
{
    a = (asker){0};
    asker_begin_without_store(&a);
    change("PRAGMA application_id=1148547192; PRAGMA user_version=0; CREATE TABLE other(a)");
    check_lookers("is of an older version");
    CHECK_INT(asker_open(&a), DX_OK);
    uint64_t id = asker_make(&a, "/s/a", 3);
    asker_reopen(&a);
    CHECK_INT(asker_count(&a, id, 1), 3);
    asker_end(&a);
}

TEST("bringing it up to date fails: nothing of it was done")
{
    a = (asker){0};
    asker_begin_without_store(&a);
    change(
        "PRAGMA application_id=1148547192; CREATE TABLE run(a)"); /* in the way of one of the last steps */
    CHECK_INT(asker_open(&a), DX_ERR_SYSTEM);
    CHECK(strstr(a.why, "run") != NULL);
    change(
        "DROP TABLE run; CREATE TABLE meta(a); DROP TABLE meta"); /* would fail if it were there */
    CHECK_INT(asker_open(&a), DX_OK);
    asker_end(&a);
}

TEST("a database of somebody else is refused, and left as it is")
{
    a = (asker){0};
    asker_begin_without_store(&a);
    change("PRAGMA application_id=7; CREATE TABLE theirs(a)");
    CHECK_INT(asker_open(&a), DX_ERR_CONFLICT);
    CHECK(strstr(a.why, "is not a store of duplex") != NULL);
    change("INSERT INTO theirs VALUES(1)");
    asker_remove(&a);
}
