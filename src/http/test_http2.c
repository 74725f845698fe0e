/* Tests of HTTP/2 at the server: requests and responses, bodies, windows, tunnels, the end.
 * SPDX-License-Identifier: MIT */
#include "tests/tap.h"

#include "http/test_h2.h"

#include <stdio.h>

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

/* ---- requests ----------------------------------------------------------------------------------- */

LOOP_TEST("§3.4 the server's first frame is SETTINGS; a request is answered, and the next one, too")
{
    begin(NULL);
    h2_get(&c, 1, "/hello");
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    CHECK_INT(h2_of(&c, 1)->status, 200);
    CHECK(is_body(1, "hello"));
    CHECK(strcmp(h2_field(&c, 1, "content-length"), "5") == 0);
    CHECK(strcmp(h2_field(&c, 1, "content-type"), "text/plain") == 0);
    CHECK(strlen(h2_field(&c, 1, "date")) == 29);
    h2_get(&c, 3, "/n/42");
    H2_UNTIL(&c, h2_of(&c, 3)->is_ended);
    CHECK(is_body(3, "42"));
    CHECK_INT(c.first_type, NGHTTP2_SETTINGS);
    h2_close(&c);
}

LOOP_TEST("§3.3 the preface is known however it is split")
{
    h2_open(&c, NULL);
    peer_trickle(&c.s.w, &c.p, dx_http2_preface);
    h2_frame(&c, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    H2_UNTIL(&c, c.settings_acks == 1);
    h2_get(&c, 1, "/hello");
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    CHECK(is_body(1, "hello"));
    h2_close(&c);
}

LOOP_TEST("a method that begins like the preface is HTTP/1.1")
{
    h2_open(&c, NULL);
    peer_trickle(&c.s.w, &c.p, DX_BYTES("PUT /hello HTTP/1.1\r\nHost: a\r\n\r\n"));
    PEER_UNTIL(&c.s.w, &c.p, strstr(peer_text(&c.p), "HTTP/1.1 405") != NULL);
    h2_close(&c);
}

LOOP_TEST("with streams_max 0 the preface is a request that is refused, in HTTP/1.1")
{
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;

    config.http2.streams_max = 0;
    h2_open(&c, &config);
    h2_bytes(&c, dx_http2_preface.at, dx_http2_preface.size);
    PEER_UNTIL(&c.s.w, &c.p, strstr(peer_text(&c.p), "HTTP/1.1 505") != NULL);
    h2_close(&c);
}

LOOP_TEST("each byte of a connection alone: the same answers")
{
    uint8_t block[256];
    size_t size = h2_block(block, sizeof block, ":method", "POST", ":scheme", "http", ":path",
                           "/echo", ":authority", "localhost", NULL);
    const uint8_t heads[2][9] = {{0, 0, (uint8_t)size, NGHTTP2_HEADERS, EH, 0, 0, 0, 1},
                                 {0, 0, 3, NGHTTP2_DATA, ES, 0, 0, 0, 1}};

    begin(NULL);
    peer_trickle(&c.s.w, &c.p, dx_bytes_at(heads[0], 9));
    peer_trickle(&c.s.w, &c.p, dx_bytes_at(block, size));
    peer_trickle(&c.s.w, &c.p, dx_bytes_at(heads[1], 9));
    peer_trickle(&c.s.w, &c.p, DX_BYTES("abc"));
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    CHECK(is_body(1, "abc"));
    h2_close(&c);
}

LOOP_TEST("§5.1.2 many requests at once are answered side by side, the late one last")
{
    begin(NULL);
    h2_get(&c, 1, "/later");
    for (int32_t id = 3; id < 199; id += 2)
        h2_get(&c, id, "/hello");
    for (int32_t id = 3; id < 199; id += 2)
        H2_UNTIL(&c, h2_of(&c, id)->is_ended && is_body(id, "hello"));
    CHECK_INT(h2_of(&c, 1)->status, 0);
    site_answer(&c.s, "at last");
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    CHECK(is_body(1, "at last"));
    h2_close(&c);
}

LOOP_TEST("§8.1 HEAD, 204 and 304 have no content, and the end is on the head")
{
    static const struct {
        const char *method, *path;
        int status;
    } rows[] = {{"HEAD", "/hello", 200}, {"GET", "/204", 204}, {"GET", "/304", 304}};

    begin(NULL);
    for (int i = 0; i < 3; i++) {
        int32_t id = 1 + 2 * i;
        h2_request(&c, id, ES | EH, rows[i].method, rows[i].path);
        H2_UNTIL(&c, h2_of(&c, id)->is_ended);
        CHECK_INT(h2_of(&c, id)->status, rows[i].status);
        CHECK_INT(h2_of(&c, id)->data_frames, 0);
    }
    CHECK(strcmp(h2_field(&c, 1, "content-length"), "5") == 0);
    h2_check_alive(&c);
    h2_close(&c);
}

LOOP_TEST("§8.2 a field that a handler may not send becomes 500, without its content")
{
    begin(NULL);
    h2_get(&c, 1, "/bad");
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    CHECK_INT(h2_of(&c, 1)->status, 500);
    CHECK_INT(h2_of(&c, 1)->body.size, 0);
    h2_close(&c);
}

LOOP_TEST("what is not there, not allowed or not known is answered as in HTTP/1.1")
{
    begin(NULL);
    h2_get(&c, 1, "/nothing");
    h2_request(&c, 3, ES | EH, "DELETE", "/hello");
    h2_request(&c, 5, ES | EH, "BREW", "/hello");
    h2_request(&c, 7, ES | EH, "OPTIONS", "*");
    h2_get(&c, 9, "/%zz");
    for (int32_t id = 1; id <= 9; id += 2)
        H2_UNTIL(&c, h2_of(&c, id)->is_ended);
    CHECK_INT(h2_of(&c, 1)->status, 404);
    CHECK_INT(h2_of(&c, 3)->status, 405);
    CHECK(strstr(h2_field(&c, 3, "allow"), "GET") != NULL);
    CHECK_INT(h2_of(&c, 5)->status, 501);
    CHECK_INT(h2_of(&c, 7)->status, 204);
    CHECK_INT(h2_of(&c, 9)->status, 400);
    CHECK(strcmp(h2_field(&c, 9, "content-type"), "application/problem+json") == 0);
    h2_close(&c);
}

static dx_exchange *seen;

static const char *seen_field(const char *name)
{
    static char text[256];
    dx_bytes value = dx_exchange_header(seen, name);

    snprintf(text, sizeof text, "%.*s", DX_FORMAT(value));
    return text;
}

LOOP_TEST("§8.2.3 §8.3.1 cookies come as one, :authority as Host, names in any case")
{
    begin(NULL);
    h2_headers(&c, 1, ES | EH, ":method", "GET", ":scheme", "http", ":path", "/later?q=1",
               ":authority", "example.org", "cookie", "a=1", "x-one", "1", "cookie", "b=2",
               "cookie", "c=3", "x-two", "2", "accept", "text/html", NULL);
    H2_UNTIL(&c, c.s.later_count == 1);
    seen = c.s.later[0];
    CHECK(strcmp(seen_field("Cookie"), "a=1; b=2; c=3") == 0);
    CHECK(strcmp(seen_field("Host"), "example.org") == 0);
    CHECK(strcmp(seen_field("X-One"), "1") == 0 && strcmp(seen_field("X-Two"), "2") == 0);
    CHECK(strcmp(seen_field("Accept"), "text/html") == 0);
    CHECK_INT(seen->head.fields.count, 5);
    CHECK_BYTES(dx_exchange_query(seen), "q=1");
    CHECK_BYTES(dx_exchange_path(seen), "/later");
    CHECK_BYTES(dx_exchange_method(seen), "GET");
    site_answer(&c.s, "ok");
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    h2_close(&c);
}

/* ---- bodies --------------------------------------------------------------------------------------- */

LOOP_TEST("§8.1 a body in several frames, with padding and trailers, comes whole")
{
    begin(NULL);
    h2_request(&c, 1, EH, "POST", "/echo");
    h2_data(&c, 1, 0, "one ");
    H2_FRAME(&c, NGHTTP2_DATA, PADDED, 1, "\003two \0\0\0");
    h2_data(&c, 1, 0, "three");
    h2_headers(&c, 1, ES | EH, "x-trailer", "ignored", NULL);
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    CHECK_INT(h2_of(&c, 1)->status, 200);
    CHECK(is_body(1, "one two three"));
    h2_close(&c);
}

LOOP_TEST("RFC 9110 §10.1.1 100 is sent to who expects it, before the body")
{
    begin(NULL);
    h2_headers(&c, 1, EH, ":method", "POST", ":scheme", "http", ":path", "/echo", ":authority", "a",
               "expect", "100-continue", NULL);
    H2_UNTIL(&c, h2_of(&c, 1)->infos == 1);
    CHECK_INT(h2_of(&c, 1)->status, 100);
    h2_data(&c, 1, ES, "body");
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    CHECK_INT(h2_of(&c, 1)->status, 200);
    h2_headers(&c, 3, EH, ":method", "POST", ":scheme", "http", ":path", "/echo", ":authority", "a",
               "expect", "200-maybe", NULL);
    H2_UNTIL(&c, h2_of(&c, 3)->is_ended);
    CHECK_INT(h2_of(&c, 3)->status, 417);
    h2_close(&c);
}

LOOP_TEST(
    "413 for a body beyond the route's measure, announced or not; §8.1 then RST_STREAM(NO_ERROR)")
{
    static const char text[1001] = {[0 ... 999] = 'x'};

    begin(NULL);
    h2_headers(&c, 1, EH, ":method", "POST", ":scheme", "http", ":path", "/echo", ":authority", "a",
               "content-length", "1001", NULL);
    h2_request(&c, 3, EH, "POST", "/echo");
    h2_data(&c, 3, 0, text);
    h2_data(&c, 3, 0, "y");
    for (int32_t id = 1; id <= 3; id += 2) {
        H2_UNTIL(&c, h2_of(&c, id)->is_ended && h2_of(&c, id)->is_reset);
        CHECK_INT(h2_of(&c, id)->status, 413);
        CHECK_INT(h2_of(&c, id)->reset_code, NGHTTP2_NO_ERROR);
    }
    CHECK_INT(c.s.handled, 0);
    h2_check_alive(&c);
    h2_close(&c);
}

LOOP_TEST("§6.9 windows are given back: of bodies, of padding, of what nobody wants")
{
    uint8_t padded[1 + 500 + 255] = {255};
    uint64_t sent = 0;

    begin(NULL);
    for (int32_t id = 1; id < 401; id += 4) {
        h2_request(&c, id, EH, "POST", "/echo");
        h2_frame(&c, NGHTTP2_DATA, ES | PADDED, id, padded, sizeof padded);
        h2_request(&c, id + 2, EH, "POST", "/nothing");
        H2_UNTIL(&c, h2_of(&c, id + 2)->is_ended);
        h2_frame(&c, NGHTTP2_DATA, 0, id + 2, padded, sizeof padded);
        H2_UNTIL(&c, h2_of(&c, id)->is_ended);
        sent += 2 * sizeof padded;
    }
    h2_check_alive(&c);
    CHECK_INT(c.s.handled, 100);
    /* 1 MiB in all; what was not given back yet is less than half of it */
    CHECK(65535 + c.window >= sent);
    CHECK(65535 + c.window + 524288 >= 1048576 - 65535 + sent);
    h2_close(&c);
}

LOOP_TEST(
    "bodies above the measure of a connection: one goes on after the other, and all come whole")
{
    enum { COUNT = 8, PIECES = 60, PIECE = 15 };
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;
    int pieces[COUNT] = {0}, left = COUNT * PIECES;
    uint64_t until = dx_clock_ms() + 10000;

    config.http2.bodies_bytes_max = 300;
    config.http2.stream_window_bytes = 150;
    begin(&config);
    for (int i = 0; i < COUNT; i++)
        h2_request(&c, 1 + 2 * i, EH, "POST", "/echo");
    while (left > 0 && dx_clock_ms() < until) {
        for (int i = 0; i < COUNT; i++) {
            h2_stream *s = h2_of(&c, 1 + 2 * i);
            h2_read(&c);
            if (pieces[i] == PIECES || 150 + s->window < (uint64_t)(pieces[i] + 1) * PIECE)
                continue;
            h2_data(&c, 1 + 2 * i, ++pieces[i] == PIECES ? ES : 0, "fifteen bytes. ");
            left--;
        }
        dx_loop_step(c.s.w.loop, 0);
    }
    CHECK_INT(left, 0);
    for (int i = 0; i < COUNT; i++) {
        H2_UNTIL(&c, h2_of(&c, 1 + 2 * i)->is_ended);
        CHECK_INT(h2_of(&c, 1 + 2 * i)->body.size, PIECES * PIECE);
    }
    h2_close(&c);
}

LOOP_TEST("a body that others wait for goes away, with bytes or without: the next one goes on")
{
    static char text[161];
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;

    memset(text, 'x', sizeof text - 1);
    config.http2.bodies_bytes_max = 300;
    config.http2.stream_window_bytes = 200;
    for (int i = 0; i < 2; i++) {
        begin(&config);
        const dx_http2 *h = h2_server_conn(&c)->protocol;
        for (int32_t id = 1; id <= 5; id += 2)
            h2_request(&c, id, EH, "POST", "/echo");
        if (i == 1)
            h2_data(&c, 1, 0, "bytes");
        h2_data(&c, 3, 0, text);
        H2_UNTIL(&c, h2_of(&c, 3)->window == 160);
        h2_data(&c, 5, 0, text);
        h2_data(&c, 3, 0, text);
        H2_UNTIL(&c, h->starved_count == 2);
        h2_reset(&c, 1, NGHTTP2_CANCEL);
        H2_UNTIL(&c, h2_of(&c, 3)->window == 320);
        h2_data(&c, 3, ES, "end");
        H2_UNTIL(&c, h2_of(&c, 3)->is_ended && h2_of(&c, 5)->window == 160);
        CHECK_INT(h2_of(&c, 3)->body.size, 323);
        h2_close(&c);
    }
}

LOOP_TEST("a body that comes too slowly is answered 408, the others are not held up")
{
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;

    config.body_window_ms = 100;
    begin(&config);
    h2_request(&c, 1, EH, "POST", "/echo");
    h2_data(&c, 1, 0, "a");
    h2_get(&c, 3, "/hello");
    H2_UNTIL(&c, h2_of(&c, 3)->is_ended && h2_of(&c, 1)->is_reset);
    CHECK_INT(h2_of(&c, 1)->status, 408);
    h2_check_alive(&c);
    h2_close(&c);
}

LOOP_TEST("§8.1.1 a malformed head is its stream's alone: its time does not end the others")
{
    begin(NULL);
    const dx_http2 *h = h2_server_conn(&c)->protocol;
    h2_get(&c, 1, "/later");
    H2_UNTIL(&c, c.s.later_count == 1);
    h2_headers(&c, 3, ES | EH, ":method", "GET", ":scheme", "http", ":path", "/hello", "X-Upper",
               "1", NULL);
    H2_UNTIL(&c, h2_of(&c, 3)->is_reset);
    CHECK_INT(h->block_due_ms, 0);
    h2_headers(&c, 5, ES | EH, ":method", "GET", ":scheme", "http", NULL);
    H2_UNTIL(&c, h2_of(&c, 5)->is_reset);
    CHECK_INT(h->block_due_ms, 0);
    CHECK(h->block == NULL);
    h2_check_alive(&c);
    h2_close(&c);
}

/* ---- responses and their windows --------------------------------------------------------------------- */

LOOP_TEST("§6.9 a response goes on as its window allows, and holds up nobody")
{
    static char text[100000];

    memset(text, 'z', sizeof text - 1);
    begin(NULL);
    h2_get(&c, 1, "/later");
    H2_UNTIL(&c, c.s.later_count == 1);
    site_answer(&c.s, text);
    H2_UNTIL(&c, h2_of(&c, 1)->body.size == 65535);
    h2_window(&c, 0, 1000000);
    h2_get(&c, 3, "/hello");
    H2_UNTIL(&c, h2_of(&c, 3)->is_ended);
    CHECK_INT(h2_of(&c, 1)->body.size, 65535);
    h2_window(&c, 1, 10);
    H2_UNTIL(&c, h2_of(&c, 1)->body.size == 65545);
    h2_window(&c, 1, 100000);
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    CHECK_INT(h2_of(&c, 1)->body.size, sizeof text - 1);
    h2_close(&c);
}

LOOP_TEST("a handler that writes in pieces is told of room when they have left")
{
    begin(NULL);
    h2_get(&c, 1, "/stream");
    H2_UNTIL(&c, c.s.later_count == 1);
    dx_exchange *x = site_take_later(&c.s);
    dx_exchange_start(x, &(dx_response){0}, DX_LENGTH_UNKNOWN);
    CHECK(dx_exchange_write(x, DX_BYTES("first ")) == DX_SEND_QUEUED);
    H2_UNTIL(&c, h2_of(&c, 1)->body.size == 6);
    CHECK(!h2_of(&c, 1)->is_ended);
    CHECK(strcmp(h2_field(&c, 1, "content-length"), "") == 0);
    CHECK(dx_exchange_write(x, DX_BYTES("last")) == DX_SEND_QUEUED);
    dx_exchange_end(x);
    H2_UNTIL(&c, h2_of(&c, 1)->is_ended);
    CHECK(is_body(1, "first last"));
    h2_close(&c);
}

LOOP_TEST("less than was announced: the stream is reset, so that the client sees it")
{
    begin(NULL);
    h2_get(&c, 1, "/stream");
    H2_UNTIL(&c, c.s.later_count == 1);
    dx_exchange *x = site_take_later(&c.s);
    dx_exchange_start(x, &(dx_response){0}, 100);
    dx_exchange_put(x, DX_BYTES("not all"));
    dx_exchange_end(x);
    H2_UNTIL(&c, h2_of(&c, 1)->is_reset);
    CHECK_INT(h2_of(&c, 1)->reset_code, NGHTTP2_INTERNAL_ERROR);
    CHECK(!h2_of(&c, 1)->is_ended);
    h2_check_alive(&c);
    h2_close(&c);
}

/* ---- the end -------------------------------------------------------------------------------------------- */

LOOP_TEST("§5.4.2 a client that resets its stream: the handler is told, the connection goes on")
{
    begin(NULL);
    h2_get(&c, 1, "/later");
    H2_UNTIL(&c, c.s.later_count == 1);
    h2_reset(&c, 1, NGHTTP2_CANCEL);
    H2_UNTIL(&c, c.s.gone == 1);
    CHECK_INT(c.s.later_count, 0);
    h2_check_alive(&c);
    CHECK(!h2_of(&c, 1)->is_reset);
    h2_close(&c);
}

LOOP_TEST("a client that goes away in the middle: handlers are told, nothing is left")
{
    begin(NULL);
    for (int32_t id = 1; id < 20; id += 2)
        h2_get(&c, id, "/later");
    h2_request(&c, 21, EH, "POST", "/echo");
    H2_UNTIL(&c, c.s.later_count == 10);
    peer_reset(&c.p);
    TURN_UNTIL(c.s.w.loop, c.s.gone == 10);
    h2_close(&c);
}

LOOP_TEST(
    "a client that closes its half is still answered what it asked for, then the connection ends")
{
    begin(NULL);
    h2_get(&c, 1, "/later");
    h2_request(&c, 3, EH, "POST", "/echo");
    H2_UNTIL(&c, c.s.later_count == 1);
    peer_finish(&c.p);
    world_settle(&c.s.w);
    site_answer(&c.s, "late");
    H2_UNTIL(&c, h2_is_over(&c));
    CHECK(is_body(1, "late"));
    CHECK(!c.p.is_reset);
    h2_close(&c);
}

LOOP_TEST("§6.8 draining: two GOAWAYs, what was asked between them is answered, then the end")
{
    begin(NULL);
    h2_get(&c, 1, "/later");
    H2_UNTIL(&c, c.s.later_count == 1);
    dx_http_drain(h2_server_conn(&c));
    H2_UNTIL(&c, c.goaways == 1 && c.pings == 1);
    CHECK_INT(c.goaway_codes[0], NGHTTP2_NO_ERROR);
    CHECK_INT(c.goaway_last[0], INT32_MAX);
    h2_get(&c, 3, "/hello");
    h2_frame(&c, NGHTTP2_PING, ACK, 0, c.ping, 8);
    H2_UNTIL(&c, c.goaways == 2);
    CHECK_INT(c.goaway_last[1], 3);
    CHECK(is_body(3, "hello"));
    CHECK(!h2_is_over(&c));
    site_answer(&c.s, "the last");
    H2_UNTIL(&c, h2_is_over(&c));
    CHECK(is_body(1, "the last"));
    CHECK(!c.p.is_reset);
    h2_close(&c);
}

LOOP_TEST("§6.8 draining does not wait for a client that does not answer the ping")
{
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;

    config.http2.drain_ms = 50;
    begin(&config);
    dx_http_drain(h2_server_conn(&c));
    H2_UNTIL(&c, h2_is_over(&c));
    CHECK_INT(c.goaways, 2);
    CHECK(!c.p.is_reset);
    h2_close(&c);
}

/* Without reading what came meanwhile. */
static void write_unread(const void *at, size_t size)
{
    CHECK_INT(peer_write_some(&c.p, dx_bytes_at(at, size)), size);
}

static void write_request_unread(uint8_t id)
{
    uint8_t frame[128] = {0, 0, 0, NGHTTP2_HEADERS, ES | EH, 0, 0, 0, id};
    size_t size = h2_block(frame + 9, sizeof frame - 9, ":method", "GET", ":scheme", "http",
                           ":path", "/later", ":authority", "a", NULL);

    frame[2] = (uint8_t)size;
    write_unread(frame, 9 + size);
}

LOOP_TEST("ended while the client reads nothing: what leaves later reaches no other's streams")
{
    static h2 good;
    static char text[4 << 20];

    memset(text, 'z', sizeof text - 1);
    begin(NULL);
    const dx_http2 *h = h2_server_conn(&c)->protocol;
    h2_setting(&c, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30);
    h2_window(&c, 0, 1 << 30);
    h2_get(&c, 1, "/later");
    H2_UNTIL(&c, c.s.later_count == 1);
    site_answer(&c.s, text);
    TURN_UNTIL(c.s.w.loop, dx_conn_queued(h->conn) >= c.s.http.config.queued_bytes_high);
    dx_http_drain(h2_server_conn(&c)); /* its GOAWAY cannot leave, nor can the second, for 1, */
    write_unread((const uint8_t[17]){0, 0, 8, NGHTTP2_PING, ACK}, 17);
    write_request_unread(3); /* nor that of what comes next */
    write_unread((const uint8_t[14]){0, 0, 5, NGHTTP2_PRIORITY}, 14);
    TURN_UNTIL(c.s.w.loop, h->state == H2_OVER && h->streams_count == 0);
    CHECK_INT(h->conn->protocol_due_ms, 0); /* it waits for the client's reading only */
    h2_open_beside(&good, &c);
    CHECK(h2_greet(&good));
    h2_get(&good, 1, "/later");
    H2_UNTIL(&good, c.s.later_count == 1);
    H2_UNTIL(&c, h2_is_over(&c));
    CHECK_INT(c.goaways, 3);
    CHECK_INT(c.goaway_last[1], 1);
    CHECK_INT(c.s.later_count, 1);
    site_answer(&c.s, "good");
    H2_UNTIL(&good, h2_of(&good, 1)->is_ended);
    CHECK(!h2_of(&good, 1)->is_reset);
    h2_close_beside(&good, &c);
    h2_close(&c);
}

LOOP_TEST("idle connections end with GOAWAY(NO_ERROR); one with a stream does not")
{
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;

    config.idle_ms = 100;
    begin(&config);
    h2_get(&c, 1, "/later");
    H2_UNTIL(&c, c.s.later_count == 1);
    turn_for(c.s.w.loop, 250);
    h2_read(&c);
    CHECK(c.goaways == 0 && !h2_is_over(&c));
    site_answer(&c.s, "x");
    h2_expect(&c, GOAWAY(C(NO_ERROR)));
    CHECK(is_body(1, "x"));
    h2_close(&c);
}

LOOP_TEST("§6.5.3 a client that does not acknowledge SETTINGS is told and left")
{
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;

    config.http2.settings_ms = 100;
    h2_open(&c, &config);
    h2_bytes(&c, dx_http2_preface.at, dx_http2_preface.size);
    h2_frame(&c, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    h2_expect(&c, GOAWAY(C(SETTINGS_TIMEOUT)));
    h2_close(&c);
}

LOOP_TEST("a silent client with streams is pinged; who does not answer is gone, who does stays")
{
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;

    config.http2.ping_ms = 60;
    config.http2.pong_ms = 2000;
    begin(&config);
    h2_get(&c, 1, "/later");
    H2_UNTIL(&c, c.pings == 1);
    h2_frame(&c, NGHTTP2_PING, ACK, 0, c.ping, 8);
    H2_UNTIL(&c, c.pings == 2);
    CHECK_INT(c.s.gone, 0);
    H2_UNTIL(&c, h2_is_over(&c));
    CHECK_INT(c.s.gone, 1);
    h2_close(&c);
}
