/* A WebSocket client: says what its arguments are, one message each, and prints as many answers.
 * build/examples/say ws://127.0.0.1:8080/echo hello again
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>
#include <stdio.h>

typedef struct talk {
    dx_client *client;
    char **words;
    int count, heard;
    int code;
} talk;

static void on_open(dx_ws *ws, void *context)
{
    talk *t = context;

    for (int i = 0; i < t->count; i++)
        dx_ws_send(ws, DX_WS_MESSAGE_TEXT, dx_bytes_of(t->words[i]));
}

static void on_message(dx_ws *ws, const dx_ws_message *m, void *context)
{
    talk *t = context;

    printf("%.*s\n", (int)m->payload.size, (const char *)m->payload.at);
    if (++t->heard == t->count)
        dx_ws_close(ws, 1000, dx_bytes_of("that is all"));
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    talk *t = context;

    (void)ws;
    if (code != 1000)
        fprintf(stderr, "closed: %u %.*s\n", code, (int)reason.size, (const char *)reason.at);
    t->code = code == 1000 ? 0 : 1;
    dx_client_stop(t->client);
}

static void on_failed(void *context, dx_err err, unsigned status, const char *text)
{
    talk *t = context;

    (void)err;
    fprintf(stderr, "no connection: %s (status %u)\n", text, status);
    dx_client_stop(t->client);
}

int main(int argc, char **argv)
{
    talk t = {.words = argv + 2, .count = argc - 2, .code = 1};
    dx_ws_handler handler = {.open = on_open,
                             .message = on_message,
                             .close = on_close,
                             .context = &t,
                             .failed = on_failed};

    if (argc < 3 || dx_client_new(NULL, &t.client) != DX_OK) {
        fprintf(stderr, "usage: say URL WORD...\n");
        return 2;
    }
    dx_err err = dx_client_connect(t.client, argv[1], &handler, NULL);
    if (err == DX_OK)
        dx_client_run(t.client);
    else
        fprintf(stderr, "%s: %s\n", argv[1], dx_err_text(err));
    dx_client_free(t.client);
    return t.code;
}
