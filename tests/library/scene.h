/* What the tests of the library share: a server in this process, a client, and waiting without sleeping on it.
 * SPDX-License-Identifier: MIT */
#ifndef DX_TESTS_LIBRARY_SCENE_H
#define DX_TESTS_LIBRARY_SCENE_H

#include <duplex/duplex.h>

enum { WAIT_MS_MAX = 20000 };

/* A server on 127.0.0.1:`port` (0: any), not started. data: a directory for what is kept on disk, or NULL. */
dx_server *scene_server(uint16_t port, const char *data);
/* Starts it, with streams at /live/, at /s/ (on disk if there is a directory; by PUT only) and at /kept/ (likewise,
 * on first use). Aborts if it cannot. */
void scene_start(dx_server *server);
void scene_stop(dx_server *server);

dx_client *scene_client(void);
/* Steps until *what is at least `want`; false after WAIT_MS_MAX. */
bool scene_until(dx_client *client, const unsigned *what, unsigned want);

/* scheme://127.0.0.1:PORT and `path`, in static memory (four of them). */
const char *scene_url(const char *scheme, const dx_server *server, const char *path);
const char *scene_url_at(const char *scheme, uint16_t port, const char *path);

/* An empty directory, and the end of it. */
const char *scene_directory(void);
void scene_directory_end(void);

uint64_t scene_now_ms(void);

#endif
