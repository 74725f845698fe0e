/* Pages that are part of the program: files in memory, as answers to GET and HEAD.
 * Is:     a constant table of them by path, plain and gzipped; types by name, ETag, conditions, ranges, a
 *         strict Content-Security-Policy, index.html and the redirect to a directory's slash.
 * Is not: files on a disk (files.h), making the table (tools/embed-web).
 * Memory: none of its own; as files.h for a response under way.
 * Threads: any.
 * Source: RFC 9110 §8.8, §12.5.3, §13, §14; Content Security Policy Level 3.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_PAGES_H
#define DX_HTTP_PAGES_H

#include <duplex/http.h>

typedef struct dx_page {
    const char *path; /* "chat/index.html" */
    const char *hash; /* of its content: an ETag without quotes */
    dx_bytes plain;
    dx_bytes gzip; /* size 0: it does not pay */
} dx_page;

/* Constant, sorted by path. */
typedef struct dx_pages {
    const dx_page *at;
    size_t count;
} dx_pages;

/* Answers `x` with the page at its whole path. pages: a dx_pages. What is not in the table is 404, whatever
 * the method, unless a more special route fits the path: then its methods are told (405, Allow). */
void dx_pages_handle(dx_exchange *x, void *pages);

#endif
