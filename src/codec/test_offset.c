/* Offsets.
 * SPDX-License-Identifier: MIT */
#include "codec/offset.h"
#include "tests/tap.h"

TEST("an offset is 33 characters that are safe in a URL, and reads back")
{
    static const dx_offset rows[] = {
        {0, 0}, {0, 1}, {1, 0}, {0x0123456789abcdef, 0xfedcba9876543210}, {UINT64_MAX, UINT64_MAX}};
    uint8_t text[DX_OFFSET_SIZE];
    dx_offset got;

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        dx_offset_write(rows[i], text);
        for (size_t k = 0; k < sizeof text; k++)
            CHECK(text[k] != 0 && strchr("0123456789abcdef_", text[k]) != NULL);
        CHECK_INT(dx_offset_read(dx_bytes_at(text, sizeof text), &got), DX_OFFSET_AT);
        CHECK(got.epoch == rows[i].epoch && got.sequence == rows[i].sequence);
    }
    dx_offset_write(rows[3], text);
    CHECK_MEM(text, sizeof text, "0123456789abcdef_fedcba9876543210", 33);
}

TEST("offsets sort as their texts do")
{
    static const uint64_t numbers[] = {0, 1, 9, 10, 15, 16, 255, 256, 1ull << 32, UINT64_MAX};
    enum { COUNT = DX_COUNT(numbers) };

    for (size_t i = 0; i < COUNT * COUNT; i++)
        for (size_t k = 0; k < COUNT * COUNT; k++) {
            dx_offset a = {numbers[i / COUNT], numbers[i % COUNT]};
            dx_offset b = {numbers[k / COUNT], numbers[k % COUNT]};
            uint8_t x[DX_OFFSET_SIZE], y[DX_OFFSET_SIZE];
            dx_offset_write(a, x), dx_offset_write(b, y);
            int text = memcmp(x, y, sizeof x);
            CHECK_INT(dx_offset_compare(a, b), (text > 0) - (text < 0));
        }
}

TEST("the sentinels are read, all else is bad")
{
    static const char good[] = "0000000000000001_00000000000000ff";
    dx_offset got = {7, 7};
    char text[40];

    CHECK_INT(dx_offset_read(DX_BYTES("-1"), &got), DX_OFFSET_START);
    CHECK_INT(dx_offset_read(DX_BYTES("now"), &got), DX_OFFSET_NOW);
    CHECK_INT(dx_offset_read(DX_BYTES(""), &got), DX_OFFSET_BAD);
    CHECK_INT(dx_offset_read(DX_BYTES("0"), &got), DX_OFFSET_BAD);
    CHECK_INT(dx_offset_read(DX_BYTES("-2"), &got), DX_OFFSET_BAD);
    CHECK_INT(dx_offset_read(DX_BYTES("NOW"), &got), DX_OFFSET_BAD);
    for (size_t size = 0; size < 33; size++)
        CHECK_INT(dx_offset_read(dx_bytes_at(good, size), &got), DX_OFFSET_BAD);
    CHECK_INT(dx_offset_read(dx_bytes_at(good, 34), &got), DX_OFFSET_BAD); /* the NUL */
    for (size_t i = 0; i < 33; i++) {
        for (const char *c = "gAF-+ /:@`"; *c; c++) {
            memcpy(text, good, sizeof good);
            text[i] = *c;
            CHECK_INT(dx_offset_read(dx_bytes_at(text, 33), &got), DX_OFFSET_BAD);
        }
    }
    CHECK(got.epoch == 7 && got.sequence == 7); /* untouched by all of these */
    CHECK_INT(dx_offset_read(dx_bytes_at(good, 33), &got), DX_OFFSET_AT);
    CHECK(got.epoch == 1 && got.sequence == 255);
}
