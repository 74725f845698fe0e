/* A question to all workers, and what they answer together.
 * Is:     a part for each worker, visited on its thread, a little each turn if it is much; one end for all, on the
 *         loop that asked, at the latest when the time is over.
 * Is not: what is asked (api.c, …).
 * Memory: one block from begin to release, with room for what the parts find.
 * Threads: the asker's loop; each part on its worker.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_GATHER_H
#define DX_SERVE_GATHER_H

#include "serve/server.h"

typedef struct dx_gather dx_gather;

typedef struct dx_gather_part {
    dx_post post;
    dx_gather *gather;
    dx_worker *worker;
    bool is_back; /* its worker has answered */
    void *found;  /* zeroed, as large as the question says */
} dx_gather_part;

/* What to ask. */
typedef struct dx_gather_question {
    dx_loop *home; /* whose thread asks */
    /* On a worker: false to be called again in a later turn. Not where the worker has ended. */
    bool (*visit)(dx_gather_part *part);
    /* At home, once: every part is back, or the time is over. */
    void (*finish)(dx_gather *gather);
    /* At home, last: nothing is under way any more; frees what `context` and the parts own. NULL: nothing is. */
    void (*release)(dx_gather *gather);
    void *context;
    size_t found_bytes; /* for each part */
    uint32_t wait_ms;   /* 0: as long as it takes */
} dx_gather_question;

struct dx_gather {
    dx_gather_question question;
    dx_server *server;
    dx_timer timer;
    uint32_t out_count;
    bool is_finished;
    uint32_t parts_count;
    dx_gather_part parts[];
};

/* Asks. `finish` may be called before it returns. False: memory is out, and nothing is called. */
DX_MUST_USE bool dx_gather_begin(dx_server *server, const dx_gather_question *question);
/* The same of the one worker with `index`. */
DX_MUST_USE bool dx_gather_begin_at(dx_server *server, const dx_gather_question *question,
                                    uint32_t index);

#endif
