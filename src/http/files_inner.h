/* Between the files*.c; nobody else includes it.
 * Is:     types by name; the answer with a content; its body on its way to a client.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_FILES_INNER_H
#define DX_HTTP_FILES_INNER_H

#include "codec/http_range.h"

#include <duplex/http.h>

typedef struct dx_files_type {
    const char *extension;
    const char *text;   /* for Content-Type */
    bool is_compressed; /* by its own nature: siblings are not looked for */
} dx_files_type;

/* The type of a file of this name, static; "application/octet-stream" if it is not known. */
const dx_files_type *dx_files_type_of(const char *name);

enum { DX_FILES_BOUNDARY_BYTES = 33 }; /* 32 hex digits and a NUL */

enum { DX_FILES_ETAG_BYTES = 64 };

/* What is to be answered with: an open file, or bytes that stay where they are. */
typedef struct dx_files_content {
    int fd;                /* taken; -1: none */
    const uint8_t *memory; /* if there is none; constant for ever */
    uint64_t size;
    const char *type;   /* for Content-Type */
    const char *coding; /* for Content-Encoding; NULL: as it is */
    const char *policy; /* for Content-Security-Policy; NULL: none */
    char etag[DX_FILES_ETAG_BYTES];
    bool has_modified;
    int64_t modified; /* seconds since 1970 */
} dx_files_content;

/* Answers GET or HEAD with `content` (borrowed, but its fd): 200, 206, 304, 412 or 416. */
void dx_files_answer(dx_exchange *x, const dx_files_content *content);

/* Answers with a redirect from `path` to the same with a slash. */
void dx_files_answer_slash(dx_exchange *x, dx_bytes path);

/* What is sent of a content. The caller sets fd or memory, size, type, ranges and ranges_count. */
typedef struct dx_files_body {
    int fd; /* given: closed when the exchange is over; -1: none */
    const uint8_t *memory;
    uint64_t size;
    const char *type;
    dx_http_range ranges[DX_HTTP_RANGES_MAX];
    size_t ranges_count; /* 0: all; 2 or more: multipart/byteranges */
    size_t index;        /* of the range that is sent now */
    uint64_t at;         /* where in the file */
    bool is_head_sent;   /* of this part */
    bool is_over;
    char boundary[DX_FILES_BOUNDARY_BYTES];
} dx_files_body;

/* Readies the rest of `body` for sending: chooses the boundary. Returns how many bytes will go out. */
uint64_t dx_files_body_init(dx_files_body *body);

/* Sends what the response that was started on `x` is to carry, as there is room, then ends it. `body`
 * must live as long as `x`. A file that has become shorter ends it early. */
void dx_files_body_send(dx_exchange *x, dx_files_body *body);

#endif
