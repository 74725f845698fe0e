/* A download of any length, made while it is sent: GET /numbers?count=1000000
 * The client's pace is ours: when the queue is full we wait for room, and hold nothing meanwhile.
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct download {
    uint64_t next, count;
} download;

static void give_up(dx_exchange *x, void *context) /* the client has gone */
{
    (void)x;
    free(context);
}

static void go_on(dx_exchange *x, void *context)
{
    download *d = context;
    char line[24];

    while (d->next < d->count) {
        int size = snprintf(line, sizeof line, "%" PRIu64 "\n", d->next);
        switch (dx_exchange_write(x, (dx_bytes){(const uint8_t *)line, (size_t)size})) {
        case DX_SEND_QUEUED: d->next++; break;
        case DX_SEND_BUSY: dx_exchange_want_room(x, go_on, d); return;
        case DX_SEND_CLOSED: return; /* give_up follows */
        }
    }
    dx_exchange_on_gone(x, NULL, NULL);
    free(d);
    dx_exchange_end(x);
}

static void begin(dx_exchange *x, void *context)
{
    char text[24];
    dx_bytes count = dx_exchange_argument(x, "count");
    download *d = calloc(1, sizeof *d);

    (void)context;
    snprintf(text, sizeof text, "%.*s", (int)count.size, (const char *)count.at);
    if (d == NULL || (d->count = strtoull(text, NULL, 10)) == 0) {
        free(d);
        dx_exchange_problem(x, 400, "How many? Say ?count=N, 1 or more.");
        return;
    }
    dx_exchange_on_gone(x, give_up, d);
    dx_exchange_start(x, &(dx_response){.type = dx_bytes_of("text/plain")}, DX_LENGTH_UNKNOWN);
    go_on(x, d);
}

int main(int argc, char **argv)
{
    dx_server_options options = {.listen = argc > 1 ? argv[1] : "127.0.0.1:8080"};
    dx_server *server = dx_server_new(&options);

    if (server == NULL || dx_server_route(server, "GET", "/numbers", begin, NULL) != DX_OK)
        return 1;
    int code = dx_server_run(server);
    dx_server_free(server);
    return code;
}
