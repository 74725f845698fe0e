/* Tests of accepting and connecting.
 * SPDX-License-Identifier: MIT */
#include "loop/test_ends.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

static dx_loop *loop; /* of the test that runs */

typedef struct scene {
    struct sockaddr_storage address;
    socklen_t address_bytes;
    end listener;
} scene;

static void open_scene(scene *s)
{
    loop = new_loop();
    end_open(&s->listener, loop, tcp_listen(&s->address, &s->address_bytes), 0);
}

static void close_scene(scene *s)
{
    end_finish(&s->listener);
    dx_loop_free(loop);
}

LOOP_TEST("what is accepted is non-blocking and closed on exec; 300 waiting ones all come")
{
    enum { COUNT = 300 };
    int others[COUNT];
    scene s;

    open_scene(&s);
    for (int i = 0; i < COUNT; i++)
        others[i] = tcp_connect(&s.address, s.address_bytes);
    s.listener.keeps_accepted = true;
    dx_io_accept_start(&s.listener.io);
    dx_io_accept_start(&s.listener.io);
    TURN_UNTIL(loop, s.listener.accepts > 0);
    int fd = s.listener.accepted_fd;
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    s.listener.keeps_accepted = false;
    TURN_UNTIL(loop, s.listener.accepts == COUNT);
    for (int i = 0; i < COUNT; i++)
        close(others[i]);
    CHECK(turn_for(loop, 30) < SPIN_TURNS);
    CHECK_INT(s.listener.accept_errs, 0);
    close_scene(&s);
}

/* Fills the table of descriptors but for `room`; gives how many were put in. */
static int exhaust(int *list, int list_count, int room)
{
    int count = 0;

    while (count < list_count && (list[count] = dup(0)) >= 0)
        count++;
    for (; room > 0 && count > 0; room--)
        close(list[--count]);
    return count;
}

static int accepted_fds[64], accepted_count;

static void keep_all(end *e, end_event event)
{
    if (event == ON_ACCEPT && e->accept_err == DX_OK && accepted_count < 64)
        accepted_fds[accepted_count++] = e->accepted_fd;
}

LOOP_TEST("F1 out of descriptors: told once, no spinning; accepting goes on when started again")
{
    enum { COUNT = 10, ROOM = 4 };
    static int fillers[512];
    struct rlimit before, few = {256, 256};
    int others[COUNT];
    scene s;

    open_scene(&s);
    getrlimit(RLIMIT_NOFILE, &before);
    few.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    for (int i = 0; i < COUNT; i++)
        others[i] = tcp_connect(&s.address, s.address_bytes);
    int fillers_count = exhaust(fillers, 512, ROOM);
    s.listener.keeps_accepted = true;
    s.listener.hook = keep_all;
    accepted_count = 0;
    dx_io_accept_start(&s.listener.io);
    TURN_UNTIL(loop, s.listener.accept_errs == 1);
    CHECK_INT(s.listener.accept_err, DX_ERR_FILES);
    CHECK_INT(accepted_count, ROOM);
    CHECK(turn_for(loop, 60) < SPIN_TURNS);
    CHECK_INT(s.listener.accept_errs, 1);
    dx_io_accept_start(&s.listener.io); /* still none: told again */
    TURN_UNTIL(loop, s.listener.accept_errs == 2);
    while (fillers_count > 0)
        close(fillers[--fillers_count]);
    dx_io_accept_start(&s.listener.io);
    TURN_UNTIL(loop, accepted_count == COUNT);
    CHECK_INT(s.listener.accept_errs, 2);
    for (int i = 0; i < COUNT; i++)
        close(others[i]);
    while (accepted_count > 0)
        close(accepted_fds[--accepted_count]);
    setrlimit(RLIMIT_NOFILE, &before);
    close_scene(&s);
}

LOOP_TEST("accepting on what is no listener is an error, told once")
{
    int fds[2];
    end e;

    loop = new_loop();
    socket_pair(fds);
    end_open(&e, loop, fds[0], 0);
    dx_io_accept_start(&e.io);
    CHECK_INT(write(fds[1], "x", 1), 1);
    TURN_UNTIL(loop, e.accept_errs == 1);
    CHECK(e.accept_err == DX_ERR_SYSTEM || e.accept_err == DX_ERR_UNSUPPORTED);
    CHECK(turn_for(loop, 30) < SPIN_TURNS);
    CHECK_INT(e.accept_errs, 1);
    end_finish(&e);
    close(fds[1]);
    dx_loop_free(loop);
}

LOOP_TEST("a listener closed while connections wait does not accept them")
{
    scene s;

    open_scene(&s);
    dx_io_accept_start(&s.listener.io);
    dx_loop_step(loop, 0);
    int other = tcp_connect(&s.address, s.address_bytes);
    dx_io_close(&s.listener.io, false);
    TURN_UNTIL(loop, s.listener.closed == 1);
    CHECK_INT(s.listener.accepts, 0);
    CHECK_INT(tcp_connect(&s.address, s.address_bytes), -1);
    close(other);
    close_scene(&s);
}

/* ---- connecting ------------------------------------------------------------------------------ */

static bool is_told_at_once;

static void note_connect(end *e, end_event event)
{
    if (event == ON_CONNECT)
        is_told_at_once = *(bool *)e->context;
}

static void connect_end(end *e, int fd, const void *address, socklen_t address_bytes)
{
    bool is_inside = true;

    end_open(e, loop, fd, 64);
    e->hook = note_connect;
    e->context = &is_inside;
    is_told_at_once = false;
    dx_io_connect(&e->io, address, address_bytes);
    is_inside = false;
    dx_io_recv_start(&e->io); /* begins when it is connected */
    TURN_UNTIL(loop, e->connects == 1);
    CHECK(!is_told_at_once);
    e->hook = NULL;
}

LOOP_TEST("connecting over TCP: made, and refused")
{
    scene s;
    end e;

    open_scene(&s);
    s.listener.keeps_accepted = true;
    dx_io_accept_start(&s.listener.io);
    connect_end(&e, tcp_socket(), &s.address, s.address_bytes);
    CHECK_INT(e.connect_err, DX_OK);
    TURN_UNTIL(loop, s.listener.accepts == 1);
    CHECK_INT(write(s.listener.accepted_fd, "hello", 5), 5);
    TURN_UNTIL(loop, e.in_size == 5);
    end_finish(&e);
    close(s.listener.accepted_fd);
    dx_io_close(&s.listener.io, false);
    TURN_UNTIL(loop, s.listener.closed == 1);
    connect_end(&e, tcp_socket(), &s.address, s.address_bytes);
    CHECK_INT(e.connect_err, DX_ERR_REFUSED);
    CHECK(turn_for(loop, 30) < SPIN_TURNS);
    CHECK_INT(e.connects, 1);
    end_finish(&e);
    close_scene(&s);
}

static int unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* An abstract address that is this process's alone. */
static socklen_t unix_address(struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int size = snprintf(ret->sun_path + 1, sizeof ret->sun_path - 1, "duplex-test-%d", getpid());
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
}

LOOP_TEST(
    "connecting to a Unix socket: refused at once, made at once, busy; told later all the same")
{
    struct sockaddr_un address;
    socklen_t address_bytes = unix_address(&address);
    int listener = unix_socket();
    end refused, made[2], busy, absent;

    loop = new_loop();
    connect_end(&refused, unix_socket(), &address, address_bytes);
    CHECK_INT(refused.connect_err, DX_ERR_REFUSED);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, address_bytes) | listen(listener, 1), 0);
    connect_end(&made[0], unix_socket(), &address, address_bytes);
    connect_end(&made[1], unix_socket(), &address, address_bytes);
    CHECK_INT(made[0].connect_err, DX_OK);
    CHECK_INT(made[1].connect_err, DX_OK);
    connect_end(&busy, unix_socket(), &address, address_bytes); /* a queue of 1 holds two */
    CHECK_INT(busy.connect_err, DX_ERR_BUSY);
    const struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    connect_end(&absent, unix_socket(), &nowhere, sizeof nowhere);
    CHECK_INT(absent.connect_err, DX_ERR_NOT_FOUND);
    end_finish(&refused), end_finish(&made[0]), end_finish(&made[1]);
    end_finish(&busy), end_finish(&absent);
    close(listener);
    dx_loop_free(loop);
}

LOOP_TEST("closing while a connect is under way, or was refused at once, tells nothing but closed")
{
    struct sockaddr_un address;
    socklen_t address_bytes = unix_address(&address);
    scene s;
    end refused, under_way;

    open_scene(&s);
    end_open(&refused, loop, unix_socket(), 8);
    dx_io_connect(&refused.io, (struct sockaddr *)&address, address_bytes);
    dx_io_close(&refused.io, false);
    end_open(&under_way, loop, tcp_socket(), 8);
    dx_io_connect(&under_way.io, (struct sockaddr *)&s.address, s.address_bytes);
    dx_io_close(&under_way.io, false);
    TURN_UNTIL(loop, refused.closed == 1 && under_way.closed == 1);
    CHECK_INT(refused.connects + under_way.connects, 0);
    end_finish(&refused), end_finish(&under_way);
    close_scene(&s);
}
