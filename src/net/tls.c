/* The contexts that TLS connections are made with.
 * SPDX-License-Identifier: MIT */
#include "net/tls_inner.h"

#include "base/assert.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

/* Forward secrecy and authenticated encryption only; what TLS 1.3 has is all of that kind. */
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"

/* ---- a set ------------------------------------------------------------------------------------ */

static void set_free(dx_tls_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        SSL_CTX_free(set->contexts[i]);
    free(set);
}

void dx_tls_set_unref(dx_tls_set *set)
{
    if (set && atomic_fetch_sub(&set->refs, 1) == 1)
        set_free(set);
}

dx_tls_set *dx_tls_set_current(dx_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    dx_tls_set *set = tls->set;
    atomic_fetch_add(&set->refs, 1);
    pthread_mutex_unlock(&tls->lock);
    return set;
}

static dx_tls_set *set_new(size_t count)
{
    dx_tls_set *set = calloc(1, sizeof *set + count * sizeof set->contexts[0]);

    if (set)
        atomic_init(&set->refs, 1);
    return set;
}

/* ---- what the server is asked ----------------------------------------------------------------- */

/* The client names a host (RFC 6066 §3): the first certificate for it, else the default goes on. */
static int on_server_name(SSL *ssl, int *alert, void *context)
{
    const dx_tls_set *set = context;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    for (size_t i = 0; name && i < set->count; i++) {
        X509 *cert = SSL_CTX_get0_certificate(set->contexts[i]);
        if (X509_check_host(cert, name, 0, 0, NULL) != 1)
            continue;
        if (i > 0)
            SSL_set_SSL_CTX(ssl, set->contexts[i]);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 7301 §3.2: our first that the client has; none is a fatal no_application_protocol, so that nobody can
 * make our TLS speak for another protocol's server. */
static int on_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size,
                   const unsigned char *offer, unsigned offer_size, void *context)
{
    const dx_tls *tls = context;

    (void)ssl;
    for (size_t i = 0; tls->alpn[i]; i++) {
        dx_bytes ours = dx_bytes_of(tls->alpn[i]);
        for (unsigned at = 0; at + 1 <= offer_size && at + 1 + offer[at] <= offer_size; at += 1 + offer[at]) {
            if (!dx_bytes_equal(ours, (dx_bytes){offer + at + 1, offer[at]}))
                continue;
            *chosen = offer + at + 1;
            *chosen_size = offer[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- contexts --------------------------------------------------------------------------------- */

static SSL_CTX *context_new(dx_tls *tls)
{
    SSL_CTX *c = SSL_CTX_new(tls->is_client ? TLS_client_method() : TLS_server_method());

    if (c == NULL)
        return NULL;
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF); /* tickets need none */
    SSL_CTX_set_read_ahead(c, 0); /* its buffer would outlive the record */
    if (SSL_CTX_set_app_data(c, tls) == 1 && SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_cipher_list(c, CIPHERS_1_2) == 1)
        return c;
    SSL_CTX_free(c);
    return NULL;
}

static dx_err fail_memory(char why[DX_TLS_WHY_BYTES])
{
    snprintf(why, DX_TLS_WHY_BYTES, "TLS: %s", dx_tls_complaint("out of memory"));
    return DX_ERR_MEMORY;
}

/* All that a server's context has beside its certificate. */
static dx_err prepare_server(dx_tls *tls, dx_tls_set *set, SSL_CTX *c, char why[DX_TLS_WHY_BYTES])
{
    static const unsigned char id[] = "duplex";

    SSL_CTX_set_tlsext_servername_callback(c, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(c, set);
    if (tls->alpn)
        SSL_CTX_set_alpn_select_cb(c, on_alpn, tls);
    if (SSL_CTX_set_session_id_context(c, id, sizeof id - 1) != 1)
        return fail_memory(why);
    if (tls->clients.ca)
        return dx_tls_ask_clients(c, &tls->clients, why);
    return dx_tls_use_tickets(c) == DX_OK ? DX_OK : fail_memory(why);
}

static dx_err load_server(dx_tls *tls, dx_tls_set *set, char why[DX_TLS_WHY_BYTES])
{
    for (size_t i = 0; i < tls->pairs_count; i++) {
        SSL_CTX *c = context_new(tls);
        if (c == NULL)
            return fail_memory(why);
        set->contexts[set->count] = c; /* counted when it is settled */
        dx_err err = prepare_server(tls, set, c, why);
        if (err == DX_OK)
            err = dx_tls_load_pair(c, &tls->pairs[i], tls->log, why);
        if (err != DX_OK || dx_tls_join(set->contexts, set->count, c))
            SSL_CTX_free(c);
        else
            set->count++;
        if (err != DX_OK)
            return err;
    }
    return DX_OK;
}

dx_err dx_tls_reload(dx_tls *tls, char why[DX_TLS_WHY_BYTES])
{
    dx_assert(!tls->is_client);
    dx_tls_set *set = set_new(tls->pairs_count);
    dx_err err = set ? load_server(tls, set, why) : fail_memory(why);

    ERR_clear_error(); /* what was tried and did not matter */
    if (err != DX_OK) {
        dx_tls_set_unref(set);
        return err;
    }
    pthread_mutex_lock(&tls->lock);
    dx_tls_set *old = tls->set;
    tls->set = set;
    pthread_mutex_unlock(&tls->lock);
    dx_tls_set_unref(old);
    return DX_OK;
}

/* ---- making and freeing ----------------------------------------------------------------------- */

static dx_tls *tls_new(void)
{
    dx_tls *tls = calloc(1, sizeof *tls);

    if (tls)
        pthread_mutex_init(&tls->lock, NULL);
    return tls;
}

static bool copy_files(dx_tls *tls, const dx_tls_server *options)
{
    tls->clients = options->clients;
    tls->clients.ca = options->clients.ca ? strdup(options->clients.ca) : NULL;
    if (options->clients.ca && tls->clients.ca == NULL)
        return false;
    tls->pairs = calloc(options->pairs_count, sizeof *tls->pairs);
    if (tls->pairs == NULL)
        return false;
    tls->pairs_count = options->pairs_count;
    for (size_t i = 0; i < options->pairs_count; i++) {
        tls->pairs[i].cert = strdup(options->pairs[i].cert);
        tls->pairs[i].key = strdup(options->pairs[i].key);
        if (tls->pairs[i].cert == NULL || tls->pairs[i].key == NULL)
            return false;
    }
    return true;
}

dx_err dx_tls_server_new(const dx_tls_server *options, dx_tls **ret, char why[DX_TLS_WHY_BYTES])
{
    dx_tls *tls = tls_new();

    dx_assert(options->pairs_count >= 1 && options->pairs_count <= DX_TLS_PAIRS_MAX);
    if (tls == NULL)
        return fail_memory(why);
    tls->alpn = options->alpn;
    tls->plain_answer = options->plain_answer;
    tls->log = options->log;
    dx_err err = copy_files(tls, options) ? dx_tls_reload(tls, why) : fail_memory(why);
    if (err != DX_OK) {
        dx_tls_free(tls);
        return err;
    }
    *ret = tls;
    return DX_OK;
}

static dx_err trust(SSL_CTX *c, const dx_tls_client *options, char why[DX_TLS_WHY_BYTES])
{
    SSL_CTX_set_verify(c, options->is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (options->is_insecure)
        return DX_OK;
    int ok = options->ca ? SSL_CTX_load_verify_file(c, options->ca)
                         : SSL_CTX_set_default_verify_paths(c);
    if (ok == 1)
        return DX_OK;
    snprintf(why, DX_TLS_WHY_BYTES, "certificates of authorities %.300s: %s",
             options->ca ? options->ca : "of the system",
             dx_tls_complaint("there is no certificate in it (PEM)"));
    return DX_ERR_NAME;
}

static bool offer_alpn(SSL_CTX *c, const char *const *alpn)
{
    unsigned char wire[256];
    unsigned size = 0;

    for (; alpn && *alpn; alpn++) {
        size_t length = strlen(*alpn);
        dx_assert(length < 256 && size + 1 + length <= sizeof wire);
        wire[size++] = (unsigned char)length;
        memcpy(wire + size, *alpn, length);
        size += (unsigned)length;
    }
    return size == 0 || SSL_CTX_set_alpn_protos(c, wire, size) == 0; /* 0 is success here */
}

dx_err dx_tls_client_new(const dx_tls_client *options, dx_tls **ret, char why[DX_TLS_WHY_BYTES])
{
    dx_tls *tls = tls_new();

    if (tls == NULL)
        return fail_memory(why);
    tls->is_client = true;
    tls->is_insecure = options->is_insecure;
    tls->set = set_new(1);
    SSL_CTX *c = tls->set ? context_new(tls) : NULL;
    dx_err err = DX_ERR_MEMORY;
    if (c)
        tls->set->contexts[tls->set->count++] = c;
    if (c == NULL || !offer_alpn(c, options->alpn))
        fail_memory(why);
    else
        err = trust(c, options, why);
    if (err == DX_OK && options->pair.cert)
        err = dx_tls_load_pair(c, &options->pair, NULL, why);
    ERR_clear_error();
    if (err != DX_OK) {
        dx_tls_free(tls);
        return err;
    }
    *ret = tls;
    return DX_OK;
}

void dx_tls_free(dx_tls *tls)
{
    if (tls == NULL)
        return;
    dx_tls_set_unref(tls->set);
    for (size_t i = 0; i < tls->pairs_count; i++) {
        free((char *)(uintptr_t)tls->pairs[i].cert);
        free((char *)(uintptr_t)tls->pairs[i].key);
    }
    free(tls->pairs);
    free((char *)(uintptr_t)tls->clients.ca);
    pthread_mutex_destroy(&tls->lock);
    OPENSSL_cleanse(tls->tickets, sizeof tls->tickets);
    free(tls);
}
