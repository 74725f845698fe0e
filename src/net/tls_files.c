/* Certificates and keys from files, and what is wrong with them in words.
 * SPDX-License-Identifier: MIT */
#include "net/tls_inner.h"

#include "base/err.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

const char *dx_tls_complaint(const char *otherwise)
{
    unsigned long code = ERR_peek_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return text ? text : otherwise;
}

/* OpenSSL's own errors for a file that cannot be read are hard to read themselves. */
dx_err dx_tls_check_readable(const char *what, const char *path, char why[DX_TLS_WHY_BYTES])
{
    FILE *file = fopen(path, "re");
    int code = file ? 0 : errno;

    if (file)
        fclose(file);
    else
        snprintf(why, DX_TLS_WHY_BYTES, "%s %.300s: %s", what, path, dx_err_text(dx_err_from_errno(code)));
    return dx_err_from_errno(code);
}

static dx_err fail(const char *what, const char *path, const char *text, char why[DX_TLS_WHY_BYTES])
{
    snprintf(why, DX_TLS_WHY_BYTES, "%s %.300s: %s", what, path, text);
    ERR_clear_error();
    return DX_ERR_NAME;
}

/* Nobody sits at the terminal of a server. */
static int no_passphrase(char *to, int size, int is_writing, void *asked)
{
    (void)to, (void)size, (void)is_writing;
    *(bool *)asked = true;
    return -1;
}

static dx_err load_key(SSL_CTX *context, const char *path, char why[DX_TLS_WHY_BYTES])
{
    bool is_asked = false;
    dx_err err = dx_tls_check_readable("key", path, why);

    if (err != DX_OK)
        return err;
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(context, &is_asked);
    int ok = SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    if (ok == 1)
        return DX_OK;
    if (is_asked)
        return fail("key", path, "it is encrypted; a key without a passphrase is needed", why);
    if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
        ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH)
        return fail("key", path, "it does not fit the certificate", why);
    return fail("key", path, "there is no private key in it (PEM)", why);
}

static void warn_of_time(SSL_CTX *context, const char *path, const dx_log *log)
{
    const X509 *cert = SSL_CTX_get0_certificate(context);

    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
        dx_log_write(log, DX_LOG_WARN, "certificate %.300s: it has expired; clients will refuse it", path);
    else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
        dx_log_write(log, DX_LOG_WARN, "certificate %.300s: it is not valid yet; clients will refuse it",
                     path);
}

dx_err dx_tls_load_pair(SSL_CTX *context, const dx_tls_pair *pair, const dx_log *log,
                        char why[DX_TLS_WHY_BYTES])
{
    dx_err err = dx_tls_check_readable("certificate", pair->cert, why);

    if (err != DX_OK)
        return err;
    if (SSL_CTX_use_certificate_chain_file(context, pair->cert) != 1)
        return fail("certificate", pair->cert,
                    ERR_GET_REASON(ERR_peek_error()) == PEM_R_NO_START_LINE
                        ? "there is no certificate in it (PEM)"
                        : dx_tls_complaint("there is no certificate in it (PEM)"),
                    why);
    err = load_key(context, pair->key, why);
    if (err == DX_OK && SSL_CTX_check_private_key(context) != 1)
        err = fail("key", pair->key, "it does not fit the certificate", why);
    if (err == DX_OK)
        warn_of_time(context, pair->cert, log);
    return err;
}

/* ---- one name, keys of several kinds ---------------------------------------------------------- */

static bool has_name(const GENERAL_NAMES *names, GENERAL_NAME *name)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(names, i), name) == 0)
            return true;
    return false;
}

static bool has_all(const GENERAL_NAMES *names, const GENERAL_NAMES *of)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(of); i++)
        if (!has_name(names, sk_GENERAL_NAME_value(of, i)))
            return false;
    return true;
}

/* Certificates without alternative names are for nobody that looks for one, whatever else they say. */
static bool is_for_same(const X509 *a, const X509 *b)
{
    GENERAL_NAMES *of_a = X509_get_ext_d2i(a, NID_subject_alt_name, NULL, NULL),
                  *of_b = X509_get_ext_d2i(b, NID_subject_alt_name, NULL, NULL);
    bool is = of_a && of_b && has_all(of_a, of_b) && has_all(of_b, of_a);

    GENERAL_NAMES_free(of_a);
    GENERAL_NAMES_free(of_b);
    return is;
}

static int kind_of(const X509 *cert)
{
    return EVP_PKEY_get_base_id(X509_get0_pubkey(cert));
}

static bool has_kind(SSL_CTX *context, int kind)
{
    for (long ok = SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST); ok == 1;
         ok = SSL_CTX_set_current_cert(context, SSL_CERT_SET_NEXT))
        if (kind_of(SSL_CTX_get0_certificate(context)) == kind)
            return true;
    return false;
}

bool dx_tls_join(SSL_CTX *const *contexts, size_t count, SSL_CTX *from)
{
    X509 *cert = SSL_CTX_get0_certificate(from);
    STACK_OF(X509) *chain = NULL;

    for (size_t i = 0; i < count; i++) {
        SSL_CTX *to = contexts[i];
        if (has_kind(to, kind_of(cert)) || !is_for_same(SSL_CTX_get0_certificate(to), cert))
            continue;
        SSL_CTX_get0_chain_certs(from, &chain);
        return SSL_CTX_use_cert_and_key(to, cert, SSL_CTX_get0_privatekey(from), chain, 0) == 1;
    }
    return false;
}
