/* One line of an export, taken apart.
 * Is:     JSON, names, types of values.
 * Is not: whether the line may stand where it stands (import.c).
 * Memory: views of the line; text that it means is in `memory`, good until the next line.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_IMPORT_LINE_H
#define DX_STORE_IMPORT_LINE_H

#include "base/buffer.h"
#include "stream/record.h"

typedef enum dx_line_kind {
    DX_LINE_BEGIN, /* {"duplex":"export","version":1} */
    DX_LINE_STREAM,
    DX_LINE_FACT,
    DX_LINE_MESSAGE,
    DX_LINE_END,
} dx_line_kind;

typedef struct dx_line {
    dx_line_kind kind;
    dx_buffer memory; /* of the one who reads; cleared by it */
    /* STREAM */
    dx_bytes path;
    dx_record_view record;
    dx_buffer runs; /* of the record; cleared by who reads */
    uint64_t first, tail;
    uint64_t used_ms;
    /* FACT */
    dx_fact_view fact;
    /* MESSAGE */
    dx_offset offset;
    uint64_t time_ms;
    bool is_more;
    dx_bytes payload;
    /* END */
    uint64_t streams, messages;
} dx_line;

/* Fills `line`; its buffers are used again. NULL if it is good, else what is wrong: a clause. */
const char *dx_line_read(dx_bytes text, dx_line *line);

#endif
