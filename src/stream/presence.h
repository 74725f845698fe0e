/* Presence: who is connected to a stream, for those who ask.
 * Is:     members that join and leave, kept at the stream's home; pages of them; changes told together,
 *         at most ten times a second, to the workers that have somebody who wants to hear of them.
 * Is not: who may join or see it (the doors), how it looks on the wire (encodings: dx_feed_note).
 * Memory: a member at its worker (about 200 bytes), and what is public of it at the home: both bounded.
 * Threads: the worker's of the hub or topic that is given.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_PRESENCE_H
#define DX_STREAM_PRESENCE_H

#include "stream/hub.h"

enum {
    DX_MEMBER_ID_BYTES_MAX = 64,
    DX_MEMBER_DATA_BYTES_MAX = 1024,
    DX_PRESENCE_PAGE_MAX = 1000,      /* members */
    DX_PRESENCE_MEMBERS_MAX = 100000, /* of one stream */
    DX_PRESENCE_LISTED_MAX = 100,     /* joins, and leaves, in one digest */
    DX_PRESENCE_DIGEST_MS = 100,
};

typedef enum dx_presence_status {
    DX_PRESENCE_OK,
    DX_PRESENCE_BAD_ID,   /* over 64 bytes, not UTF-8, or with a control byte */
    DX_PRESENCE_BAD_DATA, /* over 1024 bytes, or not JSON */
    DX_PRESENCE_FULL, /* the stream has as many members as it may have, or the home as much to keep */
    DX_PRESENCE_MEMORY,
    DX_PRESENCE_ENDED, /* the stream was deleted, or its home has ended */
} dx_presence_status;

/* Whether a member may have this id (empty: one is made for it) and this public data (JSON; empty: none).
 * Gives OK, BAD_ID or BAD_DATA. */
dx_presence_status dx_presence_check(dx_bytes id, dx_bytes data);

/* ---- being there ------------------------------------------------------------------------------ */

/* One connection among the members of a stream. Connections with the same id are one member: it is there
 * as long as one of them is, with the data that came last. */
typedef struct dx_member dx_member;

typedef struct dx_member_wish {
    dx_bytes id, data; /* borrowed; see dx_presence_check */
    /* What became of joining, and of each dx_presence_update (one call may stand for several). Never
     * before the call returns, and not after dx_presence_leave. If joining fails it is no member, and is
     * left all the same. */
    void (*done)(void *context, dx_presence_status status);
    void *context;
} dx_member_wish;

/* Joins the stream of `topic`, which is watched until the member has left. ret: given, to dx_presence_leave.
 * Errors: BAD_ID, BAD_DATA, MEMORY: nothing was begun, `done` is not called.
 * Cost: two posts between workers; others hear of it within DX_PRESENCE_DIGEST_MS and one turn. */
DX_MUST_USE dx_presence_status dx_presence_join(dx_topic *topic, const dx_member_wish *wish,
                                                dx_member **ret);

/* Replaces its public data. While an update is on its way only the last one asked for is kept.
 * Errors: BAD_DATA, MEMORY: nothing was changed, `done` is not called. */
DX_MUST_USE dx_presence_status dx_presence_update(dx_member *member, dx_bytes data);

/* Every connection that joined ends like this. member: taken; NULL is allowed. Does not fail. */
void dx_presence_leave(dx_member **member);

/* As given, or as made. A view for the member's life. */
dx_bytes dx_member_id(const dx_member *member);

/* ---- hearing of it ---------------------------------------------------------------------------- */

/* From now on what changes is put into the topic's feeds as notes: JSON texts on one line,
 *   {"join":[{"id":"…","data":…},…],"leave":["…",…],"count":n,"more":k}
 * join: who came, and who has other data than before; without `data` if it has none. leave: who left. count: how
 * many are there then. more: how many joins and leaves are not listed, because there were over
 * DX_PRESENCE_LISTED_MAX of a kind; left out if 0. To know all: watch, then list; who is listed may be told of once
 * more. Counted: each watch is ended by one dx_presence_unwatch, or with the topic.
 * Errors: DX_ERR_MEMORY. */
DX_MUST_USE dx_err dx_presence_watch(dx_topic *topic);
void dx_presence_unwatch(dx_topic *topic);

/* A page of the members, in the order in which they came. */
typedef struct dx_presence_read dx_presence_read;
struct dx_presence_read {
    dx_bytes path;      /* borrowed until done */
    uint64_t after;     /* 0: from the first one; else `next` of the page before */
    uint32_t count_max; /* 0 (only the count) to DX_PRESENCE_PAGE_MAX */
    void (*done)(
        dx_presence_read *read); /* on the asking worker, never before dx_presence_list returns */
    dx_presence_status
        status;     /* OK, MEMORY, ENDED. A stream that is not there has no members: OK */
    uint32_t count; /* if OK: all members */
    uint64_t next;  /* if OK: where the next page begins; 0: there is none */
    uint8_t *text; /* if OK: a JSON array of {"id":…,"data":…}; released by dx_presence_release */
    size_t text_size;
    /* private */
    dx_post post;
    dx_hub *from;
};

void dx_presence_list(dx_hub *hub, dx_presence_read *read);
void dx_presence_release(dx_presence_read *read);

#endif
