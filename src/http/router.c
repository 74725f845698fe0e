/* From a path and a method to a handler.
 * SPDX-License-Identifier: MIT */
#include "http/router.h"

#include "base/assert.h"

#include <stdlib.h>

static bool is_rest(dx_bytes segment)
{
    return dx_bytes_equal(segment, DX_BYTES("**"));
}

static bool is_parameter(dx_bytes segment)
{
    return segment.size >= 2 && segment.at[0] == '{' && segment.at[segment.size - 1] == '}';
}

static bool pattern_is_good(dx_bytes pattern)
{
    size_t parameters = 0;
    dx_bytes segment;

    if (pattern.size == 0 || pattern.at[0] != '/')
        return false;
    dx_bytes_skip(&pattern, 1);
    if (pattern.size == 0)
        return true;
    while (dx_bytes_split(&pattern, '/', &segment)) {
        bool last = pattern.at == NULL;
        if (is_rest(segment) ? !last : dx_bytes_find(segment, '*') < segment.size)
            return false;
        if (is_parameter(segment) && segment.size == 2)
            return false;
        parameters += is_rest(segment) || is_parameter(segment);
        if (parameters > DX_ROUTE_PARAMETERS_MAX)
            return false;
    }
    return true;
}

/* Where two patterns first differ, a literal segment goes before a parameter before the rest. */
static int segment_rank(dx_bytes segment)
{
    return is_rest(segment) ? 2 : is_parameter(segment) ? 1 : 0;
}

static bool goes_before(const char *a_text, const char *b_text)
{
    dx_bytes a = dx_bytes_of(a_text), b = dx_bytes_of(b_text), x, y;

    while (a.at && b.at && dx_bytes_split(&a, '/', &x) && dx_bytes_split(&b, '/', &y))
        if (segment_rank(x) != segment_rank(y))
            return segment_rank(x) < segment_rank(y);
    return a.at != NULL && b.at == NULL; /* the longer one: a whole order, if nothing else */
}

/* The first eight bytes as a number, shorter ones behind zeros: paths and patterns have no NUL. */
static uint64_t first8_of(dx_bytes text)
{
    uint64_t value = 0;

    dx_copy(&value, text.at, text.size < sizeof value ? text.size : sizeof value);
    return value;
}

static dx_router_entry entry_of(const dx_route *route)
{
    static const uint8_t ones[8] = {255, 255, 255, 255, 255, 255, 255, 255};
    dx_router_entry entry = {.route = *route, .literal = dx_bytes_of(route->pattern)};
    dx_bytes rest = entry.literal, segment;

    while (entry.rest.at == NULL && rest.at != NULL) {
        dx_bytes here = rest;
        if (dx_bytes_split(&rest, '/', &segment) && segment_rank(segment) > 0)
            entry.rest = here;
    }
    entry.literal.size -= entry.rest.size;
    entry.first8 = first8_of(entry.literal);
    entry.first8_mask =
        first8_of(dx_bytes_at(ones, entry.literal.size < 8 ? entry.literal.size : 8));
    return entry;
}

dx_err dx_router_add(dx_router *router, const dx_route *route)
{
    size_t place = 0;

    dx_assert(route->handle && route->methods);
    if (!pattern_is_good(dx_bytes_of(route->pattern)))
        return DX_ERR_NAME;
    for (size_t i = 0; i < router->count; i++)
        if (strcmp(router->entries[i].route.pattern, route->pattern) == 0 &&
            (router->entries[i].route.methods & route->methods) != 0)
            return DX_ERR_CONFLICT;
    dx_router_entry *entries = realloc(router->entries, (router->count + 1) * sizeof *entries);
    if (entries == NULL)
        return DX_ERR_MEMORY;
    router->entries = entries;
    while (place < router->count && !goes_before(route->pattern, entries[place].route.pattern))
        place++;
    memmove(&entries[place + 1], &entries[place], (router->count - place) * sizeof *entries);
    entries[place] = entry_of(route);
    router->count++;
    return DX_OK;
}

void dx_router_deinit(dx_router *router)
{
    free(router->entries);
    *router = (dx_router){0};
}

static void add_parameter(dx_route_match *match, dx_bytes name, dx_bytes value)
{
    dx_assert(match->parameters_count < DX_ROUTE_PARAMETERS_MAX);
    match->parameters[match->parameters_count++] = (dx_route_parameter){name, value};
}

/* The segments behind the literal ones. */
static bool rest_fits(dx_bytes pattern, dx_bytes path, dx_route_match *match)
{
    dx_bytes want, have;

    while (dx_bytes_split(&pattern, '/', &want)) {
        if (is_rest(want)) {
            if (path.at == NULL)
                return false;
            add_parameter(match, want, path);
            return true;
        }
        if (!dx_bytes_split(&path, '/', &have))
            return false;
        if (is_parameter(want) && have.size > 0)
            add_parameter(match, (dx_bytes){want.at + 1, want.size - 2}, have);
        else if (!dx_bytes_equal(want, have))
            return false;
    }
    return path.at == NULL;
}

static bool entry_fits(const dx_router_entry *entry, dx_bytes path, dx_route_match *match)
{
    match->parameters_count = 0;
    if (entry->rest.at == NULL)
        return dx_bytes_equal(path, entry->literal);
    if (!dx_bytes_starts(path, entry->literal))
        return false;
    dx_bytes_skip(&path, entry->literal.size);
    return rest_fits(entry->rest, path, match);
}

static uint32_t methods_of(const dx_route_wish *wish)
{
    switch (wish->method) {
    case DX_HTTP_HEAD: return DX_BIT(DX_HTTP_HEAD) | DX_BIT(DX_HTTP_GET);
    case DX_HTTP_METHOD_OTHER:
    case DX_HTTP_METHOD_COUNT: return 0;
    case DX_HTTP_GET:
    case DX_HTTP_POST:
    case DX_HTTP_PUT:
    case DX_HTTP_DELETE:
    case DX_HTTP_OPTIONS:
    case DX_HTTP_PATCH:
    case DX_HTTP_TRACE:
    case DX_HTTP_CONNECT: return DX_BIT(wish->method);
    }
    dx_unreachable("dx_http_method outside its enum");
}

static dx_route_status find(const dx_router *router, uint32_t wanted, dx_bytes path,
                            dx_route_match *ret)
{
    uint64_t first8 = first8_of(path);

    ret->allowed = 0;
    for (size_t i = 0; i < router->count; i++) {
        const dx_router_entry *entry = &router->entries[i];
        const dx_route *route = &entry->route;
        if ((first8 & entry->first8_mask) != entry->first8 || !entry_fits(entry, path, ret))
            continue;
        if ((route->methods & wanted) != 0) {
            ret->route = route;
            return DX_ROUTE_OK;
        }
        ret->allowed |= route->methods;
    }
    return ret->allowed ? DX_ROUTE_METHOD : DX_ROUTE_NOT_FOUND;
}

dx_route_status dx_router_find(const dx_router *router, const dx_route_wish *wish,
                               dx_route_match *ret)
{
    if (wish->is_websocket && find(router, DX_ROUTE_WEBSOCKET, wish->path, ret) == DX_ROUTE_OK)
        return DX_ROUTE_OK;
    return find(router, methods_of(wish), wish->path, ret);
}
