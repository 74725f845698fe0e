/* The strict validator: one loop, one bit of stack for each open bracket.
 * Is:     RFC 8259 §2-§8.
 * Is not: walking and strings of good text (json_walk).
 * SPDX-License-Identifier: MIT */
#include "codec/json.h"

#include "base/assert.h"
#include "codec/utf8.h"

const char *dx_json_fault_text(dx_json_fault fault)
{
    static const char *const texts[DX_JSON_FAULT_COUNT] = {
        [DX_JSON_OK] = "The text is JSON.",
        [DX_JSON_EMPTY] = "There is no JSON value.",
        [DX_JSON_CUT] = "The JSON text ends inside a value.",
        [DX_JSON_DEPTH] = "Arrays and objects are nested too deep.",
        [DX_JSON_VALUE] = "A JSON value should start here.",
        [DX_JSON_LITERAL] = "A word that is not true, false or null.",
        [DX_JSON_NUMBER] = "This is not a JSON number.",
        [DX_JSON_STRING] = "A string holds a control byte; write it as an escape.",
        [DX_JSON_ESCAPE] = "This is not a JSON escape.",
        [DX_JSON_SURROGATE] = "Half of a surrogate pair stands alone.",
        [DX_JSON_UTF8] = "The text is not UTF-8.",
        [DX_JSON_NAME] = "A member's name in double quotes should start here.",
        [DX_JSON_COLON] = "A colon should be here.",
        [DX_JSON_COMMA] = "A comma or the closing bracket should be here.",
        [DX_JSON_TRAILING] = "There is something after the JSON value.",
    };

    dx_assert(fault < DX_JSON_FAULT_COUNT);
    return texts[fault];
}

typedef struct json_cursor {
    const uint8_t *at;
    size_t size, place; /* place <= size always */
    unsigned depth, depth_max;
    uint64_t is_object[DX_JSON_DEPTH_MAX / 64]; /* bit d: the bracket at depth d is "{" */
} json_cursor;

static bool is_digit(const json_cursor *c)
{
    return c->place < c->size && c->at[c->place] >= '0' && c->at[c->place] <= '9';
}

static void blanks_skip(json_cursor *c)
{
    while (c->place < c->size && (c->at[c->place] == ' ' || c->at[c->place] == '\n' ||
                                  c->at[c->place] == '\t' || c->at[c->place] == '\r'))
        c->place++;
}

/* True, and one step on, if the next byte is `byte`. */
static bool byte_skip(json_cursor *c, uint8_t byte)
{
    bool is_there = c->place < c->size && c->at[c->place] == byte;
    c->place += is_there;
    return is_there;
}

static dx_json_fault cut_or(const json_cursor *c, dx_json_fault fault)
{
    return c->place == c->size ? DX_JSON_CUT : fault;
}

static dx_json_fault word_skip(json_cursor *c, const char *word)
{
    for (; *word; word++)
        if (!byte_skip(c, (uint8_t)*word))
            return cut_or(c, DX_JSON_LITERAL);
    return DX_JSON_OK;
}

static dx_json_fault digits_skip(json_cursor *c)
{
    if (!is_digit(c))
        return cut_or(c, DX_JSON_NUMBER);
    while (is_digit(c))
        c->place++;
    return DX_JSON_OK;
}

static dx_json_fault number_skip(json_cursor *c)
{
    dx_json_fault fault = DX_JSON_OK;

    (void)byte_skip(c, '-');
    if (byte_skip(c, '0')) {
        if (is_digit(c))
            return DX_JSON_NUMBER; /* no leading zeros */
    } else {
        fault = digits_skip(c);
    }
    if (fault == DX_JSON_OK && byte_skip(c, '.'))
        fault = digits_skip(c);
    if (fault == DX_JSON_OK && (byte_skip(c, 'e') || byte_skip(c, 'E'))) {
        if (!byte_skip(c, '+'))
            (void)byte_skip(c, '-');
        fault = digits_skip(c);
    }
    return fault;
}

static dx_json_fault hex_skip(json_cursor *c, unsigned *ret)
{
    unsigned value = 0;

    for (unsigned i = 0; i < 4; i++, c->place++) {
        if (c->place == c->size)
            return DX_JSON_CUT;
        uint8_t byte = dx_ascii_lower(c->at[c->place]);
        if (byte >= '0' && byte <= '9')
            value = value << 4 | (unsigned)(byte - '0');
        else if (byte >= 'a' && byte <= 'f')
            value = value << 4 | (unsigned)(byte - 'a' + 10);
        else
            return DX_JSON_ESCAPE;
    }
    *ret = value;
    return DX_JSON_OK;
}

/* After the "u". A high surrogate must be followed by a low one: alone they have no UTF-8, and a reader
 * after us may stumble over what we let pass. */
static dx_json_fault unicode_skip(json_cursor *c)
{
    size_t start = c->place;
    unsigned unit = 0;
    dx_json_fault fault = hex_skip(c, &unit);

    if (fault != DX_JSON_OK || unit < 0xd800 || unit > 0xdfff)
        return fault;
    if (unit < 0xdc00) {
        if (c->place == c->size)
            return DX_JSON_CUT;
        if (byte_skip(c, '\\')) {
            if (c->place == c->size)
                return DX_JSON_CUT;
            if (byte_skip(c, 'u')) {
                fault = hex_skip(c, &unit);
                if (fault != DX_JSON_OK || (unit >= 0xdc00 && unit <= 0xdfff))
                    return fault;
            }
        }
    }
    c->place = start;
    return DX_JSON_SURROGATE;
}

static dx_json_fault escape_skip(json_cursor *c)
{
    if (c->place == c->size)
        return DX_JSON_CUT;
    uint8_t byte = c->at[c->place];
    if (byte != 'u' && (byte == 0 || strchr("\"\\/bfnrt", byte) == NULL))
        return DX_JSON_ESCAPE;
    c->place++;
    return byte == 'u' ? unicode_skip(c) : DX_JSON_OK;
}

/* Index of the first quote, backslash or control byte from `place` on, eight bytes at a time. */
static size_t plain_end(const uint8_t *at, size_t place, size_t size)
{
    const uint64_t ones = 0x0101010101010101, tops = ones << 7;

    for (; place + 8 <= size; place += 8) {
        uint64_t v;
        memcpy(&v, at + place, sizeof v);
        uint64_t quote = v ^ ones * '"', slash = v ^ ones * '\\';
        /* A byte's top bit is set where it became 0, or is below 0x20; sometimes in the byte above
         * too, which the loop below sorts out. */
        if ((((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((v - ones * 0x20) & ~v)) &
            tops)
            break;
    }
    while (place < size && at[place] != '"' && at[place] != '\\' && at[place] >= 0x20)
        place++;
    return place;
}

/* After the opening quote. */
static dx_json_fault string_skip(json_cursor *c)
{
    for (;;) {
        c->place = plain_end(c->at, c->place, c->size);
        if (c->place == c->size)
            return DX_JSON_CUT;
        if (byte_skip(c, '"'))
            return DX_JSON_OK;
        if (!byte_skip(c, '\\'))
            return DX_JSON_STRING;
        dx_json_fault fault = escape_skip(c);
        if (fault != DX_JSON_OK)
            return fault;
    }
}

static dx_json_fault bracket_open(json_cursor *c, bool is_object)
{
    if (c->depth == c->depth_max)
        return DX_JSON_DEPTH;
    uint64_t bit = (uint64_t)1 << (c->depth % 64);
    if (is_object)
        c->is_object[c->depth / 64] |= bit;
    else
        c->is_object[c->depth / 64] &= ~bit;
    c->depth++, c->place++;
    return DX_JSON_OK;
}

static bool in_object(const json_cursor *c)
{
    return (c->is_object[(c->depth - 1) / 64] >> ((c->depth - 1) % 64) & 1) != 0;
}

/* A value that is no bracket. */
static dx_json_fault scalar_skip(json_cursor *c)
{
    switch (c->at[c->place]) {
    case '"': c->place++; return string_skip(c);
    case 't': return word_skip(c, "true");
    case 'f': return word_skip(c, "false");
    case 'n': return word_skip(c, "null");
    default: break;
    }
    return is_digit(c) || c->at[c->place] == '-' ? number_skip(c) : DX_JSON_VALUE;
}

/* A name and its colon. */
static dx_json_fault name_skip(json_cursor *c)
{
    blanks_skip(c);
    if (!byte_skip(c, '"'))
        return cut_or(c, DX_JSON_NAME);
    dx_json_fault fault = string_skip(c);
    if (fault != DX_JSON_OK)
        return fault;
    blanks_skip(c);
    return byte_skip(c, ':') ? DX_JSON_OK : cut_or(c, DX_JSON_COLON);
}

/* After a whole value: closes what ends here. OK with depth 0 is the end of the text's value, else the
 * next value of an array or object follows. */
static dx_json_fault value_end(json_cursor *c)
{
    while (c->depth > 0) {
        blanks_skip(c);
        if (byte_skip(c, ','))
            return in_object(c) ? name_skip(c) : DX_JSON_OK;
        if (!byte_skip(c, in_object(c) ? '}' : ']'))
            return cut_or(c, DX_JSON_COMMA);
        c->depth--;
    }
    return DX_JSON_OK;
}

static dx_json_fault value_skip(json_cursor *c)
{
    dx_json_fault fault;

    do {
        blanks_skip(c);
        if (c->place == c->size)
            return c->depth == 0 ? DX_JSON_EMPTY : DX_JSON_CUT;
        bool is_object = c->at[c->place] == '{';
        if (is_object || c->at[c->place] == '[') {
            fault = bracket_open(c, is_object);
            if (fault != DX_JSON_OK)
                return fault;
            blanks_skip(c);
            if (!byte_skip(c, is_object ? '}' : ']')) {
                fault = is_object ? name_skip(c) : DX_JSON_OK;
                if (fault != DX_JSON_OK)
                    return fault;
                continue; /* depth is above 0 */
            }
            c->depth--;
            fault = value_end(c);
        } else {
            fault = scalar_skip(c);
            if (fault == DX_JSON_OK)
                fault = value_end(c);
        }
    } while (fault == DX_JSON_OK && c->depth > 0);
    return fault;
}

dx_json_fault dx_json_check(dx_bytes text, unsigned depth_max, size_t *error_at)
{
    json_cursor c = {.at = text.at, .size = text.size, .depth_max = depth_max};

    dx_assert(depth_max >= 1 && depth_max <= DX_JSON_DEPTH_MAX);
    bool is_utf8 = dx_utf8_is_valid(text);
    if (!is_utf8) /* check what is before the bad byte: the first fault is the one to tell */
        c.size = dx_utf8_valid_size(text);
    dx_json_fault fault = value_skip(&c);
    if (fault == DX_JSON_OK) {
        blanks_skip(&c);
        if (c.place < c.size || !is_utf8)
            fault = DX_JSON_TRAILING;
    }
    if (fault == DX_JSON_OK)
        return fault;
    if (c.place == c.size && !is_utf8)
        fault = DX_JSON_UTF8;
    *error_at = c.place;
    return fault;
}
