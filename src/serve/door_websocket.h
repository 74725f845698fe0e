/* The WebSocket door, as its files see it.
 * Is:     the door's object, what its encodings, its handshake and what the client sends share.
 * Is not: for other doors (door.h).
 * Memory: a plain door per raw connection, from the worker's pool; a wide one, on the heap, for who speaks
 *         duplex.v1 or is present.
 * Threads: its worker's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_DOOR_WEBSOCKET_H
#define DX_SERVE_DOOR_WEBSOCKET_H

#include "codec/duplex_v1.h"
#include "serve/door.h"
#include "stream/presence.h"

/* 4000 + HTTP status, where RFC 6455 has no code. */
enum {
    DX_CLOSE_UNKNOWN = 4401,
    DX_CLOSE_FORBIDDEN = 4403,
    DX_CLOSE_NOT_FOUND = 4404,
    DX_CLOSE_TOO_SLOW = 4408,
    DX_CLOSE_CONFLICT = 4409,
    DX_CLOSE_GONE = 4410,
    DX_CLOSE_RATE = 4429,
};

typedef struct dx_ws_door {
    dx_subscriber sub; /* sub.feed is NULL if it does not read */
    dx_ws *ws;         /* NULL once it was freed */
    dx_topic *topic;
    uint32_t appended; /* sequence, modulo 2^32, of its last message that the home has taken */
    uint8_t appends_count;
    bool is_wide : 1, is_v1 : 1;
    bool is_write_off : 1;
    bool is_gap_ok : 1; /* on_slow=latest: gaps are what it asked for */
    bool is_paused : 1; /* too many of its appends are under way, or a ping waits */
    bool is_unsettled : 1;
} dx_ws_door;

/* What raw connections do not have. */
typedef struct dx_wide_door {
    dx_ws_door door;    /* first */
    dx_buffer ping;     /* JSON text: to be answered when what was sent before it has come back */
    dx_buffer producer; /* ?producer=: ids are its numbers; constant */
    dx_offset read_to;  /* catching up: behind the last message it was given */
    dx_member *member;  /* NULL: it is not present */
    bool is_caught_up_owed;
    bool is_notes_owed; /* to hear of others from when it is live on */
    bool is_hearing;    /* it watches presence */
    bool may_see, has_joined;
    bool is_write_unwanted; /* write=0; else it may write when a token allows it */
    dx_lease lease;         /* held while what it does rests on a principal */
    const dx_capability *publish_by; /* of that principal; NULL: no bounds */
    uint8_t id_size;
    uint8_t id[DX_MEMBER_ID_BYTES_MAX]; /* ?member=: to join as */
    uint16_t close_code;                /* not 0: to be closed once all appends were answered; */
    dx_bytes close_reason;              /* static */
} dx_wide_door;

static inline dx_ws_door *dx_ws_door_of(dx_subscriber *sub)
{
    return DX_CONTAINER(sub, dx_ws_door, sub);
}

static inline dx_wide_door *dx_wide_door_of(dx_ws_door *d)
{
    return (dx_wide_door *)(void *)d;
}

/* ---- door_websocket.c: the life of one --------------------------------------------------------- */

/* NULL when memory is out. */
dx_ws_door *dx_ws_door_new(dx_worker *worker, bool is_wide);
/* Frees it if neither a session nor an append needs it. */
void dx_ws_door_free(dx_worker *worker, dx_ws_door *d);
dx_worker *dx_ws_door_worker(const dx_ws_door *d);

/* Begins to deliver. */
void dx_ws_door_read(dx_ws_door *d, const dx_subscription *wish);

/* Answers may follow, if all it sent is in the log and what comes back of it is in the feed. */
void dx_ws_door_settle(dx_ws_door *d);

/* Stops reading and begins the closing handshake. reason: of any life. */
void dx_ws_door_close(dx_ws_door *d, uint16_t code, dx_bytes reason);

/* What the encodings have in common. */
void dx_ws_door_fell_behind(dx_subscriber *sub, dx_bytes rest);
void dx_ws_door_page(dx_subscriber *sub, dx_message *const *messages, size_t count);
void dx_ws_door_too_slow(dx_subscriber *sub, dx_bytes rest);
void dx_ws_door_failed(dx_subscriber *sub);

/* The frame's head for `payload`; compressed if `feed` wants that and it pays: then *payload is a view of
 * the worker's scratch. */
dx_ws_head dx_ws_door_head(const dx_feed *feed, bool is_text, dx_bytes *payload);
bool dx_ws_door_is_text(const dx_message *message);

/* ---- door_websocket_raw.c, door_websocket_v1.c ------------------------------------------------- */

extern const dx_encoding dx_raw_encoding, dx_v1_encoding, dx_v1_notes_encoding;

/* Sends one control frame, in front of what is still to be pulled. */
void dx_v1_send(dx_ws_door *d, const dx_v1_control *control);
void dx_v1_refuse(dx_ws_door *d, dx_bytes id, unsigned status, const char *detail);
void dx_v1_tell_gap(dx_ws_door *d, const dx_gap *gap);
/* Pays what it owes, as far as it is due: {"caught_up":…}, {"pong":…}, the Close. */
void dx_v1_pay(dx_ws_door *d);
/* True if it may be due when what was pulled has left. */
bool dx_v1_is_owing(dx_ws_door *d);
/* Closes once all appends were answered. reason: static. */
void dx_v1_close(dx_ws_door *d, uint16_t code, dx_bytes reason);

/* ---- door_websocket_presence.c ------------------------------------------------------------------ */

/* Joins with data (JSON; empty: none), or tells others of another one. Then it is to hear of them, if it
 * speaks duplex.v1 and reads. */
void dx_ws_door_join(dx_ws_door *d, dx_bytes data);
/* The control frame {"presence":value}; null: leaves. */
void dx_v1_on_presence(dx_ws_door *d, dx_bytes value);
/* Is no member any more. */
void dx_ws_door_leave(dx_ws_door *d);
/* Changes to the feed that has notes, if that is owed and can be done. Not from within the callbacks of a
 * feed but `wake`. */
void dx_v1_change_feed(dx_ws_door *d);

/* ---- door_websocket_lease.c --------------------------------------------------------------------- */

/* A wide door, just opened, does what it does because of `who`. */
void dx_ws_door_hold(dx_ws_door *d, dx_principal *who);
/* The control frame {"token":value}. */
void dx_v1_on_token(dx_ws_door *d, dx_bytes value);

/* ---- door_websocket_in.c: what the client sends ------------------------------------------------ */

void dx_ws_door_on_message(dx_ws *ws, const dx_ws_message *message, void *context);
/* Receives again, if nothing stands against it. */
void dx_ws_door_go_on(dx_ws_door *d);

#endif
