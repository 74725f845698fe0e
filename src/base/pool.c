/* Objects of one size in slabs. A slab is aligned to its size, so an object finds its slab by
 * masking its address; a slab without room is in no list.
 * SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SLAB_BYTES = 65536, EMPTY_MAX = 8 };

struct free_object {
    struct free_object *next;
};

struct slab {
    dx_list link;             /* in pool->slabs_open */
    struct free_object *free; /* given back */
    uint32_t live_count;
    uint32_t fresh_offset; /* from here on never handed out */
};

void dx_pool_init(dx_pool *pool, size_t object_bytes)
{
    dx_assert(object_bytes >= 1 && object_bytes <= 4096);
    *pool = (dx_pool){.object_bytes = (object_bytes + 7) & ~(size_t)7};
    dx_list_init(&pool->slabs_open);
}

static bool slab_has_room(const dx_pool *pool, const struct slab *s)
{
    return s->free != NULL || s->fresh_offset + pool->object_bytes <= SLAB_BYTES;
}

/* From the system itself: an allocator would put its own head in front of each slab, on a page of its
 * own because of the alignment. Twice the size holds an aligned slab; the rest goes back. */
static void *slab_map(void)
{
    uint8_t *at =
        mmap(NULL, 2 * SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)at & (SLAB_BYTES - 1);
    if (before > 0)
        munmap(at, before);
    munmap(at + before + SLAB_BYTES, SLAB_BYTES - before);
    return at + before;
}

static struct slab *slab_new(dx_pool *pool)
{
    struct slab *s = slab_map();

    if (s == NULL)
        return NULL;
    *s = (struct slab){.fresh_offset = (sizeof *s + 15) & ~15u};
    dx_list_init(&s->link);
    dx_list_append(&pool->slabs_open, &s->link);
    pool->empty_count++;
    return s;
}

static void *slab_take(dx_pool *pool, struct slab *s)
{
    void *object = s->free;

    if (object) {
        s->free = s->free->next;
    } else {
        object = (uint8_t *)s + s->fresh_offset;
        s->fresh_offset += (uint32_t)pool->object_bytes;
    }
    pool->empty_count -= s->live_count++ == 0;
    if (!slab_has_room(pool, s))
        dx_list_remove(&s->link);
    return object;
}

void *dx_pool_take_raw(dx_pool *pool)
{
    void *object;

    if (DX_HAVE_ASAN) {
        object = malloc(pool->object_bytes);
    } else {
        struct slab *s = dx_list_is_empty(&pool->slabs_open)
                             ? slab_new(pool)
                             : DX_CONTAINER(pool->slabs_open.next, struct slab, link);
        object = s ? slab_take(pool, s) : NULL;
    }
    pool->live_count += object != NULL;
    return object;
}

void *dx_pool_take(dx_pool *pool)
{
    void *object = dx_pool_take_raw(pool);
    return object ? memset(object, 0, pool->object_bytes) : NULL;
}

void dx_pool_give(dx_pool *pool, void *object)
{
    if (object == NULL)
        return;
    dx_assert(pool->live_count > 0);
    pool->live_count--;
    if (DX_HAVE_ASAN) {
        free(object);
        return;
    }
    struct slab *s = (struct slab *)((uintptr_t)object & ~(uintptr_t)(SLAB_BYTES - 1));
    if (!slab_has_room(pool, s))
        dx_list_append(&pool->slabs_open, &s->link);
    struct free_object *hole = object;
    hole->next = s->free;
    s->free = hole;
    if (--s->live_count > 0)
        return;
    if (pool->empty_count < EMPTY_MAX) { /* what one turn takes and gives costs no system call */
        pool->empty_count++;
        return;
    }
    dx_list_remove(&s->link);
    munmap(s, SLAB_BYTES);
}

void dx_pool_deinit(dx_pool *pool)
{
    dx_assert(pool->live_count == 0);
    for (dx_list *l; (l = dx_list_take_first(&pool->slabs_open)) != NULL;)
        munmap(DX_CONTAINER(l, struct slab, link), SLAB_BYTES);
}
