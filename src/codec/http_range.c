/* Byte ranges.
 * SPDX-License-Identifier: MIT */
#include "codec/http_range.h"

#include "codec/http_list.h"

typedef enum spec_status { SPEC_OK, SPEC_OUTSIDE, SPEC_BAD } spec_status;

/* A number that may be absurdly large: all above UINT64_MAX are as good as that. */
static bool number_read(dx_bytes in, uint64_t *ret)
{
    for (size_t i = 0; i < in.size; i++)
        if (in.at[i] < '0' || in.at[i] > '9')
            return false;
    if (!dx_bytes_decimal(in, UINT64_MAX, ret))
        *ret = UINT64_MAX;
    return in.size > 0;
}

/* One of "first-last", "first-", "-suffix". */
static spec_status spec_read(dx_bytes in, uint64_t size, dx_http_range *ret)
{
    size_t dash = dx_bytes_find(in, '-');
    uint64_t first = 0, last = UINT64_MAX;

    if (dash == in.size)
        return SPEC_BAD;
    dx_bytes left = {in.at, dash}, right = {in.at + dash + 1, in.size - dash - 1};
    if (left.size == 0) {
        if (!number_read(right, &last))
            return SPEC_BAD;
        if (last == 0 || size == 0)
            return SPEC_OUTSIDE;
        *ret = (dx_http_range){size - dx_min_u64(last, size), size - 1};
        return SPEC_OK;
    }
    if (!number_read(left, &first) || (right.size > 0 && !number_read(right, &last)) ||
        first > last)
        return SPEC_BAD;
    if (first >= size)
        return SPEC_OUTSIDE;
    *ret = (dx_http_range){first, dx_min_u64(last, size - 1)};
    return SPEC_OK;
}

static bool overlaps(const dx_http_range *all, size_t count, dx_http_range one)
{
    for (size_t i = 0; i < count; i++)
        if (one.first <= all[i].last && all[i].first <= one.last)
            return true;
    return false;
}

dx_http_range_status dx_http_range_read(dx_bytes value, uint64_t size,
                                        dx_http_range ret[static DX_HTTP_RANGES_MAX], size_t *count)
{
    dx_http_range found[DX_HTTP_RANGES_MAX], one;
    size_t found_count = 0, specs_count = 0, equals = dx_bytes_find(value, '=');
    dx_bytes spec;

    if (!dx_bytes_equal_nocase((dx_bytes){value.at, equals}, DX_BYTES("bytes")))
        return DX_HTTP_RANGE_IGNORED;
    dx_bytes_skip(&value, dx_min_size(equals + 1, value.size));
    while (dx_http_list_next(&value, &spec)) {
        spec_status status = spec_read(spec, size, &one);
        if (status == SPEC_BAD || ++specs_count > DX_HTTP_RANGES_MAX)
            return DX_HTTP_RANGE_IGNORED;
        if (status == SPEC_OUTSIDE)
            continue;
        if (overlaps(found, found_count, one))
            return DX_HTTP_RANGE_IGNORED;
        found[found_count++] = one;
    }
    if (specs_count == 0)
        return DX_HTTP_RANGE_IGNORED;
    if (found_count == 0)
        return DX_HTTP_RANGE_UNSATISFIABLE;
    memcpy(ret, found, found_count * sizeof *found);
    *count = found_count;
    return DX_HTTP_RANGE_OK;
}

static size_t text_write(uint8_t *at, const char *text)
{
    size_t size = strlen(text);
    memcpy(at, text, size);
    return size;
}

static size_t number_write(uint8_t *at, uint64_t number)
{
    uint8_t digits[20];
    size_t size = 0;

    do
        digits[sizeof digits - ++size] = (uint8_t)('0' + number % 10);
    while (number /= 10);
    memcpy(at, digits + sizeof digits - size, size);
    return size;
}

size_t dx_http_content_range_write(dx_http_range range, uint64_t size,
                                   uint8_t at[static DX_HTTP_CONTENT_RANGE_MAX])
{
    size_t used = text_write(at, "bytes ");

    used += number_write(at + used, range.first);
    used += text_write(at + used, "-");
    used += number_write(at + used, range.last);
    used += text_write(at + used, "/");
    return used + number_write(at + used, size);
}

size_t dx_http_content_range_write_none(uint64_t size, uint8_t at[static DX_HTTP_CONTENT_RANGE_MAX])
{
    size_t used = text_write(at, "bytes */");
    return used + number_write(at + used, size);
}

bool dx_http_content_range_read(dx_bytes value, dx_http_content_range *ret)
{
    dx_http_content_range found = {.has_range = true, .has_size = true};
    size_t space = dx_bytes_find(value, ' ');
    uint64_t first, last;

    if (!dx_bytes_equal_nocase((dx_bytes){value.at, space}, DX_BYTES("bytes")))
        return false;
    dx_bytes_skip(&value, dx_min_size(space + 1, value.size));
    size_t slash = dx_bytes_find(value, '/'), dash = dx_bytes_find(value, '-');
    if (slash == value.size)
        return false;
    dx_bytes range = {value.at, slash}, size = {value.at + slash + 1, value.size - slash - 1};

    if (dx_bytes_equal(size, DX_BYTES("*")))
        found.has_size = false;
    else if (!dx_bytes_decimal(size, UINT64_MAX, &found.size))
        return false;
    if (dx_bytes_equal(range, DX_BYTES("*"))) {
        found.has_range = false;
    } else {
        if (dash >= slash || !dx_bytes_decimal((dx_bytes){value.at, dash}, UINT64_MAX, &first) ||
            !dx_bytes_decimal((dx_bytes){value.at + dash + 1, slash - dash - 1}, UINT64_MAX,
                              &last) ||
            first > last || (found.has_size && last >= found.size))
            return false;
        found.range = (dx_http_range){first, last};
    }
    if (!found.has_range && !found.has_size)
        return false;
    *ret = found;
    return true;
}
