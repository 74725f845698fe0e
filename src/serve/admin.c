/* The admin listener's thread, address and routes.
 * SPDX-License-Identifier: MIT */
#include "serve/admin.h"

#include "base/assert.h"
#include "net/socket.h"
#include "serve/admin_streams.h"
#include "serve/server.h"

#include <stdlib.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BODY_BYTES_MAX = 1048576,
    RECV_BYTES = 16384, /* at once: there is little to read */
    END_WAIT_MS = 100,
    CONNS_COUNT_MAX = 256,
    HTTP2_STREAMS_MAX = 8, /* of each: what is under way has room in the thread's mailbox */
    MODE_OF_SOCKET = 0660, /* at most: who may write to it may connect */
};

/* ---- making ----------------------------------------------------------------------------------- */

static uint32_t all_methods(void)
{
    uint32_t all = 0;

    for (unsigned m = DX_HTTP_GET; m < DX_HTTP_METHOD_COUNT; m++)
        if (m != DX_HTTP_CONNECT && m != DX_HTTP_TRACE)
            all |= DX_BIT(m);
    return all;
}

bool dx_admin_init(dx_admin *a, dx_server *server)
{
    const dx_server_options *o = &server->options;

    *a = (dx_admin){.server = server, .fd = -1, .handle = -1, .is_optional = o->is_admin_optional};
    a->address = strdup(o->admin ? o->admin : "");
    a->token_file = strdup(o->admin_token_file ? o->admin_token_file : "");
    /* A route for WebSockets gets requests before their bodies, so it is one of its own. */
    const dx_route routes[] = {{"/**", all_methods(), BODY_BYTES_MAX, dx_admin_handle, a},
                               {"/**", DX_ROUTE_WEBSOCKET, 0, dx_admin_handle, a}};
    return a->address && a->token_file && dx_router_add(&a->all, &routes[0]) == DX_OK &&
           dx_router_add(&a->all, &routes[1]) == DX_OK;
}

void dx_admin_deinit(dx_admin *a)
{
    dx_router_deinit(&a->routes);
    dx_router_deinit(&a->all);
    free(a->address);
    free(a->token_file);
}

/* A route that only holders of the token may use. */
typedef struct held_route {
    dx_server_owned owned;
    const dx_admin *admin;
    dx_exchange_handler *handle;
    void *context;
} held_route;

static void held_route_free(dx_server_owned *owned)
{
    free(DX_CONTAINER(owned, held_route, owned));
}

static void on_held(dx_exchange *x, void *context)
{
    const held_route *route = context;

    if (dx_admin_holds_token(x, route->admin))
        route->handle(x, route->context);
}

dx_err dx_server_admin_route(dx_server *s, const dx_route *route, dx_admin_who who)
{
    dx_route copy = *route;

    copy.pattern = dx_server_copy(s, route->pattern);
    if (copy.pattern == NULL)
        return DX_ERR_MEMORY;
    if (who == DX_ADMIN_HOLDER) {
        held_route *held = calloc(1, sizeof *held);
        if (held == NULL)
            return DX_ERR_MEMORY;
        *held =
            (held_route){.admin = &s->admin, .handle = route->handle, .context = route->context};
        dx_server_own(s, &held->owned, held_route_free);
        copy.handle = on_held;
        copy.context = held;
    }
    return dx_router_add(&s->admin.routes, &copy);
}

/* ---- the address ------------------------------------------------------------------------------ */

static bool is_none(const dx_admin *a)
{
    return a->address[0] == '\0' || strcmp(a->address, "none") == 0;
}

static bool is_local(const dx_address *a)
{
    switch (a->any.sa_family) {
    case AF_UNIX: return true;
    case AF_INET: return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
    case AF_INET6: return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
    }
    return false;
}

static dx_err fail(const dx_admin *a, dx_err err, const char *option, const char *why)
{
    dx_log_write(&a->server->log, DX_LOG_ERROR, "%s: %s%s%s", option, dx_err_text(err),
                 why ? "; " : "", why ? why : "");
    return err;
}

static dx_err read_address(dx_admin *a)
{
    if (dx_listen_read(dx_bytes_of(a->address), &a->listen) != DX_OK)
        return fail(a, DX_ERR_ADDRESS, "--admin", "allowed: none, or " DX_LISTEN_FORMS);
    if (a->listen.security == DX_LISTEN_AS_CONFIGURED)
        a->listen.security = DX_LISTEN_PLAIN; /* no name in a certificate is for 127.0.0.1 */
    if (a->listen.security == DX_LISTEN_TLS && a->server->tls == NULL)
        return fail(a, DX_ERR_NAME, "--admin",
                    "https:// needs a certificate: --tls-cert FILE --tls-key FILE");
    return DX_OK;
}

static dx_err read_token(dx_admin *a)
{
    dx_err err = a->token_file[0] ? dx_admin_read_token(a) : DX_OK;

    if (err == DX_ERR_NAME)
        return fail(a, err, "--admin-token-file",
                    "allowed: one line of 16 to 512 visible characters");
    if (err != DX_OK)
        return fail(a, err, "--admin-token-file", a->token_file);
    if (a->token_size == 0 && !is_local(&a->listen.address))
        return fail(
            a, DX_ERR_NAME, "--admin",
            "an address that others can reach needs --admin-token-file FILE; without one allowed: "
            "127.0.0.1:PORT, [::1]:PORT, unix:/PATH, unix:@NAME, none");
    a->is_guarded = a->token_size == 0 && a->listen.address.transport != DX_UNIX;
    return DX_OK;
}

static dx_err open_socket(dx_admin *a)
{
    char text[DX_ADDRESS_TEXT_BYTES];
    struct stat st;
    const char *path = a->listen.address.local.sun_path;
    bool is_file = a->listen.address.transport == DX_UNIX && path[0] == '/';

    dx_address_format(&a->listen.address, text);
    snprintf(a->name, sizeof a->name, "admin %s", text);
    dx_err err = dx_server_open_socket(a->server, a->name, &a->listen.address, &a->fd);
    a->handle = err == DX_OK ? a->fd : -1;
    dx_address_format(&a->listen.address, text);
    if (err == DX_ERR_IN_USE && a->is_optional) {
        dx_log_write(
            &a->server->log, DX_LOG_INFO,
            "no admin listener: %s is in use; --admin ADDR chooses another, --admin none does without",
            text);
        return DX_OK;
    }
    if (err != DX_OK)
        return fail(a, err, "--admin", text);
    if (is_file && stat(path, &st) == 0 && (st.st_mode & 0777 & ~(mode_t)MODE_OF_SOCKET) != 0 &&
        chmod(path, st.st_mode & MODE_OF_SOCKET) != 0)
        return fail(a, DX_ERR_DENIED, "--admin", text);
    return DX_OK;
}

dx_err dx_admin_open(dx_admin *a)
{
    if (is_none(a))
        return DX_OK;
    dx_err err = read_address(a);
    if (err == DX_OK)
        err = read_token(a);
    return err == DX_OK ? open_socket(a) : err;
}

/* ---- the thread ------------------------------------------------------------------------------- */

/* Nothing here is for caches, frames, or to be taken for a script. */
static size_t more_fields(const dx_exchange *x, unsigned status, dx_header *ret)
{
    (void)x;
    (void)status;
    ret[0] = (dx_header){DX_BYTES("X-Content-Type-Options"), DX_BYTES("nosniff")};
    ret[1] = (dx_header){DX_BYTES("Cross-Origin-Resource-Policy"), DX_BYTES("same-origin")};
    return 2;
}

static void on_accept(dx_listener *listener, int fd)
{
    dx_admin *a = listener->owner;

    dx_http1_accept(&a->http, fd, a->listen.security == DX_LISTEN_TLS ? a->server->tls : NULL);
}

static void end(dx_loop *loop, uint32_t index, void *admin)
{
    dx_admin *a = admin;

    (void)index;
    dx_listener_close(&a->listener);
    for (dx_list *l = a->net.live.next, *next; l != &a->net.live; l = next) {
        next = l->next;
        dx_conn_abort(DX_CONTAINER(l, dx_conn, link), DX_ERR_CLOSED, false);
    }
    while (a->net.conns_count > 0 || !a->listener.is_closed)
        dx_loop_step(loop, END_WAIT_MS);
    dx_http_deinit(&a->http);
    dx_net_deinit(&a->net);
}

static dx_err begin(dx_loop *loop, uint32_t index, void *admin)
{
    dx_admin *a = admin;
    dx_net_limits limits = DX_NET_LIMITS_DEFAULT;

    limits.conns_count_max = CONNS_COUNT_MAX;
    a->loop = loop;
    dx_loop_set_owner(loop, a);
    dx_net_init(&a->net, loop, &limits, &a->server->log);
    a->listener = (dx_listener){.on_accept = on_accept,
                                .owner = a,
                                .log = &a->server->log,
                                .is_closed = true,
                                .io = {.fd = -1}};
    dx_http_config config = a->server->http_config;
    config.http2.streams_max = (uint32_t)dx_min_size(config.http2.streams_max, HTTP2_STREAMS_MAX);
    dx_err err = dx_http_init(&a->http, &a->net, &a->all, &config);
    a->http.more = more_fields;
    if (err == DX_OK)
        err = dx_listener_open(&a->listener, loop, a->fd);
    if (err == DX_OK)
        a->fd = -1;
    else
        end(loop, index, a);
    return err;
}

dx_err dx_admin_start(dx_admin *a)
{
    if (a->fd < 0)
        return DX_OK;
    dx_err err = dx_admin_streams_begin(a);
    if (err != DX_OK)
        return fail(a, err, "cannot start the admin listener", NULL);
    err = dx_workers_new(
        &(dx_workers_options){.count = 1,
                              .name = "duplex-admin",
                              .loop = {.kind = DX_LOOP_EPOLL, .recv_bytes = RECV_BYTES},
                              .context = a,
                              .start = begin,
                              .end = end},
        &a->thread);
    return err == DX_OK ? DX_OK : fail(a, err, "cannot start the admin listener", NULL);
}

void dx_admin_log_address(const dx_admin *a)
{
    char text[DX_ADDRESS_TEXT_BYTES];
    const char *scheme = a->listen.security == DX_LISTEN_TLS     ? "https://"
                         : a->listen.address.transport == DX_TCP ? "http://"
                                                                 : "";

    if (a->thread == NULL)
        return;
    dx_address_format(&a->listen.address, text);
    dx_log_write(&a->server->log, DX_LOG_INFO, "admin on %s%s", scheme, text);
}

void dx_admin_stop(dx_admin *a)
{
    if (a->thread == NULL || a->is_stopped)
        return;
    a->is_stopped = true;
    dx_workers_stop(a->thread);
    dx_workers_join(a->thread);
    if (!a->server->is_handed_over && a->listen.address.transport == DX_UNIX && a->listen.address.local.sun_path[0] != '\0')
        unlink(a->listen.address.local.sun_path);
}

void dx_admin_close(dx_admin *a)
{
    dx_admin_stop(a);
    dx_workers_free(a->thread);
    dx_admin_streams_end(a);
    a->thread = NULL;
    a->loop = NULL;
    a->is_stopped = false;
    if (a->fd >= 0)
        close(a->fd);
    a->fd = a->handle = -1;
}
