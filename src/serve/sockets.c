/* The sockets that a server listens on: opened, or taken from who had them before, and handed on.
 * SPDX-License-Identifier: MIT */
#include "serve/server.h"

#include "base/assert.h"
#include "net/socket.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    IN_USE_TRIES = 50, /* for an address that is in use, */
    IN_USE_MS = 20,    /* one each so many */
};

/* By which the next process finds it again, also where the kernel chose the port. */
static void name_socket(const dx_server *s, size_t index, char name[DX_HANDED_NAME_BYTES])
{
    const dx_listen *listen = &s->listens[index];
    char text[DX_ADDRESS_TEXT_BYTES], more[24] = "";

    dx_address_format(&listen->address, text);
    if (listen->address.transport != DX_UNIX && dx_address_port(&listen->address) == 0)
        snprintf(more, sizeof more, " #%zu", index);
    snprintf(name, DX_HANDED_NAME_BYTES, "%s %s%s",
             listen->security == DX_LISTEN_REDIRECT ? "redirect" : "listen", text, more);
}

/* ---- opening ---------------------------------------------------------------------------------- */

/* The sockets of a process that was killed may outlive it by a moment: the kernel takes an io_uring apart
 * after the process is gone. A server that is started again at once waits for that. */
static dx_err listen_soon(dx_address *address, uint32_t count, int *fds)
{
    dx_err err = dx_socket_listen(address, count, fds);

    for (int i = 0; i < IN_USE_TRIES && err == DX_ERR_IN_USE; i++) {
        nanosleep(&(struct timespec){.tv_nsec = IN_USE_MS * 1000000L}, NULL);
        err = dx_socket_listen(address, count, fds);
    }
    return err;
}

static uint32_t take_handed(const dx_server *s, const char *name, dx_address *address, int *fds,
                            uint32_t max)
{
    return s->handed ? dx_handed_take(s->handed, name, address, fds, max) : 0;
}

/* Who had them before may have had fewer workers: the others get sockets of their own beside them or, where
 * that cannot be, share one. */
static dx_err open_rest(const dx_address *address, uint32_t count, uint32_t wanted, int *fds)
{
    dx_err err = DX_OK;

    for (uint32_t i = count; err == DX_OK && i < wanted; i++)
        err = dx_socket_share(address, fds[i % count], &fds[i]);
    return err;
}

/* Sockets that were handed over may be more than there are workers: connections wait in each of them, so some
 * worker must look after it. */
static dx_err open_listen(dx_server *s, size_t index)
{
    dx_address *address = &s->listens[index].address;
    int *fds = &s->fds[index * s->slots_count];
    uint32_t count = take_handed(s, s->names[index], address, fds, s->slots_count);

    return count > 0 ? open_rest(address, count, s->workers_count, fds)
                     : listen_soon(address, s->workers_count, fds);
}

static dx_err make_slots(dx_server *s)
{
    size_t handed = s->handed ? s->handed->count : 0;

    s->slots_count = (uint32_t)dx_max_size(s->workers_count, handed);
    size_t count = s->listens_count * s->slots_count;
    s->fds = malloc(count * sizeof *s->fds);
    s->handles = malloc(count * sizeof *s->handles);
    if (s->fds == NULL || s->handles == NULL)
        return DX_ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        s->fds[i] = s->handles[i] = -1;
    return DX_OK;
}

dx_err dx_server_open_sockets(dx_server *s)
{
    dx_err err = make_slots(s);

    for (size_t i = 0; err == DX_OK && i < s->listens_count; i++) {
        char text[DX_ADDRESS_TEXT_BYTES];
        dx_address_format(&s->listens[i].address, text);
        name_socket(s, i, s->names[i]);
        err = open_listen(s, i);
        if (err != DX_OK)
            dx_log_write(&s->log, DX_LOG_ERROR, "%s: %s", text, dx_err_text(err));
    }
    for (size_t i = 0; err == DX_OK && i < s->listens_count * s->slots_count; i++)
        s->handles[i] = s->fds[i];
    return err;
}

dx_err dx_server_open_socket(dx_server *s, const char *name, dx_address *address, int *ret)
{
    return take_handed(s, name, address, ret, 1) == 1 ? DX_OK : dx_socket_listen(address, 1, ret);
}

void dx_server_close_sockets(dx_server *s)
{
    for (size_t i = 0; s->fds && s->handles && i < s->listens_count * s->slots_count; i++)
        if (s->fds[i] >= 0)
            close(s->fds[i]);
    free(s->fds);
    free(s->handles);
    s->fds = s->handles = NULL;
}

/* ---- handing over ----------------------------------------------------------------------------- */

static dx_err hand(int fd, const char *name, dx_handed *to)
{
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (fd < 0)
        return DX_OK;
    return copy < 0 ? DX_ERR_FILES : dx_handed_add(to, copy, name);
}

dx_err dx_server_hand_sockets(dx_server *s, dx_handed *to)
{
    dx_err err = DX_OK;

    dx_assert(s->workers != NULL);
    if (atomic_load(&s->is_draining))
        return DX_ERR_CLOSED;
    for (size_t i = 0; i < s->listens_count * s->slots_count && err == DX_OK; i++)
        err = hand(s->handles[i], s->names[i / s->slots_count], to);
    return err == DX_OK ? hand(s->admin.handle, s->admin.name, to) : err;
}

void dx_server_hand_over(dx_server *s, uint32_t timeout_ms)
{
    s->is_handed_over = true; /* the sockets' files are the next process's */
    dx_server_drain(s, timeout_ms);
}
