/* Tests of HTTP/1.1 at the server: reading requests, whole and in any pieces, one after the other.
 * SPDX-License-Identifier: MIT */
#include "http/test_site.h"
#include "tests/tap.h"

static site s;

/* Drops the Date line, which may differ between two answers. */
static size_t without_date(dx_buffer *in)
{
    uint8_t *date = memmem(in->at, in->size, "Date: ", 6);

    if (date == NULL)
        return 0;
    uint8_t *after = (uint8_t *)memchr(date, '\n', in->size - (size_t)(date - in->at)) + 1;
    memmove(date, after, in->size - (size_t)(after - in->at));
    in->size -= (size_t)(after - date);
    return 1;
}

static void ask(peer *p, dx_bytes request, size_t split)
{
    site_ask(&s, p, request, split);
    while (without_date(&p->in))
        continue;
}

static const struct {
    const char *request, *expected; /* the expected begins the answer */
} requests[] = {
    {"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"},
    {"\r\nGET /n/42?a=b HTTP/1.1\r\nHost: x\r\nX: y\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n42"},
    {"HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"},
    {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", "HTTP/1.1 200 OK\r\nContent-Length: 4"},
    {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0"},
    {"POST /echo HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0"},
    {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: t\r\n\r\n",
     "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"},
    {"GET /none HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"},
    {"DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n"},
    {"BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 501 Not Implemented\r\n"},
    {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 204 No Content\r\nAllow: "},
    {"OPTIONS /echo HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 204 No Content\r\nAllow: POST, OPTIONS\r\n"},
    {"GET /hello HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
    {"GET http://x/hello HTTP/1.1\r\nHost: y\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
    {"GET /%68ello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
    {"GET /a/%2e%2e/hello HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
    {"GET /hello HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
    {"GET /hello HTTP/1.1\r\nHost : x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
    {"GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
    {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "HTTP/1.1 400 Bad Request\r\n"},
    {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413 Content Too Large\r\n"},
    {"GET /hello HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n", "HTTP/1.1 417 Expectation Failed\r\n"},
};

LOOP_TEST("every request is answered the same, whole and cut in two at every byte")
{
    site_init(&s, NULL, NULL);
    for (size_t i = 0; i < DX_COUNT(requests); i++) {
        dx_bytes request = dx_bytes_of(requests[i].request), expected = dx_bytes_of(requests[i].expected);
        peer whole, cut;
        ask(&whole, request, 0);
        if (!dx_bytes_starts(dx_buffer_view(&whole.in), expected))
            TAP_FAIL("%s\n# was answered %.160s", requests[i].request, peer_text(&whole));
        for (size_t split = 1; split < request.size; split++) {
            ask(&cut, request, split);
            if (!dx_bytes_equal(dx_buffer_view(&whole.in), dx_buffer_view(&cut.in)))
                TAP_FAIL("%s\n# cut at %zu was answered %.160s", requests[i].request, split, peer_text(&cut));
            peer_close(&cut);
        }
        peer_close(&whole);
    }
    site_deinit(&s);
}

LOOP_TEST("all good requests byte by byte on one connection, each answered in its turn")
{
    peer p;
    int answered = 0;

    site_init(&s, NULL, NULL);
    site_connect(&s, &p);
    for (size_t i = 0; i < 9; i++)
        peer_trickle(&s.w, &p, dx_bytes_of(requests[i].request));
    PEER_UNTIL(&s.w, &p, count_text(&p, "HTTP/1.1 405") == 1);
    dx_bytes in = dx_buffer_view(&p.in);
    response r;
    while (response_next(&in, answered == 2, &r)) {
        CHECK(r.keep_alive);
        answered++;
    }
    CHECK_INT(answered, 9);
    peer_close(&p);
    site_deinit(&s);
}

/* ---- one after the other ---------------------------------------------------------------------- */

static char many[100 * 64];

static size_t write_many(int count)
{
    size_t size = 0;

    for (int i = 0; i < count; i++)
        size += (size_t)snprintf(many + size, sizeof many - size, "GET /n/%d HTTP/1.1\r\nHost: x\r\n\r\n", i);
    return size;
}

static void check_numbers(peer *p, int count)
{
    dx_bytes in = dx_buffer_view(&p->in);
    response r;
    char want[16];

    for (int i = 0; i < count; i++) {
        if (!response_next(&in, false, &r)) {
            TAP_FAIL("answer %d of %d is missing", i, count);
            return;
        }
        snprintf(want, sizeof want, "%d", i);
        CHECK_INT(r.code, 200);
        CHECK_BYTES(r.body, want);
    }
    CHECK_INT(in.size, 0);
}

LOOP_TEST("RFC 9112 §9.3.2 a hundred requests in one write are answered in order, in one write")
{
    peer p;

    site_init(&s, NULL, NULL);
    site_connect(&s, &p);
    size_t size = write_many(100);
    CHECK_INT(peer_write_some(&p, dx_bytes_at(many, size)), size);
    dx_loop_step(s.w.loop, 10);
    dx_loop_step(s.w.loop, 10);
    CHECK_INT(s.handled, 100);
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\n99") == 1);
    check_numbers(&p, 100);
    peer_close(&p);
    site_deinit(&s);
}

LOOP_TEST("A10 the requests of one who does not read wait, in bounded memory, and are answered in the end")
{
    enum { ROUNDS = 1500 };
    peer p;
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;
    size_t sent = 0, kept_max = 0, size = write_many(100);

    config.queued_bytes_high = 4096;
    site_init(&s, &config, NULL);
    site_connect(&s, &p);
    set_buffer_bytes(p.fd, SO_RCVBUF, 4096);
    for (int idle = 0; idle < 30 && sent < ROUNDS * size; idle++) { /* until nothing more is taken */
        size_t part = peer_write_some(&p, dx_bytes_at(many + sent % size, size - sent % size));
        sent += part;
        idle = part ? 0 : idle;
        dx_loop_step(s.w.loop, 0);
        dx_conn *conn = DX_CONTAINER(s.w.net.live.next, dx_conn, link);
        kept_max = dx_max_size(kept_max, dx_conn_kept(conn));
    }
    CHECK(sent < ROUNDS * size);
    CHECK(kept_max < 1 << 20);
    int handled = s.handled;
    turn_for(s.w.loop, 20);
    CHECK_INT(s.handled, handled);
    while (sent % size != 0 || (s.handled < (int)(sent / size * 100) && !p.is_reset)) {
        sent += peer_write_some(&p, dx_bytes_at(many + sent % size, sent % size ? size - sent % size : 0));
        peer_read(&p, SIZE_MAX);
        dx_loop_step(s.w.loop, 1);
    }
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\n99") == (int)(sent / size));
    peer_close(&p);
    site_deinit(&s);
}

LOOP_TEST("an answer that comes later holds back those behind it, and then all come in order")
{
    peer p;

    site_init(&s, NULL, NULL);
    site_connect(&s, &p);
    peer_write(&s.w, &p, DX_BYTES("POST /later HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX-Kept: yes\r\n\r\nabc"
                                  "GET /n/1 HTTP/1.1\r\nHost: x\r\n\r\n"));
    peer_write(&s.w, &p, DX_BYTES("GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /n/2 HTTP/1.1\r\nHo"));
    world_settle(&s.w);
    CHECK_INT(s.handled, 1);
    CHECK_INT(s.later_count, 1);
    dx_exchange *x = s.later[0];
    memset(many, 0, sizeof many); /* views must not point into what was sent */
    CHECK_BYTES(dx_exchange_method(x), "POST");
    CHECK_BYTES(dx_exchange_body(x), "abc");
    CHECK_BYTES(dx_exchange_header(x, "x-kept"), "yes");
    site_answer(&s, "first");
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\n1") == 1);
    CHECK_INT(s.handled, 3);
    const char *first = strstr(peer_text(&p), "first");
    CHECK(first && strstr(first, "\r\n\r\n1"));
    peer_write(&s.w, &p, DX_BYTES("st: x\r\n\r\n"));
    world_settle(&s.w);
    CHECK_INT(s.handled, 3);
    site_answer(&s, "third");
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\n2") == 1);
    CHECK_INT(count_text(&p, "HTTP/1.1 200"), 4);
    peer_close(&p);
    site_deinit(&s);
}

LOOP_TEST("more requests than are kept behind a late answer wait in the kernel, none is lost")
{
    enum { ROUNDS = 60 };
    peer p;
    size_t size = write_many(100), sent = 0;

    site_init(&s, NULL, NULL);
    site_connect(&s, &p);
    peer_write(&s.w, &p, DX_BYTES("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
    for (int i = 0; i < 40; i++) {
        sent += peer_write_some(&p, dx_bytes_at(many + sent % size, size - sent % size));
        dx_loop_step(s.w.loop, 0);
    }
    dx_conn *conn = DX_CONTAINER(s.w.net.live.next, dx_conn, link);
    CHECK(dx_conn_kept(conn) > 65536 && dx_conn_kept(conn) < 65536 + 300 * 1024);
    site_answer(&s, "late");
    while (sent < ROUNDS * size && !p.is_reset) {
        sent += peer_write_some(&p, dx_bytes_at(many + sent % size, size - sent % size));
        peer_read(&p, SIZE_MAX);
        dx_loop_step(s.w.loop, 0);
    }
    PEER_UNTIL(&s.w, &p, s.handled == 1 + ROUNDS * 100);
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\n99") == ROUNDS);
    peer_close(&p);
    site_deinit(&s);
}

/* ---- bodies ----------------------------------------------------------------------------------- */

static int count_100(dx_bytes request, dx_bytes rest)
{
    peer p;

    site_connect(&s, &p);
    peer_write(&s.w, &p, request);
    world_settle(&s.w);
    peer_write(&s.w, &p, rest);
    peer_finish(&p);
    PEER_UNTIL_END(&s.w, &p);
    CHECK_INT(count_text(&p, "HTTP/1.1 "), count_text(&p, "HTTP/1.1 100") + 1); /* and one answer */
    int count = count_text(&p, "HTTP/1.1 100 Continue\r\n\r\n");
    peer_close(&p);
    return count;
}

LOOP_TEST("RFC 9110 §10.1.1 100 is sent once, when the body is awaited and wanted")
{
#define EXPECT " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    site_init(&s, NULL, NULL);
    CHECK_INT(count_100(DX_BYTES("POST /echo" EXPECT "Content-Length: 2\r\n\r\n"), DX_BYTES("ab")), 1);
    CHECK_INT(count_100(DX_BYTES("POST /echo" EXPECT "Transfer-Encoding: chunked\r\n\r\n"),
                        DX_BYTES("2\r\nab\r\n0\r\n\r\n")), 1);
    /* not when the body, or its beginning, is there already */
    CHECK_INT(count_100(DX_BYTES("POST /echo" EXPECT "Content-Length: 2\r\n\r\nab"), DX_BYTES("")), 0);
    CHECK_INT(count_100(DX_BYTES("POST /echo" EXPECT "Content-Length: 2\r\n\r\na"), DX_BYTES("b")), 0);
    CHECK_INT(count_100(DX_BYTES("POST /echo" EXPECT "Content-Length: 0\r\n\r\n"), DX_BYTES("")), 0);
    CHECK_INT(count_100(DX_BYTES("POST /echo" EXPECT "\r\n"), DX_BYTES("")), 0);
    /* not for 1.0, not when the answer is known without the body */
    CHECK_INT(count_100(DX_BYTES("POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
                        DX_BYTES("ab")), 0);
    CHECK_INT(count_100(DX_BYTES("POST /echo" EXPECT "Content-Length: 5000\r\n\r\n"), DX_BYTES("")), 0);
    CHECK_INT(count_100(DX_BYTES("POST /none" EXPECT "Content-Length: 2\r\n\r\n"), DX_BYTES("")), 0);
    CHECK_INT(count_100(DX_BYTES("POST /hello" EXPECT "Content-Length: 2\r\n\r\n"), DX_BYTES("")), 0);
    site_deinit(&s);
}

/* Sends `head`, then `size` bytes of body in pieces; gives the status of the answer. */
static unsigned post(const char *head, size_t size, size_t piece)
{
    static uint8_t body[4096];
    peer p;
    response r = {0};

    memset(body, 'b', sizeof body);
    site_connect(&s, &p);
    peer_write(&s.w, &p, dx_bytes_of(head));
    for (size_t at = 0; at < size && !p.is_reset; at += piece)
        peer_write(&s.w, &p, dx_bytes_at(body, dx_min_size(piece, size - at)));
    PEER_UNTIL(&s.w, &p, p.is_ended || p.is_reset || count_text(&p, "\r\n\r\n") > 0);
    world_settle(&s.w);
    peer_read(&p, SIZE_MAX);
    dx_bytes in = dx_buffer_view(&p.in);
    CHECK(response_next(&in, false, &r));
    CHECK_INT(r.keep_alive, r.code == 200);
    if (r.code == 200)
        CHECK_INT(r.body.size, size);
    peer_close(&p);
    return r.code;
}

LOOP_TEST("RFC 9110 §15.5.14 a body at the limit is taken, one above it refused before it is read")
{
    site_init(&s, NULL, NULL);
    CHECK_INT(post("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", 1000, 1000), 200);
    CHECK_INT(post("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", 1000, 7), 200);
    CHECK_INT(post("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 0, 1), 413);
    CHECK_INT(post("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 0, 1), 413);
    CHECK_INT(post("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 1001, 100), 413);
    site_deinit(&s);
}

LOOP_TEST("a chunked body is refused as soon as it is sure to pass the limit")
{
#define CHUNKED "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    site_init(&s, NULL, NULL);
    CHECK_INT(post(CHUNKED "3e9\r\n", 0, 1), 413); /* the size alone is an announcement */
    CHECK_INT(post(CHUNKED "ffffffffffffff\r\n", 0, 1), 413);
    CHECK_INT(post(CHUNKED "1\r\nb\r\n3e8\r\n", 0, 1), 413); /* 1 and 1000 */
    CHECK_INT(s.handled, 0);
    site_deinit(&s);
}

LOOP_TEST("the views of a request that is answered later stay good while others come and go")
{
    peer p[8];

    site_init(&s, NULL, NULL);
    for (int i = 0; i < 8; i++) {
        char text[256];
        site_connect(&s, &p[i]);
        int size = snprintf(text, sizeof text,
                            "POST /later?q=%d HTTP/1.1\r\nHost: h%d\r\nX-N: %d\r\nContent-Length: 2\r\n\r\n%02d",
                            i, i, i, i);
        if (i % 2)
            peer_trickle(&s.w, &p[i], dx_bytes_at(text, (size_t)size));
        else
            peer_write(&s.w, &p[i], dx_bytes_at(text, (size_t)size));
        world_settle(&s.w);
    }
    CHECK_INT(s.later_count, 8);
    for (int i = 0; i < 8 && s.later_count > 0; i++) {
        char want[16];
        const dx_exchange *x = s.later[0];
        snprintf(want, sizeof want, "%02d", i);
        CHECK_BYTES(dx_exchange_body(x), want);
        CHECK_BYTES(dx_exchange_header(x, "X-N"), want + 1);
        CHECK_BYTES(dx_exchange_argument(s.later[0], "q"), want + 1);
        CHECK_BYTES(dx_exchange_path(x), "/later");
        site_answer(&s, "the answer");
        PEER_UNTIL(&s.w, &p[i], count_text(&p[i], "\r\n\r\nthe answer") == 1);
        peer_close(&p[i]);
    }
    site_deinit(&s);
}
