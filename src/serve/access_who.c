/* Who asks, and refusals.
 * SPDX-License-Identifier: MIT */
#include "serve/access_who.h"

#include "base/assert.h"
#include "base/clock.h"

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
    const dx_principal like = {.proof = proof, .subject = subject, .until_ms = DX_FOR_EVER};

    return dx_principal_new(&like, (dx_bytes){NULL, 0}, &asker->who, asker->fault);
}

/* A proxy may have shown a certificate, too: that is who the proxy is, and never who asks. */
static dx_err find_out(dx_exchange *x, const dx_server *s, dx_asker *asker)
{
    const dx_trust *trust = &s->trust;
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

/* How somebody can be known here; empty: there is no way. */
static const char *ways_of(const dx_server *s)
{
#define BY_PROXY                                                                                   \
    "the request must come from access.trusted_from with the field that access.subject_header names"
    if (s->trust.header)
        return s->tls_asks_clients ? BY_PROXY ", or with a client certificate" : BY_PROXY;
    return s->tls_asks_clients ? "the connection must be made with a client certificate" : "";
#undef BY_PROXY
}

/* The schemes are none of the registered ones: there is nothing that a client could add to its request by
 * itself. */
static dx_bytes challenge_of(const dx_server *s)
{
    if (s->tls_asks_clients && s->trust.header == NULL)
        return DX_BYTES("Client-Certificate realm=\"streams\"");
    return DX_BYTES("Trusted-Proxy realm=\"streams\"");
}

static void answer_unknown(dx_exchange *x, const dx_server *s, dx_action action)
{
    const dx_header challenge = {DX_BYTES("WWW-Authenticate"), challenge_of(s)};
    const char *ways = ways_of(s);
    char detail[320];

    if (ways[0])
        snprintf(detail, sizeof detail, "To %s you must be known: %s.", words_of(action), ways);
    else
        snprintf(detail, sizeof detail,
                 "To %s somebody must be known, and this server knows nobody: neither "
                 "access.subject_header nor tls_client_ca is set in its configuration.",
                 words_of(action));
    dx_exchange_problem_with(x, 401, detail, &challenge, 1);
}

static void answer_forbidden(dx_exchange *x, const dx_stream_route *route, dx_action action)
{
    dx_stream_may may = (dx_stream_may)route->access.may[action];
    const char *who = may == DX_MAY_SUB ? "only its owner may"
                      : may == DX_MAY_TOKEN
                          ? "whoever has a capability for it may, and you have none to"
                          : "nobody may";
    char detail[320];

    snprintf(detail, sizeof detail, "By access.%s of %s %s %s.",
             action == DX_ACTION_DELETE ? "delete" : dx_action_name(action), route->prefix, who,
             words_of(action));
    dx_exchange_problem(x, 403, detail);
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
    case DX_VERDICT_UNKNOWN: answer_unknown(x, route->server, action); return false;
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
