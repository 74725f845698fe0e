/* Tests of what leaves first when a window is too small for all: RFC 9218 among the streams of a connection.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_h2.h"

enum { WINDOW_BYTES = 65535, FRAME_BYTES = 16384, BULK_BYTES = 200000, LITTLE_BYTES = 5000 };

static h2 c;
static char bulk[BULK_BYTES + 1], little[LITTLE_BYTES + 1];

static void get_ranked(int32_t id, const char *rank)
{
    h2_headers(&c, id, ES | EH, ":method", "GET", ":scheme", "http", ":path", "/later",
               ":authority", "a", rank ? "priority" : NULL, rank, NULL);
}

/* Stream 1 has taken the whole window of the connection, and wants more. */
static void begin(const char *rank)
{
    memset(bulk, 'b', BULK_BYTES);
    memset(little, 'l', LITTLE_BYTES);
    h2_open(&c, NULL);
    CHECK(h2_greet(&c));
    h2_setting(&c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 2 * BULK_BYTES);
    get_ranked(1, rank);
    H2_UNTIL(&c, c.s.later_count == 1);
    site_answer(&c.s, bulk);
    H2_UNTIL(&c, h2_of(&c, 1)->body.size == WINDOW_BYTES);
}

static void answer_next(const char *text)
{
    H2_UNTIL(&c, c.s.later_count == 1);
    site_answer(&c.s, text);
}

static size_t came(int32_t id)
{
    return h2_of(&c, id)->body.size;
}

/* Lets so many bytes come, and waits until they have. */
static void let(uint32_t bytes)
{
    size_t before = came(1) + came(3) + came(5);

    h2_window(&c, 0, bytes);
    H2_UNTIL(&c, came(1) + came(3) + came(5) == before + bytes);
}

/* With responses that nobody waits for any more. */
static void finish(void)
{
    for (int32_t id = 1; id <= 5; id += 2)
        if (h2_of(&c, id)->status != 0)
            h2_reset(&c, id, NGHTTP2_CANCEL);
    h2_check_alive(&c);
    h2_close(&c);
}

LOOP_TEST(
    "RFC 9218 §4.1 an urgent response overtakes one that began before it, and those that wait")
{
    begin(NULL);
    get_ranked(3, "u=5");
    answer_next(little);
    get_ranked(5, "u=0");
    answer_next(little);
    let(LITTLE_BYTES);
    CHECK_INT(came(5), LITTLE_BYTES);
    CHECK(h2_of(&c, 5)->is_ended);
    let(BULK_BYTES - WINDOW_BYTES);
    CHECK_INT(came(1), BULK_BYTES);
    CHECK_INT(came(3), 0);
    let(LITTLE_BYTES);
    CHECK_INT(came(3), LITTLE_BYTES);
    finish();
}

LOOP_TEST("RFC 9218 §7.1 PRIORITY_UPDATE makes it urgent later, before and after it has begun")
{
    begin(NULL);
    get_ranked(3, "u=7");
    answer_next(bulk);
    get_ranked(5, "u=7");
    answer_next(bulk);
    H2_FRAME(&c, NGHTTP2_PRIORITY_UPDATE, 0, 0, "\0\0\0\5u=1");
    h2_check_alive(&c);
    let(FRAME_BYTES);
    CHECK_INT(came(5), FRAME_BYTES);
    H2_FRAME(&c, NGHTTP2_PRIORITY_UPDATE, 0, 0, "\0\0\0\3u=0");
    h2_check_alive(&c);
    let(FRAME_BYTES);
    CHECK_INT(came(3), FRAME_BYTES);
    CHECK_INT(came(1), WINDOW_BYTES);
    finish();
}

LOOP_TEST("RFC 9218 §7.1 PRIORITY_UPDATE before the request counts")
{
    begin(NULL);
    H2_FRAME(&c, NGHTTP2_PRIORITY_UPDATE, 0, 0, "\0\0\0\3u=1");
    get_ranked(3, NULL);
    answer_next(little);
    let(LITTLE_BYTES);
    CHECK_INT(came(3), LITTLE_BYTES);
    finish();
}

LOOP_TEST("RFC 9218 §4.2 incremental ones of the same urgency share")
{
    begin("u=3, i");
    get_ranked(3, "u=3, i");
    answer_next(bulk);
    for (int i = 0; i < 8; i++)
        let(FRAME_BYTES);
    CHECK(came(3) >= 3 * FRAME_BYTES);
    CHECK(came(1) - WINDOW_BYTES >= 3 * FRAME_BYTES);
    finish();
}

LOOP_TEST("RFC 9218 §4.2 others come one after the other, in the order of the requests")
{
    begin(NULL);
    get_ranked(3, NULL);
    answer_next(little);
    let(BULK_BYTES - WINDOW_BYTES);
    CHECK_INT(came(1), BULK_BYTES);
    CHECK_INT(came(3), 0);
    let(LITTLE_BYTES);
    CHECK_INT(came(3), LITTLE_BYTES);
    finish();
}

static void open_tunnel(int32_t id, const char *rank)
{
    h2_headers(&c, id, EH, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http",
               ":path", "/ws", ":authority", "a", "sec-websocket-version", "13",
               rank ? "priority" : NULL, rank, NULL);
    H2_UNTIL(&c, h2_of(&c, id)->status == 200);
}

LOOP_TEST("RFC 9218 §11 a WebSocket does not wait for a download; unless its client wants it to")
{
    begin(NULL);
    open_tunnel(3, NULL);
    dx_conn_write(c.s.upgraded.conn, DX_BYTES("live"));
    let(4);
    CHECK_INT(came(3), 4);
    finish();
    begin(NULL);
    open_tunnel(3, "u=4");
    dx_conn_write(c.s.upgraded.conn, DX_BYTES("live"));
    let(4);
    CHECK_INT(came(3), 0);
    finish();
}
