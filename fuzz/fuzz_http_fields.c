/* Values of fields: lists, parameters, qualities, dates, ranges, entity tags, offsets.
 * Input: a byte that picks the reader, then the value.
 * SPDX-License-Identifier: MIT */
#include "codec/http_conditions.h"
#include "codec/http_date.h"
#include "codec/http_etag.h"
#include "codec/http_list.h"
#include "codec/http_range.h"
#include "codec/offset.h"
#include "fuzz/fuzz.h"

static void lists_run(dx_bytes in)
{
    dx_bytes rest = in, element;
    size_t total = 0;

    while (dx_http_list_next(&rest, &element)) {
        FUZZ_CHECK(element.size > 0 && fuzz_is_inside(element, in));
        FUZZ_CHECK(dx_bytes_trim(element).size == element.size);
        total += element.size;
        dx_bytes parameters = element, head = dx_http_parameters_head(&parameters);
        dx_http_parameter p;
        FUZZ_CHECK(fuzz_is_inside(head, element));
        while (dx_http_parameter_next(&parameters, &p) == DX_HTTP_PARAMETER_OK) {
            FUZZ_CHECK(p.name.size > 0 && fuzz_is_inside(p.name, in) &&
                       fuzz_is_inside(p.value, in));
            uint8_t *memory = malloc(p.value.size + 1);
            FUZZ_CHECK(dx_http_unquote(p.value, memory) <= p.value.size);
            free(memory);
        }
    }
    FUZZ_CHECK(total <= in.size && rest.size == 0);
}

static void accepts_run(dx_bytes in)
{
    dx_http_field memory[2];
    dx_http_fields f = {.at = memory, .count_max = 2};
    dx_bytes type = DX_BYTES("text/html;level=1");

    FUZZ_CHECK(dx_http_fields_add(&f, DX_BYTES("Accept"), in));
    FUZZ_CHECK(dx_http_fields_add(&f, DX_BYTES("Accept-Encoding"), in));
    FUZZ_CHECK(dx_http_accepts(&f, type) <= 1000 &&
               dx_http_accepts_coding(&f, DX_BYTES("br")) <= 1000);
    if (dx_http_accepts_exactly(&f, type))
        FUZZ_CHECK(dx_http_accepts(&f, type) > 0);
    (void)dx_http_accepts_coding(&f, DX_BYTES("identity"));
}

static void date_run(dx_bytes in)
{
    uint8_t text[DX_HTTP_DATE_SIZE];
    int64_t seconds, again;

    if (!dx_http_date_read(in, 1790000000, &seconds))
        return;
    dx_http_date_write(seconds, text);
    FUZZ_CHECK(dx_http_date_read(dx_bytes_at(text, sizeof text), 0, &again));
    FUZZ_CHECK(again == seconds || seconds == 253402300800); /* a leap second at the end of time */
}

static void range_run(dx_bytes in, uint64_t size)
{
    dx_http_range ranges[DX_HTTP_RANGES_MAX];
    dx_http_content_range content;
    size_t count = 0;
    uint64_t total = 0;

    if (dx_http_range_read(in, size, ranges, &count) == DX_HTTP_RANGE_OK) {
        FUZZ_CHECK(count >= 1 && count <= DX_HTTP_RANGES_MAX);
        for (size_t i = 0; i < count; i++) {
            FUZZ_CHECK(ranges[i].first <= ranges[i].last && ranges[i].last < size);
            total += ranges[i].last - ranges[i].first + 1;
        }
        FUZZ_CHECK(total <= size); /* none overlap */
    }
    if (!dx_http_content_range_read(in, &content) || !content.has_range || !content.has_size)
        return;
    uint8_t text[DX_HTTP_CONTENT_RANGE_MAX];
    dx_http_content_range again;
    size_t written = dx_http_content_range_write(content.range, content.size, text);
    FUZZ_CHECK(dx_http_content_range_read(dx_bytes_at(text, written), &again));
    FUZZ_CHECK(again.size == content.size && again.range.first == content.range.first);
}

static void etag_run(dx_bytes in)
{
    dx_http_etag tag = {DX_BYTES("a,b"), false}, one;
    bool is_one = dx_http_etag_read(in, &one);
    dx_http_etag_list strong = dx_http_etag_list_match(in, tag, true);
    dx_http_etag_list weak = dx_http_etag_list_match(in, tag, false);

    FUZZ_CHECK(strong != DX_HTTP_ETAG_LIST_HIT || weak == DX_HTTP_ETAG_LIST_HIT);
    FUZZ_CHECK((strong == DX_HTTP_ETAG_LIST_BAD) == (weak == DX_HTTP_ETAG_LIST_BAD));
    if (is_one)
        FUZZ_CHECK(fuzz_is_inside(one.opaque, in) && strong != DX_HTTP_ETAG_LIST_BAD);
}

static void conditions_run(dx_bytes in)
{
    static const dx_http_name names[] = {DX_HTTP_IF_MATCH,          DX_HTTP_IF_NONE_MATCH,
                                         DX_HTTP_IF_MODIFIED_SINCE, DX_HTTP_IF_UNMODIFIED_SINCE,
                                         DX_HTTP_IF_RANGE,          DX_HTTP_RANGE};
    dx_http_field memory[8];
    dx_http_fields f = {.at = memory, .count_max = 8};
    dx_http_validators current = {true, true, DX_BYTES("\"v\""), 784111777, 1790000000};
    dx_bytes line;
    uint8_t which = 0;
    bool use_range;

    while (f.count < 8 && dx_bytes_split(&in, '\n', &line) && dx_bytes_u8(&line, &which))
        FUZZ_CHECK(dx_http_fields_add(&f, dx_http_name_text(names[which % DX_COUNT(names)]), line));
    for (unsigned m = 0; m < DX_HTTP_METHOD_COUNT; m++) {
        dx_http_condition c = dx_http_conditions_check((dx_http_method)m, &f, &current, &use_range);
        FUZZ_CHECK(!use_range || (c == DX_HTTP_CONDITION_PROCEED && m == DX_HTTP_GET));
        FUZZ_CHECK(c != DX_HTTP_CONDITION_NOT_MODIFIED || m == DX_HTTP_GET || m == DX_HTTP_HEAD);
    }
}

static void offset_run(dx_bytes in)
{
    uint8_t text[DX_OFFSET_SIZE];
    dx_offset offset;

    if (dx_offset_read(in, &offset) == DX_OFFSET_AT) {
        dx_offset_write(offset, text);
        FUZZ_CHECK(dx_bytes_equal(in, dx_bytes_at(text, sizeof text)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = {data, size};
    uint8_t which = 0;

    if (!dx_bytes_u8(&in, &which))
        return 0;
    switch (which % 7) {
    case 0: lists_run(in); break;
    case 1: accepts_run(in); break;
    case 2: date_run(in); break;
    case 3: range_run(in, which / 7 % 3 == 0 ? 10 : which / 7 % 3 == 1 ? 0 : UINT64_MAX); break;
    case 4: etag_run(in); break;
    case 5: conditions_run(in); break;
    default: offset_run(in); break;
    }
    return 0;
}
