/* What the fields of a head say about its content, its connection and its host.
 * Is:     RFC 9112 §3.2 (Host), §6 (framing), §9.3 (persistence); RFC 9110 §7.8 (Upgrade), §10.1.1
 *         (Expect). Where the RFC lets a server repair what is ambiguous, this refuses it.
 * Is not: lines and their grammar (http_head).
 * SPDX-License-Identifier: MIT */
#include "codec/http_head.h"
#include "codec/http_list.h"
#include "codec/url.h"

enum { CLOSE = 1, KEEP_ALIVE = 2, UPGRADE = 4 };

static unsigned connection_options(const dx_http_fields *f)
{
    const dx_http_field *field = dx_http_fields_get(f, DX_HTTP_CONNECTION);
    unsigned options = 0;
    dx_bytes option;

    for (; field; field = dx_http_fields_next(f, field)) {
        dx_bytes list = field->value;
        while (dx_http_list_next(&list, &option))
            if (dx_bytes_equal_nocase(option, DX_BYTES("close")))
                options |= CLOSE;
            else if (dx_bytes_equal_nocase(option, DX_BYTES("keep-alive")))
                options |= KEEP_ALIVE;
            else if (dx_bytes_equal_nocase(option, DX_BYTES("upgrade")))
                options |= UPGRADE;
    }
    return options;
}

/* keep_alive and upgrade_websocket. An Upgrade in HTTP/1.0 is ignored (RFC 9110 §7.8). */
static void connection_read(const dx_http_fields *f, unsigned minor_version, dx_http_framing *ret)
{
    unsigned options = connection_options(f);

    ret->keep_alive = !(options & CLOSE) && (minor_version > 0 || (options & KEEP_ALIVE));
    ret->upgrade_websocket = minor_version > 0 && (options & UPGRADE) &&
                             dx_http_fields_have_token(f, DX_HTTP_UPGRADE, DX_BYTES("websocket"));
}

/* Content-Length, which is there. A leading zero is legal, but some read it as octal: refused. */
static dx_http_status length_read(const dx_http_fields *f, uint64_t *ret)
{
    const dx_http_field *field = dx_http_fields_get(f, DX_HTTP_CONTENT_LENGTH);

    if (dx_http_fields_next(f, field))
        return DX_HTTP_FAULT_LENGTH_REPEATED;
    if (!dx_bytes_decimal(field->value, INT64_MAX, ret) ||
        (field->value.size > 1 && field->value.at[0] == '0'))
        return DX_HTTP_FAULT_LENGTH;
    return DX_HTTP_OK;
}

/* All elements of Transfer-Encoding. Stricter than a list: an empty element is a fault, for others may
 * count it. */
static dx_http_status codings_read(const dx_http_fields *f)
{
    const dx_http_field *field = dx_http_fields_get(f, DX_HTTP_TRANSFER_ENCODING);
    bool has_unknown = false, is_last_chunked = false;
    unsigned chunked_count = 0;
    dx_bytes coding;

    for (; field; field = dx_http_fields_next(f, field)) {
        dx_bytes list = field->value;
        if (list.size == 0)
            return DX_HTTP_FAULT_CODING;
        while (dx_bytes_split(&list, ',', &coding)) {
            coding = dx_bytes_trim(coding);
            if (coding.size == 0)
                return DX_HTTP_FAULT_CODING;
            is_last_chunked = dx_bytes_equal_nocase(coding, DX_BYTES("chunked"));
            if (!is_last_chunked && dx_http_type_is(coding, DX_BYTES("chunked")))
                return DX_HTTP_FAULT_CODING; /* chunked has no parameters */
            chunked_count += is_last_chunked;
            has_unknown |= !is_last_chunked;
        }
    }
    if (chunked_count > 1)
        return DX_HTTP_FAULT_CODING_REPEATED;
    if (chunked_count == 1 && !is_last_chunked)
        return DX_HTTP_FAULT_CODING_NOT_LAST;
    return has_unknown ? DX_HTTP_FAULT_CODING_UNKNOWN : DX_HTTP_OK;
}

/* What Transfer-Encoding and Content-Length say, without the method or the code. */
static dx_http_status body_read(const dx_http_fields *f, unsigned minor_version,
                                dx_http_framing *ret)
{
    if (dx_http_fields_has(f, DX_HTTP_TRANSFER_ENCODING)) {
        if (minor_version == 0)
            return DX_HTTP_FAULT_CODING_IN_1_0;
        if (dx_http_fields_has(f, DX_HTTP_CONTENT_LENGTH))
            return DX_HTTP_FAULT_CODING_AND_LENGTH;
        ret->body = DX_HTTP_BODY_CHUNKED;
        return codings_read(f);
    }
    if (dx_http_fields_has(f, DX_HTTP_CONTENT_LENGTH)) {
        ret->body = DX_HTTP_BODY_LENGTH;
        return length_read(f, &ret->content_length);
    }
    return DX_HTTP_OK;
}

static dx_http_status expect_read(const dx_http_fields *f, dx_http_framing *ret)
{
    const dx_http_field *field = dx_http_fields_get(f, DX_HTTP_EXPECT);
    dx_bytes expectation;

    for (; field; field = dx_http_fields_next(f, field)) {
        dx_bytes list = field->value;
        while (dx_http_list_next(&list, &expectation)) {
            if (!dx_bytes_equal_nocase(expectation, DX_BYTES("100-continue")))
                return DX_HTTP_FAULT_EXPECT;
            ret->expect_continue = ret->body == DX_HTTP_BODY_CHUNKED || ret->content_length > 0;
        }
    }
    return DX_HTTP_OK;
}

/* Host is checked even where the target overrides it (RFC 9112 §3.2). */
static dx_http_status host_read(dx_http_request_head *head)
{
    const dx_http_field *field = dx_http_fields_get(&head->fields, DX_HTTP_HOST);

    if (!field)
        return head->minor_version > 0 ? DX_HTTP_FAULT_HOST_MISSING : DX_HTTP_OK;
    if (dx_http_fields_next(&head->fields, field))
        return DX_HTTP_FAULT_HOST_REPEATED;
    if (!dx_url_is_authority(field->value))
        return DX_HTTP_FAULT_HOST;
    if (head->host.at == NULL)
        head->host = field->value;
    return DX_HTTP_OK;
}

dx_http_status dx_http_request_framing(dx_http_request_head *head)
{
    const dx_http_fields *f = &head->fields;
    dx_http_status status;

    head->framing = (dx_http_framing){.body = DX_HTTP_BODY_NONE};
    status = body_read(f, head->minor_version, &head->framing);
    if (status == DX_HTTP_OK)
        status = host_read(head);
    if (status == DX_HTTP_OK && head->minor_version > 0) /* ignored in 1.0 (RFC 9110 §10.1.1) */
        status = expect_read(f, &head->framing);
    connection_read(f, head->minor_version, &head->framing);
    return status;
}

dx_http_status dx_http_response_framing(dx_http_response_head *head, dx_http_method method)
{
    const dx_http_fields *f = &head->fields;
    dx_http_framing *framing = &head->framing;
    unsigned code = head->code;

    *framing = (dx_http_framing){.body = DX_HTTP_BODY_NONE};
    dx_http_status status = body_read(f, head->minor_version, framing);
    if (status != DX_HTTP_OK)
        return status;
    connection_read(f, head->minor_version, framing);
    framing->upgrade_websocket &= code == 101;

    bool is_tunnel = method == DX_HTTP_CONNECT && code >= 200 && code < 300;
    if (method == DX_HTTP_HEAD || code < 200 || code == 204 || code == 304 || is_tunnel)
        framing->body = DX_HTTP_BODY_NONE; /* RFC 9112 §6.3, 1 and 2: whatever the fields say */
    else if (framing->body == DX_HTTP_BODY_NONE)
        framing->body = DX_HTTP_BODY_CLOSE;
    if (framing->body == DX_HTTP_BODY_CLOSE)
        framing->keep_alive = false;
    if (framing->body == DX_HTTP_BODY_NONE && method != DX_HTTP_HEAD && code != 304)
        framing->content_length = 0;
    return DX_HTTP_OK;
}
