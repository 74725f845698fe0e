/* Pages of messages read back from the store, shared by all who read the same at about the same time.
 * Is:     one read of the store for however many ask for what is on its way; what was read is kept for a
 *         while, so that who comes a little later, or is a little behind, finds it here.
 * Is not: the log of a stream (log.h), what a reader makes of a page (stream_page.c).
 * Memory: the newest pages of a hub, together at most 16 MiB of messages, each for some seconds; beside
 *         them those on their way to who asked. A page is as the store gave it: messages never change, and
 *         the store gives no number twice, so nothing here can become wrong.
 * Threads: the hub's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_STREAM_HISTORY_H
#define DX_STREAM_STREAM_HISTORY_H

#include "stream/hub.h"
#include "stream/store.h"

typedef struct dx_history dx_history;

/* One who needs messages of one stream in a row. */
typedef struct dx_history_ask dx_history_ask;
struct dx_history_ask {
    uint64_t id;         /* of the stream in the store */
    uint64_t from;       /* sequence of the first one needed */
    uint64_t until;      /* of the last one there is any use for: so far it may be read ahead */
    dx_stream_kind kind; /* of the stream */
    void (*done)(dx_history_ask *ask);
    dx_store_status status;
    /* If OK; views until dx_history_release. None: there is nothing. The first may be above `from`: what is
     * between is not retained any more. */
    dx_message *const *messages;
    size_t count;
    /* private */
    dx_list link;
    struct dx_history_page *page;
    bool has_waited; /* for a page that did not have it */
    bool is_missing; /* from the page that it has waited for */
};

/* NULL: no memory. */
dx_history *dx_history_new(dx_loop *loop, dx_store *store);
/* What waits is answered, now or when the store answers; no task is left in the loop. */
void dx_history_end(dx_history *h);
/* After the store. NULL is allowed. */
void dx_history_free(dx_history *h);
/* Drops what nobody has asked for in a while. */
void dx_history_sweep(dx_history *h);

/* True: answered, and `done` is not called. False: it will be, or was before this returns; `ask` may be gone. */
DX_MUST_USE bool dx_history_get(dx_history *h, dx_history_ask *ask);
/* Of one that was answered. */
void dx_history_release(dx_history_ask *ask);

/* What a store does not know of messages. */
void dx_history_set_kind(dx_store_read *read, dx_stream_kind kind);

#endif
