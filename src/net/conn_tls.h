/* A connection through TLS, as conn.c and conn_out.c see it.
 * Is:     the larger object that such a connection lives in, and the calls between the three files.
 * Is not: for anyone outside net (conn.h). OpenSSL is seen only by conn_tls.c.
 * Memory: an idle connection is this object and OpenSSL's; encrypted bytes exist until the kernel has
 *         them, a part of a record until its rest has come.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_CONN_TLS_H
#define DX_NET_CONN_TLS_H

#include "net/conn_out.h"

struct ssl_st;
struct dx_tls_set;

/* `conn` is first: a dx_conn with is_tls is one of these. */
typedef struct dx_conn_tls {
    dx_conn conn;             /* its flight_out counts the bytes below */
    struct ssl_st *ssl;       /* NULL: nothing has come, or dismissed: bytes leave as they are */
    struct dx_tls_set *set;   /* while the handshake goes on */
    dx_tls *tls;              /* the same */
    const char *why;          /* static; more than an error number says */
    char *subject;            /* who the client is, by its certificate; NULL: not known */
    dx_list shaking;          /* of dx_net_tls.shaking, while the handshake of a server goes on */
    dx_chunk *first, *last;   /* encrypted, not sent */
    dx_buffer part;           /* of a record whose rest has not come */
    uint32_t sending;         /* of the send under way */
    uint32_t window_ms;       /* loop time: since when `messages` are counted */
    uint16_t messages;        /* of the handshake protocol, after the handshake */
    bool is_wanted;           /* there was something to send while the way was not free */
    bool is_begun;            /* the peer's first byte was looked at */
    bool is_notified;         /* our close_notify is made */
} dx_conn_tls;

extern const dx_io_ops dx_conn_tls_io_ops;

/* conn_tls.c, called by conn.c and conn_out.c */
/* to: NULL at a server. */
dx_err dx_conn_tls_init(dx_conn_tls *conn, dx_tls *tls, const dx_conn_target *to);
void dx_conn_tls_deinit(dx_conn_tls *conn);
void dx_conn_tls_net_deinit(dx_net *net);
void dx_conn_tls_flush(dx_conn *conn);
/* Encrypts these bytes at once if not too much is waiting, in whole pieces of what is not sent later; gives
 * how many. */
size_t dx_conn_tls_write(dx_conn *conn, const struct iovec *iov, uint32_t count);

#endif
