/* Streams across workers: each has a home, where its log is and appends get their order; every worker
 * that has subscribers gets what is appended, in order.
 * Is:     operations on streams (append, read), answered on the worker that asked; homes; topics.
 * Is not: doors (serve), encodings, one worker's fan-out (feed.h).
 * Memory: streams and their messages at home; a topic per stream and worker with subscribers.
 * Threads: a hub belongs to its worker; hubs talk by posts. Namespaces are constant.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_HUB_H
#define DX_STREAM_HUB_H

#include "base/map.h"
#include "codec/offset.h"
#include "loop/loop.h"
#include "stream/feed.h"
#include "stream/log.h"

enum { DX_PATH_BYTES_MAX = 1024, DX_TYPE_BYTES_MAX = 255 };

typedef struct dx_hub dx_hub;
typedef struct dx_streams dx_streams;

/* A URL prefix with policy. */
typedef struct dx_namespace {
    const char *prefix; /* "/live/" */
    dx_retention retention;
    uint32_t message_bytes_max;
} dx_namespace;

/* How a stream's messages are to be taken; fixed by the first message. */
typedef enum dx_stream_kind {
    DX_STREAM_UNDECIDED, /* nothing was published yet */
    DX_STREAM_TEXT,
    DX_STREAM_JSON,
    DX_STREAM_BINARY,
} dx_stream_kind;

typedef enum dx_stream_status {
    DX_STREAM_OK,
    DX_STREAM_NOT_FOUND,
    DX_STREAM_TYPE,   /* the stream has another content type */
    DX_STREAM_BAD_JSON, /* a JSON stream, and the message is not JSON */
    DX_STREAM_GONE,   /* the position is not in this log any more: trimmed, or of another epoch */
    DX_STREAM_FUTURE, /* the position is behind the tail: nobody gave it out */
    DX_STREAM_FULL,   /* no more streams can be made */
    DX_STREAM_MEMORY,
    DX_STREAM_ENDED, /* the home's hub has ended */
} dx_stream_status;

/* What is known of a stream at some moment. */
typedef struct dx_stream_info {
    uint64_t epoch;
    uint64_t first; /* oldest retained sequence, tail + 1 if none */
    uint64_t tail;  /* newest */
    dx_stream_kind kind;
    uint8_t type_size;
    char type[DX_TYPE_BYTES_MAX];
} dx_stream_info;

static inline dx_bytes dx_stream_info_type(const dx_stream_info *info)
{
    return (dx_bytes){(const uint8_t *)info->type, info->type_size};
}

/* Appends messages as one: all or none, consecutive. */
typedef struct dx_append dx_append;
struct dx_append {
    const dx_namespace *ns;
    dx_bytes path; /* borrowed until done, as all below */
    dx_bytes type; /* Content-Type; empty: by kind, and any text fits a binary stream */
    dx_stream_kind kind;
    dx_message **messages; /* references taken; the array is borrowed */
    size_t count;          /* 1 or more */
    /* On the worker that asked; may be called before dx_hub_append returns. */
    void (*done)(dx_append *append);
    dx_stream_status status;
    dx_offset next;             /* the position behind the last message */
    /* private */
    dx_post post;
    dx_hub *from;
};

/* Where to read from. */
typedef struct dx_position {
    dx_offset_kind kind; /* START, NOW or AT */
    dx_offset at;
} dx_position;

/* Reads messages from a position on. */
typedef struct dx_read dx_read;
struct dx_read {
    const dx_namespace *ns;
    dx_bytes path;
    dx_position position;
    size_t count_max, bytes_max; /* at least one message is given if there is one and count_max > 0 */
    void (*done)(dx_read *read);
    dx_stream_status status; /* GONE comes with the messages that are left all the same */
    dx_stream_info info;     /* unless NOT_FOUND */
    uint64_t start;          /* sequence that was to be read first */
    dx_message **messages;   /* references, and the array: released by dx_read_release */
    size_t count;
    /* private */
    dx_post post;
    dx_hub *from;
    void *owner;
};

/* The streams of a server: `count` hubs, to be begun each on its worker. */
DX_MUST_USE dx_err dx_streams_new(uint32_t count, dx_streams **ret);
/* After the workers' threads have ended and their loops were freed: what was still under way between hubs
 * is answered here. NULL is allowed. */
void dx_streams_free(dx_streams *streams);
/* The hub of worker `index`, which runs on `loop`. Errors: DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_hub_begin(dx_streams *streams, uint32_t index, dx_loop *loop);
/* No timers and tasks after this; subscribers must have ended. Posts may still come: what they ask for is
 * answered with DX_STREAM_ENDED. No hub may run on after all have ended. */
void dx_hub_end(dx_hub *hub);
dx_hub *dx_streams_hub(dx_streams *streams, uint32_t index);
uint32_t dx_streams_home(const dx_streams *streams, dx_bytes path);

void dx_hub_append(dx_hub *hub, dx_append *append);
/* The same from any thread: `done` is called on the home worker. Errors: DX_ERR_BUSY. */
DX_MUST_USE dx_err dx_streams_append(dx_streams *streams, dx_append *append);

void dx_hub_read(dx_hub *hub, dx_read *read);
void dx_read_release(dx_read *read);

/* ---- subscribing ---- */

typedef struct dx_topic dx_topic;

/* Interest in a stream at this worker, embedded in the door's object: from dx_hub_watch to
 * dx_watch_end what is appended is delivered here. */
typedef struct dx_watch dx_watch;
struct dx_watch {
    dx_list link;
    dx_topic *topic;
    /* The stream is delivered from here on. DX_ERR_MEMORY, DX_ERR_CLOSED: it is not; end the watch. May be called before
     * dx_hub_watch returns. */
    void (*ready)(dx_watch *watch, dx_err err);
};

/* Errors: DX_ERR_MEMORY; `ready` is not called then. */
DX_MUST_USE dx_err dx_hub_watch(dx_hub *hub, const dx_namespace *ns, dx_bytes path, dx_watch *watch);
/* Before `ready`, that is not called any more. */
void dx_watch_end(dx_watch *watch);
/* A watch that is ready may be forgotten instead of ended; this ends it then. The subscriber must have
 * been ended. */
void dx_topic_release(dx_topic *topic);

/* As of the moment: next_sequence is of what this worker was not given yet. */
uint64_t dx_topic_epoch(const dx_topic *topic);
uint64_t dx_topic_next(const dx_topic *topic);
dx_bytes dx_topic_path(const dx_topic *topic); /* a view for the topic's life */
const dx_namespace *dx_topic_namespace(const dx_topic *topic);

/* Begins to deliver what follows `next - 1` to `sub`, encoded by `encoding`: first from the log, then
 * live. origin: see dx_origin_new; 0 to get everything.
 * Errors: DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_subscriber_start(dx_subscriber *sub, dx_topic *topic,
                                       const dx_encoding *encoding, uint32_t variant, uint64_t next,
                                       uint64_t origin);
/* What was given is sent: goes on catching up. Does nothing for a live one. */
void dx_subscriber_continue(dx_subscriber *sub);
/* Nothing is called any more; what is in flight still refers to the feed. */
void dx_subscriber_stop(dx_subscriber *sub);
/* Nothing is in flight any more. */
void dx_subscriber_end(dx_subscriber *sub);

/* A number for the messages of one subscriber, so that it can be spared them. Never 0. */
uint64_t dx_origin_new(dx_hub *hub);

/* Something of the doors' that encoders need (one per worker). */
void dx_hub_set_encoder(dx_hub *hub, void *encoder);

#endif
