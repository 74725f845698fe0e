/* Heads out: exact bytes, refusals, and a round trip through the reader.
 * SPDX-License-Identifier: MIT */
#include "codec/http_writer.h"
#include "tests/tap.h"

TEST("RFC 9112 §4 a response head is written")
{
    uint8_t memory[300];
    dx_http_writer w;

    dx_http_writer_init(&w, memory, sizeof memory);
    dx_http_write_status(&w, 200);
    dx_http_write_known(&w, DX_HTTP_CONTENT_TYPE, DX_BYTES("text/plain"));
    dx_http_write_number(&w, DX_HTTP_CONTENT_LENGTH, 0);
    dx_http_write_number(&w, DX_HTTP_RETRY_AFTER, UINT64_MAX);
    dx_http_write_date(&w, DX_HTTP_DATE, 784111777);
    dx_http_write_field(&w, DX_BYTES("X-Empty"), (dx_bytes){NULL, 0});
    dx_http_write_field(&w, DX_BYTES("X"), DX_BYTES("a\tb \xff"));
    dx_http_write_lines(&w, DX_BYTES("Server: duplex\r\nVary: *\r\n"));
    dx_bytes head = dx_http_write_end(&w);
    CHECK_BYTES(head, "HTTP/1.1 200 OK\r\n"
                      "Content-Type: text/plain\r\n"
                      "Content-Length: 0\r\n"
                      "Retry-After: 18446744073709551615\r\n"
                      "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                      "X-Empty: \r\n"
                      "X: a\tb \xff\r\n"
                      "Server: duplex\r\nVary: *\r\n"
                      "\r\n");
    dx_http_writer_init(&w, memory, sizeof memory);
    dx_http_write_status(&w, 599);
    head = dx_http_write_end(&w);
    CHECK_BYTES(head, "HTTP/1.1 599 \r\n\r\n");
}

TEST("RFC 9112 §3 a request head is written")
{
    uint8_t memory[100];
    dx_http_writer w;

    dx_http_writer_init(&w, memory, sizeof memory);
    dx_http_write_request(&w, DX_BYTES("GET"), DX_BYTES("/a?b"));
    dx_http_write_known(&w, DX_HTTP_HOST, DX_BYTES("[::1]:80"));
    dx_bytes head = dx_http_write_end(&w);
    CHECK_BYTES(head, "GET /a?b HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
    dx_http_writer_init(&w, memory, sizeof memory);
    dx_http_write_request_1_0(&w, DX_BYTES("GET"), DX_BYTES("/a?b"));
    head = dx_http_write_end(&w);
    CHECK_BYTES(head, "GET /a?b HTTP/1.0\r\n\r\n");
}

/* What one field does to a writer; nothing may come out after a fault. */
static dx_http_writer_fault field_fault(dx_bytes name, dx_bytes value)
{
    uint8_t memory[100];
    dx_http_writer w;

    dx_http_writer_init(&w, memory, sizeof memory);
    dx_http_write_field(&w, name, value);
    dx_http_writer_fault fault = w.fault;
    dx_http_write_known(&w, DX_HTTP_HOST, DX_BYTES("a"));
    CHECK_INT(w.fault, fault);
    CHECK((dx_http_write_end(&w).at != NULL) == (fault == DX_HTTP_WRITER_OK));
    if (fault != DX_HTTP_WRITER_OK)
        CHECK_INT(w.size, 0);
    dx_http_write_field(&w, DX_BYTES("Y"),
                        DX_BYTES("\n")); /* the first fault is the one that stays */
    CHECK_INT(w.fault, fault != DX_HTTP_WRITER_OK ? fault : DX_HTTP_WRITER_VALUE);
    CHECK(dx_http_write_end(&w).at == NULL);
    return fault;
}

TEST("attack A6: CR, LF, NUL and other control bytes in a value are refused")
{
    for (unsigned c = 0; c < 256; c++) {
        uint8_t text[3] = {'a', (uint8_t)c, 'b'};
        bool is_bad = (c < ' ' && c != '\t') || c == 127;
        CHECK_INT(field_fault(DX_BYTES("X"), dx_bytes_at(text, 3)),
                  is_bad ? DX_HTTP_WRITER_VALUE : DX_HTTP_WRITER_OK);
    }
    CHECK_INT(field_fault(DX_BYTES("X"), DX_BYTES("a\r\nSet-Cookie: b")), DX_HTTP_WRITER_VALUE);
    CHECK_INT(field_fault(DX_BYTES("X"), DX_BYTES("a ")), DX_HTTP_WRITER_VALUE);
    CHECK_INT(field_fault(DX_BYTES("X"), DX_BYTES("\ta")), DX_HTTP_WRITER_VALUE);
}

TEST("attack A6: a name that is no token is refused")
{
    CHECK_INT(field_fault(DX_BYTES(""), DX_BYTES("a")), DX_HTTP_WRITER_NAME);
    CHECK_INT(field_fault(DX_BYTES("X:"), DX_BYTES("a")), DX_HTTP_WRITER_NAME);
    CHECK_INT(field_fault(DX_BYTES("X Y"), DX_BYTES("a")), DX_HTTP_WRITER_NAME);
    CHECK_INT(field_fault(DX_BYTES("X\r\nY"), DX_BYTES("a")), DX_HTTP_WRITER_NAME);
    CHECK_INT(field_fault(DX_BYTES("X\0Y"), DX_BYTES("a")), DX_HTTP_WRITER_NAME);
}

static dx_http_writer_fault request_fault(dx_bytes method, dx_bytes target)
{
    uint8_t memory[100];
    dx_http_writer w;

    dx_http_writer_init(&w, memory, sizeof memory);
    dx_http_write_request(&w, method, target);
    return w.fault;
}

TEST("attack A6: a method or target that would break the request line is refused")
{
    CHECK_INT(request_fault(DX_BYTES("GET"), DX_BYTES("/")), DX_HTTP_WRITER_OK);
    CHECK_INT(request_fault(DX_BYTES("GE T"), DX_BYTES("/")), DX_HTTP_WRITER_NAME);
    CHECK_INT(request_fault(DX_BYTES(""), DX_BYTES("/")), DX_HTTP_WRITER_NAME);
    CHECK_INT(request_fault(DX_BYTES("GET"), DX_BYTES("")), DX_HTTP_WRITER_VALUE);
    CHECK_INT(request_fault(DX_BYTES("GET"), DX_BYTES("/ HTTP/1.1\r\nX: y")), DX_HTTP_WRITER_VALUE);
    CHECK_INT(request_fault(DX_BYTES("GET"), DX_BYTES("/\xc3\xa4")), DX_HTTP_WRITER_VALUE);
}

TEST("memory that is too small is a fault that stays, at every size; nothing is written past it")
{
    static const char want[] = "HTTP/1.1 204 No Content\r\nX: yz\r\n\r\n";

    for (size_t size = 0; size <= sizeof want; size++) {
        uint8_t *memory = malloc(size + 1); /* the sanitizer sees a write past its end */
        dx_http_writer w;
        dx_http_writer_init(&w, memory, size);
        dx_http_write_status(&w, 204);
        dx_http_write_field(&w, DX_BYTES("X"), DX_BYTES("yz"));
        dx_bytes got = dx_http_write_end(&w);
        if (size >= sizeof want - 1)
            CHECK_BYTES(got, want);
        else
            CHECK(got.at == NULL && w.fault == DX_HTTP_WRITER_FULL);
        free(memory);
    }
}
