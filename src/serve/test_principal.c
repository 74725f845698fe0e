/* Principals: capabilities from JSON, patterns, what they allow; with allocations that fail.
 * SPDX-License-Identifier: MIT */
#include "serve/principal.h"
#include "codec/json.h"
#include "tests/tap.h"

#include <stdlib.h>

static size_t fail_at; /* the allocation that fails; 0: none */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    if (fail_at > 0 && --fail_at == 0)
        return NULL;
    return __real_calloc(count, size);
}

static dx_err make(const char *json, dx_principal **ret, char why[DX_WHY_BYTES])
{
    const dx_principal like = {.proof = DX_PROOF_TOKEN,
                               .subject = dx_bytes_of("ada"),
                               .token_id = dx_bytes_of("id-1"),
                               .issued_ms = 7,
                               .until_ms = 9000};
    size_t error_at;

    if (json[0])
        CHECK_INT(dx_json_check(dx_bytes_of(json), 8, &error_at), DX_JSON_OK);
    return dx_principal_new(&like, dx_bytes_of(json), ret, why);
}

TEST("a principal is a copy of what it is made of")
{
    char why[DX_WHY_BYTES];
    dx_principal *who;

    CHECK_INT(
        make("[{\"stream\":\"/rooms/*\",\"may\":[\"read\",\"publish\"],\"history\":0,\"rate\":10,"
             "\"message_max\":4096,\"until\":1700000000},"
             " {\"may\" : [ \"presence\" ], \"stream\" : \"\\/caf\\u00e9/**\"}]",
             &who, why),
        DX_OK);
    CHECK_BYTES(who->subject, "ada");
    CHECK_BYTES(who->token_id, "id-1");
    CHECK(who->issued_ms == 7 && who->until_ms == 9000);
    CHECK_INT(who->capabilities_count, 2);
    const dx_capability *c = who->capabilities;
    CHECK_BYTES(c[0].pattern, "/rooms/*");
    CHECK_INT(c[0].may, DX_BIT(DX_ACTION_READ) | DX_BIT(DX_ACTION_PUBLISH));
    CHECK(c[0].has_history && c[0].history_max == 0 && c[0].rate_max == 10);
    CHECK(c[0].message_bytes_max == 4096 && c[0].until_ms == 1700000000000);
    CHECK_BYTES(c[1].pattern, "/caf\xc3\xa9/**");
    CHECK(!c[1].has_history && c[1].rate_max == 0 && c[1].until_ms == DX_FOR_EVER);
    dx_principal *same = dx_principal_ref(who);
    dx_principal_unref(who);
    CHECK_BYTES(same->subject, "ada");
    dx_principal_unref(same);
    dx_principal_unref(NULL);
}

TEST("what is no capability is refused with what is allowed, and nothing is left")
{
    static const char *const bad[] = {
        "{}",
        "\"/x\"",
        "[1]",
        "[{}]",
        "[{\"stream\":\"/x\"}]",
        "[{\"may\":[\"read\"]}]",
        "[{\"stream\":\"/x\",\"may\":[]}]",
        "[{\"stream\":\"/x\",\"may\":\"read\"}]",
        "[{\"stream\":\"/x\",\"may\":[\"write\"]}]",
        "[{\"stream\":\"/x\",\"may\":[\"read\",7]}]",
        "[{\"stream\":\"x\",\"may\":[\"read\"]}]",
        "[{\"stream\":\"/\",\"may\":[\"read\"]}]",
        "[{\"stream\":7,\"may\":[\"read\"]}]",
        "[{\"stream\":\"/a*\",\"may\":[\"read\"]}]",
        "[{\"stream\":\"/**/a\",\"may\":[\"read\"]}]",
        "[{\"stream\":\"/a/***\",\"may\":[\"read\"]}]",
        "[{\"stream\":\"/{user}/a\",\"may\":[\"read\"]}]",
        "[{\"stream\":\"/x\",\"may\":[\"read\"],\"history\":-1}]",
        "[{\"stream\":\"/x\",\"may\":[\"read\"],\"history\":1.5}]",
        "[{\"stream\":\"/x\",\"may\":[\"read\"],\"history\":\"1h\"}]",
        "[{\"stream\":\"/x\",\"may\":[\"read\"],\"history\":4294967296}]",
        "[{\"stream\":\"/x\",\"may\":[\"read\"],\"rate\":0}]",
        "[{\"stream\":\"/x\",\"may\":[\"read\"],\"message_max\":0}]",
        "[{\"stream\":\"/x\",\"may\":[\"read\"],\"until\":99999999999999999999}]",
        "[{\"stream\":\"/x\",\"may\":[\"read\"],\"until\":1e9}]",
        "[{\"stream\":\"/x\",\"may\":[\"read\"],\"ip\":\"10.0.0.0/8\"}]",
        "[{\"stream\":\"/x\",\"stream\":\"/**\",\"may\":[\"read\"]}]",
        "[{\"stream\":\"/x\",\"may\":[\"read\"],\"\\u006day\":[\"delete\"]}]",
    };
    char why[DX_WHY_BYTES];
    dx_principal *who;

    for (size_t i = 0; i < DX_COUNT(bad); i++) {
        why[0] = '\0';
        if (make(bad[i], &who, why) != DX_ERR_NAME || why[0] == '\0')
            TAP_FAIL("%s was taken", bad[i]);
    }
}

TEST("64 capabilities are taken, not 65")
{
    static const char one[] = "{\"stream\":\"/x\",\"may\":[\"read\"]}";
    char text[66 * sizeof one + 3] = "[", why[DX_WHY_BYTES];
    dx_principal *who;

    for (int i = 0; i < 64; i++)
        strcat(strcat(text, i ? "," : ""), one);
    strcat(text, "]");
    CHECK_INT(make(text, &who, why), DX_OK);
    CHECK_INT(who->capabilities_count, 64);
    dx_principal_unref(who);
    text[strlen(text) - 1] = ',';
    strcat(strcat(text, one), "]");
    CHECK_INT(make(text, &who, why), DX_ERR_NAME);
}

TEST("which paths fit a pattern")
{
    static const struct {
        const char *pattern, *path;
        bool fits;
    } rows[] = {
        {"/a/b", "/a/b", true},
        {"/a/b", "/a/b/", false},
        {"/a/b", "/a", false},
        {"/a/b", "/a/B", false},
        {"/a/*", "/a/b", true},
        {"/a/*", "/a/", false},
        {"/a/*", "/a/b/c", false},
        {"/a/*/c", "/a/b/c", true},
        {"/a/*/c", "/a/b/d", false},
        {"/a/**", "/a/b", true},
        {"/a/**", "/a/b/c/d", true},
        {"/a/**", "/a", false},
        {"/a/**", "/a/", false},
        {"/a/**", "/ab/c", false},
        {"/**", "/a", true},
        {"/u/{sub}/**", "/u/ada/x", true},
        {"/u/{sub}/**", "/u/bob/x", false},
        {"/u/{sub}/**", "/u/adam/x", false},
        {"/u/{sub}/**", "/u/{sub}/x", false},
        {"/a/b/", "/a/b/", true},
        {"/a/*/", "/a/b", false},
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++)
        if (dx_capability_fits(dx_bytes_of(rows[i].pattern), dx_bytes_of("ada"),
                               dx_bytes_of(rows[i].path)) != rows[i].fits)
            TAP_FAIL("%s and %s", rows[i].pattern, rows[i].path);
    CHECK(!dx_capability_fits(dx_bytes_of("/u/{sub}"), (dx_bytes){NULL, 0}, dx_bytes_of("/u/")));
    CHECK(!dx_capability_fits(dx_bytes_of("/u/{sub}"), dx_bytes_of("a/b"), dx_bytes_of("/u/a/b")));
}

TEST("the first capability that fits, allows and has not ended counts")
{
    char why[DX_WHY_BYTES];
    dx_principal *who;

    CHECK_INT(make("[{\"stream\":\"/a/x\",\"may\":[\"publish\"],\"rate\":1,\"until\":2},"
                   "{\"stream\":\"/a/*\",\"may\":[\"publish\"],\"rate\":2},"
                   "{\"stream\":\"/a/**\",\"may\":[\"publish\",\"read\"],\"rate\":3}]",
                   &who, why),
              DX_OK);
    CHECK_INT(dx_principal_capability(who, DX_ACTION_PUBLISH, dx_bytes_of("/a/x"), 1999)->rate_max,
              1);
    CHECK_INT(dx_principal_capability(who, DX_ACTION_PUBLISH, dx_bytes_of("/a/x"), 2000)->rate_max,
              2);
    CHECK_INT(dx_principal_capability(who, DX_ACTION_READ, dx_bytes_of("/a/x"), 0)->rate_max, 3);
    CHECK(dx_principal_capability(who, DX_ACTION_DELETE, dx_bytes_of("/a/x"), 0) == NULL);
    CHECK(dx_principal_capability(who, DX_ACTION_READ, dx_bytes_of("/b"), 0) == NULL);
    dx_principal_unref(who);
}

TEST("memory that is out is said, and nothing is left")
{
    char why[DX_WHY_BYTES];
    dx_principal *who = NULL;

    fail_at = 1;
    CHECK_INT(make("[{\"stream\":\"/x\",\"may\":[\"read\"]}]", &who, why), DX_ERR_MEMORY);
    CHECK(who == NULL);
}
