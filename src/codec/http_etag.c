/* Entity tags.
 * SPDX-License-Identifier: MIT */
#include "codec/http_etag.h"

/* etagc: no quote, no blank, no control byte; obs-text is allowed. */
static bool is_etag_byte(uint8_t c)
{
    return c == '!' || (c >= '#' && c != 0x7f);
}

/* Takes one tag off the front of `*in`. */
static bool tag_take(dx_bytes *in, dx_http_etag *ret)
{
    bool is_weak = dx_bytes_starts(*in, DX_BYTES("W/"));
    size_t first = is_weak ? 2 : 0, size;

    if (in->size <= first || in->at[first] != '"')
        return false;
    first++;
    for (size = first; size < in->size && is_etag_byte(in->at[size]); size++)
        ;
    if (size == in->size || in->at[size] != '"')
        return false;
    *ret = (dx_http_etag){{in->at + first, size - first}, is_weak};
    dx_bytes_skip(in, size + 1);
    return true;
}

bool dx_http_etag_read(dx_bytes in, dx_http_etag *ret)
{
    dx_http_etag tag;

    if (!tag_take(&in, &tag) || in.size > 0)
        return false;
    *ret = tag;
    return true;
}

bool dx_http_etag_equal_strong(dx_http_etag a, dx_http_etag b)
{
    return !a.is_weak && !b.is_weak && dx_bytes_equal(a.opaque, b.opaque);
}

bool dx_http_etag_equal_weak(dx_http_etag a, dx_http_etag b)
{
    return dx_bytes_equal(a.opaque, b.opaque);
}

/* Skips blanks and commas. Returns how many commas there were. */
static unsigned separators_skip(dx_bytes *in)
{
    unsigned count = 0;

    for (; in->size > 0 && (in->at[0] == ' ' || in->at[0] == '\t' || in->at[0] == ',');
         dx_bytes_skip(in, 1))
        count += in->at[0] == ',';
    return count;
}

dx_http_etag_list dx_http_etag_list_match(dx_bytes list, dx_http_etag tag, bool strong)
{
    bool is_hit = false;
    dx_http_etag one;

    if (dx_bytes_equal(dx_bytes_trim(list), DX_BYTES("*")))
        return DX_HTTP_ETAG_LIST_ANY;
    (void)separators_skip(&list); /* commas inside of tags are why http_list is not used here */
    if (list.size == 0)
        return DX_HTTP_ETAG_LIST_BAD;
    while (list.size > 0) {
        if (!tag_take(&list, &one))
            return DX_HTTP_ETAG_LIST_BAD;
        is_hit |= strong ? dx_http_etag_equal_strong(one, tag) : dx_http_etag_equal_weak(one, tag);
        if (separators_skip(&list) == 0 && list.size > 0)
            return DX_HTTP_ETAG_LIST_BAD;
    }
    return is_hit ? DX_HTTP_ETAG_LIST_HIT : DX_HTTP_ETAG_LIST_MISS;
}
