/* Keys from text, and to text.
 * SPDX-License-Identifier: MIT */
#include "crypto/key_inner.h"

#include "base/assert.h"
#include "codec/base64.h"
#include "codec/json.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>

static dx_err fail(const char *text, char why[DX_KEY_WHY_BYTES])
{
    snprintf(why, DX_KEY_WHY_BYTES, "%s", text);
    ERR_clear_error();
    return DX_ERR_NAME;
}

/* ---- PEM --------------------------------------------------------------------------------------- */

static int no_passphrase(char *to, int size, int is_writing, void *context)
{
    (void)to, (void)size, (void)is_writing, (void)context;
    return -1;
}

typedef EVP_PKEY *pem_reader(BIO *bio);

static EVP_PKEY *read_public(BIO *bio)
{
    return PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
}

static EVP_PKEY *read_private(BIO *bio)
{
    return PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
}

static EVP_PKEY *read_certificate(BIO *bio)
{
    X509 *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    EVP_PKEY *pair = certificate ? X509_get_pubkey(certificate) : NULL;

    X509_free(certificate);
    return pair;
}

static EVP_PKEY *read_pem(dx_bytes text, bool *can_sign)
{
    static pem_reader *const readers[] = {read_private, read_public, read_certificate};
    EVP_PKEY *pair = NULL;

    for (size_t i = 0; i < DX_COUNT(readers) && pair == NULL; i++) {
        BIO *bio = BIO_new_mem_buf(text.at, (int)text.size);
        if (bio)
            pair = readers[i](bio);
        BIO_free(bio);
        *can_sign = pair && i == 0;
    }
    ERR_clear_error();
    return pair;
}

/* The one algorithm that a pair is for by itself. False: none. */
static bool alg_of(const EVP_PKEY *pair, dx_jwt_alg *ret)
{
    char curve[32] = "";
    size_t size;

    switch (EVP_PKEY_get_base_id(pair)) {
    case EVP_PKEY_RSA: *ret = DX_JWT_RS256; return true;
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448: *ret = DX_JWT_EDDSA; return true;
    case EVP_PKEY_EC: break;
    default: return false;
    }
    EVP_PKEY_get_group_name(pair, curve, sizeof curve, &size);
    bool is_256 = strcmp(curve, "prime256v1") == 0 || strcmp(curve, "P-256") == 0;
    bool is_384 = strcmp(curve, "secp384r1") == 0 || strcmp(curve, "P-384") == 0;
    *ret = is_256 ? DX_JWT_ES256 : is_384 ? DX_JWT_ES384 : DX_JWT_ES512;
    return is_256 || is_384 || strcmp(curve, "secp521r1") == 0 || strcmp(curve, "P-521") == 0;
}

static const char *fault_of_size(const EVP_PKEY *pair)
{
    int bits = EVP_PKEY_get_bits(pair);

    if (EVP_PKEY_get_base_id(pair) != EVP_PKEY_RSA ||
        (bits >= DX_KEY_RSA_BITS_MIN && bits <= DX_KEY_RSA_BITS_MAX))
        return NULL;
    return "an RSA key has 2048 to 8192 bits";
}

dx_err dx_key_from_pem(dx_bytes text, dx_key **ret, char why[DX_KEY_WHY_BYTES])
{
    bool can_sign = false;
    dx_jwt_alg alg;
    EVP_PKEY *pair = text.size <= INT32_MAX ? read_pem(text, &can_sign) : NULL;

    if (pair == NULL)
        return fail("there is no key in it (PEM, without a passphrase)", why);
    const char *fault = alg_of(pair, &alg)
                            ? fault_of_size(pair)
                            : "a key is RSA, EC of P-256, P-384 or P-521, Ed25519 or Ed448";
    if (fault) {
        EVP_PKEY_free(pair);
        return fail(fault, why);
    }
    dx_err err = dx_key_new(alg, pair, (dx_bytes){0}, ret);
    if (err == DX_OK)
        (*ret)->can_sign = can_sign;
    return err;
}

/* ---- JWK --------------------------------------------------------------------------------------- */

enum { NUMBER_BYTES_MAX = DX_KEY_RSA_BITS_MAX / 8 };

static dx_err from_secret(const dx_jwk *jwk, dx_key **ret, char why[DX_KEY_WHY_BYTES])
{
    uint8_t secret[DX_KEY_SECRET_BYTES_MAX];
    size_t size, size_min = 32 + 16 * ((size_t)jwk->alg - DX_JWT_HS256);

    if (!dx_base64url_read(jwk->secret, secret, sizeof secret, &size))
        return fail("k is not base64url without padding", why);
    if (size < size_min) { /* RFC 7518 §3.2 */
        snprintf(why, DX_KEY_WHY_BYTES, "a secret for %s has %zu bytes or more, not %zu",
                 dx_jwt_alg_name(jwk->alg), size_min, size);
        return DX_ERR_NAME;
    }
    dx_err err = dx_key_new(jwk->alg, NULL, dx_bytes_at(secret, size), ret);
    OPENSSL_cleanse(secret, sizeof secret);
    return err;
}

/* RSA and EC: a pair of what `builder` was given. */
static EVP_PKEY *pair_from(const char *type, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY *pair = NULL;

    if (context == NULL || parameters == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pair, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        pair = NULL;
    OSSL_PARAM_free(parameters);
    EVP_PKEY_CTX_free(context);
    return pair;
}

static BIGNUM *number_of(dx_bytes text)
{
    uint8_t bytes[NUMBER_BYTES_MAX];
    size_t size;

    return dx_base64url_read(text, bytes, sizeof bytes, &size) ? BN_bin2bn(bytes, (int)size, NULL)
                                                               : NULL;
}

static EVP_PKEY *pair_of_rsa(const dx_jwk *jwk)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *n = number_of(jwk->n), *e = number_of(jwk->e);
    EVP_PKEY *pair = NULL;

    if (builder && n && e && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        pair = pair_from("RSA", builder);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return pair;
}

/* Whether the point is on the curve is checked: one that is not would tell who chose it something. */
static EVP_PKEY *pair_of_ec(const dx_jwk *jwk)
{
    size_t half = dx_key_ec_half(jwk->alg), x_size, y_size;
    uint8_t point[1 + 2 * 66] = {4};
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *pair = NULL;

    if (builder && dx_base64url_read(jwk->x, point + 1, half, &x_size) && x_size == half &&
        dx_base64url_read(jwk->y, point + 1 + half, half, &y_size) && y_size == half &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
                                        dx_key_curve_name(jwk->alg), 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * half) ==
            1)
        pair = pair_from("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX *context = pair ? EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL) : NULL;
    if (context == NULL || EVP_PKEY_public_check(context) != 1) {
        EVP_PKEY_free(pair);
        pair = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return pair;
}

static EVP_PKEY *pair_of_okp(const dx_jwk *jwk)
{
    uint8_t bytes[64];
    size_t size;
    const char *name = dx_bytes_equal(jwk->curve, DX_BYTES("Ed448")) ? "ED448" : "ED25519";

    if (!dx_base64url_read(jwk->x, bytes, sizeof bytes, &size))
        return NULL;
    return EVP_PKEY_new_raw_public_key_ex(NULL, name, NULL, bytes, size);
}

static EVP_PKEY *pair_of(const dx_jwk *jwk)
{
    switch (jwk->kind) {
    case DX_JWK_RSA: return pair_of_rsa(jwk);
    case DX_JWK_EC: return pair_of_ec(jwk);
    case DX_JWK_OKP: return pair_of_okp(jwk);
    case DX_JWK_OCT: break;
    }
    dx_unreachable("a secret is no pair");
}

static dx_err from_pair(const dx_jwk *jwk, dx_key **ret, char why[DX_KEY_WHY_BYTES])
{
    EVP_PKEY *pair = pair_of(jwk);
    const char *fault = pair ? fault_of_size(pair) : "its numbers are no public key";

    ERR_clear_error();
    if (fault == NULL)
        return dx_key_new(jwk->alg, pair, (dx_bytes){0}, ret);
    EVP_PKEY_free(pair);
    return fail(fault, why);
}

dx_err dx_key_from_jwk(const dx_jwk *jwk, dx_key **ret, char why[DX_KEY_WHY_BYTES])
{
    dx_key *key;
    dx_err err = jwk->kind == DX_JWK_OCT ? from_secret(jwk, &key, why) : from_pair(jwk, &key, why);

    if (err != DX_OK)
        return err;
    key->kid_size = jwk->kid_size;
    memcpy(key->kid, jwk->kid, jwk->kid_size);
    *ret = key;
    return DX_OK;
}

/* ---- making and writing ------------------------------------------------------------------------ */

static dx_err make_secret(dx_jwt_alg alg, dx_key **ret)
{
    uint8_t secret[64], id[6];
    size_t size = 32 + 16 * ((size_t)alg - DX_JWT_HS256);

    if (RAND_bytes(secret, (int)size) != 1 || RAND_bytes(id, sizeof id) != 1)
        return DX_ERR_SYSTEM;
    dx_err err = dx_key_new(alg, NULL, dx_bytes_at(secret, size), ret);
    OPENSSL_cleanse(secret, sizeof secret);
    if (err == DX_OK) {
        dx_base64url_write(dx_bytes_at(id, sizeof id), (char *)(*ret)->kid);
        (*ret)->kid_size = DX_BASE64URL_TEXT_SIZE(sizeof id);
    }
    return err;
}

dx_err dx_key_make(dx_jwt_alg alg, dx_key **ret)
{
    EVP_PKEY *pair = NULL;

    if (alg <= DX_JWT_HS512)
        return make_secret(alg, ret);
    if (alg >= DX_JWT_ES256 && alg <= DX_JWT_ES512)
        pair = EVP_PKEY_Q_keygen(NULL, NULL, "EC", dx_key_curve_name(alg));
    else if (alg == DX_JWT_EDDSA)
        pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else
        return DX_ERR_UNSUPPORTED;
    ERR_clear_error();
    if (pair == NULL)
        return DX_ERR_SYSTEM;
    dx_err err = dx_key_new(alg, pair, (dx_bytes){0}, ret);
    if (err == DX_OK)
        (*ret)->can_sign = true;
    return err;
}

static dx_err write_secret(const dx_key *key, char text[static DX_KEY_TEXT_BYTES_MAX])
{
    char secret[DX_BASE64URL_TEXT_SIZE(DX_KEY_SECRET_BYTES_MAX)],
        kid[6 * DX_JWT_TEXT_BYTES_MAX + 2];
    size_t size = DX_BASE64URL_TEXT_SIZE(key->secret_size),
           kid_size = dx_json_write_string(dx_key_id(key), (uint8_t *)kid, sizeof kid);

    dx_assert(key->secret_size <= DX_KEY_SECRET_BYTES_MAX);
    dx_base64url_write(dx_bytes_at(key->secret, key->secret_size), secret);
    snprintf(text, DX_KEY_TEXT_BYTES_MAX,
             "{\"kty\":\"oct\",\"alg\":\"%s\",\"kid\":%.*s,\"k\":\"%.*s\"}\n",
             dx_jwt_alg_name(key->alg), (int)kid_size, kid, (int)size, secret);
    OPENSSL_cleanse(secret, sizeof secret);
    return DX_OK;
}

dx_err dx_key_write(const dx_key *key, bool is_private, char text[static DX_KEY_TEXT_BYTES_MAX])
{
    if (key->pair == NULL)
        return is_private ? write_secret(key, text) : DX_ERR_UNSUPPORTED;
    if (is_private && !key->can_sign)
        return DX_ERR_UNSUPPORTED;
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio &&
              (is_private ? PEM_write_bio_PKCS8PrivateKey(bio, key->pair, NULL, NULL, 0, NULL, NULL)
                          : PEM_write_bio_PUBKEY(bio, key->pair)) == 1;
    int size = ok ? BIO_read(bio, text, DX_KEY_TEXT_BYTES_MAX - 1) : -1;
    BIO_free(bio);
    ERR_clear_error();
    if (size <= 0)
        return DX_ERR_MEMORY;
    text[size] = '\0';
    return DX_OK;
}
