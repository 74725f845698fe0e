/* Checks of responses that statuses alone do not tell. See http_checks.h.
 * Memory: none.   Threads: any.
 * Source: RFC 9110 §8.8.3, §10.2.1, §14.4, §15.3.7, §15.5.17; RFC 9457 §3.1.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_checks.h"

#include <stdio.h>
#include <string.h>

static const dx_probe_response *last_of(const dx_probe_result *result)
{
    return dx_probe_final(result, result->finals - 1);
}

static bool is(dx_probe_text text, const char *word)
{
    return text.at && text.size == strlen(word) && memcmp(text.at, word, text.size) == 0;
}

static bool begins(dx_probe_text text, const char *word)
{
    return text.at && text.size >= strlen(word) && memcmp(text.at, word, strlen(word)) == 0;
}

static const char *check_allow(const dx_probe_result *result, const char *yes, const char *no)
{
    const dx_probe_response *r = last_of(result);

    if (!dx_probe_response_field(r, "Allow").at)
        return "no Allow";
    if (!dx_probe_response_lists(r, "Allow", "GET") || !dx_probe_response_lists(r, "Allow", yes))
        return "Allow does not list what is allowed";
    return dx_probe_response_lists(r, "Allow", no) ? "Allow lists what is not allowed" : NULL;
}

const char *dx_probe_check_allow_get(const dx_probe_result *result)
{
    return check_allow(result, "HEAD", "DELETE");
}

const char *dx_probe_check_allow_post(const dx_probe_result *result)
{
    return check_allow(result, "POST", "PATCH");
}

const char *dx_probe_check_close(const dx_probe_result *result)
{
    return dx_probe_response_lists(last_of(result), "Connection", "close")
               ? NULL
               : "the last answer does not say Connection: close";
}

const char *dx_probe_check_type(const dx_probe_result *result)
{
    const dx_probe_response *r = last_of(result);

    return r->body_size == 0 || dx_probe_response_field(r, "Content-Type").size
               ? NULL
               : "content without Content-Type";
}

const char *dx_probe_check_problem(const dx_probe_result *result)
{
    const dx_probe_response *r = last_of(result);
    char status[8];

    snprintf(status, sizeof status, "%d", r->status);
    if (!begins(dx_probe_response_field(r, "Content-Type"), "application/problem+json"))
        return "Content-Type is not application/problem+json";
    if (r->body[0] != '{' || !strstr(r->body, "\"title\""))
        return "the problem has no title";
    return strstr(r->body, "\"status\"") && strstr(r->body, status) ? NULL
                                                                    : "the problem has no status";
}

const char *dx_probe_check_version(const dx_probe_result *result)
{
    return dx_probe_response_lists(last_of(result), "Sec-WebSocket-Version", "13")
               ? NULL
               : "Sec-WebSocket-Version does not list 13";
}

const char *dx_probe_check_date(const dx_probe_result *result)
{
    return dx_probe_response_field(last_of(result), "Date").at ? NULL : "no Date";
}

const char *dx_probe_check_head_length(const dx_probe_result *result)
{
    dx_probe_text head = dx_probe_response_field(dx_probe_final(result, 0), "Content-Length");
    char size[24];

    snprintf(size, sizeof size, "%zu", dx_probe_final(result, 1)->body_size);
    return !head.at || is(head, size) ? NULL : "HEAD's Content-Length is not that of GET";
}

const char *dx_probe_check_no_secret(const dx_probe_result *result)
{
    const dx_probe_response *r = last_of(result);

    return memmem(r->body, r->body_size, "secret-token", 12) ? "the answer repeats a secret" : NULL;
}

/* ---- static files ---- */

/* entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE */
static bool is_etag(dx_probe_text tag)
{
    if (begins(tag, "W/"))
        tag.at += 2, tag.size -= 2;
    if (!tag.at || tag.size < 2 || tag.at[0] != '"' || tag.at[tag.size - 1] != '"')
        return false;
    for (size_t i = 1; i + 1 < tag.size; i++)
        if ((unsigned char)tag.at[i] <= ' ' || tag.at[i] == '"' || tag.at[i] == 0x7f)
            return false;
    return true;
}

const char *dx_probe_check_same_etag(const dx_probe_result *result)
{
    dx_probe_text first = dx_probe_response_field(dx_probe_final(result, 0), "ETag");
    dx_probe_text second = dx_probe_response_field(dx_probe_final(result, 1), "ETag");

    if (!is_etag(first))
        return "the file has no ETag, or an ill-formed one";
    return first.size == second.size && memcmp(first.at, second.at, first.size) == 0
               ? NULL
               : "the second answer lacks the file's ETag";
}

const char *dx_probe_check_same_body(const dx_probe_result *result)
{
    const dx_probe_response *whole = dx_probe_final(result, 0), *other = dx_probe_final(result, 1);

    return whole->body_size == other->body_size &&
                   memcmp(whole->body, other->body, whole->body_size) == 0
               ? NULL
               : "the second answer is not the whole file";
}

/* The second answer is octets first..last of the first, and says so. */
static const char *check_range(const dx_probe_result *result, size_t first, size_t last)
{
    const dx_probe_response *whole = dx_probe_final(result, 0), *part = dx_probe_final(result, 1);
    char range[80];

    snprintf(range, sizeof range, "bytes %zu-%zu/%zu", first, last, whole->body_size);
    if (part->status != 206 || !is(dx_probe_response_field(part, "Content-Range"), range))
        return "not 206 with the right Content-Range";
    if (part->body_size != last - first + 1 ||
        memcmp(part->body, whole->body + first, part->body_size) != 0)
        return "not the octets that were asked for";
    return NULL;
}

const char *dx_probe_check_first(const dx_probe_result *result)
{
    return check_range(result, 0, 0);
}

const char *dx_probe_check_last(const dx_probe_result *result)
{
    size_t size = dx_probe_final(result, 0)->body_size;

    return size == 0 ? "the file is empty" : check_range(result, size - 1, size - 1);
}

const char *dx_probe_check_all(const dx_probe_result *result)
{
    size_t size = dx_probe_final(result, 0)->body_size;

    return size == 0 ? "the file is empty" : check_range(result, 0, size - 1);
}

const char *dx_probe_check_beyond(const dx_probe_result *result)
{
    char range[40];

    snprintf(range, sizeof range, "bytes */%zu", dx_probe_final(result, 0)->body_size);
    return is(dx_probe_response_field(dx_probe_final(result, 1), "Content-Range"), range)
               ? NULL
               : "416 without Content-Range: bytes */size";
}
