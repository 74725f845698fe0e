/* A service manager's protocol.
 * SPDX-License-Identifier: MIT */
#include "cli/notify.h"

#include "base/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FD = 3, MESSAGE_BYTES = 512, NAME_BYTES = 128 };

/* ---- telling ---------------------------------------------------------------------------------- */

static bool read_place(struct sockaddr_un *to, socklen_t *size)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t length = path ? strlen(path) : 0;

    if (length < 2 || length >= sizeof to->sun_path || (path[0] != '/' && path[0] != '@'))
        return false;
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(to->sun_path, path, length);
    if (path[0] == '@')
        to->sun_path[0] = '\0';
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'));
    return true;
}

void dx_notify(const char *format, ...)
{
    char text[MESSAGE_BYTES];
    struct sockaddr_un place;
    socklen_t size;
    va_list args;

    if (!read_place(&place, &size))
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length > 0) {
        ssize_t ignored = sendto(fd, text, dx_min_size((size_t)length, sizeof text - 1), MSG_NOSIGNAL,
                                 (struct sockaddr *)&place, size);
        (void)ignored; /* a manager that does not listen stops nothing */
    }
    close(fd);
}

void dx_notify_reloading(const char *status)
{
    dx_notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=%s", dx_clock_ns() / 1000, status);
}

/* ---- being told ------------------------------------------------------------------------------- */

static uint64_t number_of(const char *variable)
{
    const char *text = getenv(variable);

    return text && *text >= '0' && *text <= '9' ? strtoull(text, NULL, 10) : 0;
}

static bool is_for_us(const char *pid_variable)
{
    return getenv(pid_variable) == NULL || number_of(pid_variable) == (uint64_t)getpid();
}

uint64_t dx_notify_watchdog_ms(void)
{
    return is_for_us("WATCHDOG_PID") ? number_of("WATCHDOG_USEC") / 1000 : 0;
}

/* The names are separated by colons. */
static const char *next_name(const char *names, char ret[NAME_BYTES])
{
    size_t size = strcspn(names, ":");

    snprintf(ret, NAME_BYTES, "%.*s", (int)size, names);
    return names[size] == ':' ? names + size + 1 : names + size;
}

dx_err dx_notify_sockets(dx_handed *ret)
{
    uint64_t count = getenv("LISTEN_PID") && is_for_us("LISTEN_PID") ? number_of("LISTEN_FDS") : 0;
    const char *names = getenv("LISTEN_FDNAMES");
    char name[NAME_BYTES] = "";
    dx_err err = DX_OK;

    for (uint64_t i = 0; i < count && err == DX_OK; i++) {
        int fd = FIRST_FD + (int)i;
        if (names)
            names = next_name(names, name);
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
            err = dx_handed_add(ret, fd, name);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return err;
}
