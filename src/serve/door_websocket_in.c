/* The WebSocket door: what the client sends.
 * Is:     publishing with and without acknowledgement, control of duplex.v1, refusals, backpressure.
 * Is not: the judgement (stream), the frames' syntax (codec/duplex_v1).
 * SPDX-License-Identifier: MIT */
#include "serve/door_websocket.h"

#include "base/assert.h"

#include <stdlib.h>

enum {
    APPENDS_HIGH = 64, /* appends of one connection that wait for the stream's home */
    APPENDS_LOW = 32,
};

typedef struct ws_append {
    dx_append append;
    dx_ws_door *door;
    dx_worker *worker;
    dx_message *message;
    dx_append_rules *rules; /* on the heap; NULL: no producer */
    uint8_t id_size;
    uint8_t id[DX_V1_ID_BYTES_MAX];
} ws_append;

size_t dx_door_append_bytes(void)
{
    return sizeof(ws_append);
}

/* ---- refusals --------------------------------------------------------------------------------- */

typedef struct refusal {
    uint16_t status;  /* HTTP; 0: none */
    uint16_t code;    /* of the Close of a raw session */
    const char *text; /* fits a Close */
} refusal;

static refusal refusal_of(dx_stream_status status)
{
    switch (status) {
    case DX_STREAM_OK: return (refusal){0};
    case DX_STREAM_NOT_FOUND: return (refusal){404, DX_CLOSE_NOT_FOUND, "there is no such stream"};
    case DX_STREAM_DELETED: return (refusal){410, DX_CLOSE_NOT_FOUND, "the stream was deleted"};
    case DX_STREAM_CLOSED:
        return (refusal){409, DX_CLOSE_CONFLICT, "the stream is closed: nothing can be appended"};
    case DX_STREAM_TYPE:
        return (refusal){409, DX_WS_CLOSE_UNSUPPORTED,
                         "this stream carries text: send text messages"};
    case DX_STREAM_BAD_JSON:
        return (refusal){400, DX_WS_CLOSE_DATA, "this stream carries JSON, and the message is not"};
    case DX_STREAM_RATE:
        return (refusal){429, DX_CLOSE_RATE, "too many messages to this stream in this second"};
    case DX_STREAM_FULL:
    case DX_STREAM_MEMORY:
    case DX_STREAM_ENDED:
        return (refusal){503, DX_WS_CLOSE_TRY_LATER, "the message was not taken, try again later"};
    case DX_STREAM_NO_SPACE:
        return (refusal){503, DX_WS_CLOSE_TRY_LATER,
                         "the disk is full: the message was not taken, try again later"};
    case DX_STREAM_STORE:
        return (refusal){503, DX_WS_CLOSE_TRY_LATER,
                         "the store failed: whether the message was taken is not known"};
    case DX_STREAM_PRODUCER_STALE:
        return (refusal){403, DX_CLOSE_FORBIDDEN, "this producer has a newer epoch"};
    case DX_STREAM_PRODUCER_START:
        return (refusal){400, DX_WS_CLOSE_DATA, "a producer's new epoch begins with number 0"};
    case DX_STREAM_PRODUCER_GAP:
        return (refusal){409, DX_CLOSE_CONFLICT, "not the producer's number that comes next"};
    case DX_STREAM_CONFLICT: /* these need rules or a position, which a message here does not have */
    case DX_STREAM_SEQUENCE:
    case DX_STREAM_MISMATCH:
    case DX_STREAM_KEY_REUSED:
    case DX_STREAM_SOURCE_NOT_FOUND:
    case DX_STREAM_SOURCE_DELETED:
    case DX_STREAM_SOURCE_TYPE:
    case DX_STREAM_SOURCE_OFFSET:
    case DX_STREAM_GONE:
    case DX_STREAM_FUTURE: break;
    }
    dx_unreachable("an append of one message cannot be refused so");
}

/* Without an id, too: who wants no acknowledgement still wants to know. */
static void refuse(dx_ws_door *d, dx_bytes id, const refusal *r)
{
    if (d->is_v1)
        dx_v1_refuse(d, id, r->status, r->text);
    else
        dx_ws_door_close(d, r->code, dx_bytes_of(r->text));
}

/* ---- publishing ------------------------------------------------------------------------------- */

static bool is_to_wait(dx_ws_door *d)
{
    return d->is_v1 && (dx_wide_door_of(d)->ping.size > 0 || dx_wide_door_of(d)->close_code != 0);
}

void dx_ws_door_go_on(dx_ws_door *d)
{
    if (!d->is_paused || d->appends_count > APPENDS_LOW || is_to_wait(d))
        return;
    d->is_paused = false;
    dx_ws_resume(d->ws);
}

static void hold_back(dx_ws_door *d)
{
    if (d->is_paused)
        return;
    d->is_paused = true;
    dx_ws_pause(d->ws);
}

static void append_free(ws_append *op)
{
    free(op->rules);
    dx_pool_give(&op->worker->appends, op);
}

static void answer(dx_ws_door *d, const ws_append *op)
{
    dx_bytes id = dx_bytes_at(op->id, op->id_size);
    dx_v1_control control;

    if (op->append.status != DX_STREAM_OK) {
        refusal r = refusal_of(op->append.status);
        refuse(d, id, &r);
    } else if (id.size > 0) {
        bool is_again = op->rules && op->rules->is_duplicate;
        (is_again ? dx_v1_ack_again_write : dx_v1_ack_write)(id, op->append.next, &control);
        dx_v1_send(d, &control);
    }
}

static void on_appended(dx_append *append)
{
    ws_append *op = DX_CONTAINER(append, ws_append, append);
    dx_ws_door *d = op->door;
    dx_worker *w = op->worker;

    d->appends_count--;
    if (append->status == DX_STREAM_OK)
        d->appended = (uint32_t)append->next.sequence;
    if (d->ws) {
        answer(d, op);
        dx_ws_door_settle(d);
        dx_ws_door_go_on(d);
    }
    append_free(op);
    dx_ws_door_free(w, d);
}

static ws_append *append_new(dx_ws_door *d, dx_bytes id, dx_stream_kind kind, dx_bytes payload)
{
    dx_worker *w = dx_ws_door_worker(d);
    ws_append *op = dx_pool_take(&w->appends);
    dx_message *message = op ? dx_message_new(payload, d->sub.origin) : NULL;

    if (message == NULL) {
        dx_pool_give(&w->appends, op);
        return NULL;
    }
    *op = (ws_append){.door = d, .worker = w, .message = message, .id_size = (uint8_t)id.size};
    dx_copy(op->id, id.at, id.size);
    op->append = (dx_append){
        .ns = dx_topic_namespace(d->topic),
        .path = dx_topic_path(d->topic),
        .kind = kind,
        .messages = &op->message,
        .count = 1,
        .done = on_appended,
    };
    return op;
}

/* What the id says about the producer's message. NULL: memory is out. */
static dx_append_rules *rules_new(dx_ws_door *d, dx_bytes id)
{
    dx_append_rules *rules = calloc(1, sizeof *rules);

    if (rules == NULL)
        return NULL;
    rules->producer = dx_buffer_view(&dx_wide_door_of(d)->producer);
    bool is_good = dx_v1_number_read(id, &rules->producer_epoch, &rules->producer_sequence);
    dx_assert(is_good); /* is_allowed */
    return rules;
}

static bool has_producer(dx_ws_door *d)
{
    return d->is_v1 && dx_wide_door_of(d)->producer.size > 0;
}

static bool is_numbered(dx_bytes id)
{
    uint64_t epoch, sequence;

    return dx_v1_number_read(id, &epoch, &sequence);
}

static const dx_capability *capability_of(dx_ws_door *d)
{
    return d->is_wide ? dx_wide_door_of(d)->publish_by : NULL;
}

static uint32_t message_max(dx_ws_door *d)
{
    const dx_grant grant = {.by = capability_of(d)};

    return dx_grant_message_max(&grant, dx_topic_namespace(d->topic)->message_bytes_max);
}

/* How long it is to wait for its capability's rate; 0: not at all. */
static uint64_t retry_ms(dx_ws_door *d)
{
    const dx_capability *by = capability_of(d);
    dx_server *s = dx_ws_door_worker(d)->server;

    return by && by->rate_max ? dx_allowance_take(&s->allowances, dx_wide_door_of(d)->lease.who, by, 1) : 0;
}

static bool is_allowed(dx_ws_door *d, dx_bytes id, dx_bytes payload)
{
    static const refusal read_only = {403, DX_CLOSE_FORBIDDEN, "this connection only reads"};
    static const refusal too_large = {413, DX_WS_CLOSE_TOO_BIG,
                                      "larger than a message of this stream may be"};
    static const refusal too_many = {429, DX_CLOSE_RATE, "more messages a second than your capability allows"};
    static const refusal no_number = {400, DX_WS_CLOSE_DATA,
                                      "with producer=, an id is EPOCH.NUMBER"};

    if (d->is_write_off)
        refuse(d, id, &read_only);
    else if (payload.size > message_max(d))
        refuse(d, id, &too_large);
    else if (retry_ms(d) > 0)
        refuse(d, id, &too_many);
    else if (has_producer(d) && !is_numbered(id))
        refuse(d, id, &no_number);
    else
        return true;
    return false;
}

static void publish(dx_ws_door *d, dx_bytes id, dx_stream_kind kind, dx_bytes payload)
{
    if (!is_allowed(d, id, payload))
        return;
    ws_append *op = append_new(d, id, kind, payload);
    if (op && has_producer(d) && (op->append.rules = op->rules = rules_new(d, id)) == NULL) {
        dx_message_unref(op->message);
        append_free(op);
        op = NULL;
    }
    if (op == NULL) {
        refusal r = refusal_of(DX_STREAM_MEMORY);
        refuse(d, id, &r);
        return;
    }
    dx_hub *hub = dx_streams_hub(op->worker->server->streams, op->worker->index);
    if (++d->appends_count >= APPENDS_HIGH)
        hold_back(d);
    dx_hub_append(hub, &op->append);
    if (d->appends_count > 0) { /* it is not answered yet */
        d->is_unsettled = true;
        dx_ws_unsettle(d->ws);
    }
}

/* ---- control ---------------------------------------------------------------------------------- */

/* Nothing more is read until it is answered, so that there is one at a time. */
static void on_ping(dx_ws_door *d, dx_bytes value)
{
    dx_wide_door *wide = dx_wide_door_of(d);

    if (!dx_buffer_append(&wide->ping, value)) {
        dx_v1_refuse(d, (dx_bytes){0}, 503, "out of memory, try again later");
        return;
    }
    hold_back(d);
    dx_v1_pay(d);
}

static void on_v1(dx_ws_door *d, dx_stream_kind kind, dx_bytes in)
{
    dx_v1_client_frame frame;
    dx_v1_fault fault = dx_v1_client_read(in, &frame);

    if (fault != DX_V1_OK) {
        dx_v1_refuse(d, (dx_bytes){0}, fault == DX_V1_VALUE_TOO_LARGE ? 413 : 400,
                     dx_v1_fault_text(fault));
        return;
    }
    switch (frame.kind) {
    case DX_V1_PUBLISH: publish(d, frame.id, kind, frame.data); return;
    case DX_V1_PING: on_ping(d, frame.data); return;
    case DX_V1_PRESENCE: dx_v1_on_presence(d, frame.data); return;
    case DX_V1_TOKEN: dx_v1_on_token(d, frame.data); return;
    }
    dx_unreachable("dx_v1_client_kind outside its enum");
}

void dx_ws_door_on_message(dx_ws *ws, const dx_ws_message *m, void *context)
{
    dx_ws_door *d = ws->user;
    dx_stream_kind kind = m->type == DX_WS_MESSAGE_TEXT ? DX_STREAM_TEXT : DX_STREAM_BINARY;

    if (d->is_v1)
        on_v1(d, kind, m->payload);
    else
        publish(d, (dx_bytes){0}, kind, m->payload);
}
