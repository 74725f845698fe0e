/* Request heads: the request line, the forms of its target, and the whole.
 * Is:     RFC 9112 §3.
 * Is not: the other lines (http_head), framing and Host (http_framing).
 * SPDX-License-Identifier: MIT */
#include "codec/http_head.h"

#include "base/assert.h"
#include "codec/url.h"

#define METHOD_SIZE_MAX 32

static const char method_texts[DX_HTTP_METHOD_COUNT][8] = {
    [DX_HTTP_GET] = "GET",     [DX_HTTP_HEAD] = "HEAD",     [DX_HTTP_POST] = "POST",
    [DX_HTTP_PUT] = "PUT",     [DX_HTTP_DELETE] = "DELETE", [DX_HTTP_OPTIONS] = "OPTIONS",
    [DX_HTTP_PATCH] = "PATCH", [DX_HTTP_TRACE] = "TRACE",   [DX_HTTP_CONNECT] = "CONNECT",
};

dx_bytes dx_http_method_text(dx_http_method method)
{
    return dx_bytes_of(method_texts[method]);
}

dx_http_method dx_http_method_of(dx_bytes text)
{
    char padded[8] = {0};

    if (text.size == 0 || text.size >= sizeof padded)
        return DX_HTTP_METHOD_OTHER;
    memcpy(padded, text.at, text.size);
    for (unsigned m = DX_HTTP_GET; m < DX_HTTP_METHOD_COUNT; m++)
        if (memcmp(padded, method_texts[m], sizeof padded) == 0)
            return (dx_http_method)m;
    return DX_HTTP_METHOD_OTHER;
}

/* http://authority/path?query; the target has no "#". */
static dx_http_status absolute_form_read(dx_http_request_head *ret)
{
    dx_bytes rest = ret->target, scheme;
    size_t colon = dx_bytes_find(rest, ':');

    scheme = (dx_bytes){rest.at, colon};
    dx_bytes_skip(&rest, colon);
    if (!(dx_bytes_equal_nocase(scheme, DX_BYTES("http")) ||
          dx_bytes_equal_nocase(scheme, DX_BYTES("https"))) ||
        !dx_bytes_starts(rest, DX_BYTES("://")))
        return DX_HTTP_FAULT_TARGET_FORM;
    dx_bytes_skip(&rest, 3);
    size_t size = 0;
    while (size < rest.size && rest.at[size] != '/' && rest.at[size] != '?')
        size++;
    ret->host = (dx_bytes){rest.at, size};
    if (!dx_url_is_authority(ret->host))
        return DX_HTTP_FAULT_TARGET_AUTHORITY;
    dx_bytes_skip(&rest, size);
    dx_url_target_split(rest, &ret->path, &ret->query);
    if (ret->path.size == 0) /* §3.2.4: OPTIONS of a URL without a path is OPTIONS * */
        ret->path =
            ret->method == DX_HTTP_OPTIONS && ret->query.at == NULL ? DX_BYTES("*") : DX_BYTES("/");
    return DX_HTTP_OK;
}

static dx_http_status authority_form_read(dx_http_request_head *ret)
{
    dx_bytes host;
    uint16_t port;

    ret->target_form = DX_HTTP_TARGET_AUTHORITY;
    if (!dx_url_authority_read(ret->target, &host, &port) || port == 0)
        return DX_HTTP_FAULT_TARGET_AUTHORITY;
    ret->host = ret->target;
    ret->path = (dx_bytes){ret->target.at, 0};
    return DX_HTTP_OK;
}

static dx_http_status target_read(dx_http_request_head *ret)
{
    ret->query = ret->host = (dx_bytes){NULL, 0};
    if (dx_bytes_find(ret->target, '#') < ret->target.size)
        return DX_HTTP_FAULT_TARGET_FRAGMENT;
    if (ret->method == DX_HTTP_CONNECT)
        return authority_form_read(ret);
    if (ret->target.at[0] == '/') {
        ret->target_form = DX_HTTP_TARGET_ORIGIN;
        dx_url_target_split(ret->target, &ret->path, &ret->query);
        return DX_HTTP_OK;
    }
    if (dx_bytes_equal(ret->target, DX_BYTES("*"))) {
        ret->target_form = DX_HTTP_TARGET_ASTERISK;
        ret->path = ret->target;
        return ret->method == DX_HTTP_OPTIONS ? DX_HTTP_OK : DX_HTTP_FAULT_TARGET_FORM;
    }
    ret->target_form = DX_HTTP_TARGET_ABSOLUTE;
    return absolute_form_read(ret);
}

/* Takes what is before the next space off `*line`, and the space. */
static bool word_take(dx_bytes *line, size_t size, dx_bytes *ret)
{
    if (size == 0 || size == line->size || line->at[size] != ' ')
        return false;
    *ret = (dx_bytes){line->at, size};
    dx_bytes_skip(line, size + 1);
    return true;
}

dx_http_status dx_http_request_line_read(const dx_scan *scan, dx_bytes line,
                                         dx_http_request_head *ret)
{
    size_t size = scan->token(line.at, line.size);

    if (!word_take(&line, size, &ret->method_text))
        return size < line.size && line.at[size] > ' ' ? DX_HTTP_FAULT_METHOD
                                                       : DX_HTTP_FAULT_REQUEST_LINE;
    if (ret->method_text.size > METHOD_SIZE_MAX)
        return DX_HTTP_FAULT_METHOD_LONG;
    ret->method = dx_http_method_of(ret->method_text);

    size = scan->target(line.at, line.size);
    if (!word_take(&line, size, &ret->target))
        return size < line.size && line.at[size] >= 0x80 ? DX_HTTP_FAULT_TARGET_BYTE
                                                         : DX_HTTP_FAULT_REQUEST_LINE;
    dx_http_status status = dx_http_version_read(line, &ret->minor_version);
    return status == DX_HTTP_OK ? target_read(ret) : status;
}

/* One go from where `r` stands. `*is_whole` is false if lines were read in earlier calls: then they
 * were only checked. */
static dx_http_status lines_read(dx_http_reader *r, dx_bytes in, dx_http_request_head *ret,
                                 bool *is_whole)
{
    const dx_scan *scan = dx_scan_best();
    dx_bytes line = {NULL, 0};

    *is_whole = r->fields_start == 0;
    if (*is_whole) {
        dx_http_status status = dx_http_first_line_read(r, scan, in, true, &line);
        if (status == DX_HTTP_OK)
            status = dx_http_request_line_read(scan, line, ret);
        if (status != DX_HTTP_OK)
            return status;
    }
    return dx_http_field_lines_read(r, scan, in, *is_whole ? &ret->fields : NULL);
}

dx_http_status dx_http_request_read(dx_http_reader *r, dx_bytes in, dx_http_request_head *ret,
                                    size_t *consumed)
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
        status = dx_http_request_framing(ret);
    if (status != DX_HTTP_OK)
        return status;
    *consumed = r->checked;
    dx_http_reader_reset(r);
    return DX_HTTP_OK;
}
