/* JSON: a strict validator that tells where it broke, and iteration over raw elements.
 * Is:     RFC 8259 without extensions, UTF-8 checked, no recursion; views, no tree.
 * Is not: a document model: messages pass through as the bytes they came as.
 * Memory: allocates nothing; a fixed stack of bits.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_JSON_H
#define DX_CODEC_JSON_H

#include "base/bytes.h"

typedef enum dx_json_fault {
    DX_JSON_OK,
    DX_JSON_EMPTY,     /* nothing but blanks */
    DX_JSON_CUT,       /* the text ends inside a value */
    DX_JSON_DEPTH,     /* nested deeper than allowed */
    DX_JSON_VALUE,     /* a value should start here */
    DX_JSON_LITERAL,   /* not true, false or null */
    DX_JSON_NUMBER,    /* not a JSON number */
    DX_JSON_STRING,    /* a control byte as such inside a string */
    DX_JSON_ESCAPE,    /* an unknown escape, or \u without four hex digits */
    DX_JSON_SURROGATE, /* half a surrogate pair by \u: it has no UTF-8 */
    DX_JSON_UTF8,      /* bytes that are not UTF-8 */
    DX_JSON_NAME,      /* a member's name (a string) should start here */
    DX_JSON_COLON,     /* ":" should be here */
    DX_JSON_COMMA,     /* "," or the closing bracket should be here */
    DX_JSON_TRAILING,  /* something after the value */
    DX_JSON_FAULT_COUNT
} dx_json_fault;

#define DX_JSON_DEPTH_DEFAULT 64
#define DX_JSON_DEPTH_MAX 1024

/* Checks that `text` is one JSON value, blanks around it allowed.
 * depth_max: how many arrays and objects may be open at once, 1 to DX_JSON_DEPTH_MAX.
 * error_at:  set on a fault only: index of the first byte that cannot be right (text.size if cut).
 * Cost: O(n), one pass. */
dx_json_fault dx_json_check(dx_bytes text, unsigned depth_max, size_t *error_at);

/* What was wrong, one sentence. Static. */
const char *dx_json_fault_text(dx_json_fault fault);

typedef enum dx_json_type {
    DX_JSON_NULL,
    DX_JSON_BOOL,
    DX_JSON_NUMERIC,
    DX_JSON_TEXT,
    DX_JSON_ARRAY,
    DX_JSON_OBJECT,
} dx_json_type;

/* All below take text that dx_json_check found good; on other text they stay inside its bounds, but
 * what they give means nothing. */

/* The type of the value. */
dx_json_type dx_json_type_of(dx_bytes text);

/* `text` without the blanks around it. */
dx_bytes dx_json_trim(dx_bytes text);

typedef struct dx_json_items {
    dx_bytes rest;
} dx_json_items;

/* Begins to walk the elements of an array or the members of an object; false if it is neither. */
bool dx_json_items_init(dx_json_items *it, dx_bytes text);

/* The next element of an array as raw bytes without blanks around it; false after the last. */
bool dx_json_array_next(dx_json_items *it, dx_bytes *element);

/* The next member of an object: name with its quotes and escapes, value as raw bytes. */
bool dx_json_object_next(dx_json_items *it, dx_bytes *name, dx_bytes *value);

/* Finds the last member with this (unescaped) name, as most readers do; names with escapes match by
 * what they mean. False if there is none, or `text` is no object. */
bool dx_json_object_find(dx_bytes text, dx_bytes name, dx_bytes *value);

/* True if no two members of the object have one name (by what they mean), and there are at most
 * DX_JSON_DISTINCT_MAX: for text where the last of two must not count silently. Cost: O(members²). */
enum { DX_JSON_DISTINCT_MAX = 64 };
bool dx_json_object_is_distinct(dx_bytes text);

/* Writes the bytes that a string (with its quotes) means. memory: text.size bytes are always enough.
 * Returns the size written. */
size_t dx_json_string_read(dx_bytes text, uint8_t *memory);

/* Writes `text` as a JSON string with its quotes. Control bytes, quote and backslash are escaped; what
 * is not UTF-8 becomes U+FFFD; U+2028, U+2029 and "<" stay as they are.
 * Returns the size that is needed (at most 6 * text.size + 2); writes nothing if it is over `size`. */
size_t dx_json_write_string(dx_bytes text, uint8_t *memory, size_t size);

#endif
