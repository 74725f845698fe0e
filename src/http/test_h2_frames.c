/* HTTP/2, case by case: frames, streams, settings, windows,
        HPACK. One H2_CASE is one case of the public set
 * h2spec, re-created: its section of RFC 9113 (or 7541) and what must follow. To add one: write what the
 * client sends.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_h2.h"

#define PRIORITY_OF_NONE "\0\0\0\0\x0f"

static uint8_t zeros[32768];

static void post(h2 *c, int32_t id)
{
    h2_request(c, id, EH, "POST", "/echo");
}

/* A request that was answered: its stream is closed, by both. */
static void closed(h2 *c, int32_t id)
{
    h2_get(c, id, "/hello");
    H2_UNTIL(c, h2_of(c, id)->is_ended);
}

/* The first part of a head; the rest may follow in CONTINUATION. */
static void head_begun(h2 *c, int32_t id, uint8_t flags)
{
    h2_headers(c, id, flags, ":method", "GET", ":scheme", "http", ":path", "/hello", ":authority", "a",
        NULL);
}

static void more_head(h2 *c, int32_t id, uint8_t flags)
{
    uint8_t block[64];
    size_t size = h2_block(block, sizeof block, "x-more", "1", NULL);
    h2_frame(c, NGHTTP2_CONTINUATION, flags, id, block, size);
}

/* ---- §3.4 preface -------------------------------------------------------------------------------- */

LOOP_TEST("§3.4 a preface that is none is not HTTP/2")
{
    static h2 c;

    h2_open(&c, NULL);
    h2_bytes(&c, "INVALID CONNECTION PREFACE\r\n\r\n", 30);
    PEER_UNTIL(&c.s.w, &c.p, c.p.is_ended || c.p.is_reset);
    CHECK(c.goaways == 0 && c.settings == 0);
    h2_close(&c);
}
LOOP_TEST("§3.4 something else than SETTINGS behind the preface: PROTOCOL_ERROR")
{
    static h2 c;

    h2_open(&c, NULL);
    h2_bytes(&c, dx_http2_preface.at, dx_http2_preface.size);
    h2_ping(&c);
    h2_expect(&c, GOAWAY(C(PROTOCOL_ERROR)));
    h2_close(&c);
}

/* ---- §4 frames ------------------------------------------------------------------------------------ */

H2_CASE("§4.1 a frame of unknown type is ignored", ALIVE) { H2_FRAME(c, 0x16, 0, 0, "whatever"); }
H2_CASE("§4.1 a flag that is not defined is ignored", ANSWERED(1, 200))
{
    h2_request(c, 1, ES | EH | 0x50, "GET", "/hello");
}
H2_CASE("§4.1 the reserved bit is ignored", ALIVE)
{
    h2_frame(c, NGHTTP2_PING, 0, INT32_MIN, "12345678", 8);
}
H2_CASE("§4.2 DATA of 2^14 bytes is taken", RESET(1, C(NO_ERROR)))
{
    post(c, 1);
    h2_frame(c, NGHTTP2_DATA, 0, 1, zeros, 16384);
}
H2_CASE("§4.2 DATA above 2^14 bytes", RESET(1, C(FRAME_SIZE_ERROR)))
{
    post(c, 1);
    h2_frame(c, NGHTTP2_DATA, ES, 1, zeros, 16385);
}
H2_CASE("§4.2 HEADERS above 2^14 bytes", GOAWAY(C(FRAME_SIZE_ERROR)))
{
    h2_frame(c, NGHTTP2_HEADERS, ES | EH, 1, zeros, 16385);
}
H2_CASE("§4.3 a block that cannot be decoded", GOAWAY(C(COMPRESSION_ERROR)))
{
    H2_FRAME(c, NGHTTP2_HEADERS, ES | EH, 1, "\xff\xff\xff\xff\xff\xff");
}
H2_CASE("§4.3 PRIORITY inside a head", GOAWAY(C(PROTOCOL_ERROR)))
{
    head_begun(c, 1, ES);
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 1, PRIORITY_OF_NONE);
}
H2_CASE("§4.3 another stream's HEADERS inside a head", GOAWAY(C(PROTOCOL_ERROR)))
{
    head_begun(c, 1, ES);
    h2_get(c, 3, "/hello");
}

/* ---- §5.1 states ----------------------------------------------------------------------------------- */

H2_CASE("§5.1 idle: DATA", GOAWAY(C(PROTOCOL_ERROR) | C(STREAM_CLOSED))) { h2_data(c, 1, ES, "x"); }
H2_CASE("§5.1 idle: RST_STREAM", GOAWAY(C(PROTOCOL_ERROR))) { h2_reset(c, 1, NGHTTP2_CANCEL); }
H2_CASE("§5.1 idle: WINDOW_UPDATE", GOAWAY(C(PROTOCOL_ERROR))) { h2_window(c, 1, 100); }
H2_CASE("§5.1 idle: CONTINUATION", GOAWAY(C(PROTOCOL_ERROR))) { more_head(c, 1, EH); }
H2_CASE("§5.1 idle: PRIORITY is allowed", ALIVE) { H2_FRAME(c, NGHTTP2_PRIORITY, 0, 1,
        PRIORITY_OF_NONE); }
H2_CASE("§5.1 half-closed (remote): DATA", RESET(1, C(STREAM_CLOSED)))
{
    h2_get(c, 1, "/later");
    h2_data(c, 1, ES, "x");
}
H2_CASE("§5.1 half-closed (remote): HEADERS", RESET(1, C(STREAM_CLOSED)))
{
    h2_get(c, 1, "/later");
    h2_get(c, 1, "/later");
}
H2_CASE("§5.1 half-closed (remote): CONTINUATION", RESET(1, C(STREAM_CLOSED) | C(PROTOCOL_ERROR)))
{
    h2_get(c, 1, "/later");
    more_head(c, 1, EH);
}
H2_CASE("§5.1 half-closed (remote): WINDOW_UPDATE, PRIORITY are allowed", ALIVE)
{
    h2_get(c, 1, "/later");
    h2_window(c, 1, 100);
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 1, PRIORITY_OF_NONE);
}
H2_CASE("§5.1 half-closed (remote): RST_STREAM is allowed", ALIVE)
{
    h2_get(c, 1, "/later");
    h2_reset(c, 1, NGHTTP2_CANCEL);
}
H2_CASE("§5.1 closed by the client's RST_STREAM: DATA", RESET(1, C(STREAM_CLOSED)))
{
    post(c, 1);
    h2_reset(c, 1, NGHTTP2_CANCEL);
    h2_data(c, 1, ES, "x");
}
H2_CASE("§5.1 closed by the client's RST_STREAM: HEADERS", GOAWAY(C(STREAM_CLOSED)))
{
    post(c, 1);
    h2_reset(c, 1, NGHTTP2_CANCEL);
    h2_get(c, 1, "/hello");
}
H2_CASE("§5.1 closed by the client's RST_STREAM: CONTINUATION",
        GOAWAY(C(STREAM_CLOSED) | C(PROTOCOL_ERROR)))
{
    post(c, 1);
    h2_reset(c, 1, NGHTTP2_CANCEL);
    more_head(c, 1, EH);
}
H2_CASE("§5.1 closed: DATA", RESET(1, C(STREAM_CLOSED)))
{
    closed(c, 1);
    h2_data(c, 1, ES, "x");
}
H2_CASE("§5.1 closed: DATA, however its bytes are split", RESET(1, C(STREAM_CLOSED)))
{
    closed(c, 1);
    post(c, 3);
    peer_trickle(&c->s.w, &c->p, DX_BYTES("\0\0\1\0\0\0\0\0\3x\0\0\0\0\1\0\0\0\3\0\0\1\0\1\0\0\0\1x"));
}
H2_CASE("§5.1 closed: DATA without content", RESET(1, C(STREAM_CLOSED)))
{
    closed(c, 1);
    h2_data(c, 1, ES, "");
}
H2_CASE("§5.1 DATA without content that ends the request behind the whole answer is no fault", ALIVE)
{
    h2_request(c, 1, EH, "POST", "/nothing");
    H2_UNTIL(c, h2_of(c, 1)->status == 404);
    h2_data(c, 1, ES, "");
    h2_check_alive(c);
    CHECK(h2_of(c, 1)->reset_code != NGHTTP2_STREAM_CLOSED);
}
H2_CASE("§5.1 closed: HEADERS", GOAWAY(C(STREAM_CLOSED))) { closed(c, 1); h2_get(c, 1, "/hello"); }
H2_CASE("§5.1 closed: CONTINUATION", GOAWAY(C(STREAM_CLOSED) | C(PROTOCOL_ERROR)))
{
    closed(c, 1);
    more_head(c, 1, EH);
}
H2_CASE("§5.1 closed: WINDOW_UPDATE, RST_STREAM, PRIORITY are allowed", ALIVE)
{
    closed(c, 1);
    h2_window(c, 1, 9);
    h2_reset(c, 1, 8);
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 1, PRIORITY_OF_NONE);
}
H2_CASE("§5.1.1 an even id", GOAWAY(C(PROTOCOL_ERROR))) { h2_get(c, 2, "/hello"); }
H2_CASE("§5.1.1 an id below the last", GOAWAY(C(PROTOCOL_ERROR) | C(STREAM_CLOSED)))
{
    closed(c, 5);
    h2_get(c, 3, "/hello");
}
H2_CASE("§5.1.2 one stream too many", RESET(201, C(PROTOCOL_ERROR) | C(REFUSED_STREAM)))
{
    for (int32_t id = 1; id <= 201; id += 2) h2_get(c, id, "/later");
}
H2_CASE("§5.3.1 a stream that depends on itself, by HEADERS", RESET(1, C(PROTOCOL_ERROR)))
{
    uint8_t block[128] = {0, 0, 0, 1, 15};
    size_t size = h2_block(block + 5, 120, ":method", "GET", ":scheme", "http", ":path", "/hello",
        ":authority", "a", NULL);
    h2_frame(c, NGHTTP2_HEADERS, ES | EH | PRIO, 1, block, size + 5);
}
H2_CASE("§5.3.2 a stream that depends on itself, by PRIORITY: nobody looks at that any more", ALIVE)
{
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\1\x0f");
}
H2_CASE("§5.4.1 an error of the connection: GOAWAY, and then the end", GOAWAY(C(FRAME_SIZE_ERROR)))
{
    H2_FRAME(c, NGHTTP2_PING, 0, 0, "1234567");
}
H2_CASE("§5.5 an extension frame inside a head", GOAWAY(C(PROTOCOL_ERROR)))
{
    head_begun(c, 1, ES);
    H2_FRAME(c, 0x16, 0, 0, "x");
}

H2_CASE("§5.1 closed by the server's RST_STREAM: what was on its way is ignored", ALIVE)
{
    post(c, 1);
    h2_frame(c, NGHTTP2_DATA, 0, 1, zeros, 2000);
    H2_UNTIL(c, h2_of(c, 1)->is_reset);
    h2_data(c, 1, 0, "x");
    h2_headers(c, 1, ES | EH, "x-trailer", "t", NULL);
}

/* ---- §6.1 DATA,
        §6.2 HEADERS ------------------------------------------------------------------------- */

H2_CASE("§6.1 DATA on stream 0", GOAWAY(C(PROTOCOL_ERROR))) { h2_data(c, 0, ES, "x"); }
H2_CASE("§6.1 DATA with padding is taken", ANSWERED(1, 200))
{
    post(c, 1);
    H2_FRAME(c, NGHTTP2_DATA, ES | PADDED, 1, "\003abc\0\0\0");
}
H2_CASE("§6.1 DATA without content is taken", ANSWERED(1, 200)) { post(c, 1); h2_data(c, 1, ES, ""); }
H2_CASE("§6.1 padding as long as the frame", GOAWAY(C(PROTOCOL_ERROR)))
{
    post(c, 1);
    H2_FRAME(c, NGHTTP2_DATA, ES | PADDED, 1, "\004abc");
}
H2_CASE("§6.2 HEADERS on stream 0", GOAWAY(C(PROTOCOL_ERROR))) { h2_get(c, 0, "/hello"); }
H2_CASE("§6.2 HEADERS with padding and priority is taken", ANSWERED(1, 200))
{
    uint8_t block[160] = {2, 0, 0, 0, 0, 15};
    size_t size = h2_block(block + 6, 120, ":method", "GET", ":scheme", "http", ":path", "/hello",
        ":authority", "a", NULL);
    h2_frame(c, NGHTTP2_HEADERS, ES | EH | PRIO | PADDED, 1, block, size + 8);
}
H2_CASE("§6.2 HEADERS with padding beyond its end", GOAWAY(C(PROTOCOL_ERROR)))
{
    H2_FRAME(c, NGHTTP2_HEADERS, ES | EH | PADDED, 1, "\x80\0\0");
}

/* ---- §6.3 PRIORITY,
        §6.4 RST_STREAM -------------------------------------------------------------------- */

H2_CASE("§6.3 PRIORITY on stream 0", GOAWAY(C(PROTOCOL_ERROR)))
{
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 0, PRIORITY_OF_NONE);
}
H2_CASE("§6.3 PRIORITY of 4 bytes", RESET(1, C(FRAME_SIZE_ERROR)))
{
    h2_get(c, 1, "/later");
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0");
}
H2_CASE("§6.4 RST_STREAM on stream 0", GOAWAY(C(PROTOCOL_ERROR))) { h2_reset(c, 0, NGHTTP2_CANCEL); }
H2_CASE("§6.4 RST_STREAM of 3 bytes", GOAWAY(C(FRAME_SIZE_ERROR)))
{
    h2_get(c, 1, "/later");
    H2_FRAME(c, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0");
}

/* ---- §6.5 SETTINGS --------------------------------------------------------------------------------------- */

H2_CASE("§6.5 an acknowledgement with content", GOAWAY(C(FRAME_SIZE_ERROR)))
{
    H2_FRAME(c, NGHTTP2_SETTINGS, ACK, 0, "\0\0\0\0\0\0");
}
H2_CASE("§6.5 SETTINGS on a stream", GOAWAY(C(PROTOCOL_ERROR)))
{
    h2_frame(c, NGHTTP2_SETTINGS, 0, 1, NULL, 0);
}
H2_CASE("§6.5 SETTINGS of 3 bytes", GOAWAY(C(FRAME_SIZE_ERROR)))
{
    H2_FRAME(c, NGHTTP2_SETTINGS, 0, 0, "\0\3\0");
}
H2_CASE("§6.5.2 ENABLE_PUSH of 2", GOAWAY(C(PROTOCOL_ERROR)))
{
    h2_setting(c, NGHTTP2_SETTINGS_ENABLE_PUSH, 2);
}
H2_CASE("§6.5.2 INITIAL_WINDOW_SIZE of 2^31", GOAWAY(C(FLOW_CONTROL_ERROR)))
{
    h2_setting(c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x80000000u);
}
H2_CASE("§6.5.2 MAX_FRAME_SIZE below 2^14", GOAWAY(C(PROTOCOL_ERROR)))
{
    h2_setting(c, NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16383);
}
H2_CASE("§6.5.2 MAX_FRAME_SIZE above 2^24 - 1", GOAWAY(C(PROTOCOL_ERROR)))
{
    h2_setting(c, NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16777216);
}
H2_CASE("§6.5.2 an unknown setting is ignored", ALIVE) { h2_setting(c, 0xff, 1); }
H2_CASE("RFC 8441 §3 ENABLE_CONNECT_PROTOCOL from a client means nothing", ALIVE) { h2_setting(c, 8, 1); }
H2_CASE("RFC 9218 §2.1 NO_RFC7540_PRIORITIES of 2", GOAWAY(C(PROTOCOL_ERROR))) { h2_setting(c, 9, 2); }
H2_CASE("§6.5.3 SETTINGS are acknowledged", ALIVE)
{
    h2_setting(c, NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
    H2_UNTIL(c, c->settings_acks == 2);
}
H2_CASE("§6.5.3 the last of several values counts", ANSWERED(1, 200))
{
    H2_FRAME(c, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\0\0\1\0\4\0\0\0\2");
    h2_get(c, 1, "/hello");
    H2_UNTIL(c, h2_of(c, 1)->body.size == 2);
    h2_check_alive(c);
    CHECK_INT(h2_of(c, 1)->body.size, 2);
    h2_window(c, 1, 3);
}

/* ---- §6.7 PING, §6.8 GOAWAY,
        §8.4 PUSH_PROMISE --------------------------------------------------------- */

H2_CASE("§6.7 PING is answered with its content", ALIVE)
{
    H2_FRAME(c, NGHTTP2_PING, 0, 0, "\1\2\3\4\5\6\7\0");
    H2_UNTIL(c, c->pongs == 1);
    CHECK(memcmp(c->pong, "\1\2\3\4\5\6\7\0", 8) == 0);
}
H2_CASE("§6.7 an answer is not answered", ALIVE)
{
    H2_FRAME(c, NGHTTP2_PING, ACK, 0, "12345678");
    h2_check_alive(c);
    CHECK_INT(c->pongs, 1);
}
H2_CASE("§6.7 PING on a stream", GOAWAY(C(PROTOCOL_ERROR))) { H2_FRAME(c, NGHTTP2_PING, 0, 1,
        "12345678"); }
H2_CASE("§6.7 PING of 6 bytes", GOAWAY(C(FRAME_SIZE_ERROR))) { H2_FRAME(c, NGHTTP2_PING, 0, 0,
        "123456"); }
H2_CASE("§6.8 GOAWAY on a stream", GOAWAY(C(PROTOCOL_ERROR)))
{
    H2_FRAME(c, NGHTTP2_GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0");
}
H2_CASE("§7 GOAWAY with an unknown code: what was asked is answered, then the end", GOAWAY(C(NO_ERROR)))
{
    h2_get(c, 1, "/later");
    H2_UNTIL(c, c->s.later_count == 1);
    H2_FRAME(c, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\xff");
    site_answer(&c->s, "still");
    H2_UNTIL(c, h2_of(c, 1)->is_ended);
}
H2_CASE("§7 RST_STREAM with an unknown code", ALIVE) { h2_get(c, 1, "/later"); h2_reset(c, 1, 0xff); }
H2_CASE("§8.4 PUSH_PROMISE by a client", GOAWAY(C(PROTOCOL_ERROR)))
{
    h2_get(c, 1, "/later");
    H2_FRAME(c, NGHTTP2_PUSH_PROMISE, EH, 1, "\0\0\0\2\x82");
}

/* ---- §6.9 windows ------------------------------------------------------------------------------------------ */

H2_CASE("§6.9 an increment of 0 on the connection", GOAWAY(C(PROTOCOL_ERROR))) { h2_window(c, 0, 0); }
H2_CASE("§6.9 an increment of 0 on a stream", RESET(1, C(PROTOCOL_ERROR)))
{
    h2_get(c, 1, "/later");
    h2_window(c, 1, 0);
}
H2_CASE("§6.9 WINDOW_UPDATE of 3 bytes", GOAWAY(C(FRAME_SIZE_ERROR)))
{
    H2_FRAME(c, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\1");
}
H2_CASE("§6.9.1 a window of 1 lets 1 byte pass", ANSWERED(1, 200))
{
    h2_setting(c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1);
    h2_get(c, 1, "/hello");
    H2_UNTIL(c, h2_of(c, 1)->body.size == 1);
    h2_check_alive(c);
    CHECK_INT(h2_of(c, 1)->body.size, 1);
    h2_window(c, 1, 4);
}
H2_CASE("§6.9.1 a connection's window above 2^31 - 1", GOAWAY(C(FLOW_CONTROL_ERROR)))
{
    h2_window(c, 0, INT32_MAX);
    h2_window(c, 0, INT32_MAX);
}
H2_CASE("§6.9.1 a stream's window above 2^31 - 1", RESET(1, C(FLOW_CONTROL_ERROR)))
{
    h2_get(c, 1, "/later");
    h2_window(c, 1, INT32_MAX);
    h2_window(c, 1, INT32_MAX);
}
H2_CASE("§6.9.2 a window that is raised later counts for streams that are open", ANSWERED(1, 200))
{
    h2_setting(c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    h2_get(c, 1, "/hello");
    H2_UNTIL(c, h2_of(c, 1)->status == 200);
    h2_check_alive(c);
    CHECK_INT(h2_of(c, 1)->body.size, 0);
    h2_setting(c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 5);
}
H2_CASE("§6.9.2 a window may go below 0", ANSWERED(1, 200))
{
    h2_setting(c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 3);
    h2_get(c, 1, "/hello");
    H2_UNTIL(c, h2_of(c, 1)->body.size == 3);
    h2_setting(c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1); /* -2 */
    h2_window(c, 1, 2);
    h2_check_alive(c);
    CHECK_INT(h2_of(c, 1)->body.size, 3);
    h2_window(c, 1, 2);
}
H2_CASE("§6.9.2 a change that makes a window too large", RESET(1, C(FLOW_CONTROL_ERROR)))
{
    h2_get(c, 1, "/later");
    h2_window(c, 1, INT32_MAX - 65535);
    h2_setting(c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65536);
}
H2_CASE("§6.9 more than the stream's window", RESET(1, C(FLOW_CONTROL_ERROR)))
{
    h2_headers(c, 1, EH, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path",
        "/ws", ":authority", "a", "sec-websocket-version", "13", NULL);
    H2_UNTIL(c, h2_of(c, 1)->status == 200);
    dx_conn_pause(c->s.upgraded.conn);
    for (int i = 0; i < 5; i++) h2_frame(c, NGHTTP2_DATA, 0, 1, zeros, 16384);
}

/* ---- §6.10 CONTINUATION --------------------------------------------------------------------------------------- */

H2_CASE("§6.10 several CONTINUATION frames are one head", ANSWERED(1, 200))
{
    head_begun(c, 1, ES);
    more_head(c, 1, 0);
    more_head(c, 1, 0);
    more_head(c, 1, EH);
}
H2_CASE("§6.10 another frame between", GOAWAY(C(PROTOCOL_ERROR)))
{
    head_begun(c, 1, ES);
    more_head(c, 1, 0);
    h2_data(c, 1, ES, "x");
}
H2_CASE("§6.10 CONTINUATION on stream 0", GOAWAY(C(PROTOCOL_ERROR)))
{
    head_begun(c, 1, ES);
    more_head(c, 0, EH);
}
H2_CASE("§6.10 CONTINUATION behind a whole head", GOAWAY(C(PROTOCOL_ERROR)))
{
    post(c, 1);
    more_head(c, 1, EH);
}
H2_CASE("§6.10 CONTINUATION behind a head that was continued", GOAWAY(C(PROTOCOL_ERROR)))
{
    head_begun(c, 1, 0);
    more_head(c, 1, EH);
    more_head(c, 1, EH);
}
H2_CASE("§6.10 CONTINUATION behind DATA", GOAWAY(C(PROTOCOL_ERROR)))
{
    post(c, 1);
    h2_data(c, 1, 0, "x");
    more_head(c, 1, EH);
}

/* ---- RFC 7541 -------------------------------------------------------------------------------------------------- */

/* GET http / by the static table, then `text`. */
#define HPACK(text) H2_FRAME(c, NGHTTP2_HEADERS, ES | EH, 1, "\x82\x86\x84\x01\001a" text)

H2_CASE("RFC 7541 §6.1 indexed fields", ANSWERED(1, 404)) { HPACK(""); }
H2_CASE("RFC 7541 §6.2.1 literal with indexing, known name", ANSWERED(1, 404)) { HPACK("\x7a\004abcd"); }
H2_CASE("RFC 7541 §6.2.1 literal with indexing, new name", ANSWERED(1,
        404)) { HPACK("\x40\003x-a\001b"); }
H2_CASE("RFC 7541 §6.2.1 … and used", ANSWERED(1, 404)) { HPACK("\x40\003x-a\001b\xbe\xbe"); }
H2_CASE("RFC 7541 §6.2.2 literal without indexing, known name", ANSWERED(1, 404))
{
    HPACK("\x0f\x2b\001b");
}
H2_CASE("RFC 7541 §6.2.2 literal without indexing, new name", ANSWERED(1,
        404)) { HPACK("\0\003x-a\001b"); }
H2_CASE("RFC 7541 §6.2.3 literal never indexed, known name", ANSWERED(1, 404)) { HPACK("\x1f\x2b\001b"); }
H2_CASE("RFC 7541 §6.2.3 literal never indexed, new name", ANSWERED(1,
        404)) { HPACK("\x10\003x-a\001b"); }
H2_CASE("RFC 7541 §5.2 Huffman, in each form", ANSWERED(1, 404))
{
    HPACK("\x7a\x81\x1f\x40\x83\xf2\xb0\xff\x81\x1f\x0f\x2b\x81\x1f\x10\x83\xf2\xb0\xff\x81\x1f");
}
H2_CASE("RFC 7541 §6.3 a size update at the beginning", ANSWERED(1, 404))
{
    H2_FRAME(c, NGHTTP2_HEADERS, ES | EH, 1, "\x20\x82\x86\x84\x01\001a");
}
H2_CASE("RFC 7541 §6.3 two of them", ANSWERED(1, 404))
{
    H2_FRAME(c, NGHTTP2_HEADERS, ES | EH, 1, "\x20\x3f\xe1\x1f\x82\x86\x84\x01\001a");
}
H2_CASE("RFC 7541 §4.2 a size update at the end", GOAWAY(C(COMPRESSION_ERROR))) { HPACK("\x20"); }
H2_CASE("RFC 7541 §6.3 a size above the limit", GOAWAY(C(COMPRESSION_ERROR)))
{
    H2_FRAME(c, NGHTTP2_HEADERS, ES | EH, 1, "\x3f\xe2\x1f\x82\x86\x84\x01\001a");
}
H2_CASE("RFC 7541 §6.1 index 0", GOAWAY(C(COMPRESSION_ERROR))) { HPACK("\x80"); }
H2_CASE("RFC 7541 §2.3.3 an index behind both tables",
        GOAWAY(C(COMPRESSION_ERROR))) { HPACK("\xff\x00"); }
H2_CASE("RFC 7541 §2.3.3 the same as a literal's name", GOAWAY(C(COMPRESSION_ERROR)))
{
    HPACK("\x7f\x21\001b");
}
H2_CASE("RFC 7541 §5.2 padding above 7 bits", GOAWAY(C(COMPRESSION_ERROR))) { HPACK("\x7a\x82\x1f\xff"); }
H2_CASE("RFC 7541 §5.2 padding of zeros", GOAWAY(C(COMPRESSION_ERROR))) { HPACK("\x7a\x81\x18"); }
H2_CASE("RFC 7541 §5.2 EOS in a string", GOAWAY(C(COMPRESSION_ERROR)))
{
    HPACK("\x7a\x84\xff\xff\xff\xff");
}
H2_CASE("RFC 7541 §5.1 an integer without end (A17)", GOAWAY(C(COMPRESSION_ERROR)))
{
    HPACK("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f");
}
