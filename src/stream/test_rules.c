/* Tests of what an append must fulfil: producers, idempotency keys, Stream-Seq, If-Match, rate.
 * SPDX-License-Identifier: MIT */
#include "stream/stream.h"
#include "stream/test_pair.h"
#include "tests/tap.h"

/* The rules' own answers, with those of the append. */
typedef struct verdict {
    dx_append append;
    dx_append_rules rules;
} verdict;

static verdict ask(pair *p, uint32_t from, dx_append_rules rules, const char *const *texts)
{
    verdict v = {.rules = rules};

    v.append =
        pair_append(p, from, (dx_append){.type = DX_BYTES("text/plain"), .rules = &v.rules}, texts);
    return v;
}

static verdict produce(pair *p, uint32_t from, const char *id, const uint64_t epoch_and_sequence[2])
{
    return ask(p, from,
               (dx_append_rules){.producer = dx_bytes_of(id),
                                 .producer_epoch = epoch_and_sequence[0],
                                 .producer_sequence = epoch_and_sequence[1]},
               TEXTS("x"));
}

static pair *pair_of_text(void)
{
    pair *p = pair_new(KEEP_ALL);

    p->ns.creation = DX_CREATE_BY_PUT;
    CHECK_INT(pair_create(p, 0, (dx_create){.type = DX_BYTES("text/plain")}, NULL).status,
              DX_STREAM_OK);
    return p;
}

/* ---- producers -------------------------------------------------------------------------------- */

TEST("§5.2.1 a producer's epochs and sequences: taken once, in order, from 0 in each epoch")
{
    static const struct {
        const char *id;
        uint64_t epoch, sequence;
        dx_stream_status status;
        bool is_duplicate;
        uint64_t answer_epoch, answer_sequence;
    } rows[] = {
        {"a", 0, 1, DX_STREAM_PRODUCER_GAP, false, 0, 0}, /* nobody has heard of it */
        {"a", 0, 0, DX_STREAM_OK, false, 0, 0},
        {"a", 0, 0, DX_STREAM_OK, true, 0, 0},
        {"a", 0, 1, DX_STREAM_OK, false, 0, 1},
        {"a", 0, 2, DX_STREAM_OK, false, 0, 2},
        {"a", 0, 1, DX_STREAM_OK, true, 0, 2}, /* the highest that was taken */
        {"a", 0, 5, DX_STREAM_PRODUCER_GAP, false, 0, 3},
        {"b", 7, 0, DX_STREAM_OK, false, 7, 0}, /* others are not concerned */
        {"a", 1, 1, DX_STREAM_PRODUCER_START, false, 0, 2},
        {"a", 3, 0, DX_STREAM_OK, false, 3, 0},
        {"a", 2, 0, DX_STREAM_PRODUCER_STALE, false, 3, 0},
        {"a", 0, 3, DX_STREAM_PRODUCER_STALE, false, 3, 0},
        {"a", 3, 1, DX_STREAM_OK, false, 3, 1},
        {"b", 7, 1, DX_STREAM_OK, false, 7, 1},
    };
    pair *p = pair_of_text();
    uint64_t count = 0;

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        verdict v = produce(p, i % 2, rows[i].id, (uint64_t[]){rows[i].epoch, rows[i].sequence});
        bool is_taken = rows[i].status == DX_STREAM_OK && !rows[i].is_duplicate;
        count += is_taken;
        if (v.append.status != rows[i].status || v.rules.is_duplicate != rows[i].is_duplicate ||
            v.rules.answer_epoch != rows[i].answer_epoch ||
            v.rules.answer_sequence != rows[i].answer_sequence)
            TAP_FAIL("row %zu: %d %d %lu %lu", i, v.append.status, v.rules.is_duplicate,
                     v.rules.answer_epoch, v.rules.answer_sequence);
        if (v.append.status == DX_STREAM_OK)
            CHECK_INT(v.append.next.sequence, count);
    }
    CHECK_INT(pair_info(p, 0, p->path).tail.sequence, count);
    pair_free(p);
}

TEST(
    "§5.2.1 closing by a producer: the same again is a duplicate, all else finds it closed, a stale one is told so")
{
    static const struct {
        const char *id;
        uint64_t epoch, sequence;
        dx_stream_status status;
    } rows[] = {
        {"a", 1, 0, DX_STREAM_OK},
        {"a", 1, 1, DX_STREAM_CLOSED},
        {"a", 2, 0, DX_STREAM_CLOSED},
        {"b", 1, 0, DX_STREAM_CLOSED},
        {"a", 0, 1, DX_STREAM_PRODUCER_STALE},
        {"", 0, 0, DX_STREAM_CLOSED},
    };

    for (uint32_t from = 0; from < 2; from++) {
        pair *p = pair_of_text();
        CHECK_INT(produce(p, from, "a", (uint64_t[]){0, 0}).append.status, DX_STREAM_OK);
        dx_append_rules closing = {
            .producer = DX_BYTES("a"), .producer_epoch = 1, .is_closing = true};
        verdict first = ask(p, from, closing, TEXTS("end"));
        CHECK_INT(first.append.status, DX_STREAM_OK);
        CHECK(first.append.is_closed && !first.rules.is_duplicate);
        for (size_t i = 0; i < DX_COUNT(rows); i++) {
            dx_append_rules again = {.producer = dx_bytes_of(rows[i].id),
                                     .producer_epoch = rows[i].epoch,
                                     .producer_sequence = rows[i].sequence,
                                     .is_closing = true};
            verdict v = ask(p, from, again, TEXTS("other"));
            if (v.append.status != rows[i].status)
                TAP_FAIL("row %zu: %d", i, v.append.status);
            CHECK(v.append.is_closed);
            CHECK(v.rules.is_duplicate == (rows[i].status == DX_STREAM_OK));
        }
        verdict bare = ask(p, from, closing, NULL);
        CHECK_INT(bare.append.status, DX_STREAM_OK);
        CHECK(strcmp(pair_text(p, from, p->path), "x|end") == 0);
        pair_free(p);
    }
}

TEST("§5.2.1 to close without messages counts as the producer's next")
{
    pair *p = pair_of_text();
    dx_append_rules closing = {
        .producer = DX_BYTES("a"), .producer_sequence = 1, .is_closing = true};

    CHECK_INT(produce(p, 0, "a", (uint64_t[]){0, 0}).append.status, DX_STREAM_OK);
    verdict v = ask(p, 1, closing, NULL);
    CHECK_INT(v.append.status, DX_STREAM_OK);
    CHECK_INT(v.rules.answer_sequence, 1);
    CHECK(!v.rules.is_duplicate && v.append.is_closed);
    CHECK(ask(p, 1, closing, NULL).rules.is_duplicate);
    pair_free(p);
}

TEST(
    "without a store a producer is forgotten after 7 days, and too many of them earlier, the oldest first")
{
    pair *p = pair_of_text();
    char id[4096];

    CHECK_INT(produce(p, 0, "a", (uint64_t[]){4, 0}).append.status, DX_STREAM_OK);
    pair_pass(p, 7 * 24 * 3600 * 1000);
    dx_home_sweep(p->hubs[0]);
    CHECK_INT(produce(p, 0, "a", (uint64_t[]){3, 0}).append.status, DX_STREAM_PRODUCER_STALE);
    pair_pass(p, 1);
    dx_home_sweep(p->hubs[0]);
    CHECK_INT(produce(p, 0, "a", (uint64_t[]){3, 0}).append.status, DX_STREAM_OK);
    memset(id, 'x', sizeof id);
    for (int i = 0; i < 400; i++) {
        id[4090] = (char)(i / 20 + 1);
        id[4091] = (char)(i % 20 + 1);
        id[4095] = 0;
        CHECK_INT(produce(p, 0, id, (uint64_t[]){1, 0}).append.status, DX_STREAM_OK);
    }
    CHECK_INT(produce(p, 0, id, (uint64_t[]){0, 0}).append.status, DX_STREAM_PRODUCER_STALE);
    CHECK_INT(produce(p, 0, "a", (uint64_t[]){2, 0}).append.status, DX_STREAM_OK); /* forgotten */
    pair_free(p);
}

/* ---- keys ------------------------------------------------------------------------------------- */

static verdict with_key(pair *p, const char *key, const char *const *texts)
{
    return ask(p, 1, (dx_append_rules){.key = dx_bytes_of(key)}, texts);
}

TEST("an idempotency key: the same messages once, others not at all, for 5 minutes")
{
    pair *p = pair_of_text();
    verdict first = with_key(p, "k", TEXTS("a", "b"));

    CHECK_INT(first.append.status, DX_STREAM_OK);
    CHECK_INT(with_key(p, "l", TEXTS("c")).append.next.sequence, 3);
    verdict again = with_key(p, "k", TEXTS("a", "b"));
    CHECK_INT(again.append.status, DX_STREAM_OK);
    CHECK(again.rules.is_duplicate);
    CHECK(dx_offset_compare(again.append.next, first.append.next) == 0);
    CHECK_INT(with_key(p, "k", TEXTS("a", "c")).append.status, DX_STREAM_KEY_REUSED);
    CHECK_INT(with_key(p, "k", TEXTS("a")).append.status, DX_STREAM_KEY_REUSED);
    CHECK_INT(with_key(p, "k", TEXTS("ab")).append.status, DX_STREAM_KEY_REUSED);
    pair_pass(p, 299999);
    CHECK(with_key(p, "k", TEXTS("a", "b")).rules.is_duplicate);
    pair_pass(p, 1);
    verdict late = with_key(p, "k", TEXTS("a", "b"));
    CHECK(!late.rules.is_duplicate);
    CHECK_INT(late.append.next.sequence, 5);
    pair_free(p);
}

TEST("a key is remembered only if its messages were taken, also when the stream was closed since")
{
    pair *p = pair_of_text();
    dx_append_rules bad = {.key = DX_BYTES("k"), .has_expected = true, .expected = {1, 99}};

    CHECK_INT(ask(p, 0, bad, TEXTS("a")).append.status, DX_STREAM_MISMATCH);
    CHECK_INT(with_key(p, "k", TEXTS("b")).append.status, DX_STREAM_OK);
    CHECK_INT(ask(p, 0, (dx_append_rules){.is_closing = true}, NULL).append.status, DX_STREAM_OK);
    verdict again = with_key(p, "k", TEXTS("b"));
    CHECK_INT(again.append.status, DX_STREAM_OK);
    CHECK(again.rules.is_duplicate && again.append.is_closed);
    CHECK_INT(with_key(p, "l", TEXTS("b")).append.status, DX_STREAM_CLOSED);
    pair_free(p);
}

/* ---- Stream-Seq, If-Match --------------------------------------------------------------------- */

TEST("§5.2 Stream-Seq must rise, byte by byte; what is refused does not count")
{
    static const struct {
        const char *sequence;
        dx_stream_status status;
    } rows[] = {
        {"09", DX_STREAM_OK},      {"09", DX_STREAM_SEQUENCE}, {"08", DX_STREAM_SEQUENCE},
        {"0", DX_STREAM_SEQUENCE}, {"090", DX_STREAM_OK},      {"10", DX_STREAM_OK},
        {"2", DX_STREAM_OK},       {"10", DX_STREAM_SEQUENCE}, {"B", DX_STREAM_OK},
        {"a", DX_STREAM_OK},       {"Z", DX_STREAM_SEQUENCE},  {"\xff", DX_STREAM_OK},
    };
    pair *p = pair_of_text();

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        verdict v =
            ask(p, i % 2, (dx_append_rules){.sequence = dx_bytes_of(rows[i].sequence)}, TEXTS("x"));
        if (v.append.status != rows[i].status)
            TAP_FAIL("row %zu: %d", i, v.append.status);
    }
    CHECK_INT(ask(p, 0, (dx_append_rules){0}, TEXTS("x")).append.status,
              DX_STREAM_OK); /* none asked for */
    pair_free(p);
}

TEST("§5.2.1 a producer's duplicate is found before Stream-Seq is looked at")
{
    pair *p = pair_of_text();
    dx_append_rules r = {.producer = DX_BYTES("a"), .sequence = DX_BYTES("1")};

    CHECK_INT(ask(p, 0, r, TEXTS("x")).append.status, DX_STREAM_OK);
    CHECK(ask(p, 0, r, TEXTS("x")).rules.is_duplicate);
    r.producer_sequence = 1;
    CHECK_INT(ask(p, 0, r, TEXTS("x")).append.status, DX_STREAM_SEQUENCE);
    CHECK_INT(produce(p, 0, "a", (uint64_t[]){0, 1}).append.status, DX_STREAM_OK);
    pair_free(p);
}

TEST("If-Match: appended only where the tail is expected, else told where it is")
{
    pair *p = pair_of_text();
    dx_append_rules r = {.has_expected = true, .expected = pair_info(p, 0, p->path).tail};

    verdict v = ask(p, 1, r, TEXTS("a", "b"));
    CHECK_INT(v.append.status, DX_STREAM_OK);
    dx_offset tail = v.append.next;
    v = ask(p, 1, r, TEXTS("c"));
    CHECK_INT(v.append.status, DX_STREAM_MISMATCH);
    CHECK(dx_offset_compare(v.append.next, tail) == 0);
    r.expected = (dx_offset){tail.epoch + 1, tail.sequence};
    CHECK_INT(ask(p, 1, r, TEXTS("c")).append.status, DX_STREAM_MISMATCH);
    r.expected = tail;
    CHECK_INT(ask(p, 1, r, TEXTS("c")).append.status, DX_STREAM_OK);
    pair_free(p);
}

/* ---- rate ------------------------------------------------------------------------------------- */

TEST(
    "a stream's rate: a second's worth at once, then as time passes; what is larger waits for a full bucket")
{
    pair *p = pair_of_text();
    const char *many[26] = {0};
    dx_append a;

    for (int i = 0; i < 25; i++)
        many[i] = "x";
    p->ns.append_rate_max = 20; /* one in 50 ms */
    for (int i = 0; i < 20; i++)
        CHECK_INT(pair_append(p, 0, (dx_append){.kind = DX_STREAM_TEXT}, TEXTS("x")).status,
                  DX_STREAM_OK);
    a = pair_append(p, 0, (dx_append){.kind = DX_STREAM_TEXT}, TEXTS("x"));
    CHECK_INT(a.status, DX_STREAM_RATE);
    CHECK(a.retry_ms > 0 && a.retry_ms <= 51);
    a = pair_append(p, 1, (dx_append){.kind = DX_STREAM_TEXT}, many);
    CHECK_INT(a.status, DX_STREAM_RATE);
    CHECK(a.retry_ms > 900 && a.retry_ms <= 1001);
    dx_home_find(p->hubs[0], dx_bytes_of(p->path))->rate_at_ns -=
        50000000; /* as if 50 ms had passed */
    CHECK_INT(pair_append(p, 0, (dx_append){.kind = DX_STREAM_TEXT}, TEXTS("x")).status,
              DX_STREAM_OK);
    CHECK_INT(pair_append(p, 0, (dx_append){.kind = DX_STREAM_TEXT}, TEXTS("x")).status,
              DX_STREAM_RATE);
    dx_home_find(p->hubs[0], dx_bytes_of(p->path))->rate_at_ns -= 1000000000;
    CHECK_INT(pair_append(p, 0, (dx_append){.kind = DX_STREAM_TEXT}, many).status, DX_STREAM_OK);
    CHECK_INT(pair_append(p, 0, (dx_append){.kind = DX_STREAM_TEXT}, TEXTS("x")).status,
              DX_STREAM_RATE);
    CHECK_INT(pair_info(p, 0, p->path).tail.sequence, 46);
    pair_free(p);
}
