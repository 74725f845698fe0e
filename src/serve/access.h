/* Who may do what with a stream.
 * Is:     the policy of a namespace, the networks whose word on a request's subject is taken, the verdict.
 * Is not: proof of who somebody is: that is for whoever sets the header.
 * Memory: a dx_trust owns its header's name.
 * Threads: constant once the server runs.
 * Source: RFC 9110 §11.6.1, §15.5.2, §15.5.4.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_ACCESS_H
#define DX_SERVE_ACCESS_H

#include "http/exchange.h"

#include <duplex/stream.h>

typedef enum dx_action {
    DX_ACTION_READ,    /* any way of reading, and metadata */
    DX_ACTION_PUBLISH, /* and closing */
    DX_ACTION_CREATE,
    DX_ACTION_DELETE,
    DX_ACTION_PRESENCE, /* seeing who is there */
} dx_action;

enum { DX_ACTIONS_COUNT = 5, DX_TRUST_RANGES_MAX = 32, DX_SUBJECT_BYTES_MAX = 255 };

/* Of a namespace: a dx_stream_may for each dx_action, never DX_MAY_DEFAULT. */
typedef struct dx_access {
    uint8_t may[DX_ACTIONS_COUNT];
} dx_access;

/* What `options` mean for a prefix. Errors: DX_ERR_NAME ({sub} is asked for where the prefix has none, or
 * a value outside its enum). */
DX_MUST_USE dx_err dx_access_init(dx_access *access, const dx_stream_access *options, bool has_sub);

/* A network; an IPv4 address is one of ::ffff:0:0/96. */
typedef struct dx_trust_range {
    bool is_local; /* unix sockets */
    uint8_t bits, address[16];
} dx_trust_range;

typedef struct dx_trust {
    char *header; /* NULL: nobody is known */
    size_t count;
    dx_trust_range ranges[DX_TRUST_RANGES_MAX];
} dx_trust;

/* What dx_trust_range_read takes, for error messages. */
#define DX_TRUST_FORMS "ADDRESS, ADDRESS/BITS or unix"

/* Reads one network. False: it is none. */
bool dx_trust_range_read(dx_bytes text, dx_trust_range *ret);

/* True if `name` may be a header field's (RFC 9110 §5.1). */
bool dx_trust_header_is_good(dx_bytes name);

/* header: NULL or "": nobody will be known. from: networks separated by blanks, NULL: none.
 * Errors: DX_ERR_NAME (the header is no field name), DX_ERR_ADDRESS, DX_ERR_TOO_LARGE (more than 32
 * networks), DX_ERR_MEMORY; nothing is to be freed then. */
DX_MUST_USE dx_err dx_trust_init(dx_trust *trust, const char *header, const char *from);
void dx_trust_deinit(dx_trust *trust);

/* Whether the word of `peer` counts. */
bool dx_trust_has(const dx_trust *trust, const dx_address *peer);

/* The subject in the fields of a request from a trusted peer: exactly one field, of 1 to 255 bytes, UTF-8
 * without controls; else {NULL, 0}: nobody is known. A view. */
dx_bytes dx_trust_subject(const dx_trust *trust, const dx_http_fields *fields);

/* True if `text` is "*" or an origin, "https://example.com" (RFC 6454 §6.2). */
bool dx_origin_is_good(dx_bytes text);
/* The one of `origins` (good ones, separated by blanks) that `origin` is, or "*" if that is among them; {NULL, 0}
 * if there is none. A view of `origins`. */
dx_bytes dx_origin_find(const char *origins, dx_bytes origin);

/* Who asks, as far as that is known: {NULL, 0} if not. A view for the exchange's life. */
dx_bytes dx_access_subject(const dx_exchange *x, const dx_trust *trust);

/* Whether the client came by https: this connection is TLS, or a trusted peer says so in X-Forwarded-Proto. */
bool dx_access_is_secure(const dx_exchange *x, const dx_trust *trust);

typedef enum dx_verdict {
    DX_VERDICT_ALLOWED,
    DX_VERDICT_UNKNOWN,   /* it would matter who asks, and that is not known: 401 */
    DX_VERDICT_FORBIDDEN, /* 403 */
} dx_verdict;

/* What {sub} in `prefix` stands for in `path`; {NULL, 0} if it has none. A view. */
dx_bytes dx_stream_prefix_sub(const char *prefix, dx_bytes path);

/* subject: {NULL, 0} if it is not known; sub: what {sub} stands for. */
dx_verdict dx_access_judge(dx_stream_may may, dx_bytes subject, dx_bytes sub);

#endif
