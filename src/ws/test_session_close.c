/* Tests of how sessions end: the closing handshake from either side, time, loss, and the end inside any
 * callback.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"
#include "ws/test_side.h"

static stage s;

static void begin_with(dx_ws_role role, uint32_t close_ms)
{
    dx_ws_config config = DX_WS_CONFIG_DEFAULT;
    dx_net_limits limits = DX_NET_LIMITS_DEFAULT;

    config.ping_ms = 0;
    config.close_ms = close_ms;
    limits.linger_ms = 100;
    stage_init(&s, role, &config, &limits);
}

static void begin(dx_ws_role role)
{
    begin_with(role, 150);
}

static void finish(void)
{
    stage_deinit(&s);
}

LOOP_TEST("§5.5.1 a Close is answered with its code; the server ends the connection")
{
    static const struct {
        const char *payload;
        size_t size;
        uint16_t code;
        const char *reason;
    } rows[] = {{"\x03\xe8", 2, 1000, ""},
                {"\x03\xe9gone", 6, 1001, "gone"},
                {"\x0f\xa0", 2, 4000, ""},
                {"", 0, DX_WS_CLOSE_NO_CODE, ""}};

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        begin_with(DX_WS_SERVER, 4000);
        uint64_t begin_ms = dx_clock_ms();
        stage_send(&s, 0x88, rows[i].payload, rows[i].size);
        CHECK_INT(stage_expect_close(&s), rows[i].code);
        CHECK_INT(s.us.closes, 1);
        CHECK_INT(s.us.code, rows[i].code);
        CHECK(strcmp(s.us.reason, rows[i].reason) == 0);
        stage_expect_end(&s);
        CHECK(s.other.is_ended);
        CHECK(dx_clock_ms() - begin_ms < 3900); /* at once, not by time */
        finish();
    }
}

LOOP_TEST("§7.1.1 a client waits for the server to end the connection, for close_ms")
{
    begin(DX_WS_CLIENT);
    stage_send(&s, 0x88, "\x03\xe8", 2);
    CHECK_INT(stage_expect_close(&s), 1000);
    turn_for(s.w.loop, 50);
    peer_read(&s.other, SIZE_MAX);
    CHECK(!s.other.is_ended && s.us.freed == 0);
    peer_finish(&s.other);
    stage_expect_end(&s);
    TURN_UNTIL(s.w.loop, s.us.freed == 1);
    finish();

    begin(DX_WS_CLIENT);
    stage_send(&s, 0x88, "\x03\xe8", 2);
    CHECK_INT(stage_expect_close(&s), 1000);
    uint64_t begin_ms = dx_clock_ms();
    stage_expect_end(&s); /* that server never does */
    CHECK(dx_clock_ms() - begin_ms >= 120 && dx_clock_ms() - begin_ms < 3000);
    CHECK_INT(s.us.code, 1000);
    finish();
}

LOOP_TEST("§7.1.2 our Close, the peer's answer, the end; what comes between is not delivered")
{
    for (int role = 0; role < 2; role++) {
        begin(role ? DX_WS_CLIENT : DX_WS_SERVER);
        dx_ws_close(s.us.ws, 4001, DX_BYTES("because"));
        CHECK_INT(dx_ws_send(s.us.ws, DX_WS_MESSAGE_TEXT, DX_BYTES("late")), DX_SEND_CLOSED);
        dx_ws_close(s.us.ws, 1000, (dx_bytes){0}); /* once is enough */
        stage_send(&s, 0x81, "crossing", 8);
        stage_send(&s, 0x89, "", 0);
        stage_expect(&s, 0x88,
                     "\x0f\xa1"
                     "because",
                     9);
        CHECK_INT(s.us.closes, 0);
        stage_send(&s, 0x88, "\x0f\xa1", 2);
        if (role)
            peer_finish(&s.other);
        stage_expect_end(&s);
        CHECK_INT(s.us.code, 4001);
        CHECK_INT(s.us.messages, 0);
        TURN_UNTIL(s.w.loop, role == 0 || s.us.freed == 1);
        finish();
    }
}

LOOP_TEST("§5.5.1 a Close in the middle of a message is heard, the message is dropped")
{
    begin(DX_WS_SERVER);
    stage_send(&s, 0x01, "half a mess", 11);
    stage_send(&s, 0x88, "\x03\xe8", 2);
    CHECK_INT(stage_expect_close(&s), 1000);
    CHECK_INT(s.us.messages, 0);
    stage_expect_end(&s);
    finish();
}

LOOP_TEST("what comes behind the peer's Close is ignored")
{
    static const dx_bytes bytes[] = {
        DX_BYTES("\x88\x80\0\0\0\0\x81\x81\0\0\0\0x\x88\x80\0\0\0\0\xff\xff"),
        DX_BYTES("\x88\x00\x81\x01x\x88\x00\xff\xff"),
    };

    for (int role = 0; role < 2; role++) {
        begin(role ? DX_WS_CLIENT : DX_WS_SERVER);
        peer_write(&s.w, &s.other, bytes[role]);
        CHECK_INT(stage_expect_close(&s), DX_WS_CLOSE_NO_CODE);
        stage_send(&s, 0x81, "more", 4);
        stage_expect_end(&s);
        CHECK_INT(s.us.messages, 0);
        CHECK_INT(s.us.closes, 1);
        finish();
    }
}

LOOP_TEST("§7.1.5 a peer that never answers our Close is reset after close_ms: 1006")
{
    for (int role = 0; role < 2; role++) {
        begin(role ? DX_WS_CLIENT : DX_WS_SERVER);
        uint64_t begin_ms = dx_clock_ms();
        dx_ws_close(s.us.ws, 1000, (dx_bytes){0});
        CHECK_INT(stage_expect_close(&s), 1000);
        stage_expect_end(&s);
        CHECK(s.other.is_reset);
        CHECK(dx_clock_ms() - begin_ms >= 130 && dx_clock_ms() - begin_ms < 3000);
        TURN_UNTIL(s.w.loop, s.us.freed == 1);
        CHECK_INT(s.us.code, DX_WS_CLOSE_LOST);
        finish();
    }
}

LOOP_TEST("a peer that goes on talking does not put off the end of our closing handshake")
{
    begin(DX_WS_SERVER);
    dx_ws_close(s.us.ws, 1000, (dx_bytes){0});
    uint64_t begin_ms = dx_clock_ms();
    while (s.us.freed == 0 && dx_clock_ms() - begin_ms < 5000) {
        if (!s.other.is_reset)
            stage_send(&s, 0x81, "still here", 10);
        turn_for(s.w.loop, 10);
    }
    CHECK_INT(s.us.freed, 1);
    CHECK(dx_clock_ms() - begin_ms < 3000);
    CHECK_INT(s.us.messages, 0);
    peer_forget(&s.other);
    finish();
}

LOOP_TEST("§7.1.5 a FIN without a Close, or a reset, is a lost connection: 1006")
{
    begin(DX_WS_SERVER);
    peer_finish(&s.other);
    stage_expect_end(&s); /* no Close is sent into it */
    CHECK_INT(s.us.code, DX_WS_CLOSE_LOST);
    CHECK_INT(s.us.closes, 1);
    finish();

    begin(DX_WS_SERVER);
    dx_ws_close(s.us.ws, 1000, (dx_bytes){0});
    CHECK_INT(stage_expect_close(&s), 1000);
    peer_finish(&s.other);
    stage_expect_end(&s);
    CHECK_INT(s.us.code, DX_WS_CLOSE_LOST);
    finish();

    begin(DX_WS_CLIENT);
    peer_reset(&s.other);
    TURN_UNTIL(s.w.loop, s.us.freed == 1);
    CHECK_INT(s.us.code, DX_WS_CLOSE_LOST);
    finish();
}

LOOP_TEST("what was sent before the peer's FIN still arrives")
{
    static uint8_t big[2 << 20];

    begin(DX_WS_SERVER);
    set_buffer_bytes(s.us.ws->conn->io.fd, SO_SNDBUF, 100000);
    set_buffer_bytes(s.other.fd, SO_RCVBUF, 100000);
    CHECK_INT(dx_ws_send(s.us.ws, DX_WS_MESSAGE_BINARY, dx_bytes_at(big, sizeof big)),
              DX_SEND_QUEUED);
    world_settle(&s.w);
    CHECK(dx_conn_queued(s.us.ws->conn) > 0);
    peer_finish(&s.other);
    turn_for(s.w.loop, 20); /* it is heard while much is still queued */
    PEER_UNTIL_END(&s.w, &s.other);
    CHECK_INT(s.other.in.size, sizeof big + 10);
    peer_forget(&s.other);
    finish();
}

LOOP_TEST("§7.4 a reason is cut at a code point so that 123 bytes remain")
{
    char reason[200];

    begin(DX_WS_SERVER);
    memset(reason, 'r', sizeof reason);
    memcpy(reason + 122, "\xc3\xa4", 2);
    dx_ws_close(s.us.ws, 1000, dx_bytes_at(reason, sizeof reason));
    char want[124] = "\x03\xe8";
    memset(want + 2, 'r', 122);
    stage_expect(&s, 0x88, want, 124);
    finish();
}

/* ---- the end inside any callback -------------------------------------------------------------- */

typedef enum way {
    CLOSE,
    CLOSE_TWICE,
    ABORT,
    ABORT_RESET,
    FINISH,
    PAUSE_CLOSE,
    SEND_CLOSE,
    WAYS
} way;
static way end_way;

static void end_hook(side *of, side_event event)
{
    dx_ws *ws = of->ws;

    if (end_way == PAUSE_CLOSE)
        dx_ws_pause(ws);
    if (end_way == SEND_CLOSE)
        dx_ws_send(ws, DX_WS_MESSAGE_TEXT, DX_BYTES("bye"));
    switch (end_way) {
    case CLOSE_TWICE:
    case CLOSE:
    case PAUSE_CLOSE:
    case SEND_CLOSE: dx_ws_close(ws, 4000, DX_BYTES("in a callback")); break;
    case ABORT: dx_conn_abort(ws->conn, DX_ERR_CLOSED, false); break;
    case ABORT_RESET: dx_conn_abort(ws->conn, DX_ERR_CLOSED, true); break;
    case FINISH: dx_conn_finish(ws->conn); break;
    case WAYS: break;
    }
    if (end_way == CLOSE_TWICE)
        dx_ws_close(ws, 4001, DX_BYTES("again"));
    dx_ws_send(ws, DX_WS_MESSAGE_TEXT, DX_BYTES("too late, or just in time"));
    dx_ws_pause(ws);
    dx_ws_resume(ws);
    CHECK(event != SIDE_CLOSE || of->closes == 1);
}

/* Makes every callback happen, ends in one of them, and talks on; the peer answers a Close. */
static void end_in(dx_ws_role role, side_event event, way how)
{
    static uint8_t big[3 << 20];
    int fds[2];
    dx_ws_config config = DX_WS_CONFIG_DEFAULT;

    config.ping_ms = 0;
    config.close_ms = 60;
    memset(&s, 0, sizeof s);
    s.role = role;
    end_way = how;
    world_init(&s.w, NULL);
    s.w.net.limits.linger_ms = 30;
    dx_ws_worker_init(&s.worker, &s.w.net);
    side_init(&s.us, &config);
    s.us.hook = end_hook, s.us.hook_events = event;
    socket_pair(fds);
    peer_open(&s.other, fds[1]);
    side_begin(&s.us, &s.worker, fds[0], role, NULL);
    if (event == SIDE_ROOM) {
        while (dx_ws_send(s.us.ws, DX_WS_MESSAGE_BINARY, dx_bytes_at(big, sizeof big)) ==
               DX_SEND_QUEUED)
            continue;
    }
    for (int i = 0; i < 3; i++) {
        stage_send(&s, 0x81, "message", 7);
        peer_read(&s.other, SIZE_MAX);
    }
    for (int i = 0; event == SIDE_ROOM && s.us.rooms == 0 && i < 5000; i++) {
        peer_read(&s.other, SIZE_MAX);
        dx_loop_step(s.w.loop, 1);
    }
    stage_send(&s, 0x88, "\x03\xe8", 2);
    for (int i = 0; i < 500 && s.us.freed == 0; i++) {
        peer_read(&s.other, SIZE_MAX);
        dx_loop_step(s.w.loop, 2);
    }
    CHECK_INT(s.us.closes, 1);
    CHECK(s.us.messages <= 3);
    CHECK_INT(s.us.freed, 1);
    finish();
}

LOOP_TEST("a session may be closed, aborted and finished from every callback")
{
    for (int role = 0; role < 2; role++)
        for (unsigned event = SIDE_OPEN; event <= SIDE_CLOSE; event *= 2)
            for (int how = 0; how < WAYS; how++)
                end_in(role ? DX_WS_CLIENT : DX_WS_SERVER, (side_event)event, (way)how);
}
