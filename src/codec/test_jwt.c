/* Tokens and JSON Web Keys taken apart; base64url.
 * SPDX-License-Identifier: MIT */
#include "codec/base64.h"
#include "codec/jwk.h"
#include "tests/tap.h"

static uint8_t memory[DX_JWT_MEMORY_BYTES];

/* base64url of both, and an empty signature. */
static dx_bytes token_of(const char *header, const char *claims)
{
    static char text[16384];
    size_t size = DX_BASE64URL_TEXT_SIZE(strlen(header));

    dx_base64url_write(dx_bytes_of(header), text);
    text[size++] = '.';
    dx_base64url_write(dx_bytes_of(claims), text + size);
    size += DX_BASE64URL_TEXT_SIZE(strlen(claims));
    text[size++] = '.';
    return dx_bytes_at(text, size);
}

TEST("RFC 4648 §5, RFC 7515 §2 base64url: strictly, and back")
{
    static const char *const bad[] = {
        "A", "AAAAA", "AB", "AAB", "AA==", "AA+A", "AA/A", "AA A", "AA\nA", "AAA\x80"};
    uint8_t bytes[40], back[40];
    char text[64];
    size_t size;

    for (size_t n = 0; n < sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(0xff - i * 13);
        dx_base64url_write(dx_bytes_at(bytes, n), text);
        CHECK(dx_base64url_read(dx_bytes_at(text, DX_BASE64URL_TEXT_SIZE(n)), back, n, &size));
        CHECK_MEM(back, size, bytes, n);
        CHECK(n == 0 ||
              !dx_base64url_read(dx_bytes_at(text, DX_BASE64URL_TEXT_SIZE(n)), back, n - 1, &size));
    }
    for (size_t i = 0; i < DX_COUNT(bad); i++)
        if (dx_base64url_read(dx_bytes_of(bad[i]), back, sizeof back, &size))
            TAP_FAIL("%s was taken", bad[i]);
}

TEST("RFC 7515 §7.1 a token has three parts, and of its header alg and kid count")
{
    dx_jwt jwt;

    CHECK_INT(
        dx_jwt_read(
            token_of("{\"alg\":\"ES256\",\"kid\":\"k\\u0031\",\"jku\":\"https://evil.example\","
                     "\"x5u\":\"file:///etc/passwd\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}",
                     "{}"),
            memory, &jwt),
        DX_JWT_OK);
    CHECK_INT(jwt.alg, DX_JWT_ES256);
    CHECK_BYTES(jwt.kid, "k1");
    CHECK_BYTES(jwt.sealed, "e30");
    CHECK_INT(jwt.signature.size, 0);
    CHECK_INT(dx_jwt_read(token_of("{\"alg\":\"EdDSA\"}", "{}"), memory, &jwt), DX_JWT_OK);
    CHECK(jwt.kid.at == NULL);
}

TEST("a header that is not to be trusted")
{
    static const struct {
        const char *header;
        dx_jwt_fault fault;
    } rows[] = {
        {"", DX_JWT_HEADER},
        {"[]", DX_JWT_HEADER},
        {"{\"alg\":\"HS256\"", DX_JWT_HEADER},
        {"{\"alg\":\"HS256\",\"alg\":\"none\"}", DX_JWT_HEADER},
        {"{\"alg\":\"HS256\",\"\\u0061lg\":\"none\"}", DX_JWT_HEADER},
        {"{}", DX_JWT_ALG},
        {"{\"alg\":\"none\"}", DX_JWT_ALG},
        {"{\"alg\":\"None\"}", DX_JWT_ALG},
        {"{\"alg\":\"nOnE\"}", DX_JWT_ALG},
        {"{\"alg\":\"\"}", DX_JWT_ALG},
        {"{\"alg\":null}", DX_JWT_ALG},
        {"{\"alg\":[\"HS256\"]}", DX_JWT_ALG},
        {"{\"alg\":\"hs256\"}", DX_JWT_ALG},
        {"{\"alg\":\"HS256 \"}", DX_JWT_ALG},
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", DX_JWT_CRIT},
        {"{\"alg\":\"HS256\",\"crit\":[]}", DX_JWT_CRIT},
        {"{\"alg\":\"HS256\",\"kid\":7}", DX_JWT_KID},
        {"{\"alg\":\"HS256\",\"kid\":\"\"}", DX_JWT_KID},
    };
    dx_jwt jwt;

    for (size_t i = 0; i < DX_COUNT(rows); i++)
        if (dx_jwt_read(token_of(rows[i].header, "{}"), memory, &jwt) != rows[i].fault)
            TAP_FAIL("%s", rows[i].header);
}

TEST("what is no compact form with one signature")
{
    static const char *const bad[] = {
        "", ".", "..", "a.b", "e30.e30", "e30.e30.e30.e30", "e30.e30.e30.e30.e30"};
    static char large[DX_JWT_BYTES_MAX + 2];
    dx_jwt jwt;

    for (size_t i = 0; i < DX_COUNT(bad); i++)
        CHECK(dx_jwt_read(dx_bytes_of(bad[i]), memory, &jwt) != DX_JWT_OK);
    CHECK_INT(dx_jwt_read(dx_bytes_of("e30=.e30.e30"), memory, &jwt), DX_JWT_BASE64);
    CHECK_INT(dx_jwt_read(dx_bytes_of("e30.e30.e3+"), memory, &jwt), DX_JWT_BASE64);
    memset(large, 'A', sizeof large);
    CHECK_INT(dx_jwt_read(dx_bytes_at(large, DX_JWT_BYTES_MAX + 1), memory, &jwt),
              DX_JWT_TOO_LARGE);
}

static dx_jwt_fault read_claims(const char *json, dx_jwt_claims *ret)
{
    static char text[16384];

    dx_base64url_write(dx_bytes_of(json), text);
    dx_jwt_proved proved = {dx_bytes_at(text, DX_BASE64URL_TEXT_SIZE(strlen(json)))};
    return dx_jwt_claims_read(&proved, memory, ret);
}

TEST("RFC 7519 §4.1 claims are what they should be, or the token is none")
{
    static const char *const bad[] = {
        "{\"exp\":\"1\"}", "{\"exp\":-1}",   "{\"exp\":1e9}", "{\"exp\":9007199254740993}",
        "{\"nbf\":null}",  "{\"iat\":true}", "{\"iss\":7}",   "{\"sub\":[]}",
        "{\"sub\":\"\"}",  "{\"jti\":{}}",   "{\"aud\":7}",   "{\"aud\":[7]}"};
    dx_jwt_claims c;

    CHECK_INT(
        read_claims(
            "{\"iss\":\"i\",\"sub\":\"ad\\u0061\",\"jti\":\"t\",\"aud\":[\"x\",\"y\\u007a\"],\"exp\":12.9,"
            "\"nbf\":0,\"iat\":11,\"duplex\":[],\"more\":{\"a\":1}}",
            &c),
        DX_JWT_OK);
    CHECK_BYTES(c.issuer, "i");
    CHECK_BYTES(c.subject, "ada");
    CHECK_BYTES(c.id, "t");
    CHECK_BYTES(c.capabilities, "[]");
    CHECK(c.has_expires && c.expires_s == 12 && c.has_not_before && c.not_before_s == 0 &&
          c.issued_s == 11);
    CHECK(dx_jwt_audience_has(c.audience, dx_bytes_of("yz")) &&
          !dx_jwt_audience_has(c.audience, dx_bytes_of("z")));
    CHECK_INT(read_claims("{}", &c), DX_JWT_OK);
    CHECK(c.subject.at == NULL && !c.has_expires && c.audience.at == NULL);
    for (size_t i = 0; i < DX_COUNT(bad); i++)
        if (read_claims(bad[i], &c) != DX_JWT_CLAIM)
            TAP_FAIL("%s", bad[i]);
    CHECK_INT(read_claims("{\"sub\":\"a\",\"sub\":\"b\"}", &c), DX_JWT_CLAIMS);
    CHECK_INT(read_claims("[]", &c), DX_JWT_CLAIMS);
    CHECK_INT(read_claims("", &c), DX_JWT_CLAIMS);
}

TEST("RFC 7517 §5 a set: keys for something else are passed over, an alg fits its kind")
{
    static const struct {
        const char *json;
        dx_jwk_status status;
    } rows[] = {
        {"{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"a\",\"alg\":\"HS384\"}", DX_JWK_OK},
        {"{\"kty\":\"RSA\",\"n\":\"AAAA\",\"e\":\"AQAB\",\"alg\":\"PS512\",\"use\":\"sig\"}",
         DX_JWK_OK},
        {"{\"kty\":\"RSA\",\"n\":\"AAAA\",\"e\":\"AQAB\",\"alg\":\"HS256\"}", DX_JWK_MISFIT},
        {"{\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"RS256\"}", DX_JWK_MISFIT},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"A\",\"y\":\"A\",\"alg\":\"ES384\"}",
         DX_JWK_MISFIT},
        {"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"A\",\"y\":\"A\"}", DX_JWK_UNUSED},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"A\"}", DX_JWK_UNUSED},
        {"{\"kty\":\"RSA\",\"n\":\"AAAA\",\"e\":\"AQAB\",\"use\":\"enc\"}", DX_JWK_UNUSED},
        {"{\"kty\":\"RSA\",\"n\":\"AAAA\",\"e\":\"AQAB\",\"alg\":\"RSA-OAEP\"}", DX_JWK_UNUSED},
        {"{\"kty\":\"RSA\",\"n\":\"AAAA\",\"e\":\"AQAB\",\"key_ops\":[\"encrypt\"]}",
         DX_JWK_UNUSED},
        {"{\"kty\":\"AKP\"}", DX_JWK_UNUSED},
        {"{\"kty\":7}", DX_JWK_BAD},
        {"{\"kty\":\"oct\"}", DX_JWK_BAD},
        {"{\"kty\":\"oct\",\"k\":\"A\",\"k\":\"B\"}", DX_JWK_BAD},
        {"7", DX_JWK_BAD},
    };
    dx_jwks it;
    dx_jwk jwk;
    dx_bytes one;

    for (size_t i = 0; i < DX_COUNT(rows); i++)
        if (dx_jwk_read(dx_bytes_of(rows[i].json), &jwk) != rows[i].status)
            TAP_FAIL("%s", rows[i].json);
    CHECK(dx_jwks_init(&it, dx_bytes_of("{\"keys\": [ {\"a\":1} , {\"b\":2} ]}")));
    CHECK(dx_jwks_next(&it, &one) && one.size == 7 && dx_jwks_next(&it, &one) &&
          !dx_jwks_next(&it, &one));
    CHECK(dx_jwks_init(&it, dx_bytes_of("{\"kty\":\"oct\"}")) && dx_jwks_next(&it, &one) &&
          !dx_jwks_next(&it, &one));
    CHECK(!dx_jwks_init(&it, dx_bytes_of("{}")) && !dx_jwks_init(&it, dx_bytes_of("[]")) &&
          !dx_jwks_init(&it, dx_bytes_of("{\"keys\":{}}")) &&
          !dx_jwks_init(&it, dx_bytes_of("nonsense")));
}
