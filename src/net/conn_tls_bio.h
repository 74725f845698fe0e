/* Between a TLS connection and OpenSSL: the one BIO of a loop, and the queue of encrypted bytes.
 * Is:     records that OpenSSL reads, chunks that it writes to.
 * Is not: for anyone but conn_tls.c, which calls OpenSSL.
 * Memory: one dx_net_tls per loop that has had a TLS connection.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_CONN_TLS_BIO_H
#define DX_NET_CONN_TLS_BIO_H

#include "net/conn_tls.h"

#include <openssl/bio.h>

enum { DX_TLS_RECORD_BYTES = 16384 }; /* RFC 8446 §5.1 */

/* What the TLS connections of a loop share. */
typedef struct dx_net_tls {
    BIO_METHOD *method;
    BIO *bio;          /* of all of them: it reads `in` and writes to `to` */
    dx_bytes in;       /* records not read yet */
    dx_conn_tls *to;   /* whose turn it is */
    bool is_out_of_memory;
    dx_list shaking;   /* of dx_conn_tls.shaking, the oldest first */
    uint32_t shaking_count;
    uint32_t given_up; /* handshakes, because there were too many; since the start */
    uint32_t untold;   /* refusals since the last line in the log, */
    uint64_t told_ms;  /* which was then; loop time */
    uint8_t scratch[DX_TLS_RECORD_BYTES]; /* where small pieces become one record */
} dx_net_tls;

/* NULL when memory is out. */
dx_net_tls *dx_net_tls_new(void);

/* The BIO serves `conn` until this is called again: before every call of OpenSSL for it. in: what it may
 * read, borrowed until then. */
dx_net_tls *dx_net_tls_enter(dx_conn_tls *conn, dx_bytes in);

/* Room for `size` bytes behind what is encrypted; false when memory is out. */
bool dx_tls_out_reserve(dx_conn_tls *conn, size_t size);
bool dx_tls_out_append(dx_conn_tls *conn, dx_bytes bytes);
/* So many bytes have left. */
void dx_tls_out_consume(dx_conn_tls *conn, size_t size);
void dx_tls_out_drop_first(dx_conn_tls *conn);

#endif
