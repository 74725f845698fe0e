/* Tests of streams made by name: creation, closing, lifetimes, deletion, what subscribers are told.
 * SPDX-License-Identifier: MIT */
#include "stream/test_pair.h"
#include "tests/tap.h"

static pair *pair_by_put(void)
{
    pair *p = pair_new(KEEP_ALL);

    p->ns.creation = DX_CREATE_BY_PUT;
    return p;
}

static dx_create text_plain(void)
{
    return (dx_create){.type = DX_BYTES("text/plain")};
}

static dx_stream_status create(pair *p, uint32_t from, dx_create like)
{
    return pair_create(p, from, like, NULL).status;
}

static dx_stream_status append(pair *p, uint32_t from, const char *text)
{
    return pair_append(p, from, (dx_append){.type = DX_BYTES("text/plain")}, TEXTS(text)).status;
}

static dx_append close_with(pair *p, uint32_t from, const char *const *texts)
{
    dx_append_rules rules = {.is_closing = true};
    dx_append a =
        pair_append(p, from, (dx_append){.type = DX_BYTES("text/plain"), .rules = &rules}, texts);

    a.rules = NULL;
    return a;
}

/* ---- creating --------------------------------------------------------------------------------- */

TEST("what is made by PUT only is not there before: append, read, watch and delete find nothing")
{
    for (uint32_t from = 0; from < 2; from++) {
        pair *p = pair_by_put();
        CHECK_INT(append(p, from, "x"), DX_STREAM_NOT_FOUND);
        CHECK(strcmp(pair_text(p, from, p->path), "[not found]") == 0);
        CHECK_INT(pair_delete(p, from, p->path), DX_STREAM_NOT_FOUND);
        CHECK_INT(close_with(p, from, NULL).status, DX_STREAM_NOT_FOUND);
        CHECK_INT(p->hubs[0]->streams.count, 0);
        CHECK_INT(create(p, from, text_plain()), DX_STREAM_OK);
        CHECK_INT(append(p, from, "x"), DX_STREAM_OK);
        CHECK(strcmp(pair_text(p, from, p->path), "x") == 0);
        pair_free(p);
    }
}

TEST("a stream made by PUT stays, empty and unwatched; one made by a watch does not")
{
    pair *p = pair_new(KEEP_ALL);

    CHECK_INT(create(p, 1, (dx_create){0}), DX_STREAM_OK);
    dx_home_sweep(p->hubs[0]);
    CHECK_INT(p->hubs[0]->streams.count, 1);
    dx_stream_info info = pair_info(p, 1, p->path);
    CHECK_BYTES(dx_stream_info_type(&info), "application/octet-stream");
    CHECK_INT(info.kind, DX_STREAM_BINARY);
    CHECK_INT(info.tail.sequence, 0);
    CHECK(info.identity != 0);
    pair_free(p);
}

TEST("§5.1 the same again is OK and not new, what differs a conflict")
{
    static const struct {
        dx_create first, second;
        dx_stream_status status;
    } rows[] = {
        {{.type = DX_BYTES("text/plain")}, {.type = DX_BYTES("TEXT/plain")}, DX_STREAM_OK},
        {{.type = DX_BYTES("text/plain")}, {.type = DX_BYTES("text/html")}, DX_STREAM_CONFLICT},
        {{.type = DX_BYTES("a/b;c=d")}, {.type = DX_BYTES("a/b ; C=D")}, DX_STREAM_OK},
        {{.type = DX_BYTES("a/b;c=d")}, {.type = DX_BYTES("a/b")}, DX_STREAM_CONFLICT},
        {{.type = DX_BYTES("a/b;c=d")}, {.type = DX_BYTES("a/b;c=e")}, DX_STREAM_CONFLICT},
        {{0}, {.type = DX_BYTES("application/octet-stream")}, DX_STREAM_OK},
        {{0}, {.is_closed = true}, DX_STREAM_CONFLICT},
        {{.is_closed = true}, {.is_closed = true}, DX_STREAM_OK},
        {{.is_closed = true}, {0}, DX_STREAM_CONFLICT},
        {{.lifetime = {DX_LIFETIME_IDLE, 9, 0}},
         {.lifetime = {DX_LIFETIME_IDLE, 9, 0}},
         DX_STREAM_OK},
        {{.lifetime = {DX_LIFETIME_IDLE, 9, 0}},
         {.lifetime = {DX_LIFETIME_IDLE, 8, 0}},
         DX_STREAM_CONFLICT},
        {{.lifetime = {DX_LIFETIME_IDLE, 9, 0}}, {0}, DX_STREAM_CONFLICT},
        {{.lifetime = {DX_LIFETIME_UNTIL, 0, UINT64_MAX}},
         {.lifetime = {DX_LIFETIME_UNTIL, 0, UINT64_MAX}},
         DX_STREAM_OK},
        {{.lifetime = {DX_LIFETIME_UNTIL, 0, UINT64_MAX}},
         {.lifetime = {DX_LIFETIME_UNTIL, 0, UINT64_MAX - 1}},
         DX_STREAM_CONFLICT},
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        pair *p = pair_by_put();
        dx_create first = pair_create(p, i % 2, rows[i].first, NULL);
        CHECK_INT(first.status, DX_STREAM_OK);
        CHECK(first.is_new);
        dx_create second = pair_create(p, 1 - i % 2, rows[i].second, NULL);
        if (second.status != rows[i].status)
            TAP_FAIL("row %zu: %d", i, second.status);
        CHECK(!second.is_new);
        if (second.status == DX_STREAM_OK)
            CHECK(second.info.identity == first.info.identity);
        pair_free(p);
    }
}

TEST("first messages come with the stream, as one; a second time they are left out")
{
    for (uint32_t from = 0; from < 2; from++) {
        pair *p = pair_by_put();
        dx_create c = pair_create(p, from, text_plain(), TEXTS("a", "b"));
        CHECK_INT(c.info.tail.sequence, 2);
        CHECK_INT(c.info.kind, DX_STREAM_TEXT);
        CHECK_INT(pair_create(p, from, text_plain(), TEXTS("c")).info.tail.sequence, 2);
        CHECK(strcmp(pair_text(p, from, p->path), "a|b") == 0);
        dx_read r = pair_read(p, from, (dx_read){.position.kind = DX_OFFSET_START});
        CHECK(!r.messages[0]->is_last && r.messages[1]->is_last);
        CHECK_INT(r.messages[1]->epoch, c.info.tail.epoch);
        dx_read_release(&r);
        pair_free(p);
    }
}

TEST("a namespace's own type: streams get it, another is refused, appends without a type follow it")
{
    pair *p = pair_new(KEEP_ALL);

    p->ns.type = "application/json; charset=utf-8";
    CHECK_INT(create(p, 0, text_plain()), DX_STREAM_TYPE);
    CHECK_INT(append(p, 1, "x"), DX_STREAM_TYPE);
    CHECK_INT(p->hubs[0]->streams.count, 0);
    dx_append bare = {.kind = DX_STREAM_TEXT};
    CHECK_INT(pair_append(p, 1, bare, TEXTS("{")).status, DX_STREAM_BAD_JSON);
    CHECK_INT(pair_append(p, 1, bare, TEXTS("{}")).status, DX_STREAM_OK);
    CHECK_INT(pair_info(p, 0, p->path).kind, DX_STREAM_JSON);
    dx_create made = pair_create(p, 0, (dx_create){.path = dx_bytes_of(p->names[0][1])}, NULL);
    CHECK_BYTES(dx_stream_info_type(&made.info), "application/json; charset=utf-8");
    CHECK_INT(made.info.kind, DX_STREAM_JSON);
    pair_free(p);
}

/* ---- reading ---------------------------------------------------------------------------------- */

TEST("the last N messages, whatever the position; where to read on; what is lost")
{
    pair *p = pair_new((dx_retention){4, UINT64_MAX, UINT64_MAX});
    dx_offset next = pair_append(p, 0, (dx_append){0}, TEXTS("1", "2", "3", "4", "5", "6")).next;

    for (uint64_t last = 1; last < 8; last++) {
        dx_read r = pair_read(p, 1, (dx_read){.last = last, .position.kind = DX_OFFSET_NOW});
        CHECK_INT(r.status, DX_STREAM_OK);
        CHECK_INT(r.count, last < 4 ? last : 4);
        CHECK_INT(r.messages[r.count - 1]->sequence, 6);
        CHECK(dx_offset_compare(r.next, next) == 0);
        dx_read_release(&r);
    }
    dx_read r =
        pair_read(p, 1, (dx_read){.position = {DX_OFFSET_AT, {next.epoch, 1}}, .count_max = 2});
    CHECK_INT(r.status, DX_STREAM_GONE);
    CHECK_INT(r.lost, 1);
    CHECK_INT(r.count, 2);
    CHECK_INT(r.next.sequence, 4);
    CHECK_INT(r.info.start.sequence, 2);
    dx_read_release(&r);
    r = pair_read(p, 1, (dx_read){.position = {DX_OFFSET_AT, {next.epoch - 1, 5}}});
    CHECK_INT(r.status, DX_STREAM_GONE);
    CHECK_INT(r.lost + r.count, 0); /* another life */
    r = pair_read(p, 1, (dx_read){.position = {DX_OFFSET_AT, {0, 5}}, .identity = r.info.identity});
    CHECK_INT(r.status, DX_STREAM_OK);
    CHECK_INT(r.count, 1);
    dx_read_release(&r);
    r = pair_read(p, 1, (dx_read){.position = {DX_OFFSET_AT, {next.epoch, 5}}, .identity = 7});
    CHECK_INT(r.status, DX_STREAM_GONE);
    pair_free(p);
}

TEST("messages carry the time, which does not run backwards in a stream; age is counted by it")
{
    pair *p = pair_new((dx_retention){100, UINT64_MAX, 1000});

    CHECK_INT(append(p, 0, "a"), DX_STREAM_OK);
    pair_pass(p, -5000);
    CHECK_INT(append(p, 0, "b"), DX_STREAM_OK);
    dx_read r = pair_read(p, 0, (dx_read){.position.kind = DX_OFFSET_START});
    CHECK_INT(r.count, 2);
    CHECK(r.messages[0]->time_ms > 0 && r.messages[1]->time_ms == r.messages[0]->time_ms);
    dx_read_release(&r);
    pair_pass(p, 6000);
    CHECK_INT(append(p, 0, "c"), DX_STREAM_OK);
    CHECK(strcmp(pair_text(p, 0, p->path), "a|b|c") == 0); /* 1000 ms are not over 1000 */
    pair_pass(p, 1);
    CHECK(strcmp(pair_text(p, 0, p->path), "c") == 0);
    pair_free(p);
}

/* ---- closing ---------------------------------------------------------------------------------- */

TEST("§5.3 closing is for ever, with last messages or without, and may be asked for again")
{
    for (uint32_t from = 0; from < 2; from++) {
        pair *p = pair_by_put();
        CHECK_INT(create(p, from, text_plain()), DX_STREAM_OK);
        dx_append a = close_with(p, from, TEXTS("last"));
        CHECK_INT(a.status, DX_STREAM_OK);
        CHECK(a.is_closed);
        CHECK(pair_info(p, from, p->path).is_closed);
        dx_append again = close_with(p, from, NULL);
        CHECK_INT(again.status, DX_STREAM_OK);
        CHECK(again.is_closed && dx_offset_compare(again.next, a.next) == 0);
        again = close_with(p, from, TEXTS("more"));
        CHECK_INT(again.status, DX_STREAM_CLOSED);
        CHECK(again.is_closed && dx_offset_compare(again.next, a.next) == 0);
        CHECK_INT(append(p, from, "more"), DX_STREAM_CLOSED);
        /* §5.2 that it is closed comes before that the type is wrong */
        CHECK_INT(pair_append(p, from, (dx_append){.type = DX_BYTES("a/b")}, TEXTS("x")).status,
                  DX_STREAM_CLOSED);
        CHECK(strcmp(pair_text(p, from, p->path), "last") == 0);
        pair_free(p);
    }
}

/* ---- lifetimes -------------------------------------------------------------------------------- */

TEST("§5.1 an idle one lives as long as it is used; to look is no use")
{
    pair *p = pair_by_put();
    dx_create idle = {.type = DX_BYTES("text/plain"), .lifetime = {DX_LIFETIME_IDLE, 10, 0}};

    CHECK_INT(create(p, 1, idle), DX_STREAM_OK);
    pair_pass(p, 9999);
    CHECK_INT(append(p, 1, "x"), DX_STREAM_OK);
    pair_pass(p, 9999);
    dx_read r = pair_read(p, 1, (dx_read){.is_touch = true});
    CHECK_INT(r.status, DX_STREAM_OK);
    CHECK_INT(r.info.lifetime.idle_s, 10);
    dx_read_release(&r);
    pair_pass(p, 9999);
    CHECK(strcmp(pair_text(p, 0, p->path), "x") == 0);
    pair_pass(p, 1);
    CHECK(strcmp(pair_text(p, 0, p->path), "[not found]") == 0);
    CHECK_INT(p->hubs[0]->streams.count, 0);
    CHECK_INT(append(p, 1, "x"), DX_STREAM_NOT_FOUND);
    CHECK_INT(create(p, 1, text_plain()), DX_STREAM_OK); /* another one */
    pair_free(p);
}

TEST("§5.1 the sweep ends what nobody asks for; zero seconds end at once; a moment is kept to")
{
    pair *p = pair_by_put();
    dx_create c = {.lifetime = {DX_LIFETIME_IDLE, 0, 0}};

    CHECK_INT(create(p, 1, c), DX_STREAM_OK);
    CHECK(strcmp(pair_text(p, 0, p->path), "[not found]") == 0);
    c.lifetime.idle_s = 5;
    CHECK_INT(create(p, 1, c), DX_STREAM_OK);
    pair_pass(p, 4000);
    dx_home_sweep(p->hubs[0]);
    CHECK_INT(p->hubs[0]->streams.count, 1);
    pair_pass(p, 1000);
    dx_home_sweep(p->hubs[0]);
    CHECK_INT(p->hubs[0]->streams.count, 0);
    c.lifetime = (dx_lifetime){DX_LIFETIME_UNTIL, 0, p->hubs[0]->wall_ms + 50};
    CHECK_INT(create(p, 1, c), DX_STREAM_OK);
    pair_pass(p, 49);
    CHECK_INT(pair_append(p, 1, (dx_append){0}, TEXTS("x")).status, DX_STREAM_OK);
    pair_pass(p, 1);
    CHECK_INT(pair_append(p, 1, (dx_append){0}, TEXTS("x")).status, DX_STREAM_NOT_FOUND);
    pair_free(p);
}

/* ---- subscribers ------------------------------------------------------------------------------ */

typedef struct watcher {
    dx_watch watch;
    dx_topic *topic;
    dx_stream_status status;
    bool is_ready;
} watcher;

static void on_ready(dx_watch *watch, dx_stream_status status)
{
    watcher *w = DX_CONTAINER(watch, watcher, watch);

    w->is_ready = true;
    w->status = status;
    w->topic = watch->topic;
    if (status != DX_STREAM_OK)
        dx_watch_end(watch);
}

static void watch(pair *p, uint32_t on, watcher *w)
{
    *w = (watcher){.watch.ready = on_ready};
    if (dx_hub_watch(p->hubs[on], &p->ns, dx_bytes_of(p->path), &w->watch) != DX_OK)
        abort();
    pair_wait(p, &w->is_ready);
}

static void unwatch(pair *p, watcher *w)
{
    dx_topic_release(w->topic);
    pair_turn(p);
}

TEST("a watch of what is made by PUT only makes nothing")
{
    pair *p = pair_by_put();
    watcher w;

    for (uint32_t on = 0; on < 2; on++) {
        watch(p, on, &w);
        CHECK_INT(w.status, DX_STREAM_NOT_FOUND);
        pair_turn(p);
        CHECK_INT(p->hubs[0]->streams.count + p->hubs[on]->topics.count, 0);
    }
    pair_free(p);
}

TEST("§4.1 each worker is told the end behind the last message; who comes later, at once")
{
    for (uint32_t on = 0; on < 2; on++) {
        pair *p = pair_by_put();
        watcher early, late;
        CHECK_INT(create(p, 0, text_plain()), DX_STREAM_OK);
        watch(p, on, &early);
        CHECK_INT(dx_topic_end(early.topic), DX_STREAM_END_NONE);
        dx_append a = close_with(p, 0, TEXTS("a", "b"));
        pair_turn(p);
        CHECK_INT(dx_topic_end(early.topic), DX_STREAM_END_CLOSED);
        CHECK_INT(dx_topic_next(early.topic), a.next.sequence + 1);
        watch(p, 1 - on, &late);
        CHECK_INT(dx_topic_end(late.topic), DX_STREAM_END_CLOSED);
        CHECK(dx_offset_compare(dx_topic_tail(late.topic), a.next) == 0);
        unwatch(p, &early);
        unwatch(p, &late);
        pair_free(p);
    }
}

TEST("§5.4 a deletion reaches who watches, and the next stream of that name is another one")
{
    for (uint32_t on = 0; on < 2; on++) {
        pair *p = pair_by_put();
        watcher w, next;
        dx_create first = pair_create(p, 1, text_plain(), TEXTS("old"));
        watch(p, on, &w);
        CHECK_INT(pair_delete(p, 1 - on, p->path), DX_STREAM_OK);
        CHECK(strcmp(pair_text(p, on, p->path), "[not found]") == 0);
        CHECK_INT(pair_delete(p, on, p->path), DX_STREAM_NOT_FOUND);
        pair_turn(p);
        CHECK_INT(dx_topic_end(w.topic), DX_STREAM_END_DELETED);
        dx_create second = pair_create(p, on, text_plain(), TEXTS("new", "er"));
        CHECK(second.is_new && second.info.identity != first.info.identity);
        CHECK(dx_offset_compare(second.info.start, first.info.tail) > 0);
        watch(p, on, &next);
        CHECK(next.topic != w.topic);
        CHECK_INT(dx_topic_end(next.topic), DX_STREAM_END_NONE);
        CHECK_INT(dx_topic_next(next.topic), 3);
        dx_read r = pair_read(p, on, (dx_read){.position = {DX_OFFSET_AT, first.info.tail}});
        CHECK_INT(r.status, DX_STREAM_GONE);
        CHECK_INT(r.lost, 0);
        unwatch(p, &w);
        unwatch(p, &next);
        CHECK_INT(p->hubs[on]->topics.count, 0);
        pair_free(p);
    }
}

TEST("a deletion while a batch is under way, and the watcher leaves before it hears of it")
{
    pair *p = pair_by_put();
    watcher w;
    pair_answer answer = {.append.type = DX_BYTES("text/plain")};

    CHECK_INT(create(p, 0, text_plain()), DX_STREAM_OK);
    watch(p, 1, &w);
    pair_begin_append(p, 0, &answer, TEXTS("x"));
    dx_loop_step(p->loops[0], 0); /* the batch leaves */
    CHECK_INT(pair_delete(p, 0, p->path), DX_STREAM_OK);
    dx_topic_release(w.topic);
    for (int i = 0; i < 5; i++)
        pair_turn(p);
    CHECK_INT(p->hubs[1]->topics.count, 0);
    pair_free(p);
}

TEST("subscribers are counted on all workers, and keep an idle stream alive")
{
    pair *p = pair_by_put();
    watcher here, there, there_too;

    CHECK_INT(create(p, 0, (dx_create){.lifetime = {DX_LIFETIME_IDLE, 1, 0}}), DX_STREAM_OK);
    watch(p, 0, &here);
    watch(p, 1, &there);
    watch(p, 1, &there_too);
    pair_pass(p, 60000);
    dx_home_sweep(p->hubs[0]);
    dx_append a = pair_append(p, 1, (dx_append){0}, TEXTS("x"));
    CHECK_INT(a.status, DX_STREAM_OK);
    CHECK_INT(a.subscribers_count, pair_info(p, 1, p->path).subscribers_count);
    unwatch(p, &there_too);
    unwatch(p, &there);
    pair_pass(p, 60000);
    CHECK_INT(pair_info(p, 1, p->path).kind, DX_STREAM_BINARY);
    unwatch(p, &here);
    pair_pass(p, 999);
    CHECK_INT(pair_info(p, 1, p->path).kind, DX_STREAM_BINARY);
    pair_pass(p, 1);
    CHECK(strcmp(pair_text(p, 1, p->path), "[not found]") == 0);
    pair_free(p);
}
