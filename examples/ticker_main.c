/* The ticker's feed alone, as a server of its own: what it serves is in ticker.c, its page in web/ticker/.
 * Usage: ticker [ADDRESS [DIRECTORY]]    (default 127.0.0.1:9002, without files; web: with the pages of web/)
 * SPDX-License-Identifier: MIT */
#include <examples/demo.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    dx_server *server =
        dx_server_new(&(dx_server_options){.listen = argc > 1 ? argv[1] : "127.0.0.1:9002"});
    ticker *demo = server ? ticker_new(server, 1) : NULL;

    if (demo == NULL || (argc > 2 && dx_server_files(server, "/", argv[2]) != DX_OK))
        return fprintf(stderr, "ticker: cannot serve %s\n", argc > 2 ? argv[2] : "streams"), 1;
    if (dx_server_start(server) != DX_OK || !ticker_start(demo))
        return 1;
    dx_server_wait(server);
    ticker_free(demo);
    dx_server_free(server);
    return 0;
}
