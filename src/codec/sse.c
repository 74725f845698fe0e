/* Server-sent events: writing them.
 * SPDX-License-Identifier: MIT */
#include "codec/sse.h"

#include "base/assert.h"
#include "codec/base64.h"

static void put(dx_sse_writer *w, dx_bytes bytes)
{
    if (w->size < w->room)
        dx_copy(w->at + w->size, bytes.at, dx_min_size(bytes.size, w->room - w->size));
    w->size += bytes.size;
}

void dx_sse_write_field(dx_sse_writer *w, const char *name, dx_bytes value)
{
    dx_assert(!w->is_in_data);
    for (size_t i = 0; i < value.size; i++)
        dx_assert(value.at[i] != '\n' && value.at[i] != '\r' && value.at[i] != 0);
    put(w, dx_bytes_of(name));
    put(w, DX_BYTES(": "));
    put(w, value);
    put(w, DX_BYTES("\n"));
}

static void begin_line(dx_sse_writer *w)
{
    put(w, w->is_in_data ? DX_BYTES("\ndata:") : DX_BYTES("data:"));
    w->is_in_data = w->is_at_start = true;
}

/* A part of one line. A reader takes one blank off the front of a value: one that is meant gets a second. */
static void put_line_part(dx_sse_writer *w, dx_bytes part)
{
    if (part.size == 0)
        return;
    if (w->is_at_start && part.at[0] == ' ')
        put(w, DX_BYTES(" "));
    w->is_at_start = false;
    put(w, part);
}

/* Where the byte is in [at, end), or `end`. */
static const uint8_t *find(const uint8_t *at, const uint8_t *end, int byte)
{
    const uint8_t *found = memchr(at, byte, (size_t)(end - at));
    return found ? found : end;
}

void dx_sse_write_data(dx_sse_writer *w, dx_bytes piece)
{
    if (!w->is_in_data)
        begin_line(w);
    if (piece.size == 0)
        return;
    if (w->is_after_cr && piece.at[0] == '\n')
        dx_bytes_skip(&piece, 1);
    w->is_after_cr = false;
    if (piece.size == 0)
        return;
    const uint8_t *at = piece.at, *end = at + piece.size;
    const uint8_t *lf = find(at, end, '\n'), *cr = find(at, end, '\r');
    while (lf < end || cr < end) {
        const uint8_t *stop = lf < cr ? lf : cr;
        put_line_part(w, dx_bytes_at(at, (size_t)(stop - at)));
        begin_line(w);
        w->is_after_cr = *stop == '\r' && stop + 1 == end;
        at = stop + (*stop == '\r' && stop + 1 < end && stop[1] == '\n' ? 2 : 1);
        if (lf < at)
            lf = find(at, end, '\n');
        if (cr < at)
            cr = find(at, end, '\r');
    }
    put_line_part(w, dx_bytes_at(at, (size_t)(end - at)));
}

void dx_sse_write_base64(dx_sse_writer *w, dx_bytes data)
{
    size_t size = DX_BASE64_TEXT_SIZE(data.size);

    dx_assert(!w->is_in_data);
    begin_line(w);
    if (w->size <= w->room && size <= w->room - w->size) /* whole, or only counted */
        dx_base64_write(data, (char *)w->at + w->size);
    w->size += size;
}

void dx_sse_write_end(dx_sse_writer *w)
{
    put(w, w->is_in_data ? DX_BYTES("\n\n") : DX_BYTES("\n"));
    w->is_in_data = w->is_at_start = w->is_after_cr = false;
}
