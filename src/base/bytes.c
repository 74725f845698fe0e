/* Views of bytes: the calls too long to be inline.
 * SPDX-License-Identifier: MIT */
#include "base/bytes.h"

dx_bytes dx_bytes_of(const char *text)
{
    return (dx_bytes){(const uint8_t *)text, text ? strlen(text) : 0};
}

bool dx_bytes_equal_nocase(dx_bytes a, dx_bytes b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (dx_ascii_lower(a.at[i]) != dx_ascii_lower(b.at[i]))
            return false;
    return true;
}

size_t dx_bytes_find(dx_bytes in, uint8_t byte)
{
    const uint8_t *hit = in.size ? memchr(in.at, byte, in.size) : NULL;
    return hit ? (size_t)(hit - in.at) : in.size;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

dx_bytes dx_bytes_trim(dx_bytes in)
{
    while (in.size > 0 && is_blank(in.at[0]))
        in.at++, in.size--;
    while (in.size > 0 && is_blank(in.at[in.size - 1]))
        in.size--;
    return in;
}

bool dx_bytes_split(dx_bytes *in, uint8_t separator, dx_bytes *ret)
{
    if (in->at == NULL)
        return false;
    size_t cut = dx_bytes_find(*in, separator);
    *ret = (dx_bytes){in->at, cut};
    if (cut == in->size)
        *in = (dx_bytes){NULL, 0};
    else
        *in = (dx_bytes){in->at + cut + 1, in->size - cut - 1};
    return true;
}

bool dx_bytes_decimal(dx_bytes in, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;

    if (in.size == 0)
        return false;
    for (size_t i = 0; i < in.size; i++) {
        if (in.at[i] < '0' || in.at[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(in.at[i] - '0');
        if (value > (max - digit) / 10 || digit > max)
            return false;
        value = value * 10 + digit;
    }
    *ret = value;
    return true;
}
