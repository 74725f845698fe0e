/* The WebSocket subprotocol duplex.v1: frames with cursors, acknowledgements and control.
 * Is:     one WebSocket message to and from its parts: a line and a payload, or "\n" and a JSON object.
 * Is not: the frames of RFC 6455 (ws_head), what the parts mean for a stream (serve).
 * Memory: allocates nothing; views of the input; what is written goes to the caller's memory.
 * Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_DUPLEX_V1_H
#define DX_CODEC_DUPLEX_V1_H

#include "codec/offset.h"

#define DX_V1_NAME "duplex.v1"

enum {
    DX_V1_ID_BYTES_MAX = 64,
    DX_V1_LINE_SIZE = DX_OFFSET_SIZE + 1, /* in front of a message from the server */
    DX_V1_PING_BYTES_MAX = 256,           /* what a ping may carry, as JSON text */
    DX_V1_PRESENCE_BYTES_MAX = 1024,      /* likewise a member */
    DX_V1_TOKEN_BYTES_MAX = 8194,         /* likewise a token, in its quotes */
    DX_V1_DETAIL_BYTES_MAX = 200,
    DX_V1_CONTROL_BYTES_MAX = 1536,
};

typedef enum dx_v1_fault {
    DX_V1_OK,
    DX_V1_LINE,    /* no line feed, or too far behind */
    DX_V1_ID,      /* an id is 1 to 64 bytes of visible ASCII */
    DX_V1_OFFSET,  /* the line of a message, or a member, is no offset */
    DX_V1_JSON,    /* behind the line feed is no JSON object */
    DX_V1_CONTROL, /* it is none that this end knows; a client ignores it */
    DX_V1_VALUE,   /* a member of it is missing or has another type */
    DX_V1_VALUE_TOO_LARGE,
    DX_V1_FAULT_COUNT
} dx_v1_fault;

/* What was wrong and what is allowed, one sentence. Static. */
const char *dx_v1_fault_text(dx_v1_fault fault);

/* ---- from the client -------------------------------------------------------------------------- */

typedef enum dx_v1_client_kind {
    DX_V1_PUBLISH,  /* "<id>\n<payload>", "-\n<payload>" for one that is not to be acknowledged */
    DX_V1_PRESENCE, /* {"presence":…} */
    DX_V1_PING,     /* {"ping":…} */
    DX_V1_TOKEN,    /* {"token":"…"}: in the place of the one that the session has */
} dx_v1_client_kind;

typedef struct dx_v1_client_frame {
    dx_v1_client_kind kind;
    dx_bytes id;   /* of PUBLISH; empty: no acknowledgement is wanted */
    dx_bytes data; /* PUBLISH: the payload. PRESENCE, PING, TOKEN: the member's JSON text */
} dx_v1_client_frame;

/* Reads one WebSocket message. Views of `in`. */
DX_MUST_USE dx_v1_fault dx_v1_client_read(dx_bytes in, dx_v1_client_frame *ret);

/* Writes the line in front of a payload, gives its size. id: as above, checked (asserted); may be empty. */
size_t dx_v1_publish_write(dx_bytes id, uint8_t at[static DX_V1_ID_BYTES_MAX + 1]);

bool dx_v1_id_is_good(dx_bytes id);

/* The id of a numbered message, "<epoch>.<sequence>" in decimal. False: it is none; nothing is set. */
DX_MUST_USE bool dx_v1_number_read(dx_bytes id, uint64_t *epoch, uint64_t *sequence);

/* ---- control from the server ------------------------------------------------------------------ */

/* One control frame, whole. */
typedef struct dx_v1_control {
    size_t size;
    uint8_t at[DX_V1_CONTROL_BYTES_MAX];
} dx_v1_control;

typedef struct dx_v1_gap {
    dx_offset requested, earliest;
    bool is_lost_known;
    uint64_t lost;
} dx_v1_gap;

static inline dx_bytes dx_v1_control_bytes(const dx_v1_control *c)
{
    return (dx_bytes){c->at, c->size};
}

/* Each makes `*ret` one control frame. */
void dx_v1_ack_write(dx_bytes id, dx_offset offset, dx_v1_control *ret);
/* It had been taken before. offset: the stream's end, which may be behind it. */
void dx_v1_ack_again_write(dx_bytes id, dx_offset offset, dx_v1_control *ret);
/* id: empty where there is none (null then). detail: cut after DX_V1_DETAIL_BYTES_MAX. */
void dx_v1_error_write(dx_bytes id, unsigned status, dx_bytes detail, dx_v1_control *ret);
void dx_v1_gap_write(const dx_v1_gap *gap, dx_v1_control *ret);
void dx_v1_caught_up_write(dx_offset offset, dx_v1_control *ret);
void dx_v1_closed_write(dx_v1_control *ret);
/* {"token":{"expires":…}}: it counts from now on. expires_s: since 1970; 0: never (null). */
void dx_v1_token_write(uint64_t expires_s, dx_v1_control *ret);
void dx_v1_reconnect_write(uint32_t after_ms, dx_v1_control *ret);
/* value: JSON text of at most DX_V1_PING_BYTES_MAX. */
void dx_v1_pong_write(dx_bytes value, dx_v1_control *ret);

/* Control from the client: {"ping":value}, {"presence":value}; value: JSON text within its limit. */
void dx_v1_ping_write(dx_bytes value, dx_v1_control *ret);
void dx_v1_presence_write(dx_bytes value, dx_v1_control *ret);

/* The line in front of a message from the server: the cursor behind it. */
void dx_v1_line_write(dx_offset offset, uint8_t at[static DX_V1_LINE_SIZE]);

/* ---- from the server -------------------------------------------------------------------------- */

typedef enum dx_v1_server_kind {
    DX_V1_MESSAGE,
    DX_V1_ACK,
    DX_V1_ERROR,
    DX_V1_GAP,
    DX_V1_CAUGHT_UP,
    DX_V1_CLOSED,
    DX_V1_RECONNECT,
    DX_V1_PONG,
    DX_V1_MEMBERS, /* {"join":…}, {"leave":…} or both */
} dx_v1_server_kind;

typedef struct dx_v1_server_frame {
    dx_v1_server_kind kind;
    dx_offset offset;               /* MESSAGE: behind it; ACK, CAUGHT_UP */
    bool is_duplicate;              /* ACK: taken before; the offset may be behind it */
    uint8_t id[DX_V1_ID_BYTES_MAX]; /* ACK, ERROR */
    size_t id_size;                 /* 0: an error that belongs to no id */
    unsigned status;                /* ERROR */
    uint32_t after_ms;              /* RECONNECT */
    dx_v1_gap gap;
    dx_bytes
        data; /* MESSAGE: the payload. ERROR: the detail, PONG: the value, MEMBERS: the object, as
                           JSON text */
} dx_v1_server_frame;

/* Reads one WebSocket message. Views of `in`. Members that are not known are passed over. */
DX_MUST_USE dx_v1_fault dx_v1_server_read(dx_bytes in, dx_v1_server_frame *ret);

#endif
