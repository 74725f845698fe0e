/* Tests of a server that is killed: whatever was acknowledged is there afterwards, once, in order, together with
 * what was committed with it.
 * Usage: ... [SUBSTRING]; the environment's STORE_KILLS says how often (60).
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "store/inspect.h"
#include "store/test_asker.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STREAMS = 4, IN_FLIGHT = 6, KEPT = 500, KILLS = 60, LIFE_MS_MAX = 120 };

static const char *const paths[STREAMS] = {"/s/a", "/s/b", "/s/c", "/s/d"};

typedef struct note {
    uint32_t stream, count;
    uint64_t id, sequence; /* acknowledged up to here */
} note;

/* ---- the one that is killed ---- */

typedef struct publisher {
    uint64_t ids[STREAMS], next[STREAMS];
    unsigned random;
    int to;
} publisher;

/* One append, with the fact that it was made and now and then a lower bound. */
typedef struct append {
    commitment *under_way;
    char value[24];
    dx_store_fact fact;
    uint32_t stream;
    uint64_t sequence;
} append;

static asker child;
static publisher self;
static append appends[STREAMS * IN_FLIGHT];

static void start_append(append *p);

static void tell(note n)
{
    if (write(self.to, &n, sizeof n) != (ssize_t)sizeof n)
        _exit(3);
}

static void on_appended(commitment *c)
{
    append *p = c->context;
    if (c->commit.status != DX_STORE_OK) {
        dx_store_sqlite_state state;
        dx_store_sqlite_state_get(child.store, &state);
        fprintf(stderr, "# status %d: %s\n", (int)c->commit.status, state.why);
        _exit(2);
    }
    tell((note){p->stream, 1, c->commit.id, p->sequence});
    commitment_free(c);
    start_append(p);
}

static void start_append(append *p)
{
    size_t count = 1 + (self.random = self.random * 1103515245 + 12345) / 65536 % 5;
    uint64_t first = self.next[p->stream], last = first + count - 1;

    self.next[p->stream] += count;
    p->sequence = last;
    snprintf(p->value, sizeof p->value, "%llu", (unsigned long long)last);
    p->fact = fact("last", p->value, 0);
    p->under_way = asker_commit_start(
        &child, &(edit){.id = self.ids[p->stream],
                        .sequence = first,
                        .count = count,
                        .size = first % 17 * 97,
                        .facts = &p->fact,
                        .facts_count = 1,
                        .first = last % 3 == 0 && last > KEPT ? last - KEPT : 0});
    p->under_way->then = on_appended;
    p->under_way->context = p;
}

static uint64_t make_stream(uint32_t stream)
{
    dx_store_fact last = fact("last", "0", 0);
    uint64_t id = child.store->ops->new_id(child.store);
    dx_store_status status = asker_commit(
        &child,
        &(edit){
            .id = id, .path = paths[stream], .record = "made", .facts = &last, .facts_count = 1});

    if (status != DX_STORE_OK)
        _exit(4);
    return id;
}

/* Now and then a stream is deleted and made anew; both are told. */
static void prepare_stream(uint32_t stream)
{
    dx_store_status status = asker_load(&child, paths[stream]);

    if (status == DX_STORE_OK && self.random / 65536 % 8 == stream) {
        tell((note){stream, 0, 0, 0}); /* from now on it may be missing */
        if (asker_commit(&child, &(edit){.id = child.id, .is_deleted = true}) != DX_STORE_OK)
            _exit(5);
        status = DX_STORE_NOT_FOUND;
    }
    self.ids[stream] = child.id, self.next[stream] = child.tail + 1;
    if (status == DX_STORE_NOT_FOUND)
        self.ids[stream] = make_stream(stream), self.next[stream] = 1;
    else if (status != DX_STORE_OK)
        _exit(6);
    tell((note){stream, 0, self.ids[stream], self.next[stream] - 1});
}

static void run_child(const char *directory, int to, unsigned random)
{
    self.random = random, self.to = to;
    snprintf(child.directory, sizeof child.directory, "%s", directory);
    child.options = (dx_store_sqlite_options){.directory = child.directory,
                                              .unsettled_bytes_max = random % 2 ? 0 : 100000,
                                              .log_bytes = random % 3 ? 0 : 300000};
    if (dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &child.loop) != DX_OK ||
        asker_open(&child) != DX_OK) {
        fprintf(stderr, "# %s\n", child.why);
        _exit(7);
    }
    for (uint32_t i = 0; i < STREAMS; i++)
        prepare_stream(i);
    for (uint32_t i = 0; i < STREAMS * IN_FLIGHT; i++) {
        appends[i].stream = i % STREAMS;
        start_append(&appends[i]);
    }
    for (;;)
        dx_loop_step(child.loop, -1);
}

/* ---- the one that kills ---- */

static asker a;
static struct {
    uint64_t id, sequence;
} acknowledged[STREAMS];
static uint64_t acknowledgements;

static void take_notes(int from)
{
    note n;
    ssize_t got;

    while ((got = read(from, &n, sizeof n)) == (ssize_t)sizeof n) {
        CHECK(n.stream < STREAMS);
        acknowledged[n.stream].id = n.id;
        acknowledged[n.stream].sequence = n.sequence;
        acknowledgements += n.count;
    }
    CHECK_INT(got, 0);
}

static void kill_one(unsigned random)
{
    int ends[2], status = 0;

    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        run_child(a.directory, ends[1], random);
    }
    close(ends[1]);
    usleep(random / 65536 % LIFE_MS_MAX * 1000 + random % 1000);
    CHECK_INT(kill(pid, SIGKILL), 0);
    take_notes(ends[0]);
    close(ends[0]);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        TAP_FAIL("it ended by itself: %d", WEXITSTATUS(status));
}

static void on_fault(void *context, const char *sentence)
{
    TAP_FAIL("%s", sentence);
}

static void check_stream(uint32_t stream)
{
    char last[64];

    dx_store_status status = asker_load(&a, paths[stream]);
    if (status == DX_STORE_NOT_FOUND && acknowledged[stream].id == 0)
        return; /* killed before it was made, or between its deletion and that */
    CHECK_INT(status, DX_STORE_OK);
    if (a.id == acknowledged[stream].id)
        CHECK(a.tail >= acknowledged[stream].sequence);
    else /* deleted and made anew, but nobody was told */
        CHECK(a.id > acknowledged[stream].id);
    snprintf(last, sizeof last, "last=%llu;", (unsigned long long)a.tail);
    CHECK(strcmp(a.facts, last) == 0);
    CHECK_INT(asker_count(&a, a.id, a.first), (long)(a.tail - a.first + 1));
}

static void check_all(int round)
{
    dx_store_report report;

    dx_err err = dx_store_sqlite_verify(a.directory, on_fault, NULL, &report, a.why);
    if (err != DX_ERR_NOT_FOUND || acknowledgements > 0) /* killed before there was a store */
        CHECK_INT(err, DX_OK);
    if (round % 2 == 0) /* every other time the next child finds what the killed one left */
        return;
    err = asker_open(&a);
    CHECK_INT(err, DX_OK);
    if (err != DX_OK)
        return;
    for (uint32_t i = 0; i < STREAMS; i++)
        check_stream(i);
    asker_close(&a);
}

TEST("whatever a killed server had acknowledged is there")
{
    const char *wanted = getenv("STORE_KILLS");
    int kills = wanted ? atoi(wanted) : KILLS;
    unsigned random = (unsigned)dx_clock_ns();

    printf("# seed %u\n", random);
    asker_begin_without_store(&a);
    for (int i = 0; i < kills && tap_failures == 0; i++) {
        random = random * 1103515245 + 12345;
        kill_one(random);
        check_all(i);
    }
    if (tap_failures == 0)
        check_all(1);
    printf("# %d kills, %llu acknowledged commits\n", kills, (unsigned long long)acknowledgements);
    CHECK(acknowledgements > (uint64_t)kills);
    asker_remove(&a);
}
