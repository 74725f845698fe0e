/* Outcomes of reading HTTP/1.1, and the one table from faults to answers.
 * Is:     dx_http_status, and for each fault: status code, an English sentence, the RFC section.
 * Is not: the answer itself (http layer).
 * Threads: pure values, any thread.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_HTTP_STATUS_H
#define DX_CODEC_HTTP_STATUS_H

#include "base/platform.h"

typedef enum dx_http_status {
    DX_HTTP_OK,   /* a whole head was read */
    DX_HTTP_MORE, /* not yet: more bytes are needed */
    DX_HTTP_DATA, /* chunks: a piece of content was read */
    DX_HTTP_END,  /* chunks: the last chunk and the trailers were read */

    /* Faults of the peer. After any of them the framing is in doubt: answer and close. */
    DX_HTTP_FAULT_BARE_LF,
    DX_HTTP_FAULT_BARE_CR,
    DX_HTTP_FAULT_CONTROL_BYTE,
    DX_HTTP_FAULT_REQUEST_LINE_LONG, /* 414 */
    DX_HTTP_FAULT_FIELDS_LARGE,      /* 431 */
    DX_HTTP_FAULT_FIELDS_MANY,       /* 431 */
    DX_HTTP_FAULT_REQUEST_LINE,
    DX_HTTP_FAULT_METHOD,
    DX_HTTP_FAULT_METHOD_LONG, /* 501 */
    DX_HTTP_FAULT_TARGET_BYTE,
    DX_HTTP_FAULT_TARGET_FRAGMENT,
    DX_HTTP_FAULT_TARGET_FORM,
    DX_HTTP_FAULT_TARGET_AUTHORITY,
    DX_HTTP_FAULT_VERSION,
    DX_HTTP_FAULT_VERSION_MAJOR, /* 505 */
    DX_HTTP_FAULT_BLANK_BEFORE_FIELDS,
    DX_HTTP_FAULT_FOLD,
    DX_HTTP_FAULT_BLANK_BEFORE_COLON,
    DX_HTTP_FAULT_NO_COLON,
    DX_HTTP_FAULT_NAME_EMPTY,
    DX_HTTP_FAULT_NAME,
    DX_HTTP_FAULT_LENGTH,
    DX_HTTP_FAULT_LENGTH_REPEATED,
    DX_HTTP_FAULT_CODING,
    DX_HTTP_FAULT_CODING_UNKNOWN, /* 501 */
    DX_HTTP_FAULT_CODING_NOT_LAST,
    DX_HTTP_FAULT_CODING_REPEATED,
    DX_HTTP_FAULT_CODING_AND_LENGTH,
    DX_HTTP_FAULT_CODING_IN_1_0,
    DX_HTTP_FAULT_HOST_MISSING,
    DX_HTTP_FAULT_HOST_REPEATED,
    DX_HTTP_FAULT_HOST,
    DX_HTTP_FAULT_EXPECT, /* 417 */

    DX_HTTP_FAULT_CHUNK_SIZE,
    DX_HTTP_FAULT_CHUNK_SIZE_LARGE,
    DX_HTTP_FAULT_CHUNK_EXTENSION,
    DX_HTTP_FAULT_CHUNK_EXTENSION_LONG,
    DX_HTTP_FAULT_CHUNK_END,
    DX_HTTP_FAULT_CHUNK_OVERHEAD,
    DX_HTTP_FAULT_TRAILERS_LARGE, /* 431 */

    DX_HTTP_FAULT_STATUS_LINE, /* responses only */

    DX_HTTP_STATUS_COUNT
} dx_http_status;

static inline bool dx_http_is_fault(dx_http_status status)
{
    return status > DX_HTTP_END;
}

typedef struct dx_http_fault {
    uint16_t code;    /* status code to answer with: 400, 414, 417, 431, 501, 505 */
    const char *text; /* what was wrong and what is allowed: a whole sentence with its full stop */
    const char *section; /* such as "RFC 9112 section 3.2" */
} dx_http_fault;

/* The row of `fault`, static; never NULL. Asserts dx_http_is_fault(fault). */
const dx_http_fault *dx_http_fault_of(dx_http_status fault);

/* The reason phrase of a status code ("Not Found"); "" for one that has no name. */
const char *dx_http_reason(unsigned code);

#endif
