/* Response heads: cut anywhere they read the same.
 * Input: a byte that seeds the cuts and names the method, then the stream.
 * SPDX-License-Identifier: MIT */
#include "codec/http_message.h"
#include "fuzz/fuzz.h"

#define FIELDS_MAX 20

typedef struct result {
    dx_http_status status;
    size_t consumed, fields_count, values_size;
    unsigned code;
    dx_http_framing framing;
} result;

static void feed(dx_http_reader *r, dx_bytes all, size_t size, dx_http_method method, result *ret)
{
    dx_http_field memory[FIELDS_MAX];
    dx_http_response_head h = {.fields = {.at = memory, .count_max = FIELDS_MAX}};
    dx_bytes in = fuzz_copy((dx_bytes){all.at, size});

    *ret = (result){.status = dx_http_response_read(r, in, method, &h, &ret->consumed)};
    if (ret->status == DX_HTTP_OK) {
        FUZZ_CHECK(h.code >= 100 && h.code <= 999 && fuzz_is_inside(h.reason, in));
        FUZZ_CHECK(h.framing.body != DX_HTTP_BODY_CLOSE || !h.framing.keep_alive);
        FUZZ_CHECK(h.framing.body == DX_HTTP_BODY_NONE || (h.code >= 200 && h.code != 204));
        ret->code = h.code, ret->framing = h.framing, ret->fields_count = h.fields.count;
        for (size_t i = 0; i < h.fields.count; i++) {
            FUZZ_CHECK(fuzz_is_inside(memory[i].name, in) && fuzz_is_inside(memory[i].value, in));
            ret->values_size += memory[i].value.size;
        }
    }
    fuzz_free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const dx_http_limits limits = {100, 400, FIELDS_MAX};
    dx_bytes all = {data, size};
    dx_http_reader whole, cut;
    uint8_t first = 0;
    result a, b = {.status = DX_HTTP_MORE};

    if (!dx_bytes_u8(&all, &first))
        return 0;
    dx_http_method method = (dx_http_method)(first % DX_HTTP_METHOD_COUNT);
    unsigned seed = first;
    dx_http_reader_init(&whole, &limits);
    dx_http_reader_init(&cut, &limits);
    feed(&whole, all, all.size, method, &a);
    for (size_t to = fuzz_step(&seed); to < all.size && b.status == DX_HTTP_MORE;
         to += fuzz_step(&seed) + 1)
        feed(&cut, all, to, method, &b);
    if (b.status == DX_HTTP_MORE)
        feed(&cut, all, all.size, method, &b);
    FUZZ_CHECK(a.status == b.status && a.code == b.code && a.fields_count == b.fields_count);
    FUZZ_CHECK(a.values_size == b.values_size && a.framing.body == b.framing.body);
    FUZZ_CHECK(a.framing.content_length == b.framing.content_length);
    FUZZ_CHECK(a.framing.keep_alive == b.framing.keep_alive);
    return 0;
}
