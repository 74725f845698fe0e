/* The beginning of a TLS connection.
 * Is:     the budget for handshakes of a loop, the client's name, why a handshake failed.
 * Is not: the handshake itself (conn_tls.c), contexts (tls.c).
 * Memory: the name of a client that has shown a certificate, while it is connected.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_CONN_TLS_SHAKE_H
#define DX_NET_CONN_TLS_SHAKE_H

#include "net/conn_tls_bio.h"

/* Makes OpenSSL's part of it. host: whose certificate a client expects; NULL for a server. False when memory
 * is out: OpenSSL's queue tells more. */
bool dx_tls_shake_make(dx_conn_tls *conn, const dx_conn_target *to);

/* It is one of those that shake hands; if they are too many, the oldest is reset. */
void dx_tls_shake_begin(dx_conn_tls *conn);
/* It is none any more; also if it was none. */
void dx_tls_shake_end(dx_conn_tls *conn);

/* Hands are shaken: notes who the client is, if it was asked. */
void dx_tls_take_name(dx_conn_tls *conn);

/* What is wrong, static; OpenSSL's queue is empty after that. The log is told if it is a client's certificate. */
const char *dx_tls_why(dx_conn_tls *conn);

#endif
