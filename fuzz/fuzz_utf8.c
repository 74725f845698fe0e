/* UTF-8 against the slow model: whole, cut in two, byte by byte, each variant, and the cuts.
 * Input: where to cut, then the text.
 * SPDX-License-Identifier: MIT */
#include "codec/test_utf8_model.h"
#include "codec/utf8.h"
#include "codec/utf8_inner.h"
#include "fuzz/choice.h"
#include "fuzz/fuzz.h"

static void check_variant(size_t (*run)(dx_bytes in), dx_bytes in, size_t good)
{
    size_t done = run(in);
    dx_assert(done == DX_UTF8_BAD ? good < in.size : done <= good);
    dx_assert(done == DX_UTF8_BAD || utf8_model_is_valid(dx_bytes_at(in.at, done)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = dx_bytes_at(data, size);
    size_t cut = fuzz_byte(&in) + 256u * fuzz_byte(&in);
    dx_utf8 state = {0}, slow = {0};

    in = fuzz_copy(in), cut %= in.size + 1;
    size_t good = utf8_model_good_size(in), fed = 0;
    dx_assert(dx_utf8_is_valid(in) == utf8_model_is_valid(in));
    bool first = dx_utf8_feed(&state, dx_bytes_at(in.at, cut));
    dx_assert(first == (good >= cut));
    if (first)
        dx_assert(dx_utf8_feed(&state, dx_bytes_at(in.at + cut, in.size - cut)) ==
                  (good == in.size));
    while (fed < in.size && dx_utf8_feed(&slow, dx_bytes_at(in.at + fed, 1)))
        fed++;
    dx_assert(fed == good);
    size_t front = dx_utf8_valid_size(in);
    dx_assert(front <= good && good - front < 4 && utf8_model_is_valid(dx_bytes_at(in.at, front)));
    if (utf8_model_is_valid(in))
        dx_assert(utf8_model_is_valid(dx_bytes_at(in.at, dx_utf8_cut(in, cut))));
    check_variant(dx_utf8_plain, in, good);
#if DX_HAVE_X86_SIMD
    if (__builtin_cpu_supports("avx2"))
        check_variant(dx_utf8_avx2, in, good);
#endif
    fuzz_free(in);
    return 0;
}
