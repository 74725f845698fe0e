/* The client against a server of HTTP/2 that goes away, refuses, stalls, or breaks the rules.
 * Source: RFC 9113 §5.4, §6.8, §8.7, §10.5.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_client_far.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const dx_bytes nothing = {NULL, 0};

static void open_scene(scene *s, far *f)
{
    scene_init(s, DX_HTTP_VERSION_2);
    far_init(f, s);
}

static void close_scene(scene *s, far *f)
{
    far_deinit(f);
    scene_deinit(s);
}

/* A request under way on stream 1, the server's SETTINGS sent. */
static void begin_scene(scene *s, far *f)
{
    open_scene(s, f);
    scene_send(s, "GET", nothing, true);
    FAR_AWAIT(f, 1);
    far_settings(f);
}

/* ---- going away ------------------------------------------------------------------------------- */

TEST(
    "§6.8 requests that GOAWAY leaves out were not looked at, and may be sent again; the others go on")
{
    enum { COUNT = 3 };
    scene s[COUNT];
    far f;

    open_scene(&s[0], &f);
    for (int i = 1; i < COUNT; i++)
        scene_init_beside(&s[i], &s[0]);
    for (int i = 0; i < COUNT; i++)
        scene_send(&s[i], "GET", nothing, true);
    FAR_AWAIT(&f, 2 * COUNT - 1);
    far_settings(&f);
    far_ok(&f, 1, false);
    far_data(&f, 1, 0, "hel");
    far_goaway(&f, 1, NGHTTP2_NO_ERROR);
    for (int i = 1; i < COUNT; i++) {
        run_until_told(&s[i]);
        CHECK_INT(s[i].err, DX_ERR_BUSY);
        CHECK(strstr(s[i].why, "may be sent again") != NULL);
    }
    CHECK(!scene_is_told(&s[0]));
    int old = s[0].peer;
    s[1].faileds_count = 0;
    s[0].peer = -1;
    dx_buffer_clear(&s[0].asked);
    far other;
    far_init(&other, &s[0]);
    scene_send(&s[1], "GET", nothing, true); /* on another connection, meanwhile */
    FAR_AWAIT(&other, 1);
    far_settings(&other);
    far_ok(&other, 1, true);
    run_until_told(&s[1]);
    CHECK_INT(s[1].dones_count, 1);
    int new = s[0].peer;
    s[0].peer = old;
    far_data(&f, 1, ES, "lo");
    run_until_told(&s[0]);
    CHECK_BYTES(dx_buffer_view(&s[0].body), "hello");
    CHECK_INT(s[0].net.conns_begun_count, 2);
    close(new);
    far_deinit(&other);
    for (int i = COUNT - 1; i > 0; i--)
        scene_deinit(&s[i]);
    close_scene(&s[0], &f);
}

TEST(
    "§6.8 a connection that is going away is not used again, and ends when its last answer is whole")
{
    scene s;
    far f;

    begin_scene(&s, &f);
    far_goaway(&f, 0x7fffffff, NGHTTP2_NO_ERROR); /* the first of two */
    run_turns(&s, 3);
    far_ok(&f, 1, true);
    run_until_told(&s);
    CHECK_INT(s.dones_count, 1);
    FAR_UNTIL(&f, f.is_over);
    s.dones_count = 0;
    far_hang_up(&f);
    scene_send(&s, "GET", nothing, true);
    FAR_AWAIT(&f, 1);
    CHECK_INT(s.net.conns_begun_count, 2);
    close_scene(&s, &f);
}

TEST("§6.8 a GOAWAY with an error says why the rest fails")
{
    scene s;
    far f;

    begin_scene(&s, &f);
    far_goaway(&f, 1, NGHTTP2_ENHANCE_YOUR_CALM);
    run_turns(&s, 3);
    far_hang_up(&f);
    run_until_told(&s);
    CHECK_INT(s.err, DX_ERR_RESET);
    CHECK(strstr(s.why, "ENHANCE_YOUR_CALM") != NULL);
    close_scene(&s, &f);
}

TEST("§6.4, §8.7 a reset says what it was")
{
    static const struct {
        uint32_t code;
        dx_err err;
        const char *why;
    } rows[] = {
        {NGHTTP2_REFUSED_STREAM, DX_ERR_BUSY, "may be sent again"},
        {NGHTTP2_HTTP_1_1_REQUIRED, DX_ERR_UNSUPPORTED, "wants HTTP/1.1"},
        {NGHTTP2_CANCEL, DX_ERR_RESET, "CANCEL"},
        {NGHTTP2_NO_ERROR, DX_ERR_RESET, "before its answer was whole"},
        {NGHTTP2_INTERNAL_ERROR, DX_ERR_RESET, "INTERNAL_ERROR"},
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++)
        for (int later = 0; later < 2; later++) { /* in the middle of an answer */
            scene s;
            far f;
            begin_scene(&s, &f);
            if (later) {
                far_ok(&f, 1, false);
                far_data(&f, 1, 0, "hel");
            }
            far_reset(&f, 1, rows[i].code);
            run_until_told(&s);
            CHECK_INT(s.err, rows[i].err);
            CHECK(strstr(s.why, rows[i].why) != NULL);
            s.faileds_count = 0;
            scene_send(&s, "GET", nothing, true); /* the connection is good */
            FAR_AWAIT(&f, 3);
            CHECK_INT(s.net.conns_begun_count, 1);
            close_scene(&s, &f);
        }
}

TEST("a server that ends, or resets, the connection in the middle")
{
    for (int resets = 0; resets < 2; resets++) {
        scene s, beside;
        far f;
        struct linger at_once = {.l_onoff = 1};
        open_scene(&s, &f);
        scene_init_beside(&beside, &s);
        scene_send(&s, "GET", nothing, true);
        scene_send(&beside, "GET", nothing, true);
        FAR_AWAIT(&f, 3);
        far_settings(&f);
        far_ok(&f, 1, false);
        run_turns(&s, 3);
        if (resets)
            setsockopt(s.peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        else
            far_read(&f); /* else the kernel resets it */
        peer_close(&s);
        run_until_told(&s);
        run_until_told(&beside);
        CHECK_INT(s.err, DX_ERR_RESET);
        CHECK_INT(beside.err, DX_ERR_RESET);
        CHECK(resets || strstr(s.why, "before its answer was whole") != NULL);
        scene_deinit(&beside);
        close_scene(&s, &f);
    }
}

TEST("nobody listens: refused, whoever waits")
{
    scene s, beside;

    scene_init(&s, DX_HTTP_VERSION_2);
    scene_init_beside(&beside, &s);
    shutdown(s.listener, SHUT_RDWR);
    scene_send(&s, "GET", nothing, false);
    scene_send(&beside, "GET", nothing, false);
    run_until_told(&s);
    run_until_told(&beside);
    CHECK_INT(s.err, DX_ERR_REFUSED);
    CHECK_INT(beside.err, DX_ERR_REFUSED);
    scene_deinit(&beside);
    scene_deinit(&s);
}

/* ---- time ------------------------------------------------------------------------------------- */

static void send_for(scene *s, uint32_t timeout_ms)
{
    CHECK_INT(
        dx_http_client_send(s->client, &(dx_http_client_request){.method = DX_BYTES("GET"),
                                                                 .target = DX_BYTES("/"),
                                                                 .authority = DX_BYTES("test"),
                                                                 .timeout_ms = timeout_ms,
                                                                 .keep_alive = true}),
        DX_OK);
}

TEST("a server that does not answer: the request is cancelled, and the others go on")
{
    scene s, beside;
    far f;

    open_scene(&s, &f);
    scene_init_beside(&beside, &s);
    send_for(&s, 100);
    scene_send(&beside, "GET", nothing, true);
    FAR_AWAIT(&f, 3);
    far_settings(&f);
    run_until_told(&s);
    CHECK_INT(s.err, DX_ERR_TIMEOUT);
    FAR_UNTIL(&f, far_of(&f, 1)->is_reset);
    CHECK_INT(far_of(&f, 1)->reset_code, NGHTTP2_CANCEL);
    far_ok(&f, 1, true); /* too late, and no fault */
    far_ok(&f, 3, true);
    run_until_told(&beside);
    CHECK_INT(beside.dones_count, 1);
    CHECK_INT(s.dones_count, 0);
    scene_deinit(&beside);
    close_scene(&s, &f);
}

TEST("§3.4 a server that says nothing, not even SETTINGS")
{
    scene s;
    far f;

    open_scene(&s, &f);
    s.origin.http2.settings_ms = 80;
    scene_send(&s, "GET", nothing, true);
    FAR_AWAIT(&f, 1);
    run_until_told(&s);
    CHECK_INT(s.err, DX_ERR_TIMEOUT);
    CHECK(strstr(s.why, "no SETTINGS") != NULL);
    FAR_UNTIL(&f, f.is_over);
    CHECK_INT(f.goaway_code, NGHTTP2_SETTINGS_TIMEOUT);
    close_scene(&s, &f);
}

TEST("§10.5 a head that does not end holds up nobody for ever")
{
    scene s;
    far f;

    open_scene(&s, &f);
    s.origin.http2.head_ms = 80;
    scene_send(&s, "GET", nothing, true);
    FAR_AWAIT(&f, 1);
    far_settings(&f);
    far_frame(&f, NGHTTP2_HEADERS, 0, 1, DX_BYTES("\x88"));
    run_until_told(&s);
    CHECK_INT(s.err, DX_ERR_TIMEOUT);
    CHECK(strstr(s.why, "took too long") != NULL);
    close_scene(&s, &f);
}

TEST("§6.9 a server whose window stays shut for too long")
{
    enum { SIZE = 100000 };
    scene s;
    far f;
    uint8_t *body = calloc(1, SIZE);

    open_scene(&s, &f);
    s.origin.http2.stalled_ms = 80;
    scene_send(&s, "POST", dx_bytes_at(body, SIZE), true);
    run_until_told(&s);
    CHECK_INT(s.err, DX_ERR_TIMEOUT);
    far_read(&f);
    FAR_UNTIL(&f, far_of(&f, 1)->is_reset);
    CHECK_INT(far_of(&f, 1)->body.size, 65535);
    close_scene(&s, &f);
    free(body);
}

/* ---- what a server may make us hold ------------------------------------------------------------ */

TEST("§6.5.2, §10.5.1 a head that is too large fails its request, one far too large the connection")
{
    static char value[16000];

    memset(value, 'x', sizeof value - 1);
    for (int fields = 1; fields <= 4; fields++) {
        scene s;
        far f;
        uint8_t block[70000];
        begin_scene(&s, &f);
        size_t size = far_block(block, sizeof block, ":status", "200", NULL);
        for (int i = 0; i < fields; i++)
            size += far_block(block + size, sizeof block - size, "x", value, NULL);
        f.is_held = true;
        size_t at = dx_min_size(size, 16384);
        far_frame(&f, NGHTTP2_HEADERS, at == size ? EH : 0, 1, dx_bytes_at(block, at));
        for (size_t part; at < size; at += part) {
            part = dx_min_size(size - at, 16384);
            far_frame(&f, NGHTTP2_CONTINUATION, at + part == size ? EH : 0, 1,
                      dx_bytes_at(block + at, part));
        }
        peer_say(&s, dx_buffer_view(&f.out));
        f.is_held = false;
        dx_buffer_clear(&f.out);
        if (fields == 1) {
            far_data(&f, 1, ES, "small enough");
            run_until_told(&s);
            CHECK_INT(s.dones_count, 1);
        } else {
            run_until_told(&s);
            CHECK_INT(s.heads_count, 0);
            CHECK(strstr(s.why, fields < 4 ? "too large" : "far too large") != NULL);
            FAR_UNTIL(&f, fields < 4 ? far_of(&f, 1)->is_reset : f.goaways == 1);
        }
        close_scene(&s, &f);
    }
}

static void say_many_continuations(far *f)
{
    uint8_t field[] = {0, 1, 'x', 1, 'y'};

    far_frame(f, NGHTTP2_HEADERS, 0, 1, DX_BYTES("\x88"));
    for (int i = 0; i < 9; i++)
        far_frame(f, NGHTTP2_CONTINUATION, 0, 1, dx_bytes_at(field, sizeof field));
}

static void say_pings(far *f)
{
    f->is_held = true;
    for (int i = 0; i < 1100; i++)
        far_frame(f, NGHTTP2_PING, 0, 0, DX_BYTES("duplex?!"));
    peer_say(f->s, dx_buffer_view(&f->out));
}

static void say_empty_data(far *f)
{
    far_ok(f, 1, false);
    f->is_held = true;
    for (int i = 0; i < 1100; i++)
        far_data(f, 1, 0, "");
    peer_say(f->s, dx_buffer_view(&f->out));
}

static void say_settings(far *f)
{
    f->is_held = true;
    for (int i = 0; i < 1100; i++)
        far_setting(f, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65535);
    peer_say(f->s, dx_buffer_view(&f->out));
}

static void say_interims(far *f)
{
    f->is_held = true;
    for (int i = 0; i < 1100; i++)
        far_head(f, 1, 0, ":status", "103", NULL);
    peer_say(f->s, dx_buffer_view(&f->out));
}

static void say_push(far *f)
{
    uint8_t payload[200] = {0, 0, 0, 2};
    size_t size = far_block(payload + 4, sizeof payload - 4, ":method", "GET", ":scheme", "http",
                            ":authority", "test", ":path", "/pushed", NULL);

    far_frame(f, NGHTTP2_PUSH_PROMISE, EH, 1, dx_bytes_at(payload, 4 + size));
}

static void say_too_long(far *f)
{
    static const uint8_t head[] = {0, 0x40, 1, NGHTTP2_DATA, 0, 0, 0, 0, 1};
    peer_say(f->s, dx_bytes_at(head, sizeof head));
}

static void say_bad_hpack(far *f)
{
    far_frame(f, NGHTTP2_HEADERS, EH | ES, 1, DX_BYTES("\xff\xff\xff\xff\xff\xff"));
}

static void say_on_stream_0(far *f)
{
    far_data(f, 0, 0, "nobody's");
}

static void say_above_window(far *f)
{
    far_ok(f, 1, false);
    far_window(f, 0, 0x7fffffff); /* the sum is above 2^31-1 */
}

static void say_on_idle_stream(far *f)
{
    far_ok(f, 77, true);
}

TEST("§5.4.1, §8.4, §10.5 what breaks the connection's rules, or floods it, ends it, and says so")
{
    static const struct {
        const char *about;
        void (*say)(far *f);
        uint32_t code;
    } rows[] = {
        {"a head in too many frames", say_many_continuations, NGHTTP2_ENHANCE_YOUR_CALM},
        {"pings without end", say_pings, NGHTTP2_ENHANCE_YOUR_CALM},
        {"empty DATA without end", say_empty_data, NGHTTP2_ENHANCE_YOUR_CALM},
        {"SETTINGS without end", say_settings, NGHTTP2_ENHANCE_YOUR_CALM},
        {"interim answers without end", say_interims, NGHTTP2_ENHANCE_YOUR_CALM},
        {"a push", say_push, NGHTTP2_PROTOCOL_ERROR},
        {"a frame too long", say_too_long, NGHTTP2_FRAME_SIZE_ERROR},
        {"no HPACK", say_bad_hpack, NGHTTP2_COMPRESSION_ERROR},
        {"DATA on stream 0", say_on_stream_0, NGHTTP2_PROTOCOL_ERROR},
        {"a window above 2^31-1", say_above_window, NGHTTP2_FLOW_CONTROL_ERROR},
        {"an answer to nothing", say_on_idle_stream, NGHTTP2_PROTOCOL_ERROR},
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        scene s;
        far f;
        begin_scene(&s, &f);
        rows[i].say(&f);
        run_until_told(&s);
        if (s.faileds_count != 1 || s.err != DX_ERR_PROTOCOL)
            TAP_FAIL("%s: %u done, error %d: %s", rows[i].about, s.dones_count, s.err, s.why);
        FAR_UNTIL(&f, f.goaways > 0);
        if (f.goaway_code != rows[i].code)
            TAP_FAIL("%s: GOAWAY with %u", rows[i].about, f.goaway_code);
        FAR_UNTIL(&f, f.is_over);
        far_hang_up(&f);
        s.faileds_count = 0;
        scene_send(&s, "GET", nothing, true); /* on another connection */
        FAR_AWAIT(&f, 1);
        close_scene(&s, &f);
    }
}

/* ---- malformed answers -------------------------------------------------------------------------- */

static void say_upper_case(far *f)
{
    far_head(f, 1, ES, ":status", "200", "Upper", "case", NULL);
}

static void say_no_status(far *f)
{
    far_head(f, 1, ES, "x", "y", NULL);
}

static void say_bad_status(far *f)
{
    far_head(f, 1, ES, ":status", "2000", NULL);
}

static void say_101(far *f)
{
    far_head(f, 1, 0, ":status", "101", NULL);
}

static void say_connection(far *f)
{
    far_head(f, 1, ES, ":status", "200", "connection", "close", NULL);
}

static void say_short(far *f)
{
    far_head(f, 1, 0, ":status", "200", "content-length", "5", NULL);
    far_data(f, 1, ES, "hel");
}

static void say_long(far *f)
{
    far_head(f, 1, 0, ":status", "200", "content-length", "2", NULL);
    far_data(f, 1, ES, "hello");
}

TEST("§8.1.1 a malformed answer fails its request, and no other")
{
    static const struct {
        const char *about;
        void (*say)(far *f);
    } rows[] = {
        {"a name in upper case", say_upper_case},    {"no :status", say_no_status},
        {"a status of four digits", say_bad_status}, {"101", say_101},
        {"a field of connections", say_connection},  {"less than was announced", say_short},
        {"more than was announced", say_long},    };

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        scene s;
        far f;
        begin_scene(&s, &f);
        rows[i].say(&f);
        run_until_told(&s);
        if (s.faileds_count != 1 || s.err != DX_ERR_PROTOCOL ||
            strstr(s.why, "breaks the rules") == NULL)
            TAP_FAIL("%s: %u done, error %d: %s", rows[i].about, s.dones_count, s.err, s.why);
        FAR_UNTIL(&f, far_of(&f, 1)->is_reset);
        s.faileds_count = 0;
        scene_send(&s, "GET", nothing, true);
        FAR_AWAIT(&f, 3);
        far_ok(&f, 3, true);
        run_until_told(&s);
        CHECK_INT(s.dones_count, 1);
        CHECK_INT(s.net.conns_begun_count, 1);
        close_scene(&s, &f);
    }
}

/* ---- those that speak something else ------------------------------------------------------------ */

TEST("§3.4 a server that does not speak HTTP/2 is told by its first bytes")
{
    static const struct {
        const char *says, *why;
    } rows[] = {
        {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "speaks HTTP/1.1"},
        {"\0\0\x05\0\1\0\0\0\1hello",
         "PROTOCOL_ERROR"}, /* frames, but SETTINGS are not the first */
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        scene s;
        far f;
        open_scene(&s, &f);
        scene_send(&s, "GET", nothing, true);
        FAR_AWAIT(&f, 1);
        peer_say(&s, dx_bytes_at(rows[i].says, i == 1 ? 14 : strlen(rows[i].says)));
        run_until_told(&s);
        CHECK_INT(s.err, DX_ERR_PROTOCOL);
        if (strstr(s.why, rows[i].why) == NULL)
            TAP_FAIL("it says: %s", s.why);
        close_scene(&s, &f);
    }
}

/* ---- being freed -------------------------------------------------------------------------------- */

TEST("a client may be freed from each of its callbacks, and while it connects")
{
    for (int where = 0; where < 5; where++) {
        scene s, beside;
        far f;
        open_scene(&s, &f);
        scene_init_beside(&beside, &s);
        s.frees_on_head = where == 0;
        s.frees_on_body = where == 1;
        s.frees_on_done = where == 2;
        scene_send(&s, "GET", nothing, true);
        if (where == 4)
            scene_free_client(&s);
        scene_send(&beside, "GET", nothing, true);
        int32_t id = where == 4 ? 1 : 3;
        FAR_AWAIT(&f, id);
        far_settings(&f);
        if (where < 3) {
            far_ok(&f, 1, false);
            far_data(&f, 1, 0, "a");
            far_data(&f, 1, ES, "b");
        } else if (where == 3) {
            scene_free_client(&s);
        }
        for (int i = 0; i < TURNS_MAX && s.client; i++)
            dx_loop_step(s.loop, WAIT_MS);
        CHECK(s.client == NULL);
        CHECK_INT(s.heads_count, where < 3);
        CHECK_INT(s.body.size, where == 2 ? 2 : where == 1);
        CHECK_INT(s.dones_count, where == 2);
        far_ok(&f, id, true);
        run_until_told(&beside);
        CHECK_INT(beside.dones_count, 1);
        scene_deinit(&beside);
        close_scene(&s, &f);
    }
}
