/* Pages in memory: found by path, with types, validators, conditions, ranges, codings and a policy.
 * Source: RFC 9110; Content Security Policy Level 3.
 * SPDX-License-Identifier: MIT */
#include "http/pages.h"
#include "http/test_served.h"
#include "tests/tap.h"

#include <stdio.h>

#define HTML "<!doctype html><p>a page"
#define SCRIPT "export const answer = 42"

#define VIEW(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const dx_page table[] = {
    {"app.js", "0badcafe", VIEW(SCRIPT), VIEW("(gzipped)")},
    {"chat/index.html", "feedface", VIEW(HTML), {NULL, 0}},
    {"index.html", "deadbeef", VIEW(HTML), {NULL, 0}},
};
static const dx_pages pages = {table, DX_COUNT(table)};

static void ask(const char *line, const char *fields, served_response *ret)
{
    served s;
    char request[512];

    served_init(&s, &(dx_route){"/**", DX_BIT(DX_HTTP_GET) | DX_BIT(DX_HTTP_POST), 0,
                                dx_pages_handle, (void *)(uintptr_t)&pages});
    snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", line,
             fields);
    served_ask(&s, dx_bytes_of(request), ret);
    served_deinit(&s);
}

static void check(const char *line, const char *fields, unsigned code, const char *body)
{
    served_response r;

    ask(line, fields, &r);
    CHECK_INT(r.head.code, code);
    if (body)
        CHECK_BYTES(r.body, body);
    served_response_deinit(&r);
}

static void check_field(const char *line, const char *fields, const char *name, const char *want)
{
    served_response r;

    ask(line, fields, &r);
    CHECK_BYTES(served_field(&r, name), want);
    served_response_deinit(&r);
}

TEST("a page is found by its path, a directory by its index, and without a slash by a redirect")
{
    check("GET /", "", 200, HTML);
    check("GET /index.html", "", 200, HTML);
    check("GET /chat/", "", 200, HTML);
    check("GET /app.js", "", 200, SCRIPT);
    check("HEAD /app.js", "", 200, "");
    check("GET /chat", "", 301, NULL);
    check_field("GET /chat?room=1", "", "Location", "chat/?room=1");
}

TEST("what is not in the table is not there, whatever the method; what is takes GET and HEAD only")
{
    static const char *const paths[] = {"/app",    "/app.js/", "/chat/index",
                                        "/chat//", "//",       "/..%2fapp.js"};

    for (size_t i = 0; i < DX_COUNT(paths); i++) {
        char line[64];
        snprintf(line, sizeof line, "GET %s", paths[i]);
        served_response r;
        ask(line, "", &r);
        if (r.head.code != 404 && r.head.code != 400)
            TAP_FAIL("%s was answered with %u", paths[i], r.head.code);
        served_response_deinit(&r);
    }
    check("POST /nowhere", "Content-Length: 0\r\n", 404, NULL);
    check("POST /app.js", "Content-Length: 0\r\n", 405, NULL);
    check_field("POST /app.js", "Content-Length: 0\r\n", "Allow", "GET, HEAD, OPTIONS");
}

TEST("a page comes with its type, and with a policy that lets no inline script or style run")
{
    check_field("GET /app.js", "", "Content-Type", "text/javascript; charset=utf-8");
    check_field("GET /", "", "Content-Type", "text/html; charset=utf-8");
    check_field("GET /", "", "X-Content-Type-Options", "nosniff");
    check_field("GET /", "", "Referrer-Policy", "no-referrer");
    check_field("GET /", "", "Content-Security-Policy",
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
}

TEST("§8.8.3 its ETag is its content's, another one for each coding, and makes a 304")
{
    check_field("GET /app.js", "", "ETag", "\"0badcafe\"");
    check_field("GET /app.js", "Accept-Encoding: gzip\r\n", "ETag", "\"0badcafe-gzip\"");
    check_field("GET /app.js", "", "Cache-Control", "no-cache");
    check("GET /app.js", "If-None-Match: \"0badcafe\"\r\n", 304, "");
    check("GET /app.js", "If-None-Match: \"other\"\r\n", 200, SCRIPT);
    check("GET /app.js", "If-Match: \"other\"\r\n", 412, NULL);
}

TEST("§12.5.3 who takes gzip gets what was compressed when the program was built")
{
    check("GET /app.js", "Accept-Encoding: br, gzip\r\n", 200, "(gzipped)");
    check_field("GET /app.js", "Accept-Encoding: gzip\r\n", "Content-Encoding", "gzip");
    check_field("GET /app.js", "Accept-Encoding: gzip\r\n", "Vary", "Accept-Encoding");
    check("GET /app.js", "Accept-Encoding: gzip;q=0\r\n", 200, SCRIPT);
    check("GET /", "Accept-Encoding: gzip\r\n", 200, HTML); /* it has none */
}

TEST("§14 ranges are of the page as it is, one or many")
{
    served_response r;

    check("GET /app.js", "Range: bytes=0-5\r\nAccept-Encoding: gzip\r\n", 206, "export");
    check("GET /app.js", "Range: bytes=-2\r\n", 206, "42");
    check_field("GET /app.js", "Range: bytes=-2\r\n", "Content-Range", "bytes 22-23/24");
    check("GET /app.js", "Range: bytes=24-\r\n", 416, NULL);
    ask("GET /app.js", "Range: bytes=0-1, 4-5\r\n", &r);
    CHECK_INT(r.head.code, 206);
    CHECK(memmem(r.body.at, r.body.size, "\r\n\r\nex\r\n", 8) &&
          memmem(r.body.at, r.body.size, "\r\n\r\nrt\r\n", 8));
    served_response_deinit(&r);
}

TEST("RFC 9110 §15.5.6 a path that is another route's stays that, whatever the method")
{
    served s;
    served_response r;
    dx_route health = {"/healthz", DX_BIT(DX_HTTP_GET), 0, dx_pages_handle, NULL};

    served_init(&s, &(dx_route){"/**", UINT32_MAX & ~DX_ROUTE_WEBSOCKET, 0, dx_pages_handle,
                                (void *)(uintptr_t)&pages});
    CHECK_INT(dx_router_add(&s.router, &health), DX_OK);
    served_ask(&s, DX_BYTES("DELETE /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
               &r);
    CHECK_INT(r.head.code, 405);
    CHECK_BYTES(served_field(&r, "Allow"), "GET, HEAD, OPTIONS");
    served_response_deinit(&r);
    served_deinit(&s);
}
