/* Tests of HTTP/1.1 at the server: deadlines, faults, the client's FIN, draining, giving the connection to
 * another protocol.
 * SPDX-License-Identifier: MIT */
#include "http/test_site.h"
#include "tests/tap.h"

static site s;
static peer p;

static const dx_http_config short_config = {.head = DX_HTTP_LIMITS_DEFAULT,
                                            .head_ms = 150,
                                            .idle_ms = 5000,
                                            .body_window_ms = 150,
                                            .body_window_bytes = 20,
                                            .queued_bytes_high = 65536};

static void begin(const dx_http_config *config)
{
    site_init(&s, config, NULL);
    site_connect(&s, &p);
}

static void send_text(const char *text)
{
    peer_write(&s.w, &p, dx_bytes_of(text));
    world_settle(&s.w);
}

static void finish(void)
{
    peer_close(&p);
    site_deinit(&s);
}

/* ---- deadlines -------------------------------------------------------------------------------- */

/* Milliseconds until the server ends the connection, while `text` is sent over and over again. */
static uint64_t lives_for(const char *text, uint32_t every_ms)
{
    uint64_t begin_ms = dx_clock_ms();

    while (!p.is_ended && !p.is_reset && dx_clock_ms() - begin_ms < 5000) {
        if (text)
            peer_write_some(&p, dx_bytes_of(text));
        turn_for(s.w.loop, every_ms);
        peer_read(&p, SIZE_MAX);
    }
    return dx_clock_ms() - begin_ms;
}

static bool is_about(uint64_t ms, uint64_t want_ms)
{
    return ms + 20 >= want_ms && ms < want_ms + 2000; /* the machine may be busy */
}

LOOP_TEST("A9 a connection that never sends anything is closed after head_ms, without a word")
{
    begin(&short_config);
    CHECK(is_about(lives_for(NULL, 5), 150));
    CHECK_INT(p.in.size, 0);
    CHECK(p.is_ended);
    finish();
}

LOOP_TEST("A9 a head has head_ms in all: a byte now and then does not extend it")
{
    begin(&short_config);
    send_text("GET /hello HTTP/1.1\r\nHost: x\r\nX: ");
    CHECK(is_about(lives_for("a", 20), 150));
    CHECK_INT(count_text(&p, "HTTP/1.1 408 Request Timeout\r\n"), 1);
    CHECK_INT(count_text(&p, "Connection: close\r\n"), 1);
    finish();
}

LOOP_TEST("A9 a body has to bring body_window_bytes in each window")
{
    begin(&short_config);
    send_text("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    CHECK(is_about(lives_for("b", 20), 150)); /* about 7 bytes */
    CHECK_INT(count_text(&p, "HTTP/1.1 408 Request Timeout\r\n"), 1);
    finish();

    begin(&short_config);
    send_text("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 50; i++) { /* 20 bytes every 10 ms or more: well over several windows */
        peer_write_some(&p, DX_BYTES("01234567890123456789"));
        turn_for(s.w.loop, 10);
    }
    PEER_UNTIL(&s.w, &p, count_text(&p, "HTTP/1.1 200 OK\r\n") == 1);
    CHECK_INT(count_text(&p, "408"), 0);
    finish();
}

LOOP_TEST("a connection between requests is kept for idle_ms")
{
    dx_http_config config = short_config;

    config.idle_ms = 600;
    begin(&config);
    send_text("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    turn_for(s.w.loop, 200); /* longer than head_ms */
    send_text("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(is_about(lives_for(NULL, 5), 600));
    CHECK_INT(count_text(&p, "HTTP/1.1 200 OK\r\n"), 2);
    CHECK(p.is_ended);
    finish();
}

LOOP_TEST("a request that is handled has no deadline, and the next head has a new one")
{
    begin(&short_config);
    send_text("GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /hel");
    turn_for(s.w.loop, 500);
    site_answer(&s, "late");
    CHECK(is_about(lives_for("o", 20), 150)); /* /heloooo…: that head never ends */
    CHECK_INT(count_text(&p, "late"), 1);
    CHECK_INT(count_text(&p, "HTTP/1.1 408"), 1);
    finish();
}

/* ---- faults ----------------------------------------------------------------------------------- */

LOOP_TEST("RFC 9112 §2.2 after a fault nothing is read as a request, and the answer arrives")
{
    static const char *const faults[] = {
        "GET /hello HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n",
        "POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    };

    for (size_t i = 0; i < DX_COUNT(faults); i++) {
        site_init(&s, NULL, NULL);
        site_connect_tcp(&s, &p);
        send_text(faults[i]);
        for (int n = 0; n < 20; n++) /* the client has not noticed yet */
            send_text("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
        PEER_UNTIL_END(&s.w, &p);
        CHECK(p.is_ended);
        CHECK_INT(count_text(&p, "HTTP/1.1 "), 1);
        CHECK_INT(count_text(&p, "HTTP/1.1 4"), 1);
        CHECK_INT(count_text(&p, "Connection: close\r\n"), 1);
        CHECK_INT(count_text(&p, "application/problem+json"), 1);
        CHECK_INT(s.handled, 0);
        finish();
    }
}

LOOP_TEST("answers that were owed before a fault come before its answer")
{
    begin(NULL);
    send_text("GET /n/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /later HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n");
    site_answer(&s, "two");
    PEER_UNTIL_END(&s.w, &p);
    dx_bytes in = dx_buffer_view(&p.in);
    response r;
    CHECK(response_next(&in, false, &r));
    CHECK_BYTES(r.body, "1");
    CHECK(response_next(&in, false, &r));
    CHECK_BYTES(r.body, "two");
    CHECK(response_next(&in, false, &r));
    CHECK_INT(r.code, 400);
    finish();
}

/* ---- the client's FIN ------------------------------------------------------------------------- */

LOOP_TEST("what was asked for whole before the FIN is answered, all of it, also when answers come late")
{
    begin(NULL);
    send_text("GET /n/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /later HTTP/1.1\r\nHost: x\r\n\r\n"
              "GET /n/2 HTTP/1.1\r\nHost: x\r\n\r\nGET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /n/3 HT");
    peer_finish(&p);
    world_settle(&s.w);
    CHECK_INT(s.handled, 2);
    CHECK(s.later_count == 1 && s.later[0]->is_fin_seen);
    site_answer(&s, "one and a half");
    world_settle(&s.w);
    CHECK(s.later_count == 1 && s.later[0]->is_fin_seen);
    site_answer(&s, "two and a half");
    PEER_UNTIL_END(&s.w, &p);
    CHECK(p.is_ended);
    CHECK_INT(count_text(&p, "HTTP/1.1 200"), 4); /* a part of a request is not a request */
    CHECK_INT(count_text(&p, "HTTP/1.1 "), 4);
    finish();
}

LOOP_TEST("requests that wait for room are answered although the FIN has come")
{
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;
    char text[300 * 40];
    size_t size = 0;

    config.queued_bytes_high = 100;
    begin(&config);
    set_buffer_bytes(p.fd, SO_RCVBUF, 4096);
    dx_conn *conn = DX_CONTAINER(s.w.net.live.next, dx_conn, link);
    set_buffer_bytes(conn->io.fd, SO_SNDBUF, 4608);
    for (int i = 0; i < 300; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "GET /n/%d HTTP/1.1\r\nHost: x\r\n\r\n", i);
    CHECK_INT(peer_write_some(&p, dx_bytes_at(text, size)), size);
    peer_finish(&p);
    turn_for(s.w.loop, 20);
    CHECK(s.handled < 300);
    PEER_UNTIL_END(&s.w, &p);
    CHECK_INT(s.handled, 300);
    CHECK_INT(count_text(&p, "HTTP/1.1 200"), 300);
    CHECK(p.is_ended);
    finish();
}

LOOP_TEST("a FIN inside a head or a body ends the connection without an answer")
{
    static const char *const parts[] = {
        "", "GET /hel", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"};

    for (size_t i = 0; i < DX_COUNT(parts); i++) {
        begin(NULL);
        send_text(parts[i]);
        peer_finish(&p);
        PEER_UNTIL_END(&s.w, &p);
        CHECK(p.is_ended);
        CHECK_INT(p.in.size, 0);
        finish();
    }
}

/* ---- draining --------------------------------------------------------------------------------- */

static void drain(void)
{
    dx_conn *conn = DX_CONTAINER(s.w.net.live.next, dx_conn, link);

    CHECK(dx_http1_is(conn));
    dx_http1_drain(conn);
    world_settle(&s.w);
}

/* Sends `before`, drains, sends `after`; gives how many answers came before the end. */
static int answers_when_drained(const char *before, const char *after)
{
    begin(NULL);
    send_text(before);
    drain();
    peer_write_some(&p, dx_bytes_of(after));
    world_settle(&s.w);
    if (s.later_count > 0)
        site_answer(&s, "later");
    PEER_UNTIL_END(&s.w, &p);
    int count = count_text(&p, "HTTP/1.1 ");
    CHECK_INT(count_text(&p, "Connection: close\r\n"), count);
    finish();
    return count;
}

LOOP_TEST("a drained connection ends at once between requests, else after the answer, which says so")
{
    CHECK_INT(answers_when_drained("", ""), 0);
    CHECK_INT(answers_when_drained("GET /hel", "lo HTTP/1.1\r\nHost: x\r\n\r\n"), 1);
    CHECK_INT(answers_when_drained("GET /no", "ne HTTP/1.1\r\nHost: x\r\n\r\n"), 1); /* a 404, too */
    CHECK_INT(answers_when_drained("GET /w", "s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"), 1);
    CHECK_INT(answers_when_drained("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab", "cd"), 1);
    CHECK_INT(answers_when_drained("GET /later HTTP/1.1\r\nHost: x\r\n\r\n", ""), 1);
    CHECK_INT(answers_when_drained("GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /n/1 HTTP/1.1\r\nHost: x\r\n\r\n", ""), 1);
}

/* ---- another protocol ------------------------------------------------------------------------- */

#define UPGRADE(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: probe\r\n\r\n"

static void check_upgraded(const char *frames)
{
    PEER_UNTIL(&s.w, &p, s.upgraded.in.size == strlen(frames));
    CHECK_BYTES(s.upgraded.in, frames);
    PEER_UNTIL(&s.w, &p, count_text(&p, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                                        "Upgrade: probe\r\n\r\n") == 1);
    CHECK(!dx_http1_is(s.upgraded.conn));
    dx_conn_write(s.upgraded.conn, DX_BYTES("frames back"));
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\nframes back") == 1);
}

static void check_upgrade_end(void)
{
    peer_finish(&p);
    PEER_UNTIL(&s.w, &p, s.upgraded.counts[PROBE_CLOSED] == 1);
    CHECK_INT(s.upgraded.counts[PROBE_END], 1);
    CHECK_INT(s.upgraded.counts[PROBE_DEADLINE], 0);
    finish();
}

LOOP_TEST("RFC 9110 §7.8 an upgraded connection is the new protocol's, with the bytes behind the head")
{
    begin(&short_config);
    send_text(UPGRADE("/upgrade"));
    check_upgraded("");
    CHECK_INT(count_text(&p, "Content-Length") + count_text(&p, "Transfer-Encoding"), 0);
    turn_for(s.w.loop, 300); /* HTTP's deadlines are gone */
    send_text("more");
    CHECK_BYTES(s.upgraded.in, "more");
    check_upgrade_end();

    begin(NULL);
    send_text(UPGRADE("/upgrade") "frames");
    check_upgraded("frames");
    check_upgrade_end();
}

LOOP_TEST("an upgrade behind other requests comes after their answers")
{
    begin(NULL);
    send_text("GET /n/1 HTTP/1.1\r\nHost: x\r\n\r\n" UPGRADE("/upgrade") "GET /n/2 is no HTTP any more");
    check_upgraded("GET /n/2 is no HTTP any more");
    const char *first = strstr(peer_text(&p), "\r\n\r\n1HTTP/1.1 101");
    CHECK(first != NULL);
    check_upgrade_end();
}

LOOP_TEST("a connection may be upgraded long after the handler has returned")
{
    begin(NULL);
    send_text(UPGRADE("/upgrade-later") "fra");
    CHECK_INT(s.later_count, 1);
    send_text("mes");
    site_answer(&s, "");
    check_upgraded("frames");
    check_upgrade_end();
}

LOOP_TEST("a late upgrade gets more than is kept, and the FIN that came before it")
{
    static char frames[200001];

    begin(NULL);
    memset(frames, 'f', sizeof frames - 1);
    send_text(UPGRADE("/upgrade-later"));
    size_t sent = 0;
    for (int i = 0; i < 30 && sent < sizeof frames - 1; i++) {
        sent += peer_write_some(&p, dx_bytes_at(frames + sent, sizeof frames - 1 - sent));
        dx_loop_step(s.w.loop, 0);
    }
    frames[sent] = '\0';
    peer_finish(&p);
    world_settle(&s.w);
    s.upgraded.is_own_end = true;
    site_answer(&s, "");
    check_upgraded(frames);
    PEER_UNTIL(&s.w, &p, s.upgraded.counts[PROBE_END] == 1);
    dx_conn_finish(s.upgraded.conn);
    PEER_UNTIL(&s.w, &p, s.upgraded.counts[PROBE_CLOSED] == 1);
    finish();
}

LOOP_TEST("a client that leaves before a late upgrade is told as gone")
{
    site_init(&s, NULL, NULL);
    site_connect_tcp(&s, &p);
    send_text(UPGRADE("/upgrade-later"));
    peer_reset(&p);
    TURN_UNTIL(s.w.loop, s.gone == 1);
    CHECK_INT(s.later_count, 0);
    finish();
}
