/* Random readers against a simple model: each gets exactly what it is entitled to, once, in order, and is
 * told of the end when it is its turn; the feed's counts are true after every step; and a run of failing
 * allocations loses nothing in silence.
 * Usage: test_stream_feed_model; a seed that fails is printed.
 * SPDX-License-Identifier: MIT */
#include "stream/test_reader.h"
#include "tests/tap.h"

enum { READERS = 12, SEEDS = 200, STEPS = 800 };

/* What happens beside the usual. */
typedef struct plan {
    bool may_lose; /* messages on the way to the feed; and the log is trimmed */
    bool has_notes;
    bool has_policies;
    bool is_log_slow; /* pages come later */
    dx_stream_end end;
    unsigned fail_every; /* allocations; 0: none */
} plan;

/* ---- allocations that fail: every n-th, while the feed appends or a reader reads on ------------------ */

static unsigned fail_every, allocations_count;
static bool is_failing;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool is_to_fail(void)
{
    return is_failing && fail_every > 0 && ++allocations_count % fail_every == 0;
}

void *__wrap_malloc(size_t size)
{
    return is_to_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_to_fail() ? NULL : __real_calloc(count, size);
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

    if (s->feed->end != DX_STREAM_END_NONE)
        return;
    scene_publish(s, draw_size(), origin, true);
    message = s->messages[s->tail];
    is_failing = true;
    if (!is_lost)
        dx_feed_append(s->feed, message);
    is_failing = false;
    if (may_lose && draw(50) == 0 && s->tail > 40)
        s->first = s->tail - draw(40); /* retention moves on */
}

static void note(scene *s)
{
    if (s->notes_count == SCENE_NOTES_MAX)
        return;
    is_failing = true;
    scene_note_add(s, 4 + draw_size() % 9000);
    is_failing = false;
}

static void start(reader *r, scene *s, uint32_t index, const plan *p)
{
    uint64_t next = draw(2) ? s->tail + 1 : s->first + draw((uint32_t)(s->tail + 2 - s->first));

    r->take_bytes = draw(3) ? draw_part() : 0;
    r->is_holding = draw(4) == 0;
    r->on_slow = p->has_policies ? (dx_on_slow)draw(3) : DX_ON_SLOW_CATCH_UP;
    reader_start(r, s, next, draw(2) ? 1000 + index : 0);
}

static void read_on(reader *r)
{
    is_failing = draw(8) == 0;
    reader_continue(r);
    is_failing = false;
}

/* Its connection closes: what is begun is ended, and no more. */
static void freeze(reader *r)
{
    uint32_t ends = r->ends;

    dx_subscriber_freeze(&r->sub);
    for (int i = 0; i < 1000 && (r->sub.is_in_flight || r->sub.is_partial); i++) {
        reader_land(r, draw_part());
        reader_take(r, draw_part());
    }
    if (r->part_size > 0 && r->fault == NULL)
        r->fault = "a message in part at the end";
    for (int i = 0; i < 2; i++)
        scene_turn(r->scene);
    if (r->ends != ends && r->fault == NULL)
        r->fault = "told of the end while its connection was closing";
}

static void restart(reader *r, scene *s, uint32_t index, const plan *p)
{
    if (draw(3) == 0)
        freeze(r);
    if (r->fault)
        return;
    dx_subscriber_stop(&r->sub);
    reader_land(r, 0);
    reader_leave(r);
    start(r, s, index, p);
}

static void act(reader *r, scene *s, uint32_t index, const plan *p)
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
    case 9: read_on(r); return;
    case 10: /* woken, it takes another way from now on */
        r->take_bytes = draw(2) ? 0 : draw_part();
        r->is_holding = draw(4) == 0;
        return;
    case 11: break;
    }
    if (draw(8) == 0 || r->is_cut_off || r->fails > 0)
        restart(r, s, index, p);
}

static void step(scene *s, reader *readers, const plan *p)
{
    uint32_t index = draw(READERS);

    switch (draw(8)) {
    case 0:
        if (p->has_notes && draw(2)) {
            note(s);
            return;
        }
        publish(s, readers, p->may_lose);
        return;
    case 1: publish(s, readers, p->may_lose); return;
    case 2:
        if (draw(2))
            scene_turn(s);
        else
            scene_answer(s);
        return;
    }
    act(&readers[index], s, index, p);
}

static const char *fault_of(const scene *s, const reader *readers)
{
    const char *fault = scene_fault(s);

    for (int i = 0; i < READERS && fault == NULL; i++)
        fault = readers[i].fault;
    return fault;
}

static void drain_all(scene *s, reader *readers)
{
    for (int k = 0; k < 4000; k++) {
        uint32_t at_rest = 0;
        for (int i = 0; i < READERS; i++) {
            reader_land(&readers[i], SIZE_MAX);
            reader_drain(&readers[i], SIZE_MAX);
            at_rest += !readers[i].is_room_due;
        }
        if (at_rest == READERS && s->reads_count == 0)
            break;
        scene_answer(s);
    }
    for (int i = 0; i < 4; i++)
        scene_turn(s);
}

static const char *unfinished(const scene *s, const reader *r)
{
    if (r->fault || r->is_cut_off || r->fails > 0)
        return r->fault;
    if (r->ends != (s->feed->end != DX_STREAM_END_NONE))
        return "a reader was not told of the end, or more than once";
    if (r->ends && r->why != s->feed->end)
        return "a reader was told of another end";
    if (s->feed->end == DX_STREAM_END_DELETED)
        return NULL;
    if (r->expected != s->tail + 1)
        return "a reader is not at the tail at the end";
    if (r->sub.state != (r->ends ? DX_SUBSCRIBER_STOPPED : DX_SUBSCRIBER_LIVE))
        return "a reader is not live at the end";
    return reader_misses_note(r) ? "a reader has missed a note" : NULL;
}

/* Everybody takes everything: then all must have come to the tail, and no block may be left. */
static const char *finish(scene *s, reader *readers)
{
    const char *fault = NULL;

    if (s->feed->end == DX_STREAM_END_NONE)
        scene_publish(s, 5, 0, false); /* who waits for something that was lost is woken by it */
    for (int i = 0; i < READERS; i++)
        readers[i].is_holding = false;
    drain_all(s, readers);
    for (int i = 0; i < READERS && fault == NULL; i++)
        fault = unfinished(s, &readers[i]);
    if (fault)
        return fault;
    return s->feed->first ? "a block is left" : scene_fault(s);
}

static void end(scene *s, dx_stream_end why)
{
    if (why == DX_STREAM_END_NONE)
        return;
    if (s->feed->end == DX_STREAM_END_NONE)
        scene_publish(s, 5, 0, false); /* the end comes behind the last message */
    if (why == DX_STREAM_END_DELETED && draw(3) == 0)
        scene_end(s, DX_STREAM_END_CLOSED);
    scene_end(s, why);
}

static void run_seed(uint64_t seed, const plan *p)
{
    static reader readers[READERS];
    const char *fault = NULL;
    scene *s = scene_new();

    random_state = seed * 0x9e3779b97f4a7c15 + 1;
    fail_every = p->fail_every;
    s->feed->window_bytes = 2000 + draw(60000);
    s->is_log_slow = p->is_log_slow;
    for (uint32_t i = 0; i < READERS; i++)
        start(&readers[i], s, i, p);
    int i = 0, end_step = STEPS / 2 + (int)draw(STEPS / 2);
    for (; i < STEPS && fault == NULL; i++) {
        if (i == end_step)
            end(s, p->end);
        step(s, readers, p);
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

static void run_seeds(plan p)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        p.is_log_slow = seed % 3 == 0;
        run_seed(seed, &p);
    }
}

TEST("200 seeds: each reader gets what it is entitled to, once, in order")
{
    run_seeds((plan){0});
}

TEST("200 seeds with messages that are lost on the way to the feed, and a log that is trimmed")
{
    run_seeds((plan){.may_lose = true});
}

TEST("200 seeds with notes: each comes in its place, to all who are live")
{
    run_seeds((plan){.has_notes = true});
    run_seeds((plan){.has_notes = true, .may_lose = true});
}

TEST("200 seeds with readers that want the latest, or to be told, when they are too slow")
{
    run_seeds((plan){.has_policies = true, .has_notes = true});
    run_seeds((plan){.has_policies = true, .has_notes = true, .may_lose = true});
}

TEST("200 seeds of a stream that is closed: each gets all, and is told behind it")
{
    run_seeds((plan){.end = DX_STREAM_END_CLOSED});
    run_seeds((plan){
        .end = DX_STREAM_END_CLOSED, .has_policies = true, .has_notes = true, .may_lose = true});
}

TEST("200 seeds of a stream that is deleted: each is told, between messages")
{
    run_seeds((plan){.end = DX_STREAM_END_DELETED});
    run_seeds((plan){
        .end = DX_STREAM_END_DELETED, .has_policies = true, .has_notes = true, .may_lose = true});
}

TEST("200 seeds with allocations that fail: readers catch up or are told, and nothing is lost")
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed, &(plan){.may_lose = seed % 2,
                               .has_notes = true,
                               .has_policies = seed % 4 > 1,
                               .end = (dx_stream_end)(seed % 3),
                               .fail_every = 1 + (unsigned)(seed % 7)});
}
