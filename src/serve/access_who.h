/* Who a request is from, and whether it may: the part of access that knows exchanges.
 * Is:     finding out who asks, once for each exchange; asking for a verdict; the refusals 401 and 403.
 * Is not: the verdict itself (access.h). Nothing is looked up, made, stored or sent before it is there, so a
 *         refusal tells nothing of what exists.
 * Memory: a dx_asker belongs to its exchange.
 * Threads: the exchange's.
 * Source: RFC 9110 §11.6.1, §15.5.2, §15.5.4; RFC 6750 §3.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_ACCESS_WHO_H
#define DX_SERVE_ACCESS_WHO_H

#include "serve/door.h"

/* What is known of who asks. */
typedef struct dx_asker {
    dx_principal *who;        /* counted; NULL: nobody is known */
    char fault[DX_WHY_BYTES]; /* what is wrong with what it has shown; empty: nothing */
} dx_asker;

/* Who asks, found out when it is asked for the first time. NULL: memory is out. */
const dx_asker *dx_asker_of(dx_exchange *x, const dx_server *server);

/* Whether what it has shown, if that was looked at, is wrong. */
bool dx_asker_is_wrong(const dx_exchange *x);

/* Says that `who` asks (taken; NULL: nobody), if that was found out in another way: before anybody asked.
 * False: memory is out. */
DX_MUST_USE bool dx_asker_set(dx_exchange *x, dx_principal *who);

/* As dx_door_may, but says it instead of answering. */
bool dx_door_would(dx_exchange *x, const dx_stream_route *route, dx_action action, dx_grant *ret);

/* Whom a token is for, that was not revoked. The server has keys. why: what is wrong with it.
 * Errors: DX_ERR_NAME, DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_asker_prove(const dx_server *server, dx_bytes token, dx_principal **ret,
                                  char why[DX_WHY_BYTES]);

/* Answers 401. fault: what is wrong with what was shown; "": nothing was. */
void dx_door_refuse_unknown(dx_exchange *x, const dx_server *server, dx_action action,
                            const char *fault);

#endif
