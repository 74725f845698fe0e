/* Tokens: the keys they are checked by, and the principal that one is.
 * Is:     key files (PEM, JWK, JWKS), loaded and loaded again as a whole or not at all; the order in which a token
 *         is looked at: its signature, then issuer, time and audience, then what it may.
 * Is not: where a request carries it (access_who.c), revocation (revoked.h).
 * Memory: one set of keys, counted: a check under way keeps the one it began with.
 * Threads: any.
 * Source: RFC 7519 §4.1, §7.2; RFC 8725 §3.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_TOKENS_H
#define DX_SERVE_TOKENS_H

#include "codec/jwt.h"
#include "serve/principal.h"

enum {
    DX_TOKEN_FILES_MAX = 16,
    DX_TOKEN_KEYS_MAX = 256,
    DX_TOKEN_TRIES_MAX = 16, /* keys that one token is tried with */
    DX_TOKEN_FILE_BYTES_MAX = 1048576,
    DX_TOKEN_LEEWAY_MS = 5000, /* between the clocks of its issuer and of this machine */
    DX_TOKENS_WHY_BYTES = 640,
};

typedef struct dx_tokens dx_tokens;

typedef struct dx_tokens_options {
    /* "FILE", or "ISSUER=FILE": its keys count for tokens of this issuer (iss) alone. 1 to DX_TOKEN_FILES_MAX. */
    const char *const *keys;
    size_t keys_count;
    const char *
        audience; /* NULL, "": a token must have no aud; else it must have one that is, or has, this */
} dx_tokens_options;

/* Loads the keys. options: copied.
 * why: what is wrong, with the file's name. Errors: DX_ERR_NOT_FOUND, DX_ERR_DENIED, DX_ERR_NAME, DX_ERR_TOO_LARGE,
 * DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_tokens_new(const dx_tokens_options *options, dx_tokens **ret,
                                 char why[DX_TOKENS_WHY_BYTES]);
/* Reads the files again. On failure nothing changes. Errors: as above. */
DX_MUST_USE dx_err dx_tokens_reload(dx_tokens *tokens, char why[DX_TOKENS_WHY_BYTES]);
/* NULL is allowed. */
void dx_tokens_free(dx_tokens *tokens);

/* The files, keys_count of them; for whoever watches them. Borrowed while it lives. */
const char *const *dx_tokens_files(const dx_tokens *tokens, size_t *count);

/* Whom `token` is for. now_ms: wall time.
 * why: what is wrong with it, a clause. Errors: DX_ERR_NAME, DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_tokens_check(dx_tokens *tokens, dx_bytes token, uint64_t now_ms,
                                   dx_principal **ret, char why[DX_WHY_BYTES]);

/* What dx_tokens_check says of claims whose signature holds, for one who has only these: nothing is wrong: DX_OK.
 * audience: as in the options. */
DX_MUST_USE dx_err dx_token_claims_check(const dx_jwt_claims *claims, const char *audience,
                                         uint64_t now_ms, char why[DX_WHY_BYTES]);

#endif
