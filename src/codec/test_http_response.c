/* Response heads.
 * SPDX-License-Identifier: MIT */
#include "codec/test_http_head.h"

static dx_http_method asked = DX_HTTP_GET; /* what the response answers */

static dx_http_status head_read(dx_http_reader *r, dx_bytes in, outcome *ret)
{
    static const char *const bodies[] = {"none", "length", "chunked", "close"};
    dx_http_field fields[100];
    dx_http_response_head h;

    memset(&h, 0xa5, sizeof h);
    h.fields.at = fields, h.fields.count_max = 100;
    dx_http_status status = dx_http_response_read(r, in, asked, &h, &ret->consumed);
    ret->text[0] = 0;
    if (status != DX_HTTP_OK)
        return status;
    snprintf(ret->text, sizeof ret->text, "1.%u %u '%.*s' %s:%llu%s%s", h.minor_version, h.code,
             DX_FORMAT(h.reason), bodies[h.framing.body],
             (unsigned long long)h.framing.content_length, h.framing.keep_alive ? " keep" : "",
             h.framing.upgrade_websocket ? " websocket" : "");
    for (size_t i = 0; i < h.fields.count; i++) {
        size_t used = strlen(ret->text);
        snprintf(ret->text + used, sizeof ret->text - used, " [%.*s=%.*s]",
                 DX_FORMAT(fields[i].name), DX_FORMAT(fields[i].value));
    }
    return h.framing.expect_continue ? DX_HTTP_STATUS_COUNT : status;
}

TEST("RFC 9112 §4 a status line is taken apart")
{
    GOOD("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
         "1.1 200 'OK' length:3 keep [Content-Length=3]");
    GOOD("HTTP/1.1 404 Not  Found\xe4\t\r\nContent-Length: 0\r\n\r\n",
         "1.1 404 'Not  Found\xe4\t' length:0 keep [Content-Length=0]");
    GOOD("HTTP/1.1 999 \r\n\r\n", "1.1 999 '' close:0");
    GOOD("HTTP/1.1 200\r\n\r\n", "1.1 200 '' close:0");
    GOOD_THEN("HTTP/1.0 200 OK\r\n\r\n", "body", "1.0 200 'OK' close:0");
}

TEST("RFC 9112 §4 a status line that breaks the grammar is a fault")
{
    FAULT("HTTP/1.1 99 x\r\n\r\n", STATUS_LINE);
    FAULT("HTTP/1.1 099 x\r\n\r\n", STATUS_LINE);
    FAULT("HTTP/1.1 2000 x\r\n\r\n", STATUS_LINE);
    FAULT("HTTP/1.1 20x x\r\n\r\n", STATUS_LINE);
    FAULT("HTTP/1.1  200 x\r\n\r\n", STATUS_LINE);
    FAULT("HTTP/1.1\r\n\r\n", STATUS_LINE);
    FAULT("HTTP/1.1 \r\n\r\n", STATUS_LINE);
    FAULT("http/1.1 200 OK\r\n\r\n", STATUS_LINE);
    FAULT("ICY 200 OK\r\n\r\n", STATUS_LINE);
    FAULT("\r\nHTTP/1.1 200 OK\r\n\r\n", STATUS_LINE);
    FAULT("HTTP/2.0 200 OK\r\n\r\n", VERSION_MAJOR);
    FAULT("HTTP/1.1 200 O\nK\r\n\r\n", BARE_LF);
    FAULT("HTTP/1.1 200 OK\r\nX: a\x01\r\n\r\n", CONTROL_BYTE);
    FAULT("HTTP/1.1 200 OK\r\nX : a\r\n\r\n", BLANK_BEFORE_COLON);
    FAULT("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", FOLD);
    WAITS("HTTP/1.1 200 OK\r\nX: a\r\n");
}

TEST("RFC 9112 §6.3 what follows a response is told by method, code and fields, in this order")
{
    GOOD("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         "1.1 200 'OK' chunked:0 keep [Transfer-Encoding=chunked]");
    GOOD("HTTP/1.1 204 x\r\n\r\n", "1.1 204 'x' none:0 keep");
    GOOD("HTTP/1.1 304 x\r\nContent-Length: 9\r\n\r\n",
         "1.1 304 'x' none:9 keep [Content-Length=9]");
    GOOD("HTTP/1.1 100 Continue\r\n\r\n", "1.1 100 'Continue' none:0 keep");
    GOOD("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n",
         "1.1 200 'OK' length:1 [Connection=close] [Content-Length=1]");
    asked = DX_HTTP_HEAD;
    GOOD("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
         "1.1 200 'OK' none:9 keep [Content-Length=9]");
    GOOD("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         "1.1 200 'OK' none:0 keep [Transfer-Encoding=chunked]");
    GOOD("HTTP/1.1 200 OK\r\n\r\n", "1.1 200 'OK' none:0 keep");
    asked = DX_HTTP_CONNECT;
    GOOD("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
         "1.1 200 'OK' none:0 keep [Content-Length=9]");
    GOOD("HTTP/1.1 407 x\r\nContent-Length: 9\r\n\r\n",
         "1.1 407 'x' length:9 keep [Content-Length=9]");
    asked = DX_HTTP_GET;
}

TEST("RFC 9112 §6.3 framing that is in doubt is a fault for the client too")
{
    FAULT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", LENGTH_REPEATED);
    FAULT("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", LENGTH);
    FAULT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
          CODING_AND_LENGTH);
    FAULT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", CODING_UNKNOWN);
    FAULT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", CODING_IN_1_0);
}

TEST("RFC 6455 §4.1 a 101 with both fields is an upgrade; another code is none")
{
    GOOD("HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\r\n",
         "1.1 101 'x' none:0 keep websocket [Upgrade=WebSocket] [Connection=upgrade]");
    GOOD("HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\n\r\n",
         "1.1 101 'x' none:0 keep [Upgrade=WebSocket]");
    GOOD("HTTP/1.1 426 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
         "1.1 426 'x' length:0 keep [Upgrade=websocket] [Connection=upgrade] [Content-Length=0]");
}

TEST("every fault has a code, a sentence and a section")
{
    for (unsigned s = DX_HTTP_END + 1; s < DX_HTTP_STATUS_COUNT; s++) {
        const dx_http_fault *fault = dx_http_fault_of((dx_http_status)s);
        CHECK(dx_http_is_fault((dx_http_status)s));
        CHECK(fault->code >= 400 && fault->code <= 505 && *dx_http_reason(fault->code) != 0);
        CHECK(fault->text && fault->text[strlen(fault->text) - 1] == '.');
        CHECK(fault->section && strncmp(fault->section, "RFC ", 4) == 0);
    }
    CHECK(!dx_http_is_fault(DX_HTTP_OK) && !dx_http_is_fault(DX_HTTP_MORE));
    CHECK(!dx_http_is_fault(DX_HTTP_DATA) && !dx_http_is_fault(DX_HTTP_END));
    CHECK_INT(dx_http_fault_of(DX_HTTP_FAULT_REQUEST_LINE_LONG)->code, 414);
    CHECK_INT(dx_http_fault_of(DX_HTTP_FAULT_FIELDS_MANY)->code, 431);
    CHECK_INT(dx_http_fault_of(DX_HTTP_FAULT_CODING_UNKNOWN)->code, 501);
    CHECK_INT(dx_http_fault_of(DX_HTTP_FAULT_VERSION_MAJOR)->code, 505);
    CHECK_INT(dx_http_fault_of(DX_HTTP_FAULT_EXPECT)->code, 417);
}

TEST("RFC 9110 §15 codes have their reason phrases, others have none")
{
    static const struct {
        unsigned code;
        const char *reason;
    } rows[] = {{100, "Continue"},
                {101, "Switching Protocols"},
                {200, "OK"},
                {201, "Created"},
                {204, "No Content"},
                {206, "Partial Content"},
                {304, "Not Modified"},
                {308, "Permanent Redirect"},
                {400, "Bad Request"},
                {404, "Not Found"},
                {405, "Method Not Allowed"},
                {408, "Request Timeout"},
                {409, "Conflict"},
                {410, "Gone"},
                {411, "Length Required"},
                {412, "Precondition Failed"},
                {413, "Content Too Large"},
                {414, "URI Too Long"},
                {416, "Range Not Satisfiable"},
                {417, "Expectation Failed"},
                {421, "Misdirected Request"},
                {425, "Too Early"},
                {426, "Upgrade Required"},
                {428, "Precondition Required"},
                {429, "Too Many Requests"},
                {431, "Request Header Fields Too Large"},
                {500, "Internal Server Error"},
                {503, "Service Unavailable"},
                {505, "HTTP Version Not Supported"},
                {507, "Insufficient Storage"},
                {511, "Network Authentication Required"},
                {0, ""},
                {99, ""},
                {199, ""},
                {306, ""},
                {418, ""},
                {432, ""},
                {599, ""},
                {600, ""},
                {4294967295, ""}};
    for (size_t i = 0; i < DX_COUNT(rows); i++)
        CHECK_MEM(dx_http_reason(rows[i].code), strlen(dx_http_reason(rows[i].code)),
                  rows[i].reason, strlen(rows[i].reason));
}
