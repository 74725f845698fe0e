/* The beginning of a TLS connection: whom a client expects, what one may cost a server, who came and who was
 * sent away.
 * SPDX-License-Identifier: MIT */
#include "net/conn_tls_shake.h"

#include "base/assert.h"
#include "net/socket.h"
#include "net/tls_inner.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { TOLD_MS = 1000 }; /* a line in the log each so often, whatever comes */

/* ---- making it --------------------------------------------------------------------------------- */

/* Messages of the handshake after it: TLS 1.3 has KeyUpdate, which a peer could send without end. */
static void on_info(const SSL *ssl, int where, int value)
{
    dx_conn_tls *t = SSL_get_app_data(ssl);

    (void)value;
    if ((where & SSL_CB_LOOP) && t->conn.state != DX_CONN_CONNECTING && t->messages < UINT16_MAX)
        t->messages++;
}

static bool is_numeric(const char *host)
{
    struct in6_addr ignored;

    return inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1;
}

/* Whose certificate has to come; a name is told to the server, too (RFC 6066 §3: addresses are not). */
static bool expect(SSL *ssl, const char *host)
{
    if (is_numeric(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

/* In place of what all of them offer. */
static bool offer(SSL *ssl, const char *alpn)
{
    unsigned char wire[32];
    size_t size = strlen(alpn);

    dx_assert(size > 0 && size < sizeof wire);
    wire[0] = (unsigned char)size;
    memcpy(wire + 1, alpn, size);
    return SSL_set_alpn_protos(ssl, wire, (unsigned)size + 1) == 0; /* 0 is success here */
}

bool dx_tls_shake_make(dx_conn_tls *t, const dx_conn_target *to)
{
    dx_net_tls *n = t->conn.net->tls;

    t->ssl = SSL_new(t->set->contexts[0]);
    if (t->ssl == NULL)
        return false;
    BIO_up_ref(n->bio);
    SSL_set_bio(t->ssl, n->bio, n->bio); /* takes one reference for both */
    if (SSL_set_app_data(t->ssl, t) != 1)
        return false;
    SSL_set_info_callback(t->ssl, on_info);
    if (t->tls->is_client)
        SSL_set_connect_state(t->ssl);
    else
        SSL_set_accept_state(t->ssl);
    return to == NULL ||
           ((to->alpn == NULL || offer(t->ssl, to->alpn)) && expect(t->ssl, to->host));
}

/* ---- how many at once ------------------------------------------------------------------------- */

/* Handshakes that go on hold much, and cost their clients nothing. A good client's takes as long as its way;
 * the oldest one is who does not want to end it. */
static void give_up_oldest(dx_net_tls *n)
{
    dx_conn_tls *oldest = DX_CONTAINER(n->shaking.next, dx_conn_tls, shaking);

    oldest->why = "too many TLS handshakes at once, and this was the oldest";
    n->given_up++;
    oldest->conn.net->counts.handshakes_given_up++;
    dx_tls_shake_end(oldest);
    dx_conn_abort(&oldest->conn, DX_ERR_BUSY, true);
}

void dx_tls_shake_begin(dx_conn_tls *t)
{
    dx_net *net = t->conn.net;

    while (net->tls->shaking_count >= dx_max_size(net->limits.handshakes_count_max, 1))
        give_up_oldest(net->tls);
    dx_list_append(&net->tls->shaking, &t->shaking);
    net->tls->shaking_count++;
}

void dx_tls_shake_end(dx_conn_tls *t)
{
    if (dx_list_is_empty(&t->shaking))
        return;
    dx_list_remove(&t->shaking);
    t->conn.net->tls->shaking_count--;
}

/* ---- who --------------------------------------------------------------------------------------- */

void dx_tls_take_name(dx_conn_tls *t)
{
    if (!t->tls->is_client && t->tls->clients.ca)
        t->subject = dx_tls_name_of(t->ssl, t->tls->clients.name);
}

dx_bytes dx_conn_subject(const dx_conn *c)
{
    const dx_conn *base = dx_conn_base(c);
    const char *subject = base->is_tls ? ((const dx_conn_tls *)base)->subject : NULL;
    return subject ? dx_bytes_of(subject) : (dx_bytes){NULL, 0};
}

/* ---- failures --------------------------------------------------------------------------------- */

static bool is_of_certificate(const SSL *ssl)
{
    int reason = ERR_GET_REASON(ERR_peek_error());

    return SSL_get_verify_result(ssl) != X509_V_OK ||
           reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ||
           reason == SSL_R_CERTIFICATE_VERIFY_FAILED;
}

/* Whoever connects could fill the log otherwise. */
static bool may_tell(dx_net_tls *n, uint64_t now_ms)
{
    if (n->told_ms && now_ms - n->told_ms < TOLD_MS) {
        n->untold++;
        return false;
    }
    n->told_ms = now_ms ? now_ms : 1;
    return true;
}

static void tell(dx_conn_tls *t, const char *why)
{
    dx_net_tls *n = t->conn.net->tls;
    char from[DX_ADDRESS_TEXT_BYTES] = "?", more[64] = "";
    dx_address peer;

    if (!may_tell(n, dx_conn_now_ms(&t->conn)))
        return;
    if (dx_socket_peer(t->conn.io.fd, &peer))
        dx_address_format(&peer, from);
    if (n->untold > 0)
        snprintf(more, sizeof more, "; and %u more that were not told", n->untold);
    n->untold = 0;
    dx_log_write(t->conn.net->log, DX_LOG_INFO, "client certificate refused: %s, from %s%s", why,
                 from, more);
}

const char *dx_tls_why(dx_conn_tls *t)
{
    long verdict = SSL_get_verify_result(t->ssl);
    bool is_asked = t->tls->is_client ? !t->tls->is_insecure : t->tls->clients.ca != NULL;
    bool is_told = !t->tls->is_client && is_asked && is_of_certificate(t->ssl);
    const char *why = is_asked && verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
                                                       : dx_tls_complaint("TLS failed");

    ERR_clear_error();
    if (is_told)
        tell(t, why);
    return why;
}
