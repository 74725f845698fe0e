/* Tests of copying, checking and walking over a store, at rest and while it is served from.
 * SPDX-License-Identifier: MIT */
#include "store/inspect.h"
#include "store/test_asker.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <unistd.h>

static asker a;
static int faults;

static void count_fault(void *context, const char *sentence)
{
    if (context)
        printf("# %s\n", sentence);
    faults++;
}

static dx_err verify(dx_store_report *report)
{
    faults = 0;
    return dx_store_sqlite_verify(a.directory, count_fault, NULL, report, a.why);
}

static void fill(void)
{
    asker_make(&a, "/s/one", 3);
    uint64_t two = asker_make(&a, "/s/two", 5);
    dx_store_fact facts[] = {fact("producer", "7", 0), fact("key", "x", UINT64_MAX)};

    CHECK_INT(asker_commit(&a, &(edit){.id = two, .facts = facts, .facts_count = 2}), DX_STORE_OK);
    uint64_t fork = a.store->ops->new_id(a.store);
    CHECK_INT(asker_commit(&a, &(edit){.id = fork,
                                       .path = "/s/fork",
                                       .record = "fork",
                                       .source = two,
                                       .source_tail = 3,
                                       .sequence = 4,
                                       .count = 2}),
              DX_STORE_OK);
}

/* ---- walking ---- */

typedef struct notes {
    dx_store_walker walker;
    char text[2048];
    size_t size;
    int streams_max;
} notes;

static bool note_stream(dx_store_walker *walker, const dx_store_stream *s)
{
    notes *n = DX_CONTAINER(walker, notes, walker);

    n->size +=
        (size_t)snprintf(n->text + n->size, sizeof n->text - n->size, "[%.*s %.*s %llu %llu %zu%s]",
                         DX_FORMAT(s->path), DX_FORMAT(s->record), (unsigned long long)s->first,
                         (unsigned long long)s->tail, s->facts_count, s->source ? " fork" : "");
    return --n->streams_max >= 0;
}

static bool note_message(dx_store_walker *walker, const dx_message *message)
{
    notes *n = DX_CONTAINER(walker, notes, walker);

    n->size += (size_t)snprintf(n->text + n->size, sizeof n->text - n->size, "%.*s,",
                                DX_FORMAT(dx_message_payload(message)));
    return true;
}

static void check_walk(const char *want, int streams_max)
{
    notes n = {.walker = {.on_stream = note_stream, .on_message = note_message},
               .streams_max = streams_max};

    CHECK_INT(dx_store_sqlite_walk(a.directory, &n.walker, a.why), DX_OK);
    CHECK_MEM(n.text, n.size, want, strlen(want));
}

TEST(
    "a walk comes to all streams and their messages, settled or not, while the store is served from")
{
    static const char *const want =
        "[/s/one made 1 3 0]1/1,1/2,1/3,[/s/two made 1 5 2]2/1,2/2,2/3,2/4,2/5,"
        "[/s/fork fork 1 5 0 fork]2/1,2/2,2/3,3/4,3/5,";
    asker_begin(&a);
    fill();
    check_walk(want, 100);
    asker_reopen(&a);
    check_walk(want, 100);
    asker_close(&a);
    check_walk(want, 100);
    check_walk("[/s/one made 1 3 0]1/1,1/2,1/3,[/s/two made 1 5 2]", 1);
    asker_end(&a);
}

/* ---- checking ---- */

TEST("a store that is whole has no faults, and is counted, settled or not")
{
    asker_begin(&a);
    fill();
    for (int round = 0; round < 2; round++) {
        dx_store_report r = {0};
        CHECK_INT(verify(&r), DX_OK);
        CHECK_INT(faults, 0);
        CHECK_INT(r.faults, 0);
        CHECK_INT(r.streams, 3);
        CHECK_INT(r.messages, 10);
        CHECK_INT(r.facts, round == 0 ? 0 : 2);
        CHECK_INT(r.unsettled_messages, round == 0 ? 10 : 0);
        asker_reopen(&a);
    }
    asker_end(&a);
}

TEST("where there is no store, or something else, a sentence says so")
{
    dx_store_report r;
    char path[256];

    asker_begin_without_store(&a);
    CHECK_INT(verify(&r), DX_ERR_NOT_FOUND);
    CHECK(strstr(a.why, "no store") != NULL);
    snprintf(path, sizeof path, "%s/duplex.db", a.directory);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs(
        "this is no database, but it is long enough that somebody could take it for one; or is it, really? "
        "A header has a hundred bytes.\n",
        file);
    fclose(file);
    CHECK_INT(verify(&r), DX_ERR_CONFLICT);
    CHECK_INT(asker_open(&a), DX_ERR_CONFLICT);
    CHECK(strstr(a.why, "database") != NULL);
    asker_end(&a);
}

/* ---- damage ---- */

static size_t read_file(const char *path, uint8_t *memory, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, memory, size);
    if (fd >= 0)
        close(fd);
    return got < 0 ? 0 : (size_t)got;
}

static void write_at(const char *path, size_t at, uint8_t byte)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0 && pwrite(fd, &byte, 1, (off_t)at) == 1);
    if (fd >= 0)
        close(fd);
}

/* What can be asked for is right, or is refused: gives how often it was refused. */
static int ask_everything(void)
{
    static const char *const paths[] = {"/s/one", "/s/two", "/s/fork"};
    static const uint64_t tails[] = {3, 5, 5};
    int refused = 0;

    for (size_t i = 0; i < DX_COUNT(paths); i++) {
        dx_store_status status = asker_load(&a, paths[i]);
        if (status != DX_STORE_OK) {
            CHECK_INT(status, DX_STORE_BROKEN);
            refused++;
            continue;
        }
        CHECK_INT(a.tail, tails[i]);
        CHECK(strcmp(a.record, i == 2 ? "fork" : "made") == 0);
        for (uint64_t from = 1; from <= tails[i];) {
            status = asker_read(&a, a.id, from, 100, 1000);
            if (status != DX_STORE_OK) {
                CHECK_INT(status, DX_STORE_BROKEN);
                refused++;
                break;
            }
            CHECK(a.read.count > 0);
            for (size_t k = 0; k < a.read.count; k++, from++)
                CHECK(asker_is_right(a.read.messages[k], i == 2 && from <= 3 ? 2 : i + 1, from));
            if (a.read.count == 0)
                break;
        }
    }
    return refused;
}

TEST("a bit that has changed anywhere is found, and what it changed is never served")
{
    static uint8_t whole[1 << 20];
    char path[256];
    int found = 0, harmless = 0;

    asker_begin(&a);
    fill();
    asker_close(&a);
    snprintf(path, sizeof path, "%s/duplex.db", a.directory);
    size_t size = read_file(path, whole, sizeof whole);
    CHECK(size > 20000 && size < sizeof whole);
    for (size_t at = 0; at < size; at += 97) {
        dx_store_report r = {0};
        uint8_t flipped = whole[at] ^ (uint8_t)(1u << (at % 8));
        write_at(path, at, flipped);
        dx_err err = verify(&r);
        bool is_found = err != DX_OK || r.faults > 0;
        if (asker_open(&a) == DX_OK) {
            int refused = ask_everything();
            if (!is_found)
                CHECK_INT(refused, 0);
            asker_close(&a);
        }
        found += is_found, harmless += !is_found;
        int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
        CHECK(fd >= 0 && write(fd, whole, size) == (ssize_t)size);
        close(fd);
    }
    CHECK(found > 100);
    /* Pages that nobody uses any more are not read. */
    CHECK(harmless < found / 2);
    asker_end(&a);
}

/* ---- damage of the log of a store that was killed ---- */

/* Gives how many of the four commits of fill() are there: each stands on those before it, and what is there is
 * right. */
static int ask_beginning(void)
{
    static const char *const paths[] = {"/s/one", "/s/two", "/s/fork"};
    static const uint64_t tails[] = {3, 5, 5};
    int there = 0;

    for (int i = 0; i < 3; i++) {
        dx_store_status status = asker_load(&a, paths[i]);
        CHECK(status == DX_STORE_OK || status == DX_STORE_NOT_FOUND);
        if (status != DX_STORE_OK)
            continue;
        CHECK_INT(there, i == 2 ? 3 : i);
        CHECK_INT(a.tail, tails[i]);
        there += 1 + (i == 1 && a.facts_count == 2);
        if (i < 2)
            CHECK_INT(asker_count(&a, a.id, 1), (long)tails[i]);
        else
            CHECK_INT(asker_count(&a, a.id, 4), 2);
    }
    return there;
}

typedef struct left_file {
    const char *suffix;
    uint8_t bytes[1 << 20];
    size_t size;
} left_file;

static left_file files[] = {{.suffix = ""}, {.suffix = "-wal"}, {.suffix = "-mark"}};
static left_file *const log_file = &files[1], *const mark_file = &files[2];

static const char *path_of(const left_file *f)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/duplex.db%s", a.directory, f->suffix);
    return path;
}

/* What SIGKILL leaves of a store. */
static void kill_store(bool is_settled)
{
    dx_store_sqlite_state state = {.unsettled_bytes = is_settled};

    a = (asker){.options = {.unsettled_bytes_max = is_settled ? 1 : 0}};
    asker_begin(&a);
    fill();
    for (int wait = 0; wait < 1000 && state.unsettled_bytes > 0; wait++) {
        dx_store_sqlite_state_get(a.store, &state);
        dx_loop_step(a.loop, 10);
    }
    for (size_t i = 0; i < DX_COUNT(files); i++)
        files[i].size = read_file(path_of(&files[i]), files[i].bytes, sizeof files[i].bytes);
    asker_close(&a);
    CHECK(log_file->size > 32 + 4096 && log_file->size < sizeof log_file->bytes);
    CHECK_INT(mark_file->size, 16);
}

static void restore(void)
{
    for (size_t i = 0; i < DX_COUNT(files); i++) {
        int fd = open(path_of(&files[i]), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        CHECK(fd >= 0 && write(fd, files[i].bytes, files[i].size) == (ssize_t)files[i].size);
        if (fd >= 0)
            close(fd);
    }
}

static void flip(left_file *f, size_t at)
{
    f->bytes[at] ^= (uint8_t)(1u << (at % 8));
}

/* How many commits are there, -1 if it does not open, when the bit is another. */
static int open_flipped(left_file *f, size_t at)
{
    int there = -1;

    flip(f, at);
    restore();
    flip(f, at);
    if (asker_open(&a) == DX_OK) {
        there = ask_beginning();
        asker_close(&a);
    } else {
        dx_store_report r;
        CHECK(strstr(a.why, "-wal is damaged") != NULL);
        CHECK_INT(verify(&r), DX_ERR_CONFLICT);
        CHECK(strstr(a.why, "-wal is damaged") != NULL);
    }
    return there;
}

static void flip_log(bool is_settled)
{
    int found = 0, harmless = 0;

    kill_store(is_settled);
    size_t step = 1 + log_file->size / 120;
    for (size_t at = 0; at < log_file->size; at += at < 32 + 24 ? 1 : step) {
        int there = open_flipped(log_file, at);
        found += there < 0, harmless += there == 4;
        if (there >= 0)
            CHECK_INT(there, 4);
    }
    printf("# found %d, harmless %d\n", found, harmless);
    CHECK(found > 100);
    CHECK(is_settled ? harmless > 0 : harmless < 3);
    asker_end(&a);
}

TEST(
    "a bit that has changed in the log of a killed store is found: what was acknowledged would be missing")
{
    flip_log(false);
}

TEST(
    "the same while it is settled: what was not synced, and is still in the journal, is not needed")
{
    flip_log(true);
}

TEST("a mark of the log that is damaged, shorter or not there does no harm")
{
    kill_store(false);
    for (size_t at = 0; at < mark_file->size; at++)
        CHECK_INT(open_flipped(mark_file, at), 4);
    for (mark_file->size = 0; mark_file->size < 16; mark_file->size += 5)
        CHECK_INT(open_flipped(mark_file, 15), 4);
    asker_end(&a);
}

TEST("a log that was carried over, or begun anew since its mark was made, is whole")
{
    kill_store(false);
    static uint8_t empty[32];
    log_file->size = 0;
    restore();
    CHECK_INT(asker_open(&a), DX_OK);
    asker_close(&a);
    log_file->size = sizeof empty; /* a power loss when only its length was synced */
    memcpy(log_file->bytes, empty, sizeof empty);
    restore();
    CHECK_INT(asker_open(&a), DX_OK);
    asker_close(&a);
    asker_end(&a); /* another store's log, which is whole, with this one's mark */
    asker_begin(&a);
    asker_make(&a, "/s/other", 3);
    for (size_t i = 0; i < 2; i++)
        files[i].size = read_file(path_of(&files[i]), files[i].bytes, sizeof files[i].bytes);
    asker_close(&a);
    restore();
    CHECK_INT(asker_open(&a), DX_OK);
    CHECK_INT(asker_load(&a, "/s/other"), DX_STORE_OK);
    CHECK_INT(asker_count(&a, a.id, 1), 3);
    asker_end(&a);
}

/* ---- copying ---- */

static bool is_progress_wanted = true;
static uint64_t progress_done, progress_all;

static bool on_progress(void *context, uint64_t done, uint64_t all)
{
    progress_done = done, progress_all = all;
    return is_progress_wanted;
}

static void restore_and_check(const char *file)
{
    asker b = {0};
    char path[256];

    asker_begin_without_store(&b);
    snprintf(path, sizeof path, "%s/duplex.db", b.directory);
    CHECK_INT(rename(file, path), 0);
    CHECK_INT(asker_open(&b), DX_OK);
    CHECK_INT(asker_load(&b, "/s/two"), DX_STORE_OK);
    CHECK_INT(b.tail, 5);
    CHECK_INT(b.facts_count, 2);
    CHECK_INT(asker_count(&b, b.id, 1), 5);
    asker_end(&b);
}

TEST(
    "a backup that is made while the store is served from holds what was committed before it, settled or not")
{
    char file[256];

    asker_begin(&a);
    fill();
    for (int round = 0; round < 2; round++) {
        snprintf(file, sizeof file, "%s/backup", a.directory);
        CHECK_INT(dx_store_sqlite_backup(a.directory, file, on_progress, NULL, a.why), DX_OK);
        CHECK(progress_all > 0 && progress_done == progress_all);
        CHECK_INT(dx_store_sqlite_backup(a.directory, file, NULL, NULL, a.why), DX_ERR_IN_USE);
        restore_and_check(file);
        asker_reopen(&a);
    }
    asker_end(&a);
}

TEST("a backup that is ended or cannot be written leaves no file")
{
    char file[256];

    asker_begin(&a);
    fill();
    snprintf(file, sizeof file, "%s/backup", a.directory);
    is_progress_wanted = false;
    CHECK_INT(dx_store_sqlite_backup(a.directory, file, on_progress, NULL, a.why), DX_ERR_CLOSED);
    is_progress_wanted = true;
    CHECK(access(file, F_OK) != 0);
    snprintf(file, sizeof file, "%s/none/backup", a.directory);
    CHECK_INT(dx_store_sqlite_backup(a.directory, file, NULL, NULL, a.why), DX_ERR_SYSTEM);
    CHECK(strlen(a.why) > 0);
    asker_end(&a);
}
