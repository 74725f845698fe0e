/* Tests of GET on a stream: positions, ends, validators, caches; and of what every answer has.
 * SPDX-License-Identifier: MIT */
#include "serve/test_door.h"

TEST("§5.6 the query: each parameter once, offsets that are none 400, unknown ones are nobody's")
{
    FOR_SERVERS(s, NULL) {
        static const char *const bad[] = {
            "offset=",
            "offset",
            "offset=a,b",
            "offset=a%20b",
            "offset=%zz",
            "offset=%ff",
            "offset=-1&offset=-1",
            "offset=now&%6fffset=now",
            "live=",
            "live",
            "live=websocket",
            "live=sse",
            "live=long-poll",
            "live=sse&live=sse&offset=now",
            "last=0",
            "last=10001",
            "last=01",
            "last=-1",
            "last=",
            "last=x",
            "last=1&last=1",
            "last=1&offset=-1",
            "last=1&offset=-1&live=sse",
            "cursor=1&cursor=2",
            "limit=0",
            "limit=10001",
            "limit=x",
            "limit=",
            "limit=1&limit=1",
            "last=1&limit=1",
        };
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, "x"), 201);
        for (size_t i = 0; i < DX_COUNT(bad); i++)
            if (status_of(s, "GET", text_of("/s/a?%s", bad[i]).at, "", "") != 400)
                TAP_FAIL("taken: %s", bad[i]);
        CHECK_GET(s, "/s/a?foo=bar&foo=baz&&%zz=1&cursor=nonsense", 200, "x");
        CHECK_GET(s, "/s/a?%6Fffset=-1", 200, "x");
    }
}

TEST("?last=N gives the last messages, all of them if there are fewer")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 5})) {
        CHECK_INT(status_of(s, "PUT", "/s/a", JSON, "[1,2,3,4,5,6,7]"), 201);
        CHECK_GET(s, "/s/a?last=1", 200, "[7]");
        CHECK_GET(s, "/s/a?last=3", 200, "[5,6,7]");
        CHECK_GET(s, "/s/a?last=5", 200, "[3,4,5,6,7]");
        CHECK_GET(s, "/s/a?last=10000", 200, "[3,4,5,6,7]");
        answer a = http_get(s, "/s/a?last=2");
        CHECK_FIELD(&a, "Stream-Up-To-Date", "true");
        CHECK_FIELD(&a, "Stream-Next-Offset", tail_of(s, "/s/a").at);
        CHECK_FIELD(&a, "Cache-Control", "public, no-cache");
        CHECK_FIELD(&a, "Vary", "Accept");
        answer_free(&a);
        CHECK_INT(status_of(s, "PUT", "/s/e", JSON, ""), 201);
        CHECK_GET(s, "/s/e?last=1", 200, "[]");
    }
}

TEST("?limit=N gives at most so many, and the cursor behind them, from history and by long-poll")
{
    static const char *const doors[] = {"", "&live=long-poll"};

    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", JSON, "[1,2,3,4,5]"), 201);
        for (size_t i = 0; i < DX_COUNT(doors); i++) {
            text next = text_of("/s/a?offset=-1&limit=2%s", doors[i]);
            for (int part = 1; part <= 3; part++) {
                answer a = http_get(s, next.at);
                const char *want = part == 1 ? "[1,2]" : part == 2 ? "[3,4]" : "[5]";
                CHECK_MEM(a.body, a.size, want, strlen(want));
                CHECK_FIELD(&a, "Stream-Up-To-Date", part == 3 ? "true" : "");
                next = text_of("/s/a?offset=%s&limit=2%s", answer_field(&a, "Stream-Next-Offset"),
                               doors[i]);
                answer_free(&a);
            }
        }
    }
}

/* The status of a GET with this If-None-Match; the answer's ETag. */
static unsigned conditional(dx_server *s, const char *path, const char *tag, text *ret)
{
    answer a = ask(s, "GET", path, text_of("If-None-Match: %s\r\n", tag).at, "");

    snprintf(ret->at, sizeof ret->at, "%s", answer_field(&a, "ETag"));
    if (a.status == 304) {
        CHECK_FIELD(&a, "Content-Length", "");
        CHECK_INT(strlen(answer_field(&a, "Stream-Next-Offset")), DX_OFFSET_SIZE);
        CHECK(strlen(answer_field(&a, "Cache-Control")) > 0);
    }
    answer_free(&a);
    return a.status;
}

TEST("§10.1 ETag and 304: another with other content, another once it is closed, none for now")
{
    FOR_SERVERS(s, NULL) {
        text etag, other;
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, "x"), 201);
        CHECK_INT(conditional(s, "/s/a", "\"nothing\"", &etag), 200);
        CHECK_INT(etag.at[0], '"');
        CHECK_INT(conditional(s, "/s/a", etag.at, &other), 304);
        CHECK(strcmp(etag.at, other.at) == 0);
        CHECK_INT(conditional(s, "/s/a?offset=-1", text_of("\"a\", W/%s", etag.at).at, &other),
                  304);
        CHECK_INT(conditional(s, "/s/a", "*", &other), 304);
        CHECK_INT(status_of(s, "GET", "/s/a", text_of("If-Match: %s\r\n", etag.at).at, ""), 200);
        CHECK_INT(status_of(s, "GET", "/s/a", "If-Match: \"x\"\r\n", ""), 412);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT, "y"), 204);
        CHECK_INT(conditional(s, "/s/a", etag.at, &other), 200);
        CHECK(strcmp(etag.at, other.at) != 0);
        etag = other;
        text end = text_of("/s/a?offset=%s", tail_of(s, "/s/a").at), at_end;
        CHECK_INT(conditional(s, end.at, etag.at, &at_end), 200);
        CHECK_INT(conditional(s, end.at, at_end.at, &other), 304);
        CHECK_INT(status_of(s, "POST", "/s/a", CLOSING, ""), 204);
        CHECK_INT(conditional(s, end.at, at_end.at, &other), 200);
        CHECK_INT(conditional(s, "/s/a", etag.at, &other), 200);
        CHECK_INT(conditional(s, "/s/a", other.at, &etag), 304);
        CHECK_INT(conditional(s, "/s/a?offset=now", "*", &other), 200);
        CHECK(strcmp(other.at, "") == 0);
        CHECK_INT(status_of(s, "DELETE", "/s/a", "", ""), 204);
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT CLOSING, "xy"), 201);
        CHECK_INT(conditional(s, "/s/a", etag.at, &other),
                  200); /* the same bytes, of another stream */
    }
}

static void check_cache(dx_server *s, const char *path, const char *want)
{
    text got = field_of(s, "GET", path, "", "", "Cache-Control");

    if (strcmp(got.at, want) != 0)
        TAP_FAIL("Cache-Control of %s is \"%s\", expected \"%s\"", path, got.at, want);
}

TEST(
    "§10.1 caches keep what stays as it is: from a cursor, or closed; never longer than the stream lives")
{
    FOR_SERVERS(s, NULL) {
        static const char day[] = "public, max-age=60, stale-while-revalidate=300";
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, "x"), 201);
        text first = text_of("/s/a?offset=%s", tail_of(s, "/s/a").at);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT, "y"), 204);
        text end = text_of("/s/a?offset=%s", tail_of(s, "/s/a").at);
        check_cache(s, "/s/a", "public, no-cache"); /* the next append changes it */
        check_cache(s, "/s/a?offset=now", "no-store");
        check_cache(s, end.at, "public, no-cache");
        check_cache(s, first.at, day);
        check_cache(s, "/s/none", "no-store");
        CHECK_INT(status_of(s, "POST", "/s/a", CLOSING, ""), 204);
        check_cache(s, "/s/a", day);
        check_cache(s, end.at, day);
        CHECK_INT(status_of(s, "PUT", "/s/t", TEXT CLOSING "Stream-TTL: 9\r\n", "x"), 201);
        check_cache(s, "/s/t", "public, max-age=9, stale-while-revalidate=45");
        CHECK_INT(status_of(s, "PUT", "/s/u",
                            TEXT CLOSING "Stream-Expires-At: 2096-01-01T00:00:00Z\r\n", "x"),
                  201);
        check_cache(s, "/s/u", day);
    }
}

TEST("§5.6 Stream-Up-To-Date and Stream-Closed come with the last part only")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000})) {
        static char body[600001];
        memset(body, 'x', sizeof body - 1);
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, body), 201);
        CHECK_INT(status_of(s, "POST", "/s/a", TEXT CLOSING, body), 204);
        answer a = http_get(s, "/s/a");
        CHECK_INT(a.size, sizeof body - 1);
        CHECK_FIELD(&a, "Stream-Up-To-Date", "");
        CHECK_FIELD(&a, "Stream-Closed", "");
        text rest = text_of("/s/a?offset=%s", answer_field(&a, "Stream-Next-Offset"));
        answer_free(&a);
        a = http_get(s, rest.at);
        CHECK_INT(a.size, sizeof body - 1);
        CHECK_FIELD(&a, "Stream-Up-To-Date", "true");
        CHECK_FIELD(&a, "Stream-Closed", "true");
        answer_free(&a);
        a = http_get(s, "/s/a?offset=now");
        CHECK_INT(a.size, 0);
        CHECK_FIELD(&a, "Stream-Closed", "true");
        CHECK_FIELD(&a, "Stream-Up-To-Date", "true");
        answer_free(&a);
    }
}

TEST("§12.7 every answer of a stream's door says how browsers are to take it, errors too")
{
    FOR_SERVERS(s, NULL) {
        static const struct {
            const char *method, *path, *fields, *body;
            unsigned status;
        } rows[] = {
            {"PUT", "/s/a", TEXT, "", 201},
            {"PUT", "/s/a", TEXT, "", 200},
            {"POST", "/s/a", TEXT, "x", 204},
            {"GET", "/s/a", "", "", 200},
            {"GET", "/s/a", "If-None-Match: *\r\n", "", 304},
            {"HEAD", "/s/a", "", "", 200},
            {"OPTIONS", "/s/a", "", "", 204},
            {"PUT", "/s/a", JSON, "", 409},
            {"POST", "/s/a", "", "x", 400},
            {"GET", "/s/a?offset=x", "", "", 400},
            {"GET", "/s/none", "", "", 404},
            {"HEAD", "/s/none", "", "", 404},
            {"GET", "/s/__ds/x", "", "", 404},
            {"GET", "/s/", "", "", 404},
            {"DELETE", "/s/a", "", "x", 413},
            {"DELETE", "/s/a", "", "", 204},
            {"DELETE", "/s/a", "", "", 404},
        };
        for (size_t i = 0; i < DX_COUNT(rows); i++) {
            answer a = ask(s, rows[i].method, rows[i].path, rows[i].fields, rows[i].body);
            CHECK_INT(a.status, rows[i].status);
            CHECK_FIELD(&a, "X-Content-Type-Options", "nosniff");
            CHECK_FIELD(&a, "Cross-Origin-Resource-Policy", "cross-origin");
            CHECK_FIELD(&a, "Access-Control-Allow-Origin", "*");
            CHECK_FIELD(&a, "Access-Control-Expose-Headers", "*");
            if (a.status >= 400)
                CHECK_FIELD(&a, "Cache-Control", "no-store");
            answer_free(&a);
        }
        answer a = ask(s, "GET", "/s/a%00b", "", "");
        CHECK_INT(a.status, 400);
        CHECK_FIELD(&a, "X-Content-Type-Options", "nosniff");
        answer_free(&a);
    }
}

TEST("content never runs in a page of this server's origin")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "PUT", "/s/a", "Content-Type: text/html\r\n", "<script>"), 201);
        text policy = field_of(s, "GET", "/s/a", "", "", "Content-Security-Policy");
        CHECK(strcmp(policy.at, "default-src 'none'; sandbox") == 0);
    }
}

TEST("a preflight is told the methods, and every field that the doors look at")
{
    FOR_SERVERS(s, NULL) {
        static const char *const fields[] = {"Content-Type",       "If-Match",
                                             "If-None-Match",      "Idempotency-Key",
                                             "Last-Event-ID",      "Prefer",
                                             "Authorization",      "Stream-Seq",
                                             "Stream-TTL",         "Stream-Expires-At",
                                             "Stream-Closed",      "Stream-Forked-From",
                                             "Stream-Fork-Offset", "Stream-Fork-Sub-Offset",
                                             "Producer-Id",        "Producer-Epoch",
                                             "Producer-Seq"};
        answer a = ask(s, "OPTIONS", "/s/a",
                       "Origin: https://example.com\r\nAccess-Control-Request-Method: PUT\r\n"
                       "Access-Control-Request-Headers: stream-ttl\r\n",
                       "");
        CHECK_INT(a.status, 204);
        CHECK_FIELD(&a, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
        CHECK_FIELD(&a, "Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
        text allowed = text_of("%s", answer_field(&a, "Access-Control-Allow-Headers"));
        for (size_t i = 0; i < DX_COUNT(fields); i++)
            if (!strstr(allowed.at, fields[i]))
                TAP_FAIL("not allowed: %s", fields[i]);
        answer_free(&a);
        a = ask(s, "PATCH", "/s/a", "", "");
        CHECK_INT(a.status, 405);
        CHECK(strstr(answer_field(&a, "Allow"), "DELETE") != NULL);
        CHECK_FIELD(&a, "X-Content-Type-Options", "nosniff");
        answer_free(&a);
    }
}

TEST("names below __ds are reserved, at each door; elsewhere in a name it is a name")
{
    FOR_SERVERS(s, NULL) {
        static const char *const methods[] = {"PUT", "POST", "GET", "DELETE"};
        for (size_t i = 0; i < DX_COUNT(methods); i++) {
            answer a = ask(s, methods[i], "/live/__ds/subscriptions/x", TEXT, "");
            CHECK_INT(a.status, 404);
            CHECK(holds(&a, "not offer"));
            answer_free(&a);
            CHECK_INT(status_of(s, methods[i], "/live/%5F_ds", TEXT, ""), 404);
        }
        CHECK_INT(status_of(s, "POST", "/live/a/__ds", TEXT, "x"), 204);
        CHECK_INT(status_of(s, "POST", "/live/__dst", TEXT, "x"), 204);
    }
}
