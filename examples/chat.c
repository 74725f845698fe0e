/* A chat: what one says, all in the room hear, and whoever comes later can read.
 * A room is a stream, so the page needs no code of ours at the server: a WebSocket on /live/ROOM talks and listens,
 * and GET /live/ROOM?last=20 is what was said. build/examples/chat, then http://127.0.0.1:8080/ in two windows.
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>

static const char page[] =
    "<!doctype html><meta charset=utf-8><title>chat</title><ul id=said></ul><input id=say autofocus>"
    "<script>\n"
    "const room = new WebSocket(`ws://${location.host}/live/room?offset=-1`)\n"
    "room.onmessage = (event) => {\n"
    "  const line = document.createElement('li')\n"
    "  line.textContent = event.data\n"
    "  said.append(line)\n"
    "}\n"
    "say.onchange = () => { room.send(say.value); say.value = '' }\n"
    "</script>\n";

static void send_page(dx_exchange *x, void *context)
{
    (void)context;
    dx_exchange_respond(
        x, &(dx_response){.type = dx_bytes_of("text/html"), .body = dx_bytes_of(page)});
}

int main(int argc, char **argv)
{
    dx_server_options options = {.listen = argc > 1 ? argv[1] : "127.0.0.1:8080"};
    dx_stream_options rooms = {.type = "text/plain", .kept_count_max = 200, .append_rate_max = 20};
    dx_server *server = dx_server_new(&options);

    if (server == NULL || dx_server_streams(server, "/live/", &rooms) != DX_OK ||
        dx_server_route(server, "GET", "/", send_page, NULL) != DX_OK)
        return 1;
    int code = dx_server_run(server);
    dx_server_free(server);
    return code;
}
