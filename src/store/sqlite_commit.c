/* Transactions: whatever arrived while the last one was under way is the next one, a single row of the journal.
 * SPDX-License-Identifier: MIT */
#include "store/journal.h"
#include "store/sqlite_inner.h"

#include "base/clock.h"
#include "base/mutant.h"

#include <stdlib.h>

enum {
    GROUP_COUNT_MAX = 4096,
    GROUP_BYTES_MAX = 8 << 20,
    SCRATCH_KEPT_BYTES = 16 << 20,
    IDS_AT_ONCE = 1 << 20,
    LOOPS_MAX = 64, /* whose answers travel together */
};

/* ---- failing ---- */

static dx_list *failing_list(dx_sqlite *s, uint64_t id)
{
    return &s->failing[id % DX_FAILING_LISTS];
}

/* A commit of this stream that failed, if who asked may not know it yet. */
static const dx_work *find_failing(dx_sqlite *s, uint64_t id)
{
    const dx_list *list = failing_list(s, id);

    for (const dx_list *at = list->next; at != list; at = at->next) {
        const dx_work *work = DX_CONTAINER(at, const dx_work, failing);
        if (work->id == id)
            return work;
    }
    return NULL;
}

/* On the store's thread: who asked has been told before anything that is given from now on. */
static void on_heard(dx_post *post)
{
    dx_work *work = DX_CONTAINER(post, dx_work, heard);
    dx_sqlite *s = work->store;

    dx_list_remove(&work->failing);
    if (!work->is_spare) {
        free(work);
        return;
    }
    s->spare = work;
    if (s->queue && !atomic_load(&s->is_closing))
        dx_task_queue(s->writer_loop, &s->task);
}

/* On the loop of who asked. */
static void tell_heard(dx_work *work)
{
    dx_ear *ear = work->ear;

    pthread_mutex_lock(&ear->lock);
    if (ear->loop == NULL)
        free(work); /* with the store its list is no more */
    else if (dx_loop_post(ear->loop, &work->heard) != DX_OK)
        dx_unreachable("the store's mailbox has no bound");
    pthread_mutex_unlock(&ear->lock);
    dx_ear_unref(ear);
}

/* ---- answers ---- */

/* The answers to one loop travel as one post, chained by `next`. */
void dx_sqlite_on_commit_answer(dx_post *post)
{
    dx_store_commit *commit = DX_CONTAINER(post, dx_store_commit, post);

    while (commit) {
        dx_store_commit *next = commit->next;
        if (commit->work)
            tell_heard(commit->work);
        commit->done(commit);
        commit = next;
    }
}

/* One thread writes it. */
static void count_answered(dx_sqlite *s)
{
    uint64_t answered = atomic_load_explicit(&s->answered, memory_order_relaxed);

    atomic_store_explicit(&s->answered, answered + 1, memory_order_relaxed);
}

static void answer_alone(dx_sqlite *s, dx_store_commit *commit, dx_store_status status)
{
    commit->status = status;
    commit->next = NULL;
    commit->post.run = dx_sqlite_on_commit_answer;
    count_answered(s);
    dx_answers_send(&s->writer_answers, &commit->post);
}

static void fail(dx_sqlite *s, dx_store_commit *commit, dx_store_status status)
{
    dx_work *work = commit->work;

    dx_assert(status != DX_STORE_OK);
    if (work == NULL) { /* closing: nothing more is given */
        answer_alone(s, commit, status);
        return;
    }
    work->id = commit->id;
    work->status = status;
    work->heard.run = on_heard;
    work->ear = dx_ear_ref(s->ear);
    dx_list_append(failing_list(s, work->id), &work->failing);
    answer_alone(s, commit, status);
}

/* All of a group are durable. */
static void answer_all(dx_sqlite *s, dx_store_commit *group)
{
    dx_store_commit *heads[LOOPS_MAX], *tails[LOOPS_MAX];
    size_t count = 0, i;

    while (group) {
        dx_store_commit *commit = group;
        group = commit->next;
        for (i = 0; i < count && heads[i]->loop != commit->loop; i++) {
        }
        if (i == LOOPS_MAX) {
            answer_alone(s, commit, DX_STORE_OK);
            continue;
        }
        commit->status = DX_STORE_OK;
        commit->next = NULL;
        count_answered(s);
        if (i == count)
            heads[count] = commit, count++;
        else
            tails[i]->next = commit;
        tails[i] = commit;
    }
    for (i = 0; i < count; i++) {
        heads[i]->post.run = dx_sqlite_on_commit_answer;
        dx_answers_send(&s->writer_answers, &heads[i]->post);
    }
}

/* ---- a group ---- */

typedef struct group {
    dx_store_commit *first, **end; /* by next */
    size_t count, messages;
} group;

/* A fork begins where its source did when it was made. */
static int inherit_first(dx_sqlite *s, dx_store_commit *commit)
{
    sqlite3_stmt *get = dx_db_statement(&s->writer_db, DX_SQL_STREAM_GET);
    const dx_pending *p = dx_unsettled_find(&s->unsettled, commit->source);
    uint64_t first = p ? p->first : 0;

    if (get == NULL)
        return sqlite3_extended_errcode(s->writer_db.handle);
    dx_bind_u64(get, 1, commit->source);
    int code = sqlite3_step(get);
    if (code == SQLITE_ROW)
        first = dx_max_size(first, dx_column_u64(get, 2));
    sqlite3_reset(get);
    commit->first = dx_max_size(commit->first, first);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Prepares one commit and writes it into the row. */
static dx_prepared add(dx_sqlite *s, dx_store_commit *commit, int *code)
{
    dx_work *work = commit->work;

    *code = commit->source ? inherit_first(s, commit) : SQLITE_OK;
    if (*code != SQLITE_OK)
        return DX_PREPARED;
    dx_prepared prepared = dx_unsettled_prepare(&s->unsettled, commit, &work->change);
    bool is_left_out = commit->path.size == 0 && DX_MUTANT_ONE_IN("commit_left_out", 500);
    if (prepared == DX_PREPARED && !is_left_out && !dx_journal_append(&s->scratch, commit)) {
        dx_unsettled_cancel(&s->unsettled, commit, &work->change);
        prepared = DX_PREPARE_MEMORY;
    }
    return prepared;
}

static dx_store_commit *pop(dx_sqlite *s)
{
    dx_store_commit *commit = s->queue;

    s->queue = commit->next;
    if (s->queue == NULL)
        s->queue_end = &s->queue;
    return commit;
}

static dx_work *work_new(dx_sqlite *s)
{
    dx_work *work = calloc(1, sizeof *work);

    if (work == NULL)
        return NULL;
    work->store = s;
    dx_list_init(&work->failing);
    return work;
}

dx_work *dx_sqlite_spare_new(dx_sqlite *s)
{
    dx_work *work = work_new(s);

    if (work)
        work->is_spare = true;
    return work;
}

/* Gives a commit for which there was no memory the one spare. False: it is taken; wait. */
static bool take_spare(dx_sqlite *s, dx_store_commit *commit)
{
    commit->work = s->spare;
    s->spare = NULL;
    return commit->work != NULL;
}

/* OK, or why it must fail without being tried. */
static dx_store_status judge(dx_sqlite *s, const dx_store_commit *commit)
{
    const dx_work *work = commit->work, *failing = find_failing(s, commit->id);

    if (work == NULL || work->is_spare)
        return DX_STORE_MEMORY;
    return failing ? failing->status : work->status;
}

/* Takes commits from the queue into a row. */
static void gather(dx_sqlite *s, group *g)
{
    s->scratch.size = 0;
    while (s->queue && g->count < GROUP_COUNT_MAX && s->scratch.size < GROUP_BYTES_MAX) {
        dx_store_commit *commit = s->queue;
        int code = SQLITE_OK;
        if (commit->work == NULL && !take_spare(s, commit) && !atomic_load(&s->is_closing))
            return;
        dx_store_status status = judge(s, commit);
        if (status != DX_STORE_OK) {
            fail(s, pop(s), status);
            continue;
        }
        dx_prepared prepared = add(s, commit, &code);
        if (code != SQLITE_OK || prepared == DX_PREPARE_MEMORY) {
            fail(s, pop(s), code == SQLITE_OK ? DX_STORE_MEMORY : dx_db_status(code));
            continue;
        }
        if (prepared == DX_PREPARE_LATER) {
            if (g->count > 0)
                return; /* the path becomes free with what was gathered */
            fail(s, pop(s), DX_STORE_BROKEN);
            continue;
        }
        pop(s)->next = NULL;
        *g->end = commit, g->end = &commit->next;
        g->count++, g->messages += commit->count;
    }
}

/* Raises the bound of ids on disk if much of it is used. */
static int reserve_ids(dx_sqlite *s, uint64_t *ret)
{
    uint64_t next = atomic_load(&s->next_id), reserved = atomic_load(&s->ids_reserved);

    *ret = reserved;
    if (next + IDS_AT_ONCE / 2 < reserved)
        return SQLITE_OK;
    sqlite3_stmt *set = dx_db_statement(&s->writer_db, DX_SQL_META_SET);
    if (set == NULL)
        return sqlite3_extended_errcode(s->writer_db.handle);
    *ret = next + IDS_AT_ONCE;
    sqlite3_bind_text(set, 1, "next_id", -1, SQLITE_STATIC);
    dx_bind_u64(set, 2, *ret);
    return dx_db_run(&s->writer_db, set);
}

static int write_row(dx_sqlite *s)
{
    sqlite3_stmt *put = dx_db_statement(&s->writer_db, DX_SQL_JOURNAL_ADD);
    dx_bytes row = dx_buffer_view(&s->scratch);

    if (put == NULL)
        return sqlite3_extended_errcode(s->writer_db.handle);
    dx_bind_u64(put, 1, s->journal_next);
    dx_bind_u64(put, 2, s->life);
    dx_bind_u64(put, 3, dx_journal_sum(s->journal_next, s->life, row));
    dx_bind_bytes(put, 4, row);
    return dx_db_run(&s->writer_db, put);
}

/* The transaction. After SQLITE_OK it is on disk. */
static int write_group(dx_sqlite *s, const group *g)
{
    uint64_t reserved;
    int code = dx_db_run_ids(&s->writer_db, DX_SQL_BEGIN_IMMEDIATE, 0, 0);

    if (code == SQLITE_OK)
        code = reserve_ids(s, &reserved);
    if (code == SQLITE_OK && g->count > 0)
        code = write_row(s);
    if (code == SQLITE_OK)
        code = dx_db_commit(&s->writer_db);
    dx_db_rollback(&s->writer_db);
    if (code != SQLITE_OK)
        return code;
    if (g->count > 0 || reserved != atomic_load(&s->ids_reserved))
        dx_log_mark_set(&s->mark, s->log_pages); /* else nothing was written, and nothing synced */
    atomic_store(&s->ids_reserved, reserved);
    return code;
}

static void apply_group(dx_sqlite *s, group *g)
{
    for (dx_store_commit *commit = g->first; commit; commit = commit->next) {
        dx_work *work = commit->work;
        dx_unsettled_apply(&s->unsettled, commit, &work->change, s->journal_next);
        commit->work = NULL;
        free(work);
    }
    s->journal_next++;
    dx_sqlite_count(s, g->count, g->messages);
    answer_all(s, g->first);
}

static void fail_group(dx_sqlite *s, group *g, dx_store_status status)
{
    for (dx_store_commit *commit = g->first, *next; commit; commit = next) {
        next = commit->next;
        dx_unsettled_cancel(&s->unsettled, commit, &((dx_work *)commit->work)->change);
        fail(s, commit, status);
    }
}

/* Nothing can be written: all that waits is told so. */
static void fail_queue(dx_sqlite *s, dx_store_status status)
{
    while (s->queue) {
        if (s->queue->work == NULL && !take_spare(s, s->queue) && !atomic_load(&s->is_closing))
            return;
        fail(s, pop(s), status);
    }
}

void dx_sqlite_commit_group(dx_sqlite *s)
{
    group g = {0};

    g.end = &g.first;
    if (!dx_sqlite_is_sure(s)) {
        fail_queue(s, s->state.status);
        return;
    }
    gather(s, &g);
    if (g.count == 0 && !atomic_load(&s->is_reserving))
        return;
    bool is_early = g.count > 0 && DX_MUTANT("visible_before_commit");
    if (is_early) {
        apply_group(s, &g);
        s->journal_next--;
    }
    uint64_t begun_ns = dx_clock_ns();
    int code = write_group(s, &g);
    dx_sqlite_time(s, (dx_clock_ns() - begun_ns) / 1000);
    s->journal_next += is_early;
    atomic_store(&s->is_reserving, false);
    dx_store_status status = code == SQLITE_OK ? DX_STORE_OK : dx_db_status(code);
    dx_sqlite_note(s, code);
    if (code == SQLITE_OK && g.count > 0 && !is_early)
        apply_group(s, &g);
    else if (!is_early)
        fail_group(s, &g, status);
    if (s->scratch.capacity > SCRATCH_KEPT_BYTES)
        dx_buffer_clear(&s->scratch);
}

/* ---- given ---- */

void dx_sqlite_on_commit_given(dx_post *post)
{
    dx_store_commit *commit = DX_CONTAINER(post, dx_store_commit, post);
    dx_sqlite *s = commit->work;

    dx_work *work = work_new(s);
    const dx_work *failing = find_failing(s, commit->id);
    if (work && failing) /* now: by its turn who asked may have heard of that one */
        work->status = failing->status;
    commit->work = work;
    commit->next = NULL;
    *s->queue_end = commit;
    s->queue_end = &commit->next;
    if (!atomic_load(&s->is_closing))
        dx_task_queue(s->writer_loop, &s->task);
}

void dx_sqlite_commit(dx_store *store, dx_store_commit *commit)
{
    dx_sqlite *s = dx_sqlite_of(store);

    if (atomic_load(&s->is_closed)) {
        commit->status = DX_STORE_CLOSED;
        commit->done(commit);
        return;
    }
    atomic_fetch_add_explicit(&s->given, 1, memory_order_relaxed);
    commit->work = s; /* until it is there */
    commit->post.run = dx_sqlite_on_commit_given;
    if (dx_loop_post(s->writer_loop, &commit->post) != DX_OK)
        dx_unreachable("the store's mailbox has no bound");
}
