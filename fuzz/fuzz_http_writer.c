/* Heads out and in again: whatever is passed to the writer, what comes out reads back as exactly that,
 * or nothing comes out (attack A6).
 * Input: a byte that picks the size of the memory, then lines: method, target, and fields, each a name
 * and a value with a zero byte between, each line ended by the byte 1.
 * SPDX-License-Identifier: MIT */
#include "codec/http_writer.h"
#include "fuzz/fuzz.h"

#define FIELDS_MAX 10

typedef struct script {
    dx_bytes method, target;
    dx_bytes names[FIELDS_MAX], values[FIELDS_MAX];
    size_t count;
} script;

static void script_read(dx_bytes in, script *ret)
{
    dx_bytes line;

    *ret = (script){0};
    (void)dx_bytes_split(&in, 1, &ret->method);
    (void)dx_bytes_split(&in, 1, &ret->target);
    while (ret->count < FIELDS_MAX && dx_bytes_split(&in, 1, &line)) {
        (void)dx_bytes_split(&line, 0, &ret->names[ret->count]);
        ret->values[ret->count] = line;
        ret->count++;
    }
}

static dx_bytes script_write(const script *s, bool is_request, uint8_t *memory, size_t size)
{
    dx_http_writer w;

    dx_http_writer_init(&w, memory, size);
    if (is_request)
        dx_http_write_request(&w, s->method, s->target);
    else
        dx_http_write_status(&w, 200);
    for (size_t i = 0; i < s->count; i++)
        dx_http_write_field(&w, s->names[i], s->values[i]);
    return dx_http_write_end(&w);
}

static void fields_check(const script *s, const dx_http_fields *f)
{
    FUZZ_CHECK(f->count == s->count);
    for (size_t i = 0; i < s->count; i++)
        FUZZ_CHECK(dx_bytes_equal(f->at[i].name, s->names[i]) &&
                   dx_bytes_equal(f->at[i].value, s->values[i]));
}

/* The lines must read back; what the fields mean together may still be a fault (no Host, say): then the
 * response reader tells, which asks less. */
static void read_back(const script *s, bool is_request, dx_bytes head)
{
    dx_http_limits limits = {1 << 20, 1 << 20, FIELDS_MAX};
    dx_http_field memory[FIELDS_MAX];
    dx_http_request_head q = {.fields = {.at = memory, .count_max = FIELDS_MAX}};
    dx_http_response_head a = {.fields = {.at = memory, .count_max = FIELDS_MAX}};
    dx_http_reader r;
    size_t consumed = 0;

    dx_http_reader_init(&r, &limits);
    dx_http_status status = is_request
                                ? dx_http_request_read(&r, head, &q, &consumed)
                                : dx_http_response_read(&r, head, DX_HTTP_GET, &a, &consumed);
    FUZZ_CHECK(status != DX_HTTP_MORE && status != DX_HTTP_FAULT_BARE_LF &&
               status != DX_HTTP_FAULT_BARE_CR && status != DX_HTTP_FAULT_CONTROL_BYTE &&
               status != DX_HTTP_FAULT_REQUEST_LINE && status != DX_HTTP_FAULT_NAME &&
               status != DX_HTTP_FAULT_NO_COLON && status != DX_HTTP_FAULT_FOLD &&
               status != DX_HTTP_FAULT_BLANK_BEFORE_COLON && status != DX_HTTP_FAULT_VERSION &&
               status != DX_HTTP_FAULT_METHOD && status != DX_HTTP_FAULT_STATUS_LINE);
    if (status != DX_HTTP_OK)
        return;
    FUZZ_CHECK(consumed == head.size);
    fields_check(s, is_request ? &q.fields : &a.fields);
    if (is_request)
        FUZZ_CHECK(dx_bytes_equal(q.method_text, s->method) && dx_bytes_equal(q.target, s->target));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = {data, size};
    uint8_t first = 0;
    script s;

    if (!dx_bytes_u8(&in, &first))
        return 0;
    script_read(in, &s);
    size_t room = (first & 1) ? first : in.size + 200;
    uint8_t *memory = malloc(room + 1);
    dx_bytes head = script_write(&s, first & 2, memory, room);
    if (head.at)
        read_back(&s, first & 2, head);
    free(memory);
    return 0;
}
