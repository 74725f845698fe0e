/* Files that may change: told when they have, and have come to rest.
 * Is:     one thread that looks at them each second, by their status alone: so it also sees what is renamed
 *         over them, or behind symbolic links, on any file system.
 * Is not: reading them.
 * Memory: the names are borrowed.
 * Threads: `changed` is called on its own; the rest is for any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_WATCH_H
#define DX_SERVE_WATCH_H

#include "base/bytes.h"

typedef struct dx_watch dx_watch;

typedef struct dx_watch_options {
    const char *const *files; /* borrowed while it lives */
    size_t count;
    void (*changed)(void *context); /* once for each change that has lasted for a second */
    void *context;
    uint64_t known; /* what they were like when they were read */
} dx_watch_options;

/* A number for what the files are like now. Who reads them asks before. */
uint64_t dx_watch_look(const char *const *files, size_t count);

/* Starts the thread. Errors: DX_ERR_MEMORY, DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_watch_new(const dx_watch_options *options, dx_watch **ret);
/* NULL is allowed. Not from within `changed`. */
void dx_watch_free(dx_watch *watch);

/* They were read, when they were like this: it is no change any more. */
void dx_watch_know(dx_watch *watch, uint64_t state);

#endif
