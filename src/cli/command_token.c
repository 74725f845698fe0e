/* duplex token: makes keys and tokens, and tells what is in a token and what is wrong with it.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "cli/value.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/stream_time.h"
#include "crypto/key.h"
#include "serve/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 65536, TTL_MS_DEFAULT = 3600000, ID_BYTES = 12 };

typedef struct token_options {
    const char *what, *token;
    const char *key, *sub, *id, *issuer, *audience, *alg, *out, *capabilities;
    dx_cli_texts can;
    uint64_t ttl_ms;
} token_options;

static int fail(const char *what, const char *why)
{
    dx_cli_say("token", "%.200s: %.600s", what, why);
    return DX_EXIT_FAILURE;
}

/* ---- files ------------------------------------------------------------------------------------- */

static int read_key(const char *name, dx_key **ret)
{
    char text[FILE_BYTES_MAX], why[DX_KEY_WHY_BYTES] = "out of memory";
    FILE *file = fopen(name, "re");
    dx_jwks it;
    dx_jwk jwk;
    dx_bytes one;

    if (file == NULL)
        return fail(name, dx_err_text(dx_err_from_errno(errno)));
    dx_bytes whole = dx_bytes_at(text, fread(text, 1, sizeof text, file));
    fclose(file);
    dx_err err = DX_ERR_NAME;
    if (memmem(whole.at, whole.size, "-----BEGIN ", 11))
        err = dx_key_from_pem(whole, ret, why);
    else if (!dx_jwks_init(&it, whole) || !dx_jwks_next(&it, &one) ||
             dx_jwk_read(one, &jwk) != DX_JWK_OK)
        snprintf(why, sizeof why,
                 "it holds neither a key in PEM nor a JSON Web Key for signatures");
    else
        err = dx_key_from_jwk(&jwk, ret, why);
    explicit_bzero(text, sizeof text);
    return err == DX_OK ? DX_EXIT_OK : fail(name, why);
}

/* What is secret is for its owner alone; nothing that is there is written over. */
static int write_new(const char *name, const char *text, mode_t mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    size_t size = strlen(text);

    if (fd < 0)
        return fail(name,
                    errno == EEXIST ? "it exists already" : dx_err_text(dx_err_from_errno(errno)));
    bool ok = write(fd, text, size) == (ssize_t)size;
    ok = close(fd) == 0 && ok;
    return ok ? DX_EXIT_OK : fail(name, "cannot write it");
}

/* ---- key --------------------------------------------------------------------------------------- */

static int write_key(const dx_key *key, const char *out)
{
    char text[DX_KEY_TEXT_BYTES_MAX], name[4096];
    dx_err err = dx_key_write(key, true, text);

    if (err != DX_OK)
        return fail("key", dx_err_text(err));
    if (out == NULL) {
        printf("%s", text);
        return DX_EXIT_OK;
    }
    int code = write_new(out, text, 0600);
    explicit_bzero(text, sizeof text);
    if (code != DX_EXIT_OK)
        return code;
    if (dx_key_alg(key) <= DX_JWT_HS512) {
        printf("%s signs and checks: keep it secret; the server has it as access.token_keys\n",
               out);
        return DX_EXIT_OK;
    }
    if (dx_key_write(key, false, text) != DX_OK ||
        snprintf(name, sizeof name, "%s.pub", out) >= (int)sizeof name)
        return fail(out, "cannot write its public half");
    code = write_new(name, text, 0644);
    if (code == DX_EXIT_OK)
        printf("%s signs: keep it secret; %s checks: the server has it as access.token_keys\n", out,
               name);
    return code;
}

static int run_key(const token_options *o)
{
    dx_jwt_alg alg;
    dx_key *key;

    if (!dx_jwt_alg_of(dx_bytes_of(o->alg), &alg))
        return fail(o->alg, "not an algorithm");
    dx_err err = dx_key_make(alg, &key);
    if (err != DX_OK)
        return fail(o->alg, dx_err_text(err));
    int code = write_key(key, o->out);
    dx_key_unref(key);
    return code;
}

/* ---- make -------------------------------------------------------------------------------------- */

static void put(FILE *to, const char *name, const char *text)
{
    uint8_t json[6 * 1024 + 2];
    size_t size = text ? dx_json_write_string(dx_bytes_of(text), json, sizeof json) : 0;

    if (size > 0 && size <= sizeof json)
        fprintf(to, ",\"%s\":%.*s", name, (int)size, (const char *)json);
}

/* "read,publish:/rooms/general" */
static bool put_capability(FILE *to, const char *text)
{
    uint8_t json[6 * DX_CAPABILITY_PATTERN_MAX + 2];
    dx_bytes pattern = dx_bytes_of(text), actions, action;
    bool is_first = true;

    if (!dx_bytes_split(&pattern, ':', &actions) || pattern.at == NULL ||
        pattern.size > DX_CAPABILITY_PATTERN_MAX)
        return false;
    size_t size = dx_json_write_string(pattern, json, sizeof json);
    fprintf(to, "{\"stream\":%.*s,\"may\":[", (int)size, (const char *)json);
    for (; dx_bytes_split(&actions, ',', &action); is_first = false)
        fprintf(to, "%s\"%.*s\"", is_first ? "" : ",", DX_FORMAT(action));
    fprintf(to, "]}");
    return true;
}

static bool put_capabilities(FILE *to, const token_options *o)
{
    bool ok = true;

    if (o->capabilities) {
        fprintf(to, ",\"duplex\":%s", o->capabilities);
        return true;
    }
    if (o->can.count == 0)
        return true;
    fprintf(to, ",\"duplex\":[");
    for (size_t i = 0; i < o->can.count; i++) {
        fprintf(to, "%s", i > 0 ? "," : "");
        ok = put_capability(to, o->can.at[i]) && ok;
    }
    fprintf(to, "]");
    return ok;
}

static bool put_claims(FILE *to, const token_options *o)
{
    uint64_t now_s = dx_clock_wall_ms() / 1000;
    uint8_t random[ID_BYTES];
    char id[DX_BASE64URL_TEXT_SIZE(ID_BYTES) + 1] = "";

    dx_random_fill(random, sizeof random);
    dx_base64url_write(dx_bytes_at(random, sizeof random), id);
    fprintf(to, "{\"iat\":%llu,\"exp\":%llu", (unsigned long long)now_s,
            (unsigned long long)(now_s + o->ttl_ms / 1000));
    put(to, "jti", o->id ? o->id : id);
    put(to, "sub", o->sub);
    put(to, "iss", o->issuer);
    put(to, "aud", o->audience);
    bool ok = put_capabilities(to, o);
    fprintf(to, "}");
    return ok;
}

/* What the server would say of these claims. */
static int check_claims(dx_bytes claims)
{
    char why[DX_WHY_BYTES] = "out of memory";
    dx_bytes capabilities = {0};
    dx_principal *who;
    size_t error_at;

    if (dx_json_check(claims, 8, &error_at) != DX_JSON_OK)
        return fail("--capabilities", "it is no JSON");
    (void)dx_json_object_find(claims, DX_BYTES("duplex"), &capabilities);
    if (dx_principal_new(&(dx_principal){.proof = DX_PROOF_TOKEN}, capabilities, &who, why) !=
        DX_OK)
        return fail("capabilities", why);
    dx_principal_unref(who);
    return DX_EXIT_OK;
}

static void put_part(dx_buffer *to, dx_bytes part, bool *ok)
{
    size_t size = DX_BASE64URL_TEXT_SIZE(part.size);

    if (!*ok || !dx_buffer_reserve(to, size + 1)) {
        *ok = false;
        return;
    }
    dx_base64url_write(part, (char *)to->at + to->size);
    to->size += size;
}

static int sign_and_print(const dx_key *key, dx_bytes claims)
{
    uint8_t signature[DX_KEY_SIGNATURE_BYTES_MAX], kid[6 * DX_JWT_TEXT_BYTES_MAX + 2];
    char header[sizeof kid + 64];
    size_t size = 0, kid_size = dx_json_write_string(dx_key_id(key), kid, sizeof kid);
    dx_buffer text = {0};
    bool ok = true;

    int header_size = snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"%s%.*s}",
                               dx_jwt_alg_name(dx_key_alg(key)), kid_size > 2 ? ",\"kid\":" : "",
                               kid_size > 2 ? (int)kid_size : 0, (const char *)kid);
    put_part(&text, dx_bytes_at(header, (size_t)header_size), &ok);
    ok = ok && dx_buffer_append(&text, DX_BYTES("."));
    put_part(&text, claims, &ok);
    dx_err err = ok ? dx_key_sign(key, dx_buffer_view(&text), signature, &size) : DX_ERR_MEMORY;
    ok = err == DX_OK && dx_buffer_append(&text, DX_BYTES("."));
    put_part(&text, dx_bytes_at(signature, size), &ok);
    bool is_too_large = text.size > DX_JWT_BYTES_MAX;
    if (ok && !is_too_large)
        printf("%.*s\n", (int)text.size, (const char *)text.at);
    dx_buffer_clear(&text);
    if (err == DX_ERR_UNSUPPORTED)
        return fail("--key", "it is a public key: it checks tokens; the private one signs");
    return ok && !is_too_large ? DX_EXIT_OK
                               : fail("make", is_too_large ? "the token would be larger than 8 KiB"
                                                           : "out of memory");
}

static int run_make(const token_options *o)
{
    char *claims = NULL;
    size_t size = 0;
    dx_key *key;

    if (o->key == NULL)
        return fail("make", "--key FILE must be given: what `duplex token key` made");
    int code = read_key(o->key, &key);
    if (code != DX_EXIT_OK)
        return code;
    FILE *to = open_memstream(&claims, &size);
    bool ok = to && put_claims(to, o);
    if (to)
        fclose(to);
    if (!ok)
        code = fail("--can", "it is ACTION[,ACTION]:PATTERN, such as read,publish:/rooms/*");
    else
        code = check_claims(dx_bytes_at(claims, size));
    if (code == DX_EXIT_OK)
        code = sign_and_print(key, dx_bytes_at(claims, size));
    free(claims);
    dx_key_unref(key);
    return code;
}

/* ---- inspect ----------------------------------------------------------------------------------- */

static void print_time(const char *name, bool has, uint64_t seconds)
{
    uint8_t text[DX_STREAM_TIME_MAX];
    int64_t left = (int64_t)seconds - (int64_t)(dx_clock_wall_ms() / 1000);

    if (!has)
        return;
    size_t size = dx_stream_time_write(seconds * 1000, text);
    printf("%-10s %.*s, %lld s %s\n", name, (int)size, (const char *)text,
           (long long)(left < 0 ? -left : left), left < 0 ? "ago" : "from now");
}

/* For people to look at: nothing is believed of it here. */
static void print_part(const char *name, dx_bytes part)
{
    uint8_t text[DX_JWT_BYTES_MAX];
    size_t size;

    if (!dx_base64url_read(part, text, sizeof text, &size)) {
        printf("%-10s (not base64url)\n", name);
        return;
    }
    for (size_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] == 0x7f)
            text[i] = ' ';
    printf("%-10s %.*s\n", name, (int)size, (const char *)text);
}

static int print_verdict(const token_options *o, const dx_jwt *jwt, const dx_key *key)
{
    uint8_t memory[DX_JWT_MEMORY_BYTES];
    char why[DX_WHY_BYTES] = "out of memory";
    dx_jwt_proved proved = {jwt->sealed};
    dx_jwt_claims claims;
    dx_principal *who;

    bool is_proved = key && dx_key_check(key, jwt, &proved);
    dx_jwt_fault fault = dx_jwt_claims_read(&proved, memory, &claims);
    if (fault == DX_JWT_OK) {
        print_time("issued", claims.has_issued, claims.issued_s);
        print_time("begins", claims.has_not_before, claims.not_before_s);
        print_time("ends", claims.has_expires, claims.expires_s);
    }
    if (key && dx_key_alg(key) != jwt->alg)
        return fail("signature", "the key is for another algorithm than the token's alg");
    if (key && !is_proved)
        return fail("signature", "it is not by this key, or the token was changed");
    printf("%-10s %s\n", "signature", key ? "good" : "not checked: give --key FILE");
    if (fault != DX_JWT_OK)
        return fail("token", dx_jwt_fault_text(fault));
    const char *audience = o->audience ? o->audience : "";
    if (claims.audience.at && !o->audience)
        claims.audience = (dx_bytes){0}; /* whose it should be was not said */
    if (dx_token_claims_check(&claims, audience, dx_clock_wall_ms(), why) != DX_OK ||
        dx_principal_new(&(dx_principal){.proof = DX_PROOF_TOKEN}, claims.capabilities, &who,
                         why) != DX_OK)
        return fail("token", why);
    printf("%-10s %zu\n", "rights", who->capabilities_count);
    dx_principal_unref(who);
    return DX_EXIT_OK;
}

static int inspect(const token_options *o, dx_bytes token)
{
    uint8_t memory[DX_JWT_MEMORY_BYTES];
    dx_bytes rest = token, part;
    dx_key *key = NULL;
    dx_jwt jwt;
    int code = o->key ? read_key(o->key, &key) : DX_EXIT_OK;

    if (code != DX_EXIT_OK)
        return code;
    if (token.size <= DX_JWT_BYTES_MAX && dx_bytes_split(&rest, '.', &part))
        print_part("header", part);
    if (token.size <= DX_JWT_BYTES_MAX && dx_bytes_split(&rest, '.', &part))
        print_part("claims", part);
    dx_jwt_fault fault = dx_jwt_read(token, memory, &jwt);
    code =
        fault == DX_JWT_OK ? print_verdict(o, &jwt, key) : fail("token", dx_jwt_fault_text(fault));
    dx_key_unref(key);
    return code;
}

static int run_inspect(const token_options *o)
{
    char memory[DX_JWT_BYTES_MAX + 2];
    dx_bytes token = o->token ? dx_bytes_of(o->token) : (dx_bytes){0};

    if (o->token == NULL || strcmp(o->token, "-") == 0)
        token = dx_bytes_at(memory, fread(memory, 1, sizeof memory, stdin));
    while (token.size > 0 && (token.at[token.size - 1] == '\n' || token.at[token.size - 1] == ' '))
        token.size--;
    return inspect(o, token);
}

/* ---- the command ------------------------------------------------------------------------------- */

static int run(const void *options)
{
    const token_options *o = options;

    if (strcmp(o->what, "key") == 0)
        return run_key(o);
    if (strcmp(o->what, "make") == 0)
        return run_make(o);
    if (strcmp(o->what, "inspect") == 0)
        return run_inspect(o);
    dx_cli_say("token", "\"%.64s\": allowed: key, make, inspect", o->what);
    return DX_EXIT_USAGE;
}

static const char *const algs[] = {"HS256", "HS384", "HS512", "ES256",
                                   "ES384", "ES512", "EdDSA", NULL};

#define TEXT(option_name, value_name, help_text, field_name)                                       \
    {                                                                                              \
        .name = option_name, .value = value_name, .help = help_text, .kind = DX_CLI_TEXT,          \
        .at = offsetof(token_options, field_name)                                                  \
    }

static const dx_cli_option token_rows[] = {
    {.name = "alg",
     .value = "ALG",
     .help = "key: for HS256 (a secret; default), HS384, HS512, ES256, ES384, ES512, EdDSA",
     .kind = DX_CLI_TEXT,
     .at = offsetof(token_options, alg),
     .choices = algs},
    TEXT("out", "FILE",
         "key: where to write it; of a pair the public half beside it, FILE.pub\n"
         "(default: to stdout)",
         out),
    TEXT("key", "FILE", "make: signs with it; inspect: checks the signature by it. PEM or JWK",
         key),
    TEXT("sub", "NAME", "make: who it is for", sub),
    {.name = "can",
     .value = "WHAT",
     .help = "make: read,publish,create,delete,presence:/PATH; segments may be * or {sub}, the\n"
             "last one **; again for more",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(token_options, can)},
    TEXT("capabilities", "JSON", "make: the same as the claim duplex has it, with all bounds",
         capabilities),
    {.name = "ttl",
     .value = "TIME",
     .help = "make: how long it is good for, 1s to 3650d (default 1h)",
     .kind = DX_CLI_DURATION,
     .at = offsetof(token_options, ttl_ms),
     .min = 1000,
     .max = UINT64_C(3650) * 86400000},
    TEXT("id", "TEXT", "make: its id, to revoke it by (default: a random one)", id),
    TEXT("issuer", "TEXT", "make: who issues it (iss)", issuer),
    TEXT("audience", "TEXT", "make: for whom it is (aud); inspect: what that should be", audience),
};

static const dx_cli_argument token_arguments[] = {
    {"WHAT", "key, make or inspect", offsetof(token_options, what), false},
    {"TOKEN", "inspect: the token; - or nothing: from stdin", offsetof(token_options, token), true},
};

static const token_options token_defaults = {.alg = "HS256", .ttl_ms = TTL_MS_DEFAULT};

const dx_cli_command dx_cli_token = {
    .name = "token",
    .summary = "makes keys and tokens, and tells what is in a token",
    .about =
        "duplex token key makes a key. duplex token make signs a token with it, and prints it.\n"
        "duplex token inspect prints what is in one, and ends with 1 and a line that says what is\n"
        "wrong with it, if something is. docs/access.md tells what capabilities are.",
    .options = token_rows,
    .options_count = DX_COUNT(token_rows),
    .arguments = token_arguments,
    .arguments_count = DX_COUNT(token_arguments),
    .defaults = &token_defaults,
    .struct_bytes = sizeof token_defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run,
};
