/* Tests of streams at their home, and of what goes to another worker: two hubs that one thread turns by
 * turns, so that everything happens in the order that the test says.
 * SPDX-License-Identifier: MIT */
#include "stream/test_listener.h"
#include "stream/test_pair.h"
#include "tests/tap.h"

typedef struct wish {
    const char *type;
    dx_stream_kind kind;
    const char *payload;
} wish;

static dx_stream_status append_as(pair *p, uint32_t from, wish w, dx_offset *next)
{
    dx_append like = {.type = dx_bytes_of(w.type), .kind = w.kind};
    dx_append a = pair_append(p, from, like, TEXTS(w.payload));

    if (next)
        *next = a.next;
    return a.status;
}

static dx_stream_status append(pair *p, uint32_t from, const char *payload)
{
    return append_as(p, from, (wish){"", DX_STREAM_BINARY, payload}, NULL);
}

static dx_read read_at(pair *p, uint32_t from, dx_position position)
{
    return pair_read(p, from, (dx_read){.position = position, .count_max = 100, .bytes_max = 1000});
}

static void check_read(pair *p, uint32_t from, dx_position position, dx_stream_status status,
                       size_t count)
{
    dx_read r = read_at(p, from, position);

    CHECK_INT(r.status, status);
    CHECK_INT(r.count, count);
    dx_read_release(&r);
}

static dx_position at(dx_offset offset, int64_t by)
{
    return (dx_position){DX_OFFSET_AT, {offset.epoch, offset.sequence + (uint64_t)by}};
}

TEST(
    "a stream is not there before its first message; positions before, in and behind what is retained")
{
    for (uint32_t from = 0; from < 2; from++) {
        pair *p = pair_new((dx_retention){3, UINT64_MAX, UINT64_MAX});
        const dx_position start = {.kind = DX_OFFSET_START}, now = {.kind = DX_OFFSET_NOW};
        dx_offset next = {0};
        check_read(p, from, start, DX_STREAM_NOT_FOUND, 0);
        for (int i = 0; i < 5; i++)
            CHECK_INT(append_as(p, from, (wish){"", DX_STREAM_TEXT, "x"}, &next), DX_STREAM_OK);
        CHECK_INT(next.sequence, 5);
        check_read(p, from, start, DX_STREAM_OK, 3);
        check_read(p, from, now, DX_STREAM_OK, 0);
        check_read(p, from, at(next, 0), DX_STREAM_OK, 0);
        check_read(p, from, at(next, -3), DX_STREAM_OK, 3);
        check_read(p, from, at(next, -4), DX_STREAM_GONE, 3); /* with what is left */
        check_read(p, from, at(next, 1), DX_STREAM_FUTURE, 0);
        check_read(p, from, at((dx_offset){next.epoch, UINT64_MAX}, 0), DX_STREAM_FUTURE, 0);
        check_read(p, from, at((dx_offset){next.epoch + 1, 2}, 0), DX_STREAM_GONE, 0);
        dx_read r = read_at(p, from, start);
        CHECK_INT(r.info.start.sequence, 2);
        CHECK_INT(r.info.tail.sequence, 5);
        CHECK_BYTES(dx_stream_info_type(&r.info), "text/plain; charset=utf-8");
        dx_read_release(&r);
        pair_free(p);
    }
}

TEST("for a reader with a bounded depth the stream begins so many messages before its end")
{
    static const struct {
        uint64_t depth;
        int64_t back; /* the position, before the end; 99: the start */
        dx_stream_status status;
        uint64_t count, lost;
    } rows[] = {
        {0, 99, DX_STREAM_OK, 0, 0}, {2, 99, DX_STREAM_OK, 2, 0},   {3, 99, DX_STREAM_OK, 3, 0},
        {9, 99, DX_STREAM_OK, 4, 0}, {2, -2, DX_STREAM_OK, 2, 0},   {2, -3, DX_STREAM_GONE, 2, 1},
        {0, 0, DX_STREAM_OK, 0, 0},  {0, -1, DX_STREAM_GONE, 0, 1}, {9, -5, DX_STREAM_GONE, 4, 1},
    };

    pair *p = pair_new((dx_retention){4, UINT64_MAX, UINT64_MAX});
    dx_offset next = {0};
    for (int i = 0; i < 5; i++)
        CHECK_INT(append_as(p, 0, (wish){"", DX_STREAM_TEXT, "x"}, &next), DX_STREAM_OK);
    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        dx_position from =
            rows[i].back == 99 ? (dx_position){.kind = DX_OFFSET_START} : at(next, rows[i].back);
        dx_read r = pair_read(
            p, 1, (dx_read){.position = from, .has_depth = true, .depth_max = rows[i].depth});
        if (r.status != rows[i].status || r.count != rows[i].count || r.lost != rows[i].lost)
            TAP_FAIL("row %zu: status %d, count %zu, lost %d", i, (int)r.status, r.count,
                     (int)r.lost);
        CHECK_INT(r.info.start.sequence, 5 - dx_min_u64(rows[i].depth, 4));
        dx_read_release(&r);
    }
    dx_read r = pair_read(p, 1, (dx_read){.last = 3, .has_depth = true, .depth_max = 2});
    CHECK_INT(r.count, 2);
    dx_read_release(&r);
    pair_free(p);
}

TEST("the first message decides the type: by its Content-Type, or by its kind")
{
    static const struct {
        wish first, second;
        dx_stream_status status;
    } rows[] = {
        {{"text/a", DX_STREAM_TEXT, "x"}, {"TEXT/A", DX_STREAM_TEXT, "x"}, DX_STREAM_OK},
        {{"text/a", DX_STREAM_TEXT, "x"}, {"text/b", DX_STREAM_TEXT, "x"}, DX_STREAM_TYPE},
        {{"text/a", DX_STREAM_TEXT, "x"}, {"", DX_STREAM_TEXT, "x"}, DX_STREAM_OK},
        {{"text/a", DX_STREAM_TEXT, "x"}, {"", DX_STREAM_BINARY, "x"}, DX_STREAM_TYPE},
        {{"a/json", DX_STREAM_JSON, "1"}, {"", DX_STREAM_TEXT, "{}"}, DX_STREAM_OK},
        {{"a/json", DX_STREAM_JSON, "1"}, {"", DX_STREAM_TEXT, "{"}, DX_STREAM_BAD_JSON},
        {{"a/json", DX_STREAM_JSON, "1"}, {"", DX_STREAM_BINARY, "1"}, DX_STREAM_TYPE},
        {{"", DX_STREAM_BINARY, "x"}, {"", DX_STREAM_TEXT, "x"}, DX_STREAM_OK},
        {{"", DX_STREAM_BINARY, "x"}, {"text/a", DX_STREAM_TEXT, "x"}, DX_STREAM_TYPE},
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        pair *p = pair_new(KEEP_ALL);
        CHECK_INT(append_as(p, 0, rows[i].first, NULL), DX_STREAM_OK);
        CHECK_INT(append_as(p, 1, rows[i].second, NULL), rows[i].status);
        check_read(p, 0, (dx_position){.kind = DX_OFFSET_START}, DX_STREAM_OK,
                   rows[i].status == DX_STREAM_OK ? 2 : 1);
        pair_free(p);
    }
}

TEST("a page holds no more bytes than asked for, but one message at least")
{
    pair *p = pair_new(KEEP_ALL);
    char text[700];

    memset(text, 'x', sizeof text);
    for (size_t size = 100; size < 700; size += 100) {
        text[size] = '\0';
        CHECK_INT(append(p, 0, text), DX_STREAM_OK);
        text[size] = 'x';
    }
    check_read(p, 1, (dx_position){.kind = DX_OFFSET_START}, DX_STREAM_OK, 4); /* 100 to 400 */
    dx_read r = pair_read(
        p, 0, (dx_read){.position = {.kind = DX_OFFSET_START}, .count_max = 10, .bytes_max = 1});
    CHECK_INT(r.count, 1);
    dx_read_release(&r);
    pair_free(p);
}

/* ---- readers ---------------------------------------------------------------------------------------- */

TEST("a watch that is ended before it is ready is not called; one that follows gets everything")
{
    for (int turns = 0; turns < 4; turns++) {
        pair *p = pair_new(KEEP_ALL);
        listener gone, next;
        listener_begin(p, 1, &gone);
        for (int i = 0; i < turns && !gone.is_ready; i++)
            dx_loop_step(p->loops[i % 2], 0);
        if (gone.is_ready)
            listener_end(&gone);
        else
            dx_watch_end(&gone.watch);
        bool was_ready = gone.is_ready;
        listener_begin(p, 1, &next);
        pair_turn(p);
        CHECK(gone.is_ready == was_ready);
        CHECK(next.is_ready);
        CHECK_INT(append(p, 0, "x"), DX_STREAM_OK);
        listener_turn(p, &next);
        CHECK_INT(next.received, 1);
        listener_end(&next);
        pair_turn(p);
        CHECK_INT(p->hubs[1]->topics.count, 0);
        pair_free(p);
    }
}

TEST("a stream that nobody waits for and that holds nothing is forgotten, at once or by the sweep")
{
    pair *p = pair_new((dx_retention){10, UINT64_MAX, 20});
    listener l;

    for (uint32_t on = 0; on < 2; on++) {
        listener_begin(p, on, &l);
        pair_turn(p);
        CHECK_INT(p->hubs[0]->streams.count, 1);
        listener_end(&l);
        pair_turn(p);
        CHECK_INT(p->hubs[0]->streams.count, 0);
    }
    CHECK_INT(append(p, 1, "x"), DX_STREAM_OK);
    dx_home_sweep(p->hubs[0]);
    CHECK_INT(p->hubs[0]->streams.count, 1);
    pair_pass(p, 40);
    pair_turn(p);
    listener_begin(p, 1, &l);
    pair_turn(p);
    dx_home_sweep(p->hubs[0]);
    CHECK_INT(p->hubs[0]->streams.count, 1); /* somebody waits */
    listener_end(&l);
    pair_turn(p);
    CHECK_INT(p->hubs[0]->streams.count, 0);
    pair_free(p);
}

TEST(
    "an array larger than what is retained: all of it reaches who is live, here and at the other worker")
{
    enum { COUNT = 500 };
    pair *p = pair_new((dx_retention){10, UINT64_MAX, UINT64_MAX});
    const char *texts[COUNT + 1] = {0};
    listener here, there;

    listener_begin(p, 0, &here);
    listener_begin(p, 1, &there);
    pair_turn(p);
    for (int i = 0; i < COUNT; i++)
        texts[i] = "x";
    dx_append all = pair_append(p, 1, (dx_append){.kind = DX_STREAM_BINARY}, texts);
    listener_turn(p, &there);
    CHECK_INT(all.status, DX_STREAM_OK);
    CHECK_INT(all.next.sequence, COUNT);
    CHECK_INT(here.received, COUNT);
    CHECK_INT(there.received, COUNT);
    CHECK(!here.is_broken && !there.is_broken);
    CHECK_INT(p->hubs[1]->topics.count, 1);
    listener_end(&here);
    listener_end(&there);
    pair_turn(p);
    pair_free(p);
}

TEST(
    "a worker that is too slow for what a batch holds is told how many messages the log has lost meanwhile")
{
    enum { KEPT = 100, COUNT = 3 * DX_BATCH_COUNT_MAX };
    pair *p = pair_new((dx_retention){KEPT, UINT64_MAX, UINT64_MAX});
    listener there;

    listener_begin(p, 1, &there);
    pair_turn(p);
    for (int i = 0; i < COUNT; i++) {
        pair_answer answer = {0};
        pair_begin_append(p, 0, &answer, TEXTS("x"));
        if (i % 50 == 0)
            dx_loop_step(p->loops[0], 0); /* only the home turns */
    }
    listener_turn(p, &there);
    CHECK(there.lost > 0);
    CHECK_INT(there.received + there.lost, COUNT);
    CHECK(there.received >= DX_BATCH_COUNT_MAX);
    CHECK(!there.is_broken);
    CHECK_INT(append(p, 0, "x"), DX_STREAM_OK);
    listener_turn(p, &there);
    CHECK_INT(there.received + there.lost, COUNT + 1);
    listener_end(&there);
    pair_turn(p);
    pair_free(p);
}
