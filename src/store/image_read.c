/* What a store holds as one sees it: reading messages, a fork's from its source where that has them.
 * SPDX-License-Identifier: MIT */
#include "store/image.h"
#include "store/run.h"

#include <stdlib.h>

enum { FORKS_DEEP_MAX = 4096 }; /* a chain that is longer is a circle: damage */

/* Who has a message: a stream, up to a sequence. */
typedef struct owner {
    uint64_t id, until;
    uint64_t first; /* of the stream that is read */
} owner;

typedef struct reading {
    dx_image *image;
    dx_store_read *read;
    size_t capacity, bytes;
} reading;

/* What one stream says of itself. */
typedef struct stream_row {
    uint64_t source, source_tail, first;
    bool is_found;
} stream_row;

static void take_changes(stream_row *row, const dx_pending *p)
{
    if (p->is_created) {
        row->source = p->source, row->source_tail = p->source_tail;
        row->is_found = true;
    }
    if (p->is_deleted)
        row->is_found = false;
    if (p->first > row->first)
        row->first = p->first;
}

static dx_store_status get_row(dx_image *image, uint64_t id, stream_row *ret)
{
    sqlite3_stmt *s = dx_db_statement(image->db, DX_SQL_STREAM_GET);
    stream_row row = {0};

    if (s == NULL)
        return dx_db_status(sqlite3_extended_errcode(image->db->handle));
    dx_bind_u64(s, 1, id);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        row = (stream_row){dx_column_u64(s, 0), dx_column_u64(s, 1), dx_column_u64(s, 2),
                           sqlite3_column_int(s, 4) == 0};
    sqlite3_reset(s);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return dx_db_status(code);
    pthread_mutex_lock(&image->unsettled->lock);
    const dx_pending *p = dx_unsettled_find(image->unsettled, id);
    if (p)
        take_changes(&row, p);
    pthread_mutex_unlock(&image->unsettled->lock);
    *ret = row;
    return DX_STORE_OK;
}

/* The stream with message `from` of stream `id`. Gives NOT_FOUND if the latter is not there. */
static dx_store_status find_owner(dx_image *image, uint64_t id, uint64_t *from, owner *ret)
{
    owner o = {id, UINT64_MAX, 0};
    stream_row row = {0};

    for (int depth = 0; depth < FORKS_DEEP_MAX; depth++) {
        dx_store_status status = get_row(image, o.id, &row);
        if (status != DX_STORE_OK)
            return status;
        if (depth == 0 && !row.is_found)
            return DX_STORE_NOT_FOUND;
        if (depth == 0)
            o.first = row.first ? row.first : 1;
        if (o.first > *from)
            *from = o.first;
        if (row.source == 0 || *from > row.source_tail) {
            *ret = o;
            return DX_STORE_OK;
        }
        o.id = row.source;
        o.until = dx_min_u64(o.until, row.source_tail);
    }
    return DX_STORE_BROKEN;
}

/* ---- messages ---- */

static bool is_full(const reading *r)
{
    const dx_store_read *read = r->read;
    return read->count > 0 && (read->count >= read->count_max || r->bytes >= read->bytes_max);
}

/* Takes the reference `message` (or NULL: memory was out). */
static dx_store_status give(reading *r, dx_message *message)
{
    dx_store_read *read = r->read;

    if (message && read->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 16;
        dx_message **messages = realloc(read->messages, capacity * sizeof *messages);
        if (messages == NULL) {
            dx_message_unref(message);
            return DX_STORE_MEMORY;
        }
        read->messages = messages, r->capacity = capacity;
    }
    if (message == NULL)
        return DX_STORE_MEMORY;
    read->messages[read->count++] = message;
    r->bytes += message->size;
    return DX_STORE_OK;
}

/* Unsettled messages from `from` on. */
static dx_store_status give_unsettled(reading *r, const owner *o, uint64_t from)
{
    dx_unsettled *u = r->image->unsettled;
    dx_store_status status = DX_STORE_OK;

    pthread_mutex_lock(&u->lock);
    const dx_pending *p = dx_unsettled_find(u, o->id);
    size_t i = p && p->count ? (size_t)(from - p->messages[0]->sequence) : 0;
    for (; p && i < p->count && status == DX_STORE_OK && !is_full(r); i++) {
        if (p->messages[i]->sequence > o->until)
            break;
        status = give(r, dx_message_ref(p->messages[i]));
    }
    pthread_mutex_unlock(&u->lock);
    return status;
}

/* One row: its messages from `*from` on. */
static dx_store_status give_run(reading *r, sqlite3_stmt *s, const owner *o, uint64_t *from,
                                uint64_t end)
{
    uint64_t first = dx_column_u64(s, 1), count = dx_column_u64(s, 2), life = dx_column_u64(s, 3);
    dx_bytes data = dx_column_bytes(s, 5);
    dx_run_reader reader = {.rest = data};
    dx_run_item item;

    if (sqlite3_column_int64(s, 4) != dx_run_sum(o->id, first, count, life, data))
        return DX_STORE_BROKEN;
    for (uint64_t sequence = first; sequence < first + count && sequence < end && !is_full(r);
         sequence++) {
        if (dx_run_next(&reader, &item) != DX_RUN_ITEM)
            return DX_STORE_BROKEN;
        if (sequence < *from)
            continue;
        if (life != r->image->life)
            item.origin = 0; /* numbers of subscribers begin anew */
        dx_store_status status = give(r, dx_run_message(&item, sequence));
        if (status != DX_STORE_OK)
            return status;
        *from = sequence + 1;
    }
    return DX_STORE_OK;
}

/* Settled messages from `from` up to `end`, exclusive. A hole among them is damage. */
static dx_store_status give_settled(reading *r, const owner *o, uint64_t from, uint64_t end)
{
    sqlite3_stmt *s = dx_db_statement(r->image->db, DX_SQL_RUNS_FROM);
    dx_store_status status = DX_STORE_OK;
    int code = SQLITE_DONE;

    if (s == NULL)
        return dx_db_status(sqlite3_extended_errcode(r->image->db->handle));
    dx_bind_u64(s, 1, o->id);
    dx_bind_u64(s, 2, from);
    while (status == DX_STORE_OK && from < end && !is_full(r) &&
           (code = sqlite3_step(s)) == SQLITE_ROW) {
        uint64_t first = dx_column_u64(s, 1), count = dx_column_u64(s, 2);
        if (first >= end)
            break;
        if (first + count <= from)
            continue; /* the newest below `from` */
        status = first <= from ? give_run(r, s, o, &from, end) : DX_STORE_BROKEN;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = dx_db_status(code);
    sqlite3_reset(s);
    return status;
}

static uint64_t first_unsettled(dx_unsettled *u, uint64_t id)
{
    pthread_mutex_lock(&u->lock);
    const dx_pending *p = dx_unsettled_find(u, id);
    uint64_t first = p && p->count ? p->messages[0]->sequence : UINT64_MAX;
    pthread_mutex_unlock(&u->lock);
    return first;
}

static dx_store_status read_owner(reading *r, const owner *o, uint64_t from)
{
    uint64_t unsettled = first_unsettled(r->image->unsettled, o->id);

    if (from >= unsettled)
        return give_unsettled(r, o, from);
    uint64_t end = dx_min_u64(unsettled, o->until == UINT64_MAX ? UINT64_MAX : o->until + 1);
    dx_store_status status = give_settled(r, o, from, end);
    if (status == DX_STORE_OK && r->read->count == 0 && end == unsettled && unsettled != UINT64_MAX)
        status = DX_STORE_BROKEN; /* those between are not there */
    return status;
}

static dx_store_status read_all(reading *r)
{
    uint64_t from = r->read->from;
    owner o;

    for (;;) {
        dx_store_status status = find_owner(r->image, r->read->id, &from, &o);
        if (status == DX_STORE_OK)
            status = read_owner(r, &o, from);
        if (status != DX_STORE_OK || r->read->count > 0 || o.id == r->read->id)
            return status;
        from = o.until + 1; /* nothing left at the source */
    }
}

/* What could be read before something that could not is given; asked for again from there, the answer
 * is the fault. */
void dx_image_read(dx_image *image, dx_store_read *read)
{
    reading r = {image, read, 0, 0};

    read->messages = NULL, read->count = 0;
    if (image->settling)
        pthread_rwlock_rdlock(image->settling);
    bool is_within = !sqlite3_get_autocommit(image->db->handle);
    int code = is_within ? SQLITE_OK : dx_db_run_ids(image->db, DX_SQL_BEGIN, 0, 0);
    read->status = code == SQLITE_OK ? read_all(&r) : dx_db_status(code);
    if (!is_within)
        dx_db_rollback(image->db);
    if (image->settling)
        pthread_rwlock_unlock(image->settling);
    if (read->status != DX_STORE_OK && read->count > 0)
        read->status = DX_STORE_OK;
    if (read->count == 0) {
        free(read->messages);
        read->messages = NULL;
    }
}
