/* Tests of the base layer.
 * SPDX-License-Identifier: MIT */
#include "base/arena.h"
#include "base/buffer.h"
#include "base/err.h"
#include "base/list.h"
#include "base/histogram.h"
#include "base/map.h"
#include "base/map_walk.h"
#include "base/pool.h"
#include "base/random.h"
#include "tests/tap.h"

#include <errno.h>

TEST("bytes: cursor calls move only on success")
{
    dx_bytes in = DX_BYTES("\x01\x02\x03");
    uint64_t u64 = 7;
    uint16_t u16;
    uint8_t u8;
    CHECK(!dx_bytes_u64(&in, &u64));
    CHECK_INT(in.size, 3);
    CHECK_INT(u64, 7);
    CHECK(dx_bytes_u16(&in, &u16));
    CHECK_INT(u16, 0x0102);
    CHECK(dx_bytes_u8(&in, &u8));
    CHECK_INT(u8, 3);
    CHECK(!dx_bytes_u8(&in, &u8));
}

TEST("bytes: split gives empty parts too, and ends once")
{
    dx_bytes in = DX_BYTES("a,,b,"), part;
    const char *want[] = {"a", "", "b", ""};
    for (size_t i = 0; i < 4; i++) {
        CHECK(dx_bytes_split(&in, ',', &part));
        CHECK_BYTES(part, want[i]);
    }
    CHECK(!dx_bytes_split(&in, ',', &part));
}

TEST("bytes: decimal refuses sign, blanks, letters, overflow")
{
    static const char *bad[] = {"", "+1", "-1", " 1", "1 ", "1x", "256", "99999999999999999999999"};
    uint64_t value = 42;
    for (size_t i = 0; i < DX_COUNT(bad); i++)
        CHECK(!dx_bytes_decimal(dx_bytes_of(bad[i]), 255, &value));
    CHECK_INT(value, 42);
    CHECK(dx_bytes_decimal(DX_BYTES("255"), 255, &value));
    CHECK_INT(value, 255);
    CHECK(dx_bytes_decimal(DX_BYTES("0"), 0, &value));
    CHECK(!dx_bytes_decimal(DX_BYTES("7"), 3, &value));
    CHECK(dx_bytes_decimal(DX_BYTES("18446744073709551615"), UINT64_MAX, &value));
    CHECK(value == UINT64_MAX);
    CHECK(!dx_bytes_decimal(DX_BYTES("18446744073709551616"), UINT64_MAX, &value));
}

TEST("bytes: case-blind compare and trim touch ASCII only")
{
    CHECK(dx_bytes_equal_nocase(DX_BYTES("Keep-ALIVE"), DX_BYTES("keep-alive")));
    CHECK(!dx_bytes_equal_nocase(DX_BYTES("\xc4"), DX_BYTES("\xe4")));
    CHECK(!dx_bytes_equal_nocase(DX_BYTES("["), DX_BYTES("{")));
    CHECK_BYTES(dx_bytes_trim(DX_BYTES(" \t x y\t")), "x y");
    CHECK_BYTES(dx_bytes_trim(DX_BYTES(" \t ")), "");
}

TEST("buffer: grows, consumes from the front, frees when empty")
{
    dx_buffer b = {0};
    for (int i = 0; i < 1000; i++)
        CHECK(dx_buffer_append(&b, DX_BYTES("0123456789")));
    CHECK_INT(b.size, 10000);
    dx_buffer_consume(&b, 9993);
    CHECK_BYTES(dx_buffer_view(&b), "3456789");
    dx_buffer_consume(&b, 7);
    CHECK(b.at == NULL);
    CHECK(!dx_buffer_reserve(&b, SIZE_MAX));
    CHECK(b.at == NULL);
}

TEST("arena: pieces do not overlap and are aligned; reset keeps one block")
{
    dx_arena a = {0};
    for (int round = 0; round < 3; round++) {
        uint8_t *last = NULL;
        for (size_t size = 0; size < 300; size++) {
            uint8_t *at = dx_arena_take(&a, size);
            CHECK(((uintptr_t)at & 15) == 0);
            CHECK(at != last || size <= 1); /* nothing was taken at size 0 */
            memset(at, (int)size, size);
            last = at;
        }
        CHECK(dx_arena_take(&a, 100000) != NULL);
        dx_arena_reset(&a);
    }
    dx_bytes copy;
    CHECK(dx_arena_copy(&a, DX_BYTES("kept"), &copy));
    CHECK_BYTES(copy, "kept");
    CHECK(dx_arena_take(&a, SIZE_MAX - 3) == NULL);
    dx_arena_deinit(&a);
}

TEST("pool: objects are distinct, zeroed, reused; slabs come and go")
{
    enum { COUNT = 3000 };
    static uint8_t *objects[COUNT];
    dx_pool pool;
    dx_pool_init(&pool, 200);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            objects[i] = dx_pool_take(&pool);
            CHECK(objects[i][0] == 0 && objects[i][199] == 0);
            memset(objects[i], 0xff, 200);
        }
        for (size_t i = 0; i < COUNT; i++)
            dx_pool_give(&pool, objects[(i * 7) % COUNT]);
    }
    CHECK_INT(pool.live_count, 0);
    CHECK_INT(pool.empty_count, DX_HAVE_ASAN ? 0 : 8); /* of ten */
    objects[0] = dx_pool_take(&pool);
    CHECK_INT(pool.empty_count, DX_HAVE_ASAN ? 0 : 7);
    dx_pool_give(&pool, objects[0]);
    CHECK_INT(pool.empty_count, DX_HAVE_ASAN ? 0 : 8);
    dx_pool_deinit(&pool);
}

TEST("map: SipHash-2-4 gives the paper's vector")
{
    uint8_t in[15];
    uint64_t seed[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    for (uint8_t i = 0; i < 15; i++)
        in[i] = i;
    CHECK(dx_siphash(seed, dx_bytes_at(in, 15)) == 0xa129ca6149be45e5u);
}

typedef struct named {
    dx_map_node node;
    char name[16];
} named;

TEST("map: finds what was put in, not what was taken out")
{
    enum { COUNT = 2000 };
    static named objects[COUNT];
    uint64_t seed[2];
    dx_map map;
    size_t walked = 0;

    dx_random_fill(seed, sizeof seed);
    dx_map_init(&map, seed);
    for (size_t i = 0; i < COUNT; i++) {
        int n = snprintf(objects[i].name, sizeof objects[i].name, "/live/%zu", i);
        objects[i].node.key = dx_bytes_at(objects[i].name, (size_t)n);
        CHECK(dx_map_find(&map, objects[i].node.key) == NULL);
        CHECK(dx_map_insert(&map, &objects[i].node));
    }
    for (size_t i = 0; i < COUNT; i += 2)
        dx_map_remove(&map, &objects[i].node);
    for (size_t i = 0; i < COUNT; i++)
        CHECK(dx_map_find(&map, objects[i].node.key) == (i % 2 ? &objects[i].node : NULL));
    for (dx_map_node *n = dx_map_next(&map, NULL); n; n = dx_map_next(&map, n))
        walked++;
    CHECK_INT(walked, COUNT / 2);
    dx_map_deinit(&map);
}

typedef struct object {
    dx_map_node node;
    uint32_t number;
    size_t seen;
} object;

static void mark(dx_map_node *node, void *context)
{
    (void)context;
    DX_CONTAINER(node, object, node)->seen++;
}

TEST("map: a walk in parts finds all that was there, also while the map grows under it")
{
    enum { COUNT = 600 };
    static object objects[COUNT];
    const uint64_t seed[2] = {3, 4};
    uint64_t cursor = 0;
    size_t calls = 0, inserted = 40;
    dx_map map;

    dx_map_init(&map, seed);
    dx_map_walk(&map, &cursor, 8, mark, NULL);
    CHECK_INT(cursor, 0); /* nothing to walk */
    for (size_t i = 0; i < COUNT; i++) {
        objects[i] = (object){0};
        objects[i].number = (uint32_t)i;
        objects[i].node.key = dx_bytes_at(&objects[i].number, sizeof objects[i].number);
        if (i < inserted)
            CHECK(dx_map_insert(&map, &objects[i].node));
    }
    do {
        dx_map_walk(&map, &cursor, 3, mark, NULL);
        for (size_t more = 0; more < 100 && inserted < COUNT; more++)
            CHECK(dx_map_insert(&map, &objects[inserted++].node)); /* doubles more than once */
        CHECK(++calls < 1000);
    } while (cursor != 0);
    for (size_t i = 0; i < 40; i++)
        CHECK(objects[i].seen >= 1);
    CHECK(calls > 10);
    dx_map_deinit(&map);
}

TEST("histogram: each in the bucket whose bound is not below it")
{
    dx_histogram a = {0}, b = {0};

    dx_histogram_add(&a, 0, 1);
    dx_histogram_add(&a, 10, 1);
    dx_histogram_add(&a, 11, 3);
    dx_histogram_add(&b, UINT32_MAX, 2);
    dx_histogram_join(&a, &b);
    CHECK_INT(a.counts[0], 2);
    CHECK_INT(a.counts[1], 3);
    CHECK_INT(a.counts[DX_HISTOGRAM_BOUNDS_COUNT], 2);
    CHECK_INT(dx_histogram_count(&a), 7);
    CHECK_INT(a.sum_us, 10 + 33 + 2 * (uint64_t)UINT32_MAX);
    for (unsigned i = 1; i < DX_HISTOGRAM_BOUNDS_COUNT; i++)
        CHECK(dx_histogram_bounds_us[i] > dx_histogram_bounds_us[i - 1]);
}

TEST("err: errno values have their words; an unknown one is the system's")
{
    CHECK_INT(dx_err_from_errno(EMFILE), DX_ERR_FILES);
    CHECK_INT(dx_err_from_errno(EXDEV), DX_ERR_SYSTEM);
    for (int e = DX_OK; e <= DX_ERR_SYSTEM; e++)
        CHECK(strlen(dx_err_text((dx_err)e)) > 3);
}
