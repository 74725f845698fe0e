/* duplex serve --demo: runs duplex compare for the page that shows it.
 * Is:     POST /demo/compare, which begins one run at a time, GET, which says whether; what it measures as the stream
 *         /live/$sys/compare/runs, each line of `duplex compare --json-lines` a message.
 * Is not: measuring: that is another process with a server of its own, so that what this one does meanwhile
 *         costs it time, but is not counted as if it were its.
 * Memory: one object.
 * Threads: a run has one that waits for its lines.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_DEMO_COMPARE_H
#define DX_CLI_DEMO_COMPARE_H

#include <duplex/duplex.h>

typedef struct dx_demo_compare dx_demo_compare;

/* Adds both to a server that has not started. NULL: one of them is taken, or memory is out. */
dx_demo_compare *dx_demo_compare_new(dx_server *server);

/* Ends a run, and frees it. When the server runs no more, before it is freed. NULL is allowed. */
void dx_demo_compare_free(dx_demo_compare *d);

#endif
