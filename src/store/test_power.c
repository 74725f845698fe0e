/* Tests of power cuts: whatever was acknowledged before one is on the medium after it, however the writes that were
 * not synced were torn.
 * Usage: ... [SUBSTRING]; the environment's STORE_CUTS says how often (100).
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "store/inspect.h"
#include "store/test_asker.h"
#include "store/test_faulty.h"
#include "tests/tap.h"

#include <sqlite3.h>

enum { STREAMS = 3, IN_FLIGHT = 4, CUTS = 100 };

static const char *const paths[STREAMS] = {"/s/a", "/s/b", "/s/c"};

static asker a, after;
static unsigned rolled; /* for rand_r */
static uint64_t ids[STREAMS], next[STREAMS], acknowledged[STREAMS], dropped[STREAMS];
static uint64_t refused;          /* commits */
static bool is_in_doubt[STREAMS]; /* one was refused: where it ends is to be asked */

typedef struct append {
    commitment *under_way;
    char value[24];
    dx_store_fact fact;
    uint32_t stream;
    uint64_t last, first;
    bool is_done;
} append;

static append appends[STREAMS][IN_FLIGHT];

static void on_appended(commitment *c)
{
    append *p = c->context;

    p->is_done = true;
    if (c->commit.status == DX_STORE_OK)
        acknowledged[p->stream] = p->last;
    else
        refused++, is_in_doubt[p->stream] = true;
}

/* As the stream layer does: what failed, and all that was to follow on it, is forgotten. */
static void ask_again(uint32_t stream)
{
    for (uint32_t i = 0; i < IN_FLIGHT; i++)
        if (appends[stream][i].under_way)
            asker_wait(&a, &appends[stream][i].is_done);
    CHECK_INT(asker_load(&a, paths[stream]), DX_STORE_OK);
    CHECK(a.tail >= acknowledged[stream]);
    next[stream] = a.tail + 1;
    is_in_doubt[stream] = false;
}

static void start(append *p)
{
    size_t count = 1 + (size_t)rand_r(&rolled) % 4;

    if (is_in_doubt[p->stream])
        ask_again(p->stream);
    uint64_t first = next[p->stream];

    next[p->stream] += count;
    p->last = first + count - 1;
    p->is_done = false;
    snprintf(p->value, sizeof p->value, "%llu", (unsigned long long)p->last);
    p->fact = fact("last", p->value, 0);
    if (p->last % 50 == 0 && p->last > 200)
        dropped[p->stream] = p->last - 200;
    p->under_way = asker_commit_start(&a, &(edit){.id = ids[p->stream],
                                                  .sequence = first,
                                                  .count = count,
                                                  .size = (size_t)rand_r(&rolled) % 2000,
                                                  .facts = &p->fact,
                                                  .facts_count = 1,
                                                  .first = dropped[p->stream]});
    p->under_way->context = p;
    p->under_way->then = on_appended;
}

/* A few more commits; the last ones stay under way. */
static void publish(int count)
{
    for (int i = 0; i < count; i++) {
        append *p = &appends[rand_r(&rolled) % STREAMS][rand_r(&rolled) % IN_FLIGHT];
        if (p->under_way) {
            asker_wait(&a, &p->is_done);
            commitment_free(p->under_way);
            p->under_way = NULL;
        }
        start(p);
    }
    for (int i = rand_r(&rolled) % 3; i > 0; i--)
        dx_loop_step(a.loop, 1);
}

static void finish_all(void)
{
    for (uint32_t i = 0; i < STREAMS * IN_FLIGHT; i++) {
        append *p = &appends[i / IN_FLIGHT][i % IN_FLIGHT];
        if (p->under_way == NULL)
            continue;
        asker_wait(&a, &p->is_done);
        commitment_free(p->under_way);
        p->under_way = NULL;
    }
}

static void on_fault(void *context, const char *sentence)
{
    TAP_FAIL("%s", sentence);
}

static void check_stream(uint32_t stream, uint64_t at_least)
{
    char last[64];

    CHECK_INT(asker_load(&after, paths[stream]), DX_STORE_OK);
    CHECK(after.tail >= at_least);
    if (after.tail < at_least)
        TAP_FAIL("acknowledged %llu, there is %llu", (unsigned long long)at_least,
                 (unsigned long long)after.tail);
    snprintf(last, sizeof last, "last=%llu;", (unsigned long long)after.tail);
    CHECK(after.tail == 0 || strcmp(after.facts, last) == 0);
    CHECK_INT(asker_count(&after, after.id, after.first), (long)(after.tail - after.first + 1));
}

/* The mark that is there at that moment, as it is now: the most that could have come to the medium. */
static void copy_mark(void)
{
    char from[256], to[256];
    uint8_t mark[64];

    snprintf(from, sizeof from, "%s/duplex.db-mark", a.directory);
    snprintf(to, sizeof to, "%s/duplex.db-mark", after.directory);
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    CHECK(in && out);
    size_t size = fread(mark, 1, sizeof mark, in);
    CHECK(size == 0 || size == 16);
    fwrite(mark, 1, size, out);
    fclose(in);
    fclose(out);
}

/* The power goes; what is left is opened on a sound medium. */
static void cut_and_check(unsigned seed)
{
    uint64_t before[STREAMS];
    dx_store_report report;

    memcpy(before, acknowledged, sizeof before);
    after = (asker){0};
    asker_begin_without_store(&after);
    copy_mark();
    faulty_cut(after.directory, seed);
    CHECK_INT(dx_store_sqlite_verify(after.directory, on_fault, NULL, &report, after.why), DX_OK);
    dx_err err = asker_open(&after);
    if (err != DX_OK)
        TAP_FAIL("%s", after.why);
    for (uint32_t i = 0; err == DX_OK && i < STREAMS; i++)
        check_stream(i, before[i]);
    asker_end(&after);
}

static void begin(size_t unsettled_bytes_max, size_t log_bytes)
{
    a = (asker){.options = {.unsettled_bytes_max = unsettled_bytes_max,
                            .log_bytes = log_bytes,
                            .vfs = faulty_vfs()}};
    asker_begin(&a);
    for (uint32_t i = 0; i < STREAMS; i++) {
        ids[i] = asker_make(&a, paths[i], 0);
        next[i] = 1, acknowledged[i] = dropped[i] = 0;
        is_in_doubt[i] = false;
        for (uint32_t k = 0; k < IN_FLIGHT; k++)
            appends[i][k] = (append){.stream = i};
    }
    refused = 0;
}

static void run_cuts(size_t unsettled_bytes_max, size_t log_bytes, int cuts)
{
    begin(unsettled_bytes_max, log_bytes);
    for (int i = 0; i < cuts && tap_failures == 0; i++) {
        publish(1 + rand_r(&rolled) % 40);
        cut_and_check((unsigned)rand_r(&rolled));
    }
    finish_all();
    cut_and_check(1);
    CHECK_INT(refused, 0);
    asker_end(&a);
}

static int cuts_wanted(void)
{
    const char *wanted = getenv("STORE_CUTS");

    rolled = (unsigned)dx_clock_ns();
    printf("# seed %u\n", rolled);
    return wanted ? atoi(wanted) : CUTS;
}

TEST("a power cut loses nothing that was acknowledged: while little is settled and carried over")
{
    run_cuts(0, 0, cuts_wanted() / 4);
}

TEST(
    "a power cut loses nothing that was acknowledged: while all is settled and carried over all the time")
{
    run_cuts(20000, 100000, cuts_wanted() / 2);
}

TEST(
    "a power cut loses nothing that was acknowledged: while it is settled often, and the log is long")
{
    run_cuts(20000, 0, cuts_wanted() / 4);
}

TEST(
    "after a sync that failed, and lost what it was to sync, a power cut loses nothing that was acknowledged")
{
    int cuts = cuts_wanted() / 4;

    begin(20000, 200000);
    for (int i = 0; i < cuts && tap_failures == 0; i++) {
        publish(20);
        faulty_arm(FAULTY_SYNC, 1 + rand_r(&rolled) % 6, 1 + rand_r(&rolled) % 3,
                   SQLITE_IOERR_FSYNC, 5);
        publish(10 + rand_r(&rolled) % 20);
        finish_all();
        faulty_heal();
        for (int k = 0; k < 3; k++) { /* while it gets sure again, which it tries after 200 ms */
            dx_loop_step(a.loop, rand_r(&rolled) % 120);
            cut_and_check((unsigned)rand_r(&rolled));
        }
        publish(5);
        cut_and_check((unsigned)rand_r(&rolled));
        for (int wait = 0; wait < 100; wait++) { /* it gets sure again by itself */
            dx_store_sqlite_state state;
            dx_store_sqlite_state_get(a.store, &state);
            if (state.status == DX_STORE_OK)
                break;
            dx_loop_step(a.loop, 50);
        }
        finish_all();
    }
    uint64_t before = refused;
    publish(20);
    finish_all();
    CHECK_INT(refused, before);
    CHECK(refused > 0);
    cut_and_check(1);
    asker_end(&a);
}
