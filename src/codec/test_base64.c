/* Tests of base64.h.
 * SPDX-License-Identifier: MIT */
#include "codec/base64.h"

#include "tests/tap.h"

static const struct {
    const char *raw, *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xff\xef\xbe", "/+++"},
};

TEST("RFC 4648 §10 the test vectors, both ways")
{
    for (size_t i = 0; i < DX_COUNT(vectors); i++) {
        dx_bytes raw = dx_bytes_of(vectors[i].raw);
        char text[16];
        uint8_t back[16];
        size_t size = 99;

        dx_base64_write(raw, text);
        CHECK_MEM(text, DX_BASE64_TEXT_SIZE(raw.size), vectors[i].text, strlen(vectors[i].text));
        CHECK(dx_base64_read(dx_bytes_of(vectors[i].text), back, sizeof back, &size));
        CHECK_MEM(back, size, raw.at, raw.size);
    }
}

TEST("RFC 4648 §3 what is not strict is refused and changes nothing")
{
    static const char *const bad[] = {
        "Z",    "Zg",    "Zg=",  "Zh==", /* unused bits */
        "Zm9=", "====",  "Z===", "A===", "=Zg=",  "Zg==Zg==",
        "Zm 8", "Zm8\n", "Zm_v", "Zm-v", "Zm9v=", "Zm9v====",
    };
    for (size_t i = 0; i < DX_COUNT(bad); i++) {
        uint8_t out[16];
        size_t size = 99;
        if (dx_base64_read(dx_bytes_of(bad[i]), out, sizeof out, &size))
            TAP_FAIL("%s was read", bad[i]);
        CHECK_INT(size, 99);
    }
}

TEST("RFC 4648 §4 a text that is no multiple of four is refused, whatever follows it in memory")
{
    for (size_t size = 1; size < 12; size++) {
        uint8_t out[16];
        size_t got = 0;
        bool fine = dx_base64_read(dx_bytes_at("Zm9vYmFyZm9v", size), out, sizeof out, &got);
        CHECK_INT(fine, size % 4 == 0);
    }
}

TEST("what does not fit is refused before a byte is written")
{
    uint8_t out[4] = {1, 2, 3, 4};
    size_t size = 99;
    CHECK(!dx_base64_read(DX_BYTES("Zm9vYg=="), out, 3, &size));
    CHECK_MEM(out, 4, "\1\2\3\4", 4);
    CHECK(dx_base64_read(DX_BYTES("Zm9vYg=="), out, 4, &size));
    CHECK_MEM(out, size, "foob", 4);
}

TEST("every byte value survives, at every place of a group")
{
    for (unsigned value = 0; value < 256; value++)
        for (size_t size = 1; size <= 4; size++) {
            uint8_t raw[4] = {0x5a, 0xa5, 0x3c, 0xc3}, back[4];
            char text[8];
            size_t back_size = 0;
            raw[size - 1] = (uint8_t)value;
            dx_base64_write(dx_bytes_at(raw, size), text);
            CHECK(
                dx_base64_read(dx_bytes_at(text, DX_BASE64_TEXT_SIZE(size)), back, 4, &back_size));
            CHECK_MEM(back, back_size, raw, size);
        }
}
