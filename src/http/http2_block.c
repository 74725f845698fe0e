/* The head of an HTTP/2 message while it comes: its fields, counted before they are kept.
 * Source: RFC 9113 §6.5.2, §8.3, §10.5.1.
 * SPDX-License-Identifier: MIT */
#include "http/http2_parts.h"

#include <stdlib.h>

enum {
    FIELD_BYTES = 32, /* RFC 9113 §6.5.2: each counts so much more than its bytes */
    HARD_FACTOR = 2,  /* a head beyond so many times what is allowed is an attack */
};

void dx_http2_block_reset(dx_http2_block *block)
{
    block->method = block->path = block->authority = block->protocol = (dx_bytes){NULL, 0};
    block->status = (dx_bytes){NULL, 0};
    block->used = block->list_bytes = block->lines = 0;
    block->is_too_large = block->is_path_too_long = false;
    dx_http_fields_clear(&block->fields);
}

dx_http2_block *dx_http2_block_new(const dx_http_limits *limits)
{
    size_t bytes_max = (size_t)limits->fields_bytes_max + limits->line_bytes_max;
    size_t count_max = limits->fields_count_max + DX_HTTP2_FIELDS_OWN_MAX;
    bytes_max = (bytes_max + 15) / 16 * 16;
    dx_http2_block *block = malloc(sizeof *block + bytes_max + count_max * sizeof(dx_http_field));

    if (block == NULL)
        return NULL;
    block->bytes_max = bytes_max;
    block->fields.at = (dx_http_field *)(void *)(block->bytes + bytes_max);
    block->fields.count_max = count_max;
    dx_http2_block_reset(block);
    return block;
}

static bool keep(dx_http2_block *block, dx_bytes text, dx_bytes *ret)
{
    if (text.size > block->bytes_max - block->used)
        return false;
    dx_copy(block->bytes + block->used, text.at, text.size);
    *ret = (dx_bytes){block->bytes + block->used, text.size};
    block->used += text.size;
    return true;
}

static dx_bytes *pseudo_of(dx_http2_block *block, dx_bytes name)
{
    if (dx_bytes_equal(name, DX_BYTES(":method")))
        return &block->method;
    if (dx_bytes_equal(name, DX_BYTES(":path")))
        return &block->path;
    if (dx_bytes_equal(name, DX_BYTES(":authority")))
        return &block->authority;
    if (dx_bytes_equal(name, DX_BYTES(":protocol")))
        return &block->protocol;
    if (dx_bytes_equal(name, DX_BYTES(":status")))
        return &block->status;
    return NULL; /* :scheme was checked */
}

void dx_http2_block_add(dx_http2_block *block, const dx_http_limits *limits, dx_bytes name,
                        dx_bytes value)
{
    bool is_pseudo = name.size > 0 && name.at[0] == ':';
    dx_bytes *to = is_pseudo ? pseudo_of(block, name) : NULL;

    block->list_bytes += name.size + value.size + FIELD_BYTES;
    block->lines += !is_pseudo;
    if (to == &block->path && value.size > limits->line_bytes_max) {
        block->is_path_too_long = true;
    } else if (block->is_path_too_long) {
        return;
    } else if (is_pseudo) {
        block->is_too_large |= to && !keep(block, value, to);
    } else if (block->list_bytes - block->path.size > limits->fields_bytes_max ||
               block->lines > limits->fields_count_max) {
        block->is_too_large = true;
    } else if (!block->is_too_large) {
        block->is_too_large = !keep(block, name, &name) || !keep(block, value, &value) ||
                              !dx_http_fields_add(&block->fields, name, value);
    }
}

bool dx_http2_block_is_far_too_large(const dx_http2_block *block, const dx_http_limits *limits)
{
    return block->lines > (size_t)HARD_FACTOR * limits->fields_count_max ||
           block->list_bytes >
               (size_t)HARD_FACTOR * (limits->fields_bytes_max + limits->line_bytes_max);
}
