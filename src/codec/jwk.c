/* Keys in JSON.
 * SPDX-License-Identifier: MIT */
#include "codec/jwk.h"

#include "codec/json.h"

bool dx_jwks_init(dx_jwks *it, dx_bytes text)
{
    size_t error_at;
    dx_bytes keys;
    dx_json_items items;

    *it = (dx_jwks){0};
    if (dx_json_check(text, DX_JWK_DEPTH_MAX, &error_at) != DX_JSON_OK ||
        dx_json_type_of(text) != DX_JSON_OBJECT)
        return false;
    if (!dx_json_object_find(text, DX_BYTES("keys"), &keys)) {
        it->single = text;
        return dx_json_object_find(text, DX_BYTES("kty"), &keys);
    }
    if (dx_json_type_of(keys) != DX_JSON_ARRAY || !dx_json_items_init(&items, keys))
        return false;
    it->rest = items.rest;
    return true;
}

bool dx_jwks_next(dx_jwks *it, dx_bytes *key)
{
    dx_json_items items = {it->rest};

    if (it->single.size > 0) {
        *key = it->single;
        it->single = (dx_bytes){0};
        return true;
    }
    bool has = dx_json_array_next(&items, key);
    it->rest = items.rest;
    return has;
}

/* The inside of a text without escapes; empty if it is not there. False: it is something else. */
static bool plain(dx_bytes key, const char *name, dx_bytes *ret)
{
    dx_bytes value;

    *ret = (dx_bytes){0};
    if (!dx_json_object_find(key, dx_bytes_of(name), &value))
        return true;
    if (dx_json_type_of(value) != DX_JSON_TEXT || dx_bytes_find(value, '\\') < value.size)
        return false;
    *ret = dx_bytes_at(value.at + 1, value.size - 2);
    return true;
}

static bool is(dx_bytes text, const char *wanted)
{
    return dx_bytes_equal(text, dx_bytes_of(wanted));
}

static bool is_for_signatures(dx_bytes key, dx_bytes use)
{
    dx_bytes operations;

    return (use.size == 0 || is(use, "sig")) &&
           (!dx_json_object_find(key, DX_BYTES("key_ops"), &operations) ||
            dx_jwt_audience_has(operations, DX_BYTES("verify")) ||
            dx_jwt_audience_has(operations, DX_BYTES("sign")));
}

static bool read_kid(dx_bytes key, dx_jwk *to)
{
    dx_bytes value;

    if (!dx_json_object_find(key, DX_BYTES("kid"), &value))
        return true;
    if (dx_json_type_of(value) != DX_JSON_TEXT || value.size > sizeof to->kid)
        return false;
    to->kid_size = dx_json_string_read(value, to->kid);
    return to->kid_size > 0;
}

/* What its kind and curve mean by themselves. False: a curve that is not used. */
static bool natural_alg(const dx_jwk *key, dx_jwt_alg *ret)
{
    switch (key->kind) {
    case DX_JWK_OCT: *ret = DX_JWT_HS256; return true;
    case DX_JWK_RSA: *ret = DX_JWT_RS256; return true;
    case DX_JWK_OKP:
        *ret = DX_JWT_EDDSA;
        return is(key->curve, "Ed25519") || is(key->curve, "Ed448");
    case DX_JWK_EC: break;
    }
    *ret = is(key->curve, "P-256")   ? DX_JWT_ES256
           : is(key->curve, "P-384") ? DX_JWT_ES384
                                     : DX_JWT_ES512;
    return is(key->curve, "P-256") || is(key->curve, "P-384") || is(key->curve, "P-521");
}

/* The kind is known. A key of an algorithm is for that alone, so that a public key is never a secret. */
static dx_jwk_status read_alg(dx_bytes name, dx_jwk *to)
{
    dx_jwt_alg natural, alg;

    if (!natural_alg(to, &natural))
        return DX_JWK_UNUSED;
    to->alg = natural;
    if (name.size == 0)
        return DX_JWK_OK;
    if (!dx_jwt_alg_of(name, &alg))
        return DX_JWK_UNUSED;
    bool fits = alg == natural || (to->kind == DX_JWK_OCT && alg <= DX_JWT_HS512) ||
                (to->kind == DX_JWK_RSA && alg >= DX_JWT_RS256 && alg <= DX_JWT_PS512);
    to->alg = alg;
    return fits ? DX_JWK_OK : DX_JWK_MISFIT;
}

static bool read_kind(dx_bytes name, dx_jwk_kind *ret)
{
    static const char *const names[] = {"oct", "RSA", "EC", "OKP"};

    for (unsigned i = 0; i < DX_COUNT(names); i++)
        if (is(name, names[i])) {
            *ret = (dx_jwk_kind)i;
            return true;
        }
    return false;
}

static bool has_numbers(const dx_jwk *key)
{
    switch (key->kind) {
    case DX_JWK_OCT: return key->secret.size > 0;
    case DX_JWK_RSA: return key->n.size > 0 && key->e.size > 0;
    case DX_JWK_EC: return key->x.size > 0 && key->y.size > 0;
    case DX_JWK_OKP: return key->x.size > 0;
    }
    return false;
}

dx_jwk_status dx_jwk_read(dx_bytes key, dx_jwk *ret)
{
    dx_jwk made = {0};
    dx_bytes kind, alg, use;

    if (dx_json_type_of(key) != DX_JSON_OBJECT || !dx_json_object_is_distinct(key) ||
        !plain(key, "kty", &kind) || !plain(key, "alg", &alg) || !plain(key, "use", &use) ||
        !plain(key, "crv", &made.curve) || !plain(key, "k", &made.secret) ||
        !plain(key, "n", &made.n) || !plain(key, "e", &made.e) || !plain(key, "x", &made.x) ||
        !plain(key, "y", &made.y) || !read_kid(key, &made))
        return DX_JWK_BAD;
    if (!read_kind(kind, &made.kind) || !is_for_signatures(key, use))
        return DX_JWK_UNUSED;
    dx_jwk_status status = read_alg(alg, &made);
    if (status == DX_JWK_OK && !has_numbers(&made))
        status = DX_JWK_BAD;
    if (status == DX_JWK_OK)
        *ret = made;
    return status;
}
