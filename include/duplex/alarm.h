/* Running something later, or on the thread that something belongs to.
 * Is:     what dx_server_post, dx_worker_after, dx_client_post and dx_client_after call.
 * Is not: a thread pool: what runs here holds up the connections of the same thread while it runs.
 * SPDX-License-Identifier: MIT */
#ifndef DUPLEX_ALARM_H
#define DUPLEX_ALARM_H

#include <duplex/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Called exactly once. err: DX_OK; or DX_ERR_CLOSED, when the server or client ends before its time has come:
 * then only `context` is to be released, and nothing of the server's may be touched. */
typedef void dx_run(void *context, dx_err err);

/* Something that will run later. It lives until it has run or was cancelled. */
typedef struct dx_alarm dx_alarm;

/* It will not run; `alarm` is gone. Not from inside its own run. NULL is allowed.
 * Threads: the one that it was set on. */
DX_API void dx_alarm_cancel(dx_alarm *alarm);

#ifdef __cplusplus
}
#endif
#endif
