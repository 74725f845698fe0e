/* Absolute URLs, paths, queries, percent-encoding.
 * Is:     RFC 3986 §2.1, §3; RFC 6455 §3.
 * Is not: hosts and origins (url_authority).
 * SPDX-License-Identifier: MIT */
#include "codec/url.h"

#include "base/assert.h"
#include "codec/utf8.h"

const char *dx_url_fault_text(dx_url_fault fault)
{
    static const char *const texts[DX_URL_FAULT_COUNT] = {
        [DX_URL_OK] = "The URL is good.",
        [DX_URL_EMPTY] = "The URL is empty.",
        [DX_URL_SCHEME] = "The URL does not start with http://, https://, ws:// or wss://.",
        [DX_URL_HOST] = "The host of the URL is missing, or not a host name or address.",
        [DX_URL_PORT] = "The port of the URL is not a number from 1 to 65535.",
        [DX_URL_USERINFO] = "The URL holds a user name; none is allowed.",
        [DX_URL_BYTE] = "The URL holds a byte that is not visible ASCII; write others as %xx.",
        [DX_URL_FRAGMENT] = "The URL holds a \"#\" where none may be.",
        [DX_URL_NOT_A_PATH] = "The path does not start with \"/\".",
        [DX_URL_PERCENT] = "A \"%\" is not followed by two hex digits.",
        [DX_URL_DOT_SEGMENT] = "The path holds a \".\" or \"..\" segment; none is allowed.",
        [DX_URL_SLASH] = "The path holds an encoded slash or a backslash; none is allowed.",
        [DX_URL_CONTROL] = "There is a control byte after decoding; none is allowed.",
        [DX_URL_UTF8] = "What was decoded is not UTF-8.",
        [DX_URL_MEMORY] = "There is more to decode than fits.",
    };

    dx_assert(fault < DX_URL_FAULT_COUNT);
    return texts[fault];
}

static bool scheme_read(dx_bytes *in, dx_url *ret)
{
    static const struct {
        dx_bytes text;
        dx_url_scheme scheme;
        bool is_secure;
    } schemes[] = {
        {{(const uint8_t *)"http://", 7}, DX_URL_HTTP, false},
        {{(const uint8_t *)"https://", 8}, DX_URL_HTTPS, true},
        {{(const uint8_t *)"ws://", 5}, DX_URL_WS, false},
        {{(const uint8_t *)"wss://", 6}, DX_URL_WSS, true},
    };

    for (size_t i = 0; i < DX_COUNT(schemes); i++) {
        dx_bytes start = {in->at, dx_min_size(in->size, schemes[i].text.size)};
        if (!dx_bytes_equal_nocase(start, schemes[i].text))
            continue;
        ret->scheme = schemes[i].scheme, ret->is_secure = schemes[i].is_secure;
        dx_bytes_skip(in, start.size);
        return true;
    }
    return false;
}

static dx_url_fault authority_read(dx_url *ret)
{
    dx_bytes rest = ret->authority;

    if (dx_bytes_find(rest, '@') < rest.size)
        return DX_URL_USERINFO;
    if (dx_url_authority_read(rest, &ret->host, &ret->port)) {
        if (ret->port == 0)
            ret->port = ret->is_secure ? 443 : 80;
        return DX_URL_OK;
    }
    /* Which half was it? A host that is good by itself leaves the port. */
    size_t colon = rest.size;
    while (colon > 0 && rest.at[colon - 1] != ':' && rest.at[colon - 1] != ']')
        colon--;
    bool is_port = colon > 1 && rest.at[colon - 1] == ':' &&
                   dx_url_is_authority((dx_bytes){rest.at, colon - 1});
    return is_port ? DX_URL_PORT : DX_URL_HOST;
}

dx_url_fault dx_url_read(dx_bytes in, dx_url *ret)
{
    dx_url url = {0};
    size_t size = 0;

    if (in.size == 0)
        return DX_URL_EMPTY;
    for (size_t i = 0; i < in.size; i++)
        if (in.at[i] <= ' ' || in.at[i] >= 0x7f)
            return DX_URL_BYTE;
    if (!scheme_read(&in, &url))
        return DX_URL_SCHEME;
    size_t hash = dx_bytes_find(in, '#');
    if (hash < in.size && (url.scheme == DX_URL_WS || url.scheme == DX_URL_WSS))
        return DX_URL_FRAGMENT;
    in.size = hash;

    while (size < in.size && in.at[size] != '/' && in.at[size] != '?')
        size++;
    url.authority = (dx_bytes){in.at, size};
    dx_url_fault fault = authority_read(&url);
    if (fault != DX_URL_OK)
        return fault;
    dx_bytes_skip(&in, size);
    url.target = in.size > 0 ? in : DX_BYTES("/");
    dx_url_target_split(url.target, &url.path, &url.query);
    if (url.path.size == 0)
        url.path = DX_BYTES("/");
    *ret = url;
    return DX_URL_OK;
}

void dx_url_target_split(dx_bytes target, dx_bytes *path, dx_bytes *query)
{
    size_t cut = dx_bytes_find(target, '?');

    *path = (dx_bytes){target.at, cut};
    *query = (dx_bytes){NULL, 0};
    if (cut < target.size)
        *query = (dx_bytes){target.at + cut + 1, target.size - cut - 1};
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = dx_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes one byte, decoded, off `*in`, which is not empty. */
static bool byte_take(dx_bytes *in, uint8_t *ret, bool *was_encoded)
{
    *was_encoded = in->at[0] == '%';
    *ret = in->at[0];
    if (*was_encoded) {
        int high = in->size > 2 ? hex_value(in->at[1]) : -1;
        int low = in->size > 2 ? hex_value(in->at[2]) : -1;
        if (high < 0 || low < 0)
            return false;
        *ret = (uint8_t)(high << 4 | low);
    }
    dx_bytes_skip(in, *was_encoded ? 3 : 1);
    return true;
}

static bool is_dot_segment(dx_bytes segment)
{
    return dx_bytes_equal(segment, DX_BYTES(".")) || dx_bytes_equal(segment, DX_BYTES(".."));
}

dx_url_fault dx_url_path_decode(dx_bytes path, uint8_t *memory, size_t size, dx_bytes *ret)
{
    size_t used = 0, segment = 0; /* where the segment that is written now begins */
    bool was_encoded;
    uint8_t byte;

    if (path.size == 0 || path.at[0] != '/')
        return DX_URL_NOT_A_PATH;
    if (size < path.size)
        return DX_URL_MEMORY;
    while (path.size > 0) {
        if (!byte_take(&path, &byte, &was_encoded))
            return DX_URL_PERCENT;
        if (byte < 0x20 || byte == 0x7f)
            return DX_URL_CONTROL;
        if (byte == '\\' || (byte == '/' && was_encoded))
            return DX_URL_SLASH;
        if (byte == '/') {
            if (is_dot_segment((dx_bytes){memory + segment, used - segment}))
                return DX_URL_DOT_SEGMENT;
            segment = used + 1;
        }
        memory[used++] = byte;
    }
    if (is_dot_segment((dx_bytes){memory + segment, used - segment}))
        return DX_URL_DOT_SEGMENT;
    if (!dx_utf8_is_valid((dx_bytes){memory, used}))
        return DX_URL_UTF8;
    *ret = (dx_bytes){memory, used};
    return DX_URL_OK;
}

bool dx_url_query_next(dx_bytes *query, dx_bytes *name, dx_bytes *value)
{
    dx_bytes pair = {NULL, 0};

    while (pair.size == 0)
        if (!dx_bytes_split(query, '&', &pair))
            return false;
    size_t cut = dx_bytes_find(pair, '=');
    *name = (dx_bytes){pair.at, cut};
    *value = (dx_bytes){NULL, 0};
    if (cut < pair.size)
        *value = (dx_bytes){pair.at + cut + 1, pair.size - cut - 1};
    return true;
}

dx_url_fault dx_url_query_decode(dx_bytes in, uint8_t *memory, size_t size, dx_bytes *ret)
{
    size_t used = 0;
    bool was_encoded;
    uint8_t byte;

    while (in.size > 0) {
        if (!byte_take(&in, &byte, &was_encoded))
            return DX_URL_PERCENT;
        if (byte == 0)
            return DX_URL_CONTROL;
        if (used == size)
            return DX_URL_MEMORY;
        memory[used++] = byte == '+' && !was_encoded ? ' ' : byte;
    }
    if (!dx_utf8_is_valid((dx_bytes){memory, used}))
        return DX_URL_UTF8;
    *ret = (dx_bytes){memory, used};
    return DX_URL_OK;
}

/* True if `encoded` decodes to `name`. */
static bool is_name(dx_bytes encoded, dx_bytes name)
{
    bool was_encoded;
    uint8_t byte;

    for (; encoded.size > 0 && name.size > 0; dx_bytes_skip(&name, 1)) {
        if (!byte_take(&encoded, &byte, &was_encoded))
            return false;
        if (byte == '+' && !was_encoded)
            byte = ' ';
        if (byte != name.at[0])
            return false;
    }
    return encoded.size == 0 && name.size == 0;
}

bool dx_url_query_find(dx_bytes query, dx_bytes name, dx_bytes *value)
{
    dx_bytes encoded, found;

    while (dx_url_query_next(&query, &encoded, &found))
        if (is_name(encoded, name)) {
            *value = found;
            return true;
        }
    return false;
}

static bool stays(uint8_t c, bool keep_slash)
{
    uint8_t lower = dx_ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~' || (c == '/' && keep_slash);
}

size_t dx_url_encode(dx_bytes in, bool keep_slash, uint8_t *memory, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t need = 0;

    for (size_t i = 0; i < in.size; i++)
        need += stays(in.at[i], keep_slash) ? 1 : 3;
    if (need > size)
        return need;
    for (size_t i = 0; i < in.size; i++) {
        uint8_t c = in.at[i];
        if (stays(c, keep_slash)) {
            *memory++ = c;
            continue;
        }
        *memory++ = '%';
        *memory++ = (uint8_t)digits[c >> 4];
        *memory++ = (uint8_t)digits[c & 15];
    }
    return need;
}
