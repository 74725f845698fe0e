/* Server-sent events: reading them.
 * SPDX-License-Identifier: MIT */
#include "codec/sse.h"

/* Where in a line. */
typedef enum state {
    AT_START, /* no byte of the line has come */
    IN_NAME,
    AT_VALUE, /* behind the colon: one blank is left out */
    IN_VALUE,
    IN_COMMENT,
} state;

typedef enum field { FIELD_OTHER, FIELD_DATA, FIELD_EVENT, FIELD_ID, FIELD_RETRY } field;

static const uint8_t byte_order_mark[] = {0xef, 0xbb, 0xbf};

void dx_sse_reader_init(dx_sse_reader *r, size_t data_bytes_max)
{
    memset(r, 0, sizeof *r);
    r->data_bytes_max = data_bytes_max;
}

void dx_sse_reader_deinit(dx_sse_reader *r)
{
    dx_buffer_clear(&r->data);
}

static void forget_event(dx_sse_reader *r)
{
    if (r->data.capacity > 65536) /* a large one must not stay for ever */
        dx_buffer_clear(&r->data);
    r->data.size = 0;
    r->type_size = 0;
    r->is_given = false;
}

void dx_sse_reader_restart(dx_sse_reader *r)
{
    forget_event(r);
    r->state = AT_START;
    r->bom = 0;
    r->is_after_cr = false;
    memcpy(r->next_id, r->id, r->id_size);
    r->next_id_size = r->id_size;
}

/* ---- one line --------------------------------------------------------------------------------- */

static void begin_field(dx_sse_reader *r)
{
    static const char *const names[] = {
        [FIELD_DATA] = "data", [FIELD_EVENT] = "event", [FIELD_ID] = "id", [FIELD_RETRY] = "retry"};
    dx_bytes name = dx_bytes_at(r->name, r->name_size);

    r->field = FIELD_OTHER;
    for (uint8_t f = FIELD_DATA; f <= FIELD_RETRY; f++)
        if (dx_bytes_equal(name, dx_bytes_of(names[f])))
            r->field = f;
    r->value_size = 0;
    r->number = 0;
    r->is_number = false;
}

/* A name longer than any that is known is none of them. */
static void add_name(dx_sse_reader *r, dx_bytes part)
{
    size_t room = sizeof r->name - r->name_size, size = dx_min_size(part.size, room);

    dx_copy(r->name + r->name_size, part.at, size);
    r->name_size = (uint8_t)(r->name_size + size);
}

static void add_digits(dx_sse_reader *r, dx_bytes part)
{
    for (size_t i = 0; i < part.size; i++) {
        bool is_first = r->value_size == 0;
        bool is_digit = part.at[i] >= '0' && part.at[i] <= '9';
        r->value_size = 1;
        r->is_number = is_digit && (is_first || r->is_number);
        if (r->is_number) /* a time beyond all measure stays at the most there is */
            r->number = r->number > UINT64_MAX / 10 - 1 ? UINT64_MAX / 10
                                                        : r->number * 10 + (part.at[i] - '0');
    }
}

static dx_sse_status add_value(dx_sse_reader *r, dx_bytes part)
{
    switch ((field)r->field) {
    case FIELD_OTHER: return DX_SSE_MORE;
    case FIELD_RETRY: add_digits(r, part); return DX_SSE_MORE;
    case FIELD_DATA:
        if (part.size > r->data_bytes_max - r->data.size)
            return DX_SSE_TOO_LARGE;
        return dx_buffer_append(&r->data, part) ? DX_SSE_MORE : DX_SSE_MEMORY;
    case FIELD_EVENT:
    case FIELD_ID: {
        size_t max = r->field == FIELD_ID ? DX_SSE_ID_BYTES_MAX : DX_SSE_TYPE_BYTES_MAX;
        if (part.size > max - r->value_size)
            return DX_SSE_TOO_LARGE;
        dx_copy(r->value + r->value_size, part.at, part.size);
        r->value_size = (uint16_t)(r->value_size + part.size);
        return DX_SSE_MORE;
    }
    }
    return DX_SSE_MORE;
}

static dx_sse_status end_field(dx_sse_reader *r)
{
    dx_bytes value = dx_bytes_at(r->value, r->value_size);

    switch ((field)r->field) {
    case FIELD_OTHER: break;
    case FIELD_DATA:
        if (r->data.size == r->data_bytes_max)
            return DX_SSE_TOO_LARGE;
        return dx_buffer_append(&r->data, DX_BYTES("\n")) ? DX_SSE_MORE : DX_SSE_MEMORY;
    case FIELD_EVENT:
        dx_copy(r->type, value.at, value.size);
        r->type_size = r->value_size;
        break;
    case FIELD_ID:
        if (dx_bytes_find(value, 0) < value.size)
            break;
        dx_copy(r->next_id, value.at, value.size);
        r->next_id_size = r->value_size;
        break;
    case FIELD_RETRY:
        if (r->is_number) {
            r->retry_ms = r->number;
            r->has_retry = true;
        }
        break;
    }
    return DX_SSE_MORE;
}

/* ---- events ----------------------------------------------------------------------------------- */

/* An empty line. One without data is no event, but its id counts. */
static dx_sse_status dispatch(dx_sse_reader *r, dx_sse_event *ret)
{
    dx_copy(r->id, r->next_id, r->next_id_size);
    r->id_size = r->next_id_size;
    if (r->data.size == 0) {
        r->type_size = 0;
        return DX_SSE_MORE;
    }
    r->is_given = true;
    *ret = (dx_sse_event){
        .type = r->type_size > 0 ? dx_bytes_at(r->type, r->type_size) : DX_BYTES("message"),
        .data = dx_bytes_at(r->data.at, r->data.size - 1),
    };
    return DX_SSE_EVENT;
}

static dx_sse_status end_line(dx_sse_reader *r, dx_sse_event *ret)
{
    state was = (state)r->state;

    r->state = AT_START;
    switch (was) {
    case AT_START: return dispatch(r, ret);
    case IN_COMMENT: return DX_SSE_MORE;
    case IN_NAME: begin_field(r); return end_field(r); /* no colon: the value is empty */
    case AT_VALUE:
    case IN_VALUE: return end_field(r);
    }
    return DX_SSE_MORE;
}

/* ---- bytes ------------------------------------------------------------------------------------ */

/* The part of a line in front of `*in`: up to its end, or to the colon if the name is being read. */
static dx_bytes take_part(const dx_sse_reader *r, dx_bytes *in)
{
    dx_bytes part = {in->at, 0};
    bool is_name = r->state == IN_NAME;

    while (part.size < in->size && in->at[part.size] != '\n' && in->at[part.size] != '\r' &&
           !(is_name && in->at[part.size] == ':'))
        part.size++;
    dx_bytes_skip(in, part.size);
    return part;
}

static dx_sse_status read_part(dx_sse_reader *r, dx_bytes *in)
{
    uint8_t byte = in->at[0];

    switch ((state)r->state) {
    case AT_START:
        r->name_size = 0;
        r->state = byte == ':' ? IN_COMMENT : IN_NAME;
        return DX_SSE_MORE;
    case IN_NAME:
        add_name(r, take_part(r, in));
        if (in->size > 0 && in->at[0] == ':') {
            dx_bytes_skip(in, 1);
            begin_field(r);
            r->state = AT_VALUE;
        }
        return DX_SSE_MORE;
    case AT_VALUE:
        r->state = IN_VALUE;
        if (byte == ' ')
            dx_bytes_skip(in, 1);
        return DX_SSE_MORE;
    case IN_VALUE: return add_value(r, take_part(r, in));
    case IN_COMMENT: (void)take_part(r, in); return DX_SSE_MORE;
    }
    return DX_SSE_MORE;
}

/* The mark that may be before all else. What only begins like it is of the first line. */
static void skip_mark(dx_sse_reader *r, dx_bytes *in)
{
    while (r->bom < sizeof byte_order_mark && in->size > 0) {
        if (in->at[0] != byte_order_mark[r->bom]) {
            if (r->bom > 0) { /* no field begins like this: the line is of no known name */
                r->state = IN_NAME;
                r->name_size = 0;
                add_name(r, dx_bytes_at(byte_order_mark, r->bom));
            }
            r->bom = sizeof byte_order_mark;
            return;
        }
        dx_bytes_skip(in, 1);
        r->bom++;
    }
}

dx_sse_status dx_sse_read(dx_sse_reader *r, dx_bytes *in, dx_sse_event *ret)
{
    dx_sse_status status = DX_SSE_MORE;

    if (r->is_given)
        forget_event(r);
    skip_mark(r, in);
    while (status == DX_SSE_MORE && in->size > 0) {
        uint8_t byte = in->at[0];
        bool is_same_end = r->is_after_cr && byte == '\n';
        r->is_after_cr = false;
        if (is_same_end) {
            dx_bytes_skip(in, 1);
        } else if (byte == '\n' || byte == '\r') {
            dx_bytes_skip(in, 1);
            r->is_after_cr = byte == '\r';
            status = end_line(r, ret);
        } else {
            status = read_part(r, in);
        }
    }
    return status;
}
