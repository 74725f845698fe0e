/* Inflating messages: zlib in raw mode, fed piece by piece, then with the tail the peer left out.
 * SPDX-License-Identifier: MIT */
#include "codec/deflate.h"

#include "base/assert.h"
#include "codec/deflate_alloc.h"

/* What a sender takes off the end of each message (RFC 7692 §7.2.1). */
static const uint8_t flush_tail[4] = {0x00, 0x00, 0xff, 0xff};

struct dx_inflater {
    z_stream zlib;
    size_t bytes_left;    /* that the message may still become */
    uint8_t tail_left;    /* bytes of flush_tail not yet fed */
    bool is_between;      /* the last message ended well: its window may be kept */
    bool is_empty;        /* no byte of the message has come */
    bool is_stream_ended; /* a block with BFINAL has ended and nothing came behind it */
    bool has_pending;     /* zlib ran out of room: it may hold output without needing input */
};

dx_err dx_inflater_new(unsigned window_bits, dx_inflater **ret)
{
    dx_assert(window_bits >= 8 && window_bits <= 15);
    dx_inflater *f = calloc(1, sizeof *f);
    if (f == NULL)
        return DX_ERR_MEMORY;
    f->zlib.zalloc = dx_zlib_take;
    f->zlib.zfree = dx_zlib_give;
    if (inflateInit2(&f->zlib, -(int)window_bits) != Z_OK) {
        free(f);
        return DX_ERR_MEMORY;
    }
    dx_inflater_begin(f, false, 0);
    *ret = f;
    return DX_OK;
}

void dx_inflater_free(dx_inflater *inflater)
{
    if (inflater == NULL)
        return;
    inflateEnd(&inflater->zlib);
    free(inflater);
}

/* Goes on behind a block with BFINAL: a new stream that still sees the window (RFC 7692 §7.2.3.4 and
 * §7.2.3.5). inflateReset would lose it, and fetching and setting it again would cost a copy of 32 KiB
 * for every two bytes that a peer cares to send. */
static void begin_stream(dx_inflater *f)
{
    int code = inflateResetKeep(&f->zlib);
    dx_assert(code == Z_OK);
    f->is_stream_ended = false;
}

void dx_inflater_begin(dx_inflater *inflater, bool keep_window, size_t bytes_max)
{
    if (!keep_window || !inflater->is_between) {
        int code = inflateReset(&inflater->zlib);
        dx_assert(code == Z_OK);
        inflater->is_stream_ended = false;
    }
    inflater->bytes_left = bytes_max;
    inflater->tail_left = sizeof flush_tail;
    inflater->is_between = inflater->has_pending = false;
    inflater->is_empty = true;
}

/* One call of zlib. DX_INFLATE_DONE means only that it went well. */
static dx_inflate_status step(dx_inflater *f, dx_bytes *in, dx_span *out)
{
    uint8_t spill; /* at the limit: one byte more is one too many */
    dx_span room = f->bytes_left > 0 ? *out : (dx_span){&spill, 1};

    if (f->is_stream_ended && in->size > 0)
        begin_stream(f);
    if (f->bytes_left > 0)
        room.size = dx_zlib_size(dx_min_size(room.size, f->bytes_left));
    f->zlib.next_in = in->at, f->zlib.avail_in = dx_zlib_size(in->size);
    f->zlib.next_out = room.at, f->zlib.avail_out = (unsigned)room.size;
    size_t taken = f->zlib.avail_in;
    int code = inflate(&f->zlib, Z_SYNC_FLUSH);
    taken -= f->zlib.avail_in;
    size_t written = room.size - f->zlib.avail_out;

    dx_bytes_skip(in, taken);
    f->has_pending = f->zlib.avail_out == 0;
    f->is_stream_ended = code == Z_STREAM_END;
    if (written > 0 && f->bytes_left == 0)
        return DX_INFLATE_TOO_LARGE;
    if (written > 0)
        out->at += written, out->size -= written, f->bytes_left -= written;
    if (code == Z_MEM_ERROR)
        return DX_INFLATE_MEMORY;
    /* Z_BUF_ERROR: nothing could be done, which the caller's loop sees by itself */
    return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR ? DX_INFLATE_DONE
                                                                       : DX_INFLATE_BAD;
}

/* True between two blocks, at a byte's boundary, with nothing held back. zlib tells in data_type:
 * 128 is "between blocks", the lower bits count what is left of a byte. */
static bool is_at_boundary(const dx_inflater *f)
{
    return f->is_stream_ended || f->zlib.data_type == 128;
}

static dx_inflate_status end(dx_inflater *f)
{
    f->is_between = true;
    return DX_INFLATE_DONE;
}

dx_inflate_status dx_inflate_piece(dx_inflater *inflater, dx_bytes *in, bool last, dx_span *out)
{
    dx_inflater *f = inflater;

    dx_assert(!f->is_between); /* begin was called */
    f->is_empty = f->is_empty && in->size == 0;
    if (last && f->is_empty) /* some senders leave out even the octet 00 */
        return end(f);
    for (;;) {
        dx_bytes tail = {flush_tail + (sizeof flush_tail - f->tail_left), f->tail_left};
        bool is_tail = in->size == 0 && last;

        /* behind a block with BFINAL that ends the message nothing was left out */
        if (is_tail && f->is_stream_ended && f->tail_left == sizeof flush_tail)
            return end(f);
        if (is_tail && f->tail_left == 0) {
            if (is_at_boundary(f))
                return end(f);
            if (!f->has_pending)
                return DX_INFLATE_BAD; /* cut inside a block */
        }
        if (in->size == 0 && !last && !f->has_pending)
            return DX_INFLATE_DONE;
        if (out->size == 0 && f->bytes_left > 0)
            return DX_INFLATE_FULL;
        dx_inflate_status status = step(f, is_tail ? &tail : in, out);
        if (status != DX_INFLATE_DONE)
            return status;
        if (is_tail)
            f->tail_left = (uint8_t)tail.size;
    }
}
