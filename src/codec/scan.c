/* Byte classes in plain C, and the choice among all versions.
 * Is:     the meaning of the classes: the vector versions are tested against this file.
 * Is not: the vector versions (scan_x86.c, or scan_none.c where there are none).
 * SPDX-License-Identifier: MIT */
#include "codec/scan.h"

#include "codec/scan_simd.h"

enum { TOKEN = 1, FIELD = 2, TARGET = 4 };

#define T (TOKEN | FIELD | TARGET)
#define V (FIELD | TARGET)
#define F FIELD

/* Rows of sixteen bytes, from 0x00 on; every byte from 0x80 up is obs-text, as F in a value only. */
static const uint8_t class_of[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, F, 0, 0, 0, 0, 0, 0, /* HTAB */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* */
    F, T, V, T, T, T, T, T, V, V, T, T, V, T, T, V, /* SP ! " # $ % & ' ( ) * + , - . / */
    T, T, T, T, T, T, T, T, T, T, V, V, V, V, V, V, /* 0-9 : ; < = > ? */
    V, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, /* @ A-O */
    T, T, T, T, T, T, T, T, T, T, T, V, V, V, T, T, /* P-Z [ \ ] ^ _ */
    T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, /* ` a-o */
    T, T, T, T, T, T, T, T, T, T, T, V, T, V, T, 0, /* p-z { | } ~ DEL */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, /* */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, /* */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, /* */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, /* */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, /* */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, /* */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, /* */
    F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, F, /* */
};

#undef T
#undef V
#undef F

static inline size_t scan_class(const uint8_t *at, size_t size, uint8_t class)
{
    size_t i = 0;

    while (i < size && (class_of[at[i]] & class))
        i++;
    return i;
}

size_t dx_scan_plain_token(const uint8_t *at, size_t size)
{
    return scan_class(at, size, TOKEN);
}

size_t dx_scan_plain_field(const uint8_t *at, size_t size)
{
    return scan_class(at, size, FIELD);
}

size_t dx_scan_plain_target(const uint8_t *at, size_t size)
{
    return scan_class(at, size, TARGET);
}

static const dx_scan plain = {
    .name = "plain",
    .token = dx_scan_plain_token,
    .field = dx_scan_plain_field,
    .target = dx_scan_plain_target,
};

const dx_scan *dx_scan_best(void)
{
    const dx_scan *simd = dx_scan_simd_best();
    return simd ? simd : &plain;
}

const dx_scan *dx_scan_at(size_t index)
{
    return index == 0 ? &plain : dx_scan_simd_at(index - 1);
}
