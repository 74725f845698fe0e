/* Tests of two sessions with each other, through a relay that splits what passes: messages, deflate,
 * backpressure, the end.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"
#include "ws/session_frame.h"
#include "ws/test_side.h"

#include <unistd.h>

static pair p;

static dx_ws_config config_of(uint32_t message_bytes_max)
{
    dx_ws_config config = DX_WS_CONFIG_DEFAULT;

    config.ping_ms = 0;
    config.message_bytes_max = message_bytes_max;
    return config;
}

/* ---- conversations ---------------------------------------------------------------------------- */

/* Words, so that it can be compressed, or bytes that cannot. */
static void make_message(uint8_t *to, size_t size, bool is_text)
{
    static const char *const words[] = {"stream ", "offset ",      "feed ",
                                        "cursor ", "k\xc3\xa4se ", "log "};

    if (!is_text) {
        fill_random(&p.seed, to, size);
        return;
    }
    for (size_t at = 0; at < size;) {
        const char *word = words[next_random(&p.seed) % DX_COUNT(words)];
        if (strlen(word) > size - at)
            word = "x";
        memcpy(to + at, word, strlen(word));
        at += strlen(word);
    }
}

/* Sends a random message from one side and notes what the other must get. */
static void say(side *from, dx_buffer *expected, size_t size_max)
{
    static uint8_t message[300000];
    size_t size = next_random(&p.seed) % (next_random(&p.seed) % 4 ? 200 : size_max);
    bool is_text = next_random(&p.seed) % 3 != 0;

    make_message(message, size, is_text);
    CHECK_INT(dx_ws_send(from->ws, is_text ? DX_WS_MESSAGE_TEXT : DX_WS_MESSAGE_BINARY,
                         dx_bytes_at(message, size)),
              DX_SEND_QUEUED);
    bool ok = dx_buffer_append(expected, is_text ? DX_BYTES("t") : DX_BYTES("b")) &&
              dx_buffer_append(expected, dx_bytes_at(message, size)) &&
              dx_buffer_append(expected, DX_BYTES("|"));
    dx_assert(ok);
}

static void converse(const dx_ws_deflate_params *params, size_t split_max, int rounds,
                     size_t size_max)
{
    dx_ws_config config = config_of(300000);
    dx_buffer to_server = {0}, to_client = {0};

    pair_init(&p, &config, params);
    p.bytes_max = split_max;
    p.seed = split_max * 31 + size_max;
    for (int i = 0; i < rounds; i++) {
        if (next_random(&p.seed) % 2)
            say(&p.client, &to_server, size_max);
        if (next_random(&p.seed) % 2)
            say(&p.server, &to_client, size_max);
        for (uint64_t n = next_random(&p.seed) % 20; n > 0; n--)
            pair_turn(&p);
    }
    PAIR_UNTIL(&p, p.server.in.size >= to_server.size && p.client.in.size >= to_client.size);
    CHECK(dx_bytes_equal(dx_buffer_view(&p.server.in), dx_buffer_view(&to_server)));
    CHECK(dx_bytes_equal(dx_buffer_view(&p.client.in), dx_buffer_view(&to_client)));
    bool keeps = params && (params->server_takeover || params->client_takeover);
    CHECK_INT(p.server.ws->extra != NULL, keeps); /* an idle session holds nothing it need not */
    CHECK_INT(p.client.ws->extra != NULL, keeps);
    CHECK_INT(p.server.closes + p.client.closes, 0);
    pair_deinit(&p);
    dx_buffer_clear(&to_server);
    dx_buffer_clear(&to_client);
}

LOOP_TEST("§5 messages of all sizes arrive whole and in order, however the bytes were split")
{
    converse(NULL, 1, 25, 2000);
    converse(NULL, 7, 60, 5000);
    converse(NULL, 100, 100, 20000);
    converse(NULL, 65536, 100, 290000);
}

LOOP_TEST("RFC 7692 the same with every kind of deflate")
{
    static const dx_ws_deflate_params kinds[] = {
        {false, false, 15, 15}, {true, true, 15, 15}, {true, false, 15, 15}, {false, true, 9, 12},
        {true, true, 9, 9},     {true, true, 15, 8},  {false, false, 10, 8},
    };

    for (size_t i = 0; i < DX_COUNT(kinds); i++) {
        converse(&kinds[i], 3, 20, 3000);
        converse(&kinds[i], 1000, 60, 20000);
        converse(&kinds[i], 65536, 40, 290000);
    }
}

LOOP_TEST(
    "RFC 7692 §7.2.3.2 a message repeated costs a third at most with takeover, without it the same")
{
    static uint8_t text[3000];

    for (int takeover = 0; takeover < 2; takeover++) {
        dx_ws_config config = config_of(65536);
        dx_ws_deflate_params params = {takeover, takeover, 15, 15};
        size_t cost[2];
        pair_init(&p, &config, &params);
        make_message(text, sizeof text, true);
        for (int i = 0; i < 2; i++) {
            CHECK_INT(dx_ws_send(p.server.ws, DX_WS_MESSAGE_TEXT, dx_bytes_at(text, sizeof text)),
                      DX_SEND_QUEUED);
            cost[i] = dx_conn_queued(p.server.ws->conn);
            PAIR_UNTIL(&p, p.client.messages == i + 1);
        }
        CHECK(cost[0] < sizeof text);
        CHECK(takeover ? cost[1] < cost[0] / 3 : cost[1] == cost[0]);
        pair_deinit(&p);
    }
}

/* ---- what must not come through ---------------------------------------------------------------- */

/* Puts `bytes` on the way to the server, as the client's. */
static void inject(dx_bytes bytes)
{
    CHECK_INT(write(p.relay[0], bytes.at, bytes.size), bytes.size);
}

static void check_refused(dx_bytes bytes, uint16_t code)
{
    dx_ws_config config = config_of(65536);
    dx_ws_deflate_params params = {true, true, 15, 15};

    pair_init(&p, &config, &params);
    inject(bytes);
    PAIR_UNTIL(&p, p.server.closes == 1 && p.client.closes == 1);
    CHECK_INT(p.server.code, code);
    CHECK_INT(p.client.code, code);
    CHECK_INT(p.server.messages, 0);
    PAIR_UNTIL(&p, p.server.freed == 1 && p.client.freed == 1);
    pair_deinit(&p);
}

LOOP_TEST("RFC 7692 what does not inflate, or not to UTF-8, is 1007")
{
    check_refused(DX_BYTES("\xc2\x84\0\0\0\0\xff\xff\xff\xff"), DX_WS_CLOSE_DATA);
    check_refused(DX_BYTES("\xc2\x83\0\0\0\0\xf2\x48\xcd"),
                  DX_WS_CLOSE_DATA); /* cut inside a block */
    check_refused(DX_BYTES("\xc1\x87\0\0\0\0\x00\x01\x00\xfe\xff\xff\x00"),
                  DX_WS_CLOSE_DATA); /* stored ff */
    check_refused(DX_BYTES("\x41\x80\0\0\0\0\xc0\x80\0\0\0\0"),
                  DX_WS_CLOSE_PROTOCOL); /* RSV1 again */
}

LOOP_TEST("A22 a small message that inflates above the limit is 1009, one at the limit is taken")
{
    static uint8_t zeros[65537];

    for (size_t size = 65536; size <= 65537; size++) {
        dx_ws_config config = config_of(65536);
        dx_ws_deflate_params params = {false, false, 15, 15};
        pair_init(&p, &config, &params);
        CHECK_INT(dx_ws_send(p.client.ws, DX_WS_MESSAGE_BINARY, dx_bytes_at(zeros, size)),
                  DX_SEND_QUEUED);
        CHECK(dx_conn_queued(p.client.ws->conn) < 500); /* the limit is not for what came */
        PAIR_UNTIL(&p, p.server.messages + p.server.closes == 1);
        CHECK_INT(p.server.messages, size == 65536);
        CHECK_INT(p.server.code, size == 65536 ? 0 : DX_WS_CLOSE_TOO_BIG);
        PAIR_UNTIL(&p, size == 65536 || p.client.code == DX_WS_CLOSE_TOO_BIG);
        pair_deinit(&p);
    }
}

/* ---- backpressure ----------------------------------------------------------------------------- */

static int flood_left;

static void flood(side *of, side_event event)
{
    static uint8_t big[50000];

    (void)event;
    while (flood_left > 0 &&
           dx_ws_send(of->ws, DX_WS_MESSAGE_BINARY, dx_bytes_at(big, sizeof big)) == DX_SEND_QUEUED)
        flood_left--;
}

LOOP_TEST("a flood goes at the pace of who reads it: busy, room, and everything arrives")
{
    dx_ws_config config = config_of(65536);

    config.queue_bytes_max = 200000;
    pair_init(&p, &config, NULL);
    p.bytes_max = 65536;
    p.client.hook = flood, p.client.hook_events = SIDE_ROOM;
    flood_left = 300;
    flood(&p.client, SIDE_ROOM);
    CHECK(flood_left > 280);
    PAIR_UNTIL(&p, p.server.messages == 300);
    CHECK(p.client.rooms >= 20);
    CHECK_INT(p.server.in.size, 300 * 50002);
    pair_deinit(&p);
}

LOOP_TEST("an echo of more than both queues hold comes back whole while its sender reads")
{
    static uint8_t big[250000];
    dx_ws_config config = config_of(300000);

    pair_init(&p, &config, NULL);
    p.bytes_max = 65536;
    p.server.echoes = true;
    for (int i = 0; i < 6; i++)
        CHECK_INT(dx_ws_send(p.client.ws, DX_WS_MESSAGE_BINARY, dx_bytes_at(big, sizeof big)),
                  i < 5 ? DX_SEND_QUEUED : DX_SEND_BUSY);
    PAIR_UNTIL(&p, p.client.messages == 5);
    CHECK_INT(p.client.in.size, 5 * (sizeof big + 2));
    CHECK_INT(p.client.rooms, 1);
    pair_deinit(&p);
}

/* ---- the end ---------------------------------------------------------------------------------- */

LOOP_TEST("§7 either side may begin the closing handshake; both are told its code, once")
{
    for (int who = 0; who < 2; who++) {
        dx_ws_config config = config_of(65536);
        pair_init(&p, &config, NULL);
        p.bytes_max = 3;
        side *from = who ? &p.client : &p.server, *to = who ? &p.server : &p.client;
        CHECK_INT(dx_ws_send(from->ws, DX_WS_MESSAGE_TEXT, DX_BYTES("last words")), DX_SEND_QUEUED);
        dx_ws_close(from->ws, 3000, DX_BYTES("done"));
        PAIR_UNTIL(&p, p.server.freed == 1 && p.client.freed == 1);
        CHECK_BYTES(to->in, "tlast words|");
        CHECK_INT(to->code, 3000);
        CHECK(strcmp(to->reason, "done") == 0);
        CHECK_INT(from->code, 3000);
        CHECK(from->closes == 1 && to->closes == 1);
        pair_deinit(&p);
    }
}

LOOP_TEST("§7.1.2 both sides may close at once: each is told the other's code")
{
    dx_ws_config config = config_of(65536);

    pair_init(&p, &config, NULL);
    dx_ws_close(p.server.ws, 1001, DX_BYTES("server"));
    dx_ws_close(p.client.ws, 1000, DX_BYTES("client"));
    uint64_t begin_ms = dx_clock_ms();
    PAIR_UNTIL(&p, p.server.freed == 1 && p.client.freed == 1);
    CHECK(dx_clock_ms() - begin_ms < 2000); /* nobody waited for a timeout */
    CHECK_INT(p.server.code, 1000);
    CHECK_INT(p.client.code, 1001);
    CHECK(p.server.closes == 1 && p.client.closes == 1);
    pair_deinit(&p);
}

LOOP_TEST("a connection that breaks is 1006 at both ends")
{
    dx_ws_config config = config_of(65536);

    pair_init(&p, &config, NULL);
    CHECK_INT(dx_ws_send(p.server.ws, DX_WS_MESSAGE_TEXT, DX_BYTES("never arrives")),
              DX_SEND_QUEUED);
    close(p.relay[0]);
    close(p.relay[1]);
    p.relay[0] = p.relay[1] = -1;
    TURN_UNTIL(p.w.loop, p.server.freed == 1 && p.client.freed == 1);
    CHECK_INT(p.server.code, DX_WS_CLOSE_LOST);
    CHECK_INT(p.client.code, DX_WS_CLOSE_LOST);
    pair_deinit(&p);
}

/* ---- held back -------------------------------------------------------------------------------- */

static void unsettle(side *of, side_event event)
{
    (void)event;
    dx_ws_unsettle(of->ws);
}

LOOP_TEST("a ping behind a message that is still worked on waits until that is settled")
{
    dx_ws_config config = config_of(65536);

    pair_init(&p, &config, NULL);
    p.server.hook = unsettle, p.server.hook_events = SIDE_MESSAGE;
    inject(DX_BYTES("\x81\x81\0\0\0\0m\x89\x81\0\0\0\0p\x81\x81\0\0\0\0n"));
    for (int i = 0; i < 20; i++)
        pair_turn(&p);
    CHECK_INT(p.server.messages, 1);
    uint8_t byte;
    CHECK(read(p.relay[0], &byte, 1) < 0); /* no Pong yet */
    dx_ws_pause(p.server.ws);
    dx_ws_resume(p.server.ws); /* does not let it overtake */
    for (int i = 0; i < 20; i++)
        pair_turn(&p);
    CHECK_INT(p.server.messages, 1);
    p.server.hook = NULL;
    dx_ws_send(p.server.ws, DX_WS_MESSAGE_TEXT, DX_BYTES("what it brought about"));
    dx_ws_settle(p.server.ws);
    PAIR_UNTIL(&p, p.server.messages == 2 && p.client.messages == 1);
    CHECK(p.server.ws->extra == NULL);
    pair_deinit(&p);
}

LOOP_TEST("a session that ends while an event is held back ends well")
{
    dx_ws_config config = config_of(65536);

    config.close_ms = 50;
    for (int how = 0; how < 3; how++) {
        pair_init(&p, &config, NULL);
        p.server.hook = unsettle, p.server.hook_events = SIDE_MESSAGE;
        inject(DX_BYTES("\x81\x81\0\0\0\0m\x88\x80\0\0\0\0"));
        for (int i = 0; i < 10; i++)
            pair_turn(&p);
        CHECK_INT(p.server.closes, 0);
        if (how == 0)
            dx_ws_settle(p.server.ws);
        else if (how == 1)
            dx_ws_close(p.server.ws, 1000, (dx_bytes){0}); /* never settled: by time */
        else
            dx_conn_abort(p.server.ws->conn, DX_ERR_CLOSED, true);
        PAIR_UNTIL(&p, p.server.freed == 1 && p.client.freed == 1);
        CHECK_INT(p.server.code, how == 0 ? DX_WS_CLOSE_NO_CODE : DX_WS_CLOSE_LOST);
        pair_deinit(&p);
    }
}
