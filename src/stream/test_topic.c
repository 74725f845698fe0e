/* Tests of topics: who waits, who is told of the end of a stream, and what comes after it.
 * SPDX-License-Identifier: MIT */
#include "stream/test_duo.h"
#include "tests/tap.h"

/* A listener at hub `on` that has begun with the message `next`. */
static listener *attend(duo *p, uint32_t on, uint64_t next)
{
    listener *l = calloc(1, sizeof *l);

    if (l == NULL || !listener_watch(l, p, on))
        abort();
    duo_turn(p);
    if (!l->is_ready || l->status != DX_STREAM_OK)
        TAP_FAIL("not watching: %d", l->status);
    else
        CHECK_INT(listener_start(l, LISTEN_PLAIN, next), DX_OK);
    return l;
}

static void leave(listener *l)
{
    listener_end(l);
    free(l);
}

/* ---- waiters ------------------------------------------------------------------------------------------ */

typedef struct client {
    dx_waiter waiter;
    uint32_t wakes;
    struct client *other; /* whose wait it ends when woken */
    dx_topic *release;    /* and whose watch it gives back */
} client;

static void on_woken(dx_waiter *waiter)
{
    client *c = DX_CONTAINER(waiter, client, waiter);

    c->wakes++;
    dx_waiter_end(waiter);
    if (c->other)
        dx_waiter_end(&c->other->waiter);
    if (c->release)
        dx_topic_release(c->release);
}

TEST(
    "a waiter is woken once, at the end of the turn in which something came, here and at the other worker")
{
    for (uint32_t on = 0; on < 2; on++) {
        duo *p = duo_new();
        listener *l = attend(p, on, 1);
        client c = {.waiter.woken = on_woken};
        dx_topic_wait(l->topic, &c.waiter);
        duo_settle(p);
        CHECK_INT(c.wakes, 0);
        CHECK_INT(duo_append(p, 1, "x"), DX_STREAM_OK);
        CHECK_INT(duo_append(p, 0, "y"), DX_STREAM_OK);
        duo_settle(p);
        CHECK_INT(c.wakes, 1);
        CHECK_INT(dx_topic_next(l->topic), 3);
        dx_topic_wait(l->topic, &c.waiter); /* for what comes next */
        duo_settle(p);
        CHECK_INT(c.wakes, 1);
        CHECK_INT(duo_append(p, 0, "z"), DX_STREAM_OK);
        duo_settle(p);
        CHECK_INT(c.wakes, 2);
        leave(l);
        duo_free(p);
    }
}

TEST("what comes in one turn is one waking, at its end")
{
    duo *p = duo_new();
    listener *l = attend(p, 0, 1);
    client c = {.waiter.woken = on_woken};

    dx_topic_wait(l->topic, &c.waiter);
    CHECK_INT(duo_append(p, 0, "x"), DX_STREAM_OK); /* does not turn: it is answered at once */
    CHECK_INT(duo_append(p, 0, "y"), DX_STREAM_OK);
    CHECK_INT(c.wakes, 0);
    duo_turn(p);
    CHECK_INT(c.wakes, 1);
    leave(l);
    duo_free(p);
}

TEST("a waiter that ended, or never waited, is not woken; ending it again does nothing")
{
    duo *p = duo_new();
    listener *l = attend(p, 1, 1);
    client c = {.waiter.woken = on_woken}, never = {0};

    dx_waiter_end(&never.waiter);
    dx_topic_wait(l->topic, &c.waiter);
    dx_waiter_end(&c.waiter);
    dx_waiter_end(&c.waiter);
    CHECK_INT(duo_append(p, 0, "x"), DX_STREAM_OK);
    duo_settle(p);
    CHECK_INT(c.wakes, 0);
    leave(l);
    duo_free(p);
}

TEST("who is woken may end another's wait, and the last watch of the topic")
{
    for (uint32_t on = 0; on < 2; on++) {
        duo *p = duo_new();
        listener *l = attend(p, on, 1);
        client b = {.waiter.woken = on_woken}, a = {.waiter.woken = on_woken, .other = &b};
        dx_subscriber_end(&l->sub);
        a.release = l->topic;
        l->topic = NULL, l->watch.topic = NULL, l->sub.feed = NULL;
        dx_topic_wait(a.release, &a.waiter);
        dx_topic_wait(a.release, &b.waiter);
        CHECK_INT(duo_append(p, 0, "x"), DX_STREAM_OK);
        duo_settle(p);
        CHECK_INT(a.wakes, 1);
        CHECK_INT(b.wakes, 0);
        CHECK_INT(p->hubs[on]->topics.count, 0);
        leave(l);
        duo_free(p);
    }
}

TEST("5000 waiters are woken over several turns, each once")
{
    enum { COUNT = 5000 };
    duo *p = duo_new();
    listener *l = attend(p, 0, 1);
    client *all = calloc(COUNT, sizeof *all);
    uint32_t woken = 0;

    for (int i = 0; i < COUNT; i++) {
        all[i].waiter.woken = on_woken;
        dx_topic_wait(l->topic, &all[i].waiter);
    }
    CHECK_INT(duo_append(p, 0, "x"), DX_STREAM_OK);
    dx_loop_step(p->loops[0], 0);
    for (int i = 0; i < COUNT; i++)
        woken += all[i].wakes;
    CHECK_INT(woken, 2048); /* so that others are not kept waiting */
    for (int i = 0; i < 3; i++)
        dx_loop_step(p->loops[0], 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(all[i].wakes, 1);
    free(all);
    leave(l);
    duo_free(p);
}

static void on_woken_again(dx_waiter *waiter)
{
    client *c = DX_CONTAINER(waiter, client, waiter);

    c->wakes++;
    dx_topic_wait(c->release, waiter);
}

TEST(
    "one that waits again while it is woken waits for what comes next, or for the next turn after the end")
{
    enum { COUNT = 3000 };
    duo *p = duo_new();
    listener *l = attend(p, 0, 1);
    client *all = calloc(COUNT, sizeof *all);

    for (int i = 0; i < COUNT; i++) {
        all[i] = (client){.waiter.woken = on_woken_again, .release = l->topic};
        dx_topic_wait(l->topic, &all[i].waiter);
    }
    for (uint32_t k = 1; k < 4; k++) {
        CHECK_INT(duo_append(p, 0, "x"), DX_STREAM_OK);
        duo_settle(p);
        CHECK_INT(all[0].wakes, k);
        CHECK_INT(all[COUNT - 1].wakes, k);
    }
    CHECK_INT(duo_close(p, 0), DX_STREAM_OK);
    for (int i = 1; i < COUNT; i++)
        dx_waiter_end(&all[i].waiter);
    dx_loop_step(p->loops[0], 0);
    uint32_t wakes = all[0].wakes;
    dx_loop_step(p->loops[0], 0);
    CHECK_INT(all[0].wakes, wakes + 1);
    dx_waiter_end(&all[0].waiter);
    free(all);
    leave(l);
    duo_free(p);
}

TEST("the last watch ends before what came was told: nothing is told, and the topic leaves once")
{
    for (uint32_t on = 0; on < 2; on++) {
        duo *p = duo_new();
        listener *l = attend(p, on, 1);
        client c = {.waiter.woken = on_woken};
        dx_message *message = dx_message_new(DX_BYTES("x"), 0);

        dx_topic_wait(l->topic, &c.waiter);
        message->sequence = 1;
        dx_topic_deliver(l->topic, message); /* as a batch from the home does */
        dx_message_unref(message);
        dx_waiter_end(&c.waiter);
        leave(l);
        dx_loop_step(p->loops[on], 0); /* before the home has heard of it */
        duo_settle(p);
        CHECK_INT(c.wakes, 0);
        duo_free(p);
    }
}

TEST("the end of a stream wakes, and who waits after it is woken at once")
{
    for (uint32_t on = 0; on < 2; on++)
        for (int is_deleted = 0; is_deleted < 2; is_deleted++) {
            duo *p = duo_new();
            listener *l = attend(p, on, 1);
            client c = {.waiter.woken = on_woken};
            CHECK_INT(duo_append(p, 0, "x"), DX_STREAM_OK);
            duo_settle(p);
            dx_topic_wait(l->topic, &c.waiter);
            CHECK_INT(is_deleted ? duo_delete(p, 1) : duo_close(p, 1), DX_STREAM_OK);
            duo_settle(p);
            CHECK_INT(c.wakes, 1);
            CHECK_INT(dx_topic_end(l->topic),
                      is_deleted ? DX_STREAM_END_DELETED : DX_STREAM_END_CLOSED);
            dx_topic_wait(l->topic, &c.waiter);
            CHECK_INT(c.wakes, 1); /* but not from within */
            dx_loop_step(p->loops[on], 0);
            CHECK_INT(c.wakes, 2);
            leave(l);
            duo_free(p);
        }
}

TEST(
    "the tail is a whole offset: with the epoch of the newest message, which a fork may have from its source")
{
    duo *p = duo_new();
    listener *l = attend(p, 1, 1);
    dx_message *message = dx_message_new(DX_BYTES("x"), 0);

    dx_offset tail = dx_topic_tail(l->topic);
    CHECK_INT(tail.sequence, 0);
    message->sequence = 1;
    message->epoch = tail.epoch + 5;
    dx_topic_deliver(l->topic, message);
    CHECK_INT(dx_topic_tail(l->topic).sequence, 1);
    CHECK_INT(dx_topic_tail(l->topic).epoch, tail.epoch + 5);
    dx_message_unref(message);
    duo_settle(p);
    leave(l);
    duo_free(p);
}

/* ---- ends --------------------------------------------------------------------------------------------- */

static void check_ended(listener *l, dx_stream_end why, uint64_t received)
{
    CHECK_INT(l->ends, 1);
    CHECK_INT(l->why, why);
    CHECK_INT(l->received, received);
    CHECK(!l->is_broken);
}

TEST(
    "a stream that is closed: all get everything, are told once behind it, and who comes later, too")
{
    duo *p = duo_new();
    listener *here = attend(p, 0, 1), *there = attend(p, 1, 1), *slow = attend(p, 1, 1);

    slow->is_stalled = true;
    for (int i = 0; i < 5; i++)
        CHECK_INT(duo_append(p, 1, "x"), DX_STREAM_OK);
    CHECK_INT(duo_close(p, 1), DX_STREAM_OK);
    duo_settle(p);
    check_ended(here, DX_STREAM_END_CLOSED, 5);
    check_ended(there, DX_STREAM_END_CLOSED, 5);
    CHECK_INT(slow->ends, 0); /* it has not taken everything */
    slow->is_stalled = false;
    slow->sub.feed->encoding->wake(&slow->sub);
    duo_settle(p);
    check_ended(slow, DX_STREAM_END_CLOSED, 5);
    for (uint32_t on = 0; on < 2; on++) {
        listener *at_tail = attend(p, on, 6), *from_start = attend(p, on, 1);
        duo_settle(p);
        listener_continue(from_start);
        duo_settle(p);
        check_ended(at_tail, DX_STREAM_END_CLOSED, 0);
        check_ended(from_start, DX_STREAM_END_CLOSED, 5);
        CHECK_INT(at_tail->lives, 1);
        leave(at_tail);
        leave(from_start);
    }
    CHECK_INT(duo_append(p, 0, "x"), DX_STREAM_CLOSED);
    leave(here);
    leave(there);
    leave(slow);
    /* A topic of its own, that begins with the end. */
    duo_settle(p);
    listener *late = attend(p, 1, 1);
    duo_settle(p);
    listener_continue(late);
    duo_settle(p);
    check_ended(late, DX_STREAM_END_CLOSED, 5);
    leave(late);
    duo_free(p);
}

TEST(
    "a stream that is deleted: all are told, and a new one at its path has nothing to do with them")
{
    for (uint32_t by = 0; by < 2; by++) {
        duo *p = duo_new();
        listener *here = attend(p, 0, 1), *there = attend(p, 1, 1), *slow = attend(p, 1, 1);
        slow->is_stalled = true;
        CHECK_INT(duo_append(p, 0, "x"), DX_STREAM_OK);
        duo_settle(p);
        dx_offset tail = dx_topic_tail(there->topic);
        CHECK_INT(duo_delete(p, by), DX_STREAM_OK);
        duo_settle(p);
        check_ended(here, DX_STREAM_END_DELETED, 1);
        check_ended(there, DX_STREAM_END_DELETED, 1);
        check_ended(slow, DX_STREAM_END_DELETED, 0);
        CHECK_INT(duo_append(p, 0, "new"), DX_STREAM_OK);
        listener *next_here = attend(p, 0, 1), *next_there = attend(p, 1, 1);
        CHECK(next_here->topic != here->topic && next_there->topic != there->topic);
        CHECK(dx_topic_tail(next_there->topic).epoch > tail.epoch);
        CHECK_INT(duo_append(p, 1, "newer"), DX_STREAM_OK);
        duo_settle(p);
        listener_continue(next_here);
        listener_continue(next_there);
        duo_settle(p);
        CHECK_INT(next_here->received, 2);
        CHECK_INT(next_there->received, 2);
        check_ended(there, DX_STREAM_END_DELETED, 1);
        CHECK_INT(dx_topic_next(there->topic), 2);
        /* Who begins on the old one is told, too. */
        listener old = {.topic = there->topic};
        dx_topic_hold(old.topic);
        CHECK_INT(listener_start(&old, LISTEN_PLAIN, 1), DX_OK);
        duo_settle(p);
        check_ended(&old, DX_STREAM_END_DELETED, 0);
        listener_end(&old);
        listener *const all[] = {here, there, slow, next_here, next_there};
        for (size_t i = 0; i < DX_COUNT(all); i++)
            leave(all[i]);
        duo_settle(p);
        CHECK_INT(p->hubs[0]->topics.count + p->hubs[1]->topics.count, 0);
        CHECK(dx_list_is_empty(&p->hubs[0]->unmapped) && dx_list_is_empty(&p->hubs[1]->unmapped));
        duo_free(p);
    }
}

TEST("who catches up when the stream is deleted is told, whatever is at its path by then")
{
    for (int is_remade = 0; is_remade < 2; is_remade++) {
        duo *p = duo_new();
        for (int i = 0; i < 600; i++)
            CHECK_INT(duo_append(p, 0, "x"), DX_STREAM_OK);
        listener *l = attend(p, 1, 1); /* the first page, of 256 */
        duo_settle(p);
        CHECK_INT(l->received, 256);
        listener_continue(l); /* the next one is asked for */
        CHECK_INT(duo_delete(p, 0), DX_STREAM_OK);
        if (is_remade)
            for (int i = 0; i < 600; i++)
                CHECK_INT(duo_append(p, 0, "y"), DX_STREAM_OK);
        duo_settle(p);
        listener_continue(l);
        duo_settle(p);
        CHECK_INT(l->ends, 1);
        CHECK_INT(l->why, DX_STREAM_END_DELETED);
        CHECK(l->received == 256 || l->received == 512);
        CHECK_INT(l->fails, 0);
        CHECK(!l->is_broken);
        leave(l);
        duo_free(p);
    }
}

TEST("the home knows how many watch, on all workers")
{
    duo *p = duo_new();
    listener *all[4];

    for (uint32_t i = 0; i < 4; i++)
        all[i] = attend(p, i % 2, 1);
    for (uint32_t left = 4; left > 0; left--) {
        CHECK_INT(atomic_load(&all[0]->topic->link->subscribers_count), (left + 1) / 2);
        leave(all[left - 1]);
    }
    duo_free(p);
}
