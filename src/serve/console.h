/* What a console shows, as a stream of its own, /live/$sys/console/now, once a second while somebody reads it.
 * Is:     the streams that were written to last, the subscribers that are furthest behind, connections: so many of
 *         each, gathered at all workers, as one JSON object. Who reads it twice knows rates.
 * Is not: figures of the server as a whole (stats.h), a page (web/console).
 * Memory: one struct of the server, and rows while they are gathered.
 * Threads: gathered by posts, from worker to worker.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_CONSOLE_H
#define DX_SERVE_CONSOLE_H

#include "serve/stats.h"

typedef struct dx_console dx_console;

#define DX_CONSOLE_PREFIX DX_STATS_PREFIX "console/"
#define DX_CONSOLE_PATH DX_CONSOLE_PREFIX "now"

/* Before the server is started. It names all streams and who is connected, so nobody may read it but on the admin
 * listener (admin_streams.h).
 * {"t": ms since 1970, "streams_count", "connections_count",
 *  "streams": [{"path", "tail": offset, "recent": offset before the last few, "count": messages since it began, "at": ms of the last one, "kept": messages and
 *              "bytes" in memory, "subscribers", "closed"}], the last written first;
 *  "subscribers": [{"path", "at": offset, "behind": messages, "state": "live" or "catching_up"}], the furthest behind
 *              first;
 *  "connections": [{"peer", "kind": "http" or "websocket", "tls", "unsent": bytes}], the fullest first}
 * Errors: DX_ERR_CONFLICT (the prefix is taken), DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_server_console(dx_server *server);

/* As of stats.h. */
void dx_console_begin(dx_console *console, struct dx_worker *worker);
void dx_console_end(dx_console *console);
void dx_console_allow(dx_console *console);

#endif
