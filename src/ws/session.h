/* WebSocket sessions: an open connection that speaks RFC 6455, at either end.
 * Is:     messages in and out, ping and pong, the closing handshake with its timeouts, deflate.
 * Is not: frames (codec/ws_reader), the opening handshake (server.c, client.c), bytes (net).
 * Memory: an idle session is one dx_ws of the worker's pool; a message that comes in pieces has a
 *         buffer while it comes. zlib's state is the worker's and lent for one message, unless
 *         takeover was configured.
 * Threads: its loop's.
 * Source: RFC 6455 §5-§7, RFC 7692.
 * SPDX-License-Identifier: MIT */
#ifndef DX_WS_SESSION_H
#define DX_WS_SESSION_H

#include "codec/deflate.h"
#include "codec/ws_close.h"
#include "codec/ws_deflate_offer.h"
#include "codec/ws_reader.h"
#include "net/conn.h"

#include <duplex/websocket.h>

typedef struct dx_ws_config {
    uint32_t message_bytes_max;  /* on the wire, and once inflated */
    uint32_t queue_bytes_max;    /* answers of dx_ws_send turn to DX_SEND_BUSY above it */
    uint32_t ping_ms;            /* silence after which a ping goes out; 0: never */
    uint32_t pong_ms;            /* silence after that which ends the connection */
    uint32_t close_ms;           /* wait for the peer's part of the closing handshake */
    uint32_t control_burst;      /* control frames at once, */
    uint32_t control_per_second; /* and in the long run */
    uint32_t deflate_bytes_min;  /* shorter messages go uncompressed */
    bool is_deflate;             /* permessage-deflate is offered and accepted */
    dx_ws_deflate_policy deflate;
} dx_ws_config;

#define DX_WS_CONFIG_DEFAULT                                                                       \
    ((dx_ws_config){.message_bytes_max = 65536,                                                    \
                    .queue_bytes_max = 1048576,                                                    \
                    .ping_ms = 25000,                                                              \
                    .pong_ms = 8000,                                                               \
                    .close_ms = 5000,                                                              \
                    .control_burst = 100,                                                          \
                    .control_per_second = 20,                                                      \
                    .deflate_bytes_min = 64,                                                       \
                    .is_deflate = true})

/* What the sessions of one kind have in common: constant while any of them lives. */
typedef struct dx_ws_endpoint {
    dx_ws_handler handler;
    dx_ws_config config;
    const dx_bytes *subprotocols; /* known here, borrowed; at most 32 */
    size_t subprotocols_count;
    bool
        is_for_any_origin; /* who owns it has looked at Origin; else pages of the same host only may come */
    /* Frames to be sent from somewhere else than the queue, as in dx_conn_ops; may be NULL. */
    uint32_t (*pull)(dx_ws *ws, struct iovec *iov, uint32_t max);
    bool (*pulled)(dx_ws *ws, size_t bytes);
    /* Our Close is queued, or there will be none: nothing more may be pulled but the rest of a message
     * sent in part. Called once; may be NULL if `pull` is. */
    void (*ending)(dx_ws *ws);
    /* The last call, after `close` and when nothing is in flight any more; may be NULL. */
    void (*freed)(dx_ws *ws);
} dx_ws_endpoint;

/* Close codes for counting: 1000 to 1015, 4400 to 4499, and all others. */
enum { DX_WS_CODE_SLOTS = 16 + 100 + 1 };

static inline unsigned dx_ws_code_slot(unsigned code)
{
    if (code >= 1000 && code < 1016)
        return code - 1000;
    return code >= 4400 && code < 4500 ? 16 + code - 4400 : DX_WS_CODE_SLOTS - 1;
}

/* The code of a slot; 0: others. */
static inline unsigned dx_ws_slot_code(unsigned slot)
{
    return slot < 16 ? 1000 + slot : slot < 116 ? 4400 + slot - 16 : 0;
}

/* What the sessions of one loop share. */
typedef struct dx_ws_worker {
    dx_net *net;
    dx_pool sessions;
    dx_inflater *inflater; /* made when first needed */
    dx_deflater *deflater;
    dx_buffer inflated, deflated; /* scratch for one message */
    uint8_t random[256];          /* mask keys of clients, taken from the front */
    size_t random_left;
    uint64_t begun_count;                   /* sessions, since it began */
    uint64_t closes[DX_WS_CODE_SLOTS];      /* that we sent, by dx_ws_code_slot */
    uint64_t silent_count;                  /* dropped: no sign of life after a ping */
} dx_ws_worker;

typedef enum dx_ws_state {
    DX_WS_OPEN,
    DX_WS_CLOSE_SENT, /* ours is out, the peer's is awaited */
    DX_WS_CLOSED,     /* both are through, or it failed: only the connection has to end */
} dx_ws_state;

struct dx_ws_extra; /* what a session has only now and then (session_frame.h) */

struct dx_ws {
    dx_conn *conn;
    dx_ws_worker *worker;
    const dx_ws_endpoint *endpoint;
    void *user;
    struct dx_ws_extra *extra; /* NULL while it has none of that */
    dx_ws_reader reader;
    uint32_t heard_ms;   /* loop time, modulo 2^32, of the last byte that came */
    uint32_t control_ms; /* loop time up to which control frames are paid for */
    uint8_t state;
    uint8_t role;
    uint8_t subprotocol; /* index + 1; 0: none */
    uint8_t send_bits;   /* window for compressing; 0: not negotiated */
    uint8_t pongs_count; /* queued since the peer stopped reading */
    bool is_pinged, is_told, is_unsettled;
    bool is_room_owed; /* a send was answered DX_SEND_BUSY, or dx_ws_want_room was asked */
    bool is_paused;    /* by dx_ws_pause; `held` pauses, too */
};

void dx_ws_worker_init(dx_ws_worker *worker, dx_net *net);
/* All sessions must be gone. */
void dx_ws_worker_deinit(dx_ws_worker *worker);

/* A session that is not on a connection yet. params: NULL without deflate. NULL when memory is out. */
dx_ws *dx_ws_new(dx_ws_worker *worker, const dx_ws_endpoint *endpoint, dx_ws_role role,
                 const dx_ws_deflate_params *params);
/* Frees a session that never got a connection. */
void dx_ws_discard(dx_ws *ws);

/* The opening handshake is over: takes `conn` over and calls `open`. */
void dx_ws_begin(dx_ws *ws, dx_conn *conn);

/* Asks for one call of `room` when everything queued has left. */
static inline void dx_ws_want_room(dx_ws *ws)
{
    ws->is_room_owed = true;
    dx_conn_want_room(ws->conn);
}

/* There is something to pull. */
static inline void dx_ws_wake(dx_ws *ws)
{
    dx_conn_wake(ws->conn);
}

/* What the peer sent is still being worked on elsewhere: a Ping, a Close or a fault behind it waits for
 * dx_ws_settle, so that its answer does not overtake what the messages bring about. */
static inline void dx_ws_unsettle(dx_ws *ws)
{
    ws->is_unsettled = true;
}
void dx_ws_settle(dx_ws *ws);

static inline bool dx_ws_is_open(const dx_ws *ws)
{
    return ws->state == DX_WS_OPEN;
}

/* Compresses `payload` for whoever negotiated a window of `bits`, without context. The result is a view of
 * the worker's scratch, until the next call. False where it does not pay or memory is out: send it
 * as it is. */
DX_MUST_USE bool dx_ws_deflate(dx_ws_worker *worker, unsigned bits, dx_bytes payload,
                               dx_bytes *ret);

/* The session on `conn`, or NULL if it speaks something else. */
dx_ws *dx_ws_of(const dx_conn *conn);

/* session_message.c, for session.c: takes a DATA event. */
void dx_ws_on_data(dx_ws *ws, const dx_ws_event *event);
/* session.c, for session_message.c: fails the connection (§7.1.7). */
void dx_ws_fail(dx_ws *ws, dx_ws_status fault);
void dx_ws_fail_memory(dx_ws *ws);

#endif
