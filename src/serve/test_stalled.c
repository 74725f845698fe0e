/* 1000 WebSockets of one stream that do not read while 20 MB are published (STALLED_COUNT=102400 in the
 * environment: 100 MB): the server's memory stays
 * bounded, a reader gets everything, and who reads again gets what is retained, or is told the gap.
 * SPDX-License-Identifier: MIT */
#include "serve/test_peer.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    STALLED = 1000,
    SIZE = 1024,
    FIRST = 2048,
    GROWTH_MAX = 4 * 1048576,
};

/* How many messages. One who takes nothing for 10 s is reset: be done before. */
static int count_all(void)
{
    const char *text = getenv("STALLED_COUNT");
    return text ? atoi(text) & ~31 : DX_HAVE_ASAN ? 5120 : 20480;
}

static void allow_descriptors(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = dx_min_u64(limit.rlim_max, 4096);
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Publishes `count` numbered messages from `first` on; the reader takes them meanwhile. */
static bool publish_and_read(int publisher, int reader, int first, int count)
{
    char body[SIZE + 1], number[16];

    memset(body, '.', SIZE);
    body[SIZE] = '\0';
    for (int i = first; i < first + count; i++) {
        snprintf(number, sizeof number, "%08d", i);
        memcpy(body, number, 8);
        ws_send_text(publisher, body);
        if (i % 32 != 31)
            continue;
        for (int k = i - 31; k <= i; k++) {
            const frame *f = ws_next(reader);
            if (f->opcode != 1 || f->size != SIZE || atoi((const char *)f->payload) != k) {
                TAP_FAIL("the reader awaits %d, and gets a frame %x: %.20s", k, f->opcode,
                         (const char *)f->payload);
                return false;
            }
        }
    }
    return true;
}

/* What one that stalled finds when it reads again: all in order to the last one, or up to the gap. */
static void resume(int fd, bool is_all_kept)
{
    int next = 0;
    const frame *f = ws_next(fd);

    for (; f->opcode == 1 && f->size == SIZE && atoi((const char *)f->payload) == next; next++) {
        if (next == count_all() - 1)
            break;
        f = ws_next(fd);
    }
    if (is_all_kept) {
        CHECK_INT(next, count_all() - 1);
        return;
    }
    CHECK_INT(f->opcode, 8);
    CHECK_INT(f->payload[0] << 8 | f->payload[1], 4410);
    CHECK(next > 0);
}

static void stall(const char *loop, bool is_all_kept)
{
    static int fds[STALLED];
    int count = count_all();
    dx_stream_options kept = {.kept_count_max = is_all_kept ? (uint32_t)count : 1000,
                              .kept_bytes_max = 256 << 20};
    dx_server *s = server_start(loop, 2, &kept);

    for (int i = 0; i < STALLED; i++) {
        unsigned status; /* Unix sockets: 1000 full TCP connections are too much for a kernel */
        fds[i] = ws_open_on(peer_connect_unix(), "/live/t", &status);
        CHECK_INT(status, 101);
    }
    int reader = ws_must_open(s, "/live/t"), publisher = ws_must_open(s, "/live/t?read=0");
    /* The first 2 MB fill what is filled once: the log's ring, pools, the test's own buffers. */
    bool is_well = publish_and_read(publisher, reader, 0, FIRST);
    size_t before = resident_bytes();
    if (is_well)
        publish_and_read(publisher, reader, FIRST, count - FIRST);
    size_t growth = resident_bytes() > before ? resident_bytes() - before : 0;
    printf("# %s: resident memory grew by %zu KiB while %d KiB were published\n", loop,
           growth >> 10, (count - FIRST) * SIZE >> 10);
    if (!DX_HAVE_ASAN) /* which keeps what is freed */
        CHECK(growth < GROWTH_MAX + (is_all_kept ? (size_t)(count - FIRST) * (SIZE + 64) : 0));
    resume(fds[0], is_all_kept);
    resume(fds[STALLED / 2], is_all_kept);
    for (int i = 0; i < STALLED; i++)
        close(fds[i]);
    close(reader), close(publisher);
    server_end(s);
}

TEST("1000 stalled, the log keeps all: who reads again gets everything in order")
{
    allow_descriptors();
    for (const char *const *name = loop_names(); *name; name++)
        stall(*name, true);
}

TEST("1000 stalled, the log keeps 1000 messages: memory stays, who reads again is told of the gap")
{
    allow_descriptors();
    for (const char *const *name = loop_names(); *name; name++)
        stall(*name, false);
}
