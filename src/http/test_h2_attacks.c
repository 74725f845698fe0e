/* HTTP/2 under attack: what the attacker gets, what it costs, and that another client is served meanwhile.
 * Source: RFC 9113 §10.5; the CVEs that the tests name.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_h2.h"

enum { FLOOD_MAX = 100000 }; /* frames, before a test gives up */

static h2 c, good;
static int32_t good_id;

static void begin(const dx_http_config *config)
{
    h2_open(&c, config);
    CHECK(h2_greet(&c));
    h2_open_beside(&good, &c);
    CHECK(h2_greet(&good));
    good_id = 1;
}

static void finish(void)
{
    h2_close_beside(&good, &c);
    h2_close(&c);
}

/* The other client is served, at any time. */
static void check_good(void)
{
    h2_get(&good, good_id, "/hello");
    H2_UNTIL(&good, h2_of(&good, good_id)->is_ended);
    CHECK_INT(h2_of(&good, good_id)->status, 200);
    good_id += 2;
}

static dx_http2 *server_side(void)
{
    return h2_server_conn(&c)->protocol;
}

static void check_calmed(void)
{
    h2_expect(&c, GOAWAY(C(ENHANCE_YOUR_CALM)));
    check_good();
}

/* Sends the same frames until the server ends it; gives how often. */
static int flood(const void *frames, size_t size)
{
    int sent = 0;

    while (sent < FLOOD_MAX && !h2_is_over(&c) && c.goaways == 0) {
        h2_bytes(&c, frames, size);
        h2_read(&c);
        if (++sent % 256 == 0)
            check_good();
    }
    CHECK(sent < FLOOD_MAX);
    return sent;
}

/* ---- resets ------------------------------------------------------------------------------------------ */

/* Requests, and what `trouble` makes of each; gives how many. */
static int trouble_flood(void (*trouble)(int32_t id))
{
    int32_t id = 1;

    for (; id < 20000 && !h2_is_over(&c) && c.goaways == 0; id += 2) {
        trouble(id);
        h2_read(&c);
        if (id % 100 == 1)
            check_good();
    }
    return id / 2;
}

static size_t put_request(uint8_t *to, int32_t id, const char *path)
{
    size_t size = h2_block(to + 9, 200, ":method", "GET", ":scheme", "http", ":path", path,
                           ":authority", "a", NULL);
    const uint8_t head[9] = {0,
                             0,
                             (uint8_t)size,
                             NGHTTP2_HEADERS,
                             ES | EH,
                             (uint8_t)(id >> 24),
                             (uint8_t)(id >> 16),
                             (uint8_t)(id >> 8),
                             (uint8_t)id};
    memcpy(to, head, 9);
    return size + 9;
}

static size_t put_reset(uint8_t *to, int32_t id)
{
    const uint8_t frame[13] = {0,
                               0,
                               4,
                               NGHTTP2_RST_STREAM,
                               0,
                               (uint8_t)(id >> 24),
                               (uint8_t)(id >> 16),
                               (uint8_t)(id >> 8),
                               (uint8_t)id,
                               0,
                               0,
                               0,
                               8};
    memcpy(to, frame, 13);
    return 13;
}

LOOP_TEST("A12 CVE-2023-44487 rapid reset, 100,000 in a row: few handlers run, GOAWAY")
{
    static uint8_t bytes[1000 * 120];
    int32_t id = 1;

    begin(NULL);
    while (id < 200000 && !h2_is_over(&c) && c.goaways == 0) {
        size_t size = 0;
        for (int i = 0; i < 1000; i++, id += 2) {
            size += put_request(bytes + size, id, "/later");
            size += put_reset(bytes + size, id);
        }
        h2_bytes(&c, bytes, size);
        h2_read(&c);
    }
    check_calmed();
    CHECK(c.s.handled <= 500);
    CHECK_INT(c.s.later_count, 0);
    finish();
}

static void reset_each(int32_t id)
{
    h2_get(&c, id, "/later");
    h2_reset(&c, id, NGHTTP2_CANCEL);
}

LOOP_TEST("A12 rapid reset, one by one: slowed down, then GOAWAY")
{
    begin(NULL);
    int count = trouble_flood(reset_each);
    CHECK(count >= 200 && count <= 500);
    check_calmed();
    CHECK(c.s.handled <= 510); /* the good one's, too */
    CHECK_INT(c.s.later_count, 0);
    finish();
}

LOOP_TEST("a page that goes away resets all its streams at once, and its next page is served")
{
    begin(NULL);
    for (int page = 0; page < 2; page++) {
        int32_t first = 1 + page * 200;
        for (int32_t id = first; id < first + 180; id += 2)
            h2_get(&c, id, "/later");
        H2_UNTIL(&c, c.s.later_count == 90);
        for (int32_t id = first; id < first + 180; id += 2)
            h2_reset(&c, id, NGHTTP2_CANCEL);
        H2_UNTIL(&c, c.s.later_count == 0);
    }
    h2_get(&c, 501, "/hello");
    H2_UNTIL(&c, h2_of(&c, 501)->is_ended);
    CHECK_INT(c.goaways, 0);
    finish();
}

/* ---- A13: resets that the client provokes ------------------------------------------------------------- */

static void window_of_zero(int32_t id)
{
    h2_get(&c, id, "/later");
    h2_window(&c, id, 0);
}

static void window_overflow(int32_t id)
{
    h2_get(&c, id, "/later");
    h2_window(&c, id, INT32_MAX);
}

static void priority_of_4(int32_t id)
{
    h2_get(&c, id, "/later");
    H2_FRAME(&c, NGHTTP2_PRIORITY, 0, id, "\0\0\0\0");
}

static void data_after_end(int32_t id)
{
    h2_get(&c, id, "/later");
    h2_data(&c, id, ES, "x");
}

static void head_after_end(int32_t id)
{
    h2_get(&c, id, "/later");
    h2_get(&c, id, "/later");
}

static void wrong_length(int32_t id)
{
    h2_headers(&c, id, EH, ":method", "POST", ":scheme", "http", ":path", "/echo", ":authority",
               "a", "content-length", "1", NULL);
    h2_data(&c, id, ES, "four");
}

static void too_large(int32_t id)
{
    h2_headers(&c, id, EH, ":method", "POST", ":scheme", "http", ":path", "/echo", ":authority",
               "a", "content-length", "9999", NULL);
}

static void refused_tunnel(int32_t id)
{
    h2_headers(&c, id, EH, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http",
               ":path", "/hello", ":authority", "a", NULL);
}

LOOP_TEST(
    "A13 CVE-2025-8671 resets that the client provokes, in eight ways: the same bucket, GOAWAY")
{
    static void (*const ways[])(int32_t) = {window_of_zero, window_overflow, priority_of_4,
                                            data_after_end, head_after_end,  wrong_length,
                                            too_large,      refused_tunnel};

    for (size_t i = 0; i < DX_COUNT(ways); i++) {
        begin(NULL);
        int count = trouble_flood(ways[i]);
        H2_UNTIL(&c, h2_is_over(&c));
        CHECK(c.goaways > 0 && c.goaway_codes[0] != NGHTTP2_NO_ERROR);
        CHECK(count <= 500);
        CHECK(c.s.handled <= 510);
        check_good();
        finish();
    }
}

/* ---- A14, A15: heads -------------------------------------------------------------------------------------- */

LOOP_TEST("A14 CVE-2024-27316 CONTINUATION without end: GOAWAY after 8 frames, whatever their size")
{
    static const size_t sizes[] = {0, 1, 1000, 16000};
    static uint8_t block[16384];

    /* fields of one byte each for name and value: "x: y" */
    for (size_t i = 0; i + 5 <= sizeof block; i += 5)
        memcpy(block + i, "\0\001x\001y", 5);
    for (size_t i = 0; i < DX_COUNT(sizes); i++) {
        begin(NULL);
        h2_headers(&c, 1, ES, ":method", "GET", ":scheme", "http", ":path", "/hello", ":authority",
                   "a", NULL);
        int sent = 0;
        for (; sent < 1000 && c.goaways == 0 && !h2_is_over(&c); sent++) {
            h2_frame(&c, NGHTTP2_CONTINUATION, 0, 1, block, sizes[i] / 5 * 5);
            h2_read(&c);
        }
        CHECK(sent <= 12);
        check_calmed();
        finish();
    }
}

LOOP_TEST("A15 CVE-2026-49975 one byte for 4000: fields are counted before they are kept")
{
    static uint8_t block[16384];
    char value[3900];

    begin(NULL);
    h2_setting(&c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    size_t size = h2_block(block, sizeof block, "x", value, NULL);
    block[0] = 0x40; /* kept in the table: its index is 62 */
    memmove(block + 6, block, size);
    memcpy(block, "\x82\x86\x84\x01\001a", 6);
    h2_frame(&c, NGHTTP2_HEADERS, ES | EH, 1, block, size + 6);
    H2_UNTIL(&c, h2_of(&c, 1)->status == 404);
    memset(block + 6, 0xbe, sizeof block - 6);
    for (int32_t id = 3; id < 200 && c.goaways == 0; id += 2) {
        h2_frame(&c, NGHTTP2_HEADERS, ES | EH, id, block, sizeof block);
        h2_read(&c);
        if (c.goaways == 0)
            CHECK(server_side()->heads_bytes <= 262144 + 24576);
    }
    check_calmed();
    finish();
}

LOOP_TEST("A15 requests that wait hold so much of their heads: further ones are refused")
{
    static uint8_t block[16384];
    static char value[12000];
    int refused = 0;

    begin(NULL);
    memset(value, 'v', sizeof value - 1);
    size_t size = h2_block(block, sizeof block, ":method", "GET", ":scheme", "http", ":path",
                           "/later", ":authority", "a", "x", value, NULL);
    for (int32_t id = 1; id < 100; id += 2)
        h2_frame(&c, NGHTTP2_HEADERS, ES | EH, id, block, size);
    h2_check_alive(&c);
    CHECK(server_side()->heads_bytes <= 262144 + 24576);
    CHECK(c.s.later_count >= 15 && c.s.later_count <= 25);
    for (int32_t id = 1; id < 100; id += 2)
        refused += h2_of(&c, id)->is_reset && h2_of(&c, id)->reset_code == NGHTTP2_REFUSED_STREAM;
    CHECK_INT(refused + (int)c.s.later_count, 50);
    CHECK_INT(server_side()->block_due_ms, 0); /* or the connection would end, later */
    while (c.s.later_count > 0)
        site_answer(&c.s, "x");
    h2_check_alive(&c);
    CHECK_INT(server_side()->heads_bytes, 0);
    check_good();
    finish();
}

LOOP_TEST("A9 a head that does not go on: GOAWAY after the time for a head")
{
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;

    config.head_ms = 100;
    begin(&config);
    h2_headers(&c, 1, ES, ":method", "GET", NULL);
    check_calmed();
    finish();
}

/* ---- A16: the floods of 2019 ------------------------------------------------------------------------------- */

typedef struct flood_row {
    const char *what;
    const char *frame;
    size_t size;
    int32_t post; /* a request without end, on this stream, is there before */
} flood_row;

#define ROW(what, frame, post)                                                                     \
    {                                                                                              \
        what, frame, sizeof(frame) - 1, post                                                       \
    }

static const flood_row floods[] = {
    ROW("CVE-2019-9512 PING",
        "\0\0\x08\x06\0\0\0\0\0"
        "12345678",
        0),
    ROW("PING that answers nothing",
        "\0\0\x08\x06\x01\0\0\0\0"
        "12345678",
        0),
    ROW("CVE-2019-9515 SETTINGS", "\0\0\0\x04\0\0\0\0\0", 0),
    ROW("SETTINGS that change", "\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\x10\0", 0),
    ROW("CVE-2019-9513 PRIORITY", "\0\0\x05\x02\0\0\0\0\x03\0\0\0\0\x0f", 0),
    ROW("RFC 9218 PRIORITY_UPDATE", "\0\0\x07\x10\0\0\0\0\0\0\0\0\x03u=1", 0),
    ROW("WINDOW_UPDATE of 1", "\0\0\x04\x08\0\0\0\0\0\0\0\0\x01", 0),
    ROW("CVE-2019-9518 DATA without content", "\0\0\0\0\0\0\0\0\x01", 1),
    ROW("DATA that is all padding", "\0\0\x04\0\x08\0\0\0\x01\x03\0\0\0", 1),
};

LOOP_TEST("A16 frames that bring nothing: some thousand at most, then GOAWAY")
{
    for (size_t i = 0; i < DX_COUNT(floods); i++) {
        static uint8_t many[100 * 32];
        int failures = tap_failures;

        begin(NULL);
        if (floods[i].post)
            h2_request(&c, floods[i].post, EH, "POST", "/echo");
        for (int k = 0; k < 100; k++)
            memcpy(many + (size_t)k * floods[i].size, floods[i].frame, floods[i].size);
        int sent = flood(many, 100 * floods[i].size);
        CHECK(sent >= 10 && sent <= 200);
        check_calmed();
        finish();
        if (tap_failures > failures)
            printf("# that was %s\n", floods[i].what);
    }
}

LOOP_TEST("A16 bytes that bring nothing, in frames that nobody knows: GOAWAY after 8 MiB at most")
{
    static uint8_t frame[9 + 16384] = {0, 0x40, 0, 0x42};

    begin(NULL);
    int sent = flood(frame, sizeof frame);
    CHECK((size_t)sent * sizeof frame <= 9 * 1048576);
    check_calmed();
    finish();
}

LOOP_TEST("A16 CVE-2019-9517 PING without reading the answers: not much is kept, then the end")
{
    static uint8_t many[1000 * 17];

    begin(NULL);
    for (size_t i = 0; i < 1000; i++)
        memcpy(many + i * 17, floods[0].frame, 17);
    for (int i = 0; i < 1000 && !c.p.is_reset; i++) {
        peer_write_some(&c.p, dx_bytes_at(many, sizeof many));
        dx_loop_step(c.s.w.loop, 0);
    }
    c.p.is_reset = false; /* that was seen when writing; what came before is there to be read */
    H2_UNTIL(&c, c.goaways > 0);
    CHECK_INT(c.goaway_codes[0], NGHTTP2_ENHANCE_YOUR_CALM);
    check_good();
    finish();
}

LOOP_TEST("A16 CVE-2019-9511 a window of one byte at a time: GOAWAY, not thousands of frames")
{
    begin(NULL);
    h2_setting(&c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    h2_get(&c, 1, "/later");
    H2_UNTIL(&c, c.s.later_count == 1);
    static char text[60000];
    memset(text, 't', sizeof text - 1);
    site_answer(&c.s, text);
    int sent = 0;
    for (; sent < 50000 && c.goaways == 0 && !h2_is_over(&c); sent++) {
        h2_window(&c, 1, 1);
        h2_read(&c);
    }
    CHECK(sent >= 900 && sent <= 20000);
    check_calmed();
    finish();
}

LOOP_TEST("a stream whose window stays shut is reset after stalled_ms and forgotten; others go on")
{
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;

    config.http2.stalled_ms = 100;
    begin(&config);
    h2_setting(&c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    h2_get(&c, 1, "/hello");
    h2_get(&c, 3, "/later"); /* nothing to send: that is no stall */
    H2_UNTIL(&c, h2_of(&c, 1)->is_reset);
    CHECK_INT(h2_of(&c, 1)->reset_code, NGHTTP2_CANCEL);
    turn_for(c.s.w.loop, 200);
    h2_read(&c);
    CHECK(!h2_of(&c, 3)->is_reset);
    CHECK_INT(server_side()->streams_count, 1);
    site_answer(&c.s, "answer");
    H2_UNTIL(&c, h2_of(&c, 3)->is_reset);
    CHECK_INT(server_side()->streams_count, 0);
    h2_check_alive(&c);
    check_good();
    finish();
}

LOOP_TEST("§6.5.2 more than 32 settings in a frame: refused")
{
    uint8_t entries[6 * 64];

    begin(NULL);
    for (size_t i = 0; i < 64; i++)
        memcpy(entries + i * 6, "\0\x04\0\0\x10\0", 6);
    h2_frame(&c, NGHTTP2_SETTINGS, 0, 0, entries, sizeof entries);
    check_calmed();
    finish();
}
