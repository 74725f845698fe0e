/* URLs: absolute ones for the client, paths and queries for the server, origins for both.
 * Is:     RFC 3986 parsing of http, https, ws, wss; percent-decoding once, with a closed list of
 *         what a path may not hold; RFC 6454 origins.
 * Is not: file names (http layer, which contains by openat2), routing.
 * Memory: allocates nothing; views into the input, or decoded into the caller's memory.
 * Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_URL_H
#define DX_CODEC_URL_H

#include "base/bytes.h"

typedef enum dx_url_fault {
    DX_URL_OK,
    DX_URL_EMPTY,
    DX_URL_SCHEME,      /* none, or not http, https, ws, wss */
    DX_URL_HOST,        /* empty, or not by the grammar */
    DX_URL_PORT,        /* not 1 to 65535 */
    DX_URL_USERINFO,    /* user@host is refused */
    DX_URL_BYTE,        /* a control byte, space or non-ASCII byte as such */
    DX_URL_FRAGMENT,    /* "#" where none may be */
    DX_URL_NOT_A_PATH,  /* does not start with "/" */
    DX_URL_PERCENT,     /* "%" without two hex digits */
    DX_URL_DOT_SEGMENT, /* "." or ".." as a segment, encoded or not */
    DX_URL_SLASH,       /* "%2f", or a backslash, encoded or not */
    DX_URL_CONTROL,     /* a control byte or NUL after decoding */
    DX_URL_UTF8,        /* not UTF-8 after decoding */
    DX_URL_MEMORY,      /* the given memory is too small */
    DX_URL_FAULT_COUNT
} dx_url_fault;

/* What was wrong and what is allowed, one sentence. Static. */
const char *dx_url_fault_text(dx_url_fault fault);

typedef enum dx_url_scheme {
    DX_URL_HTTP,
    DX_URL_HTTPS,
    DX_URL_WS,
    DX_URL_WSS,
} dx_url_scheme;

typedef struct dx_url {
    dx_url_scheme scheme;
    bool is_secure;     /* https, wss */
    uint16_t port;      /* as written, else 80 or 443 */
    dx_bytes host;      /* without brackets: to connect to */
    dx_bytes authority; /* host[:port] as written: for the Host field */
    dx_bytes path;      /* "/" if the URL has none */
    dx_bytes query;     /* after "?"; .at is NULL if there is no "?" */
    dx_bytes target; /* path and query for the request line. If it starts with "?", the URL had no
                           path: send "/" before it */
} dx_url;

/* Reads an absolute URL. A fragment is cut off (for ws and wss it is a fault, RFC 6455 §3). */
dx_url_fault dx_url_read(dx_bytes in, dx_url *ret);

/* True if `in` is uri-host [":" port], host not empty, port (if any digit) at most 65535: what Host
 * may hold (RFC 9110 §7.2). */
bool dx_url_is_authority(dx_bytes in);

/* The same, taken apart. host: without brackets; port: 0 if none is written. */
bool dx_url_authority_read(dx_bytes in, dx_bytes *host, uint16_t *port);

/* Cuts a request target in origin form at its first "?". query->at is NULL if there is none. */
void dx_url_target_split(dx_bytes target, dx_bytes *path, dx_bytes *query);

/* Decodes a path once. memory: borrowed, at least path.size bytes (DX_URL_MEMORY else).
 * ret: the decoded path, UTF-8, "/" first, no "." or ".." segment, no backslash, no control byte; a
 * view into `memory`. Empty segments ("//") stay as they are. */
dx_url_fault dx_url_path_decode(dx_bytes path, uint8_t *memory, size_t size, dx_bytes *ret);

/* Takes the next `name=value` off `*query`, still encoded; value.at is NULL without "=". Empty pairs
 * ("&&") are skipped. False when none is left. */
bool dx_url_query_next(dx_bytes *query, dx_bytes *name, dx_bytes *value);

/* Decodes a name or value of a query ("+" is a space, "%xx" a byte) into `memory`. Faults: PERCENT,
 * CONTROL (NUL only), UTF8, MEMORY. */
dx_url_fault dx_url_query_decode(dx_bytes in, uint8_t *memory, size_t size, dx_bytes *ret);

/* Finds the first parameter whose decoded name is `name`; gives its value still encoded.
 * False if there is none. */
bool dx_url_query_find(dx_bytes query, dx_bytes name, dx_bytes *value);

/* Percent-encodes all but unreserved bytes (and "/" if keep_slash). Returns the size that is needed
 * (at most 3 * in.size); writes nothing if it is more than `size`. */
size_t dx_url_encode(dx_bytes in, bool keep_slash, uint8_t *memory, size_t size);

typedef struct dx_url_origin {
    bool is_null;    /* "null": an opaque origin, equal to no other */
    dx_bytes scheme; /* "http", any case */
    dx_bytes host;   /* with brackets if IPv6 */
    uint16_t port;   /* as written; 80, 443 by scheme; else 0 */
} dx_url_origin;

/* Reads the value of an Origin field: "null" or scheme://host[:port], nothing after it. */
bool dx_url_origin_read(dx_bytes in, dx_url_origin *ret);

/* Same scheme, host and port; the case of letters does not matter. Null equals nothing. */
bool dx_url_origin_equal(const dx_url_origin *a, const dx_url_origin *b);

/* True if the origin is the one a page from `host` (a Host value, host[:port]) would have, over http
 * or, if is_secure, https. */
bool dx_url_origin_is_host(const dx_url_origin *origin, dx_bytes host, bool is_secure);

#endif
