/* What every part of the public interface speaks of: bytes, errors, visibility.
 * Is:     the view type dx_bytes, the error type dx_err, and the export macros.
 * Is not: anything that allocates or acts.
 * Threads: pure values, any thread.
 * SPDX-License-Identifier: MIT */
#ifndef DUPLEX_TYPES_H
#define DUPLEX_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DX_API __attribute__((visibility("default")))
#define DX_MUST_USE __attribute__((warn_unused_result))

/* How structs grow. Those of options and of handlers get new fields at their end, and zero means what it was
 * before they had them: the inline function that takes one tells the library how large the caller knows it
 * (NAME_sized, which other languages call as it is). So an old program runs with a new library; a new program
 * that uses a field which an old library does not know is told so (DX_ERR_UNSUPPORTED). All other structs stay
 * as they are for the life of the SONAME. */

/* A view of `size` bytes at `at`; it owns nothing. `at` may be NULL when `size` is 0. */
typedef struct dx_bytes {
    const uint8_t *at;
    size_t size;
} dx_bytes;

/* What went wrong on this machine (never what a peer did wrong: codecs say that themselves). */
typedef enum dx_err {
    DX_OK = 0,
    DX_ERR_MEMORY,      /* an allocation failed */
    DX_ERR_FILES,       /* EMFILE, ENFILE: out of descriptors */
    DX_ERR_BUFFERS,     /* ENOBUFS: the kernel is out of buffers */
    DX_ERR_ADDRESS,     /* an address that cannot be parsed or resolved */
    DX_ERR_IN_USE,      /* EADDRINUSE */
    DX_ERR_DENIED,      /* EACCES, EPERM */
    DX_ERR_UNSUPPORTED, /* the kernel or this build lacks it */
    DX_ERR_REFUSED,     /* ECONNREFUSED */
    DX_ERR_RESET,       /* ECONNRESET, EPIPE: the peer is gone */
    DX_ERR_TIMEOUT,     /* a deadline passed */
    DX_ERR_CLOSED,      /* the object is closed or closing */
    DX_ERR_BUSY,        /* a bounded queue is full: try later */
    DX_ERR_TOO_LARGE,   /* above a configured limit */
    DX_ERR_NAME,        /* a stream or route name that is not allowed */
    DX_ERR_CONFLICT,    /* what is there differs from what was asked */
    DX_ERR_NOT_FOUND,
    DX_ERR_PROTOCOL, /* the peer broke its protocol (seen from a client call) */
    DX_ERR_SYSTEM,   /* any other errno */
} dx_err;

/* What became of something to be sent. */
typedef enum dx_send_result {
    DX_SEND_QUEUED, /* taken: it leaves as soon as the peer takes it */
    DX_SEND_BUSY,   /* not taken: the queue is at its limit. Wait for room, then send it again */
    DX_SEND_CLOSED, /* not taken: the connection is ending */
} dx_send_result;

/* One line in English for `err`, static, without a full stop. */
DX_API const char *dx_err_text(dx_err err);

/* A view of the bytes of a NUL-terminated string, without the NUL. */
DX_API dx_bytes dx_bytes_of(const char *text);

#ifdef __cplusplus
}
#endif
#endif
