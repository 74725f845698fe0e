/* The configuration read again while the server runs, as a whole or not at all.
 * Is:     what may change so, what is said of the rest.
 * Is not: certificates and keys themselves (dx_server_reload), starting anew (upgrade.h).
 * Memory: nothing stays.   Threads: the one that waits for signals.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_RELOAD_H
#define DX_CLI_RELOAD_H

#include "cli/settings.h"

typedef struct dx_reloading {
    dx_server *server;
    const dx_settings *flags;   /* of the command line */
    const dx_settings *running; /* what the server was started with */
    uint32_t *drain_ms;         /* is changed */
} dx_reloading;

/* Reads file and environment as at the start, then certificates and keys. If one of them is no good nothing
 * changes, and the log says why. Else `log_level`, `access_log` and `drain` are as they say now; for what else
 * differs from the start the log says that it needs a restart. */
void dx_reload(const dx_reloading *reloading);

#endif
