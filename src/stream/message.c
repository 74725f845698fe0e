/* One message of a stream.
 * SPDX-License-Identifier: MIT */
#include "stream/message.h"

#include "base/assert.h"

#include <stdlib.h>

dx_message *dx_message_new(dx_bytes payload, uint64_t origin)
{
    dx_assert(payload.size < UINT32_MAX);
    dx_message *message = malloc(sizeof *message + payload.size);

    if (message == NULL)
        return NULL;
    message->size = (uint32_t)payload.size;
    message->origin = origin;
    message->kind = 0;
    message->is_last = false;
    message->epoch = message->sequence = message->time_ms = 0;
    message->arrived_us = 0;
    atomic_init(&message->refs, 1);
    dx_copy(message->payload, payload.at, payload.size);
    return message;
}

void dx_message_unref(dx_message *message)
{
    if (message && atomic_fetch_sub_explicit(&message->refs, 1, memory_order_acq_rel) == 1)
        free(message);
}
