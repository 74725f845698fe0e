/* Tests of tunnels over HTTP/2 (RFC 8441): bytes both ways, windows, both ends.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_h2.h"

static h2 c;

static void begin(const dx_http_config *config)
{
    h2_open(&c, config);
    CHECK(h2_greet(&c));
}

static bool is_body(int32_t id, const char *text)
{
    dx_buffer *body = &h2_of(&c, id)->body;
    return body->size == strlen(text) && memcmp(body->at, text, body->size) == 0;
}

static void open_tunnel(int32_t id, const char *path)
{
    h2_headers(&c, id, EH, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http",
               ":path", path, ":authority", "localhost", "sec-websocket-version", "13", NULL);
}

LOOP_TEST("RFC 8441 §5 an extended CONNECT opens a tunnel: bytes both ways, END_STREAM is FIN")
{
    begin(NULL);
    open_tunnel(1, "/ws");
    H2_UNTIL(&c, h2_of(&c, 1)->status == 200);
    CHECK(strcmp(h2_field(&c, 1, "upgrade"), "") == 0);
    CHECK(strcmp(h2_field(&c, 1, "connection"), "") == 0);
    h2_data(&c, 1, 0, "from the client");
    H2_UNTIL(&c, c.s.upgraded.in.size == 15);
    dx_conn_write(c.s.upgraded.conn, DX_BYTES("from the server"));
    H2_UNTIL(&c, is_body(1, "from the server"));
    h2_data(&c, 1, ES, "!");
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended && c.s.upgraded.counts[PROBE_CLOSED] == 1);
    CHECK_INT(c.s.upgraded.counts[PROBE_END], 1);
    CHECK_INT(c.s.upgraded.in.size, 16);
    CHECK(!h2_of(&c, 1)->is_reset);
    h2_check_alive(&c);
    h2_close(&c);
}

LOOP_TEST("RFC 8441 §5 bytes that come before the 200 are the new protocol's")
{
    begin(NULL);
    open_tunnel(1, "/ws");
    h2_data(&c, 1, 0, "early");
    H2_UNTIL(&c, c.s.upgraded.in.size == 5);
    CHECK(memcmp(c.s.upgraded.in.at, "early", 5) == 0);
    dx_conn_finish(c.s.upgraded.conn);
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    h2_data(&c, 1, ES, "");
    H2_UNTIL(&c, c.s.upgraded.counts[PROBE_CLOSED] == 1);
    h2_check_alive(&c);
    CHECK(!h2_of(&c, 1)->is_reset);
    h2_close(&c);
}

LOOP_TEST("RFC 8441 §5 RST_STREAM is a reset, both ways")
{
    begin(NULL);
    open_tunnel(1, "/ws");
    H2_UNTIL(&c, h2_of(&c, 1)->status == 200);
    h2_reset(&c, 1, NGHTTP2_CANCEL);
    H2_UNTIL(&c, c.s.upgraded.counts[PROBE_CLOSED] == 1);
    CHECK(c.s.upgraded.why == DX_ERR_RESET);
    open_tunnel(3, "/ws");
    H2_UNTIL(&c, h2_of(&c, 3)->status == 200);
    dx_conn_abort(c.s.upgraded.conn, DX_ERR_CLOSED, true);
    H2_UNTIL(&c, h2_of(&c, 3)->is_reset);
    CHECK_INT(h2_of(&c, 3)->reset_code, NGHTTP2_CANCEL);
    h2_check_alive(&c);
    h2_close(&c);
}

LOOP_TEST(
    "RFC 8441 §4 a tunnel where there is no WebSocket, of another protocol, or of old is refused")
{
    begin(NULL);
    open_tunnel(1, "/hello");
    open_tunnel(3, "/nothing");
    h2_headers(&c, 5, EH, ":method", "CONNECT", ":protocol", "connect-udp", ":scheme", "http",
               ":path", "/ws", ":authority", "a", NULL);
    h2_headers(&c, 7, EH, ":method", "CONNECT", ":authority", "example.org:80", NULL);
    for (int32_t id = 1; id <= 7; id += 2)
        H2_UNTIL(&c, h2_of(&c, id)->is_ended);
    CHECK_INT(h2_of(&c, 1)->status, 405);
    CHECK_INT(h2_of(&c, 3)->status, 404);
    CHECK_INT(h2_of(&c, 5)->status, 501);
    CHECK_INT(h2_of(&c, 7)->status, 501);
    CHECK_INT(c.s.handled, 0);
    h2_close(&c);
}

LOOP_TEST("a paused tunnel's window stays shut, and opens when it is read on")
{
    static uint8_t block[16384];

    begin(NULL);
    open_tunnel(1, "/ws");
    H2_UNTIL(&c, h2_of(&c, 1)->status == 200);
    dx_conn_pause(c.s.upgraded.conn);
    for (int i = 0; i < 4; i++)
        h2_frame(&c, NGHTTP2_DATA, 0, 1, block, sizeof block);
    h2_check_alive(&c);
    CHECK_INT(h2_of(&c, 1)->window, 0);
    CHECK_INT(c.s.upgraded.in.size, 0);
    dx_conn_resume(c.s.upgraded.conn);
    H2_UNTIL(&c, c.s.upgraded.in.size == 4 * sizeof block);
    H2_UNTIL(&c, h2_of(&c, 1)->window >= 2 * sizeof block);
    h2_reset(&c, 1, NGHTTP2_CANCEL);
    H2_UNTIL(&c, c.s.upgraded.counts[PROBE_CLOSED] == 1);
    h2_close(&c);
}

LOOP_TEST("pulled messages leave in order as the window allows; a stalled tunnel holds up no other")
{
    enum { MESSAGE = 1000, COUNT = 200 };
    static uint8_t feed[MESSAGE * COUNT];

    for (size_t i = 0; i < sizeof feed; i++)
        feed[i] = (uint8_t)(i * 31 + i / 251);
    begin(NULL);
    open_tunnel(1, "/ws");
    H2_UNTIL(&c, h2_of(&c, 1)->status == 200);
    c.s.upgraded.feed = feed;
    c.s.upgraded.feed_size = sizeof feed;
    c.s.upgraded.message_bytes = MESSAGE;
    dx_conn_wake(c.s.upgraded.conn);
    h2_window(&c, 0, 1000000);
    H2_UNTIL(&c, h2_of(&c, 1)->body.size == 65535);
    CHECK(c.s.upgraded.feed_at == 65535);
    dx_conn_write(c.s.upgraded.conn, DX_BYTES("between"));
    h2_get(&c, 3, "/hello");
    H2_UNTIL(&c, h2_of(&c, 3)->is_ended);
    h2_window(&c, 1, 200000);
    H2_UNTIL(&c, h2_of(&c, 1)->body.size == sizeof feed + 7);
    dx_buffer *body = &h2_of(&c, 1)->body;
    size_t at = 66000; /* what was queued goes between two messages */
    while (at < sizeof feed && memcmp(body->at + at, "between", 7) != 0)
        at += MESSAGE;
    CHECK_MEM(body->at, at, feed, at);
    CHECK_MEM(body->at + at, 7, "between", 7);
    CHECK_MEM(body->at + at + 7, sizeof feed - at, feed + at, sizeof feed - at);
    h2_reset(&c, 1, NGHTTP2_CANCEL);
    H2_UNTIL(&c, c.s.upgraded.counts[PROBE_CLOSED] == 1);
    h2_close(&c);
}

LOOP_TEST("draining: no new tunnel is opened, 503")
{
    begin(NULL);
    dx_http_drain(h2_server_conn(&c));
    H2_UNTIL(&c, c.goaways == 1);
    open_tunnel(1, "/ws");
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    CHECK_INT(h2_of(&c, 1)->status, 503);
    h2_close(&c);
}
