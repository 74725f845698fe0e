/* Tests of closing: from inside every call, with everything in flight, and of memory that must live
 * until on_closed (the ends poison theirs; run under AddressSanitizer too).
 * SPDX-License-Identifier: MIT */
#include "loop/test_ends.h"
#include "tests/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static dx_loop *loop; /* of the test that runs */
static uint8_t bytes[1 << 20];

/* Heap memory that is given back in on_closed: a later touch is an error of the sanitizer's. */
typedef struct brief {
    dx_io io;
    uint8_t *payload;
    int *closed_count;
    bool closes_in_recv;
    struct brief *victim; /* closed by this one's on_recv */
} brief;

static void brief_on_recv(dx_io *io, uint8_t *at, size_t size)
{
    brief *b = DX_CONTAINER(io, brief, io);

    if (b->victim) {
        brief *victim = b->victim;
        b->victim = victim->victim = NULL;
        dx_io_close(&victim->io, false);
    }
    if (b->closes_in_recv)
        dx_io_close(io, false);
}

static void brief_on_end(dx_io *io, dx_err err)
{
    dx_io_close(io, false);
}

static void brief_on_closed(dx_io *io)
{
    brief *b = DX_CONTAINER(io, brief, io);

    ++*b->closed_count;
    free(b->payload);
    free(b);
}

static const dx_io_ops brief_ops = {
    .on_recv = brief_on_recv, .on_recv_end = brief_on_end, .on_closed = brief_on_closed};

static brief *new_brief(int fd, int *closed_count)
{
    brief *b = calloc(1, sizeof *b);

    dx_assert(b != NULL);
    b->closed_count = closed_count;
    CHECK_INT(dx_io_open(&b->io, loop, fd, &brief_ops), DX_OK);
    return b;
}

/* ---- inside each call ------------------------------------------------------------------------ */

typedef void make_happen_fn(end *e, int other);

static void make_recv(end *e, int other)
{
    dx_io_recv_start(&e->io);
    CHECK_INT(write(other, "abc", 3), 3);
}

static void make_end(end *e, int other)
{
    dx_io_recv_start(&e->io);
    shutdown(other, SHUT_WR);
}

static void make_sent(end *e, int other)
{
    dx_io_recv_start(&e->io);
    end_send(e, "abc", 3);
}

static void make_writable(end *e, int other)
{
    dx_io_recv_start(&e->io);
    set_buffer_bytes(e->io.fd, SO_SNDBUF, 4096);
    end_send(e, bytes, sizeof bytes);
    for (int i = 0; i < 20; i++)
        dx_loop_step(loop, 1);
    for (int i = 0; i < 3000 && e->closed == 0 && e->io.fd >= 0; i++) {
        static uint8_t sink[65536];
        (void)!read(other, sink, sizeof sink);
        dx_loop_step(loop, 0);
    }
}

static void close_inside(end_event event, make_happen_fn *make_happen, bool reset)
{
    int fds[2];
    end e;

    tcp_pair(fds);
    loop = new_loop();
    end_open(&e, loop, fds[0], sizeof bytes);
    e.close_on = event;
    e.close_reset = reset;
    make_happen(&e, fds[1]);
    TURN_UNTIL(loop, e.closed == 1);
    if (reset) {
        int error = 0;
        for (int i = 0; i < 100; i++) { /* drain: what was received before the reset */
            if (read(fds[1], bytes, sizeof bytes) < 0 && (error = errno) != EAGAIN)
                break;
            usleep(1000);
        }
        CHECK_INT(error, ECONNRESET);
    }
    end_finish(&e);
    close(fds[1]);
    dx_loop_free(loop);
}

LOOP_TEST("closing inside on_recv, on_recv_end, on_sent and on_writable, with FIN and with RST")
{
    for (int reset = 0; reset < 2; reset++) {
        close_inside(ON_RECV, make_recv, reset);
        close_inside(ON_SENT, make_sent, reset);
        close_inside(ON_WRITABLE, make_writable, reset);
        close_inside(ON_RECV_END, make_end, reset);
    }
}

static int count_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) != -1;
    return count;
}

LOOP_TEST("closing inside on_accept, and inside on_connect, leaves no descriptor behind")
{
    struct sockaddr_storage address;
    socklen_t address_bytes;
    end listener, client;
    int others[5], before = count_descriptors();

    loop = new_loop();
    end_open(&listener, loop, tcp_listen(&address, &address_bytes), 0);
    end_open(&client, loop, tcp_socket(), 8);
    for (int i = 0; i < 5; i++) /* more than the one that closes it come in the same turn */
        others[i] = tcp_connect(&address, address_bytes);
    listener.close_on = ON_ACCEPT;
    client.close_on = ON_CONNECT;
    dx_io_accept_start(&listener.io);
    dx_io_connect(&client.io, (struct sockaddr *)&address, address_bytes);
    TURN_UNTIL(loop, listener.closed == 1 && client.closed == 1);
    CHECK_INT(listener.accepts, 1);
    CHECK_INT(client.connects, 1);
    end_finish(&listener);
    end_finish(&client);
    for (int i = 0; i < 5; i++)
        close(others[i]);
    dx_loop_free(loop);
    CHECK_INT(count_descriptors(), before);
}

static int closings;

static void close_on_task(dx_task *task);

typedef struct closing_task {
    dx_task task;
    dx_io *io;
} closing_task;

static void close_on_task(dx_task *task)
{
    closings++;
    dx_io_close(DX_CONTAINER(task, closing_task, task)->io, false);
}

LOOP_TEST("closing from a task, and outside a turn, is reported in turn, which does not wait")
{
    int closed = 0, fds[2];
    closing_task closing;

    loop = new_loop();
    socket_pair(fds);
    closing.io = &new_brief(fds[0], &closed)->io;
    dx_task_init(&closing.task, close_on_task);
    dx_task_queue(loop, &closing.task);
    for (int i = 0; i < 3 && closed == 0; i++)
        dx_loop_step(loop, -1);
    CHECK_INT(closed, 1);
    dx_io_close(&new_brief(fds[1], &closed)->io, false);
    for (int i = 0; i < 3 && closed == 1; i++)
        dx_loop_step(loop, -1);
    CHECK_INT(closed, 2);
    dx_loop_free(loop);
}

/* ---- with things in flight ------------------------------------------------------------------- */

LOOP_TEST("closing with a receive and a send in flight: what the kernel took arrives whole")
{
    int closed = 0, fds[2];
    const size_t size = 50000;

    for (int i = 0; i < 20; i++) {
        tcp_pair(fds);
        loop = new_loop();
        brief *b = new_brief(fds[0], &closed);
        dx_io_recv_start(&b->io);
        if (i % 2)
            dx_loop_step(loop, 0);
        b->payload = malloc(size);
        memset(b->payload, i, size);
        struct iovec iov[2] = {{b->payload, 1}, {b->payload + 1, size - 1}};
        dx_io_send(&b->io, iov, 1 + (uint32_t)i % 2);
        dx_io_close(&b->io, false);
        closed = 0;
        TURN_UNTIL(loop, closed == 1);
        size_t got = 0;
        for (ssize_t count; (count = read(fds[1], bytes, sizeof bytes)) > 0;)
            got += (size_t)count;
        CHECK_INT(got, i % 2 ? size : 1);
        close(fds[1]);
        dx_loop_free(loop);
    }
}

static void close_while_full(bool stops, bool reset)
{
    static uint8_t much[16 << 20];
    int fds[2];
    end e;

    tcp_pair(fds);
    set_buffer_bytes(fds[0], SO_SNDBUF, 4096);
    loop = new_loop();
    end_open(&e, loop, fds[0], 0);
    dx_io_recv_start(&e.io);
    end_send(&e, much, sizeof much);
    size_t before = 1;
    for (int i = 0; i < 200 && (e.out_sent != before || e.shorts == e.writables); i++) {
        before = e.out_sent;
        turn_for(loop, 30);
    }
    CHECK_INT(e.shorts, e.writables + 1); /* full, and stays so */
    if (stops)
        dx_io_recv_stop(&e.io);
    turn_for(loop, 10);
    dx_io_close(&e.io, reset);
    TURN_UNTIL(loop, e.closed == 1);
    CHECK(turn_for(loop, 20) < SPIN_TURNS);
    end_finish(&e);
    close(fds[1]);
    dx_loop_free(loop);
}

LOOP_TEST("closing with a short send that waits for room, while receiving or with that stopped")
{
    close_while_full(false, false);
    close_while_full(false, true);
    close_while_full(true, false);
    close_while_full(true, true);
}

LOOP_TEST("of two that have events in one turn, the first closes the other: no call reaches it")
{
    enum { PAIRS = 40 };
    int closed = 0;
    brief *first[PAIRS], *second[PAIRS];
    int others[2 * PAIRS];

    loop = new_loop();
    for (int i = 0; i < PAIRS; i++) {
        int fds[2];
        socket_pair(fds);
        first[i] = new_brief(fds[0], &closed), others[2 * i] = fds[1];
        socket_pair(fds);
        second[i] = new_brief(fds[0], &closed), others[2 * i + 1] = fds[1];
        first[i]->victim = second[i], second[i]->victim = first[i];
        dx_io_recv_start(&first[i]->io);
        dx_io_recv_start(&second[i]->io);
    }
    dx_loop_step(loop, 0);
    for (int i = 0; i < 2 * PAIRS; i++)
        CHECK_INT(write(others[i], "x", 1), 1);
    TURN_UNTIL(loop, closed == PAIRS);
    for (int i = 0; i < 2 * PAIRS; i++)
        close(others[i]); /* the survivors hear an end and close */
    TURN_UNTIL(loop, closed == 2 * PAIRS);
    dx_loop_free(loop);
}

LOOP_TEST("a descriptor number that is used anew at once gets none of the old one's bytes")
{
    end e;
    int closed = 0, fds[2];

    loop = new_loop();
    for (int i = 0; i < 200; i++) {
        socket_pair(fds);
        brief *b = new_brief(fds[0], &closed);
        dx_io_recv_start(&b->io);
        dx_io_send(&b->io, &(struct iovec){"old", 3}, 1);
        dx_io_close(&b->io, false);
        int next[2];
        socket_pair(next); /* under epoll one of these has the number of fds[0] */
        end_open(&e, loop, next[0], 16);
        dx_io_recv_start(&e.io);
        end_send(&e, "new", 3);
        CHECK_INT(write(next[1], "in", 2), 2);
        TURN_UNTIL(loop, e.in_size == 2 && e.sents == 1 && closed == i + 1);
        CHECK_MEM(e.in, e.in_size, "in", 2);
        char got[16];
        CHECK_MEM(got, (size_t)read(next[1], got, sizeof got), "new", 3);
        CHECK_MEM(got, (size_t)read(fds[1], got, sizeof got), "old", 3);
        end_finish(&e);
        close(next[1]);
        close(fds[1]);
    }
    dx_loop_free(loop);
}

LOOP_TEST("a duplicate that stays open elsewhere brings no events for what was closed")
{
    int closed = 0, fds[2];

    loop = new_loop();
    socket_pair(fds);
    int duplicate = dup(fds[0]);
    brief *b = new_brief(fds[0], &closed);
    dx_io_recv_start(&b->io);
    dx_loop_step(loop, 0);
    dx_io_close(&b->io, false);
    TURN_UNTIL(loop, closed == 1);
    CHECK_INT(write(fds[1], "x", 1), 1);
    CHECK(turn_for(loop, 50) < SPIN_TURNS);
    close(duplicate);
    close(fds[1]);
    dx_loop_free(loop);
}

/* ---- many ------------------------------------------------------------------------------------ */

enum { CHURN = 2000, AT_ONCE = 50 };

typedef struct churn {
    dx_io listener;
    int opened, closed, connected;
} churn;

static churn churning;

static void churn_on_recv(dx_io *io, uint8_t *at, size_t size)
{
    dx_io_close(io, churning.closed % 3 == 0);
}

static void churn_on_end(dx_io *io, dx_err err)
{
    dx_io_close(io, false);
}

static void churn_on_closed(dx_io *io)
{
    churning.closed++;
    free(io);
}

static void churn_on_connect(dx_io *io, dx_err err)
{
    CHECK_INT(err, DX_OK);
    churning.connected++;
    dx_io_send(io, &(struct iovec){"x", 1}, 1);
}

static const dx_io_ops churn_ops = {.on_recv = churn_on_recv,
                                    .on_recv_end = churn_on_end,
                                    .on_connect = churn_on_connect,
                                    .on_closed = churn_on_closed};

static void churn_open(int fd, const struct sockaddr_storage *address, socklen_t address_bytes)
{
    dx_io *io = malloc(sizeof *io);

    dx_assert(io != NULL);
    CHECK_INT(dx_io_open(io, loop, fd, &churn_ops), DX_OK);
    churning.opened++;
    if (address)
        dx_io_connect(io, (const struct sockaddr *)address, address_bytes);
    dx_io_recv_start(io);
}

static void churn_on_accept(dx_io *io, int fd, dx_err err)
{
    CHECK_INT(err, DX_OK);
    if (err == DX_OK)
        churn_open(fd, NULL, 0);
}

static void churn_listener_closed(dx_io *io)
{
    churning.closed++;
}

LOOP_TEST("2000 connections come and go, and leave no descriptor behind")
{
    static const dx_io_ops listener_ops = {.on_accept = churn_on_accept,
                                           .on_closed = churn_listener_closed};
    struct sockaddr_storage address;
    socklen_t address_bytes;
    int before = count_descriptors(), started = 0;
    uint64_t end_ms = dx_clock_ms() + 30000;

    loop = new_loop();
    churning = (churn){.opened = 0};
    int fd = tcp_listen(&address, &address_bytes);
    CHECK_INT(dx_io_open(&churning.listener, loop, fd, &listener_ops), DX_OK);
    dx_io_accept_start(&churning.listener);
    while (churning.closed < 2 * CHURN && dx_clock_ms() < end_ms) {
        for (; started < CHURN && started - churning.closed / 2 < AT_ONCE; started++)
            churn_open(tcp_socket(), &address, address_bytes);
        dx_loop_step(loop, 50);
    }
    CHECK_INT(churning.connected, CHURN);
    CHECK_INT(churning.closed, 2 * CHURN);
    CHECK_INT(churning.opened, 2 * CHURN);
    dx_io_close(&churning.listener, false);
    TURN_UNTIL(loop, churning.closed == 2 * CHURN + 1);
    dx_loop_free(loop);
    CHECK_INT(count_descriptors(), before);
}
