/* Server-sent events by hand: GET /clock tells the time, ten times a second, until the client leaves.
 * (A stream does this by itself, resuming and all: dx_server_streams, ?live=sse. This is for events that nobody keeps.)
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TICK_MS = 100 };

typedef struct listener {
    dx_exchange *x;
    dx_alarm *alarm;
} listener;

static void leave(dx_exchange *x, void *context)
{
    listener *l = context;

    (void)x;
    dx_alarm_cancel(l->alarm);
    free(l);
}

static void tick(void *context, dx_err err)
{
    listener *l = context;
    char text[60];
    struct timespec now;

    l->alarm = NULL;
    if (err != DX_OK) /* the server ends; `leave` follows */
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(text, sizeof text, "data: %lld.%03ld\n\n", (long long)now.tv_sec,
             now.tv_nsec / 1000000);
    dx_exchange_write(l->x, dx_bytes_of(text)); /* busy: who is too slow misses a tick */
    if (dx_worker_after(dx_exchange_worker(l->x), TICK_MS, tick, l, &l->alarm) != DX_OK)
        l->alarm = NULL;
}

static void begin(dx_exchange *x, void *context)
{
    dx_header fresh = {dx_bytes_of("Cache-Control"), dx_bytes_of("no-store")};
    listener *l = calloc(1, sizeof *l);

    (void)context;
    if (l == NULL) {
        dx_exchange_problem(x, 503, "Out of memory, try again later.");
        return;
    }
    l->x = x;
    dx_exchange_on_gone(x, leave, l);
    dx_exchange_start(x,
                      &(dx_response){.type = dx_bytes_of("text/event-stream"),
                                     .headers = &fresh,
                                     .headers_count = 1},
                      DX_LENGTH_UNKNOWN);
    tick(l, DX_OK);
}

int main(int argc, char **argv)
{
    dx_server_options options = {.listen = argc > 1 ? argv[1] : "127.0.0.1:8080", .workers = 1};
    dx_server *server = dx_server_new(&options);

    if (server == NULL || dx_server_route(server, "GET", "/clock", begin, NULL) != DX_OK)
        return 1;
    int code = dx_server_run(server);
    dx_server_free(server);
    return code;
}
