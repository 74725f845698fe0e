/* Tokens and JSON Web Keys: whatever comes, views stay inside, and what is taken keeps its promises; base64url both
 * ways.
 * Input: a token; the same as a set of keys, and as base64url.
 * SPDX-License-Identifier: MIT */
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/jwk.h"
#include "fuzz/fuzz.h"

static void check_claims(dx_bytes sealed)
{
    static uint8_t memory[DX_JWT_MEMORY_BYTES];
    const dx_jwt_proved proved = {sealed};
    dx_bytes room = dx_bytes_at(memory, sizeof memory);
    dx_jwt_claims c;

    if (dx_jwt_claims_read(&proved, memory, &c) != DX_JWT_OK)
        return;
    FUZZ_CHECK(dx_json_object_is_distinct(c.all) && fuzz_is_inside(c.all, room));
    const dx_bytes texts[] = {c.issuer, c.subject, c.id};
    for (size_t i = 0; i < DX_COUNT(texts); i++)
        FUZZ_CHECK(texts[i].at == NULL || (fuzz_is_inside(texts[i], room) && texts[i].size > 0 &&
                                           texts[i].size <= DX_JWT_TEXT_BYTES_MAX));
    FUZZ_CHECK(fuzz_is_inside(c.audience, c.all) && fuzz_is_inside(c.capabilities, c.all));
    if (c.audience.at)
        (void)dx_jwt_audience_has(c.audience, DX_BYTES("x"));
}

static void check_token(dx_bytes token)
{
    static uint8_t memory[DX_JWT_MEMORY_BYTES];
    dx_bytes room = dx_bytes_at(memory, sizeof memory);
    dx_jwt jwt;

    if (dx_jwt_read(token, memory, &jwt) != DX_JWT_OK)
        return;
    FUZZ_CHECK(token.size <= DX_JWT_BYTES_MAX && (unsigned)jwt.alg < DX_JWT_ALG_COUNT);
    FUZZ_CHECK(fuzz_is_inside(jwt.signed_text, token) && fuzz_is_inside(jwt.sealed, token));
    FUZZ_CHECK(jwt.signed_text.at == token.at && fuzz_is_inside(jwt.sealed, jwt.signed_text));
    FUZZ_CHECK(fuzz_is_inside(jwt.signature, room) && fuzz_is_inside(jwt.kid, room));
    FUZZ_CHECK(jwt.kid.at == NULL || (jwt.kid.size > 0 && jwt.kid.size <= DX_JWT_TEXT_BYTES_MAX));
    check_claims(jwt.sealed);
}

static void check_keys(dx_bytes text)
{
    dx_jwks it;
    dx_bytes one;
    dx_jwk jwk;

    if (!dx_jwks_init(&it, text))
        return;
    while (dx_jwks_next(&it, &one)) {
        FUZZ_CHECK(fuzz_is_inside(one, text));
        if (dx_jwk_read(one, &jwk) != DX_JWK_OK)
            continue;
        FUZZ_CHECK((jwk.kind == DX_JWK_OCT) == (jwk.alg <= DX_JWT_HS512));
        FUZZ_CHECK((jwk.kind == DX_JWK_OKP) == (jwk.alg == DX_JWT_EDDSA));
        FUZZ_CHECK(fuzz_is_inside(jwk.n, one) && fuzz_is_inside(jwk.x, one) &&
                   fuzz_is_inside(jwk.secret, one));
    }
}

/* There is one text for each row of bytes. */
static void check_base64url(dx_bytes text)
{
    uint8_t *bytes = malloc(text.size + 1);
    char *back = malloc(text.size + 4);
    size_t size;

    if (dx_base64url_read(text, bytes, text.size, &size)) {
        FUZZ_CHECK(DX_BASE64URL_TEXT_SIZE(size) == text.size);
        dx_base64url_write(dx_bytes_at(bytes, size), back);
        FUZZ_CHECK(dx_bytes_equal(dx_bytes_at(back, text.size), text));
    }
    free(bytes);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes text = fuzz_copy(dx_bytes_at(data, size));

    check_token(text);
    check_claims(text);
    check_keys(text);
    check_base64url(text);
    fuzz_free(text);
    return 0;
}
