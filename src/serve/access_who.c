/* Who asks, and refusals.
 * SPDX-License-Identifier: MIT */
#include "serve/access_who.h"

#include "base/assert.h"
#include "base/clock.h"
#include "codec/url.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- who -------------------------------------------------------------------------------------- */

static void asker_free(void *user)
{
    dx_asker *asker = user;

    dx_principal_unref(asker->who);
    free(asker);
}

static dx_asker *asker_new(dx_exchange *x)
{
    dx_asker *asker = calloc(1, sizeof *asker);

    dx_assert(x->user == NULL);
    x->user = asker;
    x->user_free = asker_free;
    return asker;
}

bool dx_asker_is_wrong(const dx_exchange *x)
{
    const dx_asker *asker = x->user;

    return asker && asker->fault[0];
}

bool dx_asker_set(dx_exchange *x, dx_principal *who)
{
    dx_asker *asker = asker_new(x);

    if (asker)
        asker->who = who;
    else
        dx_principal_unref(who);
    return asker != NULL;
}

/* A name without capabilities, for as long as the connection says so. */
static dx_err know(dx_asker *asker, dx_proof proof, dx_bytes subject)
{
    const dx_principal like = {.proof = proof,
                               .subject = subject,
                               .issued_ms = dx_clock_wall_ms(),
                               .until_ms = DX_FOR_EVER};

    return dx_principal_new(&like, (dx_bytes){NULL, 0}, &asker->who, asker->fault);
}

/* ---- tokens ------------------------------------------------------------------------------------ */

/* Where a request carries a token; at most one of the first two is given, or it is not clear which counts. */
typedef struct token_places {
    dx_bytes header, query, cookie; /* empty: none there */
    bool is_twice;
} token_places;

/* RFC 6750 §2.1. Another scheme is for somebody else. */
static void look_at_header(const dx_exchange *x, token_places *to)
{
    const dx_http_fields *fields = &x->head.fields;
    dx_bytes scheme, rest;

    for (size_t i = 0; i < fields->count; i++) {
        if (!dx_bytes_equal_nocase(fields->at[i].name, DX_BYTES("Authorization")))
            continue;
        rest = dx_bytes_trim(fields->at[i].value);
        if (!dx_bytes_split(&rest, ' ', &scheme) ||
            !dx_bytes_equal_nocase(scheme, DX_BYTES("Bearer")))
            continue;
        to->is_twice |= to->header.at != NULL;
        to->header = rest.at ? dx_bytes_trim(rest) : dx_bytes_at("", 0);
    }
}

/* The letters of a token are never percent-encoded. */
static void look_at_query(const dx_exchange *x, token_places *to)
{
    dx_bytes query = x->head.query, name, value;

    while (dx_url_query_next(&query, &name, &value))
        if (dx_bytes_equal(name, DX_BYTES("token"))) {
            to->is_twice |= to->query.at != NULL;
            to->query = value.at ? value : dx_bytes_at("", 0);
        }
}

/* RFC 6265 §4.2.1. The first of a name is that of the longest path (§5.4). */
static void look_at_cookies(const dx_exchange *x, const char *wanted, token_places *to)
{
    const dx_http_fields *fields = &x->head.fields;
    dx_bytes rest, pair, name;

    for (size_t i = 0; i < fields->count && wanted[0]; i++) {
        rest = fields->at[i].value;
        while (dx_bytes_equal_nocase(fields->at[i].name, DX_BYTES("Cookie")) &&
               dx_bytes_split(&rest, ';', &pair)) {
            pair = dx_bytes_trim(pair);
            if (to->cookie.at == NULL && dx_bytes_split(&pair, '=', &name) && pair.at &&
                dx_bytes_equal(name, dx_bytes_of(wanted)))
                to->cookie = pair;
        }
    }
}

static token_places token_places_of(const dx_exchange *x, const dx_server *s)
{
    token_places places = {0};

    look_at_header(x, &places);
    look_at_query(x, &places);
    look_at_cookies(x, s->token_cookie, &places);
    places.is_twice |= places.header.at && places.query.at;
    return places;
}

dx_err dx_asker_prove(const dx_server *s, dx_bytes token, dx_principal **ret,
                      char why[DX_WHY_BYTES])
{
    dx_principal *who;
    dx_err err = dx_tokens_check(s->tokens, token, dx_clock_wall_ms(), &who, why);

    if (err != DX_OK)
        return err;
    if (dx_revoked_has((dx_revoked *)(uintptr_t)&s->revoked, who)) { /* it has a lock of its own */
        dx_principal_unref(who);
        snprintf(why, DX_WHY_BYTES, "it was revoked");
        return DX_ERR_NAME;
    }
    *ret = who;
    return DX_OK;
}

/* What the browser sends by itself counts where nothing else was given. False: there is no token. */
static bool find_token(dx_exchange *x, const dx_server *s, dx_asker *asker, dx_err *err)
{
    token_places places;

    if (s->tokens == NULL)
        return false;
    places = token_places_of(x, s);
    dx_bytes token = places.header.at  ? places.header
                     : places.query.at ? places.query
                                       : places.cookie;
    *err = DX_OK;
    if (places.is_twice)
        snprintf(asker->fault, sizeof asker->fault, "it was given more than once");
    else if (token.at != NULL)
        *err = dx_asker_prove(s, token, &asker->who, asker->fault);
    if (*err == DX_ERR_NAME)
        *err = DX_OK; /* `fault` says it */
    return places.is_twice || token.at != NULL;
}

/* ---- finding out ------------------------------------------------------------------------------- */

/* A token goes before all: it says what its bearer may. A proxy may have shown a certificate, too: that is who the
 * proxy is, and never who asks. */
static dx_err find_out(dx_exchange *x, const dx_server *s, dx_asker *asker)
{
    const dx_trust *trust = &s->trust;
    dx_err err;

    if (find_token(x, s, asker, &err))
        return err;
    dx_bytes own = dx_conn_subject(dx_exchange_conn(x)),
             said = trust->header ? dx_trust_subject(trust, &x->head.fields) : (dx_bytes){NULL, 0};
    if (trust->header && (said.size > 0 || own.size > 0) && dx_trust_has_peer(trust, x))
        return said.size > 0 ? know(asker, DX_PROOF_PROXY, said) : DX_OK;
    return dx_subject_is_good(own) ? know(asker, DX_PROOF_CERTIFICATE, own) : DX_OK;
}

const dx_asker *dx_asker_of(dx_exchange *x, const dx_server *s)
{
    if (x->user)
        return x->user;
    dx_asker *asker = asker_new(x);
    if (asker && find_out(x, s, asker) != DX_OK) {
        asker_free(asker);
        x->user = NULL;
    }
    return x->user;
}

/* ---- refusals --------------------------------------------------------------------------------- */

static const char *words_of(dx_action action)
{
    switch (action) {
    case DX_ACTION_READ: return "read this stream";
    case DX_ACTION_PUBLISH: return "publish to this stream";
    case DX_ACTION_CREATE: return "create this stream";
    case DX_ACTION_DELETE: return "delete this stream";
    case DX_ACTION_PRESENCE: return "see who is present at this stream";
    }
    dx_unreachable("dx_action outside its enum");
}

/* How somebody can be known here. False: there is no way. */
static bool write_ways(const dx_server *s, char *text, size_t size)
{
    const char *const ways[] = {
        s->tokens ? "with a token (Authorization: Bearer, or token= in the query)" : NULL,
        s->trust.header ? "the request must come from access.trusted_from with the field that "
                          "access.subject_header names"
                        : NULL,
        s->tls_asks_clients ? "the connection must be made with a client certificate" : NULL,
    };
    size_t used = 0;

    for (size_t i = 0; i < DX_COUNT(ways); i++)
        if (ways[i])
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", used ? ", or " : "", ways[i]);
    return used > 0;
}

/* Where there are no tokens the schemes are none of the registered ones: there is nothing that a client could add to
 * its request by itself. RFC 6750 §3: error and its description where a token was given. */
static dx_bytes write_challenge(const dx_server *s, const char *fault, char *text, size_t size)
{
    int used;

    if (s->tokens && fault[0])
        used = snprintf(
            text, size,
            "Bearer realm=\"streams\", error=\"invalid_token\", error_description=\"%s\"", fault);
    else
        used = snprintf(text, size, "%s realm=\"streams\"",
                        s->tokens                                 ? "Bearer"
                        : s->tls_asks_clients && !s->trust.header ? "Client-Certificate"
                                                                  : "Trusted-Proxy");
    return dx_bytes_at(text, (size_t)used);
}

void dx_door_refuse_unknown(dx_exchange *x, const dx_server *s, dx_action action, const char *fault)
{
    char challenge[DX_WHY_BYTES + 96], detail[512], ways[320];
    const dx_header header = {DX_BYTES("WWW-Authenticate"),
                              write_challenge(s, fault, challenge, sizeof challenge)};

    if (fault[0])
        snprintf(detail, sizeof detail, "To %s you must be known, and the token is not good: %s.",
                 words_of(action), fault);
    else if (write_ways(s, ways, sizeof ways))
        snprintf(detail, sizeof detail, "To %s you must be known: %s.", words_of(action), ways);
    else
        snprintf(
            detail, sizeof detail,
            "To %s somebody must be known, and this server knows nobody: neither access.token_keys nor "
            "access.subject_header nor tls_client_ca is set in its configuration.",
            words_of(action));
    dx_exchange_problem_with(x, 401, detail, &header, 1);
}

static void answer_forbidden(dx_exchange *x, const dx_stream_route *route, dx_action action)
{
    static const dx_header challenge = {
        DX_BYTES("WWW-Authenticate"),
        DX_BYTES("Bearer realm=\"streams\", error=\"insufficient_scope\"")};
    dx_stream_may may = (dx_stream_may)route->access.may[action];
    const char *who = may == DX_MAY_SUB ? "only its owner may"
                      : may == DX_MAY_TOKEN
                          ? "whoever has a capability for it may, and you have none to"
                          : "nobody may";
    char detail[320];

    snprintf(detail, sizeof detail, "By access.%s of %s %s %s.", dx_action_name(action),
             route->prefix, who, words_of(action));
    dx_exchange_problem_with(x, 403, detail, &challenge,
                             may == DX_MAY_TOKEN && route->server->tokens ? 1 : 0);
}

/* ---- asking ----------------------------------------------------------------------------------- */

/* Where anyone may, nobody is asked who it is: it costs nothing, and a cookie of old locks nobody out. */
static bool judge(dx_exchange *x, const dx_stream_route *route, const dx_deed *deed,
                  dx_verdict *verdict, dx_grant *ret)
{
    bool is_for_anyone = route->access.may[deed->action] == DX_MAY_ANYONE;
    const dx_asker *asker = is_for_anyone ? NULL : dx_asker_of(x, route->server);

    if (asker == NULL && !is_for_anyone)
        return false;
    *verdict =
        dx_access_judge(&route->access, deed, asker ? asker->who : NULL, dx_clock_wall_ms(), ret);
    return true;
}

bool dx_door_may_at(dx_exchange *x, const dx_stream_route *route, dx_bytes path, dx_action action,
                    dx_grant *ret)
{
    const dx_deed deed = {action, path, dx_stream_prefix_sub(route->prefix, path)};
    dx_verdict verdict;

    if (!judge(x, route, &deed, &verdict, ret)) {
        dx_door_no_memory(x);
        return false;
    }
    switch (verdict) {
    case DX_VERDICT_ALLOWED: return true;
    case DX_VERDICT_UNKNOWN:
        dx_door_refuse_unknown(x, route->server, action, dx_asker_of(x, route->server)->fault);
        return false;
    case DX_VERDICT_FORBIDDEN: answer_forbidden(x, route, action); return false;
    }
    dx_unreachable("dx_verdict outside its enum");
}

bool dx_door_may(dx_exchange *x, const dx_stream_route *route, dx_action action, dx_grant *ret)
{
    return dx_door_may_at(x, route, x->path, action, ret);
}

bool dx_door_would(dx_exchange *x, const dx_stream_route *route, dx_action action, dx_grant *ret)
{
    const dx_deed deed = {action, x->path, dx_stream_prefix_sub(route->prefix, x->path)};
    dx_verdict verdict;

    return judge(x, route, &deed, &verdict, ret) && verdict == DX_VERDICT_ALLOWED;
}
