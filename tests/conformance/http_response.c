/* A strict HTTP/1.1 response reader. See http_response.h.
 * Memory:  the head is copied out of the peer's input; the body is decoded into one buffer.
 * Threads: as its dx_peer.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_response.h"

#include "tests/conformance/http_date.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    FAULT_SIZE = 160,
    HEAD_BYTES_MAX = 65536,
    BODY_BYTES_MAX = 8 << 20,
};

#define FAULT(fault, ...) (snprintf(fault, FAULT_SIZE, __VA_ARGS__), false)

/* ---- grammar ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_token_char(char c)
{
    if (is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return true;
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_text_char(char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

static bool is_text(dx_probe_text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_text_char(text.at[i]))
            return false;
    return true;
}

static bool equals(dx_probe_text text, const char *word)
{
    return text.size == strlen(word) && strncasecmp(text.at, word, text.size) == 0;
}

static dx_probe_text trimmed(dx_probe_text text)
{
    while (text.size && (text.at[0] == ' ' || text.at[0] == '\t'))
        text.at++, text.size--;
    while (text.size && (text.at[text.size - 1] == ' ' || text.at[text.size - 1] == '\t'))
        text.size--;
    return text;
}

/* HTTP-version SP status-code SP [ reason-phrase ]: RFC 9112 §4 */
static bool parse_status_line(dx_probe_text line, dx_probe_response *r, char *fault)
{
    if (line.size < 13 || memcmp(line.at, "HTTP/1.1 ", 9) != 0 || line.at[12] != ' ')
        return FAULT(fault, "status line is not \"HTTP/1.1 NNN reason\": %.*s",
                     (int)(line.size > 80 ? 80 : line.size), line.at);
    for (size_t i = 9; i < 12; i++)
        if (!is_digit(line.at[i]))
            return FAULT(fault, "status code is not three digits");
    r->status = (line.at[9] - '0') * 100 + (line.at[10] - '0') * 10 + (line.at[11] - '0');
    if (r->status < 100 || r->status > 599)
        return FAULT(fault, "status %d is outside 100-599", r->status);
    if (!is_text((dx_probe_text){line.at + 13, line.size - 13}))
        return FAULT(fault, "control character in the reason phrase");
    return true;
}

static bool parse_field_line(dx_probe_text line, dx_probe_response *r, char *fault)
{
    const char *colon = memchr(line.at, ':', line.size);
    dx_probe_field field;

    if (!colon || colon == line.at)
        return FAULT(fault, "field line without a name: %.*s",
                     (int)(line.size > 80 ? 80 : line.size), line.at);
    field.name = (dx_probe_text){line.at, (size_t)(colon - line.at)};
    for (size_t i = 0; i < field.name.size; i++)
        if (!is_token_char(field.name.at[i]))
            return FAULT(fault, "field name is not a token: %.*s", (int)field.name.size, line.at);
    field.value = trimmed((dx_probe_text){colon + 1, line.size - field.name.size - 1});
    if (!is_text(field.value))
        return FAULT(fault, "control character in field %.*s", (int)field.name.size, line.at);
    if (r->fields_count == DX_PROBE_FIELDS_MAX)
        return FAULT(fault, "more than %d fields", DX_PROBE_FIELDS_MAX);
    r->fields[r->fields_count++] = field;
    return true;
}

/* r->head holds everything up to and with the blank line. */
static bool parse_head(dx_probe_response *r, char *fault)
{
    const char *at = r->head, *end = r->head + r->head_size - 2; /* before the last CRLF */
    bool first = true;

    while (at < end) {
        const char *cr = memmem(at, (size_t)(end - at), "\r\n", 2);
        dx_probe_text line = {at, (size_t)(cr - at)};
        if (!(first ? parse_status_line(line, r, fault) : parse_field_line(line, r, fault)))
            return false;
        first = false;
        at = cr + 2;
    }
    return true;
}

dx_probe_text dx_probe_response_field(const dx_probe_response *r, const char *name)
{
    for (size_t i = 0; i < r->fields_count; i++)
        if (equals(r->fields[i].name, name))
            return r->fields[i].value;
    return (dx_probe_text){NULL, 0};
}

static size_t field_count(const dx_probe_response *r, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < r->fields_count; i++)
        count += equals(r->fields[i].name, name);
    return count;
}

static bool value_lists(dx_probe_text value, const char *token)
{
    while (value.size) {
        const char *comma = memchr(value.at, ',', value.size);
        size_t size = comma ? (size_t)(comma - value.at) : value.size;
        if (equals(trimmed((dx_probe_text){value.at, size}), token))
            return true;
        size += comma != NULL;
        value.at += size, value.size -= size;
    }
    return false;
}

bool dx_probe_response_lists(const dx_probe_response *r, const char *name, const char *token)
{
    for (size_t i = 0; i < r->fields_count; i++)
        if (equals(r->fields[i].name, name) && value_lists(r->fields[i].value, token))
            return true;
    return false;
}

/* ---- what every response owes ---- */

static bool check_once(const dx_probe_response *r, char *fault)
{
    static const char *const single[] = {"Content-Length", "Content-Type", "Date",         "ETag",
                                         "Last-Modified",  "Location",     "Content-Range"};

    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        if (field_count(r, single[i]) > 1)
            return FAULT(fault, "field %s is there twice", single[i]);
    return true;
}

static bool check_date(const dx_probe_response *r, char *fault)
{
    dx_probe_text date = dx_probe_response_field(r, "Date");

    if (!date.at)
        return r->status < 200 || r->status >= 500 ||
               FAULT(fault, "no Date in a %d (9110 §6.6.1)", r->status);
    if (!dx_probe_date_is_now(date))
        return FAULT(fault, "Date is no IMF-fixdate of now: %.*s", (int)date.size, date.at);
    return true;
}

static bool check_duties(const dx_probe_response *r, const dx_probe_asked *asked, char *fault)
{
    bool coded = dx_probe_response_field(r, "Transfer-Encoding").at != NULL;
    bool sized = dx_probe_response_field(r, "Content-Length").at != NULL;

    if (coded && sized)
        return FAULT(fault, "both Transfer-Encoding and Content-Length (9112 §6.2)");
    if ((r->status < 200 || r->status == 204) && (coded || sized))
        return FAULT(fault, "Content-Length or Transfer-Encoding in a %d (9110 §8.6)", r->status);
    if (asked->http10 && (coded || r->status < 200))
        return FAULT(fault, "1xx or chunks for an HTTP/1.0 client (9110 §15.2, 9112 §6.1)");
    if (r->status == 405 && !dx_probe_response_field(r, "Allow").at)
        return FAULT(fault, "405 without Allow (9110 §15.5.6)");
    if (r->status == 426 && !dx_probe_response_field(r, "Upgrade").at)
        return FAULT(fault, "426 without Upgrade (9110 §15.5.22)");
    if (dx_probe_response_field(r, "X-Injected").at)
        return FAULT(fault, "a field that the request's target smuggled in");
    return check_once(r, fault) && check_date(r, fault);
}

/* ---- body ---- */

static bool take(dx_peer *peer, size_t size, dx_probe_response *r)
{
    char *body = realloc(r->body, r->body_size + size + 1);

    if (!body)
        abort();
    if (size)
        memcpy(body + r->body_size, dx_peer_input(peer), size);
    r->body = body;
    r->body_size += size;
    r->body[r->body_size] = 0;
    dx_peer_skip(peer, size);
    return true;
}

static bool need(dx_peer *peer, size_t size, int timeout_ms, char *fault)
{
    dx_peer_status status = dx_peer_need(peer, size, timeout_ms);

    return status == DX_PEER_OK ||
           FAULT(fault, "body cut short by %s, %zu octets of %zu", dx_peer_status_text(status),
                 dx_peer_input_size(peer), size);
}

static bool read_sized(dx_peer *peer, dx_probe_text value, dx_probe_response *r, int timeout_ms,
                       char *fault)
{
    size_t size = 0;

    if (value.size == 0 || value.size > 9)
        return FAULT(fault, "Content-Length has %zu digits", value.size);
    for (size_t i = 0; i < value.size; i++) {
        if (!is_digit(value.at[i]))
            return FAULT(fault, "Content-Length is not digits");
        size = size * 10 + (size_t)(value.at[i] - '0');
    }
    return need(peer, size, timeout_ms, fault) && take(peer, size, r);
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One chunk-size line without extensions: our server has no reason to send any. */
static bool read_chunk_size(dx_peer *peer, int timeout_ms, size_t *ret, char *fault)
{
    size_t line_size, size = 0;

    if (dx_peer_need_mark(peer, "\r\n", &line_size, timeout_ms) != DX_PEER_OK)
        return FAULT(fault, "chunk-size line cut short");
    const char *line = (const char *)dx_peer_input(peer);
    if (line_size == 2 || line_size > 10)
        return FAULT(fault, "chunk-size line of %zu octets", line_size);
    for (size_t i = 0; i + 2 < line_size; i++) {
        int digit = hex_value(line[i]);
        if (digit < 0)
            return FAULT(fault, "chunk size is not hexadecimal");
        size = size * 16 + (size_t)digit;
    }
    dx_peer_skip(peer, line_size);
    *ret = size;
    return true;
}

static bool read_crlf(dx_peer *peer, int timeout_ms, char *fault)
{
    if (!need(peer, 2, timeout_ms, fault))
        return false;
    if (memcmp(dx_peer_input(peer), "\r\n", 2) != 0)
        return FAULT(fault, "no CRLF after chunk data or trailers");
    dx_peer_skip(peer, 2);
    return true;
}

static bool read_chunks(dx_peer *peer, dx_probe_response *r, int timeout_ms, char *fault)
{
    for (;;) {
        size_t size;
        if (!read_chunk_size(peer, timeout_ms, &size, fault))
            return false;
        if (r->body_size + size > BODY_BYTES_MAX)
            return FAULT(fault, "body over %d octets", BODY_BYTES_MAX);
        if (size && !(need(peer, size, timeout_ms, fault) && take(peer, size, r)))
            return false;
        if (!read_crlf(peer, timeout_ms, fault))
            return false;
        if (size == 0)
            return true;
    }
}

static bool read_body(dx_peer *peer, const dx_probe_asked *asked, dx_probe_response *r, char *fault)
{
    dx_probe_text coding = dx_probe_response_field(r, "Transfer-Encoding");
    dx_probe_text length = dx_probe_response_field(r, "Content-Length");

    take(peer, 0, r);
    if (asked->head || r->status < 200 || r->status == 204 || r->status == 304)
        return true;
    if (coding.at)
        return equals(coding, "chunked") ? read_chunks(peer, r, asked->timeout_ms, fault)
                                         : FAULT(fault, "Transfer-Encoding is not chunked");
    if (length.at)
        return read_sized(peer, length, r, asked->timeout_ms, fault);
    if (dx_peer_need_eof(peer, asked->timeout_ms) != DX_PEER_EOF)
        return FAULT(fault, "a body without length that no FIN ends");
    r->ends_by_close = true;
    return take(peer, dx_peer_input_size(peer), r);
}

/* ---- the whole ---- */

static dx_probe_read nothing_came(dx_peer_status status, size_t size, char *fault)
{
    if (size > 0 || status == DX_PEER_ERROR) {
        (void)FAULT(fault, "%zu octets without an end of the head, then %s", size,
                    dx_peer_status_text(status));
        return DX_PROBE_BROKEN;
    }
    switch (status) {
    case DX_PEER_EOF: return DX_PROBE_CLOSED;
    case DX_PEER_RESET: return DX_PROBE_RESET;
    case DX_PEER_OK:
    case DX_PEER_TIMEOUT:
    case DX_PEER_ERROR: break;
    }
    return DX_PROBE_NONE;
}

static bool read_all(dx_peer *peer, const dx_probe_asked *asked, dx_probe_response *r, char *fault)
{
    if (!parse_head(r, fault) || !check_duties(r, asked, fault) ||
        !read_body(peer, asked, r, fault))
        return false;
    r->says_close = dx_probe_response_lists(r, "Connection", "close") || r->ends_by_close;
    r->says_keep_alive = dx_probe_response_lists(r, "Connection", "keep-alive");
    return true;
}

dx_probe_read dx_probe_response_read(dx_peer *peer, const dx_probe_asked *asked,
                                     dx_probe_response *ret, char *fault)
{
    dx_probe_response r = {0};
    dx_peer_status status;

    status = dx_peer_need_mark(peer, "\r\n\r\n", &r.head_size, asked->timeout_ms);
    if (status != DX_PEER_OK)
        return nothing_came(status, dx_peer_input_size(peer), fault);
    if (r.head_size > HEAD_BYTES_MAX) {
        (void)FAULT(fault, "head of %zu octets", r.head_size);
        return DX_PROBE_BROKEN;
    }
    r.head = malloc(r.head_size);
    if (!r.head)
        abort();
    memcpy(r.head, dx_peer_input(peer), r.head_size);
    dx_peer_skip(peer, r.head_size);
    if (!read_all(peer, asked, &r, fault)) {
        dx_probe_response_deinit(&r);
        return DX_PROBE_BROKEN;
    }
    *ret = r;
    return DX_PROBE_GOT;
}

void dx_probe_response_deinit(dx_probe_response *r)
{
    free(r->head);
    free(r->body);
    r->head = r->body = NULL;
}
