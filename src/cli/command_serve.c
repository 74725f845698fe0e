/* duplex serve: the server until a signal ends it.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/demo_compare.h"
#include "cli/notify.h"
#include "cli/reload.h"
#include "cli/signals.h"
#include "cli/upgrade.h"
#include "cli/web.h"
#include "serve/admin_streams.h"
#include "serve/console.h"
#include "serve/listen.h"
#include "serve/api.h"
#include "serve/metrics.h"
#include "serve/revoked.h"
#include "serve/server.h"

#include <arpa/inet.h>
#include <examples/demo.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    DEMO_SEED = 20,
    HAND_OVER_MS = 2000, /* for what is under way when the next process takes over: nobody is served meanwhile */
};

typedef struct serving {
    const dx_settings *flags, *settings; /* of the command line; all of them */
    dx_server *server;
    dx_handed sockets;    /* to begin with; later those that are handed over */
    dx_upgrade asked;     /* by the process before; */
    dx_upgrade next;      /* the process after */
    bool is_handing_over; /* after dx_cli_signals_stop: to that one */
    ticker *ticker; /* NULL without --demo, as the two below */
    game *game;
    dx_demo_compare *compare;
    uint32_t drain_ms;
} serving;

static int fail(int code, dx_err err, const char *what)
{
    dx_cli_say("serve", "%.200s: %s", what, dx_err_text(err));
    return code;
}

/* ---- routes ----------------------------------------------------------------------------------- */

static int add_namespaces(dx_server *server, const dx_settings *s)
{
    for (size_t i = 0; i < s->namespaces_count; i++) {
        dx_stream_options options = dx_namespace_stream_options(&s->namespaces[i]);
        dx_err err = dx_server_streams(server, s->namespaces[i].prefix, &options);
        if (err != DX_OK)
            return fail(err == DX_ERR_MEMORY ? DX_EXIT_FAILURE : DX_EXIT_CONFIG, err,
                        s->namespaces[i].prefix);
    }
    return DX_EXIT_OK;
}

/* The built-in pages; a namespace on "/" leaves no place for them. */
static dx_err add_pages(dx_server *server, const char *pattern)
{
    dx_pages *pages = (dx_pages *)(uintptr_t)&dx_web_pages; /* constant: the handler knows */
    dx_err err = dx_server_route(server, "*", pattern, dx_pages_handle, pages);

    return err == DX_ERR_CONFLICT ? DX_OK : err;
}

/* On the admin listener; which file is which page is the same as where streams are served. */
static dx_err add_console(dx_server *server, const dx_settings *s)
{
    static const char *const patterns[] = {"/console/**", "/lib/**", "/style.css", "/page.js",
                                           "/icon.svg"};
    dx_pages *pages = (dx_pages *)(uintptr_t)&dx_web_pages; /* constant: the handler knows */
    bool is_off = s->web && strcmp(s->web, "none") == 0;
    dx_err err = dx_server_console(server);

    if (err == DX_OK)
        err = dx_server_admin_streams(server);
    for (size_t i = 0; i < DX_COUNT(patterns) && err == DX_OK && !is_off; i++)
        err = dx_server_admin_route(
            server, &(dx_route){patterns[i], DX_BIT(DX_HTTP_GET), 0, dx_pages_handle, pages},
            DX_ADMIN_ANYONE);
    return err;
}

/* The pages' libraries are there for somebody's own pages, too. */
static int add_web(dx_server *server, const dx_settings *s)
{
    bool is_off = s->web && strcmp(s->web, "none") == 0, is_own = s->web && !is_off;
    dx_err err = is_off ? DX_OK : add_pages(server, is_own ? "/lib/**" : "/**");

    if (err != DX_OK)
        return fail(DX_EXIT_FAILURE, err, "the pages");
    err = is_own ? dx_server_files(server, "/", s->web) : DX_OK;
    if (err == DX_OK)
        return DX_EXIT_OK;
    dx_cli_say("serve", "--web: cannot serve the directory \"%.200s\": %s", s->web,
               dx_err_text(err));
    return err == DX_ERR_MEMORY ? DX_EXIT_FAILURE : DX_EXIT_CONFIG;
}

/* What is on the admin listener only. */
static dx_err add_admin(dx_server *server)
{
    const dx_route openapi = {"/api/v1/openapi.json", DX_BIT(DX_HTTP_GET), 0, dx_pages_handle,
                              (dx_pages *)(uintptr_t)&dx_web_pages};
    dx_err err = dx_server_api(server);

    if (err == DX_OK)
        err = dx_server_metrics(server);
    return err == DX_OK ? dx_server_admin_route(server, &openapi, DX_ADMIN_ANYONE) : err;
}

static int add_routes(dx_server *server, const dx_settings *s)
{
    dx_err err = dx_server_health(server);

    if (err != DX_OK)
        return fail(DX_EXIT_FAILURE, err, "/healthz, /readyz");
    err = dx_server_revocations(server);
    if (err != DX_OK)
        return fail(DX_EXIT_FAILURE, err, "/api/v1/revocations");
    err = add_admin(server);
    if (err != DX_OK)
        return fail(DX_EXIT_FAILURE, err, "the admin listener");
    int code = add_namespaces(server, s);
    err = code == DX_EXIT_OK ? dx_server_stats(server) : DX_OK;
    if (err != DX_OK &&
        err != DX_ERR_CONFLICT) /* a namespace in its place is the configuration's wish */
        return fail(DX_EXIT_FAILURE, err, DX_STATS_PREFIX);
    if (code == DX_EXIT_OK && (err = add_console(server, s)) != DX_OK && err != DX_ERR_CONFLICT)
        return fail(DX_EXIT_FAILURE, err, DX_CONSOLE_PREFIX);
    return code == DX_EXIT_OK ? add_web(server, s) : code;
}

/* In this process: the game's WebSocket is then at the pages' own origin, prices are published without a way
 * through the kernel, and nothing is left behind when the server ends, however it ends. */
static bool add_demo(serving *to)
{
    to->ticker = ticker_new(to->server, DEMO_SEED);
    to->game = game_new(to->server, DEMO_SEED);
    to->compare = dx_demo_compare_new(to->server);
    if (to->ticker && to->game && to->compare)
        return true;
    dx_cli_say("serve", "--demo: out of memory, or a namespace takes its place: /live/ticker/, "
                        "/live/$sys/compare/ and /demo/");
    return false;
}

/* ---- serving ---------------------------------------------------------------------------------- */

static void on_signal(void *context, unsigned count)
{
    const serving *to = context;

    dx_notify("STOPPING=1\nSTATUS=draining");
    if (count == 1)
        dx_server_drain(to->server, to->drain_ms);
    else
        dx_server_stop(to->server);
}

static void on_hangup(void *context)
{
    serving *to = context;

    dx_notify_reloading("reading the configuration again");
    dx_reload(&(dx_reloading){to->server, to->flags, to->settings, &to->drain_ms});
    dx_notify("READY=1\nSTATUS=serving");
}

static void on_turning(void *context)
{
    (void)context;
    dx_notify("WATCHDOG=1");
}

static void say_no_upgrade(const serving *to, const char *why)
{
    dx_log_write(&to->server->log, DX_LOG_ERROR, "no upgrade, this process serves on: %s", why);
}

/* The new process reads its configuration first: if that is no good nothing changes here. */
static void on_upgrade(void *context)
{
    serving *to = context;
    char why[DX_UPGRADE_WHY_BYTES];

    if (to->is_handing_over)
        return;
    dx_handed_deinit(&to->sockets);
    dx_err err = dx_server_hand_sockets(to->server, &to->sockets);
    if (err != DX_OK) {
        say_no_upgrade(to, err == DX_ERR_CLOSED ? "it is going away" : dx_err_text(err));
        return;
    }
    dx_log_write(&to->server->log, DX_LOG_INFO, "upgrade: starting the next process");
    if (!dx_upgrade_begin(&to->next, &to->sockets, why)) {
        say_no_upgrade(to, why);
        return;
    }
    dx_log_write(&to->server->log, DX_LOG_INFO, "upgrade: process %ld is ready", (long)to->next.child);
    dx_notify_reloading("handing over");
    to->is_handing_over = true;
    dx_server_hand_over(to->server, to->drain_ms < HAND_OVER_MS ? to->drain_ms : HAND_OVER_MS);
}

/* Everything has ended here but the log. True: the next process serves. */
static bool hand_over(serving *to)
{
    char why[DX_UPGRADE_WHY_BYTES];
    long child = (long)to->next.child;

    dx_server_close(to->server);
    if (!dx_upgrade_finish(&to->next, why)) {
        say_no_upgrade(to, why);
        return false;
    }
    dx_log_write(&to->server->log, DX_LOG_INFO, "upgrade: process %ld has taken over", child);
    dx_notify("MAINPID=%ld", child);
    dx_upgrade_release(&to->next);
    return true;
}

static int code_of(dx_err err)
{
    bool is_config = err == DX_ERR_ADDRESS || err == DX_ERR_NAME || err == DX_ERR_TOO_LARGE;

    return is_config ? DX_EXIT_CONFIG : DX_EXIT_FAILURE;
}

/* The log says what is wrong; so does the answer to the process before, if there is one. */
static dx_err start(serving *to)
{
    char why[DX_LOG_LAST_BYTES];
    const char *left = NULL;
    dx_err err = dx_server_prepare(to->server, &to->sockets);

    if (err == DX_OK) {
        if (dx_handed_left(&to->sockets, &left) > 0)
            dx_log_write(&to->server->log, DX_LOG_WARN,
                         "a socket that was handed over is not listened on any more: %s", left);
        dx_handed_deinit(&to->sockets);
        dx_upgrade_wait(&to->asked);
        err = dx_server_begin(to->server);
    }
    if (err != DX_OK) {
        dx_log_sink_last_error(to->server->log.sink, why);
        dx_upgrade_give_up(&to->asked, why);
    }
    return err;
}

static void write_pid_file(const serving *to)
{
    const char *path = to->settings->pid_file;
    FILE *file = path ? fopen(path, "we") : NULL;

    if (path == NULL)
        return;
    bool is_good = file != NULL && fprintf(file, "%ld\n", (long)getpid()) > 0;
    if (file != NULL && fclose(file) != 0)
        is_good = false;
    if (!is_good)
        dx_log_write(&to->server->log, DX_LOG_WARN, "--pid-file %.300s cannot be written", path);
}

/* The next process has written its own. */
static void remove_pid_file(const serving *to)
{
    if (to->settings->pid_file && !to->is_handing_over)
        unlink(to->settings->pid_file);
}

static int serve(serving *to)
{
    dx_cli_signals signals = {
        .on_signal = on_signal, .on_hangup = on_hangup, .on_upgrade = on_upgrade, .context = to};

    dx_cli_signals_block(
        &signals); /* the workers inherit it; waited for once there is something to stop */
    dx_err err = start(to);
    if (err != DX_OK)
        return code_of(err);
    if (to->ticker && !(ticker_start(to->ticker) && game_start(to->game)))
        err = DX_ERR_MEMORY;
    if (err == DX_OK)
        err = dx_cli_signals_start(&signals);
    if (err != DX_OK) {
        dx_upgrade_give_up(&to->asked, dx_err_text(err));
        dx_server_stop(to->server);
        dx_server_wait(to->server);
        return fail(DX_EXIT_FAILURE, err, "cannot start what it needs");
    }
    write_pid_file(to);
    dx_upgrade_take_over(&to->asked);
    dx_notify("READY=1\nSTATUS=serving");
    dx_server_wait(to->server);
    dx_cli_signals_stop(&signals);
    remove_pid_file(to);
    return DX_EXIT_OK;
}

/* All of them in one text, separated by blanks. NULL when memory is out. */
static char *join(const dx_cli_texts *texts)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    for (size_t i = 0; to && i < texts->count; i++)
        fprintf(to, "%s%s", i > 0 ? " " : "", texts->at[i]);
    if (to == NULL || fclose(to) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* Where the development certificate is kept; NULL when memory is out. */
static char *dev_directory(void)
{
    const char *state = getenv("XDG_STATE_HOME");
    char *path = NULL;

    if (state && state[0] == '/')
        return asprintf(&path, "%s/duplex", state) < 0 ? NULL : path;
    return strdup("duplex-tls");
}

/* Those without a key have none: the server says what is missing. */
static size_t tls_files(const dx_settings *s, dx_tls_files *ret)
{
    size_t count = s->tls_cert.count > s->tls_key.count ? s->tls_cert.count : s->tls_key.count;

    for (size_t i = 0; i < count; i++)
        ret[i] = (dx_tls_files){i < s->tls_cert.count ? s->tls_cert.at[i] : NULL,
                                i < s->tls_key.count ? s->tls_key.at[i] : NULL};
    return count;
}

/* "": nowhere. Without a directory nothing was kept of a server that ended. NULL when memory is out. */
static char *revocations_file(const dx_settings *s)
{
    char *path = NULL;

    if (s->revocations || s->memory || s->data == NULL || s->token_keys.count == 0)
        return strdup(s->revocations ? s->revocations : "");
    return asprintf(&path, "%s/revocations", s->data) < 0 ? NULL : path;
}

static dx_server *server_new(const dx_settings *s)
{
    dx_tls_files files[DX_CLI_TEXTS_MAX];
    char *dev = s->tls ? dev_directory() : NULL;
    char *listen = join(&s->listen), *trusted_from = join(&s->trusted_from),
         *origins = join(&s->origins), *redirect = join(&s->redirect),
         *revocations = revocations_file(s);
    dx_server *server = NULL;

    if (listen && trusted_from && origins && redirect && revocations && (dev || !s->tls))
        server = dx_server_new(&(dx_server_options){
            .listen = listen,
            .loop = s->loop,
            .log_level = s->log_level,
            .log_format = s->log_format,
            .access_log = s->access_log,
            .workers = (uint32_t)s->workers,
            .message_bytes_max = (uint32_t)s->message_max,
            .is_deflate_off = !s->deflate,
            .ping_ms = (uint32_t)s->ping_ms,
            .idle_ms = (uint32_t)s->idle_ms,
            .http2_streams_max = (uint32_t)s->http2_streams,
            .is_http2_off = s->http2_streams == 0,
            .wait_ms = (uint32_t)s->wait_ms,
            .subject_header = s->subject_header,
            .trusted_from = trusted_from,
            .origins = origins,
            .data = s->memory ? NULL : s->data,
            .tls = files,
            .tls_count = tls_files(s, files),
            .tls_dev = dev,
            .tls_client_ca = s->tls_client_ca,
            .tls_client = s->tls_client,
            .tls_client_name = s->tls_client_name,
            .redirect = redirect,
            .admin = s->admin ? s->admin : DX_ADMIN_DEFAULT,
            .is_admin_optional = s->admin == NULL,
            .admin_token_file = s->admin_token_file,
            .token_keys = s->token_keys.at,
            .token_keys_count = s->token_keys.count,
            .token_audience = s->token_audience,
            .token_cookie = s->token_cookie,
            .revocations = revocations,
        });
    free(dev);
    free(listen);
    free(trusted_from);
    free(origins);
    free(redirect);
    free(revocations);
    return server;
}

/* ---- what must be meant ----------------------------------------------------------------------- */

static bool is_local(const char *text)
{
    static const uint8_t mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
    dx_listen listen;

    if (dx_listen_read(dx_bytes_of(text), &listen) != DX_OK)
        return true; /* that is said elsewhere */
    const dx_address *a = &listen.address;
    if (a->any.sa_family == AF_INET)
        return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
    if (a->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr) ||
               memcmp(&a->v6.sin6_addr, mapped, sizeof mapped) == 0;
    return true;
}

static bool is_open_to_write(const dx_namespace_settings *ns)
{
    return strcmp(ns->publish, "anyone") == 0 || strcmp(ns->create, "anyone") == 0 ||
           strcmp(ns->remove, "anyone") == 0;
}

/* Whoever can reach it could fill its disk, and delete what others wrote: that is to be wanted, not overlooked. */
static bool is_write_meant(const dx_settings *s)
{
    for (size_t i = 0; i < s->listen.count && !s->anonymous_write; i++)
        for (size_t k = 0; k < s->namespaces_count && !is_local(s->listen.at[i]); k++)
            if (is_open_to_write(&s->namespaces[k])) {
                dx_cli_say(
                    "serve",
                    "--listen %.200s: anyone who reaches it could write to %.128s. Say who may, by access "
                    "of the namespaces in a file (docs/access.md), or that anyone may: "
                    "--access-anonymous-write",
                    s->listen.at[i], s->namespaces[k].prefix);
                return false;
            }
    return true;
}

/* True: it ended because the next process was to take over, which failed: the sockets are there still. */
static bool serve_once(const dx_settings *s, serving *to, int *ret_code)
{
    to->is_handing_over = false;
    to->drain_ms = (uint32_t)s->drain_ms;
    to->server = server_new(s);
    if (to->server == NULL) {
        *ret_code = fail(DX_EXIT_FAILURE, DX_ERR_MEMORY, "cannot make a server");
        return false;
    }
    if (dx_notify_watchdog_ms() > 0)
        to->server->on_turning = on_turning;
    *ret_code = add_routes(to->server, s);
    if (*ret_code == DX_EXIT_OK && s->demo && !add_demo(to))
        *ret_code = DX_EXIT_CONFIG;
    if (*ret_code == DX_EXIT_OK)
        *ret_code = serve(to);
    bool is_again = to->is_handing_over && !hand_over(to);
    ticker_free(to->ticker);
    game_free(to->game);
    dx_demo_compare_free(to->compare);
    dx_server_free(to->server);
    to->server = NULL;
    to->ticker = NULL;
    to->game = NULL;
    to->compare = NULL;
    return is_again;
}

static int serve_as_configured(const dx_settings *s, serving *to)
{
    int code = DX_EXIT_OK;

    if (!is_write_meant(s))
        return DX_EXIT_CONFIG;
    to->settings = s;
    while (serve_once(s, to, &code))
        ;
    return code;
}

/* A socket whose service manager or process before is not there any more is no reason not to start. */
static void take_sockets(serving *to)
{
    if (!dx_upgrade_is_asked(&to->asked, &to->sockets) && dx_notify_sockets(&to->sockets) != DX_OK)
        dx_cli_say("serve", "out of memory: not all sockets of the service manager are taken");
}

/* The first line of what is wrong with the configuration. */
static void give_up_for(serving *to, dx_bytes problems)
{
    char why[DX_UPGRADE_WHY_BYTES];
    size_t size = dx_min_size(dx_bytes_find(problems, '\n'), sizeof why - 1);

    dx_copy(why, problems.at, size);
    why[size] = '\0';
    dx_upgrade_give_up(&to->asked, why);
}

static int run(const void *options)
{
    dx_config config;
    serving to = {.flags = options, .asked.channel = -1, .next.channel = -1};
    int code = DX_EXIT_CONFIG;

    take_sockets(&to);
    dx_config_init(&config);
    if (dx_config_load(&config, options, environ)) {
        code = serve_as_configured(&config.settings, &to);
    } else {
        dx_cli_say_lines("serve", dx_buffer_view(&config.problems));
        give_up_for(&to, dx_buffer_view(&config.problems));
    }
    dx_upgrade_give_up(&to.asked, "it could not begin");
    dx_handed_deinit(&to.sockets);
    dx_config_deinit(&config);
    return code;
}

const dx_cli_command dx_cli_serve = {
    .name = "serve",
    .summary = "serves streams over HTTP and WebSocket",
    .about =
        "Serves streams: below /s/ and /v1/stream/, made by PUT; below /live/, made when they are\n"
        "first used and kept in memory; below /u/NAME/, inboxes that only NAME reads. --config\n"
        "changes that. Also pages at /, /healthz and /readyz. Logs to stderr. The first SIGTERM or SIGINT\n"
        "lets what is under way finish, the second ends it at once. SIGHUP reads again what may change;\n"
        "SIGUSR2 starts the program anew, which takes over the sockets: docs/upgrade.md.",
    .options = dx_settings_options,
    .options_count = DX_SETTINGS_COUNT,
    .defaults = &dx_settings_defaults,
    .struct_bytes = sizeof dx_settings_defaults,
    .given_at = offsetof(dx_settings, given),
    .value_exit = DX_EXIT_CONFIG,
    .run = run,
};
