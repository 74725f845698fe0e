/* Tokens, taken apart.
 * SPDX-License-Identifier: MIT */
#include "codec/jwt.h"

#include "base/assert.h"
#include "codec/base64.h"
#include "codec/json.h"

enum { DEPTH_MAX = 8 };

const char *dx_jwt_fault_text(dx_jwt_fault fault)
{
    static const char *const texts[DX_JWT_FAULT_COUNT] = {
        [DX_JWT_OK] = "it is one",
        [DX_JWT_TOO_LARGE] = "it is larger than 8 KiB",
        [DX_JWT_FORM] = "it does not have three parts with points between them",
        [DX_JWT_BASE64] = "a part of it is not base64url without padding",
        [DX_JWT_HEADER] = "its header is not a JSON object whose members all differ",
        [DX_JWT_ALG] = "its alg is none of HS, RS, PS, ES with 256, 384, 512, and EdDSA",
        [DX_JWT_CRIT] = "it has a crit, and no extension is understood here",
        [DX_JWT_KID] = "its kid is not a text of 1 to 255 bytes",
        [DX_JWT_CLAIMS] = "its claims are not a JSON object whose members all differ",
        [DX_JWT_CLAIM] = "one of iss, sub, aud, jti, exp, nbf, iat is not what RFC 7519 says",
    };

    dx_assert(fault < DX_JWT_FAULT_COUNT);
    return texts[fault];
}

static const char *const alg_names[DX_JWT_ALG_COUNT] = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                                        "RS512", "PS256", "PS384", "PS512", "ES256",
                                                        "ES384", "ES512", "EdDSA"};

const char *dx_jwt_alg_name(dx_jwt_alg alg)
{
    dx_assert(alg < DX_JWT_ALG_COUNT);
    return alg_names[alg];
}

bool dx_jwt_alg_of(dx_bytes name, dx_jwt_alg *ret)
{
    for (unsigned i = 0; i < DX_JWT_ALG_COUNT; i++)
        if (dx_bytes_equal(name, dx_bytes_of(alg_names[i]))) {
            *ret = (dx_jwt_alg)i;
            return true;
        }
    return false;
}

/* Memory that is handed out from the front. */
typedef struct room {
    uint8_t *at;
    size_t size;
} room;

static bool decode(dx_bytes part, room *r, dx_bytes *ret)
{
    size_t size;

    if (!dx_base64url_read(part, r->at, r->size, &size))
        return false;
    *ret = dx_bytes_at(r->at, size);
    r->at += size;
    r->size -= size;
    return true;
}

static bool is_object(dx_bytes text)
{
    size_t error_at;

    return dx_json_check(text, DEPTH_MAX, &error_at) == DX_JSON_OK &&
           dx_json_object_is_distinct(text);
}

/* The member as text, decoded; ret->at stays NULL if it is not there. False: it is something else. */
static bool read_text(dx_bytes object, const char *name, room *r, dx_bytes *ret)
{
    dx_bytes value;

    if (!dx_json_object_find(object, dx_bytes_of(name), &value))
        return true;
    if (dx_json_type_of(value) != DX_JSON_TEXT || value.size > r->size)
        return false;
    size_t size = dx_json_string_read(value, r->at);
    *ret = dx_bytes_at(r->at, size);
    r->at += size;
    r->size -= size;
    return size > 0 && size <= DX_JWT_TEXT_BYTES_MAX;
}

/* ---- the header -------------------------------------------------------------------------------- */

static dx_jwt_fault read_header(dx_bytes header, room *r, dx_jwt *to)
{
    dx_bytes alg = {0}, crit;

    if (!is_object(header))
        return DX_JWT_HEADER;
    if (dx_json_object_find(header, DX_BYTES("crit"), &crit))
        return DX_JWT_CRIT;
    if (!read_text(header, "alg", r, &alg) || !dx_jwt_alg_of(alg, &to->alg))
        return DX_JWT_ALG;
    return read_text(header, "kid", r, &to->kid) ? DX_JWT_OK : DX_JWT_KID;
}

dx_jwt_fault dx_jwt_read(dx_bytes token, uint8_t memory[static DX_JWT_MEMORY_BYTES], dx_jwt *ret)
{
    room r = {memory, DX_JWT_MEMORY_BYTES};
    dx_bytes rest = token, head, payload, signature, header;
    dx_jwt made = {0};

    if (token.size > DX_JWT_BYTES_MAX)
        return DX_JWT_TOO_LARGE;
    if (!dx_bytes_split(&rest, '.', &head) || !dx_bytes_split(&rest, '.', &payload) ||
        !dx_bytes_split(&rest, '.', &signature) || rest.at != NULL)
        return DX_JWT_FORM;
    if (!decode(head, &r, &header) || !decode(signature, &r, &made.signature))
        return DX_JWT_BASE64;
    made.sealed = payload;
    made.signed_text = dx_bytes_at(token.at, head.size + 1 + payload.size);
    dx_jwt_fault fault = read_header(header, &r, &made);
    if (fault == DX_JWT_OK)
        *ret = made;
    return fault;
}

/* ---- claims ------------------------------------------------------------------------------------ */

/* A NumericDate: a number that is not negative, its fraction cut off. One with an exponent is none: nobody
 * writes the time so. */
static bool read_time(dx_bytes object, const char *name, bool *has, uint64_t *ret)
{
    dx_bytes value, whole;

    if (!dx_json_object_find(object, dx_bytes_of(name), &value))
        return true;
    if (dx_json_type_of(value) != DX_JSON_NUMERIC || !dx_bytes_split(&value, '.', &whole) ||
        dx_bytes_find(value, 'e') < value.size || dx_bytes_find(value, 'E') < value.size)
        return false;
    *has = true;
    return dx_bytes_decimal(whole, UINT64_C(1) << 53, ret);
}

static bool is_audience(dx_bytes audience)
{
    dx_json_items items;
    dx_bytes one;

    if (dx_json_type_of(audience) == DX_JSON_TEXT)
        return true;
    if (dx_json_type_of(audience) != DX_JSON_ARRAY || !dx_json_items_init(&items, audience))
        return false;
    while (dx_json_array_next(&items, &one))
        if (dx_json_type_of(one) != DX_JSON_TEXT)
            return false;
    return true;
}

static bool read_claims(dx_bytes all, room *r, dx_jwt_claims *to)
{
    if (dx_json_object_find(all, DX_BYTES("aud"), &to->audience) && !is_audience(to->audience))
        return false;
    (void)dx_json_object_find(all, DX_BYTES("duplex"), &to->capabilities);
    return read_text(all, "iss", r, &to->issuer) && read_text(all, "sub", r, &to->subject) &&
           read_text(all, "jti", r, &to->id) &&
           read_time(all, "exp", &to->has_expires, &to->expires_s) &&
           read_time(all, "nbf", &to->has_not_before, &to->not_before_s) &&
           read_time(all, "iat", &to->has_issued, &to->issued_s);
}

dx_jwt_fault dx_jwt_claims_read(const dx_jwt_proved *proved,
                                uint8_t memory[static DX_JWT_MEMORY_BYTES], dx_jwt_claims *ret)
{
    room r = {memory, DX_JWT_MEMORY_BYTES};
    dx_jwt_claims made = {0};

    if (!decode(proved->payload, &r, &made.all))
        return DX_JWT_BASE64;
    if (!is_object(made.all))
        return DX_JWT_CLAIMS;
    if (!read_claims(made.all, &r, &made))
        return DX_JWT_CLAIM;
    *ret = made;
    return DX_JWT_OK;
}

static bool is_text_of(dx_bytes text, dx_bytes wanted)
{
    uint8_t memory[6 * DX_JWT_TEXT_BYTES_MAX + 2];

    return text.size <= sizeof memory &&
           dx_bytes_equal(dx_bytes_at(memory, dx_json_string_read(text, memory)), wanted);
}

bool dx_jwt_audience_has(dx_bytes audience, dx_bytes wanted)
{
    dx_json_items items;
    dx_bytes one;

    if (dx_json_type_of(audience) == DX_JSON_TEXT)
        return is_text_of(audience, wanted);
    if (!dx_json_items_init(&items, audience))
        return false;
    while (dx_json_array_next(&items, &one))
        if (is_text_of(one, wanted))
            return true;
    return false;
}
