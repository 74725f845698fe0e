/* Cases of our own: lines, targets, hosts, methods, names and values, limits.
 * Is:     what the public sets leave out and RFC 9110 or 9112 demands, or our policy promises.
 * Is not: bodies, pipelines, connections (http_cases_own_body.c), files (http_cases_files.c).
 * Source: RFC 9112 §2-§5; RFC 9110 §5, §7.2, §9; RFC 3986 §3.2.
 * Memory: constant data.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_checks.h"

#define OWN(...) DX_PROBE_ROW(DX_PROBE_OWN, __VA_ARGS__)
#define GET DX_PROBE_GET
#define POST DX_PROBE_POST
#define HOST "Host: {host}\r\n"
#define TARGET(target) "GET " target " HTTP/1.1\r\n" HOST "\r\n"
#define HOSTED(value) "GET {get} HTTP/1.1\r\nHost:" value "\r\n\r\n"
#define FIELD(line) GET line "\r\n\r\n"
#define B60 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define B240 B60 B60 B60 B60

static const dx_probe_case cases[] = {
    /* Line ends. */
    OWN("OWN-LINE-ONE-LEADING-CRLF", "9112 §2.2", "2xx +", "\r\n" GET "\r\n"),
    OWN("OWN-LINE-LEADING-LF", "9112 §2.2", "400 !", "\n" GET "\r\n"),
    OWN("OWN-LINE-LEADING-CR", "9112 §2.2", "400 !", "\r" GET "\r\n"),
    OWN("OWN-LINE-LEADING-SP", "9112 §3", "400 !", " " GET "\r\n"),
    OWN("OWN-LINE-ALL-LF", "9112 §2.2", "400 !", "GET {get} HTTP/1.1\nHost: {host}\n\n"),
    OWN("OWN-LINE-END-LF", "9112 §2.2", "400 !", GET "\n"),
    OWN("OWN-LINE-LAST-FIELD-LF", "9112 §2.2", "400 !", GET "X-Last: one\n\r\n"),
    OWN("OWN-LINE-CR-CRLF", "9112 §2.2", "400 !", GET "X-Last: one\r\r\n\r\n"),
    OWN("OWN-LINE-CR-IN-TARGET", "9112 §2.2", "400 !", TARGET("{get}\rx")),
    OWN("OWN-LINE-LF-IN-TARGET", "9112 §2.2", "400 !", TARGET("{get}\nx")),
    OWN("OWN-LINE-FIRST-FIELD-FOLDED", "9112 §5.2", "400 !",
        "GET {get} HTTP/1.1\r\n"
        "\tHost: {host}\r\n\r\n"),
    OWN("OWN-LINE-FOLD-IN-HOST", "9112 §5.2", "400 !", HOSTED("\r\n {host}")),

    /* Request line. */
    OWN("OWN-TARGET-RELATIVE", "9112 §3.2", "400 !", TARGET("relative")),
    OWN("OWN-TARGET-AUTHORITY-FOR-GET", "9112 §3.2.3", "400 !", TARGET("localhost:80")),
    OWN("OWN-TARGET-EMPTY", "9112 §3", "400 !", "GET  HTTP/1.1\r\n" HOST "\r\n"),
    OWN("OWN-TARGET-STAR-PATH", "9112 §3.2.4", "400 !", "OPTIONS *{get} HTTP/1.1\r\n" HOST "\r\n"),
    OWN("OWN-TARGET-STAR-POST", "9112 §3.2.4", "400 !",
        "POST * HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"),
    OWN("OWN-TARGET-ABSOLUTE-NO-HOST", "9112 §3.2", "400 !",
        "GET http://{host}{get} HTTP/1.1\r\n\r\n"),
    OWN("OWN-TARGET-ABSOLUTE-EMPTY-AUTHORITY", "9110 §4.2.1", "400 !", TARGET("http://{get}")),
    OWN("OWN-TARGET-ABSOLUTE-CASE", "9110 §4.2.3", "2xx +", TARGET("HTTP://{host}{get}")),
    OWN("OWN-TARGET-ABSOLUTE-TWO-HOSTS", "9112 §3.2", "400 !",
        "GET http://{host}{get} HTTP/1.1\r\n" HOST "Host: far.example\r\n\r\n"),
    OWN("OWN-TARGET-ABSOLUTE-BAD-HOST", "9112 §3.2", "400 !",
        "GET http://{host}{get} HTTP/1.1\r\nHost: a b\r\n\r\n"),
    OWN("OWN-TARGET-DEL", "9112 §3.2", "400 !", TARGET("{get}\x7f")),
    OWN("OWN-TARGET-TAB", "9112 §3.2", "400 !", TARGET("{get}\tx")),
    OWN("OWN-TARGET-ESC", "9112 §3.2", "400 !", TARGET("{get}\x1b[0m")),
    OWN("OWN-TARGET-QUERY", "9112 §3.2.1", "2xx +", TARGET("{get}?a=b&c=%20/?:@!$'()*+,;=-._~")),
    OWN("OWN-TARGET-DOUBLE-SLASH-STAYS-A-PATH", "9112 §3.2.1", "2xx|404 +",
        TARGET("//far.example/")),
    OWN("OWN-VERSION-TRAILING-SP", "9112 §3", "400 !", "GET {get} HTTP/1.1 \r\n" HOST "\r\n"),
    OWN("OWN-VERSION-TRAILING-TEXT", "9112 §3", "400 !", "GET {get} HTTP/1.1x\r\n" HOST "\r\n"),
    OWN("OWN-VERSION-TWO-DIGITS", "9112 §2.3", "400 !", "GET {get} HTTP/1.10\r\n" HOST "\r\n"),
    OWN("OWN-VERSION-OTHER-NAME", "9112 §2.3", "400 !", "GET {get} HTTQ/1.1\r\n" HOST "\r\n"),
    OWN("OWN-VERSION-2.0", "9110 §15.6.6", "505 !", "GET {get} HTTP/2.0\r\n" HOST "\r\n"),
    OWN("OWN-VERSION-0.9", "9112 §2.3", "400|505 !", "GET {get} HTTP/0.9\r\n" HOST "\r\n"),
    OWN("OWN-VERSION-1.9", "9110 §2.5", "2xx + / 505 !", "GET {get} HTTP/1.9\r\n" HOST "\r\n"),

    /* Methods. */
    OWN("OWN-METHOD-NO-TOKEN", "9110 §9.1", "400 !", "G(T {get} HTTP/1.1\r\n" HOST "\r\n"),
    OWN("OWN-METHOD-EMPTY", "9112 §3", "400 !", " {get} HTTP/1.1\r\n" HOST "\r\n"),
    OWN("OWN-METHOD-PREFIX", "9110 §9.1", "501 ?", "GETS {get} HTTP/1.1\r\n" HOST "\r\n"),
    OWN("OWN-METHOD-SHORT", "9110 §9.1", "501 ?", "GE {get} HTTP/1.1\r\n" HOST "\r\n"),
    OWN("OWN-METHOD-33-OCTETS", "9112 §3", "400|501 ?", "{*33:M} {get} HTTP/1.1\r\n" HOST "\r\n"),
    OWN("OWN-METHOD-501-BODY-IS-NOT-NEXT", "9112 §9.3", "501 ?",
        "FOOBAR {get} HTTP/1.1\r\n" HOST "Content-Length: {len}\r\n\r\n" GET "\r\n"),
    OWN("OWN-METHOD-HEAD-LENGTH", "9110 §9.3.2", "2xx 2xx +",
        "HEAD {get} HTTP/1.1\r\n" HOST "\r\n" GET "\r\n", .heads = 1,
        .check = dx_probe_check_head_length),

    /* Host. */
    OWN("OWN-HOST-IPV6", "3986 §3.2.2", "2xx +", HOSTED(" [::1]:80")),
    OWN("OWN-HOST-IPV6-NO-PORT", "3986 §3.2.2", "2xx +", HOSTED(" [2001:db8::1]")),
    OWN("OWN-HOST-EMPTY-PORT", "3986 §3.2.3", "2xx +", HOSTED(" localhost:")),
    OWN("OWN-HOST-TRAILING-DOT", "3986 §3.2.2", "2xx +", HOSTED(" EXAMPLE.com.")),
    OWN("OWN-HOST-PADDED", "9112 §5", "2xx +", HOSTED("\t {host} \t")),
    OWN("OWN-HOST-SPACE", "9112 §3.2", "400 !", HOSTED(" a b")),
    OWN("OWN-HOST-TWO-COLONS", "9112 §3.2", "400 !", HOSTED(" a:1:2")),
    OWN("OWN-HOST-BAD-PORT", "9112 §3.2", "400 !", HOSTED(" a:8a")),
    OWN("OWN-HOST-OPEN-BRACKET", "9112 §3.2", "400 !", HOSTED(" [::1")),
    OWN("OWN-HOST-AFTER-BRACKET", "9112 §3.2", "400 !", HOSTED(" [::1]x")),
    OWN("OWN-HOST-QUERY", "9112 §3.2", "400 !", HOSTED(" a?b")),
    OWN("OWN-HOST-FRAGMENT", "9112 §3.2", "400 !", HOSTED(" a#b")),
    OWN("OWN-HOST-SCHEME", "9112 §3.2", "400 !", HOSTED(" http://a")),
    OWN("OWN-HOST-NON-ASCII", "9112 §3.2", "400 !", HOSTED(" a\xc3\xa9")),
    OWN("OWN-HOST-ONLY-PORT", "9112 §3.2", "400 !", HOSTED(" :80")),
    OWN("OWN-HOST-HTTP10-TWO", "9112 §3.2", "400 !",
        "GET {get} HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    OWN("OWN-HOST-HTTP10-INVALID", "9112 §3.2", "400 !", "GET {get} HTTP/1.0\r\nHost: a b\r\n\r\n"),

    /* Names and values. */
    OWN("OWN-NAME-EVERY-TCHAR", "9110 §5.6.2", "2xx +", FIELD("!#$%&'*+-.^_`|~09azAZ: one")),
    OWN("OWN-NAME-PAREN", "9110 §5.6.2", "400 !", FIELD("X(a: one")),
    OWN("OWN-NAME-QUOTE", "9110 §5.6.2", "400 !", FIELD("X\"a: one")),
    OWN("OWN-NAME-COMMA", "9110 §5.6.2", "400 !", FIELD("X,a: one")),
    OWN("OWN-NAME-SLASH", "9110 §5.6.2", "400 !", FIELD("X/a: one")),
    OWN("OWN-NAME-SEMICOLON", "9110 §5.6.2", "400 !", FIELD("X;a: one")),
    OWN("OWN-NAME-LESS", "9110 §5.6.2", "400 !", FIELD("X<a: one")),
    OWN("OWN-NAME-EQUALS", "9110 §5.6.2", "400 !", FIELD("X=a: one")),
    OWN("OWN-NAME-AT", "9110 §5.6.2", "400 !", FIELD("X@a: one")),
    OWN("OWN-NAME-BACKSLASH", "9110 §5.6.2", "400 !", FIELD("X\\a: one")),
    OWN("OWN-NAME-NUL", "9110 §5.6.2", "400 !", FIELD("X\0a: one")),
    OWN("OWN-NAME-DEL", "9110 §5.6.2", "400 !",
        FIELD("X\x7f"
              "a: one")),
    OWN("OWN-NAME-SP-INSIDE", "9112 §5.1", "400 !", FIELD("X a: one")),
    OWN("OWN-NAME-TAB-BEFORE-COLON", "9112 §5.1", "400 !", FIELD("X-Tab\t: one")),
    OWN("OWN-VALUE-OBS-TEXT", "9110 §5.5", "2xx +", FIELD("X-Text: \x80\xc3\xa9\xff")),
    OWN("OWN-VALUE-TAB-INSIDE", "9110 §5.5", "2xx +", FIELD("X-Tab: a\tb")),
    OWN("OWN-VALUE-NO-OWS", "9112 §5", "2xx +", FIELD("X-Tight:one")),
    OWN("OWN-VALUE-ONLY-OWS", "9112 §5", "2xx +", FIELD("X-Blank: \t \t ")),
    OWN("OWN-VALUE-COLONS", "9112 §5", "2xx +", FIELD("X-Colons: a:b::c:")),
    OWN("OWN-VALUE-DEL", "9110 §5.5", "400 !", FIELD("X-Del: a\x7f")),
    OWN("OWN-VALUE-SOH", "9110 §5.5", "400 !", FIELD("X-Soh: \1")),
    OWN("OWN-VALUE-LAST-CTL", "9110 §5.5", "400 !", FIELD("X-Us: \x1f")),

    /* Limits: what must work just below, what is refused just above. */
    OWN("OWN-LIMIT-LINE-8000", "9112 §3", "2xx +", "GET {get}?{*7985:a} HTTP/1.1\r\n" HOST "\r\n"),
    OWN("OWN-LIMIT-LINE-9000", "9112 §3", "414 !", "GET {get}?{*9000:a} HTTP/1.1\r\n" HOST "\r\n"),
    OWN("OWN-LIMIT-LINE-UNENDED", "9112 §3", "414 !", "GET {get}?{*9000:a}"),
    OWN("OWN-LIMIT-FIELDS-100", "9110 §5.4", "2xx +", GET "{*99:X-Many: one\r\n}\r\n"),
    OWN("OWN-LIMIT-FIELDS-101", "9110 §5.4", "431 !", GET "{*100:X-Many: one\r\n}\r\n"),
    OWN("OWN-LIMIT-SECTION-15K", "9110 §5.4", "2xx +", GET "X-Big: {*15000:b}\r\n\r\n"),
    OWN("OWN-LIMIT-SECTION-17K", "9110 §5.4", "431 !", GET "X-Big: {*17000:b}\r\n\r\n"),
    OWN("OWN-LIMIT-SECTION-17K-IN-PARTS", "9110 §5.4", "431 !",
        GET "{*68:X-Part: " B240 "\r\n}\r\n"),
    OWN("OWN-LIMIT-SECTION-UNENDED", "9110 §5.4", "431 !", GET "X-Big: {*17000:b}"),
};

const dx_probe_table dx_probe_own = DX_PROBE_TABLE(cases);
