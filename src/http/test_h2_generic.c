/* HTTP/2, case by case: what a client may send at any time (the group `generic` of the public set h2spec), the
 * priorities of RFC 9218, and what is left of SETTINGS. One H2_CASE is one case, as in test_h2_frames.c.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_h2.h"

static void ask_after(h2 *c)
{
    h2_get(c, 7, "/hello");
}

static void priority_update(h2 *c, int32_t on, int32_t of, const char *value)
{
    uint8_t frame[64] = {(uint8_t)((uint32_t)of >> 24), (uint8_t)(of >> 16), (uint8_t)(of >> 8), (uint8_t)of};
    size_t size = strlen(value);

    memcpy(frame + 4, value, size);
    h2_frame(c, NGHTTP2_PRIORITY_UPDATE, 0, on, frame, size + 4);
}

/* ---- generic/3 frames ----------------------------------------------------------------------------- */

H2_CASE("generic/3.1 §6.1 one DATA frame", ANSWERED(1, 200))
{
    h2_request(c, 1, EH, "POST", "/echo");
    h2_data(c, 1, ES, "one");
}
H2_CASE("generic/3.1 §6.1 several DATA frames", ANSWERED(1, 200))
{
    h2_request(c, 1, EH, "POST", "/echo");
    h2_data(c, 1, 0, "one");
    h2_data(c, 1, 0, "two");
    h2_data(c, 1, ES, "three");
}
H2_CASE("generic/3.1 §6.1 DATA with padding", ANSWERED(1, 200))
{
    h2_request(c, 1, EH, "POST", "/echo");
    H2_FRAME(c, NGHTTP2_DATA, ES | PADDED, 1, "\3one\0\0\0");
}
H2_CASE("generic/3.2 §6.2 HEADERS", ANSWERED(1, 200)) { h2_get(c, 1, "/hello"); }
H2_CASE("generic/3.2 §6.2 HEADERS with padding", ANSWERED(1, 200))
{
    uint8_t block[128] = {3};
    size_t size = h2_block(block + 1, 120, ":method", "GET", ":scheme", "http", ":path", "/hello", ":authority",
        "a", NULL);
    h2_frame(c, NGHTTP2_HEADERS, ES | EH | PADDED, 1, block, 1 + size + 3);
}
H2_CASE("generic/3.2 §6.2 HEADERS with a priority", ANSWERED(1, 200))
{
    uint8_t block[128] = {0x80, 0, 0, 0, 255};
    size_t size = h2_block(block + 5, 120, ":method", "GET", ":scheme", "http", ":path", "/hello", ":authority",
        "a", NULL);
    h2_frame(c, NGHTTP2_HEADERS, ES | EH | PRIO, 1, block, 5 + size);
}
H2_CASE("generic/3.3 §6.3 PRIORITY of the lowest weight", ANSWERED(7, 200))
{
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\0");
    ask_after(c);
}
H2_CASE("generic/3.3 §6.3 PRIORITY of the highest weight", ANSWERED(7, 200))
{
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\xff");
    ask_after(c);
}
H2_CASE("generic/3.3 §6.3 PRIORITY that depends on another stream", ANSWERED(7, 200))
{
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\xff");
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 3, "\0\0\0\1\xff");
    ask_after(c);
}
H2_CASE("generic/3.3 §6.3 PRIORITY that depends on another stream alone", ANSWERED(7, 200))
{
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 1, "\x80\0\0\0\xff");
    ask_after(c);
}
H2_CASE("generic/3.3 §6.3 PRIORITY of a stream that is idle, then a request with a lower id", ANSWERED(1, 200))
{
    H2_FRAME(c, NGHTTP2_PRIORITY, 0, 99, "\0\0\0\0\xff");
    h2_get(c, 1, "/hello");
}
H2_CASE("generic/3.4 §6.4 RST_STREAM", ANSWERED(7, 200))
{
    h2_get(c, 1, "/later");
    h2_reset(c, 1, NGHTTP2_CANCEL);
    ask_after(c);
}
H2_CASE("generic/3.5 §6.5 SETTINGS", ANSWERED(7, 200))
{
    h2_setting(c, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100);
    ask_after(c);
}
H2_CASE("generic/3.7 §6.7 PING", ALIVE) { h2_ping(c); }
H2_CASE("generic/3.8 §6.8 GOAWAY: what was asked is answered, then the end", GOAWAY(C(NO_ERROR)))
{
    h2_get(c, 1, "/later");
    H2_UNTIL(c, c->s.later_count == 1);
    H2_FRAME(c, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0");
    site_answer(&c->s, "answer");
    H2_UNTIL(c, h2_of(c, 1)->is_ended);
    CHECK_INT(h2_of(c, 1)->status, 200);
}
H2_CASE("generic/3.9 §6.9 WINDOW_UPDATE of the connection", ANSWERED(7, 200))
{
    h2_window(c, 0, 1);
    ask_after(c);
}
H2_CASE("generic/3.9 §6.9 WINDOW_UPDATE of a stream", ANSWERED(7, 200))
{
    h2_get(c, 1, "/later");
    h2_window(c, 1, 1);
    ask_after(c);
}

/* ---- SETTINGS -------------------------------------------------------------------------------------- */

static void send_settings(h2 *c, size_t count)
{
    uint8_t entries[6 * 64];

    for (size_t i = 0; i < count; i++) memcpy(entries + i * 6, "\0\x04\0\0\x10\0", 6);
    h2_frame(c, NGHTTP2_SETTINGS, 0, 0, entries, count * 6);
}

H2_CASE("H2-X §6.5 32 settings in a frame are taken", ALIVE) { send_settings(c, 32); }
H2_CASE("H2-X §6.5 33 settings in a frame are too many", GOAWAY(C(ENHANCE_YOUR_CALM))) { send_settings(c, 33); }
H2_CASE("H2-X §3.1 Upgrade: h2c is not obeyed any more", ALIVE)
{
    static h2 old;

    h2_open_beside(&old, c);
    const char *text = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                       "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n";
    h2_bytes(&old, text, strlen(text));
    PEER_UNTIL(&c->s.w, &old.p, strstr(peer_text(&old.p), "hello") != NULL);
    CHECK(strncmp(peer_text(&old.p), "HTTP/1.1 200 ", 13) == 0);
    h2_close_beside(&old, c);
}

/* ---- RFC 9218 -------------------------------------------------------------------------------------- */

H2_CASE("RFC 9218 §7.1 PRIORITY_UPDATE of a stream that is open", ALIVE)
{
    h2_get(c, 1, "/later");
    priority_update(c, 0, 1, "u=0, i");
}
H2_CASE("RFC 9218 §7.1 PRIORITY_UPDATE before the request", ANSWERED(1, 200))
{
    priority_update(c, 0, 1, "u=7");
    h2_get(c, 1, "/hello");
}
H2_CASE("RFC 9218 §7.1 PRIORITY_UPDATE of a stream that is closed is ignored", ALIVE)
{
    h2_get(c, 1, "/hello");
    H2_UNTIL(c, h2_of(c, 1)->is_ended);
    priority_update(c, 0, 1, "u=0");
}
H2_CASE("RFC 9218 §7.1 PRIORITY_UPDATE with a value that is none is ignored", ALIVE)
{
    h2_get(c, 1, "/later");
    priority_update(c, 0, 1, "u=9, ((");
}
H2_CASE("RFC 9218 §7.1 PRIORITY_UPDATE on a stream", GOAWAY(C(PROTOCOL_ERROR)))
{
    h2_get(c, 1, "/later");
    priority_update(c, 1, 1, "u=0");
}
H2_CASE("RFC 9218 §7.1 PRIORITY_UPDATE of stream 0", GOAWAY(C(PROTOCOL_ERROR))) { priority_update(c, 0, 0, "u=0"); }
H2_CASE("RFC 9218 §7.1 PRIORITY_UPDATE of 3 bytes", GOAWAY(C(FRAME_SIZE_ERROR)))
{
    H2_FRAME(c, NGHTTP2_PRIORITY_UPDATE, 0, 0, "\0\0\0");
}
