/* Authentication: who asks shows a token, and the report is for those who have it.
 * DUPLEX_TOKEN=secret build/examples/token, then
 * curl -H 'Authorization: Bearer secret' http://127.0.0.1:8080/private/report
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *token;

/* In a time that does not tell how much of it was right. */
static bool is_token(dx_bytes given)
{
    size_t size = strlen(token);
    uint8_t differs = given.size != size;

    for (size_t i = 0; i < given.size; i++)
        differs |= given.at[i] ^ (uint8_t)token[i % size];
    return differs == 0;
}

/* True, or the answer was 401 (RFC 6750). */
static bool is_known(dx_exchange *x)
{
    static const char scheme[] = "Bearer ";
    size_t size = sizeof scheme - 1;
    dx_bytes field = dx_exchange_header(x, "Authorization");

    if (field.size > size && memcmp(field.at, scheme, size) == 0 &&
        is_token((dx_bytes){field.at + size, field.size - size}))
        return true;
    dx_header challenge = {dx_bytes_of("WWW-Authenticate"),
                           dx_bytes_of("Bearer realm=\"private\"")};
    dx_exchange_respond(
        x, &(dx_response){.status = 401,
                          .type = dx_bytes_of("text/plain"),
                          .headers = &challenge,
                          .headers_count = 1,
                          .body = dx_bytes_of("Show a token: Authorization: Bearer TOKEN\n")});
    return false;
}

static void report(dx_exchange *x, void *context)
{
    (void)context;
    if (is_known(x))
        dx_exchange_respond(x, &(dx_response){.type = dx_bytes_of("text/plain"),
                                              .body = dx_bytes_of("all is well\n")});
}

int main(int argc, char **argv)
{
    dx_server_options options = {.listen = argc > 1 ? argv[1] : "127.0.0.1:8080"};
    dx_server *server = dx_server_new(&options);

    token = getenv("DUPLEX_TOKEN");
    if (token == NULL || token[0] == '\0') {
        fprintf(stderr, "token: set DUPLEX_TOKEN\n");
        return 2;
    }
    if (server == NULL || dx_server_route(server, "GET", "/private/report", report, NULL) != DX_OK)
        return 1;
    int code = dx_server_run(server);
    dx_server_free(server);
    return code;
}
