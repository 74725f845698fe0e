/* HTTP/1.1 heads: bytes in, one request or response head out.
 * Is:     every MUST of RFC 9112 §2-§7 and RFC 9110 §5-§10 that a head alone can break: lines,
 *         names, Host, request-target, framing, Connection, Expect, Upgrade.
 * Is not: content (http_chunk), conditions and ranges, routing, I/O of any kind.
 * Memory: allocates nothing; the caller gives the array of fields; all views point into the input.
 * Threads: one at a time.
 * Source: RFC 9110, RFC 9112.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_HTTP_MESSAGE_H
#define DX_CODEC_HTTP_MESSAGE_H

#include "codec/http_fields.h"
#include "codec/http_status.h"

typedef enum dx_http_method {
    DX_HTTP_METHOD_OTHER = 0, /* a token that is none of these, also "get": answer 501 */
    DX_HTTP_GET,
    DX_HTTP_HEAD,
    DX_HTTP_POST,
    DX_HTTP_PUT,
    DX_HTTP_DELETE,
    DX_HTTP_OPTIONS,
    DX_HTTP_PATCH,
    DX_HTTP_TRACE,
    DX_HTTP_CONNECT,
    DX_HTTP_METHOD_COUNT
} dx_http_method;

typedef enum dx_http_target_form {
    DX_HTTP_TARGET_ORIGIN,    /* /path?query */
    DX_HTTP_TARGET_ABSOLUTE,  /* http://host/path?query */
    DX_HTTP_TARGET_AUTHORITY, /* host:port, CONNECT only */
    DX_HTTP_TARGET_ASTERISK,  /* *, OPTIONS only */
} dx_http_target_form;

typedef enum dx_http_body {
    DX_HTTP_BODY_NONE,    /* nothing follows the head; for requests: no Content-Length at all */
    DX_HTTP_BODY_LENGTH,  /* content_length bytes follow; may be 0 */
    DX_HTTP_BODY_CHUNKED, /* read it with http_chunk */
    DX_HTTP_BODY_CLOSE,   /* responses only: everything until the connection closes */
} dx_http_body;

typedef struct dx_http_framing {
    dx_http_body body;
    uint64_t content_length; /* BODY_LENGTH: as sent; else 0, but in a response to HEAD or with 304:
                                what GET would have sent, if said */
    bool keep_alive;         /* RFC 9112 §9.3: the peer wants the connection to stay */
    bool expect_continue;    /* requests: send 100 before reading; false in 1.0 or without a body */
    bool upgrade_websocket;  /* Upgrade has websocket, Connection has upgrade, version is 1.1 */
} dx_http_framing;

typedef struct dx_http_request_head {
    dx_http_fields fields; /* the caller sets .at and .count_max before the call */
    dx_http_framing framing;
    dx_http_method method;
    dx_http_target_form target_form;
    unsigned minor_version; /* 0, or 1 for 1.1 and any later 1.x */
    dx_bytes method_text;
    dx_bytes target; /* as sent */
    dx_bytes path;   /* still encoded; starts with '/'; "*" for OPTIONS *; empty for CONNECT */
    dx_bytes query;  /* after the '?', still encoded; .at is NULL if there is no '?' */
    dx_bytes host;   /* host[:port] from the absolute or authority form, else from Host; valid by
                        grammar; empty only in HTTP/1.0 without Host */
} dx_http_request_head;

typedef struct dx_http_response_head {
    dx_http_fields fields; /* the caller sets .at and .count_max before the call */
    dx_http_framing framing;
    unsigned code;          /* 100 to 999 */
    unsigned minor_version; /* 0, or 1 for 1.1 and any later 1.x */
    dx_bytes reason;        /* may be empty */
} dx_http_response_head;

typedef struct dx_http_limits {
    uint32_t line_bytes_max;   /* request or status line, without its CRLF */
    uint32_t fields_bytes_max; /* all field lines with their CRLFs */
    uint32_t fields_count_max; /* at most fields.count_max */
} dx_http_limits;

#define DX_HTTP_LIMITS_DEFAULT                                                                     \
    ((dx_http_limits){.line_bytes_max = 8192, .fields_bytes_max = 16384, .fields_count_max = 100})

/* Remembers how far a head that came in pieces was looked at. Nothing else needs to be kept between
 * calls but this and the bytes: not the head, not its array of fields. */
typedef struct dx_http_reader {
    dx_http_limits limits;
    uint32_t checked;      /* bytes of whole lines that were found good */
    uint32_t scanned;      /* bytes of the line after them that were found good */
    uint32_t fields_start; /* where the field section begins; 0 while in the first line */
    uint32_t fields_count; /* field lines among `checked` */
} dx_http_reader;

/* limits: borrowed; each at most 2^30. */
static inline void dx_http_reader_init(dx_http_reader *r, const dx_http_limits *limits)
{
    *r = (dx_http_reader){.limits = *limits};
}

/* Forgets a head that was begun. */
static inline void dx_http_reader_reset(dx_http_reader *r)
{
    *r = (dx_http_reader){.limits = r->limits};
}

/* Reads one request head.
 * in:       all bytes that are not yet consumed, from the first of this head on; on the next call the
 *           same bytes and more, at the same place in memory or another. More than one head is fine.
 * ret:      borrowed; after OK every field is set, all views point into `in` (or at static text).
 *           After anything else its contents mean nothing and need not be kept.
 * consumed: set on OK only: the size of the head with its last empty line. Bytes after it are content
 *           or the next request.
 * Returns:  OK (the reader is ready for the next head), MORE, or a fault (close; the reader must be
 *           initialised before it is used again). 414 and 431 are told as soon as a limit is passed.
 * Cost:     O(n) over all calls for a head, however it was cut; one pass if it came whole. */
dx_http_status dx_http_request_read(dx_http_reader *r, dx_bytes in, dx_http_request_head *ret,
                                    size_t *consumed);

/* Reads one response head, in the same way. `method` is that of the request it answers: HEAD and a
 * successful CONNECT have no content. 1xx heads are returned like others (body NONE): go on reading
 * for the final one. */
dx_http_status dx_http_response_read(dx_http_reader *r, dx_bytes in, dx_http_method method,
                                     dx_http_response_head *ret, size_t *consumed);

/* Sets head->host (if it is not set) and head->framing from the fields. The last step of
 * dx_http_request_read, alone for heads that were not lines of text (HTTP/2). */
dx_http_status dx_http_request_framing(dx_http_request_head *head);

/* The method of this text, which is case-sensitive. */
dx_http_method dx_http_method_of(dx_bytes text);

/* Its text; "" for OTHER. */
dx_bytes dx_http_method_text(dx_http_method method);

#endif
