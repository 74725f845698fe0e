/* A stream at its home worker, as the files of the home see it.
 * Is:     struct dx_stream; its life, positions and appends; what its parts (links, rules, forks, the store)
 *         ask of each other.
 * Is not: for other workers (hub_home.h) or doors (hub.h).
 * Memory: one block and its path; rules, fork and what the store needs only where they are used.
 * Threads: its home's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_STREAM_H
#define DX_STREAM_STREAM_H

#include "stream/hub_home.h"
#include "stream/store.h"

typedef enum dx_home_state {
    DX_HOME_READY,    /* what is asked of it is judged at once */
    DX_HOME_LOADING,  /* the store was asked for it: who comes waits */
    DX_HOME_CHANGING, /* the store makes or deletes it: who comes waits */
    DX_HOME_FAILED,   /* a commit failed: what is known of it is void, and is loaded again */
} dx_home_state;

/* Messages from sequence `from` on are of `epoch`, and so is the position behind each. */
typedef struct dx_epoch_run {
    uint64_t epoch, from;
} dx_epoch_run;

/* A fork has the epochs of its sources up to where it begins. */
typedef struct dx_epochs {
    dx_epoch_run own; /* of what is appended here */
    dx_epoch_run *older;
    uint32_t older_count; /* in rising order; the first run of all is from 0 */
} dx_epochs;

enum { DX_EPOCH_RUNS_MAX = 4096 }; /* so deep may forks of forks be */

typedef struct dx_stream_rules dx_stream_rules; /* stream_rules.c */
typedef struct dx_kept dx_kept;                 /* stream_store.h */

/* Where a fork comes from. */
typedef struct dx_fork {
    uint64_t source_identity;
    uint64_t source_id; /* in the store; 0: it is in memory */
    dx_offset at;       /* as asked for */
    uint64_t more;      /* as asked for */
    bool was_at_tail;   /* no position was asked for */
    bool has_lifetime;  /* of its own; else it is the source's */
    dx_post post;       /* takes this to the source's home, when the fork is gone */
    dx_hub *home;
    bool is_kept; /* both are in the store */
    bool is_held; /* the source counts it */
    uint16_t source_size;
    char source[]; /* path */
} dx_fork;

struct dx_stream {
    dx_map_node node; /* in hub->streams; key: path */
    dx_hub *hub;
    const dx_namespace *ns;
    dx_log_ring log; /* what may be seen: all that is retained, or (kept) the end of it */
    dx_epochs epochs;
    uint64_t identity;
    dx_list links; /* of dx_link.link: the workers that have subscribers */
    dx_list swept; /* in hub->sweep */
    dx_task
        send; /* at the end of a turn: changes go to the store, what was appended to the links */
    dx_lifetime lifetime;
    uint64_t used_ms;       /* wall clock */
    uint64_t rate_at_ns;    /* when what was appended will be within ns->append_rate_max */
    dx_stream_rules *rules; /* NULL: none was used yet */
    dx_fork *fork;          /* NULL: it is none */
    dx_kept *kept;          /* NULL: it is in memory only */
    dx_post *waiting,
        *resumed;         /* the last of a ring: operations that wait; and the one that goes on */
    uint32_t forks_count; /* in memory: that hold it */
    uint32_t pins;        /* not to be freed */
    dx_stream_kind kind;
    uint8_t state; /* dx_home_state */
    bool is_made;  /* false: somebody waits for it, no more */
    bool was_put;  /* stays when it is empty */
    bool is_closed;
    bool is_deleted; /* but forks hold it */
    uint8_t type_size;
    char *type;
    char path[];
};

static inline dx_bytes dx_stream_path(const dx_stream *s)
{
    return s->node.key;
}

static inline dx_bytes dx_stream_type(const dx_stream *s)
{
    return dx_bytes_at(s->type, s->type_size);
}

/* ---- stream.c: life --------------------------------------------------------------------------- */

/* One that is not made yet. NULL: no more of them, or no memory. */
dx_stream *dx_stream_new(dx_hub *hub, const dx_namespace *ns, dx_bytes path);
void dx_stream_free(dx_stream *s);
/* If nobody needs it: not made, or made by use and empty again. */
void dx_stream_free_if_unused(dx_stream *s);
/* Forgets all of this life but the path: it is not made then. */
void dx_stream_reset(dx_stream *s);
/* Another identity and epoch. `after`: the epoch is above. */
void dx_stream_begin_life(dx_stream *s, uint64_t after);

DX_MUST_USE dx_stream_status dx_stream_set_type(dx_stream *s, dx_bytes type, dx_stream_kind kind);
void dx_stream_fill_info(const dx_stream *s, dx_stream_info *info);
uint32_t dx_stream_subscribers(const dx_stream *s);

/* Lifetimes. To use it restarts that of an idle one. */
bool dx_stream_is_expired(const dx_stream *s);
void dx_stream_use(dx_stream *s);

/* ---- stream.c: positions and messages --------------------------------------------------------- */

uint64_t dx_epochs_at(const dx_epochs *epochs, uint64_t sequence);
/* Sequence of the oldest message that is retained, in memory or in the store. */
uint64_t dx_stream_first(const dx_stream *s);
/* The same for a reader that may not see all of it (dx_read.depth_max). */
uint64_t dx_stream_first_for(const dx_stream *s, const dx_read *r);
/* The position behind message `sequence`. */
dx_offset dx_stream_offset(const dx_stream *s, uint64_t sequence);
/* Finds the sequence to read first. OK, GONE (with what is lost, 0: the position is of another life) or
 * FUTURE. */
dx_stream_status dx_stream_resolve(const dx_stream *s, const dx_read *r, uint64_t *start,
                                   uint64_t *lost);
/* Numbers `messages` from after the tail and delivers them; NULLs them. There is room. */
void dx_stream_append_now(dx_stream *s, dx_message **messages, size_t count);
/* What each message of an append gets before it has its place. */
void dx_stream_stamp(const dx_stream *s, dx_message **messages, size_t count);

/* ---- home.c ----------------------------------------------------------------------------------- */

/* What somebody asks of a stream. */
typedef struct dx_entry {
    const dx_namespace *ns; /* NULL: of one that is there */
    dx_bytes path;
    dx_post *post;     /* run again when it had to wait */
    bool is_read;      /* need not wait for those who came before */
    bool is_exclusive; /* only when no changes are under way */
} dx_entry;

typedef struct dx_entered {
    dx_stream_status status; /* OK, ENDED, FULL, STORE */
    dx_stream *stream;       /* NULL: there is none of that name, also none that was not made */
} dx_entered;

/* False: it waits; `post` is run later. */
DX_MUST_USE bool dx_home_enter(dx_hub *hub, const dx_entry *entry, dx_entered *ret);
/* Those who waited go on, as far as they can; it is freed if nobody needs it then. */
void dx_stream_resume(dx_stream *s);
void dx_stream_wait(dx_stream *s, dx_post *post);
void dx_stream_unwait(dx_stream *s, dx_post *post);
/* Finished: messages are released, `done` is called where it was asked. */
void dx_home_answer_append(dx_hub *hub, dx_append *append);
void dx_home_answer_create(dx_hub *hub, dx_create *create);
void dx_home_answer_delete(dx_hub *hub, dx_delete *op);
void dx_home_answer_read(dx_hub *hub, dx_read *read);
/* In memory: it is gone for all, softly if forks hold it. May free it. */
void dx_stream_delete_now(dx_stream *s);
/* Messages from `first` on out of the log; gives r->status, or MEMORY. */
dx_stream_status dx_stream_take_page(const dx_stream *s, dx_read *r, uint64_t first);
uint64_t dx_home_wall_ms(dx_hub *hub);

/* ---- home_link.c ------------------------------------------------------------------------------ */

/* Tells all links. DELETED: they leave the stream. */
void dx_stream_end_links(dx_stream *s, dx_stream_end end);
void dx_stream_send_links(dx_stream *s);
/* To the topic at the home itself, and into the next batch of the others as long as they keep up. */
void dx_stream_feed_links(dx_stream *s, dx_message *message);

/* ---- stream_type.c ---------------------------------------------------------------------------- */

/* The same content type but for case and blanks around ";"; with parameters, and without. */
bool dx_type_is_same(dx_bytes a, dx_bytes b);
bool dx_type_is_media(dx_bytes a, dx_bytes b);
dx_stream_kind dx_type_kind(dx_bytes type);
dx_bytes dx_type_of_kind(dx_stream_kind kind);

/* ---- stream_append.c -------------------------------------------------------------------------- */

/* Whether `a` may be appended to a stream that is made. OK with is_duplicate: it was. */
dx_stream_status dx_stream_judge(dx_stream *s, dx_append *a);
/* Type and kind by what is appended first. */
dx_stream_status dx_stream_decide_type(dx_stream *s, const dx_append *a);

/* ---- stream_create.c, stream_fork.c ----------------------------------------------------------- */

/* What a source gives to a fork, on its way between their homes. */
typedef struct dx_fork_work dx_fork_work;

/* Begins to take: dx_home_create goes on with create->work set, and calls dx_fork_taken. `s`, which may be
 * NULL, stays in memory till then. False: no memory. */
DX_MUST_USE bool dx_fork_take(dx_hub *hub, dx_create *create, dx_stream *s);
void dx_fork_taken(dx_create *create);
/* The fork's messages, epochs and so on get into `s`, which is not made: those in memory. */
DX_MUST_USE dx_stream_status dx_fork_fill(dx_stream *s, dx_create *create);
/* It could not be made after all. */
void dx_fork_unfill(dx_stream *s, dx_create *create);
/* The work is over, and create->work is freed. */
void dx_fork_finish(dx_hub *hub, dx_create *create, bool is_made);
/* The fork is gone: its source need not be kept for it. NULL is allowed; taken. */
void dx_fork_give_back(dx_hub *hub, dx_fork **fork);

/* ---- stream_rules.c --------------------------------------------------------------------------- */

typedef struct dx_producer dx_producer;
typedef struct dx_used_key dx_used_key;

/* What an append will have changed. */
typedef struct dx_rules_plan {
    dx_producer *producer;
    dx_used_key *key;
    uint64_t key_hash;
    char *sequence;
    bool is_new_producer;
} dx_rules_plan;

/* Before anything else: true if it was appended before, or cannot be a part of what was: *ret says. */
bool dx_rules_find_duplicate(dx_stream *s, dx_append *a, dx_stream_status *ret);
/* Whether it may be appended, by the rules that are asked for and the stream's rate. */
dx_stream_status dx_rules_check(dx_stream *s, dx_append *a);
/* All memory for dx_rules_accept. False: none is left, and nothing changed. */
DX_MUST_USE bool dx_rules_reserve(dx_stream *s, const dx_append *a, dx_rules_plan *ret);
/* It was appended: `next` is set. */
void dx_rules_accept(dx_stream *s, dx_append *a, dx_rules_plan *plan);
/* Forgets what is too old. */
void dx_rules_sweep(dx_stream *s);
void dx_rules_free(dx_stream_rules *rules);

/* ---- stream_store.c --------------------------------------------------------------------------- */

/* As the changes under way will leave it. */
uint64_t dx_stream_judged_tail(const dx_stream *s);
bool dx_stream_judged_closed(const dx_stream *s);

#endif
