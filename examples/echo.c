/* Echoes WebSocket messages on every path, and answers every HTTP request with 200.
 * Usage: echo [--listen ADDR] [--message-max BYTES] [--no-deflate] [--loop NAME] [--workers N]
 *             [--tls-cert FILE --tls-key FILE]
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_message(dx_ws *ws, const dx_ws_message *m, void *context)
{
    (void)context;
    dx_ws_send(ws, m->type, m->payload);
}

static void on_request(dx_exchange *x, void *context)
{
    (void)context;
    dx_exchange_respond(x, &(dx_response){.type = dx_bytes_of("text/plain"), .body = dx_bytes_of("ok\n")});
}

int main(int argc, char **argv)
{
    dx_tls_files files = {0};
    dx_server_options options = {.listen = "127.0.0.1:9001", .tls = &files};

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--no-deflate") == 0)
            options.is_deflate_off = true;
        else if (strcmp(argv[i], "--listen") == 0)
            options.listen = value, i++;
        else if (strcmp(argv[i], "--loop") == 0)
            options.loop = value, i++;
        else if (strcmp(argv[i], "--message-max") == 0)
            options.message_bytes_max = (uint32_t)strtoul(value, NULL, 10), i++;
        else if (strcmp(argv[i], "--tls-cert") == 0)
            files.cert = value, options.tls_count = 1, i++;
        else if (strcmp(argv[i], "--tls-key") == 0)
            files.key = value, options.tls_count = 1, i++;
        else if (strcmp(argv[i], "--workers") == 0)
            options.workers = (uint32_t)strtoul(value, NULL, 10), i++;
        else
            return fprintf(stderr, "echo: unknown option %s\n", argv[i]), 2;
    }
    dx_server *server = dx_server_new(&options);
    dx_server_websocket(server, "/**", &(dx_ws_handler){.message = on_message});
    dx_server_route(server, "*", "/**", on_request, NULL);
    return dx_server_run(server);
}
