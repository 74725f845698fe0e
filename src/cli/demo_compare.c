/* Runs of duplex compare in a child process, and their lines in a stream.
 * SPDX-License-Identifier: MIT */
#include "cli/demo_compare.h"

#include "base/bytes.h"
#include "codec/json.h"
#include "http/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "/live/$sys/compare/"
#define STREAM PREFIX "runs"

enum { KEPT = 1000, WHY_BYTES = 512, TRIES = 100, TRY_AGAIN_MS = 10 };

extern char **environ;

struct dx_demo_compare {
    dx_server *server;
    pthread_mutex_t lock; /* over all below */
    pthread_t thread;
    bool has_thread; /* to be joined */
    bool is_running, is_over;
    pid_t child; /* 0: none */
};

/* ---- messages --------------------------------------------------------------------------------- */

static void publish(dx_demo_compare *d, dx_bytes line)
{
    const dx_publication message = {
        .stream = DX_BYTES(STREAM), .type = DX_BYTES("application/json"), .payload = line};
    const struct timespec again = {.tv_nsec = TRY_AGAIN_MS * 1000000L};

    for (int i = 0; i < TRIES && dx_publish(d->server, &message, NULL, NULL) == DX_ERR_BUSY; i++)
        nanosleep(&again, NULL);
}

/* why: what it said on stderr, perhaps nothing. */
static void publish_end(dx_demo_compare *d, bool is_good, dx_bytes why)
{
    static const char begin[] = "{\"event\":\"failed\",\"why\":";
    uint8_t text[sizeof begin + 6 * WHY_BYTES + 8];
    size_t size = sizeof begin - 1;

    if (is_good) {
        publish(d, DX_BYTES("{\"event\":\"ended\"}"));
        return;
    }
    memcpy(text, begin, size);
    size += dx_json_write_string(why, text + size, sizeof text - size - 1);
    text[size++] = '}';
    publish(d, dx_bytes_at(text, size));
}

/* ---- the child -------------------------------------------------------------------------------- */

/* The same program; its stdout and stderr are `fds`. Signals are as they were before the server blocked them. */
static bool spawn_child(int out, int err, pid_t *ret)
{
    char name[] = "duplex", command[] = "compare", how[] = "--json-lines";
    char *const arguments[] = {name, command, how, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, pipe_only;

    sigemptyset(&none);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return false;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return false;
    }
    bool ok =
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO) == 0 &&
        posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO) == 0 &&
        posix_spawnattr_setsigmask(&attributes, &none) == 0 &&
        posix_spawnattr_setsigdefault(&attributes, &pipe_only) == 0 &&
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) ==
            0 &&
        posix_spawn(ret, "/proc/self/exe", &actions, &attributes, arguments, environ) == 0;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return ok;
}

/* Unless it is over by now: then there is to be no new child. */
static bool start_child(dx_demo_compare *d, int out, int err)
{
    pid_t child;

    pthread_mutex_lock(&d->lock);
    bool ok = !d->is_over && spawn_child(out, err, &child);
    if (ok)
        d->child = child;
    pthread_mutex_unlock(&d->lock);
    return ok;
}

/* True if it ended well. Its number is nobody's from here on: it must not be killed any more. */
static bool await_child(dx_demo_compare *d)
{
    siginfo_t info = {0};
    int status = 0;

    while (waitid(P_PID, (id_t)d->child, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&d->lock);
    bool ok =
        waitpid(d->child, &status, 0) == d->child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    d->child = 0;
    pthread_mutex_unlock(&d->lock);
    return ok;
}

/* What fits of it; the rest is read and dropped. */
static dx_bytes read_why(int fd, uint8_t memory[WHY_BYTES])
{
    uint8_t rest[WHY_BYTES];
    size_t size = 0;

    for (;;) {
        bool is_full = size == WHY_BYTES;
        ssize_t got =
            read(fd, is_full ? rest : memory + size, is_full ? sizeof rest : WHY_BYTES - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        size += is_full ? 0 : (size_t)got;
    }
    while (size > 0 && memory[size - 1] == '\n')
        size--;
    return dx_bytes_at(memory, size);
}

/* Each line as a message, until there are no more. */
static void relay(dx_demo_compare *d, int fd)
{
    FILE *from = fdopen(fd, "r");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;

    if (from == NULL) {
        close(fd);
        return;
    }
    while ((size = getline(&line, &room, from)) > 0)
        publish(d, dx_bytes_at(line, (size_t)size - (line[size - 1] == '\n')));
    free(line);
    fclose(from);
}

/* Data first: what is said on stderr is a line or two, and fits into its pipe. */
static void run_child(dx_demo_compare *d, const int out[2], const int err[2])
{
    uint8_t memory[WHY_BYTES];
    bool is_started = start_child(d, out[1], err[1]);

    close(out[1]);
    close(err[1]);
    relay(d, out[0]);
    dx_bytes why = read_why(err[0], memory);
    close(err[0]);
    bool is_good = is_started && await_child(d);
    publish_end(d, is_good, is_started ? why : DX_BYTES("the comparison cannot be started"));
}

static void *run(void *context)
{
    dx_demo_compare *d = context;
    int out[2], err[2];

    publish(d, DX_BYTES("{\"event\":\"begun\"}"));
    if (pipe2(out, O_CLOEXEC) != 0) {
        publish_end(d, false, DX_BYTES("there are too many open files"));
    } else if (pipe2(err, O_CLOEXEC) != 0) {
        close(out[0]);
        close(out[1]);
        publish_end(d, false, DX_BYTES("there are too many open files"));
    } else {
        run_child(d, out, err);
    }
    pthread_mutex_lock(&d->lock);
    d->is_running = false;
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* ---- the request ------------------------------------------------------------------------------ */

/* False: one is under way, or there can be none. */
static bool begin(dx_demo_compare *d)
{
    pthread_mutex_lock(&d->lock);
    bool ok = !d->is_running && !d->is_over;
    if (ok && d->has_thread) /* of the run before, which is at its end */
        pthread_join(d->thread, NULL);
    if (ok) {
        ok = pthread_create(&d->thread, NULL, run, d) == 0;
        d->has_thread = d->is_running = ok;
    }
    pthread_mutex_unlock(&d->lock);
    return ok;
}

static void answer_state(dx_exchange *x, unsigned status, bool is_running)
{
    static const dx_header fresh = {DX_BYTES("Cache-Control"), DX_BYTES("no-store")};
    char text[96];

    snprintf(text, sizeof text, "{\"stream\":\"" STREAM "\",\"running\":%s}",
             is_running ? "true" : "false");
    dx_exchange_respond(x, &(dx_response){.status = status,
                                          .type = DX_BYTES("application/json"),
                                          .headers = &fresh,
                                          .headers_count = 1,
                                          .body = dx_bytes_of(text)});
}

static void on_get(dx_exchange *x, void *context)
{
    dx_demo_compare *d = context;

    pthread_mutex_lock(&d->lock);
    bool is_running = d->is_running;
    pthread_mutex_unlock(&d->lock);
    answer_state(x, 200, is_running);
}

static void on_post(dx_exchange *x, void *context)
{
    static const dx_header retry = {DX_BYTES("Retry-After"), DX_BYTES("20")};

    /* A page of another origin cannot say so without being asked first, and is not allowed to then. */
    if (!dx_bytes_equal(dx_exchange_header(x, "Content-Type"), DX_BYTES("application/json")))
        dx_exchange_problem(x, 415, "Say Content-Type: application/json.");
    else if (begin(context))
        answer_state(x, 202, true);
    else
        dx_exchange_problem_with(x, 409, "A comparison is under way: follow " STREAM ".", &retry,
                                 1);
}

/* ---- life ------------------------------------------------------------------------------------- */

dx_demo_compare *dx_demo_compare_new(dx_server *server)
{
    const dx_stream_options options = {
        .kept_count_max = KEPT,
        .type = "application/json",
        .access = {.publish = DX_MAY_NOBODY, .create = DX_MAY_NOBODY, .remove = DX_MAY_NOBODY},
    };
    dx_demo_compare *d = calloc(1, sizeof *d);

    if (d == NULL)
        return NULL;
    d->server = server;
    pthread_mutex_init(&d->lock, NULL);
    if (dx_server_streams(server, PREFIX, &options) == DX_OK &&
        dx_server_route(server, "POST", "/demo/compare", on_post, d) == DX_OK &&
        dx_server_route(server, "GET", "/demo/compare", on_get, d) == DX_OK)
        return d;
    dx_demo_compare_free(d);
    return NULL;
}

void dx_demo_compare_free(dx_demo_compare *d)
{
    if (d == NULL)
        return;
    pthread_mutex_lock(&d->lock);
    d->is_over = true;
    if (d->child > 0)
        kill(d->child, SIGKILL); /* its server ends with it */
    pthread_mutex_unlock(&d->lock);
    if (d->has_thread)
        pthread_join(d->thread, NULL);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
