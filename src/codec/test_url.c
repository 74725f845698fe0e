/* URLs, paths, queries, authorities, origins.
 * SPDX-License-Identifier: MIT */
#include "codec/url.h"
#include "tests/tap.h"

/* A copy whose memory ends where the text ends, so that the sanitizer sees a read past it. The last one
 * is freed on the next call. */
static dx_bytes exact(const void *at, size_t size)
{
    static uint8_t *copy;

    free(copy);
    copy = malloc(size + 1);
    dx_copy(copy + 1, at, size);
    return dx_bytes_at(copy + 1, size);
}

static void check_url(const char *text, const char *want)
{
    static const char *const schemes[] = {"http", "https", "ws", "wss"};
    char got[500];
    dx_url url;
    dx_url_fault fault = dx_url_read(exact(text, strlen(text)), &url);

    if (fault != DX_URL_OK)
        sprintf(got, "fault %d", (int)fault);
    else
        sprintf(got, "%s%s %.*s %u %.*s %.*s%s%.*s = %.*s", schemes[url.scheme],
                url.is_secure ? "!" : "", DX_FORMAT(url.host), url.port, DX_FORMAT(url.authority),
                DX_FORMAT(url.path), url.query.at ? " ? " : "", DX_FORMAT(url.query),
                DX_FORMAT(url.target));
    if (strcmp(got, want) != 0)
        TAP_FAIL("%s\n#   got  %s\n#   want %s", text, got, want);
    for (size_t cut = 0; cut < strlen(text); cut++)
        (void)dx_url_read(exact(text, cut), &url);
}

static void check_url_fault(const char *text, dx_url_fault want)
{
    char line[20];
    sprintf(line, "fault %d", (int)want);
    check_url(text, line);
}

TEST("RFC 3986 §3 absolute URLs are taken apart")
{
    check_url("http://a", "http a 80 a / = /");
    check_url("HTTPS://a.b:8443/p/q?r=s&t", "https! a.b 8443 a.b:8443 /p/q ? r=s&t = /p/q?r=s&t");
    check_url("ws://[::1]:80/s", "ws ::1 80 [::1]:80 /s = /s");
    check_url("wss://a/s?", "wss! a 443 a /s ?  = /s?");
    check_url("http://a?b", "http a 80 a / ? b = ?b");
    check_url("http://a:/", "http a 80 a: / = /");
    check_url("http://a/p#f?x", "http a 80 a /p = /p");
    check_url("http://a#f", "http a 80 a / = /");
    check_url("http://a-b_c.d~%41!$&'()*+,;=/", "http a-b_c.d~%41!$&'()*+,;= 80 "
                                                "a-b_c.d~%41!$&'()*+,;= / = /");
}

TEST("RFC 3986 §3 what is no URL of ours is refused by name")
{
    check_url_fault("", DX_URL_EMPTY);
    check_url_fault("a", DX_URL_SCHEME);
    check_url_fault("//a/", DX_URL_SCHEME);
    check_url_fault("ftp://a/", DX_URL_SCHEME);
    check_url_fault("http:/a", DX_URL_SCHEME);
    check_url_fault("http//a", DX_URL_SCHEME);
    check_url_fault("http://", DX_URL_HOST);
    check_url_fault("http:///p", DX_URL_HOST);
    check_url_fault("http://:80/", DX_URL_HOST);
    check_url_fault("http://a b/", DX_URL_BYTE);
    check_url_fault("http://a/\xc3\xa4", DX_URL_BYTE);
    check_url_fault("http://a/\n", DX_URL_BYTE);
    check_url_fault("http://a\\b/", DX_URL_HOST);
    check_url_fault("http://[::1/", DX_URL_HOST);
    check_url_fault("http://[1]/", DX_URL_HOST);
    check_url_fault("http://a:0/", DX_URL_PORT);
    check_url_fault("http://a:65536/", DX_URL_PORT);
    check_url_fault("http://a:x/", DX_URL_PORT);
    check_url_fault("http://[::1]:x/", DX_URL_PORT);
    check_url_fault("http://[::1]x/", DX_URL_HOST);
    check_url_fault("http://u@a/", DX_URL_USERINFO);
    check_url_fault("http://u:p@a/", DX_URL_USERINFO);
    check_url_fault("ws://a/p#f", DX_URL_FRAGMENT);
    check_url_fault("wss://a#", DX_URL_FRAGMENT);
}

TEST("every fault has a sentence")
{
    for (unsigned fault = 0; fault < DX_URL_FAULT_COUNT; fault++) {
        const char *text = dx_url_fault_text((dx_url_fault)fault);
        CHECK(text && text[strlen(text) - 1] == '.');
    }
}

TEST("RFC 3986 §3.2.2 hosts: names, IPv4, IPv6, ports")
{
    static const char *const good[] = {"a",
                                       "a.b",
                                       "a.",
                                       "127.0.0.1",
                                       "999.1",
                                       "a:80",
                                       "a:",
                                       "a:65535",
                                       "[::]",
                                       "[::1]:8",
                                       "[1:2:3:4:5:6:7:8]",
                                       "[1::8]",
                                       "[::ffff:1.2.3.4]",
                                       "[1:2:3:4:5:6:1.2.3.4]",
                                       "[1:2:3:4:5:6:7::]",
                                       "[::2:3:4:5:6:7:8]",
                                       "[FE80::A]",
                                       "[v1.a:b]",
                                       "%41b",
                                       "a_b"};
    static const char *const bad[] = {"",
                                      ":",
                                      ":80",
                                      "a:b",
                                      "a:0",
                                      "a:65536",
                                      "a:999999999999999999999",
                                      "a:80:80",
                                      "a/",
                                      "a?",
                                      "a#",
                                      "a@b",
                                      "a b",
                                      "a\t",
                                      "[",
                                      "[]",
                                      "[:]",
                                      "[:::]",
                                      "[1]",
                                      "[1:2:3:4:5:6:7]",
                                      "[1:2:3:4:5:6:7:8:9]",
                                      "[1::2::3]",
                                      "[1:2:3:4:5:6:7::8]",
                                      "[12345::]",
                                      "[g::]",
                                      "[::1.2.3]",
                                      "[::1.2.3.256]",
                                      "[::1.2.3.04]",
                                      "[1.2.3.4::]",
                                      "[::1.2.3.4:5]",
                                      "[:1:2:3:4:5:6:7]",
                                      "[::1%25eth0]",
                                      "[::1]a",
                                      "[::1]]",
                                      "[::1]:x",
                                      "[v.a]",
                                      "[v1.]",
                                      "[va]",
                                      "[v1.a/b]",
                                      "%4",
                                      "%4g",
                                      "%",
                                      "a\x80",
                                      "a\x7f",
                                      "a\\b",
                                      "a\"b",
                                      "a<b",
                                      "a|b",
                                      "a^b",
                                      "a`b",
                                      "a{b"};

    for (size_t i = 0; i < DX_COUNT(good); i++)
        if (!dx_url_is_authority(exact(good[i], strlen(good[i]))))
            TAP_FAIL("refused: %s", good[i]);
    for (size_t i = 0; i < DX_COUNT(bad); i++)
        if (dx_url_is_authority(exact(bad[i], strlen(bad[i]))))
            TAP_FAIL("accepted: %s", bad[i]);
    CHECK(!dx_url_is_authority(dx_bytes_at("a\0b", 3)));

    dx_bytes host;
    uint16_t port = 1;
    CHECK(dx_url_authority_read(DX_BYTES("[::1]:443"), &host, &port) && port == 443);
    CHECK_BYTES(host, "::1");
    CHECK(dx_url_authority_read(DX_BYTES("a"), &host, &port) && port == 0);
    CHECK_BYTES(host, "a");
}

TEST("RFC 3986 §3.4 a target is cut at its first question mark")
{
    dx_bytes path, query;

    dx_url_target_split(DX_BYTES("/a?b?c"), &path, &query);
    CHECK_BYTES(path, "/a");
    CHECK_BYTES(query, "b?c");
    dx_url_target_split(DX_BYTES("/a?"), &path, &query);
    CHECK(path.size == 2 && query.size == 0 && query.at != NULL);
    dx_url_target_split(DX_BYTES("/a"), &path, &query);
    CHECK(path.size == 2 && query.at == NULL);
}

static dx_url_fault decode(dx_bytes path, dx_bytes *ret)
{
    static uint8_t *memory; /* exactly as large as the contract asks */

    free(memory);
    memory = malloc(path.size + 1);
    return dx_url_path_decode(exact(path.at, path.size), memory + 1, path.size, ret);
}

static void check_path(const char *path, const char *want)
{
    dx_bytes got = {NULL, 0};

    if (decode(dx_bytes_of(path), &got) != DX_URL_OK)
        TAP_FAIL("refused: %s", path);
    CHECK_BYTES(got, want);
}

static void check_path_fault(int line, dx_bytes path, dx_url_fault want)
{
    dx_bytes got = {NULL, 42};
    dx_url_fault fault = decode(path, &got);

    if (fault != want || got.size != 42)
        TAP_FAIL("line %d: fault %d, expected %d", line, (int)fault, (int)want);
}

#define PATH_FAULT(path, name) check_path_fault(__LINE__, DX_BYTES(path), DX_URL_##name)

TEST("RFC 3986 §2.1 a path is decoded once")
{
    check_path("/", "/");
    check_path("/a/b", "/a/b");
    check_path("/%61%2d%C3%a4", "/a-\xc3\xa4");
    check_path("/%2541", "/%41");
    check_path("/%252e%252e/", "/%2e%2e/");
    check_path("//a//", "//a//");
    check_path("/a+b", "/a+b");
    check_path("/...", "/...");
    check_path("/.a/..b/c./d..", "/.a/..b/c./d..");
    check_path("/%20%7e", "/ ~");
    check_path("/\xc3\xa4", "/\xc3\xa4");
}

TEST("attack A7: dot segments are refused, encoded or not")
{
    PATH_FAULT("/.", DOT_SEGMENT);
    PATH_FAULT("/..", DOT_SEGMENT);
    PATH_FAULT("/./a", DOT_SEGMENT);
    PATH_FAULT("/../a", DOT_SEGMENT);
    PATH_FAULT("/a/../b", DOT_SEGMENT);
    PATH_FAULT("/a/..", DOT_SEGMENT);
    PATH_FAULT("/a/.", DOT_SEGMENT);
    PATH_FAULT("/%2e", DOT_SEGMENT);
    PATH_FAULT("/%2e%2e/a", DOT_SEGMENT);
    PATH_FAULT("/.%2E/a", DOT_SEGMENT);
    PATH_FAULT("/%2e./a", DOT_SEGMENT);
    PATH_FAULT("//../a", DOT_SEGMENT);
}

TEST("attack A7: encoded slashes, backslashes, control bytes and bad UTF-8 are refused")
{
    PATH_FAULT("/a%2fb", SLASH);
    PATH_FAULT("/a%2Fb", SLASH);
    PATH_FAULT("/..%2f", SLASH);
    PATH_FAULT("/a\\b", SLASH);
    PATH_FAULT("/..\\..\\a", SLASH);
    PATH_FAULT("/a%5cb", SLASH);
    PATH_FAULT("/a%00", CONTROL);
    PATH_FAULT("/a\0", CONTROL);
    PATH_FAULT("/%0d%0aX:%20y", CONTROL);
    PATH_FAULT("/%1f", CONTROL);
    PATH_FAULT("/%7f", CONTROL);
    PATH_FAULT("/%c0%af", UTF8);
    PATH_FAULT("/%c0%ae%c0%ae/", UTF8);
    PATH_FAULT("/%e0%80%af", UTF8);
    PATH_FAULT("/%ff", UTF8);
    PATH_FAULT("/%c3", UTF8);
    PATH_FAULT("/%ed%a0%80", UTF8);
    PATH_FAULT("/%c3/%a4", UTF8);
}

TEST("RFC 3986 §2.1 a percent sign needs two hex digits; a path begins with a slash")
{
    PATH_FAULT("/%", PERCENT);
    PATH_FAULT("/%4", PERCENT);
    PATH_FAULT("/%4g", PERCENT);
    PATH_FAULT("/%g4", PERCENT);
    PATH_FAULT("/%%41", PERCENT);
    PATH_FAULT("/% 41", PERCENT);
    PATH_FAULT("/%u0041", PERCENT);
    PATH_FAULT("", NOT_A_PATH);
    PATH_FAULT("a", NOT_A_PATH);
    PATH_FAULT("*", NOT_A_PATH);
    PATH_FAULT("%2f", NOT_A_PATH);

    uint8_t memory[1];
    dx_bytes got;
    CHECK_INT(dx_url_path_decode(DX_BYTES("/a"), memory, 1, &got), DX_URL_MEMORY);
}

/* Walks and prints "name=value|name|". */
static void check_query(const char *text, const char *want)
{
    char got[300] = "";
    dx_bytes query = exact(text, strlen(text)), name, value;

    while (dx_url_query_next(&query, &name, &value))
        sprintf(got + strlen(got), "%.*s%s%.*s|", DX_FORMAT(name), value.at ? "=" : "",
                DX_FORMAT(value));
    CHECK_MEM(got, strlen(got), want, strlen(want));
}

TEST("a query is walked pair by pair")
{
    check_query("", "");
    check_query("&&", "");
    check_query("a", "a|");
    check_query("a=b", "a=b|");
    check_query("a=b&c=&=d&e&&f=g=h&", "a=b|c=|=d|e|f=g=h|");
    dx_bytes none = {NULL, 0}, name, value;
    CHECK(!dx_url_query_next(&none, &name, &value));
}

static void check_decode(dx_bytes in, dx_url_fault fault, const char *want)
{
    uint8_t memory[50];
    dx_bytes got = {NULL, 0};
    dx_bytes copy = exact(in.at, in.size);

    CHECK_INT(dx_url_query_decode(copy, memory, sizeof memory, &got), fault);
    CHECK_BYTES(got, want);
}

TEST("a query's plus is a space, its %2b a plus; NUL and bad UTF-8 are refused")
{
    check_decode(DX_BYTES("a+b%2Bc%20%0a"), DX_URL_OK, "a b+c \n");
    check_decode(DX_BYTES("%c3%A4"), DX_URL_OK, "\xc3\xa4");
    check_decode(DX_BYTES(""), DX_URL_OK, "");
    check_decode(DX_BYTES("%"), DX_URL_PERCENT, "");
    check_decode(DX_BYTES("a%2"), DX_URL_PERCENT, "");
    check_decode(DX_BYTES("%00"), DX_URL_CONTROL, "");
    check_decode(DX_BYTES("%ff"), DX_URL_UTF8, "");

    uint8_t memory[2];
    dx_bytes got;
    CHECK_INT(dx_url_query_decode(DX_BYTES("%61%62"), memory, 2, &got), DX_URL_OK);
    CHECK_INT(dx_url_query_decode(DX_BYTES("abc"), memory, 2, &got), DX_URL_MEMORY);
}

TEST("a parameter is found by its decoded name, the first one wins")
{
    dx_bytes value = {NULL, 0},
             query = DX_BYTES("x=1&offset=-1&offset=2&l%69ve=sse&a+b=c&flag&%zz=1");

    CHECK(dx_url_query_find(query, DX_BYTES("offset"), &value));
    CHECK_BYTES(value, "-1");
    CHECK(dx_url_query_find(query, DX_BYTES("live"), &value));
    CHECK_BYTES(value, "sse");
    CHECK(dx_url_query_find(query, DX_BYTES("a b"), &value));
    CHECK_BYTES(value, "c");
    CHECK(dx_url_query_find(query, DX_BYTES("flag"), &value) && value.at == NULL);
    CHECK(!dx_url_query_find(query, DX_BYTES("off"), &value));
    CHECK(!dx_url_query_find(query, DX_BYTES("offsets"), &value));
    CHECK(!dx_url_query_find(query, DX_BYTES(""), &value));
    CHECK(!dx_url_query_find((dx_bytes){NULL, 0}, DX_BYTES("x"), &value));
}

TEST("RFC 3986 §2.3 all but unreserved bytes are encoded, and decode to what they were")
{
    uint8_t all[256], encoded[768], decoded[256];
    size_t count = 0;

    for (unsigned c = 1; c < 128; c++)
        all[count++] = (uint8_t)c;
    size_t size = dx_url_encode(dx_bytes_at(all, count), false, encoded, sizeof encoded);
    CHECK_INT(size, 66 + 3 * (127 - 66));
    for (size_t i = 0; i < size; i++)
        CHECK(encoded[i] == '%' || (encoded[i] < 128 && strchr("-._~", encoded[i])) ||
              (encoded[i] >= '0' && encoded[i] <= '9') ||
              (dx_ascii_lower(encoded[i]) >= 'a' && dx_ascii_lower(encoded[i]) <= 'z'));
    dx_bytes got;
    CHECK_INT(dx_url_query_decode(dx_bytes_at(encoded, size), decoded, sizeof decoded, &got),
              DX_URL_OK);
    CHECK_MEM(got.at, got.size, all, count);

    CHECK_INT(dx_url_encode(DX_BYTES("/a b"), true, encoded, sizeof encoded), 6);
    CHECK_MEM(encoded, 6, "/a%20b", 6);
    CHECK_INT(dx_url_encode(DX_BYTES("/a b"), false, encoded, sizeof encoded), 8);
    CHECK_MEM(encoded, 8, "%2Fa%20b", 8);
    encoded[0] = 'x';
    CHECK_INT(dx_url_encode(DX_BYTES("/a b"), true, encoded, 5), 6);
    CHECK_INT(encoded[0], 'x');
}

static bool is_origin(const char *text, dx_url_origin *ret)
{
    static dx_url_origin none;
    return dx_url_origin_read(dx_bytes_of(text), ret ? ret : &none);
}

TEST("RFC 6454 §7 an origin is null, or scheme, host and port, and nothing more")
{
    dx_url_origin o;

    CHECK(is_origin("null", &o) && o.is_null);
    CHECK(is_origin("http://a", &o) && o.port == 80 && !o.is_null);
    CHECK(is_origin("https://a.b:8", &o) && o.port == 8);
    CHECK_BYTES(o.scheme, "https");
    CHECK_BYTES(o.host, "a.b");
    CHECK(is_origin("http://[::1]", &o));
    CHECK_BYTES(o.host, "[::1]");
    CHECK(is_origin("chrome-extension://abc", &o) && o.port == 0);
    CHECK(!is_origin("", NULL));
    CHECK(!is_origin("Null", NULL));
    CHECK(!is_origin("a", NULL));
    CHECK(!is_origin("http://", NULL));
    CHECK(!is_origin("http://a/", NULL));
    CHECK(!is_origin("http://a, http://b", NULL));
    CHECK(!is_origin("http://a http://b", NULL));
    CHECK(!is_origin("http://u@a", NULL));
    CHECK(!is_origin("http:a", NULL));
    CHECK(!is_origin("1http://a", NULL));
    CHECK(!is_origin("://a", NULL));
    CHECK(!is_origin("null ", NULL));
}

static bool is_same_host(const char *text, const char *host, bool is_secure)
{
    dx_url_origin o;
    return is_origin(text, &o) && dx_url_origin_is_host(&o, dx_bytes_of(host), is_secure);
}

TEST("attack A19: an origin equals a host if scheme, host and port are equal")
{
    CHECK(is_same_host("http://a", "a", false));
    CHECK(is_same_host("HTTP://A", "a:80", false));
    CHECK(is_same_host("http://a:80", "a", false));
    CHECK(is_same_host("https://a", "a:443", true));
    CHECK(is_same_host("http://a:4437", "A:4437", false));
    CHECK(is_same_host("http://[::1]:8", "[::1]:8", false));
    CHECK(!is_same_host("http://a", "a", true));
    CHECK(!is_same_host("https://a", "a", false));
    CHECK(!is_same_host("http://a:81", "a", false));
    CHECK(!is_same_host("http://a", "a:81", false));
    CHECK(!is_same_host("http://evil-a", "a", false));
    CHECK(!is_same_host("http://a.evil", "a", false));
    CHECK(!is_same_host("http://evil.a", "a", false));
    CHECK(!is_same_host("null", "null", false));
    CHECK(!is_same_host("http://a", "", false));

    dx_url_origin a, b;
    CHECK(is_origin("null", &a) && is_origin("null", &b) && !dx_url_origin_equal(&a, &b));
    CHECK(is_origin("https://X", &a) && is_origin("HTTPS://x:443", &b) &&
          dx_url_origin_equal(&a, &b));
}
