/* An HTTP server in ten lines: build/examples/hello, then curl http://127.0.0.1:8080/hello/you
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>
#include <stdio.h>

static void greet(dx_exchange *x, void *context)
{
    char text[300];
    dx_bytes name = dx_exchange_parameter(x, "name");
    int size = snprintf(text, sizeof text, "hello, %.*s\n", (int)name.size, (const char *)name.at);

    (void)context;
    if (size >= (int)sizeof text)
        dx_exchange_problem(x, 400, "A name has at most 200 bytes.");
    else
        dx_exchange_respond(x, &(dx_response){.type = dx_bytes_of("text/plain; charset=utf-8"),
                                              .body = dx_bytes_of(text)});
}

int main(int argc, char **argv)
{
    dx_server_options options = {.listen = argc > 1 ? argv[1] : "127.0.0.1:8080"};
    dx_server *server = dx_server_new(&options);

    if (server == NULL || dx_server_route(server, "GET", "/hello/{name}", greet, NULL) != DX_OK)
        return 1;
    int code = dx_server_run(server);
    dx_server_free(server);
    return code;
}
