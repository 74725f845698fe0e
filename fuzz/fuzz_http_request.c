/* Request heads: cut anywhere they read the same, and what is read keeps its promises.
 * Input: a byte that seeds the cuts, then the stream, perhaps several heads.
 * SPDX-License-Identifier: MIT */
#include "codec/http_list.h"
#include "codec/http_message.h"
#include "codec/url.h"
#include "fuzz/fuzz.h"

#define FIELDS_MAX 20

typedef struct result {
    dx_http_status status;
    size_t consumed;
    uint64_t digest;
} result;

static uint64_t digest_add(uint64_t digest, const void *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ ((const uint8_t *)at)[i]) * 0x100000001b3;
    return digest;
}

static uint64_t bytes_add(uint64_t digest, dx_bytes bytes)
{
    digest = digest_add(digest, &bytes.size, sizeof bytes.size);
    return digest_add(digest, bytes.at, bytes.size);
}

static uint64_t head_digest(const dx_http_request_head *h)
{
    uint64_t parts[] = {h->framing.body,
                        h->framing.content_length,
                        h->framing.keep_alive,
                        h->framing.expect_continue,
                        h->framing.upgrade_websocket,
                        h->method,
                        h->target_form,
                        h->minor_version,
                        h->query.at != NULL,
                        h->fields.count,
                        h->fields.seen};
    uint64_t digest = digest_add(1, parts, sizeof parts);

    digest = bytes_add(bytes_add(digest, h->method_text), h->target);
    digest = bytes_add(bytes_add(bytes_add(digest, h->path), h->query), h->host);
    for (size_t i = 0; i < h->fields.count; i++) {
        digest = bytes_add(bytes_add(digest, h->fields.at[i].name), h->fields.at[i].value);
        FUZZ_CHECK(h->fields.at[i].id == dx_http_name_of(h->fields.at[i].name));
    }
    return digest;
}

static void head_check(const dx_http_request_head *h, dx_bytes in)
{
    const dx_http_fields *f = &h->fields;

    FUZZ_CHECK(f->count <= FIELDS_MAX);
    FUZZ_CHECK(fuzz_is_inside(h->target, in) && fuzz_is_inside(h->query, in));
    FUZZ_CHECK(h->host.size > 0 ? dx_url_is_authority(h->host) : h->minor_version == 0);
    FUZZ_CHECK(dx_bytes_find(h->target, ' ') == h->target.size);
    FUZZ_CHECK(h->minor_version <= 1 &&
               (h->minor_version == 0 || dx_http_fields_has(f, DX_HTTP_HOST)));
    FUZZ_CHECK(h->target_form == DX_HTTP_TARGET_AUTHORITY || h->path.at[0] == '/' ||
               (h->method == DX_HTTP_OPTIONS && h->path.size == 1));
    bool has_coding = dx_http_fields_has(f, DX_HTTP_TRANSFER_ENCODING);
    bool has_length = dx_http_fields_has(f, DX_HTTP_CONTENT_LENGTH);
    FUZZ_CHECK(!(has_coding && has_length));
    FUZZ_CHECK((h->framing.body == DX_HTTP_BODY_CHUNKED) == has_coding);
    FUZZ_CHECK((h->framing.body == DX_HTTP_BODY_LENGTH) == has_length);
    for (size_t i = 0; i < f->count; i++) {
        dx_bytes name = f->at[i].name, value = f->at[i].value;
        FUZZ_CHECK(fuzz_is_inside(name, in) && fuzz_is_inside(value, in) && name.size > 0);
        for (size_t k = 0; k < value.size; k++)
            FUZZ_CHECK(value.at[k] >= ' ' ? value.at[k] != 0x7f : value.at[k] == '\t');
    }
}

/* Feeds up to `size` bytes in an own block. */
static void feed(dx_http_reader *r, dx_bytes all, size_t size, result *ret)
{
    dx_http_field memory[FIELDS_MAX];
    dx_http_request_head h = {.fields = {.at = memory, .count_max = FIELDS_MAX}};
    dx_bytes in = fuzz_copy((dx_bytes){all.at, size});

    ret->status = dx_http_request_read(r, in, &h, &ret->consumed);
    if (ret->status == DX_HTTP_OK) {
        FUZZ_CHECK(ret->consumed > 0 && ret->consumed <= size);
        head_check(&h, in);
        ret->digest = head_digest(&h);
    }
    fuzz_free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const dx_http_limits limits = {100, 400, FIELDS_MAX};
    dx_bytes all = {data, size};
    dx_http_reader whole, cut;
    uint8_t first = 0;
    unsigned seed;

    if (!dx_bytes_u8(&all, &first))
        return 0;
    seed = first;
    dx_http_reader_init(&whole, &limits);
    dx_http_reader_init(&cut, &limits);
    for (;;) {
        result a = {0}, b = {.status = DX_HTTP_MORE};
        feed(&whole, all, all.size, &a);
        for (size_t to = fuzz_step(&seed); to < all.size && b.status == DX_HTTP_MORE;
             to += fuzz_step(&seed) + 1)
            feed(&cut, all, to, &b);
        if (b.status == DX_HTTP_MORE)
            feed(&cut, all, all.size, &b);
        FUZZ_CHECK(a.status == b.status && a.consumed == b.consumed && a.digest == b.digest);
        if (a.status != DX_HTTP_OK)
            return 0;
        dx_bytes_skip(&all, a.consumed);
    }
}
