/* What the loop's tests share: each test for each backend, and ends of connections that keep a log.
 * Is:     LOOP_TEST, TURN_UNTIL, struct end. Include tests/tap.h first.
 * Is not: checks: a call that breaks the contract of loop.h aborts the test program.
 * Memory: an end's input is one block that never moves, so that it can be sent from.
 * SPDX-License-Identifier: MIT */
#ifndef DX_LOOP_TEST_ENDS_H
#define DX_LOOP_TEST_ENDS_H

#include "base/clock.h"
#include "loop/loop.h"

/* ---- a test for each backend ----------------------------------------------------------------- */

extern dx_loop_kind loop_kind; /* of the test that runs */

bool io_uring_works(void);

/* Like TEST; its body makes its loops by new_loop() and runs once for each backend. */
#define LOOP_TEST(sentence)                                                                        \
    static void TAP_JOIN(loop_body_, __LINE__)(void);                                              \
    static void TAP_JOIN(loop_epoll_, __LINE__)(void)                                              \
    {                                                                                              \
        loop_kind = DX_LOOP_EPOLL;                                                                 \
        TAP_JOIN(loop_body_, __LINE__)();                                                          \
    }                                                                                              \
    static void TAP_JOIN(loop_uring_, __LINE__)(void)                                              \
    {                                                                                              \
        loop_kind = DX_LOOP_IO_URING;                                                              \
        if (io_uring_works())                                                                      \
            TAP_JOIN(loop_body_, __LINE__)();                                                      \
    }                                                                                              \
    __attribute__((constructor)) static void TAP_JOIN(loop_add_, __LINE__)(void)                   \
    {                                                                                              \
        static tap_test on_epoll = {"epoll: " sentence, TAP_JOIN(loop_epoll_, __LINE__), NULL};    \
        static tap_test on_uring = {"io_uring: " sentence, TAP_JOIN(loop_uring_, __LINE__), NULL}; \
        if (!io_uring_works())                                                                     \
            on_uring.name = "io_uring: " sentence " # SKIP io_uring does not work here";           \
        *tap_last = &on_epoll;                                                                     \
        on_epoll.next = &on_uring;                                                                 \
        tap_last = &on_uring.next;                                                                 \
    }                                                                                              \
    static void TAP_JOIN(loop_body_, __LINE__)(void)

/* Like TEST; skipped where io_uring does not work. */
#define URING_TEST(sentence)                                                                       \
    static void TAP_JOIN(loop_uring_, __LINE__)(void);                                             \
    __attribute__((constructor)) static void TAP_JOIN(loop_add_, __LINE__)(void)                   \
    {                                                                                              \
        static tap_test test = {sentence, TAP_JOIN(loop_uring_, __LINE__), NULL};                  \
        if (!io_uring_works())                                                                     \
            test.name = sentence " # SKIP io_uring does not work here", test.run = skip_test;      \
        *tap_last = &test;                                                                         \
        tap_last = &test.next;                                                                     \
    }                                                                                              \
    static void TAP_JOIN(loop_uring_, __LINE__)(void)

void skip_test(void);

/* A loop of the backend under test; aborts if there is none. */
dx_loop *new_loop(void);

/* Turns until the condition holds, 10 s at most, and checks that it does. */
#define TURN_UNTIL(loop, condition)                                                                \
    do {                                                                                           \
        uint64_t turn_end_ms = dx_clock_ms() + 10000;                                              \
        while (!(condition) && dx_clock_ms() < turn_end_ms)                                        \
            dx_loop_step((loop), 50);                                                              \
        CHECK(condition);                                                                          \
    } while (0)

/* Turns for so long; gives how many turns that took. A loop at rest takes one, and one for each
 * time that the kernel interrupts it for its own sake (freeing another io_uring does that); one
 * that spins takes thousands. */
enum { SPIN_TURNS = 100 };
int turn_for(dx_loop *loop, uint64_t span_ms);

/* ---- ends ------------------------------------------------------------------------------------ */

typedef enum end_event {
    ON_RECV = 1,
    ON_RECV_END = 2,
    ON_SENT = 4,
    ON_WRITABLE = 8,
    ON_ACCEPT = 16,
    ON_CONNECT = 32,
} end_event;

typedef struct end end;
struct end {
    dx_io io;
    uint8_t *in; /* all that was received */
    size_t in_size, in_bytes_max;
    const uint8_t *out; /* what is to be sent, from out_sent on */
    size_t out_size, out_sent;
    bool echoes;         /* out is in */
    bool keeps_accepted; /* else accepted descriptors are closed */
    uint32_t pieces;     /* of a send; 0: 1 */
    size_t piece_bytes;  /* 0: all there is, in equal pieces */
    uint32_t close_on;   /* end_events in which it closes itself */
    bool close_reset;
    void (*hook)(end *e, end_event event); /* called last, unless closed */
    void *context;
    int recvs, ends, sents, shorts, writables, accepts, accept_errs, connects, closed;
    int starts;      /* sends asked for: in flight while more than sents */
    size_t asked;    /* bytes of the last */
    int accepted_fd; /* the last, if kept */
    dx_err end_err, sent_err, accept_err, connect_err;
};

/* Takes `fd` into `loop`; does not receive yet. Aborts on errors. */
void end_open(end *e, dx_loop *loop, int fd, size_t in_bytes_max);
/* Starts sending `size` bytes at `out`, which stay. */
void end_send(end *e, const void *out, size_t size);
/* Closes if that was not done, turns until that is reported, frees the input. */
void end_finish(end *e);

/* ---- sockets, non-blocking ------------------------------------------------------------------- */

void socket_pair(int ret[2]);
/* A TCP connection over loopback. */
void tcp_pair(int ret[2]);
/* A listener on 127.0.0.1, its address in *ret. */
int tcp_listen(struct sockaddr_storage *ret, socklen_t *ret_bytes);
int tcp_socket(void);
/* A blocking connection to `address`, made non-blocking. -1 on errors. */
int tcp_connect(const struct sockaddr_storage *address, socklen_t address_bytes);
void set_buffer_bytes(int fd, int option, int bytes);
/* close() that sends RST. */
void close_reset(int fd);

/* A seeded row of numbers, and bytes from it. */
uint64_t next_random(uint64_t *seed);
void fill_random(uint64_t *seed, uint8_t *to, size_t size);

#endif
