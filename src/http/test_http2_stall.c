/* Tests of windows that stay shut: who is slow is waited for, who has stalled is not.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_h2.h"

enum { STALLED_MS = 200, BODY_BYTES = 70000, WINDOW_BYTES = 65535 };

static h2 c;
static char body[BODY_BYTES + 1];

static void begin(void)
{
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;

    config.http2.stalled_ms = STALLED_MS;
    memset(body, 'b', BODY_BYTES);
    h2_open(&c, &config);
    CHECK(h2_greet(&c));
}

/* Requests, answered at once with a body each that is larger than a first window. */
static void ask(int32_t first, int32_t last)
{
    for (int32_t id = first; id <= last; id += 2)
        h2_get(&c, id, "/later");
    H2_UNTIL(&c, c.s.later_count == (size_t)(last - first) / 2 + 1);
    while (c.s.later_count > 0)
        site_answer(&c.s, body);
}

static const dx_http2 *server_side(void)
{
    return h2_server_conn(&c)->protocol;
}

LOOP_TEST("§5.2 ten downloads through a connection's window that opens bit by bit: none is reset")
{
    enum { LAST = 19, PART_BYTES = 10000, EVERY_MS = STALLED_MS / 8 };

    begin();
    h2_setting(&c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 2 * BODY_BYTES);
    ask(1, 1);
    H2_UNTIL(&c, h2_of(&c, 1)->body.size == WINDOW_BYTES);
    ask(3, LAST);
    for (int given = WINDOW_BYTES; given < 10 * BODY_BYTES; given += PART_BYTES) {
        turn_for(c.s.w.loop, EVERY_MS);
        h2_window(&c, 0, PART_BYTES);
    }
    for (int32_t id = 1; id <= LAST; id += 2) {
        H2_UNTIL(&c, h2_of(&c, id)->is_ended || h2_of(&c, id)->is_reset);
        CHECK(!h2_of(&c, id)->is_reset);
        CHECK_INT(h2_of(&c, id)->body.size, BODY_BYTES);
    }
    h2_close(&c);
}

LOOP_TEST("§5.2 a window that stays shut because its bytes are on their way yet is no stall")
{
    begin();
    h2_window(&c, 0, 10 * BODY_BYTES);
    h2_get(&c, 1, "/later");
    H2_UNTIL(&c, c.s.later_count == 1);
    site_answer(&c.s, body);
    turn_for(c.s.w.loop, 3 * STALLED_MS); /* the line takes so long */
    CHECK_INT(server_side()->streams_count, 1);
    H2_UNTIL(&c, h2_of(&c, 1)->body.size == WINDOW_BYTES);
    h2_window(&c, 1, BODY_BYTES);
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    CHECK_INT(h2_of(&c, 1)->body.size, BODY_BYTES);
    h2_close(&c);
}

LOOP_TEST(
    "§10.5 once they have arrived and the window stays shut, the stream is reset and forgotten")
{
    begin();
    h2_window(&c, 0, 10 * BODY_BYTES);
    ask(1, 1);
    uint64_t began_ms = dx_clock_ms();
    H2_UNTIL(&c, h2_of(&c, 1)->is_reset);
    CHECK_INT(h2_of(&c, 1)->reset_code, NGHTTP2_CANCEL);
    CHECK(dx_clock_ms() - began_ms >= STALLED_MS * 3 / 4);
    CHECK_INT(server_side()->streams_count, 0);
    h2_check_alive(&c);
    h2_close(&c);
}

LOOP_TEST("§10.5 the connection's window stays shut: also streams whose turn never came are reset")
{
    begin();
    h2_setting(&c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 2 * BODY_BYTES);
    h2_get(&c, 21, "/later"); /* has nothing to send: that is no stall */
    H2_UNTIL(&c, c.s.later_count == 1);
    dx_exchange *quiet = site_take_later(&c.s);
    ask(23, 41);
    for (int32_t id = 23; id <= 41; id += 2) {
        H2_UNTIL(&c, h2_of(&c, id)->is_reset);
        CHECK_INT(h2_of(&c, id)->reset_code, NGHTTP2_CANCEL);
    }
    CHECK_INT(server_side()->streams_count, 1);
    h2_window(&c, 0, BODY_BYTES);
    dx_exchange_start(quiet, &(dx_response){0}, 2);
    dx_exchange_put(quiet, DX_BYTES("ok"));
    dx_exchange_end(quiet);
    H2_UNTIL(&c, h2_of(&c, 21)->is_ended);
    CHECK_INT(h2_of(&c, 21)->status, 200);
    h2_close(&c);
}
