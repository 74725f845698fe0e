/* One connection: bytes in, bytes out, one timer, an orderly end; in clear or through TLS, which the
 * protocol above does not notice.
 * Is:     the output queue and its one write per turn, the bytes a protocol has not consumed yet,
 *         deadlines, lingering close (RFC 9112 §9.6), connecting, the TLS handshake.
 * Is not: protocols (http, ws: they stand on dx_conn_ops), accepting (listener.h).
 * Memory: an idle connection is one dx_conn of its dx_net's pool and nothing else; chunks exist while
 *         bytes wait to be sent, the kept bytes while a protocol waits for more.
 * Threads: its loop's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_NET_CONN_H
#define DX_NET_CONN_H

#include "base/buffer.h"
#include "base/log.h"
#include "base/pool.h"
#include "loop/loop.h"
#include "net/address.h"
#include "net/tls.h"

typedef struct dx_conn dx_conn;
typedef struct dx_chunk dx_chunk;

/* The protocol above. Unused slots may be NULL, but on_bytes and on_closed. */
typedef struct dx_conn_ops {
    /* All bytes that came and were not consumed, contiguous; borrowed, may be changed in place where
     * consumed. Returns how many were consumed; the rest is kept, and comes again with more or after
     * dx_conn_resume. */
    size_t (*on_bytes)(dx_conn *conn, uint8_t *at, size_t size);
    /* The peer sent FIN: no more on_bytes. The protocol answers what it owes and finishes; NULL:
     * dx_conn_finish. */
    void (*on_end)(dx_conn *conn);
    /* Everything queued has left (whatever is still to be pulled), after dx_conn_want_room. */
    void (*on_room)(dx_conn *conn);
    /* Bytes that are not in the queue but somewhere to be sent from, such as a feed: fills up to
     * `max` entries of `iov` with whole messages (but for the first, which may be the rest of one),
     * returns how many. They must stay as they are until `pulled` tells how many bytes of them
     * left; that answers whether the last message left only in part. They go behind what is queued, but
     * the rest of a message before it. Who has still more after `pulled` calls dx_conn_wake, unless
     * the send came out short (room wakes it then). */
    uint32_t (*pull)(dx_conn *conn, struct iovec *iov, uint32_t max);
    bool (*pulled)(dx_conn *conn, size_t bytes);
    /* The deadline set by dx_conn_set_deadline has passed. */
    void (*on_deadline)(dx_conn *conn);
    /* A connection by dx_conn_connect or through TLS is open: the handshake is over. */
    void (*on_open)(dx_conn *conn);
    /* The connection is over and `conn` is freed after this call. DX_OK: it ended as the protocol asked. */
    void (*on_closed)(dx_conn *conn, dx_err why);
} dx_conn_ops;

typedef struct dx_net_limits {
    uint32_t conns_count_max;  /* further ones are closed at once */
    uint32_t write_stalled_ms; /* a peer that takes nothing for so long is reset */
    uint32_t linger_ms;        /* wait for the peer's FIN after ours */
    uint32_t linger_bytes_max; /* discarded meanwhile */
    uint32_t handshake_ms;     /* for all of a TLS handshake; then the connection is reset */
    uint32_t handshakes_count_max; /* of clients that shake hands; with one more the oldest is reset */
} dx_net_limits;

#define DX_NET_LIMITS_DEFAULT                                                                      \
    ((dx_net_limits){.conns_count_max = UINT32_MAX,                                                \
                     .write_stalled_ms = 10000,                                                    \
                     .linger_ms = 2000,                                                            \
                     .linger_bytes_max = 16777216,                                                 \
                     .handshake_ms = 10000,                                                        \
                     .handshakes_count_max = 1024})

/* What became of connections since the loop began. */
typedef struct dx_net_counts {
    uint64_t full;              /* closed at once: conns_count_max */
    uint64_t stalled;           /* reset: the peer took nothing for write_stalled_ms, or shook no hands in time */
    uint64_t handshakes[2];     /* of TLS 1.2, 1.3 that succeeded */
    uint64_t resumed;           /* of them: took up a session again */
    uint64_t handshakes_failed; /* a fault, or the other side does not believe us */
    uint64_t handshakes_given_up; /* handshakes_count_max */
    uint64_t not_tls;             /* spoke something else where TLS is spoken */
    uint64_t tls_floods;          /* too many messages beside the data */
} dx_net_counts;

/* The connections of one loop. */
typedef struct dx_net {
    dx_loop *loop;
    const dx_log *log;
    dx_net_limits limits;
    dx_pool conns, conns_tls, chunks;
    uint64_t conns_begun_count; /* since it began: accepted, and those that were to connect */
    struct dx_net_tls *tls; /* what its TLS connections share; NULL until there is one */
    dx_list live; /* of dx_conn.link */
    size_t conns_count;
    uint64_t bytes_in, bytes_out; /* through its sockets since it began; as encrypted, where they are */
    dx_net_counts counts;
    size_t carried_count; /* of conns_count: streams of HTTP/2 that are used as connections */
} dx_net;

typedef enum dx_conn_state {
    DX_CONN_CONNECTING, /* or shaking hands */
    DX_CONN_OPEN,
    DX_CONN_FLUSHING,  /* no more input; closes when the queue is empty */
    DX_CONN_LINGERING, /* our FIN is sent; discards until the peer's */
    DX_CONN_CLOSED,    /* waits for the loop to let go */
} dx_conn_state;

/* Private but for `ops` and `protocol`, which dx_conn_set_protocol changes. */
struct dx_conn {
    dx_io io;
    const dx_conn_ops *ops;
    void *protocol;
    dx_net *net;
    dx_list link;
    dx_timer timer;
    dx_task flush;
    dx_chunk *out_first, *out_last;
    dx_buffer *kept;          /* received, not consumed; NULL: nothing */
    uint32_t out_bytes;       /* in chunks */
    uint32_t flight_out;      /* of the send under way: queued bytes, */
    uint32_t flight_pulled;   /* and pulled ones */
    uint32_t protocol_due_ms; /* loop time, modulo 2^32; 0: none */
    uint32_t write_due_ms;
    uint32_t write_unsent;    /* what the kernel held when that was set */
    uint32_t linger_bytes;
    dx_err why;
    uint8_t state;
    uint8_t pauses; /* bits: why receiving is stopped */
    bool is_sending, is_blocked, is_room_wanted, is_fin_seen, is_fin_told;
    bool is_pull_cut;  /* a pulled message has left in part: its rest goes before the queue */
    bool is_offer_due; /* the kept bytes are to be offered again */
    bool is_tls;       /* a dx_conn_tls */
    bool is_carried;   /* a dx_conn_carried */
};

void dx_net_init(dx_net *net, dx_loop *loop, const dx_net_limits *limits, const dx_log *log);
/* Every connection must be gone. */
void dx_net_deinit(dx_net *net);

/* Makes a connection of the accepted descriptor `fd` (taken, also on failure) and starts receiving.
 * ops, protocol: as for dx_conn_set_protocol. NULL when memory or limits do not allow it. */
dx_conn *dx_conn_accept(dx_net *net, int fd, const dx_conn_ops *ops, void *protocol);

/* Connects to `address`; on_open or on_closed follows.
 * Errors: DX_ERR_MEMORY, DX_ERR_FILES, DX_ERR_UNSUPPORTED, DX_ERR_SYSTEM; nothing is called then. */
DX_MUST_USE dx_err dx_conn_connect(dx_net *net, const dx_address *address, const dx_conn_ops *ops,
                                   void *protocol, dx_conn **ret);

/* The same through TLS: the connection is not open before on_open, which comes when hands are shaken, and
 * sends nothing before. tls: of a server, borrowed until the connection is closed. */
dx_conn *dx_conn_accept_tls(dx_net *net, int fd, dx_tls *tls, const dx_conn_ops *ops, void *protocol);

/* A server to connect to. */
typedef struct dx_conn_target {
    dx_address address;
    dx_tls *tls;      /* of a client; borrowed until the connection is closed. NULL: in clear */
    const char *host; /* whose certificate it has to be: a name or an address, without brackets; copied */
    const char *alpn; /* to offer in place of what tls offers; NULL: that */
} dx_conn_target;

/* As dx_conn_connect, also through TLS: on_closed with DX_ERR_PROTOCOL if the server cannot be believed or
 * the handshake fails; dx_conn_why says why. */
DX_MUST_USE dx_err dx_conn_connect_to(dx_net *net, const dx_conn_target *to, const dx_conn_ops *ops,
                                      void *protocol, dx_conn **ret);

/* What carries it in the end, over however many; itself if nothing does. */
const dx_conn *dx_conn_base(const dx_conn *conn);

/* Through TLS, itself or what carries it? */
static inline bool dx_conn_is_secure(const dx_conn *conn)
{
    return dx_conn_base(conn)->is_tls;
}

/* What ALPN has agreed on (RFC 7301); empty: nothing, or no TLS. A view, good while it is open. */
dx_bytes dx_conn_alpn(const dx_conn *conn);

/* Who the client is, by the certificate that it has shown; empty: not known. A view, good while it is open. */
dx_bytes dx_conn_subject(const dx_conn *conn);

/* Its descriptor, for the kernel's questions about the peer; of what carries it, if it is carried. */
int dx_conn_fd(const dx_conn *conn);

/* For on_closed: its error in words, as exactly as is known. Static. */
const char *dx_conn_why(const dx_conn *conn);

/* Hands the connection to another protocol: it gets the bytes not consumed yet from the current
 * on_bytes on (its return value counts what the old one consumed), and is told of a FIN that came
 * before. `protocol` is borrowed until on_closed. */
void dx_conn_set_protocol(dx_conn *conn, const dx_conn_ops *ops, void *protocol);

/* For a connection that is finished or aborted and whose end nobody wants to hear of: discards what comes. */
extern const dx_conn_ops dx_conn_nobody;

/* ---- output. All are no-ops once the connection is ending. They return false when memory ran out:
 * the connection is reset then, and on_closed follows. ---- */

/* Queues a copy. It leaves at the end of the turn, with everything else. */
bool dx_conn_write(dx_conn *conn, dx_bytes bytes);

/* Room for up to 1024 bytes in the queue, to be filled at once; then dx_conn_wrote says how many
 * were. NULL when the connection is ending or memory is out (it is reset then). */
uint8_t *dx_conn_write_room(dx_conn *conn, size_t size);
void dx_conn_wrote(dx_conn *conn, size_t size);

/* Sends `head` and `body` now if nothing is in the way, and copies only what did not leave: for
 * bytes too large to copy for nothing. */
bool dx_conn_write_large(dx_conn *conn, dx_bytes head, dx_bytes body);

/* Queues a copy of the rest of a message that was pulled and left in part, before everything else: it
 * is not pulled any more. Not while a send is in flight, but through TLS, where that is of a copy. Also good
 * after dx_conn_finish. */
bool dx_conn_write_rest(dx_conn *conn, dx_bytes rest);

/* Bytes queued and not sent, without what can be pulled. */
static inline size_t dx_conn_queued(const dx_conn *conn)
{
    return conn->out_bytes + (conn->is_tls ? conn->flight_out : 0); /* that is encrypted already */
}

/* Asks for one on_room call when everything queued has left (at the latest next turn if it has). */
void dx_conn_want_room(dx_conn *conn);

/* There is something to pull: writes at the end of the turn. */
void dx_conn_wake(dx_conn *conn);

/* Writes now what is there; for one who serves many connections in a row. */
void dx_conn_flush(dx_conn *conn);

/* ---- input ---- */

/* Stops and resumes on_bytes. Resuming gives the kept bytes again at the end of the turn, also when
 * nothing was paused. */
void dx_conn_pause(dx_conn *conn);
void dx_conn_resume(dx_conn *conn);

/* Receives no more for now, and then again; but what the kernel has handed over already comes to on_bytes:
 * nothing has to be kept for a peer that is only to send less. */
void dx_conn_slow(dx_conn *conn, bool is_slow);

/* Bytes kept for the protocol, besides what the on_bytes under way was given. */
static inline size_t dx_conn_kept(const dx_conn *conn)
{
    return conn->kept ? conn->kept->size : 0;
}

/* ---- time ---- */

/* Calls on_deadline in `delay_ms`; replaces an earlier setting; 0 clears. Moving a deadline further
 * away costs nothing. */
void dx_conn_set_deadline(dx_conn *conn, uint32_t delay_ms);

static inline uint64_t dx_conn_now_ms(const dx_conn *conn)
{
    return dx_loop_now_ms(conn->net->loop);
}

/* ---- the end ---- */

/* Sends what is queued, then FIN, discards until the peer's FIN (bounded), closes. */
void dx_conn_finish(dx_conn *conn);

/* Closes at once; what is queued is lost. `why` is given to on_closed; reset: with RST. */
void dx_conn_abort(dx_conn *conn, dx_err why, bool reset);

/* True until finish, abort or failure. */
static inline bool dx_conn_is_open(const dx_conn *conn)
{
    return conn->state == DX_CONN_OPEN;
}

#endif
