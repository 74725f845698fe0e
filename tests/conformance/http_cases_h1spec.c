/* The 33 cases of h1spec: 15 fragments that must wait, 18 requests that are answered.
 * Is:     h1spec's cases, each fragment continued to a whole request that must then be served.
 * Source: the case names of uNetworking/h1spec; RFC 9112 §2-§7, RFC 9110 §10.1.1.
 * Memory: constant data.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_case.h"

#define ROW(name, section, expect, send, ...)                                                      \
    DX_PROBE_ROW(DX_PROBE_H1SPEC, name, section, expect, send, __VA_ARGS__)

/* `first` must be met by silence; with `second` it is a request like any other. */
#define WAITS(name, section, first, second)                                                        \
    ROW(name, section, "2xx +", first, .pause = DX_PROBE_SILENCE, .rest = DX_PROBE_TEXT(second))

static const dx_probe_case cases[] = {
    WAITS("Fragmented method", "9112 §3.1", "G", "ET {get} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    WAITS("Fragmented URL 1", "9112 §3.2", "GET ", "{get} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    WAITS("Fragmented URL 2", "9112 §3.2", "GET {get}", " HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    WAITS("Fragmented URL 3", "9112 §3.2", "GET {get} ", "HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    WAITS("Fragmented HTTP version", "9112 §2.3", "GET {get} HTTP",
          "/1.1\r\nHost: localhost\r\n\r\n"),
    WAITS("Fragmented request line", "9112 §3", "GET {get} HTTP/1.1",
          "\r\nHost: localhost\r\n\r\n"),
    WAITS("Fragmented request line newline 1", "9112 §3", "GET {get} HTTP/1.1\r",
          "\nHost: localhost\r\n\r\n"),
    WAITS("Fragmented request line newline 2", "9112 §3", "GET {get} HTTP/1.1\r\n",
          "Host: localhost\r\n\r\n"),
    WAITS("Fragmented field name", "9112 §5", "GET {get} HTTP/1.1\r\nHos", "t: localhost\r\n\r\n"),
    WAITS("Fragmented field value 1", "9112 §5",
          "GET {get} HTTP/1.1\r\nHost:", " localhost\r\n\r\n"),
    WAITS("Fragmented field value 2", "9112 §5",
          "GET {get} HTTP/1.1\r\nHost: ", "localhost\r\n\r\n"),
    WAITS("Fragmented field value 3", "9112 §5", "GET {get} HTTP/1.1\r\nHost: localhost",
          "\r\n\r\n"),
    WAITS("Fragmented field value 4", "9112 §5", "GET {get} HTTP/1.1\r\nHost: localhost\r",
          "\n\r\n"),
    WAITS("Fragmented request", "9112 §2.1", "GET {get} HTTP/1.1\r\nHost: localhost\r\n", "\r\n"),
    WAITS("Fragmented request termination", "9112 §2.1",
          "GET {get} HTTP/1.1\r\nHost: localhost\r\n\r", "\n"),

    ROW("Request without HTTP version", "9112 §3", "400 !", "GET {get} \r\n\r\n"),
    ROW("Request with Expect header", "9110 §10.1.1", "100? 2xx +",
        DX_PROBE_GET "Expect: 100-continue\r\n\r\n"),
    ROW("Valid GET request", "9112 §2.1", "2xx +", DX_PROBE_GET "\r\n"),
    ROW("Valid GET request with edge cases", "9112 §5", "2xx +",
        "GET {get} HTTP/1.1\r\nhoSt:\texample.com\r\nempty:\r\n\r\n"),
    ROW("Invalid header characters", "9112 §5", "400 !", DX_PROBE_GET "X-Invalid[]: test\r\n\r\n"),
    ROW("Missing Host header", "9112 §3.2", "400 !",
        "GET {get} HTTP/1.1\r\nContent-Length: 5\r\n\r\n"),
    ROW("Multiple Host headers", "9112 §3.2", "400 !", DX_PROBE_GET "Host: example.org\r\n\r\n"),
    ROW("Overflowing negative Content-Length header", "9110 §8.6", "400 !",
        DX_PROBE_GET "Content-Length: -123456789123456789123456789\r\n\r\n"),
    ROW("Negative Content-Length header", "9110 §8.6", "400 !",
        DX_PROBE_GET "Content-Length: -1234\r\n\r\n"),
    ROW("Non-numeric Content-Length header", "9110 §8.6", "400 !",
        DX_PROBE_GET "Content-Length: abc\r\n\r\n"),
    ROW("Empty header value", "9112 §5", "2xx +", DX_PROBE_GET "X-Empty-Header: \r\n\r\n"),
    ROW("Header containing invalid control character", "9110 §5.5", "400 !",
        DX_PROBE_GET "X-Bad-Control-Char: test\x07\r\n\r\n"),
    ROW("Invalid HTTP version", "9112 §2.3", "505 !", "GET {get} HTTP/9.9\r\nHost: {host}\r\n\r\n"),
    ROW("Invalid prefix of request", "9112 §3", "400|501 !", "Extra line" DX_PROBE_GET "\r\n"),
    ROW("Invalid line ending", "9112 §2.2", "400 !", DX_PROBE_GET "\rSome-Header: Test\r\n\r\n"),
    ROW("Valid POST request with body", "9112 §6.2", "2xx +",
        DX_PROBE_POST "Content-Length: 5\r\n\r\nhello", .stored = "hello"),
    ROW("Chunked Transfer-Encoding", "9112 §7.1", "2xx +",
        DX_PROBE_CHUNKED "c\r\nHellO world1\r\n0\r\n\r\n", .stored = "HellO world1"),
    ROW("Conflicting Transfer-Encoding and Content-Length in varying case", "9112 §6.1", "400 !",
        DX_PROBE_POST "content-LengtH: 5\r\nTransFer-Encoding: chunked\r\n\r\n"
                      "c\r\nHellO world1\r\n0\r\n\r\n"),
};

const dx_probe_table dx_probe_h1spec = DX_PROBE_TABLE(cases);
