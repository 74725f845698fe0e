/* Policies, trusted networks, verdicts.
 * SPDX-License-Identifier: MIT */
#include "serve/access.h"

#include "base/assert.h"
#include "codec/url.h"
#include "net/socket.h"
#include "serve/door.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(DX_ACTIONS_COUNT == DX_ACTION_PRESENCE + 1, "a policy has a place for every action");

/* ---- policy ----------------------------------------------------------------------------------- */

static dx_stream_may default_of(dx_action action, bool has_sub)
{
    switch (action) {
    case DX_ACTION_READ:
    case DX_ACTION_DELETE:
    case DX_ACTION_PRESENCE: return has_sub ? DX_MAY_SUB : DX_MAY_ANYONE;
    case DX_ACTION_PUBLISH:
    case DX_ACTION_CREATE: return DX_MAY_ANYONE;
    }
    dx_unreachable("dx_action outside its enum");
}

dx_err dx_access_init(dx_access *access, const dx_stream_access *options, bool has_sub)
{
    const dx_stream_may wanted[DX_ACTIONS_COUNT] = {
        [DX_ACTION_READ] = options->read,         [DX_ACTION_PUBLISH] = options->publish,
        [DX_ACTION_CREATE] = options->create,     [DX_ACTION_DELETE] = options->remove,
        [DX_ACTION_PRESENCE] = options->presence,
    };
    dx_access made;

    for (unsigned i = 0; i < DX_ACTIONS_COUNT; i++) {
        if (wanted[i] > DX_MAY_TOKEN || (wanted[i] == DX_MAY_SUB && !has_sub))
            return DX_ERR_NAME;
        made.may[i] =
            (uint8_t)(wanted[i] == DX_MAY_DEFAULT ? default_of((dx_action)i, has_sub) : wanted[i]);
    }
    *access = made;
    return DX_OK;
}

static dx_verdict allow(const dx_principal *who, const dx_capability *by, dx_grant *ret)
{
    *ret = (dx_grant){.is_personal = true, .by = by, .until_ms = who->until_ms};
    if (by)
        ret->until_ms = dx_min_u64(ret->until_ms, by->until_ms);
    return DX_VERDICT_ALLOWED;
}

dx_verdict dx_access_judge(const dx_access *policy, const dx_deed *deed, const dx_principal *who,
                           uint64_t now_ms, dx_grant *ret)
{
    const dx_principal *known = who && now_ms < who->until_ms ? who : NULL;
    const dx_capability *by;

    switch ((dx_stream_may)policy->may[deed->action]) {
    case DX_MAY_ANYONE: *ret = (dx_grant){.until_ms = DX_FOR_EVER}; return DX_VERDICT_ALLOWED;
    case DX_MAY_DEFAULT:
    case DX_MAY_NOBODY: return DX_VERDICT_FORBIDDEN;
    case DX_MAY_KNOWN:
        return known && known->subject.size > 0 ? allow(known, NULL, ret) : DX_VERDICT_UNKNOWN;
    case DX_MAY_SUB:
        if (known == NULL || known->subject.size == 0)
            return DX_VERDICT_UNKNOWN;
        return dx_bytes_equal(known->subject, deed->sub) ? allow(known, NULL, ret)
                                                         : DX_VERDICT_FORBIDDEN;
    case DX_MAY_TOKEN:
        if (known == NULL)
            return DX_VERDICT_UNKNOWN;
        by = dx_principal_capability(known, deed->action, deed->path, now_ms);
        return by ? allow(known, by, ret) : DX_VERDICT_FORBIDDEN;
    }
    dx_unreachable("dx_stream_may outside its enum");
}

/* ---- trust ------------------------------------------------------------------------------------ */

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool read_host(dx_bytes text, dx_trust_range *ret, uint64_t *bits_max)
{
    char host[INET6_ADDRSTRLEN];

    if (text.size >= sizeof host || dx_bytes_find(text, 0) < text.size)
        return false;
    dx_copy(host, text.at, text.size);
    host[text.size] = '\0';
    *bits_max = 32;
    memcpy(ret->address, v4_prefix, sizeof v4_prefix);
    if (inet_pton(AF_INET, host, ret->address + sizeof v4_prefix) == 1)
        return true;
    *bits_max = 128;
    return inet_pton(AF_INET6, host, ret->address) == 1;
}

bool dx_trust_range_read(dx_bytes text, dx_trust_range *ret)
{
    dx_trust_range range = {0};
    dx_bytes rest = text, host;
    uint64_t bits_max, bits;

    if (dx_bytes_equal(text, DX_BYTES("unix"))) {
        *ret = (dx_trust_range){.is_local = true};
        return true;
    }
    if (!dx_bytes_split(&rest, '/', &host) || !read_host(host, &range, &bits_max))
        return false;
    bits = bits_max;
    if (rest.at != NULL && !dx_bytes_decimal(rest, bits_max, &bits))
        return false;
    range.bits = (uint8_t)(bits + (128 - bits_max));
    *ret = range;
    return true;
}

bool dx_trust_header_is_good(dx_bytes name)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.at[i], lower = dx_ascii_lower(c);
        if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'z') &&
            (c == '\0' || strchr(marks, c) == NULL))
            return false;
    }
    return name.size > 0 && name.size <= 64;
}

static dx_err read_ranges(dx_trust *trust, const char *from)
{
    dx_bytes rest = dx_bytes_of(from), text;

    while (dx_bytes_split(&rest, ' ', &text)) {
        if (text.size == 0)
            continue;
        if (trust->count == DX_TRUST_RANGES_MAX)
            return DX_ERR_TOO_LARGE;
        if (!dx_trust_range_read(text, &trust->ranges[trust->count++]))
            return DX_ERR_ADDRESS;
    }
    return DX_OK;
}

dx_err dx_trust_init(dx_trust *trust, const char *header, const char *from)
{
    dx_trust made = {0};
    bool has_header = header != NULL && header[0] != '\0';

    if (has_header && !dx_trust_header_is_good(dx_bytes_of(header)))
        return DX_ERR_NAME;
    dx_err err = from ? read_ranges(&made, from) : DX_OK;
    if (err != DX_OK)
        return err;
    if (has_header && (made.header = strdup(header)) == NULL)
        return DX_ERR_MEMORY;
    *trust = made;
    return DX_OK;
}

void dx_trust_deinit(dx_trust *trust)
{
    free(trust->header);
    *trust = (dx_trust){0};
}

static bool range_has(const dx_trust_range *range, const uint8_t address[16])
{
    size_t whole = range->bits / 8;
    unsigned rest = range->bits % 8;

    if (memcmp(range->address, address, whole) != 0)
        return false;
    return rest == 0 || (range->address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool dx_trust_has(const dx_trust *trust, const dx_address *peer)
{
    bool is_local = peer->any.sa_family == AF_UNIX;
    uint8_t address[16];

    if (peer->any.sa_family == AF_INET) {
        memcpy(address, v4_prefix, sizeof v4_prefix);
        memcpy(address + sizeof v4_prefix, &peer->v4.sin_addr, 4);
    } else if (peer->any.sa_family == AF_INET6) {
        memcpy(address, &peer->v6.sin6_addr, sizeof address);
    } else if (!is_local) {
        return false;
    }
    for (size_t i = 0; i < trust->count; i++)
        if (trust->ranges[i].is_local ? is_local
                                      : !is_local && range_has(&trust->ranges[i], address))
            return true;
    return false;
}

/* The value of the only field of that name. Two of them: one is from somebody who should not have set it. */
static dx_bytes only_field(const dx_http_fields *fields, dx_bytes name)
{
    dx_bytes value = {NULL, 0};
    size_t count = 0;

    for (size_t i = 0; i < fields->count; i++)
        if (dx_bytes_equal_nocase(fields->at[i].name, name)) {
            value = fields->at[i].value;
            count++;
        }
    return count == 1 ? value : (dx_bytes){NULL, 0};
}

dx_bytes dx_trust_subject(const dx_trust *trust, const dx_http_fields *fields)
{
    dx_bytes subject = only_field(fields, dx_bytes_of(trust->header));

    return dx_subject_is_good(subject) ? subject : (dx_bytes){NULL, 0};
}

/* ---- origins ---------------------------------------------------------------------------------- */

bool dx_origin_is_good(dx_bytes text)
{
    dx_url_origin origin;

    return dx_bytes_equal(text, DX_BYTES("*")) ||
           (dx_url_origin_read(text, &origin) && !origin.is_null);
}

dx_bytes dx_origin_find(const char *origins, dx_bytes text)
{
    dx_bytes rest = dx_bytes_of(origins), one;
    dx_url_origin wanted, allowed;
    bool has_wanted = dx_url_origin_read(text, &wanted);

    while (dx_bytes_split(&rest, ' ', &one)) {
        if (dx_bytes_equal(one, DX_BYTES("*")))
            return one;
        if (has_wanted && dx_url_origin_read(one, &allowed) &&
            dx_url_origin_equal(&wanted, &allowed))
            return one;
    }
    return (dx_bytes){NULL, 0};
}

/* ---- requests --------------------------------------------------------------------------------- */

bool dx_trust_has_peer(const dx_trust *trust, const dx_exchange *x)
{
    dx_address peer;

    return trust->count > 0 && dx_socket_peer(dx_conn_fd(dx_exchange_conn(x)), &peer) &&
           dx_trust_has(trust, &peer);
}

bool dx_access_is_secure(const dx_exchange *x, const dx_trust *trust)
{
    dx_bytes said = only_field(&x->head.fields, DX_BYTES("X-Forwarded-Proto"));

    if (said.size > 0 && dx_trust_has_peer(trust, x))
        return dx_bytes_equal_nocase(said, DX_BYTES("https"));
    return dx_conn_is_secure(dx_exchange_conn(x));
}

dx_bytes dx_stream_prefix_sub(const char *prefix, dx_bytes path)
{
    dx_bytes rest = dx_bytes_of(prefix), want, have;

    while (dx_bytes_split(&rest, '/', &want) && dx_bytes_split(&path, '/', &have))
        if (dx_bytes_equal(want, DX_BYTES("{sub}")))
            return have;
    return (dx_bytes){NULL, 0};
}

dx_bytes dx_door_origin(const dx_exchange *x, const dx_stream_route *route)
{
    const dx_http_field *field = dx_http_fields_get(&x->head.fields, DX_HTTP_ORIGIN);

    if (field && dx_http_fields_next(&x->head.fields, field))
        return (dx_bytes){NULL, 0};
    return dx_origin_find(route->server->origins, field ? field->value : (dx_bytes){NULL, 0});
}
