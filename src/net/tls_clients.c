/* Certificates of clients: asking for them, and what they say.
 * Source: RFC 8446 §4.3.2, §4.4.2.4; RFC 5280 §4.2.1.6.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "net/tls_inner.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static dx_err fail(const dx_tls_clients *clients, char why[DX_TLS_WHY_BYTES])
{
    bool is_empty =
        ERR_GET_REASON(ERR_peek_error()) == PEM_R_NO_START_LINE || ERR_peek_error() == 0;

    snprintf(
        why, DX_TLS_WHY_BYTES, "certificates that clients are believed by, %.300s: %s", clients->ca,
        is_empty ? "there is no certificate in it (PEM)" : dx_tls_complaint("it cannot be used"));
    ERR_clear_error();
    return DX_ERR_NAME;
}

/* A ticket would be a client's word that it had a certificate once: whom it was taken from meanwhile, or
 * whose has expired, could go on with that. */
static void refuse_tickets(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
}

dx_err dx_tls_ask_clients(SSL_CTX *context, const dx_tls_clients *clients,
                          char why[DX_TLS_WHY_BYTES])
{
    dx_err err =
        dx_tls_check_readable("certificates that clients are believed by,", clients->ca, why);
    if (err != DX_OK)
        return err;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(clients->ca);
    if (names == NULL)
        return fail(clients, why);
    SSL_CTX_set_client_CA_list(context, names); /* takes it */
    if (SSL_CTX_load_verify_file(context, clients->ca) != 1)
        return fail(clients, why);
    SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | (clients->is_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
        NULL);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    refuse_tickets(context);
    return DX_OK;
}

/* ---- names ------------------------------------------------------------------------------------ */

static char *text_of(const ASN1_STRING *from)
{
    unsigned char *utf8 = NULL;
    int size = from ? ASN1_STRING_to_UTF8(&utf8, from) : -1;
    /* One with a NUL in it is not what it seems to be. */
    char *text = size > 0 && memchr(utf8, 0, (size_t)size) == NULL
                     ? strndup((char *)utf8, (size_t)size)
                     : NULL;

    OPENSSL_free(utf8);
    return text;
}

static const ASN1_STRING *common_name(const X509 *cert)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return NULL;
    return X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
}

/* type: GEN_EMAIL, GEN_URI or GEN_DNS, whose values are all of one kind. */
static char *alternative_name(const X509 *cert, int type)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    const ASN1_STRING *found = NULL;
    int count = 0;

    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == type) {
            found = name->d.ia5;
            count++;
        }
    }
    char *text = count == 1 ? text_of(found) : NULL;
    GENERAL_NAMES_free(names);
    return text;
}

static char *name_in(const X509 *cert, dx_tls_name name)
{
    switch (name) {
    case DX_TLS_NAME_CN: return text_of(common_name(cert));
    case DX_TLS_NAME_EMAIL: return alternative_name(cert, GEN_EMAIL);
    case DX_TLS_NAME_URI: return alternative_name(cert, GEN_URI);
    case DX_TLS_NAME_DNS: return alternative_name(cert, GEN_DNS);
    }
    dx_unreachable("dx_tls_name outside its enum");
}

char *dx_tls_name_of(const SSL *ssl, dx_tls_name name)
{
    const X509 *cert = SSL_get0_peer_certificate(ssl);
    char *text = cert && SSL_get_verify_result(ssl) == X509_V_OK ? name_in(cert, name) : NULL;

    ERR_clear_error();
    return text;
}
