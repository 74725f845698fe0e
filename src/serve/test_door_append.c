/* Tests of POST on a stream: what is refused with which status, closing, producers, keys, conditions.
 * SPDX-License-Identifier: MIT */
#include "serve/test_door.h"

#include <unistd.h>

#define PRODUCER(id, epoch, seq)                                                                   \
    TEXT "Producer-Id: " id "\r\nProducer-Epoch: " epoch "\r\nProducer-Seq: " seq "\r\n"

TEST("Durable Streams §5.2 an append says where it ends, what it survives, and who listens")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, ""), 201);
        answer a = ask(s, "POST", "/s/a", TEXT, "x");
        CHECK_INT(a.status, 204);
        CHECK_FIELD(&a, "Stream-Next-Offset", tail_of(s, "/s/a").at);
        CHECK_FIELD(&a, "Stream-Durability", "memory");
        CHECK_FIELD(&a, "Stream-Subscribers", "0");
        CHECK_FIELD(&a, "Stream-Closed", "");
        CHECK_FIELD(&a, "Content-Length", "");
        answer_free(&a);
    }
}

TEST(
    "§5.2 400: no body, no Content-Type, a Content-Type that is none; 404 for a stream that is not there")
{
    FOR_SERVERS(s, NULL) {
        static const char *const bad_types[] = {"text",          "/",
                                                "text/",         "/plain",
                                                "te xt/plain",   "text/pl@in",
                                                "text/plain; a", "text/plain; a=\"",
                                                "a/b/c",         "text/plain,a/b"};
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT, "x"), 404);
        CHECK_INT(status_of(s, "POST", "/s/a", CLOSING, ""), 404);
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, ""), 201);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT, ""), 400);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Closed: yes\r\n", ""), 400);
        CHECK_INT(status_of(s, "POST", "/s/a", "", "x"), 400);
        CHECK_INT(status_of(s, "POST", "/s/a", "Content-Type:\r\n", "x"), 400);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT TEXT, "x"), 400);
        for (size_t i = 0; i < DX_COUNT(bad_types); i++)
            CHECK_INT(
                status_of(s, "POST", "/s/a", text_of("Content-Type: %s\r\n", bad_types[i]).at, "x"),
                400);
        CHECK_INT(
            status_of(s, "POST", "/s/a", "Content-Type: text/plain ; charset=\"utf-8\"\r\n", "x"),
            204);
        CHECK_GET(s, "/s/a", 200, "x");
        CHECK_INT(status_of(s, "GET", "/live/never", "", ""), 404);
    }
}

TEST("§5.2 409 for another content type; close goes before type, type before sequence")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, "x"), 201);
        CHECK_INT(status_of(s, "POST", "/s/a", BINARY, "x"), 409);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq: 5\r\n", "x"), 204);
        answer a = ask(s, "POST", "/s/a", BINARY "Stream-Seq: 1\r\n", "x");
        CHECK_INT(a.status, 409);
        CHECK(holds(&a, "content type"));
        answer_free(&a);
        CHECK_INT(status_of(s, "POST", "/s/a", CLOSING, ""), 204);
        a = ask(s, "POST", "/s/a", BINARY, "x");
        CHECK_INT(a.status, 409);
        CHECK_FIELD(&a, "Stream-Closed", "true");
        CHECK_FIELD(&a, "Stream-Next-Offset", tail_of(s, "/s/a").at);
        answer_free(&a);
    }
}

TEST("§5.3 closing: with a last message or without, twice without is once; then 409 with the end")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, "one"), 201);
        text tail = tail_of(s, "/s/a");
        for (int i = 0; i < 2; i++) {
            answer a =
                ask(s, "POST", "/s/a", "Content-Type: nonsense\r\nStream-Closed: TRUE\r\n", "");
            CHECK_INT(a.status, 204);
            CHECK_FIELD(&a, "Stream-Closed", "true");
            CHECK_FIELD(&a, "Stream-Next-Offset", tail.at);
            answer_free(&a);
        }
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT, "x"), 409);
        answer late = ask(s, "POST", "/s/a", TEXT CLOSING, "x");
        CHECK_INT(late.status, 409);
        CHECK_FIELD(&late, "Stream-Closed", "true");
        answer_free(&late);
        CHECK_GET(s, "/s/a", 200, "one");

        CHECK_INT(status_of(s, "PUT", "/s/b", TEXT, "one"), 201);
        answer last = ask(s, "POST", "/s/b", TEXT CLOSING, "two");
        CHECK_INT(last.status, 204);
        CHECK_FIELD(&last, "Stream-Closed", "true");
        answer_free(&last);
        CHECK_GET(s, "/s/b", 200, "onetwo");
        CHECK_INT(status_of(s, "POST", "/s/b", TEXT, "x"), 409);
    }
}

TEST("§5.2 Stream-Seq rises in byte order, and is forgotten with nothing")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, ""), 201);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq: 09\r\n", "a"), 204);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq: 10\r\n", "b"), 204);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq: 10\r\n", "c"), 409);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq: 09\r\n", "c"), 409);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT, "d"), 204);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq: 1\r\n", "c"), 409);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq: 2\r\n", "e"), 204);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq: Z\r\n", "f"), 204);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq: a\r\n", "g"), 204);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq: B\r\n", "c"), 409);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq:\r\n", "c"), 400);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Stream-Seq: b\r\nStream-Seq: c\r\n", "c"),
                  400);
        CHECK_GET(s, "/s/a", 200, "abdefg");
    }
}

static void check_producer(dx_server *s, const char *fields, unsigned status, const char *epoch,
                           const char *seq)
{
    answer a = ask(s, "POST", "/s/a", fields, "x");

    CHECK_INT(a.status, status);
    CHECK_FIELD(&a, "Producer-Epoch", epoch);
    CHECK_FIELD(&a, "Producer-Seq", seq);
    answer_free(&a);
}

TEST(
    "§5.2.1 producers: 200 for what is new, 204 for what is there, 403 for a zombie, 409 for a gap")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, ""), 201);
        check_producer(s, PRODUCER("p", "0", "0"), 200, "0", "0");
        check_producer(s, PRODUCER("p", "0", "1"), 200, "0", "1");
        check_producer(s, PRODUCER("p", "0", "2"), 200, "0", "2");
        check_producer(s, PRODUCER("p", "0", "1"), 204, "0",
                       "2"); /* the highest taken, not the one sent */
        check_producer(s, PRODUCER("q", "0", "0"), 200, "0", "0");
        answer gap = ask(s, "POST", "/s/a", PRODUCER("p", "0", "5"), "x");
        CHECK_INT(gap.status, 409);
        CHECK_FIELD(&gap, "Producer-Expected-Seq", "3");
        CHECK_FIELD(&gap, "Producer-Received-Seq", "5");
        answer_free(&gap);
        check_producer(s, PRODUCER("p", "3", "1"), 400, "", "");
        check_producer(s, PRODUCER("p", "3", "0"), 200, "3", "0");
        check_producer(s, PRODUCER("p", "2", "7"), 403, "3", "");
        check_producer(s, PRODUCER("p", "9007199254740991", "0"), 200, "9007199254740991", "0");
        CHECK_GET(s, "/s/a", 200, "xxxxxx");
    }
}

TEST("§5.2.1 400: producer fields that are not all there, or are no numbers")
{
    FOR_SERVERS(s, NULL) {
        static const char *const bad[] = {
            TEXT "Producer-Id: p\r\n",
            TEXT "Producer-Id: p\r\nProducer-Epoch: 0\r\n",
            TEXT "Producer-Epoch: 0\r\nProducer-Seq: 0\r\n",
            TEXT "Producer-Id: p\r\nProducer-Seq: 0\r\n",
            PRODUCER("", "0", "0"),
            PRODUCER("p", "", "0"),
            PRODUCER("p", "0", "-1"),
            PRODUCER("p", "+1", "0"),
            PRODUCER("p", "01", "0"),
            PRODUCER("p", "0", "1.0"),
            PRODUCER("p", "0", "1e3"),
            PRODUCER("p", "0x1", "0"),
            PRODUCER("p", "0", "0abc"),
            PRODUCER("p", "9007199254740992", "0"),
            PRODUCER("p", "0", "9007199254740992"),
            PRODUCER("p", "0", "0") "Producer-Seq: 0\r\n",
        };
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, ""), 201);
        for (size_t i = 0; i < DX_COUNT(bad); i++)
            if (status_of(s, "POST", "/s/a", bad[i], "x") != 400)
                TAP_FAIL("taken: %s", bad[i]);
        CHECK_GET(s, "/s/a", 200, "");
    }
}

TEST("§5.2.1 a producer closes: the same again is 204, anything else 409; an old epoch stays 403")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, ""), 201);
        CHECK_INT(status_of(s, "POST", "/s/a", PRODUCER("p", "1", "0"), "x"), 200);
        CHECK_INT(status_of(s, "POST", "/s/a", PRODUCER("p", "1", "1") CLOSING, "y"), 200);
        answer again = ask(s, "POST", "/s/a", PRODUCER("p", "1", "1") CLOSING, "y");
        CHECK_INT(again.status, 204);
        CHECK_FIELD(&again, "Stream-Closed", "true");
        answer_free(&again);
        CHECK_INT(status_of(s, "POST", "/s/a", PRODUCER("p", "1", "2"), "z"), 409);
        CHECK_INT(status_of(s, "PUT", "/s/b", TEXT, ""), 201);
        for (int i = 0; i < 2; i++) /* without a message there is nothing new */
            CHECK_INT(status_of(s, "POST", "/s/b", PRODUCER("p", "0", "0") CLOSING, ""), 204);
        CHECK_INT(status_of(s, "POST", "/s/a", PRODUCER("q", "0", "0"), "z"), 409);
        CHECK_INT(status_of(s, "POST", "/s/a", PRODUCER("p", "0", "0"), "z"), 403);
        CHECK_GET(s, "/s/a", 200, "xy");
    }
}

TEST("If-Match appends only where the tail is; 412 says where that is")
{
    FOR_SERVERS(s, NULL) {
        static const char *const bad[] = {
            "*",       "W/\"0000000000000001_0000000000000001\"",
            "\"now\"", "\"-1\"",
            "\"\"",    "0000000000000001_0000000000000001",
            "\"x\"",   "\"0000000000000001_0000000000000001\", \"x\""};
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, "a"), 201);
        text first = tail_of(s, "/s/a"), field = text_of(TEXT "If-Match: \"%s\"\r\n", first.at);
        CHECK_INT(status_of(s, "POST", "/s/a", field.at, "b"), 204);
        answer late = ask(s, "POST", "/s/a", field.at, "c");
        CHECK_INT(late.status, 412);
        CHECK_FIELD(&late, "Stream-Next-Offset", tail_of(s, "/s/a").at);
        answer_free(&late);
        for (size_t i = 0; i < DX_COUNT(bad); i++)
            if (status_of(s, "POST", "/s/a", text_of(TEXT "If-Match: %s\r\n", bad[i]).at, "c") !=
                400)
                TAP_FAIL("taken: %s", bad[i]);
        CHECK_GET(s, "/s/a", 200, "ab");
    }
}

TEST("Idempotency-Key: once, and answered the same again; for other messages 422")
{
    FOR_SERVERS(s, NULL) {
        char key[400];
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, ""), 201);
        text next =
            field_of(s, "POST", "/s/a", TEXT "Idempotency-Key: k1\r\n", "a", "Stream-Next-Offset");
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Idempotency-Key: k2\r\n", "b"), 204);
        answer again = ask(s, "POST", "/s/a", TEXT "Idempotency-Key: k1\r\n", "a");
        CHECK_INT(again.status, 204);
        CHECK_FIELD(&again, "Stream-Next-Offset", next.at);
        answer_free(&again);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Idempotency-Key: k1\r\n", "c"), 422);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT "Idempotency-Key:\r\n", "c"), 400);
        snprintf(key, sizeof key, TEXT "Idempotency-Key: %0256d\r\n", 1);
        CHECK_INT(status_of(s, "POST", "/s/a", key, "c"), 400);
        snprintf(key, sizeof key, TEXT "Idempotency-Key: %0255d\r\n", 1);
        CHECK_INT(status_of(s, "POST", "/s/a", key, "c"), 204);
        CHECK_GET(s, "/s/a", 200, "abc");
    }
}

TEST("429 with Retry-After above the rate of a prefix")
{
    FOR_SERVERS(s, (&(dx_stream_options){.append_rate_max = 2})) {
        bool is_limited = false;
        for (int i = 0; i < 20 && !is_limited; i++) {
            answer a = ask(s, "POST", "/live/a", TEXT, "x");
            is_limited = a.status == 429;
            CHECK(a.status == 204 || a.status == 429);
            if (is_limited)
                CHECK_FIELD(&a, "Retry-After", "1");
            answer_free(&a);
        }
        CHECK(is_limited);
    }
}

TEST("413 from the length alone, with a sentence, and what every answer of a stream has")
{
    FOR_SERVERS(s, (&(dx_stream_options){.message_bytes_max = 2000000})) {
        char head[300];
        int fd = peer_connect(dx_server_port(s));
        int size =
            snprintf(head, sizeof head,
                     "POST /live/a HTTP/1.1\r\nHost: t\r\n" TEXT "Content-Length: 2000001\r\n\r\n");
        peer_write(fd, head, (size_t)size); /* nothing of the body */
        answer a = http_answer(fd, false);
        CHECK_INT(a.status, 413);
        CHECK(holds(&a, "2000000"));
        CHECK_FIELD(&a, "X-Content-Type-Options", "nosniff");
        CHECK_FIELD(&a, "Cross-Origin-Resource-Policy", "cross-origin");
        CHECK_FIELD(&a, "Cache-Control", "no-store");
        answer_free(&a);
        close(fd);
        CHECK_INT(status_of(s, "GET", "/live/a", "", ""), 404);
    }
}
