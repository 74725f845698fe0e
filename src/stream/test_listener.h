/* A subscriber for tests of homes: takes all from the first message on, and checks that it is in order.
 * Threads: one.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_TEST_LISTENER_H
#define DX_STREAM_TEST_LISTENER_H

#include "stream/test_pair.h"

typedef struct listener {
    dx_watch watch;
    dx_subscriber sub;
    dx_topic *topic;
    uint64_t received, expected, lost;
    bool is_ready, is_room_due, is_broken;
    dx_stream_end end;
    dx_stream_status status; /* of the watch; MEMORY also when it could not go on */
} listener;

/* Listens at hub `on` to p->path. */
void listener_begin(pair *p, uint32_t on, listener *l);
/* Turns for long, and takes what there is. */
void listener_turn(pair *p, listener *l);
void listener_end(listener *l);

#endif
