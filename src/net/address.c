/* Addresses in text.
 * SPDX-License-Identifier: MIT */
#include "net/address.h"

#include "base/assert.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

static const struct {
    const char *prefix;
    dx_transport transport;
} transports[] = {
    {"tcp:", DX_TCP},
    {"mptcp:", DX_MPTCP},
    {"sctp:", DX_SCTP},
    {"unix:", DX_UNIX},
};

static dx_transport take_transport(dx_bytes *text)
{
    for (size_t i = 0; i < DX_COUNT(transports); i++) {
        dx_bytes prefix = dx_bytes_of(transports[i].prefix);
        if (dx_bytes_starts(*text, prefix)) {
            dx_bytes_skip(text, prefix.size);
            return transports[i].transport;
        }
    }
    return DX_TCP;
}

/* unix:/path, or unix:@name for the abstract namespace (unix(7)). */
static dx_err parse_local(dx_bytes name, dx_address *ret)
{
    bool abstract = name.size > 0 && name.at[0] == '@';
    bool is_path = name.size > 0 && name.at[0] == '/';
    dx_address a = {.transport = DX_UNIX, .local = {.sun_family = AF_UNIX}};

    if (!(is_path || (abstract && name.size > 1)) || name.size >= sizeof a.local.sun_path)
        return DX_ERR_ADDRESS;
    if (memchr(name.at, 0, name.size) != NULL)
        return DX_ERR_ADDRESS;
    memcpy(a.local.sun_path, name.at, name.size);
    if (abstract)
        a.local.sun_path[0] = '\0';
    a.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name.size + !abstract);
    *ret = a;
    return DX_OK;
}

/* Cuts "host:port" at its last colon; the host may stand in brackets. */
static bool cut_host_port(dx_bytes text, dx_bytes *host, uint16_t *port)
{
    size_t colon = text.size;
    uint64_t number;

    while (colon > 0 && text.at[colon - 1] != ':')
        colon--;
    if (colon == 0 ||
        !dx_bytes_decimal((dx_bytes){text.at + colon, text.size - colon}, 65535, &number))
        return false;
    *host = (dx_bytes){text.at, colon - 1};
    *port = (uint16_t)number;
    return true;
}

static bool parse_host(dx_bytes host, dx_address *a)
{
    char text[INET6_ADDRSTRLEN];
    bool bracketed = host.size >= 2 && host.at[0] == '[' && host.at[host.size - 1] == ']';

    if (bracketed)
        host = (dx_bytes){host.at + 1, host.size - 2};
    if (host.size >= sizeof text || dx_bytes_find(host, 0) < host.size)
        return false;
    dx_copy(text, host.at, host.size);
    text[host.size] = '\0';
    if (bracketed)
        return inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1 && (a->v6.sin6_family = AF_INET6);
    if (host.size == 0 || strcmp(text, "*") == 0) {
        a->v6.sin6_family = AF_INET6; /* in6addr_any, which takes both families */
        return true;
    }
    if (strcmp(text, "localhost") == 0)
        strcpy(text, "127.0.0.1"); /* nine bytes into a buffer of 46 */
    return inet_pton(AF_INET, text, &a->v4.sin_addr) == 1 && (a->v4.sin_family = AF_INET);
}

dx_err dx_address_parse(dx_bytes text, dx_address *ret)
{
    dx_address a = {.transport = take_transport(&text)};
    dx_bytes host;
    uint16_t port;

    if (a.transport == DX_UNIX)
        return parse_local(text, ret);
    if (!cut_host_port(text, &host, &port) || !parse_host(host, &a))
        return DX_ERR_ADDRESS;
    a.size = a.any.sa_family == AF_INET ? sizeof a.v4 : sizeof a.v6;
    dx_address_set_port(&a, port);
    *ret = a;
    return DX_OK;
}

dx_err dx_address_resolve(const char *host, uint16_t port, dx_address *ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found;
    dx_address a = {.transport = DX_TCP};

    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1"; /* as dx_address_parse has it, or client and server could miss each other */
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return DX_ERR_ADDRESS;
    bool fits = found->ai_family == AF_INET || found->ai_family == AF_INET6;
    if (fits) {
        a.size = found->ai_addrlen;
        memcpy(&a.any, found->ai_addr, found->ai_addrlen);
        dx_address_set_port(&a, port);
        *ret = a;
    }
    freeaddrinfo(found);
    return fits ? DX_OK : DX_ERR_ADDRESS;
}

static void format_local(const dx_address *a, char *to, size_t size)
{
    size_t head = offsetof(struct sockaddr_un, sun_path);

    if (a->size <= head)
        snprintf(to, size, "unix:"); /* an unnamed client */
    else if (a->local.sun_path[0] == '\0')
        snprintf(to, size, "unix:@%.*s", (int)(a->size - head - 1), a->local.sun_path + 1);
    else
        snprintf(to, size, "unix:%.*s", (int)(a->size - head), a->local.sun_path);
}

void dx_address_format(const dx_address *address, char to[DX_ADDRESS_TEXT_BYTES])
{
    static const char *const prefixes[] = {
        [DX_TCP] = "", [DX_MPTCP] = "mptcp:", [DX_SCTP] = "sctp:", [DX_UNIX] = "unix:"};
    char host[INET6_ADDRSTRLEN];
    const char *prefix = prefixes[address->transport];

    if (address->any.sa_family == AF_UNIX) {
        format_local(address, to, DX_ADDRESS_TEXT_BYTES);
    } else if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        snprintf(to, DX_ADDRESS_TEXT_BYTES, "%s%s:%u", prefix, host, dx_address_port(address));
    } else {
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        snprintf(to, DX_ADDRESS_TEXT_BYTES, "%s[%s]:%u", prefix, host, dx_address_port(address));
    }
}

uint16_t dx_address_port(const dx_address *address)
{
    if (address->any.sa_family == AF_INET)
        return ntohs(address->v4.sin_port);
    return address->any.sa_family == AF_INET6 ? ntohs(address->v6.sin6_port) : 0;
}

void dx_address_set_port(dx_address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->v4.sin_port = htons(port);
    else if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons(port);
}
