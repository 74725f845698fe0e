/* HTTP/2 as bytes: frames written by hand, and of what comes only what an attacker or a good client asks about.
 * Is:      a connection (dx_peer) that greets, acknowledges SETTINGS and PING, and notes ends.
 * Is not:  HPACK (a status is known by its index), flow control of what it sends.
 * Memory:  hw_close gives all back.
 * Threads: one for each connection.
 * Source:  RFC 9113 §4, §6.
 * SPDX-License-Identifier: MIT */
#ifndef DX_HOSTILE_H2_WIRE_H
#define DX_HOSTILE_H2_WIRE_H

#include "tests/conformance/peer.h"

enum {
    HW_DATA,
    HW_HEADERS,
    HW_PRIORITY,
    HW_RST_STREAM,
    HW_SETTINGS,
    HW_PUSH_PROMISE,
    HW_PING,
    HW_GOAWAY,
    HW_WINDOW_UPDATE,
    HW_CONTINUATION,
};

enum { HW_END_STREAM = 1, HW_ACK = 1, HW_END_HEADERS = 4, HW_NO_CODE = -1 };

typedef struct hw_conn {
    dx_peer peer;
    uint32_t id;          /* of the next stream */
    int goaway_code;      /* of the last GOAWAY; HW_NO_CODE: none came */
    int reset_code;       /* of the last RST_STREAM */
    uint32_t reset_codes; /* bits of all of them */
    uint32_t resets, answers, pongs;
    uint32_t ended_id;  /* the last stream that the server ended */
    uint8_t first_byte; /* of the last head: 0x88 is :status 200 */
    bool is_over;       /* no more comes */
} hw_conn;

/* Connects and greets. window: SETTINGS_INITIAL_WINDOW_SIZE. False: no connection. */
bool hw_open(hw_conn *c, const char *host, const char *port, uint32_t window);
void hw_close(hw_conn *c);

/* Writes a frame to `to`, which has room for it; returns its size. payload: NULL for zeros. */
size_t hw_frame(uint8_t *to, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                size_t size);
/* HEADERS of a request without a body: `more` is a block to go on with. */
size_t hw_get(uint8_t *to, uint8_t flags, uint32_t id, const char *path, const char *more,
              size_t more_size);

/* Sends, and notes what has come meanwhile. False: the server has gone. */
bool hw_send(hw_conn *c, const void *bytes, size_t size, int timeout_ms);
/* Notes what comes until `until` says so, nothing comes for `timeout_ms`, or the end. */
bool hw_wait(hw_conn *c, bool (*until)(const hw_conn *c), int timeout_ms);

#endif
