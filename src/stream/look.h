/* What goes on at a hub, for those who look after a server: its streams, and who listens at its worker.
 * Is:     reading what is there; no message is touched for it, and nothing is counted that was not counted anyway.
 * Is not: asking all workers, telling anybody (serve/console.c).
 * Memory: none.   Threads: the hub's worker.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_LOOK_H
#define DX_STREAM_LOOK_H

#include "stream/hub.h"

/* One stream, at its home. */
typedef struct dx_stream_figures {
    dx_bytes path; /* a view for the call */
    dx_offset tail;
    dx_offset recent;                /* before the last few messages that are kept in memory */
    uint64_t written_ms;             /* wall clock, of the newest message; 0: not known */
    uint64_t kept_count, kept_bytes; /* in memory */
    uint32_t subscribers_count;      /* on all workers */
    bool is_closed;
} dx_stream_figures;

/* One subscriber, at its worker. */
typedef struct dx_subscriber_figures {
    dx_bytes path;         /* of its stream, a view for the call */
    dx_offset at;          /* behind the last message that it was sent whole */
    uint64_t behind_count; /* messages that its worker has, and it was not sent yet */
    bool is_catching_up;   /* it reads the log; else it is sent what comes */
} dx_subscriber_figures;

typedef struct dx_hub_look {
    uint32_t streams_max,
        subscribers_max; /* so many are looked at, at most: that is what it costs */
    void (*stream)(void *context, const dx_stream_figures *figures);
    void (*subscriber)(void *context, const dx_subscriber_figures *figures);
    void *context;
} dx_hub_look;

/* Calls both for what is there, in no order. Neither may change anything of the hub.
 * Returns how many streams it is the home of. Cost: O(what is looked at). */
size_t dx_hub_look_at(const dx_hub *hub, const dx_hub_look *look);

#endif
