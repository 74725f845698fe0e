/* The slow model of UTF-8: the set of all encodings of all code points, written down bit by bit.
 * Is:     for test_utf8 and the fuzz target. It shares no rule with utf8.c: it only encodes.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_TEST_UTF8_MODEL_H
#define DX_CODEC_TEST_UTF8_MODEL_H

#include "base/bytes.h"

/* RFC 3629 §3: the table, for any number up to 0x10ffff. */
static inline size_t utf8_model_encode(uint32_t point, uint8_t out[4])
{
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = size; i-- > 1; point >>= 6)
        out[i] = (uint8_t)(0x80 | (point & 0x3f));
    out[0] = (uint8_t)(marks[size] | point);
    return size;
}

/* Sets of sequences of one to three bytes, as bits under the number that the bytes make: those that
 * are a whole code point, and those that begin a longer one. */
typedef struct utf8_model_sets {
    uint32_t whole[3][(1 << 24) / 32], begun[3][(1 << 24) / 32];
    bool made;
} utf8_model_sets;

static inline uint32_t utf8_model_number(const uint8_t *at, size_t size)
{
    uint32_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | at[i];
    return number;
}

static inline const utf8_model_sets *utf8_model_all(void)
{
    static utf8_model_sets sets;
    uint8_t bytes[4];

    for (uint32_t point = 0; !sets.made && point <= 0x10ffff; point++) {
        if (point >= 0xd800 && point <= 0xdfff)
            continue; /* surrogates are not characters */
        size_t size = utf8_model_encode(point, bytes);
        for (size_t n = 1; n <= size && n <= 3; n++) {
            uint32_t number = utf8_model_number(bytes, n);
            uint32_t *set = n == size ? sets.whole[n - 1] : sets.begun[n - 1];
            set[number / 32] |= 1u << number % 32;
        }
    }
    sets.made = true;
    return &sets;
}

typedef struct utf8_model {
    uint8_t bytes[4];
    size_t size; /* of the code point that is not whole yet */
} utf8_model;

/* False if `byte` cannot stand here. */
static inline bool utf8_model_step(utf8_model *m, uint8_t byte)
{
    const utf8_model_sets *sets = utf8_model_all();

    m->bytes[m->size++] = byte;
    if (m->size == 4) { /* 64 code points share their first three bytes */
        m->size = 0;
        return byte >= 0x80 && byte <= 0xbf;
    }
    uint32_t number = utf8_model_number(m->bytes, m->size);
    if (sets->whole[m->size - 1][number / 32] >> number % 32 & 1) {
        m->size = 0;
        return true;
    }
    return sets->begun[m->size - 1][number / 32] >> number % 32 & 1;
}

/* How many bytes can stand where they stand; the next one cannot. */
static inline size_t utf8_model_good_size(dx_bytes in)
{
    utf8_model model = {0};
    size_t i = 0;

    while (i < in.size && utf8_model_step(&model, in.at[i]))
        i++;
    return i;
}

static inline bool utf8_model_is_valid(dx_bytes in)
{
    utf8_model model = {0};

    for (size_t i = 0; i < in.size; i++)
        if (!utf8_model_step(&model, in.at[i]))
            return false;
    return model.size == 0;
}

#endif
