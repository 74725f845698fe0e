/* Header fields that WebSocket handshakes carry: lists of tokens over several lines.
 * Is:     the lines type, token tests, walking a comma-separated list with quoted strings.
 * Is not: HTTP parsing (http_*).
 * Memory: allocates nothing; results are views of the lines.   Threads: any.
 * Source: RFC 9110 §5.6.1 (lists), §5.6.2 (tokens), RFC 6455 §9.1.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_WS_FIELD_H
#define DX_CODEC_WS_FIELD_H

#include "base/bytes.h"

/* The values of all header fields of one name, in the order they came. */
typedef struct dx_ws_lines {
    const dx_bytes *at;
    size_t count;
} dx_ws_lines;

/* A walk over the elements of a list. Begin with {lines}. */
typedef struct dx_ws_list {
    dx_ws_lines lines; /* not yet begun */
    dx_bytes rest;     /* of the line that was begun; at is NULL when it is spent */
} dx_ws_list;

/* The next element that is not empty, without blanks at its ends. Commas inside a quoted string do
 * not separate. False at the end. */
bool dx_ws_list_next(dx_ws_list *list, dx_bytes *ret);

/* Cuts the next `separator`-separated part off the front of `*in`, trimmed; a separator inside a
 * quoted string does not cut. False when `*in` is spent (at == NULL). Parts may be empty. */
bool dx_ws_part_next(dx_bytes *in, uint8_t separator, dx_bytes *ret);

/* True for 1*tchar. */
bool dx_ws_is_token(dx_bytes in);

/* True if the list has the element `token`, whatever the case of ASCII letters. */
bool dx_ws_lines_have(dx_ws_lines lines, dx_bytes token);

#endif
