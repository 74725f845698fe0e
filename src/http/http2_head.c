/* HTTP/2 requests: from the fields of a head to the form that handlers know from HTTP/1.1.
 * Is:     the limits of a head, Host, cookies that were sent in crumbs.
 * Is not: gathering its fields (http2_block.c); HPACK and what nghttp2 checks before: names in lower case, no field of a connection, pseudo-header
 *         fields first and once, content-length against the content.
 * Source: RFC 9113 §8.2, §8.3; RFC 8441 §4.
 * SPDX-License-Identifier: MIT */
#include "http/http2_conn.h"

#include "base/assert.h"
#include "codec/scan.h"
#include "codec/url.h"

#include <stdlib.h>

/* ---- the head --------------------------------------------------------------------------------- */

static dx_bytes moved(dx_bytes view, const uint8_t *from, const uint8_t *to)
{
    return view.at ? (dx_bytes){to + (view.at - from), view.size} : view;
}

/* RFC 9113 §8.2.3: crumbs become one field again. */
static bool join_cookies(dx_exchange *x)
{
    dx_http_fields *f = &x->head.fields;
    size_t size = 0, kept = 0;

    if (dx_http_fields_count(f, DX_HTTP_COOKIE) < 2)
        return true;
    for (size_t i = 0; i < f->count; i++)
        size += f->at[i].id == DX_HTTP_COOKIE ? f->at[i].value.size + 2 : 0;
    uint8_t *joined = dx_arena_take(&x->arena, size);
    if (joined == NULL)
        return false;
    uint8_t *to = joined;
    for (size_t i = 0; i < f->count; i++) {
        dx_http_field field = f->at[i];
        bool is_first = i == f->first[DX_HTTP_COOKIE];
        if (field.id == DX_HTTP_COOKIE) {
            if (!is_first) {
                dx_copy(to, "; ", 2);
                to += 2;
            }
            dx_copy(to, field.value.at, field.value.size);
            to += field.value.size;
        }
        if (field.id == DX_HTTP_COOKIE && !is_first)
            continue;
        if (field.id != DX_HTTP_OTHER && f->first[field.id] == i)
            f->first[field.id] = (uint8_t)kept;
        f->at[kept++] = field;
    }
    f->count = kept;
    f->at[f->first[DX_HTTP_COOKIE]].value = dx_bytes_at(joined, (size_t)(to - joined));
    return true;
}

/* Copies what the block holds to where it stays. */
static bool copy(const dx_http2_block *block, dx_exchange *x, dx_http2_block *ret)
{
    dx_bytes bytes;
    size_t count_max = block->fields.count + DX_HTTP2_FIELDS_OWN_MAX;
    dx_http_field *fields = dx_arena_take(&x->arena, count_max * sizeof *fields);

    if (fields == NULL || !dx_arena_copy(&x->arena, dx_bytes_at(block->bytes, block->used), &bytes))
        return false;
    *ret = (dx_http2_block){.method = moved(block->method, block->bytes, bytes.at),
                            .path = moved(block->path, block->bytes, bytes.at),
                            .authority = moved(block->authority, block->bytes, bytes.at),
                            .protocol = moved(block->protocol, block->bytes, bytes.at)};
    x->head.fields = block->fields;
    x->head.fields.at = fields;
    x->head.fields.count_max = count_max;
    for (size_t i = 0; i < block->fields.count; i++) {
        fields[i] = block->fields.at[i];
        fields[i].name = moved(fields[i].name, block->bytes, bytes.at);
        fields[i].value = moved(fields[i].value, block->bytes, bytes.at);
    }
    return true;
}

/* §8.3.1: one or the other; both must say the same. Handlers find it as Host. */
static bool set_host(dx_exchange *x, dx_bytes authority)
{
    dx_http_fields *f = &x->head.fields;
    const dx_http_field *host = dx_http_fields_get(f, DX_HTTP_HOST);

    if (authority.at == NULL)
        return true;
    if (host)
        return dx_http_fields_next(f, host) == NULL &&
               dx_bytes_equal_nocase(host->value, authority);
    bool is_added = dx_http_fields_add(f, DX_BYTES("host"), authority);
    dx_assert(is_added);
    return true;
}

static bool set_target(dx_http_request_head *head, dx_bytes path)
{
    head->target = path;
    if (path.at == NULL) { /* CONNECT as of old */
        head->target_form = DX_HTTP_TARGET_AUTHORITY;
        return true;
    }
    if (dx_bytes_equal(path, DX_BYTES("*"))) {
        head->target_form = DX_HTTP_TARGET_ASTERISK;
        head->path = path;
        return head->method == DX_HTTP_OPTIONS;
    }
    if (path.size == 0 || path.at[0] != '/' || dx_bytes_find(path, '#') < path.size ||
        dx_scan_best()->target(path.at, path.size) != path.size)
        return false;
    head->target_form = DX_HTTP_TARGET_ORIGIN;
    dx_url_target_split(path, &head->path, &head->query);
    return true;
}

static dx_http2_verdict answer(dx_http2_fault *fault, unsigned status, const char *text)
{
    *fault = (dx_http2_fault){status, text};
    return H2_HEAD_ANSWER;
}

static dx_http2_verdict check_size(const dx_http2_block *block, dx_http2_fault *fault)
{
    if (block->is_path_too_long)
        return answer(fault, 414, dx_http_fault_of(DX_HTTP_FAULT_REQUEST_LINE_LONG)->text);
    if (block->is_too_large)
        return answer(fault, 431, dx_http_fault_of(DX_HTTP_FAULT_FIELDS_LARGE)->text);
    return H2_HEAD_OK;
}

/* A body whose length is not told is what a chunked one is in HTTP/1.1. */
static void note_body(dx_http_request_head *head, bool is_whole)
{
    if (is_whole || head->method == DX_HTTP_CONNECT || head->framing.body != DX_HTTP_BODY_NONE)
        return;
    head->framing.body = DX_HTTP_BODY_CHUNKED;
    head->framing.expect_continue = dx_http_fields_has(&head->fields, DX_HTTP_EXPECT);
}

dx_http2_verdict dx_http2_head_make(const dx_http2_block *block, bool is_whole, dx_exchange *x,
                                    dx_http2_fault *fault)
{
    dx_http_request_head *head = &x->head;
    dx_http2_block own;

    *head = (dx_http_request_head){.minor_version = 1};
    dx_http2_verdict verdict = check_size(block, fault);
    if (verdict != H2_HEAD_OK)
        return verdict;
    if (!copy(block, x, &own) || !join_cookies(x))
        return H2_HEAD_MEMORY;
    head->method_text = own.method;
    head->method = dx_http_method_of(own.method);
    x->is_tunnel = own.protocol.at != NULL;
    if (!set_target(head, own.path) || !set_host(x, own.authority))
        return H2_HEAD_MALFORMED;
    dx_http_status status = dx_http_request_framing(head);
    if (status != DX_HTTP_OK)
        return answer(fault, dx_http_fault_of(status)->code, dx_http_fault_of(status)->text);
    note_body(head, is_whole);
    if (x->is_tunnel && !dx_bytes_equal_nocase(own.protocol, DX_BYTES("websocket")))
        return answer(fault, 501,
                      "Extended CONNECT is understood here for :protocol websocket only.");
    return H2_HEAD_OK;
}
