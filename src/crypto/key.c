/* Signing and checking.
 * SPDX-License-Identifier: MIT */
#include "crypto/key_inner.h"

#include "base/assert.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <stdlib.h>

typedef enum family { HMAC_SECRET, RSA_PKCS1, RSA_PSS, ECDSA, EDDSA } family;

static family family_of(dx_jwt_alg alg)
{
    switch (alg) {
    case DX_JWT_HS256:
    case DX_JWT_HS384:
    case DX_JWT_HS512: return HMAC_SECRET;
    case DX_JWT_RS256:
    case DX_JWT_RS384:
    case DX_JWT_RS512: return RSA_PKCS1;
    case DX_JWT_PS256:
    case DX_JWT_PS384:
    case DX_JWT_PS512: return RSA_PSS;
    case DX_JWT_ES256:
    case DX_JWT_ES384:
    case DX_JWT_ES512: return ECDSA;
    case DX_JWT_EDDSA:
    case DX_JWT_ALG_COUNT: break;
    }
    return EDDSA;
}

const char *dx_key_hash_name(dx_jwt_alg alg)
{
    static const char *const names[] = {"SHA256", "SHA384", "SHA512"};

    return alg == DX_JWT_EDDSA ? NULL : names[(unsigned)alg % 3];
}

size_t dx_key_ec_half(dx_jwt_alg alg)
{
    return alg == DX_JWT_ES256 ? 32 : alg == DX_JWT_ES384 ? 48 : 66;
}

const char *dx_key_curve_name(dx_jwt_alg alg)
{
    return alg == DX_JWT_ES256 ? "P-256" : alg == DX_JWT_ES384 ? "P-384" : "P-521";
}

/* ---- life -------------------------------------------------------------------------------------- */

static bool make_hmac(dx_key *key)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    char hash[8] = "";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                         strcpy(hash, dx_key_hash_name(key->alg)), 0),
        OSSL_PARAM_construct_end(),
    };

    key->hmac = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac); /* the context has its own reference */
    return key->hmac && EVP_MAC_init(key->hmac, key->secret, key->secret_size, parameters) == 1;
}

dx_err dx_key_new(dx_jwt_alg alg, EVP_PKEY *pair, dx_bytes secret, dx_key **ret)
{
    dx_key *key = calloc(1, sizeof *key + secret.size);
    bool ok = key != NULL;

    if (key == NULL) {
        EVP_PKEY_free(pair);
        return DX_ERR_MEMORY;
    }
    atomic_init(&key->refs_count, 1);
    key->alg = alg;
    key->pair = pair;
    key->secret_size = secret.size;
    dx_copy(key->secret, secret.at, secret.size);
    if (pair == NULL)
        ok = key->can_sign = make_hmac(key);
    else if (dx_key_hash_name(alg))
        ok = (key->hash = EVP_MD_fetch(NULL, dx_key_hash_name(alg), NULL)) != NULL;
    if (!ok) {
        dx_key_unref(key);
        ERR_clear_error();
        return DX_ERR_MEMORY;
    }
    *ret = key;
    return DX_OK;
}

dx_key *dx_key_ref(dx_key *key)
{
    atomic_fetch_add_explicit(&key->refs_count, 1, memory_order_relaxed);
    return key;
}

void dx_key_unref(dx_key *key)
{
    if (key == NULL || atomic_fetch_sub_explicit(&key->refs_count, 1, memory_order_acq_rel) > 1)
        return;
    EVP_PKEY_free(key->pair);
    EVP_MD_free(key->hash);
    EVP_MAC_CTX_free(key->hmac);
    OPENSSL_cleanse(key->secret, key->secret_size);
    free(key);
}

dx_jwt_alg dx_key_alg(const dx_key *key)
{
    return key->alg;
}

dx_bytes dx_key_id(const dx_key *key)
{
    return dx_bytes_at(key->kid, key->kid_size);
}

bool dx_key_can_sign(const dx_key *key)
{
    return key->can_sign;
}

/* ---- HMAC -------------------------------------------------------------------------------------- */

/* Size 0: memory is out. */
static size_t hmac(const dx_key *key, dx_bytes text, uint8_t at[static EVP_MAX_MD_SIZE])
{
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(key->hmac);
    size_t size = 0;

    if (context == NULL || EVP_MAC_update(context, text.at, text.size) != 1 ||
        EVP_MAC_final(context, at, &size, EVP_MAX_MD_SIZE) != 1)
        size = 0;
    EVP_MAC_CTX_free(context);
    return size;
}

static bool check_hmac(const dx_key *key, const dx_jwt *jwt)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    size_t size = hmac(key, jwt->signed_text, mac);

    return size > 0 && size == jwt->signature.size &&
           CRYPTO_memcmp(mac, jwt->signature.at, size) == 0;
}

/* ---- pairs ------------------------------------------------------------------------------------- */

static bool set_padding(const dx_key *key, EVP_PKEY_CTX *context)
{
    if (family_of(key->alg) == RSA_PKCS1)
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
    if (family_of(key->alg) == RSA_PSS) /* RFC 7518 §3.5 */
        return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
    return true;
}

static bool verify(const dx_key *key, dx_bytes text, dx_bytes signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    bool is = context &&
              EVP_DigestVerifyInit(context, &parameters, key->hash, NULL, key->pair) == 1 &&
              set_padding(key, parameters) &&
              EVP_DigestVerify(context, signature.at, signature.size, text.at, text.size) == 1;

    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return is;
}

/* RFC 7518 §3.4: both numbers in a row, each as long as the curve's order; OpenSSL wants them in DER. */
static bool verify_ec(const dx_key *key, const dx_jwt *jwt)
{
    size_t half = dx_key_ec_half(key->alg);
    uint8_t *der = NULL;
    ECDSA_SIG *signature = jwt->signature.size == 2 * half ? ECDSA_SIG_new() : NULL;
    BIGNUM *r = signature ? BN_bin2bn(jwt->signature.at, (int)half, NULL) : NULL,
           *s = signature ? BN_bin2bn(jwt->signature.at + half, (int)half, NULL) : NULL;
    bool is = false;

    if (r && s && ECDSA_SIG_set0(signature, r, s) == 1) {
        r = s = NULL; /* its own now */
        int size = i2d_ECDSA_SIG(signature, &der);
        is = size > 0 && verify(key, jwt->signed_text, dx_bytes_at(der, (size_t)size));
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    OPENSSL_free(der);
    return is;
}

bool dx_key_check(const dx_key *key, const dx_jwt *jwt, dx_jwt_proved *ret)
{
    bool is = false;

    if (jwt->alg != key->alg)
        return false;
    switch (family_of(key->alg)) {
    case HMAC_SECRET: is = check_hmac(key, jwt); break;
    case ECDSA: is = verify_ec(key, jwt); break;
    case RSA_PKCS1:
    case RSA_PSS:
    case EDDSA: is = verify(key, jwt->signed_text, jwt->signature); break;
    }
    if (is)
        *ret = (dx_jwt_proved){jwt->sealed};
    return is;
}

/* ---- signing ----------------------------------------------------------------------------------- */

static dx_err sign(const dx_key *key, dx_bytes text, uint8_t *at, size_t *size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    bool ok =
        context && EVP_DigestSignInit(context, &parameters, key->hash, NULL, key->pair) == 1 &&
        set_padding(key, parameters) && EVP_DigestSign(context, at, size, text.at, text.size) == 1;

    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok ? DX_OK : DX_ERR_MEMORY;
}

static dx_err sign_ec(const dx_key *key, dx_bytes text, uint8_t *at, size_t *size)
{
    uint8_t der[DX_KEY_SIGNATURE_BYTES_MAX];
    const uint8_t *from = der;
    size_t der_size = sizeof der, half = dx_key_ec_half(key->alg);
    dx_err err = sign(key, text, der, &der_size);

    if (err != DX_OK)
        return err;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &from, (long)der_size);
    if (signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), at, (int)half) == (int)half &&
        BN_bn2binpad(ECDSA_SIG_get0_s(signature), at + half, (int)half) == (int)half)
        *size = 2 * half;
    else
        err = DX_ERR_MEMORY;
    ECDSA_SIG_free(signature);
    return err;
}

dx_err dx_key_sign(const dx_key *key, dx_bytes text, uint8_t at[static DX_KEY_SIGNATURE_BYTES_MAX],
                   size_t *size)
{
    if (!key->can_sign)
        return DX_ERR_UNSUPPORTED;
    *size = DX_KEY_SIGNATURE_BYTES_MAX;
    switch (family_of(key->alg)) {
    case HMAC_SECRET: *size = hmac(key, text, at); return *size > 0 ? DX_OK : DX_ERR_MEMORY;
    case ECDSA: return sign_ec(key, text, at, size);
    case RSA_PKCS1:
    case RSA_PSS:
    case EDDSA: return sign(key, text, at, size);
    }
    dx_unreachable("family outside its enum");
}
