/* Tests of PUT, DELETE and HEAD of a stream: making it, its types and lifetimes, forks, ends.
 * SPDX-License-Identifier: MIT */
#include "serve/test_door.h"

#include <time.h>

TEST(
    "Durable Streams §5.1 PUT makes a stream: 201 with its URL, type and end; the same again is 200")
{
    FOR_SERVERS(s, NULL) {
        answer a = ask(s, "PUT", "/s/caf%C3%A9?x=1", TEXT, "one");
        CHECK_INT(a.status, 201);
        CHECK_FIELD(&a, "Location", "http://test/s/caf%C3%A9");
        CHECK_FIELD(&a, "Content-Type", "text/plain");
        CHECK_FIELD(&a, "Stream-Durability", "memory");
        CHECK_FIELD(&a, "Stream-Closed", "");
        CHECK_FIELD(&a, "Stream-Next-Offset", tail_of(s, "/s/caf%C3%A9").at);
        answer_free(&a);
        a = ask(s, "PUT", "/s/caf%C3%A9", "Content-Type: TEXT/PLAIN\r\n", "");
        CHECK_INT(a.status, 200);
        CHECK_FIELD(&a, "Location", "");
        CHECK_FIELD(&a, "Stream-Next-Offset", tail_of(s, "/s/caf%C3%A9").at);
        answer_free(&a);
        CHECK_GET(s, "/s/caf%c3%a9", 200, "one");
    }
}

TEST("§5.1 409 when the one that is there differs in type, lifetime or closing")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, ""), 201);
        CHECK_INT(status_of(s, "PUT", "/s/a", BINARY, ""), 409);
        CHECK_INT(status_of(s, "PUT", "/s/a", "", ""), 409);
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT "Stream-TTL: 60\r\n", ""), 409);
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT CLOSING, ""), 409);
        CHECK_INT(status_of(s, "PUT", "/s/t", TEXT "Stream-TTL: 60\r\n", ""), 201);
        CHECK_INT(status_of(s, "PUT", "/s/t", TEXT "Stream-TTL: 60\r\n", ""), 200);
        CHECK_INT(status_of(s, "PUT", "/s/t", TEXT "Stream-TTL: 61\r\n", ""), 409);
        CHECK_INT(status_of(s, "PUT", "/s/c", TEXT CLOSING, "all"), 201);
        CHECK_INT(status_of(s, "PUT", "/s/c", TEXT CLOSING, ""), 200);
        CHECK_INT(status_of(s, "PUT", "/s/c", TEXT, ""), 409);
    }
}

TEST("§5.1 one instant in two texts is the same Stream-Expires-At")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a",
                            TEXT "Stream-Expires-At: 2096-02-29T00:00:00.5+01:00\r\n", ""),
                  201);
        CHECK_INT(
            status_of(s, "PUT", "/s/a", TEXT "Stream-Expires-At: 2096-02-28t23:00:00.500z\r\n", ""),
            200);
        CHECK_INT(
            status_of(s, "PUT", "/s/a", TEXT "Stream-Expires-At: 2096-02-28T23:00:00Z\r\n", ""),
            409);
        answer a = ask(s, "HEAD", "/s/a", "", "");
        CHECK_FIELD(&a, "Stream-Expires-At", "2096-02-28T23:00:00.500Z");
        CHECK_FIELD(&a, "Stream-TTL", "");
        answer_free(&a);
    }
}

TEST("§5.1 400 for lifetimes that are none, and for two at once; nothing is made")
{
    FOR_SERVERS(s, NULL) {
        static const char *const bad[] = {
            "Stream-TTL: +60\r\n",
            "Stream-TTL: 060\r\n",
            "Stream-TTL: 60.0\r\n",
            "Stream-TTL: 6e1\r\n",
            "Stream-TTL: -1\r\n",
            "Stream-TTL: \r\n",
            "Stream-TTL: soon\r\n",
            "Stream-TTL: 9007199254741\r\n",
            "Stream-TTL: 60\r\nStream-TTL: 60\r\n",
            "Stream-TTL: 60\r\nStream-Expires-At: 2096-01-01T00:00:00Z\r\n",
            "Stream-Expires-At: tomorrow\r\n",
            "Stream-Expires-At: 2096-01-01\r\n",
            "Stream-Expires-At: 2095-02-29T00:00:00Z\r\n",
            "Stream-Expires-At: 2096-01-01T00:00:00\r\n",
            "Stream-Expires-At: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        };
        for (size_t i = 0; i < DX_COUNT(bad); i++)
            if (status_of(s, "PUT", "/s/a", bad[i], "") != 400)
                TAP_FAIL("taken: %s", bad[i]);
        CHECK_INT(status_of(s, "HEAD", "/s/a", "", ""), 404);
        CHECK_INT(status_of(s, "PUT", "/s/a", "Stream-TTL: 9007199254740\r\n", ""), 201);
    }
}

TEST("§5.1 without a type it is octets, and bytes that are no message refuse the whole")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/b", "", "\xff"), 201);
        CHECK_INT(status_of(s, "PUT", "/s/j", JSON, "[1,]"), 400);
        CHECK_INT(status_of(s, "PUT", "/s/t", TEXT, "\xff"), 400);
        CHECK_INT(status_of(s, "PUT", "/s/t", "Content-Type: text\r\n", ""), 400);
        CHECK_INT(status_of(s, "GET", "/s/j", "", ""), 404);
        CHECK_INT(status_of(s, "GET", "/s/t", "", ""), 404);
        CHECK_GET(s, "/s/b", 200, "\xff");
        text type = field_of(s, "GET", "/s/b", "", "", "Content-Type");
        CHECK(strcmp(type.at, "application/octet-stream") == 0);
    }
}

TEST("§9.1 JSON: PUT takes an array apart, and an empty one makes an empty stream")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/e", JSON, "[]"), 201);
        CHECK_GET(s, "/s/e", 200, "[]");
        CHECK_INT(status_of(s, "PUT", "/s/j", JSON, "[1, [2], {}]"), 201);
        CHECK_GET(s, "/s/j", 200, "[1,[2],{}]");
    }
}

TEST("a prefix with one type for all: it is the default, and nothing else is taken")
{
    FOR_SERVERS(s, NULL) {
        answer a = ask(s, "PUT", "/typed/a", TEXT, "");
        CHECK_INT(a.status, 409);
        CHECK(holds(&a, "below this prefix"));
        answer_free(&a);
        CHECK_INT(status_of(s, "POST", "/typed/a", TEXT, "x"), 409);
        CHECK_INT(status_of(s, "GET", "/typed/a", "", ""), 404);
        CHECK_INT(status_of(s, "PUT", "/typed/a", "", "[1]"), 201);
        CHECK_INT(status_of(s, "PUT", "/typed/a", "Content-Type: Application/JSON\r\n", ""), 200);
        CHECK_INT(status_of(s, "POST", "/typed/a", JSON, "2"), 204);
        CHECK_GET(s, "/typed/a", 200, "[1,2]");
        text type = field_of(s, "GET", "/typed/a", "", "", "Content-Type");
        CHECK(strcmp(type.at, "application/json") == 0);
        CHECK_INT(status_of(s, "POST", "/typed/b", JSON, "1"), 204);
        CHECK_GET(s, "/typed/b", 200, "[1]");
    }
}

TEST("§4.1 created closed: with its content or empty, and nothing more")
{
    FOR_SERVERS(s, NULL) {
        answer a = ask(s, "PUT", "/s/a", TEXT CLOSING, "all");
        CHECK_INT(a.status, 201);
        CHECK_FIELD(&a, "Stream-Closed", "true");
        answer_free(&a);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT, "x"), 409);
        a = ask(s, "GET", "/s/a", "", "");
        CHECK_FIELD(&a, "Stream-Closed", "true");
        CHECK_MEM(a.body, a.size, "all", 3);
        answer_free(&a);
        CHECK_INT(status_of(s, "PUT", "/s/b", TEXT CLOSING, ""), 201);
        a = ask(s, "GET", "/s/b", "", "");
        CHECK_INT(a.status, 200);
        CHECK_FIELD(&a, "Stream-Closed", "true");
        CHECK_INT(a.size, 0);
        answer_free(&a);
    }
}

TEST("§5.4 DELETE: 204, then 404; a stream that is made again has other offsets")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "DELETE", "/s/a", "", ""), 404);
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, "old"), 201);
        text old = tail_of(s, "/s/a");
        CHECK_INT(status_of(s, "DELETE", "/s/a", "", ""), 204);
        CHECK_INT(status_of(s, "DELETE", "/s/a", "", ""), 404);
        CHECK_INT(status_of(s, "GET", "/s/a", "", ""), 404);
        CHECK_INT(status_of(s, "HEAD", "/s/a", "", ""), 404);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT, "x"), 404);
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, "new"), 201);
        CHECK(strcmp(old.at, tail_of(s, "/s/a").at) < 0);
        CHECK_INT(status_of(s, "GET", text_of("/s/a?offset=%s", old.at).at, "", ""), 410);
        CHECK_GET(s, "/s/a", 200, "new");
    }
}

TEST("§5.5 HEAD: the end and what is known, never stored; it does not keep a stream alive")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT "Stream-TTL: 1\r\n", "x"), 201);
        answer a = ask(s, "HEAD", "/s/a?offset=nonsense", "", "");
        CHECK_INT(a.status, 200);
        CHECK_FIELD(&a, "Stream-TTL", "1");
        CHECK_FIELD(&a, "Stream-Expires-At", "");
        CHECK_FIELD(&a, "Content-Type", "text/plain");
        CHECK_FIELD(&a, "Cache-Control", "no-store");
        CHECK_FIELD(&a, "Stream-Closed", "");
        CHECK_INT(strlen(answer_field(&a, "Stream-Next-Offset")), DX_OFFSET_SIZE);
        answer_free(&a);
        unsigned status = 200;
        for (int i = 0; i < 40 && status == 200; i++) {
            nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
            status = status_of(s, "HEAD", "/s/a", "", "");
        }
        CHECK_INT(status, 404);
    }
}

/* ---- forks ------------------------------------------------------------------------------------- */

#define FORK(of) "Stream-Forked-From: " of "\r\n"

TEST("§4.2 a fork has what its source had, at its end or at an offset, and then its own")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, "one"), 201);
        text first = tail_of(s, "/s/a");
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT, "two"), 204);
        CHECK_INT(status_of(s, "PUT", "/s/end", FORK("/s/a"), ""), 201);
        CHECK_INT(status_of(s, "PUT", "/s/mid",
                            text_of(TEXT FORK("/s/a") "Stream-Fork-Offset: %s\r\n", first.at).at,
                            ""),
                  201);
        CHECK_INT(
            status_of(s, "PUT", "/s/start", TEXT FORK("/s/a") "Stream-Fork-Offset: -1\r\n", ""),
            201);
        CHECK_INT(
            status_of(s, "PUT", "/s/zero",
                      TEXT FORK("/s/a") "Stream-Fork-Offset: 0000000000000000_0000000000000000\r\n",
                      ""),
            201);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT, "three"), 204);
        CHECK_INT(status_of(s, "POST", "/s/mid", TEXT, "own"), 204);
        CHECK_GET(s, "/s/end", 200, "onetwo");
        CHECK_GET(s, "/s/mid", 200, "oneown");
        CHECK_GET(s, "/s/start", 200, "");
        CHECK_GET(s, "/s/zero", 200, "");
        text type = field_of(s, "GET", "/s/end", "", "", "Content-Type");
        CHECK(strcmp(type.at, "text/plain") == 0);
        CHECK_GET(s, text_of("/s/mid?offset=%s", first.at).at, 200, "own");
        CHECK_INT(status_of(s, "PUT", "/s/end", FORK("/s/a"), ""),
                  200); /* also now that the source has gone on */
        CHECK_INT(status_of(s, "PUT", "/s/mid", FORK("/s/a") "Stream-Fork-Offset: -1\r\n", ""),
                  409);
    }
}

TEST("§4.2 a fork's body means what its source's type says, also where it names none")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/j", JSON, "[1,2]"), 201);
        CHECK_INT(status_of(s, "PUT", "/s/f", FORK("/s/j"), "[3,4]"), 201);
        CHECK_GET(s, "/s/f", 200, "[1,2,3,4]");
        CHECK_INT(status_of(s, "PUT", "/s/g", FORK("/s/j"), "[3,"), 400);
        CHECK_INT(status_of(s, "GET", "/s/g", "", ""), 404);
        CHECK_INT(status_of(s, "PUT", "/s/h", FORK("/s/none"), "x"), 404);
    }
}

TEST("§4.2 a sub-offset counts messages of JSON, and bytes of all else")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/j", JSON, "[1,2,3]"), 201);
        CHECK_INT(status_of(s, "PUT", "/s/t", TEXT, "hello"), 201);
        CHECK_INT(status_of(s, "PUT", "/s/fj",
                            FORK("/s/j") "Stream-Fork-Offset: -1\r\nStream-Fork-Sub-Offset: 2\r\n",
                            ""),
                  201);
        CHECK_INT(status_of(s, "PUT", "/s/ft",
                            FORK("/s/t") "Stream-Fork-Offset: -1\r\nStream-Fork-Sub-Offset: 4\r\n",
                            ""),
                  201);
        CHECK_GET(s, "/s/fj", 200, "[1,2]");
        CHECK_GET(s, "/s/ft", 200, "hell");
        CHECK_INT(status_of(s, "PUT", "/s/x",
                            FORK("/s/t") "Stream-Fork-Offset: -1\r\nStream-Fork-Sub-Offset: 6\r\n",
                            ""),
                  400);
        CHECK_INT(status_of(s, "PUT", "/s/x", FORK("/s/t") "Stream-Fork-Sub-Offset: 1\r\n", ""),
                  400);
        CHECK_INT(status_of(s, "GET", "/s/x", "", ""), 404);
    }
}

TEST("§4.2 fork fields that make no sense: 400; a source that is not there or not a stream: 404")
{
    FOR_SERVERS(s, NULL) {
        static const char *const bad[] = {
            "Stream-Fork-Offset: -1\r\n",
            "Stream-Fork-Sub-Offset: 0\r\n",
            FORK(""),
            FORK("s/a"),
            FORK("http://test/s/a"),
            FORK("/s/../a"),
            FORK("/s/%zz"),
            FORK("/s/a") FORK("/s/a"),
            FORK("/s/a") "Stream-Fork-Offset: nonsense\r\n",
            FORK("/s/a") "Stream-Fork-Offset:\r\n",
            FORK("/s/a") "Stream-Fork-Offset: 9999999999999999_9999999999999999\r\n",
            FORK("/s/a") "Stream-Fork-Offset: -1\r\nStream-Fork-Sub-Offset: 01\r\n",
            FORK("/s/a") "Stream-Fork-Offset: -1\r\nStream-Fork-Sub-Offset: -1\r\n",
            FORK("/s/a") "Stream-Fork-Offset: -1\r\nStream-Fork-Sub-Offset: 1.5\r\n",
        };
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, "x"), 201);
        for (size_t i = 0; i < DX_COUNT(bad); i++)
            if (status_of(s, "PUT", "/s/f", bad[i], "") != 400)
                TAP_FAIL("taken: %s", bad[i]);
        CHECK_INT(status_of(s, "PUT", "/s/f", FORK("/s/none"), ""), 404);
        CHECK_INT(status_of(s, "PUT", "/s/f", FORK("/elsewhere"), ""), 404);
        CHECK_INT(status_of(s, "PUT", "/s/f", FORK("/s/"), ""), 404);
        CHECK_INT(status_of(s, "PUT", "/s/f", BINARY FORK("/s/a"), ""), 409);
        CHECK_INT(status_of(s, "GET", "/s/f", "", ""), 404);
    }
}

TEST(
    "§4.2 a deleted source of forks: 410 at each door, 409 for PUT and for forks; the last fork frees it")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, "x"), 201);
        CHECK_INT(status_of(s, "PUT", "/s/f", FORK("/s/a"), ""), 201);
        CHECK_INT(status_of(s, "DELETE", "/s/a", "", ""), 204);
        CHECK_INT(status_of(s, "GET", "/s/a", "", ""), 410);
        CHECK_INT(status_of(s, "HEAD", "/s/a", "", ""), 410);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT, "x"), 410);
        CHECK_INT(status_of(s, "DELETE", "/s/a", "", ""), 410);
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, ""), 409);
        CHECK_INT(status_of(s, "PUT", "/s/g", FORK("/s/a"), ""), 409);
        CHECK_INT(status_of(s, "PUT", "/s/g", FORK("/s/a"), "body"), 409);
        CHECK_GET(s, "/s/f", 200, "x");
        CHECK_INT(status_of(s, "DELETE", "/s/f", "", ""), 204);
        unsigned status = 410;
        for (int i = 0; i < 40 && status == 410; i++) {
            nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
            status = status_of(s, "GET", "/s/a", "", "");
        }
        CHECK_INT(status, 404);
    }
}
