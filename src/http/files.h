/* Static files: what lies below one directory, as answers to GET and HEAD.
 * Is:     containment (openat2), types by name, validators and conditions, ranges, precompressed
 *         siblings (.br, .gz), index.html and the redirect to a directory's slash.
 * Is not: listings of directories, compressing, caching, routing (router.h); the bytes' way out is
 *         in files_body.c.
 * Memory: one descriptor per dx_files; per response under way one descriptor, a struct in the
 *         exchange's arena and at most 64 KiB queued.
 * Threads: a dx_files is constant: any. Reading a file may wait for its disk.
 * Source: RFC 9110 §8.8, §12.5.3, §13, §14.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_FILES_H
#define DX_HTTP_FILES_H

#include <duplex/http.h>

typedef struct dx_files dx_files;

/* Opens `directory` (borrowed). It is this directory that is served from then on, also if it is
 * renamed. ret: given.
 * Errors: DX_ERR_NOT_FOUND (nothing there, or no directory), DX_ERR_DENIED, DX_ERR_UNSUPPORTED (a
 * kernel without openat2, before Linux 5.6: without it a path could not be kept inside),
 * DX_ERR_FILES, DX_ERR_MEMORY, DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_files_new(const char *directory, dx_files **ret);

/* No exchange may be under way. NULL is allowed. */
void dx_files_free(dx_files *files);

/* Answers `x` with a file; the handler of a route whose pattern ends in "**". files: a dx_files.
 * Only regular files below the directory are served; symbolic links are followed as long as they
 * stay below it. Names that begin with a dot are hidden, but for ".well-known". All else is 404. */
void dx_files_handle(dx_exchange *x, void *files);

#endif
