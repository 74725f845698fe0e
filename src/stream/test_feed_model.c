/* Random readers against a simple model: each gets exactly what it is entitled to, once, in order; the
 * feed's counts are true after every step; and a run of failing allocations loses nothing.
 * Usage: test_stream_feed_model; a seed that fails is printed.
 * SPDX-License-Identifier: MIT */
#include "stream/test_reader.h"
#include "tests/tap.h"

enum { READERS = 12, SEEDS = 200, STEPS = 800 };

/* ---- allocations that fail: every n-th, while the feed appends ------------------------------------- */

static unsigned fail_every, allocations_count;
static bool is_failing;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
    if (is_failing && fail_every > 0 && ++allocations_count % fail_every == 0)
        return NULL;
    return __real_malloc(size);
}

/* ---- the model ------------------------------------------------------------------------------------- */

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 11) % below);
}

static size_t draw_size(void)
{
    switch (draw(40)) {
    case 0: return draw(8) ? 1000 : 60000 + draw(20000);
    case 1: return 3000 + draw(3000);
    case 2: return 0;
    }
    return draw(300);
}

static size_t draw_part(void)
{
    return draw(4) == 0 ? SIZE_MAX : draw(3) == 0 ? draw(20000) : draw(400);
}

static void publish(scene *s, reader *readers, bool may_lose)
{
    uint64_t origin = draw(2) ? 0 : readers[draw(READERS)].sub.origin;
    bool is_lost = may_lose && draw(100) == 0;
    dx_message *message;

    scene_publish(s, draw_size(), origin, true);
    message = s->messages[s->tail];
    is_failing = true;
    if (!is_lost)
        dx_feed_append(s->feed, message);
    is_failing = false;
    if (may_lose && draw(50) == 0 && s->tail > 40)
        s->first = s->tail - draw(40); /* retention moves on */
}

static void start(reader *r, scene *s, uint32_t index)
{
    uint64_t next = draw(2) ? s->tail + 1 : s->first + draw((uint32_t)(s->tail + 2 - s->first));

    reader_start(r, s, next, draw(2) ? 1000 + index : 0);
    r->take_bytes = draw(3) ? draw_part() : 0;
    r->is_holding = draw(4) == 0;
    reader_continue(r);
}

static void act(reader *r, scene *s, uint32_t index)
{
    switch (draw(12)) {
    case 0:
    case 1:
    case 2: reader_take(r, draw_part()); return;
    case 3:
    case 4: reader_hold(r); return;
    case 5:
    case 6: reader_land(r, draw_part()); return;
    case 7:
    case 8:
    case 9: reader_continue(r); return;
    case 10: /* woken, it takes another way from now on */
        r->take_bytes = draw(2) ? 0 : draw_part();
        r->is_holding = draw(4) == 0;
        return;
    case 11: break;
    }
    if (draw(8) != 0)
        return;
    if (draw(3) == 0) { /* its connection closes: what is begun is ended, and no more */
        dx_subscriber_freeze(&r->sub);
        for (int i = 0; i < 1000 && (r->sub.is_in_flight || r->sub.is_partial); i++) {
            reader_land(r, draw_part());
            reader_take(r, draw_part());
        }
        if (r->part_size > 0 && r->fault == NULL)
            r->fault = "a message in part at the end";
    }
    if (r->fault)
        return;
    dx_subscriber_stop(&r->sub);
    reader_land(r, 0);
    reader_leave(r);
    start(r, s, index);
}

static void step(scene *s, reader *readers, bool may_lose)
{
    uint32_t index = draw(READERS);

    switch (draw(8)) {
    case 0:
    case 1: publish(s, readers, may_lose); return;
    case 2: scene_turn(s); return;
    }
    act(&readers[index], s, index);
}

static const char *fault_of(const scene *s, const reader *readers)
{
    const char *fault = scene_fault(s);

    for (int i = 0; i < READERS && fault == NULL; i++)
        fault = readers[i].fault;
    return fault;
}

/* Everybody takes everything: then all must have come to the tail, and no block may be left. */
static const char *finish(scene *s, reader *readers)
{
    dx_feed *f = s->feed;

    scene_publish(s, 5, 0, false); /* who waits for something that was lost is woken by it */
    for (int i = 0; i < READERS; i++) {
        readers[i].is_holding = false;
        reader_land(&readers[i], SIZE_MAX);
        reader_drain(&readers[i], SIZE_MAX);
    }
    for (int i = 0; i < 4; i++)
        scene_turn(s);
    for (int i = 0; i < READERS; i++) {
        if (readers[i].fault)
            return readers[i].fault;
        if (readers[i].expected != s->tail + 1)
            return "a reader is not at the tail at the end";
        if (readers[i].sub.state != DX_SUBSCRIBER_LIVE)
            return "a reader is not live at the end";
    }
    return f->first ? "a block is left" : scene_fault(s);
}

static void run_seed(uint64_t seed, bool may_lose, unsigned failing)
{
    static reader readers[READERS];
    const char *fault = NULL;
    scene *s = scene_new();

    random_state = seed * 0x9e3779b97f4a7c15 + 1;
    fail_every = failing;
    s->feed->window_bytes = 2000 + draw(60000);
    for (uint32_t i = 0; i < READERS; i++)
        start(&readers[i], s, i);
    int i = 0;
    for (; i < STEPS && fault == NULL; i++) {
        step(s, readers, may_lose);
        fault = fault_of(s, readers);
    }
    if (fault == NULL)
        fault = finish(s, readers);
    if (fault)
        TAP_FAIL("seed %llu, step %d: %s", (unsigned long long)seed, i, fault);
    for (i = 0; i < READERS; i++) {
        dx_subscriber_stop(&readers[i].sub);
        reader_leave(&readers[i]);
    }
    scene_free(s);
}

TEST("200 seeds: each reader gets what it is entitled to, once, in order")
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed, false, 0);
}

TEST("200 seeds with messages that are lost on the way to the feed, and a log that is trimmed")
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed, true, 0);
}

TEST("200 seeds with allocations that fail: readers catch up, and nothing is lost")
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed, seed % 2, 1 + (unsigned)(seed % 7));
}
