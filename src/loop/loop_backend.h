/* For those who write a backend of the loop: what it must do, and what it may call.
 * Is:     the struct of functions, struct dx_loop, the bits of dx_io.state, the reports.
 * Is not: for users of the loop (loop.h).
 * Threads: all on the loop's thread.
 * SPDX-License-Identifier: MIT */
#ifndef DX_LOOP_LOOP_BACKEND_H
#define DX_LOOP_LOOP_BACKEND_H

#include "loop/mailbox.h"
#include "loop/timer.h"

/* Bits of dx_io.state that loop.c keeps. The upper eight are the backend's. */
enum {
    DX_IO_RECV_WANTED = 1 << 0, /* between recv_start and recv_stop or the end of receiving */
    DX_IO_RECV_ENDED = 1 << 1,  /* on_recv_end was called */
    DX_IO_ACCEPTING = 1 << 2,   /* between accept_start and on_accept with an error */
    DX_IO_CONNECTING = 1 << 3,  /* between connect and on_connect */
    DX_IO_SENDING = 1 << 4,     /* between send and on_sent */
    DX_IO_SHORT = 1 << 5,       /* between a short on_sent and on_writable */
    DX_IO_SEND_FAILED = 1 << 6, /* on_sent was called with an error */
    DX_IO_SHUT_LATER = 1 << 7,  /* shutdown waits for the send in flight */
    DX_IO_BACKEND = 1 << 8,     /* the first bit of the backend's */
};

/* One way to wait for the kernel. Every slot is called on the loop's thread; none but `wait` (and
 * `send`, for on_sent) may call back. The state bits above are set before the slot is called. */
typedef struct dx_loop_backend {
    const char *name;

    /* Makes loop->backend_state; watches loop->mailbox.bell_fd, by edges and without reading it.
     * Gives DX_ERR_UNSUPPORTED where it does not work. Leaves nothing behind on failure. */
    dx_err (*init)(dx_loop *loop);
    /* Undoes init; every dx_io has been reported closed. */
    void (*deinit)(dx_loop *loop);

    /* Waits at most wait_ms (-1: without end; 0: not at all) for anything, calls dx_loop_woke, then
     * reports what came. Returns on signals too. */
    void (*wait)(dx_loop *loop, int wait_ms);

    /* Takes io->fd in. Errors: DX_ERR_MEMORY, DX_ERR_SYSTEM. */
    dx_err (*open)(dx_io *io);
    /* Reports by dx_io_report_accept until DX_IO_ACCEPTING falls. */
    void (*accept_start)(dx_io *io);
    /* connect() was called and is under way: calls dx_io_report_connect when it is over. */
    void (*connect_wait)(dx_io *io);
    /* Reports by dx_io_report_recv and dx_io_report_recv_end while DX_IO_RECV_WANTED stands. */
    void (*recv_start)(dx_io *io);
    void (*recv_stop)(dx_io *io);
    /* Sends, reports once by dx_io_report_sent; after a short one by dx_io_report_writable. */
    void (*send)(dx_io *io, const struct iovec *iov, uint32_t iov_count);
    /* Closes io->fd (SO_LINGER is set where a reset was asked for) when what was sent before has
     * been handed to the kernel; calls dx_io_report_closed when nothing refers to `io` any more.
     * The owner's io->fd is -1 from then on. */
    void (*close)(dx_io *io, int fd);
    /* Accepts no more: true at once; false: it says so by dx_io_report_accept_stopped later. */
    bool (*accept_stop)(dx_io *io);
    /* A descriptor that is readable when `wait` would report something; NULL: there is none. */
    int (*fd)(const dx_loop *loop);
} dx_loop_backend;

extern const dx_loop_backend dx_loop_epoll;
/* Gives DX_ERR_UNSUPPORTED if it is not built in. */
extern const dx_loop_backend dx_loop_io_uring;

struct dx_loop {
    const dx_loop_backend *backend;
    void *backend_state;
    void *owner;
    uint64_t now_ns, now_ms;
    dx_loop_turns turns;
    uint32_t recv_bytes;
    uint32_t ios_count; /* open, or not yet reported closed */
    bool turning;       /* inside dx_loop_step */
    atomic_bool stop;   /* asked by dx_loop_stop */
    dx_list tasks;      /* of dx_task: for the end of this turn */
    dx_list closed;     /* of dx_io: on_closed is due */
    dx_list refused;    /* of dx_io: connect failed at once with dx_io.pending as its dx_err */
    dx_wheel wheel;
    dx_mailbox mailbox;
};

static inline bool dx_io_has(const dx_io *io, uint32_t bits)
{
    return (io->state & bits) != 0;
}

static inline void dx_io_set(dx_io *io, uint32_t bits)
{
    io->state = (uint16_t)(io->state | bits);
}

static inline void dx_io_unset(dx_io *io, uint32_t bits)
{
    io->state = (uint16_t)(io->state & ~bits);
}

static inline bool dx_io_is_open(const dx_io *io)
{
    return io->fd >= 0;
}

/* The wait is over: reads the clock, lets senders know that the loop is awake. Before any
 * report. */
void dx_loop_woke(dx_loop *loop);

/* The reports: each keeps the bits and calls the owner. `io` must be open (but for closed), and
 * may be closed (never freed) when they return. */
void dx_io_report_recv(dx_io *io, uint8_t *at, size_t size);
void dx_io_report_recv_end(dx_io *io, dx_err err);
/* `asked` bytes were to be sent. Short if `sent` is less and err is DX_OK: the backend is then
 * already waiting for room. */
void dx_io_report_sent(dx_io *io, size_t sent, size_t asked, dx_err err);
void dx_io_report_writable(dx_io *io);
void dx_io_report_accept(dx_io *io, int fd);
/* What accept() failed with (positive errno). False: it is of that one connection, try the next one
 * (EAGAIN is not for this). True: accepting has stopped and the owner was told. */
bool dx_io_report_accept_error(dx_io *io, int error);
void dx_io_report_accept_stopped(dx_io *io);
/* Asks the socket how it went. */
void dx_io_report_connect(dx_io *io);
void dx_io_report_closed(dx_io *io);

/* One non-blocking send; DX_OK with *ret 0 if the socket is full. */
DX_MUST_USE dx_err dx_send_some(int fd, const struct iovec *iov, uint32_t iov_count, size_t *ret);

static inline size_t dx_iov_size(const struct iovec *iov, uint32_t iov_count)
{
    size_t size = 0;

    for (uint32_t i = 0; i < iov_count; i++)
        size += iov[i].iov_len;
    return size;
}

#endif
