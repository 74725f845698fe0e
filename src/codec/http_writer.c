/* Heads out.
 * SPDX-License-Identifier: MIT */
#include "codec/http_writer.h"

#include "base/assert.h"
#include "codec/http_date.h"
#include "codec/scan.h"

static void put(dx_http_writer *w, dx_bytes bytes)
{
    if (w->fault != DX_HTTP_WRITER_OK)
        return;
    if (bytes.size > w->size_max - w->size) {
        w->fault = DX_HTTP_WRITER_FULL;
        return;
    }
    if (bytes.size > 0)
        memcpy(w->at + w->size, bytes.at, bytes.size);
    w->size += bytes.size;
}

static void refuse(dx_http_writer *w, dx_http_writer_fault fault)
{
    if (w->fault == DX_HTTP_WRITER_OK)
        w->fault = fault;
}

static bool is_token(dx_bytes in)
{
    return in.size > 0 && dx_scan_best()->token(in.at, in.size) == in.size;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool is_value(dx_bytes in)
{
    return in.size == 0 || (!is_blank(in.at[0]) && !is_blank(in.at[in.size - 1]) &&
                            dx_scan_best()->field(in.at, in.size) == in.size);
}

/* At most 20 digits, at the end of `digits`. */
static dx_bytes number_text(uint64_t number, uint8_t digits[static 20])
{
    size_t size = 0;

    do
        digits[20 - ++size] = (uint8_t)('0' + number % 10);
    while (number /= 10);
    return (dx_bytes){digits + 20 - size, size};
}

void dx_http_write_status(dx_http_writer *w, unsigned code)
{
    uint8_t digits[20];

    dx_assert(code >= 100 && code <= 999);
    put(w, DX_BYTES("HTTP/1.1 "));
    put(w, number_text(code, digits));
    put(w, DX_BYTES(" "));
    put(w, dx_bytes_of(dx_http_reason(code)));
    put(w, DX_BYTES("\r\n"));
}

static void put_request(dx_http_writer *w, dx_bytes method, dx_bytes target, dx_bytes version)
{
    if (!is_token(method))
        refuse(w, DX_HTTP_WRITER_NAME);
    if (target.size == 0 || dx_scan_best()->target(target.at, target.size) != target.size)
        refuse(w, DX_HTTP_WRITER_VALUE);
    put(w, method);
    put(w, DX_BYTES(" "));
    put(w, target);
    put(w, version);
}

void dx_http_write_request(dx_http_writer *w, dx_bytes method, dx_bytes target)
{
    put_request(w, method, target, DX_BYTES(" HTTP/1.1\r\n"));
}

void dx_http_write_request_1_0(dx_http_writer *w, dx_bytes method, dx_bytes target)
{
    put_request(w, method, target, DX_BYTES(" HTTP/1.0\r\n"));
}

static void put_field(dx_http_writer *w, dx_bytes name, dx_bytes value)
{
    put(w, name);
    put(w, DX_BYTES(": "));
    put(w, value);
    put(w, DX_BYTES("\r\n"));
}

void dx_http_write_field(dx_http_writer *w, dx_bytes name, dx_bytes value)
{
    if (!is_token(name))
        refuse(w, DX_HTTP_WRITER_NAME);
    if (!is_value(value))
        refuse(w, DX_HTTP_WRITER_VALUE);
    put_field(w, name, value);
}

void dx_http_write_known(dx_http_writer *w, dx_http_name name, dx_bytes value)
{
    dx_assert(name != DX_HTTP_OTHER);
    if (!is_value(value))
        refuse(w, DX_HTTP_WRITER_VALUE);
    put_field(w, dx_http_name_text(name), value);
}

void dx_http_write_number(dx_http_writer *w, dx_http_name name, uint64_t value)
{
    uint8_t digits[20];

    dx_assert(name != DX_HTTP_OTHER);
    put_field(w, dx_http_name_text(name), number_text(value, digits));
}

void dx_http_write_date(dx_http_writer *w, dx_http_name name, int64_t seconds)
{
    uint8_t date[DX_HTTP_DATE_SIZE];

    dx_assert(name != DX_HTTP_OTHER);
    dx_http_date_write(seconds, date);
    put_field(w, dx_http_name_text(name), dx_bytes_at(date, sizeof date));
}

void dx_http_write_lines(dx_http_writer *w, dx_bytes lines)
{
    put(w, lines);
}

dx_bytes dx_http_write_end(dx_http_writer *w)
{
    put(w, DX_BYTES("\r\n"));
    return w->fault == DX_HTTP_WRITER_OK ? (dx_bytes){w->at, w->size} : (dx_bytes){NULL, 0};
}
