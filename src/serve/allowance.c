/* Allowances, by the time at which each would be used up evenly (GCRA).
 * SPDX-License-Identifier: MIT */
#include "serve/allowance.h"

#include "base/clock.h"
#include "base/random.h"

#include <stdlib.h>

enum { BURST_US = 1000000, WAIT_MS = 1000 };

typedef struct entry {
    dx_map_node node;
    uint64_t due_us; /* of the monotonic clock: what was taken is earned by then */
    uint8_t key[];
} entry;

void dx_allowances_init(dx_allowances *a)
{
    uint64_t seed[2];

    dx_random_fill(seed, sizeof seed);
    pthread_mutex_init(&a->lock, NULL);
    dx_map_init(&a->map, seed);
}

static void forget(dx_allowances *a, uint64_t before_us)
{
    for (dx_map_node *n = dx_map_next(&a->map, NULL), *next; n; n = next) {
        next = dx_map_next(&a->map, n);
        entry *e = DX_CONTAINER(n, entry, node);
        if (e->due_us < before_us) {
            dx_map_remove(&a->map, n);
            free(e);
        }
    }
}

void dx_allowances_deinit(dx_allowances *a)
{
    forget(a, UINT64_MAX);
    dx_map_deinit(&a->map);
    pthread_mutex_destroy(&a->lock);
}

static entry *find(dx_allowances *a, dx_bytes key, uint64_t now_us)
{
    dx_map_node *found = dx_map_find(&a->map, key);

    if (found)
        return DX_CONTAINER(found, entry, node);
    if (a->map.count >= DX_ALLOWANCES_MAX)
        forget(a, now_us);
    entry *e = a->map.count < DX_ALLOWANCES_MAX ? calloc(1, sizeof *e + key.size) : NULL;
    if (e == NULL)
        return NULL;
    dx_copy(e->key, key.at, key.size);
    e->node.key = dx_bytes_at(e->key, key.size);
    if (dx_map_insert(&a->map, &e->node))
        return e;
    free(e);
    return NULL;
}

/* More at once than a burst holds are taken as soon as nothing else is owed. */
static uint64_t take(entry *e, uint64_t now_us, uint64_t cost_us)
{
    uint64_t due_us = (e->due_us > now_us ? e->due_us : now_us) + cost_us;
    uint64_t bound_us = now_us + (cost_us > BURST_US ? cost_us : BURST_US);

    if (due_us > bound_us)
        return (due_us - bound_us + 999) / 1000;
    e->due_us = due_us;
    return 0;
}

uint64_t dx_allowance_take(dx_allowances *a, const dx_principal *who, const dx_capability *by,
                           size_t count)
{
    uint8_t key[1 + DX_SUBJECT_BYTES_MAX + 1 + DX_CAPABILITY_PATTERN_MAX];
    dx_bytes name = who->subject.size > 0 ? who->subject : who->token_id;
    size_t size = 0;
    uint64_t now_us = dx_clock_ns() / 1000, wait_ms = WAIT_MS;

    key[size++] = who->subject.size > 0 ? 's' : 'i';
    dx_copy(key + size, name.at, name.size);
    size += name.size;
    key[size++] = '\0';
    dx_copy(key + size, by->pattern.at, by->pattern.size);
    size += by->pattern.size;
    pthread_mutex_lock(&a->lock);
    entry *e = find(a, dx_bytes_at(key, size), now_us);
    if (e)
        wait_ms = take(e, now_us, (uint64_t)count * 1000000 / by->rate_max);
    pthread_mutex_unlock(&a->lock);
    return wait_ms;
}
