/* Checksums of pages, below SQLite. A page that was allocated but never written is all zeros, and is let
 * through: SQLite takes it for no page of a tree.
 * SPDX-License-Identifier: MIT */
#include "store/checked_vfs.h"

#include "base/assert.h"
#include "store/crc32c.h"

#include <errno.h>

enum { CONTENT_BYTES = DX_PAGE_BYTES - DX_PAGE_RESERVED };

typedef struct checked_file {
    sqlite3_file base;
    bool is_database;            /* not its log or anything else */
    _Alignas(8) uint8_t below[]; /* the other VFS's file; SQLite's memory is aligned for no more */
} checked_file;

static sqlite3_file *below_of(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)((checked_file *)(void *)file)->below;
}

static dx_checked_vfs *checked_of(sqlite3_vfs *vfs)
{
    return DX_CONTAINER(vfs, dx_checked_vfs, vfs);
}

/* ---- pages ---- */

static uint32_t sum_of(const uint8_t *page, uint64_t number)
{
    return dx_crc32c(dx_crc32c_u64(0, number), dx_bytes_at(page, CONTENT_BYTES));
}

static uint32_t sum_in(const uint8_t *page)
{
    uint32_t sum;
    memcpy(&sum, page + CONTENT_BYTES, sizeof sum);
    return sum;
}

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, DX_PAGE_BYTES - 1) == 0;
}

bool dx_checked_page_is_right(const uint8_t page[static DX_PAGE_BYTES], uint64_t number)
{
    return sum_in(page) == sum_of(page, number) || is_zero(page);
}

static bool is_page(int size, sqlite3_int64 offset)
{
    return size == DX_PAGE_BYTES && offset % DX_PAGE_BYTES == 0;
}

static int checked_read(sqlite3_file *file, void *to, int size, sqlite3_int64 offset)
{
    sqlite3_file *below = below_of(file);
    int code = below->pMethods->xRead(below, to, size, offset);

    if (code != SQLITE_OK || !((checked_file *)(void *)file)->is_database || !is_page(size, offset))
        return code;
    return dx_checked_page_is_right(to, (uint64_t)(offset / DX_PAGE_BYTES) + 1) ? SQLITE_OK
                                                                                : SQLITE_IOERR_DATA;
}

/* SQLite takes only ENOSPC for a full disk, and later nobody knows why a write failed: a commit that fails
 * does not keep the reason. */
static int write_below(sqlite3_file *below, const void *from, int size, sqlite3_int64 offset)
{
    int code = below->pMethods->xWrite(below, from, size, offset);

    return code == SQLITE_IOERR_WRITE && (errno == EDQUOT || errno == EFBIG) ? SQLITE_FULL : code;
}

static int checked_write(sqlite3_file *file, const void *from, int size, sqlite3_int64 offset)
{
    sqlite3_file *below = below_of(file);
    uint8_t page[DX_PAGE_BYTES];

    if (!((checked_file *)(void *)file)->is_database || !is_page(size, offset))
        return write_below(below, from, size, offset);
    memcpy(page, from, CONTENT_BYTES);
    uint32_t sum = sum_of(page, (uint64_t)(offset / DX_PAGE_BYTES) + 1);
    memcpy(page + CONTENT_BYTES, &sum, sizeof sum);
    return write_below(below, page, size, offset);
}

/* ---- handed on ---- */

static int checked_close(sqlite3_file *file)
{
    sqlite3_file *below = below_of(file);
    int code = below->pMethods->xClose(below);
    file->pMethods = NULL;
    return code;
}

static int checked_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xTruncate(below, size);
}

static int checked_sync(sqlite3_file *file, int flags)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xSync(below, flags);
}

static int checked_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xFileSize(below, ret);
}

static int checked_lock(sqlite3_file *file, int lock)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xLock(below, lock);
}

static int checked_unlock(sqlite3_file *file, int lock)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xUnlock(below, lock);
}

static int checked_reserved(sqlite3_file *file, int *ret)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xCheckReservedLock(below, ret);
}

static int checked_control(sqlite3_file *file, int operation, void *argument)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xFileControl(below, operation, argument);
}

static int checked_sector(sqlite3_file *file)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xSectorSize(below);
}

static int checked_device(sqlite3_file *file)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xDeviceCharacteristics(below);
}

static int checked_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xShmMap(below, page, size, extend, ret);
}

static int checked_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xShmLock(below, offset, count, flags);
}

static void checked_shm_barrier(sqlite3_file *file)
{
    sqlite3_file *below = below_of(file);
    below->pMethods->xShmBarrier(below);
}

static int checked_shm_unmap(sqlite3_file *file, int remove)
{
    sqlite3_file *below = below_of(file);
    return below->pMethods->xShmUnmap(below, remove);
}

/* Version 2: without xFetch no page reaches SQLite by a memory map, past the checksum. */
static const sqlite3_io_methods checked_methods = {
    .iVersion = 2,
    .xClose = checked_close,
    .xRead = checked_read,
    .xWrite = checked_write,
    .xTruncate = checked_truncate,
    .xSync = checked_sync,
    .xFileSize = checked_size,
    .xLock = checked_lock,
    .xUnlock = checked_unlock,
    .xCheckReservedLock = checked_reserved,
    .xFileControl = checked_control,
    .xSectorSize = checked_sector,
    .xDeviceCharacteristics = checked_device,
    .xShmMap = checked_shm_map,
    .xShmLock = checked_shm_lock,
    .xShmBarrier = checked_shm_barrier,
    .xShmUnmap = checked_shm_unmap,
};

static int checked_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret)
{
    dx_checked_vfs *checked = checked_of(vfs);
    sqlite3_file *below = below_of(file);

    file->pMethods = NULL;
    ((checked_file *)(void *)file)->is_database = flags & SQLITE_OPEN_MAIN_DB;
    int code = checked->below->xOpen(checked->below, path, below, flags, ret);
    if (below->pMethods && below->pMethods->iVersion < 2) { /* no shared memory: no log */
        below->pMethods->xClose(below);
        return SQLITE_CANTOPEN;
    }
    if (below->pMethods)
        file->pMethods = &checked_methods;
    return code;
}

static int checked_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    sqlite3_vfs *below = checked_of(vfs)->below;
    return below->xDelete(below, path, sync);
}

static int checked_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
    sqlite3_vfs *below = checked_of(vfs)->below;
    return below->xAccess(below, path, flags, ret);
}

static int checked_path(sqlite3_vfs *vfs, const char *path, int size, char *ret)
{
    sqlite3_vfs *below = checked_of(vfs)->below;
    return below->xFullPathname(below, path, size, ret);
}

static int checked_random(sqlite3_vfs *vfs, int size, char *ret)
{
    sqlite3_vfs *below = checked_of(vfs)->below;
    return below->xRandomness(below, size, ret);
}

static int checked_sleep(sqlite3_vfs *vfs, int microseconds)
{
    sqlite3_vfs *below = checked_of(vfs)->below;
    return below->xSleep(below, microseconds);
}

static int checked_time(sqlite3_vfs *vfs, double *ret)
{
    sqlite3_vfs *below = checked_of(vfs)->below;
    return below->xCurrentTime(below, ret);
}

static int checked_error(sqlite3_vfs *vfs, int size, char *ret)
{
    sqlite3_vfs *below = checked_of(vfs)->below;
    return below->xGetLastError ? below->xGetLastError(below, size, ret) : 0;
}

dx_err dx_checked_vfs_init(dx_checked_vfs *checked, const char *below_name)
{
    sqlite3_vfs *below = sqlite3_vfs_find(below_name);

    if (below == NULL)
        return DX_ERR_NOT_FOUND;
    checked->below = below;
    sqlite3_snprintf(sizeof checked->name, checked->name, "duplex-%p", (void *)checked);
    checked->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(checked_file) + below->szOsFile,
        .mxPathname = below->mxPathname,
        .zName = checked->name,
        .xOpen = checked_open,
        .xDelete = checked_delete,
        .xAccess = checked_access,
        .xFullPathname = checked_path,
        .xRandomness = checked_random,
        .xSleep = checked_sleep,
        .xCurrentTime = checked_time,
        .xGetLastError = checked_error,
    };
    return sqlite3_vfs_register(&checked->vfs, 0) == SQLITE_OK ? DX_OK : DX_ERR_MEMORY;
}

void dx_checked_vfs_deinit(dx_checked_vfs *checked)
{
    sqlite3_vfs_unregister(&checked->vfs);
}
