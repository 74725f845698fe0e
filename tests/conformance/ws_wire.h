/* The WebSocket wire as the conformance client sees it: frames, masking, UTF-8, SHA-1, base64.
 * Is:      a plain second opinion, written from the RFCs, byte by byte and without tricks.
 * Is not:  the project's codec; nothing of src/ is used here, and names begin with wst_ to show it.
 * Memory:  wst_buffer grows and aborts the test program when memory is out.
 * Source:  RFC 6455 §5, RFC 3629, FIPS 180-4, RFC 4648.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CONFORMANCE_WS_WIRE_H
#define DX_CONFORMANCE_WS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WST_CONTINUATION = 0,
    WST_TEXT = 1,
    WST_BINARY = 2,
    WST_CLOSE = 8,
    WST_PING = 9,
    WST_PONG = 10,
};

enum {
    WST_RSV1 = 4,
    WST_RSV2 = 2,
    WST_RSV3 = 1
}; /* as a number of three bits, as Autobahn counts */

typedef struct wst_buffer {
    uint8_t *at;
    size_t size, capacity;
} wst_buffer;

/* Makes room for `size` more bytes and counts them as used; returns where they go. */
uint8_t *wst_buffer_grow(wst_buffer *buffer, size_t size);
void wst_buffer_add(wst_buffer *buffer, const void *bytes, size_t size);
void wst_buffer_deinit(wst_buffer *buffer);

/* How the head of a frame is written, good or bad. */
typedef struct wst_frame {
    uint8_t opcode, rsv;
    bool more;            /* FIN=0 */
    bool unmasked;        /* MASK=0, no key */
    bool zero_key;        /* MASK=1 and the key 0 */
    uint8_t length_bits;  /* 7, 16, 64: this form of the length; 0: the shortest */
    uint64_t length_says; /* a length other than the payload's; 0: the true one */
} wst_frame;

/* Appends one frame. `key`: the masking key, used unless the frame says otherwise. */
void wst_frame_write(wst_buffer *out, const wst_frame *frame, const void *payload, size_t size,
                     uint32_t key);

typedef struct wst_head {
    uint8_t opcode, rsv;
    bool fin, masked;
    bool shortest; /* the length is in its shortest form */
    uint8_t key[4];
    uint64_t length;
    size_t size; /* of the head itself */
} wst_head;

/* False: more bytes are needed. Judges nothing. */
bool wst_head_read(const uint8_t *at, size_t size, wst_head *ret);

/* Masks or unmasks in place; `index` is the position of at[0] in the payload. */
void wst_mask(uint8_t *at, size_t size, const uint8_t key[4], size_t index);

/* UTF-8 with memory between calls; {0} is the start. */
typedef struct wst_utf8 {
    uint8_t need;      /* continuation octets still to come */
    uint8_t low, high; /* bounds of the next one */
} wst_utf8;

/* False at the first octet that no valid text can have there. */
bool wst_utf8_feed(wst_utf8 *state, const uint8_t *at, size_t size);
bool wst_utf8_whole(const uint8_t *at, size_t size);

/* The value of Sec-WebSocket-Accept for a key (RFC 6455 §4.2.2). */
void wst_accept(const char *key, char ret[static 29]);

/* base64 with padding; `ret` holds 4 * ((size + 2) / 3) + 1 characters. */
void wst_base64(const uint8_t *at, size_t size, char *ret);

#endif
