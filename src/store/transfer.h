/* A store's streams as lines of JSON, out of one directory and into another.
 * Is:     what `duplex export` and `duplex import` do. The lines are in docs/durability.md.
 * Is not: a copy for the same store (backup, inspect.h): ids are given anew, a fork becomes a stream with its
 *         whole history, and a deleted stream that forks need is left out. Offsets stay as they are.
 * Memory: a line and what is on its way to the disk: some 16 MiB and the largest messages.
 * Threads: each call on the calling thread; importing has a store's own beside it.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_TRANSFER_H
#define DX_STORE_TRANSFER_H

#include "store/inspect.h"

#include <stdio.h>

typedef struct dx_transfer_count {
    uint64_t streams, messages;
} dx_transfer_count;

/* Writes the streams whose path fits `pattern` (borrow; as fnmatch(3) has it, "*" also for "/"; NULL: all), as of
 * one moment; a server may have the directory.
 * Errors: as in inspect.h; DX_ERR_CLOSED (`to` cannot be written). */
DX_MUST_USE dx_err dx_store_export(const char *directory, const char *pattern, FILE *to,
                                   dx_transfer_count *ret, char *why);

/* Puts them into a store, which is made if there is none; nobody else may have it. What is wrong is told with
 * the number of the line; what stood before it is there then.
 * Errors: those of dx_store_sqlite_open; DX_ERR_NAME (a line that cannot be), DX_ERR_CONFLICT (such a stream
 * is there already), DX_ERR_CLOSED (`from` cannot be read, or ends early), DX_ERR_MEMORY,
 * DX_ERR_SYSTEM (the store failed). */
DX_MUST_USE dx_err dx_store_import(const char *directory, FILE *from, dx_transfer_count *ret,
                                   char *why);

#endif
