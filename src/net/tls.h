/* Certificates, keys and trust: what a TLS connection is made with.
 * Is:     one dx_tls for all TLS connections of a server, or of a client; loading and reloading it.
 * Is not: a connection's bytes (conn.h: dx_conn_accept_tls, dx_conn_connect_to); making development
 *         certificates (tls_dev.h). No header of ours shows OpenSSL but tls_inner.h.
 * Memory: one dx_tls and its contexts; connections hold what they need of it.
 * Threads: any; dx_tls_free when no connection is being made of it any more.
 * Source: RFC 8446, RFC 5246, RFC 7301 (ALPN), RFC 6066 §3 (SNI), RFC 5077 (tickets).
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_TLS_H
#define DX_NET_TLS_H

#include "base/bytes.h"
#include "base/log.h"

typedef struct dx_tls dx_tls;

enum {
    DX_TLS_WHY_BYTES = 512,
    DX_TLS_PAIRS_MAX = 64,
    DX_TLS_ALPN_MAX = 4, /* protocols */
};

/* PEM files: a certificate, behind it those that lead to its authority; and its private key. */
typedef struct dx_tls_pair {
    const char *cert, *key;
} dx_tls_pair;

/* Which name in a client's certificate is who it is; there must be exactly one of that kind. */
typedef enum dx_tls_name {
    DX_TLS_NAME_CN,    /* the common name of the subject */
    DX_TLS_NAME_EMAIL, /* of the alternative names: an address, */
    DX_TLS_NAME_URI,   /* a URI, */
    DX_TLS_NAME_DNS,   /* a host */
} dx_tls_name;

/* Who may connect. */
typedef struct dx_tls_clients {
    const char *ca; /* a PEM file with the certificates that clients are believed by: of authorities, or of
                       clients themselves; NULL: nobody is asked for a certificate. Who is asked, is asked with
                       each connection: no session is taken up again */
    bool is_optional; /* who has none may connect, too; one that is not believed is refused in any case */
    dx_tls_name name;
} dx_tls_clients;

typedef struct dx_tls_server {
    const dx_tls_pair *pairs; /* 1 to DX_TLS_PAIRS_MAX. A client gets the first that is for the name it asks
                                 for (SNI), else the first of all. Of those with the same names and keys of
                                 different kinds (ECDSA, RSA), the one that it can use */
    dx_tls_clients clients;
    size_t pairs_count;
    const char *const *alpn; /* protocols in our order of liking, NULL-terminated, static. A client that offers
                                others only is refused; who offers none is taken for the last one's */
    dx_bytes plain_answer;   /* static; sent in clear to who speaks no TLS but what looks like text.
                                Empty: the connection is closed */
    const dx_log *log;       /* for warnings; borrowed for ever */
} dx_tls_server;

/* Loads the files. Everything in `options` but what it says is copied.
 * why: what is wrong, with the file's name, if it fails.
 * Errors: DX_ERR_NOT_FOUND, DX_ERR_DENIED, DX_ERR_NAME (not what it should be, a key that does not
 * fit), DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_tls_server_new(const dx_tls_server *options, dx_tls **ret,
                                     char why[DX_TLS_WHY_BYTES]);

/* Reads the files again: new connections get what is in them now, old ones keep theirs, tickets stay
 * good. On failure nothing changes.
 * Errors: as above. */
DX_MUST_USE dx_err dx_tls_reload(dx_tls *tls, char why[DX_TLS_WHY_BYTES]);

typedef struct dx_tls_client {
    const char *ca;          /* a PEM file with the authorities to believe; NULL: those of the system */
    bool is_insecure;        /* believes anybody */
    dx_tls_pair pair;        /* to show to a server that asks; {NULL, NULL}: none */
    const char *const *alpn; /* offered; NULL-terminated, static; NULL: none */
} dx_tls_client;

/* Errors: as above. */
DX_MUST_USE dx_err dx_tls_client_new(const dx_tls_client *options, dx_tls **ret,
                                     char why[DX_TLS_WHY_BYTES]);

/* NULL is allowed. */
void dx_tls_free(dx_tls *tls);

#endif
