/* A publisher, as its two files see it: publisher.c (the queue, and WebSocket) and publisher_post.c.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLIENT_PUBLISHER_H
#define DX_CLIENT_PUBLISHER_H

#include "client/remote.h"

enum { DX_PUB_ID_BYTES = 33, DX_PUB_OFFSET_BYTES = 64 };

typedef struct dx_pub_message {
    dx_list link;
    dx_published_done *done;
    void *context;
    size_t size;
    uint8_t bytes[];
} dx_pub_message;

struct dx_publisher {
    dx_begun begun;
    dx_client *client;
    dx_arena arena;
    const char *url;
    dx_header *headers; /* Content-Type, then the program's */
    size_t headers_count;
    char id[DX_PUB_ID_BYTES]; /* as which producer: random */
    uint64_t epoch, base;     /* base: the number of the first that waits, in its epoch */
    dx_list waiting;          /* of dx_pub_message.link: not acknowledged */
    dx_list *unsent;          /* the first that was not sent; `waiting` itself: all were */
    size_t count, bytes;      /* that wait */
    size_t sent, unanswered;  /* of these, on the WebSocket */
    size_t queue_count_max, queue_bytes_max;
    uint64_t failures; /* in a row */
    dx_alarm *hold;    /* not NULL: nothing is sent until it runs */
    dx_socket *socket; /* NULL: none */
    dx_ws *ws;         /* NULL: not open */
    bool is_text, is_json;
    bool is_agreed;   /* the stream has our type */
    bool is_by_post;  /* the server takes no WebSocket */
    bool is_post_due; /* the first goes by POST */
    bool is_stalled;  /* one was refused: nothing is sent until all under way are answered */
    bool is_full;     /* the WebSocket has no room */
    bool is_inside;   /* must not be freed now */
    bool is_over;
    /* the POST under way */
    dx_request *request;
    unsigned status;
    uint32_t after_ms;
    bool is_expected_told; /* Producer-Expected-Seq */
    char offset[DX_PUB_OFFSET_BYTES];
    dx_buffer answer;
};

/* Sends what may be sent now. */
void dx_pub_flush(dx_publisher *p);
/* publisher_post.c: the first that waits. */
void dx_pub_post(dx_publisher *p);

/* What became of the first that waits; may end the publisher, unless is_inside. */
void dx_pub_taken(dx_publisher *p, dx_bytes offset);
void dx_pub_refused(dx_publisher *p, unsigned status, const char *text);
void dx_pub_next_epoch(dx_publisher *p);
void dx_pub_hold(dx_publisher *p, uint32_t after_ms);
void dx_pub_cut(dx_publisher *p);
/* The end of what began with is_inside: flushes, or frees it. */
void dx_pub_leave(dx_publisher *p);
void dx_pub_free(dx_publisher *p);

#endif
