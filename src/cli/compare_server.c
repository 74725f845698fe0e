/* The server that duplex compare measures: the same as duplex serve has, in a process of its own, so that its
 * processor time is its own. It ends with whoever started it.
 * SPDX-License-Identifier: MIT */
#include "cli/compare.h"

#include "cli/options.h"

#include <duplex/duplex.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the child tells on the pipe. */
typedef struct news {
    dx_err err;
    uint16_t port;
} news;

static dx_server *server_new(void)
{
    dx_server *server = dx_server_new(
        &(dx_server_options){.listen = "127.0.0.1:0", .log_level = "error", .workers = 1});

    if (server == NULL || dx_server_streams(server, "/live/", NULL) == DX_OK)
        return server;
    dx_server_free(server);
    return NULL;
}

/* The child. */
static _Noreturn void serve(int fd, pid_t parent)
{
    dx_server *server = NULL;
    news told = {.err = DX_ERR_SYSTEM};

    /* Whatever ends the parent: and it may have ended before this was asked for. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent) {
        server = server_new();
        told.err = server ? dx_server_start(server) : DX_ERR_MEMORY;
    }
    if (told.err == DX_OK)
        told.port = dx_server_port(server);
    bool is_told = write(fd, &told, sizeof told) == (ssize_t)sizeof told;
    close(fd);
    if (told.err == DX_OK && is_told)
        dx_server_wait(server);
    _exit(0);
}

static bool hear(dx_compare_server *s, int fd)
{
    news told = {.err = DX_ERR_SYSTEM};

    if (read(fd, &told, sizeof told) != (ssize_t)sizeof told)
        told = (news){.err = DX_ERR_SYSTEM};
    if (told.err != DX_OK) {
        dx_cli_say("compare", "cannot start a server: %s", dx_err_text(told.err));
        return false;
    }
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/live/", told.port);
    return true;
}

bool dx_compare_server_start(dx_compare_server *s)
{
    int fds[2];
    pid_t parent = getpid();

    *s = (dx_compare_server){0};
    if (pipe2(fds, O_CLOEXEC) != 0 || (s->pid = fork()) < 0) {
        dx_cli_say("compare", "cannot start a server: %s", dx_err_text(DX_ERR_SYSTEM));
        s->pid = 0;
        return false;
    }
    if (s->pid == 0) {
        close(fds[0]);
        serve(fds[1], parent);
    }
    close(fds[1]);
    bool ok = hear(s, fds[0]);
    close(fds[0]);
    if (!ok)
        dx_compare_server_stop(s);
    return ok;
}

uint64_t dx_compare_server_cpu_ns(const dx_compare_server *s)
{
    clockid_t clock;
    struct timespec used;

    if (clock_getcpuclockid(s->pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

void dx_compare_server_stop(dx_compare_server *s)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGKILL); /* it has nothing to lose */
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
}
