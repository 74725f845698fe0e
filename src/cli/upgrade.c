/* From one process to the next.
 * SPDX-License-Identifier: MIT */
#include "cli/upgrade.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL_VARIABLE "DUPLEX_UPGRADE_FD"

enum {
    READY_MS = 30000, /* to read a configuration and certificates */
    SERVE_MS = 60000, /* to open the store: recovery may take its time */
    MAIN_MS = 5000,
    ARGUMENTS_MAX = 4096,
    COMMAND_BYTES_MAX = 1 << 20,
};

/* ---- messages --------------------------------------------------------------------------------- */

static void say(const dx_upgrade *u, const char *what, const char *more)
{
    char text[DX_UPGRADE_WHY_BYTES];
    int size = snprintf(text, sizeof text, "%s%s", what, more);
    ssize_t ignored = send(u->channel, text, dx_min_size((size_t)size, sizeof text - 1), MSG_NOSIGNAL);

    (void)ignored; /* who is not there any more will be missed by who waits for an answer */
}

typedef enum heard { HEARD, HEARD_END, HEARD_NOTHING } heard;

static heard hear(const dx_upgrade *u, int wait_ms, char text[DX_UPGRADE_WHY_BYTES])
{
    struct pollfd ready = {.fd = u->channel, .events = POLLIN};
    uint64_t until_ms = dx_clock_ms() + (uint64_t)wait_ms;

    for (;;) {
        uint64_t now_ms = dx_clock_ms();
        if (now_ms >= until_ms)
            return HEARD_NOTHING;
        if (poll(&ready, 1, (int)(until_ms - now_ms)) <= 0)
            continue;
        ssize_t got = recv(u->channel, text, DX_UPGRADE_WHY_BYTES - 1, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return HEARD_END;
        text[got] = '\0';
        return HEARD;
    }
}

/* ---- the old process -------------------------------------------------------------------------- */

/* The words of /proc/self/cmdline: at most ARGUMENTS_MAX, `text` taken apart. */
static bool read_command(char **ret_text, char **words)
{
    size_t size = 0, count = 0;
    char *text = malloc(COMMAND_BYTES_MAX);
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t got = 1;

    while (text && fd >= 0 && got > 0 && size < COMMAND_BYTES_MAX - 1) {
        got = read(fd, text + size, COMMAND_BYTES_MAX - 1 - size);
        size += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        close(fd);
    *ret_text = text;
    if (size == 0)
        return false;
    text[size] = '\0';
    for (size_t at = 0; at < size && count < ARGUMENTS_MAX; at += strlen(text + at) + 1)
        words[count++] = text + at;
    words[count] = NULL;
    return true;
}

static bool is_ours_to_set(const char *variable)
{
    static const char *const names[] = {CHANNEL_VARIABLE "=", "LISTEN_PID=", "LISTEN_FDS=",
                                        "LISTEN_FDNAMES=", "WATCHDOG_PID="};

    for (size_t i = 0; i < DX_COUNT(names); i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* This process's, and where to find the channel. */
static char **make_environment(char *channel)
{
    size_t count = 0, kept = 0;

    while (environ[count])
        count++;
    char **all = calloc(count + 2, sizeof *all);
    for (size_t i = 0; all && i < count; i++)
        if (!is_ours_to_set(environ[i]))
            all[kept++] = environ[i];
    if (all)
        all[kept] = channel;
    return all;
}

/* Signals as a program finds them that a shell starts. */
static int spawn_with(pid_t *ret, char **words, char **environment, int channel)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, usual;

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGXFSZ);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, channel, channel); /* not close-on-exec there */
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawnp(ret, words[0], &actions, &attributes, words, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

static int spawn(pid_t *ret, int channel)
{
    char variable[64], *text = NULL, **words = calloc(ARGUMENTS_MAX + 1, sizeof *words);
    int error = ENOMEM;

    snprintf(variable, sizeof variable, CHANNEL_VARIABLE "=%d", channel);
    char **environment = make_environment(variable);
    if (words && environment && read_command(&text, words))
        error = spawn_with(ret, words, environment, channel);
    free(environment);
    free(words);
    free(text);
    return error;
}

static void let_go(dx_upgrade *u)
{
    close(u->channel);
    u->channel = -1;
}

/* Ends the new process; says what it said itself, or how it ended. */
static bool fail(dx_upgrade *u, heard what, const char *said, char *why)
{
    int status = 0;

    if (what != HEARD_END)
        kill(u->child, SIGKILL);
    while (waitpid(u->child, &status, 0) < 0 && errno == EINTR)
        ;
    let_go(u);
    if (what == HEARD)
        snprintf(why, DX_UPGRADE_WHY_BYTES, "%s", strncmp(said, "failed ", 7) == 0 ? said + 7 : said);
    else if (what == HEARD_NOTHING)
        snprintf(why, DX_UPGRADE_WHY_BYTES, "it did not answer in time");
    else
        snprintf(why, DX_UPGRADE_WHY_BYTES, "it ended with %s %d",
                 WIFSIGNALED(status) ? "signal" : "exit code",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return false;
}

static bool expect(dx_upgrade *u, const char *word, int wait_ms, char *why)
{
    char text[DX_UPGRADE_WHY_BYTES] = "";
    heard what = hear(u, wait_ms, text);

    return (what == HEARD && strcmp(text, word) == 0) || fail(u, what, text, why);
}

bool dx_upgrade_begin(dx_upgrade *u, const dx_handed *sockets, char why[DX_UPGRADE_WHY_BYTES])
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        snprintf(why, DX_UPGRADE_WHY_BYTES, "%s", strerror(errno));
        return false;
    }
    *u = (dx_upgrade){.channel = ends[0]};
    int error = spawn(&u->child, ends[1]);
    close(ends[1]);
    if (error != 0) {
        let_go(u);
        snprintf(why, DX_UPGRADE_WHY_BYTES, "the program cannot be started: %s", strerror(error));
        return false;
    }
    if (dx_handed_send(sockets, u->channel) != DX_OK)
        return fail(u, HEARD_END, "", why);
    return expect(u, "ready", READY_MS, why);
}

bool dx_upgrade_finish(dx_upgrade *u, char why[DX_UPGRADE_WHY_BYTES])
{
    say(u, "go", "");
    return expect(u, "serving", SERVE_MS, why);
}

void dx_upgrade_release(dx_upgrade *u)
{
    say(u, "main", "");
    let_go(u);
}

/* ---- the new process -------------------------------------------------------------------------- */

bool dx_upgrade_is_asked(dx_upgrade *u, dx_handed *ret)
{
    const char *variable = getenv(CHANNEL_VARIABLE);
    int type = 0;
    socklen_t size = sizeof type;

    *u = (dx_upgrade){.channel = -1};
    if (variable == NULL)
        return false;
    int channel = atoi(variable);
    unsetenv(CHANNEL_VARIABLE);
    if (channel < 3 || getsockopt(channel, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET)
        return false;
    fcntl(channel, F_SETFD, FD_CLOEXEC);
    if (dx_handed_receive(ret, channel) != DX_OK) {
        close(channel);
        return false;
    }
    u->channel = channel;
    return true;
}

void dx_upgrade_wait(dx_upgrade *u)
{
    char text[DX_UPGRADE_WHY_BYTES];

    if (u->channel < 0)
        return;
    say(u, "ready", "");
    while (hear(u, SERVE_MS, text) == HEARD_NOTHING) /* the old one kills who it wants no more */
        ;
}

void dx_upgrade_take_over(dx_upgrade *u)
{
    char text[DX_UPGRADE_WHY_BYTES];

    if (u->channel < 0)
        return;
    say(u, "serving", "");
    hear(u, MAIN_MS, text);
    let_go(u);
}

void dx_upgrade_give_up(dx_upgrade *u, const char *why)
{
    if (u->channel < 0)
        return;
    say(u, "failed ", why);
    let_go(u);
}
