/* Server-sent events, both ways: events into given memory, and a stream taken apart as it comes.
 * Is:     a writer whose data cannot end an event or begin a field, whatever is in it; an incremental reader
 *         by the rules of the HTML standard, with limits.
 * Is not: what events mean (serve, cli), reconnecting, UTF-8 (bytes pass as they are).
 * Memory: the writer's is the caller's; a reader holds the event that it is in the middle of.
 * Threads: one at a time.
 * Source: HTML Living Standard §9.2.5, §9.2.6.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_SSE_H
#define DX_CODEC_SSE_H

#include "base/buffer.h"

/* ---- writing ---------------------------------------------------------------------------------- */

/* A cursor. Beyond `room` it only counts: run over no memory it tells the size that is needed. */
typedef struct dx_sse_writer {
    uint8_t *at;
    size_t room, size;
    bool is_in_data;  /* a data line is open */
    bool is_at_start; /* and nothing is on it yet */
    bool is_after_cr; /* what came last is a CR: an LF that follows is of the same line end */
} dx_sse_writer;

/* memory: may be NULL if room is 0. */
static inline void dx_sse_writer_init(dx_sse_writer *w, void *memory, size_t room)
{
    *w = (dx_sse_writer){.at = memory, .room = room};
}

/* True if everything fitted. */
static inline bool dx_sse_writer_is_whole(const dx_sse_writer *w)
{
    return w->size <= w->room;
}

/* "name: value". value: without CR, LF and NUL (asserted). Not between pieces of data. */
void dx_sse_write_field(dx_sse_writer *w, const char *name, dx_bytes value);

/* Goes on with the event's data, which begins with the first piece: line ends in it (LF, CR, CRLF, also
 * over two pieces) become lines of data, and come back as LF. A piece may be empty. */
void dx_sse_write_data(dx_sse_writer *w, dx_bytes piece);

/* All of the data at once, in base64. */
void dx_sse_write_base64(dx_sse_writer *w, dx_bytes data);

/* The empty line that ends an event. */
void dx_sse_write_end(dx_sse_writer *w);

/* ---- reading ---------------------------------------------------------------------------------- */

enum {
    DX_SSE_TYPE_BYTES_MAX = 128,
    DX_SSE_ID_BYTES_MAX = 1024,
    DX_SSE_DATA_BYTES_DEFAULT = 16 * 1048576
};

typedef enum dx_sse_status {
    DX_SSE_MORE,      /* all input was used */
    DX_SSE_EVENT,     /* `*ret` is set; call again with the rest */
    DX_SSE_TOO_LARGE, /* data, type or id above its limit */
    DX_SSE_MEMORY,
} dx_sse_status;

/* Views until the next call on the reader. */
typedef struct dx_sse_event {
    dx_bytes type; /* "message" if the stream names none */
    dx_bytes data; /* lines joined by LF */
} dx_sse_event;

typedef struct dx_sse_reader {
    dx_buffer data; /* every line with an LF behind it */
    size_t data_bytes_max;
    uint64_t retry_ms; /* the last one asked for; see has_retry */
    uint64_t number;   /* of a retry field */
    uint16_t type_size, id_size, next_id_size;
    uint8_t state, field, bom;
    uint8_t name_size;
    bool has_retry;
    bool is_after_cr; /* the last line ended with CR: an LF now is of the same line end */
    bool is_number;
    bool is_given; /* the event was given out: the next call forgets it */
    uint8_t name[8];
    uint8_t type[DX_SSE_TYPE_BYTES_MAX];
    uint8_t id[DX_SSE_ID_BYTES_MAX];      /* of the last event: what Last-Event-ID says */
    uint8_t next_id[DX_SSE_ID_BYTES_MAX]; /* of the event under way */
    uint8_t value[DX_SSE_ID_BYTES_MAX];   /* of an id or event field */
    uint16_t value_size;
} dx_sse_reader;

/* data_bytes_max: of one event. */
void dx_sse_reader_init(dx_sse_reader *r, size_t data_bytes_max);
void dx_sse_reader_deinit(dx_sse_reader *r);

/* Reads on in `*in`, which is moved past all that was used. After TOO_LARGE or MEMORY the reader must not
 * be used again. The id and retry time of the last event are in the reader; they stay also where
 * an event without data was (it is no event), and for the next connection of the same source. */
dx_sse_status dx_sse_read(dx_sse_reader *r, dx_bytes *in, dx_sse_event *ret);

/* The connection ended: forgets an event that was cut, keeps the last id. What follows is a new stream. */
void dx_sse_reader_restart(dx_sse_reader *r);

/* The value for Last-Event-ID; empty: none. A view until the next read. */
static inline dx_bytes dx_sse_last_id(const dx_sse_reader *r)
{
    return dx_bytes_at(r->id, r->id_size);
}

#endif
