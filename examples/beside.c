/* The server beside a poll of the program's own: what is typed is published to /live/typed, in one thread.
 * The same with dx_client_fd, dx_client_due_ms and dx_client_step for a client.
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void publish(dx_server *server, const char *at, size_t size)
{
    dx_err err = dx_publish(server,
                            &(dx_publication){.stream = dx_bytes_of("/live/typed"),
                                              .type = dx_bytes_of("text/plain"),
                                              .payload = {(const uint8_t *)at, size}},
                            NULL, NULL);
    if (err != DX_OK)
        fprintf(stderr, "not published: %s\n", dx_err_text(err));
}

/* Lines of stdin; false at its end. */
static bool read_lines(dx_server *server)
{
    static char text[4096];
    static size_t used;
    ssize_t size = read(STDIN_FILENO, text + used, sizeof text - used);

    if (size <= 0)
        return false;
    used += (size_t)size;
    for (char *end; (end = memchr(text, '\n', used)) != NULL || used == sizeof text;) {
        size_t line = end ? (size_t)(end - text) : used;
        if (line > 0)
            publish(server, text, line);
        used -= line + (end != NULL);
        memmove(text, text + line + (end != NULL), used);
    }
    return true;
}

int main(int argc, char **argv)
{
    dx_server_options options = {.listen = argc > 1 ? argv[1] : "127.0.0.1:8080",
                                 .is_stepped = true};
    dx_server *server = dx_server_new(&options);

    if (server == NULL || dx_server_streams(server, "/live/", NULL) != DX_OK ||
        dx_server_start(server) != DX_OK)
        return 1;
    while (dx_server_step(server, 0)) {
        struct pollfd fds[] = {{.fd = dx_server_fd(server), .events = POLLIN},
                               {.fd = STDIN_FILENO, .events = POLLIN}};
        int due_ms = dx_server_due_ms(server); /* right before the wait */
        if (poll(fds, 2, due_ms) > 0 && fds[1].revents && !read_lines(server))
            dx_server_drain(server, 1000);
        if (fds[1].revents & (POLLHUP | POLLERR))
            dx_server_drain(server, 1000);
    }
    dx_server_free(server);
    return 0;
}
