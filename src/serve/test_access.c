/* Who may do what: policies, trusted networks, subjects, origins; and as requests see it.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"
#include "serve/test_peer.h"
#include "tests/tap.h"

#include <unistd.h>

/* ---- policies ---------------------------------------------------------------------------------- */

TEST(
    "a policy that is left out: anyone; below {sub} only the owner reads, deletes and sees presence")
{
    dx_access access;

    CHECK_INT(dx_access_init(&access, &(dx_stream_access){0}, false), DX_OK);
    for (int i = 0; i < DX_ACTIONS_COUNT; i++)
        CHECK_INT(access.may[i], DX_MAY_ANYONE);
    CHECK_INT(dx_access_init(&access, &(dx_stream_access){0}, true), DX_OK);
    CHECK_INT(access.may[DX_ACTION_READ], DX_MAY_SUB);
    CHECK_INT(access.may[DX_ACTION_PUBLISH], DX_MAY_ANYONE);
    CHECK_INT(access.may[DX_ACTION_CREATE], DX_MAY_ANYONE);
    CHECK_INT(access.may[DX_ACTION_DELETE], DX_MAY_SUB);
    CHECK_INT(access.may[DX_ACTION_PRESENCE], DX_MAY_SUB);
}

TEST("a policy says what it says, and {sub} must be there to be asked for")
{
    dx_stream_access wanted = {DX_MAY_KNOWN, DX_MAY_NOBODY, DX_MAY_SUB, DX_MAY_ANYONE,
                               DX_MAY_KNOWN};
    dx_access access;

    CHECK_INT(dx_access_init(&access, &wanted, true), DX_OK);
    CHECK_INT(access.may[DX_ACTION_READ], DX_MAY_KNOWN);
    CHECK_INT(access.may[DX_ACTION_PUBLISH], DX_MAY_NOBODY);
    CHECK_INT(access.may[DX_ACTION_CREATE], DX_MAY_SUB);
    CHECK_INT(access.may[DX_ACTION_DELETE], DX_MAY_ANYONE);
    CHECK_INT(access.may[DX_ACTION_PRESENCE], DX_MAY_KNOWN);
    CHECK_INT(dx_access_init(&access, &wanted, false), DX_ERR_NAME);
    wanted.create = (dx_stream_may)(DX_MAY_TOKEN + 1);
    CHECK_INT(dx_access_init(&access, &wanted, true), DX_ERR_NAME);
}

static dx_principal *somebody(const char *subject, const char *capabilities)
{
    char why[DX_WHY_BYTES];
    dx_principal *who = NULL;
    const dx_principal like = {
        .proof = DX_PROOF_TOKEN, .subject = dx_bytes_of(subject), .until_ms = 5000};

    CHECK_INT(dx_principal_new(&like, dx_bytes_of(capabilities), &who, why), DX_OK);
    return who;
}

/* At 1000 ms, to publish at /u/ada/x, where {sub} is ada. */
static dx_verdict verdict_on(dx_stream_may may, const dx_principal *who, uint64_t now_ms,
                             dx_grant *ret)
{
    dx_access policy;

    memset(policy.may, DX_MAY_NOBODY, sizeof policy.may);
    policy.may[DX_ACTION_PUBLISH] = (uint8_t)may;
    return dx_access_judge(
        &policy, &(dx_deed){DX_ACTION_PUBLISH, dx_bytes_of("/u/ada/x"), dx_bytes_of("ada")}, who,
        now_ms, ret);
}

TEST("the verdict on each policy for nobody, the owner, somebody else, and who has a capability")
{
    enum { A = DX_VERDICT_ALLOWED, U = DX_VERDICT_UNKNOWN, F = DX_VERDICT_FORBIDDEN };
    static const struct {
        dx_stream_may may;
        int of[6], expired;
    } rows[] = {
        {DX_MAY_ANYONE, {A, A, A, A, A, A}, A}, {DX_MAY_NOBODY, {F, F, F, F, F, F}, F},
        {DX_MAY_KNOWN, {U, A, A, A, U, A}, U},  {DX_MAY_SUB, {U, A, F, F, U, F}, U},
        {DX_MAY_TOKEN, {U, F, F, A, A, F}, U},  {DX_MAY_DEFAULT, {F, F, F, F, F, F}, F},
    };
    static const char can[] = "[{\"stream\":\"/u/*/x\",\"may\":[\"publish\"]}]";
    static const char other[] = "[{\"stream\":\"/u/*/x\",\"may\":[\"read\",\"delete\"]}]";
    dx_principal *who[6] = {NULL,
                            somebody("ada", ""),
                            somebody("bob", ""),
                            somebody("bob", can),
                            somebody("", can),
                            somebody("bob", other)};
    dx_grant grant;

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        for (size_t k = 0; k < DX_COUNT(who); k++)
            if ((int)verdict_on(rows[i].may, who[k], 1000, &grant) != rows[i].of[k])
                TAP_FAIL("policy %u for %zu", rows[i].may, k);
        CHECK_INT(verdict_on(rows[i].may, who[3], 5000, &grant), rows[i].expired);
    }
    /* A name is its bytes: no case, no beginning of it. */
    dx_principal *near[] = {somebody("Ada", ""), somebody("ad", "")};
    for (size_t i = 0; i < DX_COUNT(near); i++)
        CHECK_INT(verdict_on(DX_MAY_SUB, near[i], 1000, &grant), F);
    for (size_t i = 0; i < DX_COUNT(who); i++)
        dx_principal_unref(who[i]);
    for (size_t i = 0; i < DX_COUNT(near); i++)
        dx_principal_unref(near[i]);
}

TEST("a grant says what it rests on, and ends with the first of principal and capability")
{
    dx_principal *who = somebody(
        "ada", "[{\"stream\":\"/u/{sub}/**\",\"may\":[\"publish\"],\"rate\":3,\"until\":2}]");
    dx_grant grant;

    CHECK_INT(verdict_on(DX_MAY_ANYONE, who, 1000, &grant), DX_VERDICT_ALLOWED);
    CHECK(!grant.is_personal && grant.by == NULL && grant.until_ms == DX_FOR_EVER);
    CHECK_INT(verdict_on(DX_MAY_SUB, who, 1000, &grant), DX_VERDICT_ALLOWED);
    CHECK(grant.is_personal && grant.by == NULL && grant.until_ms == 5000);
    CHECK_INT(verdict_on(DX_MAY_TOKEN, who, 1000, &grant), DX_VERDICT_ALLOWED);
    CHECK(grant.is_personal && grant.by == who->capabilities && grant.until_ms == 2000);
    CHECK_INT(verdict_on(DX_MAY_TOKEN, who, 2000, &grant), DX_VERDICT_FORBIDDEN);
    dx_principal_unref(who);
}

/* ---- trust -------------------------------------------------------------------------------------- */

TEST("what is a network and what is not")
{
    static const char *const good[] = {"127.0.0.1/8", "10.0.0.0/8", "192.168.1.7", "0.0.0.0/0",
                                       "::1",         "fd00::/8",   "::/0",        "10.1.2.3/32",
                                       "::1/128",     "unix"};
    static const char *const bad[] = {
        "",          "127.0.0.1/", "127.0.0.1/33", "::1/129",     "127.0.0.1/8/8", "127.0.0/8",
        "localhost", "unix:/x",    "[::1]",        "10.0.0.0/-1", "10.0.0.0/ 8",   "256.0.0.0/8",
        "Unix",      "/8",         "1.2.3.4:80"};
    dx_trust_range range;

    for (size_t i = 0; i < DX_COUNT(good); i++)
        if (!dx_trust_range_read(dx_bytes_of(good[i]), &range))
            TAP_FAIL("%s was refused", good[i]);
    for (size_t i = 0; i < DX_COUNT(bad); i++)
        if (dx_trust_range_read(dx_bytes_of(bad[i]), &range))
            TAP_FAIL("\"%s\" was taken", bad[i]);
    CHECK(!dx_trust_range_read(dx_bytes_at("10.0.0.0\0", 9), &range));
}

static bool trusts(const char *from, const char *peer)
{
    dx_trust trust;
    dx_address address;

    CHECK_INT(dx_trust_init(&trust, "X-Subject", from), DX_OK);
    CHECK_INT(dx_address_parse(dx_bytes_of(peer), &address), DX_OK);
    bool has = dx_trust_has(&trust, &address);
    dx_trust_deinit(&trust);
    return has;
}

TEST("whose word counts: networks to the bit, IPv4 also when it comes in IPv6")
{
    static const struct {
        const char *from, *peer;
        bool is_trusted;
    } rows[] = {
        {"", "127.0.0.1:1", false},
        {"127.0.0.1/8", "127.0.0.1:1", true},
        {"127.0.0.1/8", "127.255.255.255:1", true},
        {"127.0.0.1/8", "128.0.0.0:1", false},
        {"127.0.0.1", "127.0.0.1:1", true},
        {"127.0.0.1", "127.0.0.2:1", false},
        {"10.20.48.0/20", "10.20.63.255:1", true},
        {"10.20.48.0/20", "10.20.64.0:1", false},
        {"10.20.48.0/20", "10.20.47.255:1", false},
        {"127.0.0.1/8", "[::ffff:127.0.0.1]:1", true},
        {"127.0.0.1/8", "[::1]:1", false},
        {"0.0.0.0/0", "[::1]:1", false},
        {"0.0.0.0/0", "1.2.3.4:1", true},
        {"::/0", "1.2.3.4:1", true},
        {"fd00::/7", "[fd00::1]:1", true},
        {"fd00::/7", "[fe00::1]:1", false},
        {"unix", "unix:/run/x", true},
        {"unix", "127.0.0.1:1", false},
        {"::/0", "unix:/run/x", false},
        {"  10.0.0.1  ::1 ", "[::1]:1", true},
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++)
        if (trusts(rows[i].from, rows[i].peer) != rows[i].is_trusted)
            TAP_FAIL("\"%s\" and %s", rows[i].from, rows[i].peer);
}

TEST("a trust that makes no sense is refused, and leaves nothing")
{
    char many[33 * 8 + 1] = "";
    dx_trust trust;

    CHECK_INT(dx_trust_init(&trust, "X Subject", ""), DX_ERR_NAME);
    CHECK_INT(dx_trust_init(&trust, "X-Subject:", ""), DX_ERR_NAME);
    CHECK_INT(dx_trust_init(&trust, "X-Subject", "10.0.0.0/99"), DX_ERR_ADDRESS);
    for (int i = 0; i < 33; i++)
        strcat(many, "1.2.3.4 ");
    CHECK_INT(dx_trust_init(&trust, "X-Subject", many), DX_ERR_TOO_LARGE);
    many[32 * 8] = '\0';
    CHECK_INT(dx_trust_init(&trust, "X-Subject", many), DX_OK);
    dx_trust_deinit(&trust);
    CHECK_INT(dx_trust_init(&trust, NULL, NULL), DX_OK);
    CHECK(trust.header == NULL);
}

TEST("§5.3 a subject stands in exactly one field, and is a name")
{
    dx_trust trust;
    dx_http_field memory[4];
    dx_http_fields fields = {.at = memory, .count_max = 4};
    static char long_name[257];

    memset(long_name, 'a', 256);
    CHECK_INT(dx_trust_init(&trust, "X-Subject", ""), DX_OK);
    CHECK(dx_trust_subject(&trust, &fields).at == NULL);
    dx_http_fields_add(&fields, dx_bytes_of("Other"), dx_bytes_of("eve"));
    CHECK(dx_trust_subject(&trust, &fields).at == NULL);
    dx_http_fields_add(&fields, dx_bytes_of("x-sUBJECT"), dx_bytes_of("ada"));
    CHECK_BYTES(dx_trust_subject(&trust, &fields), "ada");
    dx_http_fields_add(&fields, dx_bytes_of("X-Subject"), dx_bytes_of("eve"));
    CHECK(dx_trust_subject(&trust, &fields).at == NULL);
    static const char *const bad[] = {"", "a\tb", "\xff", long_name};
    for (size_t i = 0; i < DX_COUNT(bad); i++) {
        dx_http_fields_clear(&fields);
        dx_http_fields_add(&fields, dx_bytes_of("X-Subject"), dx_bytes_of(bad[i]));
        CHECK(dx_trust_subject(&trust, &fields).at == NULL);
    }
    dx_trust_deinit(&trust);
}

TEST("whom a path below a prefix belongs to")
{
    CHECK_BYTES(dx_stream_prefix_sub("/u/{sub}/", dx_bytes_of("/u/ada/inbox")), "ada");
    CHECK_BYTES(dx_stream_prefix_sub("/a/b/{sub}/c/", dx_bytes_of("/a/b/ada/c/x/y")), "ada");
    CHECK(dx_stream_prefix_sub("/u/", dx_bytes_of("/u/ada/inbox")).at == NULL);
}

/* ---- origins ------------------------------------------------------------------------------------- */

TEST("RFC 6454 §5 an origin is allowed if it is one of the list, or all are")
{
    const char *list = "https://a.example http://b.example:8080";

    CHECK_BYTES(dx_origin_find(list, dx_bytes_of("https://a.example")), "https://a.example");
    CHECK_BYTES(dx_origin_find(list, dx_bytes_of("https://A.example:443")), "https://a.example");
    CHECK_BYTES(dx_origin_find(list, dx_bytes_of("http://b.example:8080")),
                "http://b.example:8080");
    CHECK_BYTES(dx_origin_find("https://a.example *", dx_bytes_of("https://c.example")), "*");
    CHECK_BYTES(dx_origin_find("*", (dx_bytes){NULL, 0}), "*");
    static const char *const others[] = {
        "http://a.example", "https://a.example.evil", "null",
        "nonsense",         "https://a.example:444",  "https://evil-a.example"};
    for (size_t i = 0; i < DX_COUNT(others); i++)
        CHECK(dx_origin_find(list, dx_bytes_of(others[i])).at == NULL);
    CHECK(dx_origin_find("", dx_bytes_of("https://a.example")).at == NULL);
    CHECK(dx_origin_is_good(dx_bytes_of("*")));
    CHECK(dx_origin_is_good(dx_bytes_of("https://a.example")));
    CHECK(!dx_origin_is_good(dx_bytes_of("null")));
    CHECK(!dx_origin_is_good(dx_bytes_of("a.example")));
}

/* ---- requests ------------------------------------------------------------------------------------ */

static dx_server *start(const char *header, const char *trusted_from)
{
    static const dx_stream_options plain = {0};
    static const dx_stream_options known = {
        .access = {.read = DX_MAY_KNOWN, .publish = DX_MAY_NOBODY}};
    dx_server *s = dx_server_new(&(dx_server_options){.listen = "127.0.0.1:0",
                                                      .log_level = "error",
                                                      .workers = 2,
                                                      .subject_header = header,
                                                      .trusted_from = trusted_from});
    CHECK_INT(dx_server_streams(s, "/u/{sub}/", &plain), DX_OK);
    CHECK_INT(dx_server_streams(s, "/known/", &known), DX_OK);
    CHECK_INT(dx_server_start(s), DX_OK);
    return s;
}

static unsigned status_as(dx_server *s, const char *method, const char *path, const char *subject)
{
    char fields[128] = "Content-Type: text/plain\r\n";

    if (subject)
        snprintf(fields, sizeof fields, "Content-Type: text/plain\r\nX-Subject: %s\r\n", subject);
    answer a = http(s, method, path, fields,
                    strcmp(method, "POST") == 0 ? dx_bytes_of("hello") : (dx_bytes){NULL, 0});
    unsigned status = a.status;
    answer_free(&a);
    return status;
}

TEST("an inbox: whoever writes, only its owner reads")
{
    dx_server *s = start("X-Subject", "127.0.0.1/8");

    CHECK_INT(status_as(s, "POST", "/u/ada/inbox", NULL), 204);
    CHECK_INT(status_as(s, "POST", "/u/ada/inbox", "bob"), 204);
    CHECK_INT(status_as(s, "GET", "/u/ada/inbox", "ada"), 200);
    CHECK_INT(status_as(s, "GET", "/u/ada/inbox", "bob"), 403);
    CHECK_INT(status_as(s, "HEAD", "/u/ada/inbox", "bob"), 403);
    CHECK_INT(status_as(s, "GET", "/u/ada/inbox", NULL), 401);
    CHECK_INT(status_as(s, "GET", "/u/%61da/inbox", "ada"), 200);
    CHECK_INT(status_as(s, "GET", "/u/ada/../bob/inbox", "ada"), 400);
    CHECK_INT(status_as(s, "GET", "/u/ada/", "ada"), 404);
    CHECK_INT(status_as(s, "GET", "/u/ada", "ada"), 404);
    server_end(s);
}

TEST("§11.6.1 401 has a challenge, and says which setting is missing")
{
    dx_server *s = start(NULL, NULL);
    answer a = http(s, "GET", "/u/ada/inbox", "X-Subject: ada\r\n", (dx_bytes){NULL, 0});

    CHECK_INT(a.status, 401);
    CHECK(strstr(answer_field(&a, "WWW-Authenticate"), "Trusted-Proxy") != NULL);
    CHECK(strstr(a.body, "access.subject_header") != NULL);
    answer_free(&a);
    server_end(s);
}

TEST("a header from who is not trusted is nobody's word")
{
    dx_server *s = start("X-Subject", "10.0.0.0/8 unix");
    answer a = http(s, "GET", "/u/ada/inbox", "X-Subject: ada\r\n", (dx_bytes){NULL, 0});

    CHECK_INT(a.status, 401);
    CHECK(strstr(a.body, "access.trusted_from") != NULL);
    answer_free(&a);
    server_end(s);
}

TEST("nobody may, and whoever is known may")
{
    dx_server *s = start("X-Subject", "127.0.0.1");

    CHECK_INT(status_as(s, "POST", "/known/x", "ada"), 403);
    CHECK_INT(status_as(s, "POST", "/known/x", NULL), 403);
    CHECK_INT(status_as(s, "GET", "/known/x", NULL), 401);
    CHECK_INT(status_as(s, "GET", "/known/x", "ada"), 404); /* allowed: but there is none */
    server_end(s);
}

/* The Location of what PUT made. */
static const char *made_at(dx_server *s, const char *path, const char *fields)
{
    answer a = http(s, "PUT", path, fields, (dx_bytes){NULL, 0});
    const char *location = answer_field(&a, "Location");

    CHECK_INT(a.status, 201);
    answer_free(&a);
    return location;
}

static bool is_text(const char *text, const char *wanted)
{
    if (strcmp(text, wanted) == 0)
        return true;
    printf("# it is %s\n", text);
    return false;
}

TEST("§10.2.2 Location has the scheme that the client used, as far as a trusted proxy says so")
{
    dx_server *s = start(NULL, "127.0.0.1");

    CHECK(is_text(made_at(s, "/u/a/1", ""), "http://test/u/a/1"));
    CHECK(is_text(made_at(s, "/u/a/2", "X-Forwarded-Proto: https\r\n"), "https://test/u/a/2"));
    CHECK(is_text(made_at(s, "/u/a/3", "X-Forwarded-Proto: HTTPS\r\n"), "https://test/u/a/3"));
    CHECK(is_text(made_at(s, "/u/a/4", "X-Forwarded-Proto: http\r\n"), "http://test/u/a/4"));
    CHECK(is_text(made_at(s, "/u/a/5", "X-Forwarded-Proto: javascript\r\n"), "http://test/u/a/5"));
    CHECK(is_text(made_at(s, "/u/a/6", "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: https\r\n"),
                  "http://test/u/a/6"));
    server_end(s);
    s = start(NULL, "10.0.0.0/8");
    CHECK(is_text(made_at(s, "/u/a/1", "X-Forwarded-Proto: https\r\n"), "http://test/u/a/1"));
    server_end(s);
    s = start(NULL, NULL);
    CHECK(is_text(made_at(s, "/u/a/1", "X-Forwarded-Proto: https\r\n"), "http://test/u/a/1"));
    server_end(s);
}

TEST("a program that names no owner in its prefix cannot ask for one, nor trust nonsense")
{
    static const dx_stream_options owners = {.access = {.read = DX_MAY_SUB}};
    dx_server *s =
        dx_server_new(&(dx_server_options){.log_level = "error", .trusted_from = "here"});

    CHECK_INT(dx_server_streams(s, "/x/", &owners), DX_ERR_NAME);
    CHECK_INT(dx_server_streams(s, "/{sub}/{sub}/", NULL), DX_ERR_NAME);
    CHECK_INT(dx_server_streams(s, "/{subs}/", NULL), DX_ERR_NAME);
    CHECK_INT(dx_server_streams(s, "/{sub}/", &owners), DX_OK);
    CHECK_INT(dx_server_start(s), DX_ERR_ADDRESS);
    dx_server_free(s);
}
