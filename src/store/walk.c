/* A walk over all that a store holds.
 * SPDX-License-Identifier: MIT */
#include "store/inspection.h"

#include <stdlib.h>

enum { PAGE_COUNT = 1000, PAGE_BYTES = 1 << 20 };

/* Path and source are what a load does not say. path: room for it is given. */
static int get_origin(dx_inspection *i, dx_store_stream *stream, dx_buffer *path)
{
    sqlite3_stmt *s = dx_db_statement(&i->db, DX_SQL_STREAM_GET);
    const dx_pending *p = dx_unsettled_find(&i->unsettled, stream->id);
    int code = SQLITE_OK;

    path->size = 0;
    if (p && p->is_created) {
        stream->source = p->source, stream->source_tail = p->source_tail;
        if (!p->is_path_freed && !dx_buffer_append(path, dx_bytes_at(p->path, p->path_size)))
            return SQLITE_NOMEM;
    } else {
        if (s == NULL)
            return sqlite3_extended_errcode(i->db.handle);
        dx_bind_u64(s, 1, stream->id);
        code = sqlite3_step(s);
        if (code == SQLITE_ROW) {
            stream->source = dx_column_u64(s, 0), stream->source_tail = dx_column_u64(s, 1);
            if (!(p && p->is_path_freed) && !dx_buffer_append(path, dx_column_bytes(s, 6)))
                code = SQLITE_NOMEM;
        }
        sqlite3_reset(s);
        code = code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
    }
    stream->path = dx_buffer_view(path);
    return code;
}

static dx_err say_status(dx_inspection *i, dx_store_status status, uint64_t id, char *why)
{
    if (status == DX_STORE_MEMORY) {
        dx_why(why, "out of memory");
        return DX_ERR_MEMORY;
    }
    dx_why(why, "stream %llu is damaged: run `duplex verify`", (unsigned long long)id);
    return DX_ERR_CONFLICT;
}

/* ret: false if the walker wants no more. */
static dx_err walk_messages(dx_inspection *i, dx_store_walker *walker,
                            const dx_store_stream *stream, bool *ret, char *why)
{
    for (uint64_t from = stream->first; *ret && from <= stream->tail;) {
        dx_store_read read = {
            .id = stream->id, .from = from, .count_max = PAGE_COUNT, .bytes_max = PAGE_BYTES};
        dx_image_read(&i->image, &read);
        if (read.status != DX_STORE_OK || read.count == 0)
            return say_status(i, read.status, stream->id, why);
        for (size_t k = 0; k < read.count; k++) {
            *ret = *ret && walker->on_message(walker, read.messages[k]);
            from = read.messages[k]->sequence + 1;
            dx_message_unref(read.messages[k]);
        }
        free(read.messages);
    }
    return DX_OK;
}

static dx_err walk_stream(dx_inspection *i, dx_store_walker *walker, uint64_t id, bool *ret,
                          char *why)
{
    dx_store_load load = {.id = id};
    dx_facts facts = {0};
    dx_buffer record = {0}, path = {0};
    dx_err err = DX_OK;

    dx_image_load(&i->image, &load, &facts, &record);
    dx_store_stream stream = {.id = id,
                              .record = load.record,
                              .facts = load.facts,
                              .facts_count = load.facts_count,
                              .first = load.first,
                              .tail = load.tail};
    if (load.status == DX_STORE_OK) {
        int code = get_origin(i, &stream, &path);
        if (code != SQLITE_OK)
            err = dx_inspection_say(i, code, why);
        else
            *ret = walker->on_stream(walker, &stream);
        if (err == DX_OK && *ret && walker->on_message && !walker->is_passed_over)
            err = walk_messages(i, walker, &stream, ret, why);
    } else if (load.status != DX_STORE_NOT_FOUND) { /* being deleted */
        err = say_status(i, load.status, id, why);
    }
    dx_facts_free(&facts);
    dx_buffer_clear(&record);
    dx_buffer_clear(&path);
    return err;
}

dx_err dx_store_sqlite_walk(const char *directory, dx_store_walker *walker, char *why)
{
    dx_inspection i;
    uint64_t id = 0;
    bool is_wanted = true;
    int code = SQLITE_OK;
    dx_err err = dx_inspection_open(&i, directory, why);

    if (err == DX_OK)
        err = dx_inspection_recover(&i, why);
    while (err == DX_OK && is_wanted && dx_inspection_next(&i, &id, &code))
        err = walk_stream(&i, walker, id, &is_wanted, why);
    if (err == DX_OK && code != SQLITE_OK)
        err = dx_inspection_say(&i, code, why);
    dx_inspection_close(&i);
    return err;
}
