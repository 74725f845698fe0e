/* Keys: the examples of the RFCs, each kind made, written, read and used, and what is refused.
 * SPDX-License-Identifier: MIT */
#include "crypto/key.h"

#include "codec/base64.h"
#include "tests/tap.h"

static dx_key *key_of(const char *json)
{
    char why[DX_KEY_WHY_BYTES] = "";
    dx_jwks it;
    dx_bytes one = {0};
    dx_jwk jwk;
    dx_key *key = NULL;

    CHECK(dx_jwks_init(&it, dx_bytes_of(json)) && dx_jwks_next(&it, &one));
    CHECK_INT(dx_jwk_read(one, &jwk), DX_JWK_OK);
    if (dx_key_from_jwk(&jwk, &key, why) != DX_OK)
        TAP_FAIL("%s", why);
    return key;
}

static bool checks(const dx_key *key, dx_bytes token)
{
    static uint8_t memory[DX_JWT_MEMORY_BYTES];
    dx_jwt_proved proved;
    dx_jwt jwt;

    return dx_jwt_read(token, memory, &jwt) == DX_JWT_OK && dx_key_check(key, &jwt, &proved);
}

#define CLAIMS                                                                                     \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

static const struct {
    const char *name, *key, *token;
} examples[] = {
    {"RFC 7515 A.1",
     "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
     "\"}",
     "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." CLAIMS
     ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
    {"RFC 7515 A.2",
     "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0"
     "Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB"
     "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethF"
     "kMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}",
     "eyJhbGciOiJSUzI1NiJ9." CLAIMS
     ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7"
     "t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j"
     "zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQG"
     "e77Rw"},
    {"RFC 7515 A.3",
     "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
     "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
     "eyJhbGciOiJFUzI1NiJ9." CLAIMS
     ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
    {"RFC 8037 A.4",
     "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
};

TEST("RFC 7515 appendix A, RFC 8037 A.4: the examples hold, each with its own key and no other")
{
    for (size_t i = 0; i < DX_COUNT(examples); i++)
        for (size_t k = 0; k < DX_COUNT(examples); k++) {
            dx_key *key = key_of(examples[k].key);
            if (checks(key, dx_bytes_of(examples[i].token)) != (i == k))
                TAP_FAIL("%s by the key of %s", examples[i].name, examples[k].name);
            dx_key_unref(key);
        }
}

TEST("a token with any byte changed, or a signature of another length, holds no more")
{
    for (size_t i = 0; i < DX_COUNT(examples); i++) {
        dx_key *key = key_of(examples[i].key);
        size_t size = strlen(examples[i].token);
        char *copy = strdup(examples[i].token);
        for (size_t k = 0; k < size; k += i == 1 ? 7 : 3) {
            copy[k] = (char)(copy[k] == 'A' ? 'B' : 'A');
            if (strcmp(copy, examples[i].token) != 0 && checks(key, dx_bytes_of(copy)))
                TAP_FAIL("%s with byte %zu changed", examples[i].name, k);
            copy[k] = examples[i].token[k];
        }
        for (size_t cut = 1; cut < 12; cut++)
            CHECK(!checks(key, dx_bytes_at(copy, size - cut)));
        free(copy);
        dx_key_unref(key);
    }
}

/* header.claims.signature, put together here. */
static dx_bytes signed_by(const dx_key *key, char memory[2048])
{
    uint8_t signature[DX_KEY_SIGNATURE_BYTES_MAX];
    char header[64];
    size_t size;

    int header_size =
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", dx_jwt_alg_name(dx_key_alg(key)));
    dx_base64url_write(dx_bytes_at(header, (size_t)header_size), memory);
    size_t used = DX_BASE64URL_TEXT_SIZE((size_t)header_size);
    used += (size_t)snprintf(memory + used, 2048 - used, ".e30");
    CHECK_INT(dx_key_sign(key, dx_bytes_at(memory, used), signature, &size), DX_OK);
    memory[used++] = '.';
    dx_base64url_write(dx_bytes_at(signature, size), memory + used);
    return dx_bytes_at(memory, used + DX_BASE64URL_TEXT_SIZE(size));
}

TEST(
    "each kind that can be made signs, and is the same after it was written and read; its public half checks")
{
    static const dx_jwt_alg algs[] = {DX_JWT_HS256, DX_JWT_HS384, DX_JWT_HS512, DX_JWT_ES256,
                                      DX_JWT_ES384, DX_JWT_ES512, DX_JWT_EDDSA};
    char text[DX_KEY_TEXT_BYTES_MAX], token[2048], why[DX_KEY_WHY_BYTES];
    dx_key *made, *read;

    for (size_t i = 0; i < DX_COUNT(algs); i++) {
        CHECK_INT(dx_key_make(algs[i], &made), DX_OK);
        dx_bytes whole = signed_by(made, token);
        CHECK(checks(made, whole));
        CHECK_INT(dx_key_write(made, true, text), DX_OK);
        bool is_secret = algs[i] <= DX_JWT_HS512;
        read = is_secret ? key_of(text) : NULL;
        if (!is_secret)
            CHECK_INT(dx_key_from_pem(dx_bytes_of(text), &read, why), DX_OK);
        CHECK(dx_key_alg(read) == algs[i] && dx_key_can_sign(read) && checks(read, whole));
        dx_key_unref(read);
        CHECK_INT(dx_key_write(made, false, text), is_secret ? DX_ERR_UNSUPPORTED : DX_OK);
        if (!is_secret) {
            CHECK_INT(dx_key_from_pem(dx_bytes_of(text), &read, why), DX_OK);
            CHECK(!dx_key_can_sign(read) && checks(read, whole));
            dx_key_unref(read);
        }
        dx_key_unref(made);
    }
    CHECK_INT(dx_key_make(DX_JWT_RS256, &made), DX_ERR_UNSUPPORTED);
}

TEST("RFC 7518 §3.2 a secret shorter than its hash is refused, and so are numbers that are no key")
{
    static const char *const bad[] = {
        "{\"kty\":\"oct\",\"k\":\"AAAA\"}",
        "{\"kty\":\"oct\",\"alg\":\"HS512\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
        "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+A\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        /* not on the curve */
        ("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
         "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}"),
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
    };
    char why[DX_KEY_WHY_BYTES];
    dx_key *key;
    dx_jwk jwk;

    for (size_t i = 0; i < DX_COUNT(bad); i++) {
        CHECK_INT(dx_jwk_read(dx_bytes_of(bad[i]), &jwk), DX_JWK_OK);
        why[0] = '\0';
        if (dx_key_from_jwk(&jwk, &key, why) != DX_ERR_NAME || why[0] == '\0')
            TAP_FAIL("%s was taken", bad[i]);
    }
    CHECK_INT(
        dx_key_from_pem(dx_bytes_of("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
                        &key, why),
        DX_ERR_NAME);
    CHECK_INT(dx_key_from_pem(dx_bytes_of(""), &key, why), DX_ERR_NAME);
}
