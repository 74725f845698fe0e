/* Walking text that is known to be JSON, and strings both ways.
 * Is:     bounds are kept on any text; meaning is promised on good text only.
 * Is not: validation (json).
 * SPDX-License-Identifier: MIT */
#include "codec/json.h"

#include "codec/utf8.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

dx_bytes dx_json_trim(dx_bytes text)
{
    while (text.size > 0 && is_blank(text.at[0]))
        dx_bytes_skip(&text, 1);
    while (text.size > 0 && is_blank(text.at[text.size - 1]))
        text.size--;
    return text;
}

dx_json_type dx_json_type_of(dx_bytes text)
{
    text = dx_json_trim(text);
    switch (text.size > 0 ? text.at[0] : 'n') {
    case 'n': return DX_JSON_NULL;
    case 't':
    case 'f': return DX_JSON_BOOL;
    case '"': return DX_JSON_TEXT;
    case '[': return DX_JSON_ARRAY;
    case '{': return DX_JSON_OBJECT;
    default: return DX_JSON_NUMERIC;
    }
}

bool dx_json_items_init(dx_json_items *it, dx_bytes text)
{
    text = dx_json_trim(text);
    if (text.size < 2 || (text.at[0] != '[' && text.at[0] != '{'))
        return false;
    it->rest = dx_json_trim((dx_bytes){text.at + 1, text.size - 2});
    return true;
}

/* Size of the string at the front of `in` with its quotes. */
static size_t string_size(dx_bytes in)
{
    for (size_t i = 1; i < in.size; i++) {
        if (in.at[i] == '"')
            return i + 1;
        i += in.at[i] == '\\';
    }
    return in.size;
}

/* Size of what is before the first `end` outside of strings and brackets. */
static size_t item_size(dx_bytes in, uint8_t end)
{
    size_t depth = 0, i = 0;

    while (i < in.size) {
        uint8_t c = in.at[i];
        if (c == end && depth == 0)
            break;
        depth += c == '[' || c == '{';
        depth -= (c == ']' || c == '}') && depth > 0;
        i += c == '"' ? string_size((dx_bytes){in.at + i, in.size - i}) : 1;
    }
    return i;
}

/* Takes what is before `end`, and `end`, off `*in`. */
static dx_bytes item_take(dx_bytes *in, uint8_t end)
{
    size_t size = item_size(*in, end);
    dx_bytes item = dx_json_trim((dx_bytes){in->at, size});
    dx_bytes_skip(in, dx_min_size(size + 1, in->size));
    return item;
}

bool dx_json_array_next(dx_json_items *it, dx_bytes *element)
{
    if (it->rest.size == 0)
        return false;
    *element = item_take(&it->rest, ',');
    return true;
}

bool dx_json_object_next(dx_json_items *it, dx_bytes *name, dx_bytes *value)
{
    if (it->rest.size == 0)
        return false;
    *name = item_take(&it->rest, ':');
    *value = item_take(&it->rest, ',');
    return true;
}

static unsigned hex_read(dx_bytes in)
{
    unsigned value = 0;

    for (size_t i = 0; i < 4 && i < in.size; i++) {
        uint8_t c = dx_ascii_lower(in.at[i]);
        value = value << 4 | ((c >= 'a' ? (unsigned)(c - 'a' + 10) : (unsigned)(c - '0')) & 15);
    }
    return value;
}

static size_t utf8_write(unsigned point, uint8_t *at)
{
    if (point < 0x80) {
        at[0] = (uint8_t)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size; --i > 0; point >>= 6)
        at[i] = (uint8_t)(0x80 | (point & 0x3f));
    at[0] = (uint8_t)(point | (size == 2 ? 0xc0u : size == 3 ? 0xe0u : 0xf0u));
    return size;
}

/* Takes the hex of \u (and of its other half) off `*in`. */
static unsigned unicode_take(dx_bytes *in)
{
    unsigned point = hex_read(*in);

    dx_bytes_skip(in, dx_min_size(4, in->size));
    if (point >= 0xd800 && point < 0xdc00 && dx_bytes_starts(*in, DX_BYTES("\\u"))) {
        dx_bytes_skip(in, 2);
        unsigned low = hex_read(*in) & 0x3ff;
        dx_bytes_skip(in, dx_min_size(4, in->size));
        point = 0x10000 + ((point & 0x3ff) << 10 | low);
    }
    return point;
}

/* Takes one character of a string's inside off `*in`, decoded, 1 to 4 bytes; a byte that is no escape
 * is taken as it is. Never gives more bytes than it takes. */
static size_t character_take(dx_bytes *in, uint8_t at[static 4])
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    uint8_t c = in->at[0];

    dx_bytes_skip(in, 1);
    at[0] = c;
    if (c != '\\' || in->size == 0)
        return 1;
    c = in->at[0];
    dx_bytes_skip(in, 1);
    if (c == 'u' && in->size >= 4)
        return utf8_write(unicode_take(in), at);
    const char *known = c ? strchr(from, c) : NULL;
    at[0] = known ? (uint8_t)to[known - from] : c;
    return 1;
}

/* The inside of a string without its quotes. */
static dx_bytes inside_of(dx_bytes text)
{
    text = dx_json_trim(text);
    return text.size >= 2 ? (dx_bytes){text.at + 1, text.size - 2} : (dx_bytes){text.at, 0};
}

size_t dx_json_string_read(dx_bytes text, uint8_t *memory)
{
    dx_bytes in = inside_of(text);
    size_t used = 0;
    uint8_t character[4];

    while (in.size > 0) {
        size_t size = character_take(&in, character);
        memcpy(memory + used, character, size);
        used += size;
    }
    return used;
}

static bool string_means(dx_bytes text, dx_bytes wanted)
{
    dx_bytes in = inside_of(text);
    uint8_t character[4];

    while (in.size > 0) {
        size_t size = character_take(&in, character);
        if (!dx_bytes_starts(wanted, dx_bytes_at(character, size)))
            return false;
        dx_bytes_skip(&wanted, size);
    }
    return wanted.size == 0;
}

bool dx_json_object_find(dx_bytes text, dx_bytes name, dx_bytes *value)
{
    dx_json_items it;
    dx_bytes member, found;
    bool is_found = false;

    if (dx_json_type_of(text) != DX_JSON_OBJECT || !dx_json_items_init(&it, text))
        return false;
    while (dx_json_object_next(&it, &member, &found))
        if (string_means(member, name)) {
            *value = found;
            is_found = true;
        }
    return is_found;
}

/* Whether two strings mean the same. */
static bool strings_mean_same(dx_bytes a, dx_bytes b)
{
    dx_bytes in_a = inside_of(a), in_b = inside_of(b);
    uint8_t of_a[4], of_b[4];

    while (in_a.size > 0 && in_b.size > 0) {
        size_t size = character_take(&in_a, of_a);
        if (character_take(&in_b, of_b) != size || memcmp(of_a, of_b, size) != 0)
            return false;
    }
    return in_a.size == 0 && in_b.size == 0;
}

bool dx_json_object_is_distinct(dx_bytes text)
{
    dx_bytes names[DX_JSON_DISTINCT_MAX], name, value;
    dx_json_items it;
    size_t count = 0;

    if (dx_json_type_of(text) != DX_JSON_OBJECT || !dx_json_items_init(&it, text))
        return false;
    for (; dx_json_object_next(&it, &name, &value); names[count++] = name) {
        if (count == DX_JSON_DISTINCT_MAX)
            return false;
        for (size_t i = 0; i < count; i++)
            if (strings_mean_same(names[i], name))
                return false;
    }
    return true;
}

/* The escape of an ASCII byte, 2 or 6 bytes; 0 if it stays. */
static size_t escape_write(uint8_t c, uint8_t at[static 6])
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *known = c ? strchr(from, c) : NULL;

    at[0] = '\\';
    if (known) {
        at[1] = (uint8_t)to[known - from];
        return 2;
    }
    if (c >= 0x20)
        return 0;
    memcpy(at + 1, "u00", 3);
    at[4] = (uint8_t)('0' + (c >> 4));
    at[5] = (uint8_t) "0123456789abcdef"[c & 15];
    return 6;
}

typedef struct text_sink {
    uint8_t *at; /* NULL: only count */
    size_t size;
} text_sink;

static void put(text_sink *sink, const void *at, size_t size)
{
    if (sink->at)
        dx_copy(sink->at + sink->size, at, size);
    sink->size += size;
}

static void string_put(text_sink *sink, dx_bytes text)
{
    uint8_t escape[6];
    bool is_utf8 = dx_utf8_is_valid(text);

    put(sink, "\"", 1);
    while (text.size > 0) {
        size_t good = is_utf8 ? text.size : dx_utf8_valid_size(text), start = 0;
        for (size_t i = 0; i < good; i++) {
            size_t size = escape_write(text.at[i], escape);
            if (size == 0)
                continue;
            put(sink, text.at + start, i - start);
            put(sink, escape, size);
            start = i + 1;
        }
        put(sink, text.at + start, good - start);
        dx_bytes_skip(&text, good);
        if (text.size > 0) { /* one U+FFFD for each byte that fits nowhere */
            put(sink, "\xef\xbf\xbd", 3);
            dx_bytes_skip(&text, 1);
        }
    }
    put(sink, "\"", 1);
}

size_t dx_json_write_string(dx_bytes text, uint8_t *memory, size_t size)
{
    text_sink count = {NULL, 0}, sink = {memory, 0};

    string_put(&count, text);
    if (count.size <= size)
        string_put(&sink, text);
    return count.size;
}
