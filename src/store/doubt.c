/* What a medium that failed may not hold.
 *
 * A page that could not be synced is clean to the kernel: it is read as it was written, and no later sync writes it.
 * In the log that is true of all transactions since the last sync that succeeded, also of those that were not to be
 * synced (settling). SQLite would carry them over to the database, and a power cut meanwhile would leave pages of a
 * transaction whose other pages neither file has.
 *
 * In the database it is true of all pages that were carried over since the log was begun: SQLite does not sync a
 * checkpoint that a reader holds up, counts its pages as carried over, and leaves the sync to the one that comes to
 * the end. If that sync fails, the next one writes only what is left. All of these pages are in the log as well.
 *
 * Who finds a log when it starts does not know how the one before it came to its end, so it does the same.
 * SPDX-License-Identifier: MIT */
#include "store/doubt.h"

#include "store/checked_vfs.h"

#include <string.h>

enum { HEAD_BYTES = 32, FRAME_HEAD_BYTES = 24, SALTS_AT = 16, FRAME_SALTS_AT = 8, SALTS_BYTES = 8 };

static int write_again(sqlite3_file *file, sqlite3_int64 at, int size)
{
    uint8_t piece[DX_PAGE_BYTES];

    int code = file->pMethods->xRead(file, piece, size, at);
    return code == SQLITE_OK ? file->pMethods->xWrite(file, piece, size, at) : code;
}

static int write_log(sqlite3_file *log, sqlite3_int64 size)
{
    int code = SQLITE_OK;

    for (sqlite3_int64 at = 0; at < size && code == SQLITE_OK; at += DX_PAGE_BYTES)
        code = write_again(log, at, size - at < DX_PAGE_BYTES ? (int)(size - at) : DX_PAGE_BYTES);
    return code == SQLITE_OK ? log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) : code;
}

/* The page that a frame is for, 0 if it is none of this log's: the end. */
static int page_of(sqlite3_file *log, sqlite3_int64 at, const uint8_t salts[static SALTS_BYTES],
                   sqlite3_int64 *ret)
{
    uint8_t head[FRAME_HEAD_BYTES];
    int code = log->pMethods->xRead(log, head, sizeof head, at);

    if (code == SQLITE_OK && memcmp(head + FRAME_SALTS_AT, salts, SALTS_BYTES) == 0)
        *ret = (sqlite3_int64)head[0] << 24 | head[1] << 16 | head[2] << 8 | head[3];
    return code;
}

static int write_pages(sqlite3_file *pages, sqlite3_file *log, sqlite3_int64 size)
{
    uint8_t salts[SALTS_BYTES];
    int code = log->pMethods->xRead(log, salts, sizeof salts, SALTS_AT);

    for (sqlite3_int64 at = HEAD_BYTES;
         at + FRAME_HEAD_BYTES + DX_PAGE_BYTES <= size && code == SQLITE_OK;
         at += FRAME_HEAD_BYTES + DX_PAGE_BYTES) {
        sqlite3_int64 page = 0;
        code = page_of(log, at, salts, &page);
        if (code != SQLITE_OK || page == 0)
            break;
        code = write_again(pages, (page - 1) * DX_PAGE_BYTES, DX_PAGE_BYTES);
        if (code == SQLITE_IOERR_SHORT_READ || code == SQLITE_IOERR_DATA)
            code =
                SQLITE_OK; /* it was not carried over yet, or not as a whole: from the log it will be */
    }
    return code == SQLITE_OK ? pages->pMethods->xSync(pages, SQLITE_SYNC_NORMAL) : code;
}

int dx_doubt_dispel(sqlite3 *db)
{
    sqlite3_file *log = NULL, *pages = NULL;
    sqlite3_int64 size = 0;

    int code = sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (code == SQLITE_OK)
        code = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &pages);
    if (code == SQLITE_OK && (log == NULL || log->pMethods == NULL))
        return SQLITE_OK;
    if (code == SQLITE_OK)
        code = log->pMethods->xFileSize(log, &size);
    if (code == SQLITE_OK && size > 0)
        code = write_log(log, size);
    if (code == SQLITE_OK && size > HEAD_BYTES)
        code = write_pages(pages, log, size);
    return code;
}
