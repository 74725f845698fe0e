/* Base64, strictly.
 * SPDX-License-Identifier: MIT */
#include "codec/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void dx_base64_write(dx_bytes in, char *out)
{
    while (in.size > 0) {
        size_t count = dx_min_size(in.size, 3);
        uint32_t group = (uint32_t)in.at[0] << 16;
        group |= count > 1 ? (uint32_t)in.at[1] << 8 : 0;
        group |= count > 2 ? in.at[2] : 0;
        *out++ = alphabet[group >> 18];
        *out++ = alphabet[group >> 12 & 63];
        *out++ = count > 1 ? alphabet[group >> 6 & 63] : '=';
        *out++ = count > 2 ? alphabet[group & 63] : '=';
        dx_bytes_skip(&in, count);
    }
}

/* 0-63, or -1. */
static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters, the last `padding` of them '=', as 24 bits; false if one is wrong. */
static bool read_group(const uint8_t *at, size_t padding, uint32_t *ret)
{
    uint32_t group = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? value_of(at[i]) : 0;
        if (value < 0)
            return false;
        group = group << 6 | (uint32_t)value;
    }
    *ret = group;
    return (group & ((1u << 8 * padding) - 1)) == 0; /* bits that stand for nothing */
}

bool dx_base64_read(dx_bytes text, uint8_t *out, size_t out_max, size_t *out_size)
{
    size_t padding = 0, size;

    if (text.size % 4 != 0)
        return false;
    while (padding < 2 && padding < text.size && text.at[text.size - 1 - padding] == '=')
        padding++;
    size = text.size / 4 * 3 - padding;
    if (size > out_max)
        return false;
    for (size_t at = 0, i = 0; at < text.size; at += 4) {
        uint32_t group;
        if (!read_group(text.at + at, at + 4 == text.size ? padding : 0, &group))
            return false;
        for (unsigned k = 0; k < 3 && i < size; k++, i++)
            out[i] = (uint8_t)(group >> (16 - 8 * k));
    }
    *out_size = size;
    return true;
}

/* ---- base64url --------------------------------------------------------------------------------- */

void dx_base64url_write(dx_bytes in, char *out)
{
    char group[4];

    while (in.size > 0) {
        size_t count = dx_min_size(in.size, 3);
        dx_base64_write(dx_bytes_at(in.at, count), group);
        for (size_t i = 0; i < count + 1; i++)
            *out++ = group[i] == '+' ? '-' : group[i] == '/' ? '_' : group[i];
        dx_bytes_skip(&in, count);
    }
}

static bool url_value_of(uint8_t c, uint32_t *ret)
{
    int value = c == '-' ? 62 : c == '_' ? 63 : c == '+' || c == '/' ? -1 : value_of(c);

    *ret = (uint32_t)value;
    return value >= 0;
}

/* Bits come in by six and go out by eight; less than a byte of them is left, all zero. */
bool dx_base64url_read(dx_bytes text, uint8_t *out, size_t out_max, size_t *out_size)
{
    uint32_t bits = 0, value;
    unsigned count = 0;
    size_t size = 0;

    if (text.size % 4 == 1 || text.size / 4 * 3 + (text.size % 4) * 3 / 4 > out_max)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!url_value_of(text.at[i], &value))
            return false;
        bits = bits << 6 | value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[size++] = (uint8_t)(bits >> count);
            bits &= (1u << count) - 1;
        }
    }
    if (bits != 0)
        return false;
    *out_size = size;
    return true;
}
