/* The lines of a head: cut at CR LF, checked, and resumed where the last call stopped.
 * Is:     RFC 9112 §2.2 and §5: line ends, control bytes, limits, field grammar.
 * Is not: what the fields mean (http_framing).
 * SPDX-License-Identifier: MIT */
#include "codec/http_head.h"

#include "base/assert.h"

/* Finds the end of the line that starts at r->checked, going on from r->scanned. The line's bytes are
 * found good up to its CR. `size_max` bytes are allowed before it. OK leaves `r` as it was before the
 * line; `too_long` is returned as soon as it is known. */
static dx_http_status line_read(dx_http_reader *r, const dx_scan *scan, dx_bytes in,
                                size_t size_max, dx_http_status too_long, dx_bytes *ret)
{
    const uint8_t *line = in.at + r->checked;
    size_t left = in.size - r->checked, size = r->scanned;

    size += scan->field(line + size, dx_min_size(left, size_max + 1) - size);
    if (size > size_max)
        return too_long;
    r->scanned = (uint32_t)size;
    if (size == left)
        return DX_HTTP_MORE;
    if (line[size] != '\r')
        return line[size] == '\n' ? DX_HTTP_FAULT_BARE_LF : DX_HTTP_FAULT_CONTROL_BYTE;
    if (size + 1 == left)
        return DX_HTTP_MORE;
    if (line[size + 1] != '\n')
        return DX_HTTP_FAULT_BARE_CR;
    r->scanned = 0;
    *ret = (dx_bytes){line, size};
    return DX_HTTP_OK;
}

dx_http_status dx_http_first_line_read(dx_http_reader *r, const dx_scan *scan, dx_bytes in,
                                       bool is_request, dx_bytes *ret)
{
    dx_bytes line = {NULL, 0};
    dx_http_status status;

    for (;;) {
        status = line_read(r, scan, in, r->limits.line_bytes_max, DX_HTTP_FAULT_REQUEST_LINE_LONG,
                           &line);
        if (status != DX_HTTP_OK)
            return status;
        if (line.size > 0 || !is_request || r->checked > 0)
            break;
        r->checked = 2; /* some clients of old sent CR LF after a POST */
    }
    r->checked += (uint32_t)line.size + 2;
    r->fields_start = r->checked;
    *ret = line;
    return DX_HTTP_OK;
}

/* What is wrong with a line whose name does not end with a colon. */
static dx_http_status name_fault(dx_bytes line, size_t name_size, bool is_first)
{
    if (line.at[0] == ' ' || line.at[0] == '\t')
        return is_first ? DX_HTTP_FAULT_BLANK_BEFORE_FIELDS : DX_HTTP_FAULT_FOLD;
    if (dx_bytes_find(line, ':') == line.size)
        return DX_HTTP_FAULT_NO_COLON;
    dx_bytes rest = dx_bytes_trim((dx_bytes){line.at + name_size, line.size - name_size});
    return name_size > 0 && rest.at[0] == ':' ? DX_HTTP_FAULT_BLANK_BEFORE_COLON
                                              : DX_HTTP_FAULT_NAME;
}

static inline dx_bytes trim_inline(dx_bytes in)
{
    while (in.size > 0 && (in.at[0] == ' ' || in.at[0] == '\t'))
        in.at++, in.size--;
    while (in.size > 0 && (in.at[in.size - 1] == ' ' || in.at[in.size - 1] == '\t'))
        in.size--;
    return in;
}

/* Reads one field line, which is not empty. Its bytes are known to fit a value. */
static dx_http_status field_read(dx_http_reader *r, const dx_scan *scan, dx_bytes line,
                                 dx_http_fields *ret)
{
    size_t size = scan->token(line.at, line.size);

    if (size == line.size || line.at[size] != ':')
        return name_fault(line, size, r->fields_count == 0);
    if (size == 0)
        return DX_HTTP_FAULT_NAME_EMPTY;
    if (r->fields_count >= r->limits.fields_count_max)
        return DX_HTTP_FAULT_FIELDS_MANY;
    if (ret) {
        dx_bytes value = {line.at + size + 1, line.size - size - 1};
        bool fits = dx_http_fields_add(ret, (dx_bytes){line.at, size}, trim_inline(value));
        dx_assert(fits);
    }
    r->fields_count++;
    return DX_HTTP_OK;
}

dx_http_status dx_http_field_lines_read(dx_http_reader *r, const dx_scan *scan, dx_bytes in,
                                        dx_http_fields *ret)
{
    dx_bytes line = {NULL, 0};
    dx_http_status status;

    for (;;) {
        size_t used = r->checked - r->fields_start, max = r->limits.fields_bytes_max;
        if (used > max)
            return DX_HTTP_FAULT_FIELDS_LARGE;
        status = line_read(r, scan, in, max - used, DX_HTTP_FAULT_FIELDS_LARGE, &line);
        if (status != DX_HTTP_OK)
            return status;
        r->checked += (uint32_t)line.size + 2;
        if (line.size == 0)
            return DX_HTTP_OK;
        status = field_read(r, scan, line, ret);
        if (status != DX_HTTP_OK)
            return status;
    }
}

dx_http_status dx_http_version_read(dx_bytes in, unsigned *minor_version)
{
    if (in.size != 8 || memcmp(in.at, "HTTP/", 5) != 0 || in.at[6] != '.')
        return DX_HTTP_FAULT_VERSION;
    unsigned major = (unsigned)in.at[5] - '0', minor = (unsigned)in.at[7] - '0';
    if (major > 9 || minor > 9)
        return DX_HTTP_FAULT_VERSION;
    if (major != 1)
        return DX_HTTP_FAULT_VERSION_MAJOR;
    *minor_version = minor > 0; /* RFC 9110 §2.5: a later minor version is read as our own */
    return DX_HTTP_OK;
}
