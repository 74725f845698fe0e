/* Sockets as this server wants them: non-blocking, close-on-exec, the right options.
 * Is:     making, binding and listening; one socket per worker where the kernel spreads load itself.
 * Is not: accepting (listener.h), the bytes of a connection (conn.h).
 * Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_SOCKET_H
#define DX_NET_SOCKET_H

#include "net/address.h"

/* Makes `count` listening descriptors for `address`, one per worker: SO_REUSEPORT sockets where the
 * transport has that, duplicates of one socket elsewhere. A port of 0 is replaced in `address` by the one the
 * kernel chose. An abandoned unix socket file is replaced; one that answers is in use.
 * fds: given, `count` of them.
 * Errors: DX_ERR_IN_USE, DX_ERR_DENIED, DX_ERR_ADDRESS, DX_ERR_UNSUPPORTED (the kernel lacks the
 * transport), DX_ERR_FILES, DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_socket_listen(dx_address *address, uint32_t count, int *fds);

/* One more descriptor for `address`, where `fd` listens: a socket of its own beside it if that allows it
 * (SO_REUSEPORT), else a duplicate of it.
 * Errors: as above. */
DX_MUST_USE dx_err dx_socket_share(const dx_address *address, int fd, int *ret);

/* A socket for connecting to `address`.
 * Errors: as above. */
DX_MUST_USE dx_err dx_socket_client(const dx_address *address, int *ret);

/* Whom `fd` is connected to. False: nobody. */
bool dx_socket_peer(int fd, dx_address *ret);

/* What every stream socket gets once it is connected: TCP_NODELAY (we batch ourselves) and
 * TCP_USER_TIMEOUT (a dead peer is noticed within 30 s). Given to a listening one, it is inherited by all that are
 * accepted from it. Does nothing on other transports. */
void dx_socket_tune(int fd);

/* Bytes the kernel still holds to be sent or acknowledged; UINT32_MAX where it does not tell. It gets
 * less as the peer takes some, long before there is room to write again. */
uint32_t dx_socket_unsent(int fd);

#endif
