/* duplex.v1: every kind of frame read and written, and what is refused.
 * SPDX-License-Identifier: MIT */
#include "codec/duplex_v1.h"
#include "codec/json.h"
#include "tests/tap.h"

#define OFFSET "00000000000000ab_0000000000000007"
static const dx_offset offset_7 = {0xab, 7};

/* A copy whose block begins and ends where it does. */
static dx_bytes exact(dx_bytes in)
{
    static uint8_t *copy;

    free(copy);
    copy = malloc(in.size + 1);
    dx_copy(copy + 1, in.at, in.size);
    return dx_bytes_at(copy + 1, in.size);
}

static dx_v1_client_frame from_client(int line, dx_bytes in, dx_v1_fault want)
{
    dx_v1_client_frame frame = {.kind = (dx_v1_client_kind)99};
    dx_v1_fault fault = dx_v1_client_read(exact(in), &frame);

    if (fault != want)
        TAP_FAIL("line %d: fault %d, expected %d", line, (int)fault, (int)want);
    if (fault != DX_V1_OK && frame.kind != (dx_v1_client_kind)99)
        TAP_FAIL("line %d: a fault, and the frame was set", line);
    return frame;
}

static dx_v1_server_frame from_server(int line, dx_bytes in, dx_v1_fault want)
{
    dx_v1_server_frame frame = {.kind = (dx_v1_server_kind)99};
    dx_v1_fault fault = dx_v1_server_read(exact(in), &frame);

    if (fault != want)
        TAP_FAIL("line %d: fault %d, expected %d", line, (int)fault, (int)want);
    if (fault != DX_V1_OK && frame.kind != (dx_v1_server_kind)99)
        TAP_FAIL("line %d: a fault, and the frame was set", line);
    return frame;
}

#define CLIENT(text) from_client(__LINE__, DX_BYTES(text), DX_V1_OK)
#define CLIENT_BAD(text, name) (void)from_client(__LINE__, DX_BYTES(text), DX_V1_##name)
#define SERVER(text) from_server(__LINE__, DX_BYTES(text), DX_V1_OK)
#define SERVER_BAD(text, name) (void)from_server(__LINE__, DX_BYTES(text), DX_V1_##name)

TEST("a message from the client is an id, a line feed and the payload")
{
    dx_v1_client_frame f = CLIENT("17\nhello\nworld");
    CHECK_INT(f.kind, DX_V1_PUBLISH);
    CHECK_BYTES(f.id, "17");
    CHECK_BYTES(f.data, "hello\nworld");
    f = CLIENT("!~\n");
    CHECK_BYTES(f.id, "!~");
    CHECK_INT(f.data.size, 0);
    f = CLIENT("a\n\xff\x00\n");
    CHECK_MEM(f.data.at, f.data.size, "\xff\x00\n", 3);
}

TEST("\"-\" is no id: the message is not acknowledged")
{
    dx_v1_client_frame f = CLIENT("-\n{\"ping\":1}");
    CHECK_INT(f.kind, DX_V1_PUBLISH);
    CHECK_INT(f.id.size, 0);
    CHECK_BYTES(f.data, "{\"ping\":1}");
    f = CLIENT("--\nx");
    CHECK_BYTES(f.id, "--");
}

TEST("an id is 1 to 64 bytes of visible ASCII")
{
    char text[80];

    memset(text, 'x', sizeof text);
    text[64] = '\n';
    dx_v1_client_frame f = from_client(__LINE__, dx_bytes_at(text, 66), DX_V1_OK);
    CHECK_INT(f.id.size, 64);
    CHECK_INT(f.data.size, 1);
    text[64] = 'x', text[65] = '\n';
    (void)from_client(__LINE__, dx_bytes_at(text, 66), DX_V1_LINE);
    (void)from_client(__LINE__, dx_bytes_at(text, 64), DX_V1_LINE);
    CLIENT_BAD("", LINE);
    CLIENT_BAD("no line feed", LINE);
    CLIENT_BAD("a b\nx", ID);
    CLIENT_BAD(" \nx", ID);
    CLIENT_BAD("1\r\nx", ID);
    CLIENT_BAD("\x7f\nx", ID);
    CLIENT_BAD("\xc3\xa9\nx", ID);
    CLIENT_BAD("a\0\nx", ID);
}

TEST("control from the client: a presence, a ping or a token, and nothing else")
{
    dx_v1_client_frame f = CLIENT("\n{\"presence\":{\"name\":\"a\"}}");
    CHECK_INT(f.kind, DX_V1_PRESENCE);
    CHECK_BYTES(f.data, "{\"name\":\"a\"}");
    f = CLIENT("\n { \"ping\" : [1, 2] } ");
    CHECK_INT(f.kind, DX_V1_PING);
    CHECK_BYTES(f.data, "[1, 2]");
    f = CLIENT("\n{\"token\":\"a.b.c\"}");
    CHECK_INT(f.kind, DX_V1_TOKEN);
    CHECK_BYTES(f.data, "\"a.b.c\"");
    dx_v1_control c;
    dx_v1_token_write(1700000000, &c);
    CHECK_BYTES(dx_v1_control_bytes(&c), "\n{\"token\":{\"expires\":1700000000}}");
    dx_v1_token_write(0, &c);
    CHECK_BYTES(dx_v1_control_bytes(&c), "\n{\"token\":{\"expires\":null}}");
    CLIENT_BAD("\n", JSON);
    CLIENT_BAD("\nhello", JSON);
    CLIENT_BAD("\n[]", JSON);
    CLIENT_BAD("\n1", JSON);
    CLIENT_BAD("\n{\"ping\":1}x", JSON);
    CLIENT_BAD("\n{\"ping\":\"\xff\"}", JSON);
    CLIENT_BAD("\n{}", CONTROL);
    CLIENT_BAD("\n{\"pong\":1}", CONTROL);
    CLIENT_BAD("\n{\"Ping\":1}", CONTROL);
    CLIENT_BAD("\n{\"ping\":1,\"ping\":2}", CONTROL);
    CLIENT_BAD("\n{\"ping\":1,\"presence\":{}}", CONTROL);
}

TEST("a ping carries at most 256 bytes, a member 1024")
{
    char text[1200];

    for (size_t max = 256; max <= 1024; max += 1024 - 256)
        for (size_t size = max; size <= max + 1; size++) {
            int at = snprintf(text, sizeof text, "\n{\"%s\":\"", max == 256 ? "ping" : "presence");
            memset(text + at, 'x', size - 2);
            memcpy(text + (size_t)at + size - 2, "\"}", 2);
            dx_bytes in = dx_bytes_at(text, (size_t)at + size);
            (void)from_client(__LINE__, in, size > max ? DX_V1_VALUE_TOO_LARGE : DX_V1_OK);
        }
}

TEST("what a client writes is what the server reads")
{
    uint8_t line[DX_V1_ID_BYTES_MAX + 1];
    dx_v1_control c;

    size_t size = dx_v1_publish_write(DX_BYTES("id"), line);
    CHECK_MEM(line, size, "id\n", 3);
    size = dx_v1_publish_write((dx_bytes){0}, line);
    CHECK_MEM(line, size, "-\n", 2);
    dx_v1_ping_write(DX_BYTES("\"x\""), &c);
    CHECK_BYTES(c, "\n{\"ping\":\"x\"}");
    dx_v1_presence_write(DX_BYTES("{}"), &c);
    CHECK_BYTES(c, "\n{\"presence\":{}}");
}

TEST("a message from the server is the offset behind it, a line feed and the payload")
{
    uint8_t line[DX_V1_LINE_SIZE];

    dx_v1_line_write(offset_7, line);
    CHECK_MEM(line, sizeof line, OFFSET "\n", 34);
    dx_v1_server_frame f = SERVER(OFFSET "\n\npayload");
    CHECK_INT(f.kind, DX_V1_MESSAGE);
    CHECK_INT(dx_offset_compare(f.offset, offset_7), 0);
    CHECK_BYTES(f.data, "\npayload");
    f = SERVER(OFFSET "\n");
    CHECK_INT(f.data.size, 0);
    SERVER_BAD("", LINE);
    SERVER_BAD(OFFSET, LINE);
    SERVER_BAD(OFFSET "0\n", LINE);
    SERVER_BAD("-1\n", OFFSET);
    SERVER_BAD("now\nx", OFFSET);
    SERVER_BAD("00000000000000AB_0000000000000007\n", OFFSET);
}

TEST("control from the server, as written and as read")
{
    dx_v1_control c;
    dx_v1_server_frame f;

    dx_v1_ack_write(DX_BYTES("a\"\\<"), offset_7, &c);
    CHECK_BYTES(c, "\n{\"ack\":\"a\\\"\\\\<\",\"offset\":\"" OFFSET "\"}");
    f = from_server(__LINE__, dx_v1_control_bytes(&c), DX_V1_OK);
    CHECK_INT(f.kind, DX_V1_ACK);
    CHECK_MEM(f.id, f.id_size, "a\"\\<", 4);
    CHECK_INT(dx_offset_compare(f.offset, offset_7), 0);

    CHECK(!f.is_duplicate);
    dx_v1_ack_again_write(DX_BYTES("1.2"), offset_7, &c);
    CHECK_BYTES(c, "\n{\"ack\":\"1.2\",\"offset\":\"" OFFSET "\",\"duplicate\":true}");
    f = from_server(__LINE__, dx_v1_control_bytes(&c), DX_V1_OK);
    CHECK(f.kind == DX_V1_ACK && f.is_duplicate);

    dx_v1_error_write(DX_BYTES("7"), 409, DX_BYTES("no \"such\""), &c);
    CHECK_BYTES(c, "\n{\"error\":\"7\",\"status\":409,\"detail\":\"no \\\"such\\\"\"}");
    f = from_server(__LINE__, dx_v1_control_bytes(&c), DX_V1_OK);
    CHECK_INT(f.kind, DX_V1_ERROR);
    CHECK_MEM(f.id, f.id_size, "7", 1);
    CHECK_INT(f.status, 409);
    CHECK_BYTES(f.data, "\"no \\\"such\\\"\"");
    dx_v1_error_write((dx_bytes){0}, 400, DX_BYTES("x"), &c);
    CHECK_BYTES(c, "\n{\"error\":null,\"status\":400,\"detail\":\"x\"}");
    CHECK_INT(from_server(__LINE__, dx_v1_control_bytes(&c), DX_V1_OK).id_size, 0);

    dx_v1_gap_write(&(dx_v1_gap){{1, 2}, {1, 9}, true, UINT64_MAX}, &c);
    CHECK_BYTES(c, "\n{\"gap\":{\"requested\":\"0000000000000001_0000000000000002\",\"earliest\":"
                   "\"0000000000000001_0000000000000009\",\"lost\":18446744073709551615}}");
    f = from_server(__LINE__, dx_v1_control_bytes(&c), DX_V1_OK);
    CHECK_INT(f.kind, DX_V1_GAP);
    CHECK_INT(f.gap.requested.sequence, 2);
    CHECK_INT(f.gap.earliest.sequence, 9);
    CHECK(f.gap.is_lost_known && f.gap.lost == UINT64_MAX);
    dx_v1_gap_write(&(dx_v1_gap){{1, 2}, {1, 9}, false, 0}, &c);
    f = from_server(__LINE__, dx_v1_control_bytes(&c), DX_V1_OK);
    CHECK(!f.gap.is_lost_known);

    dx_v1_caught_up_write(offset_7, &c);
    CHECK_BYTES(c, "\n{\"caught_up\":\"" OFFSET "\"}");
    f = from_server(__LINE__, dx_v1_control_bytes(&c), DX_V1_OK);
    CHECK_INT(f.kind, DX_V1_CAUGHT_UP);
    CHECK_INT(f.offset.sequence, 7);
    dx_v1_closed_write(&c);
    CHECK_BYTES(c, "\n{\"closed\":true}");
    CHECK_INT(from_server(__LINE__, dx_v1_control_bytes(&c), DX_V1_OK).kind, DX_V1_CLOSED);
    dx_v1_reconnect_write(0, &c);
    CHECK_BYTES(c, "\n{\"reconnect\":{\"after_ms\":0}}");
    dx_v1_reconnect_write(4999, &c);
    f = from_server(__LINE__, dx_v1_control_bytes(&c), DX_V1_OK);
    CHECK_INT(f.kind, DX_V1_RECONNECT);
    CHECK_INT(f.after_ms, 4999);
    dx_v1_pong_write(DX_BYTES("[null]"), &c);
    CHECK_BYTES(c, "\n{\"pong\":[null]}");
    f = from_server(__LINE__, dx_v1_control_bytes(&c), DX_V1_OK);
    CHECK_INT(f.kind, DX_V1_PONG);
    CHECK_BYTES(f.data, "[null]");
    f = SERVER("\n{\"join\":[],\"leave\":[]}");
    CHECK_INT(f.kind, DX_V1_MEMBERS);
    CHECK_BYTES(f.data, "{\"join\":[],\"leave\":[]}");
}

TEST("the id of a numbered message is an epoch, a dot and a number")
{
    static const char *const bad[] = {"",
                                      ".",
                                      "1",
                                      "1.",
                                      ".1",
                                      "1.2.3",
                                      "01.1",
                                      "1.x",
                                      "-1.1",
                                      "1.01",
                                      "+1.1",
                                      "1. 2",
                                      "9007199254740992.0",
                                      "0.9007199254740992"};
    uint64_t epoch = 7, sequence = 8;

    for (size_t i = 0; i < DX_COUNT(bad); i++)
        if (dx_v1_number_read(dx_bytes_of(bad[i]), &epoch, &sequence))
            TAP_FAIL("taken: \"%s\"", bad[i]);
    CHECK(epoch == 7 && sequence == 8);
    CHECK(dx_v1_number_read(DX_BYTES("0.9007199254740991"), &epoch, &sequence));
    CHECK_INT(epoch, 0);
    CHECK_INT(sequence, 9007199254740991);
}

TEST("the longest control fits: an id of quotes, a detail of control bytes")
{
    uint8_t id[DX_V1_ID_BYTES_MAX], detail[DX_V1_DETAIL_BYTES_MAX + 50], read[6 * sizeof detail];
    dx_v1_control c;

    memset(id, '"', sizeof id);
    memset(detail, 1, sizeof detail);
    dx_v1_error_write(dx_bytes_at(id, sizeof id), 599, dx_bytes_at(detail, sizeof detail), &c);
    dx_v1_server_frame f = from_server(__LINE__, dx_v1_control_bytes(&c), DX_V1_OK);
    CHECK_MEM(f.id, f.id_size, id, sizeof id);
    CHECK_INT(dx_json_string_read(f.data, read), DX_V1_DETAIL_BYTES_MAX);
}

TEST("control from the server that is not as it should be")
{
    SERVER_BAD("\n", JSON);
    SERVER_BAD("\n{}", CONTROL);
    SERVER_BAD("\n{\"something\":\"new\"}", CONTROL);
    SERVER_BAD("\n{\"ack\":\"1\"}", VALUE);
    SERVER_BAD("\n{\"ack\":\"1\",\"offset\":\"-1\"}", VALUE);
    SERVER_BAD("\n{\"ack\":\"1\",\"offset\":7}", VALUE);
    SERVER_BAD("\n{\"ack\":1,\"offset\":\"" OFFSET "\"}", VALUE);
    SERVER_BAD("\n{\"ack\":null,\"offset\":\"" OFFSET "\"}", VALUE);
    SERVER_BAD("\n{\"ack\":\"a b\",\"offset\":\"" OFFSET "\"}", VALUE);
    SERVER_BAD("\n{\"error\":\"1\",\"status\":200,\"detail\":\"\"}", VALUE);
    SERVER_BAD("\n{\"error\":\"1\",\"status\":600,\"detail\":\"\"}", VALUE);
    SERVER_BAD("\n{\"error\":\"1\",\"status\":4e2,\"detail\":\"\"}", VALUE);
    SERVER_BAD("\n{\"error\":\"1\",\"status\":404,\"detail\":4}", VALUE);
    SERVER_BAD("\n{\"error\":\"1\",\"status\":404}", VALUE);
    SERVER_BAD("\n{\"gap\":[]}", VALUE);
    SERVER_BAD("\n{\"gap\":{\"requested\":\"" OFFSET "\",\"earliest\":\"" OFFSET "\"}}", VALUE);
    SERVER_BAD("\n{\"gap\":{\"requested\":\"" OFFSET "\",\"earliest\":\"" OFFSET "\",\"lost\":-1}}",
               VALUE);
    SERVER_BAD("\n{\"caught_up\":true}", VALUE);
    SERVER_BAD("\n{\"closed\":false}", VALUE);
    SERVER_BAD("\n{\"reconnect\":{}}", VALUE);
    SERVER_BAD("\n{\"reconnect\":{\"after_ms\":4294967296}}", VALUE);
}

TEST("a client passes over members it does not know, and what stands before them")
{
    dx_v1_server_frame f =
        SERVER("\n{\"new\":[1],\"ack\":\"1\",\"offset\":\"" OFFSET "\",\"newer\":{}}");
    CHECK_INT(f.kind, DX_V1_ACK);
    f = SERVER("\n{\"error\":\"\\u0041\",\"status\":404,\"detail\":\"\"}");
    CHECK_MEM(f.id, f.id_size, "A", 1);
}

TEST("every fault has a sentence")
{
    for (unsigned fault = 0; fault < DX_V1_FAULT_COUNT; fault++)
        CHECK(strlen(dx_v1_fault_text((dx_v1_fault)fault)) > 10);
}
