/* A listening socket in a loop: accepts, and copes when descriptors run out.
 * Is:     accept, the spare descriptor that lets us refuse politely at EMFILE, the pause after it.
 * Is not: making the socket (socket.h), the connections (conn.h).
 * Memory: one struct of the owner's.   Threads: its loop's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_LISTENER_H
#define DX_NET_LISTENER_H

#include "base/log.h"
#include "loop/loop.h"

typedef struct dx_listener dx_listener;
struct dx_listener {
    dx_io io;
    dx_timer retry;
    const dx_log *log;
    int spare_fd; /* given up for a moment when descriptors run out */
    bool is_closed;
    bool is_warned;
    /* A connection came: `fd` is given. */
    void (*on_accept)(dx_listener *listener, int fd);
    void *owner;
};

/* Starts accepting on `fd` (taken on success), which listens. The callbacks' fields must be set before.
 * Errors: DX_ERR_MEMORY, DX_ERR_FILES, DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_listener_open(dx_listener *listener, dx_loop *loop, int fd);

/* The same without losing a connection that was accepted already: on_accept may still be called, until
 * is_closed. */
void dx_listener_stop(dx_listener *listener);

/* Stops accepting; the struct must stay until is_closed, which a later turn sets. */
void dx_listener_close(dx_listener *listener);

#endif
