/* Streams across workers: each has a home, where its log is and appends get their order; every worker
 * that has subscribers gets what is appended, in order.
 * Is:     operations on streams (append, read), answered on the worker that asked; homes; topics.
 * Is not: doors (serve), encodings, one worker's fan-out (feed.h).
 * Memory: streams and their messages at home; a topic per stream and worker with subscribers.
 * Threads: a hub belongs to its worker; hubs talk by posts. Namespaces are constant.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_HUB_H
#define DX_STREAM_HUB_H

#include "base/histogram.h"
#include "base/map.h"
#include "codec/offset.h"
#include "loop/loop.h"
#include "stream/feed.h"
#include "stream/log.h"

enum { DX_PATH_BYTES_MAX = 1024, DX_TYPE_BYTES_MAX = 255 };

typedef struct dx_hub dx_hub;
typedef struct dx_streams dx_streams;
typedef struct dx_store dx_store; /* store.h */

typedef enum dx_creation { DX_CREATE_ON_USE, DX_CREATE_BY_PUT } dx_creation;

/* What an acknowledged message survives. */
typedef enum dx_durability {
    DX_DURABILITY_MEMORY, /* nothing: it is in this process */
    DX_DURABILITY_DISK, /* this process, the kernel, power: it was flushed to this machine's disk */
    DX_DURABILITY_QUORUM, /* one machine: most of several have it */
} dx_durability;

/* A URL prefix with policy. Constant while the server runs. */
typedef struct dx_namespace {
    const char *prefix; /* "/live/" */
    dx_creation creation;
    dx_durability durability;
    dx_retention retention;
    uint32_t message_bytes_max;
    uint32_t append_rate_max; /* messages a second and stream, a burst of as many; 0: no bound */
    const char *type;         /* the content type of all its streams; NULL: each has its own */
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
    DX_STREAM_DELETED,  /* it was deleted, and forks still need what it holds: its name is taken */
    DX_STREAM_CONFLICT, /* create: there is one that differs from what was asked for */
    DX_STREAM_CLOSED,   /* append: it was closed, `next` is its end */
    DX_STREAM_TYPE,     /* the stream has another content type */
    DX_STREAM_BAD_JSON, /* a JSON stream, and the message is not JSON */
    DX_STREAM_SEQUENCE, /* append: Stream-Seq is not above the last one */
    DX_STREAM_MISMATCH, /* append: the tail is not where If-Match expects it; `next` is where it is */
    DX_STREAM_PRODUCER_STALE,   /* append: the producer has a newer epoch: rules->answer_epoch */
    DX_STREAM_PRODUCER_START,   /* append: a new epoch begins with sequence 0 */
    DX_STREAM_PRODUCER_GAP,     /* append: rules->answer_sequence was expected */
    DX_STREAM_KEY_REUSED,       /* append: Idempotency-Key was used for other messages */
    DX_STREAM_SOURCE_NOT_FOUND, /* create: of a fork */
    DX_STREAM_SOURCE_DELETED,
    DX_STREAM_SOURCE_TYPE,
    DX_STREAM_SOURCE_OFFSET, /* create: the fork's position is not in its source */
    DX_STREAM_GONE,   /* the position is not in this log any more: trimmed, or of another life */
    DX_STREAM_FUTURE, /* the position is behind the tail: nobody gave it out */
    DX_STREAM_RATE,   /* append: above ns->append_rate_max; retry_ms says when to try again */
    DX_STREAM_FULL,   /* no more streams can be made */
    DX_STREAM_MEMORY,
    DX_STREAM_STORE,    /* the store failed: what became of an append is not known */
    DX_STREAM_NO_SPACE, /* the store's disk is full: nothing was changed */
    DX_STREAM_ENDED,    /* the home's hub has ended */
} dx_stream_status;

/* How long a stream lives. */
typedef enum dx_lifetime_kind {
    DX_LIFETIME_FOR_EVER,
    DX_LIFETIME_IDLE, /* Stream-TTL: since it was last read or written; not while somebody subscribes */
    DX_LIFETIME_UNTIL /* Stream-Expires-At */
} dx_lifetime_kind;

typedef struct dx_lifetime {
    dx_lifetime_kind kind;
    uint64_t idle_s;
    uint64_t until_ms; /* wall clock, since 1970 */
} dx_lifetime;

/* What is known of a stream at some moment. */
typedef struct dx_stream_info {
    dx_offset start; /* the position before the oldest retained message; `tail` if there is none */
    dx_offset tail;  /* behind the newest */
    dx_lifetime lifetime;
    uint64_t identity; /* no two streams have the same, whatever their path */
    uint32_t subscribers_count;
    dx_stream_kind kind;
    bool is_closed;
    uint8_t type_size;
    char type[DX_TYPE_BYTES_MAX];
} dx_stream_info;

static inline dx_bytes dx_stream_info_type(const dx_stream_info *info)
{
    return (dx_bytes){(const uint8_t *)info->type, info->type_size};
}

/* What must hold for an append beyond its content, and what was found. Zero where not asked for. */
typedef struct dx_append_rules {
    dx_bytes sequence;          /* Stream-Seq: above the last one in byte order; size 0: none */
    dx_bytes producer;          /* Producer-Id; size 0: none */
    uint64_t producer_epoch;    /* Producer-Epoch, */
    uint64_t producer_sequence; /* and Producer-Seq */
    dx_bytes key;               /* Idempotency-Key; size 0: none */
    bool has_expected;
    dx_offset expected; /* If-Match: the tail must be here */
    bool is_closing;    /* Stream-Closed: the last append; it may be of no messages */
    /* set with `status` */
    bool is_duplicate;     /* OK: it was appended before; `next` is as it was answered then, for a
                                 producer the tail */
    uint64_t answer_epoch; /* of the producer: its epoch, */
    uint64_t answer_sequence; /* and the highest sequence taken; on PRODUCER_GAP the one expected */
} dx_append_rules;

/* Appends messages as one: all or none, consecutive. */
typedef struct dx_append dx_append;
struct dx_append {
    const dx_namespace *ns;
    dx_bytes path; /* borrowed until done, as all below */
    dx_bytes type; /* Content-Type; empty: by kind, and any text fits a binary stream */
    dx_stream_kind kind;
    dx_message **messages;  /* references taken; the array is borrowed */
    size_t count;           /* 1 or more; 0 is allowed with rules->is_closing */
    dx_append_rules *rules; /* NULL: none */
    /* On the worker that asked; may be called before dx_hub_append returns. */
    void (*done)(dx_append *append);
    dx_stream_status status;
    bool is_closed; /* the stream is, now */
    dx_offset next; /* the position behind the last message; on CLOSED and MISMATCH the tail */
    uint32_t subscribers_count; /* if OK: on all workers, as of the moment */
    uint32_t retry_ms;          /* on RATE */
    /* private */
    dx_post post;
    dx_hub *from;
};

/* Where to read from. */
typedef struct dx_position {
    dx_offset_kind kind; /* START, NOW or AT */
    dx_offset at;
} dx_position;

/* Makes a stream, or finds that it is there as asked for. */
typedef struct dx_create dx_create;
struct dx_create {
    const dx_namespace *ns;
    dx_bytes path; /* borrowed until done, as all below */
    dx_bytes type; /* Content-Type; empty: application/octet-stream, or that of the fork's source */
    dx_stream_kind kind;
    dx_message **messages; /* its first ones; references taken; the array is borrowed */
    size_t count;          /* 0 or more */
    bool is_closed;
    dx_lifetime lifetime;
    /* A fork: has the messages of `source` up to fork_at, and fork_more of what follows it: messages of a
     * JSON stream, bytes of any other. */
    bool is_fork;
    dx_bytes source; /* path */
    const dx_namespace *source_ns;
    dx_position fork_at; /* NOW: the tail */
    uint64_t fork_more;
    void (*done)(dx_create *create); /* as for dx_append */
    dx_stream_status status;
    bool is_new;         /* OK: it was not there before */
    dx_stream_info info; /* if OK */
    /* private */
    dx_post post;
    dx_hub *from;
    void *work;
};

/* Deletes a stream with all it holds; what forks need of it stays until they are gone. */
typedef struct dx_delete dx_delete;
struct dx_delete {
    const dx_namespace *ns;
    dx_bytes path;               /* borrowed until done */
    void (*done)(dx_delete *op); /* as for dx_append */
    dx_stream_status status;     /* OK, NOT_FOUND, DELETED, STORE, NO_SPACE, MEMORY, ENDED */
    /* private */
    dx_post post;
    dx_hub *from;
};

/* Reads messages from a position on. */
typedef struct dx_read dx_read;
struct dx_read {
    const dx_namespace *ns;
    dx_bytes path;
    dx_position position;
    uint64_t last;  /* not 0: the last so many messages, whatever `position` is */
    bool has_depth; /* for this reader the stream begins so many messages before its end: */
    uint64_t depth_max;
    uint64_t
        identity; /* not 0: of the stream that is meant (dx_stream_info); another one has no part of it
                          (GONE, lost 0). The epoch of an AT position is not looked at then */
    bool is_touch; /* counts as a use of the stream (dx_lifetime) */
    size_t count_max,
        bytes_max; /* at least one message is given if there is one and count_max > 0 */
    void (*done)(dx_read *read);
    dx_stream_status status; /* GONE comes with the messages that are left all the same */
    dx_stream_info info;     /* if OK or GONE */
    dx_offset next;          /* if OK: the position behind what was given: to read on from */
    uint64_t lost; /* on GONE: messages between the position and the first one left; 0: unknown,
                                the position is of another life of this stream */
    dx_message **messages; /* references, and the array: released by dx_read_release */
    size_t count;
    /* private */
    dx_post post;
    dx_hub *from;
    void *owner, *work;
};

/* The streams of a server: `count` hubs, to be begun each on its worker.
 * store: where namespaces keep streams that are more durable than memory; NULL if there are none. To be
 * freed (store->ops->free) after the workers were joined, before their loops and the streams are: then all
 * that was under way is answered. */
DX_MUST_USE dx_err dx_streams_new(uint32_t count, dx_store *store, dx_streams **ret);
/* The namespace of a path (borrow); NULL: none. From any worker. */
typedef const dx_namespace *dx_namespace_finder(void *context, dx_bytes path);
/* Lets them look after streams that are in the store only: without it those keep what they have, and do not end
 * when their time is over, until somebody asks for them. Before the hubs begin. */
void dx_streams_set_finder(dx_streams *streams, dx_namespace_finder *find, void *context);
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

void dx_hub_create(dx_hub *hub, dx_create *create);
void dx_hub_delete(dx_hub *hub, dx_delete *op);
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
    /* OK: the stream is delivered from here on. Else it is not (NOT_FOUND, DELETED, FULL, MEMORY, STORE,
     * ENDED): end the watch. May be called before dx_hub_watch returns. */
    void (*ready)(dx_watch *watch, dx_stream_status status);
};

/* Errors: DX_ERR_MEMORY; `ready` is not called then. */
DX_MUST_USE dx_err dx_hub_watch(dx_hub *hub, const dx_namespace *ns, dx_bytes path,
                                dx_watch *watch);
/* Before `ready`, that is not called any more. */
void dx_watch_end(dx_watch *watch);
/* A watch that is ready may be forgotten instead of ended; this ends it then. The subscriber must have
 * been ended. */
void dx_topic_release(dx_topic *topic);

/* As of the moment: `next` is the sequence of what this worker was not given yet, `tail` the position
 * before it. */
uint64_t dx_topic_next(const dx_topic *topic);
dx_offset dx_topic_tail(const dx_topic *topic);
/* NONE while it goes on. */
dx_stream_end dx_topic_end(const dx_topic *topic);
dx_bytes dx_topic_path(const dx_topic *topic); /* a view for the topic's life */
const dx_namespace *dx_topic_namespace(const dx_topic *topic);

/* What a subscriber asks for. */
typedef struct dx_subscription {
    const dx_encoding *encoding;
    uint32_t variant;
    uint64_t next;   /* sequence to begin with */
    uint64_t origin; /* see dx_origin_new; 0 to get everything */
    dx_on_slow on_slow;
} dx_subscription;

/* Begins to deliver to `sub`: first from the log, then live.
 * Errors: DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_subscriber_start(dx_subscriber *sub, dx_topic *topic,
                                       const dx_subscription *subscription);

/* Waits for one thing to happen to a stream: embedded in the door's object, which watches the topic. */
typedef struct dx_waiter {
    dx_list link; /* in topic->waiters */
    /* Something was delivered here, or the stream has ended: at the end of that turn, once. */
    void (*woken)(struct dx_waiter *waiter);
} dx_waiter;

void dx_topic_wait(dx_topic *topic, dx_waiter *waiter);
/* Does nothing for one that does not wait (but was initialised by zeros or dx_topic_wait). */
void dx_waiter_end(dx_waiter *waiter);

/* What was given is sent: goes on catching up. Does nothing for a live one. */
void dx_subscriber_continue(dx_subscriber *sub);
/* Nothing is called any more; what is in flight still refers to the feed. */
void dx_subscriber_stop(dx_subscriber *sub);
/* Nothing is in flight any more. */
void dx_subscriber_end(dx_subscriber *sub);

/* Since it began: messages that came to be appended to streams whose home this is, and messages that were
 * given to those who listen at this worker, each as often as there are. For its worker. */
typedef struct dx_hub_traffic {
    uint64_t published_count, delivered_count;
} dx_hub_traffic;

dx_hub_traffic dx_hub_traffic_of(const dx_hub *hub);

/* From the moment a message came to the server to that when it was written to a subscriber's socket: one for each
 * time a subscriber of this worker's feeds was brought up to date, as of the oldest message since the time before.
 * With io_uring to the end of the turn in which the kernel has told that it was. A view. */
const dx_histogram *dx_hub_latency(const dx_hub *hub);

/* A number for the messages of one subscriber, so that it can be spared them. Never 0. */
uint64_t dx_origin_new(dx_hub *hub);

/* Something of the doors' that encoders need (one per worker). */
void dx_hub_set_encoder(dx_hub *hub, void *encoder);

#endif
