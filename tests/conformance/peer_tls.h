/* The same client through TLS: its bytes, and how they begin and end.
 * Is:      a handshake with whomever it is, records both ways, close_notify.
 * Is not:  TLS under test (tests/clients, src/net): what it carries is.
 * Memory:  one context for the program; a session for each peer.
 * Threads: as its dx_peer.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CONFORMANCE_PEER_TLS_H
#define DX_CONFORMANCE_PEER_TLS_H

#include "tests/conformance/peer.h"

#include <sys/types.h>

/* From now on every connection is TLS; before there are threads. False: no memory. */
bool dx_peer_tls_use(void);

/* Shakes hands on a connected peer, if that was called. */
dx_peer_status dx_peer_tls_begin(dx_peer *peer, int timeout_ms);
void dx_peer_tls_end(dx_peer *peer);

/* As recv and send with errno. The end is 0 if the server has announced it, else ECONNRESET. */
ssize_t dx_peer_tls_recv(dx_peer *peer, void *to, size_t size);
ssize_t dx_peer_tls_send(dx_peer *peer, const void *from, size_t size);

/* Our close_notify. */
void dx_peer_tls_finish(dx_peer *peer);

#endif
