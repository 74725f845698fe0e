/* What a stream's home keeps in the store.
 * Is:     for the files of the home: loading, changes and their commits, pages, deletion, the sweep.
 * Is not: a store (store.h).
 * Memory: dx_kept only for streams of namespaces that are more durable than memory; their log is a cache
 *         of the tail then, bounded by count, by bytes, and by bytes of all together.
 * Threads: the home's. Every answer of the store comes on its loop.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_STREAM_STORE_H
#define DX_STREAM_STREAM_STORE_H

#include "stream/stream_rules.h"

/* Of a stream that is loaded only because of a fork of it. */
extern const dx_namespace dx_kept_unknown_ns;

/* What goes to the store as one: the appends of a turn, or one that makes or deletes the stream. */
typedef struct dx_change {
    dx_store_commit commit;
    dx_list link; /* in kept->changes */
    dx_stream *stream;
    dx_message **messages;
    size_t count, capacity;
    dx_facts facts;
    uint8_t *record;
    dx_post *answers;  /* appends: the last of a ring */
    dx_create *create; /* or one that is made by this, */
    dx_delete *op;     /* or deleted; may be NULL: it has expired */
    uint64_t first;    /* not 0: what is before is dropped */
    bool is_making, is_closing, is_deleting, is_soft;
    bool has_record; /* the stream's record is written, too */
} dx_change;

struct dx_kept {
    uint64_t id;         /* in the store; 0: it is not there */
    uint64_t first;      /* sequence of the oldest message that is retained */
    uint64_t next_first; /* and as trimming under way will leave it */
    uint64_t tail;       /* as all changes under way will leave it: the newest message, */
    uint64_t time_ms;    /* when it was appended, */
    uint64_t bytes;      /* of all that are retained (counted where the namespace bounds them), */
    bool is_closed;
    bool is_unknown;        /* nothing is known: it must be loaded */
    bool is_check_due;      /* deleted, and a fork has gone */
    uint64_t oldest_ms;     /* when `first` was appended; 0: not known */
    uint64_t used_saved_ms; /* stream->used_ms as the store has it */
    uint64_t seen_ms;       /* loop's time: somebody asked something of it */
    dx_list changes;        /* given to the store, oldest first */
    dx_change *filling;     /* given at the end of the turn */
    struct dx_trim *trim;   /* the oldest messages, on their way from the store */
    uint32_t takes_count;   /* forks that are being made of it */
};

static inline bool dx_kept_is_for(const dx_hub *hub, const dx_namespace *ns)
{
    return hub->all->store && ns && ns->durability > DX_DURABILITY_MEMORY;
}

/* ---- stream_store.c: life --------------------------------------------------------------------- */

/* Of a new one; nothing is known. False: no memory. */
DX_MUST_USE bool dx_kept_begin(dx_stream *s);
void dx_kept_free(dx_stream *s);
/* As dx_stream_reset, of which it is part. */
void dx_kept_forget(dx_stream *s);
bool dx_kept_is_unknown(const dx_stream *s);
/* Changes are under way: who is exclusive waits. */
bool dx_kept_is_busy(const dx_stream *s);
/* So it must stay in memory, as also while forks are being made of it. Who makes those does not wait for
 * each other: two streams may be asked to become forks of each other. */
bool dx_kept_is_needed(const dx_stream *s);
uint64_t dx_kept_first(const dx_stream *s);
uint64_t dx_kept_id(const dx_stream *s);
/* Those who wait go on when it is known. */
void dx_kept_load(dx_stream *s);
/* A commit or what it needs has failed, and nothing is under way any more. */
void dx_kept_fail(dx_stream *s);
/* Each ends in an answer (of `op`), and those who wait go on. Not while busy. */
void dx_kept_delete(dx_stream *s, dx_delete *op);
void dx_kept_expire(dx_stream *s);
void dx_kept_check_deleted(dx_stream *s);
/* A fork is being made of it: till then it cannot be deleted for good, nor leave memory. */
void dx_kept_hold(dx_stream *s);
void dx_kept_unhold(dx_stream *s);
/* May free it. */
void dx_kept_sweep(dx_stream *s);

/* ---- stream_commit.c: changes ----------------------------------------------------------------- */

/* The change that is being filled, with room for `count` messages more; NULL: no memory. */
dx_change *dx_kept_change(dx_stream *s, size_t count);
/* Gives it to the store, if there is one. The store may answer at once: pin the stream. */
void dx_kept_submit(dx_stream *s);
/* True: answered after the commit. False: status says why not. */
DX_MUST_USE bool dx_kept_append(dx_stream *s, dx_append *a);
/* What was judged by what is not committed yet is not answered before it is. False: nothing is under way. */
DX_MUST_USE bool dx_kept_answer_later(dx_stream *s, dx_append *a);
/* Filled by dx_fork_fill or the like. False: no memory. */
DX_MUST_USE bool dx_kept_create(dx_stream *s, dx_create *c);
/* False: no memory. */
DX_MUST_USE bool dx_kept_end(dx_stream *s, dx_delete *op, bool is_soft);

/* ---- stream_page.c: reading back, the cache --------------------------------------------------- */

/* From `start` on, which the log does not have. True: answered later. */
DX_MUST_USE bool dx_kept_read(dx_stream *s, dx_read *r, uint64_t start);
void dx_kept_read_link(dx_link *link);
void dx_kept_stop_link(dx_link *link);
/* The next message gets into the log, and the oldest out of it. */
void dx_kept_cache(dx_stream *s, dx_message *message);
/* Drops what the namespace does not retain, if that can be seen now, else begins to look. */
void dx_kept_trim(dx_stream *s);

/* ---- stream_record.c -------------------------------------------------------------------------- */

/* The stream's state but for its messages and rules. Given: to be freed; NULL: no memory. */
uint8_t *dx_record_write(const dx_stream *s, bool is_deleted, size_t *size);
/* Into one that was reset. */
typedef enum dx_record_status { DX_RECORD_OK, DX_RECORD_BAD, DX_RECORD_MEMORY } dx_record_status;
dx_record_status dx_record_read(dx_stream *s, dx_bytes record);

enum {
    DX_FACT_PRODUCER = 'p',
    DX_FACT_KEY = 'k',
    DX_FACT_SEQUENCE = 's',
    DX_FACT_BYTES = 'b',
    DX_FACT_USED = 'u'
};

/* home_link.c */
void dx_home_link_send(dx_link *link);

#endif
