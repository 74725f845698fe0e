/* JSON Web Tokens: the text taken apart, and its claims once somebody has proved it.
 * Is:     the compact form with one signature, strictly; the few header members that matter; claims.
 * Is not: signatures and keys (crypto), trust and time (serve). Of a token that nothing has proved no claim can be
 *         read: dx_jwt_claims_read takes a dx_jwt_proved, and only crypto/key.c makes one.
 * Memory: allocates nothing; what is decoded goes to the caller's memory.   Threads: any.
 * Source: RFC 7515 §3.1, §4.1, §5.2, §7.1; RFC 7518 §3.1; RFC 7519 §4.1, §7.2; RFC 8725 §3; RFC 8037 §3.1.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_JWT_H
#define DX_CODEC_JWT_H

#include "base/bytes.h"

enum {
    DX_JWT_BYTES_MAX = 8192,
    DX_JWT_MEMORY_BYTES = 2 * DX_JWT_BYTES_MAX, /* enough for either call below */
    DX_JWT_TEXT_BYTES_MAX = 255,                /* kid, iss, sub, jti */
};

typedef enum dx_jwt_fault {
    DX_JWT_OK,
    DX_JWT_TOO_LARGE,
    DX_JWT_FORM,   /* not three parts with points between them */
    DX_JWT_BASE64, /* a part is not base64url without padding */
    DX_JWT_HEADER, /* no JSON object with distinct members */
    DX_JWT_ALG,    /* alg is missing, or none that is known; "none" is not */
    DX_JWT_CRIT,   /* it wants something understood that is not */
    DX_JWT_KID,    /* no text of 1 to 255 bytes */
    DX_JWT_CLAIMS, /* no JSON object with distinct members */
    DX_JWT_CLAIM,  /* a claim has another type, or is too long */
    DX_JWT_FAULT_COUNT
} dx_jwt_fault;

/* What was wrong, a clause: "its header ...". Static. */
const char *dx_jwt_fault_text(dx_jwt_fault fault);

typedef enum dx_jwt_alg {
    DX_JWT_HS256,
    DX_JWT_HS384,
    DX_JWT_HS512,
    DX_JWT_RS256,
    DX_JWT_RS384,
    DX_JWT_RS512,
    DX_JWT_PS256,
    DX_JWT_PS384,
    DX_JWT_PS512,
    DX_JWT_ES256,
    DX_JWT_ES384,
    DX_JWT_ES512,
    DX_JWT_EDDSA,
    DX_JWT_ALG_COUNT
} dx_jwt_alg;

/* "HS256"; static. */
const char *dx_jwt_alg_name(dx_jwt_alg alg);
bool dx_jwt_alg_of(dx_bytes name, dx_jwt_alg *ret);

/* What a token says of its signature: everything else in the header, jku, x5u, jwk and the like, is as if it were not
 * there. */
typedef struct dx_jwt {
    dx_jwt_alg alg;
    dx_bytes kid;         /* .at is NULL: it has none */
    dx_bytes signed_text; /* header and payload as they came */
    dx_bytes sealed;      /* the payload in base64url: for nobody but who proves it */
    dx_bytes signature;   /* decoded */
} dx_jwt;

/* Views of `token` and `memory`. */
DX_MUST_USE dx_jwt_fault dx_jwt_read(dx_bytes token, uint8_t memory[static DX_JWT_MEMORY_BYTES],
                                     dx_jwt *ret);

/* A payload whose signature holds. */
typedef struct dx_jwt_proved {
    dx_bytes payload; /* base64url */
} dx_jwt_proved;

typedef struct dx_jwt_claims {
    dx_bytes issuer, subject, id; /* .at is NULL: it has none */
    dx_bytes audience;            /* a JSON text or array of texts; .at is NULL: none */
    dx_bytes capabilities;        /* "duplex": JSON; .at is NULL: none */
    dx_bytes all;                 /* the JSON object */
    bool has_expires, has_not_before, has_issued;
    uint64_t expires_s, not_before_s, issued_s; /* since 1970; parts of seconds are cut off */
} dx_jwt_claims;

/* Views of `memory`. */
DX_MUST_USE dx_jwt_fault dx_jwt_claims_read(const dx_jwt_proved *proved,
                                            uint8_t memory[static DX_JWT_MEMORY_BYTES],
                                            dx_jwt_claims *ret);

/* Whether `audience` of claims is, or has, `wanted` (RFC 7519 §4.1.3). */
bool dx_jwt_audience_has(dx_bytes audience, dx_bytes wanted);

#endif
