/* duplex.v1: lines, and control as JSON objects of one member that says what it is.
 * SPDX-License-Identifier: MIT */
#include "codec/duplex_v1.h"

#include "base/assert.h"
#include "codec/json.h"
#include "codec/stream_rules.h"
#include "codec/utf8.h"

static const dx_bytes no_id = {(const uint8_t *)"-", 1};

const char *dx_v1_fault_text(dx_v1_fault fault)
{
    static const char *const texts[DX_V1_FAULT_COUNT] = {
        [DX_V1_OK] = "nothing was wrong",
        [DX_V1_LINE] = "A message begins with a line: an id of 1 to 64 bytes, or \"-\" if no "
                       "acknowledgement is wanted, and a line feed.",
        [DX_V1_ID] = "An id is 1 to 64 bytes of visible ASCII.",
        [DX_V1_OFFSET] = "This is no offset.",
        [DX_V1_JSON] =
            "A message that begins with a line feed is control: one JSON object follows. To "
            "publish without an acknowledgement begin with \"-\".",
        [DX_V1_CONTROL] = "This control is not known: a client sends {\"presence\":...} or "
                          "{\"ping\":...}, nothing else in the same object.",
        [DX_V1_VALUE] = "A member of this control is missing or of another type.",
        [DX_V1_VALUE_TOO_LARGE] =
            "The value is too large: a ping carries up to 256 bytes of JSON, a "
            "member up to 1024.",
    };
    dx_assert(fault < DX_V1_FAULT_COUNT);
    return texts[fault];
}

/* ---- lines ------------------------------------------------------------------------------------ */

bool dx_v1_id_is_good(dx_bytes id)
{
    for (size_t i = 0; i < id.size; i++)
        if (id.at[i] <= ' ' || id.at[i] >= 0x7f)
            return false;
    return id.size >= 1 && id.size <= DX_V1_ID_BYTES_MAX;
}

/* Cuts `*in` behind its first line feed, which must be among the first `max` + 1 bytes. */
static bool take_line(dx_bytes *in, size_t max, dx_bytes *ret)
{
    dx_bytes front = dx_bytes_at(in->at, dx_min_size(in->size, max + 1));
    size_t size = dx_bytes_find(front, '\n');

    if (size == front.size)
        return false;
    *ret = dx_bytes_at(in->at, size);
    dx_bytes_skip(in, size + 1);
    return true;
}

static bool is_control(dx_bytes in)
{
    return in.size > 0 && in.at[0] == '\n';
}

/* Gives the object behind the line feed. */
static dx_v1_fault read_control(dx_bytes in, dx_bytes *ret)
{
    size_t error_at;

    dx_bytes_skip(&in, 1);
    if (dx_json_check(in, DX_JSON_DEPTH_DEFAULT, &error_at) != DX_JSON_OK ||
        dx_json_type_of(in) != DX_JSON_OBJECT)
        return DX_V1_JSON;
    *ret = in;
    return DX_V1_OK;
}

/* ---- from the client -------------------------------------------------------------------------- */

static size_t client_value_max(dx_v1_client_kind kind)
{
    switch (kind) {
    case DX_V1_PING: return DX_V1_PING_BYTES_MAX;
    case DX_V1_PRESENCE: return DX_V1_PRESENCE_BYTES_MAX;
    case DX_V1_TOKEN: return DX_V1_TOKEN_BYTES_MAX;
    case DX_V1_PUBLISH: break;
    }
    dx_unreachable("a message is no control");
}

static dx_v1_fault read_client_control(dx_bytes in, dx_v1_client_frame *ret)
{
    dx_bytes object, name, value, more_name, more_value;
    dx_v1_client_frame frame = {0};
    dx_json_items it;

    dx_v1_fault fault = read_control(in, &object);
    if (fault != DX_V1_OK)
        return fault;
    if (!dx_json_items_init(&it, object) || !dx_json_object_next(&it, &name, &value) ||
        dx_json_object_next(&it, &more_name, &more_value))
        return DX_V1_CONTROL;
    if (dx_bytes_equal(name, DX_BYTES("\"presence\"")))
        frame.kind = DX_V1_PRESENCE;
    else if (dx_bytes_equal(name, DX_BYTES("\"ping\"")))
        frame.kind = DX_V1_PING;
    else if (dx_bytes_equal(name, DX_BYTES("\"token\"")))
        frame.kind = DX_V1_TOKEN;
    else
        return DX_V1_CONTROL;
    frame.data = value;
    if (value.size > client_value_max(frame.kind))
        return DX_V1_VALUE_TOO_LARGE;
    *ret = frame;
    return DX_V1_OK;
}

dx_v1_fault dx_v1_client_read(dx_bytes in, dx_v1_client_frame *ret)
{
    dx_v1_client_frame frame = {.kind = DX_V1_PUBLISH, .data = in};

    if (is_control(in))
        return read_client_control(in, ret);
    if (!take_line(&frame.data, DX_V1_ID_BYTES_MAX, &frame.id))
        return DX_V1_LINE;
    if (!dx_v1_id_is_good(frame.id))
        return DX_V1_ID;
    if (dx_bytes_equal(frame.id, no_id))
        frame.id.size = 0;
    *ret = frame;
    return DX_V1_OK;
}

bool dx_v1_number_read(dx_bytes id, uint64_t *epoch, uint64_t *sequence)
{
    uint64_t first, second;
    dx_bytes rest = id, text;

    if (!dx_bytes_split(&rest, '.', &text) || rest.at == NULL ||
        !dx_stream_number_read(text, DX_STREAM_NUMBER_MAX, &first) ||
        !dx_stream_number_read(rest, DX_STREAM_NUMBER_MAX, &second))
        return false;
    *epoch = first;
    *sequence = second;
    return true;
}

size_t dx_v1_publish_write(dx_bytes id, uint8_t at[static DX_V1_ID_BYTES_MAX + 1])
{
    if (id.size == 0)
        id = no_id;
    dx_assert(dx_v1_id_is_good(id));
    memcpy(at, id.at, id.size);
    at[id.size] = '\n';
    return id.size + 1;
}

/* ---- writing control -------------------------------------------------------------------------- */

/* What is put is bounded by the limits above, so that the whole always fits. */
static void put(dx_v1_control *c, dx_bytes bytes)
{
    dx_assert(bytes.size <= sizeof c->at - c->size);
    dx_copy(c->at + c->size, bytes.at, bytes.size);
    c->size += bytes.size;
}

static void put_string(dx_v1_control *c, dx_bytes text)
{
    size_t room = sizeof c->at - c->size, size = dx_json_write_string(text, c->at + c->size, room);

    dx_assert(size <= room);
    c->size += size;
}

static void put_number(dx_v1_control *c, uint64_t number)
{
    uint8_t digits[20];
    size_t first = sizeof digits;

    do
        digits[--first] = (uint8_t)('0' + number % 10);
    while ((number /= 10) > 0);
    put(c, dx_bytes_at(digits + first, sizeof digits - first));
}

static void put_offset(dx_v1_control *c, dx_offset offset)
{
    uint8_t text[DX_OFFSET_SIZE];

    dx_offset_write(offset, text);
    put(c, DX_BYTES("\""));
    put(c, dx_bytes_at(text, sizeof text));
    put(c, DX_BYTES("\""));
}

static void put_id(dx_v1_control *c, dx_bytes id)
{
    dx_assert(id.size <= DX_V1_ID_BYTES_MAX);
    if (id.size > 0)
        put_string(c, id);
    else
        put(c, DX_BYTES("null"));
}

static void begin(dx_v1_control *c, dx_bytes text)
{
    c->size = 0;
    put(c, DX_BYTES("\n"));
    put(c, text);
}

static void end(dx_v1_control *c)
{
    put(c, DX_BYTES("}"));
}

static void begin_ack(dx_bytes id, dx_offset offset, dx_v1_control *ret)
{
    begin(ret, DX_BYTES("{\"ack\":"));
    put_id(ret, id);
    put(ret, DX_BYTES(",\"offset\":"));
    put_offset(ret, offset);
}

void dx_v1_ack_write(dx_bytes id, dx_offset offset, dx_v1_control *ret)
{
    begin_ack(id, offset, ret);
    end(ret);
}

void dx_v1_ack_again_write(dx_bytes id, dx_offset offset, dx_v1_control *ret)
{
    begin_ack(id, offset, ret);
    put(ret, DX_BYTES(",\"duplicate\":true"));
    end(ret);
}

void dx_v1_error_write(dx_bytes id, unsigned status, dx_bytes detail, dx_v1_control *ret)
{
    if (detail.size > DX_V1_DETAIL_BYTES_MAX)
        detail.size = dx_utf8_cut(detail, DX_V1_DETAIL_BYTES_MAX);
    begin(ret, DX_BYTES("{\"error\":"));
    put_id(ret, id);
    put(ret, DX_BYTES(",\"status\":"));
    put_number(ret, status);
    put(ret, DX_BYTES(",\"detail\":"));
    put_string(ret, detail);
    end(ret);
}

void dx_v1_gap_write(const dx_v1_gap *gap, dx_v1_control *ret)
{
    begin(ret, DX_BYTES("{\"gap\":{\"requested\":"));
    put_offset(ret, gap->requested);
    put(ret, DX_BYTES(",\"earliest\":"));
    put_offset(ret, gap->earliest);
    put(ret, DX_BYTES(",\"lost\":"));
    if (gap->is_lost_known)
        put_number(ret, gap->lost);
    else
        put(ret, DX_BYTES("null"));
    put(ret, DX_BYTES("}"));
    end(ret);
}

void dx_v1_caught_up_write(dx_offset offset, dx_v1_control *ret)
{
    begin(ret, DX_BYTES("{\"caught_up\":"));
    put_offset(ret, offset);
    end(ret);
}

void dx_v1_closed_write(dx_v1_control *ret)
{
    begin(ret, DX_BYTES("{\"closed\":true"));
    end(ret);
}

void dx_v1_token_write(uint64_t expires_s, dx_v1_control *ret)
{
    begin(ret, DX_BYTES("{\"token\":{\"expires\":"));
    if (expires_s == 0)
        put(ret, DX_BYTES("null"));
    else
        put_number(ret, expires_s);
    put(ret, DX_BYTES("}"));
    end(ret);
}

void dx_v1_reconnect_write(uint32_t after_ms, dx_v1_control *ret)
{
    begin(ret, DX_BYTES("{\"reconnect\":{\"after_ms\":"));
    put_number(ret, after_ms);
    put(ret, DX_BYTES("}"));
    end(ret);
}

static void write_value(dx_bytes begin_text, dx_bytes value, dx_v1_control *ret)
{
    begin(ret, begin_text);
    put(ret, value);
    end(ret);
}

void dx_v1_pong_write(dx_bytes value, dx_v1_control *ret)
{
    dx_assert(value.size <= DX_V1_PING_BYTES_MAX);
    write_value(DX_BYTES("{\"pong\":"), value, ret);
}

void dx_v1_ping_write(dx_bytes value, dx_v1_control *ret)
{
    dx_assert(value.size <= DX_V1_PING_BYTES_MAX);
    write_value(DX_BYTES("{\"ping\":"), value, ret);
}

void dx_v1_presence_write(dx_bytes value, dx_v1_control *ret)
{
    dx_assert(value.size <= DX_V1_PRESENCE_BYTES_MAX);
    write_value(DX_BYTES("{\"presence\":"), value, ret);
}

void dx_v1_line_write(dx_offset offset, uint8_t at[static DX_V1_LINE_SIZE])
{
    dx_offset_write(offset, at);
    at[DX_OFFSET_SIZE] = '\n';
}

/* ---- reading what the server sends ------------------------------------------------------------ */

/* A string between quotes without escapes: what we send as offset has none. */
static bool read_offset(dx_bytes object, dx_bytes name, dx_offset *ret)
{
    dx_bytes value;

    if (!dx_json_object_find(object, name, &value) || value.size != DX_OFFSET_SIZE + 2 ||
        value.at[0] != '"')
        return false;
    return dx_offset_read(dx_bytes_at(value.at + 1, DX_OFFSET_SIZE), ret) == DX_OFFSET_AT;
}

static bool read_number(dx_bytes object, dx_bytes name, uint64_t max, uint64_t *ret)
{
    dx_bytes value;

    return dx_json_object_find(object, name, &value) && dx_bytes_decimal(value, max, ret);
}

/* null is no id. */
static bool read_id(dx_bytes value, dx_v1_server_frame *ret)
{
    uint8_t memory[6 * DX_V1_ID_BYTES_MAX + 2];

    if (dx_json_type_of(value) == DX_JSON_NULL)
        return true;
    if (dx_json_type_of(value) != DX_JSON_TEXT || value.size > sizeof memory)
        return false;
    dx_bytes id = dx_bytes_at(memory, dx_json_string_read(value, memory));
    if (!dx_v1_id_is_good(id))
        return false;
    memcpy(ret->id, id.at, id.size);
    ret->id_size = id.size;
    return true;
}

static bool read_ack(dx_bytes object, dx_bytes value, dx_v1_server_frame *ret)
{
    dx_bytes again;

    ret->is_duplicate = dx_json_object_find(object, DX_BYTES("duplicate"), &again) &&
                        dx_bytes_equal(again, DX_BYTES("true"));
    return read_id(value, ret) && ret->id_size > 0 &&
           read_offset(object, DX_BYTES("offset"), &ret->offset);
}

static bool read_error(dx_bytes object, dx_bytes value, dx_v1_server_frame *ret)
{
    uint64_t status;

    if (!read_id(value, ret) || !read_number(object, DX_BYTES("status"), 599, &status) ||
        status < 400 || !dx_json_object_find(object, DX_BYTES("detail"), &ret->data) ||
        dx_json_type_of(ret->data) != DX_JSON_TEXT)
        return false;
    ret->status = (unsigned)status;
    return true;
}

static bool read_gap(dx_bytes object, dx_bytes value, dx_v1_server_frame *ret)
{
    dx_bytes lost;

    if (dx_json_type_of(value) != DX_JSON_OBJECT ||
        !read_offset(value, DX_BYTES("requested"), &ret->gap.requested) ||
        !read_offset(value, DX_BYTES("earliest"), &ret->gap.earliest) ||
        !dx_json_object_find(value, DX_BYTES("lost"), &lost))
        return false;
    ret->gap.is_lost_known = dx_json_type_of(lost) != DX_JSON_NULL;
    return !ret->gap.is_lost_known || dx_bytes_decimal(lost, UINT64_MAX, &ret->gap.lost);
}

static bool read_caught_up(dx_bytes object, dx_bytes value, dx_v1_server_frame *ret)
{
    return read_offset(object, DX_BYTES("caught_up"), &ret->offset);
}

static bool read_closed(dx_bytes object, dx_bytes value, dx_v1_server_frame *ret)
{
    return dx_bytes_equal(value, DX_BYTES("true"));
}

static bool read_reconnect(dx_bytes object, dx_bytes value, dx_v1_server_frame *ret)
{
    uint64_t after_ms;

    if (dx_json_type_of(value) != DX_JSON_OBJECT ||
        !read_number(value, DX_BYTES("after_ms"), UINT32_MAX, &after_ms))
        return false;
    ret->after_ms = (uint32_t)after_ms;
    return true;
}

static bool read_pong(dx_bytes object, dx_bytes value, dx_v1_server_frame *ret)
{
    ret->data = value;
    return true;
}

static bool read_members(dx_bytes object, dx_bytes value, dx_v1_server_frame *ret)
{
    ret->data = object;
    return true;
}

static const struct {
    dx_bytes name;
    dx_v1_server_kind kind;
    bool (*read)(dx_bytes object, dx_bytes value, dx_v1_server_frame *ret);
} server_controls[] = {
    {{(const uint8_t *)"ack", 3}, DX_V1_ACK, read_ack},
    {{(const uint8_t *)"error", 5}, DX_V1_ERROR, read_error},
    {{(const uint8_t *)"gap", 3}, DX_V1_GAP, read_gap},
    {{(const uint8_t *)"caught_up", 9}, DX_V1_CAUGHT_UP, read_caught_up},
    {{(const uint8_t *)"closed", 6}, DX_V1_CLOSED, read_closed},
    {{(const uint8_t *)"reconnect", 9}, DX_V1_RECONNECT, read_reconnect},
    {{(const uint8_t *)"pong", 4}, DX_V1_PONG, read_pong},
    {{(const uint8_t *)"join", 4}, DX_V1_MEMBERS, read_members},
    {{(const uint8_t *)"leave", 5}, DX_V1_MEMBERS, read_members},
};

static dx_v1_fault read_server_control(dx_bytes in, dx_v1_server_frame *ret)
{
    dx_bytes object, value;

    dx_v1_fault fault = read_control(in, &object);
    if (fault != DX_V1_OK)
        return fault;
    for (size_t i = 0; i < DX_COUNT(server_controls); i++) {
        dx_v1_server_frame frame = {.kind = server_controls[i].kind};
        if (!dx_json_object_find(object, server_controls[i].name, &value))
            continue;
        if (!server_controls[i].read(object, value, &frame))
            return DX_V1_VALUE;
        *ret = frame;
        return DX_V1_OK;
    }
    return DX_V1_CONTROL;
}

dx_v1_fault dx_v1_server_read(dx_bytes in, dx_v1_server_frame *ret)
{
    dx_v1_server_frame frame = {.kind = DX_V1_MESSAGE, .data = in};
    dx_bytes line;

    if (is_control(in))
        return read_server_control(in, ret);
    if (!take_line(&frame.data, DX_OFFSET_SIZE, &line))
        return DX_V1_LINE;
    if (dx_offset_read(line, &frame.offset) != DX_OFFSET_AT)
        return DX_V1_OFFSET;
    *ret = frame;
    return DX_V1_OK;
}
