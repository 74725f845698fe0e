/* A client and a server of TLS in one loop, and between them a relay that the test turns.
 * Is:     struct pair; certificates in a directory of the test's.
 * Is not: a protocol (test_probe.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_TEST_TLS_PAIR_H
#define DX_NET_TEST_TLS_PAIR_H

#include "net/test_probe.h"
#include "net/tls_dev.h"

typedef struct pair {
    world *w;
    probe client, server;
    int to_client, to_server; /* the relay's ends; -1: closed */
    size_t step;              /* bytes relayed at a time, at most */
    size_t up, down;          /* bytes relayed to the server, to the client */
    bool is_up_stopped, is_down_stopped;
    bool is_up_over, is_down_over;   /* FIN relayed */
    size_t spoilt;            /* this byte to the server (1: the first) is turned over; 0: none */
} pair;

extern void *pair_session;  /* an SSL_SESSION that the next client begins with; NULL: none */
extern dx_tls_dev dev;      /* made by certificates_make */
extern char directory[64];
extern char alone[128], alone_key[128]; /* a self-signed certificate for "b.example" */

void certificates_make(void);
/* A self-signed certificate for `name`, valid from `from_s` to `to_s` seconds from now. */
void certificate_write(const char *cert, const char *key, const char *name, long from_s, long to_s);

/* What is in a certificate. */
typedef struct certificate {
    const char *cn[2];    /* common names; NULL: none */
    const char *names;    /* as OpenSSL's subjectAltName: "DNS:a.example,URI:x:y"; NULL: none */
    const char *usage;    /* extendedKeyUsage; NULL: none */
    dx_tls_pair issuer;   /* {NULL, NULL}: itself */
    long from_s, to_s;    /* valid from and to, from now */
    bool is_rsa, is_ca;
} certificate;

void certificate_write_as(const dx_tls_pair *to, const certificate *certificate);

dx_tls *server_tls(const dx_tls_pair *pairs, size_t count);
dx_tls *client_tls(const char *ca, bool is_insecure);

/* Connects them; hands are shaken while the test turns. */
void pair_open(pair *p, world *w, dx_tls *server, dx_tls *client, const char *host);
/* Closes what is open, and checks that each end was told once. */
void pair_close(pair *p);
/* One turn of the loop and the relay. */
void pair_turn(pair *p);

#define PAIR_UNTIL(p, condition)                                                                   \
    do {                                                                                           \
        uint64_t pair_end_ms = dx_clock_ms() + 10000;                                              \
        while (!(condition) && dx_clock_ms() < pair_end_ms)                                        \
            pair_turn(p);                                                                          \
        CHECK(condition);                                                                          \
    } while (0)

#endif
