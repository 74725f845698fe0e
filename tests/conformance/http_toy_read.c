/* The toy server's reader: strict, octet by octet. See http_toy.h.
 * Is:     RFC 9112 §2-§7 as our policy has it, and the reading faults of toy_errs.
 * Memory: see http_toy.h.   Threads: one for each connection.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_toy.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

int toy_next(toy_connection *c)
{
    if (c->at == c->end) {
        ssize_t count = recv(c->fd, c->input, sizeof c->input, 0);
        if (count <= 0)
            return TOY_GONE;
        if (toy_errs("cr-ends-read") && c->input[count - 1] == '\r')
            c->input[count - 1] = ' ';
        c->at = 0;
        c->end = (size_t)count;
    }
    return (unsigned char)c->input[c->at++];
}

/* ---- characters ---- */

static bool is_token_char(int c)
{
    return c > 0 && c < 0x80 && (isalnum(c) || strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(const char *text)
{
    const char *at = text;

    while (is_token_char((unsigned char)*at))
        at++;
    return at > text && *at == 0;
}

static bool is_line_char(int c)
{
    return c >= ' ' && c < 0x7f;
}

static bool is_value_char(int c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* ---- lines ---- */

/* One line without its CRLF, NUL added. `over`: what to say when it does not fit. */
static int read_line(toy_connection *c, char *to, size_t room, size_t *ret_size, int over)
{
    size_t size = 0;
    int octet;

    while ((octet = toy_next(c)) != '\r') {
        if (octet < 0)
            return TOY_GONE;
        if (octet == '\n' && toy_errs("bare-lf"))
            break;
        if (!is_value_char(octet) || (over == 414 && !is_line_char(octet)))
            return 400;
        if (size + 1 >= room)
            return over;
        to[size++] = (char)octet;
    }
    if (octet == '\r') {
        octet = toy_next(c);
        if (octet != '\n')
            return octet < 0 ? TOY_GONE : 400;
    }
    to[size] = 0;
    *ret_size = size;
    return TOY_OK;
}

static int check_version(toy_request *r)
{
    const char *v = r->version;

    if (strlen(v) != 8 || memcmp(v, "HTTP/", 5) != 0 || !isdigit(v[5]) || v[6] != '.' ||
        !isdigit(v[7]))
        return 400;
    r->http10 = strcmp(v, "HTTP/1.0") == 0;
    return v[5] == '1' ? TOY_OK : 505;
}

static bool is_known(const char *method)
{
    static const char *const known[] = {"GET",   "HEAD",    "POST",  "PUT",    "DELETE",
                                        "PATCH", "OPTIONS", "TRACE", "CONNECT"};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(method, known[i]) == 0)
            return true;
    return false;
}

static int check_target(toy_request *r)
{
    if (strpbrk(r->target, "#\"<>\\^`{|}"))
        return 400;
    if (strcmp(r->method, "CONNECT") == 0)
        return 405;
    if (strcmp(r->target, "*") == 0)
        return strcmp(r->method, "OPTIONS") == 0 ? TOY_OK : 400;
    if (strncasecmp(r->target, "http://", 7) == 0) {
        r->target += 7;
        size_t size = strcspn(r->target, "/?");
        r->target += size;
        return size ? TOY_OK : 400;
    }
    return *r->target == '/' ? TOY_OK : 400;
}

static int read_request_line(toy_connection *c, toy_request *r)
{
    size_t size = 0;
    int status = read_line(c, r->line, sizeof r->line, &size, 414);

    if (status == TOY_OK && size == 0) /* RFC 9112 §2.2: one empty line is passed over */
        status = read_line(c, r->line, sizeof r->line, &size, 414);
    if (status != TOY_OK)
        return status;
    char *first = strchr(r->line, ' '), *last = strrchr(r->line, ' ');
    if (!first || first == last || memchr(first + 1, ' ', (size_t)(last - first - 1)))
        return 400;
    *first = *last = 0;
    r->method = r->line;
    r->target = first + 1;
    r->version = last + 1;
    if (!is_token(r->method) || !*r->target)
        return 400;
    return check_version(r);
}

/* ---- fields ---- */

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

static int add_field(toy_request *r, char *line)
{
    char *colon = strchr(line, ':');

    if (r->fields_count == TOY_FIELDS_MAX)
        return 431;
    if (is_ows(*line))
        return toy_errs("obs-fold") ? TOY_OK : 400;
    if (!colon)
        return 400;
    *colon = 0;
    if (toy_errs("space-before-colon") && colon > line && colon[-1] == ' ')
        colon[-1] = 0;
    if (!is_token(line))
        return 400;
    char *value = colon + 1, *end;
    while (is_ows(*value))
        value++;
    end = value + strlen(value);
    while (end > value && is_ows(end[-1]))
        *--end = 0;
    r->fields[r->fields_count++] = (toy_field){line, value, (size_t)(end - value)};
    return TOY_OK;
}

/* Fields up to the empty line; `room` shrinks by what they take. */
static int read_fields(toy_connection *c, toy_request *r, char *to, size_t room)
{
    for (;;) {
        size_t size;
        int status = read_line(c, to, room, &size, 431);

        if (status != TOY_OK || size == 0)
            return status;
        status = add_field(r, to);
        if (status != TOY_OK)
            return status;
        to += size + 1, room -= size + 1;
        if (room < 2)
            return 431;
    }
}

const char *toy_field_value(const toy_request *r, const char *name, size_t *ret_count)
{
    const char *value = NULL;
    size_t count = 0;

    for (size_t i = 0; i < r->fields_count; i++)
        if (strcasecmp(r->fields[i].name, name) == 0 && count++ == 0)
            value = r->fields[i].value;
    if (ret_count)
        *ret_count = count;
    return value;
}

bool toy_field_lists(const toy_request *r, const char *name, const char *token)
{
    for (size_t i = 0; i < r->fields_count; i++) {
        const char *at = r->fields[i].value;
        while (strcasecmp(r->fields[i].name, name) == 0 && *at) {
            at += strspn(at, " \t,");
            size_t size = strcspn(at, " \t,");
            if (size == strlen(token) && strncasecmp(at, token, size) == 0)
                return true;
            at += size;
        }
    }
    return false;
}

/* uri-host [ ":" port ] */
static bool is_host(const char *host)
{
    const char *at = host;

    if (*at == '[') {
        at += 1 + strspn(at + 1, "0123456789abcdefABCDEF:.");
        if (*at++ != ']')
            return false;
    } else
        while (isalnum((unsigned char)*at) || (*at && strchr("-._~%!$&'()*+;=", *at)))
            at++;
    if (at == host)
        return false;
    return *at == 0 || (*at == ':' && strspn(at + 1, "0123456789") == strlen(at + 1));
}

static int check_host(const toy_request *r)
{
    size_t count;
    const char *host = toy_field_value(r, "Host", &count);

    if (count > 1 || (count == 0 && !r->http10))
        return 400;
    return count == 0 || is_host(host) ? TOY_OK : 400;
}

static int check_length(toy_request *r)
{
    size_t count;
    const char *text = toy_field_value(r, "Content-Length", &count);

    if (count == 0)
        return TOY_OK;
    size_t digits = strspn(text, "0123456789");
    if (count > 1 || digits == 0 || text[digits] || (digits > 18 && !toy_errs("length-wraps")))
        return 400;
    for (; *text; text++)
        r->length = r->length * 10 + (uint64_t)(*text - '0');
    r->sized = true;
    return r->length > TOY_BODY_MAX ? 413 : TOY_OK;
}

static int check_coding(toy_request *r)
{
    size_t count, sizes;
    const char *coding = toy_field_value(r, "Transfer-Encoding", &count);

    toy_field_value(r, "Content-Length", &sizes);
    if (count == 0)
        return TOY_OK;
    if (toy_errs("length-wins") && sizes)
        return TOY_OK;
    if (count > 1 || sizes > 0 || r->http10 || !*coding)
        return 400;
    r->chunked = strcasecmp(coding, "chunked") == 0;
    if (r->chunked || strstr(coding, "chunked") != coding)
        return r->chunked ? TOY_OK : 501;
    return 400; /* chunked, but not last, or twice, or with parameters */
}

static int check_expect(toy_request *r)
{
    const char *expect = toy_field_value(r, "Expect", NULL);

    if (!expect || (r->http10 && !toy_errs("100-for-http10")))
        return TOY_OK;
    r->expects = true;
    return strcasecmp(expect, "100-continue") == 0 ? TOY_OK : 417;
}

int toy_read_head(toy_connection *c, toy_request *r)
{
    int status = read_request_line(c, r);

    if (status == TOY_OK && toy_errs("answers-early"))
        return TOY_OK;
    if (status == TOY_OK)
        status = read_fields(c, r, r->section, sizeof r->section);
    if (status == TOY_OK)
        status = check_host(r);
    if (status == TOY_OK)
        status = check_coding(r);
    if (status == TOY_OK)
        status = check_length(r);
    if (status == TOY_OK)
        status = is_known(r->method) ? check_target(r) : 501;
    if (status == TOY_OK)
        status = check_expect(r);
    r->close = (r->http10 && !toy_field_lists(r, "Connection", "keep-alive")) ||
               toy_field_lists(r, "Connection", "close");
    return status;
}

/* ---- bodies ---- */

static int read_octets(toy_connection *c, toy_request *r, uint64_t count)
{
    if (r->body_size + count > TOY_BODY_MAX)
        return 413;
    r->body = realloc(r->body, r->body_size + (size_t)count + 1);
    if (!r->body)
        abort();
    for (; count; count--) {
        int octet = toy_next(c);
        if (octet < 0)
            return TOY_GONE;
        r->body[r->body_size++] = (char)octet;
    }
    return TOY_OK;
}

/* chunk-ext = *( ";" token [ "=" ( token / quoted-string ) ] ) */
static bool is_extension(const char *at)
{
    while (*at == ';') {
        const char *name = ++at;
        while (is_token_char((unsigned char)*at))
            at++;
        if (at == name)
            return false;
        if (*at != '=')
            continue;
        const char *value = ++at;
        if (*at == '"') {
            for (at++; *at && *at != '"'; at++)
                if (*at == '\\' && at[1])
                    at++;
            if (*at++ != '"')
                return false;
        } else
            while (is_token_char((unsigned char)*at))
                at++;
        if (at == value)
            return false;
    }
    return *at == 0;
}

static int parse_chunk_size(const char *line, uint64_t *ret)
{
    if (toy_errs("chunk-size-loose")) {
        *ret = strtoull(line, NULL, 16);
        return TOY_OK;
    }
    size_t digits = strspn(line, "0123456789abcdefABCDEF");
    if (digits == 0 || digits > 15 || !is_extension(line + digits))
        return 400;
    *ret = strtoull(line, NULL, 16);
    return TOY_OK;
}

static int read_crlf(toy_connection *c)
{
    if (toy_errs("chunk-end-loose")) {
        int octet;
        while ((octet = toy_next(c)) != '\n')
            if (octet < 0)
                return TOY_GONE;
        return TOY_OK;
    }
    for (const char *want = "\r\n"; *want; want++) {
        int octet = toy_next(c);
        if (octet != *want)
            return octet < 0 ? TOY_GONE : 400;
    }
    return TOY_OK;
}

static int read_trailers(toy_connection *c)
{
    toy_request *dropped = calloc(1, sizeof *dropped);

    if (!dropped)
        abort();
    int status = read_fields(c, dropped, dropped->section, sizeof dropped->section);
    free(dropped);
    return status;
}

static int read_chunks(toy_connection *c, toy_request *r)
{
    size_t overhead = 0;

    for (;;) {
        char line[256];
        size_t size;
        uint64_t count;
        int status = read_line(c, line, sizeof line, &size, 400);

        overhead += size + 4;
        if (status == TOY_OK && overhead > 100 * 1024 && overhead > 3 * r->body_size)
            status = 400;
        if (status == TOY_OK)
            status = parse_chunk_size(line, &count);
        if (status != TOY_OK)
            return status;
        if (count == 0)
            return read_trailers(c);
        status = read_octets(c, r, count);
        if (status == TOY_OK)
            status = read_crlf(c);
        if (status != TOY_OK)
            return status;
    }
}

int toy_read_body(toy_connection *c, toy_request *r)
{
    if (toy_errs("unread-body") && strcmp(r->method, "POST") != 0)
        return TOY_OK;
    if (r->chunked)
        return read_chunks(c, r);
    return r->sized ? read_octets(c, r, r->length) : TOY_OK;
}
