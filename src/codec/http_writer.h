/* Heads out: status lines, request lines and fields into the caller's memory.
 * Is:     a cursor with one sticky fault; nothing a caller passes can end a line or start another.
 * Is not: deciding which fields a message needs (http layer), content (http_chunk has chunk heads).
 * Memory: the caller's; never past its end.   Threads: one at a time.
 * Source: RFC 9112 §3-§5, RFC 9110 §5.5.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_HTTP_WRITER_H
#define DX_CODEC_HTTP_WRITER_H

#include "codec/http_message.h"

typedef enum dx_http_writer_fault {
    DX_HTTP_WRITER_OK,
    DX_HTTP_WRITER_FULL,  /* the memory is too small */
    DX_HTTP_WRITER_NAME,  /* a field name or method that is no token */
    DX_HTTP_WRITER_VALUE, /* a control byte, CR, LF or NUL in a value, reason or target */
} dx_http_writer_fault;

/* After the first fault every call is a no-op, and the fault stays. */
typedef struct dx_http_writer {
    uint8_t *at;
    size_t size, size_max;
    dx_http_writer_fault fault;
} dx_http_writer;

static inline void dx_http_writer_init(dx_http_writer *w, void *memory, size_t size_max)
{
    *w = (dx_http_writer){.at = memory, .size_max = size_max};
}

/* "HTTP/1.1 404 Not Found", with the reason phrase of the code. code: 100 to 999. */
void dx_http_write_status(dx_http_writer *w, unsigned code);

/* "GET /path HTTP/1.1". target: 1 or more visible ASCII bytes. */
void dx_http_write_request(dx_http_writer *w, dx_bytes method, dx_bytes target);

/* The same with "HTTP/1.0". */
void dx_http_write_request_1_0(dx_http_writer *w, dx_bytes method, dx_bytes target);

/* "Name: value". name: a token. value: no control bytes but HTAB; blanks at its ends are refused, as
 * they would not come back. */
void dx_http_write_field(dx_http_writer *w, dx_bytes name, dx_bytes value);

/* The same with a known name in its usual spelling. */
void dx_http_write_known(dx_http_writer *w, dx_http_name name, dx_bytes value);

/* "Name: 123". */
void dx_http_write_number(dx_http_writer *w, dx_http_name name, uint64_t value);

/* "Name: Sun, 06 Nov 1994 08:49:37 GMT". */
void dx_http_write_date(dx_http_writer *w, dx_http_name name, int64_t seconds);

/* Bytes that the caller has made by this writer before, such as a cached block of whole lines with
 * their CRLFs: copied as they are, not checked. */
void dx_http_write_lines(dx_http_writer *w, dx_bytes lines);

/* The empty line. Returns the whole head as a view into the memory, or {NULL, 0} after a fault. */
dx_bytes dx_http_write_end(dx_http_writer *w);

#endif
