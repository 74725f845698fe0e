/* Between the readers of requests and of responses; nobody else includes it.
 * Is:     the lines of a head, resumable; its framing.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_HTTP_HEAD_H
#define DX_CODEC_HTTP_HEAD_H

#include "codec/http_message.h"
#include "codec/scan.h"

/* Reads the first line. Requests: one empty line before it is skipped (RFC 9112 §2.2). OK moves `r` to
 * the fields; `ret` is a view without CRLF and holds no control byte but HTAB. */
dx_http_status dx_http_first_line_read(dx_http_reader *r, const dx_scan *scan, dx_bytes in,
                                       bool is_request, dx_bytes *ret);

/* Reads field lines up to and with the empty line, into `ret`, or only checks them if it is NULL. After
 * OK r->checked is the size of the head. */
dx_http_status dx_http_field_lines_read(dx_http_reader *r, const dx_scan *scan, dx_bytes in,
                                        dx_http_fields *ret);

/* Reads "HTTP/d.d", all of `in`. */
dx_http_status dx_http_version_read(dx_bytes in, unsigned *minor_version);

/* Reads method, target and what follows from them out of a request line. */
dx_http_status dx_http_request_line_read(const dx_scan *scan, dx_bytes line,
                                         dx_http_request_head *ret);

/* Sets head->framing from the rest. */
dx_http_status dx_http_response_framing(dx_http_response_head *head, dx_http_method method);

#endif
