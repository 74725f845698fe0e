/* Tests of streams at their home, and of what goes to another worker: two hubs that one thread turns by
 * turns, so that everything happens in the order that the test says.
 * SPDX-License-Identifier: MIT */
#include "stream/hub_home.h"
#include "tests/support/failmalloc.h"
#include "tests/tap.h"

#include <unistd.h>

typedef struct pair {
    dx_streams *streams;
    dx_loop *loops[2];
    dx_hub *hubs[2];
    dx_namespace ns;
    char path[24]; /* of a stream whose home is hub 0 */
} pair;

static pair *pair_new(dx_retention keep)
{
    pair *p = calloc(1, sizeof *p);

    if (p == NULL || dx_streams_new(2, &p->streams) != DX_OK)
        abort();
    p->ns = (dx_namespace){.prefix = "/live/", .retention = keep, .message_bytes_max = 65536};
    for (uint32_t i = 0; i < 2; i++) {
        p->hubs[i] = dx_streams_hub(p->streams, i);
        if (dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &p->loops[i]) != DX_OK ||
            dx_hub_begin(p->streams, i, p->loops[i]) != DX_OK)
            abort();
    }
    for (int i = 0;; i++) {
        snprintf(p->path, sizeof p->path, "/live/%d", i);
        if (dx_streams_home(p->streams, dx_bytes_of(p->path)) == 0)
            return p;
    }
}

static void turn(pair *p)
{
    for (int i = 0; i < 6; i++)
        dx_loop_step(p->loops[i % 2], 0);
}

static void pair_free(pair *p)
{
    for (int i = 0; i < 2; i++)
        dx_hub_end(p->hubs[i]);
    for (int i = 0; i < 2; i++)
        dx_loop_free(p->loops[i]);
    dx_streams_free(p->streams);
    free(p);
}

static pair *pair_of_all(void)
{
    return pair_new((dx_retention){UINT32_MAX - 1, UINT64_MAX, UINT64_MAX});
}

/* ---- operations ------------------------------------------------------------------------------------- */

typedef struct operation {
    dx_append append;
    dx_read read;
    bool is_done;
} operation;

static void on_appended(dx_append *a)
{
    DX_CONTAINER(a, operation, append)->is_done = true;
}

static void on_read(dx_read *r)
{
    DX_CONTAINER(r, operation, read)->is_done = true;
}

static dx_message *message_of(const char *text)
{
    dx_message *message = dx_message_new(dx_bytes_of(text), 0);

    if (message == NULL)
        abort();
    return message;
}

typedef struct wish {
    const char *type;
    dx_stream_kind kind;
    const char *payload;
} wish;

/* Appends from hub `from`, and waits. */
static dx_stream_status append_as(pair *p, uint32_t from, wish w, dx_offset *next)
{
    dx_message *message = message_of(w.payload);
    operation op = {.append = {.ns = &p->ns,
                               .path = dx_bytes_of(p->path),
                               .type = dx_bytes_of(w.type),
                               .kind = w.kind,
                               .messages = &message,
                               .count = 1,
                               .done = on_appended}};

    dx_hub_append(p->hubs[from], &op.append);
    for (int i = 0; i < 10 && !op.is_done; i++)
        turn(p);
    CHECK(op.is_done);
    if (next)
        *next = op.append.next;
    return op.append.status;
}

static dx_stream_status append(pair *p, uint32_t from, const char *payload)
{
    return append_as(p, from, (wish){"", DX_STREAM_BINARY, payload}, NULL);
}

/* Reads from hub `from`; the caller releases. */
static dx_read read_at(pair *p, uint32_t from, dx_position position)
{
    operation op = {.read = {.ns = &p->ns,
                             .path = dx_bytes_of(p->path),
                             .position = position,
                             .count_max = 100,
                             .bytes_max = 1000,
                             .done = on_read}};

    dx_hub_read(p->hubs[from], &op.read);
    for (int i = 0; i < 10 && !op.is_done; i++)
        turn(p);
    CHECK(op.is_done);
    return op.read;
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
        CHECK_INT(r.info.first, 3);
        CHECK_INT(r.info.tail, 5);
        CHECK_BYTES(dx_stream_info_type(&r.info), "text/plain; charset=utf-8");
        dx_read_release(&r);
        pair_free(p);
    }
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
        pair *p = pair_of_all();
        CHECK_INT(append_as(p, 0, rows[i].first, NULL), DX_STREAM_OK);
        CHECK_INT(append_as(p, 1, rows[i].second, NULL), rows[i].status);
        check_read(p, 0, (dx_position){.kind = DX_OFFSET_START}, DX_STREAM_OK,
                   rows[i].status == DX_STREAM_OK ? 2 : 1);
        pair_free(p);
    }
}

TEST("a page holds no more bytes than asked for, but one message at least")
{
    pair *p = pair_of_all();
    char text[700];

    memset(text, 'x', sizeof text);
    for (size_t size = 100; size < 700; size += 100) {
        text[size] = '\0';
        CHECK_INT(append(p, 0, text), DX_STREAM_OK);
        text[size] = 'x';
    }
    check_read(p, 1, (dx_position){.kind = DX_OFFSET_START}, DX_STREAM_OK, 4); /* 100 to 400 */
    operation op = {.read = {.ns = &p->ns,
                             .path = dx_bytes_of(p->path),
                             .count_max = 10,
                             .bytes_max = 1,
                             .position = {.kind = DX_OFFSET_START},
                             .done = on_read}};
    dx_hub_read(p->hubs[0], &op.read);
    CHECK_INT(op.read.count, 1);
    dx_read_release(&op.read);
    pair_free(p);
}

/* ---- readers ---------------------------------------------------------------------------------------- */

typedef struct listener {
    dx_watch watch;
    dx_subscriber sub;
    dx_topic *topic;
    uint64_t received, expected, lost;
    bool is_ready, is_room_due, is_broken;
    dx_err err;
} listener;

static listener *listener_of(dx_subscriber *sub)
{
    return DX_CONTAINER(sub, listener, sub);
}

static void take(listener *l, uint64_t sequence)
{
    l->is_broken |= sequence != l->expected;
    l->expected = sequence + 1;
    l->received++;
}

static size_t wire_bound(const dx_feed *feed, const dx_message *message)
{
    (void)feed, (void)message;
    return 8;
}

static size_t wire_write(const dx_feed *feed, const dx_message *message, uint8_t *to)
{
    (void)feed;
    memcpy(to, &message->sequence, 8);
    return 8;
}

static void on_wake(dx_subscriber *sub)
{
    struct iovec iov[64];
    size_t bytes = 0;
    uint32_t count = dx_subscriber_pull(sub, iov, 64);

    for (uint32_t i = 0; i < count; i++)
        for (size_t k = 0; k < iov[i].iov_len; k += 8, bytes += 8) {
            uint64_t sequence;
            memcpy(&sequence, (const uint8_t *)iov[i].iov_base + k, 8);
            take(listener_of(sub), sequence);
        }
    if (count > 0)
        dx_subscriber_pulled(sub, bytes);
}

static void on_live(dx_subscriber *sub)
{
    (void)sub;
}

static void on_fell_behind(dx_subscriber *sub, dx_bytes rest)
{
    listener_of(sub)->is_broken |= rest.size > 0;
    listener_of(sub)->is_room_due = true;
}

static void on_page(dx_subscriber *sub, dx_message *const *messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        take(listener_of(sub), messages[i]->sequence);
    listener_of(sub)->is_room_due = true;
}

static bool on_gap(dx_subscriber *sub, uint64_t lost)
{
    listener *l = listener_of(sub);

    l->lost += lost;
    l->expected += lost;
    if (lost > 0)
        return true;
    l->err = DX_ERR_MEMORY; /* it cannot be read now */
    dx_subscriber_stop(sub);
    return false;
}

static const dx_encoding wire = {.bound = wire_bound,
                                 .write = wire_write,
                                 .wake = on_wake,
                                 .live = on_live,
                                 .fell_behind = on_fell_behind,
                                 .page = on_page,
                                 .gap = on_gap};

static void on_ready(dx_watch *watch, dx_err err)
{
    listener *l = DX_CONTAINER(watch, listener, watch);

    l->is_ready = true;
    l->err = err;
    if (err != DX_OK) {
        dx_watch_end(watch);
        return;
    }
    l->topic = watch->topic;
    l->expected = 1;
    err = dx_subscriber_start(&l->sub, l->topic, &wire, 0, 1, 0);
    if (err != DX_OK)
        l->err = err;
}

/* Listens at hub `on` from the first message on. */
static void listen_at(pair *p, uint32_t on, listener *l)
{
    *l = (listener){.watch.ready = on_ready};
    dx_err err = dx_hub_watch(p->hubs[on], &p->ns, dx_bytes_of(p->path), &l->watch);
    if (err != DX_OK)
        l->err = err;
}

static void turn_with(pair *p, listener *l)
{
    for (int i = 0; i < 200; i++) {
        turn(p);
        if (l->is_room_due) {
            l->is_room_due = false;
            dx_subscriber_continue(&l->sub);
        }
    }
}

static void stop_listening(listener *l)
{
    if (l->topic == NULL)
        return;
    if (l->sub.feed)
        dx_subscriber_end(&l->sub);
    dx_topic_release(l->topic);
}

TEST("a watch that is ended before it is ready is not called; one that follows gets everything")
{
    for (int turns = 0; turns < 4; turns++) {
        pair *p = pair_of_all();
        listener gone, next;
        listen_at(p, 1, &gone);
        for (int i = 0; i < turns && !gone.is_ready; i++)
            dx_loop_step(p->loops[i % 2], 0);
        if (gone.is_ready)
            stop_listening(&gone);
        else
            dx_watch_end(&gone.watch);
        bool was_ready = gone.is_ready;
        listen_at(p, 1, &next);
        turn(p);
        CHECK(gone.is_ready == was_ready);
        CHECK(next.is_ready);
        CHECK_INT(append(p, 0, "x"), DX_STREAM_OK);
        turn_with(p, &next);
        CHECK_INT(next.received, 1);
        stop_listening(&next);
        turn(p);
        CHECK_INT(p->hubs[1]->topics.count, 0);
        pair_free(p);
    }
}

TEST("a stream that nobody waits for and that holds nothing is forgotten, at once or by the sweep")
{
    pair *p = pair_new((dx_retention){10, UINT64_MAX, 20});
    listener l;

    for (uint32_t on = 0; on < 2; on++) {
        listen_at(p, on, &l);
        turn(p);
        CHECK_INT(p->hubs[0]->streams.count, 1);
        stop_listening(&l);
        turn(p);
        CHECK_INT(p->hubs[0]->streams.count, 0);
    }
    CHECK_INT(append(p, 1, "x"), DX_STREAM_OK);
    dx_home_sweep(p->hubs[0]);
    CHECK_INT(p->hubs[0]->streams.count, 1);
    usleep(40000);
    turn(p);
    listen_at(p, 1, &l);
    turn(p);
    dx_home_sweep(p->hubs[0]);
    CHECK_INT(p->hubs[0]->streams.count, 1); /* somebody waits */
    stop_listening(&l);
    turn(p);
    CHECK_INT(p->hubs[0]->streams.count, 0);
    pair_free(p);
}

TEST(
    "an array larger than what is retained: all of it reaches who is live, here and at the other worker")
{
    enum { COUNT = 500 };
    pair *p = pair_new((dx_retention){10, UINT64_MAX, UINT64_MAX});
    dx_message *messages[COUNT];
    listener here, there;

    listen_at(p, 0, &here);
    listen_at(p, 1, &there);
    turn(p);
    for (int i = 0; i < COUNT; i++)
        messages[i] = message_of("x");
    operation op = {.append = {.ns = &p->ns,
                               .path = dx_bytes_of(p->path),
                               .kind = DX_STREAM_BINARY,
                               .messages = messages,
                               .count = COUNT,
                               .done = on_appended}};
    dx_hub_append(p->hubs[1], &op.append);
    turn_with(p, &there);
    CHECK_INT(op.append.status, DX_STREAM_OK);
    CHECK_INT(op.append.next.sequence, COUNT);
    CHECK_INT(here.received, COUNT);
    CHECK_INT(there.received, COUNT);
    CHECK(!here.is_broken && !there.is_broken);
    CHECK_INT(p->hubs[1]->topics.count, 1);
    stop_listening(&here);
    stop_listening(&there);
    turn(p);
    pair_free(p);
}

TEST(
    "a worker that is too slow for what a batch holds is told how many messages the log has lost meanwhile")
{
    enum { KEPT = 100, COUNT = 3 * DX_BATCH_COUNT_MAX };
    pair *p = pair_new((dx_retention){KEPT, UINT64_MAX, UINT64_MAX});
    listener there;

    listen_at(p, 1, &there);
    turn(p);
    for (int i = 0; i < COUNT; i++) {
        operation op = {.append = {.ns = &p->ns,
                                   .path = dx_bytes_of(p->path),
                                   .kind = DX_STREAM_BINARY,
                                   .messages = &(dx_message *){message_of("x")},
                                   .count = 1,
                                   .done = on_appended}};
        dx_hub_append(p->hubs[0], &op.append);
        if (i % 50 == 0)
            dx_loop_step(p->loops[0], 0); /* only the home turns */
    }
    turn_with(p, &there);
    CHECK(there.lost > 0);
    CHECK_INT(there.received + there.lost, COUNT);
    CHECK(there.received >= DX_BATCH_COUNT_MAX);
    CHECK(!there.is_broken);
    CHECK_INT(append(p, 0, "x"), DX_STREAM_OK);
    turn_with(p, &there);
    CHECK_INT(there.received + there.lost, COUNT + 1);
    stop_listening(&there);
    turn(p);
    pair_free(p);
}

/* ---- memory ------------------------------------------------------------------------------------------ */

/* Whatever fails: who is there has got all that was taken, in order, or was told that it cannot be. */
static void scenario(void)
{
    pair *p = pair_of_all();
    listener listeners[3];
    uint64_t taken = 0;

    CHECK_INT(append(p, 0, "before"), DX_STREAM_OK);
    for (uint32_t i = 0; i < 3; i++)
        FAILING(listen_at(p, i % 2, &listeners[i]));
    for (int i = 0; i < 40; i++) {
        dx_message *messages[3] = {message_of("1"), message_of("2"), message_of("3")};
        operation op = {.append = {.ns = &p->ns,
                                   .path = dx_bytes_of(p->path),
                                   .kind = DX_STREAM_BINARY,
                                   .messages = messages,
                                   .count = 3,
                                   .done = on_appended}};
        FAILING(dx_hub_append(p->hubs[1], &op.append));
        FAILING(turn(p));
        CHECK(op.is_done);
        if (op.append.status == DX_STREAM_OK) {
            taken += 3;
            CHECK_INT(op.append.next.sequence, 1 + taken); /* all or none */
        }
    }
    FAILING(turn(p));
    for (int i = 0; i < 3; i++)
        FAILING(turn_with(p, &listeners[i]));
    failmalloc_disarm(); /* from here on there is memory again */
    for (int i = 0; i < 3; i++) {
        listener *l = &listeners[i];
        turn_with(p, l);
        CHECK(!l->is_broken);
        CHECK_INT(l->lost, 0);
        if (l->err == DX_OK)
            CHECK_INT(l->received, 1 + taken);
        stop_listening(l);
    }
    turn(p);
    pair_free(p);
}

TEST("each allocation fails in turn: nothing is lost in silence, no reference is kept")
{
    scenario();
    size_t failures = failmalloc_sweep(scenario);
    printf("# %zu allocations failed\n", failures);
    CHECK(failures > 20);
}
