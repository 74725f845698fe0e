/* TLS as the files of net see it that know OpenSSL.
 * Is:     the contexts of a dx_tls, counted, so that a reload leaves old ones to those who use them.
 * Is not: for anyone outside net (tls.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_TLS_INNER_H
#define DX_NET_TLS_INNER_H

#include "net/tls.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

/* What was loaded at one time. */
typedef struct dx_tls_set {
    atomic_uint refs;
    size_t count;
    SSL_CTX *contexts[]; /* one per pair; the first is the default */
} dx_tls_set;

/* Keys that tickets are sealed with: the newest seals, all open. Their count times the time between them is
 * how long a ticket is good. */
enum {
    DX_TLS_TICKET_KEYS = 3,
    DX_TLS_TICKET_KEY_S = 3600,
    DX_TLS_TICKET_LIFE_S = 2 * DX_TLS_TICKET_KEY_S,
};

typedef struct dx_tls_ticket_key {
    uint8_t name[16], cipher[32], mac[32];
    uint64_t made_ms; /* 0: there is none */
} dx_tls_ticket_key;

struct dx_tls {
    pthread_mutex_t lock; /* of `set` and `tickets` */
    dx_tls_set *set;
    dx_tls_ticket_key tickets[DX_TLS_TICKET_KEYS]; /* newest first */
    dx_tls_pair *pairs;                            /* copies, to load again */
    size_t pairs_count;
    dx_tls_clients clients; /* a copy */
    const char *const *alpn;
    dx_bytes plain_answer;
    const dx_log *log;
    bool is_client, is_insecure;
};

/* The set that is loaded now, given. */
dx_tls_set *dx_tls_set_current(dx_tls *tls);
void dx_tls_set_unref(dx_tls_set *set);

/* tls_files.c: certificate and key into `context`. */
dx_err dx_tls_load_pair(SSL_CTX *context, const dx_tls_pair *pair, const dx_log *log,
                        char why[DX_TLS_WHY_BYTES]);
/* Whether a file can be read; else `why` says which, behind `what`. */
dx_err dx_tls_check_readable(const char *what, const char *path, char why[DX_TLS_WHY_BYTES]);
/* What OpenSSL complains of first, or `otherwise`; its queue is empty after that. */
const char *dx_tls_complaint(const char *otherwise);

/* tls_files.c: the certificate and key of `from` into one of the first `count` of `contexts` that has the same
 * names and none of its kind. False: there is none. */
bool dx_tls_join(SSL_CTX *const *contexts, size_t count, SSL_CTX *from);

/* tls_clients.c */
dx_err dx_tls_ask_clients(SSL_CTX *context, const dx_tls_clients *clients, char why[DX_TLS_WHY_BYTES]);
/* Who the other end is, by its certificate: given, from malloc. NULL: nobody, or memory is out. */
char *dx_tls_name_of(const SSL *ssl, dx_tls_name name);

/* tls_tickets.c */
dx_err dx_tls_use_tickets(SSL_CTX *context);

#endif
