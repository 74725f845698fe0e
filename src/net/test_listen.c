/* Tests of listening: sockets, and accepting when descriptors run out.
 * SPDX-License-Identifier: MIT */
#include "net/listener.h"
#include "net/socket.h"
#include "net/test_peer.h"
#include "tests/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static dx_address address_of(const char *text)
{
    dx_address a = {0};
    dx_err err = dx_address_parse(dx_bytes_of(text), &a);

    dx_assert(err == DX_OK);
    return a;
}

/* A blocking connection, or -1 with errno. */
static int connect_to(const dx_address *a)
{
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, &a->any, a->size) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static bool is_ready(int fd)
{
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    if (accepted >= 0)
        close(accepted);
    return accepted >= 0;
}

/* ---- sockets ---------------------------------------------------------------------------------- */

static void check_port_0(const char *text, const char *client)
{
    dx_address a = address_of(text), to = address_of(client);
    int fd;

    if (dx_socket_listen(&a, 1, &fd) != DX_OK) {
        printf("# no %s here\n", text);
        return;
    }
    CHECK(dx_address_port(&a) != 0);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    dx_address_set_port(&to, dx_address_port(&a));
    int from = connect_to(&to);
    CHECK(from >= 0);
    CHECK(is_ready(fd));
    close(from);
    close(fd);
}

TEST("port 0 becomes the port the kernel chose, and connections come there")
{
    check_port_0("127.0.0.1:0", "127.0.0.1:0");
    check_port_0("[::1]:0", "[::1]:0");
    check_port_0("*:0", "127.0.0.1:0"); /* any address takes both families */
    check_port_0("*:0", "[::1]:0");
    check_port_0("mptcp:127.0.0.1:0", "127.0.0.1:0");
}

TEST("several workers share a port, each with a socket of its own")
{
    enum { COUNT = 4, CLIENTS = 64 };
    dx_address a = address_of("127.0.0.1:0");
    int fds[COUNT], clients[CLIENTS], got[COUNT] = {0}, used = 0, all = 0;

    CHECK_INT(dx_socket_listen(&a, COUNT, fds), DX_OK);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = connect_to(&a);
    for (int i = 0; i < COUNT; i++) {
        while (is_ready(fds[i]))
            got[i]++;
        used += got[i] > 0;
        all += got[i];
    }
    CHECK_INT(all, CLIENTS);
    CHECK(used >= 2); /* by hash: all in one of four has a chance of 4^-63 */
    close_all(clients, CLIENTS);
    close_all(fds, COUNT);
}

TEST("a second server on the port is refused, however many workers either has")
{
    static const uint32_t counts[] = {1, 3};

    for (size_t i = 0; i < 4; i++) {
        dx_address a = address_of("127.0.0.1:0");
        int first[3], second[3] = {-7, -7, -7};
        CHECK_INT(dx_socket_listen(&a, counts[i & 1], first), DX_OK);
        CHECK_INT(dx_socket_listen(&a, counts[i >> 1], second), DX_ERR_IN_USE);
        close_all(first, counts[i & 1]);
        CHECK_INT(dx_socket_listen(&a, counts[i >> 1], second), DX_OK); /* free again at once */
        close_all(second, counts[i >> 1]);
    }
}

TEST("an address that is not this machine's is refused as such")
{
    dx_address a = address_of("192.0.2.1:0");
    int fd;

    CHECK_INT(dx_socket_listen(&a, 1, &fd), DX_ERR_ADDRESS);
}

TEST("SCTP works or is told to be missing")
{
    dx_address a = address_of("sctp:127.0.0.1:0");
    int fd = -1;
    dx_err err = dx_socket_listen(&a, 1, &fd);

    CHECK(err == DX_OK || err == DX_ERR_UNSUPPORTED);
    if (err == DX_OK)
        close(fd);
}

/* ---- unix sockets ----------------------------------------------------------------------------- */

static char directory[64], path_text[96];

static dx_address local_address(void)
{
    strcpy(directory, "/tmp/duplex-listen-XXXXXX");
    if (mkdtemp(directory) == NULL)
        dx_unreachable("no temporary directory");
    snprintf(path_text, sizeof path_text, "unix:%s/s", directory);
    return address_of(path_text);
}

static void remove_local(void)
{
    unlink(path_text + 5);
    rmdir(directory);
}

TEST("an abandoned unix socket is replaced, a live one is in use")
{
    dx_address a = local_address();
    int fds[2], second[2];

    CHECK_INT(dx_socket_listen(&a, 2, fds), DX_OK);
    CHECK_INT(dx_socket_listen(&a, 1, second), DX_ERR_IN_USE);
    while (is_ready(fds[0])) /* the question whether it lives */
        continue;
    int from = connect_to(&a);
    CHECK(from >= 0);
    CHECK(is_ready(fds[1])); /* both are the same socket */
    close(from);
    close_all(fds, 2); /* as if the process had died: the file stays */
    CHECK(access(path_text + 5, F_OK) == 0);
    CHECK_INT(dx_socket_listen(&a, 1, second), DX_OK);
    from = connect_to(&a);
    CHECK(from >= 0);
    close(from);
    close(second[0]);
    remove_local();
}

TEST("a file that is no socket is never removed")
{
    dx_address a = local_address();
    int fd, file = open(path_text + 5, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    CHECK(file >= 0);
    close(file);
    CHECK_INT(dx_socket_listen(&a, 1, &fd), DX_ERR_IN_USE);
    CHECK(access(path_text + 5, F_OK) == 0);
    remove_local();
}

TEST("abstract names are in use while they are, and free afterwards")
{
    char text[64];
    int fd, second;

    snprintf(text, sizeof text, "unix:@duplex-test-%d", (int)getpid());
    dx_address a = address_of(text);
    CHECK_INT(dx_socket_listen(&a, 1, &fd), DX_OK);
    CHECK_INT(dx_socket_listen(&a, 1, &second), DX_ERR_IN_USE);
    close(fd);
    CHECK_INT(dx_socket_listen(&a, 1, &second), DX_OK);
    close(second);
}

TEST("a directory that is not there is told")
{
    dx_address a = address_of("unix:/nonexistent-directory/s");
    int fd;

    CHECK_INT(dx_socket_listen(&a, 1, &fd), DX_ERR_NOT_FOUND);
}

/* ---- accepting -------------------------------------------------------------------------------- */

enum { ACCEPTED_MAX = 64 };

typedef struct door {
    dx_listener listener;
    int fds[ACCEPTED_MAX];
    size_t count;
} door;

static void on_accept(dx_listener *listener, int fd)
{
    door *d = DX_CONTAINER(listener, door, listener);

    dx_assert(d->count < ACCEPTED_MAX);
    d->fds[d->count++] = fd;
}

static void door_close(door *d, dx_loop *loop)
{
    dx_listener_close(&d->listener);
    TURN_UNTIL(loop, d->listener.is_closed);
    close_all(d->fds, d->count);
}

LOOP_TEST("a listener accepts until it is closed, and closing twice is allowed")
{
    dx_loop *loop = new_loop();
    dx_address a = address_of("127.0.0.1:0");
    door d = {.listener = {.on_accept = on_accept}};
    int fd, clients[3];

    CHECK_INT(dx_socket_listen(&a, 1, &fd), DX_OK);
    CHECK_INT(dx_listener_open(&d.listener, loop, fd), DX_OK);
    for (int i = 0; i < 3; i++)
        clients[i] = connect_to(&a);
    TURN_UNTIL(loop, d.count == 3);
    dx_listener_close(&d.listener);
    door_close(&d, loop);
    CHECK_INT(connect_to(&a), -1);
    CHECK_INT(errno, ECONNREFUSED);
    close_all(clients, 3);
    dx_loop_free(loop);
}

static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof value;

    return getsockopt(fd, IPPROTO_TCP, name, &value, &size) == 0 ? value : -1;
}

LOOP_TEST("what is accepted has the listener's options: no delay, and 30 s for a peer that is dead")
{
    dx_loop *loop = new_loop();
    dx_address a = address_of("127.0.0.1:0");
    door d = {.listener = {.on_accept = on_accept}};
    int fd;

    CHECK_INT(dx_socket_listen(&a, 1, &fd), DX_OK);
    CHECK_INT(dx_listener_open(&d.listener, loop, fd), DX_OK);
    int client = connect_to(&a);
    TURN_UNTIL(loop, d.count == 1);
    CHECK_INT(option_of(d.fds[0], TCP_NODELAY), 1);
    CHECK_INT(option_of(d.fds[0], TCP_USER_TIMEOUT), 30000);
    door_close(&d, loop);
    close(client);
    dx_loop_free(loop);
}

static struct rlimit limit_before;

/* From now on `more` further descriptors can be opened. */
static void limit_files(unsigned more)
{
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the lowest free one */

    getrlimit(RLIMIT_NOFILE, &limit_before);
    struct rlimit limit = {(rlim_t)next + more, limit_before.rlim_max};
    for (int i = next; i < next + (int)more; i++)
        dx_assert(i == next || fcntl(i, F_GETFD) < 0); /* no holes, or the count would be wrong */
    close(next);
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool is_refused(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

static int count_refused(const int *clients, int count)
{
    int refused = 0;

    for (int i = 0; i < count; i++)
        refused += is_refused(clients[i]);
    return refused;
}

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Clients' sockets are made before descriptors run out: they are of this process, too. */
static void make_clients(int *clients, int count)
{
    for (int i = 0; i < count; i++)
        clients[i] = tcp_socket();
}

static void connect_clients(const int *clients, int count, const dx_address *a)
{
    for (int i = 0; i < count; i++)
        (void)connect(clients[i], &a->any, a->size);
}

LOOP_TEST("F1 out of descriptors, those who wait are reset, the loop rests, and it recovers within 1 s")
{
    enum { CLIENTS = 40, LATER = 3, ROOM = 5, SPARE = 1 };
    dx_loop *loop = new_loop();
    dx_address a = address_of("127.0.0.1:0");
    door d = {.listener = {.on_accept = on_accept}};
    int fd, clients[CLIENTS], later[LATER];

    CHECK_INT(dx_socket_listen(&a, 1, &fd), DX_OK);
    make_clients(clients, CLIENTS);
    make_clients(later, LATER);
    limit_files(SPARE + ROOM);
    CHECK_INT(dx_listener_open(&d.listener, loop, fd), DX_OK);
    connect_clients(clients, CLIENTS, &a);
    TURN_UNTIL(loop, count_refused(clients, CLIENTS) == CLIENTS - ROOM);
    CHECK_INT(d.count, ROOM); /* these are served */
    CHECK(!is_refused(clients[0]));

    double cpu = cpu_seconds();
    int turns = turn_for(loop, 600);
    CHECK(turns <= 60); /* ten tries a second */
    CHECK(cpu_seconds() - cpu < 0.05);

    for (int i = 0; i < LATER; i++)
        close(d.fds[--d.count]);
    uint64_t begin_ms = dx_clock_ms();
    connect_clients(later, LATER, &a);
    TURN_UNTIL(loop, d.count == ROOM || count_refused(later, LATER) > 0);
    CHECK_INT(d.count, ROOM);
    CHECK(dx_clock_ms() - begin_ms < 1000);
    setrlimit(RLIMIT_NOFILE, &limit_before);
    door_close(&d, loop);
    close_all(clients, CLIENTS);
    close_all(later, LATER);
    dx_loop_free(loop);
}

LOOP_TEST("F1 a listener closed while it waits for descriptors is closed for good")
{
    dx_loop *loop = new_loop();
    dx_address a = address_of("127.0.0.1:0");
    door d = {.listener = {.on_accept = on_accept}};
    int fd, clients[2];

    CHECK_INT(dx_socket_listen(&a, 1, &fd), DX_OK);
    make_clients(clients, 2);
    limit_files(1);
    CHECK_INT(dx_listener_open(&d.listener, loop, fd), DX_OK);
    connect_clients(clients, 2, &a);
    TURN_UNTIL(loop, count_refused(clients, 2) == 2);
    setrlimit(RLIMIT_NOFILE, &limit_before);
    door_close(&d, loop);
    turn_for(loop, 150); /* the retry must not come any more */
    CHECK_INT(d.count, 0);
    close_all(clients, 2);
    dx_loop_free(loop);
}
