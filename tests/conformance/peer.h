/* A small test client on one TCP socket: connect, send in chosen pieces, read until a deadline.
 * Is:      bytes and time; every wait is bounded; a send reads meanwhile: full pipes never lock.
 * Is not:  HTTP or WebSocket (http_*.c, ws_*.c); nothing of the server under test is linked here.
 * Memory:  one input buffer that grows; dx_peer_deinit gives it back.
 * Threads: a dx_peer belongs to one thread; different peers are independent.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CONFORMANCE_PEER_H
#define DX_CONFORMANCE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef enum dx_peer_status {
    DX_PEER_OK,
    DX_PEER_TIMEOUT, /* the deadline passed first */
    DX_PEER_EOF,     /* the server sent FIN: it closed in order */
    DX_PEER_RESET,   /* RST, or a send after the server had gone */
    DX_PEER_ERROR,   /* our own trouble: no memory, no socket, name not found */
} dx_peer_status;

/* How the bytes of a send are divided into writes. */
typedef enum dx_peer_split {
    DX_PEER_WHOLE,  /* one write for each send */
    DX_PEER_EVERY,  /* writes of `size` octets */
    DX_PEER_CUT,    /* one cut, `size` octets after dx_peer_split_set was called */
    DX_PEER_RANDOM, /* writes of 1 to `size` octets by `seed`, short ones as likely as long ones */
} dx_peer_split;

typedef struct dx_peer_split_rule {
    dx_peer_split kind;
    size_t size;
    uint64_t seed;
} dx_peer_split_rule;

typedef struct dx_peer {
    int fd; /* -1: not connected */
    void *tls; /* peer_tls.c's; NULL: in clear */
    dx_peer_split_rule split;
    size_t sent_bytes;     /* since dx_peer_split_set, or the connect */
    size_t received_bytes; /* since the connect */
    uint8_t *input;        /* unread bytes are input[at .. end) */
    size_t at, end, capacity;
    dx_peer_status broken; /* OK, or why no more can come: EOF, RESET, ERROR */
    bool was_reset;        /* a send met RST: the end of input is not an orderly one */
    bool settles;          /* between two pieces, wait until the server's side has read the first */
    struct sockaddr_storage near, far;
} dx_peer;

/* Where a URL points. `path` starts with '/' and keeps the query. */
typedef struct dx_peer_url {
    char host[256];
    char port[8];
    char path[1024];
    bool is_secure; /* wss or https */
} dx_peer_url;

/* Reads "ws://host:port/path", "http://…", "host:port" (IPv6 in brackets). False: none of these. */
bool dx_peer_url_parse(const char *text, dx_peer_url *ret);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t dx_peer_now_ms(void);

/* Connects, TCP_NODELAY on. `peer` may be uninitialised; dx_peer_deinit it whatever is returned. */
dx_peer_status dx_peer_connect(dx_peer *peer, const char *host, const char *port, int timeout_ms);

/* Closes (with RST if `input` in the kernel was not read: use dx_peer_finish first to avoid it). */
void dx_peer_deinit(dx_peer *peer);

/* From now on sends are divided so; counts from here for DX_PEER_CUT. */
void dx_peer_split_set(dx_peer *peer, dx_peer_split_rule rule);

/* Sends all, divided by the peer's rule. Between two pieces it waits (no fixed sleep) until the
 * server has taken the first piece from its socket, so that the division is truly seen.
 * Returns RESET if the server has gone; what it sent before that can still be read.
 * timeout_ms: without any progress. */
dx_peer_status dx_peer_send(dx_peer *peer, const void *bytes, size_t size, int timeout_ms);

/* The same, divided into writes of `piece` octets unless the peer's own rule is finer. */
dx_peer_status dx_peer_send_chopped(dx_peer *peer, const void *bytes, size_t size, size_t piece,
                                    int timeout_ms);

/* Waits until the server has taken everything sent so far from its socket; 20 ms at most. Where the
 * kernel does not tell (no sock_diag) it only yields the processor. */
void dx_peer_settle(dx_peer *peer);

/* FIN: no more will be sent. Reading goes on. */
void dx_peer_finish(dx_peer *peer);

/* Unread bytes: a view until the next call on `peer`. */
static inline const uint8_t *dx_peer_input(const dx_peer *peer)
{
    return peer->input + peer->at;
}
static inline size_t dx_peer_input_size(const dx_peer *peer)
{
    return peer->end - peer->at;
}

/* Takes `size` bytes out of the input; at most dx_peer_input_size. */
void dx_peer_skip(dx_peer *peer, size_t size);

/* Waits for more input, whatever its size. OK: at least one new byte came. */
dx_peer_status dx_peer_fill(dx_peer *peer, int timeout_ms);

/* Waits until `size` unread bytes are there. On failure what did come stays readable. */
dx_peer_status dx_peer_need(dx_peer *peer, size_t size, int timeout_ms);

/* Waits until the unread bytes contain `mark`. *ret_size: bytes up to and with the mark. */
dx_peer_status dx_peer_need_mark(dx_peer *peer, const char *mark, size_t *ret_size, int timeout_ms);

/* Waits until the server closes; all it sends until then is kept as input.
 * EOF or RESET as it was; TIMEOUT if it did not close. */
dx_peer_status dx_peer_need_eof(dx_peer *peer, int timeout_ms);

/* "timeout", "EOF", ... for messages. */
const char *dx_peer_status_text(dx_peer_status status);

#endif
