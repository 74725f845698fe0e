/* The two programs that `duplex serve --demo` runs inside: the feed of the ticker, and the game.
 * Is:     adding them to a server (before it starts), starting and ending them.
 * Is not: their pages (web/), which only need what these serve.
 * SPDX-License-Identifier: MIT */
#ifndef DUPLEX_EXAMPLES_DEMO_H
#define DUPLEX_EXAMPLES_DEMO_H

#include <duplex/duplex.h>

typedef struct ticker ticker;
typedef struct game game;

/* Adds what is served: streams below /live/ticker/ and /demo/ticker; the WebSocket /demo/game. seed: the same
 * one gives the same walk of prices, or the same bots. NULL: it cannot be added. */
ticker *ticker_new(dx_server *server, uint64_t seed);
game *game_new(dx_server *server, uint64_t seed);

/* When the server has started: begins a thread. False: there can be none. */
bool ticker_start(ticker *t);
bool game_start(game *g);

/* Ends the thread, and frees it. When the server runs no more, before it is freed. NULL is allowed. */
void ticker_free(ticker *t);
void game_free(game *g);

#endif
