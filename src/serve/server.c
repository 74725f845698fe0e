/* The server: options, routes, starting and stopping.
 * SPDX-License-Identifier: MIT */
#include "serve/server.h"

#include "base/assert.h"
#include "base/sized.h"
#include "http/files.h"
#include "net/address.h"
#include "store/sqlite.h"

#include <duplex/duplex.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BODY_BYTES_MAX = 1048576, /* of a request on a route of the program's */
    EXIT_CONFIG = 78,         /* EX_CONFIG of sysexits.h */
    MESSAGE_BYTES_MAX = 65536,
};

/* ---- making ----------------------------------------------------------------------------------- */

static char *copy_or(const char *text, const char *otherwise)
{
    return strdup(text ? text : otherwise);
}

dx_server *dx_server_new_sized(const dx_server_options *options, size_t options_size)
{
    dx_server *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->is_asked_too_much = !dx_sized_copy(&s->options, sizeof s->options, options, options_size);
    s->log = (dx_log){dx_log_sink_new(STDERR_FILENO), -1};
    if (s->log.sink)
        dx_log_sink_set_taker(s->log.sink, s->options.log, s->options.log_context);
    dx_list_init(&s->owned);
    s->listen = copy_or(s->options.listen, "127.0.0.1:4437");
    s->loop_name = copy_or(s->options.loop, "auto");
    s->log_level = copy_or(s->options.log_level, "info");
    s->log_format = copy_or(s->options.log_format, "auto");
    s->access_log = copy_or(s->options.access_log, "off");
    s->subject_header = copy_or(s->options.subject_header, "");
    s->trusted_from = copy_or(s->options.trusted_from, "");
    s->origins = copy_or(s->options.origins, "");
    s->data = copy_or(s->options.data, "");
    s->redirect = copy_or(s->options.redirect, "");
    s->client_ca = copy_or(s->options.tls_client_ca, "");
    s->client_mode = copy_or(s->options.tls_client, "");
    s->client_name = copy_or(s->options.tls_client_name, "");
    pthread_mutex_init(&s->reload_lock, NULL);
    dx_allowances_init(&s->allowances);
    s->ws_config = DX_WS_CONFIG_DEFAULT;
    if (s->options.ping_ms)
        s->ws_config.ping_ms = s->options.ping_ms;
    s->http_config = DX_HTTP_CONFIG_DEFAULT;
    if (s->options.is_http2_off)
        s->http_config.http2.streams_max = 0;
    else if (s->options.http2_streams_max)
        s->http_config.http2.streams_max = s->options.http2_streams_max;
    if (s->options.idle_ms)
        s->http_config.idle_ms = s->options.idle_ms;
    s->ws_config.is_deflate = !s->options.is_deflate_off;
    s->ws_config.message_bytes_max =
        s->options.message_bytes_max ? s->options.message_bytes_max : MESSAGE_BYTES_MAX;
    bool has_admin = dx_admin_init(&s->admin, s);
    if (s->log.sink && s->log_format && s->access_log && s->listen && s->loop_name && s->log_level && s->subject_header && s->trusted_from &&
        s->origins && s->data && s->redirect && s->client_ca && s->client_mode && s->client_name &&
        dx_server_copy_tls(s) && dx_server_copy_tokens(s) && has_admin)
        return s;
    dx_server_free(s);
    return NULL;
}

/* Back to before dx_server_start. */
static void undo_start(dx_server *s)
{
    if (s->store && s->workers)
        dx_health_log_store(s);
    if (s->store) /* answers what it was asked, on loops that do not run any more */
        s->store->ops->free(s->store);
    s->store = NULL;
    dx_pulse_stop(s->pulse);
    dx_workers_free(s->workers);
    dx_pulse_free(s->pulse);
    s->pulse = NULL;
    dx_streams_free(s->streams);
    dx_admin_close(&s->admin);
    for (uint32_t i = 0; s->worker && i < s->workers_count; i++)
        dx_worker_deinit(&s->worker[i]);
    dx_server_close_sockets(s);
    free(s->worker);
    dx_watch_free(s->watch);
    s->watch = NULL;
    dx_server_end_tokens(s);
    dx_tls_free(s->tls);
    s->tls = NULL;
    s->workers = NULL;
    s->streams = NULL;
    s->worker = NULL;
    s->listens_count = 0;
}

void dx_server_free(dx_server *s)
{
    if (s == NULL)
        return;
    dx_server_stop(s);
    if (s->workers && !s->is_joined)
        dx_server_wait(s);
    undo_start(s);
    dx_router_deinit(&s->router);
    dx_router_deinit(&s->redirect_router);
    dx_admin_deinit(&s->admin);
    for (dx_list *l; (l = dx_list_take_first(&s->owned)) != NULL;) {
        dx_server_owned *owned = DX_CONTAINER(l, dx_server_owned, link);
        owned->free(owned);
    }
    free(s->listen);
    free(s->loop_name);
    free(s->log_level);
    free(s->log_format);
    free(s->access_log);
    dx_trust_deinit(&s->trust);
    free(s->subject_header);
    free(s->trusted_from);
    free(s->origins);
    free(s->data);
    free(s->redirect);
    free(s->client_ca);
    free(s->client_mode);
    free(s->client_name);
    pthread_mutex_destroy(&s->reload_lock);
    dx_allowances_deinit(&s->allowances);
    dx_server_forget_tls(s);
    dx_server_forget_tokens(s);
    dx_log_sink_free(s->log.sink);
    free(s);
}

/* ---- routes ----------------------------------------------------------------------------------- */

typedef struct owned_text {
    dx_server_owned owned;
    char text[];
} owned_text;

static void owned_text_free(dx_server_owned *owned)
{
    free(DX_CONTAINER(owned, owned_text, owned));
}

void dx_server_own(dx_server *s, dx_server_owned *owned, void (*free_it)(dx_server_owned *))
{
    owned->free = free_it;
    dx_list_init(&owned->link);
    dx_list_append(&s->owned, &owned->link);
}

const char *dx_server_copy(dx_server *s, const char *text)
{
    size_t size = strlen(text) + 1;
    owned_text *copy = malloc(sizeof *copy + size);

    if (copy == NULL)
        return NULL;
    memcpy(copy->text, text, size);
    dx_server_own(s, &copy->owned, owned_text_free);
    return copy->text;
}

dx_err dx_server_add_route(dx_server *s, const dx_route *route)
{
    dx_route copy = *route;

    copy.pattern = dx_server_copy(s, route->pattern);
    return copy.pattern ? dx_router_add(&s->router, &copy) : DX_ERR_MEMORY;
}

static uint32_t methods_named(const char *method)
{
    uint32_t all = 0;

    if (strcmp(method, "*") != 0) {
        dx_http_method m = dx_http_method_of(dx_bytes_of(method));
        return m == DX_HTTP_METHOD_OTHER || m == DX_HTTP_CONNECT ? 0 : DX_BIT(m);
    }
    for (unsigned m = DX_HTTP_GET; m < DX_HTTP_METHOD_COUNT; m++)
        if (m != DX_HTTP_CONNECT && m != DX_HTTP_TRACE)
            all |= DX_BIT(m);
    return all;
}

dx_err dx_server_route(dx_server *s, const char *method, const char *pattern,
                       dx_exchange_handler *handler, void *context)
{
    uint32_t methods = methods_named(method);

    if (methods == 0)
        return DX_ERR_NAME;
    return dx_server_add_route(s, &(dx_route){pattern, methods, BODY_BYTES_MAX, handler, context});
}

dx_err dx_server_route_streamed(dx_server *s, const char *method, const char *pattern,
                                dx_exchange_handler *handler, void *context)
{
    uint32_t methods = methods_named(method);

    if (methods == 0)
        return DX_ERR_NAME;
    return dx_server_add_route(s, &(dx_route){pattern, methods, DX_ROUTE_STREAMED, handler, context});
}

typedef struct websocket_route {
    dx_server_owned owned;
    dx_ws_endpoint endpoint;
} websocket_route;

static void websocket_route_free(dx_server_owned *owned)
{
    free(DX_CONTAINER(owned, websocket_route, owned));
}

static void on_websocket(dx_exchange *x, void *context)
{
    websocket_route *route = context;
    dx_ws_handshake handshake;

    if (dx_ws_handshake_check(x, &route->endpoint, &handshake))
        dx_ws_handshake_accept(x, &dx_worker_of(x)->ws, &route->endpoint, &handshake, NULL);
}

dx_err dx_server_websocket_sized(dx_server *s, const char *pattern, const dx_ws_handler *handler,
                                 size_t handler_size)
{
    websocket_route *route = calloc(1, sizeof *route);

    if (route == NULL)
        return DX_ERR_MEMORY;
    route->endpoint.config = s->ws_config;
    if (!dx_sized_copy(&route->endpoint.handler, sizeof route->endpoint.handler, handler,
                       handler_size)) {
        free(route);
        return DX_ERR_UNSUPPORTED;
    }
    dx_server_own(s, &route->owned, websocket_route_free);
    return dx_server_add_route(s, &(dx_route){pattern, DX_ROUTE_WEBSOCKET, 0, on_websocket, route});
}

typedef struct files_route {
    dx_server_owned owned;
    dx_files *files;
} files_route;

static void files_route_free(dx_server_owned *owned)
{
    files_route *route = DX_CONTAINER(owned, files_route, owned);

    dx_files_free(route->files);
    free(route);
}

dx_err dx_server_files(dx_server *s, const char *prefix, const char *directory)
{
    char pattern[256];
    size_t size = strlen(prefix);
    files_route *route = NULL;

    if (size == 0 || size + 3 > sizeof pattern || prefix[size - 1] != '/')
        return DX_ERR_NAME;
    memcpy(pattern, prefix, size);
    memcpy(pattern + size, "**", 3);
    route = calloc(1, sizeof *route);
    if (route == NULL)
        return DX_ERR_MEMORY;
    dx_err err = dx_files_new(directory, &route->files);
    if (err != DX_OK) {
        free(route);
        return err;
    }
    dx_server_own(s, &route->owned, files_route_free);
    return dx_server_add_route(
        s, &(dx_route){pattern, DX_BIT(DX_HTTP_GET), 0, dx_files_handle, route->files});
}

/* ---- starting --------------------------------------------------------------------------------- */

static dx_err fail(const dx_server *s, dx_err err, const char *what, const char *allowed)
{
    dx_log_write(&s->log, DX_LOG_ERROR, "%s: %s%s%s", what, dx_err_text(err), allowed ? "; allowed: " : "",
                 allowed ? allowed : "");
    return err;
}

static dx_err read_address(dx_server *s, const char *option, dx_bytes text, bool is_redirect)
{
    char copy[256];
    dx_listen *listen = &s->listens[s->listens_count];

    snprintf(copy, sizeof copy, "--%s %.*s", option, DX_FORMAT(text));
    if (s->listens_count == DX_LISTEN_MAX)
        return fail(s, DX_ERR_TOO_LARGE, copy, "16 addresses");
    dx_err err = dx_listen_read(text, listen);
    if (err == DX_OK && is_redirect && listen->security == DX_LISTEN_TLS)
        err = DX_ERR_ADDRESS;
    if (err != DX_OK)
        return fail(s, err, copy, is_redirect ? DX_ADDRESS_FORMS : DX_LISTEN_FORMS);
    if (is_redirect)
        listen->security = DX_LISTEN_REDIRECT;
    s->listens_count++;
    return DX_OK;
}

/* Those for redirects are behind the others. */
static dx_err read_addresses(dx_server *s)
{
    dx_bytes text;
    dx_err err = DX_OK;

    for (dx_bytes rest = dx_bytes_of(s->listen); err == DX_OK && dx_bytes_split(&rest, ' ', &text);)
        if (text.size > 0)
            err = read_address(s, "listen", text, false);
    if (err == DX_OK && s->listens_count == 0)
        return fail(s, DX_ERR_ADDRESS, "--listen", DX_LISTEN_FORMS);
    for (dx_bytes rest = dx_bytes_of(s->redirect); err == DX_OK && dx_bytes_split(&rest, ' ', &text);)
        if (text.size > 0)
            err = read_address(s, "redirect", text, true);
    return err;
}

static dx_err read_access(dx_server *s)
{
    dx_bytes rest = dx_bytes_of(s->origins), origin;

    dx_trust_deinit(&s->trust); /* of a start that failed */
    dx_err err = dx_trust_init(&s->trust, s->subject_header, s->trusted_from);
    if (err == DX_ERR_NAME)
        return fail(s, err, s->subject_header, "the name of a header field");
    if (err != DX_OK)
        return fail(s, err, s->trusted_from, "at most 32 networks, each " DX_TRUST_FORMS);
    while (dx_bytes_split(&rest, ' ', &origin))
        if (origin.size > 0 && !dx_origin_is_good(origin))
            return fail(s, DX_ERR_NAME, s->origins, "* or origins such as https://example.com");
    if ((s->token_cookie[0] || s->client_ca[0]) && strchr(s->origins, '*'))
        return fail(s, DX_ERR_NAME, "origins * with access.token_cookie or tls_client_ca",
                    "named origins: a browser sends cookies and certificates for whatever page asks");
    return DX_OK;
}

static dx_err read_log_options(dx_server *s)
{
    dx_log_format format;
    dx_access_log_policy policy;

    if (!dx_log_format_from_name(s->log_format, &format))
        return fail(s, DX_ERR_NAME, s->log_format, "log formats auto, logfmt, json");
    dx_log_sink_set_format(s->log.sink, format);
    if (dx_server_set_log_level(s, s->log_level) != DX_OK)
        return fail(s, DX_ERR_NAME, s->log_level, "log levels error, warn, info, debug");
    if (!dx_access_log_policy_read(s->access_log, &policy))
        return fail(s, DX_ERR_NAME, s->access_log, "access logs " DX_ACCESS_LOG_FORMS);
    atomic_store(&s->access_log_policy, policy);
    return DX_OK;
}

static dx_err read_options(dx_server *s)
{
    if (s->is_asked_too_much)
        return fail(s, DX_ERR_UNSUPPORTED, "options of the program's that are newer than this library",
                    NULL);
    if (s->options.is_stepped && (s->options.workers > 1 || strcmp(s->loop_name, "io_uring") == 0))
        return fail(s, DX_ERR_NAME, "is_stepped", "one worker, by epoll");
    dx_err log_err = read_log_options(s);
    if (log_err != DX_OK)
        return log_err;
    if (!dx_loop_kind_from_name(s->loop_name, &s->loop_kind))
        return fail(s, DX_ERR_NAME, s->loop_name, "loops auto, epoll, io_uring");
    if (s->options.workers > DX_WORKERS_MAX)
        return fail(s, DX_ERR_NAME, "workers", "1 to 256");
    if (s->ws_config.message_bytes_max > 1u << 30)
        return fail(s, DX_ERR_NAME, "message size", "1 to 1073741824 bytes");
    s->workers_count = s->options.workers ? s->options.workers : dx_workers_cores();
    if (s->options.is_stepped)
        s->workers_count = 1;
    dx_err err = read_access(s);
    return err == DX_OK ? read_addresses(s) : err;
}

static void log_address(const dx_server *s, const dx_listen *listen)
{
    char text[DX_ADDRESS_TEXT_BYTES];
    bool is_tls = dx_listen_is_tls(listen, s->tls != NULL);
    bool is_plain_tcp = !is_tls && listen->address.transport == DX_TCP;

    dx_address_format(&listen->address, text);
    dx_log_write(&s->log, DX_LOG_INFO, "%s %s%s",
                 listen->security == DX_LISTEN_REDIRECT ? "to https:// leads" : "listening on",
                 is_tls         ? "https://"
                 : is_plain_tcp ? "http://"
                                : "",
                 text);
}

static dx_err open_store(dx_server *s)
{
    char why[DX_STORE_WHY_BYTES] = "";
    dx_err err = DX_OK;

    if (s->data[0] != '\0' && dx_server_wants_store(s))
        err = dx_store_sqlite_open(&(dx_store_sqlite_options){.directory = s->data}, &s->store, why);
    if (err != DX_OK)
        dx_log_write(&s->log, DX_LOG_ERROR, "data %s: %s", s->data, why[0] ? why : dx_err_text(err));
    else
        dx_server_settle_streams(s);
    return err;
}

static dx_err start_workers(dx_server *s)
{
    dx_err err = DX_ERR_MEMORY;

    s->worker = calloc(s->workers_count, sizeof *s->worker);
    if (s->worker && dx_streams_new(s->workers_count, s->store, &s->streams) == DX_OK) {
        dx_streams_set_finder(s->streams, dx_server_namespace_of, s);
        err = dx_workers_new(&(dx_workers_options){.is_here = s->options.is_stepped,
                                                   .count = s->workers_count,
                                                   .loop = {.kind = s->loop_kind},
                                                   .context = s,
                                                   .start = dx_worker_start,
                                                   .end = dx_worker_end},
                             &s->workers);
    }
    return err == DX_OK ? DX_OK : fail(s, err, "cannot start the workers", NULL);
}

dx_err dx_server_prepare(dx_server *s, dx_handed *handed)
{
    dx_assert(s->workers == NULL);
    s->handed = handed;
    dx_err err = read_options(s);
    if (err == DX_OK)
        err = dx_log_sink_start(s->log.sink); /* from here on nobody waits for its reader */
    if (err == DX_OK)
        err = dx_server_start_tls(s);
    if (err == DX_OK)
        err = dx_server_start_tokens(s);
    if (err == DX_OK)
        err = dx_server_start_redirect(s);
    if (err == DX_OK)
        err = dx_server_open_sockets(s);
    if (err == DX_OK)
        dx_server_settle_redirect(s);
    if (err == DX_OK)
        err = dx_admin_open(&s->admin);
    s->handed = NULL;
    if (err != DX_OK)
        undo_start(s);
    return err;
}

static dx_err start_pulse(dx_server *s)
{
    dx_pulse *pulse = NULL;
    dx_err err = dx_pulse_new(s, &pulse);

    atomic_store(&s->pulse, pulse);
    return err;
}

dx_err dx_server_begin(dx_server *s)
{
    dx_err err = open_store(s);

    if (err == DX_OK)
        err = start_workers(s);
    if (err == DX_OK)
        err = dx_server_watch_tls(s);
    if (err == DX_OK)
        err = dx_server_watch_tokens(s);
    if (err == DX_OK)
        err = dx_admin_start(&s->admin);
    if (err == DX_OK && !s->options.is_stepped)
        err = start_pulse(s);
    if (err != DX_OK && s->workers) {
        dx_workers_stop(s->workers);
        dx_workers_join(s->workers);
    }
    if (err != DX_OK) {
        undo_start(s);
        return err;
    }
    dx_stats_allow(s->stats);
    dx_console_allow(s->console);
    dx_log_write(&s->log, DX_LOG_INFO, "duplex %s: %u worker%s, loop %s", dx_version(), s->workers_count,
                 s->workers_count == 1 ? "" : "s", dx_loop_name(dx_workers_loop(s->workers, 0)));
    for (size_t i = 0; i < s->listens_count; i++)
        log_address(s, &s->listens[i]);
    dx_admin_log_address(&s->admin);
    return DX_OK;
}

dx_err dx_server_start(dx_server *s)
{
    dx_err err = dx_server_prepare(s, NULL);

    return err == DX_OK ? dx_server_begin(s) : err;
}

void dx_server_close(dx_server *s)
{
    dx_assert(s->is_joined);
    undo_start(s);
}

/* ---- stopping --------------------------------------------------------------------------------- */

void dx_server_wait(dx_server *s)
{
    dx_workers_join(s->workers);
    dx_pulse_stop(s->pulse);
    atomic_store(&s->is_stopped, true);
    s->is_joined = true;
    dx_admin_stop(&s->admin);
    dx_server_close_sockets(s);
    for (size_t i = 0; i < s->listens_count; i++)
        if (!s->is_handed_over && s->listens[i].address.transport == DX_UNIX &&
            s->listens[i].address.local.sun_path[0] != '\0')
            unlink(s->listens[i].address.local.sun_path);
}

static bool is_config_error(dx_err err)
{
    return err == DX_ERR_ADDRESS || err == DX_ERR_NAME || err == DX_ERR_TOO_LARGE;
}

int dx_server_run(dx_server *s)
{
    if (s == NULL)
        return 1;
    dx_err err = dx_server_start(s);
    if (err != DX_OK)
        return is_config_error(err) ? EXIT_CONFIG : 1;
    dx_server_wait(s);
    return 0;
}

void dx_server_drain(dx_server *s, uint32_t timeout_ms)
{
    if (s->workers == NULL || atomic_exchange(&s->is_draining, true))
        return;
    dx_log_write(&s->log, DX_LOG_INFO, "draining");
    atomic_store(&s->drain_ms, timeout_ms);
    for (uint32_t i = 0; i < s->workers_count; i++)
        dx_worker_drain(&s->worker[i]);
}

void dx_server_stop(dx_server *s)
{
    if (s->workers)
        dx_workers_stop(s->workers);
}

dx_err dx_server_set_log_level(dx_server *s, const char *name)
{
    dx_log_level level;

    if (!dx_log_level_from_name(name, &level))
        return DX_ERR_NAME;
    dx_log_sink_set_level(s->log.sink, level);
    return DX_OK;
}

uint16_t dx_server_port(const dx_server *s)
{
    return s->listens_count ? dx_address_port(&s->listens[0].address) : 0;
}

const char *dx_version(void)
{
    return DX_VERSION;
}
