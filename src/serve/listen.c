/* Addresses to listen on.
 * SPDX-License-Identifier: MIT */
#include "serve/listen.h"

#include "base/assert.h"

static bool take_scheme(dx_bytes *text, dx_bytes scheme)
{
    if (!dx_bytes_starts(*text, scheme))
        return false;
    dx_bytes_skip(text, scheme.size);
    if (text->size > 0 && text->at[text->size - 1] == '/') /* as a browser shows it */
        text->size--;
    return true;
}

dx_err dx_listen_read(dx_bytes text, dx_listen *ret)
{
    dx_listen l = {.security = DX_LISTEN_AS_CONFIGURED};

    if (take_scheme(&text, DX_BYTES("https://")))
        l.security = DX_LISTEN_TLS;
    else if (take_scheme(&text, DX_BYTES("http://")))
        l.security = DX_LISTEN_PLAIN;
    dx_err err = dx_address_parse(text, &l.address);
    if (err == DX_OK)
        *ret = l;
    return err;
}

bool dx_listen_is_tls(const dx_listen *listen, bool has_certificate)
{
    switch (listen->security) {
    case DX_LISTEN_AS_CONFIGURED: return has_certificate && listen->address.transport != DX_UNIX;
    case DX_LISTEN_PLAIN:
    case DX_LISTEN_REDIRECT: return false;
    case DX_LISTEN_TLS: return true;
    }
    dx_unreachable("dx_listen_security outside its enum");
}
