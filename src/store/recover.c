/* Replaying the journal. A row stays until all its streams are settled, so what it says of some of them has been
 * settled before. Saying it again changes nothing: the last word on a record, a fact, a lower bound is in a
 * row as well, since rows go from the oldest on; only messages are there twice, and left out.
 * SPDX-License-Identifier: MIT */
#include "store/recover.h"

#include "store/journal.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct replay {
    dx_db *db;
    dx_unsettled *unsettled;
    uint64_t row;
    char *why;
} replay;

/* What is settled of a stream. */
typedef struct settled {
    uint64_t tail;
    bool is_there, is_deleted;
} settled;

static dx_err say(replay *r, int code)
{
    dx_why(r->why, "the journal cannot be read: %s", sqlite3_errmsg(r->db->handle));
    return code == SQLITE_NOMEM                                           ? DX_ERR_MEMORY
           : code == SQLITE_IOERR_DATA || (code & 0xff) == SQLITE_CORRUPT ? DX_ERR_CONFLICT
                                                                          : DX_ERR_SYSTEM;
}

static dx_err say_damaged(replay *r)
{
    dx_why(r->why, "row %llu of the journal is damaged: restore the directory from a backup",
           (unsigned long long)r->row);
    return DX_ERR_CONFLICT;
}

static dx_err say_memory(replay *r)
{
    dx_why(r->why, "out of memory while the journal is replayed");
    return DX_ERR_MEMORY;
}

/* ---- what is settled already ---- */

static int get_settled(dx_db *db, uint64_t id, settled *ret)
{
    sqlite3_stmt *s = dx_db_statement(db, DX_SQL_STREAM_GET);
    sqlite3_stmt *newest = dx_db_statement(db, DX_SQL_RUN_LAST);

    *ret = (settled){0};
    if (s == NULL || newest == NULL)
        return sqlite3_extended_errcode(db->handle);
    dx_bind_u64(s, 1, id);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        *ret = (settled){dx_max_size(dx_column_u64(s, 1), dx_column_u64(s, 3)), true,
                         sqlite3_column_int(s, 4) != 0};
    sqlite3_reset(s);
    if (code != SQLITE_ROW)
        return code == SQLITE_DONE ? SQLITE_OK : code;
    dx_bind_u64(newest, 1, id);
    code = sqlite3_step(newest);
    if (code == SQLITE_ROW)
        ret->tail = dx_max_size(ret->tail, dx_column_u64(newest, 1) + dx_column_u64(newest, 2) - 1);
    sqlite3_reset(newest);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* ---- one commit ---- */

static void release(dx_message **messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dx_message_unref(messages[i]);
    free(messages);
}

/* The messages of `entry` above sequence `tail`. */
static dx_err make_messages(replay *r, const dx_journal_entry *entry, uint64_t tail,
                            dx_message ***ret, size_t *count)
{
    dx_message **messages = malloc((entry->messages_count + 1) * sizeof(dx_message *));
    dx_run_reader reader = {.rest = entry->run};
    dx_run_item item;
    size_t made = 0;

    if (messages == NULL)
        return say_memory(r);
    for (size_t i = 0; i < entry->messages_count; i++) {
        if (dx_run_next(&reader, &item) != DX_RUN_ITEM) {
            release(messages, made);
            return say_damaged(r);
        }
        if (entry->sequence + i <= tail)
            continue;
        item.origin = 0; /* of another life */
        messages[made] = dx_run_message(&item, entry->sequence + i);
        if (messages[made++] == NULL) {
            release(messages, made - 1);
            return say_memory(r);
        }
    }
    *ret = messages, *count = made;
    return DX_OK;
}

static bool make_facts(const dx_journal_entry *entry, dx_store_fact **ret)
{
    dx_store_fact *facts = malloc((entry->facts_count + 1) * sizeof *facts);
    dx_bytes rest = entry->facts;

    if (facts == NULL)
        return false;
    for (size_t i = 0; i < entry->facts_count; i++)
        if (!dx_journal_fact(&rest, &facts[i]))
            dx_unreachable("facts that were read before");
    *ret = facts;
    return true;
}

static dx_err apply(replay *r, const dx_store_commit *commit)
{
    dx_change change;

    switch (dx_unsettled_prepare(r->unsettled, commit, &change)) {
    case DX_PREPARED: break;
    case DX_PREPARE_MEMORY: return say_memory(r);
    case DX_PREPARE_LATER: return say_damaged(r); /* one path, two streams */
    }
    dx_unsettled_apply(r->unsettled, commit, &change, r->row);
    return DX_OK;
}

static uint64_t tail_of(const dx_unsettled *u, uint64_t id, uint64_t tail)
{
    const dx_pending *p = dx_unsettled_find(u, id);
    return p && p->count ? p->messages[p->count - 1]->sequence : tail;
}

static dx_err replay_entry(replay *r, dx_journal_entry *entry)
{
    dx_store_commit *commit = &entry->commit;
    dx_store_fact *facts = NULL;
    dx_message **messages = NULL;
    settled there;
    int code = get_settled(r->db, commit->id, &there);

    if (code != SQLITE_OK)
        return say(r, code);
    if (there.is_there) { /* it is made already */
        commit->path = (dx_bytes){0};
        commit->source = commit->source_tail = 0;
    }
    if (there.is_deleted)
        entry->messages_count = entry->facts_count = 0;
    if (!make_facts(entry, &facts))
        return say_memory(r);
    uint64_t tail = tail_of(r->unsettled, commit->id, there.tail);
    dx_err err = make_messages(r, entry, tail, &messages, &commit->count);
    /* What has no row was made and deleted, or is made in this row: nothing is known of what was before. */
    if (err == DX_OK && commit->count > 0 && tail > 0 && messages[0]->sequence != tail + 1) {
        release(messages, commit->count);
        err = say_damaged(r);
    } else if (err == DX_OK) {
        commit->facts = facts, commit->facts_count = entry->facts_count;
        commit->messages = messages;
        err = apply(r, commit);
        release(messages, commit->count);
    }
    free(facts);
    return err;
}

/* ---- all ---- */

static dx_err replay_row(replay *r, sqlite3_stmt *s)
{
    uint64_t before = r->row;
    dx_bytes data = dx_column_bytes(s, 3);
    dx_journal_entry entry;
    dx_err err = DX_OK;

    r->row = dx_column_u64(s, 0);
    if ((before != 0 && r->row != before + 1) ||
        sqlite3_column_int64(s, 2) != dx_journal_sum(r->row, dx_column_u64(s, 1), data))
        return say_damaged(r);
    while (data.size > 0 && err == DX_OK) {
        if (!dx_journal_read(&data, &entry))
            return say_damaged(r);
        err = replay_entry(r, &entry);
    }
    return err;
}

dx_err dx_recover(dx_db *db, dx_unsettled *unsettled, uint64_t *next_ret, char *why)
{
    replay r = {db, unsettled, 0, why};
    dx_err err = DX_OK;
    int code = SQLITE_ROW;

    while (err == DX_OK) {
        sqlite3_stmt *s = dx_db_statement(db, DX_SQL_JOURNAL_NEXT);
        if (s == NULL)
            return say(&r, sqlite3_extended_errcode(db->handle));
        dx_bind_u64(s, 1, r.row);
        code = sqlite3_step(s);
        if (code == SQLITE_ROW)
            err = replay_row(&r, s);
        sqlite3_reset(s);
        if (code != SQLITE_ROW)
            break;
    }
    if (err != DX_OK)
        return err;
    if (code != SQLITE_DONE)
        return say(&r, code);
    *next_ret = r.row + 1;
    return DX_OK;
}
