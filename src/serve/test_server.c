/* Tests of a server's life: starting and what keeps it from it, publishing from threads, drain and stop.
 * SPDX-License-Identifier: MIT */
#include "serve/test_peer.h"
#include "tests/tap.h"

#include "base/clock.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOR_SERVERS(s, kept)                                                                       \
    for (const char *const *name = loop_names(); *name; name++)                                    \
        for (uint32_t workers = 1; workers <= 2; workers++)                                        \
            for (dx_server *s = server_start(*name, workers, kept); s; server_end(s), s = NULL)

static int descriptors_count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

/* ---- starting ------------------------------------------------------------------------------------------ */

static dx_err start_with(const dx_server_options *options)
{
    dx_server_options quiet = *options;
    int before = descriptors_count();

    if (quiet.log_level == NULL)
        quiet.log_level = "error";
    dx_server *s = dx_server_new(&quiet);
    CHECK_INT(dx_server_streams(s, "/live/", NULL), DX_OK);
    dx_err err = dx_server_start(s);
    CHECK_INT(dx_server_port(s), 0);
    CHECK_INT(dx_server_start(s), err); /* again: nothing is left of the first time */
    dx_server_free(s);
    CHECK_INT(descriptors_count(), before);
    return err;
}

TEST("a server that cannot start says why, and leaves nothing behind")
{
    char taken[40];
    dx_server *other = server_start("epoll", 1, NULL);

    snprintf(taken, sizeof taken, "127.0.0.1:%u", dx_server_port(other));
    CHECK_INT(start_with(&(dx_server_options){.listen = taken}), DX_ERR_IN_USE);
    char good_and_taken[80];
    snprintf(good_and_taken, sizeof good_and_taken, "127.0.0.1:0 %s", taken);
    CHECK_INT(start_with(&(dx_server_options){.listen = good_and_taken, .workers = 2}),
              DX_ERR_IN_USE);
    CHECK_INT(start_with(&(dx_server_options){.listen = ""}), DX_ERR_ADDRESS);
    CHECK_INT(start_with(&(dx_server_options){.listen = "nonsense"}), DX_ERR_ADDRESS);
    CHECK_INT(start_with(&(dx_server_options){.listen = "127.0.0.1:99999"}), DX_ERR_ADDRESS);
    CHECK_INT(start_with(&(dx_server_options){.listen = "127.0.0.1:0", .loop = "kqueue"}),
              DX_ERR_NAME);
    CHECK_INT(start_with(&(dx_server_options){.listen = "127.0.0.1:0", .log_level = "loud"}),
              DX_ERR_NAME);
    CHECK_INT(start_with(&(dx_server_options){.listen = "127.0.0.1:0", .workers = 257}),
              DX_ERR_NAME);
    CHECK_INT(start_with(&(dx_server_options){.listen = "unix:/no/such/directory/x"}),
              DX_ERR_NOT_FOUND);
    server_end(other);
}

TEST("prefixes and routes that make no sense are refused")
{
    static const char *const bad[] = {"", "live/", "/live", "live", "/l*/", "/{x}/"};
    dx_server *s = dx_server_new(NULL);

    for (size_t i = 0; i < DX_COUNT(bad); i++)
        CHECK_INT(dx_server_streams(s, bad[i], NULL), DX_ERR_NAME);
    CHECK_INT(dx_server_streams(s, "/live/", NULL), DX_OK);
    CHECK_INT(dx_server_streams(s, "/live/", NULL), DX_ERR_CONFLICT);
    dx_server_free(s);
    dx_server_free(NULL);
}

TEST("the file of a unix socket goes with the server, waited for or not")
{
    char path[100], listen[110];
    struct stat info;

    snprintf(path, sizeof path, "/tmp/duplex-test-%d.sock", (int)getpid());
    snprintf(listen, sizeof listen, "unix:%s", path);
    for (int is_waited = 0; is_waited < 2; is_waited++) {
        dx_server *s = dx_server_new(&(dx_server_options){.listen = listen, .log_level = "error"});
        CHECK_INT(dx_server_start(s), DX_OK);
        CHECK_INT(dx_server_port(s), 0);
        CHECK_INT(stat(path, &info), 0);
        if (is_waited) {
            dx_server_stop(s);
            dx_server_wait(s);
        }
        dx_server_free(s);
        CHECK_INT(stat(path, &info), -1);
    }
}

/* ---- what is kept ---------------------------------------------------------------------------------------- */

static dx_server *kept_start(const char *data, dx_err *ret)
{
    static const dx_stream_options on_disk = {.durability = DX_STREAM_ON_DISK};
    dx_server *s = dx_server_new(&(dx_server_options){
        .listen = "127.0.0.1:0", .log_level = "error", .workers = 2, .data = data});

    CHECK_INT(dx_server_streams(s, "/s/", &on_disk), DX_OK);
    CHECK_INT(dx_server_streams(s, "/live/", NULL), DX_OK);
    *ret = dx_server_start(s);
    return s;
}

static void post_as(dx_server *s, const char *path, const char *durability)
{
    answer a = http_post(s, path, "text/plain", "kept");

    CHECK_INT(a.status, 204);
    CHECK(strcmp(answer_field(&a, "Stream-Durability"), durability) == 0);
    answer_free(&a);
}

TEST("what is on disk is there for the next server, and for one at a time")
{
    char data[] = "/tmp/duplex-test-XXXXXX", command[64];
    dx_err err;

    CHECK(mkdtemp(data) != NULL);
    dx_server *s = kept_start(data, &err);
    CHECK_INT(err, DX_OK);
    post_as(s, "/s/a", "disk");
    post_as(s, "/live/a", "memory");
    dx_server *other = kept_start(data, &err);
    CHECK_INT(err, DX_ERR_IN_USE);
    dx_server_free(other);
    server_end(s);
    s = kept_start(data, &err);
    CHECK_INT(err, DX_OK);
    answer a = http_get(s, "/s/a");
    CHECK_INT(a.status, 200);
    CHECK(a.body && strcmp(a.body, "kept") == 0);
    answer_free(&a);
    CHECK_INT(http_status(s, "GET", "/live/a", "", ""), 404);
    server_end(s);
    snprintf(command, sizeof command, "rm -r %s", data);
    CHECK_INT(system(command), 0);
}

TEST("without a directory what was to be on disk is in memory, and every answer says so")
{
    dx_err err;
    dx_server *s = kept_start(NULL, &err);

    CHECK_INT(err, DX_OK);
    post_as(s, "/s/a", "memory");
    server_end(s);
    s = kept_start("/proc/no/such/directory", &err);
    CHECK(err != DX_OK);
    dx_server_free(s);
}

/* ---- dx_publish ---------------------------------------------------------------------------------------- */

enum { THREADS = 3, PUBLISHED = 500 };

typedef struct source {
    dx_server *server;
    int index;
    atomic_int done, failed;
} source;

static void on_done(dx_err err, dx_bytes next_offset, void *context)
{
    source *from = context;

    if (err != DX_OK || next_offset.size != 33)
        atomic_fetch_add(&from->failed, 1);
    atomic_fetch_add(&from->done, 1);
}

static void *publish_many(void *context)
{
    source *from = context;

    for (int i = 1; i <= PUBLISHED; i++) {
        char text[40];
        snprintf(text, sizeof text, "%d %d", from->index, i);
        dx_publication p = {dx_bytes_of("/live/p"), dx_bytes_of("text/plain"), dx_bytes_of(text)};
        if (dx_publish(from->server, &p, i % 2 ? on_done : NULL, from) != DX_OK)
            atomic_fetch_add(&from->failed, 1);
    }
    return NULL;
}

TEST("dx_publish from several threads: all arrive, those of each thread in its order")
{
    FOR_SERVERS(s, NULL) {
        source sources[THREADS] = {{0}};
        pthread_t threads[THREADS];
        int fd = ws_must_open(s, "/live/p"), last[THREADS] = {0};
        for (int i = 0; i < THREADS; i++) {
            sources[i].server = s, sources[i].index = i;
            pthread_create(&threads[i], NULL, publish_many, &sources[i]);
        }
        for (int i = 0; i < THREADS * PUBLISHED; i++) {
            const frame *f = ws_next(fd);
            int index = -1, number = 0;
            if (f->opcode != 1 || sscanf((const char *)f->payload, "%d %d", &index, &number) != 2 ||
                number != ++last[index]) {
                TAP_FAIL("message %d is wrong: frame %x", i, f->opcode);
                break;
            }
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            CHECK_INT(atomic_load(&sources[i].failed), 0);
            CHECK_INT(atomic_load(&sources[i].done), PUBLISHED / 2);
        }
        close(fd);
    }
}

static dx_err publish(dx_server *s, const char *path, const char *type, dx_bytes payload)
{
    dx_publication p = {dx_bytes_of(path), dx_bytes_of(type), payload};
    return dx_publish(s, &p, NULL, NULL);
}

TEST("dx_publish refuses what no stream may hold")
{
    FOR_SERVERS(s, NULL) {
        static uint8_t large[1048577];
        dx_bytes x = dx_bytes_of("x");
        CHECK_INT(publish(s, "/live/", "text/plain", x), DX_ERR_NAME);
        CHECK_INT(publish(s, "/elsewhere/x", "text/plain", x), DX_ERR_NAME);
        CHECK_INT(publish(s, "live/x", "text/plain", x), DX_ERR_NAME);
        CHECK_INT(publish(s, "/live/\xff", "text/plain", x), DX_ERR_NAME);
        CHECK_INT(publish(s, "/live/a/../b", "text/plain", x), DX_ERR_NAME);
        CHECK_INT(publish(s, "/live/a\nb", "text/plain", x), DX_ERR_NAME);
        CHECK_INT(publish(s, "/live//", "text/plain", x), DX_OK);
        CHECK_INT(publish(s, "/live/x", "text/plain", dx_bytes_at("\xff", 1)), DX_ERR_CONFLICT);
        CHECK_INT(publish(s, "/live/x", "application/json", x), DX_ERR_CONFLICT);
        CHECK_INT(publish(s, "/live/x", "", dx_bytes_at(large, 1048577)), DX_ERR_TOO_LARGE);
        CHECK_INT(publish(s, "/live/x", "", dx_bytes_at(large, 1048576)), DX_OK);
    }
    dx_server *idle = dx_server_new(NULL);
    CHECK_INT(dx_server_streams(idle, "/live/", NULL), DX_OK);
    CHECK_INT(publish(idle, "/live/x", "", dx_bytes_of("x")), DX_ERR_CLOSED);
    dx_server_free(idle);
}

/* ---- stopping ------------------------------------------------------------------------------------------ */

TEST("drain: WebSockets get 1001, nobody comes in any more, and it ends when they have gone")
{
    for (const char *const *name = loop_names(); *name; name++) {
        dx_server *s = server_start(*name, 2, NULL);
        uint64_t begin_ms = dx_clock_ms();
        int fds[6];
        for (int i = 0; i < 6; i++)
            fds[i] = ws_must_open(s, i % 2 ? "/live/a?offset=-1" : "/live/b?echo=0");
        CHECK_INT(publish(s, "/live/a", "", dx_bytes_of("x")), DX_OK);
        CHECK_INT(http_status(s, "GET", "/live/a", NULL, ""), 200);
        dx_server_drain(s, 8000);
        for (int i = 0; i < 6; i++) {
            unsigned code = ws_close_code(fds[i]);
            if (code == 0) /* the message came first */
                code = ws_close_code(fds[i]);
            CHECK_INT(code, 1001);
            ws_send(fds[i], 8, dx_bytes_at("\x03\xe9", 2));
            CHECK_INT(ws_next(fds[i])->opcode, FRAME_END);
            close(fds[i]);
        }
        dx_server_wait(s);
        CHECK(dx_clock_ms() - begin_ms < 4000);
        CHECK_INT(publish(s, "/live/a", "", dx_bytes_of("x")), DX_ERR_CLOSED);
        dx_server_free(s);
    }
}

TEST("drain: one that does not answer is not waited for longer than was said")
{
    for (const char *const *name = loop_names(); *name; name++) {
        dx_server *s = server_start(*name, 2, NULL);
        int fd = ws_must_open(s, "/live/a");
        uint64_t begin_ms = dx_clock_ms();
        dx_server_drain(s, 200);
        dx_server_drain(s, 100000); /* only the first counts */
        dx_server_wait(s);
        uint64_t took_ms = dx_clock_ms() - begin_ms;
        CHECK(took_ms >= 190 && took_ms < 3000);
        dx_server_free(s);
        close(fd);
    }
}

static void *publish_until_closed(void *context)
{
    dx_server *s = context;
    dx_err err;

    while ((err = publish(s, "/live/p", "", dx_bytes_of("x"))) == DX_OK || err == DX_ERR_BUSY)
        continue;
    return (void *)(uintptr_t)err;
}

TEST("stopped in the middle of everything: nothing hangs, nothing is left")
{
    for (const char *const *name = loop_names(); *name; name++)
        for (uint32_t i = 0; i < 12; i++) {
            dx_server *s = server_start(*name, 1 + i % 3, NULL);
            pthread_t thread;
            void *err;
            int fds[12];
            for (int k = 0; k < 12; k++) {
                char path[40];
                snprintf(path, sizeof path, "/live/%s?offset=-1", k % 2 ? "p" : "other");
                fds[k] = ws_must_open(s, path);
            }
            pthread_create(&thread, NULL, publish_until_closed, s);
            for (int k = 0; k < 12; k++)
                for (int n = 0; n < 20; n++)
                    ws_send(fds[k], k % 2 ? 2 : 1, dx_bytes_of("y"));
            usleep(i * 1000);
            dx_server_stop(s);
            dx_server_wait(s);
            pthread_join(thread, &err);
            CHECK_INT((uintptr_t)err, DX_ERR_CLOSED);
            dx_server_free(s);
            for (int k = 0; k < 12; k++)
                close(fds[k]);
        }
}
