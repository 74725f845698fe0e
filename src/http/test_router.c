/* Tests of the router: patterns, precedence, methods.
 * SPDX-License-Identifier: MIT */
#include "http/router.h"
#include "tests/tap.h"

static void handle(dx_exchange *x, void *context)
{
    (void)x, (void)context;
}

enum { GET = DX_BIT(DX_HTTP_GET), POST = DX_BIT(DX_HTTP_POST), PUT = DX_BIT(DX_HTTP_PUT) };

static dx_router router;

static dx_err add(const char *pattern, uint32_t methods)
{
    return dx_router_add(&router, &(dx_route){pattern, methods, 0, handle, NULL});
}

static dx_route_match match;

static dx_route_status find(const char *path, dx_http_method method, bool is_websocket)
{
    dx_route_wish wish = {method, is_websocket, dx_bytes_of(path)};

    memset(&match, 0, sizeof match);
    return dx_router_find(&router, &wish, &match);
}

/* The pattern that a GET of `path` goes to; "" for none. */
static const char *of(const char *path)
{
    return find(path, DX_HTTP_GET, false) == DX_ROUTE_OK ? match.route->pattern : "";
}

#define CHECK_TEXT(got, want) CHECK_MEM(got, strlen(got), want, strlen(want))

static void check_parameter(size_t index, const char *name, const char *value)
{
    CHECK(match.parameters_count > index);
    CHECK_BYTES(match.parameters[index].name, name);
    CHECK_BYTES(match.parameters[index].value, value);
}

TEST("literal segments before {name} before **, in whatever order they were added")
{
    static const char *const patterns[] = {
        "/**",      "/{a}",    "/x",         "/x/**", "/x/{b}", "/{a}/y",    "/x/y",     "/{a}/**",
        "/x/{b}/z", "/x/y/**", "/{a}/{b}/z", "/",     "/x/",    "/{a}/y/**", "/x/{b}/**"};
    static const struct {
        const char *path, *pattern;
    } rows[] = {
        {"/", "/"},
        {"/x", "/x"},
        {"/q", "/{a}"},
        {"/x/", "/x/"},
        {"/x/y", "/x/y"},
        {"/x/q", "/x/{b}"},
        {"/q/y", "/{a}/y"},
        {"/q/r", "/{a}/**"},
        {"/q/", "/{a}/**"},
        {"/x/y/", "/x/y/**"},
        {"/x/y/z", "/x/y/**"},
        {"/x/q/z", "/x/{b}/z"},
        {"/x/q/r", "/x/{b}/**"},
        {"/q/y/z", "/{a}/y/**"},
        {"/q/r/z", "/{a}/{b}/z"},
        {"/q/r/s", "/{a}/**"},
        {"//", "/**"},
        {"//a/b", "/**"},
        {"/x//", "/x/**"},
    };
    uint64_t seed = 1;

    for (int round = 0; round < 300; round++) {
        size_t order[DX_COUNT(patterns)];
        for (size_t i = 0; i < DX_COUNT(order); i++) { /* a new order each round */
            size_t j =
                (seed = seed * 6364136223846793005u + 1442695040888963407u, seed >> 33) % (i + 1);
            order[i] = order[j], order[j] = i;
        }
        for (size_t i = 0; i < DX_COUNT(order); i++)
            CHECK_INT(add(patterns[order[i]], GET), DX_OK);
        for (size_t i = 0; i < DX_COUNT(rows); i++)
            if (strcmp(of(rows[i].path), rows[i].pattern) != 0)
                TAP_FAIL("round %d: %s went to '%s', not %s", round, rows[i].path, of(rows[i].path),
                         rows[i].pattern);
        dx_router_deinit(&router);
    }
}

TEST("patterns that are alike in their first seven, eight and nine bytes are told apart")
{
    static const char *const patterns[] = {"/abcdef",   "/abcdefg",       "/abcdefgh",
                                           "/abcdefg/", "/abcdefg/{n}/y", "/abcdefgh/**",
                                           "/abcdefghi"};
    static const char *const rows[][2] = {
        {"/abcde", ""},
        {"/abcdef", "/abcdef"},
        {"/abcdef/", ""},
        {"/abcdefg", "/abcdefg"},
        {"/abcdefg/", "/abcdefg/"},
        {"/abcdefgh", "/abcdefgh"},
        {"/abcdefghi", "/abcdefghi"},
        {"/abcdefgi", ""},
        {"/abcdefgh/", "/abcdefgh/**"},
        {"/abcdefg/x/y", "/abcdefg/{n}/y"},
        {"/abcdefg/x/z", ""},
    };

    for (size_t i = 0; i < DX_COUNT(patterns); i++)
        CHECK_INT(add(patterns[i], GET), DX_OK);
    for (size_t i = 0; i < DX_COUNT(rows); i++)
        CHECK_TEXT(of(rows[i][0]), rows[i][1]);
    dx_router_deinit(&router);
}

TEST("paths that fit no pattern are not found")
{
    CHECK_TEXT(of("/"), "");
    CHECK_INT(add("/a", GET), DX_OK);
    CHECK_INT(add("/b/{n}", GET), DX_OK);
    CHECK_INT(add("/c/**", GET), DX_OK);
    static const char *const paths[] = {"/",   "/A",    "/a/",    "/a/b", "/aa", "/b",
                                        "/b/", "/b/x/", "/b/x/y", "/c",   "/d"};
    for (size_t i = 0; i < DX_COUNT(paths); i++) {
        CHECK_INT(find(paths[i], DX_HTTP_GET, false), DX_ROUTE_NOT_FOUND);
        CHECK_INT(match.allowed, 0);
    }
    dx_router_deinit(&router);
}

TEST("parameters get what their segments are, the rest what is left, which may be nothing")
{
    CHECK_INT(add("/rooms/{room}/users/{user}", GET), DX_OK);
    CHECK_INT(add("/files/{kind}/**", GET), DX_OK);
    CHECK_TEXT(of("/rooms/a b/users/{x}"), "/rooms/{room}/users/{user}");
    CHECK_INT(match.parameters_count, 2);
    check_parameter(0, "room", "a b");
    check_parameter(1, "user", "{x}");
    CHECK_TEXT(of("/files/js/a/b/"), "/files/{kind}/**");
    CHECK_INT(match.parameters_count, 2);
    check_parameter(0, "kind", "js");
    check_parameter(1, "**", "a/b/");
    CHECK_TEXT(of("/files/js/"), "/files/{kind}/**");
    check_parameter(1, "**", "");
    dx_router_deinit(&router);
}

TEST("eight parameters are allowed, the rest counted, and nine are not")
{
    CHECK_INT(add("/{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}", GET), DX_OK);
    CHECK_INT(add("/{1}/{2}/{3}/{4}/{5}/{6}/{7}/**", GET), DX_OK);
    CHECK_INT(add("/{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}/{9}", GET), DX_ERR_NAME);
    CHECK_INT(add("/{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}/**", GET), DX_ERR_NAME);
    CHECK_TEXT(of("/a/b/c/d/e/f/g/h"), "/{1}/{2}/{3}/{4}/{5}/{6}/{7}/{8}");
    check_parameter(7, "8", "h");
    CHECK_TEXT(of("/a/b/c/d/e/f/g/h/i"), "/{1}/{2}/{3}/{4}/{5}/{6}/{7}/**");
    check_parameter(7, "**", "h/i");
    dx_router_deinit(&router);
}

TEST("patterns that are none are refused, and one pattern has each method once")
{
    static const char *const bad[] = {"",      "a",      "a/b", "*",       "/a*b", "/*",
                                      "/**/a", "/a/**/", "/{}", "/a/{}/b", "/***"};

    for (size_t i = 0; i < DX_COUNT(bad); i++)
        if (add(bad[i], GET) != DX_ERR_NAME)
            TAP_FAIL("'%s' was taken", bad[i]);
    CHECK_INT(router.count, 0);
    CHECK_INT(add("/a", GET | POST), DX_OK);
    CHECK_INT(add("/a", POST), DX_ERR_CONFLICT);
    CHECK_INT(add("/a", PUT | GET), DX_ERR_CONFLICT);
    CHECK_INT(add("/a", PUT), DX_OK);
    CHECK_INT(add("/a", DX_ROUTE_WEBSOCKET), DX_OK);
    CHECK_INT(add("/a", DX_ROUTE_WEBSOCKET), DX_ERR_CONFLICT);
    CHECK_INT(router.count, 3);
    dx_router_deinit(&router);
}

TEST("RFC 9110 §15.5.6 a path with other methods tells all that fit, of every pattern")
{
    CHECK_INT(add("/a/b", POST), DX_OK);
    CHECK_INT(add("/a/{x}", PUT), DX_OK);
    CHECK_INT(add("/**", DX_BIT(DX_HTTP_DELETE)), DX_OK);
    CHECK_INT(find("/a/b", DX_HTTP_GET, false), DX_ROUTE_METHOD);
    CHECK_INT(match.allowed, POST | PUT | DX_BIT(DX_HTTP_DELETE));
    CHECK_INT(find("/a/c", DX_HTTP_POST, false), DX_ROUTE_METHOD);
    CHECK_INT(match.allowed, PUT | DX_BIT(DX_HTTP_DELETE));
    CHECK_INT(find("/a/b", DX_HTTP_METHOD_OTHER, false), DX_ROUTE_METHOD);
    CHECK_INT(find("/a/b", DX_HTTP_PUT, false), DX_ROUTE_OK); /* a less special pattern has it */
    CHECK_TEXT(match.route->pattern, "/a/{x}");
    CHECK_INT(match.allowed, POST); /* for a handler that is there for what nobody else has */
    check_parameter(0, "x", "b");
    dx_router_deinit(&router);
}

TEST("RFC 9110 §9.3.2 HEAD goes to GET's route unless it has one of its own")
{
    CHECK_INT(add("/a", GET), DX_OK);
    CHECK_INT(find("/a", DX_HTTP_HEAD, false), DX_ROUTE_OK);
    CHECK_INT(add("/b", DX_BIT(DX_HTTP_HEAD)), DX_OK);
    CHECK_INT(find("/b", DX_HTTP_HEAD, false), DX_ROUTE_OK);
    CHECK_INT(find("/b", DX_HTTP_GET, false), DX_ROUTE_METHOD);
    CHECK_INT(add("/c", POST), DX_OK);
    CHECK_INT(find("/c", DX_HTTP_HEAD, false), DX_ROUTE_METHOD);
    dx_router_deinit(&router);
}

TEST("who asks for a WebSocket gets its route before any other, else what the method has")
{
    CHECK_INT(add("/a", GET), DX_OK);
    CHECK_INT(add("/{any}", DX_ROUTE_WEBSOCKET), DX_OK);
    CHECK_INT(add("/b", GET), DX_OK);
    CHECK_INT(find("/a", DX_HTTP_GET, true), DX_ROUTE_OK);
    CHECK_TEXT(match.route->pattern, "/{any}");
    check_parameter(0, "any", "a");
    CHECK_INT(find("/a", DX_HTTP_POST, true), DX_ROUTE_OK); /* the handshake will refuse it */
    CHECK_INT(find("/a", DX_HTTP_GET, false), DX_ROUTE_OK);
    CHECK_TEXT(match.route->pattern, "/a");
    CHECK_INT(match.parameters_count, 0);
    CHECK_INT(find("/c", DX_HTTP_GET, false), DX_ROUTE_METHOD);
    CHECK_INT(match.allowed, DX_ROUTE_WEBSOCKET);
    dx_router_deinit(&router);
    CHECK_INT(add("/a", GET), DX_OK);
    CHECK_INT(find("/a", DX_HTTP_GET, true), DX_ROUTE_OK); /* an Upgrade may be ignored */
    CHECK_INT(find("/b", DX_HTTP_GET, true), DX_ROUTE_NOT_FOUND);
    dx_router_deinit(&router);
}
