/* The memory that nghttp2 has for a connection.
 * Is:     each block in a list, so that all can be freed without asking nghttp2; small ones that were given back
 *         wait for the next who wants one, on this loop.
 * Is not: a limit: what a client can make nghttp2 keep is bounded by its settings and ours.
 * Why:    nghttp2 1.52 frees an item twice when an allocation fails at the wrong time. From the first failure
 *         on nothing is given or freed any more: the connection ends, and its blocks are freed together. And
 *         malloc keeps only seven of a size at hand, but a client asks twenty things at once.
 * SPDX-License-Identifier: MIT */
#include "http/http2_parts.h"

#include "base/platform.h"

#include <malloc.h>
#include <stdlib.h>

enum {
    STEP_BYTES = 32,
    HEAD_BYTES = 8 /* of malloc's own: a block fills what that leaves of a step */
};

/* In front of what nghttp2 gets; keeps it aligned. */
typedef struct block {
    dx_list link;
} block;

_Static_assert(sizeof(block) % 16 == 0, "what follows is aligned for everything");

/* ---- blocks that wait ---------------------------------------------------------------------------- */

/* The sizes of which blocks wait: the least that has room for `bytes`; DX_HTTP2_SPARE_SIZES: none has. */
static size_t size_index(const dx_http2_spares *spares, size_t bytes)
{
    size_t index = (bytes + HEAD_BYTES + STEP_BYTES - 1) / STEP_BYTES;
    return DX_HAVE_ASAN || spares == NULL || index > DX_HTTP2_SPARE_SIZES ? DX_HTTP2_SPARE_SIZES
                                                                          : index - 1;
}

static size_t bytes_of(size_t index)
{
    return (index + 1) * STEP_BYTES - HEAD_BYTES;
}

static block *block_new(dx_http2_spares *spares, size_t bytes)
{
    size_t index = size_index(spares, bytes);

    if (index == DX_HTTP2_SPARE_SIZES)
        return malloc(bytes);
    dx_list *link = dx_list_take_first(&spares->blocks[index]);
    if (link == NULL)
        return malloc(bytes_of(index));
    spares->counts[index]--;
    return DX_CONTAINER(link, block, link);
}

static void block_free(dx_http2_spares *spares, block *b)
{
    size_t bytes = malloc_usable_size(b), index = size_index(spares, bytes);

    if (index == DX_HTTP2_SPARE_SIZES || bytes < bytes_of(index) ||
        spares->counts[index] >= DX_HTTP2_SPARES_MAX) {
        free(b);
        return;
    }
    dx_list_init(&b->link);
    dx_list_insert_before(spares->blocks[index].next, &b->link); /* still in the cache */
    spares->counts[index]++;
}

void dx_http2_spares_init(dx_http2_spares *spares)
{
    for (size_t i = 0; i < DX_HTTP2_SPARE_SIZES; i++)
        dx_list_init(&spares->blocks[i]);
}

void dx_http2_spares_deinit(dx_http2_spares *spares)
{
    dx_list *link;

    for (size_t i = 0; i < DX_HTTP2_SPARE_SIZES; i++)
        while ((link = dx_list_take_first(&spares->blocks[i])) != NULL)
            free(DX_CONTAINER(link, block, link));
}

/* ---- what nghttp2 calls ---------------------------------------------------------------------------- */

static void *keep(dx_http2_memory *m, block *b)
{
    if (b == NULL) {
        m->is_broken = true;
        return NULL;
    }
    dx_list_init(&b->link);
    dx_list_append(&m->blocks, &b->link);
    return b + 1;
}

static void *take(size_t size, void *context)
{
    dx_http2_memory *m = context;
    return m->is_broken ? NULL : keep(m, block_new(m->spares, sizeof(block) + size));
}

static void *take_zeroed(size_t count, size_t size, void *context)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - sizeof(block))
        return NULL;
    void *at = take(bytes, context);
    if (at)
        memset(at, 0, bytes);
    return at;
}

static void give(void *at, void *context)
{
    const dx_http2_memory *m = context;
    block *b = at ? (block *)at - 1 : NULL;

    if (b == NULL || m->is_broken)
        return;
    dx_list_remove(&b->link);
    block_free(m->spares, b);
}

static void *take_again(void *at, size_t size, void *context)
{
    dx_http2_memory *m = context;
    block *b = at ? (block *)at - 1 : NULL;

    if (b == NULL)
        return take(size, context);
    if (m->is_broken)
        return NULL;
    dx_list_remove(&b->link);
    block *moved = realloc(b, sizeof(block) + size);
    (void)keep(m, moved ? moved : b); /* the old one stays where it was */
    m->is_broken = moved == NULL;
    return moved ? moved + 1 : NULL;
}

nghttp2_mem dx_http2_memory_init(dx_http2_memory *m, dx_http2_spares *spares)
{
    dx_list_init(&m->blocks);
    m->spares = spares;
    m->is_broken = false;
    return (nghttp2_mem){m, take, give, take_zeroed, take_again};
}

void dx_http2_memory_free(dx_http2_memory *m)
{
    dx_list *link;

    while ((link = dx_list_take_first(&m->blocks)) != NULL)
        free(DX_CONTAINER(link, block, link));
}
