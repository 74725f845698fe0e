/* F2 for connections: every allocation fails in turn. A connection may be dropped for that, never more.
 * SPDX-License-Identifier: MIT */
#include "net/socket.h"
#include "net/test_probe.h"
#include "tests/support/failmalloc.h"
#include "tests/tap.h"

#include <unistd.h>

enum { KIB = 1024, TURNS = 60 };

static world w;
static uint8_t bytes[300 * KIB];

static void turn(void)
{
    FAILING(dx_loop_step(w.loop, 0));
}

/* What the protocol under test does; its own bookkeeping is static, so that nothing of it can fail. */
static struct {
    dx_conn *conn;
    size_t in_size;
    int ends, closed;
    dx_err why;
} seen;

static size_t on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    size_t used = size / 10 * 10; /* the rest is kept */

    (void)at;
    seen.in_size += used;
    dx_conn_write(conn, dx_bytes_at(bytes, used));
    return used;
}

static void on_end(dx_conn *conn)
{
    seen.ends++;
    dx_conn_finish(conn);
}

static void on_closed(dx_conn *conn, dx_err why)
{
    dx_assert(conn == seen.conn || seen.conn == NULL); /* NULL: it has not returned from accept yet */
    seen.closed++;
    seen.why = why;
    seen.conn = NULL;
}

static void on_open(dx_conn *conn)
{
    dx_conn_write(conn, DX_BYTES("0123456789"));
}

static const dx_conn_ops ops = {
    .on_bytes = on_bytes, .on_end = on_end, .on_closed = on_closed, .on_open = on_open};

static bool begin(peer *other)
{
    int fds[2];

    memset(&seen, 0, sizeof seen);
    socket_pair(fds);
    peer_open(other, fds[1]);
    world_init(&w, NULL);
    FAILING(seen.conn = dx_conn_accept(&w.net, fds[0], &ops, NULL));
    return seen.conn != NULL;
}

/* However it went: the connection is told closed once, and everything is given back. */
static void finish(peer *other, bool was_open)
{
    if (seen.conn)
        dx_conn_abort(seen.conn, DX_OK, false);
    world_deinit(&w);
    CHECK_INT(seen.closed, was_open);
    CHECK(was_open || failmalloc_has_failed());
    if (seen.closed && seen.why == DX_ERR_MEMORY)
        CHECK(failmalloc_has_failed());
    peer_close(other);
}

static void serve(void)
{
    peer other;
    bool was_open = begin(&other);

    peer_write_some(&other, DX_BYTES("0123456789abc"));
    turn();
    turn();
    for (int i = 0; i < 40; i++) { /* the kept bytes grow */
        peer_write_some(&other, dx_bytes_at(bytes, 997));
        turn();
        peer_read(&other, SIZE_MAX);
    }
    peer_finish(&other);
    for (int i = 0; i < TURNS; i++) {
        turn();
        peer_read(&other, SIZE_MAX);
    }
    if (!failmalloc_has_failed())
        CHECK_INT(other.in.size, (13 + 40 * 997) / 10 * 10);
    CHECK(other.is_ended || other.is_reset);
    finish(&other, was_open);
}

static void write_much(void)
{
    peer other;
    bool was_open = begin(&other);

    for (int i = 0; i < 3 && seen.conn; i++) {
        FAILING(dx_conn_write(seen.conn, dx_bytes_at(bytes, 5000)));
        FAILING(dx_conn_write_large(seen.conn, dx_bytes_at(bytes, 10), dx_bytes_at(bytes, sizeof bytes)));
        FAILING(dx_conn_write(seen.conn, dx_bytes_at(bytes, 100)));
        uint8_t *room;
        FAILING(room = dx_conn_write_room(seen.conn, 1000));
        if (room) {
            memset(room, 'r', 1000);
            dx_conn_wrote(seen.conn, 1000);
        }
        turn();
    }
    for (int i = 0; i < TURNS; i++) {
        turn();
        peer_read(&other, 40000);
    }
    if (was_open && !failmalloc_has_failed())
        CHECK_INT(other.in.size, 3 * (5000 + 10 + sizeof bytes + 100 + 1000));
    finish(&other, was_open);
}

static void connect_and_talk(void)
{
    dx_address a;
    int fd = -1;
    peer other;
    dx_err err = dx_address_parse(DX_BYTES("127.0.0.1:0"), &a);

    if (err == DX_OK)
        err = dx_socket_listen(&a, 1, &fd);
    dx_assert(err == DX_OK);
    memset(&seen, 0, sizeof seen);
    world_init(&w, NULL);
    FAILING(err = dx_conn_connect(&w.net, &a, &ops, NULL, &seen.conn));
    bool was_open = err == DX_OK;
    CHECK(was_open || err == DX_ERR_MEMORY);
    if (seen.conn)
        FAILING(dx_conn_write(seen.conn, DX_BYTES("early ")));
    for (int i = 0; i < 4; i++)
        turn();
    peer_open(&other, accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (other.fd >= 0) {
        peer_write_some(&other, DX_BYTES("0123456789abc"));
        for (int i = 0; i < 10; i++)
            turn();
        peer_read(&other, SIZE_MAX);
        CHECK(failmalloc_has_failed() || other.in.size == 6 + 10 + 10);
    }
    close(fd);
    finish(&other, was_open);
}

LOOP_TEST("F2 a connection that reads, keeps and answers")
{
    CHECK(failmalloc_sweep(serve) > 4);
}

LOOP_TEST("F2 a connection that writes more than is taken, in every way")
{
    CHECK(failmalloc_sweep(write_much) > 4);
}

LOOP_TEST("F2 a connection that is made, with bytes queued before it is open")
{
    CHECK(failmalloc_sweep(connect_and_talk) > 3);
}
