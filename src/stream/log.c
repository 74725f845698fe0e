/* The log of one stream, in memory.
 * SPDX-License-Identifier: MIT */
#include "stream/log.h"

#include "base/assert.h"

#include <stdlib.h>

static dx_message **slot_of(const dx_log_ring *log, uint64_t sequence)
{
    return &log->at[sequence & (log->capacity - 1)];
}

bool dx_log_reserve(dx_log_ring *log, size_t count, const dx_retention *retention)
{
    uint64_t need = dx_min_u64((uint64_t)log->count + count, (uint64_t)retention->count_max + 1);
    uint32_t capacity = log->capacity ? log->capacity : 8;

    dx_assert(need <= 1u << 31);
    while (capacity < need)
        capacity *= 2;
    if (capacity == log->capacity)
        return true;
    dx_message **at = malloc(capacity * sizeof *at);

    if (at == NULL)
        return false;
    for (uint64_t n = dx_log_first(log); n <= log->tail; n++)
        at[n & (capacity - 1)] = *slot_of(log, n);
    free(log->at);
    log->at = at;
    log->capacity = capacity;
    return true;
}

void dx_log_drop_first(dx_log_ring *log)
{
    dx_assert(log->count > 0);
    dx_message *first = *slot_of(log, dx_log_first(log));

    log->count--;
    log->bytes -= first->size;
    dx_message_unref(first);
}

/* The clock may have been set back since. */
static bool is_older(uint64_t time_ms, uint64_t now_ms, uint64_t age_ms)
{
    return now_ms > time_ms && now_ms - time_ms > age_ms;
}

void dx_log_trim(dx_log_ring *log, uint64_t now_ms, const dx_retention *retention)
{
    while (log->count > retention->count_max ||
           (log->count > 1 && log->bytes > retention->bytes_max))
        dx_log_drop_first(log);
    while (log->count > 0 &&
           is_older((*slot_of(log, dx_log_first(log)))->time_ms, now_ms, retention->age_ms_max))
        dx_log_drop_first(log);
}

void dx_log_push(dx_log_ring *log, dx_message *message)
{
    dx_assert(log->count < log->capacity && message->sequence == log->tail + 1);
    log->tail++;
    *slot_of(log, log->tail) = message;
    log->count++;
    log->bytes += message->size;
    log->time_ms = message->time_ms;
}

void dx_log_append(dx_log_ring *log, dx_message *message, uint64_t now_ms,
                   const dx_retention *retention)
{
    message->sequence = log->tail + 1;
    message->time_ms = now_ms > log->time_ms ? now_ms : log->time_ms;
    dx_log_push(log, message);
    dx_log_trim(log, now_ms, retention);
}

void dx_log_reset(dx_log_ring *log, uint64_t tail)
{
    while (log->count > 0)
        dx_log_drop_first(log);
    log->tail = tail;
}

dx_message *dx_log_at(const dx_log_ring *log, uint64_t sequence)
{
    dx_assert(sequence >= dx_log_first(log) && sequence <= log->tail);
    return *slot_of(log, sequence);
}

void dx_log_deinit(dx_log_ring *log)
{
    dx_log_reset(log, log->tail);
    free(log->at);
    log->at = NULL;
    log->capacity = 0;
}
