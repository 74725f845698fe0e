/* Request templates: text with placeholders in, bytes out.
 * Is:     {get} {post} {host}: paths and authority of the target; {len}: decimal octets after the
 *         first blank line; {*N:TEXT}: TEXT N times; {noise:N}: N fixed octets that are no HTTP;
 *         {etag} {weak} {bare} {modified} {size} {last}: what is known of the static file.
 * Is not: HTTP: it knows no grammar.
 * Memory: the result is given.   Threads: any.
 * SPDX-License-Identifier: MIT */
#pragma once

#include "tests/conformance/http_case.h"

/* Borrowed strings; a file's are NULL outside the group "files". */
typedef struct dx_probe_vars {
    const char *get, *post, *host;
    const char *etag, *weak, *bare, *modified, *size, *last;
} dx_probe_vars;

/* Expands `in`; the caller frees ret->at. An unknown placeholder is our own fault and aborts. */
void dx_probe_expand(const dx_probe_vars *vars, dx_probe_text in, dx_probe_text *ret);
