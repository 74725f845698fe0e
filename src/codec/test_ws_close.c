/* Tests of ws_close.h.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_close.h"

#include "codec/utf8.h"
#include "tests/tap.h"

static bool is_legal(unsigned code) /* §7.4.1, §7.4.2 and the registry, number by number */
{
    switch (code) {
    case 1000:
    case 1001:
    case 1002:
    case 1003:
    case 1007:
    case 1008:
    case 1009:
    case 1010:
    case 1011:
    case 1012:
    case 1013:
    case 1014: return true;
    }
    return code >= 3000 && code < 5000;
}

TEST("RFC 6455 §7.4 each of the 65536 codes is allowed or not")
{
    for (unsigned code = 0; code <= 0xffff; code++) {
        uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
        uint16_t got = 7;
        dx_bytes reason = {NULL, 9};
        dx_ws_status status = dx_ws_close_read(dx_bytes_at(payload, 2), &got, &reason);

        CHECK_INT(dx_ws_close_code_is_valid((uint16_t)code), is_legal(code));
        CHECK_INT(status, is_legal(code) ? DX_WS_OK : DX_WS_FAULT_CLOSE_CODE);
        CHECK_INT(got, is_legal(code) ? code : 7);
        CHECK_INT(reason.size, is_legal(code) ? 0 : 9);
    }
}

TEST("RFC 6455 §5.5.1 an empty payload is no code; one byte is a fault")
{
    uint16_t code = 0;
    dx_bytes reason;
    CHECK_INT(dx_ws_close_read((dx_bytes){NULL, 0}, &code, &reason), DX_WS_OK);
    CHECK_INT(code, DX_WS_CLOSE_NO_CODE);
    CHECK_INT(reason.size, 0);
    CHECK_INT(dx_ws_close_read(DX_BYTES("\x03"), &code, &reason), DX_WS_FAULT_CLOSE_SIZE);
    CHECK_INT(dx_ws_fault_of(DX_WS_FAULT_CLOSE_SIZE)->close_code, 1002);
}

TEST("RFC 6455 §5.5.1 the reason is a view and must be UTF-8")
{
    uint16_t code = 0;
    dx_bytes reason;
    CHECK_INT(dx_ws_close_read(DX_BYTES("\x03\xe8gr\xc3\xbc\xc3\x9f"), &code, &reason), DX_WS_OK);
    CHECK_INT(code, 1000);
    CHECK_BYTES(reason, "gr\xc3\xbc\xc3\x9f");
    CHECK_INT(dx_ws_close_read(DX_BYTES("\x03\xe8\xed\xa0\x80"), &code, &reason),
              DX_WS_FAULT_CLOSE_REASON);
    CHECK_INT(dx_ws_close_read(DX_BYTES("\x03\xe8"
                                        "a\xc3"),
                               &code, &reason),
              DX_WS_FAULT_CLOSE_REASON);
    CHECK_INT(dx_ws_fault_of(DX_WS_FAULT_CLOSE_REASON)->close_code, 1007);
}

TEST("RFC 6455 §5.5.1 what is written reads back")
{
    uint8_t payload[DX_WS_CONTROL_BYTES_MAX];
    uint16_t code;
    dx_bytes reason;
    size_t size = dx_ws_close_write(payload, 4409, DX_BYTES("conflict"));

    CHECK_MEM(payload, size,
              "\x11\x39"
              "conflict",
              10);
    CHECK_INT(dx_ws_close_read(dx_bytes_at(payload, size), &code, &reason), DX_WS_OK);
    CHECK_INT(code, 4409);
    CHECK_INT(dx_ws_close_write(payload, DX_WS_CLOSE_NO_CODE, DX_BYTES("not sent")), 0);
    CHECK_INT(dx_ws_close_write(payload, 1000, (dx_bytes){NULL, 0}), 2);
}

TEST("RFC 6455 §5.5 a long reason is cut between code points, at 123 bytes at most")
{
    static const char *const points[] = {"x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x99\x82"};

    for (size_t p = 0; p < DX_COUNT(points); p++)
        for (size_t lead = 0; lead < 5; lead++) {
            uint8_t text[200], payload[DX_WS_CONTROL_BYTES_MAX];
            size_t width = strlen(points[p]), size = lead;
            memset(text, '.', lead);
            for (; size + width <= sizeof text; size += width)
                memcpy(text + size, points[p], width);
            size_t written = dx_ws_close_write(payload, 1001, dx_bytes_at(text, size));
            CHECK_INT(written, 2 + lead + (123 - lead) / width * width);
            CHECK(dx_utf8_is_valid(dx_bytes_at(payload + 2, written - 2)));
        }
}

TEST("RFC 6455 §8.1 of a reason that is not UTF-8 the good front is sent")
{
    uint8_t payload[DX_WS_CONTROL_BYTES_MAX];
    CHECK_INT(dx_ws_close_write(payload, 1000,
                                DX_BYTES("abc\xff"
                                         "def")),
              5);
    CHECK_INT(dx_ws_close_write(payload, 1000, DX_BYTES("abc\xe2\x82")), 5);
}

TEST("each fault has a close code that may be sent, a sentence that fits a reason, and a section")
{
    for (unsigned s = DX_WS_MORE + 1; s < DX_WS_STATUS_COUNT; s++) {
        const dx_ws_fault *fault = dx_ws_fault_of((dx_ws_status)s);
        CHECK(dx_ws_close_code_is_valid(fault->close_code));
        CHECK(fault->text != NULL && strlen(fault->text) > 9);
        CHECK(fault->text != NULL && strlen(fault->text) <= DX_WS_REASON_BYTES_MAX);
        CHECK(fault->section != NULL && strncmp(fault->section, "RFC ", 4) == 0);
    }
}

TEST("every code has words")
{
    for (unsigned code = 0; code <= 0xffff; code++)
        CHECK(strlen(dx_ws_close_text((uint16_t)code)) > 3);
    CHECK_BYTES(dx_bytes_of(dx_ws_close_text(1001)), "going away");
    CHECK_BYTES(dx_bytes_of(dx_ws_close_text(1014)), "bad gateway");
    CHECK_BYTES(dx_bytes_of(dx_ws_close_text(1016)), "unknown close code");
}
