/* duplex serve: the server until a signal ends it.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "cli/signals.h"
#include "net/address.h"

#include <duplex/duplex.h>
#include <stdlib.h>
#include <string.h>

enum { DRAIN_MS = 10000, LISTEN_BYTES_MAX = DX_CLI_TEXTS_MAX * DX_ADDRESS_TEXT_BYTES };

typedef struct serve_options {
    dx_cli_texts listen;
    uint64_t workers; /* 0: one per core */
    uint64_t message_max;
    const char *loop, *log_level, *web;
    bool no_deflate;
} serve_options;

static void on_healthz(dx_exchange *x, void *context)
{
    static const dx_header headers[] = {
        {{(const uint8_t *)"Cache-Control", 13}, {(const uint8_t *)"no-store", 8}}};

    (void)context;
    dx_exchange_respond(x, &(dx_response){.type = dx_bytes_of("application/json"),
                                          .headers = headers,
                                          .headers_count = DX_COUNT(headers),
                                          .body = dx_bytes_of("{\"status\":\"ok\"}")});
}

static int fail(int code, dx_err err, const char *what)
{
    dx_cli_say("serve", "%s: %s", what, dx_err_text(err));
    return code;
}

/* All addresses in one text, separated by blanks. Checked here, while each is still by itself. */
static int join_addresses(const dx_cli_texts *listen, char text[LISTEN_BYTES_MAX])
{
    dx_address ignored;
    size_t size = 0;

    text[0] = '\0';
    for (size_t i = 0; i < listen->count; i++) {
        const char *one = listen->at[i];
        if (strchr(one, ' ') || strlen(one) >= DX_ADDRESS_TEXT_BYTES ||
            dx_address_parse(dx_bytes_of(one), &ignored) != DX_OK) {
            dx_cli_say("serve", "--listen: \"%.200s\" is none of %s, without blanks", one,
                       DX_ADDRESS_FORMS);
            return DX_EXIT_CONFIG;
        }
        size +=
            (size_t)snprintf(text + size, LISTEN_BYTES_MAX - size, "%s%s", i > 0 ? " " : "", one);
    }
    return DX_EXIT_OK;
}

static int add_routes(dx_server *server, const serve_options *o)
{
    dx_err err = dx_server_route(server, "GET", "/healthz", on_healthz, NULL);

    if (err != DX_OK)
        return fail(DX_EXIT_FAILURE, err, "/healthz");
    err = dx_server_streams(server, "/live/", NULL);
    if (err != DX_OK)
        return fail(DX_EXIT_FAILURE, err, "/live/");
    if (o->web == NULL)
        return DX_EXIT_OK;
    err = dx_server_files(server, "/", o->web);
    if (err == DX_OK)
        return DX_EXIT_OK;
    dx_cli_say("serve", "--web: cannot serve the directory \"%.200s\": %s", o->web,
               dx_err_text(err));
    return err == DX_ERR_NOT_FOUND || err == DX_ERR_DENIED ? DX_EXIT_CONFIG : DX_EXIT_FAILURE;
}

static void on_signal(void *context, unsigned count)
{
    dx_server *server = context;

    if (count == 1)
        dx_server_drain(server, DRAIN_MS);
    else
        dx_server_stop(server);
}

static int serve(dx_server *server)
{
    dx_cli_signals signals = {.on_signal = on_signal, .context = server};

    dx_cli_signals_block(); /* the workers inherit it; waited for once there is something to stop */
    dx_err err = dx_server_start(server); /* the log says what is wrong */
    if (err == DX_ERR_ADDRESS || err == DX_ERR_NAME || err == DX_ERR_TOO_LARGE)
        return DX_EXIT_CONFIG;
    if (err != DX_OK)
        return DX_EXIT_FAILURE;
    err = dx_cli_signals_start(&signals);
    if (err != DX_OK) {
        dx_server_stop(server);
        dx_server_wait(server);
        return fail(DX_EXIT_FAILURE, err, "cannot wait for signals");
    }
    dx_server_wait(server);
    dx_cli_signals_stop(&signals);
    return DX_EXIT_OK;
}

static int run(const void *options)
{
    const serve_options *o = options;
    char listen[LISTEN_BYTES_MAX];
    int code = join_addresses(&o->listen, listen);

    if (code != DX_EXIT_OK)
        return code;
    dx_server *server = dx_server_new(&(dx_server_options){
        .listen = o->listen.count > 0 ? listen : NULL,
        .loop = o->loop,
        .log_level = o->log_level,
        .workers = (uint32_t)o->workers,
        .message_bytes_max = (uint32_t)o->message_max,
        .is_deflate_off = o->no_deflate,
    });
    if (server == NULL)
        return fail(DX_EXIT_FAILURE, DX_ERR_MEMORY, "cannot make a server");
    code = add_routes(server, o);
    if (code == DX_EXIT_OK)
        code = serve(server);
    dx_server_free(server);
    return code;
}

static const char *const loops[] = {"auto", "epoll", "io_uring", NULL};
static const char *const log_levels[] = {"error", "warn", "info", "debug", NULL};

static const serve_options defaults = {.message_max = 65536, .loop = "auto", .log_level = "info"};

static const dx_cli_option options[] = {
    {.name = "listen",
     .value = "ADDR",
     .help =
         "where to listen (default 127.0.0.1:4437); again for more. HOST:PORT, [IPV6]:PORT,\n"
         "*:PORT, unix:/PATH, unix:@NAME, mptcp:HOST:PORT, sctp:HOST:PORT; port 0: any free one",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(serve_options, listen)},
    {.name = "workers",
     .value = "N",
     .help = "how many threads serve, 1 to 256 (default: one per core)",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(serve_options, workers),
     .min = 1,
     .max = 256},
    {.name = "loop",
     .value = "NAME",
     .help = "auto, epoll or io_uring (default auto: io_uring if it works here)",
     .kind = DX_CLI_TEXT,
     .at = offsetof(serve_options, loop),
     .choices = loops},
    {.name = "log-level",
     .value = "LEVEL",
     .help = "error, warn, info or debug (default info)",
     .kind = DX_CLI_TEXT,
     .at = offsetof(serve_options, log_level),
     .choices = log_levels},
    {.name = "message-max",
     .value = "BYTES",
     .help = "the largest message that is taken, 1 to 1073741824 bytes (default 65536)",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(serve_options, message_max),
     .min = 1,
     .max = 1073741824},
    {.name = "web",
     .value = "DIR",
     .help = "serve the files below this directory at /",
     .kind = DX_CLI_TEXT,
     .at = offsetof(serve_options, web)},
    {.name = "no-deflate",
     .help = "no compression of WebSocket messages",
     .kind = DX_CLI_FLAG,
     .at = offsetof(serve_options, no_deflate)},
};

const dx_cli_command dx_cli_serve = {
    .name = "serve",
    .summary = "serves streams over HTTP and WebSocket",
    .about =
        "Serves streams below /live/, made when they are first used and kept in memory, and\n"
        "/healthz. Logs to stderr. The first SIGTERM or SIGINT lets what is under way finish,\n"
        "for 10 seconds at most; the second ends it at once.",
    .options = options,
    .options_count = DX_COUNT(options),
    .defaults = &defaults,
    .struct_bytes = sizeof defaults,
    .value_exit = DX_EXIT_CONFIG,
    .run = run,
};
