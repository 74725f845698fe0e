/* Homes and topics as the files of this layer see them.
 * Is:     struct dx_hub, the stream at its home, the link from a home to a worker's topic.
 * Is not: for doors (hub.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_HUB_HOME_H
#define DX_STREAM_HUB_HOME_H

#include "stream/batch.h"
#include "stream/hub.h"

/* A stream at its home worker. */
typedef struct dx_stream {
    dx_map_node node; /* in hub->streams; key: path */
    dx_hub *hub;
    const dx_namespace *ns;
    dx_log_ring log;
    uint64_t epoch;
    dx_stream_kind kind;
    dx_list links; /* of dx_link.link: the workers that have subscribers */
    dx_list swept; /* in hub->sweep */
    dx_task send;  /* at the end of a turn: what was appended goes out over the links */
    uint8_t type_size;
    char *type;
    char path[];
} dx_stream;

/* From a stream's home to a topic at one worker. It is a reader of the log, with a position: one batch
 * is under way at a time, and the next is whatever has been appended meanwhile. What is appended is put
 * into the next batch at once, so that a burst is not trimmed away before the worker has got it. The post
 * belongs to whom it was sent to, and with it `batch`. */
typedef struct dx_link {
    dx_post post;       /* subscribe, ready, batch, ack */
    dx_post leave_post; /* leave, gone */
    dx_topic *topic;    /* the worker's */
    dx_hub *home, *worker;
    dx_stream *stream; /* the home's */
    dx_list link;      /* in stream->links */
    uint64_t sent;     /* sequence: in a batch up to here */
    bool is_out;       /* home: `post` is at the worker */
    bool is_leaving;   /* home: send "gone" when it is back */
    dx_err err;
    uint64_t epoch, next; /* for ready */
    dx_batch batch;       /* under way */
    dx_batch queued;      /* the home's: the next one */
} dx_link;

/* A stream as one worker's subscribers see it. */
struct dx_topic {
    dx_map_node node; /* in hub->topics while it is not leaving; key: path */
    dx_hub *hub;
    const dx_namespace *ns;
    dx_link *link;
    dx_list feeds;   /* of dx_feed.link */
    dx_list waiting; /* of dx_watch.link: not ready yet */
    uint32_t watches_count;
    bool is_ready, is_leaving;
    uint64_t epoch, next_sequence;
    char path[];
};

struct dx_hub {
    dx_streams *all;
    uint32_t index;
    dx_loop *loop;
    void *encoder;
    dx_map streams; /* whose home this is */
    dx_map topics;
    dx_list sweep; /* of dx_stream.swept: the one looked at longest ago first */
    dx_timer sweep_timer, retry_timer;
    dx_post **backlog; /* per worker: the last of a ring of posts its mailbox had no room for */
    bool is_ended;     /* nothing is posted and no task queued any more: the loops end, too */
    uint64_t origins_count;
};

struct dx_streams {
    uint32_t count;
    uint64_t seed[2];
    dx_hub hubs[];
};

/* hub.c: posts to another hub's worker; what its mailbox has no room for goes later, in order. */
void dx_hub_send(dx_hub *from, dx_hub *to, dx_post *post);

/* home.c */
dx_stream *dx_home_find(dx_hub *hub, dx_bytes path);
void dx_home_append(dx_hub *hub, dx_append *append);
void dx_home_read(dx_hub *hub, dx_read *read);
void dx_home_subscribe(dx_hub *hub, dx_link *link);
void dx_home_leave(dx_hub *hub, dx_link *link);
void dx_home_on_ack(dx_post *post); /* of dx_link.post: the worker is done with it */
void dx_home_sweep(dx_hub *hub);
void dx_home_free(dx_hub *hub);

/* topic.c */
void dx_topic_deliver(dx_topic *topic, dx_message *message);
void dx_topics_free(dx_hub *hub);

#endif
