/* A store's directory.
 * Is:     making it, and seeing to it that at most one process serves from it.
 * Is not: the database in it (db.h).
 * Memory: none.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_DIRECTORY_H
#define DX_STORE_DIRECTORY_H

#include "base/err.h"

/* Makes `directory` if it is missing, and locks it.
 * lock_fd: set as soon as it is open, also on failure: the caller closes it, which ends the lock.
 * why: DX_STORE_WHY_BYTES. Errors: DX_ERR_IN_USE, or of the system. */
DX_MUST_USE dx_err dx_directory_take(const char *directory, int *lock_fd, char *why);

/* Makes the file at `path` for its owner only, if it is not there: what SQLite makes beside it gets its mode. */
void dx_directory_make_private(const char *path);

#endif
