/* Tests of how io_uring is set up: fallbacks where a kernel or host gives less, and epoll where
 * it gives nothing. The linker puts the wrappers below in place of liburing's calls (--wrap).
 * SPDX-License-Identifier: MIT */
#include "loop/test_ends.h"
#include "loop/uring.h"
#include "tests/tap.h"

#include <errno.h>
#include <unistd.h>

int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *params);
int __real_io_uring_register_buf_ring(struct io_uring *ring, struct io_uring_buf_reg *reg,
                                      unsigned int flags);
int __wrap_io_uring_register_buf_ring(struct io_uring *ring, struct io_uring_buf_reg *reg,
                                      unsigned int flags);

static int setup_error, buffers_error; /* negative errno that the call is to fail with */
static uint32_t flags_refused, flags_used;

int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *params)
{
    if (setup_error != 0)
        return setup_error;
    if (params->flags & flags_refused)
        return -EINVAL; /* as a kernel that does not know them */
    flags_used = params->flags;
    return __real_io_uring_queue_init_params(entries, ring, params);
}

int __wrap_io_uring_register_buf_ring(struct io_uring *ring, struct io_uring_buf_reg *reg,
                                      unsigned int flags)
{
    return buffers_error ? buffers_error : __real_io_uring_register_buf_ring(ring, reg, flags);
}

static dx_err make(dx_loop_kind kind, dx_loop **ret)
{
    return dx_loop_new(&(dx_loop_options){.kind = kind}, ret);
}

URING_TEST("a host that forbids io_uring gets epoll, or an error if io_uring was asked for")
{
    static const struct {
        int error;
        dx_err err;
    } rows[] = {
        {-EPERM, DX_ERR_UNSUPPORTED},  {-ENOSYS, DX_ERR_UNSUPPORTED}, {-EINVAL, DX_ERR_UNSUPPORTED},
        {-EACCES, DX_ERR_UNSUPPORTED}, {-ENOMEM, DX_ERR_MEMORY},      {-EMFILE, DX_ERR_FILES},
    };
    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        for (int late = 0; late < 2; late++) {
            dx_loop *loop = NULL;
            *(late ? &buffers_error : &setup_error) = rows[i].error;
            CHECK_INT(make(DX_LOOP_IO_URING, &loop), rows[i].err);
            CHECK(loop == NULL);
            CHECK_INT(make(DX_LOOP_AUTO, &loop), DX_OK);
            CHECK(strcmp(dx_loop_name(loop), "epoll") == 0);
            setup_error = buffers_error = 0;
            dx_loop_free(loop);
        }
    }
}

/* Some traffic of all kinds under the set-up that is left. */
static void echo_some(dx_loop *loop)
{
    static uint8_t bytes[300000];
    uint64_t seed = 11;
    int fds[2];
    end a, b;

    tcp_pair(fds);
    end_open(&a, loop, fds[0], sizeof bytes);
    end_open(&b, loop, fds[1], sizeof bytes);
    b.echoes = true;
    fill_random(&seed, bytes, sizeof bytes);
    dx_io_recv_start(&a.io);
    dx_io_recv_start(&b.io);
    end_send(&a, bytes, sizeof bytes);
    TURN_UNTIL(loop, a.in_size == sizeof bytes);
    CHECK_MEM(a.in, a.in_size, bytes, sizeof bytes);
    dx_io_recv_stop(&b.io);
    CHECK(turn_for(loop, 20) < SPIN_TURNS);
    dx_io_recv_start(&b.io);
    dx_io_shutdown(&a.io);
    TURN_UNTIL(loop, b.ends == 1);
    end_finish(&a);
    end_finish(&b);
}

static void run_without(uint32_t refused, uint32_t expected)
{
    dx_loop *loop;

    flags_refused = refused;
    CHECK_INT(make(DX_LOOP_IO_URING, &loop), DX_OK);
    flags_refused = 0;
    CHECK_INT(flags_used & (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                            IORING_SETUP_COOP_TASKRUN),
              expected);
    echo_some(loop);
    dx_loop_free(loop);
}

URING_TEST("with all that a kernel of 6.1 has, completions wait for the loop (DEFER_TASKRUN)")
{
    run_without(0, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
}

URING_TEST("without DEFER_TASKRUN it works")
{
    run_without(IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN);
}

URING_TEST("without SINGLE_ISSUER it works")
{
    run_without(IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_COOP_TASKRUN);
}

URING_TEST("without any of them it works")
{
    run_without(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN, 0);
}

/* Without DEFER_TASKRUN all that is ready completes at once, and one turn has to do with it. */
URING_TEST("receives that find no buffer are armed again, with more buffers: few turns for many")
{
    enum { COUNT = 800 };
    static end list[COUNT];
    static int others[COUNT];
    dx_loop *loop;
    int heard = 0, turns = 0;

    flags_refused = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER;
    CHECK_INT(make(DX_LOOP_IO_URING, &loop), DX_OK);
    flags_refused = 0;
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
    CHECK(turns <= 4); /* with 64 buffers it would be 13 */
    for (int i = 0; i < COUNT; i++) {
        CHECK_MEM(list[i].in, list[i].in_size, &i, sizeof i);
        end_finish(&list[i]);
        close(others[i]);
    }
    dx_loop_free(loop);
}

URING_TEST("what the kernel cannot queue at once is told later: 9000 completions in one turn")
{
    enum { COUNT = 9000, EACH = 8 }; /* the completion queue holds 8192 */
    static uint8_t big[EACH];
    struct io_uring_cqe cqe;
    static dx_uring uring;
    int got = 0;

    CHECK_INT(dx_uring_init(&uring, EACH), DX_OK);
    for (int i = 0; i < COUNT; i++) {
        struct io_uring_sqe *sqe = dx_uring_entry(&uring);
        io_uring_prep_nop(sqe);
        io_uring_sqe_set_data64(sqe, (uintptr_t)big);
    }
    for (int i = 0; i < 100 && got < COUNT; i++) {
        dx_uring_wait(&uring, 0);
        while (dx_uring_next(&uring, &cqe))
            got++;
    }
    CHECK_INT(got, COUNT);
    dx_uring_deinit(&uring);
}
