/* Homes and topics as the files of this layer see them.
 * Is:     struct dx_hub, the link from a home to a worker's topic, what the two sides call of each other.
 * Is not: for doors (hub.h); the stream at its home (stream.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_HUB_HOME_H
#define DX_STREAM_HUB_HOME_H

#include "stream/batch.h"
#include "stream/hub.h"
#include "stream/store.h"

typedef struct dx_stream dx_stream; /* stream.h: at its home worker */

/* From a stream's home to a topic at one worker. It is a reader of the log, with a position: one batch
 * is under way at a time, and the next is whatever has been appended meanwhile. What is appended is put
 * into the next batch at once, so that a burst is not trimmed away before the worker has got it. The post
 * belongs to whom it was sent to, and with it `batch`. */
typedef struct dx_link {
    dx_post post;       /* subscribe, ready, batch, ack */
    dx_post leave_post; /* leave, gone */
    dx_topic *topic;    /* the worker's */
    dx_hub *home, *worker;
    dx_stream *stream;   /* the home's */
    dx_list link;        /* in stream->links */
    uint64_t sent;       /* sequence: in a batch up to here */
    bool is_out;         /* home: `post` is at the worker */
    bool is_leaving;     /* home: send "gone" when it is back */
    bool is_subscribing; /* home: it waits for the stream */
    dx_stream_status status;
    uint64_t epoch, next;          /* for ready */
    uint64_t identity;             /* for ready: dx_stream_info.identity; 0: not known */
    atomic_uint subscribers_count; /* at the worker: written there, read at home */
    dx_stream_end end;             /* of ready, and of the batch under way: behind its messages */
    dx_stream_end end_due;         /* home: the stream's, still to be told */
    dx_task end_task;              /* tells a topic at the home itself */
    dx_batch batch;                /* under way */
    dx_batch queued;               /* the home's: the next one */
    struct dx_link_page *page; /* home: what the cache does not have, on its way from the store */
} dx_link;

/* A stream as one worker's subscribers see it. */
struct dx_topic {
    dx_map_node node; /* in hub->topics while it is_mapped; key: path */
    dx_list unmapped; /* in hub->unmapped */
    dx_hub *hub;
    const dx_namespace *ns;
    dx_link *link;
    dx_list feeds;   /* of dx_feed.link */
    dx_list waiting; /* of dx_watch.link: not ready yet */
    uint32_t watches_count;
    dx_list waiters; /* of dx_waiter.link */
    dx_list waking;  /* of dx_waiter.link: to be woken */
    dx_task wake;
    bool is_ready, is_leaving;
    bool
        is_mapped; /* who asks for the path gets this one; not after it was deleted, or when leaving */
    dx_stream_end end;
    uint64_t epoch, next_sequence;
    uint64_t identity;                 /* of the stream */
    struct dx_presence_link *presence; /* NULL: nobody wants to hear of it */
    char path[];
};

/* Who is connected to the streams whose home this is. */
typedef struct dx_presence {
    dx_map rooms; /* of dx_presence_room.node; key: path */
    dx_list
        dropped; /* of dx_presence_room.dropped: of streams that are gone; until all have left */
    dx_list homeless; /* of dx_presence_link.link: no memory for their room yet */
    dx_timer retry_timer;
    size_t bytes;
} dx_presence;

/* survey.h */
typedef struct dx_survey {
    dx_store_scan scan; /* `after`: so far this round has come */
    uint64_t first_ms;  /* the first round of all began; 0: it has not */
    uint64_t began_ms, next_ms;
    uint32_t visits_count; /* streams that are being looked at */
    uint32_t looks_left;   /* at the store, in this second */
    bool is_looking;
} dx_survey;

struct dx_hub {
    dx_streams *all;
    uint32_t index;
    dx_loop *loop;
    void *encoder;
    dx_map streams; /* whose home this is */
    dx_map topics;
    dx_presence presence;
    dx_list unmapped; /* of dx_topic.unmapped: of streams that are gone, and still watched */
    dx_list sweep;    /* of dx_stream.swept: the one looked at longest ago first */
    dx_timer sweep_timer, retry_timer;
    dx_post **backlog; /* per worker: the last of a ring of posts its mailbox had no room for */
    bool is_ended;     /* nothing is posted and no task queued any more: the loops end, too */
    uint64_t origins_count;
    uint64_t wall_at_ms, wall_ms; /* wall clock, as of the loop's time */
    uint64_t epoch_last;
    dx_hub_traffic traffic;
    dx_histogram latency;
    uint32_t clock_us; /* modulo 2^32: when a feed was flushed last */
    uint64_t cached_bytes; /* of messages that the store has, too */
    dx_survey survey;
    struct dx_history *history; /* what was read back from the store; NULL: there is none */
};

struct dx_streams {
    dx_store *store; /* NULL: all are in memory */
    dx_namespace_finder *find_namespace;
    void *find_context;
    uint32_t count;
    uint64_t seed[2];
    dx_hub hubs[];
};

/* hub.c: posts to another hub's worker; what its mailbox has no room for goes later, in order. */
void dx_hub_send(dx_hub *from, dx_hub *to, dx_post *post);

/* home.c: each is answered, perhaps later, on the worker it came from. */
dx_stream *dx_home_find(dx_hub *hub, dx_bytes path);
void dx_home_append(dx_hub *hub, dx_append *append);
void dx_home_create(dx_hub *hub, dx_create *create);
void dx_home_delete(dx_hub *hub, dx_delete *op);
void dx_home_read(dx_hub *hub, dx_read *read);
/* Answers by dx_link_on_subscribed, perhaps before it returns; not after dx_home_leave. */
void dx_home_subscribe(dx_hub *hub, dx_link *link);
void dx_home_leave(dx_hub *hub, dx_link *link);
void dx_home_on_ack(dx_post *post); /* of dx_link.post: the worker is done with it */
void dx_home_sweep(dx_hub *hub);
void dx_home_end(dx_hub *hub);
void dx_home_free(dx_hub *hub);

/* home_link.c: of a topic that is made; to be called before anything else. */
void dx_home_link_init(dx_link *link);

/* topic.c */
/* At the home: dx_home_subscribe is done; status, epoch, next, identity and end are set in the link. */
void dx_link_on_subscribed(dx_link *link);
/* On the worker, behind the last message. Nothing is delivered any more. DELETED may follow CLOSED. */
void dx_topic_on_end(dx_topic *topic, dx_stream_end end);
void dx_topic_deliver(dx_topic *topic, dx_message *message);
/* To the feeds that have notes. */
void dx_topic_note(dx_topic *topic, dx_bytes text);
/* Keeps it until dx_topic_release, as a watch does. */
void dx_topic_hold(dx_topic *topic);
/* The loop ends: clears all tasks. */
void dx_topics_end(dx_hub *hub);
void dx_topics_free(dx_hub *hub);

/* presence.c */
void dx_presence_topic_leaves(
    dx_topic *topic); /* nobody there wants to hear of anything any more */

/* presence_home.c */
void dx_presence_init(dx_hub *hub);
/* A stream is gone: its members are none any more. */
void dx_presence_drop(dx_hub *hub, dx_bytes path);
void dx_presence_end(dx_hub *hub);  /* clears timers */
void dx_presence_free(dx_hub *hub); /* after all topics and posts */

#endif
