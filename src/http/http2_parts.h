/* What both ends of HTTP/2 are made of.
 * Is:     nghttp2's memory, the block of a head that is being read, the fields of one that is written, buckets.
 * Is not: connections and streams (http2_conn.h at the server, http2_client_conn.h at the client).
 * Threads: one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HTTP_HTTP2_PARTS_H
#define DX_HTTP_HTTP2_PARTS_H

#include "base/list.h"
#include "codec/http_writer.h"

#include <nghttp2/nghttp2.h>

/* ---- memory (http2_memory.c) ---- */

enum { DX_HTTP2_SPARE_SIZES = 24, DX_HTTP2_SPARES_MAX = 64 };

/* Small blocks that nghttp2 gave back, by size: at most DX_HTTP2_SPARES_MAX of each. */
typedef struct dx_http2_spares {
    dx_list blocks[DX_HTTP2_SPARE_SIZES];
    uint32_t counts[DX_HTTP2_SPARE_SIZES];
} dx_http2_spares;

void dx_http2_spares_init(dx_http2_spares *spares);
/* No connection may be left. */
void dx_http2_spares_deinit(dx_http2_spares *spares);

/* What nghttp2 has allocated for a connection. */
typedef struct dx_http2_memory {
    dx_list blocks;
    dx_http2_spares *spares;
    bool is_broken; /* an allocation has failed: the session must not be used any more */
} dx_http2_memory;

/* Gives what nghttp2 is to be told; `memory` stays where it is.
 * spares: of the same loop; NULL: none wait. Borrowed until dx_http2_memory_free. */
nghttp2_mem dx_http2_memory_init(dx_http2_memory *memory, dx_http2_spares *spares);
/* Frees all that is left. */
void dx_http2_memory_free(dx_http2_memory *memory);

/* ---- a head that comes (http2_block.c) ---- */

/* The head that is being read: its fields are kept here until it is whole, and counted before. */
typedef struct dx_http2_block {
    dx_bytes method, path, authority, protocol, status;
    size_t used;       /* of `bytes` */
    size_t list_bytes; /* as RFC 9113 §6.5.2 counts, also what is not kept */
    size_t lines;      /* also what is not kept */
    bool is_too_large, is_path_too_long;
    dx_http_fields fields; /* its array stands behind `bytes` */
    size_t bytes_max;
    uint8_t bytes[];
} dx_http2_block;

enum { DX_HTTP2_FIELDS_OWN_MAX = 1 }; /* Host, made of :authority */

/* Free it with free(). NULL: memory is out. */
dx_http2_block *dx_http2_block_new(const dx_http_limits *limits);
/* Empty again. */
void dx_http2_block_reset(dx_http2_block *block);
/* Keeps a field, if there is room by the limits. */
void dx_http2_block_add(dx_http2_block *block, const dx_http_limits *limits, dx_bytes name,
                        dx_bytes value);
/* Counted before it is kept: much beyond the limit it is not read to its end, either. */
bool dx_http2_block_is_far_too_large(const dx_http2_block *block, const dx_http_limits *limits);

/* ---- a head that goes (http2_fields.c) ---- */

enum { DX_HTTP2_FIELDS_MAX = 128 };

/* Fields on their way to nghttp2: views, but for what `check` has in its memory. It refuses what HTTP/1.1 would
 * refuse; its fault stays. */
typedef struct dx_http2_fields {
    nghttp2_nv at[DX_HTTP2_FIELDS_MAX];
    size_t count;
    dx_http_writer check;
} dx_http2_fields;

/* check_memory: of the size that a head may have. */
void dx_http2_fields_init(dx_http2_fields *fields, void *check_memory, size_t size);
/* A pseudo-header field, before all others. */
void dx_http2_fields_add_pseudo(dx_http2_fields *fields, const char *name, dx_bytes value);
/* One that is known to be good: it is not checked. */
void dx_http2_fields_put(dx_http2_fields *fields, dx_bytes name, dx_bytes value);
/* What is of a connection of HTTP/1.1 alone is left out (RFC 9113 §8.2.2). */
void dx_http2_fields_add(dx_http2_fields *fields, dx_bytes name, dx_bytes value);
static inline void dx_http2_fields_add_known(dx_http2_fields *fields, dx_http_name name,
                                             dx_bytes value)
{
    dx_http2_fields_add(fields, dx_http_name_text(name), value);
}

/* ---- floods ---- */

/* A bucket of `burst`, filled so many times a second: `paid_us` is the time up to which is paid. */
typedef struct dx_http2_bucket {
    uint64_t paid_us;
} dx_http2_bucket;

/* Takes one out; gives how many are left, below 0 if there were none. */
static inline int64_t dx_http2_bucket_pay(dx_http2_bucket *b, uint64_t now_us, uint32_t burst,
                                          uint32_t per_second)
{
    uint64_t price = 1000000 / per_second;

    if (b->paid_us < now_us)
        b->paid_us = now_us;
    b->paid_us += price;
    return (int64_t)burst - (int64_t)((b->paid_us - now_us) / price);
}

/* Gives back what so many cost. */
static inline void dx_http2_bucket_earn(dx_http2_bucket *b, uint32_t count, uint32_t per_second)
{
    b->paid_us -= dx_min_u64(b->paid_us, (uint64_t)count * 1000000 / per_second);
}

#endif
