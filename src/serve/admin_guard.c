/* Who may use the admin listener: not pages of other sites in the browser of somebody here, and, where there is
 * a token, only who shows it.
 * Is not: users of streams (access.h).
 * Source: RFC 9110 §7.2, §11.6.2, §15.5.20; RFC 6750 §2.1; RFC 6454 §7.
 * SPDX-License-Identifier: MIT */
#include "serve/admin.h"

#include "base/assert.h"
#include "base/err.h"
#include "codec/url.h"
#include "serve/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* ---- pages of other sites --------------------------------------------------------------------- */

static bool ends_with(dx_bytes text, dx_bytes end)
{
    return text.size >= end.size &&
           dx_bytes_equal_nocase((dx_bytes){text.at + text.size - end.size, end.size}, end);
}

static bool is_loopback_literal(dx_bytes host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    struct in_addr v4;

    if (host.size >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", DX_FORMAT(host));
    if (inet_pton(AF_INET, text, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* A page of somebody's who lets his name resolve to this address has his name in Host (DNS rebinding). These are
 * nobody's: RFC 6761 §6.3. */
static bool is_loopback_host(dx_bytes authority)
{
    dx_bytes host;
    uint16_t port;

    if (!dx_url_authority_read(authority, &host, &port))
        return false;
    return dx_bytes_equal_nocase(host, DX_BYTES("localhost")) ||
           ends_with(host, DX_BYTES(".localhost")) || is_loopback_literal(host);
}

/* Programs send no Origin; a page of this listener sends its own with what is not GET. Whether a proxy in front
 * has made https of it does not matter. */
static bool origin_is_own(const dx_exchange *x)
{
    const dx_http_field *field = dx_http_fields_get(&x->head.fields, DX_HTTP_ORIGIN);
    dx_url_origin origin;

    if (field == NULL)
        return true;
    if (dx_http_fields_next(&x->head.fields, field) || !dx_url_origin_read(field->value, &origin))
        return false;
    return dx_url_origin_is_host(&origin, x->head.host, false) ||
           dx_url_origin_is_host(&origin, x->head.host, true);
}

void dx_admin_handle(dx_exchange *x, void *context)
{
    const dx_admin *a = context;

    if (a->is_guarded && !is_loopback_host(x->head.host)) {
        dx_exchange_problem(
            x, 421,
            "This is the admin listener of this machine: Host must be localhost or a "
            "loopback address, or the server must have an --admin-token-file.");
        return;
    }
    if (!origin_is_own(x)) {
        dx_exchange_problem(x, 403, "Pages of other origins may not use the admin listener.");
        return;
    }
    dx_exchange_found found = dx_exchange_find(x, &a->routes);
    if (found == DX_FOUND)
        x->match.route->handle(x, x->match.route->context);
    else
        dx_exchange_answer_unfound(x, found);
}

/* ---- the token -------------------------------------------------------------------------------- */

dx_err dx_admin_read_token(dx_admin *a)
{
    uint8_t text[DX_ADMIN_TOKEN_BYTES_MAX + 16];
    int fd = open(a->token_file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? DX_ERR_NOT_FOUND : dx_err_from_errno(errno);
    ssize_t size = read(fd, text, sizeof text);
    int error = errno;
    close(fd);
    if (size < 0)
        return dx_err_from_errno(error);
    dx_bytes token = dx_bytes_at(text, (size_t)size);
    while (token.size > 0 && (token.at[token.size - 1] == '\n' || token.at[token.size - 1] == '\r'))
        token.size--;
    if (token.size < DX_ADMIN_TOKEN_BYTES_MIN || token.size > DX_ADMIN_TOKEN_BYTES_MAX)
        return DX_ERR_NAME;
    for (size_t i = 0; i < token.size; i++)
        if (token.at[i] <= ' ' || token.at[i] > '~')
            return DX_ERR_NAME;
    memcpy(a->token, token.at, token.size);
    a->token_size = token.size;
    return DX_OK;
}

/* How long it takes says nothing about where they differ. */
static bool is_token(const dx_admin *a, dx_bytes shown)
{
    unsigned differs = shown.size != a->token_size;

    for (size_t i = 0; i < a->token_size; i++)
        differs |= (unsigned)(a->token[i] ^ (shown.size > 0 ? shown.at[i % shown.size] : 0));
    return differs == 0;
}

static bool shows_token(const dx_exchange *x, const dx_admin *a)
{
    const dx_http_field *field = dx_http_fields_find(&x->head.fields, DX_BYTES("Authorization"));
    const dx_bytes scheme = DX_BYTES("Bearer ");

    if (field == NULL || field->value.size < scheme.size ||
        !dx_bytes_equal_nocase((dx_bytes){field->value.at, scheme.size}, scheme))
        return false;
    return is_token(a, dx_bytes_trim((dx_bytes){field->value.at + scheme.size,
                                                field->value.size - scheme.size}));
}

bool dx_admin_holds_token(dx_exchange *x, const dx_admin *a)
{
    static const dx_header headers[] = {
        {DX_BYTES("WWW-Authenticate"), DX_BYTES("Bearer realm=\"duplex admin\"")}};

    if (a->token_size == 0 || shows_token(x, a))
        return true;
    dx_exchange_problem_with(
        x, 401,
        "The admin token is needed: Authorization: Bearer TOKEN, the line in the file "
        "that the server was given as --admin-token-file.",
        headers, DX_COUNT(headers));
    return false;
}
