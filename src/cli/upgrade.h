/* One process takes over from another: its sockets at once, its data when that one has let go of them.
 * Is:     starting the new process, and what the two say to each other through a socket pair:
 *           old: the listening sockets
 *           new: "ready" (its configuration is good, the sockets are its) or "failed WHY"
 *           old, once it has drained and closed its store: "go"
 *           new: "serving", or "failed WHY": then the old one serves on
 *           old: "main": the new one is the service now
 *         An end where a message should be: the old one has gone, and the new one goes on without it; or the
 *         new one has, and the old one serves on.
 * Is not: draining (serve), what signals mean (command_serve.c).
 * Memory: one struct.   Threads: one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_UPGRADE_H
#define DX_CLI_UPGRADE_H

#include "net/handed.h"

#include <sys/types.h>

enum { DX_UPGRADE_WHY_BYTES = 600 };

typedef struct dx_upgrade {
    int channel; /* -1: none */
    pid_t child; /* of the old one */
} dx_upgrade;

/* ---- the old process ---- */

/* Starts the program again, by the name and with the arguments it was started with, gives it `sockets`
 * (borrowed) and waits until it is ready.
 * why: set on failure: what went wrong. Nothing is left of it then. */
DX_MUST_USE bool dx_upgrade_begin(dx_upgrade *upgrade, const dx_handed *sockets,
                                  char why[DX_UPGRADE_WHY_BYTES]);
/* Tells it to go, and waits until it serves. why: as above. */
DX_MUST_USE bool dx_upgrade_finish(dx_upgrade *upgrade, char why[DX_UPGRADE_WHY_BYTES]);
/* It is the service now. */
void dx_upgrade_release(dx_upgrade *upgrade);

/* ---- the new process ---- */

/* Whether this process was started to take over; then its sockets are in `ret`. False also where it was and
 * they did not come: the other one knows. */
bool dx_upgrade_is_asked(dx_upgrade *upgrade, dx_handed *ret);
/* Says that it is ready and waits until it may go. Does nothing if this process was not asked. */
void dx_upgrade_wait(dx_upgrade *upgrade);
/* Says that it serves, and waits until it is the service. Does nothing if it was not asked. */
void dx_upgrade_take_over(dx_upgrade *upgrade);
/* Says why it does not. */
void dx_upgrade_give_up(dx_upgrade *upgrade, const char *why);

#endif
