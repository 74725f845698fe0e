/* Lines for the operator, on stderr.
 * Is:     levels, one write per line, control bytes escaped so that a peer cannot forge lines.
 * Is not: access logs or metrics (serve).
 * Threads: any; a dx_log is constant after it was made.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_LOG_H
#define DX_BASE_LOG_H

#include "base/platform.h"

typedef enum dx_log_level { DX_LOG_ERROR, DX_LOG_WARN, DX_LOG_INFO, DX_LOG_DEBUG } dx_log_level;

typedef struct dx_log {
    dx_log_level level; /* lines above it are dropped */
    int fd;
    /* Not NULL: gets the lines instead. level: its name. */
    void (*line)(void *context, const char *level, const char *text);
    void *context;
} dx_log;

/* "error", "warn", "info", "debug"; false if `name` is none of them. */
bool dx_log_level_from_name(const char *name, dx_log_level *ret);

/* Writes `level: text` as one line. `log` may be NULL: nothing happens. */
void dx_log_write(const dx_log *log, dx_log_level level, const char *format, ...) DX_PRINTF(3, 4);

#endif
