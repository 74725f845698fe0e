/* A connection that is carried by another one, such as a stream of HTTP/2: a dx_conn for the protocol above
 * (queue, pulling, room, deadlines, an orderly end), but its bytes and its end are the carrier's to move.
 * Is:     what a carrier calls, and what it has to offer.
 * Is not: the carrier (http/http2).
 * Memory: embedded in the carrier's object; chunks and kept bytes as in any dx_conn.
 * Threads: its loop's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_CONN_CARRIED_H
#define DX_NET_CONN_CARRIED_H

#include "net/conn.h"

/* What the carrier does. Neither may call the protocol above. */
typedef struct dx_conn_carrier {
    /* There is something to send, or to look at again: dx_conn_carried_turn at the end of this turn. */
    void (*wake)(dx_conn *conn);
    /* It is over; reset: not in order. dx_conn_carried_over follows at the end of this turn, or later. */
    void (*close)(dx_conn *conn, bool reset);
} dx_conn_carrier;

/* `conn` is first: a dx_conn with is_carried is one of these. */
typedef struct dx_conn_carried {
    dx_conn conn;
    const dx_conn_carrier *carrier;
    dx_conn *under; /* what carries it; outlives it */
} dx_conn_carried;

/* Makes an open connection of zeroed memory. False: there are as many connections as the limits allow. */
DX_MUST_USE bool dx_conn_carried_init(dx_conn_carried *c, dx_conn *under,
                                      const dx_conn_carrier *carrier, const dx_conn_ops *ops,
                                      void *protocol);

/* The last call: tells on_closed and lets go of all that it holds. After `close`. */
void dx_conn_carried_over(dx_conn_carried *c);

/* Offers the protocol what it left, tells it of room. It may be over then. */
void dx_conn_carried_turn(dx_conn_carried *c);

/* Bytes for the protocol; may be changed in place. What it leaves is kept: dx_conn_kept. */
void dx_conn_carried_input(dx_conn_carried *c, uint8_t *at, size_t size);
/* The peer will send no more. */
void dx_conn_carried_input_end(dx_conn_carried *c);

/* Moves up to `max` bytes of what is queued or pulled to `to`: they count as sent. It may be over then. */
size_t dx_conn_carried_read(dx_conn_carried *c, uint8_t *to, size_t max);

/* Something waits to be read, be it only the end. Asks the protocol. */
bool dx_conn_carried_has_output(dx_conn_carried *c);

/* The peer takes no more for now, until the next read. */
static inline void dx_conn_carried_block(dx_conn_carried *c)
{
    c->conn.is_blocked = true;
}

/* Finished, and all has been read: the end is to be sent. */
bool dx_conn_carried_is_spent(const dx_conn_carried *c);
/* It was sent: from here on it waits for the peer's. It may be over then. */
void dx_conn_carried_end_sent(dx_conn_carried *c);

#endif
