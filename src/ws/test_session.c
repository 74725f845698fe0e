/* Tests of one session with a bare peer: control frames, limits, the closing handshake, time, backpressure.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"
#include "ws/test_side.h"

static stage s;

static dx_ws_config quiet(void)
{
    dx_ws_config config = DX_WS_CONFIG_DEFAULT;

    config.ping_ms = 0;
    return config;
}

static void begin(dx_ws_role role, const dx_ws_config *config)
{
    stage_init(&s, role, config, NULL);
}

static void finish(void)
{
    stage_deinit(&s);
}

static void send_text(uint8_t first, const char *text)
{
    stage_send(&s, first, text, strlen(text));
}

static void expect(uint8_t first, const char *text)
{
    stage_expect(&s, first, text, strlen(text));
}

/* ---- messages --------------------------------------------------------------------------------- */

LOOP_TEST("§5.4 messages come whole, however they were fragmented, with control frames between")
{
    begin(DX_WS_SERVER, NULL);
    send_text(0x81, "hello");
    send_text(0x82, "");
    send_text(0x01, "");
    send_text(0x00, "ab");
    send_text(0x89, "ping");
    send_text(0x00, "");
    send_text(0x80, "c");
    send_text(0x02, "x");
    send_text(0x80, "");
    expect(0x8a, "ping");
    TURN_UNTIL(s.w.loop, s.us.messages == 4);
    CHECK_BYTES(s.us.in, "thello|b|tabc|bx|");
    finish();
}

LOOP_TEST("§5.2 what is sent has the shortest length, and a mask if it is a client's")
{
    static uint8_t big[70000];
    static const size_t sizes[] = {0, 1, 125, 126, 1000, 1010, 1011, 65535, 65536, 70000};

    for (int role = 0; role < 2; role++) {
        begin(role ? DX_WS_CLIENT : DX_WS_SERVER, NULL);
        for (size_t i = 0; i < DX_COUNT(sizes); i++) {
            fill_random(&(uint64_t){i}, big, sizes[i]);
            CHECK_INT(dx_ws_send(s.us.ws, DX_WS_MESSAGE_BINARY, dx_bytes_at(big, sizes[i])),
                      DX_SEND_QUEUED);
            stage_expect(&s, 0x82, big, sizes[i]); /* reads by the rules of the other side */
        }
        finish();
    }
}

/* ---- ping and pong ---------------------------------------------------------------------------- */

LOOP_TEST("§5.5.3 every ping of a peer that reads is answered, in order, with what it carried")
{
    char text[16];

    begin(DX_WS_SERVER, NULL);
    for (int i = 0; i < 60; i++) {
        snprintf(text, sizeof text, "%d", i);
        send_text(0x89, text);
    }
    for (int i = 0; i < 60; i++) {
        snprintf(text, sizeof text, "%d", i);
        expect(0x8a, text);
    }
    send_text(0x8a, "nobody asked");
    send_text(0x89, "");
    expect(0x8a, "");
    finish();
}

LOOP_TEST("§5.5.3 a peer that pings and does not read gets 16 pongs, and the last one's")
{
    static uint8_t big[200000]; /* less than what stops reading */
    dx_buffer payload = {0};
    uint8_t first;
    char last[32] = "";
    int pongs = 0;

    begin(DX_WS_SERVER, NULL);
    set_buffer_bytes(s.us.ws->conn->io.fd, SO_SNDBUF, 8192);
    set_buffer_bytes(s.other.fd, SO_RCVBUF, 8192);
    CHECK_INT(dx_ws_send(s.us.ws, DX_WS_MESSAGE_BINARY, dx_bytes_at(big, sizeof big)),
              DX_SEND_QUEUED);
    turn_for(s.w.loop, 50); /* until the kernel takes no more */
    CHECK(s.us.ws->conn->is_blocked);
    for (int i = 0; i < 90; i++) {
        snprintf(last, sizeof last, "ping %d", i);
        send_text(0x89, last);
    }
    CHECK(dx_conn_queued(s.us.ws->conn) < sizeof big + 2000);
    for (int i = 0; i < 5000 && pongs < 17; i++) {
        peer_read(&s.other, SIZE_MAX);
        while (stage_next(&s, &first, &payload))
            if (first == 0x8a) {
                char want[32];
                pongs++;
                snprintf(want, sizeof want, "ping %d", pongs < 17 ? pongs - 1 : 89);
                CHECK_BYTES(payload, want);
            }
        dx_loop_step(s.w.loop, 2);
    }
    CHECK_INT(pongs, 17);
    CHECK_INT(s.us.rooms, 0); /* nobody was told to wait */
    send_text(0x89, "and on");
    expect(0x8a, "and on");
    dx_buffer_clear(&payload);
    finish();
}

LOOP_TEST("A24 more control frames than are paid for are a policy violation")
{
    begin(DX_WS_SERVER, NULL);
    for (int i = 0; i < 100; i++)
        stage_send(&s, i % 2 ? 0x89 : 0x8a, "x", 1);
    CHECK_INT(s.us.closes, 0);
    for (int i = 0; i < 20 && s.us.closes == 0; i++) /* a few may be paid for meanwhile */
        stage_send(&s, 0x8a, "x", 1);
    CHECK_INT(s.us.closes, 1);
    CHECK_INT(s.us.code, DX_WS_CLOSE_POLICY);
    for (int i = 0; i < 50; i++)
        expect(0x8a, "x");
    CHECK_INT(stage_expect_close(&s), DX_WS_CLOSE_POLICY);
    finish();
}

LOOP_TEST("control frames are paid for as time goes on")
{
    dx_ws_config config = quiet();

    config.control_burst = 5;
    config.control_per_second = 50;
    begin(DX_WS_SERVER, &config);
    for (int i = 0; i < 10; i++) {
        stage_send(&s, 0x89, "x", 1);
        turn_for(s.w.loop, 30);
    }
    CHECK_INT(s.us.closes, 0);
    for (int i = 0; i < 100 && s.us.closes == 0; i++)
        stage_send(&s, 0x8a, "x", 1);
    CHECK_INT(s.us.closes, 1);
    finish();
}

/* ---- faults ----------------------------------------------------------------------------------- */

/* Sends `bytes` as they are; the session must fail with `code`. */
static void check_fault(dx_ws_role role, dx_bytes bytes, uint16_t code)
{
    begin(role, NULL);
    peer_write(&s.w, &s.other, bytes);
    CHECK_INT(stage_expect_close(&s), code);
    stage_expect_end(&s);
    CHECK(s.other.is_ended);
    CHECK_INT(s.us.code, code);
    CHECK(s.us.reason[0] != '\0');
    CHECK_INT(s.us.messages, 0);
    finish();
}

LOOP_TEST("§7.1.7 each fault is answered with its code, told once, and ends the connection")
{
    check_fault(DX_WS_SERVER, DX_BYTES("\x81\x01x"), DX_WS_CLOSE_PROTOCOL);         /* no mask */
    check_fault(DX_WS_CLIENT, DX_BYTES("\x81\x81\1\2\3\4x"), DX_WS_CLOSE_PROTOCOL); /* a mask */
    check_fault(DX_WS_SERVER, DX_BYTES("\xa1\x80\1\2\3\4"), DX_WS_CLOSE_PROTOCOL);  /* RSV2 */
    check_fault(DX_WS_SERVER, DX_BYTES("\xc1\x80\1\2\3\4"), DX_WS_CLOSE_PROTOCOL);  /* no deflate */
    check_fault(DX_WS_SERVER, DX_BYTES("\x83\x80\1\2\3\4"), DX_WS_CLOSE_PROTOCOL);  /* opcode 3 */
    check_fault(DX_WS_SERVER, DX_BYTES("\x80\x80\1\2\3\4"), DX_WS_CLOSE_PROTOCOL);  /* stray */
    check_fault(DX_WS_SERVER, DX_BYTES("\x09\x80\1\2\3\4"), DX_WS_CLOSE_PROTOCOL);  /* fragmented */
    check_fault(DX_WS_SERVER, DX_BYTES("\x81\x81\0\0\0\0\xff"), DX_WS_CLOSE_DATA);  /* no UTF-8 */
    check_fault(DX_WS_SERVER, DX_BYTES("\x88\x81\0\0\0\0x"), DX_WS_CLOSE_PROTOCOL); /* one byte */
    check_fault(DX_WS_SERVER, DX_BYTES("\x88\x82\0\0\0\0\x03\xed"),
                DX_WS_CLOSE_PROTOCOL); /* 1005 */
    /* A20: from the head alone, without a byte of payload */
    check_fault(DX_WS_SERVER, DX_BYTES("\x82\xff\0\0\0\0\0\1\0\1\1\2\3\4"), DX_WS_CLOSE_TOO_BIG);
    check_fault(DX_WS_SERVER, DX_BYTES("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"),
                DX_WS_CLOSE_TOO_BIG);
}

LOOP_TEST("A20 a message may have message_bytes_max bytes, in fragments too, and not one more")
{
    static uint8_t big[1001];
    dx_ws_config config = quiet();

    config.message_bytes_max = 1000;
    begin(DX_WS_SERVER, &config);
    stage_send(&s, 0x82, big, 1000);
    stage_send(&s, 0x02, big, 999);
    stage_send(&s, 0x80, big, 1);
    TURN_UNTIL(s.w.loop, s.us.messages == 2);
    stage_send(&s, 0x02, big, 600);
    stage_send(&s, 0x00, big, 400);
    CHECK_INT(s.us.closes, 0);
    peer_write(&s.w, &s.other, DX_BYTES("\x80\x81\0\0\0\0")); /* the head of one more */
    CHECK_INT(stage_expect_close(&s), DX_WS_CLOSE_TOO_BIG);
    CHECK_INT(s.us.messages, 2);
    finish();
}

LOOP_TEST("a Close of ours arrives although the peer has sent much of what was refused")
{
    static uint8_t big[300000];

    begin(DX_WS_SERVER, NULL);
    peer_write_some(&s.other, DX_BYTES("\x82\xff\0\0\0\0\0\4\x93\xe0\0\0\0\0"));
    for (size_t at = 0; at < sizeof big && !s.other.is_reset; at += 50000) {
        peer_write_some(&s.other, dx_bytes_at(big + at, 50000));
        dx_loop_step(s.w.loop, 1);
    }
    CHECK_INT(stage_expect_close(&s), DX_WS_CLOSE_TOO_BIG);
    CHECK(!s.other.is_reset);
    finish();
}

/* ---- backpressure ----------------------------------------------------------------------------- */

LOOP_TEST("a full queue answers busy; room is told once, when it has left, and only then")
{
    static uint8_t big[300000];
    int sent = 0;

    begin(DX_WS_SERVER, NULL);
    while (sent < 100 && dx_ws_send(s.us.ws, DX_WS_MESSAGE_BINARY, dx_bytes_at(big, sizeof big)) ==
                             DX_SEND_QUEUED)
        sent++;
    CHECK(sent >= 4 && sent < 100);
    CHECK_INT(dx_ws_send(s.us.ws, DX_WS_MESSAGE_TEXT, DX_BYTES("busy")), DX_SEND_BUSY);
    world_settle(&s.w);
    CHECK_INT(s.us.rooms, 0);
    PEER_UNTIL(&s.w, &s.other, s.us.rooms == 1);
    CHECK_INT(dx_conn_queued(s.us.ws->conn), 0);
    CHECK_INT(dx_ws_send(s.us.ws, DX_WS_MESSAGE_TEXT, DX_BYTES("done")), DX_SEND_QUEUED);
    PEER_UNTIL(&s.w, &s.other, s.other.in.size == (size_t)sent * (sizeof big + 10) + 6);
    CHECK_INT(s.us.rooms, 1);
    peer_forget(&s.other);
    finish();
}

static void pause_hook(side *of, side_event event)
{
    (void)event;
    dx_ws_pause(of->ws);
}

LOOP_TEST("a paused session delivers nothing, not even what has come, until it is resumed")
{
    begin(DX_WS_SERVER, NULL);
    s.us.hook = pause_hook, s.us.hook_events = SIDE_MESSAGE;
    peer_write(&s.w, &s.other,
               DX_BYTES("\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b\x81\x81\0\0\0\0c\x89\x80\0\0\0\0"));
    turn_for(s.w.loop, 20);
    CHECK_INT(s.us.messages, 1);
    dx_ws_resume(s.us.ws);
    turn_for(s.w.loop, 20);
    CHECK_INT(s.us.messages, 2);
    s.us.hook = NULL;
    dx_ws_resume(s.us.ws);
    expect(0x8a, "");
    CHECK_BYTES(s.us.in, "ta|tb|tc|");
    finish();
}

LOOP_TEST("a paused session can be closed: the peer's Close is read")
{
    begin(DX_WS_SERVER, NULL);
    dx_ws_pause(s.us.ws);
    send_text(0x81, "unread");
    dx_ws_close(s.us.ws, 1000, (dx_bytes){0});
    CHECK_INT(stage_expect_close(&s), 1000);
    stage_send(&s, 0x88, "\x03\xe8", 2);
    stage_expect_end(&s);
    CHECK_INT(s.us.code, 1000);
    CHECK_INT(s.us.messages, 0);
    finish();
}

/* ---- keep-alive ------------------------------------------------------------------------------- */

static dx_ws_config alive(uint32_t ping_ms, uint32_t pong_ms)
{
    dx_ws_config config = DX_WS_CONFIG_DEFAULT;

    config.ping_ms = ping_ms;
    config.pong_ms = pong_ms;
    return config;
}

LOOP_TEST("F4 a silent peer is pinged, and lost when it stays silent")
{
    dx_ws_config config = alive(100, 80);

    begin(DX_WS_SERVER, &config);
    uint64_t begin_ms = dx_clock_ms();
    expect(0x89, "");
    CHECK(dx_clock_ms() - begin_ms >= 90);
    CHECK_INT(s.us.closes, 0);
    stage_expect_end(&s);
    CHECK(s.other.is_reset);
    CHECK(dx_clock_ms() - begin_ms >= 160 && dx_clock_ms() - begin_ms < 3000);
    TURN_UNTIL(s.w.loop, s.us.freed == 1);
    CHECK_INT(s.us.code, DX_WS_CLOSE_LOST);
    finish();
}

/* The peer answers each ping, for `ms`. */
static void answer_pings(uint64_t ms)
{
    uint64_t until_ms = dx_clock_ms() + ms;
    dx_buffer payload = {0};
    uint8_t first;

    while (dx_clock_ms() < until_ms) {
        dx_loop_step(s.w.loop, 5);
        peer_read(&s.other, SIZE_MAX);
        while (stage_next(&s, &first, &payload)) {
            CHECK_INT(first, 0x89);
            stage_send(&s, 0x8a, payload.at, payload.size);
        }
    }
    dx_buffer_clear(&payload);
}

LOOP_TEST("a peer that answers its pings lives, whichever of the two times is longer")
{
    dx_ws_config config = alive(40, 150);

    begin(DX_WS_SERVER, &config);
    answer_pings(600);
    CHECK_INT(s.us.closes, 0);
    finish();
    config = alive(150, 100);
    begin(DX_WS_CLIENT, &config);
    answer_pings(600);
    CHECK_INT(s.us.closes, 0);
    finish();
}

LOOP_TEST("a part of a frame is no sign of life for ever")
{
    dx_ws_config config = alive(60, 60);

    begin(DX_WS_SERVER, &config);
    peer_write(&s.w, &s.other, DX_BYTES("\x81\x85\0\0")); /* kept, and offered again by no write */
    uint64_t begin_ms = dx_clock_ms();
    PEER_UNTIL(&s.w, &s.other, s.us.freed == 1);
    CHECK(dx_clock_ms() - begin_ms < 3000);
    CHECK_INT(s.us.code, DX_WS_CLOSE_LOST);
    peer_forget(&s.other);
    finish();
}

LOOP_TEST("silence towards a session that does not listen is not held against the peer")
{
    dx_ws_config config = alive(50, 50);

    begin(DX_WS_SERVER, &config);
    dx_ws_pause(s.us.ws);
    send_text(0x81, "waiting");
    turn_for(s.w.loop, 400);
    CHECK_INT(s.us.closes, 0);
    dx_ws_resume(s.us.ws);
    TURN_UNTIL(s.w.loop, s.us.messages == 1);
    peer_forget(&s.other);
    finish();
}
