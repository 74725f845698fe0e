/* Who may do what with a stream.
 * Is:     the policy of a namespace, the networks whose word on a request's subject is taken, the verdict.
 * Is not: who somebody is (principal.h), and how a request says so (access_who.h).
 * Memory: a dx_trust owns its header's name.
 * Threads: constant once the server runs.
 * Source: RFC 9110 §11.6.1, §15.5.2, §15.5.4.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_ACCESS_H
#define DX_SERVE_ACCESS_H

#include "http/exchange.h"
#include "serve/principal.h"

#include <duplex/stream.h>

enum { DX_TRUST_RANGES_MAX = 32 };

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

/* Whether `x` comes from whose word counts. */
bool dx_trust_has_peer(const dx_trust *trust, const dx_exchange *x);

/* Whether the client came by https: this connection is TLS, or a trusted peer says so in X-Forwarded-Proto. */
bool dx_access_is_secure(const dx_exchange *x, const dx_trust *trust);

/* What {sub} in `prefix` stands for in `path`; {NULL, 0} if it has none. A view. */
dx_bytes dx_stream_prefix_sub(const char *prefix, dx_bytes path);

typedef enum dx_verdict {
    DX_VERDICT_ALLOWED,
    DX_VERDICT_UNKNOWN,   /* it would matter who asks, and that is not known: 401 */
    DX_VERDICT_FORBIDDEN, /* 403 */
} dx_verdict;

/* What somebody wants to do, where. */
typedef struct dx_deed {
    dx_action action;
    dx_bytes path;
    dx_bytes sub; /* what {sub} in the namespace's prefix stands for in it; empty: it has none */
} dx_deed;

/* What it rests on. */
typedef struct dx_grant {
    bool is_personal;        /* it is for this principal, and ends with it; else it is for anyone */
    const dx_capability *by; /* its bounds; NULL: none. Lives as long as the principal */
    uint64_t until_ms;       /* wall time; DX_FOR_EVER */
} dx_grant;

/* The only place that decides.
 * who: NULL: nobody is known. now_ms: wall time. ret: set if it is allowed. */
dx_verdict dx_access_judge(const dx_access *policy, const dx_deed *deed, const dx_principal *who,
                           uint64_t now_ms, dx_grant *ret);

#endif
