/* The memory that nghttp2 has for a connection.
 * Is:     each block in a list, so that all can be freed without asking nghttp2.
 * Is not: a limit: what a client can make nghttp2 keep is bounded by its settings and ours.
 * Why:    nghttp2 1.52 frees an item twice when an allocation fails at the wrong time. From the first failure
 *         on nothing is given or freed any more: the connection ends, and its blocks are freed together.
 * SPDX-License-Identifier: MIT */
#include "http/http2_parts.h"

#include <stdlib.h>

/* In front of what nghttp2 gets; keeps it aligned. */
typedef struct block {
    dx_list link;
} block;

_Static_assert(sizeof(block) % 16 == 0, "what follows is aligned for everything");

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
    return m->is_broken ? NULL : keep(m, malloc(sizeof(block) + size));
}

static void *take_zeroed(size_t count, size_t size, void *context)
{
    dx_http2_memory *m = context;
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - sizeof(block))
        return NULL;
    return m->is_broken ? NULL : keep(m, calloc(1, sizeof(block) + bytes));
}

static void give(void *at, void *context)
{
    const dx_http2_memory *m = context;
    block *b = at ? (block *)at - 1 : NULL;

    if (b == NULL || m->is_broken)
        return;
    dx_list_remove(&b->link);
    free(b);
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

nghttp2_mem dx_http2_memory_init(dx_http2_memory *m)
{
    dx_list_init(&m->blocks);
    m->is_broken = false;
    return (nghttp2_mem){m, take, give, take_zeroed, take_again};
}

void dx_http2_memory_free(dx_http2_memory *m)
{
    dx_list *link;

    while ((link = dx_list_take_first(&m->blocks)) != NULL)
        free(DX_CONTAINER(link, block, link));
}
