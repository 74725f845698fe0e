/* Copying a store into a file. The pages are those of the snapshot, so that what is written meanwhile does not make
 * SQLite begin again; they pass through the checks, so that a copy is not damaged silently.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "store/inspection.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { PAGES_A_STEP = 256 };

typedef struct copying {
    dx_inspection i;
    sqlite3 *to;
    bool (*progress)(void *context, uint64_t done, uint64_t all);
    void *context;
} copying;

static dx_err copy_pages(copying *c, char *why)
{
    sqlite3_backup *backup = sqlite3_backup_init(c->to, "main", c->i.db.handle, "main");
    bool is_wanted = true;
    int code = SQLITE_OK;

    while (backup && is_wanted && code == SQLITE_OK) {
        code = sqlite3_backup_step(backup, PAGES_A_STEP);
        uint64_t all = (uint64_t)sqlite3_backup_pagecount(backup);
        if (c->progress && (code == SQLITE_OK || code == SQLITE_DONE))
            is_wanted =
                c->progress(c->context, all - (uint64_t)sqlite3_backup_remaining(backup), all);
    }
    int end = backup ? sqlite3_backup_finish(backup) : sqlite3_errcode(c->to);
    if (is_wanted && code == SQLITE_DONE && end == SQLITE_OK)
        return DX_OK;
    if (!is_wanted) {
        dx_why(why, "the backup was ended");
        return DX_ERR_CLOSED;
    }
    dx_why(why, "the backup failed: %s", sqlite3_errmsg(c->to));
    return (code & 0xff) == SQLITE_NOMEM ? DX_ERR_MEMORY
           : code == SQLITE_IOERR_DATA   ? DX_ERR_CONFLICT
                                         : DX_ERR_SYSTEM;
}

static dx_err copy_into(copying *c, const char *path, char *why)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path, &c->to, flags, c->i.vfs.name);
    dx_err err = DX_ERR_SYSTEM;

    if (code == SQLITE_OK)
        code = sqlite3_exec(c->to, "PRAGMA synchronous=FULL", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        err = copy_pages(c, why);
    else
        dx_why(why, "%s: %s", path, sqlite3_errmsg(c->to));
    if (sqlite3_close(c->to) != SQLITE_OK)
        err = DX_ERR_SYSTEM;
    return err;
}

static void sync_directory_of(const char *file)
{
    char path[PATH_MAX];
    const char *slash = strrchr(file, '/');
    int size = slash ? (int)(slash - file) : 0;

    snprintf(path, sizeof path, "%.*s%s", size, file, slash == file ? "/" : slash ? "" : ".");
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

static void remove_part(const char *part)
{
    char path[PATH_MAX + 16];

    (void)unlink(part);
    snprintf(path, sizeof path, "%s-journal", part);
    (void)unlink(path);
}

/* Under another name until it is whole. */
static dx_err copy_and_name(copying *c, const char *file, char *why)
{
    char part[PATH_MAX];

    if (snprintf(part, sizeof part, "%s.part", file) >= (int)sizeof part - 16) {
        dx_why(why, "%s: the name is too long", file);
        return DX_ERR_NAME;
    }
    remove_part(part);
    dx_err err = copy_into(c, part, why);
    /* link() does not overwrite what came meanwhile */
    if (err == DX_OK && link(part, file) != 0) {
        err = errno == EEXIST ? DX_ERR_IN_USE : dx_err_from_errno(errno);
        dx_why(why, "cannot make %s: %s", file, strerror(errno));
    }
    remove_part(part);
    if (err == DX_OK)
        sync_directory_of(file);
    return err;
}

dx_err dx_store_sqlite_backup(const char *directory, const char *file,
                              bool (*progress)(void *context, uint64_t done, uint64_t all),
                              void *context, char *why)
{
    copying c = {.progress = progress, .context = context};

    if (access(file, F_OK) == 0) {
        dx_why(why, "%s exists already", file);
        return DX_ERR_IN_USE;
    }
    dx_err err = dx_inspection_open(&c.i, directory, why);
    if (err == DX_OK)
        err = copy_and_name(&c, file, why);
    dx_inspection_close(&c.i);
    return err;
}
