/* What a service manager is told and gives: systemd's protocol, spoken by ourselves.
 * Is:     sd_notify(3) messages, sockets by LISTEN_FDS (sd_listen_fds(3)), the watchdog's time (sd_watchdog_enabled(3)).
 * Is not: when to say what (command_serve.c).
 * Memory: none.   Threads: any; dx_notify_sockets once, before others read the environment.
 * Source: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3).
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_NOTIFY_H
#define DX_CLI_NOTIFY_H

#include "net/handed.h"

/* Sends lines such as "READY=1\nSTATUS=serving" to $NOTIFY_SOCKET; nothing happens if there is none. */
void dx_notify(const char *format, ...) DX_PRINTF(1, 2);

/* It reads its configuration again, or hands over to another process; READY=1 ends that. */
void dx_notify_reloading(const char *status);

/* The time within which WATCHDOG=1 is wanted; 0: never. */
uint64_t dx_notify_watchdog_ms(void);

/* The sockets that came with the start, each under its name in LISTEN_FDNAMES.
 * Errors: DX_ERR_MEMORY, DX_ERR_TOO_LARGE. */
DX_MUST_USE dx_err dx_notify_sockets(dx_handed *ret);

#endif
