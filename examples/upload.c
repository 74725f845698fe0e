/* Uploads of any size, with progress: POST /files/NAME writes a file, piece by piece, and tells how far it is on the
 * stream /live/progress. curl -T big.iso -X POST http://127.0.0.1:8080/files/big.iso while somebody reads
 * http://127.0.0.1:8080/live/progress?offset=-1&live=sse. Nothing is held in memory but one piece.
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEP_BYTES = 1048576 };
typedef struct upload {
    dx_server *server;
    FILE *file;
    uint64_t bytes, told;
    char name[100], path[400];
} upload;

static const char *directory;

static void tell(upload *u, bool is_whole)
{
    char text[200];
    u->told = u->bytes;
    snprintf(text, sizeof text, "{\"name\":\"%s\",\"bytes\":%" PRIu64 ",\"whole\":%s}", u->name,
             u->bytes, is_whole ? "true" : "false");
    dx_err err = dx_publish(u->server,
                            &(dx_publication){.stream = dx_bytes_of("/live/progress"),
                                              .type = dx_bytes_of("application/json"),
                                              .payload = dx_bytes_of(text)},
                            NULL, NULL);
    (void)err; /* busy: the next one tells more */
}

static void give_up(dx_exchange *x, void *context) /* too large, too slow, or the client has gone */
{
    upload *u = context;
    (void)x;
    fclose(u->file);
    unlink(u->path);
    free(u);
}

static void on_piece(dx_exchange *x, dx_bytes piece, bool is_last, void *context)
{
    upload *u = context;

    u->bytes += piece.size;
    bool ok = piece.size == 0 || fwrite(piece.at, 1, piece.size, u->file) == piece.size;
    ok = ok && (!is_last || fflush(u->file) == 0);
    if (!ok || is_last || u->bytes - u->told >= STEP_BYTES)
        tell(u, ok && is_last);
    if (ok && !is_last)
        return;
    dx_exchange_on_gone(x, NULL, NULL);
    if (ok)
        dx_exchange_respond(x, &(dx_response){.status = 201});
    else
        dx_exchange_problem(x, 507, "The file cannot be written.");
    fclose(u->file);
    free(u);
}

static void begin(dx_exchange *x, void *context)
{
    dx_bytes name = dx_exchange_parameter(x, "name");
    upload *u = calloc(1, sizeof *u);

    if (u == NULL)
        return dx_exchange_problem(x, 503, "Out of memory, try again later.");
    snprintf(u->name, sizeof u->name, "%.*s", (int)name.size, (const char *)name.at);
    snprintf(u->path, sizeof u->path, "%s/%s", directory, u->name);
    u->server = context;
    bool is_good = name.size < sizeof u->name &&
                   strspn(u->name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == name.size &&
                   u->name[0] != '.';
    u->file = is_good ? fopen(u->path, "wb") : NULL;
    if (u->file == NULL) {
        free(u);
        return dx_exchange_problem(x, 400, "A name has a-z, 0-9, -, _ and dots, but not in front.");
    }
    dx_exchange_on_gone(x, give_up, u);
    dx_exchange_receive(x, UINT64_C(1) << 40, on_piece, u);
}

int main(int argc, char **argv)
{
    dx_server *server =
        dx_server_new(&(dx_server_options){.listen = argc > 1 ? argv[1] : "127.0.0.1:8080"});

    directory = argc > 2 ? argv[2] : ".";
    if (server == NULL || dx_server_streams(server, "/live/", NULL) != DX_OK ||
        dx_server_route_streamed(server, "POST", "/files/{name}", begin, server) != DX_OK)
        return 1;
    int code = dx_server_run(server);
    dx_server_free(server);
    return code;
}
