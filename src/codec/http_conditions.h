/* Conditional requests: what the validators and the fields together say.
 * Is:     the precedence of RFC 9110 §13.2.2 as one pure function.
 * Is not: making validators, answering.
 * Memory: allocates nothing.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_HTTP_CONDITIONS_H
#define DX_CODEC_HTTP_CONDITIONS_H

#include "codec/http_message.h"

/* What the server knows of the resource now. */
typedef struct dx_http_validators {
    bool exists;       /* there is a current representation ("*" matches) */
    bool has_modified; /* `modified` is known */
    dx_bytes etag;     /* as in the ETag field, with quotes; empty if it has none */
    int64_t modified;  /* seconds since 1970 */
    int64_t now;       /* for dates in the future, and two-digit years */
} dx_http_validators;

typedef enum dx_http_condition {
    DX_HTTP_CONDITION_PROCEED,
    DX_HTTP_CONDITION_NOT_MODIFIED, /* 304 */
    DX_HTTP_CONDITION_FAILED,       /* 412 */
} dx_http_condition;

/* use_range: set always; true if there is a Range to be served: method GET, proceed, a Range field,
 * and If-Range (if any) holds. Invalid dates are ignored; an If-Match that breaks the grammar matches
 * nothing, an If-None-Match that does is ignored. */
dx_http_condition dx_http_conditions_check(dx_http_method method, const dx_http_fields *fields,
                                           const dx_http_validators *current, bool *use_range);

#endif
