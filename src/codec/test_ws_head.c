/* Tests of ws_head.h.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_head.h"

#include "tests/tap.h"

static const dx_ws_rules server = {.payload_bytes_max = UINT64_MAX, .role = DX_WS_SERVER};
static const dx_ws_rules client = {.payload_bytes_max = UINT64_MAX, .role = DX_WS_CLIENT};

/* What the first `size` bytes give; `*in` and the head must not move unless OK. */
static dx_ws_status read_prefix(const uint8_t *at, size_t size, const dx_ws_rules *rules,
                                dx_ws_head *head)
{
    uint8_t *copy = malloc(size + 1); /* its own block: reading past its end would be seen */
    memcpy(copy, at, size);
    dx_bytes in = {copy, size};
    dx_ws_head untouched = {.payload_size = 4711}, got = untouched;
    dx_ws_status status = dx_ws_head_read(&in, rules, &got);

    if (status != DX_WS_OK) {
        CHECK(in.at == copy && in.size == size);
        CHECK_INT(got.payload_size, 4711);
    } else {
        *head = got;
        head->payload_size = got.payload_size;
    }
    free(copy);
    return status;
}

/* `bytes` must be refused as `want`, with byte number `at` (from 1) and not before. */
static void check_fault(dx_bytes bytes, const dx_ws_rules *rules, dx_ws_status want, size_t at)
{
    dx_ws_head head;
    for (size_t size = 0; size <= bytes.size; size++) {
        dx_ws_status status = read_prefix(bytes.at, size, rules, &head);
        if (status != (size < at ? DX_WS_MORE : want))
            TAP_FAIL("%02x %02x...: status %d after %zu bytes, expected %d from %zu on",
                     bytes.at[0], bytes.size > 1 ? bytes.at[1] : 0, (int)status, size, (int)want,
                     at);
    }
}

TEST("RFC 6455 §5.7 the examples read")
{
    dx_ws_head head;
    CHECK_INT(read_prefix((const uint8_t *)"\x81\x85\x37\xfa\x21\x3d\x7f", 7, &server, &head),
              DX_WS_OK);
    CHECK(head.fin && !head.rsv1 && head.masked && head.opcode == DX_WS_TEXT);
    CHECK_INT(head.payload_size, 5);
    CHECK_MEM(head.mask, 4, "\x37\xfa\x21\x3d", 4);
    CHECK_INT(read_prefix((const uint8_t *)"\x82\x7e\x01\x00", 4, &client, &head), DX_WS_OK);
    CHECK(head.fin && !head.masked && head.opcode == DX_WS_BINARY);
    CHECK_INT(head.payload_size, 256);
    CHECK_INT(read_prefix((const uint8_t *)"\x82\x7f\0\0\0\0\0\1\0\0", 10, &client, &head),
              DX_WS_OK);
    CHECK_INT(head.payload_size, 65536);
}

TEST("RFC 6455 §5.2 each first byte, with and without compression, inside and outside a message")
{
    for (unsigned i = 0; i < 4 * 256; i++) {
        uint8_t bytes[2] = {(uint8_t)i, 0};
        unsigned opcode = i & 15;
        bool deflate = i & 256, open = i & 512, rsv1 = i & 0x40, control = opcode & 8;
        dx_ws_rules rules = {UINT64_MAX, DX_WS_CLIENT, deflate, open};
        dx_ws_status want = DX_WS_OK;
        dx_ws_head head;

        if (i & 0x30)
            want = DX_WS_FAULT_RSV;
        else if ((opcode > 2 && opcode < 8) || opcode > 10)
            want = DX_WS_FAULT_OPCODE;
        else if (rsv1 && !deflate)
            want = DX_WS_FAULT_RSV1;
        else if (control)
            want = rsv1          ? DX_WS_FAULT_RSV1_CONTROL
                   : !(i & 0x80) ? DX_WS_FAULT_CONTROL_FRAGMENTED
                                 : DX_WS_OK;
        else if (opcode == 0)
            want = rsv1    ? DX_WS_FAULT_RSV1_CONTINUATION
                   : !open ? DX_WS_FAULT_CONTINUATION_STRAY
                           : DX_WS_OK;
        else if (open)
            want = DX_WS_FAULT_CONTINUATION_EXPECTED;
        dx_ws_status got = read_prefix(bytes, 2, &rules, &head);
        if (got != want)
            TAP_FAIL("byte %02x deflate %d open %d: %d, expected %d", i & 0xff, deflate, open, got,
                     want);
        if (want != DX_WS_OK) /* known from the first byte alone */
            CHECK_INT(read_prefix(bytes, 1, &rules, &head), want);
    }
}

TEST("RFC 6455 §5.1 a server wants masks, a client wants none: known from the second byte")
{
    check_fault(DX_BYTES("\x81\x05Hello"), &server, DX_WS_FAULT_UNMASKED, 2);
    check_fault(DX_BYTES("\x89\x00"), &server, DX_WS_FAULT_UNMASKED, 2);
    check_fault(DX_BYTES("\x81\x7e\x01\x00"), &server, DX_WS_FAULT_UNMASKED, 2);
    check_fault(DX_BYTES("\x81\x85"
                         "abcdHello"),
                &client, DX_WS_FAULT_MASKED, 2);
}

TEST("RFC 6455 §5.3 a mask of zeros is legal")
{
    dx_ws_head head;
    CHECK_INT(read_prefix((const uint8_t *)"\x81\x81\0\0\0\0x", 7, &server, &head), DX_WS_OK);
}

TEST("RFC 6455 §5.5 control frames of 126 bytes and more are refused at the second byte")
{
    check_fault(DX_BYTES("\x89\xfe\0\x7e"), &server, DX_WS_FAULT_CONTROL_SIZE, 2);
    check_fault(DX_BYTES("\x88\xff\0\0"), &server, DX_WS_FAULT_CONTROL_SIZE, 2);
    check_fault(DX_BYTES("\x8a\x7e\0\x01"), &client, DX_WS_FAULT_CONTROL_SIZE, 2);
}

TEST("RFC 6455 §5.2 lengths in a longer form than they need are refused, as soon as that shows")
{
    check_fault(DX_BYTES("\x82\x7e\0\0"), &client, DX_WS_FAULT_LENGTH_NOT_MINIMAL, 4);
    check_fault(DX_BYTES("\x82\x7e\0\x7d"), &client, DX_WS_FAULT_LENGTH_NOT_MINIMAL, 4);
    check_fault(DX_BYTES("\x82\x7f\0\0\0\0\0\0\xff\xff"), &client, DX_WS_FAULT_LENGTH_NOT_MINIMAL,
                8);
    check_fault(DX_BYTES("\x82\x7f\0\0\0\0\0\0\0\0"), &client, DX_WS_FAULT_LENGTH_NOT_MINIMAL, 8);
    check_fault(DX_BYTES("\x82\xff\0\0\0\0\0\0\0\x05mask"), &server, DX_WS_FAULT_LENGTH_NOT_MINIMAL,
                8);
}

TEST("RFC 6455 §5.2 the top bit of a 64-bit length is refused with its first byte")
{
    check_fault(DX_BYTES("\x82\x7f\x80\0\0\0\0\0\0\0"), &client, DX_WS_FAULT_LENGTH_TOP_BIT, 3);
    check_fault(DX_BYTES("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff"), &server,
                DX_WS_FAULT_LENGTH_TOP_BIT, 3);
}

TEST("RFC 6455 §7.4.1 a length above the limit is refused with the first byte that shows it")
{
    dx_ws_rules rules = {65536, DX_WS_CLIENT, false, false};
    dx_ws_head head;
    check_fault(DX_BYTES("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), &rules,
                DX_WS_FAULT_MESSAGE_SIZE, 3);
    check_fault(DX_BYTES("\x82\x7f\0\0\0\x01\0\0\0\0"), &rules, DX_WS_FAULT_MESSAGE_SIZE, 6);
    check_fault(DX_BYTES("\x82\x7f\0\0\0\0\0\x01\0\x01"), &rules, DX_WS_FAULT_MESSAGE_SIZE, 10);
    CHECK_INT(read_prefix((const uint8_t *)"\x82\x7f\0\0\0\0\0\x01\0\0", 10, &rules, &head),
              DX_WS_OK);
    rules.payload_bytes_max = 1000;
    check_fault(DX_BYTES("\x82\x7e\x04\0"), &rules, DX_WS_FAULT_MESSAGE_SIZE, 3);
    check_fault(DX_BYTES("\x82\x7e\x03\xe9"), &rules, DX_WS_FAULT_MESSAGE_SIZE, 4);
    CHECK_INT(read_prefix((const uint8_t *)"\x82\x7e\x03\xe8", 4, &rules, &head), DX_WS_OK);
    rules.payload_bytes_max = 100;
    check_fault(DX_BYTES("\x82\x65"), &rules, DX_WS_FAULT_MESSAGE_SIZE, 2);
    CHECK_INT(read_prefix((const uint8_t *)"\x82\x64", 2, &rules, &head), DX_WS_OK);
    rules.payload_bytes_max = 0;
    CHECK_INT(read_prefix((const uint8_t *)"\x82\x00", 2, &rules, &head), DX_WS_OK);
    check_fault(DX_BYTES("\x82\x01"), &rules, DX_WS_FAULT_MESSAGE_SIZE, 2);
}

TEST("RFC 6455 §5.4 a limit on messages does not limit control frames")
{
    dx_ws_rules rules = {0, DX_WS_CLIENT, false, true};
    dx_ws_head head;
    CHECK_INT(read_prefix((const uint8_t *)"\x89\x7d", 2, &rules, &head), DX_WS_OK);
}

TEST("RFC 6455 §5.2 what is written is minimal and reads back, at every prefix not before its end")
{
    static const uint64_t sizes[] = {0,     1,     124,        125,        126,        127,
                                     65534, 65535, 65536,      65537,      UINT32_MAX, 1ull << 32,
                                     255,   256,   (1u << 24), 1ull << 40, INT64_MAX};
    for (size_t s = 0; s < DX_COUNT(sizes); s++)
        for (unsigned bits = 0; bits < 8; bits++) {
            dx_ws_head head = {sizes[s], DX_WS_TEXT,      {0},
                               bits & 1, (bits & 2) != 0, (bits & 4) != 0};
            dx_ws_rules rules = {UINT64_MAX, head.masked ? DX_WS_SERVER : DX_WS_CLIENT, true,
                                 false};
            uint8_t out[DX_WS_HEAD_BYTES_MAX];
            dx_ws_head back;

            if (head.masked)
                memcpy(head.mask, "\x01\x80\xff\x00", 4);
            size_t size = dx_ws_head_write(out, &head);
            CHECK_INT(size, dx_ws_head_size(sizes[s], head.masked));
            for (size_t n = 0; n < size; n++)
                CHECK_INT(read_prefix(out, n, &rules, &back), DX_WS_MORE);
            CHECK_INT(read_prefix(out, size, &rules, &back), DX_WS_OK);
            CHECK(back.payload_size == sizes[s] && back.fin == head.fin && back.rsv1 == head.rsv1);
            CHECK(back.opcode == DX_WS_TEXT && back.masked == head.masked);
            CHECK_MEM(back.mask, 4, head.mask, 4);
        }
}

TEST("RFC 6455 §5.7 the examples write")
{
    uint8_t out[DX_WS_HEAD_BYTES_MAX];
    dx_ws_head pong = {5, DX_WS_PONG, {0x37, 0xfa, 0x21, 0x3d}, true, false, true};
    CHECK_MEM(out, dx_ws_head_write(out, &pong), "\x8a\x85\x37\xfa\x21\x3d", 6);
    dx_ws_head large = {65536, DX_WS_BINARY, {0}, true, false, false};
    CHECK_MEM(out, dx_ws_head_write(out, &large), "\x82\x7f\0\0\0\0\0\1\0\0", 10);
}
