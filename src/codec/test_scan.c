/* All versions of the scanner agree on every byte, place and length.
 * SPDX-License-Identifier: MIT */
#include "codec/scan.h"
#include "tests/tap.h"

static bool is_token(unsigned c) /* written out again from RFC 9110 §5.6.2 */
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != 0 && c < 128 && strchr("!#$%&'*+-.^_`|~", (int)c) != NULL);
}

static bool is_field(unsigned c)
{
    return c == '\t' || (c >= ' ' && c != 127);
}

static bool is_target(unsigned c)
{
    return c > ' ' && c < 127;
}

static void check_class(const char *name, dx_scan_call *call, bool (*is_in)(unsigned c))
{
    for (unsigned c = 0; c < 256; c++) {
        uint8_t byte = (uint8_t)c;
        if (call(&byte, 1) != is_in(c))
            TAP_FAIL("%s: byte 0x%02x alone", name, c);
    }
}

/* One odd byte at every place of every length and alignment; the memory ends where the text ends. */
static void check_places(const char *name, dx_scan_call *call, bool (*is_in)(unsigned c))
{
    for (size_t size = 0; size <= 100; size++) {
        for (size_t shift = 0; shift < 33; shift += size % 3 + 1) {
            uint8_t *memory = malloc(size + shift + 1);
            memset(memory, 'a', size + shift + 1);
            if (call(memory + shift, size) != size)
                TAP_FAIL("%s: size %zu all good", name, size);
            for (size_t place = 0; place < size; place++) {
                unsigned c = (unsigned)(place * 7 + size * 13 + shift * 31) & 255;
                memory[shift + place] = (uint8_t)c;
                size_t want = is_in(c) ? size : place;
                if (call(memory + shift, size) != want)
                    TAP_FAIL("%s: size %zu shift %zu place %zu byte %02x", name, size, shift, place,
                             c);
                memory[shift + place] = 'a';
            }
            free(memory);
        }
    }
}

/* Every byte value at every place of two vectors. */
static void check_bytes(const char *name, dx_scan_call *call, bool (*is_in)(unsigned c))
{
    uint8_t text[70];

    memset(text, 'z', sizeof text);
    for (unsigned c = 0; c < 256; c++)
        for (size_t place = 0; place < sizeof text; place++) {
            text[place] = (uint8_t)c;
            if (call(text, sizeof text) != (is_in(c) ? sizeof text : place))
                TAP_FAIL("%s: byte 0x%02x at %zu", name, c, place);
            text[place] = 'z';
        }
}

static void check_all(const char *name, dx_scan_call *call, bool (*is_in)(unsigned c))
{
    check_class(name, call, is_in);
    check_bytes(name, call, is_in);
    check_places(name, call, is_in);
}

TEST("RFC 9110 §5.6.2 every version finds the first byte that is not of a token")
{
    for (size_t i = 0; dx_scan_at(i); i++)
        check_all(dx_scan_at(i)->name, dx_scan_at(i)->token, is_token);
}

TEST("RFC 9110 §5.5 every version finds the first byte that is not of a field value")
{
    for (size_t i = 0; dx_scan_at(i); i++)
        check_all(dx_scan_at(i)->name, dx_scan_at(i)->field, is_field);
}

TEST("RFC 9112 §3.2 every version finds the first byte that is not of a target")
{
    for (size_t i = 0; dx_scan_at(i); i++)
        check_all(dx_scan_at(i)->name, dx_scan_at(i)->target, is_target);
}

TEST("the best version is one of those that are tested")
{
    bool found = false;
    for (size_t i = 0; dx_scan_at(i); i++)
        found |= dx_scan_at(i) == dx_scan_best();
    CHECK(found);
    CHECK(dx_scan_at(0) != NULL && dx_scan_at(99) == NULL);
}
