/* F2, F3: what the loop makes of system calls that fail. The linker puts the wrappers below in
 * their place (--wrap); seeds decide which call fails how.
 * SPDX-License-Identifier: MIT */
#include "loop/test_faults.h"
#include "loop/test_ends.h"
#include "tests/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRAP(type, name, ...)                                                                      \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

static uint64_t fault_seed;
static uint32_t fault_one_in; /* 0: never */
static bool allows_reset;
static uint32_t faults_count, resets_count;

int next_fault(void)
{
    if (fault_one_in == 0 || next_random(&fault_seed) % fault_one_in != 0)
        return FAULT_NONE;
    faults_count++;
    if (allows_reset && next_random(&fault_seed) % 50 == 0) {
        resets_count++;
        return FAULT_RESET;
    }
    return FAULT_AGAIN + (int)(next_random(&fault_seed) % 3);
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/* -1 with errno, or how many of `size` bytes may go. */
static ssize_t spoil_transfer(size_t size)
{
    switch (next_fault()) {
    case FAULT_AGAIN: return fail(EAGAIN);
    case FAULT_INTR: return fail(EINTR);
    case FAULT_SHORT: return size > 0;
    case FAULT_RESET: return fail(ECONNRESET);
    default: return (ssize_t)size;
    }
}

WRAP(ssize_t, recv, int fd, void *to, size_t size, int flags)
{
    ssize_t allowed = spoil_transfer(size);
    return allowed < 0 ? -1 : __real_recv(fd, to, (size_t)allowed, flags);
}

WRAP(ssize_t, send, int fd, const void *from, size_t size, int flags)
{
    ssize_t allowed = spoil_transfer(size);
    return allowed < 0 ? -1 : __real_send(fd, from, (size_t)allowed, flags);
}

WRAP(ssize_t, sendmsg, int fd, const struct msghdr *message, int flags)
{
    size_t first = message->msg_iov[0].iov_len;
    ssize_t allowed = spoil_transfer(first);

    if (allowed < 0)
        return -1;
    if ((size_t)allowed < first)
        return __real_send(fd, message->msg_iov[0].iov_base, (size_t)allowed, flags);
    return __real_sendmsg(fd, message, flags);
}

WRAP(int, accept4, int fd, struct sockaddr *address, socklen_t *address_bytes, int flags)
{
    switch (next_fault()) {
    case FAULT_AGAIN: return fail(EAGAIN);
    case FAULT_INTR: return fail(EINTR);
    case FAULT_SHORT: return fail(ECONNABORTED);
    default: return __real_accept4(fd, address, address_bytes, flags);
    }
}

WRAP(int, connect, int fd, const struct sockaddr *address, socklen_t address_bytes)
{
    int result = __real_connect(fd, address, address_bytes);

    if (result != 0 && errno == EINPROGRESS && next_fault() != FAULT_NONE)
        errno = EINTR; /* goes on in the background */
    return result;
}

WRAP(int, epoll_wait, int fd, struct epoll_event *events, int count_max, int wait_ms)
{
    switch (next_fault()) {
    case FAULT_AGAIN:
    case FAULT_INTR: return fail(EINTR);
    case FAULT_SHORT: return __real_epoll_wait(fd, events, 1, wait_ms);
    default: return __real_epoll_wait(fd, events, count_max, wait_ms);
    }
}

/* ---- transfers under faults ------------------------------------------------------------------ */

enum { CONNECTIONS = 12, MESSAGE_MAX = 20000, ROUNDS = 4 };

typedef struct echo_pair {
    end client, server;
    uint8_t message[MESSAGE_MAX];
    size_t message_size;
    int rounds;
} echo_pair;

static dx_loop *loop;
static echo_pair pairs[CONNECTIONS];
static int accepted_count;

static void on_server_end(end *e, end_event event)
{
    if (event == ON_RECV_END || (event == ON_SENT && e->sent_err != DX_OK))
        dx_io_close(&e->io, false);
}

static void on_accepted(end *listener, end_event event)
{
    if (listener->accept_err != DX_OK) {
        dx_io_accept_start(&listener->io);
        return;
    }
    dx_assert(accepted_count < CONNECTIONS);
    end *server = &pairs[accepted_count++].server;
    end_open(server, loop, listener->accepted_fd, ROUNDS * MESSAGE_MAX);
    server->echoes = true;
    server->pieces = 3;
    server->hook = on_server_end;
    dx_io_recv_start(&server->io);
}

static void start_round(echo_pair *p, uint64_t *seed)
{
    end *client = &p->client;

    p->message_size = 1 + next_random(seed) % MESSAGE_MAX;
    fill_random(seed, p->message, p->message_size);
    client->in_size = 0;
    client->pieces = 1 + (uint32_t)(next_random(seed) % 5);
    p->rounds++;
    end_send(client, p->message, p->message_size);
}

/* One step of one client; true when it is done: all rounds, or a clean end by a reset. */
static bool go_on(echo_pair *p, uint64_t *seed)
{
    end *client = &p->client;

    if (client->connects == 0)
        return false;
    if (client->ends > 0 || client->sent_err != DX_OK) {
        CHECK(allows_reset); /* without resets no connection may end before its time */
        return true;
    }
    if (p->rounds > 0 && (client->in_size < p->message_size || client->sents < client->starts))
        return false;
    if (p->rounds > 0)
        CHECK_MEM(client->in, client->in_size, p->message, p->message_size);
    if (p->rounds == ROUNDS)
        return true;
    start_round(p, seed);
    return false;
}

static void echo_under_faults(uint64_t seed)
{
    struct sockaddr_storage address;
    socklen_t address_bytes;
    end listener;
    uint64_t end_ms = dx_clock_ms() + 20000;
    int done = 0;

    fault_seed = seed, accepted_count = 0;
    loop = new_loop();
    end_open(&listener, loop, tcp_listen(&address, &address_bytes), 0);
    listener.keeps_accepted = true;
    listener.hook = on_accepted;
    dx_io_accept_start(&listener.io);
    for (int i = 0; i < CONNECTIONS; i++) {
        pairs[i].rounds = 0;
        end_open(&pairs[i].client, loop, tcp_socket(), MESSAGE_MAX);
        dx_io_connect(&pairs[i].client.io, (struct sockaddr *)&address, address_bytes);
        dx_io_recv_start(&pairs[i].client.io);
    }
    while ((done < CONNECTIONS || accepted_count < CONNECTIONS) && dx_clock_ms() < end_ms) {
        dx_loop_step(loop, 20);
        done = 0;
        for (int i = 0; i < CONNECTIONS; i++)
            done += go_on(&pairs[i], &seed);
    }
    CHECK_INT(done, CONNECTIONS);
    CHECK_INT(accepted_count, CONNECTIONS);
    for (int i = 0; i < CONNECTIONS; i++)
        end_finish(&pairs[i].client);
    for (int i = 0; i < accepted_count; i++)
        end_finish(&pairs[i].server); /* most have closed themselves */
    end_finish(&listener);
    dx_loop_free(loop);
}

static void many_echos(uint32_t one_in, bool with_resets)
{
    faults_count = resets_count = 0;
    for (uint64_t seed = 1; seed <= 25; seed++) {
        fault_one_in = one_in, allows_reset = with_resets;
        echo_under_faults(seed * 1000 + one_in);
        fault_one_in = 0;
    }
    CHECK(faults_count > 1000);
    CHECK((resets_count > 0) == with_resets);
}

LOOP_TEST("F3 EINTR, EAGAIN, one byte at a time: the result is that of a clean run")
{
    many_echos(2, false);
    many_echos(5, false);
}

LOOP_TEST("F3 with connections reset under it: each runs clean or ends clean")
{
    many_echos(3, true);
}

/* ---- no memory, no descriptors --------------------------------------------------------------- */

static int allocations_left = -1; /* -1: no end to them */

static bool may_allocate(void)
{
    return allocations_left < 0 || allocations_left-- > 0;
}

WRAP(void *, malloc, size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

WRAP(void *, calloc, size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

WRAP(void *, aligned_alloc, size_t alignment, size_t size)
{
    return may_allocate() ? __real_aligned_alloc(alignment, size) : NULL;
}

WRAP(void *, mmap, void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return may_allocate() ? __real_mmap(at, size, protection, flags, fd, offset) : MAP_FAILED;
}

LOOP_TEST("F2 making a loop fails clean at each allocation, and then succeeds")
{
    dx_err err = DX_ERR_MEMORY;
    int n = 0;

    for (; n < 20 && err != DX_OK; n++) {
        dx_loop *made = NULL;
        allocations_left = n;
        err = dx_loop_new(&(dx_loop_options){.kind = loop_kind}, &made);
        allocations_left = -1;
        CHECK(err == DX_OK || (err == DX_ERR_MEMORY && made == NULL));
        dx_loop_free(made);
    }
    CHECK_INT(err, DX_OK);
    CHECK(n >= 3);
}

LOOP_TEST("F1 making a loop fails clean at each descriptor that is missing")
{
    struct rlimit before, few;
    int fillers[512], count = 0;
    dx_err err = DX_ERR_FILES;

    getrlimit(RLIMIT_NOFILE, &before);
    few = (struct rlimit){256, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    while (count < 512 && (fillers[count] = dup(0)) >= 0)
        count++;
    int first = count;
    for (int i = 0; i < 10 && err != DX_OK && count > 0; i++) {
        dx_loop *made = NULL;
        err = dx_loop_new(&(dx_loop_options){.kind = loop_kind}, &made);
        CHECK(err == DX_OK || (err == DX_ERR_FILES && made == NULL));
        dx_loop_free(made);
        close(fillers[--count]);
    }
    CHECK(first - count >= 3);
    CHECK_INT(err, DX_OK);
    while (count > 0)
        close(fillers[--count]);
    setrlimit(RLIMIT_NOFILE, &before);
}
