/* Views of bytes and the cursor calls that read them.
 * Is:     dx_bytes helpers: take, compare, find; big-endian integers in and out.
 * Is not: owned memory (buffer, arena), text codecs (codec).
 * Memory: allocates nothing.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_BYTES_H
#define DX_BASE_BYTES_H

#include "base/platform.h"

#include <string.h>

/* A view of a string literal. */
#define DX_BYTES(literal) ((dx_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})
/* printf("%.*s", DX_FORMAT(bytes)) */
#define DX_FORMAT(bytes) (int)(bytes).size, (const char *)(bytes).at

static inline dx_bytes dx_bytes_at(const void *at, size_t size)
{
    return (dx_bytes){(const uint8_t *)at, size};
}

/* Each of these reads from the front of `*in` and moves it; on false `*in` and `*ret` are untouched. */
static inline bool dx_bytes_u8(dx_bytes *in, uint8_t *ret)
{
    if (in->size < 1)
        return false;
    *ret = in->at[0];
    in->at += 1, in->size -= 1;
    return true;
}

static inline bool dx_bytes_u16(dx_bytes *in, uint16_t *ret) /* big-endian */
{
    if (in->size < 2)
        return false;
    *ret = (uint16_t)(in->at[0] << 8 | in->at[1]);
    in->at += 2, in->size -= 2;
    return true;
}

static inline bool dx_bytes_u64(dx_bytes *in, uint64_t *ret) /* big-endian */
{
    if (in->size < 8)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value = value << 8 | in->at[i];
    *ret = value;
    in->at += 8, in->size -= 8;
    return true;
}

static inline bool dx_bytes_take(dx_bytes *in, size_t size, dx_bytes *ret)
{
    if (in->size < size)
        return false;
    *ret = (dx_bytes){in->at, size};
    if (size > 0) /* NULL + 0 is not defined in C */
        in->at += size, in->size -= size;
    return true;
}

static inline void dx_bytes_skip(dx_bytes *in, size_t size)
{
    if (size > 0)
        in->at += size, in->size -= size;
}

static inline bool dx_bytes_equal(dx_bytes a, dx_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

static inline bool dx_bytes_starts(dx_bytes in, dx_bytes prefix)
{
    return in.size >= prefix.size &&
           (prefix.size == 0 || memcmp(in.at, prefix.at, prefix.size) == 0);
}

/* memcpy that allows size 0 with NULL. */
static inline void dx_copy(void *to, const void *from, size_t size)
{
    if (size > 0)
        memcpy(to, from, size);
}

static inline uint8_t dx_ascii_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* Equal but for the case of ASCII letters. */
bool dx_bytes_equal_nocase(dx_bytes a, dx_bytes b);

/* Index of the first `byte` in `in`, or in.size. */
size_t dx_bytes_find(dx_bytes in, uint8_t byte);

/* `in` without spaces and tabs at both ends (RFC 9110 §5.6.3 OWS). */
dx_bytes dx_bytes_trim(dx_bytes in);

/* Cuts `*in` at the first `separator`: gives what is before it, leaves what is after it. At the end
 * of `*in` gives the rest; false only when `*in` was already spent (at == NULL). */
bool dx_bytes_split(dx_bytes *in, uint8_t separator, dx_bytes *ret);

/* All of `in` as a decimal number without sign or blanks: false if empty, another byte, or above
 * `max`. */
bool dx_bytes_decimal(dx_bytes in, uint64_t max, uint64_t *ret);

#endif
