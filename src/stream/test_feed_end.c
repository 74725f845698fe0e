/* Tests of what a feed tells beside messages: notes, ends, and to those who are too slow what they asked for.
 * SPDX-License-Identifier: MIT */
#include "stream/test_reader.h"
#include "tests/tap.h"

#define CHECK_SCENE(s)                                                                             \
    do {                                                                                           \
        const char *fault_of_scene = scene_fault(s);                                               \
        if (fault_of_scene)                                                                        \
            TAP_FAIL("the feed is wrong: %s", fault_of_scene);                                     \
    } while (0)

#define CHECK_READER(r, count, notes)                                                              \
    do {                                                                                           \
        if ((r)->fault)                                                                            \
            TAP_FAIL("a reader got %s", (r)->fault);                                               \
        CHECK_INT((r)->received_count, count);                                                     \
        CHECK_INT((r)->notes_count, notes);                                                        \
    } while (0)

static reader *start(scene *s, uint64_t next, uint64_t origin, dx_on_slow on_slow)
{
    reader *r = calloc(1, sizeof *r);

    if (r == NULL)
        abort();
    r->on_slow = on_slow;
    reader_start(r, s, next, origin);
    return r;
}

static void leave(reader *r)
{
    reader_leave(r);
    free(r);
}

/* Publishes until `slow` has fallen out of the feed, while `fast` takes everything. */
static void outrun(scene *s, const reader *slow, reader *fast)
{
    uint32_t falls = slow->falls;

    s->feed->window_bytes = 5000;
    fast->take_bytes = SIZE_MAX;
    for (int i = 0; i < 200 && slow->falls == falls && !slow->is_cut_off; i++) {
        scene_publish(s, 500, 0, false);
        scene_turn(s);
    }
}

/* ---- notes ---------------------------------------------------------------------------------------- */

enum { MESSAGE = 12 + 10, NOTE = 12 + 30 }; /* on the wire */

TEST("a note comes in its place, sent in parts of any size; it is no message")
{
    for (size_t part = 1; part < 120; part++) {
        scene *s = scene_new();
        reader *a = start(s, 1, 0, DX_ON_SLOW_CATCH_UP),
               *own = start(s, 1, 77, DX_ON_SLOW_CATCH_UP);
        scene_note_add(s, 30);
        scene_publish(s, 10, 77, false);
        scene_note_add(s, 30);
        scene_note_add(s, 4);
        scene_publish(s, 10, 0, false);
        CHECK_INT(s->feed->next_sequence, 3);
        scene_turn(s);
        reader_drain(a, part);
        reader_drain(own, part);
        CHECK_READER(a, 2, 3);
        CHECK_READER(own, 1, 3);
        CHECK(s->feed->first == NULL);
        CHECK_SCENE(s);
        leave(a);
        leave(own);
        scene_free(s);
    }
}

TEST(
    "who is not live does not get it: before the first reader, while catching up, and after the end")
{
    scene *s = scene_new();

    scene_note_add(s, 30);
    CHECK(s->feed->first == NULL);
    scene_publish(s, 10, 0, false);
    reader *live = start(s, 2, 0, DX_ON_SLOW_CATCH_UP);
    s->is_log_slow = true;
    reader *behind = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
    scene_note_add(s, 30);
    scene_answer(s);
    reader_drain(behind, SIZE_MAX);
    reader_drain(live, SIZE_MAX);
    CHECK_READER(live, 0, 1);
    CHECK_READER(behind, 1, 0);
    s->feed->variant = 1; /* whose encoding wants none */
    scene_note_add(s, 30);
    CHECK(s->feed->first == NULL);
    s->feed->variant = 0;
    scene_publish(s, 10, 0, false);
    reader_drain(behind, SIZE_MAX);
    uint64_t tail = s->feed->tail;
    scene_end(s, DX_STREAM_END_CLOSED); /* before `live` has taken the last message */
    scene_note_add(s, 30);
    CHECK_INT(s->feed->tail, tail);
    reader_drain(live, SIZE_MAX);
    scene_turn(s);
    CHECK_READER(live, 1, 1);
    CHECK_INT(live->ends, 1);
    leave(live);
    leave(behind);
    scene_free(s);
}

TEST("falling behind within a note, at it, and around it: its rest, and then the next message")
{
    for (size_t sent = 0; sent <= 2 * MESSAGE + NOTE; sent++) {
        scene *s = scene_new();
        reader *slow = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
        reader *fast = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
        scene_publish(s, 10, 0, false);
        scene_note_add(s, 30);
        scene_publish(s, 10, 0, false);
        reader_take(slow, sent);
        outrun(s, slow, fast);
        CHECK_INT(slow->falls, 1);
        CHECK_INT(slow->part_size, 0);
        CHECK_INT(slow->sub.next, sent == 0 ? 1 : sent <= MESSAGE + NOTE ? 2 : 3);
        reader_drain(slow, SIZE_MAX);
        CHECK_READER(slow, s->tail, sent > MESSAGE);
        CHECK_READER(fast, s->tail, 1);
        CHECK_SCENE(s);
        leave(slow);
        leave(fast);
        scene_free(s);
    }
}

TEST("joining among notes: at each message that the feed has, with the notes behind it")
{
    scene *s = scene_new();
    reader *slow = start(s, 1, 0, DX_ON_SLOW_CATCH_UP); /* keeps everything there */

    for (int i = 0; i < 4; i++) {
        scene_note_add(s, 30);
        scene_publish(s, 10, 0, false);
        scene_note_add(s, 5);
    }
    for (uint64_t next = 1; next <= 5; next++) {
        reader *r = start(s, next, 0, DX_ON_SLOW_CATCH_UP);
        CHECK_INT(r->sub.state, DX_SUBSCRIBER_LIVE);
        reader_drain(r, 7);
        CHECK_READER(r, 5 - next, next == 5 ? 0 : 9 - 2 * next);
        CHECK(!reader_misses_note(r));
        leave(r);
        CHECK_SCENE(s);
    }
    leave(slow);
    scene_free(s);
}

/* ---- too slow -------------------------------------------------------------------------------------- */

TEST("who wants the latest goes on with the newest message, and is told what is left out")
{
    for (size_t sent = 0; sent < 700; sent += 100) {
        scene *s = scene_new();
        reader *slow = start(s, 1, 0, DX_ON_SLOW_LATEST);
        reader *fast = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
        scene_publish(s, 500, 0, false);
        scene_publish(s, 500, 0, false);
        scene_turn(s);
        reader_take(slow, sent);
        outrun(s, slow, fast);
        CHECK_INT(slow->falls, 1);
        CHECK_INT(slow->gaps, 0); /* told when there is room: by then it may be more */
        scene_publish(s, 500, 0, false);
        scene_turn(s);
        uint64_t next = slow->sub.next, newest = s->tail;
        CHECK_INT(next, sent == 0 ? 1 : 2 + (sent > 512));
        reader_drain(slow, SIZE_MAX);
        CHECK_INT(slow->gaps, 1);
        CHECK_INT(slow->gap.requested.sequence, next - 1);
        CHECK_INT(slow->gap.earliest.sequence, newest - 1);
        CHECK_INT(slow->gap.lost, newest - next);
        CHECK_INT(slow->gap.earliest.epoch, 1);
        CHECK_INT(slow->sub.state, DX_SUBSCRIBER_LIVE);
        scene_publish(s, 10, 0, false);
        reader_drain(slow, SIZE_MAX);
        CHECK_READER(slow, next - 1 + 2, 0);
        CHECK_INT(slow->gaps, 1);
        leave(slow);
        leave(fast);
        scene_free(s);
    }
}

TEST(
    "who wants the latest gets all that it can: from the log at first, and what was lost on the way")
{
    scene *s = scene_new();

    for (int i = 0; i < 30; i++)
        scene_publish(s, 10, 0, false);
    reader *r = start(s, 1, 0, DX_ON_SLOW_LATEST), *strict = start(s, 31, 0, DX_ON_SLOW_DISCONNECT);
    reader *fast = start(s, 31, 0, DX_ON_SLOW_CATCH_UP);
    reader_drain(r, SIZE_MAX);
    CHECK_READER(r, 30, 0);
    for (int i = 0; i < 5; i++)
        scene_publish(s, 10, 0, true);
    scene_publish(s, 10, 0, false);
    reader_drain(r, SIZE_MAX);
    reader_drain(strict, SIZE_MAX);
    CHECK_READER(r, 36, 0);
    CHECK_READER(strict, 6, 0);
    CHECK(!strict->is_cut_off);
    CHECK_INT(r->gaps, 0);
    outrun(s, r, fast); /* that it was too slow once is forgotten when it is live again */
    reader_drain(r, SIZE_MAX);
    CHECK_INT(r->gaps, 1);
    uint64_t received = r->received_count;
    for (int i = 0; i < 5; i++)
        scene_publish(s, 10, 0, true);
    scene_publish(s, 10, 0, false);
    reader_drain(r, SIZE_MAX);
    CHECK_READER(r, received + 6, 0);
    CHECK_INT(r->gaps, 1);
    leave(r);
    leave(strict);
    leave(fast);
    scene_free(s);
}

TEST("nothing is left out, nothing is told: the latest is what it needs next, or what comes next")
{
    scene *s = scene_new();
    reader *late = start(s, 1, 0, DX_ON_SLOW_LATEST);
    reader *slow = start(s, 1, 0, DX_ON_SLOW_LATEST), *fast = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);

    scene_publish(s, 10, 0, false);
    reader_take(slow, SIZE_MAX);
    s->feed->window_bytes = 5000;
    fast->take_bytes = SIZE_MAX;
    for (int i = 0; i < 20 && slow->falls == 0; i++) {
        scene_note_add(s, 3000);
        scene_turn(s);
    }
    CHECK_INT(slow->falls, 1);
    CHECK_INT(late->falls, 1);
    reader_drain(late, SIZE_MAX);
    reader_drain(slow, SIZE_MAX);
    scene_publish(s, 10, 0, false);
    reader_drain(slow, SIZE_MAX);
    CHECK_READER(slow, 2, 0);
    CHECK_INT(slow->gaps, 0);
    reader_drain(late, SIZE_MAX);
    CHECK_READER(late, 2, 0);
    CHECK_INT(late->gaps, 0);
    leave(late);
    leave(slow);
    leave(fast);
    scene_free(s);
}

TEST("who wants to be told when it is too slow is stopped, with the end of the message it is in")
{
    for (size_t sent = 0; sent < 700; sent += 100) {
        scene *s = scene_new();
        reader *slow = start(s, 1, 0, DX_ON_SLOW_DISCONNECT);
        reader *fast = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
        scene_publish(s, 500, 0, false);
        scene_publish(s, 500, 0, false);
        scene_turn(s);
        reader_take(slow, sent);
        outrun(s, slow, fast);
        CHECK(slow->is_cut_off);
        CHECK_INT(slow->falls, 0);
        CHECK_INT(slow->sub.state, DX_SUBSCRIBER_STOPPED);
        CHECK_READER(slow, sent == 0 ? 0 : 1 + (sent > 512), 0);
        scene_end(s, DX_STREAM_END_DELETED);
        scene_turn(s);
        CHECK_INT(slow->ends, 0);
        CHECK_SCENE(s);
        leave(slow);
        leave(fast);
        scene_free(s);
    }
}

TEST("one whose connection is closing is not told that it is too slow")
{
    scene *s = scene_new();
    reader *slow = start(s, 1, 0, DX_ON_SLOW_DISCONNECT),
           *fast = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);

    scene_publish(s, 500, 0, false);
    scene_turn(s);
    reader_take(slow, 100);
    dx_subscriber_freeze(&slow->sub);
    outrun(s, slow, fast);
    CHECK(!slow->is_cut_off);
    CHECK_INT(slow->sub.state, DX_SUBSCRIBER_STOPPED);
    CHECK_READER(slow, 1, 0);
    leave(slow);
    leave(fast);
    scene_free(s);
}

/* ---- ends ------------------------------------------------------------------------------------------ */

TEST("closed: who has sent everything is told in that turn, who has not when it has")
{
    scene *s = scene_new();
    reader *at_tail = start(s, 1, 0, DX_ON_SLOW_CATCH_UP),
           *flying = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
    reader *stalled = start(s, 1, 0, DX_ON_SLOW_CATCH_UP),
           *own = start(s, 1, 77, DX_ON_SLOW_CATCH_UP);

    scene_publish(s, 10, 77, false);
    reader_drain(at_tail, SIZE_MAX);
    CHECK(reader_hold(flying));
    scene_end(s, DX_STREAM_END_CLOSED);
    CHECK_INT(at_tail->ends, 0); /* not from within */
    scene_turn(s);
    CHECK_INT(at_tail->ends, 1);
    CHECK_INT(at_tail->why, DX_STREAM_END_CLOSED);
    CHECK_INT(flying->ends, 0);
    CHECK_INT(stalled->ends, 0);
    reader_land(flying, 5);
    scene_turn(s);
    CHECK_INT(flying->ends, 0);
    reader_take(flying, SIZE_MAX);
    scene_turn(s);
    CHECK_INT(flying->ends, 1);
    CHECK(!reader_take(own, SIZE_MAX)); /* its own is passed over */
    scene_turn(s);
    CHECK_INT(own->ends, 1);
    CHECK_INT(stalled->ends, 0);
    reader_drain(stalled, 3);
    scene_turn(s);
    CHECK_INT(stalled->ends, 1);
    CHECK(s->feed->first == NULL);
    CHECK_SCENE(s);
    reader *const all[] = {at_tail, flying, stalled, own};
    for (size_t i = 0; i < DX_COUNT(all); i++) {
        CHECK_READER(all[i], all[i] != own, 0);
        CHECK_INT(all[i]->ends, 1);
        leave(all[i]);
    }
    scene_free(s);
}

TEST("closed: who waits for what is on its way, or catches up, gets what the log has before")
{
    scene *s = scene_new();
    reader *live = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);

    for (int i = 0; i < 10; i++) {
        scene_publish(s, 10, 0, i >= 5); /* the last ones are lost on the way */
        reader_drain(live, SIZE_MAX);
    }
    reader *ahead = start(s, 11, 0, DX_ON_SLOW_CATCH_UP);
    CHECK(ahead->sub.is_waiting);
    s->is_log_slow = true;
    reader *behind = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
    scene_end(s, DX_STREAM_END_CLOSED);
    scene_turn(s);
    CHECK_INT(ahead->ends, 0);
    CHECK_INT(behind->ends, 0);
    CHECK_SCENE(s);
    for (int i = 0; i < 8; i++) {
        reader_drain(ahead, SIZE_MAX);
        reader_drain(behind, SIZE_MAX);
        scene_answer(s);
        scene_turn(s);
    }
    CHECK_READER(ahead, 0, 0);
    CHECK_READER(behind, 10, 0);
    CHECK_INT(ahead->ends, 1);
    CHECK_INT(behind->ends, 1);
    leave(live);
    leave(ahead);
    leave(behind);
    scene_free(s);
}

TEST("deleted: each is told at once, but for the rest of a message that was sent in part")
{
    for (size_t sent = 0; sent <= 44; sent++)
        for (int is_flying = 0; is_flying < 2; is_flying++) {
            scene *s = scene_new();
            reader *r = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
            scene_publish(s, 10, 0, false);
            scene_publish(s, 10, 0, false);
            scene_publish(s, 10, 0, false);
            if (is_flying)
                CHECK(reader_hold(r));
            else
                reader_take(r, sent);
            scene_end(s, DX_STREAM_END_DELETED);
            scene_turn(s);
            CHECK_INT(r->ends, !is_flying && sent % 22 == 0);
            if (is_flying)
                reader_land(r, sent);
            for (int i = 0; i < 30 && reader_take(r, 3); i++)
                continue;
            scene_turn(s);
            CHECK_INT(r->ends, 1);
            CHECK_INT(r->why, DX_STREAM_END_DELETED);
            CHECK_READER(r, (sent + 21) / 22, 0);
            CHECK(s->feed->first == NULL);
            CHECK_SCENE(s);
            leave(r);
            scene_free(s);
        }
}

TEST("deleted: a page that was on its way is for nobody, and who begins after it is told, too")
{
    scene *s = scene_new();

    scene_publish(s, 10, 0, false);
    s->is_log_slow = true;
    reader *behind = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
    scene_publish(s, 10, 0, true);
    reader *waiting = start(s, 3, 0, DX_ON_SLOW_CATCH_UP);
    CHECK(waiting->sub.is_waiting);
    scene_end(s, DX_STREAM_END_DELETED);
    CHECK_SCENE(s);
    reader *late = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
    scene_turn(s);
    scene_answer(s);
    reader *const all[] = {behind, waiting, late};
    for (size_t i = 0; i < DX_COUNT(all); i++) {
        CHECK_INT(all[i]->ends, 1);
        CHECK_READER(all[i], 0, 0);
        leave(all[i]);
    }
    CHECK_INT(s->reads_count, 0);
    scene_free(s);
}

TEST("a log that has another life of the stream: it was deleted, and the topic takes nothing more")
{
    scene *s = scene_new();

    for (int i = 0; i < 10; i++)
        scene_publish(s, 10, 0, false);
    reader *r = start(s, 1, 0, DX_ON_SLOW_CATCH_UP), *live = start(s, 11, 0, DX_ON_SLOW_CATCH_UP);
    s->is_other_life = true;
    CHECK(r->is_room_due);
    reader_continue(r);
    CHECK_INT(dx_topic_end(s->topic), DX_STREAM_END_DELETED);
    scene_publish(s, 10, 0, true);
    dx_topic_deliver(s->topic, s->messages[11]);
    CHECK_INT(dx_topic_next(s->topic), 1);
    scene_turn(s);
    CHECK_READER(r, 7, 0);
    CHECK_READER(live, 0, 0);
    CHECK_INT(r->ends, 1);
    CHECK_INT(live->ends, 1);
    leave(r);
    leave(live);
    scene_free(s);
}

TEST("deleted after it was closed: who was not told yet is told that it is gone")
{
    scene *s = scene_new();
    reader *fast = start(s, 1, 0, DX_ON_SLOW_CATCH_UP), *slow = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);

    scene_publish(s, 10, 0, false);
    reader_drain(fast, SIZE_MAX);
    scene_end(s, DX_STREAM_END_CLOSED);
    scene_turn(s);
    scene_end(s, DX_STREAM_END_DELETED);
    scene_end(s, DX_STREAM_END_DELETED);
    scene_turn(s);
    CHECK_INT(fast->ends, 1);
    CHECK_INT(fast->why, DX_STREAM_END_CLOSED);
    CHECK_INT(slow->ends, 1);
    CHECK_INT(slow->why, DX_STREAM_END_DELETED);
    leave(fast);
    leave(slow);
    scene_free(s);
}

TEST("who is frozen or stopped before its turn is not told")
{
    static const dx_stream_end ends[] = {DX_STREAM_END_CLOSED, DX_STREAM_END_DELETED};

    for (size_t i = 0; i < DX_COUNT(ends); i++) {
        scene *s = scene_new();
        reader *before = start(s, 1, 0, DX_ON_SLOW_CATCH_UP),
               *after = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
        reader *cut = start(s, 1, 0, DX_ON_SLOW_CATCH_UP),
               *gone = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
        dx_subscriber_freeze(&before->sub);
        scene_publish(s, 10, 0, false);
        reader_take(cut, 5);
        reader_drain(after, SIZE_MAX);
        reader_drain(gone, SIZE_MAX);
        scene_end(s, ends[i]);
        dx_subscriber_freeze(&after->sub);
        dx_subscriber_freeze(&cut->sub);
        dx_subscriber_stop(&gone->sub);
        scene_turn(s);
        reader_drain(cut, 1);
        scene_turn(s);
        reader *const all[] = {before, after, cut, gone};
        for (size_t k = 0; k < DX_COUNT(all); k++) {
            CHECK_INT(all[k]->ends, 0);
            CHECK_READER(all[k], all[k] != before, 0);
            leave(all[k]);
        }
        CHECK_SCENE(s);
        scene_free(s);
    }
}

TEST("5000 are told over several turns, while some of them leave")
{
    enum { COUNT = 5000 };
    scene *s = scene_new();
    reader **all = calloc(COUNT, sizeof *all);
    uint32_t told = 0;

    for (int i = 0; i < COUNT; i++)
        all[i] = start(s, 1, 0, DX_ON_SLOW_CATCH_UP);
    scene_end(s, DX_STREAM_END_CLOSED);
    scene_turn(s);
    for (int i = 0; i < COUNT; i++)
        told += all[i]->ends;
    CHECK_INT(told, 2048); /* so that others are not kept waiting */
    for (int i = 2040; i < 2060; i++)
        leave(all[i]);
    for (int i = 0; i < 3; i++)
        scene_turn(s);
    for (int i = 0; i < COUNT; i++) {
        if (i >= 2040 && i < 2060)
            continue;
        CHECK_INT(all[i]->ends, 1);
        leave(all[i]);
    }
    free(all);
    scene_free(s);
}
