/* A database that is damaged: a sound one, with changes as the input says, is checked, walked over, opened and read.
 * Nothing crashes, and no message is given that was never appended, also where the pages' checksums were made to fit.
 * Input: a byte of flags (1: make the checksums fit; 2: open it as a server does), then four bytes for each change:
 * page, place (two), what to combine the byte there with.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "base/clock.h"
#include "fuzz/fuzz.h"
#include "store/checked_vfs.h"
#include "store/crc32c.h"
#include "store/inspect.h"

#include <fcntl.h>
#include <unistd.h>

enum { STREAMS = 6, MESSAGES = 40, CHANGES_MAX = 64 };

static char directory[128];
static uint8_t *sound; /* the database before it is damaged */
static size_t sound_size;
static dx_loop *loop;

/* ---- a sound one ---- */

static dx_message *make_message(uint64_t stream, uint64_t sequence)
{
    char text[80];
    int size = snprintf(text, sizeof text, "%llu/%llu and some more bytes",
                        (unsigned long long)stream, (unsigned long long)sequence);
    dx_message *message = dx_message_new(dx_bytes_at(text, (size_t)size), 0);

    FUZZ_CHECK(message != NULL);
    message->kind = 1;
    message->is_last = true;
    message->epoch = stream;
    message->sequence = sequence;
    message->time_ms = 1000 + sequence;
    return message;
}

typedef struct asked {
    dx_store_commit commit;
    dx_store_load load;
    dx_store_read read;
    bool is_done;
    uint64_t id;
} asked;

static void on_committed(dx_store_commit *commit)
{
    DX_CONTAINER(commit, asked, commit)->is_done = true;
}

static void wait_for(const bool *is_done)
{
    while (!*is_done)
        dx_loop_step(loop, 1000);
}

static void commit(dx_store *store, asked *a)
{
    a->commit.loop = loop;
    a->commit.done = on_committed;
    a->is_done = false;
    store->ops->commit(store, &a->commit);
    wait_for(&a->is_done);
    FUZZ_CHECK(a->commit.status == DX_STORE_OK);
}

/* Stream ids are 1, 2, ... as a new store gives them. Odd ones are forks of the one before. */
static void append(dx_store *store, uint64_t id, uint64_t sequence, size_t count, bool makes)
{
    char path[16], value[8];
    dx_message *messages[MESSAGES];
    dx_store_fact fact = {DX_BYTES("fact"), dx_bytes_at(value, 4), 0};
    asked a = {
        .commit = {
            .id = id, .facts = &fact, .facts_count = 1, .messages = messages, .count = count}};

    memcpy(value, "1234", 4);
    snprintf(path, sizeof path, "/s/%llu", (unsigned long long)id);
    if (makes) {
        a.commit.path = dx_bytes_of(path);
        a.commit.record = DX_BYTES("a record");
        a.commit.source = id % 2 ? 0 : id - 1;
        a.commit.source_tail = id % 2 ? 0 : 5;
    }
    for (size_t i = 0; i < count; i++)
        messages[i] = make_message(id, sequence + i);
    commit(store, &a);
    for (size_t i = 0; i < count; i++)
        dx_message_unref(messages[i]);
}

static dx_store *open_store(void)
{
    char why[DX_STORE_WHY_BYTES];
    dx_store *store = NULL;

    if (dx_store_sqlite_open(
            &(dx_store_sqlite_options){.directory = directory, .cache_bytes = 1 << 20}, &store,
            why))
        return NULL;
    return store;
}

static void path_in(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", directory, name);
}

/* Half of it settled, half of it in the journal: a copy that is made while the store is open. */
static void make_sound(void)
{
    char why[DX_STORE_WHY_BYTES], path[256];
    const char *base = getenv("TMPDIR");

    snprintf(directory, sizeof directory, "%s/duplex-fuzz-XXXXXX", base ? base : "/tmp");
    FUZZ_CHECK(mkdtemp(directory) != NULL);
    FUZZ_CHECK(dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &loop) == DX_OK);
    dx_store *store = open_store();
    FUZZ_CHECK(store != NULL);
    for (uint64_t id = 1; id < STREAMS; id++) {
        FUZZ_CHECK(store->ops->new_id(store) == id);
        append(store, id, id % 2 ? 1 : 6, MESSAGES, true);
    }
    store->ops->free(store);
    store = open_store();
    FUZZ_CHECK(store != NULL);
    for (uint64_t id = 1; id < STREAMS; id++)
        append(store, id, (id % 2 ? 1 : 6) + MESSAGES, 3, false);
    path_in(path, sizeof path, "copy");
    FUZZ_CHECK(dx_store_sqlite_backup(directory, path, NULL, NULL, why) == DX_OK);
    store->ops->free(store);
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    sound_size = (size_t)ftell(file);
    rewind(file);
    sound = malloc(sound_size);
    FUZZ_CHECK(sound != NULL && fread(sound, 1, sound_size, file) == sound_size);
    fclose(file);
    unlink(path);
}

/* ---- a damaged one ---- */

static void write_damaged(dx_bytes input, bool is_fitting)
{
    char path[256];
    uint8_t *bytes = malloc(sound_size);
    uint8_t page, combine;
    uint16_t place;

    FUZZ_CHECK(bytes != NULL);
    memcpy(bytes, sound, sound_size);
    for (int i = 0; i < CHANGES_MAX && dx_bytes_u8(&input, &page) && dx_bytes_u16(&input, &place) &&
                    dx_bytes_u8(&input, &combine);
         i++) {
        size_t number = page % (sound_size / DX_PAGE_BYTES);
        uint8_t *at = bytes + number * DX_PAGE_BYTES;
        at[place % DX_PAGE_BYTES] ^= combine;
        uint32_t sum = dx_crc32c(dx_crc32c_u64(0, number + 1),
                                 dx_bytes_at(at, DX_PAGE_BYTES - DX_PAGE_RESERVED));
        if (is_fitting)
            memcpy(at + DX_PAGE_BYTES - DX_PAGE_RESERVED, &sum, sizeof sum);
    }
    path_in(path, sizeof path, "duplex.db-wal");
    unlink(path);
    path_in(path, sizeof path, "duplex.db-shm");
    unlink(path);
    path_in(path, sizeof path, "duplex.db");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, bytes, sound_size) == (ssize_t)sound_size);
    close(fd);
    free(bytes);
}

/* A message that is given was appended as it is: its own words say to which stream and as what. */
static void check_message(const dx_message *message)
{
    dx_message *want = make_message(message->epoch, message->sequence);
    FUZZ_CHECK(message->size == want->size &&
               memcmp(message->payload, want->payload, want->size) == 0);
    dx_message_unref(want);
}

static void on_fault(void *context, const char *sentence)
{
    FUZZ_CHECK(strlen(sentence) > 0);
}

static bool on_stream(dx_store_walker *walker, const dx_store_stream *stream)
{
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < stream->record.size; i++)
        sum = (uint8_t)(sum + stream->record.at[i]);
    for (size_t i = 0; i < stream->facts_count; i++)
        if (stream->facts[i].value.size)
            sum = (uint8_t)(sum + stream->facts[i].value.at[0]);
    return true;
}

static bool on_message(dx_store_walker *walker, const dx_message *message)
{
    check_message(message);
    return true;
}

static void on_loaded(dx_store_load *load)
{
    asked *a = DX_CONTAINER(load, asked, load);
    a->id = load->status == DX_STORE_OK ? load->id : 0;
    a->is_done = true;
}

static void on_read(dx_store_read *read)
{
    DX_CONTAINER(read, asked, read)->is_done = true;
}

static void serve_damaged(void)
{
    dx_store *store = open_store();

    for (uint64_t id = 1; store && id < STREAMS; id++) {
        char path[16];
        asked a = {.id = 0};
        snprintf(path, sizeof path, "/s/%llu", (unsigned long long)id);
        a.load = (dx_store_load){.path = dx_bytes_of(path), .loop = loop, .done = on_loaded};
        store->ops->load(store, &a.load);
        wait_for(&a.is_done);
        for (uint64_t from = 1; a.id != 0;) {
            a.is_done = false;
            a.read = (dx_store_read){.id = a.id,
                                     .from = from,
                                     .count_max = 20,
                                     .bytes_max = 10000,
                                     .loop = loop,
                                     .done = on_read};
            store->ops->read(store, &a.read);
            wait_for(&a.is_done);
            if (a.read.status != DX_STORE_OK || a.read.count == 0)
                break;
            for (size_t i = 0; i < a.read.count; i++) {
                check_message(a.read.messages[i]);
                FUZZ_CHECK(a.read.messages[i]->sequence >= from);
                from = a.read.messages[i]->sequence + 1;
                dx_message_unref(a.read.messages[i]);
            }
            free(a.read.messages);
        }
    }
    if (store)
        store->ops->free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[DX_STORE_WHY_BYTES];
    dx_bytes input = {data, size};
    dx_store_report report;
    dx_store_walker walker = {.on_stream = on_stream, .on_message = on_message};
    uint8_t flags = 0;

    if (sound == NULL)
        make_sound();
    (void)dx_bytes_u8(&input, &flags);
    write_damaged(input, flags & 1);
    (void)!dx_store_sqlite_verify(directory, on_fault, NULL, &report, why);
    (void)!dx_store_sqlite_walk(directory, &walker, why);
    if (flags & 2)
        serve_damaged();
    return 0;
}
