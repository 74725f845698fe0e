/* Tests of HTTP/1.1 at the server: the forms of an answer, in pieces and whole.
 * SPDX-License-Identifier: MIT */
#include "http/test_site.h"
#include "tests/tap.h"

static site s;
static peer p;

static void begin(const dx_http_config *config, const char *request)
{
    site_init(&s, config, NULL);
    site_connect(&s, &p);
    peer_write(&s.w, &p, dx_bytes_of(request));
    world_settle(&s.w);
}

static void finish(void)
{
    peer_close(&p);
    site_deinit(&s);
}

/* The next request on the same connection still works: nothing was left over. */
static void check_next_works(void)
{
    int before = count_text(&p, "HTTP/1.1 ");

    peer_write(&s.w, &p, DX_BYTES("GET /n/777 HTTP/1.1\r\nHost: x\r\n\r\n"));
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\n777") == 1);
    CHECK_INT(count_text(&p, "HTTP/1.1 "), before + 1);
}

/* ---- without content -------------------------------------------------------------------------- */

LOOP_TEST("RFC 9110 §9.3.2 HEAD has GET's length and no content, and the connection goes on")
{
    begin(NULL, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\n") == 1);
    CHECK_INT(count_text(&p, "Content-Length: 5\r\n"), 1);
    CHECK(p.in.size >= 4 && memcmp(p.in.at + p.in.size - 4, "\r\n\r\n", 4) == 0);
    check_next_works();
    finish();
}

LOOP_TEST("RFC 9112 §6.3 204 and 304 have no content and no Content-Length")
{
    begin(NULL, "GET /204 HTTP/1.1\r\nHost: x\r\n\r\nGET /304 HTTP/1.1\r\nHost: x\r\n\r\n");
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\n") == 2);
    CHECK_INT(count_text(&p, "HTTP/1.1 204 No Content\r\n"), 1);
    CHECK_INT(count_text(&p, "HTTP/1.1 304 Not Modified\r\n"), 1);
    CHECK_INT(count_text(&p, "Content-Length") + count_text(&p, "Transfer-Encoding"), 0);
    CHECK_INT(count_text(&p, "never sent"), 0);
    check_next_works();
    finish();
}

LOOP_TEST("a HEAD before a bad request does not take the content from the fault's answer")
{
    begin(NULL, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nGET /hello HTTP/1.1\r\nHost : x\r\n\r\n");
    PEER_UNTIL_END(&s.w, &p);
    CHECK_INT(count_text(&p, "HTTP/1.1 400 Bad Request\r\n"), 1);
    CHECK_INT(count_text(&p, "\"status\":400"), 1);
    finish();
}

/* ---- in pieces -------------------------------------------------------------------------------- */

static dx_exchange *start(uint64_t length)
{
    dx_exchange *x = site_take_later(&s);

    dx_assert(x != NULL);
    dx_exchange_start(x, &(dx_response){.type = DX_BYTES("text/plain")}, length);
    return x;
}

LOOP_TEST("RFC 9112 §7.1 pieces of unknown number go in chunks, each as it is written")
{
    begin(NULL, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    dx_exchange *x = start(DX_LENGTH_UNKNOWN);
    PEER_UNTIL(&s.w, &p, count_text(&p, "Transfer-Encoding: chunked\r\n\r\n") == 1);
    CHECK_INT(dx_exchange_write(x, DX_BYTES("one")), DX_SEND_QUEUED);
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\n3\r\none\r\n") == 1);
    CHECK_INT(dx_exchange_write(x, (dx_bytes){0}), DX_SEND_QUEUED); /* no chunk: it would be the end */
    CHECK_INT(dx_exchange_write(x, DX_BYTES("four and twenty blackbirds")), DX_SEND_QUEUED);
    PEER_UNTIL(&s.w, &p, count_text(&p, "one\r\n1a\r\nfour and twenty blackbirds\r\n") == 1);
    dx_exchange_end(x);
    PEER_UNTIL(&s.w, &p, count_text(&p, "birds\r\n0\r\n\r\n") == 1);
    CHECK_INT(count_text(&p, "Content-Length"), 0);
    check_next_works();
    finish();
}

LOOP_TEST("pieces of known length go as they are; HEAD gets none of them")
{
    begin(NULL, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    dx_exchange *x = start(6);
    dx_exchange_write(x, DX_BYTES("abc"));
    dx_exchange_write(x, DX_BYTES("def"));
    dx_exchange_end(x);
    PEER_UNTIL(&s.w, &p, count_text(&p, "Content-Length: 6\r\n\r\nabcdef") == 1);
    world_settle(&s.w);
    x = start(6);
    dx_exchange_write(x, DX_BYTES("ABCDEF"));
    dx_exchange_end(x);
    PEER_UNTIL(&s.w, &p, count_text(&p, "HTTP/1.1 ") == 2);
    check_next_works();
    CHECK_INT(count_text(&p, "Content-Length: 6\r\n"), 2);
    CHECK_INT(count_text(&p, "ABC"), 0);
    finish();
}

LOOP_TEST("HEAD of what is streamed in chunks has neither chunks nor their end")
{
    begin(NULL, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    dx_exchange *x = start(DX_LENGTH_UNKNOWN);
    dx_exchange_write(x, DX_BYTES("abc"));
    dx_exchange_end(x);
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\n") == 1);
    CHECK(memcmp(p.in.at + p.in.size - 4, "\r\n\r\n", 4) == 0);
    check_next_works();
    finish();
}

LOOP_TEST("RFC 9112 §6.3 to HTTP/1.0 the end of the connection is the end of what is streamed")
{
    begin(NULL, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    dx_exchange *x = start(DX_LENGTH_UNKNOWN);
    dx_exchange_write(x, DX_BYTES("abc"));
    dx_exchange_write(x, DX_BYTES("def"));
    dx_exchange_end(x);
    PEER_UNTIL_END(&s.w, &p);
    CHECK_INT(count_text(&p, "Connection: close\r\n\r\nabcdef"), 1);
    CHECK_INT(count_text(&p, "Transfer-Encoding") + count_text(&p, "Content-Length"), 0);
    CHECK(p.is_ended);
    finish();
}

LOOP_TEST("content that ends before its announced length is cut off by a reset, not passed off as whole")
{
    site_init(&s, NULL, NULL);
    site_connect_tcp(&s, &p);
    peer_write(&s.w, &p, DX_BYTES("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
    world_settle(&s.w);
    dx_exchange *x = start(10);
    dx_exchange_write(x, DX_BYTES("abc"));
    world_settle(&s.w);
    dx_exchange_end(x);
    PEER_UNTIL_END(&s.w, &p);
    CHECK(p.is_reset);
    CHECK_INT(s.gone, 0); /* it was ended by its owner */
    finish();
}

LOOP_TEST("A6 a field that would inject another turns the answer into 500 without content")
{
    begin(NULL, "GET /bad HTTP/1.1\r\nHost: x\r\n\r\n");
    PEER_UNTIL_END(&s.w, &p);
    CHECK(strncmp(peer_text(&p), "HTTP/1.1 500 ", 13) == 0);
    CHECK_INT(count_text(&p, "X-Injected") + count_text(&p, "must not be seen"), 0);
    CHECK_INT(count_text(&p, "Content-Length: 0\r\n"), 1);
    finish();
}

/* ---- 1.0 and keep-alive ----------------------------------------------------------------------- */

LOOP_TEST("RFC 9112 §9.3 HTTP/1.0 ends after one request, or stays where it asks to and is told so")
{
    begin(NULL, "GET /hello HTTP/1.0\r\n\r\nGET /hello HTTP/1.0\r\n\r\n");
    PEER_UNTIL_END(&s.w, &p);
    CHECK(p.is_ended);
    CHECK_INT(count_text(&p, "HTTP/1.1 200"), 1);
    CHECK_INT(count_text(&p, "Connection: close\r\n"), 1);
    finish();

    begin(NULL, "GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    PEER_UNTIL(&s.w, &p, count_text(&p, "Connection: keep-alive\r\n\r\nhello") == 1);
    check_next_works();
    finish();
}

LOOP_TEST("RFC 9112 §9.6 after Connection: close nothing more is answered")
{
    begin(NULL, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    PEER_UNTIL_END(&s.w, &p);
    CHECK(p.is_ended);
    CHECK_INT(s.handled, 1);
    CHECK_INT(count_text(&p, "HTTP/1.1 200"), 1);
    CHECK_INT(count_text(&p, "Connection: close\r\n"), 1);
    finish();
}

/* ---- backpressure and those who leave --------------------------------------------------------- */

static uint8_t piece[10000];

static void on_room(dx_exchange *x, void *context)
{
    site *of = context;

    CHECK_INT(dx_exchange_write(x, dx_bytes_at(piece, sizeof piece)), DX_SEND_QUEUED);
    of->rooms++;
}

LOOP_TEST("a full queue answers busy, tells room once, and loses nothing")
{
    begin(NULL, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    dx_exchange *x = start(DX_LENGTH_UNKNOWN);
    size_t written = 0;
    memset(piece, 'p', sizeof piece);
    for (int i = 0; i < 2000 && s.rooms == 0; i++) {
        dx_send_result result = dx_exchange_write(x, dx_bytes_at(piece, sizeof piece));
        if (result == DX_SEND_BUSY)
            break;
        CHECK_INT(result, DX_SEND_QUEUED);
        written += sizeof piece;
        dx_loop_step(s.w.loop, 0);
    }
    CHECK(written < 1000 * sizeof piece);
    dx_exchange_want_room(x, on_room, &s);
    turn_for(s.w.loop, 20);
    CHECK_INT(s.rooms, 0);
    PEER_UNTIL(&s.w, &p, s.rooms == 1);
    dx_exchange_end(x);
    PEER_UNTIL(&s.w, &p, p.in.size > written && memcmp(p.in.at + p.in.size - 5, "0\r\n\r\n", 5) == 0);
    dx_bytes in = dx_buffer_view(&p.in);
    response r;
    CHECK(response_next(&in, false, &r));
    CHECK_INT(in.size, 0);
    CHECK_INT(r.body.size, written + sizeof piece + (written / sizeof piece + 1) * 8 + 5);
    world_settle(&s.w);
    CHECK_INT(s.rooms, 1);
    finish();
}

LOOP_TEST("a client that leaves is told once to whoever still owes it an answer")
{
    begin(NULL, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_INT(s.later_count, 1);
    peer_close(&p);
    world_settle(&s.w);
    CHECK_INT(s.gone, 0); /* it has only closed its half, as far as can be known */
    site_answer(&s, "to nobody");
    TURN_UNTIL(s.w.loop, s.w.net.conns_count == 0);
    CHECK_INT(s.gone, 0);
    finish();

    site_init(&s, NULL, NULL);
    site_connect_tcp(&s, &p);
    peer_write(&s.w, &p, DX_BYTES("GET /later HTTP/1.1\r\nHost: x\r\n\r\n"));
    world_settle(&s.w);
    peer_reset(&p);
    TURN_UNTIL(s.w.loop, s.gone == 1);
    CHECK_INT(s.later_count, 0);
    finish();
}

LOOP_TEST("whoever streams to a client that leaves is told, and writes nothing more")
{
    site_init(&s, NULL, NULL);
    site_connect_tcp(&s, &p);
    peer_write(&s.w, &p, DX_BYTES("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"));
    world_settle(&s.w);
    dx_exchange *x = s.later[0];
    dx_exchange_start(x, &(dx_response){0}, DX_LENGTH_UNKNOWN);
    dx_exchange_write(x, DX_BYTES("abc"));
    world_settle(&s.w);
    peer_reset(&p);
    TURN_UNTIL(s.w.loop, s.gone == 1);
    finish();
}

static void answer_aborted(bool in_pieces)
{
    begin(NULL, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    dx_exchange *x = site_take_later(&s);
    dx_conn_abort(dx_exchange_conn(x), DX_ERR_CLOSED, true);
    if (in_pieces) { /* before on_gone could come */
        dx_exchange_start(x, &(dx_response){0}, DX_LENGTH_UNKNOWN);
        CHECK_INT(dx_exchange_write(x, DX_BYTES("abc")), DX_SEND_CLOSED);
        dx_exchange_end(x);
    } else {
        dx_exchange_respond(x, &(dx_response){.body = DX_BYTES("abc")});
    }
    TURN_UNTIL(s.w.loop, s.w.net.conns_count == 0);
    CHECK_INT(s.gone, 0);
    finish();
}

LOOP_TEST("an answer to a connection that was aborted in the same turn does no harm")
{
    answer_aborted(false);
    answer_aborted(true);
}
