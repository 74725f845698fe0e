/* A row of messages on its way from one worker to another.
 * SPDX-License-Identifier: MIT */
#include "stream/batch.h"

#include "base/assert.h"

#include <stdlib.h>

static bool set_capacity(dx_batch *batch, uint32_t capacity)
{
    dx_message **at = realloc(batch->at, capacity * sizeof *at);

    if (at == NULL)
        return false;
    batch->at = at;
    batch->capacity = capacity;
    return true;
}

bool dx_batch_init(dx_batch *batch)
{
    *batch = (dx_batch){0};
    return set_capacity(batch, DX_BATCH_COUNT_MIN);
}

void dx_batch_deinit(dx_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        dx_message_unref(batch->at[i]);
    free(batch->at);
    *batch = (dx_batch){0};
}

bool dx_batch_add(dx_batch *batch, dx_message *message)
{
    if (batch->count == DX_BATCH_COUNT_MAX ||
        (batch->count > 0 && batch->bytes + message->size > DX_BATCH_BYTES_MAX))
        return false;
    if (batch->count == batch->capacity && !set_capacity(batch, batch->capacity * 2))
        return false;
    batch->at[batch->count++] = dx_message_ref(message);
    batch->bytes += message->size;
    return true;
}

void dx_batch_clear(dx_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        dx_message_unref(batch->at[i]);
    batch->count = 0;
    batch->bytes = 0;
    if (batch->capacity > DX_BATCH_COUNT_MIN && !set_capacity(batch, DX_BATCH_COUNT_MIN))
        return; /* then it stays large */
}
