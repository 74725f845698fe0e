/* What a medium that failed may not hold, although it is read.
 * Is:     writing it once more, so that a sync that succeeds means what it says.
 * Is not: carrying it over from the log to the database, and emptying that: sqlite_care.c.
 * Memory: two pages on the stack.
 * Threads: the writer's, between transactions.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_DOUBT_H
#define DX_STORE_DOUBT_H

#include <sqlite3.h>

/* Writes the log of `db` again and syncs it; then those pages of the database again that the log has pages for, and
 * syncs them. Gives SQLite's code: SQLITE_OK, or what the first step that failed said.
 * Cost: reads and writes the log twice, and two syncs. */
int dx_doubt_dispel(sqlite3 *db);

#endif
