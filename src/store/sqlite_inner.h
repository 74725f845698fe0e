/* The store as its own files see it.
 * Is:     struct dx_sqlite, and who does what: sqlite.c opening, threads, ends; sqlite_commit.c the transactions;
 *         sqlite_care.c everything that happens between them.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_SQLITE_INNER_H
#define DX_STORE_SQLITE_INNER_H

#include "loop/workers.h"
#include "store/answers.h"
#include "store/image.h"
#include "store/log_mark.h"
#include "store/settle.h"

enum { DX_FAILING_LISTS = 64 };

typedef struct dx_sqlite dx_sqlite;

/* The way back to the store's thread for those who have heard of a failure; outlives the store if an answer is
 * still in a mailbox then. */
typedef struct dx_ear {
    pthread_mutex_t lock;
    dx_loop *loop; /* NULL: the store is no more */
    unsigned refs;
} dx_ear;

/* What a commit needs while it is under way. */
typedef struct dx_work {
    dx_sqlite *store;
    dx_change change;
    dx_store_status status; /* not OK: it fails, or failed */
    /* if it failed: */
    dx_post heard; /* who asked has been told: comes back to the store's thread */
    dx_ear *ear;
    uint64_t id;     /* of its stream: the commit is its owner's by then */
    dx_list failing; /* in store->failing */
    bool is_spare;
} dx_work;

struct dx_sqlite {
    dx_store store;
    dx_checked_vfs vfs;
    int lock_fd;
    dx_log_mark mark;
    dx_db writer_db, reader_db;
    dx_workers *workers; /* the two threads: the writer, the reader */
    dx_loop *writer_loop, *reader_loop;
    dx_unsettled unsettled;
    pthread_rwlock_t settling;
    dx_settler settler;
    dx_image image; /* the reader's */
    dx_answers writer_answers, reader_answers;
    size_t unsettled_bytes_max;
    uint32_t log_pages_max, settle_after_ms;

    /* ids: given ones are below `ids_reserved`, on disk, but for those that wait for it to be raised */
    _Atomic uint64_t next_id, ids_reserved;
    dx_post reserve_post;
    atomic_bool is_reserving;

    /* the writer's */
    dx_store_commit *queue, **queue_end;
    dx_task task;        /* the next transaction */
    dx_timer care_timer; /* sqlite_care.c */
    dx_buffer scratch;   /* a journal row */
    uint64_t journal_next, life;
    dx_list failing[DX_FAILING_LISTS]; /* of dx_work.failing */
    dx_work *spare; /* for a commit whose own there was no memory for; NULL: it is taken */
    dx_ear *ear;
    bool is_unsure; /* the medium failed: nothing is committed until a checkpoint has succeeded */
    uint32_t log_pages;     /* in the log, after the last transaction */
    uint32_t log_pages_try; /* a checkpoint waits until there are so many */
    uint64_t settled_ms, expired_ms, retry_ms;
    uint64_t settled_to; /* the journal's rows below it are being settled because of their age */
    bool has_expired_facts;

    /* closing */
    atomic_bool is_closing; /* the threads end: what they are still given is left to who closes */
    atomic_bool is_closed;
    dx_post *late, **late_end; /* loads and reads left so */

    _Atomic uint64_t loads, reads;
    _Atomic uint64_t given, answered; /* commits; the latter is written by the writer */
    pthread_mutex_t state_lock;
    dx_store_sqlite_state state;
};

static inline dx_sqlite *dx_sqlite_of(dx_store *store)
{
    return DX_CONTAINER(store, dx_sqlite, store);
}

/* sqlite.c */
dx_ear *dx_ear_ref(dx_ear *ear);
void dx_ear_unref(dx_ear *ear);

/* sqlite_commit.c */
void dx_sqlite_commit(dx_store *store, dx_store_commit *commit);
/* NULL when memory is out. */
dx_work *dx_sqlite_spare_new(dx_sqlite *s);
/* A transaction of what waits, if something does. */
void dx_sqlite_commit_group(dx_sqlite *s);
/* Runs dx_store_commit.post on the asker's loop. */
void dx_sqlite_on_commit_answer(dx_post *post);
void dx_sqlite_on_commit_given(dx_post *post);

/* sqlite_care.c */
void dx_sqlite_care(dx_sqlite *s);
void dx_sqlite_on_care_timer(dx_timer *timer);
/* Notes what became of an attempt to write. */
void dx_sqlite_note(dx_sqlite *s, int code);
/* So many more are durable; and what is unsettled now. */
void dx_sqlite_count(dx_sqlite *s, size_t commits, size_t messages);
/* A transaction took so long. */
void dx_sqlite_time(dx_sqlite *s, uint64_t us);
/* True if commits may be tried. Else they get `status`. */
bool dx_sqlite_is_sure(dx_sqlite *s);
/* Settles all, and leaves an empty log. */
void dx_sqlite_settle_all(dx_sqlite *s);

#endif
