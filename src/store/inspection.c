/* A directory seen as of one moment.
 * SPDX-License-Identifier: MIT */
#include "store/inspection.h"

#include "store/log_mark.h"
#include "store/recover.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

dx_err dx_inspection_say(dx_inspection *i, int code, char *why)
{
    dx_why(why, "the store cannot be read: %s", sqlite3_errmsg(i->db.handle));
    switch (code & 0xff) {
    case SQLITE_NOMEM: return DX_ERR_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return DX_ERR_CONFLICT;
    default: return code == SQLITE_IOERR_DATA ? DX_ERR_CONFLICT : DX_ERR_SYSTEM;
    }
}

static bool is_served(const char *directory)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/lock", directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0;
    if (fd >= 0)
        close(fd);
    return is_locked;
}

/* A log that is being written to cannot be compared with its mark; its server has done so when it started. */
static dx_err check_log(const char *directory, const char *path, char *why)
{
    dx_err err = dx_log_mark_check(path, why);
    return err != DX_OK && is_served(directory) ? DX_OK : err;
}

dx_err dx_inspection_open(dx_inspection *i, const char *directory, char *why)
{
    char path[PATH_MAX];

    *i = (dx_inspection){0};
    dx_unsettled_init(&i->unsettled);
    snprintf(path, sizeof path, "%s/%s", directory, DX_STORE_FILE);
    if (access(path, F_OK) != 0) {
        dx_why(why, "%s: there is no store", directory);
        return DX_ERR_NOT_FOUND;
    }
    dx_err err = check_log(directory, path, why);
    if (err != DX_OK)
        return err;
    err = dx_checked_vfs_init(&i->vfs, NULL);
    i->has_vfs = err == DX_OK;
    if (err == DX_OK)
        err = dx_db_open(&i->db, path, i->vfs.name, true, why);
    else
        dx_why(why, "%s: %s", directory, dx_err_text(err));
    if (err != DX_OK)
        return err;
    /* What was left in the log stays there: looking changes nothing. */
    (void)sqlite3_db_config(i->db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    i->image = (dx_image){&i->db, &i->unsettled, NULL, 0};
    uint64_t none = 0;
    int code = dx_db_run_ids(&i->db, DX_SQL_BEGIN, 0, 0);
    if (code == SQLITE_OK) /* the first look makes the snapshot */
        code = dx_db_run_ids(&i->db, DX_SQL_STREAM_NEXT, none, 0);
    return code == SQLITE_OK ? DX_OK : dx_inspection_say(i, code, why);
}

dx_err dx_inspection_recover(dx_inspection *i, char *why)
{
    uint64_t next;
    return dx_recover(&i->db, &i->unsettled, &next, why);
}

void dx_inspection_close(dx_inspection *i)
{
    dx_unsettled_deinit(&i->unsettled);
    if (i->db.handle) {
        dx_db_rollback(&i->db);
        dx_db_close(&i->db);
    }
    if (i->has_vfs)
        dx_checked_vfs_deinit(&i->vfs);
}

/* The unsettled stream with the lowest id above `id` that is in no table; 0 if there is none. */
static uint64_t next_unsettled(const dx_unsettled *u, uint64_t id)
{
    uint64_t best = 0;

    for (const dx_list *at = u->oldest.next; at != &u->oldest; at = at->next) {
        const dx_pending *p = DX_CONTAINER(at, const dx_pending, link);
        if (p->is_created && !p->is_deleted && p->id > id && (best == 0 || p->id < best))
            best = p->id;
    }
    return best;
}

bool dx_inspection_next(dx_inspection *i, uint64_t *id, int *code)
{
    sqlite3_stmt *s = dx_db_statement(&i->db, DX_SQL_STREAM_NEXT);
    uint64_t settled = 0, unsettled = next_unsettled(&i->unsettled, *id);

    if (s == NULL) {
        *code = sqlite3_extended_errcode(i->db.handle);
        return false;
    }
    dx_bind_u64(s, 1, *id);
    *code = sqlite3_step(s);
    if (*code == SQLITE_ROW)
        settled = dx_column_u64(s, 0);
    sqlite3_reset(s);
    if (*code == SQLITE_ROW &&
        settled <= *id) /* a damaged tree is in no order: it would go on for ever */
        *code = SQLITE_CORRUPT;
    if (*code != SQLITE_ROW && *code != SQLITE_DONE)
        return false;
    *code = SQLITE_OK;
    if (settled == 0 && unsettled == 0)
        return false;
    *id = settled == 0 || (unsettled != 0 && unsettled < settled) ? unsettled : settled;
    return true;
}
