/* What the store's thread does between transactions: settling, checkpoints, dropping, and getting sure of the
 * medium again.
 *
 * After a failed write or sync nobody knows what the disk holds of the log's end: a page that could not be
 * synced is clean to the kernel all the same, and the next sync says nothing of it. So nothing is committed
 * any more until all that may be missing was written again (doubt.c), and a checkpoint has carried all that was
 * committed from the log to the database, has synced that, and has emptied the log: from then on nothing depends
 * on the pages in doubt.
 * SPDX-License-Identifier: MIT */
#include "store/doubt.h"
#include "store/sqlite_inner.h"

#include "base/clock.h"
#include "base/mutant.h"

#include <stdio.h>

enum {
    CARE_MS = 250,
    EXPIRE_MS = 5000,
    RETRY_MS = 200,        /* a medium that failed is tried again, */
    PROBE_MS = 1000,       /* and so is a commit, when nobody makes one */
    LOG_PAGES_MORE = 1024, /* a checkpoint that a reader held up waits for so many more */
    UNSETTLED_FACTOR = 4,  /* above so many times the bound nothing more is taken */
};

void dx_sqlite_note(dx_sqlite *s, int code)
{
    if (dx_db_is_medium_fault(code) && code != SQLITE_IOERR_DATA) {
        s->is_unsure = !DX_MUTANT("failed_sync_forgotten");
        s->retry_ms = dx_clock_ms() + RETRY_MS;
    } else if (code != SQLITE_OK) {
        s->retry_ms = dx_clock_ms() + PROBE_MS;
    }
    pthread_mutex_lock(&s->state_lock);
    s->state.status = code == SQLITE_OK ? DX_STORE_OK : dx_db_status(code);
    if (code == SQLITE_OK)
        s->state.why[0] = '\0';
    else
        dx_why(s->state.why, "%s", s->writer_db.why[0] ? s->writer_db.why : sqlite3_errstr(code));
    pthread_mutex_unlock(&s->state_lock);
}

void dx_sqlite_count(dx_sqlite *s, size_t commits, size_t messages)
{
    pthread_mutex_lock(&s->state_lock);
    s->state.commits += commits;
    s->state.messages += messages;
    s->state.transactions += commits > 0;
    s->state.unsettled_bytes = s->unsettled.bytes;
    s->state.unsettled_streams = s->unsettled.count;
    s->state.log_bytes = (uint64_t)s->log_pages * DX_PAGE_BYTES;
    pthread_mutex_unlock(&s->state_lock);
}

void dx_sqlite_time(dx_sqlite *s, uint64_t us)
{
    pthread_mutex_lock(&s->state_lock);
    dx_histogram_add(&s->state.transaction_times, us, 1);
    pthread_mutex_unlock(&s->state_lock);
}

/* ---- checkpoints ---- */

/* `mode`: PASSIVE waits for nobody, TRUNCATE leaves an empty log. */
static int checkpoint(dx_sqlite *s, int mode, bool *is_whole)
{
    int log = 0, carried = 0;
    int code = sqlite3_wal_checkpoint_v2(s->writer_db.handle, "main", mode, &log, &carried);

    *is_whole = code == SQLITE_OK && log == carried;
    return code;
}

static void checkpoint_if_long(dx_sqlite *s)
{
    bool is_whole;

    if (s->log_pages < s->log_pages_try || s->is_unsure)
        return;
    int code = checkpoint(s, SQLITE_CHECKPOINT_PASSIVE, &is_whole);
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        dx_sqlite_note(s, code);
    /* When it is whole the next transaction begins the log anew, unless somebody reads from it. */
    s->log_pages_try = is_whole ? s->log_pages_max : s->log_pages + LOG_PAGES_MORE;
}

/* See above. */
static void try_to_get_sure(dx_sqlite *s)
{
    bool is_whole = false;

    if (dx_clock_ms() < s->retry_ms)
        return;
    int code = DX_MUTANT("doubt_carried_over") ? SQLITE_OK : dx_doubt_dispel(s->writer_db.handle);
    if (code == SQLITE_OK)
        code = checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE, &is_whole);
    if (code == SQLITE_OK && is_whole) {
        s->is_unsure = false;
        s->log_pages = 0;
        s->log_pages_try = s->log_pages_max;
    }
    dx_sqlite_note(s, code == SQLITE_OK && !is_whole ? SQLITE_BUSY : code);
    s->retry_ms = dx_clock_ms() + RETRY_MS;
}

/* Whether commits would succeed again, while nobody makes one: writes as much as a small one. */
static void probe(dx_sqlite *s)
{
    if (dx_clock_ms() < s->retry_ms)
        return;
    int code = dx_db_run_ids(&s->writer_db, DX_SQL_BEGIN_IMMEDIATE, 0, 0);

    if (code == SQLITE_OK)
        code = dx_db_run_ids(&s->writer_db, DX_SQL_META_PROBE, 0, 0);
    if (code == SQLITE_OK)
        code = dx_db_commit(&s->writer_db);
    dx_db_rollback(&s->writer_db);
    dx_sqlite_note(s, code);
}

bool dx_sqlite_is_sure(dx_sqlite *s)
{
    if (s->is_unsure)
        try_to_get_sure(s);
    while (!s->is_unsure && s->unsettled.bytes > s->unsettled_bytes_max * UNSETTLED_FACTOR) {
        int code = dx_settle_slice(&s->settler, false);
        dx_sqlite_note(s, code);
        if (code != SQLITE_OK)
            return false;
    }
    return !s->is_unsure;
}

/* ---- care ---- */

static bool settle(dx_sqlite *s, bool is_merging)
{
    int code = dx_settle_slice(&s->settler, is_merging);

    if (code != SQLITE_OK)
        dx_sqlite_note(s, code);
    return code == SQLITE_OK;
}

/* What must be done before more is taken: as much as came, so that it does not pile up. */
static void settle_what_is_much(dx_sqlite *s)
{
    while (!s->is_unsure &&
           (s->unsettled.bytes > s->unsettled_bytes_max || !dx_list_is_empty(&s->unsettled.big)))
        if (!settle(s, false))
            return;
}

/* What can wait until nothing else is to do: one step. True if there is more. */
static bool care_a_little(dx_sqlite *s)
{
    uint64_t now_ms = dx_clock_ms();

    if (s->settled_to == 0 && s->unsettled.count > 0 && now_ms - s->settled_ms > s->settle_after_ms)
        s->settled_to = s->journal_next;
    if (dx_unsettled_journal(&s->unsettled) < s->settled_to)
        return settle(s, true);
    if (s->settled_to > 0 || s->unsettled.count == 0)
        s->settled_to = 0, s->settled_ms = now_ms;
    if (s->settler.has_chores) {
        int code = dx_settle_chore(&s->settler);
        if (code != SQLITE_OK)
            dx_sqlite_note(s, code);
        return code == SQLITE_OK;
    }
    if (s->has_expired_facts || now_ms - s->expired_ms > EXPIRE_MS) {
        int code = dx_settle_expire(&s->settler, &s->has_expired_facts);
        s->expired_ms = now_ms;
        if (code != SQLITE_OK)
            dx_sqlite_note(s, code);
        return code == SQLITE_OK;
    }
    return false;
}

void dx_sqlite_care(dx_sqlite *s)
{
    settle_what_is_much(s);
    checkpoint_if_long(s);
    dx_sqlite_count(s, 0, 0);
}

void dx_sqlite_on_care_timer(dx_timer *timer)
{
    dx_sqlite *s = DX_CONTAINER(timer, dx_sqlite, care_timer);
    bool has_more = false;

    if (s->is_unsure)
        try_to_get_sure(s);
    else if (s->state.status != DX_STORE_OK)
        probe(s);
    else
        has_more = care_a_little(s);
    checkpoint_if_long(s);
    dx_sqlite_count(s, 0, 0);
    dx_timer_set(s->writer_loop, &s->care_timer, has_more ? 1 : CARE_MS);
}

void dx_sqlite_settle_all(dx_sqlite *s)
{
    bool is_whole;

    while (!s->is_unsure && s->unsettled.count > 0)
        if (!settle(s, true))
            break;
    (void)checkpoint(s, SQLITE_CHECKPOINT_TRUNCATE, &is_whole);
}
