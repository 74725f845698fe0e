/* Where to listen and where to connect: text to socket addresses and back.
 * Is:     tcp (the default), mptcp, sctp, unix paths and abstract names; numeric hosts.
 * Is not: sockets (socket.h); names are looked up only by dx_address_resolve.
 * Memory: values only.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_ADDRESS_H
#define DX_NET_ADDRESS_H

#include "base/bytes.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef enum dx_transport { DX_TCP, DX_MPTCP, DX_SCTP, DX_UNIX } dx_transport;

typedef struct dx_address {
    dx_transport transport;
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
} dx_address;

enum { DX_ADDRESS_TEXT_BYTES = 160 };

/* What dx_address_parse takes, for error messages. */
#define DX_ADDRESS_FORMS                                                                           \
    "HOST:PORT, [IPV6]:PORT, *:PORT, mptcp:HOST:PORT, sctp:HOST:PORT, unix:/PATH or unix:@NAME"

/* Reads `text` (borrow): one of DX_ADDRESS_FORMS, with an optional `tcp:` in front; HOST is a numeric
 * address, `localhost` (127.0.0.1), or `*` or nothing (any address, both families); PORT is 0 to
 * 65535.
 * Errors: DX_ERR_ADDRESS. */
DX_MUST_USE dx_err dx_address_parse(dx_bytes text, dx_address *ret);

/* Looks up `host` for a client. Blocks as long as the resolver does.
 * Errors: DX_ERR_ADDRESS. */
DX_MUST_USE dx_err dx_address_resolve(const char *host, uint16_t port, dx_address *ret);

/* Writes the address as dx_address_parse reads it; NUL-terminated. */
void dx_address_format(const dx_address *address, char to[DX_ADDRESS_TEXT_BYTES]);

/* The port; 0 for unix sockets. */
uint16_t dx_address_port(const dx_address *address);
void dx_address_set_port(dx_address *address, uint16_t port);

#endif
