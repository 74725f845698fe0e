/* Tests of HTTP/1.1 at the server: answers whose content is pulled from a source, such as a feed.
 * SPDX-License-Identifier: MIT */
#include "http/test_site.h"
#include "tests/tap.h"

#include "codec/http_chunk.h"

#include <sys/socket.h>

/* ---- a source: a row of messages of one size ---------------------------------------------------- */

typedef struct source {
    dx_exchange *x; /* NULL once it is over */
    uint8_t *at;
    size_t size, sent, message_size, in_flight;
    size_t end_at; /* ends the answer from `pulled` once so much was sent; 0: not */
    int endings, freeds, pulleds;
    bool is_frozen, is_rest_taken;
} source;

static uint32_t on_pull(void *context, struct iovec *iov, uint32_t max)
{
    source *f = context;
    size_t stop = f->size;

    dx_assert(max > 0 && f->freeds == 0);
    if (f->is_frozen) /* only the rest of a message */
        stop = (f->sent + f->message_size - 1) / f->message_size * f->message_size;
    if (f->sent == stop || f->is_rest_taken)
        return 0;
    f->in_flight = stop - f->sent;
    iov[0] = (struct iovec){f->at + f->sent, f->in_flight};
    return 1;
}

static bool on_pulled(void *context, size_t bytes)
{
    source *f = context;

    dx_assert(bytes <= f->in_flight && f->freeds == 0);
    f->in_flight = 0;
    f->pulleds++;
    f->sent += bytes;
    if (f->end_at > 0 && f->sent >= f->end_at && f->x) {
        dx_exchange *x = f->x;
        f->x = NULL;
        dx_exchange_end(x);
    }
    return f->sent % f->message_size != 0;
}

static void on_ending(void *context)
{
    source *f = context;
    f->endings++;
    f->is_frozen = true;
}

static void on_freed(void *context)
{
    source *f = context;
    dx_assert(f->endings == 1);
    f->freeds++;
    f->x = NULL;
}

static const dx_exchange_source source_ops = {
    .pull = on_pull, .pulled = on_pulled, .ending = on_ending, .freed = on_freed};

/* ---- the site ------------------------------------------------------------------------------------ */

static site s;
static peer p;
static source f;

static const char request[] = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";

/* `count` messages of `size` bytes, each framed as one chunk if the answer wants that. */
static void fill(size_t count, size_t size, dx_exchange_framing framing)
{
    uint8_t head[DX_HTTP_CHUNK_HEAD_MAX];
    size_t head_size = framing == DX_EXCHANGE_CHUNKED ? dx_http_chunk_head_write(size, head) : 0;

    f.message_size = framing == DX_EXCHANGE_CHUNKED ? head_size + size + 2 : size;
    f.size = count * f.message_size;
    f.at = malloc(f.size);
    dx_assert(f.at != NULL);
    for (size_t i = 0; i < count; i++) {
        uint8_t *to = f.at + i * f.message_size;
        memcpy(to, head, head_size);
        memset(to + head_size, 'a' + (int)(i % 26), size);
        if (framing == DX_EXCHANGE_CHUNKED)
            memcpy(to + head_size + size, "\r\n", 2);
    }
}

static void begin_with(const char *text, size_t count, size_t size, const dx_net_limits *limits)
{
    site_init(&s, NULL, limits);
    site_connect(&s, &p);
    peer_write(&s.w, &p, dx_bytes_of(text));
    world_settle(&s.w);
    f = (source){.x = site_take_later(&s)};
    dx_assert(f.x != NULL);
    dx_exchange_start(f.x, &(dx_response){.type = DX_BYTES("text/plain")}, DX_LENGTH_UNKNOWN);
    fill(count, size, dx_exchange_stream(f.x, &source_ops, &f));
}

static void begin(size_t count, size_t size)
{
    begin_with(request, count, size, NULL);
}

static void finish(void)
{
    peer_close(&p);
    site_deinit(&s);
    CHECK_INT(f.freeds, 1);
    free(f.at);
}

static void end_answer(void)
{
    dx_exchange *x = f.x;
    f.x = NULL;
    dx_exchange_end(x);
}

/* What the answer holds, without the chunks' heads: given. */
static dx_buffer content(void)
{
    dx_bytes in = dx_buffer_view(&p.in), piece;
    response r;
    dx_http_chunks chunks;
    dx_buffer all = {0};

    if (!response_next(&in, false, &r) || !r.is_chunked)
        return all;
    dx_http_chunks_init(&chunks);
    while (dx_http_chunk_read(&chunks, &r.body, &piece) == DX_HTTP_DATA)
        dx_assert(dx_buffer_append(&all, piece));
    return all;
}

/* `count` messages of `size` bytes, in order. */
static void check_content(size_t count, size_t size)
{
    dx_buffer all = content();

    CHECK_INT(all.size, count * size);
    for (size_t i = 0; i < count && all.size == count * size; i++)
        if (all.at[i * size] != 'a' + i % 26 || all.at[(i + 1) * size - 1] != 'a' + i % 26)
            TAP_FAIL("message %zu is not in its place", i);
    dx_buffer_clear(&all);
}

/* The next request on the same connection is answered: nothing was left over. */
static void check_next_works(void)
{
    peer_write(&s.w, &p, DX_BYTES("GET /n/777 HTTP/1.1\r\nHost: x\r\n\r\n"));
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\n777") == 1);
}

static bool is_whole(void)
{
    dx_bytes in = dx_buffer_view(&p.in);
    response r;

    return response_next(&in, false, &r);
}

/* ---- sending ------------------------------------------------------------------------------------- */

LOOP_TEST(
    "what a source has goes out in chunks behind what was written; the next request is served")
{
    begin(3, 10);
    dx_exchange_put(f.x, DX_BYTES("aaaaaaaaaa"));
    dx_exchange_wake(f.x);
    PEER_UNTIL(&s.w, &p, count_text(&p, "cccccccccc\r\n") == 1);
    CHECK_INT(count_text(&p, "Transfer-Encoding: chunked\r\n"), 1);
    CHECK_INT(count_text(&p, "\r\n\r\na\r\naaaaaaaaaa\r\na\r\naaaaaaaaaa\r\na\r\nbbbbbbbbbb\r\n"),
              1);
    CHECK(!is_whole());
    end_answer();
    CHECK_INT(f.endings, 1);
    CHECK_INT(f.freeds, 1);
    PEER_UNTIL(&s.w, &p, is_whole());
    check_next_works();
    finish();
}

LOOP_TEST("flush sends at once what is there, without waiting for the end of the turn")
{
    begin(1, 10);
    dx_exchange_flush(f.x);
    if (strcmp(dx_loop_name(s.w.loop), "epoll") == 0) {
        peer_read(&p, SIZE_MAX);
        CHECK_INT(count_text(&p, "aaaaaaaaaa"), 1);
    }
    PEER_UNTIL(&s.w, &p, count_text(&p, "aaaaaaaaaa") == 1);
    end_answer();
    finish();
}

LOOP_TEST(
    "RFC 9112 §6.3 for HTTP/1.0 nothing is framed: the end of the connection ends the content")
{
    begin_with("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 2, 10, NULL);
    dx_exchange_wake(f.x);
    PEER_UNTIL(&s.w, &p, count_text(&p, "\r\n\r\naaaaaaaaaabbbbbbbbbb") == 1);
    CHECK(!p.is_ended);
    end_answer();
    PEER_UNTIL_END(&s.w, &p);
    CHECK_INT(count_text(&p, "Transfer-Encoding"), 0);
    CHECK(p.in.size > 10 && memcmp(p.in.at + p.in.size - 10, "bbbbbbbbbb", 10) == 0);
    finish();
}

LOOP_TEST("a piece written while a message is sent in part goes behind its rest")
{
    begin(40, 100000);
    dx_exchange_wake(f.x);
    TURN_UNTIL(s.w.loop, f.pulleds > 0);
    CHECK(f.sent < f.size);
    CHECK(f.sent % f.message_size !=
          0); /* else this shows nothing: the socket took whole messages */
    dx_exchange_put(f.x, DX_BYTES("between"));
    dx_exchange_wake(f.x);
    PEER_UNTIL(&s.w, &p, f.sent == f.size);
    end_answer();
    PEER_UNTIL(&s.w, &p, is_whole());
    dx_buffer all = content();
    CHECK_INT(all.size, 40 * 100000 + 7);
    size_t at = 0;
    while (at + 7 <= all.size && memcmp(all.at + at, "between", 7) != 0)
        at += 100000;
    CHECK(at > 0 && at + 7 <= all.size);
    dx_buffer_clear(&all);
    check_next_works();
    finish();
}

/* ---- ending -------------------------------------------------------------------------------------- */

LOOP_TEST(
    "an answer that ends in the middle of a message gives its rest, and nothing of the next one")
{
    begin(40, 100000);
    dx_exchange_wake(f.x);
    TURN_UNTIL(s.w.loop, f.pulleds > 0);
    CHECK(f.sent % f.message_size != 0);
    size_t messages = f.sent / f.message_size + 1;
    end_answer();
    CHECK_INT(f.freeds, 0); /* the rest is still to be pulled */
    PEER_UNTIL(&s.w, &p, is_whole());
    CHECK_INT(f.freeds, 1);
    check_content(messages, 100000);
    check_next_works();
    finish();
}

LOOP_TEST("an answer may end from pulled, with what is in flight and with the rest of it")
{
    for (size_t end_at = 1; end_at <= 2000001; end_at += 1000000) {
        begin(40, 100000);
        f.end_at = end_at;
        dx_exchange_wake(f.x);
        PEER_UNTIL(&s.w, &p, is_whole());
        CHECK_INT(f.freeds, 1);
        CHECK(f.sent % f.message_size == 0 && f.sent >= end_at);
        check_content(f.sent / f.message_size, 100000);
        check_next_works();
        finish();
    }
}

LOOP_TEST("an end in the turn of the wake waits for what is in flight")
{
    begin(3, 1000);
    dx_exchange_flush(f.x); /* io_uring: in flight from here on */
    end_answer();
    PEER_UNTIL(&s.w, &p, is_whole());
    CHECK_INT(f.freeds, 1);
    check_content(3, 1000);
    check_next_works();
    finish();
}

LOOP_TEST("the rest of a message that the source gives up is sent before all else")
{
    for (int is_ended = 0; is_ended <= 1; is_ended++) {
        begin(40, 100000);
        dx_exchange_wake(f.x);
        TURN_UNTIL(s.w.loop, f.pulleds > 0 && f.in_flight == 0);
        CHECK(f.sent % f.message_size != 0);
        size_t messages = f.sent / f.message_size + 1;
        dx_exchange *x = f.x;
        dx_exchange_put(x, DX_BYTES("what comes instead"));
        if (is_ended)
            end_answer();
        f.is_rest_taken = true;
        dx_exchange_put_rest(x, dx_bytes_at(f.at + f.sent, messages * f.message_size - f.sent));
        CHECK_INT(f.freeds, 0);
        if (!is_ended)
            end_answer();
        CHECK_INT(f.freeds, !is_ended);
        PEER_UNTIL(&s.w, &p, is_whole());
        dx_buffer all = content();
        CHECK_INT(all.size, messages * 100000 + 18);
        CHECK_MEM(all.at + all.size - 18, 18, "what comes instead", 18);
        dx_buffer_clear(&all);
        check_next_works();
        finish();
    }
}

LOOP_TEST("two such answers in a row: the second does not end as the first did")
{
    begin(40, 100000);
    dx_exchange_wake(f.x);
    TURN_UNTIL(s.w.loop, f.pulleds > 0);
    CHECK(f.sent % f.message_size != 0);
    end_answer(); /* in the middle of a message */
    PEER_UNTIL(&s.w, &p, is_whole());
    CHECK_INT(f.freeds, 1);
    free(f.at);
    peer_forget(&p);
    peer_write(&s.w, &p, dx_bytes_of(request));
    world_settle(&s.w);
    f = (source){.x = site_take_later(&s)};
    CHECK(f.x != NULL);
    dx_exchange_start(f.x, &(dx_response){0}, DX_LENGTH_UNKNOWN);
    fill(3, 10, dx_exchange_stream(f.x, &source_ops, &f));
    dx_exchange_wake(f.x);
    PEER_UNTIL(&s.w, &p, count_text(&p, "cccccccccc\r\n") == 1);
    CHECK_INT(f.freeds, 0);
    end_answer();
    PEER_UNTIL(&s.w, &p, is_whole());
    check_content(3, 10);
    finish();
}

static void on_room_too_late(dx_exchange *x, void *context)
{
    (void)x, (void)context;
    TAP_FAIL("room after the end");
}

LOOP_TEST("who ended the answer is not told of room any more")
{
    begin(40, 100000);
    dx_exchange_wake(f.x);
    TURN_UNTIL(s.w.loop, f.pulleds > 0);
    dx_exchange_want_room(f.x, on_room_too_late, NULL);
    end_answer();
    CHECK_INT(f.freeds, 0);
    PEER_UNTIL(&s.w, &p, is_whole());
    finish();
}

/* ---- the client goes ----------------------------------------------------------------------------- */

LOOP_TEST("a client that leaves is seen: the source ends and is freed, and nothing is called after")
{
    begin(40, 100000);
    dx_exchange_wake(f.x);
    TURN_UNTIL(s.w.loop, f.pulleds > 0);
    peer_reset(&p);
    TURN_UNTIL(s.w.loop, f.freeds == 1);
    CHECK_INT(f.endings, 1);
    finish();
}

static int gones;

static void on_gone_count(dx_exchange *x, void *context)
{
    (void)x, (void)context;
    gones++;
}

LOOP_TEST("on_gone comes before the source is freed, and not after the answer was ended")
{
    for (int is_ended = 0; is_ended <= 1; is_ended++) {
        gones = 0;
        begin(40, 100000);
        dx_exchange_on_gone(f.x, on_gone_count, NULL);
        dx_exchange_wake(f.x);
        TURN_UNTIL(s.w.loop, f.pulleds > 0);
        if (is_ended)
            end_answer();
        CHECK_INT(f.freeds, 0);
        peer_reset(&p);
        TURN_UNTIL(s.w.loop, f.freeds == 1);
        CHECK_INT(gones, !is_ended);
        finish();
    }
}

LOOP_TEST("a client that takes nothing is reset after write_stalled_ms")
{
    dx_net_limits limits = DX_NET_LIMITS_DEFAULT;

    limits.write_stalled_ms = 100;
    begin_with(request, 40, 100000, &limits);
    dx_exchange_wake(f.x);
    uint64_t begin_ms = dx_clock_ms();
    TURN_UNTIL(s.w.loop, f.freeds == 1);
    CHECK(dx_clock_ms() - begin_ms >= 90);
    finish();
}

/* ---- haste --------------------------------------------------------------------------------------- */

static int hurries;

static void on_hurry(dx_exchange *x, void *context)
{
    source *of = context;

    hurries++;
    CHECK(dx_exchange_is_hurried(x));
    of->x = NULL;
    dx_exchange_end(x);
}

LOOP_TEST("a client that closes its half is told at once that the answer ends, and gets all of it")
{
    hurries = 0;
    begin(2, 10);
    dx_exchange_on_hurry(f.x, on_hurry, &f);
    CHECK(!dx_exchange_is_hurried(f.x));
    dx_exchange_wake(f.x);
    PEER_UNTIL(&s.w, &p, count_text(&p, "bbbbbbbbbb") == 1);
    peer_finish(&p);
    PEER_UNTIL_END(&s.w, &p);
    CHECK(p.is_ended && !p.is_reset);
    CHECK_INT(hurries, 1);
    CHECK(is_whole());
    finish();
}

LOOP_TEST("a request that came before the client closed its half is served after such an answer")
{
    hurries = 0;
    begin(2, 10);
    dx_exchange_on_hurry(f.x, on_hurry, &f);
    peer_write(&s.w, &p, DX_BYTES("GET /n/777 HTTP/1.1\r\nHost: x\r\n\r\n"));
    peer_finish(&p);
    PEER_UNTIL_END(&s.w, &p);
    CHECK_INT(hurries, 1);
    CHECK_INT(count_text(&p, "0\r\n\r\nHTTP/1.1 200 OK\r\n"), 1);
    CHECK_INT(count_text(&p, "\r\n\r\n777"), 1);
    finish();
}

LOOP_TEST(
    "one that drains hurries the answer, also one that has not begun; then the connection ends")
{
    hurries = 0;
    begin(2, 10);
    dx_exchange_on_hurry(f.x, on_hurry, &f);
    dx_http1_drain(dx_exchange_conn(f.x));
    PEER_UNTIL_END(&s.w, &p);
    CHECK_INT(hurries, 1);
    CHECK(is_whole());
    finish();
}

static void on_hurry_wait(dx_exchange *x, void *context)
{
    (void)x, (void)context;
    hurries++;
}

LOOP_TEST("an answer is hurried once")
{
    hurries = 0;
    begin(2, 10);
    dx_exchange_on_hurry(f.x, on_hurry_wait, NULL);
    dx_http1_drain(dx_exchange_conn(f.x));
    dx_http1_drain(dx_exchange_conn(f.x));
    peer_finish(&p);
    world_settle(&s.w);
    CHECK_INT(hurries, 1);
    end_answer();
    PEER_UNTIL_END(&s.w, &p);
    finish();
}

LOOP_TEST("an answer whose connection drains already knows")
{
    begin(2, 10);
    dx_http1_drain(dx_exchange_conn(f.x)); /* no on_hurry was set */
    CHECK(dx_exchange_is_hurried(f.x));
    end_answer();
    PEER_UNTIL_END(&s.w, &p);
    finish();
}
