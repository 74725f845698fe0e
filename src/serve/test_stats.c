/* Tests of the server's own figures: published while somebody listens, by nobody else, and they add up.
 * SPDX-License-Identifier: MIT */
#include "serve/stats.h"
#include "serve/test_peer.h"
#include "tests/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static dx_server *stats_server(const char *loop, uint32_t workers)
{
    dx_server *s = dx_server_new(&(dx_server_options){
        .listen = "127.0.0.1:0", .loop = loop, .workers = workers, .log_level = "error"});

    CHECK_INT(dx_server_streams(s, "/live/", NULL), DX_OK);
    CHECK_INT(dx_server_stats(s), DX_OK);
    CHECK_INT(dx_server_start(s), DX_OK);
    return s;
}

/* The number behind "name": in the next message; UINT64_MAX if there is none. */
static uint64_t figure(const frame *f, const char *name)
{
    char key[40];

    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = f->opcode == 1 ? strstr((const char *)f->payload, key) : NULL;
    return at ? strtoull(at + strlen(key), NULL, 10) : UINT64_MAX;
}

static void check_figures(const char *loop, uint32_t workers)
{
    dx_server *s = stats_server(loop, workers);
    int listener = ws_must_open(s, "/live/room");
    int fd = ws_must_open(s, DX_STATS_PATH);
    uint64_t in = figure(ws_next(fd), "bytes_in");

    for (int i = 0; i < 5; i++) {
        answer a = http_post(s, "/live/room", "text/plain", "hello");
        CHECK_INT(a.status, 204);
        answer_free(&a);
        CHECK(ws_next_is(listener, "hello"));
    }
    const frame *f = ws_next(fd);
    for (int i = 0; i < 3 && figure(f, "published") < 6;
         i++) /* a message may have been on its way */
        f = ws_next(fd);
    CHECK_INT(figure(f, "workers"), workers);
    CHECK_INT(figure(f, "connections"), 2);
    CHECK(figure(f, "published") >= 6 &&
          figure(f, "published") < 20); /* five, and those of the figures */
    CHECK(figure(f, "delivered") >= 6 && figure(f, "delivered") < 20);
    CHECK(figure(f, "bytes_in") >= in + 5 * 80 && figure(f, "bytes_in") < in + 10000);
    CHECK(figure(f, "bytes_out") > 5 * 80 && figure(f, "bytes_out") < 20000);
    CHECK(figure(f, "memory") > 1000000 && figure(f, "memory") != UINT64_MAX);
    CHECK(figure(f, "t") > UINT64_C(1600000000000) && figure(f, "up") < 600000);
    close(fd);
    close(listener);
    server_end(s);
}

TEST("the figures of all workers come once a second")
{
    for (const char *const *name = loop_names(); *name; name++)
        for (uint32_t workers = 1; workers <= 3; workers += 2)
            check_figures(*name, workers);
}

TEST("nobody listens, nothing is published; and nobody else can publish there")
{
    dx_server *s = stats_server("epoll", 2);

    usleep(1500000);
    CHECK_INT(http_status(s, "GET", DX_STATS_PATH "?offset=-1", NULL, NULL), 404);
    CHECK_INT(http_status(s, "POST", DX_STATS_PATH, "application/json", "{}"), 403);
    CHECK_INT(http_status(s, "PUT", DX_STATS_PATH, "application/json", ""), 403);
    CHECK_INT(http_status(s, "DELETE", DX_STATS_PATH, NULL, NULL), 403);
    server_end(s);
}

TEST("a server that ends while somebody listens ends in order")
{
    for (int i = 0; i < 5; i++) {
        dx_server *s = stats_server("auto", 3);
        int fd = ws_must_open(s, DX_STATS_PATH);
        CHECK(ws_next(fd)->opcode == 1);
        server_end(s);
        close(fd);
    }
}
