/* Presence across workers, as its two sides see it: the connection's worker, and the stream's home.
 * Is:     the objects that travel between them.
 * Is not: for doors (presence.h).
 * Threads: each object belongs to whom its post was sent to; what is said to be one side's stays there.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_PRESENCE_HOME_H
#define DX_STREAM_PRESENCE_HOME_H

#include "stream/hub_home.h"
#include "stream/presence_room.h"

/* The members of a stream, and the workers that hear of them. */
typedef struct dx_presence_room {
    dx_map_node node; /* in presence->rooms while not dropped; key: path */
    dx_list dropped;  /* in presence->dropped */
    dx_hub *hub;
    dx_room room;
    dx_list links;      /* of dx_presence_link.link */
    uint32_t out_count; /* of those that have left, too: digests on their way */
    bool is_dropped;
    dx_timer digest_timer;
    char path[];
} dx_presence_room;

/* What a member tells its home. */
typedef struct dx_member_text {
    uint16_t path_size, data_size;
    char bytes[]; /* path (joining), data */
} dx_member_text;

struct dx_member {
    dx_post post; /* join, update; the answer */
    dx_hub *home, *worker;
    dx_member_text *text; /* with the post */
    dx_presence_status status;
    /* the worker's */
    void (*done)(void *context, dx_presence_status status);
    void *context;
    dx_member_text *due; /* to be told when `post` is back; NULL: nothing */
    bool is_out, is_leaving;
    /* the home's */
    dx_presence_room *room;
    dx_person *person; /* NULL: it is no member */
    uint8_t id_size;   /* constant */
    char id[];
};

/* From a home to one worker whose subscribers want to hear of the members. */
typedef struct dx_presence_link {
    dx_post post;       /* watch; digest, ack */
    dx_post leave_post; /* leave, gone */
    dx_hub *home, *worker;
    dx_message *text; /* with a digest */
    /* the worker's */
    dx_topic *topic; /* NULL: it leaves */
    uint32_t watches_count;
    /* the home's */
    dx_presence_room *room; /* NULL: not yet */
    dx_list link;
    bool is_out; /* a digest is at the worker */
    bool is_leaving;
    uint16_t path_size; /* constant */
    char path[];
} dx_presence_link;

/* ---- presence_home.c: where the worker sends them ----------------------------------------------- */

void dx_presence_on_join(dx_post *post);   /* dx_member.post; back to dx_presence_on_answer */
void dx_presence_on_update(dx_post *post); /* dx_member.post; back to dx_presence_on_answer */
void dx_presence_on_leave(dx_post *post);  /* dx_member.post; the member is freed */
void dx_presence_on_watch(dx_post *post);
void dx_presence_on_unwatch(
    dx_post *post); /* dx_presence_link.leave_post; back to dx_presence_on_gone */
void dx_presence_on_ack(dx_post *post);
void dx_presence_on_list(dx_post *post);

/* ---- presence.c: and what comes back ------------------------------------------------------------ */

void dx_presence_on_answer(dx_post *post);
void dx_presence_on_digest(dx_post *post); /* back to dx_presence_on_ack */
void dx_presence_on_gone(dx_post *post);
void dx_presence_on_listed(dx_post *post);

#endif
