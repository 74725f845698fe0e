/* Tests of exchanges: what a handler sees of a request, problems, and the answers to methods that a path
 * does not have.
 * SPDX-License-Identifier: MIT */
#include "http/test_site.h"
#include "tests/tap.h"

static site s;
static peer p;

static void ask(const char *request)
{
    site_ask(&s, &p, dx_bytes_of(request), 0);
}

static bool has(const char *text)
{
    return count_text(&p, text) == 1;
}

TEST("a handler sees method, path, query, arguments, fields and body")
{
    loop_kind = DX_LOOP_EPOLL;
    site_init(&s, NULL, NULL);
    site_connect(&s, &p);
    peer_write(&s.w, &p, DX_BYTES("POST /%6cater?a=1&b=%20x%2b+y&empty=&flag&bad=%zz&a=2 HTTP/1.1\r\nHost: x:80\r\n"
                                  "X-One: first\r\nx-ONE: second\r\nEmpty:\r\nContent-Length: 3\r\n\r\nabc"));
    world_settle(&s.w);
    CHECK_INT(s.later_count, 1);
    dx_exchange *x = s.later[0];
    CHECK_BYTES(dx_exchange_method(x), "POST");
    CHECK_BYTES(dx_exchange_path(x), "/later");
    CHECK_BYTES(dx_exchange_query(x), "a=1&b=%20x%2b+y&empty=&flag&bad=%zz&a=2");
    CHECK_BYTES(dx_exchange_body(x), "abc");
    CHECK_BYTES(dx_exchange_header(x, "X-ONE"), "first");
    CHECK_BYTES(dx_exchange_header(x, "host"), "x:80");
    CHECK(dx_exchange_header(x, "empty").at != NULL && dx_exchange_header(x, "empty").size == 0);
    CHECK(dx_exchange_header(x, "none").at == NULL);
    CHECK_BYTES(dx_exchange_argument(x, "a"), "1");
    CHECK_BYTES(dx_exchange_argument(x, "b"), " x+ y");
    CHECK(dx_exchange_argument(x, "empty").at != NULL && dx_exchange_argument(x, "empty").size == 0);
    CHECK(dx_exchange_argument(x, "flag").at != NULL && dx_exchange_argument(x, "flag").size == 0);
    CHECK(dx_exchange_argument(x, "bad").at == NULL);
    CHECK(dx_exchange_argument(x, "none").at == NULL);
    CHECK(dx_exchange_parameter(x, "none").at == NULL);
    site_answer(&s, "");
    peer_close(&p);
    site_deinit(&s);
}

TEST("RFC 9110 §15.5.6 a method that the path does not have: 405, and Allow says which it has")
{
    loop_kind = DX_LOOP_EPOLL;
    site_init(&s, NULL, NULL);
    ask("PUT /later HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(has("HTTP/1.1 405 Method Not Allowed\r\n"));
    CHECK(has("Allow: GET, HEAD, POST, OPTIONS\r\n"));
    CHECK(has("\"detail\":\"This path does not take PUT. Allowed: GET, HEAD, POST, OPTIONS.\""));
    peer_close(&p);
    ask("TRACE /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(has("HTTP/1.1 405 "));
    CHECK(has("Allow: POST, OPTIONS\r\n"));
    peer_close(&p);
    ask("PUT /both HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(has("Allow: GET, HEAD, POST, OPTIONS\r\n"));
    peer_close(&p);
    ask("PUT /post-and-ws HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(has("Allow: GET, POST, OPTIONS\r\n")); /* GET with an Upgrade */
    peer_close(&p);
    site_deinit(&s);
}

TEST("RFC 9110 §9.3.7 OPTIONS answers 204 with Allow, for a path and for the server")
{
    loop_kind = DX_LOOP_EPOLL;
    site_init(&s, NULL, NULL);
    ask("OPTIONS /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(has("HTTP/1.1 204 No Content\r\n"));
    CHECK(has("Allow: GET, HEAD, OPTIONS\r\n"));
    peer_close(&p);
    ask("OPTIONS /ws HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(has("Allow: GET, OPTIONS\r\n"));
    peer_close(&p);
    ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(has("HTTP/1.1 204 No Content\r\n"));
    peer_close(&p);
    ask("OPTIONS /none HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(has("HTTP/1.1 404 Not Found\r\n"));
    peer_close(&p);
    CHECK_INT(s.handled, 0);
    site_deinit(&s);
}

TEST("RFC 9110 §15.5.22 GET of what only WebSocket serves: 426 with Upgrade")
{
    static const char *const requests[] = {"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n",
                                           "GET /post-and-ws HTTP/1.1\r\nHost: x\r\n\r\n"};
    loop_kind = DX_LOOP_EPOLL;
    site_init(&s, NULL, NULL);
    for (size_t i = 0; i < DX_COUNT(requests); i++) {
        ask(requests[i]);
        CHECK(has("HTTP/1.1 426 Upgrade Required\r\n"));
        CHECK(has("Upgrade: websocket\r\n"));
        CHECK(has("Connection: Upgrade\r\n"));
        peer_close(&p);
    }
    ask("GET /both HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(has("HTTP/1.1 200 OK\r\n"));
    peer_close(&p);
    site_deinit(&s);
}

static void problem(const char *detail)
{
    site_connect(&s, &p);
    peer_write(&s.w, &p, DX_BYTES("GET /later HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    world_settle(&s.w);
    dx_exchange_problem(site_take_later(&s), 409, detail);
    PEER_UNTIL_END(&s.w, &p);
}

TEST("RFC 9457 a problem is JSON with title, status and detail, whatever the detail holds")
{
    static char detail[5000];

    loop_kind = DX_LOOP_EPOLL;
    site_init(&s, NULL, NULL);
    problem("a \"quote\", a \\ and\r\na line");
    CHECK(has("Content-Type: application/problem+json\r\n"));
    CHECK(has("\r\n\r\n{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,\"detail\":\"a "
              "\\\"quote\\\", a \\\\ and\\r\\na line\"}\n"));
    peer_close(&p);
    memset(detail, 'd', sizeof detail - 1); /* beyond all measure: left out */
    problem(detail);
    CHECK(has("\"status\":409,\"detail\":\"Conflict\"}\n"));
    peer_close(&p);
    site_deinit(&s);
}

TEST("RFC 9110 §6.6.1 every answer has a Date, which moves with the clock")
{
    loop_kind = DX_LOOP_EPOLL;
    site_init(&s, NULL, NULL);
    dx_bytes now = dx_http_now(&s.http);
    CHECK_INT(now.size, DX_HTTP_DATE_SIZE);
    uint8_t first[DX_HTTP_DATE_SIZE];
    memcpy(first, now.at, sizeof first);
    ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(has("\r\nDate: "));
    peer_close(&p);
    turn_for(s.w.loop, 1600);
    now = dx_http_now(&s.http);
    CHECK(memcmp(first, now.at, sizeof first) != 0);
    site_deinit(&s);
}
