/* JSON: the validator agrees with a slow recursive one; elements and strings keep their promises.
 * Input: the text.
 * SPDX-License-Identifier: MIT */
#include "codec/json.h"
#include "codec/utf8.h"
#include "fuzz/fuzz.h"

#define DEPTH_MAX 20

/* The slow one: each takes what it names off `*in` and says if it was there. */
static bool slow_value(dx_bytes *in, unsigned depth);

static bool text_take(dx_bytes *in, const char *text)
{
    dx_bytes wanted = dx_bytes_of(text), got;
    return dx_bytes_starts(*in, wanted) && dx_bytes_take(in, wanted.size, &got);
}

static void slow_blanks(dx_bytes *in)
{
    while (text_take(in, " ") || text_take(in, "\t") || text_take(in, "\n") || text_take(in, "\r"))
        ;
}

static bool slow_hex(dx_bytes *in, unsigned *ret)
{
    char digits[5] = "";
    unsigned end = 0;

    if (in->size < 4)
        return false;
    memcpy(digits, in->at, 4);
    dx_bytes_skip(in, 4);
    for (unsigned i = 0; i < 4; i++)
        if (digits[i] == 0 || !strchr("0123456789abcdefABCDEF", digits[i]))
            return false;
    return sscanf(digits, "%4x%n", ret, (int *)&end) == 1 && end == 4;
}

static bool slow_string(dx_bytes *in)
{
    unsigned high, low;

    if (!text_take(in, "\""))
        return false;
    while (!text_take(in, "\"")) {
        if (in->size == 0 || in->at[0] < 0x20)
            return false;
        if (!text_take(in, "\\")) {
            dx_bytes_skip(in, 1);
        } else if (text_take(in, "u")) {
            if (!slow_hex(in, &high) || (high >= 0xdc00 && high <= 0xdfff))
                return false;
            if (high >= 0xd800 && high <= 0xdbff &&
                !(text_take(in, "\\u") && slow_hex(in, &low) && low >= 0xdc00 && low <= 0xdfff))
                return false;
        } else if (!(text_take(in, "\"") || text_take(in, "\\") || text_take(in, "/") ||
                     text_take(in, "b") || text_take(in, "f") || text_take(in, "n") ||
                     text_take(in, "r") || text_take(in, "t"))) {
            return false;
        }
    }
    return true;
}

static bool slow_digits(dx_bytes *in)
{
    size_t size = in->size;

    while (in->size > 0 && in->at[0] >= '0' && in->at[0] <= '9')
        dx_bytes_skip(in, 1);
    return in->size < size;
}

static bool slow_number(dx_bytes *in)
{
    (void)text_take(in, "-");
    if (!text_take(in, "0") && !slow_digits(in))
        return false;
    if (text_take(in, ".") && !slow_digits(in))
        return false;
    if (!text_take(in, "e") && !text_take(in, "E"))
        return true;
    if (!text_take(in, "+"))
        (void)text_take(in, "-");
    return slow_digits(in);
}

static bool slow_items(dx_bytes *in, unsigned depth, bool is_object)
{
    const char *close = is_object ? "}" : "]";

    slow_blanks(in);
    if (depth == 0)
        return false;
    if (text_take(in, close))
        return true;
    do {
        slow_blanks(in);
        if (is_object) {
            if (!slow_string(in))
                return false;
            slow_blanks(in);
            if (!text_take(in, ":"))
                return false;
        }
        if (!slow_value(in, depth - 1))
            return false;
    } while (text_take(in, ","));
    return text_take(in, close);
}

/* With the blanks on both sides. */
static bool slow_value(dx_bytes *in, unsigned depth)
{
    slow_blanks(in);
    bool is_good = text_take(in, "[")   ? slow_items(in, depth, false)
                   : text_take(in, "{") ? slow_items(in, depth, true)
                   : text_take(in, "true") || text_take(in, "false") || text_take(in, "null") ? true
                   : in->size > 0 && in->at[0] == '"' ? slow_string(in)
                                                      : slow_number(in);
    slow_blanks(in);
    return is_good;
}

/* Every element is a value by itself, and inside of the text. */
static void walk(dx_bytes text)
{
    dx_json_items it;
    dx_bytes name, value, last;
    size_t error_at;
    bool is_object = dx_json_type_of(text) == DX_JSON_OBJECT;

    if (!dx_json_items_init(&it, text))
        return;
    while (is_object ? dx_json_object_next(&it, &name, &value) : dx_json_array_next(&it, &value)) {
        FUZZ_CHECK(fuzz_is_inside(value, text));
        FUZZ_CHECK(dx_json_check(value, DEPTH_MAX, &error_at) == DX_JSON_OK);
        if (!is_object)
            continue;
        FUZZ_CHECK(fuzz_is_inside(name, text) && dx_json_type_of(name) == DX_JSON_TEXT);
        uint8_t *memory = malloc(name.size);
        size_t size = dx_json_string_read(name, memory);
        FUZZ_CHECK(size + 2 <= name.size && dx_utf8_is_valid(dx_bytes_at(memory, size)));
        FUZZ_CHECK(dx_json_object_find(text, dx_bytes_at(memory, size), &last));
        free(memory);
    }
}

static void write_back(dx_bytes in)
{
    size_t need = dx_json_write_string(in, NULL, 0), error_at;
    uint8_t *memory = malloc(need), *back = malloc(need);

    FUZZ_CHECK(need <= 6 * in.size + 2 && dx_json_write_string(in, memory, need) == need);
    FUZZ_CHECK(dx_json_check(dx_bytes_at(memory, need), 1, &error_at) == DX_JSON_OK);
    size_t size = dx_json_string_read(dx_bytes_at(memory, need), back);
    if (dx_utf8_is_valid(in))
        FUZZ_CHECK(dx_bytes_equal(dx_bytes_at(back, size), in));
    free(memory);
    free(back);
}

/* Text that was never checked: nothing is promised but the bounds. */
static void walk_unchecked(dx_bytes text)
{
    dx_json_items it;
    dx_bytes name, value;
    uint8_t *memory = malloc(text.size + 1);

    (void)dx_json_object_find(text, DX_BYTES("a"), &value);
    FUZZ_CHECK(dx_json_string_read(text, memory) <= text.size);
    if (dx_json_items_init(&it, text))
        while (dx_json_object_next(&it, &name, &value))
            FUZZ_CHECK(fuzz_is_inside(name, text) && fuzz_is_inside(value, text));
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes text = {data, size}, slow = text;
    size_t error_at = SIZE_MAX;
    dx_json_fault fault = dx_json_check(text, DEPTH_MAX, &error_at);
    bool is_good = slow_value(&slow, DEPTH_MAX) && slow.size == 0 && dx_utf8_is_valid(text);

    FUZZ_CHECK(is_good == (fault == DX_JSON_OK));
    FUZZ_CHECK(is_good ? error_at == SIZE_MAX : error_at <= size);
    FUZZ_CHECK(fault != DX_JSON_CUT || error_at == size);
    if (is_good)
        walk(text);
    else
        walk_unchecked(text);
    write_back(text);
    return 0;
}
