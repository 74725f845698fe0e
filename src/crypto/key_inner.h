/* A key, as the files of this layer see it.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CRYPTO_KEY_INNER_H
#define DX_CRYPTO_KEY_INNER_H

#include "crypto/key.h"

#include <openssl/evp.h>
#include <stdatomic.h>

enum { DX_KEY_SECRET_BYTES_MAX = 4096, DX_KEY_RSA_BITS_MIN = 2048, DX_KEY_RSA_BITS_MAX = 8192 };

struct dx_key {
    atomic_uint refs_count;
    dx_jwt_alg alg;
    bool can_sign;
    EVP_PKEY *pair;    /* NULL: it is a secret */
    EVP_MD *hash;      /* fetched; NULL: EdDSA, whose own it is */
    EVP_MAC_CTX *hmac; /* of a secret, ready to be copied */
    size_t kid_size, secret_size;
    uint8_t kid[DX_JWT_TEXT_BYTES_MAX];
    uint8_t secret[];
};

/* Takes `pair`, also on failure; NULL: a secret. */
dx_err dx_key_new(dx_jwt_alg alg, EVP_PKEY *pair, dx_bytes secret, dx_key **ret);

/* Bytes of each half of an ECDSA signature. */
size_t dx_key_ec_half(dx_jwt_alg alg);
/* "SHA256" and so on; NULL: EdDSA. */
const char *dx_key_hash_name(dx_jwt_alg alg);
/* "P-256" and so on. */
const char *dx_key_curve_name(dx_jwt_alg alg);

#endif
