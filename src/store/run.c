/* Messages in a row, as bytes.
 * SPDX-License-Identifier: MIT */
#include "store/run.h"

#include "base/assert.h"
#include "store/crc32c.h"
#include "store/varint.h"

enum { FLAG_LAST = 1, FLAG_FRESH = 2, FLAG_ORIGIN = 4, KIND_SHIFT = 3 };

static void write_one(dx_buffer *to, const dx_message *message, const dx_message *before)
{
    bool is_fresh = before == NULL || before->epoch != message->epoch;
    uint8_t *at = to->at + to->size;

    dx_assert(message->kind < DX_RUN_KINDS_COUNT);
    *at++ = (uint8_t)((message->is_last ? FLAG_LAST : 0) | (is_fresh ? FLAG_FRESH : 0) |
                      (message->origin ? FLAG_ORIGIN : 0) | message->kind << KIND_SHIFT);
    if (is_fresh)
        at += dx_varint_write(at, message->epoch);
    at += dx_varint_write(at, is_fresh ? message->time_ms : message->time_ms - before->time_ms);
    if (message->origin)
        at += dx_varint_write(at, message->origin);
    at += dx_varint_write(at, message->size);
    dx_copy(at, message->payload, message->size);
    to->size = (size_t)(at - to->at) + message->size;
}

bool dx_run_append(dx_buffer *to, dx_message *const *messages, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += DX_RUN_HEAD_BYTES_MAX + messages[i]->size;
    if (!dx_buffer_reserve(to, bytes))
        return false;
    for (size_t i = 0; i < count; i++) {
        dx_assert(i == 0 || messages[i]->sequence == messages[i - 1]->sequence + 1);
        write_one(to, messages[i], i ? messages[i - 1] : NULL);
    }
    return true;
}

dx_run_status dx_run_next(dx_run_reader *reader, dx_run_item *ret)
{
    dx_bytes cur = reader->rest;
    uint64_t epoch = reader->epoch, time_ms, origin = 0;
    dx_bytes payload;
    uint8_t flags;

    if (!dx_bytes_u8(&cur, &flags))
        return DX_RUN_END;
    if (flags & FLAG_FRESH ? !dx_varint_read(&cur, &epoch) : !reader->is_begun)
        return DX_RUN_DAMAGED;
    if (!dx_varint_read(&cur, &time_ms))
        return DX_RUN_DAMAGED;
    if (flags & FLAG_ORIGIN && !dx_varint_read(&cur, &origin))
        return DX_RUN_DAMAGED;
    if (!dx_varint_take(&cur, &payload) || payload.size >= UINT32_MAX)
        return DX_RUN_DAMAGED;
    if (!(flags & FLAG_FRESH))
        time_ms += reader->time_ms;
    *reader = (dx_run_reader){cur, epoch, time_ms, true};
    *ret = (dx_run_item){
        (uint8_t)(flags >> KIND_SHIFT), flags & FLAG_LAST, epoch, time_ms, origin, payload};
    return DX_RUN_ITEM;
}

dx_message *dx_run_message(const dx_run_item *item, uint64_t sequence)
{
    dx_message *message = dx_message_new(item->payload, item->origin);

    if (message == NULL)
        return NULL;
    message->kind = item->kind;
    message->is_last = item->is_last;
    message->epoch = item->epoch;
    message->sequence = sequence;
    message->time_ms = item->time_ms;
    return message;
}

uint32_t dx_run_sum(uint64_t stream, uint64_t first, uint64_t count, uint64_t life, dx_bytes data)
{
    uint32_t sum = dx_crc32c_u64(0, stream);

    sum = dx_crc32c_u64(sum, first);
    sum = dx_crc32c_u64(sum, count);
    sum = dx_crc32c_u64(sum, life);
    return dx_crc32c(sum, data);
}
