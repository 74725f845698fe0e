/* Measures the store: durable messages a second and how long acknowledgements take, many streams, a cold one; and
 * beside them what the same disk does bare, and SQLite with a row per message.
 * Usage: bench_store [--directory DIR] [--seconds S] [--streams-many N] [CASE...]
 *        CASE: sync rows writers pipelined many   (default: all)
 * Is not: a server: no HTTP; a test.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "base/clock.h"
#include "loop/workers.h"
#include "store/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAYLOAD_BYTES = 200, TIMES_MAX = 4 << 20 };

static const char *directory = "/var/tmp";
static double seconds = 3;
static uint64_t many_count = 1000000;

static char place[256]; /* of this run, below `directory` */

static const char *make_place(void)
{
    snprintf(place, sizeof place, "%s/duplex-bench-XXXXXX", directory);
    dx_assert(mkdtemp(place) != NULL);
    return place;
}

static void remove_place(void)
{
    static const char *const names[] = {"duplex.db",   "duplex.db-wal", "duplex.db-shm",
                                        "lock",        "bare",          "rows.db",
                                        "rows.db-wal", "rows.db-shm"};
    char path[512];

    for (size_t i = 0; i < DX_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", place, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(place);
}

static size_t resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long all = 0, resident = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &all, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * 4;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* ---- times ---- */

typedef struct times {
    uint32_t *us;
    size_t count;
} times;

static int compare_u32(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static uint32_t quantile(times *t, double q)
{
    if (t->count == 0)
        return 0;
    qsort(t->us, t->count, sizeof *t->us, compare_u32);
    return t->us[(size_t)((double)(t->count - 1) * q)];
}

/* ---- bare ---- */

static void bench_sync(void)
{
    char path[512], bytes[PAYLOAD_BYTES] = {0};
    times t = {malloc(TIMES_MAX * sizeof(uint32_t)), 0};

    snprintf(path, sizeof path, "%s/bare", make_place());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    dx_assert(fd >= 0);
    uint64_t begin = dx_clock_ns(), now = begin;
    while ((double)(now - begin) < seconds * 1e9 && t.count < TIMES_MAX) {
        dx_assert(write(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes && fdatasync(fd) == 0);
        uint64_t after = dx_clock_ns();
        t.us[t.count++] = (uint32_t)((after - now) / 1000);
        now = after;
    }
    printf("bare write+fdatasync of 200 bytes: %.0f/s, p50 %u us, p99 %u us\n",
           (double)t.count / ((double)(now - begin) / 1e9), quantile(&t, 0.5), quantile(&t, 0.99));
    close(fd);
    free(t.us);
    remove_place();
}

/* A row per message, `batch` of them a transaction, spread over `streams`. */
static void bench_rows(int batch, int streams)
{
    char path[512], bytes[PAYLOAD_BYTES] = {0};
    sqlite3 *db;
    sqlite3_stmt *put, *begin_text, *commit_text;
    uint64_t messages = 0;

    snprintf(path, sizeof path, "%s/rows.db", make_place());
    dx_assert(sqlite3_open(path, &db) == SQLITE_OK);
    dx_assert(sqlite3_exec(
                  db,
                  "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF;"
                  "PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=4096; CREATE TABLE message("
                  "stream INTEGER, sequence INTEGER, data BLOB, PRIMARY KEY(stream, sequence))"
                  " WITHOUT ROWID",
                  NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_prepare_v2(db, "INSERT INTO message VALUES(?1, ?2, ?3)", -1, &put, NULL);
    sqlite3_prepare_v2(db, "BEGIN", -1, &begin_text, NULL);
    sqlite3_prepare_v2(db, "COMMIT", -1, &commit_text, NULL);
    uint64_t begin = dx_clock_ns();
    while ((double)(dx_clock_ns() - begin) < seconds * 1e9) {
        sqlite3_step(begin_text), sqlite3_reset(begin_text);
        for (int i = 0; i < batch; i++, messages++) {
            sqlite3_bind_int64(put, 1, (sqlite3_int64)(messages % (uint64_t)streams));
            sqlite3_bind_int64(put, 2, (sqlite3_int64)messages);
            sqlite3_bind_blob(put, 3, bytes, sizeof bytes, SQLITE_STATIC);
            dx_assert(sqlite3_step(put) == SQLITE_DONE);
            sqlite3_reset(put);
        }
        dx_assert(sqlite3_step(commit_text) == SQLITE_DONE);
        sqlite3_reset(commit_text);
    }
    printf("a row per message, %d a transaction, %d streams: %.0f messages/s\n", batch, streams,
           (double)messages / ((double)(dx_clock_ns() - begin) / 1e9));
    sqlite3_finalize(put), sqlite3_finalize(begin_text), sqlite3_finalize(commit_text);
    sqlite3_close(db);
    remove_place();
}

/* ---- the store ---- */

typedef struct bench bench;

/* One stream's publisher: its commits are in order, `depth` of them in flight. */
typedef struct flight {
    dx_store_commit commit;
    dx_message *message;
    bench *in;
    uint64_t begin_ns;
    uint32_t writer;
} flight;

/* What one loop does. */
typedef struct side {
    bench *in;
    times t;
    uint64_t messages;
    uint32_t running;
} side;

struct bench {
    dx_store *store;
    dx_workers *workers;
    uint32_t writers, depth, streams, loops;
    uint64_t *ids, *sequences; /* of streams; a stream belongs to one loop */
    uint32_t *turns;           /* of writers: which of its streams is next */
    uint64_t end_ns;
    side sides[8];
    atomic_uint ended;
};

static dx_store *open_store(void)
{
    char why[DX_STORE_WHY_BYTES];
    dx_store *store;

    if (dx_store_sqlite_open(&(dx_store_sqlite_options){.directory = place}, &store, why) !=
        DX_OK) {
        fprintf(stderr, "bench_store: %s\n", why);
        exit(1);
    }
    return store;
}

static dx_message *make_message(uint64_t sequence)
{
    static const uint8_t payload[PAYLOAD_BYTES];
    dx_message *message = dx_message_new(dx_bytes_at(payload, sizeof payload), 0);

    message->is_last = true;
    message->epoch = 1;
    message->sequence = sequence;
    message->time_ms = 1700000000000 + sequence;
    return message;
}

static void on_done(dx_store_commit *commit);

/* The writer's next message goes to the next of its streams: writer, writer + writers, ... */
static void start_flight(flight *f)
{
    bench *b = f->in;
    uint32_t of_writer = b->streams > b->writers ? b->streams / b->writers : 1;
    uint32_t stream = (f->writer + b->turns[f->writer]++ % of_writer * b->writers) % b->streams;
    dx_loop *loop = dx_workers_loop(b->workers, f->writer % b->loops);

    f->message = make_message(++b->sequences[stream]);
    f->commit = (dx_store_commit){
        .id = b->ids[stream], .messages = &f->message, .count = 1, .loop = loop, .done = on_done};
    f->begin_ns = dx_clock_ns();
    b->store->ops->commit(b->store, &f->commit);
}

static void on_done(dx_store_commit *commit)
{
    flight *f = DX_CONTAINER(commit, flight, commit);
    side *s = &f->in->sides[f->writer % f->in->loops];
    uint64_t now = dx_clock_ns();

    dx_assert(commit->status == DX_STORE_OK);
    dx_message_unref(f->message);
    s->messages++;
    if (s->t.count < TIMES_MAX)
        s->t.us[s->t.count++] = (uint32_t)((now - f->begin_ns) / 1000);
    if (now < f->in->end_ns) {
        start_flight(f);
        return;
    }
    bench *b = f->in;
    free(f);
    if (--s->running == 0)
        atomic_fetch_add(&b->ended, 1);
}

static void on_made(dx_store_commit *commit)
{
    atomic_uint *left = (atomic_uint *)(void *)(uintptr_t)commit->facts;
    dx_assert(commit->status == DX_STORE_OK);
    free((void *)(uintptr_t)commit->path.at);
    free(commit);
    atomic_fetch_sub(left, 1);
}

typedef struct opening {
    dx_post post;
    bench *in;
    uint32_t loop;
} opening;

static void on_open(dx_post *post)
{
    opening *o = DX_CONTAINER(post, opening, post);
    bench *b = o->in;

    for (uint32_t w = o->loop; w < b->writers; w += b->loops)
        for (uint32_t i = 0; i < b->depth; i++) {
            flight *f = calloc(1, sizeof *f);
            f->in = b, f->writer = w;
            b->sides[o->loop].running++;
            start_flight(f);
        }
    if (b->sides[o->loop].running == 0)
        atomic_fetch_add(&b->ended, 1);
}

static dx_err on_start(dx_loop *loop, uint32_t index, void *context)
{
    return DX_OK;
}

static void make_streams(bench *b)
{
    atomic_uint left = 0;

    for (uint32_t i = 0; i < b->streams; i++) {
        dx_store_commit *c = calloc(1, sizeof *c);
        char *path = malloc(64);
        snprintf(path, 64, "/s/bench/%u", i);
        b->ids[i] = b->store->ops->new_id(b->store);
        *c = (dx_store_commit){.id = b->ids[i],
                               .path = dx_bytes_of(path),
                               .record = DX_BYTES("record"),
                               .loop = dx_workers_loop(b->workers, 0),
                               .done = on_made,
                               .facts = (const void *)&left};
        while (atomic_load(&left) > 10000)
            usleep(1000);
        atomic_fetch_add(&left, 1);
        b->store->ops->commit(b->store, c);
    }
    while (atomic_load(&left) > 0)
        usleep(1000);
}

static void bench_store(uint32_t writers, uint32_t depth, uint32_t streams)
{
    bench b = {
        .writers = writers, .depth = depth, .streams = streams, .loops = writers > 1 ? 2 : 1};
    opening openings[8];
    dx_store_sqlite_state state;

    make_place();
    b.store = open_store();
    b.ids = calloc(streams, sizeof *b.ids);
    b.sequences = calloc(streams, sizeof *b.sequences);
    b.turns = calloc(writers, sizeof *b.turns);
    dx_err err =
        dx_workers_new(&(dx_workers_options){.count = b.loops, .start = on_start}, &b.workers);
    dx_assert(err == DX_OK);
    make_streams(&b);
    for (uint32_t i = 0; i < b.loops; i++)
        b.sides[i] = (side){&b, {malloc(TIMES_MAX * sizeof(uint32_t)), 0}, 0, 0};
    double cpu = cpu_seconds();
    uint64_t begin = dx_clock_ns();
    b.end_ns = begin + (uint64_t)(seconds * 1e9);
    for (uint32_t i = 0; i < b.loops; i++) {
        openings[i] = (opening){{NULL, on_open}, &b, i};
        err = dx_loop_post(dx_workers_loop(b.workers, i), &openings[i].post);
        dx_assert(err == DX_OK);
    }
    while (atomic_load(&b.ended) < b.loops)
        usleep(1000);
    double took = (double)(dx_clock_ns() - begin) / 1e9;
    cpu = cpu_seconds() - cpu;
    uint64_t messages = 0;
    times all = {malloc(8 * TIMES_MAX * sizeof(uint32_t)), 0};
    for (uint32_t i = 0; i < b.loops; i++) {
        messages += b.sides[i].messages;
        memcpy(all.us + all.count, b.sides[i].t.us, b.sides[i].t.count * sizeof(uint32_t));
        all.count += b.sides[i].t.count;
        free(b.sides[i].t.us);
    }
    dx_store_sqlite_state_get(b.store, &state);
    printf(
        "%u writers, %u in flight each, %u streams: %.0f messages/s durable, p50 %u us, p99 %u us, max %u us; "
        "%.0f a transaction, %.2f cores\n",
        writers, depth, streams, (double)messages / took, quantile(&all, 0.5), quantile(&all, 0.99),
        quantile(&all, 1),
        (double)state.messages / (double)(state.transactions ? state.transactions : 1), cpu / took);
    free(all.us);
    dx_workers_stop(b.workers);
    dx_workers_join(b.workers);
    begin = dx_clock_ns();
    b.store->ops->free(b.store);
    printf("  closed in %.0f ms\n", (double)(dx_clock_ns() - begin) / 1e6);
    dx_workers_free(b.workers);
    free(b.ids), free(b.sequences), free(b.turns);
    remove_place();
}

/* ---- many streams ---- */

typedef struct filling {
    dx_store *store;
    dx_loop *loop;
    uint32_t under_way;
} filling;

typedef struct filled {
    dx_store_commit commit;
    dx_message *messages[10];
    char path[40];
    filling *in;
} filled;

static void on_filled(dx_store_commit *commit)
{
    filled *f = DX_CONTAINER(commit, filled, commit);
    dx_assert(commit->status == DX_STORE_OK);
    for (size_t i = 0; i < commit->count; i++)
        dx_message_unref(f->messages[i]);
    f->in->under_way--;
    free(f);
}

/* Half of the messages come with the stream, the rest later: two passes over all streams. */
static void fill_pass(filling *in, uint64_t first_id, int pass)
{
    for (uint64_t i = 0; i < many_count; i++) {
        filled *f = calloc(1, sizeof *f);
        f->in = in;
        for (uint64_t j = 0; j < 5; j++)
            f->messages[j] = make_message((uint64_t)pass * 5 + j + 1);
        snprintf(f->path, sizeof f->path, "/s/many/%llu", (unsigned long long)i);
        f->commit = (dx_store_commit){.id = first_id + i,
                                      .messages = f->messages,
                                      .count = 5,
                                      .loop = in->loop,
                                      .done = on_filled};
        if (pass == 0)
            f->commit.path = dx_bytes_of(f->path),
            f->commit.record = DX_BYTES("a record of a stream, some bytes");
        in->store->ops->commit(in->store, &f->commit);
        in->under_way++;
        while (in->under_way > 8000)
            dx_loop_step(in->loop, 10);
    }
    while (in->under_way > 0)
        dx_loop_step(in->loop, 10);
}

typedef struct asking {
    dx_store_load load;
    dx_store_read read;
    bool is_done;
} asking;

static void on_loaded(dx_store_load *load)
{
    DX_CONTAINER(load, asking, load)->is_done = true;
}

static void on_read(dx_store_read *read)
{
    DX_CONTAINER(read, asking, read)->is_done = true;
}

static void read_cold(filling *in, size_t rounds)
{
    times loads = {malloc(rounds * sizeof(uint32_t)), 0},
          reads = {malloc(rounds * sizeof(uint32_t)), 0};

    for (size_t i = 0; i < rounds; i++) {
        asking a = {0};
        char path[40];
        snprintf(path, sizeof path, "/s/many/%llu",
                 (unsigned long long)(i * 7919 * 104729 % many_count));
        a.load = (dx_store_load){.path = dx_bytes_of(path), .loop = in->loop, .done = on_loaded};
        uint64_t begin = dx_clock_ns();
        in->store->ops->load(in->store, &a.load);
        while (!a.is_done)
            dx_loop_step(in->loop, 1000);
        uint64_t middle = dx_clock_ns();
        dx_assert(a.load.status == DX_STORE_OK && a.load.tail == 10);
        a.is_done = false;
        a.read = (dx_store_read){.id = a.load.id,
                                 .from = 1,
                                 .count_max = 100,
                                 .bytes_max = 1 << 20,
                                 .loop = in->loop,
                                 .done = on_read};
        in->store->ops->read(in->store, &a.read);
        while (!a.is_done)
            dx_loop_step(in->loop, 1000);
        dx_assert(a.read.status == DX_STORE_OK && a.read.count > 0);
        loads.us[loads.count++] = (uint32_t)((middle - begin) / 1000);
        reads.us[reads.count++] = (uint32_t)((dx_clock_ns() - middle) / 1000);
        for (size_t j = 0; j < a.read.count; j++)
            dx_message_unref(a.read.messages[j]);
        free(a.read.messages);
    }
    printf(
        "  first load of a cold stream: p50 %u us, p99 %u us; first read: p50 %u us, p99 %u us; resident %zu MiB\n",
        quantile(&loads, 0.5), quantile(&loads, 0.99), quantile(&reads, 0.5),
        quantile(&reads, 0.99), resident_kib() / 1024);
    free(loads.us), free(reads.us);
}

static void forget_pages(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/duplex.db", place);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

static void bench_many(void)
{
    filling in = {0};
    char path[512];
    struct stat status;

    make_place();
    dx_err err = dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &in.loop);
    dx_assert(err == DX_OK);
    size_t before = resident_kib();
    in.store = open_store();
    uint64_t first_id = 0, begin = dx_clock_ns();
    for (uint64_t i = 0; i < many_count; i++) {
        uint64_t id = in.store->ops->new_id(in.store);
        first_id = i ? first_id : id;
    }
    fill_pass(&in, first_id, 0);
    uint64_t middle = dx_clock_ns();
    fill_pass(&in, first_id, 1);
    uint64_t end = dx_clock_ns();
    printf(
        "%llu streams: made with 5 messages each %.0f/s, 5 more each %.0f/s; resident %zu MiB more\n",
        (unsigned long long)many_count, (double)many_count / ((double)(middle - begin) / 1e9),
        (double)many_count / ((double)(end - middle) / 1e9), (resident_kib() - before) / 1024);
    begin = dx_clock_ns();
    in.store->ops->free(in.store);
    printf("  closed in %.0f ms;", (double)(dx_clock_ns() - begin) / 1e6);
    snprintf(path, sizeof path, "%s/duplex.db", place);
    if (stat(path, &status) == 0)
        printf(" %.0f MiB on disk;", (double)status.st_size / (1 << 20));
    forget_pages();
    begin = dx_clock_ns();
    in.store = open_store();
    printf(" opened in %.1f ms\n", (double)(dx_clock_ns() - begin) / 1e6);
    read_cold(&in, 2000);
    in.store->ops->free(in.store);
    dx_loop_free(in.loop);
    remove_place();
}

static bool is_wanted(int argc, char **argv, int first, const char *name)
{
    for (int i = first; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return first >= argc;
}

int main(int argc, char **argv)
{
    int i = 1;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--directory") == 0)
            directory = argv[i + 1];
        else if (strcmp(argv[i], "--seconds") == 0)
            seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--streams-many") == 0)
            many_count = (uint64_t)atoll(argv[i + 1]);
    }
    if (is_wanted(argc, argv, i, "sync"))
        bench_sync();
    if (is_wanted(argc, argv, i, "rows"))
        bench_rows(1, 1000), bench_rows(100, 1000), bench_rows(1000, 1), bench_rows(1000, 1000);
    if (is_wanted(argc, argv, i, "writers"))
        bench_store(1, 1, 1), bench_store(16, 1, 16), bench_store(64, 1, 64);
    if (is_wanted(argc, argv, i, "pipelined"))
        bench_store(64, 64, 64), bench_store(64, 64, 1000), bench_store(1, 4096, 1);
    if (is_wanted(argc, argv, i, "many"))
        bench_many();
    return 0;
}
