/* What was in the journal when a database was opened becomes the unsettled changes again.
 * Is:     replaying; it changes nothing in the database.
 * Is not: settling.
 * Memory: the unsettled changes.
 * Threads: the caller's; nobody else has the unsettled changes yet.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_RECOVER_H
#define DX_STORE_RECOVER_H

#include "store/db.h"
#include "store/unsettled.h"

/* Replays all rows. next_ret: the number of the next row.
 * Errors: DX_ERR_CONFLICT (a row is damaged or missing), DX_ERR_MEMORY, DX_ERR_SYSTEM; why says which. */
DX_MUST_USE dx_err dx_recover(dx_db *db, dx_unsettled *unsettled, uint64_t *next_ret, char *why);

#endif
