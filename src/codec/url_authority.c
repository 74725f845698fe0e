/* Hosts and ports: the grammar of uri-host, IPv6 literals, origins.
 * Is:     RFC 3986 §3.2.2, RFC 9110 §4.2 and §7.2, RFC 6454 §7.
 * SPDX-License-Identifier: MIT */
#include "codec/url.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (dx_ascii_lower(c) >= 'a' && dx_ascii_lower(c) <= 'f');
}

#define B(c) ((uint64_t)1 << ((c)&63))

/* unreserved and sub-delims, as two rows of bits: every request has a Host to check. */
static bool is_name_byte(uint8_t c)
{
    const uint64_t digits = B('9') * 2 - B('0');
    const uint64_t letters = B('Z') * 2 - B('A') + (B('z') * 2 - B('a'));
    const uint64_t low = digits | B('-') | B('.') | B('!') | B('$') | B('&') | B('\'') | B('(') |
                         B(')') | B('*') | B('+') | B(',') | B(';') | B('=');
    const uint64_t high = letters | B('_') | B('~');
    return c < 0x80 && ((c < 0x40 ? low : high) >> (c & 63) & 1);
}

#undef B

static bool is_reg_name(dx_bytes in)
{
    for (size_t i = 0; i < in.size; i++) {
        if (in.at[i] == '%') {
            if (in.size - i < 3 || !is_hex(in.at[i + 1]) || !is_hex(in.at[i + 2]))
                return false;
            i += 2;
        } else if (!is_name_byte(in.at[i])) {
            return false;
        }
    }
    return in.size > 0;
}

static bool is_ipv4(dx_bytes in)
{
    dx_bytes part;
    uint64_t number;
    unsigned count = 0;

    for (; dx_bytes_split(&in, '.', &part); count++)
        if (!dx_bytes_decimal(part, 255, &number) || (part.size > 1 && part.at[0] == '0'))
            return false;
    return count == 4;
}

/* Counts the 16-bit groups of one side of "::"; -1 if it breaks the grammar. */
static int ipv6_groups(dx_bytes in, bool may_end_in_ipv4)
{
    dx_bytes part;
    int count = 0;

    if (in.size == 0)
        return 0;
    while (dx_bytes_split(&in, ':', &part)) {
        if (may_end_in_ipv4 && in.at == NULL && dx_bytes_find(part, '.') < part.size)
            return is_ipv4(part) ? count + 2 : -1;
        if (part.size < 1 || part.size > 4)
            return -1;
        for (size_t i = 0; i < part.size; i++)
            if (!is_hex(part.at[i]))
                return -1;
        count++;
    }
    return count;
}

static bool is_ipv6(dx_bytes in)
{
    for (size_t i = 0; i + 1 < in.size; i++) {
        if (in.at[i] != ':' || in.at[i + 1] != ':')
            continue;
        int left = ipv6_groups((dx_bytes){in.at, i}, false);
        int right = ipv6_groups((dx_bytes){in.at + i + 2, in.size - i - 2}, true);
        return left >= 0 && right >= 0 && left + right <= 7;
    }
    return ipv6_groups(in, true) == 8;
}

/* "v" 1*HEX "." 1*(unreserved / sub-delims / ":") */
static bool is_ip_future(dx_bytes in)
{
    size_t dot = dx_bytes_find(in, '.');

    if (in.size < 4 || dx_ascii_lower(in.at[0]) != 'v' || dot < 2 || dot + 1 >= in.size)
        return false;
    for (size_t i = 1; i < dot; i++)
        if (!is_hex(in.at[i]))
            return false;
    for (size_t i = dot + 1; i < in.size; i++)
        if (!is_name_byte(in.at[i]) && in.at[i] != ':')
            return false;
    return true;
}

/* Cuts the host (with its brackets) from what follows it. */
static bool host_cut(dx_bytes *in, dx_bytes *host)
{
    bool is_literal = in->size > 0 && in->at[0] == '[';
    size_t size = dx_bytes_find(*in, is_literal ? ']' : ':');

    if (is_literal) {
        if (size == in->size)
            return false;
        dx_bytes inside = {in->at + 1, size - 1};
        if (!is_ipv6(inside) && !is_ip_future(inside))
            return false;
        size++;
    } else if (!is_reg_name((dx_bytes){in->at, size})) {
        return false;
    }
    *host = (dx_bytes){in->at, size};
    dx_bytes_skip(in, size);
    return true;
}

/* host [":" [port]]: host with its brackets; port 0 if there is none. */
static bool authority_read(dx_bytes in, dx_bytes *host, uint16_t *port)
{
    uint64_t number = 0;

    if (!host_cut(&in, host))
        return false;
    if (in.size > 0) {
        if (in.at[0] != ':')
            return false;
        dx_bytes_skip(&in, 1);
        if (in.size > 0 && (!dx_bytes_decimal(in, 65535, &number) || number == 0))
            return false;
    }
    *port = (uint16_t)number;
    return true;
}

bool dx_url_is_authority(dx_bytes in)
{
    dx_bytes host;
    uint16_t port;

    return authority_read(in, &host, &port);
}

bool dx_url_authority_read(dx_bytes in, dx_bytes *host, uint16_t *port)
{
    dx_bytes whole;

    if (!authority_read(in, &whole, port))
        return false;
    *host = whole.at[0] == '[' ? (dx_bytes){whole.at + 1, whole.size - 2} : whole;
    return true;
}

static uint16_t default_port(dx_bytes scheme)
{
    if (dx_bytes_equal_nocase(scheme, DX_BYTES("http")))
        return 80;
    return dx_bytes_equal_nocase(scheme, DX_BYTES("https")) ? 443 : 0;
}

/* ALPHA *(ALPHA / DIGIT / "+" / "-" / ".") */
static bool is_scheme(dx_bytes in)
{
    for (size_t i = 0; i < in.size; i++) {
        uint8_t c = dx_ascii_lower(in.at[i]);
        bool is_letter = c >= 'a' && c <= 'z';
        if (!is_letter && (i == 0 || !(is_digit(c) || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return in.size > 0;
}

bool dx_url_origin_read(dx_bytes in, dx_url_origin *ret)
{
    dx_url_origin origin = {0};
    size_t colon = dx_bytes_find(in, ':');

    if (dx_bytes_equal(in, DX_BYTES("null"))) {
        *ret = (dx_url_origin){.is_null = true};
        return true;
    }
    origin.scheme = (dx_bytes){in.at, colon};
    dx_bytes_skip(&in, colon);
    if (!is_scheme(origin.scheme) || !dx_bytes_starts(in, DX_BYTES("://")))
        return false;
    dx_bytes_skip(&in, 3);
    if (!authority_read(in, &origin.host, &origin.port))
        return false;
    if (origin.port == 0)
        origin.port = default_port(origin.scheme);
    *ret = origin;
    return true;
}

bool dx_url_origin_equal(const dx_url_origin *a, const dx_url_origin *b)
{
    return !a->is_null && !b->is_null && a->port == b->port &&
           dx_bytes_equal_nocase(a->scheme, b->scheme) && dx_bytes_equal_nocase(a->host, b->host);
}

bool dx_url_origin_is_host(const dx_url_origin *origin, dx_bytes host, bool is_secure)
{
    dx_url_origin own = {.scheme = is_secure ? DX_BYTES("https") : DX_BYTES("http")};

    if (!authority_read(host, &own.host, &own.port))
        return false;
    if (own.port == 0)
        own.port = default_port(own.scheme);
    return dx_url_origin_equal(origin, &own);
}
