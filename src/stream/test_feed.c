/* Tests of the feed, each a short scene: who reads, what is published, what arrives.
 * SPDX-License-Identifier: MIT */
#include "stream/test_reader.h"
#include "tests/tap.h"

#define CHECK_SCENE(s)                                                                             \
    do {                                                                                           \
        const char *fault_of_scene = scene_fault(s);                                               \
        if (fault_of_scene)                                                                        \
            TAP_FAIL("the feed is wrong: %s", fault_of_scene);                                     \
    } while (0)

#define CHECK_READER(r, count)                                                                     \
    do {                                                                                           \
        if ((r)->fault)                                                                            \
            TAP_FAIL("a reader got %s", (r)->fault);                                               \
        CHECK_INT((r)->received_count, count);                                                     \
    } while (0)

static reader *start(scene *s, uint64_t next, uint64_t origin)
{
    reader *r = calloc(1, sizeof *r);

    if (r == NULL)
        abort();
    reader_start(r, s, next, origin);
    reader_continue(r);
    return r;
}

static void leave(reader *r)
{
    reader_leave(r);
    free(r);
}

TEST("nobody reads: nothing is encoded, the sequence goes on")
{
    scene *s = scene_new();

    for (int i = 0; i < 10; i++)
        scene_publish(s, 100, 0, false);
    CHECK(s->feed->first == NULL);
    CHECK_INT(s->feed->next_sequence, 11);
    CHECK_SCENE(s);
    scene_free(s);
}

TEST("what is published arrives at the end of the turn, once, and the block goes")
{
    scene *s = scene_new();
    reader *a = start(s, 1, 0), *b = start(s, 1, 0);

    a->take_bytes = b->take_bytes = SIZE_MAX;
    CHECK_INT(a->sub.state, DX_SUBSCRIBER_LIVE);
    for (int i = 0; i < 5; i++)
        scene_publish(s, 10, 0, false);
    CHECK_READER(a, 0);
    scene_turn(s);
    CHECK_READER(a, 5);
    CHECK_READER(b, 5);
    CHECK_INT(a->wakes, 1);
    CHECK(s->feed->first == NULL);
    CHECK_SCENE(s);
    leave(a);
    leave(b);
    scene_free(s);
}

TEST("bytes leave one at a time, or in parts of any size: the messages are the same")
{
    for (size_t part = 1; part < 140; part++) {
        scene *s = scene_new();
        reader *a = start(s, 1, 0);
        for (size_t i = 0; i < 12; i++)
            scene_publish(s, i * 5, 0, false);
        scene_turn(s);
        reader_drain(a, part);
        CHECK_READER(a, 12);
        CHECK(s->feed->first == NULL);
        CHECK_SCENE(s);
        leave(a);
        scene_free(s);
    }
}

TEST("a message larger than any block has one of its own")
{
    scene *s = scene_new();
    reader *a = start(s, 1, 0);

    scene_publish(s, 10, 0, false);
    scene_publish(s, 140000, 0, false);
    scene_publish(s, 10, 0, false);
    scene_turn(s);
    reader_drain(a, 9999);
    CHECK_READER(a, 3);
    CHECK_SCENE(s);
    leave(a);
    scene_free(s);
}

TEST("blocks stay until the last one has sent them, or has left")
{
    scene *s = scene_new();
    reader *a = start(s, 1, 0), *b = start(s, 1, 0), *c = start(s, 1, 0);

    scene_publish(s, 100, 0, false);
    scene_turn(s);
    reader_drain(a, SIZE_MAX);
    CHECK(s->feed->first != NULL);
    reader_drain(b, 7);
    CHECK(s->feed->first != NULL);
    reader_take(c, 50);
    CHECK_SCENE(s);
    leave(c);
    CHECK(s->feed->first == NULL);
    CHECK_SCENE(s);
    leave(a);
    leave(b);
    scene_free(s);
}

/* Publishes by the bits of `pattern`: 1 is the reader's own. Gives how many are not. */
static uint64_t publish_mix(scene *s, unsigned pattern, unsigned count)
{
    uint64_t foreign = 0;

    for (unsigned i = 0; i < count; i++) {
        bool is_own = pattern >> i & 1;
        scene_publish(s, 3 + i, is_own ? 77 : i % 2, false);
        foreign += !is_own;
    }
    return foreign;
}

TEST("one's own messages are left out, in every mix of 7, sent in parts of every size")
{
    for (unsigned pattern = 0; pattern < 128; pattern++)
        for (size_t part = 1; part < 150; part = part < 24 ? part + 1 : part * 2) {
            scene *s = scene_new();
            reader *a = start(s, 1, 77), *b = start(s, 1, 0);
            uint64_t foreign = publish_mix(s, pattern, 7);
            scene_turn(s);
            reader_drain(a, part);
            reader_drain(b, SIZE_MAX);
            CHECK_READER(a, foreign);
            CHECK_READER(b, 7);
            CHECK(!dx_subscriber_is_behind(&a->sub));
            CHECK(s->feed->first == NULL);
            CHECK_SCENE(s);
            leave(a);
            leave(b);
            scene_free(s);
        }
}

TEST("one's own messages that come while a send is in flight are left out, too")
{
    for (unsigned pattern = 0; pattern < 64; pattern++)
        for (size_t part = 0; part < 60; part += 7) {
            scene *s = scene_new();
            reader *a = start(s, 1, 77);
            uint64_t foreign = publish_mix(s, pattern, 3);
            bool is_up = reader_hold(a);
            foreign += publish_mix(s, pattern >> 3, 3);
            if (is_up)
                reader_land(a, part);
            scene_turn(s);
            reader_drain(a, 5);
            CHECK_READER(a, foreign);
            CHECK_SCENE(s);
            leave(a);
            scene_free(s);
        }
}

TEST("passing over one's own messages without a send lets the block go")
{
    scene *s = scene_new();
    reader *a = start(s, 1, 77);

    scene_publish(s, 100, 77, false);
    CHECK(dx_subscriber_is_behind(&a->sub));
    CHECK(
        !reader_take(a, SIZE_MAX)); /* as a socket does that has become writable, not in a flush */
    CHECK(s->feed->first == NULL);
    CHECK_SCENE(s);
    leave(a);
    scene_free(s);
}

TEST("who leaves with a send in flight: the bytes stay until it has landed")
{
    scene *s = scene_new();
    reader *a = start(s, 1, 0), *b = start(s, 1, 0);

    scene_publish(s, 1000, 0, false);
    CHECK(reader_hold(a));
    reader_drain(b, SIZE_MAX);
    dx_subscriber_stop(&a->sub);
    CHECK(s->feed->first != NULL);
    CHECK_SCENE(s);
    for (int i = 0; i < 3; i++)
        scene_publish(s, 1000, 0, false);
    scene_turn(s);
    reader_drain(b, SIZE_MAX);
    CHECK(s->feed->first != NULL);
    CHECK_SCENE(s);
    reader_land(a, 500);
    CHECK(s->feed->first == NULL);
    CHECK_SCENE(s);
    leave(a);
    leave(b);
    scene_free(s);
}

TEST("what nobody who stays was to get is not joined over: the log fills the hole")
{
    scene *s = scene_new();
    reader *a = start(s, 1, 0);

    scene_publish(s, 10, 0, false);
    CHECK(reader_hold(a));
    dx_subscriber_stop(&a->sub);
    scene_publish(s, 10, 0, false); /* nobody is live: it is not encoded */
    reader *b = start(s, 1, 0);
    reader_drain(b, SIZE_MAX);
    reader_land(a, 0);
    CHECK_READER(b, 2);
    CHECK_INT(b->sub.state, DX_SUBSCRIBER_LIVE);
    CHECK_SCENE(s);
    leave(a);
    leave(b);
    scene_free(s);
}

/* ---- the window ----------------------------------------------------------------------------------- */

TEST(
    "a stalled one falls behind when the window is full, between messages, and reads on from the log")
{
    scene *s = scene_new();
    reader *slow = start(s, 1, 0), *fast = start(s, 1, 0);

    s->feed->window_bytes = 10000;
    fast->take_bytes = SIZE_MAX;
    for (int i = 0; i < 100; i++) {
        scene_publish(s, 500, 0, false);
        scene_turn(s);
        CHECK(s->feed->tail - s->feed->head <= 10000 + 65536 + 512);
        CHECK_SCENE(s);
    }
    CHECK_INT(slow->falls, 1);
    CHECK_INT(slow->sub.state, DX_SUBSCRIBER_CATCHING);
    CHECK_INT(slow->sub.next, 1);
    CHECK_INT(fast->falls, 0);
    CHECK_READER(fast, 100);
    reader_drain(slow, 333);
    CHECK_READER(slow, 100);
    CHECK_INT(slow->sub.state, DX_SUBSCRIBER_LIVE);
    leave(slow);
    leave(fast);
    scene_free(s);
}

TEST("one that falls behind in the middle of a message gets its rest, whatever was sent of it")
{
    for (size_t sent = 1; sent < 2 * (12 + 500); sent += 13) {
        scene *s = scene_new();
        reader *slow = start(s, 1, 0), *fast = start(s, 1, 0);
        s->feed->window_bytes = 5000;
        fast->take_bytes = SIZE_MAX;
        scene_publish(s, 500, 0, false);
        scene_publish(s, 500, 0, false);
        scene_turn(s);
        reader_take(slow, sent);
        for (int i = 0; i < 50; i++) {
            scene_publish(s, 500, 0, false);
            scene_turn(s);
        }
        CHECK_INT(slow->falls, 1);
        CHECK_INT(slow->part_size, 0);
        CHECK_INT(slow->sub.next, sent < 512 ? 2 : sent == 512 ? 2 : 3);
        reader_drain(slow, SIZE_MAX);
        CHECK_READER(slow, 52);
        CHECK_READER(fast, 52);
        CHECK_SCENE(s);
        leave(slow);
        leave(fast);
        scene_free(s);
    }
}

TEST("sends in flight do not keep the window from moving: only what is under way stays")
{
    scene *s = scene_new();
    reader *slow = start(s, 1, 0), *fast = start(s, 1, 0);

    s->feed->window_bytes = 10000;
    fast->is_holding = true; /* as a backend does that completes in the next turn */
    for (int i = 0; i < 1000; i++) {
        scene_publish(s, 500, 0, false);
        reader_land(fast, SIZE_MAX);
        scene_turn(s);
        CHECK(s->feed->tail - s->feed->head <= 10000 + 2 * 65536);
        CHECK_SCENE(s);
    }
    fast->is_holding = false;
    reader_land(fast, SIZE_MAX);
    reader_drain(fast, SIZE_MAX);
    reader_drain(slow, SIZE_MAX);
    CHECK_READER(fast, 1000);
    CHECK_READER(slow, 1000);
    leave(slow);
    leave(fast);
    scene_free(s);
}

TEST("the last of the feed's readers falls behind while its connection is closing")
{
    scene *s = scene_new();
    reader *slow = start(s, 1, 0);

    s->feed->window_bytes = 5000;
    scene_publish(s, 500, 0, false);
    scene_turn(s);
    reader_take(slow, 100);
    dx_subscriber_freeze(&slow->sub);
    for (int i = 0; i < 100; i++) {
        scene_publish(s, 500, 0, false);
        scene_turn(s);
        CHECK_SCENE(s);
    }
    CHECK_INT(slow->sub.state, DX_SUBSCRIBER_STOPPED);
    CHECK_READER(slow, 1); /* the rest of what was begun */
    leave(slow);
    scene_free(s);
}

/* ---- joining -------------------------------------------------------------------------------------- */

TEST("joining: at the tail, at every message in the window, and not before it")
{
    scene *s = scene_new();
    reader *slow = start(s, 1, 0);

    s->feed->window_bytes = 8000;
    for (int i = 0; i < 40; i++) {
        scene_publish(s, 500, 0, false);
        scene_turn(s);
        reader_drain(slow, 12 + 500);
        if (i == 20)
            slow->is_holding = reader_hold(slow); /* from here on the feed keeps all */
    }
    uint64_t held = slow->sub.position;
    for (uint64_t next = 1; next <= 42; next++) {
        reader *r = start(s, next, 0);
        reader_drain(r, 100);
        CHECK_READER(r, next <= 40 ? 41 - next : 0);
        leave(r);
        CHECK_SCENE(s);
    }
    CHECK(slow->sub.position == held);
    reader_land(slow, SIZE_MAX);
    leave(slow);
    scene_free(s);
}

TEST("one who has read further than the feed has come waits, and joins when it gets there")
{
    scene *s = scene_new();
    reader *live = start(s, 1, 0);

    for (int i = 0; i < 3; i++)
        scene_publish(s, 10, 0, true); /* in the log, and still on the way to the feed */
    reader *ahead = start(s, 4, 0);
    CHECK(ahead->sub.is_waiting);
    CHECK_SCENE(s);
    for (uint64_t n = 1; n <= 3; n++) {
        dx_feed_append(s->feed, s->messages[n]);
        CHECK_INT(ahead->sub.state, n < 3 ? DX_SUBSCRIBER_CATCHING : DX_SUBSCRIBER_LIVE);
        CHECK_SCENE(s);
    }
    scene_publish(s, 10, 0, false);
    reader_drain(live, SIZE_MAX);
    reader_drain(ahead, SIZE_MAX);
    CHECK_READER(live, 4);
    CHECK_READER(ahead, 1);
    reader *gone = start(s, 9, 0);
    CHECK(gone->sub.is_waiting);
    leave(gone);
    CHECK_SCENE(s);
    leave(live);
    leave(ahead);
    scene_free(s);
}

TEST("a jump in the sequence: who is live reads the log, who waited in the hole is told to")
{
    scene *s = scene_new();
    reader *live = start(s, 1, 0), *flying = start(s, 1, 0), *cut = start(s, 1, 0);

    scene_publish(s, 10, 0, false);
    CHECK(reader_hold(flying));
    reader_take(cut, 5);
    for (int i = 0; i < 4; i++)
        scene_publish(s, 10, 0, true);
    reader *ahead = start(s, 4, 0);
    CHECK(ahead->sub.is_waiting);
    scene_publish(s, 10, 0, false);
    CHECK_INT(live->sub.next, 1);
    CHECK_INT(cut->sub.next, 2);
    CHECK_INT(flying->sub.state, DX_SUBSCRIBER_LIVE);
    CHECK(!ahead->sub.is_waiting);
    reader *late = start(s, 1, 0);
    reader_drain(late, SIZE_MAX); /* must not read over the hole, which is in the window */
    CHECK_SCENE(s);
    reader_land(flying, SIZE_MAX);
    CHECK_INT(flying->sub.state, DX_SUBSCRIBER_CATCHING);
    CHECK_INT(flying->sub.next, 2);
    reader *const all[] = {live, flying, cut, ahead, late};
    for (size_t i = 0; i < DX_COUNT(all); i++) {
        reader_drain(all[i], SIZE_MAX);
        CHECK_READER(all[i], all[i] == ahead ? 3 : 6);
        CHECK_INT(all[i]->sub.state, DX_SUBSCRIBER_LIVE);
    }
    CHECK_SCENE(s);
    for (size_t i = 0; i < DX_COUNT(all); i++)
        leave(all[i]);
    scene_free(s);
}

/* ---- freezing and flushing ------------------------------------------------------------------------ */

TEST("a frozen one gets the rest of a message sent in part, and nothing more")
{
    for (size_t sent = 0; sent <= 44; sent++) {
        scene *s = scene_new();
        reader *a = start(s, 1, 0);
        scene_publish(s, 10, 0, false);
        scene_publish(s, 10, 0, false);
        scene_turn(s);
        reader_take(a, sent);
        dx_subscriber_freeze(&a->sub);
        CHECK(dx_subscriber_is_behind(&a->sub) == (sent % 22 != 0));
        scene_publish(s, 10, 0, false);
        scene_turn(s);
        reader_drain(a, 3);
        CHECK_READER(a, (sent + 21) / 22);
        CHECK_INT(a->part_size, 0);
        CHECK_SCENE(s);
        leave(a);
        scene_free(s);
    }
}

TEST("freezing one that catches up stops it: the page that was on its way is for nobody")
{
    scene *s = scene_new();

    s->is_log_slow = true;
    scene_publish(s, 10, 0, false);
    reader *a = start(s, 1, 0);
    dx_subscriber_freeze(&a->sub);
    CHECK_INT(a->sub.state, DX_SUBSCRIBER_STOPPED);
    CHECK_INT(s->reads_count, 1);
    scene_answer(s);
    reader_drain(a, SIZE_MAX);
    CHECK_READER(a, 0);
    leave(a);
    scene_free(s);
}

TEST("5000 readers are served over several turns, while others leave and join between them")
{
    enum { COUNT = 5000 };
    scene *s = scene_new();
    reader **all = calloc(COUNT, sizeof *all);

    for (int i = 0; i < COUNT; i++) {
        all[i] = start(s, 1, 0);
        all[i]->take_bytes = SIZE_MAX;
    }
    scene_publish(s, 10, 0, false);
    scene_turn(s);
    CHECK_INT(all[2047]->received_count, 1);
    CHECK_INT(all[2048]->received_count, 0); /* so that others are not kept waiting */
    /* The ones at the cursor, those before and behind it, and the last. */
    for (int i = 2040; i < 2060; i++)
        leave(all[i]);
    leave(all[COUNT - 1]);
    CHECK_SCENE(s);
    reader *late = start(s, 1, 0);
    scene_publish(s, 10, 0, false);
    scene_turn(s);
    CHECK_SCENE(s);
    for (int i = 0; i < 6; i++)
        scene_turn(s);
    for (int i = 0; i < COUNT - 1; i++)
        if (i < 2040 || i >= 2060)
            CHECK_READER(all[i], 2);
    reader_drain(late, 1);
    CHECK_READER(late, 2);
    CHECK(s->feed->first == NULL);
    CHECK_SCENE(s);
    for (int i = 0; i < COUNT - 1; i++)
        if (i < 2040 || i >= 2060)
            leave(all[i]);
    leave(late);
    free(all);
    scene_free(s);
}
