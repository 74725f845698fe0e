/* Built in place of loop_io_uring.c where liburing is absent: asks for io_uring are answered with
 * DX_ERR_UNSUPPORTED.
 * SPDX-License-Identifier: MIT */
#include "loop/loop_backend.h"

static dx_err none_init(dx_loop *loop)
{
    (void)loop;
    return DX_ERR_UNSUPPORTED;
}

/* The other slots are never called: a loop with this backend does not come to be. */
const dx_loop_backend dx_loop_io_uring = {.name = "io_uring", .init = none_init};
