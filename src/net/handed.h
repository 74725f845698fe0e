/* Listening sockets that were opened by another process: the one that ran before, or systemd.
 * Is:     a set of descriptors with names, by which those who want to listen find them; its way through a unix
 *         socket.
 * Is not: who sends them when (cli/upgrade.h), opening new ones (socket.h).
 * Memory: an array; descriptors that nobody took are closed with it.
 * Threads: one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_HANDED_H
#define DX_NET_HANDED_H

#include "net/address.h"

enum { DX_HANDED_MAX = 4096, DX_HANDED_NAME_BYTES = 200 };

typedef struct dx_handed_socket {
    int fd; /* -1: taken */
    char name[DX_HANDED_NAME_BYTES];
} dx_handed_socket;

typedef struct dx_handed {
    dx_handed_socket *at;
    size_t count, room;
} dx_handed;

/* fd: taken, also on failure. name: borrowed; what it is for, such as "listen 127.0.0.1:0"; cut at its size.
 * Errors: DX_ERR_MEMORY, DX_ERR_TOO_LARGE. */
DX_MUST_USE dx_err dx_handed_add(dx_handed *handed, int fd, const char *name);
void dx_handed_deinit(dx_handed *handed);

/* Gives up to `max` sockets (given, non-blocking and close-on-exec) that have this name or, if there are none,
 * that listen on `address`; and how many. Its port, if it is 0, becomes theirs. */
uint32_t dx_handed_take(dx_handed *handed, const char *name, dx_address *address, int *fds, uint32_t max);

/* How many nobody took; and the name of one, for who complains. */
size_t dx_handed_left(const dx_handed *handed, const char **ret_name);

/* Through `channel`, a SOCK_SEQPACKET socket: a message for each, and one without a descriptor at the end.
 * Errors: DX_ERR_SYSTEM, DX_ERR_CLOSED (the other side has gone), DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_handed_send(const dx_handed *handed, int channel);
DX_MUST_USE dx_err dx_handed_receive(dx_handed *handed, int channel);

#endif
