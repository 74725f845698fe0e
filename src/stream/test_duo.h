/* Two hubs that one thread turns by turns, and listeners on them, for tests of what workers hear.
 * Is:     streams whose home is hub 0; operations that are waited for; listeners that count what they get.
 * Is not: tests.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_TEST_DUO_H
#define DX_STREAM_TEST_DUO_H

#include "base/buffer.h"
#include "stream/hub_home.h"

typedef struct duo {
    dx_streams *streams;
    dx_loop *loops[2];
    dx_hub *hubs[2];
    dx_namespace ns;
    char path[24]; /* of a stream whose home is hub 0 */
} duo;

duo *duo_new(void);
void duo_free(duo *p);
/* A few turns of each loop, without waiting. */
void duo_turn(duo *p);
/* The same until `ms` milliseconds have passed. */
void duo_wait(duo *p, unsigned ms);
/* So many turns that nothing can be under way any more. */
void duo_settle(duo *p);

/* Each is waited for. */
dx_stream_status duo_append(duo *p, uint32_t from, const char *text);
dx_stream_status duo_close(duo *p, uint32_t from);
dx_stream_status duo_delete(duo *p, uint32_t from);

/* A subscriber whose connection takes everything at once, or (is_stalled) nothing. */
typedef struct listener {
    dx_watch watch;
    dx_subscriber sub;
    dx_topic *topic; /* NULL: not watching */
    dx_stream_status status;
    bool is_ready, is_stalled, is_room_due, is_broken;
    uint64_t expected, received;
    uint32_t lives, ends, fails;
    dx_stream_end why;
    uint32_t notes_count;
    dx_buffer note; /* the last one */
} listener;

/* Variants of the listeners' encoding. */
enum { LISTEN_PLAIN, LISTEN_NOTES };

/* Watches at hub `on`. False: no memory. */
bool listener_watch(listener *l, duo *p, uint32_t on);
/* Once it is ready: listens from the message `next` on. */
dx_err listener_start(listener *l, uint32_t variant, uint64_t next);
/* Goes on catching up if there is room. */
void listener_continue(listener *l);
/* Ends all, whatever has begun. */
void listener_end(listener *l);

#endif
