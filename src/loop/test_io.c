/* Tests of descriptors in the loop: receiving, sending, both ends of a connection's life.
 * SPDX-License-Identifier: MIT */
#include "loop/test_ends.h"
#include "tests/tap.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static dx_loop *loop; /* of the test that runs */
static uint8_t bytes[4 * MIB];

typedef void pair_fn(int ret[2]);

/* Two ends of one connection in one loop. */
static void open_pair(pair_fn *make, end *a, end *b)
{
    int fds[2];

    make(fds);
    loop = new_loop();
    end_open(a, loop, fds[0], sizeof bytes);
    end_open(b, loop, fds[1], sizeof bytes);
}

static void finish_pair(end *a, end *b)
{
    end_finish(a);
    end_finish(b);
    dx_loop_free(loop);
}

/* One end in a loop, the other a bare descriptor of the test's. */
static int open_one(pair_fn *make, end *e)
{
    int fds[2];

    make(fds);
    loop = new_loop();
    end_open(e, loop, fds[0], sizeof bytes);
    return fds[1];
}

static void finish_one(end *e, int other)
{
    end_finish(e);
    if (other >= 0)
        close(other);
    dx_loop_free(loop);
}

/* Reads what is there from a bare descriptor; -1 at errors other than EAGAIN. */
static ssize_t drain(int fd, uint8_t *to, size_t size)
{
    size_t at = 0;

    while (at < size) {
        ssize_t count = read(fd, to + at, size - at);
        if (count == 0 || (count < 0 && errno == EAGAIN))
            break;
        if (count < 0)
            return -1;
        at += (size_t)count;
    }
    return (ssize_t)at;
}

/* ---- echo ------------------------------------------------------------------------------------ */

static void echo_rounds(pair_fn *make)
{
    uint64_t seed = 1;
    end client, server;

    open_pair(make, &client, &server);
    server.echoes = true;
    dx_io_recv_start(&server.io);
    dx_io_recv_start(&client.io);
    for (int i = 0; i < 200; i++) {
        uint64_t most = UINT64_C(1) << next_random(&seed) % 18;
        size_t size = 1 + next_random(&seed) % most;
        fill_random(&seed, bytes, size);
        client.pieces = 1 + (uint32_t)(next_random(&seed) % 64);
        server.pieces = 1 + (uint32_t)(next_random(&seed) % 64);
        client.in_size = 0;
        end_send(&client, bytes, size);
        TURN_UNTIL(loop, client.in_size >= size && client.sents == client.starts);
        CHECK_MEM(client.in, client.in_size, bytes, size);
        if (server.in_size > sizeof bytes - MIB)
            break;
    }
    finish_pair(&client, &server);
}

LOOP_TEST("echo of random sizes in 1 to 64 pieces over a socket pair")
{
    echo_rounds(socket_pair);
}

LOOP_TEST("echo of random sizes in 1 to 64 pieces over TCP")
{
    echo_rounds(tcp_pair);
}

LOOP_TEST("a small receive buffer gets the same bytes in more pieces")
{
    const dx_loop_options options = {.kind = loop_kind, .recv_bytes = 160};
    int fds[2];
    end e;
    uint64_t seed = 5;

    fill_random(&seed, bytes, 10000);
    socket_pair(fds);
    CHECK_INT(dx_loop_new(&options, &loop), DX_OK);
    end_open(&e, loop, fds[0], sizeof bytes);
    dx_io_recv_start(&e.io);
    CHECK_INT(write(fds[1], bytes, 10000), 10000);
    TURN_UNTIL(loop, e.in_size == 10000);
    CHECK_MEM(e.in, e.in_size, bytes, 10000);
    CHECK(e.recvs >= 10000 / 160);
    finish_one(&e, fds[1]);
}

/* ---- sending --------------------------------------------------------------------------------- */

LOOP_TEST("short sends to a slow reader go on by themselves, and nothing is lost")
{
    const size_t size = MIB;
    uint64_t seed = 2;
    static uint8_t got[MIB];
    size_t got_size = 0;
    end e;
    int other = open_one(tcp_pair, &e);

    set_buffer_bytes(e.io.fd, SO_SNDBUF, 4096);
    fill_random(&seed, bytes, size);
    e.pieces = 8;
    end_send(&e, bytes, size);
    for (int i = 0; i < 100000 && got_size < size; i++) {
        dx_loop_step(loop, 1);
        if (i % 4 == 0) {
            ssize_t count = read(other, got + got_size, dx_min_size(32768, size - got_size));
            got_size += count > 0 ? (size_t)count : 0;
        }
    }
    TURN_UNTIL(loop, e.sents == e.starts);
    CHECK_MEM(got, got_size, bytes, size);
    CHECK(e.out_sent == size);
    CHECK(e.shorts > 2);
    CHECK_INT(e.writables, e.shorts);
    finish_one(&e, other);
}

static int depth, depth_max;

static void count_depth(end *e, end_event event)
{
    if (event != ON_SENT)
        return;
    depth++;
    depth_max = depth > depth_max ? depth : depth_max;
    if (e->out_sent < e->out_size) { /* as end does after the hook, but inside the count */
        struct iovec iov = {(void *)(uintptr_t)(e->out + e->out_sent), 1};
        if (e->shorts == e->writables) {
            e->starts++, e->asked = 1;
            dx_io_send(&e->io, &iov, 1);
        }
    }
    depth--;
}

LOOP_TEST("200 sends, each from the on_sent before it, cost no stack")
{
    end e;
    int other = open_one(socket_pair, &e);

    depth = depth_max = 0;
    e.piece_bytes = 1;
    e.hook = count_depth;
    memset(bytes, 'x', 200);
    end_send(&e, bytes, 200);
    TURN_UNTIL(loop, e.out_sent == 200);
    CHECK_INT(depth_max, 1);
    CHECK_INT(e.sents, e.starts);
    CHECK_INT(drain(other, bytes, sizeof bytes), 200);
    finish_one(&e, other);
}

LOOP_TEST("send_now sends what fits at once; the rest goes by a send, which tells of room")
{
    end e;
    size_t sent = 0;
    uint64_t seed = 9;
    static uint8_t got[2 * MIB];
    int other = open_one(socket_pair, &e);
    struct iovec iov[2] = {{bytes, MIB}, {bytes + MIB, MIB}};

    fill_random(&seed, bytes, 2 * MIB);
    CHECK_INT(dx_io_send_now(&e.io, iov, 2, &sent), DX_OK);
    CHECK(sent > 0 && sent < 2 * MIB);
    CHECK(turn_for(loop, 30) < SPIN_TURNS);
    CHECK_INT(e.sents + e.writables, 0);
    size_t more = 1;
    CHECK_INT(dx_io_send_now(&e.io, iov, 1, &more), DX_OK);
    CHECK_INT(more, 0); /* full */
    end_send(&e, bytes + sent, 2 * MIB - sent);
    size_t at = 0;
    for (int i = 0; i < 1000 && at < 2 * MIB; i++) {
        dx_loop_step(loop, 1); /* the first of these finds the socket full */
        ssize_t count = drain(other, got + at, 2 * MIB - at);
        at += count > 0 ? (size_t)count : 0;
    }
    CHECK_MEM(got, at, bytes, 2 * MIB);
    CHECK(e.shorts > 0);
    close(other);
    CHECK_INT(dx_io_send_now(&e.io, iov, 1, &sent), DX_ERR_RESET);
    finish_one(&e, -1);
}

LOOP_TEST("an empty send is sent")
{
    end e;
    int other = open_one(tcp_pair, &e);
    struct iovec iov = {bytes, 0};

    e.starts++, e.asked = 0;
    dx_io_send(&e.io, &iov, 1);
    TURN_UNTIL(loop, e.sents == 1);
    CHECK_INT(e.shorts, 0);
    finish_one(&e, other);
}

LOOP_TEST("more sends in a turn than the queue has room for all leave")
{
    enum { COUNT = 1500 };
    static end list[COUNT];
    static int others[COUNT];

    loop = new_loop();
    for (int i = 0; i < COUNT; i++) {
        int fds[2];
        socket_pair(fds);
        others[i] = fds[1];
        end_open(&list[i], loop, fds[0], 0);
        list[i].pieces = 1 + (uint32_t)i % 64;
        memset(bytes + i * 100, i, 100);
    }
    for (int i = 0; i < COUNT; i++)
        end_send(&list[i], bytes + i * 100, 100);
    dx_loop_step(loop, 0);
    dx_loop_step(loop, 0);
    for (int i = 0; i < COUNT; i++) {
        uint8_t got[200];
        ssize_t size = drain(others[i], got, sizeof got);
        CHECK_MEM(got, (size_t)size, bytes + i * 100, 100);
        CHECK_INT(list[i].sents, 1);
        end_finish(&list[i]);
        close(others[i]);
    }
    dx_loop_free(loop);
}

/* ---- half-close and reset -------------------------------------------------------------------- */

static void half_close(pair_fn *make)
{
    end a, b;

    open_pair(make, &a, &b);
    dx_io_recv_start(&a.io);
    dx_io_recv_start(&b.io);
    end_send(&a, "question", 8);
    dx_io_shutdown(&a.io); /* the FIN must not overtake what is in flight */
    TURN_UNTIL(loop, b.ends == 1);
    CHECK_INT(b.end_err, DX_OK);
    CHECK_MEM(b.in, b.in_size, "question", 8);
    CHECK_INT(a.ends, 0);
    CHECK(turn_for(loop, 50) < SPIN_TURNS); /* a half-closed connection does not spin */
    end_send(&b, "answer", 6);
    TURN_UNTIL(loop, a.in_size == 6);
    dx_io_shutdown(&b.io);
    TURN_UNTIL(loop, a.ends == 1);
    CHECK_INT(a.end_err, DX_OK);
    CHECK_MEM(a.in, a.in_size, "answer", 6);
    CHECK(turn_for(loop, 50) < SPIN_TURNS); /* nor does one closed both ways */
    CHECK_INT(a.sents + b.sents, 2);
    dx_io_recv_start(&a.io); /* nothing more will be received: is ignored */
    CHECK(turn_for(loop, 20) < SPIN_TURNS);
    CHECK_INT(a.ends + b.ends, 2);
    finish_pair(&a, &b);
}

LOOP_TEST("half-close: each side can still be heard after it has heard the other's end")
{
    half_close(tcp_pair);
    half_close(socket_pair);
}

LOOP_TEST("a reset is told as such, also with bytes before it")
{
    end e;
    int other = open_one(tcp_pair, &e);

    dx_io_recv_start(&e.io);
    dx_loop_step(loop, 0);
    CHECK_INT(write(other, "abc", 3), 3);
    TURN_UNTIL(loop, e.in_size == 3);
    close_reset(other);
    TURN_UNTIL(loop, e.ends == 1);
    CHECK_INT(e.end_err, DX_ERR_RESET);
    CHECK(turn_for(loop, 50) < SPIN_TURNS);
    end_send(&e, "late", 4);
    TURN_UNTIL(loop, e.sents == 1);
    CHECK_INT(e.sent_err, DX_ERR_RESET);
    CHECK_INT(e.out_sent, 0);
    finish_one(&e, -1);
}

LOOP_TEST("a reset that a send has heard of is still a reset to who receives")
{
    end e;
    int other = open_one(tcp_pair, &e);

    close_reset(other);
    usleep(1000);
    end_send(&e, "late", 4);
    TURN_UNTIL(loop, e.sents == 1);
    CHECK_INT(e.sent_err, DX_ERR_RESET);
    dx_io_recv_start(&e.io);
    TURN_UNTIL(loop, e.ends == 1);
    CHECK_INT(e.end_err, DX_ERR_RESET);
    finish_one(&e, -1);
}

LOOP_TEST("a reset while a short send waits for room ends the waiting")
{
    end e;
    int other = open_one(tcp_pair, &e);

    set_buffer_bytes(e.io.fd, SO_SNDBUF, 4096);
    end_send(&e, bytes, sizeof bytes);
    TURN_UNTIL(loop, e.shorts == 1 || e.sents > 3);
    CHECK(turn_for(loop, 50) < SPIN_TURNS);
    close_reset(other);
    TURN_UNTIL(loop, e.sent_err != DX_OK);
    CHECK_INT(e.sent_err, DX_ERR_RESET);
    CHECK(turn_for(loop, 50) < SPIN_TURNS);
    finish_one(&e, -1);
}

LOOP_TEST("a reset while receiving is stopped does not spin, and is told when it is started again")
{
    end e;
    int other = open_one(tcp_pair, &e);

    dx_io_recv_start(&e.io);
    dx_loop_step(loop, 0);
    dx_io_recv_stop(&e.io);
    dx_loop_step(loop, 0);
    close_reset(other);
    CHECK(turn_for(loop, 60) < SPIN_TURNS);
    dx_io_recv_start(&e.io);
    TURN_UNTIL(loop, e.ends == 1);
    CHECK_INT(e.end_err, DX_ERR_RESET);
    finish_one(&e, -1);
}

LOOP_TEST("an end while receiving is stopped does not spin; what came before it is not lost")
{
    end e;
    int other = open_one(tcp_pair, &e);

    dx_io_recv_start(&e.io);
    dx_io_recv_stop(&e.io);
    dx_loop_step(loop, 0);
    CHECK_INT(write(other, "last words", 10), 10);
    close(other);
    dx_io_shutdown(&e.io); /* closed both ways: the kernel calls that a hang-up */
    CHECK(turn_for(loop, 60) < SPIN_TURNS);
    CHECK_INT(e.ends, 0);
    dx_io_recv_start(&e.io);
    TURN_UNTIL(loop, e.ends == 1);
    CHECK_MEM(e.in, e.in_size, "last words", 10);
    finish_one(&e, -1);
}

/* ---- stopping to receive --------------------------------------------------------------------- */

static void stop_after_first(end *e, end_event event)
{
    if (event == ON_RECV)
        dx_io_recv_stop(&e->io);
}

LOOP_TEST("receiving stops soon after it was asked to, holds the sender, and goes on without loss")
{
    uint64_t seed = 4;
    size_t written = 0;
    end e;
    int other = open_one(tcp_pair, &e);

    set_buffer_bytes(e.io.fd, SO_RCVBUF, 65536);
    set_buffer_bytes(other, SO_SNDBUF, 65536);
    fill_random(&seed, bytes, sizeof bytes);
    e.hook = stop_after_first;
    dx_io_recv_start(&e.io);
    for (int i = 0; i < 200; i++) {
        ssize_t count = write(other, bytes + written, sizeof bytes - written);
        written += count > 0 ? (size_t)count : 0;
        dx_loop_step(loop, 1);
    }
    CHECK(written < sizeof bytes); /* the sender was held */
    CHECK(e.in_size < written);
    CHECK(turn_for(loop, 60) < SPIN_TURNS);
    e.hook = NULL;
    dx_io_recv_start(&e.io);
    dx_io_recv_start(&e.io);
    for (int i = 0; i < 100000 && e.in_size < sizeof bytes; i++) {
        ssize_t count = write(other, bytes + written, sizeof bytes - written);
        written += count > 0 ? (size_t)count : 0;
        dx_loop_step(loop, 1);
    }
    CHECK_MEM(e.in, e.in_size, bytes, sizeof bytes);
    finish_one(&e, other);
}

LOOP_TEST("stopping and starting in any order within turns loses nothing and doubles nothing")
{
    uint64_t seed = 6;
    size_t written = 0, size = 200000;
    end e;
    int other = open_one(socket_pair, &e);

    fill_random(&seed, bytes, size);
    while (written < size) {
        for (uint64_t i = next_random(&seed) % 4; i > 0; i--) {
            if (next_random(&seed) % 2)
                dx_io_recv_start(&e.io);
            else
                dx_io_recv_stop(&e.io);
        }
        size_t chunk = dx_min_size(next_random(&seed) % 2000, size - written);
        ssize_t count = write(other, bytes + written, chunk);
        written += count > 0 ? (size_t)count : 0;
        dx_loop_step(loop, 0);
    }
    dx_io_recv_start(&e.io);
    TURN_UNTIL(loop, e.in_size >= size);
    CHECK_MEM(e.in, e.in_size, bytes, size);
    finish_one(&e, other);
}

LOOP_TEST("more connections than receive buffers are all heard in few turns")
{
    enum { COUNT = 1200 };
    static end list[COUNT];
    static int others[COUNT];
    int heard = 0, turns = 0;

    loop = new_loop();
    for (int i = 0; i < COUNT; i++) {
        int fds[2];
        socket_pair(fds);
        others[i] = fds[1];
        end_open(&list[i], loop, fds[0], 8);
        dx_io_recv_start(&list[i].io);
    }
    dx_loop_step(loop, 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(write(others[i], &i, sizeof i), sizeof i);
    for (; turns < 1000 && heard < COUNT; turns++) {
        dx_loop_step(loop, 10);
        heard = 0;
        for (int i = 0; i < COUNT; i++)
            heard += list[i].in_size == sizeof i;
    }
    CHECK_INT(heard, COUNT);
    CHECK(turns <= 150); /* newer kernels complete 20 receives in one wait, and no more */
    for (int i = 0; i < COUNT; i++) {
        CHECK_MEM(list[i].in, list[i].in_size, &i, sizeof i);
        end_finish(&list[i]);
        close(others[i]);
    }
    dx_loop_free(loop);
}
