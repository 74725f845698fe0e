/* Keys from files, and checking tokens by them.
 * SPDX-License-Identifier: MIT */
#include "serve/tokens.h"

#include "base/err.h"
#include "codec/json.h"
#include "crypto/key.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct held_key {
    dx_key *key;
    const char *issuer; /* of the options; NULL: any */
} held_key;

/* What was loaded at one time. */
typedef struct key_set {
    atomic_uint refs_count;
    size_t count;
    held_key at[DX_TOKEN_KEYS_MAX];
} key_set;

struct dx_tokens {
    pthread_mutex_t lock; /* of `keys` */
    key_set *keys;
    char *audience; /* "": none */
    size_t files_count;
    char *issuers[DX_TOKEN_FILES_MAX];     /* NULL: any */
    const char *files[DX_TOKEN_FILES_MAX]; /* owned */
};

static void key_set_unref(key_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->refs_count, 1) > 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        dx_key_unref(set->at[i].key);
    free(set);
}

static key_set *current(dx_tokens *t)
{
    pthread_mutex_lock(&t->lock);
    key_set *set = t->keys;
    atomic_fetch_add(&set->refs_count, 1);
    pthread_mutex_unlock(&t->lock);
    return set;
}

/* ---- loading ----------------------------------------------------------------------------------- */

static dx_err fail(const char *file, const char *text, char why[DX_TOKENS_WHY_BYTES])
{
    snprintf(why, DX_TOKENS_WHY_BYTES, "key %.300s: %s", file, text);
    return DX_ERR_NAME;
}

/* text: from malloc. */
static dx_err read_file(const char *name, char **text, size_t *size, char why[DX_TOKENS_WHY_BYTES])
{
    FILE *file = fopen(name, "re");
    char *memory = file ? malloc(DX_TOKEN_FILE_BYTES_MAX + 1) : NULL;
    dx_err err = file ? DX_ERR_MEMORY : dx_err_from_errno(errno);

    if (memory) {
        *size = fread(memory, 1, DX_TOKEN_FILE_BYTES_MAX + 1, file);
        err = ferror(file)                      ? DX_ERR_SYSTEM
              : *size > DX_TOKEN_FILE_BYTES_MAX ? DX_ERR_TOO_LARGE
                                                : DX_OK;
    }
    if (file)
        fclose(file);
    if (err != DX_OK) {
        free(memory);
        (void)fail(name, dx_err_text(err), why);
        return err;
    }
    *text = memory;
    return DX_OK;
}

static dx_err add_key(key_set *set, dx_key *key, const char *issuer)
{
    if (set->count == DX_TOKEN_KEYS_MAX) {
        dx_key_unref(key);
        return DX_ERR_TOO_LARGE;
    }
    set->at[set->count++] = (held_key){key, issuer};
    return DX_OK;
}

/* One of a set that is for something else is passed over; one that is broken is not: half of the keys would be
 * missing, and nobody would know why. */
static dx_err add_jwk(key_set *set, dx_bytes text, const char *issuer, char why[DX_KEY_WHY_BYTES])
{
    dx_jwk jwk;
    dx_key *key;
    dx_err err = DX_OK;

    switch (dx_jwk_read(text, &jwk)) {
    case DX_JWK_UNUSED: return DX_OK;
    case DX_JWK_BAD:
        snprintf(why, DX_KEY_WHY_BYTES,
                 "a JWK in it is broken: a member is missing, stands twice, or is no text");
        return DX_ERR_NAME;
    case DX_JWK_MISFIT:
        snprintf(why, DX_KEY_WHY_BYTES, "a JWK in it has an alg that does not fit its kty and crv");
        return DX_ERR_NAME;
    case DX_JWK_OK: err = dx_key_from_jwk(&jwk, &key, why); break;
    }
    return err == DX_OK ? add_key(set, key, issuer) : err;
}

static dx_err add_jwks(key_set *set, dx_bytes text, const char *issuer, char why[DX_KEY_WHY_BYTES])
{
    dx_jwks it;
    dx_bytes one;
    dx_err err = DX_OK;
    size_t before = set->count;

    if (!dx_jwks_init(&it, text)) {
        snprintf(why, DX_KEY_WHY_BYTES, "it is neither PEM nor a JSON Web Key or a set of them");
        return DX_ERR_NAME;
    }
    while (err == DX_OK && dx_jwks_next(&it, &one))
        err = add_jwk(set, one, issuer, why);
    if (err == DX_ERR_TOO_LARGE)
        snprintf(why, DX_KEY_WHY_BYTES, "with it there are more than %d keys", DX_TOKEN_KEYS_MAX);
    if (err == DX_OK && set->count == before) {
        snprintf(why, DX_KEY_WHY_BYTES, "there is no key for signatures in it");
        return DX_ERR_NAME;
    }
    return err;
}

static bool is_pem(dx_bytes text)
{
    return memmem(text.at, text.size, "-----BEGIN ", 11) != NULL;
}

static dx_err add_file(key_set *set, const char *name, const char *issuer,
                       char why[DX_TOKENS_WHY_BYTES])
{
    char detail[DX_KEY_WHY_BYTES] = "out of memory", *memory = NULL;
    size_t size = 0;
    dx_key *key;
    dx_err err = read_file(name, &memory, &size, why);

    if (err != DX_OK)
        return err;
    dx_bytes text = dx_bytes_at(memory, size);
    if (is_pem(text)) {
        err = dx_key_from_pem(text, &key, detail);
        if (err == DX_OK)
            err = add_key(set, key, issuer);
    } else {
        err = add_jwks(set, text, issuer, detail);
    }
    explicit_bzero(memory, size);
    free(memory);
    if (err != DX_OK)
        (void)fail(name, detail, why);
    return err;
}

static dx_err load(const dx_tokens *t, key_set **ret, char why[DX_TOKENS_WHY_BYTES])
{
    key_set *set = calloc(1, sizeof *set);
    dx_err err = set ? DX_OK : DX_ERR_MEMORY;

    if (set)
        atomic_init(&set->refs_count, 1);
    for (size_t i = 0; err == DX_OK && i < t->files_count; i++)
        err = add_file(set, t->files[i], t->issuers[i], why);
    if (err == DX_OK)
        *ret = set;
    else
        key_set_unref(set);
    return err;
}

static bool copy_options(dx_tokens *t, const dx_tokens_options *o)
{
    for (; t->files_count < o->keys_count; t->files_count++) {
        const char *name = o->keys[t->files_count], *equals = strrchr(name, '=');
        if ((t->files[t->files_count] = strdup(equals ? equals + 1 : name)) == NULL)
            return false;
        if (equals &&
            (t->issuers[t->files_count] = strndup(name, (size_t)(equals - name))) == NULL) {
            t->files_count++;
            return false;
        }
    }
    return (t->audience = strdup(o->audience ? o->audience : "")) != NULL;
}

dx_err dx_tokens_new(const dx_tokens_options *options, dx_tokens **ret,
                     char why[DX_TOKENS_WHY_BYTES])
{
    dx_tokens *t = calloc(1, sizeof *t);
    dx_err err = DX_ERR_MEMORY;

    snprintf(why, DX_TOKENS_WHY_BYTES, "out of memory");
    if (t == NULL)
        return err;
    pthread_mutex_init(&t->lock, NULL);
    if (options->keys_count > DX_TOKEN_FILES_MAX) {
        snprintf(why, DX_TOKENS_WHY_BYTES, "at most %d files with keys", DX_TOKEN_FILES_MAX);
        err = DX_ERR_TOO_LARGE;
    } else if (copy_options(t, options)) {
        err = load(t, &t->keys, why);
    }
    if (err == DX_OK)
        *ret = t;
    else
        dx_tokens_free(t);
    return err;
}

dx_err dx_tokens_reload(dx_tokens *t, char why[DX_TOKENS_WHY_BYTES])
{
    key_set *made = NULL;
    dx_err err = load(t, &made, why);

    if (err != DX_OK)
        return err;
    pthread_mutex_lock(&t->lock);
    key_set *old = t->keys;
    t->keys = made;
    pthread_mutex_unlock(&t->lock);
    key_set_unref(old);
    return DX_OK;
}

void dx_tokens_free(dx_tokens *t)
{
    if (t == NULL)
        return;
    key_set_unref(t->keys);
    for (size_t i = 0; i < t->files_count; i++) {
        free(t->issuers[i]);
        free((char *)(uintptr_t)t->files[i]);
    }
    free(t->audience);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

const char *const *dx_tokens_files(const dx_tokens *t, size_t *count)
{
    *count = t->files_count;
    return t->files;
}

/* ---- checking ---------------------------------------------------------------------------------- */

static dx_err refuse(const char *text, char why[DX_WHY_BYTES])
{
    snprintf(why, DX_WHY_BYTES, "%s", text);
    return DX_ERR_NAME;
}

static dx_err check_time(const dx_jwt_claims *c, uint64_t now_ms, char why[DX_WHY_BYTES])
{
    if (!c->has_expires)
        return refuse("it has no exp: a token must end", why);
    if (now_ms >= c->expires_s * 1000 + DX_TOKEN_LEEWAY_MS) {
        snprintf(why, DX_WHY_BYTES, "it has expired (exp), %llu s ago",
                 (unsigned long long)(now_ms / 1000 - c->expires_s));
        return DX_ERR_NAME;
    }
    if (c->has_not_before && c->not_before_s * 1000 > now_ms + DX_TOKEN_LEEWAY_MS) {
        snprintf(why, DX_WHY_BYTES, "it is not valid yet (nbf), for %llu s",
                 (unsigned long long)(c->not_before_s - now_ms / 1000));
        return DX_ERR_NAME;
    }
    return DX_OK;
}

static dx_err check_audience(const dx_jwt_claims *c, const char *wanted, char why[DX_WHY_BYTES])
{
    bool is_wanted = wanted && wanted[0];

    if (c->audience.at == NULL)
        return is_wanted ? refuse("it has no aud, and access.token_audience asks for one", why)
                         : DX_OK;
    if (!is_wanted)
        return refuse("it is for somebody else (aud): access.token_audience is not set", why);
    return dx_jwt_audience_has(c->audience, dx_bytes_of(wanted))
               ? DX_OK
               : refuse("it is for somebody else (aud)", why);
}

dx_err dx_token_claims_check(const dx_jwt_claims *claims, const char *audience, uint64_t now_ms,
                             char why[DX_WHY_BYTES])
{
    dx_err err = check_time(claims, now_ms, why);

    if (err == DX_OK)
        err = check_audience(claims, audience, why);
    if (err == DX_OK && claims->subject.at && !dx_subject_is_good(claims->subject))
        err = refuse("its sub is no name of 1 to 255 bytes without controls", why);
    return err;
}

static dx_err principal_of(const dx_tokens *t, const dx_jwt_claims *c, uint64_t now_ms,
                           dx_principal **ret, char why[DX_WHY_BYTES])
{
    dx_err err = dx_token_claims_check(c, t->audience, now_ms, why);
    const dx_principal like = {.proof = DX_PROOF_TOKEN,
                               .subject = c->subject,
                               .token_id = c->id,
                               .issued_ms = c->issued_s * 1000,
                               .until_ms = c->expires_s * 1000 + DX_TOKEN_LEEWAY_MS};

    return err == DX_OK ? dx_principal_new(&like, c->capabilities, ret, why) : err;
}

static bool is_candidate(const dx_key *key, const dx_jwt *jwt)
{
    dx_bytes id = dx_key_id(key);

    return dx_key_alg(key) == jwt->alg &&
           (jwt->kid.at == NULL || id.size == 0 || dx_bytes_equal(id, jwt->kid));
}

static bool is_issuer(const held_key *held, const dx_jwt_claims *c)
{
    return held->issuer == NULL || dx_bytes_equal(c->issuer, dx_bytes_of(held->issuer));
}

/* The key that proves it, of those that may: two issuers can have keys of one id. */
static dx_err find_proof(const key_set *set, const dx_jwt *jwt, uint8_t *memory, dx_jwt_claims *ret,
                         char why[DX_WHY_BYTES])
{
    const char *fault = "no key here is for its alg and kid";
    dx_jwt_proved proved;
    size_t tries = 0;

    for (size_t i = 0; i < set->count && tries < DX_TOKEN_TRIES_MAX; i++) {
        if (!is_candidate(set->at[i].key, jwt))
            continue;
        tries++;
        if (tries == 1)
            fault = "its signature is wrong";
        if (!dx_key_check(set->at[i].key, jwt, &proved))
            continue;
        dx_jwt_fault bad = dx_jwt_claims_read(&proved, memory, ret);
        if (bad != DX_JWT_OK)
            return refuse(dx_jwt_fault_text(bad), why);
        if (is_issuer(&set->at[i], ret))
            return DX_OK;
        fault = "it is of another issuer (iss) than its key";
    }
    return refuse(fault, why);
}

dx_err dx_tokens_check(dx_tokens *t, dx_bytes token, uint64_t now_ms, dx_principal **ret,
                       char why[DX_WHY_BYTES])
{
    uint8_t of_head[DX_JWT_MEMORY_BYTES], of_claims[DX_JWT_MEMORY_BYTES];
    dx_jwt_claims claims;
    dx_jwt jwt;
    dx_jwt_fault fault = dx_jwt_read(token, of_head, &jwt);

    if (fault != DX_JWT_OK)
        return refuse(dx_jwt_fault_text(fault), why);
    key_set *set = current(t);
    dx_err err = find_proof(set, &jwt, of_claims, &claims, why);
    key_set_unref(set);
    return err == DX_OK ? principal_of(t, &claims, now_ms, ret, why) : err;
}
