/* Text that grows.
 * SPDX-License-Identifier: MIT */
#include "serve/text.h"

#include "codec/json.h"

#include <stdarg.h>
#include <stdio.h>

static bool reserve(dx_text *t, size_t more)
{
    size_t room = t->buffer.capacity - t->buffer.size;

    /* at least half as much again, so that many small pieces cost as much as few large ones */
    if (more > room && !dx_buffer_reserve(&t->buffer, dx_max_size(more, t->buffer.size / 2 + 1024)))
        t->is_cut = true;
    return !t->is_cut;
}

void dx_text_add(dx_text *t, const char *format, ...)
{
    va_list args;

    if (!reserve(t, 256))
        return;
    size_t room = t->buffer.capacity - t->buffer.size;
    va_start(args, format);
    int size = vsnprintf((char *)t->buffer.at + t->buffer.size, room, format, args);
    va_end(args);
    if (size >= 0 && (size_t)size >= room && reserve(t, (size_t)size + 1)) {
        room = t->buffer.capacity - t->buffer.size;
        va_start(args, format);
        size = vsnprintf((char *)t->buffer.at + t->buffer.size, room, format, args);
        va_end(args);
    }
    if (size >= 0 && (size_t)size < room)
        t->buffer.size += (size_t)size;
}

void dx_text_add_json(dx_text *t, dx_bytes value)
{
    size_t room = 6 * value.size + 2;

    if (reserve(t, room))
        t->buffer.size += dx_json_write_string(value, t->buffer.at + t->buffer.size, room);
}
