/* What a store holds as one sees it: all streams in a row, some at a time.
 * SPDX-License-Identifier: MIT */
#include "store/image.h"

#include <stdlib.h>

/* Places in `bytes`, which may still move: filled in by finish. */
static bool add_row(sqlite3_stmt *s, dx_buffer *rows, dx_buffer *bytes)
{
    dx_bytes path = dx_column_bytes(s, 1), record = dx_column_bytes(s, 2);
    dx_store_scanned row = {dx_column_u64(s, 0), {NULL, path.size}, {NULL, record.size}};

    return dx_buffer_append(rows, dx_bytes_at(&row, sizeof row)) && dx_buffer_append(bytes, path) &&
           dx_buffer_append(bytes, record);
}

static void finish(dx_store_scan *scan, dx_buffer *rows, const dx_buffer *bytes)
{
    dx_store_scanned *all = (dx_store_scanned *)(void *)rows->at;
    const uint8_t *at = bytes->at;

    scan->count = rows->size / sizeof *all;
    scan->at = all;
    for (size_t i = 0; i < scan->count; i++) {
        all[i].path.at = at;
        all[i].record.at = at + all[i].path.size;
        at += all[i].path.size + all[i].record.size;
    }
}

void dx_image_scan(dx_image *image, dx_store_scan *scan, dx_buffer *rows, dx_buffer *bytes)
{
    sqlite3_stmt *s = dx_db_statement(image->db, DX_SQL_STREAM_SCAN);
    bool has_memory = true;
    int code;

    scan->at = NULL, scan->count = 0;
    if (s == NULL) {
        scan->status = dx_db_status(sqlite3_extended_errcode(image->db->handle));
        return;
    }
    dx_bind_u64(s, 1, scan->after);
    dx_bind_u64(s, 2, scan->count_max);
    while ((code = sqlite3_step(s)) == SQLITE_ROW && (has_memory = add_row(s, rows, bytes)))
        continue;
    sqlite3_reset(s);
    scan->status = !has_memory           ? DX_STORE_MEMORY
                   : code == SQLITE_DONE ? DX_STORE_OK
                                         : dx_db_status(code);
    if (scan->status == DX_STORE_OK)
        finish(scan, rows, bytes);
}
