/* Tests of forks in memory: what they begin with, how long they and their sources live.
 * SPDX-License-Identifier: MIT */
#include "stream/stream.h"
#include "stream/test_pair.h"
#include "tests/tap.h"

/* Forks `source` to `path`; all else as in `like`. */
static dx_create fork_of(pair *p, const char *source, const char *path, dx_create like)
{
    like.is_fork = true;
    like.source = dx_bytes_of(source);
    like.path = dx_bytes_of(path);
    if (like.fork_at.kind == DX_OFFSET_AT && like.fork_at.at.epoch == 0 &&
        like.fork_at.at.sequence == 0)
        like.fork_at.kind = DX_OFFSET_NOW;
    return pair_create(p, 1, like, NULL);
}

static dx_position at(dx_offset offset)
{
    return (dx_position){DX_OFFSET_AT, offset};
}

static const dx_offset zero = {0, 0};

static dx_offset append(pair *p, const char *path, const char *const *texts)
{
    dx_append a =
        pair_append(p, 1, (dx_append){.path = dx_bytes_of(path), .kind = DX_STREAM_TEXT}, texts);

    CHECK_INT(a.status, DX_STREAM_OK);
    return a.next;
}

static void make(pair *p, const char *path, const char *type, const char *const *texts)
{
    dx_create c = {.path = dx_bytes_of(path), .type = dx_bytes_of(type)};
    CHECK_INT(pair_create(p, 0, c, texts).status, DX_STREAM_OK);
}

static pair *pair_by_put(void)
{
    pair *p = pair_new(KEEP_ALL);

    p->ns.creation = DX_CREATE_BY_PUT;
    return p;
}

#define CHECK_TEXT(p, path, want)                                                                  \
    do {                                                                                           \
        const char *got = pair_text(p, 1, path);                                                   \
        if (strcmp(got, want) != 0)                                                                \
            TAP_FAIL("%s is \"%s\", expected \"%s\"", #path, got, want);                           \
    } while (0)

TEST("§4.2 a fork has what its source had, then both go their ways; at one home and at two")
{
    for (int home = 0; home < 2; home++) {
        pair *p = pair_by_put();
        char *source = p->path, *fork = p->names[home][1];
        make(p, source, "text/plain;a=b", TEXTS("1", "2"));
        dx_offset middle = append(p, source, TEXTS("3"));
        append(p, source, TEXTS("4"));
        dx_create c = fork_of(p, source, fork, (dx_create){.fork_at = at(middle)});
        CHECK_INT(c.status, DX_STREAM_OK);
        CHECK(c.is_new);
        CHECK_BYTES(dx_stream_info_type(&c.info), "text/plain;a=b");
        CHECK(dx_offset_compare(c.info.tail, middle) == 0); /* the position is one of both */
        dx_offset source_next = append(p, source, TEXTS("5")), next = append(p, fork, TEXTS("f"));
        CHECK(dx_offset_compare(next, source_next) > 0);
        CHECK_INT(next.sequence, 4);
        CHECK_TEXT(p, source, "1|2|3|4|5");
        CHECK_TEXT(p, fork, "1|2|3|f");
        dx_read r = pair_read(p, 0, (dx_read){.path = dx_bytes_of(fork), .position = at(middle)});
        CHECK_INT(r.count, 1);
        CHECK_INT(r.messages[0]->epoch, next.epoch);
        dx_read_release(&r);
        /* a cursor of the source beyond the fork is none of the fork's */
        r = pair_read(p, 0, (dx_read){.path = dx_bytes_of(fork), .position = at(source_next)});
        CHECK_INT(r.status, DX_STREAM_GONE);
        CHECK_INT(r.lost + r.count, 0);
        pair_free(p);
    }
}

TEST("§4.2 where a fork may begin: anywhere in its source, and a bit further, not beyond the tail")
{
    static const struct {
        const char *type;
        int at; /* messages before; -1: at the tail, -2: zeros, -3: another life, -4: from the start */
        uint64_t more;
        dx_stream_status status;
        const char *text;
    } rows[] = {
        {"text/plain", -1, 0, DX_STREAM_OK, "abcde|fgh|ij"},
        {"text/plain", 0, 0, DX_STREAM_OK, ""},
        {"text/plain", -2, 0, DX_STREAM_OK, ""},
        {"text/plain", -4, 2, DX_STREAM_OK, "ab"},
        {"text/plain", -3, 0, DX_STREAM_SOURCE_OFFSET, ""},
        {"text/plain", 4, 0, DX_STREAM_SOURCE_OFFSET, ""},
        {"text/plain", -2, 3, DX_STREAM_OK, "abc"},
        {"text/plain", 1, 2, DX_STREAM_OK, "abcde|fg"},
        {"text/plain", 1, 3, DX_STREAM_OK, "abcde|fgh"},
        {"text/plain", 1, 4, DX_STREAM_SOURCE_OFFSET, ""},
        {"text/plain", 3, 1, DX_STREAM_SOURCE_OFFSET, ""},
        {"text/plain", -1, 1, DX_STREAM_SOURCE_OFFSET, ""},
        {"application/json", 0, 2, DX_STREAM_OK, "abcde|fgh"},
        {"application/json", 1, 2, DX_STREAM_OK, "abcde|fgh|ij"},
        {"application/json", 1, 3, DX_STREAM_SOURCE_OFFSET, ""},
        {"application/json", 1, UINT64_MAX, DX_STREAM_SOURCE_OFFSET, ""},
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        pair *p = pair_by_put();
        char *fork = p->names[i % 2][1];
        make(p, p->path, rows[i].type, TEXTS("abcde", "fgh", "ij"));
        dx_offset tail = pair_info(p, 0, p->path).tail;
        dx_create like = {.fork_more = rows[i].more, .fork_at = {.kind = DX_OFFSET_NOW}};
        if (rows[i].at >= 0)
            like.fork_at = at((dx_offset){tail.epoch, (uint64_t)rows[i].at});
        else if (rows[i].at == -3)
            like.fork_at = at((dx_offset){tail.epoch - 1, 2});
        else if (rows[i].at == -4)
            like.fork_at.kind = DX_OFFSET_START;
        like.is_fork = true;
        like.source = dx_bytes_of(p->path);
        like.path = dx_bytes_of(fork);
        if (rows[i].at == -2)
            like.fork_at = at(zero);
        dx_create c = pair_create(p, 0, like, NULL);
        if (c.status != rows[i].status)
            TAP_FAIL("row %zu: %d", i, c.status);
        CHECK_TEXT(p, fork, c.status == DX_STREAM_OK ? rows[i].text : "[not found]");
        c = pair_create(p, 0, like, NULL); /* the same again */
        CHECK_INT(c.status, rows[i].status);
        CHECK(!c.is_new);
        CHECK_INT(pair_delete(p, 0, p->path), DX_STREAM_OK);
        CHECK_TEXT(p, p->path,
                   rows[i].status == DX_STREAM_OK ? "[deleted]"
                                                  : "[not found]"); /* no reference is left */
        pair_free(p);
    }
}

TEST("§4.2 the cut message is the fork's own, and a body comes behind it; a character is not cut")
{
    pair *p = pair_by_put();
    char *fork = p->names[1][1], *next = p->names[0][2];
    dx_create like = {
        .is_fork = true, .source = dx_bytes_of(p->path), .fork_at = at(zero), .fork_more = 3};

    make(p, p->path, "text/plain", TEXTS("hel\xc3\xa4", "x"));
    like.path = dx_bytes_of(fork);
    CHECK_INT(pair_create(p, 0, like, TEXTS("XY")).status, DX_STREAM_OK);
    CHECK_TEXT(p, fork, "hel|XY");
    dx_read r =
        pair_read(p, 0, (dx_read){.path = dx_bytes_of(fork), .position.kind = DX_OFFSET_START});
    CHECK(r.messages[0]->epoch > pair_info(p, 0, p->path).tail.epoch);
    CHECK_INT(r.messages[0]->epoch, r.messages[1]->epoch);
    dx_read_release(&r);
    like.path = dx_bytes_of(next);
    like.source = dx_bytes_of(fork);
    like.fork_more = 2;
    CHECK_INT(pair_create(p, 0, like, NULL).status, DX_STREAM_OK);
    append(p, next, TEXTS("Z"));
    CHECK_TEXT(p, next, "he|Z");
    like.path = dx_bytes_of(p->names[1][3]);
    like.source = dx_bytes_of(p->path);
    like.fork_more = 4;
    CHECK_INT(pair_create(p, 0, like, NULL).status, DX_STREAM_SOURCE_OFFSET);
    like.fork_more = 5;
    CHECK_INT(pair_create(p, 0, like, NULL).status, DX_STREAM_OK);
    pair_free(p);
}

TEST(
    "§4.2 why there is no fork: no source, a deleted one, another type, another stream of that name")
{
    pair *p = pair_by_put();
    char *source = p->path, *fork = p->names[1][1], *other = p->names[1][2];

    CHECK_INT(fork_of(p, source, fork, (dx_create){0}).status, DX_STREAM_SOURCE_NOT_FOUND);
    make(p, source, "text/plain", TEXTS("a"));
    CHECK_INT(fork_of(p, source, fork, (dx_create){.type = DX_BYTES("text/html")}).status,
              DX_STREAM_SOURCE_TYPE);
    make(p, other, "text/plain", NULL);
    CHECK_INT(fork_of(p, source, other, (dx_create){0}).status, DX_STREAM_CONFLICT);
    CHECK_INT(fork_of(p, source, fork, (dx_create){.type = DX_BYTES("text/plain")}).status,
              DX_STREAM_OK);
    CHECK_INT(fork_of(p, source, fork, (dx_create){.fork_more = 1}).status, DX_STREAM_CONFLICT);
    CHECK_INT(fork_of(p, other, fork, (dx_create){0}).status, DX_STREAM_CONFLICT);
    make(p, p->names[0][3], "text/plain", NULL);
    CHECK_INT(pair_create(p, 0,
                          (dx_create){.path = dx_bytes_of(fork), .type = DX_BYTES("text/plain")},
                          NULL)
                  .status,
              DX_STREAM_CONFLICT);
    CHECK_INT(pair_delete(p, 0, source), DX_STREAM_OK);
    CHECK_INT(fork_of(p, source, p->names[0][4], (dx_create){0}).status, DX_STREAM_SOURCE_DELETED);
    pair_free(p);
}

TEST("§4.2 lifetimes of forks: their own, else their source's")
{
    static const dx_lifetime none = {0}, idle = {DX_LIFETIME_IDLE, 50, 0},
                             other = {DX_LIFETIME_IDLE, 70, 0},
                             until = {DX_LIFETIME_UNTIL, 0, 1u << 31 | (uint64_t)1 << 50};
    const struct {
        dx_lifetime source, asked, got;
    } rows[] = {
        {none, none, none},   {none, idle, idle},   {none, until, until},
        {idle, none, idle},   {idle, other, other}, {idle, until, until},
        {until, none, until}, {until, idle, idle},  {until, until, until},
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        pair *p = pair_by_put();
        dx_create source = {.lifetime = rows[i].source};
        CHECK_INT(pair_create(p, 0, source, NULL).status, DX_STREAM_OK);
        dx_create c = fork_of(p, p->path, p->names[1][1], (dx_create){.lifetime = rows[i].asked});
        CHECK_INT(c.info.lifetime.kind, rows[i].got.kind);
        CHECK_INT(c.info.lifetime.idle_s, rows[i].got.idle_s);
        CHECK_INT(c.info.lifetime.until_ms, rows[i].got.until_ms);
        c = fork_of(p, p->path, p->names[1][1], (dx_create){.lifetime = rows[i].asked});
        CHECK(c.status == DX_STREAM_OK && !c.is_new);
        c = fork_of(p, p->path, p->names[1][1], (dx_create){.lifetime = {DX_LIFETIME_IDLE, 1, 0}});
        CHECK_INT(c.status, DX_STREAM_CONFLICT);
        pair_free(p);
    }
}

TEST("§4.2 producers, Stream-Seq and keys are not a fork's; a fork of a closed stream is open")
{
    pair *p = pair_by_put();
    dx_append_rules r = {.producer = DX_BYTES("a"),
                         .sequence = DX_BYTES("5"),
                         .key = DX_BYTES("k"),
                         .is_closing = true};
    char *fork = p->names[1][1];

    make(p, p->path, "text/plain", NULL);
    CHECK_INT(
        pair_append(p, 0, (dx_append){.rules = &r, .kind = DX_STREAM_TEXT}, TEXTS("x")).status,
        DX_STREAM_OK);
    dx_create c = fork_of(p, p->path, fork, (dx_create){0});
    CHECK(c.status == DX_STREAM_OK && !c.info.is_closed);
    r.is_closing = false;
    dx_append a = {.path = dx_bytes_of(fork), .rules = &r, .kind = DX_STREAM_TEXT};
    CHECK_INT(pair_append(p, 0, a, TEXTS("x")).status, DX_STREAM_OK);
    CHECK(!r.is_duplicate);
    CHECK_TEXT(p, fork, "x|x");
    pair_free(p);
}

/* ---- life ------------------------------------------------------------------------------------- */

TEST(
    "§4.2 a deleted source keeps its name while forks live, tells all that it is deleted, and then goes")
{
    for (int home = 0; home < 2; home++) {
        pair *p = pair_by_put();
        char *source = p->path, *one = p->names[home][1], *two = p->names[1][2];
        make(p, source, "text/plain", TEXTS("a"));
        CHECK_INT(fork_of(p, source, one, (dx_create){0}).status, DX_STREAM_OK);
        CHECK_INT(fork_of(p, source, two, (dx_create){0}).status, DX_STREAM_OK);
        CHECK_INT(pair_delete(p, 1, source), DX_STREAM_OK);
        CHECK_INT(pair_delete(p, 1, source), DX_STREAM_DELETED);
        CHECK_TEXT(p, source, "[deleted]");
        CHECK_INT(pair_append(p, 1, (dx_append){.kind = DX_STREAM_TEXT}, TEXTS("x")).status,
                  DX_STREAM_DELETED);
        CHECK_INT(pair_create(p, 1, (dx_create){0}, NULL).status, DX_STREAM_DELETED);
        CHECK_TEXT(p, one, "a");
        CHECK_INT(pair_delete(p, 1, one), DX_STREAM_OK);
        CHECK_TEXT(p, one, "[not found]");
        pair_turn(p);
        CHECK_TEXT(p, source, "[deleted]");
        CHECK_INT(pair_delete(p, 0, two), DX_STREAM_OK);
        pair_turn(p);
        CHECK_TEXT(p, source, "[not found]");
        CHECK_INT(p->hubs[0]->streams.count + p->hubs[1]->streams.count, 0);
        make(p, source, "text/plain", NULL);
        pair_free(p);
    }
}

TEST("§4.2 a chain of forks over both homes goes together when its last one does")
{
    enum { LENGTH = 8 };
    pair *p = pair_by_put();
    char *names[LENGTH];

    for (int i = 0; i < LENGTH; i++)
        names[i] = p->names[i % 2][i / 2];
    make(p, names[0], "text/plain", TEXTS("0"));
    for (int i = 1; i < LENGTH; i++) {
        CHECK_INT(fork_of(p, names[i - 1], names[i], (dx_create){0}).status, DX_STREAM_OK);
        append(p, names[i], TEXTS("+"));
    }
    CHECK_TEXT(p, names[LENGTH - 1], "0|+|+|+|+|+|+|+");
    for (int i = 0; i + 1 < LENGTH; i++)
        CHECK_INT(pair_delete(p, 0, names[(i * 3) % (LENGTH - 1)]), DX_STREAM_OK);
    CHECK_TEXT(p, names[LENGTH - 1], "0|+|+|+|+|+|+|+");
    CHECK_INT(p->hubs[0]->streams.count + p->hubs[1]->streams.count, LENGTH);
    CHECK_INT(pair_delete(p, 1, names[LENGTH - 1]), DX_STREAM_OK);
    for (int i = 0; i < LENGTH; i++)
        pair_turn(p);
    CHECK_INT(p->hubs[0]->streams.count + p->hubs[1]->streams.count, 0);
    pair_free(p);
}

TEST(
    "§4.2 what expires is deleted like the rest: softly with forks, and a fork that expires lets go")
{
    pair *p = pair_by_put();
    char *source = p->path, *fork = p->names[1][1];

    CHECK_INT(
        pair_create(p, 0, (dx_create){.lifetime = {DX_LIFETIME_IDLE, 1, 0}}, TEXTS("a")).status,
        DX_STREAM_OK);
    CHECK_INT(fork_of(p, source, fork, (dx_create){.lifetime = {DX_LIFETIME_IDLE, 9, 0}}).status,
              DX_STREAM_OK);
    pair_pass(p, 1000);
    CHECK_TEXT(p, source, "[deleted]");
    CHECK_TEXT(p, fork, "a");
    pair_pass(p, 8000);
    dx_home_sweep(p->hubs[1]);
    pair_turn(p);
    CHECK_INT(p->hubs[0]->streams.count + p->hubs[1]->streams.count, 0);
    pair_free(p);
}

TEST("§4.2 a source that lives goes on when its forks are gone")
{
    pair *p = pair_by_put();
    char *fork = p->names[1][1];

    make(p, p->path, "text/plain", TEXTS("a"));
    for (int i = 0; i < 3; i++) {
        CHECK_INT(fork_of(p, p->path, fork, (dx_create){0}).status, DX_STREAM_OK);
        CHECK_INT(pair_delete(p, 0, fork), DX_STREAM_OK);
        pair_turn(p);
    }
    CHECK_TEXT(p, p->path, "a");
    CHECK_INT(pair_delete(p, 0, p->path), DX_STREAM_OK);
    CHECK_TEXT(p, p->path, "[not found]");
    pair_free(p);
}

TEST(
    "two who make the same fork at once: one makes it, the other finds it; no reference is left over")
{
    pair *p = pair_by_put();
    pair_answer answers[3];
    char *fork = p->names[1][1];
    int made = 0;

    make(p, p->path, "text/plain", TEXTS("a"));
    for (int i = 0; i < 3; i++) {
        answers[i] = (pair_answer){.create = {.is_fork = true,
                                              .source = dx_bytes_of(p->path),
                                              .path = dx_bytes_of(fork),
                                              .fork_at.kind = DX_OFFSET_NOW}};
        pair_begin_create(p, (uint32_t)i % 2, &answers[i], NULL);
    }
    for (int i = 0; i < 3; i++) {
        pair_wait(p, &answers[i].is_done);
        CHECK_INT(answers[i].create.status, DX_STREAM_OK);
        made += answers[i].create.is_new;
    }
    CHECK_INT(made, 1);
    pair_turn(p);
    CHECK_INT(pair_delete(p, 0, fork), DX_STREAM_OK);
    pair_turn(p);
    CHECK_INT(pair_delete(p, 0, p->path), DX_STREAM_OK);
    CHECK_TEXT(p, p->path, "[not found]");
    pair_free(p);
}

TEST("a fork keeps what its namespace retains of what its source had")
{
    pair *p = pair_by_put();
    char *fork = p->names[1][1];

    make(p, p->path, "text/plain", TEXTS("1", "2", "3", "4", "5"));
    p->other.retention.count_max = 2;
    dx_create c = fork_of(p, p->path, fork, (dx_create){.ns = &p->other});
    CHECK_INT(c.status, DX_STREAM_OK);
    CHECK_INT(c.info.start.sequence, 3);
    CHECK_TEXT(p, fork, "4|5");
    dx_read r = pair_read(
        p, 0,
        (dx_read){.path = dx_bytes_of(fork), .position = at((dx_offset){c.info.tail.epoch, 1})});
    CHECK_INT(r.status, DX_STREAM_GONE);
    CHECK_INT(r.lost, 2);
    dx_read_release(&r);
    append(p, fork, TEXTS("6"));
    CHECK_TEXT(p, fork, "5|6");
    pair_free(p);
}

TEST("the server ends while forks are being made and deleted: all is answered and freed")
{
    for (int turns = 0; turns < 8; turns++) {
        pair *p = pair_by_put();
        pair_answer fork = {.create = {.is_fork = true, .fork_at.kind = DX_OFFSET_NOW}}, gone = {0};
        fork.create.source = dx_bytes_of(p->path);
        fork.create.path = dx_bytes_of(p->names[1][1]);
        gone.op.path = dx_bytes_of(p->names[1][2]);
        make(p, p->path, "text/plain", TEXTS("a"));
        CHECK_INT(fork_of(p, p->path, p->names[1][2], (dx_create){0}).status, DX_STREAM_OK);
        CHECK_INT(pair_delete(p, 0, p->path), DX_STREAM_OK);
        make(p, p->names[0][1], "text/plain", TEXTS("a"));
        fork.create.source = dx_bytes_of(p->names[0][1]);
        pair_begin_create(p, 0, &fork, NULL);
        pair_begin_delete(p, 0, &gone);
        for (int i = 0; i < turns; i++)
            dx_loop_step(p->loops[(i + 1) % 2], 0);
        pair_free(p);
        CHECK(fork.is_done && gone.is_done);
    }
}
