/* The log: levels, and the thread that writes.
 * SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "base/clock.h"
#include "base/log_line.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE_BYTES =
        4096, /* written at once: a pipe that poll() calls writable takes as many without waiting */
    TRY_MS = 100, /* between looks whether to give up */
    STOP_MS = 1000,
};

struct dx_log_sink {
    int fd;
    dx_log_format format; /* not AUTO */
    dx_log_taker *taker;  /* NULL: lines go to fd */
    void *taker_context;
    atomic_int level;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    pthread_t writer;
    bool is_running, is_over, is_done;
    uint8_t *waiting, *writing; /* DX_LOG_WAITING_BYTES each; the latter is the writer's */
    size_t waiting_bytes;
    uint64_t lost_count; /* lines, since the last batch */
    char last_error[DX_LOG_LAST_BYTES];
};

/* ---- names ------------------------------------------------------------------------------------ */

static const char *const level_names[] = {
    [DX_LOG_ERROR] = "error",
    [DX_LOG_WARN] = "warn",
    [DX_LOG_INFO] = "info",
    [DX_LOG_DEBUG] = "debug",
};

static const char *const format_names[] = {
    [DX_LOG_AUTO] = "auto", [DX_LOG_LOGFMT] = "logfmt", [DX_LOG_JSON] = "json"};

bool dx_log_level_from_name(const char *name, dx_log_level *ret)
{
    for (size_t i = 0; i < DX_COUNT(level_names); i++)
        if (strcmp(name, level_names[i]) == 0) {
            *ret = (dx_log_level)i;
            return true;
        }
    return false;
}

bool dx_log_format_from_name(const char *name, dx_log_format *ret)
{
    for (size_t i = 0; i < DX_COUNT(format_names); i++)
        if (strcmp(name, format_names[i]) == 0) {
            *ret = (dx_log_format)i;
            return true;
        }
    return false;
}

const char *dx_log_level_name(dx_log_level level)
{
    return level_names[level];
}

/* ---- making ----------------------------------------------------------------------------------- */

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

dx_log_sink *dx_log_sink_new(int fd)
{
    dx_log_sink *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->fd = fd;
    atomic_init(&s->level, DX_LOG_INFO);
    pthread_mutex_init(&s->lock, NULL);
    init_condition(&s->changed);
    dx_log_sink_set_format(s, DX_LOG_AUTO);
    return s;
}

void dx_log_sink_free(dx_log_sink *s)
{
    if (s == NULL)
        return;
    dx_log_sink_stop(s);
    if (s->is_over) /* a writer that could not be stopped has it still: kept */
        return;
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}

void dx_log_sink_set_format(dx_log_sink *s, dx_log_format format)
{
    s->format = format != DX_LOG_AUTO ? format : isatty(s->fd) ? DX_LOG_LOGFMT : DX_LOG_JSON;
}

void dx_log_sink_set_taker(dx_log_sink *s, dx_log_taker *taker, void *context)
{
    s->taker = taker;
    s->taker_context = context;
}

void dx_log_sink_set_level(dx_log_sink *s, dx_log_level level)
{
    atomic_store_explicit(&s->level, (int)level, memory_order_relaxed);
}

dx_log_level dx_log_sink_level(const dx_log_sink *s)
{
    return (dx_log_level)atomic_load_explicit(&s->level, memory_order_relaxed);
}

void dx_log_sink_last_error(dx_log_sink *s, char ret[DX_LOG_LAST_BYTES])
{
    pthread_mutex_lock(&s->lock);
    memcpy(ret, s->last_error, DX_LOG_LAST_BYTES);
    pthread_mutex_unlock(&s->lock);
}

/* ---- the writer ------------------------------------------------------------------------------- */

/* As much of it as may be written at once, and whole lines if there are any. */
static size_t piece_of(const uint8_t *at, size_t size)
{
    size_t most = dx_min_size(size, PIECE_BYTES), end = most;

    while (end > 0 && at[end - 1] != '\n')
        end--;
    return end > 0 ? end : most;
}

static bool is_to_give_up(dx_log_sink *s, uint64_t *due_ms)
{
    pthread_mutex_lock(&s->lock);
    bool is_over = s->is_over;
    pthread_mutex_unlock(&s->lock);
    if (is_over && *due_ms == 0)
        *due_ms = dx_clock_ms() + STOP_MS / 2;
    return *due_ms > 0 && dx_clock_ms() > *due_ms;
}

/* A log that cannot be written stops nothing. */
static void write_out(dx_log_sink *s, const uint8_t *at, size_t size, uint64_t *due_ms)
{
    while (size > 0) {
        struct pollfd ready = {.fd = s->fd, .events = POLLOUT};
        if (poll(&ready, 1, TRY_MS) == 0) {
            if (is_to_give_up(s, due_ms))
                return;
            continue;
        }
        ssize_t written = write(s->fd, at, piece_of(at, size));
        if (written < 0 && errno != EINTR && errno != EAGAIN)
            return;
        if (written > 0) {
            at += written;
            size -= (size_t)written;
        }
    }
}

static void write_lost(dx_log_sink *s, uint64_t count, uint64_t *due_ms)
{
    uint8_t line[DX_LOG_LINE_BYTES];
    const dx_log_field lines = DX_LOG_NUMBER("lines", count);
    const dx_log_event event = {dx_clock_wall_ms(),
                                DX_LOG_WARN,
                                -1,
                                DX_BYTES("lines were lost: the log is not read fast enough"),
                                &lines,
                                1};

    if (count > 0)
        write_out(s, line, dx_log_line_write(&event, s->format, line), due_ms);
}

static void *write_lines(void *context)
{
    dx_log_sink *s = context;
    uint64_t due_ms = 0;

    pthread_mutex_lock(&s->lock);
    while (s->waiting_bytes > 0 || !s->is_over) {
        if (s->waiting_bytes == 0) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        uint8_t *batch = s->waiting;
        size_t size = s->waiting_bytes;
        uint64_t lost = s->lost_count;
        s->waiting = s->writing;
        s->writing = batch;
        s->waiting_bytes = s->lost_count = 0;
        pthread_mutex_unlock(&s->lock);
        write_out(s, batch, size, &due_ms);
        write_lost(s, lost, &due_ms);
        pthread_mutex_lock(&s->lock);
    }
    s->is_done = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void free_buffers(dx_log_sink *s)
{
    free(s->waiting);
    free(s->writing);
    s->waiting = s->writing = NULL;
}

static dx_err start_writer(dx_log_sink *s)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before); /* they are for others */
    int error = pthread_create(&s->writer, NULL, write_lines, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? DX_OK : DX_ERR_SYSTEM;
}

dx_err dx_log_sink_start(dx_log_sink *s)
{
    if (s->is_running || s->taker)
        return DX_OK;
    s->waiting = malloc(DX_LOG_WAITING_BYTES);
    s->writing = malloc(DX_LOG_WAITING_BYTES);
    s->is_over = s->is_done = false;
    dx_err err = s->waiting && s->writing ? start_writer(s) : DX_ERR_MEMORY;
    pthread_mutex_lock(&s->lock);
    if (err == DX_OK)
        s->is_running = true;
    else
        free_buffers(s);
    pthread_mutex_unlock(&s->lock);
    return err;
}

/* False: it hangs in a write. */
static bool wait_for_writer(dx_log_sink *s)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += STOP_MS / 1000;
    while (!s->is_done && pthread_cond_timedwait(&s->changed, &s->lock, &until) != ETIMEDOUT)
        ;
    return s->is_done;
}

void dx_log_sink_stop(dx_log_sink *s)
{
    pthread_mutex_lock(&s->lock);
    if (!s->is_running) {
        pthread_mutex_unlock(&s->lock);
        return;
    }
    s->is_over = true;
    pthread_cond_broadcast(&s->changed);
    bool is_done = wait_for_writer(s);
    s->is_running = false;
    pthread_mutex_unlock(&s->lock);
    if (!is_done) {
        pthread_detach(s->writer);
        return;
    }
    pthread_join(s->writer, NULL);
    free_buffers(s);
    s->is_over = false;
}

/* ---- lines ------------------------------------------------------------------------------------ */

bool dx_log_is_on(const dx_log *log, dx_log_level level)
{
    return log && log->sink && level <= dx_log_sink_level(log->sink);
}

/* With the lock: into the buffer, or out at once while nobody has a loop to turn. */
static void take(dx_log_sink *s, dx_log_level level, const uint8_t *line, size_t size)
{
    size_t most = level <= DX_LOG_WARN ? DX_LOG_WAITING_BYTES : DX_LOG_WAITING_BYTES / 4 * 3;

    if (!s->is_running) {
        ssize_t ignored = s->is_over ? 0 : write(s->fd, line, size);
        (void)ignored;
        return;
    }
    if (s->waiting_bytes + size > most) {
        s->lost_count++;
        return;
    }
    memcpy(s->waiting + s->waiting_bytes, line, size);
    s->waiting_bytes += size;
    if (s->waiting_bytes == size)
        pthread_cond_signal(&s->changed);
}

static void remember(dx_log_sink *s, dx_bytes message)
{
    pthread_mutex_lock(&s->lock);
    snprintf(s->last_error, DX_LOG_LAST_BYTES, "%.*s", DX_FORMAT(message));
    pthread_mutex_unlock(&s->lock);
}

void dx_log_line(const dx_log *log, dx_log_level level, dx_bytes message,
                 const dx_log_field *fields, size_t fields_count)
{
    uint8_t line[DX_LOG_LINE_BYTES];

    if (!dx_log_is_on(log, level))
        return;
    dx_log_sink *s = log->sink;
    const dx_log_event event = {dx_clock_wall_ms(), level, log->worker, message, fields,
                                fields_count};
    if (level == DX_LOG_ERROR)
        remember(s, message);
    if (s->taker) {
        dx_log_line_write_bare(&event, line);
        s->taker(s->taker_context, level_names[level], (const char *)line);
        return;
    }
    size_t size = dx_log_line_write(&event, s->format, line);
    pthread_mutex_lock(&s->lock);
    take(s, level, line, size);
    pthread_mutex_unlock(&s->lock);
}

void dx_log_write(const dx_log *log, dx_log_level level, const char *format, ...)
{
    char text[1024];
    va_list args;

    if (!dx_log_is_on(log, level))
        return;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0)
        return;
    dx_log_line(log, level, dx_bytes_at(text, dx_min_size((size_t)size, sizeof text - 1)), NULL, 0);
}
