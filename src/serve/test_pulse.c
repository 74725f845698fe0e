/* Tests of what is said of a worker that does not respond: a handler of the program's that sleeps.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "serve/server.h"
#include "tests/tap.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STUCK_MS = 500, WAIT_MS = 20000 };

typedef struct scene {
    dx_server *server;
    atomic_bool may_go;
    atomic_uint turnings_count;
    pthread_mutex_t lock;
    char log[4096];
} scene;

static void on_log(void *context, const char *level, const char *text)
{
    scene *s = context;
    size_t used;

    pthread_mutex_lock(&s->lock);
    used = strlen(s->log);
    snprintf(s->log + used, sizeof s->log - used, "%s: %s\n", level, text);
    pthread_mutex_unlock(&s->lock);
}

static bool log_has(scene *s, const char *text)
{
    pthread_mutex_lock(&s->lock);
    bool has = strstr(s->log, text) != NULL;
    pthread_mutex_unlock(&s->lock);
    return has;
}

static void a_while(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static bool log_comes_to_have(scene *s, const char *text)
{
    uint64_t until_ms = dx_clock_ms() + WAIT_MS;

    while (!log_has(s, text) && dx_clock_ms() < until_ms)
        a_while();
    return log_has(s, text);
}

/* A handler as none should be. */
static void on_slow(dx_exchange *x, void *context)
{
    scene *s = context;

    while (!atomic_load(&s->may_go))
        a_while();
    dx_exchange_respond(x, &(dx_response){.status = 204});
}

static void on_turning(void *context)
{
    atomic_fetch_add(&((scene *)context)->turnings_count, 1);
}

static int connect_to(const scene *s)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(dx_server_port(s->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 300000}, sizeof(struct timeval));
    return fd;
}

/* The status of /readyz from a worker that answers; each connection may have come to the other. */
static int readiness(const scene *s, char body[1024])
{
    for (int i = 0; i < 100; i++) {
        int fd = connect_to(s);
        dprintf(fd, "GET /readyz HTTP/1.0\r\n\r\n");
        size_t size = 0;
        for (ssize_t got; (got = read(fd, body + size, 1023 - size)) > 0; size += (size_t)got)
            ;
        body[size] = '\0';
        close(fd);
        if (size > 12)
            return atoi(body + 9);
    }
    return 0;
}

/* Soon: a machine that is busy may have workers that do not turn for a while. */
static void check_readiness(const scene *s, int expected, char body[1024])
{
    uint64_t until_ms = dx_clock_ms() + WAIT_MS;
    int got;

    while ((got = readiness(s, body)) != expected && dx_clock_ms() < until_ms)
        a_while();
    CHECK_INT(got, expected);
}

static void scene_start(scene *s)
{
    *s = (scene){.lock = PTHREAD_MUTEX_INITIALIZER};
    s->server = dx_server_new(&(dx_server_options){
        .listen = "127.0.0.1:0", .workers = 2, .log = on_log, .log_context = s});
    CHECK(s->server != NULL);
    s->server->stuck_ms = STUCK_MS;
    s->server->on_turning = on_turning;
    s->server->turning_context = s;
    CHECK_INT(dx_server_route(s->server, "GET", "/slow/**", on_slow, s), DX_OK);
    CHECK_INT(dx_server_health(s->server), DX_OK);
    CHECK_INT(dx_server_start(s->server), DX_OK);
}

static void scene_end(scene *s)
{
    dx_server_stop(s->server);
    dx_server_wait(s->server);
    dx_server_free(s->server);
    pthread_mutex_destroy(&s->lock);
}

TEST("a worker that does not respond is said, with its route; the others serve on; and it comes back")
{
    char body[1024];
    scene s;

    scene_start(&s);
    check_readiness(&s, 200, body);
    int fd = connect_to(&s);
    dprintf(fd, "GET /slow/down HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(log_comes_to_have(&s, "route=/slow/**"));
    CHECK(log_has(&s, "error: a worker does not respond"));
    check_readiness(&s, 503, body);
    CHECK(strstr(body, "Worker ") && strstr(body, " does not respond"));
    unsigned before = atomic_load(&s.turnings_count);
    for (int i = 0; i < 40; i++)
        a_while();
    CHECK_INT(atomic_load(&s.turnings_count), before); /* the watchdog would bite */
    atomic_store(&s.may_go, true);
    CHECK(log_comes_to_have(&s, "warn: a worker responds again"));
    check_readiness(&s, 200, body);
    close(fd);
    scene_end(&s);
}
