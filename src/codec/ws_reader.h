/* The reading half of a WebSocket connection: bytes in, one event out.
 * Is:     frames and their order, unmasking in place, UTF-8 of plain text (failing at the first bad
 *         byte, also inside a frame), control payloads, message and fragment limits.
 * Is not: gathering pieces into messages, inflating, answering (ws), the rate of control frames (ws).
 * Memory: allocates nothing. The state is 20 bytes; the payload of every event is a view of the
 *         caller's input.
 * Threads: one at a time.
 * Source: RFC 6455 §5, §6.2, §7.4, §8.1; RFC 7692 §6.
 *
 * Who keeps what: the reader keeps no bytes. It takes a head only when it is whole, a control frame
 * only when head and payload are whole, and data payload as it comes. What it did not take (at most
 * DX_WS_READER_KEEP_MAX bytes when it says MORE) the caller keeps, and puts in front of what arrives
 * next, contiguous. Bytes not taken are never changed.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_WS_READER_H
#define DX_CODEC_WS_READER_H

#include "codec/utf8.h"
#include "codec/ws_head.h"
#include "codec/ws_span.h"

/* Most bytes that can be left untaken after DX_WS_EVENT_MORE: one byte less than the largest
 * control frame with a mask (6 + 125), which is more than any head. */
#define DX_WS_READER_KEEP_MAX 130

/* A message may have 1024 fragments, and one more for every 32 bytes. */
#define DX_WS_FRAGMENTS_BASE 1024
#define DX_WS_FRAGMENT_BYTES 32

typedef struct dx_ws_reader {
    uint32_t frame_left;    /* payload bytes of the open data frame still to come */
    uint32_t message_bytes; /* of the open message, on the wire, with all of the open frame */
    uint32_t fragments_count;
    uint8_t mask[4]; /* of the open frame, turned so that mask[0] is for the next byte */
    dx_utf8 utf8;
    uint8_t flags; /* private to ws_reader.c */
} dx_ws_reader;

typedef enum dx_ws_event_kind {
    DX_WS_EVENT_MORE,  /* nothing to tell: more bytes are needed */
    DX_WS_EVENT_DATA,  /* a piece of a message, or a whole one */
    DX_WS_EVENT_PING,  /* whole: answer with the same payload */
    DX_WS_EVENT_PONG,  /* whole */
    DX_WS_EVENT_CLOSE, /* the peer's Close, payload checked; the rest of the input is ignored */
    DX_WS_EVENT_FAULT, /* the peer broke a rule; nothing more is read */
} dx_ws_event_kind;

/* Fields that the kind does not speak of are zero. */
typedef struct dx_ws_event {
    dx_ws_event_kind kind;
    dx_ws_opcode opcode; /* DATA: DX_WS_TEXT or DX_WS_BINARY, of the message */
    dx_ws_status fault;  /* FAULT: which */
    uint16_t close_code; /* CLOSE: DX_WS_CLOSE_NO_CODE if it had none */
    bool first;          /* DATA: the message begins with this piece */
    bool last;           /* DATA: the message ends with this piece (which may then be empty) */
    bool compressed;     /* DATA: of a permessage-deflate message: to be inflated, then checked with
                            dx_ws_reader_text */
    uint8_t head_size;   /* DATA, PING, PONG: bytes right before payload.at that were this frame's
                            head: taken, the caller may write there (an answer's head fits: it is
                            never longer than a masked one). 0 in a later piece of a frame */
    uint32_t frame_left; /* DATA: bytes of this frame still to come after this piece: how much room
                            the message is going to need at least */
    dx_span payload;     /* DATA, PING, PONG: unmasked; CLOSE: the reason */
} dx_ws_event;

/* A message in one piece: the case to be fast in. */
static inline bool dx_ws_event_is_whole(const dx_ws_event *event)
{
    return event->first && event->last;
}

/* Begins. `deflate`: permessage-deflate was negotiated. */
void dx_ws_reader_init(dx_ws_reader *reader, dx_ws_role role, bool deflate);

/* Reads the next event from `*in`, moves `*in` past what it took and fills `*ret` (always, whole).
 * Call it until it says MORE; also with empty `*in` it is safe to call.
 * in:  borrowed; may be changed in place where it is taken.
 * ret: its payload is a view of the input: good as long as the caller leaves those bytes alone.
 * message_bytes_max: limit of a message on the wire (its payload bytes); a head that goes above it is
 *      a fault before any of its payload (DX_WS_FAULT_MESSAGE_SIZE). May differ from call to call.
 * After CLOSE and after FAULT everything is taken and ignored, and the answer is MORE.
 * A message without any payload is one DATA event of size 0; an empty fragment inside a message makes
 * no event, an empty last one a DATA event of size 0 with `last`.
 * Cost: about 10 ns for a frame of up to 125 bytes that is whole. */
dx_ws_event_kind dx_ws_read(dx_ws_reader *reader, dx_span *in, uint32_t message_bytes_max,
                            dx_ws_event *ret);

/* Checks the next bytes of a compressed text message after inflating; `last` ends the message.
 * For text only; the reader keeps the state between pieces. `last` may come with no bytes.
 * Gives DX_WS_OK, DX_WS_FAULT_UTF8 or DX_WS_FAULT_UTF8_CUT. */
DX_MUST_USE dx_ws_status dx_ws_reader_text(dx_ws_reader *reader, dx_bytes inflated, bool last);

/* True while a message was begun and not ended: its end would now be missing. */
bool dx_ws_reader_is_in_message(const dx_ws_reader *reader);

#endif
