/* A protocol for tests: it notes what happens to it, consumes as much as it is told to, and does in a
 * callback what the test wants done there.
 * Is:     struct probe over dx_conn_ops, with one hook for every event.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_TEST_PROBE_H
#define DX_NET_TEST_PROBE_H

#include "net/test_peer.h"

typedef enum probe_event {
    PROBE_BYTES,
    PROBE_END,
    PROBE_ROOM,
    PROBE_PULL,
    PROBE_PULLED,
    PROBE_DEADLINE,
    PROBE_OPEN,
    PROBE_CLOSED,
    PROBE_EVENT_COUNT
} probe_event;

typedef struct probe probe;
struct probe {
    dx_conn *conn;
    dx_buffer in;          /* all that was consumed */
    size_t bytes_last;     /* offered by the last on_bytes */
    size_t take_multiple;  /* consume only multiples of it; 0: all */
    bool is_own_end;       /* on_end does not finish */
    int counts[PROBE_EVENT_COUNT];
    dx_err why;
    const char *why_text;
    void (*hook)(probe *p, probe_event event);
    probe_event hook_event; /* only in this one */
    /* What can be pulled: messages of message_bytes at `feed`, of which feed_at bytes were sent. */
    const uint8_t *feed;
    size_t feed_at, feed_size, message_bytes;
};

extern const dx_conn_ops probe_ops;

/* A connection in `w` whose protocol is `p`; gives the other end. */
void probe_open(world *w, probe *p, peer *other);       /* over a socket pair */
void probe_open_tcp(world *w, probe *p, peer *other);

/* After on_closed. */
void probe_deinit(probe *p);

#endif
