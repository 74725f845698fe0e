/* Tests of how connections end, of deadlines, and of connecting.
 * SPDX-License-Identifier: MIT */
#include "net/socket.h"
#include "net/test_probe.h"
#include "tests/tap.h"

#include <errno.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1024 * KIB };

static const dx_net_limits short_limits = {.conns_count_max = 100,
                                           .write_stalled_ms = 5000,
                                           .linger_ms = 150,
                                           .linger_bytes_max = 64 * KIB};

static world w;
static probe p;
static peer other;

static void begin(const dx_net_limits *limits, void (*open_it)(world *in, probe *p, peer *other))
{
    p = (probe){0};
    world_init(&w, limits);
    open_it(&w, &p, &other);
}

static void finish(void)
{
    if (p.conn)
        dx_conn_abort(p.conn, DX_OK, false);
    world_deinit(&w);
    CHECK_INT(p.counts[PROBE_CLOSED], 1);
    probe_deinit(&p);
    peer_close(&other);
}

/* ---- finish ----------------------------------------------------------------------------------- */

LOOP_TEST("finish sends what is queued, then FIN, and waits for the peer's")
{
    begin(NULL, probe_open_tcp);
    dx_conn_write(p.conn, DX_BYTES("the last words"));
    dx_conn_finish(p.conn);
    CHECK(!dx_conn_is_open(p.conn));
    dx_conn_write(p.conn, DX_BYTES("too late"));
    CHECK(dx_conn_write_room(p.conn, 10) == NULL);
    dx_conn_finish(p.conn);
    PEER_UNTIL_END(&w, &other);
    CHECK_BYTES(other.in, "the last words");
    CHECK(other.is_ended);
    world_settle(&w);
    CHECK_INT(p.counts[PROBE_CLOSED], 0);
    peer_finish(&other);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_OK);
    finish();
}

LOOP_TEST("finish while paused still ends the connection")
{
    begin(NULL, probe_open);
    dx_conn_pause(p.conn);
    peer_write(&w, &other, DX_BYTES("unread"));
    dx_conn_write(p.conn, DX_BYTES("bye"));
    dx_conn_finish(p.conn);
    PEER_UNTIL_END(&w, &other);
    CHECK_BYTES(other.in, "bye");
    peer_finish(&other);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_OK);
    CHECK_INT(p.in.size, 0);
    finish();
}

LOOP_TEST("RFC 9112 §9.6 the last answer arrives although the peer went on sending")
{
    static uint8_t noise[48 * KIB];

    begin(&short_limits, probe_open_tcp);
    dx_conn_write(p.conn, DX_BYTES("413"));
    dx_conn_finish(p.conn);
    for (size_t at = 0; at < sizeof noise; at += 4 * KIB)
        peer_write(&w, &other, dx_bytes_at(noise + at, 4 * KIB));
    PEER_UNTIL_END(&w, &other);
    CHECK(other.is_ended); /* not a reset */
    CHECK_BYTES(other.in, "413");
    finish();
}

LOOP_TEST("a long last answer arrives although the peer sends more than is put up with before it reads")
{
    static uint8_t answer[4 * MIB], noise[512 * KIB];

    begin(&short_limits, probe_open_tcp);
    memset(answer, 'a', sizeof answer);
    dx_conn_write(p.conn, dx_bytes_at(answer, sizeof answer));
    dx_conn_finish(p.conn);
    size_t sent = 0;
    for (int i = 0; i < 50 && sent < sizeof noise; i++) {
        sent += peer_write_some(&other, dx_bytes_at(noise + sent, sizeof noise - sent));
        dx_loop_step(w.loop, 1);
    }
    CHECK(sent > 64 * KIB);
    PEER_UNTIL(&w, &other, other.in.size == sizeof answer || other.is_reset);
    CHECK_INT(other.in.size, sizeof answer);
    finish();
}

LOOP_TEST("A5 a peer that sends on and on after the FIN is reset")
{
    static uint8_t noise[256 * KIB];

    begin(&short_limits, probe_open_tcp);
    w.net.limits.linger_ms = 60000;
    dx_conn_finish(p.conn);
    PEER_UNTIL_END(&w, &other);
    CHECK(other.is_ended);
    for (size_t sent = 0; sent < sizeof noise && !other.is_reset;) {
        sent += peer_write_some(&other, dx_bytes_at(noise + sent, sizeof noise - sent));
        dx_loop_step(w.loop, 1);
    }
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_OK); /* it ended as the protocol asked */
    finish();
}

LOOP_TEST("a peer that never sends its FIN is waited for linger_ms")
{
    begin(&short_limits, probe_open_tcp);
    uint64_t begin_ms = dx_clock_ms();
    dx_conn_finish(p.conn);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK(dx_clock_ms() - begin_ms >= 140 && dx_clock_ms() - begin_ms < 2500);
    CHECK_INT(p.why, DX_OK);
    finish();
}

LOOP_TEST("§9.6 a slow reader gets what the kernel still holds when linger_ms is over")
{
    static uint8_t answer[256 * KIB];

    begin(&short_limits, probe_open_tcp);
    dx_conn_write(p.conn, dx_bytes_at(answer, sizeof answer));
    dx_conn_finish(p.conn);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_OK);
    PEER_UNTIL_END(&w, &other);
    CHECK_INT(other.in.size, sizeof answer);
    CHECK(other.is_ended && !other.is_reset);
    finish();
}

LOOP_TEST("abort loses what is queued: by FIN, or by reset if asked")
{
    begin(NULL, probe_open_tcp);
    dx_conn_write(p.conn, DX_BYTES("lost"));
    dx_conn_abort(p.conn, DX_ERR_CLOSED, false);
    dx_conn_abort(p.conn, DX_ERR_BUSY, true); /* too late to matter */
    PEER_UNTIL_END(&w, &other);
    CHECK(other.is_ended);
    CHECK_INT(other.in.size, 0);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_ERR_CLOSED);
    finish();

    begin(NULL, probe_open_tcp);
    dx_conn_abort(p.conn, DX_ERR_TIMEOUT, true);
    PEER_UNTIL_END(&w, &other);
    CHECK(other.is_reset);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_ERR_TIMEOUT);
    finish();
}

/* ---- the end inside any callback -------------------------------------------------------------- */

typedef enum way { FINISH, ABORT, ABORT_RESET, FINISH_THEN_ABORT, WAYS } way;
static way end_way;

static void end_hook(probe *of, probe_event event)
{
    if (event == PROBE_CLOSED) {
        CHECK(!dx_conn_is_open(of->conn)); /* nothing may do harm any more */
        dx_conn_write(of->conn, DX_BYTES("x"));
        dx_conn_want_room(of->conn);
        dx_conn_pause(of->conn);
        dx_conn_resume(of->conn);
        dx_conn_set_deadline(of->conn, 1);
        dx_conn_flush(of->conn);
    }
    dx_conn_write(of->conn, DX_BYTES("bye"));
    if (end_way == FINISH || end_way == FINISH_THEN_ABORT)
        dx_conn_finish(of->conn);
    if (end_way != FINISH)
        dx_conn_abort(of->conn, DX_ERR_CLOSED, end_way == ABORT_RESET);
    dx_conn_write(of->conn, DX_BYTES("dropped"));
    dx_conn_wake(of->conn);
}

/* Makes every event happen that an accepted connection knows, and ends in one of them. */
static void end_in(probe_event event, way how)
{
    static uint8_t feed[1000];

    begin(&short_limits, probe_open);
    end_way = how;
    p.hook = end_hook, p.hook_event = event;
    p.feed = feed, p.feed_size = sizeof feed, p.message_bytes = 100;
    dx_conn_want_room(p.conn);
    dx_conn_write(p.conn, DX_BYTES("queued"));
    dx_conn_set_deadline(p.conn, 20);
    peer_write(&w, &other, DX_BYTES("bytes"));
    turn_for(w.loop, 60);
    peer_finish(&other);
    PEER_UNTIL_END(&w, &other);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK(p.counts[event] >= 1);
    CHECK(event == PROBE_PULL || event == PROBE_CLOSED || p.counts[event] <= 2);
    finish();
}

LOOP_TEST("finish and abort may be called from every callback")
{
    for (int event = 0; event < PROBE_EVENT_COUNT; event++)
        for (int how = 0; event != PROBE_OPEN && how < WAYS; how++)
            end_in((probe_event)event, (way)how);
}

/* ---- deadlines -------------------------------------------------------------------------------- */

LOOP_TEST("a deadline passes once, in time; moved away and cleared it does not")
{
    begin(NULL, probe_open);
    dx_conn_set_deadline(p.conn, 200);
    turn_for(w.loop, 20);
    dx_conn_set_deadline(p.conn, 1000); /* further away */
    turn_for(w.loop, 300);
    CHECK_INT(p.counts[PROBE_DEADLINE], 0);
    TURN_UNTIL(w.loop, p.counts[PROBE_DEADLINE] == 1);
    dx_conn_set_deadline(p.conn, 5000);
    dx_conn_set_deadline(p.conn, 20); /* nearer */
    TURN_UNTIL(w.loop, p.counts[PROBE_DEADLINE] == 2);
    dx_conn_set_deadline(p.conn, 20);
    dx_conn_set_deadline(p.conn, 0);
    turn_for(w.loop, 80);
    CHECK_INT(p.counts[PROBE_DEADLINE], 2);
    finish();
}

LOOP_TEST("a deadline that passes on a connection that is ending is not told")
{
    begin(&short_limits, probe_open);
    dx_conn_set_deadline(p.conn, 20);
    dx_conn_finish(p.conn);
    turn_for(w.loop, 60);
    CHECK_INT(p.counts[PROBE_DEADLINE], 0);
    CHECK_INT(p.counts[PROBE_CLOSED], 0); /* it lingers by its own time */
    finish();
}

/* ---- connecting ------------------------------------------------------------------------------- */

/* A listener that nobody accepts from, and its address. */
static int listener(dx_address *a)
{
    int fd = -1;
    dx_err err = dx_address_parse(DX_BYTES("127.0.0.1:0"), a);

    if (err == DX_OK)
        err = dx_socket_listen(a, 1, &fd);
    dx_assert(err == DX_OK);
    return fd;
}

static void connect_to(const dx_address *a)
{
    p = (probe){0};
    world_init(&w, &short_limits);
    peer_open(&other, -1);
    CHECK_INT(dx_conn_connect(&w.net, a, &probe_ops, &p, &p.conn), DX_OK);
}

LOOP_TEST("a connection is opened, and what was queued before leaves then")
{
    dx_address a;
    int fd = listener(&a);

    connect_to(&a);
    dx_conn_want_room(p.conn);
    CHECK(!dx_conn_is_open(p.conn));
    dx_conn_write(p.conn, DX_BYTES("early"));
    TURN_UNTIL(w.loop, p.counts[PROBE_OPEN] == 1);
    CHECK(dx_conn_is_open(p.conn));
    peer_open(&other, accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    PEER_UNTIL(&w, &other, other.in.size == 5);
    CHECK_BYTES(other.in, "early");
    peer_write(&w, &other, DX_BYTES("answer"));
    TURN_UNTIL(w.loop, p.in.size == 6);
    CHECK_INT(p.counts[PROBE_ROOM], 1);
    finish();
    close(fd);
}

LOOP_TEST("a connection that was paused while it was made reads nothing until it is resumed")
{
    dx_address a;
    int fd = listener(&a);

    connect_to(&a);
    dx_conn_pause(p.conn);
    TURN_UNTIL(w.loop, p.counts[PROBE_OPEN] == 1);
    peer_open(&other, accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    peer_write(&w, &other, DX_BYTES("answer"));
    turn_for(w.loop, 30);
    CHECK_INT(p.counts[PROBE_BYTES], 0);
    CHECK_INT(dx_conn_kept(p.conn), 0); /* it waits in the kernel */
    dx_conn_resume(p.conn);
    TURN_UNTIL(w.loop, p.in.size == 6);
    finish();
    close(fd);
}

LOOP_TEST("a refused connection is told as refused, a missing socket file as not found")
{
    dx_address a;

    close(listener(&a)); /* the port is free again, and nobody is there */
    connect_to(&a);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_ERR_REFUSED);
    CHECK_INT(p.counts[PROBE_OPEN], 0);
    finish();

    CHECK_INT(dx_address_parse(DX_BYTES("unix:/nonexistent-directory/s"), &a), DX_OK);
    connect_to(&a);
    CHECK_INT(p.counts[PROBE_CLOSED], 0); /* never from inside */
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_ERR_NOT_FOUND);
    finish();
}

/* Fills the queue of a listener, so that a further connection hangs. */
static void fill(int *fds, int count, int *listening, dx_address *a)
{
    *listening = listener(a);
    listen(*listening, 0);
    for (int i = 0; i < count; i++) {
        fds[i] = tcp_socket();
        (void)connect(fds[i], &a->any, a->size);
    }
    usleep(20000);
}

/* Accepts until it is the connection under test. */
static int accept_ours(int fd)
{
    struct sockaddr_in ours = {0}, theirs = {0};
    socklen_t size = sizeof ours;

    getsockname(p.conn->io.fd, (struct sockaddr *)&ours, &size);
    for (int i = 0; i < 10; i++) {
        int accepted = accept4(fd, (struct sockaddr *)&theirs, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted >= 0 && theirs.sin_port == ours.sin_port)
            return accepted;
        close(accepted);
    }
    return -1;
}

LOOP_TEST("what was queued long before the connection is open leaves when it is")
{
    enum { FILL = 3 };
    int fds[FILL], fd;
    dx_address a;

    fill(fds, FILL, &fd, &a);
    connect_to(&a);
    dx_conn_write(p.conn, DX_BYTES("early"));
    world_settle(&w);
    CHECK_INT(p.counts[PROBE_OPEN], 0);
    listen(fd, 100); /* room in the queue: the next try of the kernel's gets in */
    TURN_UNTIL(w.loop, p.counts[PROBE_OPEN] == 1);
    peer_open(&other, accept_ours(fd));
    PEER_UNTIL(&w, &other, other.in.size == 5);
    finish();
    for (int i = 0; i < FILL; i++)
        close(fds[i]);
    close(fd);
}

LOOP_TEST("connecting ends by its deadline, by abort, or by finish")
{
    enum { FILL = 4 };
    int fds[FILL], fd;
    dx_address a;

    fill(fds, FILL, &fd, &a);
    connect_to(&a);
    dx_conn_set_deadline(p.conn, 80);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_ERR_TIMEOUT);
    CHECK_INT(p.counts[PROBE_OPEN] + p.counts[PROBE_DEADLINE], 0);
    finish();

    connect_to(&a);
    world_settle(&w);
    dx_conn_abort(p.conn, DX_ERR_BUSY, false);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_ERR_BUSY);
    finish();

    connect_to(&a);
    dx_conn_write(p.conn, DX_BYTES("never sent"));
    dx_conn_finish(p.conn);
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_ERR_CLOSED);
    finish();
    for (int i = 0; i < FILL; i++)
        close(fds[i]);
    close(fd);
}

static void end_at_open(probe *of, probe_event event)
{
    (void)event;
    dx_conn_write(of->conn, DX_BYTES("bye"));
    if (end_way == FINISH)
        dx_conn_finish(of->conn);
    else
        dx_conn_abort(of->conn, DX_ERR_CLOSED, end_way == ABORT_RESET);
}

LOOP_TEST("finish and abort may be called from on_open")
{
    dx_address a;
    int fd = listener(&a);

    for (end_way = FINISH; end_way <= ABORT_RESET; end_way++) {
        connect_to(&a);
        p.hook = end_at_open, p.hook_event = PROBE_OPEN;
        TURN_UNTIL(w.loop, p.counts[PROBE_OPEN] == 1);
        peer_open(&other, accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
        PEER_UNTIL_END(&w, &other);
        CHECK_INT(other.in.size, end_way == FINISH ? 3 : 0);
        peer_finish(&other);
        TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
        finish();
    }
    close(fd);
}
