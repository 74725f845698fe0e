/* Response heads, for the client.
 * Is:     RFC 9112 §4.
 * SPDX-License-Identifier: MIT */
#include "codec/http_head.h"

#include "base/assert.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK". A missing space after the code is let pass: servers that have no reason to give
 * often leave it out, and nothing hangs on it. */
static dx_http_status status_line_read(dx_bytes line, dx_http_response_head *ret)
{
    if (line.size < 8)
        return DX_HTTP_FAULT_STATUS_LINE;
    dx_http_status status = dx_http_version_read((dx_bytes){line.at, 8}, &ret->minor_version);
    if (status != DX_HTTP_OK)
        return status == DX_HTTP_FAULT_VERSION ? DX_HTTP_FAULT_STATUS_LINE : status;
    const uint8_t *at = line.at + 8;
    if (line.size < 12 || at[0] != ' ' || !is_digit(at[1]) || !is_digit(at[2]) || !is_digit(at[3]))
        return DX_HTTP_FAULT_STATUS_LINE;
    ret->code = (unsigned)(at[1] - '0') * 100 + (unsigned)(at[2] - '0') * 10 + at[3] - '0';
    if (ret->code < 100 || (line.size > 12 && at[4] != ' '))
        return DX_HTTP_FAULT_STATUS_LINE;
    dx_bytes_skip(&line, dx_min_size(line.size, 13));
    ret->reason = line;
    return DX_HTTP_OK;
}

static dx_http_status lines_read(dx_http_reader *r, dx_bytes in, dx_http_response_head *ret,
                                 bool *is_whole)
{
    const dx_scan *scan = dx_scan_best();
    dx_bytes line = {NULL, 0};

    *is_whole = r->fields_start == 0;
    if (*is_whole) {
        dx_http_status status = dx_http_first_line_read(r, scan, in, false, &line);
        if (status == DX_HTTP_OK)
            status = status_line_read(line, ret);
        if (status != DX_HTTP_OK)
            return status;
    }
    return dx_http_field_lines_read(r, scan, in, *is_whole ? &ret->fields : NULL);
}

dx_http_status dx_http_response_read(dx_http_reader *r, dx_bytes in, dx_http_method method,
                                     dx_http_response_head *ret, size_t *consumed)
{
    bool is_whole;

    dx_assert(ret->fields.count_max >= r->limits.fields_count_max);
    dx_assert(in.size >= (size_t)r->checked + r->scanned);
    if (in.size == 0)
        return DX_HTTP_MORE;
    dx_http_fields_clear(&ret->fields);
    dx_http_status status = lines_read(r, in, ret, &is_whole);
    if (status == DX_HTTP_OK && !is_whole) { /* every line is good: now take them all */
        dx_http_reader_reset(r);
        status = lines_read(r, in, ret, &is_whole);
        dx_assert(status == DX_HTTP_OK && is_whole);
    }
    if (status == DX_HTTP_OK)
        status = dx_http_response_framing(ret, method);
    if (status != DX_HTTP_OK)
        return status;
    *consumed = r->checked;
    dx_http_reader_reset(r);
    return DX_HTTP_OK;
}
