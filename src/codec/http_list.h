/* List-valued fields: elements, tokens, parameters, and what a client accepts.
 * Is:     RFC 9110 §5.6 (lists, quoted strings, parameters) and §12 (quality values), as readers.
 * Is not: lines (http_head) or WebSocket extension offers (ws_*).
 * Memory: allocates nothing; all results are views into the value.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_HTTP_LIST_H
#define DX_CODEC_HTTP_LIST_H

#include "codec/http_fields.h"

/* Takes the next element of a comma-separated list off `*in`: without blanks at its ends, never
 * empty (empty elements are skipped, §5.6.1.2); commas inside quoted strings do not cut.
 * False when there is none left. */
bool dx_http_list_next(dx_bytes *in, dx_bytes *ret);

/* True if one element of the list equals `token` but for case. */
bool dx_http_list_has(dx_bytes list, dx_bytes token);

/* The same over all field lines with this id. */
bool dx_http_fields_have_token(const dx_http_fields *f, dx_http_name id, dx_bytes token);

typedef struct dx_http_parameter {
    dx_bytes name;
    dx_bytes value; /* inside of the quotes if quoted: see dx_http_unquote; {NULL, 0} if no "=" */
    bool is_quoted;
} dx_http_parameter;

typedef enum dx_http_parameter_status {
    DX_HTTP_PARAMETER_OK,
    DX_HTTP_PARAMETER_NONE, /* `*in` is spent */
    DX_HTTP_PARAMETER_BAD,  /* not a parameter by the grammar */
} dx_http_parameter_status;

/* Takes what is before the first ";" off `*in`, without blanks: a media type, an extension's name.
 * `*in` is left at the ";" or empty. */
dx_bytes dx_http_parameters_head(dx_bytes *in);

/* Takes one `;name`, `;name=token` or `;name="quoted"` off `*in`, blanks around ";" and "=" allowed.
 * Empty parameters (";;") are skipped (§5.6.6). */
dx_http_parameter_status dx_http_parameter_next(dx_bytes *in, dx_http_parameter *ret);

/* Copies the inside of a quoted string without its backslashes. `memory` has value.size bytes or
 * more. Returns the size written. */
size_t dx_http_unquote(dx_bytes value, uint8_t *memory);

/* How much the client wants this media type (as in "text/event-stream", parameters allowed), by all
 * Accept lines: 0 (not at all) to 1000. The most specific range decides; 1000 if there is no Accept.
 * Elements that break the grammar are skipped. Source: RFC 9110 §12.5.1. */
unsigned dx_http_accepts(const dx_http_fields *f, dx_bytes media_type);

/* True if some Accept line names exactly this type (no wildcard) with a quality above 0. */
bool dx_http_accepts_exactly(const dx_http_fields *f, dx_bytes media_type);

/* The same for a content coding ("gzip", "br") by all Accept-Encoding lines, 0 to 1000. "identity" is
 * 1000 unless refused; any other coding is 0 without the field. Source: RFC 9110 §12.5.3. */
unsigned dx_http_accepts_coding(const dx_http_fields *f, dx_bytes coding);

/* True if `content_type` is this media type, whatever its parameters and case. */
bool dx_http_type_is(dx_bytes content_type, dx_bytes media_type);

#endif
