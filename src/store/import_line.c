/* One line of an export, taken apart.
 * SPDX-License-Identifier: MIT */
#include "store/import_line.h"

#include "codec/base64.h"
#include "codec/json.h"
#include "codec/stream_time.h"

#include <string.h>

/* The members of a line, as raw JSON; at NULL: not there. */
typedef enum name {
    DUPLEX,
    VERSION,
    END,
    STREAM,
    TYPE,
    KIND,
    IDENTITY,
    EPOCHS,
    FIRST,
    TAIL,
    CLOSED,
    TTL_S,
    USED,
    EXPIRES,
    PRODUCER,
    EPOCH,
    SEQ,
    IDEMPOTENCY_KEY,
    HASH,
    NEXT,
    UNTIL,
    STREAM_SEQ,
    OFFSET,
    TIME,
    MORE,
    JSON,
    TEXT,
    STREAMS,
    MESSAGES,
    NAMES,
} name;

static const char *const names[NAMES] = {
    [DUPLEX] = "duplex",     [VERSION] = "version",
    [END] = "end",           [STREAM] = "stream",
    [TYPE] = "type",         [KIND] = "kind",
    [IDENTITY] = "identity", [EPOCHS] = "epochs",
    [FIRST] = "first",       [TAIL] = "tail",
    [CLOSED] = "closed",     [TTL_S] = "ttl_s",
    [USED] = "used",         [EXPIRES] = "expires",
    [PRODUCER] = "producer", [EPOCH] = "epoch",
    [SEQ] = "seq",           [IDEMPOTENCY_KEY] = "idempotency_key",
    [HASH] = "hash",         [NEXT] = "next",
    [UNTIL] = "until",       [STREAM_SEQ] = "stream_seq",
    [OFFSET] = "offset",     [TIME] = "time",
    [MORE] = "more",         [JSON] = "json",
    [TEXT] = "text",         [STREAMS] = "streams",
    [MESSAGES] = "messages",
};

typedef struct members {
    dx_bytes at[NAMES];
    bool is_base64[NAMES]; /* it stood there as NAME_base64 */
    dx_line *line;
} members;

/* ---- values ----------------------------------------------------------------------------------- */

static bool is_string(dx_bytes value)
{
    return value.at && dx_json_type_of(value) == DX_JSON_TEXT;
}

static bool is_true(const members *m, name which)
{
    return m->at[which].at && dx_bytes_equal(m->at[which], DX_BYTES("true"));
}

/* What a string means; a view of line->memory until the next line: room for the whole line is there. */
static bool get_bytes(members *m, name which, dx_bytes *ret)
{
    dx_buffer *memory = &m->line->memory;
    uint8_t *to = memory->at + memory->size;
    dx_bytes value = m->at[which];
    size_t size;

    if (!is_string(value))
        return false;
    if (m->is_base64[which]) {
        dx_bytes inner = dx_bytes_at(value.at + 1, value.size - 2);
        if (!dx_base64_read(inner, to, memory->capacity - memory->size, &size))
            return false;
    } else {
        size = dx_json_string_read(value, to);
    }
    memory->size += size;
    *ret = dx_bytes_at(to, size);
    return true;
}

static bool get_number(const members *m, name which, uint64_t *ret)
{
    return m->at[which].at && dx_bytes_decimal(m->at[which], UINT64_MAX, ret);
}

static bool offset_of(dx_bytes value, dx_offset *ret)
{
    return is_string(value) &&
           dx_offset_read(dx_bytes_at(value.at + 1, value.size - 2), ret) == DX_OFFSET_AT;
}

/* 16 hex digits. */
static bool get_hex(const members *m, name which, uint64_t *ret)
{
    uint8_t text[DX_OFFSET_SIZE] = "0000000000000000_0000000000000000";
    dx_bytes value = m->at[which];
    dx_offset offset;

    if (!is_string(value) || value.size != 18)
        return false;
    memcpy(text, value.at + 1, 16);
    if (dx_offset_read(dx_bytes_at(text, sizeof text), &offset) != DX_OFFSET_AT)
        return false;
    *ret = offset.epoch;
    return true;
}

static bool get_time(members *m, name which, uint64_t *ret)
{
    dx_instant instant;
    dx_bytes text;

    if (!get_bytes(m, which, &text) || !dx_stream_time_read(text, &instant))
        return false;
    *ret = dx_instant_ms(instant);
    return true;
}

/* ---- lines ------------------------------------------------------------------------------------ */

static bool get_kind(members *m, dx_stream_kind *ret)
{
    static const char *const kinds[] = {
        [DX_STREAM_UNDECIDED] = "none",
        [DX_STREAM_TEXT] = "text",
        [DX_STREAM_JSON] = "json",
        [DX_STREAM_BINARY] = "binary",
    };
    dx_bytes text;

    if (!get_bytes(m, KIND, &text))
        return false;
    for (size_t i = 0; i < DX_COUNT(kinds); i++)
        if (dx_bytes_equal(text, dx_bytes_of(kinds[i]))) {
            *ret = (dx_stream_kind)i;
            return true;
        }
    return false;
}

static const char *read_epochs(members *m, dx_line *line)
{
    dx_bytes value = m->at[EPOCHS], element;
    dx_record_view *r = &line->record;
    dx_offset before = {0}, run;
    dx_json_items items;

    line->runs.size = 0;
    r->runs_count = 0;
    if (value.at == NULL || !dx_json_items_init(&items, value) ||
        dx_json_type_of(value) != DX_JSON_ARRAY)
        return "\"epochs\" must be an array";
    while (dx_json_array_next(&items, &element)) {
        bool is_first = r->runs_count == 0;
        if (!offset_of(element, &run) || (is_first && run.sequence != 0) ||
            (!is_first && (run.epoch <= before.epoch || run.sequence <= before.sequence)))
            return "\"epochs\" must be offsets that rise, from sequence 0 on";
        if (!dx_record_add_run(&line->runs, run))
            return "out of memory";
        before = run;
        if (++r->runs_count > 4096)
            return "\"epochs\" are too many";
    }
    r->runs = dx_buffer_view(&line->runs);
    return r->runs_count > 0 ? NULL : "\"epochs\" must have one at least";
}

static const char *read_lifetime(members *m, dx_line *line)
{
    dx_lifetime *life = &line->record.lifetime;

    *life = (dx_lifetime){0};
    line->used_ms = 0;
    if (m->at[TTL_S].at) {
        life->kind = DX_LIFETIME_IDLE;
        if (!get_number(m, TTL_S, &life->idle_s) || !get_time(m, USED, &line->used_ms))
            return "\"ttl_s\" must be a number of seconds, with \"used\", a time";
    } else if (m->at[EXPIRES].at) {
        life->kind = DX_LIFETIME_UNTIL;
        if (!get_time(m, EXPIRES, &life->until_ms))
            return "\"expires\" must be a time";
    }
    return NULL;
}

static const char *read_stream(members *m, dx_line *line)
{
    dx_record_view *r = &line->record;

    line->kind = DX_LINE_STREAM;
    *r = (dx_record_view){.is_closed = is_true(m, CLOSED)};
    if (!get_bytes(m, STREAM, &line->path) || line->path.size == 0 ||
        line->path.size > DX_PATH_BYTES_MAX || line->path.at[0] != '/')
        return "\"stream\" must be a path: \"/\" and at most 1023 bytes";
    if (!get_bytes(m, TYPE, &r->type) || r->type.size > DX_TYPE_BYTES_MAX)
        return "\"type\" must be a content type of at most 255 bytes";
    if (!get_kind(m, &r->kind))
        return "\"kind\" must be text, json, binary or none";
    if (!get_hex(m, IDENTITY, &r->identity) || r->identity == 0)
        return "\"identity\" must be 16 hex digits, and not 0";
    if (!get_number(m, FIRST, &line->first) || !get_number(m, TAIL, &line->tail) ||
        line->first < 1 || line->tail >= UINT64_MAX - 1 || line->first > line->tail + 1)
        return "\"first\" and \"tail\" must be numbers of messages";
    const char *wrong = read_epochs(m, line);
    return wrong ? wrong : read_lifetime(m, line);
}

static const char *read_fact(members *m, dx_line *line)
{
    dx_fact_view *f = &line->fact;

    line->kind = DX_LINE_FACT;
    *f = (dx_fact_view){0};
    if (m->at[STREAM_SEQ].at) {
        f->kind = DX_FACT_IS_SEQUENCE;
        return get_bytes(m, STREAM_SEQ, &f->name) ? NULL : "\"stream_seq\" must be a string";
    }
    if (m->at[PRODUCER].at) {
        f->kind = DX_FACT_IS_PRODUCER;
        bool is_good = get_bytes(m, PRODUCER, &f->name) && get_number(m, EPOCH, &f->numbers[0]) &&
                       get_number(m, SEQ, &f->numbers[1]) && get_time(m, USED, &f->numbers[2]);
        return is_good ? NULL : "a producer has \"epoch\", \"seq\" and \"used\", a time";
    }
    f->kind = DX_FACT_IS_KEY;
    dx_offset next;
    bool is_good = get_bytes(m, IDEMPOTENCY_KEY, &f->name) && get_hex(m, HASH, &f->numbers[0]) &&
                   offset_of(m->at[NEXT], &next) && get_time(m, UNTIL, &f->until_ms);
    if (!is_good)
        return "an \"idempotency_key\" has \"hash\", \"next\" and \"until\", a time";
    f->numbers[1] = next.epoch, f->numbers[2] = next.sequence;
    return NULL;
}

static const char *read_message(members *m, dx_line *line)
{
    line->kind = DX_LINE_MESSAGE;
    line->is_more = is_true(m, MORE);
    if (!offset_of(m->at[OFFSET], &line->offset))
        return "\"offset\" must be an offset";
    if (!get_time(m, TIME, &line->time_ms))
        return "\"time\" must be a time";
    line->payload = m->at[JSON];
    if (line->payload.at == NULL && !get_bytes(m, TEXT, &line->payload))
        return "a message has \"json\", \"text\" or \"text_base64\"";
    return NULL;
}

static const char *read_begin(members *m, dx_line *line)
{
    uint64_t version = 0;
    dx_bytes what;

    line->kind = DX_LINE_BEGIN;
    if (!get_bytes(m, DUPLEX, &what) || !dx_bytes_equal(what, DX_BYTES("export")) ||
        !get_number(m, VERSION, &version))
        return "this is no export of duplex";
    return version == 1 ? NULL : "this export is of a newer version of duplex";
}

static const char *read_kind(members *m, dx_line *line)
{
    if (m->at[OFFSET].at)
        return read_message(m, line);
    if (m->at[STREAM].at)
        return read_stream(m, line);
    if (m->at[STREAM_SEQ].at || m->at[PRODUCER].at || m->at[IDEMPOTENCY_KEY].at)
        return read_fact(m, line);
    if (m->at[DUPLEX].at)
        return read_begin(m, line);
    line->kind = DX_LINE_END;
    bool is_end = is_true(m, END) && get_number(m, STREAMS, &line->streams) &&
                  get_number(m, MESSAGES, &line->messages);
    return is_end ? NULL : "not a line of an export";
}

/* With its quotes. What is not known is passed over. */
static void take_member(members *m, dx_bytes quoted, dx_bytes value)
{
    static const dx_bytes suffix = DX_BYTES("_base64");
    dx_bytes bare = dx_bytes_at(quoted.at + 1, quoted.size - 2);
    bool is_base64 = bare.size > suffix.size &&
                     memcmp(bare.at + bare.size - suffix.size, suffix.at, suffix.size) == 0;

    if (is_base64)
        bare.size -= suffix.size;
    for (name i = 0; i < NAMES; i++)
        if (dx_bytes_equal(bare, dx_bytes_of(names[i]))) {
            m->at[i] = value;
            m->is_base64[i] = is_base64;
            return;
        }
}

const char *dx_line_read(dx_bytes text, dx_line *line)
{
    members m = {.line = line};
    dx_json_items items;
    dx_bytes quoted, value;
    size_t error_at = 0;

    dx_json_fault fault = dx_json_check(text, DX_JSON_DEPTH_MAX, &error_at);
    if (fault != DX_JSON_OK)
        return dx_json_fault_text(fault);
    if (dx_json_type_of(text) != DX_JSON_OBJECT || !dx_json_items_init(&items, text))
        return "a line is a JSON object";
    line->memory.size = 0;
    if (!dx_buffer_reserve(&line->memory, text.size + 1))
        return "out of memory";
    while (dx_json_object_next(&items, &quoted, &value))
        take_member(&m, quoted, value);
    return read_kind(&m, line);
}
