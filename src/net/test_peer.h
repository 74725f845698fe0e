/* What the tests of connections share, here and in the layers above: a loop with its connections, and
 * the bare other end of one of them.
 * Is:     struct world, struct peer, PEER_UNTIL. Include tests/tap.h first; loop/test_ends.h has LOOP_TEST.
 * Is not: a protocol (test_probe.h).
 * Memory: a peer keeps all that it received until peer_close.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_TEST_PEER_H
#define DX_NET_TEST_PEER_H

#include "loop/test_ends.h"
#include "net/conn.h"

typedef struct world {
    dx_loop *loop;
    dx_net net;
} world;

/* limits: NULL for the defaults. */
void world_init(world *w, const dx_net_limits *limits);
/* Turns until every connection is gone (they must be going), then frees all. */
void world_deinit(world *w);

/* The end of a connection that is no part of the loop. */
typedef struct peer {
    int fd;
    dx_buffer in;
    bool is_ended; /* FIN came */
    bool is_reset; /* or an error */
} peer;

void peer_open(peer *p, int fd);
/* NULL-safe in the sense that closing twice does no harm. */
void peer_close(peer *p);
/* Closes with RST, and forgets what came. */
void peer_reset(peer *p);
/* Reads what is there, at most `max` bytes. */
void peer_read(peer *p, size_t max);
/* Writes as much as the socket takes; gives how much. */
size_t peer_write_some(peer *p, dx_bytes bytes);
/* Writes all, turning the loop meanwhile, without reading. Gives up when the connection is gone. */
void peer_write(world *w, peer *p, dx_bytes bytes);
/* The same byte by byte, with a turn after each. */
void peer_trickle(world *w, peer *p, dx_bytes bytes);
/* FIN. */
void peer_finish(peer *p);
/* Empties the input. */
void peer_forget(peer *p);
/* What came, as text of at most `size` - 1 bytes, for strstr. */
const char *peer_text(peer *p);

/* Turns and reads until the condition holds, 10 s at most, and checks that it does. */
#define PEER_UNTIL(w, p, condition)                                                                \
    do {                                                                                           \
        uint64_t turn_end_ms = dx_clock_ms() + 10000;                                              \
        while (peer_read((p), SIZE_MAX), !(condition) && dx_clock_ms() < turn_end_ms)              \
            dx_loop_step((w)->loop, 20);                                                           \
        CHECK(condition);                                                                          \
    } while (0)

/* Turns and reads until the connection is over at the peer's end. */
#define PEER_UNTIL_END(w, p) PEER_UNTIL(w, p, (p)->is_ended || (p)->is_reset)

/* Turns until nothing more happens at once: a few times without waiting. */
void world_settle(world *w);

#endif
