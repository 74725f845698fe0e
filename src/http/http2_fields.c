/* Fields of HTTP/2 heads that are written.
 * Source: RFC 9113 §8.2, §8.3.
 * SPDX-License-Identifier: MIT */
#include "http/http2_parts.h"

void dx_http2_fields_init(dx_http2_fields *f, void *check_memory, size_t size)
{
    f->count = 0;
    dx_http_writer_init(&f->check, check_memory, size);
}

static void append(dx_http2_fields *f, dx_bytes name, dx_bytes value)
{
    if (f->count == DX_HTTP2_FIELDS_MAX) {
        f->check.fault = DX_HTTP_WRITER_FULL;
        return;
    }
    f->at[f->count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name.at, (uint8_t *)(uintptr_t)value.at,
                                     name.size, value.size, NGHTTP2_NV_FLAG_NONE};
}

void dx_http2_fields_add_pseudo(dx_http2_fields *f, const char *name, dx_bytes value)
{
    append(f, dx_bytes_of(name), value);
}

void dx_http2_fields_put(dx_http2_fields *f, dx_bytes name, dx_bytes value)
{
    append(f, name, value);
}

/* RFC 9113 §8.2.2, and what only a handshake by Upgrade has. */
static bool is_of_connection(dx_http_name id)
{
    return id == DX_HTTP_CONNECTION || id == DX_HTTP_UPGRADE || id == DX_HTTP_KEEP_ALIVE ||
           id == DX_HTTP_TRANSFER_ENCODING || id == DX_HTTP_SEC_WEBSOCKET_ACCEPT ||
           id == DX_HTTP_SEC_WEBSOCKET_KEY;
}

void dx_http2_fields_add(dx_http2_fields *f, dx_bytes name, dx_bytes value)
{
    dx_http_write_field(&f->check, name, value);
    if (f->check.fault == DX_HTTP_WRITER_OK && !is_of_connection(dx_http_name_of(name)))
        append(f, name, value);
}
