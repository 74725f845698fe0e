/* Tests of looking at a hub: its streams, and how far behind its subscribers are.
 * SPDX-License-Identifier: MIT */
#include "stream/look.h"
#include "stream/test_duo.h"
#include "tests/tap.h"

#include <string.h>

typedef struct seen {
    dx_stream_figures stream; /* the last one */
    uint32_t streams_count, subscribers_count, catching_count;
    uint64_t behind_most;
    dx_offset at; /* of that one */
} seen;

static void on_stream(void *context, const dx_stream_figures *figures)
{
    seen *s = context;

    s->streams_count++;
    s->stream = *figures;
}

static void on_subscriber(void *context, const dx_subscriber_figures *figures)
{
    seen *s = context;

    s->subscribers_count++;
    s->catching_count += figures->is_catching_up;
    if (figures->behind_count >= s->behind_most) {
        s->behind_most = figures->behind_count;
        s->at = figures->at;
    }
}

static seen look_with(duo *p, uint32_t at, uint32_t max)
{
    seen s = {0};

    dx_hub_look_at(p->hubs[at], &(dx_hub_look){max, max, on_stream, on_subscriber, &s});
    return s;
}

static seen look(duo *p, uint32_t at)
{
    return look_with(p, at, 100);
}

static void attend(listener *l, duo *p, uint32_t on, bool is_stalled)
{
    *l = (listener){.is_stalled = is_stalled};
    CHECK(listener_watch(l, p, on));
    duo_settle(p);
    CHECK_INT(listener_start(l, LISTEN_PLAIN, 1), DX_OK);
    duo_settle(p);
}

TEST("a stream is seen at its home, with its end, what is kept, and the subscribers of all workers")
{
    duo *p = duo_new();
    listener l[2];

    CHECK_INT(look(p, 0).streams_count, 0);
    for (int i = 0; i < 30; i++)
        CHECK_INT(duo_append(p, 1, "hello"), DX_STREAM_OK);
    for (uint32_t on = 0; on < 2; on++)
        attend(&l[on], p, on, false);
    seen s = look(p, 0);
    CHECK_INT(s.streams_count, 1);
    CHECK(dx_bytes_equal(s.stream.path, dx_bytes_of(p->path)));
    CHECK_INT(s.stream.tail.sequence, 30);
    CHECK_INT(s.stream.recent.sequence, 10);
    CHECK_INT(s.stream.kept_count, 30);
    CHECK_INT(s.stream.kept_bytes, 30 * 5);
    CHECK_INT(s.stream.subscribers_count, 2);
    CHECK(!s.stream.is_closed && s.stream.written_ms > 0);
    CHECK_INT(look(p, 1).streams_count, 0);
    CHECK_INT(look_with(p, 0, 0).streams_count, 0);
    CHECK_INT(duo_close(p, 0), DX_STREAM_OK);
    duo_settle(p);
    CHECK(look(p, 0).stream.is_closed);
    for (uint32_t on = 0; on < 2; on++)
        listener_end(&l[on]);
    duo_free(p);
}

TEST("who has been sent everything is not behind; who takes nothing is behind by what came since")
{
    for (uint32_t on = 0; on < 2; on++) {
        duo *p = duo_new();
        listener quick, slow;

        CHECK_INT(duo_append(p, 0, "first"), DX_STREAM_OK);
        attend(&quick, p, on, false);
        listener_continue(&quick);
        attend(&slow, p, on, true);
        for (int i = 0; i < 7; i++)
            CHECK_INT(duo_append(p, 0, "hello"), DX_STREAM_OK);
        duo_settle(p);
        seen s = look(p, on);
        CHECK_INT(s.subscribers_count, 2);
        CHECK(s.behind_most >= 7 && s.behind_most <= 8);
        CHECK_INT(s.at.sequence, 8 - s.behind_most);
        CHECK_INT(look_with(p, on, 1).subscribers_count, 1);
        CHECK_INT(look(p, 1 - on).subscribers_count, 0);
        slow.is_stalled = false;
        listener_continue(&slow);
        duo_settle(p);
        listener_end(&slow);
        s = look(p, on);
        CHECK_INT(s.subscribers_count, 1);
        CHECK_INT(s.behind_most, 0);
        CHECK_INT(s.at.sequence, 8);
        CHECK_INT(s.catching_count, 0);
        listener_end(&quick);
        duo_free(p);
    }
}
