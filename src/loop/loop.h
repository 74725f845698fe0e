/* One thread's event loop, by completion: accept, receive, send, timers, posts.
 * Is:     the only interface to readiness and completion; the backends (epoll, io_uring) stand
 *         behind it and are chosen by trying, never by version.
 * Is not: sockets' addresses and options (net), protocols (http, ws).
 * Memory: one receive buffer (or buffer ring) per loop; an idle dx_io holds none.
 * Threads: everything belongs to the loop's thread but dx_loop_post and dx_loop_stop (any thread).
 *
 * One turn: wait; completions; posts; timers; tasks; then what was closed is reported closed.
 * SPDX-License-Identifier: MIT */
#ifndef DX_LOOP_LOOP_H
#define DX_LOOP_LOOP_H

#include "base/list.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/uio.h>

typedef struct dx_loop dx_loop;
typedef struct dx_io dx_io;

/* What a dx_io is told. All run on the loop's thread, never from inside dx_io_recv_start,
 * dx_io_recv_stop, dx_io_accept_start, dx_io_connect or dx_io_close. Unused slots may be NULL. */
typedef struct dx_io_ops {
    /* Bytes came. They are the loop's: borrowed until return, and may be changed in place. At
     * least 1. May still come a few times after dx_io_recv_stop (what the kernel had handed over);
     * never after dx_io_close. */
    void (*on_recv)(dx_io *io, uint8_t *at, size_t size);
    /* Nothing more will be received: DX_OK for the peer's FIN, else why. Sending may still work
     * after DX_OK. Called once at most. While receiving is stopped a reset may go unnoticed
     * until a send. */
    void (*on_recv_end)(dx_io *io, dx_err err);
    /* The send is over: `sent` bytes left. err is DX_OK also when sent is less than was given
     * (socket full): on_writable follows by itself. May be called before dx_io_send returns. A send
     * started in here is reported after this call has returned, so a long queue costs no stack. */
    void (*on_sent)(dx_io *io, size_t sent, dx_err err);
    /* There is room again, after a send that came out short. */
    void (*on_writable)(dx_io *io);
    /* A connection was accepted: `fd` is given, non-blocking and close-on-exec. Or `err` (fd is
     * -1): accepting has stopped and dx_io_accept_start is needed to go on. */
    void (*on_accept)(dx_io *io, int fd, dx_err err);
    /* dx_io_connect is over. */
    void (*on_connect)(dx_io *io, dx_err err);
    /* After dx_io_close, at the end of a turn: nothing refers to `io` any more, its memory is the
     * owner's. The last call. */
    void (*on_closed)(dx_io *io);
} dx_io_ops;

/* One descriptor in the loop: embed it in the object that owns it. */
struct dx_io {
    const dx_io_ops *ops;
    dx_loop *loop;
    union {
        dx_list closed_link;  /* in a list of the loop's: closed, or refused at once */
        size_t sending_bytes; /* while a send is in flight (io_uring) */
    };
    int fd;           /* -1 after dx_io_close */
    uint16_t state;   /* bits of the loop and its backend */
    uint16_t pending; /* completions still to come (io_uring); the dx_err of a refused connect */
};

typedef struct dx_timer dx_timer;
struct dx_timer {
    dx_list link; /* in a slot of the wheel */
    uint64_t due_ms;
    void (*fire)(dx_timer *timer);
};

/* Something to run once at the end of this turn, after timers: flushing what the turn wrote. */
typedef struct dx_task dx_task;
struct dx_task {
    dx_list link;
    void (*run)(dx_task *task);
};

/* A message from any thread; embed it in what it carries. */
typedef struct dx_post dx_post;
struct dx_post {
    dx_post *next;
    void (*run)(dx_post *post); /* on the loop's thread; the post is the receiver's from here on */
};

typedef enum dx_loop_kind { DX_LOOP_AUTO, DX_LOOP_EPOLL, DX_LOOP_IO_URING } dx_loop_kind;

typedef struct dx_loop_options {
    dx_loop_kind kind;   /* DX_LOOP_AUTO: io_uring if it works here, else epoll */
    uint32_t recv_bytes; /* size of the epoll receive buffer, of one io_uring ring buffer times 16;
                                 0: 256 KiB */
    uint32_t posts_count_max; /* mailbox bound; 0: 65536 */
} dx_loop_options;

/* "auto", "epoll", "io_uring"; false if `name` is none of them. */
bool dx_loop_kind_from_name(const char *name, dx_loop_kind *ret);

/* Makes a loop, given to the caller. Call it on the thread that will run it (io_uring's
 * SINGLE_ISSUER binds to it).
 * Errors: DX_ERR_MEMORY, DX_ERR_FILES, DX_ERR_UNSUPPORTED (the kind asked for does not work
 * here). */
DX_MUST_USE dx_err dx_loop_new(const dx_loop_options *options, dx_loop **ret);

/* Frees a loop that is not running; every dx_io must have been reported closed. Posts that still
 * wait are run first, since each may own memory; no other thread may post any more. NULL is
 * allowed. */
void dx_loop_free(dx_loop *loop);

/* Runs the posts that wait, on the calling thread: in a turn that is the loop's, else the loop must not run any
 * more, and this is for who has something to do there that comes after them. */
void dx_loop_run_posts(dx_loop *loop);

/* Which backend was chosen: "epoll" or "io_uring". */
const char *dx_loop_name(const dx_loop *loop);

/* Turns until dx_loop_stop. One that was asked for before is obeyed at once, without a turn. */
void dx_loop_run(dx_loop *loop);

/* One turn that waits at most `wait_ms` (-1: until something happens). */
void dx_loop_step(dx_loop *loop, int wait_ms);

/* For one who waits for several loops' descriptors in a wait of its own: `fd` is readable when a turn has
 * something to do. Only epoll's. */
int dx_loop_fd(const dx_loop *loop);
/* How long that wait may be, in ms: 0 if a turn is due already, -1 without end. From here to the next turn posts
 * make `fd` readable: call it right before the wait, each time. */
int dx_loop_due_ms(dx_loop *loop);

/* dx_loop_stop was called, and not obeyed yet. */
bool dx_loop_is_stopping(const dx_loop *loop);

/* Ends dx_loop_run after the turn under way. Any thread, and signal handlers. */
void dx_loop_stop(dx_loop *loop);

/* Milliseconds and nanoseconds of CLOCK_MONOTONIC, read once at the start of the turn. */
uint64_t dx_loop_now_ms(const dx_loop *loop);
uint64_t dx_loop_now_ns(const dx_loop *loop);

/* How the loop has spent its time: from waking up to lying down again, since the longest was asked for last. For its
 * thread. */
typedef struct dx_loop_turns {
    uint64_t count, busy_ns; /* since it was made */
    uint64_t longest_ns;     /* since the last call */
} dx_loop_turns;

dx_loop_turns dx_loop_take_turns(dx_loop *loop);

/* A pointer of the owner's, for the objects that know only their loop. */
void dx_loop_set_owner(dx_loop *loop, void *owner);
void *dx_loop_owner(const dx_loop *loop);

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Puts the non-blocking descriptor `fd` (taken) into the loop. Nothing is asked of it yet.
 * Errors: DX_ERR_MEMORY, DX_ERR_SYSTEM; `fd` is still the caller's then. */
DX_MUST_USE dx_err dx_io_open(dx_io *io, dx_loop *loop, int fd, const dx_io_ops *ops);

/* Accepts until stopped by an error or dx_io_close. Listeners only. */
void dx_io_accept_start(dx_io *io);

/* Accepts no more. True: that is so already. False: connections that the kernel has accepted meanwhile are
 * still given to on_accept; then it is called with DX_ERR_CLOSED. */
DX_MUST_USE bool dx_io_accept_stop(dx_io *io);

/* Connects; on_connect tells. `address` is borrowed. Before anything else is asked of `io`, once;
 * receiving may be started at once and begins when it is connected. */
void dx_io_connect(dx_io *io, const struct sockaddr *address, socklen_t address_bytes);

/* Receives, or stops receiving (backpressure). Both may be called at any time and repeatedly. */
void dx_io_recv_start(dx_io *io);
void dx_io_recv_stop(dx_io *io);

/* Sends the bytes of `iov` (1 to 64 of them; the array itself is borrowed) in one go; on_sent tells
 * how many left. At most one send may be in flight, and none may be started between a short
 * on_sent and on_writable. The bytes must stay until on_sent, or on_closed.
 * Cost: one system call (epoll), or one queue entry submitted at the end of the turn (io_uring). */
void dx_io_send(dx_io *io, const struct iovec *iov, uint32_t iov_count);

/* Sends at once, whatever the backend, without waiting and without on_sent: for bytes too large to
 * copy. Only while no send is in flight and the last one was not short. Gives the bytes that left
 * (0 if the socket is full). It leaves no trace: on_writable does not follow; to hear of room, give
 * the rest to dx_io_send.
 * Errors: as on_sent's. */
DX_MUST_USE dx_err dx_io_send_now(dx_io *io, const struct iovec *iov, uint32_t iov_count,
                                  size_t *ret);

/* shutdown(SHUT_WR): FIN to the peer, after the send that is in flight; receiving goes on. */
void dx_io_shutdown(dx_io *io);

/* Closes the descriptor, once; nothing is called any more but on_closed. What a send in flight
 * could not hand to the kernel is lost: wait for on_sent before. `reset`: with RST and without
 * sending what the kernel still holds. */
void dx_io_close(dx_io *io, bool reset);

/* ---- timers, tasks, posts -------------------------------------------------------------------- */

void dx_timer_init(dx_timer *timer, void (*fire)(dx_timer *timer));
static inline bool dx_timer_is_set(const dx_timer *timer)
{
    return !dx_list_is_empty(&timer->link);
}
/* Fires once, `delay_ms` or up to one tick of the wheel (16 ms) later; an earlier setting is
 * replaced. Timers of different ticks fire in order; within a tick, in any.
 * Cost: O(1). */
void dx_timer_set(dx_loop *loop, dx_timer *timer, uint64_t delay_ms);
void dx_timer_clear(dx_timer *timer);

void dx_task_init(dx_task *task, void (*run)(dx_task *task));
/* Runs `task` at the end of this turn; once, however often it is asked for. A task that is
 * queued by a task runs in the next turn, which does not wait. */
void dx_task_queue(dx_loop *loop, dx_task *task);
void dx_task_clear(dx_task *task);

/* Runs `post` on the loop's thread, in the order of posting per sender. Any thread.
 * Errors: DX_ERR_BUSY (posts_count_max are waiting): the post is still the caller's. */
DX_MUST_USE dx_err dx_loop_post(dx_loop *loop, dx_post *post);

#endif
