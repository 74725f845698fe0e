/* A directory seen as of one moment, through a connection of one's own.
 * Is:     the snapshot and the unsettled changes that belong to it.
 * Is not: a lock: who serves goes on. Its log cannot begin anew meanwhile.
 * Memory: a page cache, the unsettled changes.   Threads: one.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_INSPECTION_H
#define DX_STORE_INSPECTION_H

#include "store/image.h"
#include "store/inspect.h"

typedef struct dx_inspection {
    dx_checked_vfs vfs;
    bool has_vfs;
    dx_db db;
    dx_unsettled unsettled;
    dx_image image;
} dx_inspection;

/* Errors as in inspect.h. To be closed also if it failed. */
DX_MUST_USE dx_err dx_inspection_open(dx_inspection *i, const char *directory, char *why);
/* Replays the journal: the changes are in `unsettled`. */
DX_MUST_USE dx_err dx_inspection_recover(dx_inspection *i, char *why);
void dx_inspection_close(dx_inspection *i);

/* The sentence and the error for an error of SQLite. */
dx_err dx_inspection_say(dx_inspection *i, int code, char *why);

/* The first stream above `*id`, settled or not, into `*id`. False: there is none, or `*code` is an error. */
bool dx_inspection_next(dx_inspection *i, uint64_t *id, int *code);

#endif
