/* Deflating: what is written reads back, with an inflater that keeps no more than was agreed; what
 * does not fit leaves both sides in step.
 * Input: level, window bits, takeover, room, then messages: size (2 bytes), bytes.
 * SPDX-License-Identifier: MIT */
#include "codec/deflate.h"
#include "fuzz/choice.h"
#include "fuzz/fuzz.h"

static void check_inflates(dx_inflater *f, bool keep, dx_bytes packed, dx_bytes want)
{
    uint8_t *back = malloc(want.size + 1);
    dx_span out = {back, want.size + 1};

    dx_assert(back != NULL);
    dx_inflater_begin(f, keep, want.size);
    dx_assert(dx_inflate_piece(f, &packed, true, &out) == DX_INFLATE_DONE);
    dx_assert(dx_bytes_equal(dx_bytes_at(back, (size_t)(out.at - back)), want));
    free(back);
}

static void check_message(dx_deflater *d, dx_inflater *f, unsigned bits, uint8_t choices,
                          dx_bytes in)
{
    bool keep = choices & 1;
    size_t room = choices & 2 ? in.size + DX_DEFLATE_ROOM : dx_deflate_bound(in.size), size = 0;
    uint8_t *packed = malloc(room);

    dx_assert(packed != NULL);
    dx_err err = dx_deflate_message(d, bits, in, (dx_span){packed, room}, &size);
    dx_assert(err == DX_OK || ((choices & 2) && err == DX_ERR_TOO_LARGE));
    if (err == DX_OK) {
        dx_assert(size > 0 && size <= room - DX_DEFLATE_ROOM);
        check_inflates(f, keep, dx_bytes_at(packed, size), in);
    }
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = dx_bytes_at(data, size), message;
    int level = fuzz_byte(&in) % 10;
    unsigned bits = 8 + fuzz_byte(&in) % 8;
    uint8_t choices = fuzz_byte(&in);
    dx_deflater *d;
    dx_inflater *f;
    uint16_t count;

    dx_assert(dx_deflater_new(level, choices & 1 ? bits : 0, &d) == DX_OK);
    dx_assert(dx_inflater_new(bits, &f) == DX_OK);
    while (dx_bytes_u16(&in, &count)) {
        bool taken = dx_bytes_take(&in, dx_min_size(count, in.size), &message);
        dx_assert(taken);
        check_message(d, f, bits, choices, message);
    }
    dx_deflater_free(d);
    dx_inflater_free(f);
    return 0;
}
