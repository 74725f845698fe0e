/* Tests of ws_reader.h. Each case runs whole, at every prefix, cut at every place, byte by byte, and
 * in random chunks; a fault must show with the byte that is named, not later.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_reader.h"

#include "codec/test_ws_session.h"
#include "tests/tap.h"

#define FRAMES_MAX 8

/* b0 is the first byte of the head; the length form is the shortest; clients' frames are masked. */
typedef struct frame {
    unsigned b0;
    const char *payload;
    size_t size;
} frame;
#define F(b0, payload)                                                                             \
    {                                                                                              \
        b0, payload, sizeof(payload) - 1                                                           \
    }

typedef struct reader_case {
    const char *name;
    frame frames[FRAMES_MAX];
    const char *told; /* as in test_ws_session.h; faults are FAULT(x) */
    size_t fault_at;  /* bytes of wire after which the fault must be known; 0: there is none */
} reader_case;
#define CASE(name, told, fault_at, ...)                                                            \
    {                                                                                              \
        name, {__VA_ARGS__}, told, fault_at                                                        \
    }

static size_t put_frame(uint8_t *to, const frame *f, bool masked)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t size = 2;

    to[0] = (uint8_t)f->b0;
    if (f->size < 126) {
        to[1] = (uint8_t)f->size;
    } else {
        to[1] = f->size < 65536 ? 126 : 127;
        for (size_t i = f->size < 65536 ? 2 : 8; i-- > 0;)
            to[size++] = (uint8_t)(i < 8 ? f->size >> 8 * i : 0);
    }
    if (masked) {
        to[1] |= 0x80;
        memcpy(to + size, key, 4);
        size += 4;
    }
    for (size_t i = 0; i < f->size; i++)
        to[size + i] = (uint8_t)f->payload[i] ^ (masked ? key[i & 3] : 0);
    return size + f->size;
}

static dx_bytes put_frames(uint8_t *wire, const frame *frames, bool masked)
{
    size_t size = 0;
    for (size_t i = 0; i < FRAMES_MAX && frames[i].payload; i++)
        size += put_frame(wire + size, &frames[i], masked);
    return dx_bytes_at(wire, size);
}

static void check_run(const ws_session *s, dx_bytes wire, const char *want, const char *name)
{
    char *told = ws_session_run(s, wire);
    if (strcmp(told, want) != 0)
        TAP_FAIL("%s (role %d, seed %u, chunks of %u): told %s, expected %s", name, (int)s->role,
                 s->seed, s->chunk_max, told, want);
    free(told);
}

static bool is_prefix(const char *text, const char *of)
{
    return strncmp(text, of, strlen(text)) == 0;
}

/* The first size of wire at which `want` is told. */
static void check_prefixes(const ws_session *s, dx_bytes wire, const reader_case *c)
{
    size_t first = 0;

    for (size_t size = 0; size <= wire.size; size++) {
        char *told = ws_session_run(s, dx_bytes_at(wire.at, size));
        if (!is_prefix(told, c->told))
            TAP_FAIL("%s: of %zu bytes told %s, expected the front of %s", c->name, size, told,
                     c->told);
        if (first == 0 && strcmp(told, c->told) == 0)
            first = size;
        free(told);
    }
    /* fault_at counts a server's masked frames */
    if (c->fault_at > 0 && s->role == DX_WS_SERVER && first != c->fault_at)
        TAP_FAIL("%s: known after %zu bytes, expected %zu", c->name, first, c->fault_at);
}

static void check_case(const reader_case *c, bool deflate, uint32_t message_bytes_max)
{
    uint8_t wire[4096];

    for (int role = DX_WS_SERVER; role <= DX_WS_CLIENT; role++) {
        dx_bytes bytes = put_frames(wire, c->frames, role == DX_WS_SERVER);
        ws_session s = {
            .role = (dx_ws_role)role, .deflate = deflate, .message_bytes_max = message_bytes_max};
        check_run(&s, bytes, c->told, c->name);
        check_prefixes(&s, bytes, c);
        for (s.chunk_max = 1; s.chunk_max < 40; s.chunk_max += s.chunk_max < 8 ? 1 : 7)
            for (s.seed = 0; s.seed < 10; s.seed++)
                check_run(&s, bytes, c->told, c->name);
    }
}

#define CHECK_CASES(deflate, message_bytes_max, ...)                                               \
    do {                                                                                           \
        static const reader_case cases[] = {__VA_ARGS__};                                          \
        for (size_t i = 0; i < DX_COUNT(cases); i++)                                               \
            check_case(&cases[i], deflate, message_bytes_max);                                     \
    } while (0)

/* The numbers that "F%u|" tells; checked against the enum by the first test. */
#define F_RSV "F2|"
#define F_RSV1 "F3|"
#define F_RSV1_CONTINUATION "F4|"
#define F_RSV1_CONTROL "F5|"
#define F_OPCODE "F6|"
#define F_CONTROL_FRAGMENTED "F7|"
#define F_CONTROL_SIZE "F8|"
#define F_STRAY "F9|"
#define F_EXPECTED "F10|"
#define F_SIZE "F15|"
#define F_UTF8 "F17|"
#define F_UTF8_CUT "F18|"
#define F_CLOSE_SIZE "F19|"
#define F_CLOSE_CODE "F20|"
#define F_CLOSE_REASON "F21|"

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X123 X50 X50 "xxxxxxxxxxxxxxxxxxxxxxx"
#define X125 X123 "xx"

TEST("the numbers of the faults that these tests name")
{
    static const struct {
        dx_ws_status status;
        const char *told;
    } rows[] = {
        {DX_WS_FAULT_RSV, F_RSV},
        {DX_WS_FAULT_RSV1, F_RSV1},
        {DX_WS_FAULT_RSV1_CONTINUATION, F_RSV1_CONTINUATION},
        {DX_WS_FAULT_RSV1_CONTROL, F_RSV1_CONTROL},
        {DX_WS_FAULT_OPCODE, F_OPCODE},
        {DX_WS_FAULT_CONTROL_FRAGMENTED, F_CONTROL_FRAGMENTED},
        {DX_WS_FAULT_CONTROL_SIZE, F_CONTROL_SIZE},
        {DX_WS_FAULT_CONTINUATION_STRAY, F_STRAY},
        {DX_WS_FAULT_CONTINUATION_EXPECTED, F_EXPECTED},
        {DX_WS_FAULT_MESSAGE_SIZE, F_SIZE},
        {DX_WS_FAULT_UTF8, F_UTF8},
        {DX_WS_FAULT_UTF8_CUT, F_UTF8_CUT},
        {DX_WS_FAULT_CLOSE_SIZE, F_CLOSE_SIZE},
        {DX_WS_FAULT_CLOSE_CODE, F_CLOSE_CODE},
        {DX_WS_FAULT_CLOSE_REASON, F_CLOSE_REASON},
    };
    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        char text[8];
        snprintf(text, sizeof text, "F%u|", (unsigned)rows[i].status);
        CHECK_BYTES(dx_bytes_of(text), rows[i].told);
    }
}

TEST("the state of a reader is at most 32 bytes")
{
    CHECK(sizeof(dx_ws_reader) <= 32);
    CHECK_INT(sizeof(dx_ws_reader), 20);
}

TEST("RFC 6455 §5.6 whole messages")
{
    CHECK_CASES(false, 65536, CASE("text", "T:Hello|", 0, F(0x81, "Hello")),
                CASE("binary", "B:\xff\xfe|", 0, F(0x82, "\xff\xfe")),
                CASE("empty text (6.1.1)", "T:|", 0, F(0x81, "")),
                CASE("empty binary", "B:|", 0, F(0x82, "")),
                CASE("three in a row", "T:a|B:b|T:|", 0, F(0x81, "a"), F(0x82, "b"), F(0x81, "")),
                CASE("125 bytes", "T:#125,9b1150d586945288|", 0, F(0x81, X125)));
}

TEST("RFC 6455 §5.4 fragments, also empty ones, make one message (5.3-5.8, 6.1.2, 6.1.3)")
{
    CHECK_CASES(
        false, 65536, CASE("two", "T:Hello|", 0, F(0x01, "Hel"), F(0x80, "lo")),
        CASE("three empty", "T:|", 0, F(0x01, ""), F(0x00, ""), F(0x80, "")),
        CASE("empty, data, empty", "B:middle|", 0, F(0x02, ""), F(0x00, "middle"), F(0x80, "")),
        CASE("ping between: told first", "P:p|T:Hello|", 0, F(0x01, "Hel"), F(0x89, "p"),
             F(0x80, "lo")),
        CASE("ping between empty ones", "P:|O:o|T:|", 0, F(0x01, ""), F(0x89, ""), F(0x00, ""),
             F(0x8a, "o"), F(0x80, "")),
        CASE("two messages", "T:ab|B:cd|", 0, F(0x01, "a"), F(0x80, "b"), F(0x02, "c"),
             F(0x80, "d")),
        CASE("Close amid fragments (7.1.5)", "C1000:|", 0, F(0x01, "a"), F(0x88, "\x03\xe8"),
             F(0x80, "b")));
}

TEST("RFC 6455 §5.4 fragments out of order, known with the first byte of the frame (5.9-5.18)")
{
    CHECK_CASES(
        false, 65536, CASE("final continuation of nothing", F_STRAY, 1, F(0x80, "x"), F(0x81, "y")),
        CASE("continuation of nothing", F_STRAY, 1, F(0x00, "x"), F(0x81, "y")),
        CASE("after a good message", "T:ab|" F_STRAY, 15, F(0x01, "a"), F(0x80, "b"), F(0x80, "c")),
        CASE("a new text inside (5.18)", F_EXPECTED, 8, F(0x01, "a"), F(0x81, "b")),
        CASE("a new binary inside", F_EXPECTED, 7, F(0x01, ""), F(0x02, "b")));
}

TEST("RFC 6455 §5.2 reserved bits and opcodes; the message before is still told (3.x, 4.x)")
{
    CHECK_CASES(
        false, 65536, CASE("RSV3", F_RSV, 1, F(0x91, "x")), CASE("RSV2", F_RSV, 1, F(0xa1, "x")),
        CASE("RSV1", F_RSV1, 1, F(0xc1, "x")),
        CASE("RSV after text", "T:ok|" F_RSV, 9, F(0x81, "ok"), F(0xb1, "x"), F(0x89, "")),
        CASE("RSV on ping", F_RSV, 1, F(0xe9, "")), CASE("RSV on close", F_RSV, 1, F(0xf8, "")),
        CASE("opcode 3", F_OPCODE, 1, F(0x83, "")), CASE("opcode 4", F_OPCODE, 1, F(0x84, "x")),
        CASE("opcode 7 after text", "T:ok|" F_OPCODE, 9, F(0x81, "ok"), F(0x87, "x"), F(0x89, "")),
        CASE("opcode 11", F_OPCODE, 1, F(0x8b, "")), CASE("opcode 15", F_OPCODE, 1, F(0x8f, "x")));
}

TEST("RFC 6455 §5.5 control frames (2.x, 5.1, 5.2)")
{
    CHECK_CASES(false, 65536, CASE("empty ping", "P:|", 0, F(0x89, "")),
                CASE("ping", "P:hi|", 0, F(0x89, "hi")), CASE("pong", "O:hi|", 0, F(0x8a, "hi")),
                CASE("ping of 125", "P:#125,9b1150d586945288|", 0, F(0x89, X125)),
                CASE("ping of 126", F_CONTROL_SIZE, 2, F(0x89, X125 "x")),
                CASE("ping in fragments", F_CONTROL_FRAGMENTED, 1, F(0x09, "a"), F(0x80, "b")),
                CASE("pong in fragments", F_CONTROL_FRAGMENTED, 1, F(0x0a, "a")),
                CASE("eight in order", "P:1|P:2|P:3|P:4|P:5|P:6|P:7|P:8|", 0, F(0x89, "1"),
                     F(0x89, "2"), F(0x89, "3"), F(0x89, "4"), F(0x89, "5"), F(0x89, "6"),
                     F(0x89, "7"), F(0x89, "8")));
}

TEST("RFC 6455 §5.5.1 Close payloads; nothing is read behind a Close (7.x)")
{
    CHECK_CASES(false, 65536, CASE("empty", "C1005:|", 0, F(0x88, "")),
                CASE("one byte", F_CLOSE_SIZE, 7, F(0x88, "\x03")),
                CASE("code", "C1000:|", 0, F(0x88, "\x03\xe8")),
                CASE("code and reason", "C1012:bye|", 0,
                     F(0x88, "\x03\xf4"
                             "bye")),
                CASE("reason of 123", "C1000:#123,be4925aab7c52418|", 0, F(0x88, "\x03\xe8" X123)),
                CASE("reason of 124", F_CONTROL_SIZE, 2, F(0x88, "\x03\xe8" X123 "x")),
                CASE("code 1005", F_CLOSE_CODE, 8, F(0x88, "\x03\xed")),
                CASE("code 999", F_CLOSE_CODE, 8, F(0x88, "\x03\xe7")),
                CASE("bad reason (7.5.1)", F_CLOSE_REASON, 11, F(0x88, "\x03\xe8\xed\xa0\x80")),
                CASE("ping behind", "C1000:|", 0, F(0x88, "\x03\xe8"), F(0x89, "x")),
                CASE("rubbish behind", "C1005:|", 0, F(0x88, ""), F(0xff, "x")));
}

TEST("RFC 6455 §8.1 text is UTF-8, over fragments, and fails at the first bad byte (6.x)")
{
    CHECK_CASES(
        false, 65536, CASE("valid", "T:\xce\xba\xe1\xbd\xb9|", 0, F(0x81, "\xce\xba\xe1\xbd\xb9")),
        CASE("cut on a code point", "T:\xce\xba\xe1\xbd\xb9|", 0, F(0x01, "\xce"),
             F(0x00, "\xba\xe1\xbd"), F(0x80, "\xb9")),
        CASE("ping inside a code point", "P:|T:\xe2\x82\xac|", 0, F(0x01, "\xe2\x82"), F(0x89, ""),
             F(0x80, "\xac")),
        CASE("surrogate (6.3.1): with its second byte", F_UTF8, 10, F(0x81, "ab\xed\xa0\x80zz")),
        CASE("above U+10FFFF by frames (6.4.1)", F_UTF8, 16, F(0x01, "ok"),
             F(0x00, "\xf4\x90\x80\x80"), F(0x80, "x")),
        CASE("inside one frame (6.4.3)", F_UTF8, 10, F(0x81, "\xce\xba\xf4\x90\x80\x80 edited")),
        CASE("ends inside a code point", F_UTF8_CUT, 10, F(0x81, "ab\xe2\x82")),
        CASE("last fragment is empty, and too early", F_UTF8_CUT, 13, F(0x01, "\xe2"), F(0x80, "")),
        CASE("a good one, then a bad one", "T:ok|" F_UTF8, 15, F(0x81, "ok"), F(0x81, "\xff")),
        CASE("the next one starts afresh", "B:\xe2|T:x|", 0, F(0x82, "\xe2"), F(0x81, "x")),
        CASE("binary is not judged", "B:\xff\xc0|", 0, F(0x82, "\xff\xc0")));
}

TEST("RFC 7692 §6 RSV1 begins a compressed message, whose text is judged after inflating")
{
    CHECK_CASES(
        true, 65536, CASE("compressed", "t:\xf2\x48\xcd|", 0, F(0xc1, "\xf2\x48\xcd")),
        CASE("compressed binary in fragments, ping between", "P:|b:\xf2\x48|", 0, F(0x42, "\xf2"),
             F(0x89, ""), F(0x80, "\x48")),
        CASE("plain beside it", "t:\xf2|T:x|b:\x02|", 0, F(0xc1, "\xf2"), F(0x81, "x"),
             F(0xc2, "\x02")),
        CASE("plain text is judged", F_UTF8, 8, F(0x81, "\xf2\x48")),
        CASE("RSV1 on a continuation", F_RSV1_CONTINUATION, 8, F(0x41, "\xf2"), F(0xc0, "\x48")),
        CASE("RSV1 on a continuation of plain text", F_RSV1_CONTINUATION, 8, F(0x01, "a"),
             F(0xc0, "b")),
        CASE("RSV1 on a ping", F_RSV1_CONTROL, 1, F(0xc9, "")),
        CASE("RSV1 on a Close", F_RSV1_CONTROL, 1, F(0xc8, "")));
}

TEST("RFC 6455 §7.4.1 the message limit counts all fragments, and speaks before the payload")
{
    CHECK_CASES(
        false, 8, CASE("at the limit", "T:12345678|", 0, F(0x81, "12345678")),
        CASE("above it, from the head", F_SIZE, 2, F(0x81, "123456789")),
        CASE("fragments at the limit", "T:12345678|", 0, F(0x01, "1234"), F(0x80, "5678")),
        CASE("fragments above it", F_SIZE, 12, F(0x01, "1234"), F(0x80, "56789")),
        CASE("empty fragment at the limit", "T:12345678|", 0, F(0x01, "12345678"), F(0x80, "")),
        CASE("each message anew", "T:12345678|T:1|", 0, F(0x81, "12345678"), F(0x81, "1")),
        CASE("each fragmented message anew", "T:12345678|T:1234567|", 0, F(0x01, "1234"),
             F(0x80, "5678"), F(0x01, "1"), F(0x80, "234567")),
        CASE("control frames do not count", "P:0123456789|T:1|", 0, F(0x89, "0123456789"),
             F(0x81, "1")));
}

TEST("RFC 6455 §5.1 masks: a server refuses plain frames, a client masked ones")
{
    uint8_t wire[64];
    static const frame frames[FRAMES_MAX] = {F(0x01, "Hel"), F(0x80, "lo")};
    ws_session s = {.role = DX_WS_SERVER, .message_bytes_max = 100};
    check_run(&s, put_frames(wire, frames, false), "F11|", "plain to a server");
    CHECK_INT(DX_WS_FAULT_UNMASKED, 11);
    s.role = DX_WS_CLIENT;
    check_run(&s, put_frames(wire, frames, true), "F12|", "masked to a client");
    CHECK_INT(DX_WS_FAULT_MASKED, 12);
}

/* Two messages, each of `count` fragments of `size` bytes and a last empty one. */
static char *run_fragments(size_t count, size_t size, uint32_t chunk_max)
{
    size_t each = 6 + size, all = count * each + 6;
    uint8_t *wire = calloc(2, all);
    for (size_t i = 0; i <= count; i++) {
        wire[i * each] = (uint8_t)((i == count ? 0x80 : 0) | (i == 0 ? 2 : 0));
        wire[i * each + 1] = (uint8_t)(0x80 | (i == count ? 0 : size));
    }
    memcpy(wire + all, wire, all);
    ws_session s = {.message_bytes_max = 1 << 25, .chunk_max = chunk_max};
    char *told = ws_session_run(&s, dx_bytes_at(wire, 2 * all));
    free(wire);
    return told;
}

TEST("RFC 6455 §10.4 a message has 1024 fragments at most, and one more for every 32 bytes")
{
    static const struct {
        size_t count, size; /* and one empty fragment at the end */
        bool fine;
    } rows[] = {
        {1023, 0, true},   {1024, 0, false},   {1056, 1, true},
        {1057, 1, false},                                         /* 1056 + 1 <= 1024 + 33 */
        {20000, 31, true}, {40000, 31, false}, {65536, 64, true}, /* 9.3.1 */
    };
    CHECK_INT(DX_WS_FAULT_FRAGMENTS, 16);
    for (size_t i = 0; i < DX_COUNT(rows); i++)
        for (uint32_t chunk_max = 0; chunk_max < 200; chunk_max += 99) {
            char *told = run_fragments(rows[i].count, rows[i].size, chunk_max);
            bool fine = strstr(told, "F16|") == NULL;
            if (fine != rows[i].fine || (fine ? told[0] != 'B' : told[0] != 'F'))
                TAP_FAIL("%zu fragments of %zu: %s", rows[i].count, rows[i].size, told);
            free(told);
        }
}

TEST("large frames of each length form, in random chunks")
{
    static const size_t sizes[] = {126, 127, 128, 255, 256, 65535, 65536, 70000};
    for (size_t i = 0; i < DX_COUNT(sizes); i++)
        for (int role = DX_WS_SERVER; role <= DX_WS_CLIENT; role++) {
            char *payload = malloc(sizes[i]);
            uint8_t *wire = malloc(sizes[i] + 20);
            for (size_t k = 0; k < sizes[i]; k++)
                payload[k] = (char)('a' + k % 23);
            frame f = {0x81, payload, sizes[i]};
            dx_bytes bytes = dx_bytes_at(wire, put_frame(wire, &f, role == DX_WS_SERVER));
            ws_told want = {.text = NULL};
            ws_tell_whole(&want, "T:", dx_bytes_at(payload, sizes[i]));
            ws_session s = {.role = (dx_ws_role)role, .message_bytes_max = 100000};
            check_run(&s, bytes, want.text, "whole");
            for (s.chunk_max = 1; s.chunk_max < 100000; s.chunk_max = s.chunk_max * 7 + 3)
                check_run(&s, bytes, want.text, "in chunks");
            free(want.text);
            free(wire);
            free(payload);
        }
}

TEST("a whole message is one event, a view of the input, behind its head")
{
    uint8_t wire[64];
    static const frame frames[FRAMES_MAX] = {F(0x81, "Hello"), F(0x89, "pp")};
    dx_bytes bytes = put_frames(wire, frames, true);
    dx_span in = {wire, bytes.size};
    dx_ws_reader r;
    dx_ws_event event;

    dx_ws_reader_init(&r, DX_WS_SERVER, false);
    CHECK_INT(dx_ws_read(&r, &in, 100, &event), DX_WS_EVENT_DATA);
    CHECK(dx_ws_event_is_whole(&event) && event.opcode == DX_WS_TEXT && !event.compressed);
    CHECK(event.payload.at == wire + 6 && event.head_size == 6 && event.frame_left == 0);
    CHECK_BYTES(event.payload, "Hello");
    CHECK_INT(dx_ws_read(&r, &in, 100, &event), DX_WS_EVENT_PING);
    CHECK(event.payload.at == wire + 17 && event.head_size == 6);
    CHECK_BYTES(event.payload, "pp");
    CHECK_INT(dx_ws_read(&r, &in, 100, &event), DX_WS_EVENT_MORE);
    CHECK_INT(in.size, 0);
}

TEST("pieces say what comes first, what last, and how much of the frame is still to come")
{
    uint8_t wire[64];
    static const frame frames[FRAMES_MAX] = {F(0x02, "abcdef"), F(0x80, "gh")};
    dx_bytes bytes = put_frames(wire, frames, true);
    dx_span in = {wire, 8}; /* head and "ab" */
    dx_ws_reader r;
    dx_ws_event event;

    dx_ws_reader_init(&r, DX_WS_SERVER, false);
    CHECK(!dx_ws_reader_is_in_message(&r));
    CHECK_INT(dx_ws_read(&r, &in, 100, &event), DX_WS_EVENT_DATA);
    CHECK_BYTES(event.payload, "ab");
    CHECK(event.first && !event.last && event.frame_left == 4 && event.head_size == 6);
    CHECK(dx_ws_reader_is_in_message(&r));
    in.size = bytes.size - 8;
    CHECK_INT(dx_ws_read(&r, &in, 100, &event), DX_WS_EVENT_DATA);
    CHECK_BYTES(event.payload, "cdef");
    CHECK(!event.first && !event.last && event.frame_left == 0 && event.head_size == 0);
    CHECK_INT(dx_ws_read(&r, &in, 100, &event), DX_WS_EVENT_DATA);
    CHECK_BYTES(event.payload, "gh");
    CHECK(!event.first && event.last && event.head_size == 6);
    CHECK(!dx_ws_reader_is_in_message(&r));
}

TEST("RFC 6455 §8.1 inflated text is judged piece by piece, and each message afresh")
{
    dx_ws_reader r;
    dx_ws_reader_init(&r, DX_WS_SERVER, true);
    CHECK_INT(dx_ws_reader_text(&r, DX_BYTES("\xe2\x82"), false), DX_WS_OK);
    CHECK_INT(dx_ws_reader_text(&r, DX_BYTES("\xac"), false), DX_WS_OK);
    CHECK_INT(dx_ws_reader_text(&r, (dx_bytes){NULL, 0}, true), DX_WS_OK);
    CHECK_INT(dx_ws_reader_text(&r, DX_BYTES("\xe2"), true), DX_WS_FAULT_UTF8_CUT);
    CHECK_INT(dx_ws_reader_text(&r, DX_BYTES("ab\xff"), false), DX_WS_FAULT_UTF8);
    CHECK_INT(dx_ws_reader_text(&r, DX_BYTES("ab"), true), DX_WS_OK);
    /* also where the caller gave one up */
    uint8_t wire[64];
    static const frame frames[FRAMES_MAX] = {F(0x01, "He"), F(0x80, "llo")};
    dx_span in = {wire, put_frames(wire, frames, true).size};
    dx_ws_event event;
    CHECK_INT(dx_ws_reader_text(&r, DX_BYTES("\xe2"), false), DX_WS_OK);
    CHECK_INT(dx_ws_read(&r, &in, 100, &event), DX_WS_EVENT_DATA);
}
