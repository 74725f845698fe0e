/* Errors of the machine, in words.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"

#include "base/assert.h"

#include <errno.h>

static const struct {
    int code;
    dx_err err;
} errno_table[] = {
    {0, DX_OK},
    {ENOMEM, DX_ERR_MEMORY},
    {EMFILE, DX_ERR_FILES},
    {ENFILE, DX_ERR_FILES},
    {ENOBUFS, DX_ERR_BUFFERS},
    {EADDRNOTAVAIL, DX_ERR_ADDRESS},
    {EADDRINUSE, DX_ERR_IN_USE},
    {EACCES, DX_ERR_DENIED},
    {EPERM, DX_ERR_DENIED},
    {ENOSYS, DX_ERR_UNSUPPORTED},
    {EOPNOTSUPP, DX_ERR_UNSUPPORTED},
    {EPROTONOSUPPORT, DX_ERR_UNSUPPORTED},
    {ESOCKTNOSUPPORT, DX_ERR_UNSUPPORTED},
    {EAFNOSUPPORT, DX_ERR_UNSUPPORTED},
    {ENOPROTOOPT, DX_ERR_UNSUPPORTED},
    {ECONNREFUSED, DX_ERR_REFUSED},
    {ECONNRESET, DX_ERR_RESET},
    {ECONNABORTED, DX_ERR_RESET},
    {EPIPE, DX_ERR_RESET},
    {ENOTCONN, DX_ERR_RESET},
    {ETIMEDOUT, DX_ERR_TIMEOUT},
    {ENOENT, DX_ERR_NOT_FOUND},
};

dx_err dx_err_from_errno(int code)
{
    for (size_t i = 0; i < DX_COUNT(errno_table); i++)
        if (errno_table[i].code == code)
            return errno_table[i].err;
    return DX_ERR_SYSTEM;
}

const char *dx_err_text(dx_err err)
{
    switch (err) {
    case DX_OK: return "no error";
    case DX_ERR_MEMORY: return "out of memory";
    case DX_ERR_FILES: return "out of file descriptors";
    case DX_ERR_BUFFERS: return "the kernel is out of buffers";
    case DX_ERR_ADDRESS: return "not an address that can be used here";
    case DX_ERR_IN_USE: return "the address is in use";
    case DX_ERR_DENIED: return "permission denied";
    case DX_ERR_UNSUPPORTED: return "not supported by this kernel or build";
    case DX_ERR_REFUSED: return "connection refused";
    case DX_ERR_RESET: return "connection lost";
    case DX_ERR_TIMEOUT: return "timed out";
    case DX_ERR_CLOSED: return "closed";
    case DX_ERR_BUSY: return "busy, try later";
    case DX_ERR_TOO_LARGE: return "too large";
    case DX_ERR_NAME: return "not an allowed name";
    case DX_ERR_CONFLICT: return "in conflict with what is there";
    case DX_ERR_NOT_FOUND: return "not found";
    case DX_ERR_PROTOCOL: return "the peer broke the protocol";
    case DX_ERR_SYSTEM: return "the system call failed";
    }
    dx_unreachable("dx_err outside its enum");
}
