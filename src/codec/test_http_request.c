/* Request heads.
 * SPDX-License-Identifier: MIT */
#include "codec/test_http_head.h"

static void print_bytes(char *to, size_t size, dx_bytes in)
{
    size_t used = strlen(to);
    snprintf(to + used, size - used, " %.*s", DX_FORMAT(in));
}

static dx_http_status head_read(dx_http_reader *r, dx_bytes in, outcome *ret)
{
    static const char *const forms[] = {"origin", "absolute", "authority", "asterisk"};
    static const char *const bodies[] = {"none", "length", "chunked", "close"};
    dx_http_field fields[100];
    dx_http_request_head h;

    memset(&h, 0xa5, sizeof h); /* nothing may hang on what was there */
    h.fields.at = fields, h.fields.count_max = 100;
    dx_http_status status = dx_http_request_read(r, in, &h, &ret->consumed);
    ret->text[0] = 0;
    if (status != DX_HTTP_OK)
        return status;
    snprintf(ret->text, sizeof ret->text, "%.*s %s %.*s", DX_FORMAT(h.method_text),
             forms[h.target_form], DX_FORMAT(h.path));
    if (h.query.at) {
        strcat(ret->text, " ?");
        print_bytes(ret->text, sizeof ret->text, h.query);
    }
    size_t used = strlen(ret->text);
    snprintf(ret->text + used, sizeof ret->text - used, " @%.*s 1.%u %s:%llu%s%s%s",
             DX_FORMAT(h.host), h.minor_version, bodies[h.framing.body],
             (unsigned long long)h.framing.content_length, h.framing.keep_alive ? " keep" : "",
             h.framing.expect_continue ? " expect" : "",
             h.framing.upgrade_websocket ? " websocket" : "");
    for (size_t i = 0; i < h.fields.count; i++) {
        used = strlen(ret->text);
        snprintf(ret->text + used, sizeof ret->text - used, " [%.*s=%.*s]",
                 DX_FORMAT(fields[i].name), DX_FORMAT(fields[i].value));
    }
    if (dx_http_method_of(h.method_text) != h.method)
        return DX_HTTP_STATUS_COUNT;
    return status;
}

#define H "Host: a\r\n"

TEST("RFC 9112 §3 a request line and fields are taken apart")
{
    GOOD("GET / HTTP/1.1\r\n" H "\r\n", "GET origin / @a 1.1 none:0 keep [Host=a]");
    GOOD(
        "GET /s/a?offset=-1&x=%20 HTTP/1.1\r\nhOST: a:80\r\nX-Empty:\r\nX-Blank: \t b c\t \r\n\r\n",
        "GET origin /s/a ? offset=-1&x=%20 @a:80 1.1 none:0 keep [hOST=a:80] [X-Empty=] [X-Blank=b c]");
    GOOD("GET /? HTTP/1.1\r\n" H "\r\n", "GET origin / ?  @a 1.1 none:0 keep [Host=a]");
    GOOD_THEN("DELETE /x HTTP/1.1\r\n" H "\r\n", "GET / HTTP/1.1\r\n",
              "DELETE origin /x @a 1.1 none:0 keep [Host=a]");
}

TEST("RFC 9112 §2.1 a head that is not whole waits")
{
    WAITS("");
    WAITS("G");
    WAITS("GET ");
    WAITS("GET /hello");
    WAITS("GET /hello ");
    WAITS("GET /hello HTTP");
    WAITS("GET /hello HTTP/1.1");
    WAITS("GET /hello HTTP/1.1\r");
    WAITS("GET /hello HTTP/1.1\r\n");
    WAITS("GET /hello HTTP/1.1\r\nHos");
    WAITS("GET /hello HTTP/1.1\r\nHost:");
    WAITS("GET /hello HTTP/1.1\r\nHost: ");
    WAITS("GET /hello HTTP/1.1\r\nHost: localhost");
    WAITS("GET /hello HTTP/1.1\r\nHost: localhost\r");
    WAITS("GET /hello HTTP/1.1\r\nHost: localhost\r\n");
    WAITS("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r");
}

TEST("RFC 9112 §2.2 one empty line before the request line is skipped, a second is a fault")
{
    GOOD("\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET origin / @a 1.1 none:0 keep [Host=a]");
    WAITS("\r");
    WAITS("\r\n");
    FAULT("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", REQUEST_LINE);
    FAULT("\r\n\rGET / HTTP/1.1\r\n" H "\r\n", BARE_CR);
}

TEST("RFC 9112 §2.2 a bare LF or a bare CR is a fault anywhere in the head")
{
    FAULT("\nGET / HTTP/1.1\r\n" H "\r\n", BARE_LF);
    FAULT("GET / HTTP/1.1\n" H "\r\n", BARE_LF);
    FAULT("GET / HTTP/1.1\r\nHost: a\n\r\n", BARE_LF);
    FAULT("GET / HTTP/1.1\r\n" H "\n", BARE_LF);
    FAULT("GET / HTTP/1.1\r" H "\r\n", BARE_CR);
    FAULT("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", BARE_CR);
    FAULT("GET / HTTP/1.1\r\n" H "\rSome-Header: x\r\n\r\n", BARE_CR);
    FAULT("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", BARE_CR);
}

TEST("RFC 9110 §5.5 a control byte is a fault anywhere in the head")
{
    FAULT("\x16\x03\x01\x02\x00\x01", CONTROL_BYTE); /* a TLS hello */
    FAULT("GET /\x00 HTTP/1.1\r\n" H "\r\n", CONTROL_BYTE);
    FAULT("GET / HTTP/1.1\r\n" H "X: a\x00"
          "b\r\n\r\n",
          CONTROL_BYTE);
    FAULT("GET / HTTP/1.1\r\n" H "X: \x07\r\n\r\n", CONTROL_BYTE);
    FAULT("GET / HTTP/1.1\r\n" H "X: \x7f\r\n\r\n", CONTROL_BYTE);
    FAULT("GET / HTTP/1.1\r\n" H "X\x01: a\r\n\r\n", CONTROL_BYTE);
    FAULT("GET / HTTP/1.1\r\n" H "Transfer-Encoding:\x0b"
          "chunked\r\n\r\n",
          CONTROL_BYTE);
}

TEST("RFC 9110 §5.5 bytes above 0x7f may stand in a value")
{
    GOOD("GET / HTTP/1.1\r\n" H "X: \xc3\xa4\xff\r\n\r\n",
         "GET origin / @a 1.1 none:0 keep [Host=a] [X=\xc3\xa4\xff]");
}

TEST("RFC 9112 §3 exactly one space stands between the words of the request line")
{
    FAULT("GET  / HTTP/1.1\r\n" H "\r\n", REQUEST_LINE);
    FAULT("GET /  HTTP/1.1\r\n" H "\r\n", VERSION);
    FAULT("GET\t/ HTTP/1.1\r\n" H "\r\n", REQUEST_LINE);
    FAULT("GET /\tHTTP/1.1\r\n" H "\r\n", REQUEST_LINE);
    FAULT(" GET / HTTP/1.1\r\n" H "\r\n", REQUEST_LINE);
    FAULT("GET / HTTP/1.1 \r\n" H "\r\n", VERSION);
    FAULT("GET / x HTTP/1.1\r\n" H "\r\n", VERSION);
    FAULT("GET HTTP/1.1\r\n" H "\r\n", REQUEST_LINE);
    FAULT("GET  HTTP/1.1\r\n" H "\r\n", REQUEST_LINE);
    FAULT("GET\r\n" H "\r\n", REQUEST_LINE);
    FAULT("GET \r\n" H "\r\n", REQUEST_LINE);
    FAULT("   \r\n\r\n", REQUEST_LINE);
    FAULT("Extra lineGET / HTTP/1.1\r\n" H "\r\n", VERSION);
}

TEST("RFC 9112 §2.3 the version is HTTP/1.x, written exactly so; another major one is 505")
{
    FAULT("GET /\r\n" H "\r\n", REQUEST_LINE);
    FAULT("GET / HTTP/1\r\n" H "\r\n", VERSION);
    FAULT("GET / http/1.1\r\n" H "\r\n", VERSION);
    FAULT("GET / HTTP/01.01\r\n" H "\r\n", VERSION);
    FAULT("GET / HTTP/ 1.1\r\n" H "\r\n", VERSION);
    FAULT("GET / HTTP/1.10\r\n" H "\r\n", VERSION);
    FAULT("GET / HTTP/1,1\r\n" H "\r\n", VERSION);
    FAULT("GET / HTTP/x.1\r\n" H "\r\n", VERSION);
    FAULT("GET / HTTP/1.x\r\n" H "\r\n", VERSION);
    FAULT("GET / HTTPS/1.1\r\n" H "\r\n", VERSION);
    FAULT("GET / HTTP/9.9\r\n" H "\r\n", VERSION_MAJOR);
    FAULT("GET / HTTP/0.9\r\n" H "\r\n", VERSION_MAJOR);
    FAULT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION_MAJOR);
    GOOD("GET / HTTP/1.2\r\n" H "\r\n", "GET origin / @a 1.1 none:0 keep [Host=a]");
    GOOD("GET / HTTP/1.0\r\n\r\n", "GET origin / @ 1.0 none:0");
}

TEST("RFC 9110 §9.1 the method is a token, case-sensitive, and may be unknown")
{
    GOOD("get / HTTP/1.1\r\n" H "\r\n", "get origin / @a 1.1 none:0 keep [Host=a]");
    GOOD("BREW /pot HTTP/1.1\r\n" H "\r\n", "BREW origin /pot @a 1.1 none:0 keep [Host=a]");
    CHECK_INT(dx_http_method_of(DX_BYTES("get")), DX_HTTP_METHOD_OTHER);
    CHECK_INT(dx_http_method_of(DX_BYTES("OPTIONS")), DX_HTTP_OPTIONS);
    CHECK_INT(dx_http_method_of(DX_BYTES("OPTIONSX")), DX_HTTP_METHOD_OTHER);
    CHECK_INT(dx_http_method_of(DX_BYTES("")), DX_HTTP_METHOD_OTHER);
    for (unsigned m = DX_HTTP_GET; m < DX_HTTP_METHOD_COUNT; m++)
        CHECK_INT(dx_http_method_of(dx_http_method_text((dx_http_method)m)), m);
    FAULT("G(T / HTTP/1.1\r\n" H "\r\n", METHOD);
    FAULT("\xc3\xa4 / HTTP/1.1\r\n" H "\r\n", METHOD);
    FAULT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" H "\r\n", METHOD_LONG);
}

TEST("RFC 9112 §3.2.1 the origin form holds visible ASCII and no fragment")
{
    FAULT("GET /a#b HTTP/1.1\r\n" H "\r\n", TARGET_FRAGMENT);
    FAULT("GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", TARGET_BYTE);
    FAULT("GET /\xc0\xaf HTTP/1.1\r\n" H "\r\n", TARGET_BYTE);
    FAULT("GET a HTTP/1.1\r\n" H "\r\n", TARGET_FORM);
    FAULT("GET ?a HTTP/1.1\r\n" H "\r\n", TARGET_FORM);
    GOOD("GET //b/../c HTTP/1.1\r\n" H "\r\n", "GET origin //b/../c @a 1.1 none:0 keep [Host=a]");
}

TEST("RFC 9112 §3.2.2 the absolute form overrides Host")
{
    GOOD("GET http://b:8/p?q HTTP/1.1\r\n" H "\r\n",
         "GET absolute /p ? q @b:8 1.1 none:0 keep [Host=a]");
    GOOD("GET HTTPS://b HTTP/1.1\r\n" H "\r\n", "GET absolute / @b 1.1 none:0 keep [Host=a]");
    GOOD("GET http://b?q HTTP/1.1\r\n" H "\r\n", "GET absolute / ? q @b 1.1 none:0 keep [Host=a]");
    GOOD("GET http://[::1]:1/ HTTP/1.0\r\n\r\n", "GET absolute / @[::1]:1 1.0 none:0");
    FAULT("GET ftp://b/ HTTP/1.1\r\n" H "\r\n", TARGET_FORM);
    FAULT("GET http:/b/ HTTP/1.1\r\n" H "\r\n", TARGET_FORM);
    FAULT("GET http:///p HTTP/1.1\r\n" H "\r\n", TARGET_AUTHORITY);
    FAULT("GET http://u@b/ HTTP/1.1\r\n" H "\r\n", TARGET_AUTHORITY);
    FAULT("GET http://b:x/ HTTP/1.1\r\n" H "\r\n", TARGET_AUTHORITY);
    FAULT("GET http://b/#f HTTP/1.1\r\n" H "\r\n", TARGET_FRAGMENT);
    FAULT("GET http://b/ HTTP/1.1\r\n\r\n", HOST_MISSING);
    FAULT("GET http://b/ HTTP/1.1\r\nHost: u@a\r\n\r\n", HOST);
}

TEST("RFC 9112 §3.2.3 the authority form goes with CONNECT, and CONNECT with nothing else")
{
    GOOD("CONNECT b:443 HTTP/1.1\r\n" H "\r\n",
         "CONNECT authority  @b:443 1.1 none:0 keep [Host=a]");
    FAULT("CONNECT b HTTP/1.1\r\n" H "\r\n", TARGET_AUTHORITY);
    FAULT("CONNECT b: HTTP/1.1\r\n" H "\r\n", TARGET_AUTHORITY);
    FAULT("CONNECT /p HTTP/1.1\r\n" H "\r\n", TARGET_AUTHORITY);
    FAULT("CONNECT http://b:1/ HTTP/1.1\r\n" H "\r\n", TARGET_AUTHORITY);
    FAULT("GET b:443 HTTP/1.1\r\n" H "\r\n", TARGET_FORM);
}

TEST("RFC 9112 §3.2.4 the asterisk form goes with OPTIONS alone")
{
    GOOD("OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS asterisk * @a 1.1 none:0 keep [Host=a]");
    GOOD("OPTIONS http://b HTTP/1.1\r\n" H "\r\n",
         "OPTIONS absolute * @b 1.1 none:0 keep [Host=a]");
    GOOD("OPTIONS http://b?q HTTP/1.1\r\n" H "\r\n",
         "OPTIONS absolute / ? q @b 1.1 none:0 keep [Host=a]");
    GOOD("OPTIONS http://b/ HTTP/1.1\r\n" H "\r\n",
         "OPTIONS absolute / @b 1.1 none:0 keep [Host=a]");
    FAULT("GET * HTTP/1.1\r\n" H "\r\n", TARGET_FORM);
    FAULT("OPTIONS *x HTTP/1.1\r\n" H "\r\n", TARGET_FORM);
}

TEST("RFC 9112 §3.2 HTTP/1.1 has exactly one Host")
{
    FAULT("GET / HTTP/1.1\r\n\r\n", HOST_MISSING);
    FAULT("GET / HTTP/1.1\r\n" H H "\r\n", HOST_REPEATED);
    FAULT("GET / HTTP/1.1\r\n" H "Host: b\r\n\r\n", HOST_REPEATED);
    FAULT("GET / HTTP/1.0\r\n" H "Host: b\r\n\r\n", HOST_REPEATED);
    FAULT("GET / HTTP/1.1\r\n" H "hOST: b\r\n\r\n", HOST_REPEATED);
}

TEST("RFC 9110 §7.2 Host is a host and perhaps a port")
{
    FAULT("GET / HTTP/1.1\r\nHost:\r\n\r\n", HOST);
    FAULT("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HOST);
    FAULT("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", HOST);
    FAULT("GET / HTTP/1.1\r\nHost: a/p\r\n\r\n", HOST);
    FAULT("GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", HOST);
    FAULT("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", HOST);
    FAULT("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", HOST);
    FAULT("GET / HTTP/1.1\r\nHost: a:-1\r\n\r\n", HOST);
    FAULT("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", HOST);
    FAULT("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", HOST);
    FAULT("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", HOST);
    GOOD("GET / HTTP/1.1\r\nHost: [::1]:8\r\n\r\n",
         "GET origin / @[::1]:8 1.1 none:0 keep [Host=[::1]:8]");
}

TEST("RFC 9112 §5 a field line is a token, a colon and a value")
{
    FAULT("GET / HTTP/1.1\r\n" H "X : a\r\n\r\n", BLANK_BEFORE_COLON);
    FAULT("GET / HTTP/1.1\r\n" H "X\t: a\r\n\r\n", BLANK_BEFORE_COLON);
    FAULT("GET / HTTP/1.1\r\n" H ": a\r\n\r\n", NAME_EMPTY);
    FAULT("GET / HTTP/1.1\r\n" H "X\r\n\r\n", NO_COLON);
    FAULT("GET / HTTP/1.1\r\n" H "X y\r\n\r\n", NO_COLON);
    FAULT("GET / HTTP/1.1\r\n" H "X y: a\r\n\r\n", NAME);
    FAULT("GET / HTTP/1.1\r\n" H "X-Invalid[]: a\r\n\r\n", NAME);
    FAULT("GET / HTTP/1.1\r\n" H "X\xe4: a\r\n\r\n", NAME);
    FAULT("GET / HTTP/1.1\r\n" H "Transfer-Encoding : chunked\r\n\r\n", BLANK_BEFORE_COLON);
    GOOD("GET / HTTP/1.1\r\n" H "Transfer_Encoding: chunked\r\n\r\n",
         "GET origin / @a 1.1 none:0 keep [Host=a] [Transfer_Encoding=chunked]");
    GOOD("GET / HTTP/1.1\r\n" H "!#$%&'*+-.^_`|~09azAZ::\r\n\r\n",
         "GET origin / @a 1.1 none:0 keep [Host=a] [!#$%&'*+-.^_`|~09azAZ=:]");
}

TEST("RFC 9112 §5.2 and §2.2 a line that starts with a blank is a fault")
{
    FAULT("GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", FOLD);
    FAULT("GET / HTTP/1.1\r\n" H "X: a\r\n\tb: c\r\n\r\n", FOLD);
    FAULT("GET / HTTP/1.1\r\n" H " \r\n\r\n", FOLD);
    FAULT("GET / HTTP/1.1\r\n " H "\r\n", BLANK_BEFORE_FIELDS);
    FAULT("GET / HTTP/1.1\r\n\t\r\n" H "\r\n", BLANK_BEFORE_FIELDS);
    FAULT("GET / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n\r\n", FOLD);
}

TEST("RFC 9112 §6.3 Content-Length is one plain number")
{
    GOOD("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\n",
         "POST origin / @a 1.1 length:5 keep [Host=a] [Content-Length=5]");
    GOOD("POST / HTTP/1.1\r\n" H "content-length:0\r\n\r\n",
         "POST origin / @a 1.1 length:0 keep [Host=a] [content-length=0]");
    GOOD("POST / HTTP/1.1\r\n" H "Content-Length: 9223372036854775807\r\n\r\n",
         "POST origin / @a 1.1 length:9223372036854775807 keep [Host=a] "
         "[Content-Length=9223372036854775807]");
#define CL(value, fault) FAULT("POST / HTTP/1.1\r\n" H "Content-Length:" value "\r\n\r\n", fault)
    CL("", LENGTH);
    CL(" abc", LENGTH);
    CL(" +5", LENGTH);
    CL(" -5", LENGTH);
    CL(" -0", LENGTH);
    CL(" -18446744073709551611", LENGTH);
    CL(" 9223372036854775808", LENGTH);
    CL(" 18446744073709551616", LENGTH);
    CL(" 99999999999999999999999999", LENGTH);
    CL(" 0x5", LENGTH);
    CL(" 0o5", LENGTH);
    CL(" 00", LENGTH);
    CL(" 0200", LENGTH);
    CL(" 1 0", LENGTH);
    CL(" 1_0", LENGTH);
    CL(" 5, 5", LENGTH);
    CL(" 5, 6", LENGTH);
    CL(" 5.0", LENGTH);
    CL(" 5\r\nContent-Length: 5", LENGTH_REPEATED);
    CL(" 5\r\nContent-Length: 6", LENGTH_REPEATED);
    CL(" 5\r\nContent-Length: 5\r\nContent-Length: 5", LENGTH_REPEATED);
#undef CL
}

TEST("RFC 9112 §6.1 Transfer-Encoding is chunked, last and once, never with Content-Length")
{
    GOOD("POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n",
         "POST origin / @a 1.1 chunked:0 keep [Host=a] [Transfer-Encoding=Chunked]");
    GOOD("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked \t\r\n\r\n",
         "POST origin / @a 1.1 chunked:0 keep [Host=a] [Transfer-Encoding=chunked]");
#define TE(value, fault) FAULT("POST / HTTP/1.1\r\n" H "Transfer-Encoding:" value "\r\n\r\n", fault)
    TE(" xchunked", CODING_UNKNOWN);
    TE(" identity", CODING_UNKNOWN);
    TE(" gzip, chunked", CODING_UNKNOWN);
    TE(" gzip", CODING_UNKNOWN);
    TE(" chunked, gzip", CODING_NOT_LAST);
    TE(" chunked, identity", CODING_NOT_LAST);
    TE(" chunked\r\nTransfer-Encoding: identity", CODING_NOT_LAST);
    TE(" chunked, chunked", CODING_REPEATED);
    TE(" chunked\r\nTransfer-Encoding: chunked", CODING_REPEATED);
    TE(" chunked\r\ntransfer-encoding: cow", CODING_NOT_LAST);
    TE("", CODING);
    TE(" ,", CODING);
    TE(" chunked,", CODING);
    TE(" ,chunked", CODING);
    TE(" chunked;a=b", CODING);
    TE(" \"chunked\"", CODING_UNKNOWN);
    TE(" chun ked", CODING_UNKNOWN);
    TE(" chunked\r\nContent-Length: 5", CODING_AND_LENGTH);
    TE(" xchunked\r\nContent-Length: 5", CODING_AND_LENGTH);
#undef TE
    FAULT("POST / HTTP/1.1\r\n" H "Content-LENGTH: 5\r\ntransfer-ENCODING: chunked\r\n\r\n",
          CODING_AND_LENGTH);
    FAULT("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", CODING_IN_1_0);
}

TEST("RFC 9112 §9.3 the connection stays in 1.1 unless closed, closes in 1.0 unless kept")
{
    GOOD("GET / HTTP/1.1\r\n" H "Connection: CLOSE\r\n\r\n",
         "GET origin / @a 1.1 none:0 [Host=a] [Connection=CLOSE]");
    GOOD("GET / HTTP/1.1\r\n" H "Connection: x, , close\r\n\r\n",
         "GET origin / @a 1.1 none:0 [Host=a] [Connection=x, , close]");
    GOOD("GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n",
         "GET origin / @a 1.1 none:0 [Host=a] [Connection=keep-alive] [Connection=close]");
    GOOD("GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n",
         "GET origin / @a 1.1 none:0 keep [Host=a] [Connection=closed]");
    GOOD("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
         "GET origin / @ 1.0 none:0 keep [Connection=Keep-Alive]");
    GOOD("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
         "GET origin / @ 1.0 none:0 [Connection=keep-alive, close]");
}

TEST("RFC 9110 §10.1.1 Expect: 100-continue counts with a body in 1.1; others are 417")
{
    GOOD("PUT / HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n",
         "PUT origin / @a 1.1 length:1 keep expect [Host=a] [Content-Length=1] "
         "[Expect=100-Continue]");
    GOOD("PUT / HTTP/1.1\r\n" H "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",
         "PUT origin / @a 1.1 length:0 keep [Host=a] [Content-Length=0] [Expect=100-continue]");
    GOOD("GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n",
         "GET origin / @a 1.1 none:0 keep [Host=a] [Expect=100-continue]");
    GOOD("PUT / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 200-maybe\r\n\r\n",
         "PUT origin / @ 1.0 length:1 [Content-Length=1] [Expect=200-maybe]");
    FAULT("PUT / HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: 200-maybe\r\n\r\n", EXPECT);
    FAULT("PUT / HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: 100-continue, x\r\n\r\n", EXPECT);
    FAULT("PUT / HTTP/1.1\r\n" H "Expect: 100-continue\r\nExpect: x\r\n\r\n", EXPECT);
}

TEST("RFC 6455 §4.2.1 an upgrade names websocket and upgrade, in any case, list and line")
{
    GOOD("GET / HTTP/1.1\r\n" H "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
         "GET origin / @a 1.1 none:0 keep websocket [Host=a] [Upgrade=websocket] "
         "[Connection=Upgrade]");
    GOOD("GET / HTTP/1.1\r\n" H "Upgrade: h2c, WebSocket\r\nConnection: keep-alive\r\n"
         "Connection: HTTP2-Settings, UPGRADE\r\n\r\n",
         "GET origin / @a 1.1 none:0 keep websocket [Host=a] [Upgrade=h2c, WebSocket] "
         "[Connection=keep-alive] [Connection=HTTP2-Settings, UPGRADE]");
    GOOD("GET / HTTP/1.1\r\n" H "Upgrade: websocket\r\n\r\n",
         "GET origin / @a 1.1 none:0 keep [Host=a] [Upgrade=websocket]");
    GOOD("GET / HTTP/1.1\r\n" H "Upgrade: websocket2\r\nConnection: upgrade\r\n\r\n",
         "GET origin / @a 1.1 none:0 keep [Host=a] [Upgrade=websocket2] [Connection=upgrade]");
    GOOD("GET / HTTP/1.0\r\n" H "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n",
         "GET origin / @a 1.0 none:0 [Host=a] [Upgrade=websocket] [Connection=upgrade]");
}

/* "GET /aaa... HTTP/1.1\r\nHost: a\r\n" with a request line of `line` bytes, `count` fields X: and one of
 * `value` bytes; returns its size. */
static size_t big_head(char *to, size_t line, size_t count, size_t value)
{
    size_t used = (size_t)sprintf(to, "GET /");
    for (; used < line - 9; used++)
        to[used] = 'a';
    used += (size_t)sprintf(to + used, " HTTP/1.1\r\nHost: a\r\n");
    for (; count > 0; count--)
        used += (size_t)sprintf(to + used, "X:\r\n");
    if (value > 0) {
        used += (size_t)sprintf(to + used, "V:");
        memset(to + used, 'v', value);
        used += value;
        used += (size_t)sprintf(to + used, "\r\n");
    }
    return used + (size_t)sprintf(to + used, "\r\n");
}

static dx_http_status big_status(size_t line, size_t count, size_t value)
{
    static char text[200000];
    return feed(dx_bytes_at(text, big_head(text, line, count, value)))->status;
}

TEST("RFC 9112 §3 a request line of 8192 bytes is read, of 8193 is 414")
{
    CHECK_INT(big_status(8000, 0, 0), DX_HTTP_OK);
    CHECK_INT(big_status(8192, 0, 0), DX_HTTP_OK);
    CHECK_INT(big_status(8193, 0, 0), DX_HTTP_FAULT_REQUEST_LINE_LONG);
    CHECK_INT(big_status(100000, 0, 0), DX_HTTP_FAULT_REQUEST_LINE_LONG);
}

TEST("RFC 6585 §5 16384 bytes of fields are read, 16385 are 431")
{
    CHECK_INT(big_status(20, 0, 16384 - 13), DX_HTTP_OK);
    CHECK_INT(big_status(20, 0, 16385 - 13), DX_HTTP_FAULT_FIELDS_LARGE);
    CHECK_INT(big_status(20, 0, 100000), DX_HTTP_FAULT_FIELDS_LARGE);
}

TEST("RFC 6585 §5 100 fields are read, 101 are 431")
{
    CHECK_INT(big_status(20, 99, 0), DX_HTTP_OK);
    CHECK_INT(big_status(20, 100, 0), DX_HTTP_FAULT_FIELDS_MANY);
    CHECK_INT(big_status(20, 3000, 0), DX_HTTP_FAULT_FIELDS_MANY);
}

TEST("limits are told as early as they are passed")
{
    static char text[40000];
    static outcome got;
    dx_http_reader r;

    memset(text, 'A', sizeof text);
    dx_http_reader_init(&r, &head_limits);
    feed_exact(&r, dx_bytes_at(text, 8192), 8192, &got);
    CHECK_INT(got.status, DX_HTTP_MORE);
    feed_exact(&r, dx_bytes_at(text, 8193), 8193, &got);
    CHECK_INT(got.status, DX_HTTP_FAULT_REQUEST_LINE_LONG);

    memcpy(text, "GET / HTTP/1.1\r\n", 16);
    dx_http_reader_init(&r, &head_limits);
    feed_exact(&r, dx_bytes_at(text, 16 + 16384), 16 + 16384, &got);
    CHECK_INT(got.status, DX_HTTP_MORE);
    feed_exact(&r, dx_bytes_at(text, 16 + 16385), 16 + 16385, &got);
    CHECK_INT(got.status, DX_HTTP_FAULT_FIELDS_LARGE);
}

TEST("RFC 9112 §9.3.2 one reader takes pipelined requests one after the other")
{
    dx_bytes in = DX_BYTES("GET /1 HTTP/1.1\r\n" H "\r\n\r\nGET /2 HTTP/1.1\r\n" H "\r\n");
    static outcome got;
    dx_http_reader r;

    dx_http_reader_init(&r, &head_limits);
    CHECK_INT(head_read(&r, in, &got), DX_HTTP_OK);
    CHECK(strstr(got.text, " /1 ") != NULL);
    dx_bytes_skip(&in, got.consumed);
    CHECK_INT(head_read(&r, dx_bytes_at(in.at, 9), &got), DX_HTTP_MORE);
    CHECK_INT(head_read(&r, in, &got), DX_HTTP_OK);
    CHECK(strstr(got.text, " /2 ") != NULL);
    CHECK_INT(got.consumed, in.size);
}

TEST("a head that comes byte by byte is scanned once: its time grows with its size")
{
    enum { SIZE = 16000 };
    static char text[SIZE + 100];
    dx_http_reader r;
    dx_http_field fields[100];
    dx_http_request_head h;
    size_t consumed, size = big_head(text, 20, 0, SIZE);
    uint64_t scanned = 0, before = 0;

    dx_http_reader_init(&r, &head_limits);
    for (size_t i = 0; i < size; i++) {
        h.fields.at = fields, h.fields.count_max = 100;
        if (dx_http_request_read(&r, dx_bytes_at(text, i), &h, &consumed) != DX_HTTP_MORE)
            TAP_FAIL("no MORE at %zu", i);
        uint64_t now = r.checked + r.scanned;
        if (now < before ||
            i - now > 1) /* a CR waits for its LF, nothing else is looked at again */
            TAP_FAIL("at %zu only %zu are known", i, (size_t)now);
        scanned += i - before, before = now;
    }
    CHECK(scanned < 2 * size + 10);
}
