/* Static files: the answer with a content, wherever it comes from: its head, conditions, ranges.
 * Is not: finding the content (files.c, pages.c), the bytes' way out (files_body.c).
 * Source: RFC 9110 §8.8, §13, §14.
 * SPDX-License-Identifier: MIT */
#include "http/files_inner.h"

#include "base/assert.h"
#include "base/clock.h"
#include "codec/http_conditions.h"
#include "codec/http_date.h"
#include "codec/url.h"
#include "http/exchange.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum {
    QUERY_BYTES_MAX = 4096, /* repeated in a redirect */
    HEADERS_MAX = 10,
};

typedef struct answer {
    dx_header headers[HEADERS_MAX];
    size_t headers_count;
    uint8_t modified[DX_HTTP_DATE_SIZE];
    uint8_t content_range[DX_HTTP_CONTENT_RANGE_MAX];
    char multipart[sizeof "multipart/byteranges; boundary=" + DX_FILES_BOUNDARY_BYTES];
} answer;

static void add(answer *a, const char *name, dx_bytes value)
{
    dx_assert(a->headers_count < HEADERS_MAX);
    a->headers[a->headers_count++] = (dx_header){dx_bytes_of(name), value};
}

/* What also a 304 carries (RFC 9110 §15.4.5). */
static void add_validators(answer *a, const dx_files_content *content)
{
    add(a, "ETag", dx_bytes_of(content->etag));
    add(a, "Cache-Control", DX_BYTES("no-cache"));
    add(a, "Vary", DX_BYTES("Accept-Encoding"));
}

static void add_content(answer *a, const dx_files_content *content)
{
    add_validators(a, content);
    if (content->has_modified) {
        dx_http_date_write(content->modified, a->modified);
        add(a, "Last-Modified", dx_bytes_at(a->modified, sizeof a->modified));
    }
    add(a, "Accept-Ranges", DX_BYTES("bytes"));
    add(a, "X-Content-Type-Options", DX_BYTES("nosniff"));
    if (content->coding)
        add(a, "Content-Encoding", dx_bytes_of(content->coding));
    if (content->policy) {
        add(a, "Content-Security-Policy", dx_bytes_of(content->policy));
        add(a, "Referrer-Policy", DX_BYTES("no-referrer"));
    }
}

static void content_close(const dx_files_content *content)
{
    if (content->fd >= 0)
        close(content->fd);
}

static void add_content_range(answer *a, const dx_files_body *body)
{
    size_t size = dx_http_content_range_write(body->ranges[0], body->size, a->content_range);
    add(a, "Content-Range", dx_bytes_at(a->content_range, size));
}

static void answer_unsatisfiable(dx_exchange *x, uint64_t size)
{
    uint8_t memory[DX_HTTP_CONTENT_RANGE_MAX];
    char detail[96];
    dx_header header = {DX_BYTES("Content-Range"),
                        {memory, dx_http_content_range_write_none(size, memory)}};

    snprintf(detail, sizeof detail,
             "None of the ranges is in the file, which has %" PRIu64 " bytes.", size);
    dx_exchange_problem_with(x, 416, detail, &header, 1);
}

static void answer_not_modified(dx_exchange *x, answer *a, const dx_files_content *content)
{
    add_validators(a, content);
    dx_exchange_respond(
        x, &(dx_response){.status = 304, .headers = a->headers, .headers_count = a->headers_count});
}

/* Head and content: 200, or 206 if `body` has ranges. */
static void answer_content(dx_exchange *x, answer *a, const dx_files_content *content,
                           dx_files_body *body)
{
    bool is_partial = body->ranges_count > 0, is_multipart = body->ranges_count > 1;
    bool is_head = x->head.method == DX_HTTP_HEAD;
    uint64_t length = dx_files_body_init(body);
    const char *type = body->type;

    add_content(a, content);
    if (is_multipart) {
        snprintf(a->multipart, sizeof a->multipart, "multipart/byteranges; boundary=%s",
                 body->boundary);
        type = a->multipart;
    } else if (is_partial) {
        add_content_range(a, body);
    }
    dx_exchange_start(x,
                      &(dx_response){.status = is_partial ? 206 : 200,
                                     .type = dx_bytes_of(type),
                                     .headers = a->headers,
                                     .headers_count = a->headers_count},
                      length);
    if (is_head) {
        content_close(content);
        dx_exchange_end(x);
    } else {
        dx_files_body_send(x, body);
    }
}

static dx_http_condition check_conditions(const dx_exchange *x, const dx_files_content *content,
                                          bool *use_range)
{
    dx_http_validators current = {
        .exists = true,
        .has_modified = content->has_modified,
        .etag = dx_bytes_of(content->etag),
        .modified = content->modified,
        .now = (int64_t)(dx_clock_wall_ms() / 1000),
    };
    return dx_http_conditions_check(x->head.method, &x->head.fields, &current, use_range);
}

void dx_files_answer(dx_exchange *x, const dx_files_content *content)
{
    answer a = {.headers_count = 0};
    bool use_range = false;
    dx_http_range_status range = DX_HTTP_RANGE_IGNORED;
    dx_files_body *body = dx_arena_take(&x->arena, sizeof *body);

    if (body == NULL) {
        content_close(content);
        dx_exchange_problem(x, 503, "Out of memory, try again later.");
        return;
    }
    *body = (dx_files_body){
        .fd = content->fd, .memory = content->memory, .size = content->size, .type = content->type};
    dx_http_condition condition = check_conditions(x, content, &use_range);
    if (use_range)
        range = dx_http_range_read(dx_http_fields_value(&x->head.fields, DX_HTTP_RANGE), body->size,
                                   body->ranges, &body->ranges_count);
    if (condition == DX_HTTP_CONDITION_PROCEED && range != DX_HTTP_RANGE_UNSATISFIABLE) {
        answer_content(x, &a, content, body);
        return;
    }
    content_close(content);
    if (condition == DX_HTTP_CONDITION_NOT_MODIFIED)
        answer_not_modified(x, &a, content);
    else if (condition == DX_HTTP_CONDITION_FAILED)
        dx_exchange_problem(x, 412,
                            "The file is not the one that If-Match or If-Unmodified-Since names.");
    else
        answer_unsatisfiable(x, body->size);
}

/* To the same path with a slash, so that a page's relative links are right. Relative, because only
 * the client knows what stands before it. */
void dx_files_answer_slash(dx_exchange *x, dx_bytes path)
{
    uint8_t location[3 * NAME_MAX + 2 + QUERY_BYTES_MAX];
    dx_bytes query = x->head.query, segment = path, rest = path;

    while (dx_bytes_split(&rest, '/', &segment)) /* to the last */
        ;
    size_t size = dx_url_encode(segment, false, location, 3 * NAME_MAX);
    dx_assert(size <= 3 * NAME_MAX); /* it is a name on this machine */
    location[size++] = '/';
    if (query.at && query.size <= QUERY_BYTES_MAX) {
        location[size++] = '?';
        dx_copy(location + size, query.at, query.size);
        size += query.size;
    }
    dx_header header = {DX_BYTES("Location"), {location, size}};
    dx_exchange_respond(x, &(dx_response){.status = 301, .headers = &header, .headers_count = 1});
}
