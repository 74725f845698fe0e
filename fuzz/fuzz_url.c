/* URLs: a decoded path never leaves its root; parts lie inside; what was encoded decodes.
 * Input: the text.
 * SPDX-License-Identifier: MIT */
#include "codec/url.h"
#include "codec/utf8.h"
#include "fuzz/fuzz.h"

/* Attack A7: walks the path as a file system would; it must never be above where it began. */
static void path_check(dx_bytes path)
{
    dx_bytes rest = path, segment;

    FUZZ_CHECK(path.size > 0 && path.at[0] == '/' && dx_utf8_is_valid(path));
    for (size_t i = 0; i < path.size; i++)
        FUZZ_CHECK(path.at[i] >= ' ' && path.at[i] != 0x7f && path.at[i] != '\\');
    while (dx_bytes_split(&rest, '/', &segment))
        FUZZ_CHECK(!dx_bytes_equal(segment, DX_BYTES("..")) &&
                   !dx_bytes_equal(segment, DX_BYTES(".")));
}

static size_t slashes(dx_bytes in)
{
    size_t count = 0;

    for (size_t i = 0; i < in.size; i++)
        count += in.at[i] == '/';
    return count;
}

static void path_run(dx_bytes in)
{
    uint8_t *memory = malloc(in.size + 1), *encoded = malloc(3 * in.size + 1);
    uint8_t *again = malloc(3 * in.size + 1);
    dx_bytes path, same;

    if (dx_url_path_decode(in, memory, in.size, &path) == DX_URL_OK) {
        FUZZ_CHECK(path.size <= in.size);
        path_check(path);
        FUZZ_CHECK(slashes(path) == slashes(in)); /* none came out of an escape */
        size_t size = dx_url_encode(path, true, encoded, 3 * in.size);
        FUZZ_CHECK(size <= 3 * path.size);
        FUZZ_CHECK(dx_url_path_decode(dx_bytes_at(encoded, size), again, 3 * in.size, &same) ==
                   DX_URL_OK);
        FUZZ_CHECK(dx_bytes_equal(path, same));
    }
    free(memory);
    free(encoded);
    free(again);
}

static void query_run(dx_bytes in)
{
    dx_bytes rest = in, name, value, decoded, found;
    uint8_t *memory = malloc(in.size + 1);

    while (dx_url_query_next(&rest, &name, &value)) {
        FUZZ_CHECK(fuzz_is_inside(name, in) && fuzz_is_inside(value, in));
        if (dx_url_query_decode(name, memory, in.size, &decoded) != DX_URL_OK)
            continue;
        FUZZ_CHECK(dx_utf8_is_valid(decoded) && dx_bytes_find(decoded, 0) == decoded.size);
        FUZZ_CHECK(dx_url_query_find(in, decoded, &found));
    }
    free(memory);
}

static void url_run(dx_bytes in)
{
    dx_url url;

    if (dx_url_read(in, &url) != DX_URL_OK)
        return;
    FUZZ_CHECK(url.host.size > 0 && url.port > 0 && dx_url_is_authority(url.authority));
    FUZZ_CHECK(fuzz_is_inside(url.host, url.authority) && fuzz_is_inside(url.query, in));
    FUZZ_CHECK(url.path.size > 0 && url.path.at[0] == '/');
    FUZZ_CHECK(url.target.size > 0 && (url.target.at[0] == '/' || url.target.at[0] == '?'));
    for (size_t i = 0; i < url.target.size; i++)
        FUZZ_CHECK(url.target.at[i] > ' ' && url.target.at[i] < 0x7f && url.target.at[i] != '#');
}

static void origin_run(dx_bytes in)
{
    dx_url_origin origin;

    if (!dx_url_origin_read(in, &origin))
        return;
    FUZZ_CHECK(dx_url_origin_equal(&origin, &origin) == !origin.is_null);
    if (origin.is_null)
        return;
    FUZZ_CHECK(fuzz_is_inside(origin.host, in) && origin.host.size > 0);
    dx_bytes authority = {origin.host.at, in.size - (size_t)(origin.host.at - in.at)};
    bool is_http = dx_bytes_equal_nocase(origin.scheme, DX_BYTES("http"));
    FUZZ_CHECK(dx_url_origin_is_host(&origin, authority, false) == is_http);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = {data, size}, path, query;

    path_run(in);
    query_run(in);
    url_run(in);
    origin_run(in);
    dx_url_target_split(in, &path, &query);
    FUZZ_CHECK(path.size + query.size + (query.at != NULL) == size);
    return 0;
}
