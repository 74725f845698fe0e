/* A layer below SQLite that puts a checksum into each page of a database and tells when one is wrong.
 * Is:     CRC-32C in the last bytes of a page (reserved by SQLite for that), made when the page is written
 *         to the database's file, compared when it is read from there.
 * Is not: a checksum of the write-ahead log, which has SQLite's own.
 * Memory: allocates nothing itself.
 * Threads: made and ended by one; used by all connections that were opened with it.
 * Source: SQLite's documentation of sqlite3_vfs and of reserved bytes.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_CHECKED_VFS_H
#define DX_STORE_CHECKED_VFS_H

#include "base/platform.h"

#include <sqlite3.h>

enum { DX_PAGE_BYTES = 4096, DX_PAGE_RESERVED = 4 };

typedef struct dx_checked_vfs {
    sqlite3_vfs vfs;
    sqlite3_vfs *below;
    char name[40];
} dx_checked_vfs;

/* Registers `checked`, under a name of its own, over the VFS `below` (NULL: the system's).
 * Errors: DX_ERR_NOT_FOUND (no such VFS), DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_checked_vfs_init(dx_checked_vfs *checked, const char *below);

/* No connection may be open any more. */
void dx_checked_vfs_deinit(dx_checked_vfs *checked);

/* True if the page number `number` (1: the first) has the right checksum, or was never written. */
bool dx_checked_page_is_right(const uint8_t page[static DX_PAGE_BYTES], uint64_t number);

#endif
