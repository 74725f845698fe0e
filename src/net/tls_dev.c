/* Making the development certificate.
 * Source: RFC 5280; profiles as browsers want them (subjectAltName, serverAuth, at most 398 days).
 * SPDX-License-Identifier: MIT */
#include "net/tls_dev.h"

#include "base/err.h"
#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DAY_S = 24 * 3600,
    CA_DAYS = 3650,
    CERT_DAYS = 397,
    RENEW_DAYS = 30, /* before the end */
};

#define NAMES "DNS:localhost,IP:127.0.0.1,IP:::1"
#define MAY_NAME "critical,permitted;DNS:localhost,permitted;IP:127.0.0.0/255.0.0.0," \
                 "permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

typedef struct identity {
    X509 *cert;
    EVP_PKEY *key;
} identity;

static void identity_free(identity *i)
{
    X509_free(i->cert);
    EVP_PKEY_free(i->key);
    *i = (identity){0};
}

/* ---- files ------------------------------------------------------------------------------------ */

static dx_err fail(dx_err err, const char *path, char why[DX_TLS_WHY_BYTES])
{
    snprintf(why, DX_TLS_WHY_BYTES, "development certificate %.300s: %s", path, dx_err_text(err));
    ERR_clear_error();
    return err;
}

/* Each directory on the way, too. */
static dx_err make_directory(const char *directory)
{
    char path[DX_TLS_DEV_PATH_BYTES];

    snprintf(path, sizeof path, "%s", directory);
    for (char *c = path + 1; *c; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return dx_err_from_errno(errno);
        *c = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST ? DX_OK : dx_err_from_errno(errno);
}

/* Only the owner may read it: a key and a certificate in one file. Whole or not at all. */
static dx_err write_identity(const identity *i, const X509 *ca, const char *path, bool is_key)
{
    char new_path[DX_TLS_DEV_PATH_BYTES + 8];

    snprintf(new_path, sizeof new_path, "%s.new", path);
    unlink(new_path);
    int fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, is_key ? 0600 : 0644);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL)
        return dx_err_from_errno(errno);
    int ok = is_key ? PEM_write_PrivateKey(file, i->key, NULL, NULL, 0, NULL, NULL)
                    : PEM_write_X509(file, i->cert);
    if (ok && ca)
        ok = PEM_write_X509(file, ca);
    bool is_whole = fflush(file) == 0 && fsync(fd) == 0;
    if (fclose(file) != 0 || !is_whole || !ok)
        return DX_ERR_SYSTEM;
    return rename(new_path, path) == 0 ? DX_OK : dx_err_from_errno(errno);
}

static bool read_identity(const char *cert_path, const char *key_path, identity *ret)
{
    FILE *cert = fopen(cert_path, "re"), *key = fopen(key_path, "re");

    if (cert)
        ret->cert = PEM_read_X509(cert, NULL, NULL, NULL);
    if (key)
        ret->key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
    if (cert)
        fclose(cert);
    if (key)
        fclose(key);
    if (ret->cert && ret->key && X509_check_private_key(ret->cert, ret->key) == 1)
        return true;
    identity_free(ret);
    ERR_clear_error();
    return false;
}

/* ---- certificates ----------------------------------------------------------------------------- */

static bool extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = e && X509_add_ext(cert, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool set_serial(X509 *cert)
{
    uint8_t random[16];

    dx_random_fill(random, sizeof random);
    random[0] &= 0x7f; /* positive */
    BIGNUM *number = BN_bin2bn(random, sizeof random, NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    return ok;
}

static bool set_subject(X509 *cert, const char *name)
{
    X509_NAME *subject = X509_get_subject_name(cert);

    return X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"Duplex development",
                                      -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0) == 1;
}

/* ca: the issuer; NULL for the authority itself. */
static bool fill(identity *i, const identity *ca, const char *name)
{
    X509 *cert = i->cert, *issuer = ca ? ca->cert : cert;

    bool ok = X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) && set_subject(cert, name) &&
              X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) &&
              X509_gmtime_adj(X509_getm_notAfter(cert), (ca ? CERT_DAYS - 1 : CA_DAYS) * (long)DAY_S) &&
              X509_set_pubkey(cert, i->key) == 1 &&
              extend(cert, issuer, NID_subject_key_identifier, "hash") &&
              extend(cert, issuer, NID_authority_key_identifier, "keyid:always");
    if (ok && ca == NULL)
        return extend(cert, issuer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
               extend(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
               extend(cert, issuer, NID_name_constraints, MAY_NAME);
    return ok && extend(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           extend(cert, issuer, NID_key_usage, "critical,digitalSignature") &&
           extend(cert, issuer, NID_ext_key_usage, "serverAuth") &&
           extend(cert, issuer, NID_subject_alt_name, NAMES);
}

static bool identity_make(identity *i, const identity *ca, const char *name)
{
    i->key = EVP_EC_gen("P-256");
    i->cert = X509_new();
    if (i->key && i->cert && fill(i, ca, name) && X509_sign(i->cert, ca ? ca->key : i->key, EVP_sha256()) > 0)
        return true;
    identity_free(i);
    ERR_clear_error();
    return false;
}

static bool is_good_for(const X509 *cert, long days)
{
    time_t then = time(NULL) + days * DAY_S;

    return X509_cmp_time(X509_get0_notAfter(cert), &then) > 0;
}

/* ---- both ------------------------------------------------------------------------------------- */

typedef struct paths {
    char ca_key[DX_TLS_DEV_PATH_BYTES];
    dx_tls_dev *dev;
} paths;

static dx_err settle_ca(identity *ca, const paths *p, char why[DX_TLS_WHY_BYTES])
{
    if (read_identity(p->dev->ca, p->ca_key, ca) && is_good_for(ca->cert, CERT_DAYS))
        return DX_OK;
    identity_free(ca);
    p->dev->is_new_ca = true;
    if (!identity_make(ca, NULL, "Duplex development authority"))
        return fail(DX_ERR_MEMORY, p->dev->ca, why);
    dx_err err = write_identity(ca, NULL, p->ca_key, true);
    if (err == DX_OK)
        err = write_identity(ca, NULL, p->dev->ca, false);
    return err == DX_OK ? DX_OK : fail(err, p->dev->ca, why);
}

static bool is_usable(const identity *cert, const identity *ca)
{
    return is_good_for(cert->cert, RENEW_DAYS) && X509_verify(cert->cert, X509_get0_pubkey(ca->cert)) == 1;
}

static dx_err settle_cert(const identity *ca, const paths *p, char why[DX_TLS_WHY_BYTES])
{
    identity cert = {0};
    dx_err err = DX_OK;

    if (!p->dev->is_new_ca && read_identity(p->dev->cert, p->dev->key, &cert) && is_usable(&cert, ca)) {
        identity_free(&cert);
        return DX_OK;
    }
    identity_free(&cert);
    ERR_clear_error();
    if (!identity_make(&cert, ca, "localhost"))
        return fail(DX_ERR_MEMORY, p->dev->cert, why);
    err = write_identity(&cert, NULL, p->dev->key, true);
    if (err == DX_OK)
        err = write_identity(&cert, ca->cert, p->dev->cert, false);
    identity_free(&cert);
    return err == DX_OK ? DX_OK : fail(err, p->dev->cert, why);
}

dx_err dx_tls_dev_make(const char *directory, dx_tls_dev *ret, char why[DX_TLS_WHY_BYTES])
{
    paths p = {.dev = ret};
    identity ca = {0};

    *ret = (dx_tls_dev){0};
    if (directory[0] == '\0' || strlen(directory) > DX_TLS_DEV_PATH_BYTES - 16)
        return fail(DX_ERR_TOO_LARGE, directory, why);
    snprintf(ret->ca, sizeof ret->ca, "%s/ca.pem", directory);
    snprintf(p.ca_key, sizeof p.ca_key, "%s/ca-key.pem", directory);
    snprintf(ret->cert, sizeof ret->cert, "%s/cert.pem", directory);
    snprintf(ret->key, sizeof ret->key, "%s/key.pem", directory);
    dx_err err = make_directory(directory);
    if (err != DX_OK)
        return fail(err, directory, why);
    err = settle_ca(&ca, &p, why);
    if (err == DX_OK)
        err = settle_cert(&ca, &p, why);
    identity_free(&ca);
    return err;
}
