/* Entity tags: reading, comparing, finding in a list.
 * Is:     RFC 9110 §8.8.3.
 * Is not: the precedence of conditions (http_conditions).
 * Memory: allocates nothing; views into the value.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_HTTP_ETAG_H
#define DX_CODEC_HTTP_ETAG_H

#include "base/bytes.h"

typedef struct dx_http_etag {
    dx_bytes opaque; /* inside of the quotes */
    bool is_weak;
} dx_http_etag;

/* Reads exactly one entity tag, all of `in`: "..." or W/"...". */
bool dx_http_etag_read(dx_bytes in, dx_http_etag *ret);

/* Strong: equal and neither is weak. Weak: equal. (§8.8.3.2) */
bool dx_http_etag_equal_strong(dx_http_etag a, dx_http_etag b);
bool dx_http_etag_equal_weak(dx_http_etag a, dx_http_etag b);

typedef enum dx_http_etag_list {
    DX_HTTP_ETAG_LIST_MISS,
    DX_HTTP_ETAG_LIST_HIT,
    DX_HTTP_ETAG_LIST_ANY, /* the list is "*" */
    DX_HTTP_ETAG_LIST_BAD, /* neither "*" nor a list of entity tags */
} dx_http_etag_list;

/* Looks for `tag` in the value of If-Match (strong) or If-None-Match (weak). A bad element anywhere
 * makes the whole list BAD. */
dx_http_etag_list dx_http_etag_list_match(dx_bytes list, dx_http_etag tag, bool strong);

#endif
