/* The WebSocket door: what a session may while it lasts.
 * Is:     when its token ends, when it is revoked, when another takes its place: what is still allowed goes on, the
 *         rest ends; a session that could do nothing any more is closed with 4401.
 * Is not: the verdict (access.h), the time (lease.h), the first verdict (door_websocket_open.c).
 * SPDX-License-Identifier: MIT */
#include "serve/access_who.h"
#include "serve/door_websocket.h"

#include "base/clock.h"
#include "codec/json.h"

#include <stdlib.h>

typedef struct rights {
    bool may[DX_ACTIONS_COUNT];
    dx_grant grants[DX_ACTIONS_COUNT];
} rights;

static const dx_stream_route *route_of(const dx_ws_door *d)
{
    return DX_CONTAINER(dx_topic_namespace(d->topic), const dx_stream_route, ns);
}

/* who: NULL: nobody is known any more. */
static rights judge(const dx_ws_door *d, const dx_principal *who)
{
    const dx_stream_route *route = route_of(d);
    dx_bytes path = dx_topic_path(d->topic), sub = dx_stream_prefix_sub(route->prefix, path);
    uint64_t now_ms = dx_clock_wall_ms();
    rights r = {0};

    for (unsigned i = 0; i < DX_ACTIONS_COUNT; i++)
        r.may[i] = dx_access_judge(&route->access, &(dx_deed){(dx_action)i, path, sub}, who, now_ms,
                                   &r.grants[i]) == DX_VERDICT_ALLOWED;
    return r;
}

/* Whether it can go on as it is: reading what it reads, and seeing whom it sees. Who only writes must be able to. */
static bool can_go_on(dx_ws_door *d, const rights *r)
{
    const dx_wide_door *wide = dx_wide_door_of(d);
    bool reads = d->sub.feed != NULL, sees = wide->member || wide->is_hearing;

    return (!reads || r->may[DX_ACTION_READ]) && (!sees || r->may[DX_ACTION_PRESENCE]) &&
           (reads || sees || r->may[DX_ACTION_PUBLISH]);
}

static void hold(dx_ws_door *d, dx_principal *who, const rights *r)
{
    static const dx_action of[] = {DX_ACTION_READ, DX_ACTION_PUBLISH, DX_ACTION_PRESENCE};
    uint64_t until_ms = DX_FOR_EVER;
    bool is_personal = false;

    for (size_t i = 0; i < DX_COUNT(of); i++)
        if (r->may[of[i]] && r->grants[of[i]].is_personal) {
            is_personal = true;
            until_ms = dx_min_u64(until_ms, r->grants[of[i]].until_ms);
        }
    if (is_personal)
        dx_lease_hold(&dx_wide_door_of(d)->lease, &dx_ws_door_worker(d)->leases, who, until_ms);
}

static void take_rights(dx_ws_door *d, dx_principal *who, const rights *r)
{
    dx_wide_door *wide = dx_wide_door_of(d);

    d->is_write_off = wide->is_write_unwanted || !r->may[DX_ACTION_PUBLISH];
    wide->publish_by = d->is_write_off ? NULL : r->grants[DX_ACTION_PUBLISH].by;
    wide->may_see = r->may[DX_ACTION_PRESENCE];
    hold(d, who, r);
}

static void on_ended(dx_lease *lease, dx_principal *who, dx_lease_end why)
{
    dx_wide_door *wide = DX_CONTAINER(lease, dx_wide_door, lease);
    dx_ws_door *d = &wide->door;
    const char *text = dx_lease_end_text(why);
    bool is_known = why == DX_LEASE_EXPIRED && dx_clock_wall_ms() < who->until_ms,
         wrote = !d->is_write_off;

    wide->publish_by = NULL;
    if (d->ws == NULL || !dx_ws_is_open(d->ws))
        return;
    rights r = judge(d, is_known ? who : NULL);
    if (why == DX_LEASE_REVOKED || !can_go_on(d, &r)) {
        dx_ws_door_close(d, DX_CLOSE_UNKNOWN, dx_bytes_of(text));
        return;
    }
    take_rights(d, who, &r);
    if (wrote && d->is_write_off && d->is_v1)
        dx_v1_refuse(d, (dx_bytes){0}, 401, text); /* it only reads from here on */
}

void dx_ws_door_hold(dx_ws_door *d, dx_principal *who)
{
    dx_wide_door_of(d)->lease.ended = on_ended;
    rights r = judge(d, who);
    take_rights(d, who, &r);
}

/* ---- another token ----------------------------------------------------------------------------- */

static void refuse(dx_ws_door *d, unsigned status, const char *text)
{
    dx_v1_refuse(d, (dx_bytes){0}, status, text);
}

static bool is_same_subject(const dx_wide_door *wide, const dx_principal *who)
{
    return wide->lease.of == NULL || dx_bytes_equal(wide->lease.who->subject, who->subject);
}

static void change_to(dx_ws_door *d, dx_principal *who)
{
    dx_wide_door *wide = dx_wide_door_of(d);
    rights r = judge(d, who);
    dx_v1_control control;

    if (!is_same_subject(wide, who)) {
        refuse(d, 403, "the token is of somebody else than this connection");
        return;
    }
    if (!can_go_on(d, &r)) {
        refuse(d, 403, "the token does not allow what this connection does");
        return;
    }
    dx_lease_drop(&wide->lease);
    wide->lease.ended = on_ended;
    take_rights(d, who, &r);
    dx_v1_token_write(
        who->until_ms == DX_FOR_EVER ? 0 : (who->until_ms - DX_TOKEN_LEEWAY_MS) / 1000, &control);
    dx_v1_send(d, &control);
}

void dx_v1_on_token(dx_ws_door *d, dx_bytes value)
{
    const dx_server *s = dx_ws_door_worker(d)->server;
    char why[DX_WHY_BYTES] = "";
    uint8_t token[DX_V1_TOKEN_BYTES_MAX];
    dx_principal *who;

    if (s->tokens == NULL || dx_json_type_of(value) != DX_JSON_TEXT) {
        refuse(d, 400,
               s->tokens ? "a token is a text"
                         : "this server looks at no tokens (access.token_keys)");
        return;
    }
    dx_err err =
        dx_asker_prove(s, dx_bytes_at(token, dx_json_string_read(value, token)), &who, why);
    if (err != DX_OK) {
        refuse(d, err == DX_ERR_NAME ? 401 : 503,
               err == DX_ERR_NAME ? why : "out of memory, try again later");
        return;
    }
    change_to(d, who);
    dx_principal_unref(who);
}
