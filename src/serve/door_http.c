/* The HTTP doors of a stream: POST appends, GET reads what has happened.
 * Memory: one operation while a request waits for the stream's home worker.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "base/assert.h"
#include "codec/json.h"
#include "codec/utf8.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_COUNT_MAX = 10000, READ_BYTES_MAX = 1048576 };

static dx_hub *hub_of(const dx_exchange *x)
{
    dx_worker *w = dx_worker_of(x);
    return dx_streams_hub(w->server->streams, w->index);
}

static void answer_memory(dx_exchange *x)
{
    dx_exchange_problem(x, 503, "Out of memory, try again later.");
}

/* ---- POST ------------------------------------------------------------------------------------- */

typedef struct post_op {
    dx_append append;
    dx_exchange *x; /* NULL once the client has gone */
    dx_bytes path;  /* in `bytes`, as the type: the exchange may be gone before the answer */
    dx_message **messages;
    uint8_t bytes[];
} post_op;

static void post_op_free(post_op *op)
{
    free(op->messages);
    free(op);
}

static void on_gone(dx_exchange *x, void *context)
{
    dx_exchange **of = context;

    (void)x;
    *of = NULL;
}

static void on_appended(dx_append *append)
{
    post_op *op = DX_CONTAINER(append, post_op, append);
    uint8_t offset[DX_OFFSET_SIZE];

    if (op->x && append->status != DX_STREAM_OK) {
        dx_door_problem(op->x, append->status, NULL);
    } else if (op->x) {
        dx_offset_write(append->next, offset);
        dx_header next = {DX_BYTES("Stream-Next-Offset"), dx_bytes_at(offset, sizeof offset)};
        dx_exchange_respond(op->x, &(dx_response){.status = 204, .headers = &next, .headers_count = 1});
    }
    post_op_free(op);
}

/* One message more; false: answered. */
static bool add_message(post_op *op, dx_bytes payload, uint32_t bytes_max)
{
    char detail[128];

    if (payload.size > bytes_max) {
        snprintf(detail, sizeof detail, "A message of %zu bytes is too large: at most %u are taken.",
                 payload.size, bytes_max);
        dx_exchange_problem(op->x, 413, detail);
        return false;
    }
    if ((op->append.count & (op->append.count + 1)) == 0) { /* room doubles at 0, 1, 3, 7, … */
        size_t room = (op->append.count + 1) * 2;
        dx_message **messages = realloc(op->messages, room * sizeof *messages);
        if (messages == NULL) {
            answer_memory(op->x);
            return false;
        }
        op->messages = messages;
    }
    dx_message *message = dx_message_new(payload, 0);
    if (message == NULL) {
        answer_memory(op->x);
        return false;
    }
    op->messages[op->append.count++] = message;
    return true;
}

/* JSON: the elements of an array are messages of their own, one level deep. */
static bool add_json(post_op *op, dx_bytes body, uint32_t bytes_max)
{
    char detail[160];
    size_t error_at = 0;
    dx_json_items items;
    dx_bytes element;
    dx_json_fault fault = dx_json_check(body, DX_JSON_DEPTH_DEFAULT, &error_at);

    if (fault != DX_JSON_OK) {
        snprintf(detail, sizeof detail, "Not JSON at byte %zu: %s", error_at, dx_json_fault_text(fault));
        dx_exchange_problem(op->x, 400, detail);
        return false;
    }
    if (dx_json_type_of(body) != DX_JSON_ARRAY)
        return add_message(op, dx_json_trim(body), bytes_max);
    dx_json_items_init(&items, body);
    while (dx_json_array_next(&items, &element))
        if (!add_message(op, element, bytes_max))
            return false;
    if (op->append.count > 0)
        return true;
    dx_exchange_problem(op->x, 400, "An empty array holds no message.");
    return false;
}

static bool add_body(post_op *op, uint32_t bytes_max)
{
    dx_exchange *x = op->x;

    if (x->body.size == 0) {
        dx_exchange_problem(x, 400, "A message has at least one byte.");
        return false;
    }
    if (op->append.kind == DX_STREAM_JSON)
        return add_json(op, x->body, bytes_max);
    if (op->append.kind == DX_STREAM_TEXT && !dx_utf8_is_valid(x->body)) {
        dx_exchange_problem(x, 400, "Text must be UTF-8.");
        return false;
    }
    return add_message(op, x->body, bytes_max);
}

static post_op *post_op_new(dx_exchange *x, dx_bytes type)
{
    post_op *op = calloc(1, sizeof *op + x->path.size + type.size);

    if (op == NULL)
        return NULL;
    dx_copy(op->bytes, x->path.at, x->path.size);
    dx_copy(op->bytes + x->path.size, type.at, type.size);
    op->x = x;
    op->append = (dx_append){
        .path = dx_bytes_at(op->bytes, x->path.size),
        .type = dx_bytes_at(op->bytes + x->path.size, type.size),
        .kind = dx_door_kind(type),
        .done = on_appended,
    };
    return op;
}

void dx_door_post(dx_exchange *x, void *context)
{
    const dx_stream_route *route = context;
    dx_bytes type = dx_http_fields_value(&x->head.fields, DX_HTTP_CONTENT_TYPE);

    if (!dx_door_check_name(x, route))
        return;
    if (type.size > DX_TYPE_BYTES_MAX) {
        dx_exchange_problem(x, 400, "The Content-Type is longer than 255 bytes.");
        return;
    }
    if (type.size == 0)
        type = DX_BYTES("application/octet-stream");
    post_op *op = post_op_new(x, type);
    if (op == NULL) {
        answer_memory(x);
        return;
    }
    if (!add_body(op, route->ns.message_bytes_max)) {
        for (size_t i = 0; i < op->append.count; i++)
            dx_message_unref(op->messages[i]);
        post_op_free(op);
        return;
    }
    op->append.ns = &route->ns;
    op->append.messages = op->messages;
    dx_exchange_on_gone(x, on_gone, &op->x);
    dx_hub_append(hub_of(x), &op->append);
}

/* ---- GET -------------------------------------------------------------------------------------- */

typedef struct get_op {
    dx_read read;
    dx_exchange *x;
    uint8_t path[];
} get_op;

static uint64_t body_size(const dx_read *read, bool is_json)
{
    uint64_t size = is_json ? 2 + (read->count > 0 ? read->count - 1 : 0) : 0;

    for (size_t i = 0; i < read->count; i++)
        size += read->messages[i]->size;
    return size;
}

/* A JSON stream reads as an array, any other as its bytes in a row. */
static void write_body(dx_exchange *x, const dx_read *read, bool is_json)
{
    if (is_json)
        dx_exchange_put(x, DX_BYTES("["));
    for (size_t i = 0; i < read->count; i++) {
        if (is_json && i > 0)
            dx_exchange_put(x, DX_BYTES(","));
        dx_exchange_put(x, dx_message_payload(read->messages[i]));
    }
    if (is_json)
        dx_exchange_put(x, DX_BYTES("]"));
}

static void answer_read(dx_exchange *x, const dx_read *read)
{
    uint8_t offset[DX_OFFSET_SIZE];
    dx_header headers[4];
    size_t count = 0;
    bool is_json = read->info.kind == DX_STREAM_JSON;
    bool is_head = x->head.method == DX_HTTP_HEAD;
    uint64_t next = read->count > 0 ? read->messages[read->count - 1]->sequence
                    : is_head       ? read->info.tail
                                    : read->start - 1;

    dx_offset_write((dx_offset){read->info.epoch, next}, offset);
    headers[count++] = (dx_header){DX_BYTES("Stream-Next-Offset"), dx_bytes_at(offset, sizeof offset)};
    headers[count++] = (dx_header){DX_BYTES("Cache-Control"), DX_BYTES("no-cache")};
    headers[count++] = (dx_header){DX_BYTES("X-Content-Type-Options"), DX_BYTES("nosniff")};
    if (!is_head && next == read->info.tail)
        headers[count++] = (dx_header){DX_BYTES("Stream-Up-To-Date"), DX_BYTES("true")};
    dx_response response = {.type = dx_stream_info_type(&read->info),
                            .headers = headers,
                            .headers_count = count};
    dx_exchange_start(x, &response, is_head ? DX_LENGTH_UNKNOWN : body_size(read, is_json));
    if (!is_head)
        write_body(x, read, is_json);
    dx_exchange_end(x);
}

static void on_read(dx_read *read)
{
    get_op *op = DX_CONTAINER(read, get_op, read);

    if (op->x && read->status == DX_STREAM_OK && read->info.kind == DX_STREAM_UNDECIDED)
        read->status = DX_STREAM_NOT_FOUND; /* somebody waits for it, but nothing was said yet */
    if (op->x && read->status == DX_STREAM_OK)
        answer_read(op->x, read);
    else if (op->x)
        dx_door_problem(op->x, read->status, &read->info);
    dx_read_release(read);
    free(op);
}

void dx_door_get(dx_exchange *x, void *context)
{
    const dx_stream_route *route = context;
    dx_position position;

    if (!dx_door_check_name(x, route) || !dx_door_position(x, DX_OFFSET_START, &position))
        return;
    get_op *op = calloc(1, sizeof *op + x->path.size);
    if (op == NULL) {
        answer_memory(x);
        return;
    }
    dx_copy(op->path, x->path.at, x->path.size);
    op->x = x;
    op->read = (dx_read){
        .ns = &route->ns,
        .path = dx_bytes_at(op->path, x->path.size),
        .position = position,
        .count_max = x->head.method == DX_HTTP_HEAD ? 0 : READ_COUNT_MAX,
        .bytes_max = READ_BYTES_MAX,
        .done = on_read,
    };
    dx_exchange_on_gone(x, on_gone, &op->x);
    dx_hub_read(hub_of(x), &op->read);
}
