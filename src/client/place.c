/* From a URL to where it leads.
 * SPDX-License-Identifier: MIT */
#include "client/client.h"

#include <string.h>

static const char *const protocols[] = {"http/1.1", NULL};

static dx_err prepare_tls(dx_client *c)
{
    char why[DX_TLS_WHY_BYTES];

    if ((c->cert == NULL) != (c->key == NULL))
        return DX_ERR_NAME;
    if (c->tls)
        return DX_OK;
    return dx_tls_client_new(&(dx_tls_client){.ca = c->ca,
                                              .is_insecure = c->is_insecure,
                                              .pair = {c->cert, c->key},
                                              .alpn = protocols},
                             &c->tls, why);
}

/* The URL may have no path, only a query. */
static bool copy_target(dx_arena *arena, dx_bytes target, dx_bytes *ret)
{
    bool needs_slash = target.size == 0 || target.at[0] != '/';
    uint8_t *at = dx_arena_take(arena, target.size + 1);

    if (at == NULL)
        return false;
    at[0] = '/';
    dx_copy(at + needs_slash, target.at, target.size);
    *ret = dx_bytes_at(at, target.size + needs_slash);
    return true;
}

static bool copy_host(dx_arena *arena, dx_bytes host, const char **ret)
{
    char *at = dx_arena_take(arena, host.size + 1);

    if (at == NULL)
        return false;
    dx_copy(at, host.at, host.size);
    at[host.size] = '\0';
    *ret = at;
    return true;
}

dx_err dx_place_read(dx_client *c, const char *url, dx_arena *arena, dx_place *ret)
{
    dx_bytes copy;
    dx_place place = {0};

    if (!dx_arena_copy(arena, dx_bytes_of(url), &copy))
        return DX_ERR_MEMORY;
    if (dx_url_read(copy, &place.url) != DX_URL_OK)
        return DX_ERR_NAME;
    if (!copy_target(arena, place.url.target, &place.target) ||
        !copy_host(arena, place.url.host, &place.host))
        return DX_ERR_MEMORY;
    dx_err err = place.url.is_secure ? prepare_tls(c) : DX_OK;
    if (err != DX_OK)
        return err;
    place.to.tls = place.url.is_secure ? c->tls : NULL;
    place.to.host = place.host;
    *ret = place;
    return DX_OK;
}

dx_header *dx_headers_copy(dx_arena *arena, const dx_header *headers, size_t count)
{
    dx_header *copy = dx_arena_take(arena, (count + 1) * sizeof *copy);

    for (size_t i = 0; copy && i < count; i++)
        if (!dx_arena_copy(arena, headers[i].name, &copy[i].name) ||
            !dx_arena_copy(arena, headers[i].value, &copy[i].value))
            return NULL;
    return copy;
}
