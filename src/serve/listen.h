/* Where the server listens, and whether through TLS.
 * Is:     one address of --listen in text: http:// or https:// or nothing, then what net/address takes.
 * Is not: sockets (net/socket.h), certificates (net/tls.h).
 * Memory: values only.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_LISTEN_H
#define DX_SERVE_LISTEN_H

#include "net/address.h"

/* What dx_listen_read takes, for error messages. */
#define DX_LISTEN_FORMS DX_ADDRESS_FORMS ", perhaps behind http:// or https://"

typedef enum dx_listen_security {
    DX_LISTEN_AS_CONFIGURED, /* through TLS if the server has a certificate, but for unix sockets */
    DX_LISTEN_PLAIN,
    DX_LISTEN_TLS,
    DX_LISTEN_REDIRECT, /* in clear, and all that is answered is where to go instead */
} dx_listen_security;

typedef struct dx_listen {
    dx_address address;
    dx_listen_security security;
} dx_listen;

/* Reads `text` (borrow): one of DX_LISTEN_FORMS; a slash at the end does no harm behind a scheme.
 * Errors: DX_ERR_ADDRESS. */
DX_MUST_USE dx_err dx_listen_read(dx_bytes text, dx_listen *ret);

/* Whether connections here are TLS in a server that has a certificate or not. */
bool dx_listen_is_tls(const dx_listen *listen, bool has_certificate);

#endif
