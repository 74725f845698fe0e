/* Keys that sign, and that check signatures: each for one algorithm.
 * Is:     HMAC, RSA, RSA-PSS, ECDSA and EdDSA as JWS has them; keys from PEM and JWK; making new ones.
 * Is not: certificates and TLS (net), which key is trusted for what (serve). No header shows OpenSSL.
 * Memory: a key is one object, counted. Its algorithms are fetched once, when it is made.
 * Threads: any; a key never changes.
 * Source: RFC 7515 appendix A; RFC 7518 §3; RFC 8037 §3; RFC 8725 §3.1, §3.2, §3.5.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CRYPTO_KEY_H
#define DX_CRYPTO_KEY_H

#include "codec/jwk.h"

typedef struct dx_key dx_key;

enum {
    DX_KEY_WHY_BYTES = 192,
    DX_KEY_SIGNATURE_BYTES_MAX = 1024, /* RSA of 8192 bits */
    DX_KEY_TEXT_BYTES_MAX = 8192,      /* of a key that was written */
};

/* The key in a PEM text: public, private, or that of a certificate. EC and Ed keys are for the algorithm that their
 * curve means, RSA keys (2048 bits and more) for RS256.
 * why: what is wrong with it. Errors: DX_ERR_NAME, DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_key_from_pem(dx_bytes text, dx_key **ret, char why[DX_KEY_WHY_BYTES]);
/* Private members of a JWK are not looked at. A secret has as many bytes as its hash, or more. */
DX_MUST_USE dx_err dx_key_from_jwk(const dx_jwk *jwk, dx_key **ret, char why[DX_KEY_WHY_BYTES]);
/* A new one, to sign with: HS256, HS384, HS512, ES256, ES384, ES512 or EdDSA (Ed25519).
 * Errors: DX_ERR_UNSUPPORTED (another algorithm), DX_ERR_MEMORY, DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_key_make(dx_jwt_alg alg, dx_key **ret);

dx_key *dx_key_ref(dx_key *key);
/* NULL is allowed. */
void dx_key_unref(dx_key *key);

dx_jwt_alg dx_key_alg(const dx_key *key);
/* Empty: it has none. A view. */
dx_bytes dx_key_id(const dx_key *key);
bool dx_key_can_sign(const dx_key *key);

/* The only way to a dx_jwt_proved: the signature is by this key, with its algorithm. Of secrets the comparison takes
 * the same time whatever differs. */
DX_MUST_USE bool dx_key_check(const dx_key *key, const dx_jwt *jwt, dx_jwt_proved *ret);

/* Signs `text`. Errors: DX_ERR_UNSUPPORTED (it cannot sign), DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_key_sign(const dx_key *key, dx_bytes text,
                               uint8_t signature[static DX_KEY_SIGNATURE_BYTES_MAX], size_t *size);

/* Writes a key as a file of its own: a secret as JWK; others as PEM, with or without what is private. NUL-terminated.
 * Errors: DX_ERR_UNSUPPORTED (a secret has no public half), DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_key_write(const dx_key *key, bool is_private,
                                char text[static DX_KEY_TEXT_BYTES_MAX]);

#endif
