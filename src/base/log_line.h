/* One line of the log as bytes.
 * Is:     logfmt and JSON from the same fields, every byte escaped that could end a line, steer a terminal
 *         or break the format.
 * Is not: writing it anywhere (log.c).
 * Memory: the caller's.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_LOG_LINE_H
#define DX_BASE_LOG_LINE_H

#include "base/log.h"

enum { DX_LOG_LINE_BYTES = 6144 };

typedef struct dx_log_event {
    uint64_t wall_ms;
    dx_log_level level;
    int worker; /* -1: none */
    dx_bytes message;
    const dx_log_field *fields;
    size_t fields_count;
} dx_log_event;

/* Writes `event` with its newline; gives its size. A field that finds no room is left out.
 * format: DX_LOG_LOGFMT or DX_LOG_JSON. */
size_t dx_log_line_write(const dx_log_event *event, dx_log_format format,
                         uint8_t to[DX_LOG_LINE_BYTES]);

/* Only the message, unquoted with "?" for control bytes, and the fields as in logfmt; NUL-terminated. */
void dx_log_line_write_bare(const dx_log_event *event, uint8_t to[DX_LOG_LINE_BYTES]);

#endif
