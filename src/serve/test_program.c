/* Tests of what a program does with a server that runs: steps, posts, alarms, the log; and of structs that grow.
 * SPDX-License-Identifier: MIT */
#include "serve/test_peer.h"
#include "tests/tap.h"

#include "base/clock.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { WAIT_MS_MAX = 10000 };

static void answer_hello(dx_exchange *x, void *context)
{
    (void)context;
    dx_exchange_respond(x, &(dx_response){.body = dx_bytes_of("hello")});
}

/* ---- a stepped server ----------------------------------------------------------------------------------- */

typedef struct asker {
    dx_server *server;
    pthread_t thread;
    atomic_bool is_done;
    unsigned status;
    char body[16];
} asker;

static void *ask(void *context)
{
    asker *a = context;
    answer got = http_get(a->server, "/hello");

    a->status = got.status;
    snprintf(a->body, sizeof a->body, "%s", got.body ? got.body : "");
    answer_free(&got);
    atomic_store(&a->is_done, true);
    return NULL;
}

static dx_server *stepped_server(void)
{
    dx_server *s = dx_server_new(
        &(dx_server_options){.listen = "127.0.0.1:0", .log_level = "error", .is_stepped = true});

    CHECK_INT(dx_server_route(s, "GET", "/hello", answer_hello, NULL), DX_OK);
    CHECK_INT(dx_server_start(s), DX_OK);
    CHECK_INT(dx_server_workers_count(s), 1);
    return s;
}

/* As a program that has a poll of its own; false when nothing came of it. */
static bool poll_until(dx_server *s, atomic_bool *is_done)
{
    uint64_t until_ms = dx_clock_ns() / 1000000 + WAIT_MS_MAX;

    while (!atomic_load(is_done) && dx_clock_ns() / 1000000 < until_ms && dx_server_step(s, 0)) {
        struct pollfd fd = {.fd = dx_server_fd(s), .events = POLLIN};
        int due_ms = dx_server_due_ms(s);
        poll(&fd, 1, due_ms < 0 || due_ms > 500 ? 500 : due_ms);
    }
    return atomic_load(is_done);
}

TEST("a stepped server answers beside the program's own poll")
{
    asker a = {.server = stepped_server()};

    CHECK_INT(pthread_create(&a.thread, NULL, ask, &a), 0);
    CHECK(poll_until(a.server, &a.is_done));
    pthread_join(a.thread, NULL);
    CHECK_INT(a.status, 200);
    CHECK(strcmp(a.body, "hello") == 0);
    dx_server_stop(a.server);
    CHECK(!dx_server_step(a.server, -1)); /* does not wait */
    dx_server_free(a.server);
}

TEST("a stepped server drains, and runs in dx_server_wait as well")
{
    dx_server *s = stepped_server();

    dx_server_drain(s, 1000);
    dx_server_wait(s);
    dx_server_free(s);
}

TEST("a stepped server has one worker, by epoll")
{
    dx_server_options options = {.listen = "127.0.0.1:0", .log_level = "error", .is_stepped = true};

    options.workers = 2;
    dx_server *s = dx_server_new(&options);
    CHECK_INT(dx_server_start(s), DX_ERR_NAME);
    dx_server_free(s);
    options.workers = 1;
    options.loop = "io_uring";
    s = dx_server_new(&options);
    CHECK_INT(dx_server_start(s), DX_ERR_NAME);
    dx_server_free(s);
}

/* ---- posts ----------------------------------------------------------------------------------------------- */

static void set_done(void *context, dx_err err)
{
    CHECK_INT(err, DX_OK);
    atomic_store((atomic_bool *)context, true);
}

typedef struct poster {
    dx_server *server;
    atomic_bool is_done;
} poster;

static void *post_late(void *context)
{
    poster *p = context;

    usleep(20000);
    CHECK_INT(dx_server_post(p->server, 0, set_done, &p->is_done), DX_OK);
    return NULL;
}

TEST("a post from another thread wakes a program that polls")
{
    poster p = {.server = stepped_server()};
    pthread_t thread;
    struct pollfd fd = {.fd = dx_server_fd(p.server), .events = POLLIN};

    while (dx_server_due_ms(p.server) == 0)
        dx_server_step(p.server, 0);
    CHECK_INT(pthread_create(&thread, NULL, post_late, &p), 0);
    CHECK_INT(poll(&fd, 1, WAIT_MS_MAX), 1);
    pthread_join(thread, NULL);
    CHECK(poll_until(p.server, &p.is_done));
    dx_server_free(p.server);
}

typedef struct seen {
    pthread_t thread;
    atomic_uint count, closed_count;
} seen;

static void note(void *context, dx_err err)
{
    seen *s = context;

    s->thread = pthread_self();
    atomic_fetch_add(err == DX_OK ? &s->count : &s->closed_count, 1);
}

static bool wait_for(atomic_uint *count, unsigned want)
{
    for (int i = 0; i < WAIT_MS_MAX && atomic_load(count) < want; i++)
        usleep(1000);
    return atomic_load(count) == want;
}

TEST("what is posted runs on its worker, once; none runs on a server that does not")
{
    dx_server *s = server_start("epoll", 2, NULL);
    seen by_worker[2] = {0};

    CHECK_INT(dx_server_workers_count(s), 2);
    for (uint32_t i = 0; i < 2; i++)
        CHECK_INT(dx_server_post(s, i, note, &by_worker[i]), DX_OK);
    CHECK_INT(dx_server_post(s, 2, note, &by_worker[0]), DX_ERR_CLOSED);
    for (uint32_t i = 0; i < 2; i++)
        CHECK(wait_for(&by_worker[i].count, 1));
    CHECK(!pthread_equal(by_worker[0].thread, by_worker[1].thread));
    dx_server_stop(s);
    dx_server_wait(s);
    CHECK_INT(dx_server_post(s, 0, note, &by_worker[0]), DX_ERR_CLOSED);
    dx_server_free(s);
    CHECK_INT(by_worker[0].count, 1);
    CHECK_INT(by_worker[0].closed_count, 0);
}

/* ---- alarms ---------------------------------------------------------------------------------------------- */

typedef struct alarms {
    seen soon, cancelled, never;
    dx_err err;
} alarms;

static void set_alarms(dx_exchange *x, void *context)
{
    alarms *a = context;
    dx_worker *worker = dx_exchange_worker(x);
    dx_alarm *alarm = NULL;

    a->err = dx_worker_after(worker, 1, note, &a->soon, NULL);
    if (a->err == DX_OK)
        a->err = dx_worker_after(worker, 1, note, &a->cancelled, &alarm);
    if (a->err == DX_OK)
        a->err = dx_worker_after(worker, 1000000, note, &a->never, NULL);
    dx_alarm_cancel(alarm);
    dx_exchange_respond(x, &(dx_response){.status = 204});
}

TEST("an alarm runs once; not if cancelled; at the end of the server it is told so")
{
    alarms a = {.err = DX_ERR_SYSTEM};
    dx_server *s = dx_server_new(
        &(dx_server_options){.listen = "127.0.0.1:0", .log_level = "error", .workers = 1});

    CHECK_INT(dx_server_route(s, "GET", "/", set_alarms, &a), DX_OK);
    CHECK_INT(dx_server_start(s), DX_OK);
    CHECK_INT(http_status(s, "GET", "/", "", ""), 204);
    CHECK(wait_for(&a.soon.count, 1));
    CHECK_INT(a.never.count, 0);
    dx_server_free(s); /* from here on nothing else looks at `a` */
    CHECK_INT(a.err, DX_OK);
    CHECK_INT(a.soon.count + a.soon.closed_count, 1);
    CHECK_INT(a.cancelled.count + a.cancelled.closed_count, 0);
    CHECK_INT(a.never.count, 0);
    CHECK_INT(a.never.closed_count, 1);
}

/* ---- the log, and structs that grow ----------------------------------------------------------------------- */

static char logged[4096];

static void keep_line(void *context, const char *level, const char *text)
{
    size_t used = strlen(logged);

    CHECK(context == logged);
    snprintf(logged + used, sizeof logged - used, "<%s|%s>", level, text);
}

TEST("the program gets the lines of the log, if it wants them")
{
    dx_server *s = dx_server_new(
        &(dx_server_options){.listen = "nonsense", .log = keep_line, .log_context = logged});

    CHECK_INT(dx_server_start(s), DX_ERR_ADDRESS);
    CHECK(strncmp(logged, "<error|--listen nonsense: ", 26) == 0);
    CHECK(strchr(logged, '\n') == NULL);
    dx_server_free(s);
}

typedef struct later_options {
    dx_server_options options;
    void *of_a_later_version;
} later_options;

TEST("a program of an older version gets defaults for what it does not know")
{
    dx_server_options options = {
        .listen = "127.0.0.1:0", .loop = "nonsense", .log_level = "nonsense"};
    dx_server *s = dx_server_new_sized(&options, offsetof(dx_server_options, loop));

    CHECK_INT(dx_server_start(s), DX_OK);
    dx_server_free(s);
}

TEST("a program of a later version is told what this one does not know, if it uses it")
{
    later_options later = {.options = {.listen = "127.0.0.1:0", .log_level = "error"}};
    dx_server *s = dx_server_new_sized(&later.options, sizeof later);

    CHECK_INT(dx_server_start(s), DX_OK);
    dx_server_free(s);
    later.of_a_later_version = logged;
    s = dx_server_new_sized(&later.options, sizeof later);
    CHECK_INT(dx_server_start(s), DX_ERR_UNSUPPORTED);
    dx_server_free(s);
    dx_ws_handler handlers[2] = {{0}, {.context = logged}};
    s = dx_server_new(NULL);
    CHECK_INT(dx_server_websocket_sized(s, "/w", handlers, sizeof handlers), DX_ERR_UNSUPPORTED);
    dx_server_free(s);
}
