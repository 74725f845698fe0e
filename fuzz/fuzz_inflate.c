/* Inflating: in any cut the same as at once, never above the limit, and what a slow model gives that
 * fetches and sets the window behind each BFINAL block.
 * Input: limit (2 bytes), steps of input and output, takeover, then messages: size (2 bytes), bytes.
 * SPDX-License-Identifier: MIT */
#include "codec/deflate.h"
#include "codec/deflate_alloc.h"
#include "fuzz/choice.h"
#include "fuzz/fuzz.h"

enum { LIMIT_MAX = 65535 };

typedef struct result {
    dx_inflate_status status;
    size_t size;
    uint8_t bytes[LIMIT_MAX + 1];
} result;

/* Pieces of `in_step` into rooms of `out_step` bytes; 0: all at once. */
static void inflate_cut(dx_inflater *f, dx_bytes in, size_t in_step, size_t out_step, result *ret)
{
    bool last = false;

    ret->size = 0;
    do {
        size_t step = in_step ? dx_min_size(in_step, in.size) : in.size;
        dx_bytes copy = fuzz_copy(dx_bytes_at(in.at, step)), piece = copy;
        dx_bytes_skip(&in, step);
        last = in.size == 0;
        do {
            dx_span out = {ret->bytes + ret->size, out_step ? out_step : LIMIT_MAX + 1};
            out.size = dx_min_size(out.size, sizeof ret->bytes - ret->size);
            dx_assert(out.size > 0);
            size_t room = out.size;
            ret->status = dx_inflate_piece(f, &piece, last, &out);
            ret->size += room - out.size;
        } while (ret->status == DX_INFLATE_FULL);
        dx_assert(ret->status != DX_INFLATE_DONE || piece.size == 0);
        fuzz_free(copy);
    } while (ret->status == DX_INFLATE_DONE && !last);
}

/* A new zlib stream with the window of the last one. */
static void model_begin(z_stream *z)
{
    uint8_t window[32768];
    unsigned size = sizeof window;
    dx_assert(inflateGetDictionary(z, window, &size) == Z_OK);
    dx_assert(inflateReset(z) == Z_OK);
    if (size > 0)
        dx_assert(inflateSetDictionary(z, window, size) == Z_OK);
}

/* All of `in` and the tail. False if zlib refuses; the output may be cut by `limit`. */
static bool model_inflate(z_stream *z, dx_bytes in, size_t limit, result *ret)
{
    uint8_t *all = malloc(in.size + 4);
    bool good = true;

    dx_assert(all != NULL);
    dx_copy(all, in.at, in.size);
    memcpy(all + in.size, "\0\0\xff\xff", 4);
    z->next_in = all, z->avail_in = (unsigned)(in.size + 4);
    z->next_out = ret->bytes, z->avail_out = (unsigned)limit;
    while (good && z->avail_in > 0 && z->avail_out > 0) {
        int code = inflate(z, Z_SYNC_FLUSH);
        if (code == Z_STREAM_END)
            model_begin(z);
        good = code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR;
    }
    ret->size = limit - z->avail_out;
    free(all);
    return good;
}

/* One message in all ways. False when the session is over. */
static bool check_message(dx_inflater *inflaters[2], z_stream *model, dx_bytes in,
                          const uint8_t choices[5])
{
    static result whole, cut, slow;
    size_t limit = choices[0] + 256u * choices[1];
    bool keep = choices[4] & 1;

    for (size_t i = 0; i < 2; i++)
        dx_inflater_begin(inflaters[i], keep, limit);
    inflate_cut(inflaters[0], in, 0, 0, &whole);
    inflate_cut(inflaters[1], in, choices[2], choices[3], &cut);
    dx_assert(whole.status != DX_INFLATE_MEMORY && whole.size <= limit);
    dx_assert(whole.status != DX_INFLATE_TOO_LARGE || whole.size == limit);
    dx_assert(whole.status == cut.status && whole.size == cut.size);
    dx_assert(memcmp(whole.bytes, cut.bytes, whole.size) == 0);
    if (whole.status != DX_INFLATE_DONE)
        return false;
    if (!keep)
        dx_assert(inflateReset(model) == Z_OK);
    if (in.size > 0) { /* the model knows no leniency */
        dx_assert(model_inflate(model, in, limit + 1, &slow));
        dx_assert(slow.size == whole.size && memcmp(slow.bytes, whole.bytes, slow.size) == 0);
    }
    return model->data_type == 128 || in.size == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = dx_bytes_at(data, size), message;
    dx_inflater *inflaters[2];
    z_stream model = {.zalloc = dx_zlib_take, .zfree = dx_zlib_give};
    uint8_t choices[5];
    uint16_t count;

    for (size_t i = 0; i < sizeof choices; i++)
        choices[i] = fuzz_byte(&in);
    dx_assert(dx_inflater_new(15, &inflaters[0]) == DX_OK);
    dx_assert(dx_inflater_new(15, &inflaters[1]) == DX_OK);
    dx_assert(inflateInit2(&model, -15) == Z_OK);
    while (dx_bytes_u16(&in, &count)) {
        bool taken = dx_bytes_take(&in, dx_min_size(count, in.size), &message);
        dx_assert(taken);
        if (!check_message(inflaters, &model, message, choices))
            break;
    }
    dx_inflater_free(inflaters[0]);
    dx_inflater_free(inflaters[1]);
    inflateEnd(&model);
    return 0;
}
