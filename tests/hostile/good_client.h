/* A client that means well: what it has to wait for while others attack.
 * Is:      GET /healthz over HTTP/1.1 and over HTTP/2, and a WebSocket on /live/x whose messages come back; a
 *          connection each, asked in turn.
 * Is not:  the attack (its neighbours here).
 * Memory:  good_close gives all back; at most GOOD_WAITS_MAX questions are remembered.
 * Threads: one.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HOSTILE_GOOD_CLIENT_H
#define DX_HOSTILE_GOOD_CLIENT_H

#include "tests/conformance/ws_client.h"
#include "tests/hostile/h2_wire.h"

typedef enum good_kind {
    GOOD_HTTP1,
    GOOD_HTTP2,
    GOOD_WEBSOCKET,
    GOOD_KINDS_COUNT,
} good_kind;

enum { GOOD_WAITS_MAX = 20000, GOOD_ANSWER_MS = 10000 /* so long it waits at most */ };

typedef struct good_client {
    dx_peer http1;
    hw_conn http2;
    wst_client ws;
    size_t asked;
    size_t answered[GOOD_KINDS_COUNT];
    int64_t waits_us[GOOD_KINDS_COUNT][GOOD_WAITS_MAX];
} good_client;

/* NULL, or what is wrong; static. Close it in any case. */
const char *good_open(good_client *g, const char *host, const char *port);
void good_close(good_client *g);

/* One question of each kind; false: one was not answered, or wrongly. */
bool good_ask(good_client *g);

/* How long `of` 100 answers took at most, so far; -1: there were none. Sorts them. */
double good_wait_ms(good_client *g, good_kind kind, int of);
const char *good_kind_name(good_kind kind);

#endif
