/* JSON Web Keys: sets of them taken apart, without looking at the numbers.
 * Is:     the members of a key that say what it is and what it is for; those that are bytes, still in base64url.
 * Is not: keys to sign and check with (crypto/key.h).
 * Memory: allocates nothing; views of the text.   Threads: any.
 * Source: RFC 7517 §4, §5; RFC 7518 §6; RFC 8037 §2.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_JWK_H
#define DX_CODEC_JWK_H

#include "codec/jwt.h"

enum { DX_JWK_DEPTH_MAX = 8 };

typedef enum dx_jwk_kind { DX_JWK_OCT, DX_JWK_RSA, DX_JWK_EC, DX_JWK_OKP } dx_jwk_kind;

typedef struct dx_jwk {
    dx_jwk_kind kind;
    dx_jwt_alg alg; /* as it says; else the one that its kind and curve mean */
    uint8_t kid[DX_JWT_TEXT_BYTES_MAX];
    size_t kid_size;             /* 0: none */
    dx_bytes curve;              /* "P-256", "Ed25519", ... ; empty: none */
    dx_bytes secret, n, e, x, y; /* base64url; empty: none */
} dx_jwk;

typedef enum dx_jwk_status {
    DX_JWK_OK,
    DX_JWK_UNUSED, /* for something else, such as encryption, or of a kind not known: passed over (RFC 7517 §5) */
    DX_JWK_BAD,    /* a member of it is not what it should be */
    DX_JWK_MISFIT, /* its alg is not for its kind and curve */
} dx_jwk_status;

/* Begins to walk the keys of a set, or the one key; false: `text` is neither. */
typedef struct dx_jwks {
    dx_bytes rest;   /* of the array */
    dx_bytes single; /* or this one */
} dx_jwks;
bool dx_jwks_init(dx_jwks *it, dx_bytes text);
/* The next key as JSON; false: there is none. */
bool dx_jwks_next(dx_jwks *it, dx_bytes *key);

/* Reads one. ret: set if OK. */
DX_MUST_USE dx_jwk_status dx_jwk_read(dx_bytes key, dx_jwk *ret);

#endif
