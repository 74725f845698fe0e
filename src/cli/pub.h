/* duplex pub, as its files see it: messages from somewhere, published one after the other.
 * Is:     where messages come from; what a door has to do; the words for what became of a message.
 * Is not: the doors (pub_http.c, pub_ws.c), the command (command_pub.c).
 * Memory: one dx_pub of the command's.
 * Threads: the main thread's loop.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_PUB_H
#define DX_CLI_PUB_H

#include "cli/options.h"
#include "cli/remote.h"
#include "http/client.h"
#include "ws/client.h"

#include <stdio.h>

enum { DX_PUB_KEY_BYTES = 33 };

typedef struct dx_pub_options {
    const char *url, *message, *type, *via;
    dx_cli_texts data, files;
    uint64_t retries;
    bool lines, create, no_retry;
    dx_cli_reach reach;
} dx_pub_options;

/* Messages one by one (pub_source.c). */
typedef struct dx_pub_source {
    const dx_pub_options *options;
    size_t next;      /* of all texts and files */
    FILE *file;       /* whose lines are read */
    const char *name; /* of that */
    char *line;       /* getline's */
    size_t line_room;
} dx_pub_source;

typedef enum dx_pub_next { DX_PUB_MESSAGE, DX_PUB_NO_MORE, DX_PUB_FAILED } dx_pub_next;

/* Waits for stdin if it must. ret: appended to. FAILED: it was complained about. */
dx_pub_next dx_pub_source_next(dx_pub_source *source, dx_buffer *ret);
void dx_pub_source_deinit(dx_pub_source *source);

typedef struct dx_pub {
    const dx_pub_options *options;
    dx_cli_remote remote;
    dx_timer wake;                   /* ends a wait */
    char key[DX_PUB_KEY_BYTES];      /* of this run: random */
    uint64_t sent_count, done_count; /* messages: given to the door; known to be in the stream */
    uint64_t bytes, progress_ms;
    bool is_series; /* more than one message may come */
    bool is_progress_shown, is_awake;
    uint64_t failures; /* in a row */
    bool was_open;
    /* HTTP: the answer to the request under way */
    dx_http_client *client;
    dx_buffer answer, next_offset;
    unsigned status; /* 0: none came */
    uint32_t retry_after_ms;
    bool is_over;
    char why[DX_CLI_FAILURE_BYTES];
    /* WebSocket */
    dx_ws_worker worker;
    dx_ws_endpoint endpoint;
    dx_ws *ws;
    bool is_failed; /* it was complained about */
    bool is_full;   /* there is no room for more just now */
} dx_pub;

/* A way to a stream. Each answers false if it failed for good, which was complained about. */
typedef struct dx_pub_door {
    bool (*publish)(dx_pub *p, dx_bytes message); /* gives it on its way; may wait */
    bool (*finish)(dx_pub *p);                    /* waits until all is known */
} dx_pub_door;

extern const dx_pub_door dx_pub_http, dx_pub_ws;

/* PUT: makes the stream if it is not there. */
bool dx_pub_create(dx_pub *p);

/* ---- for doors (command_pub.c) ---- */

/* "message 7: text" where there is more than one. number: from 1; 0: none in particular. */
void dx_pub_say(const dx_pub *p, uint64_t number, const char *text);
/* It is in the stream: prints the offset behind it. */
void dx_pub_done(dx_pub *p, dx_bytes next_offset, size_t size);
/* It did not work, and may next time: waits, and answers true, or complains. after_ms: not before. */
bool dx_pub_may_retry(dx_pub *p, const char *why, uint32_t after_ms);

#endif
