/* Header fields: names the server knows, a table of fields in the caller's memory, lookups.
 * Is:     dx_http_name (resolved while parsing), dx_http_fields, find and walk.
 * Is not: parsing of lines (http_head) or of list values (http_list).
 * Memory: the caller's array; values are views into the input.   Threads: one at a time.
 * Source: RFC 9110 §5.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_HTTP_FIELDS_H
#define DX_CODEC_HTTP_FIELDS_H

#include "base/bytes.h"

/* Fields that some part of the server or the client looks at. Fewer than 64. */
typedef enum dx_http_name {
    DX_HTTP_OTHER = 0, /* any other: compare field.name */
    DX_HTTP_ACCEPT,
    DX_HTTP_ACCEPT_ENCODING,
    DX_HTTP_ACCESS_CONTROL_REQUEST_HEADERS,
    DX_HTTP_ACCESS_CONTROL_REQUEST_METHOD,
    DX_HTTP_ALLOW,
    DX_HTTP_AUTHORIZATION,
    DX_HTTP_CACHE_CONTROL,
    DX_HTTP_CONNECTION,
    DX_HTTP_CONTENT_ENCODING,
    DX_HTTP_CONTENT_LENGTH,
    DX_HTTP_CONTENT_RANGE,
    DX_HTTP_CONTENT_TYPE,
    DX_HTTP_COOKIE,
    DX_HTTP_DATE,
    DX_HTTP_ETAG,
    DX_HTTP_EXPECT,
    DX_HTTP_FORWARDED,
    DX_HTTP_HOST,
    DX_HTTP_IDEMPOTENCY_KEY,
    DX_HTTP_IF_MATCH,
    DX_HTTP_IF_MODIFIED_SINCE,
    DX_HTTP_IF_NONE_MATCH,
    DX_HTTP_IF_RANGE,
    DX_HTTP_IF_UNMODIFIED_SINCE,
    DX_HTTP_KEEP_ALIVE,
    DX_HTTP_LAST_EVENT_ID,
    DX_HTTP_LAST_MODIFIED,
    DX_HTTP_LOCATION,
    DX_HTTP_ORIGIN,
    DX_HTTP_PREFER,
    DX_HTTP_PRODUCER_EPOCH,
    DX_HTTP_PRODUCER_ID,
    DX_HTTP_PRODUCER_SEQ,
    DX_HTTP_RANGE,
    DX_HTTP_REFERER,
    DX_HTTP_RETRY_AFTER,
    DX_HTTP_SEC_WEBSOCKET_ACCEPT,
    DX_HTTP_SEC_WEBSOCKET_EXTENSIONS,
    DX_HTTP_SEC_WEBSOCKET_KEY,
    DX_HTTP_SEC_WEBSOCKET_PROTOCOL,
    DX_HTTP_SEC_WEBSOCKET_VERSION,
    DX_HTTP_SERVER,
    DX_HTTP_STREAM_CLOSED,
    DX_HTTP_STREAM_CURSOR,
    DX_HTTP_STREAM_EXPIRES_AT,
    DX_HTTP_STREAM_NEXT_OFFSET,
    DX_HTTP_STREAM_SEQ,
    DX_HTTP_STREAM_TTL,
    DX_HTTP_STREAM_UP_TO_DATE,
    DX_HTTP_TE,
    DX_HTTP_TRAILER,
    DX_HTTP_TRANSFER_ENCODING,
    DX_HTTP_UPGRADE,
    DX_HTTP_USER_AGENT,
    DX_HTTP_VARY,
    DX_HTTP_X_FORWARDED_FOR,
    DX_HTTP_NAME_COUNT
} dx_http_name;

/* One field line. Both are views; value has no blanks at its ends and may be empty. */
typedef struct dx_http_field {
    dx_bytes name, value;
    dx_http_name id;
} dx_http_field;

/* All fields of a head in their order. The caller sets `at` and `count_max`, nothing else. */
typedef struct dx_http_fields {
    dx_http_field *at;
    size_t count, count_max;           /* count_max: 1 to 255 */
    uint64_t seen;                     /* bit n: a field with id n is there */
    uint8_t first[DX_HTTP_NAME_COUNT]; /* where bit n is set: index of the first with id n */
} dx_http_fields;

/* The id of a name in any case; DX_HTTP_OTHER if it is none of ours. `name` must be a token. O(1). */
dx_http_name dx_http_name_of(dx_bytes name);

/* The name in its usual spelling, as in "Content-Type"; "" for DX_HTTP_OTHER. */
dx_bytes dx_http_name_text(dx_http_name id);

/* Empties the table; `at` and `count_max` stay. */
static inline void dx_http_fields_clear(dx_http_fields *f)
{
    f->count = 0, f->seen = 0;
}

/* Adds one field at the end and resolves its id; false if the table is full. `name` is a token. */
bool dx_http_fields_add(dx_http_fields *f, dx_bytes name, dx_bytes value);

static inline bool dx_http_fields_has(const dx_http_fields *f, dx_http_name id)
{
    return (f->seen >> id & 1) != 0;
}

/* The first field with this id (not OTHER), or NULL. O(1). A view until the table changes. */
static inline const dx_http_field *dx_http_fields_get(const dx_http_fields *f, dx_http_name id)
{
    return dx_http_fields_has(f, id) ? &f->at[f->first[id]] : NULL;
}

/* The value of the first field with this id; {NULL, 0} if there is none. O(1). */
static inline dx_bytes dx_http_fields_value(const dx_http_fields *f, dx_http_name id)
{
    const dx_http_field *field = dx_http_fields_get(f, id);
    return field ? field->value : (dx_bytes){NULL, 0};
}

/* The next field after `field` with the same id (not OTHER), or NULL. */
const dx_http_field *dx_http_fields_next(const dx_http_fields *f, const dx_http_field *field);

/* How many fields have this id: 0, 1, or 2 for two and more. */
unsigned dx_http_fields_count(const dx_http_fields *f, dx_http_name id);

/* The first field named `name` (any case, known or not), or NULL. O(count). */
const dx_http_field *dx_http_fields_find(const dx_http_fields *f, dx_bytes name);

#endif
