/* Lines for the operator, logfmt or JSON: time, level, msg, then fields.
 * Is:     levels that may change while it runs, one line for each event whatever is in it, and a thread that
 *         writes: who logs never waits for the reader of the log.
 * Is not: which requests are logged (serve/access_log.h), metrics.
 * Memory: a sink holds twice DX_LOG_WAITING_BYTES once its thread runs; what comes beyond is counted and lost.
 * Threads: any for lines and levels; the sink is made, started, stopped and freed by its owner.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_LOG_H
#define DX_BASE_LOG_H

#include "base/bytes.h"

typedef enum dx_log_level { DX_LOG_ERROR, DX_LOG_WARN, DX_LOG_INFO, DX_LOG_DEBUG } dx_log_level;

/* AUTO is LOGFMT on a terminal, else JSON. */
typedef enum dx_log_format { DX_LOG_AUTO, DX_LOG_LOGFMT, DX_LOG_JSON } dx_log_format;

enum {
    DX_LOG_WAITING_BYTES = 262144, /* lines below DX_LOG_WARN may have three quarters of it */
    DX_LOG_LAST_BYTES = 512,
};

/* Where the lines of a server go. */
typedef struct dx_log_sink dx_log_sink;

/* What one writes to. Copied freely; one worker's differs from that of the next by the number. */
typedef struct dx_log {
    dx_log_sink *sink;
    int worker; /* -1: none */
} dx_log;

/* One key with its value: a number, or a text (borrowed) of any bytes, of which 512 are taken. */
typedef struct dx_log_field {
    const char *key; /* [a-z_]: not escaped */
    bool is_text;
    dx_bytes text; /* at NULL: there is none, and the field is left out */
    uint64_t number;
} dx_log_field;

#define DX_LOG_TEXT(name, value) ((dx_log_field){.key = (name), .is_text = true, .text = (value)})
#define DX_LOG_NUMBER(name, value) ((dx_log_field){.key = (name), .number = (value)})

/* "error", "warn", "info", "debug"; "auto", "logfmt", "json". False if `name` is none of them. */
bool dx_log_level_from_name(const char *name, dx_log_level *ret);
bool dx_log_format_from_name(const char *name, dx_log_format *ret);
const char *dx_log_level_name(dx_log_level level);

/* Writes to `fd` (borrowed), each line at once, until it is started. NULL when memory is out. */
DX_MUST_USE dx_log_sink *dx_log_sink_new(int fd);
/* Stops it. NULL is allowed. */
void dx_log_sink_free(dx_log_sink *sink);

/* Gets lines instead of the descriptor. level: its name; text: the message, and fields as in logfmt; without
 * control bytes, NUL-terminated. Any thread, several at once. */
typedef void dx_log_taker(void *context, const char *level, const char *text);

/* Before it is started. */
void dx_log_sink_set_taker(dx_log_sink *sink, dx_log_taker *taker, void *context);
void dx_log_sink_set_format(dx_log_sink *sink, dx_log_format format);
void dx_log_sink_set_level(dx_log_sink *sink, dx_log_level level);
dx_log_level dx_log_sink_level(const dx_log_sink *sink);

/* From here on lines are written by a thread of the sink's, which waits while `fd` takes none, and says how
 * many were lost meanwhile. Does nothing if it is so already.
 * Errors: DX_ERR_MEMORY, DX_ERR_SYSTEM. */
DX_MUST_USE dx_err dx_log_sink_start(dx_log_sink *sink);
/* Writes what waits, for a second at most. From here on as before it was started. */
void dx_log_sink_stop(dx_log_sink *sink);

/* The message of the last line at DX_LOG_ERROR; "" if there was none. */
void dx_log_sink_last_error(dx_log_sink *sink, char ret[DX_LOG_LAST_BYTES]);

/* Whether lines of this level are written: for those that cost something to make. */
bool dx_log_is_on(const dx_log *log, dx_log_level level);

/* One line. `log` may be NULL: nothing happens. Text is cut at 1023 bytes. */
void dx_log_write(const dx_log *log, dx_log_level level, const char *format, ...) DX_PRINTF(3, 4);
/* The same with fields (borrowed). */
void dx_log_line(const dx_log *log, dx_log_level level, dx_bytes message,
                 const dx_log_field *fields, size_t fields_count);

#endif
